"""The verifier of DICOM: identifiers of the source that survive in the bytes about to be written.

It uses its own parser (`curate.deid.verify.dicom.part10`) and its own extraction of identifiers
(`curate.deid.verify.dicom.header`); no list, code or pattern is shared with `curate.deid.header`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.deid.verify.dates import ages_and_births, day_of, is_over_89
from curate.deid.verify.dicom.byte_search import found_in_pixels, holds_any
from curate.deid.verify.dicom.header import (
    BIRTHS,
    CLASS_UIDS,
    DEVICE,
    PATIENT_CHARACTERISTICS,
    TEXT,
    SourceIdentifiers,
    byte_forms,
    identifying,
    is_generic,
    search_values,
    source_identifiers,
)
from curate.deid.verify.dicom.part10 import PIXELS, Element, Part10, Unsound, parse, undeclared
from curate.deid.verify.dicom.pixel_data import RLE, pixel_faults
from curate.deid.verify.finding import Finding, sorted_unique
from curate.deid.verify.identifiers import text_identifiers
from curate.deid.verify.known_values import KnownValues, unprovable
from curate.deid.verify.names import unknown_names
from curate.deid.verify.normalise import BARRIER
from curate.deid.verify.vocabulary import is_known, is_standard

_META = frozenset(range(0x00020000, 0x00020004)) | {0x00020010, 0x00020012, 0x00020013}
_PSEUDONYM = re.compile(r"(?:[0-9a-fA-F]{16,64})?")
_FREE = TEXT - {"UR", "AE"}
_LABELS = TEXT | {"CS", "IS"}
# Bytes that are part of a picture's description: LUTs, palettes, colour profile, pixel values.
# waveforms, surfaces.
_TABLES = re.compile(r"7FE0|0028(?:12|11|3006|2000|010[4-9]|011|012)|54000(?:110|112)|54001010|0066")
_BINARY = frozenset(["OB", "OW", "OF", "OD", "OL", "OV"])
_CAMERA = 0x0016  # group of a camera's data on itself and its location: GPS, maker's notes (PS3.3 C.7.6.22 to 24)


def dicom_findings(
    written: bytes,
    source: Dataset,
    *,
    retain: Sequence[str] = (),
    preamble: bytes = b"",
) -> tuple[Finding, ...]:
    """Findings in ``written``, a whole Part 10 file about to be written for ``source``: codes, sorted, each once.

    ``source`` is the source file's header with its file meta; ``preamble`` its first bytes, if known (a written
    preamble must be zero). ``retain``: the options of PS3.15 E.3 in use: "dates" (modified), "uids", "device_identity",
    "patient_characteristics", "safe_private".

    CONTAINER if the bytes are no sound Part 10 file or have anything behind its end, in its preamble, in file meta
    beside the elements of PS3.10, or in a codestream beside the picture. Never raises for bad data, never changes a
    value of ``source``.
    """
    try:
        file = parse(written)
    except Unsound:
        return (Finding.CONTAINER,)
    source_values = source_identifiers(source, DEVICE if "device_identity" in retain else None)
    codes = [*_container(file), *pixel_faults(file)]
    codes += _elements(file, source_values, retain)
    codes += _free_text(file, source_values, retain)
    codes += _bytes(file, source_values, preamble, retain)
    return sorted_unique(codes)


def _container(file: Part10) -> Iterator[Finding]:
    if file.preamble.strip(b"\0") or any(e.tag not in _META for e in file.meta):
        yield Finding.CONTAINER
    removed = next((e.value for e in file.elements if e.tag == 0x00120062 and not e.path), b"")
    if removed.strip(b" \0") != b"YES":
        yield Finding.ATTRIBUTE
    if any(True for _ in undeclared(file.elements)):
        yield Finding.ATTRIBUTE
    for element in file.elements:
        group = element.tag >> 16
        if group in (0xFFFC, 0xFFFA) or element.tag in (0x04000500, 0x04000561) or not element.tag & 0xFFFF:
            yield Finding.CONTAINER
        elif (
            (not group & 1 and group & 0xFF00 in (0x5000, 0x6000))
            or (group == 0x7FE0 and element.path)
            or (element.vr in _BINARY and not _TABLES.match(f"{element.tag:08X}") and element.value and not group & 1)
        ):
            yield Finding.ATTRIBUTE


def _elements(file: Part10, known: SourceIdentifiers, retain: Sequence[str]) -> Iterator[Finding]:
    """Findings in single values, by their VR."""
    days: dict[tuple[int, ...], set[object]] = {}
    for element in (*file.meta, *file.elements):
        if element.tag >> 16 & 1:
            yield from _private(element, retain)
        elif element.vr == "UI":
            yield from _uids(element, known, retain)
        elif element.vr == "PN":
            if not all(_PSEUDONYM.fullmatch(v.strip("^= ")) for v in element.values):
                yield Finding.NAME
        elif element.vr in ("DA", "DT"):
            element_days = {day for v in element.values if (day := day_of(v)) is not None}
            if element.tag in BIRTHS and element.value.strip(b" \0"):
                yield Finding.BIRTH
            elif element_days:
                days.setdefault((*element.path, element.tag), set()).update(element_days)
        elif (
            element.vr == "TM"
            and "dates" not in retain
            and any((element.tag, v) in known.times for v in element.values if v)
        ):
            yield Finding.DATE
        elif element.vr == "UN":
            yield Finding.ATTRIBUTE
        elif element.vr == "AS" and any(is_over_89(v) for v in element.values):
            yield Finding.AGE
        elif element.tag in PATIENT_CHARACTERISTICS or element.tag >> 16 == _CAMERA:
            if element.value.strip(b" \0") and (
                element.tag not in PATIENT_CHARACTERISTICS or "patient_characteristics" not in retain
            ):
                yield Finding.ATTRIBUTE
        elif (
            element.vr in ("AE", "UR")
            or (element.vr == "AS" and "patient_characteristics" not in retain)
            or (element.vr in _LABELS and identifying(element.tag))
        ):
            yield from _copied(element, known, retain)
    for path, written in days.items():
        before = known.days.get(path, set())
        if written & before and (len(before) == 1 or written <= before):
            yield Finding.DATE


def _private(element: Element, retain: Sequence[str]) -> Iterator[Finding]:
    if "safe_private" not in retain or element.vr in ("UN", "DA", "DT", "PN", "UI", "AE"):
        yield Finding.PRIVATE


def _uids(element: Element, known: SourceIdentifiers, retain: Sequence[str]) -> Iterator[Finding]:
    if "uids" in retain or element.tag in CLASS_UIDS:
        return
    if any(v in known.uids for v in element.values if v not in UID_dictionary):
        yield Finding.UID


def _copied(element: Element, known: SourceIdentifiers, retain: Sequence[str]) -> Iterator[Finding]:
    if "device_identity" in retain and DEVICE.search(element.keyword):
        return
    if any((element.tag, v) in known.same for v in element.values if not is_generic(v)):
        yield Finding.ATTRIBUTE


def _free_text(file: Part10, known: SourceIdentifiers, retain: Sequence[str]) -> Iterator[Finding]:
    """Findings in free text: names, numbers and dates of the source, and words of its free text."""
    texts = [(e, text) for e in file.elements if e.vr in _FREE or e.vr == "CS" if (text := e.text)]
    free = [(e, text) for e, text in texts if e.vr != "CS" and not _is_code(e, text) and not _PSEUDONYM.fullmatch(text)]
    own = dict.fromkeys(v for e, _ in free for v in known.free.get(e.tag, ()))
    people, values = search_values(known)
    yield from _search(tuple(people), tuple(values)).in_text(BARRIER.join(text for _, text in free))
    yield from ages_and_births([text for _, text in free], together=False)
    if distinct := {w for name in known.people for w in _distinct(name)}:
        joined = BARRIER.join(text for _, text in texts).lower()
        yield from (Finding.NAME for w in re.findall(r"[^\W\d_]{4,}", joined) if w in distinct)
    sources = [text for text in own if not _PSEUDONYM.fullmatch(text)]
    if sources:
        before = BARRIER.join(sources)
        yield from text_identifiers([before], in_parts=False).in_text(BARRIER.join(text for _, text in free))
        words = unknown_names(before)
        if words and any(w.lower() in words for _, text in free for w in re.findall(r"[^\W\d_]{4,}", text)):
            yield Finding.WORD
    if unprovable([text for _, text in free if not all(is_known(w) for w in re.findall(r"[^\W\d_]+", text))], people):
        yield Finding.UNPROVABLE


@lru_cache(maxsize=64)
def _search(people: tuple[str, ...], values: tuple[str, ...]) -> KnownValues:
    """Cached for the files of a series, which have the same people."""
    return KnownValues(people, whole=values)


def _distinct(name: str) -> Iterator[str]:
    """The parts of a person's name that are no ordinary words."""
    if not is_generic(name):
        yield from (w for w in re.findall(r"[^\W\d_]{4,}", name.lower()) if not is_known(w))


