"""Public DICOM files through our release: do direct identifiers survive, does anything raise, how many are clean.

The identifiers are collected from each source by this module's own code (names, ids, accession, dates, institution,
address, physicians, operators, instance UIDs, serials, at any depth) and searched for in every byte written and in
what pydicom decodes from it. Generic values ("anonymous", a manufacturer's name) identify no one and are left out.
"""

from __future__ import annotations

import multiprocessing
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pydicom
from pydicom.data import get_charset_files, get_testdata_files
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from benchmarks.deid import ours
from benchmarks.deid.plant import _READ_FAILS, decoded, forms_of, pixels_of
from curate.record import Fate

RADIOGRAPHIC = ("CR", "CT", "MR", "DX", "MG")
_IDENTIFYING = re.compile(
    r"Institution|Department|Address|Telephone|Accession|Serial|Station|PatientID|^OtherPatient|IssuerOf|AdmissionID"
    r"|StudyID|MedicalRecord|Operator|Physician|OrderNumber|RequestedProcedureID|ProcedureStepID|Residence|Location"
)
_NO_ONE_WORDS = """anonymous anonymized anonymised anonymize none null unknown removed deidentified patient name test
other hospital radiology clinic department general medical center centre university imaging siemens philips toshiba
canon hitachi fujifilm agfa kodak systems healthcare local localhost anyscp storescp any-scp default subject phantom
experiment research system images image series study report chest head abdomen"""
_NO_ONE = frozenset(_NO_ONE_WORDS.split())
_DAY = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_MAX_DEPTH = 16


def sources(data: Path | None) -> list[Path]:
    """pydicom's bundled files and, where there is one, every file under ``data``/dicom."""
    bundled = [Path(str(f)) for f in (*get_testdata_files("*"), *get_charset_files("*"))]
    under = sorted((data / "dicom").rglob("*")) if data else []
    kept = {
        p.resolve(): p for p in (*bundled, *under) if p.is_file() and p.suffix not in (".csv", ".md", ".py", ".txt")
    }
    return sorted(kept)


def identifiers(ds: Dataset) -> dict[str, str]:
    """Direct identifier -> keyword it was first seen under."""
    found: dict[str, str] = {}
    for part in (getattr(ds, "file_meta", None), ds):
        if part is not None:
            _collect(part, found, 0)
    return found


def _collect(ds: Dataset, found: dict[str, str], depth: int) -> None:
    for tag in list(ds.keys()):
        if tag.group == 0x7FE0 or depth > _MAX_DEPTH:
            continue
        try:
            element = ds[tag]
            value, vr = element.value, element.VR
        except _READ_FAILS:
            continue
        keyword = keyword_for_tag(tag) or str(tag)
        if vr == "SQ":
            for item in value:
                _collect(item, found, depth + 1)
            continue
        for one in value if isinstance(value, (list, tuple, pydicom.multival.MultiValue)) else [value]:
            for piece in _pieces(str(one or "").strip(" \0"), vr, keyword):
                found.setdefault(piece, keyword)


def _pieces(text: str, vr: str, keyword: str) -> list[str]:
    if vr == "PN":
        whole = re.split(r"[\^= ]+", text)
        long = [p for p in whole if len(p) >= (4 if p.isascii() else 2) and p.casefold() not in _NO_ONE]
        return [p for p in long if len(set(p)) > 1]  # "AAAAAA" is in many a compressed stream
    if vr == "UI":
        known = text.startswith("1.2.840.10008.") or "Class" in keyword or keyword == "ImplementationClassUID"
        return [] if known or len(text) < 12 else [text]
    if vr in ("DA", "DT"):
        return [text[:8]] if _DAY.match(text) else []
    if _IDENTIFYING.search(keyword) and vr in ("LO", "SH", "ST", "LT", "UT", "AE", "UC"):
        words = [w for w in re.split(r"\W+", text.casefold()) if len(w) > 2]
        dull = all(w in _NO_ONE for w in words)
        return [] if dull or len(text) < 5 or (text.isdigit() and len(text) < 6) else [text]
    return []


def judge(path: str) -> dict[str, Any]:
    """One file's row: fate, reason, modality, whether pydicom decodes it, exceptions, and keywords that survived."""
    warnings.simplefilter("ignore")
    done = ours.clean(Path(path))
    row: dict[str, Any] = {"file": Path(path).name, "error": f"{done.error} {done.where}" if done.error else "",
                           "cpu": done.cpu, "fate": "", "reason": "", "leaks": {}}  # fmt: skip
    try:
        source = pydicom.dcmread(path, force=True)
        row["modality"] = str(source.get("Modality", ""))
        row["decodes"] = "PixelData" in source and pixels_of(Path(path).read_bytes()) is not None
    except _READ_FAILS:
        source, row["modality"], row["decodes"] = Dataset(), "", False
    if done.outcome is not None:
        row["fate"], row["reason"] = Fate.of(done.outcome.reason).value, str(done.outcome.reason or "")
        row["findings"] = list(map(str, done.outcome.findings))
        if done.outcome.data is not None:
            row["leaks"] = surviving(done.outcome.data, identifiers(source))
    return row


def surviving(data: bytes, wanted: dict[str, str]) -> dict[str, int]:
    """keyword -> how many of its values are in ``data``, as whole words, in any encoding or as decoded."""
    text, low = decoded(data), data.lower()
    hits: Counter[str] = Counter()
    for value, keyword in wanted.items():
        whole = rf"(?<![a-z0-9]){re.escape(value.lower())}(?![a-z0-9])"
        raw = any(re.search(rb"(?<![a-z0-9])" + re.escape(f) + rb"(?![a-z0-9])", low) for f in forms_of(value))
        hits[keyword] += bool(raw or re.search(whole, text))
    return dict(+hits)


def measure(data: Path | None, workers: int, limit: int = 0) -> dict[str, Any]:
    """Counts over all files, and the share of CR/CT/MR/DX/MG files that decode and came out clean."""
    paths = [str(p) for p in sources(data)]
    paths = paths[:: max(1, len(paths) // limit)] if limit else paths
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        rows = pool.map(judge, paths, chunksize=1)
    films = [r for r in rows if r["modality"] in RADIOGRAPHIC and r["decodes"]]
    clean = sum(r["fate"] == "CLEAN" for r in films)
    return {
        "files": len(rows),
        "fates": dict(Counter(r["fate"] or "EXCEPTION" for r in rows)),
        "unhandled exceptions": {r["file"]: r["error"] for r in rows if r["error"]},
        "files with surviving identifiers": {r["file"]: r["leaks"] for r in rows if r["leaks"]},
        "radiographic files that decode": len(films),
        "of them clean": clean,
        "share clean": round(clean / len(films), 4) if films else None,
        "others": {r["file"]: " ".join([r["reason"], *r.get("findings", [])]) for r in films if r["fate"] != "CLEAN"},
        "reasons": dict(Counter(r["reason"] for r in rows if r["reason"]).most_common()),
        "slowest": {r["file"]: round(r["cpu"], 1) for r in sorted(rows, key=lambda r: -r["cpu"])[:5]},
    }
