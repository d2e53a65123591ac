"""`curate deid --audit DIR`: what a folder that somebody else released still says of people. Nothing in it is written.

Every file is read whole, once: DICOM by its header, documents and pixels, pictures by container and pixels, tables and
texts by their words, and every path by its names. What cannot be searched is a finding too (UNPROVABLE): a folder is
clean where all of it was read and nothing was found. Files go by the first 32 digits of their sha256, so that who may
look can find them (`sha256sum`), and who may not learns nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from curate import __version__
from curate.deid.attest import versions
from curate.deid.quiet import quiet
from curate.deid.verify.finding import Finding
from curate.deid.verify.pictures import jpeg_is_bare, png_is_bare, tiff_is_bare
from curate.deid.verify.pixels import pixel_findings, reads_pixels
from curate.deid.verify.released import ALLOWED, Audited, audit_header
from curate.deid.verify.released_texts import searches, table_findings
from curate.deid.verify.released_words import name_findings
from curate.deid_export.dicom_coded import read_coded
from curate.deid_export.dicom_gate import is_numbers, shown_views
from curate.deid_export.dicom_native import Frames, read_native
from curate.engine import Crash, Engine
from curate.engine.guard import fault_of
from curate.errors import DropRecord, RecipeError, RunError
from curate.sources.dicom.file import open_dicom
from curate.sources.dicom.lut import read_palette
from curate.sources.dicom.prove import prove
from curate.sources.images.read import decode, open_image
from curate.sources.sniff import sniff
from curate.sources.walk import Found, walk
from curate.step import Progress

_ABOUT = 16  # files a task
_FRAMES = 3  # of a file of many, evenly spread, that are read
_OWN = (
    "attestation.json",
    "index.html",
)  # what `curate deid` itself leaves at the top: versions in them look like days
_BARE = {"png": png_is_bare, "jpeg": jpeg_is_bare, "tiff": tiff_is_bare}


@dataclass(frozen=True)
class AuditRules:
    """``allowed``: options that were agreed beside what the files declare, of `ALLOWED`; ``pixels``: the share of
    pictures that are read for text (0: none); ``max_bytes``: of one file, and of its pixels. RecipeError
    where they do not fit."""

    allowed: tuple[str, ...] = ()
    pixels: float = 1.0
    max_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        for name in self.allowed:
            if name not in ALLOWED:
                raise RecipeError("--allow", f"there is no option '{name}'", f"of {', '.join(ALLOWED)}")
        if not 0 <= self.pixels <= 1:
            raise RecipeError("--pixels", f"{self.pixels:g} is no share", "0 (read no picture) to 1 (read all)")
        if self.pixels and not reads_pixels():
            raise RecipeError("--pixels", "nothing here can read text in pictures", "the 'ocr' extra, or --pixels 0")


@dataclass
class FileAudit:
    """What is said of one file. ``places``: finding -> where; ``pixels``: read | unread | none, of its picture."""

    key: str
    kind: str
    places: dict[str, list[str]] = field(default_factory=dict)
    declared: tuple[str, ...] = ()
    removed: bool | None = None
    pixels: str = "none"
    fault: str | None = None


def audit_folder(folder: Path, rules: AuditRules, engine: Engine, progress: Progress) -> dict[str, Any]:
    """The audit of every file below ``folder``, as JSON. RecipeError where there is none; SourceError where the folder
    cannot be read; RunError where it changes meanwhile."""
    if not folder.is_dir():
        raise RecipeError("--audit", f"{folder} is no folder", "name the folder that was released")
    files = _listed(str(folder))
    if not files:
        raise RecipeError("--audit", f"{folder} holds no file", "name the folder that was released")
    work = _Work(str(folder), len(files), rules)
    spans = [range(i, min(i + _ABOUT, len(files))) for i in range(0, len(files), _ABOUT)]
    found: list[FileAudit] = []
    progress("audit", 0, len(files))
    for span, outcome in engine.map(work, spans):
        found += _each(work, span, engine) if isinstance(outcome, Crash) else outcome
        progress("audit", len(found), len(files))
    return summary(found, rules, sum(f.size for f in files))


def _each(work: _Work, span: range, engine: Engine) -> Iterator[FileAudit]:
    """A span in which a file ended its process, file by file."""
    for one, outcome in engine.map(work, [range(i, i + 1) for i in span], alone=True):
        if isinstance(outcome, Crash):
            place = {Finding.UNPROVABLE.value: ["crashed its reader"]}
            yield FileAudit(f"crashed-{one.start:08d}", "other", place)
        else:
            yield from outcome


@lru_cache(maxsize=1)
def _listed(folder: str) -> list[Found]:
    """Every file below, in the walk's order: known once a process, so that no task carries a path."""
    return list(walk(Path(folder)))


