"""A small reader of DICOM Part 10 files, for files about to be written: PS3.10 section 7, PS3.5 section 7 and A.4.

It is strict: anything it does not understand is a fault of the file. Of pydicom it uses only the data dictionary, for
the VR of elements written without one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

from pydicom.datadict import DicomDictionary, keyword_for_tag  # type: ignore[attr-defined]

PIXEL_DATA = 0x7FE00010
PIXELS = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})  # and the two for floats
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_VRS = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()) | _LONG_VRS
_MAX_DEPTH = 64
IMPLICIT, BIG, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
_NATIVE = frozenset({IMPLICIT, BIG, DEFLATED, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.8.1"})
_MAX_INFLATED = 1 << 31


class Unsound(ValueError):
    """The bytes are no DICOM file, or not a valid one. Carries no value of it."""


class Element(NamedTuple):
    """One element: tag as 0xGGGGEEEE, VR, its value's bytes (b"" of a sequence), the tags of the sequences it is in."""

    tag: int
    vr: str
    value: bytes
    path: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """The value as text, UTF-8 or else Latin-1, without its padding."""
        raw = self.value.strip(b" \0")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    @property
    def values(self) -> list[str]:
        """The values of the text, stripped; none for an empty one."""
        text = self.text
        return [v.strip(" \0") for v in text.split("\\")] if text else []

    @property
    def keyword(self) -> str:
        """The keyword of its tag (PS3.6); "" if it has none."""
        return keyword_for_tag(self.tag)


@dataclass(slots=True)
class Part10:
    """A file in pieces. ``fragments`` are of encapsulated pixel data, the offset table first; ``body`` the bytes before
    the pixels and ``tail`` those behind them, both inflated; ``big`` is big-endian."""

    preamble: bytes
    meta: list[Element]
    syntax: str
    elements: list[Element] = field(default_factory=list)
    fragments: list[bytes] = field(default_factory=list)
    pixels: list[Element] = field(default_factory=list)
    body: bytes = b""
    tail: bytes = b""
    encapsulated: bool = False
    big: bool = False


def parse(data: bytes) -> Part10:
    """The parsed file; Unsound if anything does not fit, is out of order, repeated, or after the end."""
    if len(data) < 140 or data[128:132] != b"DICM":
        raise Unsound
    reader = _Reader(data, implicit=False, big=False)
    try:
        meta, at = reader.meta(132)
        syntax = next((e.value.rstrip(b"\0 ").decode("latin-1") for e in meta if e.tag == 0x00020010), "")
        file = Part10(data[:128], meta, syntax, encapsulated=syntax not in _NATIVE, big=syntax == BIG)
        if syntax == DEFLATED:
            inflater = zlib.decompressobj(-15)
            inner = inflater.decompress(data[at:], _MAX_INFLATED)
            if not inflater.eof or inflater.unused_data.strip(b"\0"):
                raise Unsound
            head, data, at = data[:at], inner, 0
        else:
            head = b""
        reader = _Reader(data, implicit=syntax == IMPLICIT, big=file.big)
        reader.dataset(at, len(data), (), file.elements)
    except (StructError, zlib.error, KeyError):
        raise Unsound from None
    file.fragments = reader.fragments
    file.pixels = [e for e in file.elements if e.tag in PIXELS and not e.path]
    file.body = head + (data[: reader.pixels_at] if reader.pixels_at else data)
    file.tail = data[reader.pixels_end :] if reader.pixels_at else b""
    return file