def _is_code(element: Element, text: str) -> bool:
    """True for a code, and for a code meaning in words of the standard."""
    if element.tag in (0x00080104, 0x00080102, 0x00080103, 0x00080100):
        return all(is_standard(w) for w in re.findall(r"[a-z]{4,}", text.lower()))
    return False


def _bytes(file: Part10, known: SourceIdentifiers, preamble: bytes, retain: Sequence[str]) -> Iterator[Finding]:
    """Identifiers of 6 bytes and more anywhere in the file, in any encoding; in pixels those of 7 and more that are no
    chance hits (`curate.deid.verify.dicom.byte_search`)."""
    search_values: dict[bytes, Finding] = {}
    for value in _byte_values(known, retain):
        for raw in byte_forms(value):
            search_values.setdefault(raw, Finding.NAME if "^" in value or value.isalpha() else Finding.ID)
    if "uids" not in retain:
        for uid in sorted(known.uids):
            raw = uid.encode("latin-1", "replace")
            if len(raw) > 12:
                search_values.setdefault(raw, Finding.UID)
    for run in re.findall(rb"[\x20-\x7e]{7,}", preamble):
        if not all(is_known(w) for w in re.findall(r"[^\W\d_]+", run.decode())):
            search_values.setdefault(run, Finding.CONTAINER)
    plain, tables = _outside_pixels(file)
    yield from (search_values[raw] for raw in holds_any(plain, search_values))
    yield from (search_values[raw] for raw in search_values if len(raw) < 7 and raw in plain)
    for data, cell in (*tables, *_pixels(file)):
        yield from (search_values[raw] for raw in found_in_pixels(data, search_values, cell))