@dataclass(frozen=True)
class _Work:
    folder: str
    files: int
    rules: AuditRules

    def __call__(self, span: range) -> list[FileAudit]:
        files = _listed(self.folder)
        if len(files) != self.files:
            raise RunError("the folder changes while it is audited: wait until nobody writes there")
        return [audit_file(files[i], self.rules) for i in span]


def audit_file(file: Found, rules: AuditRules) -> FileAudit:
    """One file: never raises for what is wrong with it."""
    out = Audited()
    for finding in name_findings(file.relative):
        out.put(finding, "path")
    path = Path(file.path)
    if file.reason is not None and file.size == 0:
        if file.reason.value != "empty_file":
            out.put(Finding.UNPROVABLE, file.reason.value)
        return FileAudit(hashlib.sha256(file.relative.encode()).hexdigest()[:32], "other", _told(out))
    told = FileAudit("", "other")
    if file.size > rules.max_bytes:
        out.put(Finding.UNPROVABLE, "too large to be read")
        return FileAudit(hashlib.sha256(file.relative.encode()).hexdigest()[:32], "other", _told(out))
    try:
        data = path.read_bytes()
        told.key = hashlib.sha256(data).hexdigest()[:32]
        told.kind = _kind(path)
        if told.kind == "dicom":
            _dicom(path, data, rules, out, told)
        elif told.kind == "image":
            _image(path, data, rules, out, told)
        elif searches(path.name):
            told.kind = "text"
            dates = "dates" in rules.allowed or file.relative in _OWN
            searched = _without_versions(path, data) if file.relative in _OWN else data
            for finding, place in table_findings(path.name, searched):
                if not (dates and finding is Finding.DATE):
                    out.put(finding, place)
        else:
            out.put(Finding.UNPROVABLE, f"not searched: {path.suffix.lower()[:8] or 'no suffix'}")
    except OSError as error:
        out.put(Finding.UNPROVABLE, f"unreadable: {os.strerror(error.errno or 5)}")
    except Exception as error:  # noqa: BLE001  a bug that one file meets is told of that file
        told.fault = fault_of(error)
        out.put(Finding.UNPROVABLE, "unforeseen failure")
    told.key = told.key or hashlib.sha256(file.relative.encode()).hexdigest()[:32]
    told.places = _told(out)
    return told


def _without_versions(path: Path, data: bytes) -> bytes:
    """What `curate deid` left at the top without its limits and versions, which look like telephones and addresses
    (only the numbers that its own attestation gives under ``options`` and ``product``), and without its colours."""
    try:
        told = json.loads(path.with_name("attestation.json").read_bytes())
        known = " ".join(json.dumps(told[name]) for name in ("options", "product"))
    except (OSError, ValueError, KeyError, TypeError):
        return data
    numbers = sorted(set(re.findall(r"[\d.]{6,12}", known)), key=len, reverse=True)
    for number in numbers:
        data = re.sub(rb"(?<![\d.])" + re.escape(number.encode()) + rb"(?![\d.])", b"0", data)
    return re.sub(
        rb"<style>.*?</style>", lambda style: re.sub(rb"#[0-9a-f]{3,6}\b", b"", style[0]), data, flags=re.DOTALL
    )


def _kind(path: Path) -> str:
    try:
        return sniff(path)
    except DropRecord:
        return "none"