class _Reader:
    def __init__(self, data: bytes, *, implicit: bool, big: bool) -> None:
        order = ">" if big else "<"
        self.data, self.implicit = data, implicit
        self.tag_of, self.short, self.long = Struct(order + "HH"), Struct(order + "H"), Struct(order + "I")
        self.fragments: list[bytes] = []
        self.pixels_at = self.pixels_end = 0

    def meta(self, at: int) -> tuple[list[Element], int]:
        """The elements of group 2 and their end, which its length and the tags must agree on."""
        elements: list[Element] = []
        while at + 8 <= len(self.data) and self.tag_of.unpack_from(self.data, at)[0] == 2:
            at = self.element(at, len(self.data), (), elements)
        length = elements[0] if elements else None
        if length is None or length.tag != 0x00020000 or int.from_bytes(length.value, "little") + 144 != at:
            raise Unsound
        return elements, at

    def dataset(self, at: int, end: int, path: tuple[int, ...], elements: list[Element]) -> None:
        """Every element of ``data[at:end]``, in ascending order of tags, appended to ``found``, depth first."""
        last = -1
        while at < end:
            group, number = self.tag_of.unpack_from(self.data, at)
            tag = group << 16 | number
            if tag <= last or group == 0xFFFE or group < (8 if not path else 4):
                raise Unsound
            last = tag
            at = self.element(at, end, path, elements)
        if at != end:
            raise Unsound

    def element(self, at: int, end: int, path: tuple[int, ...], elements: list[Element]) -> int:
        group, number = self.tag_of.unpack_from(self.data, at)
        tag = group << 16 | number
        vr, length, start = self._implicit(tag, at) if self.implicit else self._explicit(at)
        if vr == "SQ" or (length == _UNDEFINED and vr == "UN"):
            elements.append(Element(tag, vr, b"", path))
            if len(path) >= _MAX_DEPTH:
                raise Unsound
            return self._sequence(start, end, length, (*path, tag), elements)
        if length == _UNDEFINED:
            if tag != PIXEL_DATA or path:
                raise Unsound
            self.pixels_at = at
            elements.append(Element(tag, vr, b"", path))
            self.pixels_end = self._encapsulated(start, end)
            return self.pixels_end
        if start + length > end or length & 1:
            raise Unsound
        if tag in PIXELS and not path:
            self.pixels_at, self.pixels_end = self.pixels_at or at, start + length
        elements.append(Element(tag, vr, self.data[start : start + length], path))
        return start + length

    def _explicit(self, at: int) -> tuple[str, int, int]:
        vr = self.data[at + 4 : at + 6]
        if vr not in _VRS:
            raise Unsound
        if vr in _LONG_VRS:
            return vr.decode(), self.long.unpack_from(self.data, at + 8)[0], at + 12
        return vr.decode(), self.short.unpack_from(self.data, at + 6)[0], at + 8

    def _implicit(self, tag: int, at: int) -> tuple[str, int, int]:
        length = self.long.unpack_from(self.data, at + 4)[0]
        return dictionary_vr(tag) or ("SQ" if length == _UNDEFINED and tag != PIXEL_DATA else "UN"), length, at + 8

    def _sequence(self, at: int, end: int, length: int, path: tuple[int, ...], elements: list[Element]) -> int:
        stop = end if length == _UNDEFINED else at + length
        if stop > end:
            raise Unsound
        while at < stop:
            tag, size = self._item(at)
            at += 8
            if tag == _SEQUENCE_END and length == _UNDEFINED and not size:
                return at
            if tag != _ITEM:
                raise Unsound
            if size != _UNDEFINED:
                if at + size > stop:
                    raise Unsound
                self.dataset(at, at + size, path, elements)
                at += size
            else:
                at = self._open_item(at, stop, path, elements)
        if length == _UNDEFINED:
            raise Unsound
        return at

    def _open_item(self, at: int, end: int, path: tuple[int, ...], elements: list[Element]) -> int:
        last = -1
        while True:
            group, number = self.tag_of.unpack_from(self.data, at)
            tag = group << 16 | number
            if tag == _ITEM_END:
                return at + 8
            if tag <= last or group == 0xFFFE:
                raise Unsound
            last = tag
            at = self.element(at, end, path, elements)

    def _encapsulated(self, at: int, end: int) -> int:
        while at < end:
            tag, size = self._item(at)
            at += 8
            if tag == _SEQUENCE_END and not size:
                return at
            if tag != _ITEM or at + size > end:
                raise Unsound
            self.fragments.append(self.data[at : at + size])
            at += size
        raise Unsound

    def _item(self, at: int) -> tuple[int, int]:
        group, number = self.tag_of.unpack_from(self.data, at)
        return group << 16 | number, self.long.unpack_from(self.data, at + 4)[0]


@lru_cache(maxsize=8192)
def dictionary_vr(tag: int) -> str:
    """The VR of a tag in the data dictionary (PS3.6), the first of several; "" if it has none."""
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else ""
    if not tag & 0xFFFF:
        return "UL"
    entry = DicomDictionary.get(tag)
    return "" if entry is None else ("OW" if tag == PIXEL_DATA else str(entry[0]).split(" or ")[0])


@lru_cache(maxsize=8192)
def dictionary_vrs(tag: int) -> frozenset[str]:
    """All VRs that the data dictionary allows for a tag; empty if it has none."""
    entry = DicomDictionary.get(tag)
    return frozenset() if entry is None else frozenset(str(entry[0]).split(" or "))


def undeclared(elements: list[Element]) -> Iterator[Element]:
    """Public elements whose VR the dictionary does not allow for their tag, or whose tag it does not have."""
    for element in elements:
        allowed = dictionary_vrs(element.tag)
        if element.tag >> 16 & 1 or element.vr in allowed or not element.tag & 0xFFFF:
            continue
        if not allowed or not ({element.vr} | allowed <= {"US", "SS", "OW", "OB", "UN"}) or element.vr == "UN":
            yield element
