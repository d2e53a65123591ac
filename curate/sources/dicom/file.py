"""Open a DICOM file, well formed or not, up to its pixel data; read header values that may be malformed."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.filereader import read_partial
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from curate.errors import DropRecord
from curate.memory import once
from curate.record import Reason
from curate.sources.faults import stop_for_source
from curate.sources.member import open_file
from curate.sources.third_party import call_third_party

PIXEL_DATA = 0x7FE00010
FLOAT_PIXELS = (0x7FE00008, 0x7FE00009)
UNDEFINED = 0xFFFFFFFF
_PIXELS = frozenset((PIXEL_DATA, *FLOAT_PIXELS))
_DEFLATED = DeflatedExplicitVRLittleEndian.encode()
_HEAD = 4096  # bytes in which the file meta information of any real file ends


@dataclass(frozen=True)
class PixelElement:
    """Where the pixel data lies: ``offset`` of its value in the source, ``length`` in bytes or UNDEFINED."""

    tag: int
    vr: str
    length: int
    offset: int


@dataclass(frozen=True)
class DicomFile:
    """An open file read up to its pixel data. ``source`` is the file, or memory where the file was deflated."""

    dataset: Dataset
    syntax: UID
    pixels: PixelElement | None
    source: BinaryIO
    size: int  # bytes of ``source``

    @property
    def element(self) -> PixelElement:
        """The pixel data, of a file that is known to have some."""
        assert self.pixels is not None
        return self.pixels

    def read(self, at: int, size: int) -> bytes:
        """``size`` bytes from offset ``at``, less where the source ends; DropRecord UNREADABLE_FILE."""
        self.source.seek(at)
        return call_third_party(Reason.UNREADABLE_FILE, self.source.read, size)


@contextmanager
def open_dicom(path: Path, max_bytes: int, tags: list[int] | None = None) -> Iterator[DicomFile]:
    """The file read up to its pixel data, without reading that; ``tags`` limits which elements are kept.

    Preamble and file meta information may be missing. Without a transfer syntax the data set is taken as implicit VR
    little endian, the default of PS3.5 10.1, unless its first element shows a VR.

    Raises DropRecord UNREADABLE_FILE, EMPTY_FILE, BAD_HEADER, TRUNCATED and TOO_LARGE (deflated to over ``max_bytes``).
    """
    try:
        file = open_file(path)
    except OSError as error:
        stop_for_source(error)
        file = None
    if file is None:
        raise DropRecord(Reason.UNREADABLE_FILE)
    with file:
        yield _read(file, max_bytes, tags)


def _read(file: BinaryIO, max_bytes: int, tags: list[int] | None) -> DicomFile:
    head = call_third_party(Reason.UNREADABLE_FILE, file.read, _HEAD)
    if not head:
        raise DropRecord(Reason.EMPTY_FILE)
    file.seek(0)
    source = _inflate(file, head, max_bytes) if _DEFLATED in head else file
    found: list[tuple[int, str | None, int]] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag in _PIXELS:
            found.append((int(tag), vr, length))
        return bool(found)

    raw = call_third_party(Reason.BAD_HEADER, read_partial, source, at_pixels, force=True, specific_tags=tags)
    pixels = None
    if found:
        tag, vr, length = found[-1]
        pixels = PixelElement(tag, vr or "", length, source.tell() + (12 if vr in EXPLICIT_VR_LENGTH_32 else 8))
    size = source.seek(0, io.SEEK_END)
    return DicomFile(_without_file(raw), call_third_party(Reason.BAD_HEADER, _syntax, raw), pixels, source, size)


def _without_file(raw: FileDataset) -> Dataset:
    """The same elements in a Dataset that knows neither the file's name nor its preamble."""
    dataset = Dataset(raw)
    dataset.file_meta = raw.file_meta
    implicit, little = raw.original_encoding
    dataset.set_original_encoding(implicit, little, raw.original_character_set)
    return dataset


def _syntax(raw: FileDataset) -> UID:
    named = raw.file_meta.get("TransferSyntaxUID")
    if named:
        return UID(str(named).strip())
    implicit, little = raw.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _inflate(file: BinaryIO, head: bytes, max_bytes: int) -> BinaryIO:
    """A deflated file (PS3.5 A.5) as an explicit little endian one in memory, inflated to ``max_bytes`` at most.

    pydicom would inflate without a bound: a megabyte of zeros deflated is a gigabyte of memory.
    """
    start = _end_of_meta(head)
    if start is None:  # the UID stands in a value of some element, not as the transfer syntax
        return file
    file.seek(start)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = call_third_party(Reason.UNDECODABLE, inflater.decompress, file.read(), max_bytes)
    if inflater.unconsumed_tail:
        raise DropRecord(Reason.TOO_LARGE)
    if not inflater.eof:
        raise DropRecord(Reason.TRUNCATED)
    meta = head[:start].replace(_DEFLATED, ExplicitVRLittleEndian.encode().ljust(len(_DEFLATED), b"\0"))
    return io.BytesIO(meta + body)