def _dicom(path: Path, data: bytes, rules: AuditRules, out: Audited, told: FileAudit) -> None:
    header = audit_header(data, rules.allowed)
    for finding, places in header.found.items():
        out.found.setdefault(finding, set()).update(places)
    if header.document:
        for finding, place in table_findings("document.pdf", header.document):
            out.put(finding, f"EncapsulatedDocument {place}")
    told.declared, told.removed = tuple(sorted(header.declared)), header.removed
    if not _drawn(told.key, rules):
        told.pixels = "unread"
        return
    try:
        with quiet(), open_dicom(path, rules.max_bytes) as file:
            if file.pixels is None or not file.pixels.length or is_numbers(file.dataset):
                return
            views = list(_views(file, rules))
    except DropRecord as dropped:
        out.put(Finding.UNPROVABLE, f"pixels: {dropped.reason.value}")
        return
    _read(views, out, told)


def _views(file: Any, rules: AuditRules) -> Iterator[np.ndarray]:
    proven = prove(file)
    layout = proven.layout
    palette = read_palette(file.dataset, signed=layout.signed) if layout.photometric == "PALETTE COLOR" else None
    coded = proven.fragments is not None
    frames: Frames = read_coded(proven, file.syntax, rules.max_bytes) if coded else read_native(proven.file, layout)
    last = layout.frames - 1
    for k in sorted({round(k * last / max(_FRAMES - 1, 1)) for k in range(_FRAMES)}):
        yield from shown_views(frames.stored(k), frames, palette)


def _image(path: Path, data: bytes, rules: AuditRules, out: Audited, told: FileAudit) -> None:
    try:
        opened = open_image(path, rules.max_bytes)
        bare = _BARE.get(opened.kind)
        if bare is None or not bare(data):
            out.put(Finding.CONTAINER, f"{opened.kind}: more than pixels")
        if not _drawn(told.key, rules):
            told.pixels = "unread"
            return
        views = [decode(opened, page)[0] for page in opened.pages]
    except DropRecord as dropped:
        out.put(Finding.UNPROVABLE, f"pixels: {dropped.reason.value}")
        return
    _read(views, out, told)


def _drawn(key: str, rules: AuditRules) -> bool:
    """Whether the picture is of the sample: by its own bytes, so that it is the same one again."""
    return int(key[:12], 16) / 16**12 < rules.pixels


def _read(views: Sequence[np.ndarray], out: Audited, told: FileAudit) -> None:
    told.pixels = "read"
    for finding in pixel_findings(views, ()):
        out.put(finding, "pixels")


def _told(out: Audited) -> dict[str, list[str]]:
    return {finding.value: sorted(places) for finding, places in sorted(out.found.items())}


def summary(found: Sequence[FileAudit], rules: AuditRules, size: int) -> dict[str, Any]:
    """The audit as JSON: counts, and of every file with findings its key and where they are."""
    places: dict[str, Counter[str]] = {}
    for file in found:
        for code, where in file.places.items():
            places.setdefault(code, Counter()).update(where)
    dicom = [f for f in found if f.kind == "dicom"]
    listed = [
        {"key": f.key, "kind": f.kind, "findings": f.places} | ({"fault": f.fault} if f.fault else {})
        for f in sorted(found, key=lambda f: f.key)
        if f.places
    ]
    return {
        "product": {"radsift": __version__, **versions()},
        "passed": not listed,
        "files": len(found),
        "bytes": size,
        "kinds": dict(sorted(Counter(f.kind for f in found).items())),
        "allowed": sorted(rules.allowed),
        "declared": dict(sorted(Counter(name for f in dicom for name in f.declared).items())),
        "not_declared_removed": sum(1 for f in dicom if not f.removed),
        "pixels": {
            "share": rules.pixels,
            **dict(sorted(Counter(f.pixels for f in found if f.pixels != "none").items())),
        },
        "findings": dict(sorted(Counter(code for f in found for code in f.places).items())),
        "places": {code: dict(sorted(counted.items())) for code, counted in sorted(places.items())},
        "with_findings": listed,
    }


def audit_bytes(audit: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys: the same folder gives the same bytes."""
    return (json.dumps(audit, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()
