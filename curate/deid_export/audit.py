"""`curate deid --audit DIR`: what a folder that somebody else released still discloses. Nothing in it is changed.

Every file is read whole, once: DICOM by its header, documents and pixels, pictures by container and pixels, tables and
texts by their words, and every path by its names. What cannot be searched is a finding too (UNPROVABLE): a folder is
clean only if all of it was read and nothing was found. A file is named by the first 32 digits of its sha256: whoever
has the folder can find it (`sha256sum`), and nobody else learns anything.
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
from curate.deid.verify.audit.header import ALLOWED, Audited, audit_header
from curate.deid.verify.audit.text import is_searched, path_findings, table_findings
from curate.deid.verify.finding import Finding, reads_pixels
from curate.deid.verify.images import jpeg_is_bare, png_is_bare, tiff_is_bare
from curate.deid.verify.pixels import pixel_findings
from curate.deid_export.dicom.frames import read_frames
from curate.deid_export.dicom.gate import is_numbers, shown_views
from curate.engine import Crash, Engine
from curate.engine.guard import fault_of
from curate.errors import DropRecord, RecipeError, RunError
from curate.sources.dicom.file import open_dicom
from curate.sources.dicom.lut import read_palette
from curate.sources.images.read import decode, open_image
from curate.sources.sniff import sniff
from curate.sources.walk import Found, walk
from curate.step import Progress

_FILES_A_TASK = 16  # files a task
_FRAMES = 3  # frames of a multi-frame file that are read, evenly spread
_OWN_FILES = (
    "attestation.json",
    "index.html",
)  # written by `curate deid` itself at the top: their versions look like dates
_BARE = {"png": png_is_bare, "jpeg": jpeg_is_bare, "tiff": tiff_is_bare}


@dataclass(frozen=True)
class AuditRules:
    """``allowed``: options of `ALLOWED` agreed on beside what the files declare; ``pixels``: the share of pictures that
    are read for text (0: none); ``max_bytes``: limit of one file, and of its pixels. RecipeError for bad values."""

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
    """The audit of one file. ``places``: finding -> where it was found; ``pixels``: read | unread | none."""

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
    files = _list_files(str(folder))
    if not files:
        raise RecipeError("--audit", f"{folder} holds no file", "name the folder that was released")
    work = _Work(str(folder), len(files), rules)
    spans = [range(i, min(i + _FILES_A_TASK, len(files))) for i in range(0, len(files), _FILES_A_TASK)]
    audits: list[FileAudit] = []
    progress("audit", 0, len(files))
    for span, outcome in engine.map(work, spans):
        audits += _file_by_file(work, span, engine) if isinstance(outcome, Crash) else outcome
        progress("audit", len(audits), len(files))
    return summary(audits, rules, sum(f.size for f in files))


def _file_by_file(work: _Work, span: range, engine: Engine) -> Iterator[FileAudit]:
    """Audit a span again, file by file, after one of its files crashed the process."""
    for one, outcome in engine.map(work, [range(i, i + 1) for i in span], alone=True):
        if isinstance(outcome, Crash):
            place = {Finding.UNPROVABLE.value: ["crashed its reader"]}
            yield FileAudit(f"crashed-{one.start:08d}", "other", place)
        else:
            yield from outcome


@lru_cache(maxsize=1)
def _list_files(folder: str) -> list[Found]:
    """Every file below, in the walk's order. Listed once a process, so that no task carries a path."""
    return list(walk(Path(folder)))


@dataclass(frozen=True)
class _Work:
    folder: str
    files: int
    rules: AuditRules

    def __call__(self, span: range) -> list[FileAudit]:
        files = _list_files(self.folder)
        if len(files) != self.files:
            raise RunError("the folder changes while it is audited: wait until nobody writes there")
        return [audit_file(files[i], self.rules) for i in span]


def audit_file(file: Found, rules: AuditRules) -> FileAudit:
    """One file: never raises for what is wrong with it."""
    found, path = Audited(), Path(file.path)
    audit = FileAudit(hashlib.sha256(file.relative.encode()).hexdigest()[:32], "other")
    for finding in path_findings(file.relative):
        found.put(finding, "path")
    try:
        if file.reason is not None and file.size == 0:
            if file.reason.value != "empty_file":
                found.put(Finding.UNPROVABLE, file.reason.value)
        elif file.size > rules.max_bytes:
            found.put(Finding.UNPROVABLE, "too large to be read")
        else:
            _read(file.relative, path, rules, found, audit)
    except OSError as error:
        found.put(Finding.UNPROVABLE, f"unreadable: {os.strerror(error.errno or 5)}")
    except Exception as error:  # noqa: BLE001  a bug is recorded with the file that met it
        audit.fault = fault_of(error)
        found.put(Finding.UNPROVABLE, "unforeseen failure")
    audit.places = _places(found)
    return audit