_SMALLEST_TABLE = 512  # bytes; chance hits in shorter tables are negligible


def _outside_pixels(file: Part10) -> tuple[bytes, list[tuple[bytes, int]]]:
    """All bytes of the file without pixels and large tables of numbers, and these tables, as samples of two bytes."""
    values = {
        e.value: 2
        for e in file.elements
        if e.vr in _BINARY and len(e.value) >= _SMALLEST_TABLE and e.tag not in PIXELS and not e.tag >> 16 & 1
    }
    plain = file.body + file.tail
    for value in values:
        plain = plain.replace(value, b"")
    return plain, list(values.items())


def _pixels(file: Part10) -> Iterator[tuple[bytes, int]]:
    """(bytes, bytes a sample) of pixel data; 0 for entropy-coded data. RLE (PS3.5 annex G) codes plane by plane."""
    allocated = next((e.value for e in file.elements if e.tag == 0x00280100 and not e.path), b"\0")
    cell = 1 if allocated in (b"\1\0", b"\x08\0", b"\0\1", b"\0\x08") else 2
    yield from ((e.value, cell) for e in file.pixels if e.value)
    yield from ((fragment, 1 if file.syntax == RLE else 0) for fragment in file.fragments)


def _byte_values(known: SourceIdentifiers, retain: Sequence[str]) -> list[str]:
    """Values distinct enough to identify wherever their bytes occur."""
    values: dict[str, None] = {}
    for name in known.people:
        if is_generic(name):
            continue
        words = list(_distinct(name))
        if words:
            values[name] = None
            values |= dict.fromkeys(words)
        elif "^" in name.strip("^"):
            values[name] = None
        for group in name.split("="):
            if not group.isascii() and len(group) > 1:
                values |= dict.fromkeys([group, *(c for c in group.split("^") if len(c) > 1)])
    device = (
        {v for tag, v in known.same if DEVICE.search(keyword_for_tag(tag))} if "device_identity" in retain else set()
    )
    for value in known.values:
        digits = sum(map(str.isdigit, value))
        words = re.findall(r"[^\W\d_]{4,}", value)
        if value in device or is_generic(value):
            continue
        if (digits > 4 and len(value) > 5 and len(set(value)) > 3) or any(not is_known(w) for w in words):
            values[value] = None
    return list(values)
