"""`curate analyze`: what an archive is, before any recipe is right. Counts and shares alone; no value of any file.

Read are what `curate init` and `curate plan` look at (headers of a drawn sample, the reports' tables), the texts of the
first reports, and the pixels of some pictures: in memory, and nothing of them is written.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import UID

from curate.deid.pixels.gate import gate
from curate.deid.rules import PixelPolicy
from curate.deid.words.language import language_name
from curate.engine import Crash, Engine
from curate.engine.guard import clock_record
from curate.errors import DropRecord
from curate.ingest.index import read_sources
from curate.places import place
from curate.record import Reason
from curate.report.interval import wilson
from curate.sources.dicom.read import load_dicom
from curate.sources.images.read import load_image
from curate.sources.member import open_file
from curate.sources.picture import PixelRules
from curate.sources.reports.report import Report
from curate.sources.reports.text.letterhead import caption_sections
from pipelines.recipe.load import validated
from pipelines.recipe.recipe import Recipe
from pipelines.survey.apart import apart
from pipelines.survey.guess import guess
from pipelines.survey.preview import Looked, look

TEXTS, PICTURES, HASHED = 1000, 40, 500  # reports whose words, pictures whose pixels, files whose bytes are looked at
_SECONDS = 30.0  # of CPU, after which no further picture is decoded
_LARGEST = 64 << 20  # bytes: larger files are not compared
_LENGTHS = (0, 10, 25, 50, 100, 200)  # words
_IMAGE_KEYS = {"patient": "patient_id", "study": "study_uid", "accession": "accession", "date": "study_date"}
_REPORT_KEYS = ("patient", "study", "accession", "date", "image")
_SECTIONS = ("findings", "impression", "history", "technique", "comparison", "body")


def analyze(paths: Sequence[Path], engine: Engine | None = None) -> dict[str, Any]:
    """Plain JSON of what ``paths`` (folders, tables) hold; `analysis.html.j2` draws it. Shares are [n, of].

    Pictures are decoded in a process of ``engine`` (None: one of its own), which one of them may end. RecipeError where
    ``paths`` hold no picture and no report.
    """
    nowhere = Path("analysis-writes-no-run")
    recipe = validated({**guess(paths, nowhere, nowhere).fields}, (), Recipe)
    looked = look(recipe)
    rows = [{**row, "source": name} for name, scan in looked.scans for row in scan.to_pylist()]
    pictures = [row for row in rows if row["reason"] is None]
    return {
        "format": 1,
        "said": looked.extent,
        "files": _files(looked, rows),
        "pictures": _pictures(pictures),
        "keys": _keys(pictures, looked.reports),
        "pairing": _pairing(looked) if recipe.images and recipe.reports else None,
        "reports": _reports(recipe, looked) if recipe.reports else None,
        "text_in_pictures": _text_in_pictures(pictures, engine),
        "duplicates": _duplicates(pictures),
    }


def _files(looked: Looked, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    kinds = Counter(row["kind"] for row in rows if row["reason"] is None)
    reasons = Counter(row["reason"] for row in rows if row["reason"] is not None)
    sizes = [row["size"] for row in rows]
    mean = float(np.mean(sizes)) if sizes else 0.0
    return {
        "all": looked.files,
        "seen": looked.examined,
        "bytes": round(mean * looked.files),
        "kinds": _ranked(kinds),
        "reasons": _ranked(reasons),
    }


def _pictures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    dicom = [row for row in rows if row["kind"] == "dicom"]
    sides = Counter(_side(max(row["rows"] or 0, row["columns"] or 0)) for row in rows)
    return {
        "modalities": _ranked(Counter(_coded(row["modality"]) for row in dicom)),
        "classes": _ranked(Counter(_class(row["sop_class"]) for row in dicom)),
        "sides": _ranked(sides),
        "patients": len({row["patient_id"] for row in dicom if row["patient_id"]}),
        "studies": len({row["study_uid"] for row in dicom if row["study_uid"]}),
        "multi_frame": [sum((row["frames"] or 1) > 1 for row in rows), len(rows)],
    }


def _keys(pictures: Sequence[Mapping[str, Any]], reports: Sequence[Report]) -> dict[str, Any]:
    """How many pictures and reports have what could pair them, and how many pictures' values a report has too."""
    dicom = [row for row in pictures if row["kind"] == "dicom"]
    shared = {}
    for name, column in _IMAGE_KEYS.items():
        there = {getattr(report, name) for report in reports} - {""}
        if name != "date" and there and dicom:
            shared[name] = [sum(row[column] in there for row in dicom), len(dicom)]
    return {
        "pictures": {name: [sum(bool(row[c]) for row in dicom), len(dicom)] for name, c in _IMAGE_KEYS.items()},
        "reports": {name: [sum(bool(getattr(r, name)) for r in reports), len(reports)] for name in _REPORT_KEYS},
        "shared": shared,
    }


def _pairing(looked: Looked) -> dict[str, Any]:
    return {
        "paired": [looked.pairing.paired, looked.pairing.images],
        "says": looked.pairing.headline,
        "lines": list(looked.pairing.lines),
    }