def _read(relative: str, path: Path, rules: AuditRules, found: Audited, audit: FileAudit) -> None:
    data = path.read_bytes()
    audit.key, audit.kind = hashlib.sha256(data).hexdigest()[:32], _kind(path)
    if audit.kind == "dicom":
        _dicom(path, data, rules, found, audit)
    elif audit.kind == "image":
        _image(path, data, rules, found, audit)
    elif is_searched(path.name):
        audit.kind, own = "text", relative in _OWN_FILES
        for finding, place in table_findings(path.name, _without_versions(path, data) if own else data):
            if finding is not Finding.DATE or not (own or "dates" in rules.allowed):
                found.put(finding, place)
    else:
        found.put(Finding.UNPROVABLE, f"not searched: {path.suffix.lower()[:8] or 'no suffix'}")


def _without_versions(path: Path, data: bytes) -> bytes:
    """A file that `curate deid` itself wrote, without what looks like telephone numbers and addresses: the limits and
    versions that its attestation gives under ``options`` and ``product``, and the colours of its style sheet."""
    try:
        attestation = json.loads(path.with_name("attestation.json").read_bytes())
        known = " ".join(json.dumps(attestation[name]) for name in ("options", "product"))
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


def _dicom(path: Path, data: bytes, rules: AuditRules, out: Audited, audit: FileAudit) -> None:
    header = audit_header(data, rules.allowed)
    for finding, places in header.places.items():
        out.places.setdefault(finding, set()).update(places)
    if header.document:
        for finding, place in table_findings("document.pdf", header.document):
            out.put(finding, f"EncapsulatedDocument {place}")
    audit.declared, audit.removed = tuple(sorted(header.declared)), header.removed
    if not _is_sampled(audit.key, rules):
        audit.pixels = "unread"
        return
    try:
        with quiet(), open_dicom(path, rules.max_bytes) as file:
            if file.pixels is None or not file.pixels.length or is_numbers(file.dataset):
                return
            views = list(_views(file, rules))
    except DropRecord as dropped:
        out.put(Finding.UNPROVABLE, f"pixels: {dropped.reason.value}")
        return
    _read_text(views, out, audit)


def _views(file: Any, rules: AuditRules) -> Iterator[np.ndarray]:
    proven, frames = read_frames(file, rules.max_bytes)
    layout = proven.layout
    palette = read_palette(file.dataset, signed=layout.signed) if layout.photometric == "PALETTE COLOR" else None
    last = layout.frames - 1
    for k in sorted({round(k * last / max(_FRAMES - 1, 1)) for k in range(_FRAMES)}):
        yield from shown_views(frames.stored(k), frames, palette)


def _image(path: Path, data: bytes, rules: AuditRules, out: Audited, audit: FileAudit) -> None:
    try:
        opened = open_image(path, rules.max_bytes)
        bare = _BARE.get(opened.kind)
        if bare is None or not bare(data):
            out.put(Finding.CONTAINER, f"{opened.kind}: more than pixels")
        if not _is_sampled(audit.key, rules):
            audit.pixels = "unread"
            return
        views = [decode(opened, page)[0] for page in opened.pages]
    except DropRecord as dropped:
        out.put(Finding.UNPROVABLE, f"pixels: {dropped.reason.value}")
        return
    _read_text(views, out, audit)


def _is_sampled(key: str, rules: AuditRules) -> bool:
    """Whether the picture is in the sample: decided by the hash of its bytes, so that a second audit reads the same
    ones."""
    return int(key[:12], 16) / 16**12 < rules.pixels


def _read_text(views: Sequence[np.ndarray], out: Audited, audit: FileAudit) -> None:
    audit.pixels = "read"
    for finding in pixel_findings(views, ()):
        out.put(finding, "pixels")


def _places(out: Audited) -> dict[str, list[str]]:
    return {finding.value: sorted(places) for finding, places in sorted(out.places.items())}


def summary(audits: Sequence[FileAudit], rules: AuditRules, size: int) -> dict[str, Any]:
    """The audit as JSON: counts, and of every file with findings its key and where they are."""
    places: dict[str, Counter[str]] = {}
    for file in audits:
        for code, where in file.places.items():
            places.setdefault(code, Counter()).update(where)
    dicom = [f for f in audits if f.kind == "dicom"]
    with_findings = [
        {"key": f.key, "kind": f.kind, "findings": f.places} | ({"fault": f.fault} if f.fault else {})
        for f in sorted(audits, key=lambda f: f.key)
        if f.places
    ]
    return {
        "product": {"radsift": __version__, **versions()},
        "passed": not with_findings,
        "files": len(audits),
        "bytes": size,
        "kinds": dict(sorted(Counter(f.kind for f in audits).items())),
        "allowed": sorted(rules.allowed),
        "declared": dict(sorted(Counter(name for f in dicom for name in f.declared).items())),
        "not_declared_removed": sum(1 for f in dicom if not f.removed),
        "pixels": {
            "share": rules.pixels,
            **dict(sorted(Counter(f.pixels for f in audits if f.pixels != "none").items())),
        },
        "findings": dict(sorted(Counter(code for f in audits for code in f.places).items())),
        "places": {code: dict(sorted(counted.items())) for code, counted in sorted(places.items())},
        "with_findings": with_findings,
    }


def audit_bytes(audit: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys: the same folder gives the same bytes."""
    return (json.dumps(audit, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()