def _end_of_meta(head: bytes) -> int | None:
    """Offset of the first element after group 0002 (always explicit little endian); None if not declared deflated."""
    at, deflated = (132 if head[128:132] == b"DICM" else 0), False
    while head[at : at + 2] == b"\x02\x00":
        long = head[at + 4 : at + 6].decode("latin-1") in EXPLICIT_VR_LENGTH_32
        value = at + (12 if long else 8)
        length = int.from_bytes(head[at + 8 : at + 12] if long else head[at + 6 : at + 8], "little")
        if head[at + 2 : at + 4] == b"\x10\x00":
            deflated = head[value : value + length].rstrip(b"\0 ") == _DEFLATED
        at = value + length
    return at if deflated and at <= len(head) else None


def value(dataset: Dataset, keyword: str) -> Any:
    """The element's value, None where it is absent, empty or so malformed that pydicom cannot convert it."""
    tag = _tag_of(keyword)
    found: Any = dataset.get_item(tag) if tag is not None and tag in dataset else None
    if tag is None or found is None:
        return None
    if isinstance(found, DataElement) and found.VR != "SQ":  # converted before
        return found.value
    try:
        if isinstance(found, RawDataElement) and isinstance(found.value, bytes) and _is_plain(found, found.value):
            return once(_alone, tag, found.VR, found.value, found.is_implicit_VR, found.is_little_endian)
        return call_third_party(Reason.BAD_HEADER, _converted, dataset, tag)
    except DropRecord:
        return None


# VRs (PS3.5 6.2) of which a short value means the same in whatever file it stands
_BINARY_VRS = frozenset({"US", "SS", "UL", "SL", "FL", "FD"})
_PLAIN_VRS = _BINARY_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UI"}
_SHORT = 64  # bytes


def _is_plain(found: RawDataElement, raw: bytes) -> bool:
    """Whether its bytes and VR alone say what it means: no text that another element says how to decode."""
    vr = found.VR or _implied(int(found.tag))
    if vr not in _PLAIN_VRS or len(raw) > _SHORT:
        return False
    return vr in _BINARY_VRS or (raw.isascii() and b"\x1b" not in raw)


@lru_cache(maxsize=1024)
def _implied(tag: int) -> str:
    """The VR of an attribute of the dictionary, "" of another."""
    return dictionary_VR(tag) if dictionary_has_tag(tag) else ""


def _alone(tag: BaseTag, vr: str | None, raw: bytes, implicit: bool, little: bool) -> Any:
    """The value of an element of these bytes: the files of a series share most of theirs, and read them once."""
    dataset = Dataset({tag: RawDataElement(tag, vr, len(raw), raw, 0, implicit, little)})
    return call_third_party(Reason.BAD_HEADER, _converted, dataset, tag)


@lru_cache(maxsize=1024)
def _tag_of(keyword: str) -> BaseTag | None:
    tag = tag_for_keyword(keyword)
    return None if tag is None else BaseTag(tag)


def _converted(dataset: Dataset, tag: BaseTag) -> Any:
    return dataset[tag].value


def text(dataset: Dataset, keyword: str) -> str:
    """The element as text, "" where absent; an unknown character set is read as Latin-1."""
    found = value(dataset, keyword)
    if found is None:
        return _raw(dataset, keyword)
    if isinstance(found, (list, MultiValue)):
        found = "\\".join(str(part) for part in found)
    return str(found).strip(" \0")


def is_little(dataset: Dataset) -> bool:
    """Were the words of its binary values written little endian, the lower byte first?"""
    return dataset.original_encoding[1] is not False


def integer(dataset: Dataset, keyword: str, default: int) -> int:
    """The element as an int; from a malformed one its leading digits ("1A" is 1), else ``default``."""
    found = value(dataset, keyword)
    digits = re.match(r"\s*[+-]?\d{1,9}", str(found) if found is not None else _raw(dataset, keyword))
    return int(digits[0]) if digits else default


def _raw(dataset: Dataset, keyword: str) -> str:
    """The stored bytes of an element that could not be converted, as Latin-1."""
    element: object = dataset.get_item(keyword) if keyword in dataset else None
    if isinstance(element, RawDataElement) and isinstance(element.value, bytes):
        return element.value.decode("latin-1").strip(" \0")
    return ""