def _reports(recipe: Recipe, looked: Looked) -> dict[str, Any]:
    """Lengths, sections and languages of the first texts; of all that were read, which are the same."""
    every = (r for r in read_sources(recipe.reports, looked.scans) if r.reason is None and r.text.strip())
    texts = [report.text for report in islice(every, TEXTS)]
    words = np.array([len(text.split()) for text in texts])
    bins = np.histogram(words, bins=[*_LENGTHS, np.inf])[0].tolist() if texts else [0] * len(_LENGTHS)
    ends = [f"{low} to {high - 1}" for low, high in pairwise(_LENGTHS)]
    sections = Counter(name for text in texts for name in caption_sections(text, _SECTIONS)[0])
    digests = Counter(report.text for report in looked.reports if report.text)
    return {
        "seen": len(looked.reports),
        "texts": len(texts),
        "words": dict(zip([*ends, f"{_LENGTHS[-1]} and more"], bins, strict=True)),
        "median_words": float(np.median(words)) if texts else None,
        "sections": _ranked(sections),
        "languages": _ranked(Counter(language_name(text) for text in texts)),
        "same_text": [sum(n - 1 for n in digests.values()), sum(digests.values())],
        "reasons": _ranked(Counter(r.reason.value for r in looked.reports if r.reason is not None)),
    }


def _text_in_pictures(rows: Sequence[Mapping[str, Any]], engine: Engine | None) -> dict[str, Any]:
    """Some pictures, evenly drawn, and in how many the gate sees text; by modality too."""
    at: list[int] = np.linspace(0, len(rows) - 1, min(PICTURES, len(rows))).astype(int).tolist() if rows else []
    drawn = [{name: rows[i][name] for name in ("path", "kind", "frames", "modality")} for i in at]
    decoded: Counter[str] = Counter()
    written: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    spent = 0.0
    with apart(engine) as workers:
        for row, outcome in workers.map(_look, drawn, alone=True):
            if isinstance(outcome, Crash):
                reasons[Reason.CRASHED.value] += 1
            elif isinstance(outcome.shows_text, Reason):
                reasons[outcome.shows_text.value] += 1
            else:
                kind = _coded(row["modality"]) if row["kind"] == "dicom" else "image"
                decoded[kind] += 1
                written[kind] += outcome.shows_text
            spent += 0.0 if isinstance(outcome, Crash) else outcome.seconds
            if spent > _SECONDS:
                break
    n, k = sum(decoded.values()), sum(written.values())
    low, high = (float(end) for end in wilson(k, n))
    by = {kind: [written[kind], count] for kind, count in decoded.most_common()}
    return {"share": [k, n], "low": low, "high": high, "by_modality": by, "reasons": _ranked(reasons)}


@dataclass(frozen=True)
class _Gated:
    """Whether a picture shows text, or why it cannot be decoded; CPU-seconds that this took."""

    shows_text: bool | Reason
    seconds: float


def _look(row: Mapping[str, Any]) -> _Gated:
    """In a worker of this machine, told a file's path alone."""
    began = time.process_time()
    clock_record()
    try:
        shows_text: bool | Reason = _shows_text(row)
    except DropRecord as drop:
        shows_text = drop.reason
    return _Gated(shows_text, time.process_time() - began)


def _shows_text(row: Mapping[str, Any]) -> bool:
    """DropRecord where it cannot be decoded."""
    path, frame = place(os.fsdecode(row["path"])), (row["frames"] or 1) // 2
    picture = (load_dicom if row["kind"] == "dicom" else load_image)(path, frame, PixelRules())
    return gate(picture.pixels, picture.dataset, PixelPolicy(burned_in="quarantine")).reason is Reason.BURNED_IN


def _duplicates(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Files of the same bytes, and instances that are there twice, among those that were looked at."""
    some = [row for row in rows if row["size"] <= _LARGEST][:HASHED]
    digests = (_digest(place(os.fsdecode(row["path"]))) for row in some)
    uids = [row["sop_uid"] for row in rows if row["sop_uid"]]
    return {"same_bytes": [_repeats(digests), len(some)], "same_instance": [_repeats(uids), len(uids)]}


def _digest(path: Path) -> bytes:
    with open_file(path) as file:  # or a member of an archive
        return hashlib.sha256(file.read()).digest()


def _repeats(values: Iterable[Any]) -> int:
    return sum(n - 1 for n in Counter(values).values())


def _ranked(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _coded(value: str) -> str:
    """A modality, which is a code; anything else may be somebody's words."""
    return value if re.fullmatch(r"[A-Z]{2,8}", value or "") else "none" if not value else "other"


def _class(uid: str) -> str:
    """The standard's name of a SOP class; one that it does not know may be anything."""
    name = UID(uid or "").name
    return name if name != uid else "none" if not uid else "unknown class"


def _side(pixels: int) -> str:
    """The longest side, in powers of two."""
    return "not told" if pixels <= 0 else f"up to {1 << (pixels - 1).bit_length()} px"
