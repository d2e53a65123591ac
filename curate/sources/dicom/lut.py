"""Tables of a DICOM image: Modality and VOI LUTs (PS3.3 C.11.1, C.11.2) and the palette (C.7.6.3.1.5, C.7.9).

What a table is, its own bytes say where its descriptor errs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import is_little, value
from curate.sources.dicom.neighbours import nearest_stride


@dataclass(frozen=True)
class Lut:
    """``first``: the first value mapped, as its 16 bits without a sign; ``entries``: uint16; ``declared``: how many the
    descriptor says; ``bits``: those that the largest entry needs, which is what an entry's range is.

    The descriptor's bits are not asked: many a writer says 16 over entries of 12, 10 or 8, which would be a black
    picture, and some say 8 over words.
    """

    first: int
    entries: np.ndarray
    declared: int

    @property
    def bits(self) -> int:
        """At least 1."""
        return max(int(self.entries.max()).bit_length(), 1)

    def look_up(self, values: np.ndarray, *, signed: bool) -> np.ndarray:
        """float64 entries for ``values``, the first or last entry beyond the table's ends (C.11.1.1.1).

        ``signed``: may the values that can occur be negative, so that ``first`` has a sign? Where the table then lies
        beside all of ``values``, and without (or with) one does not, it is the other. Raises DropRecord BAD_HEADER
        where values would need entries that are declared and missing.
        """
        first = self._first(float(values.min()), float(values.max()), signed=signed)
        places = np.clip(np.rint(values).astype(np.int64) - first, 0, self.declared - 1)
        if int(places.max()) >= len(self.entries):
            raise DropRecord(Reason.BAD_HEADER)
        return np.asarray(self.entries[places].astype(np.float64))

    def _first(self, low: float, high: float, *, signed: bool) -> int:
        readings = (self.first - 0x10000, self.first) if signed else (self.first, self.first - 0x10000)
        if self.first > 0x7FFF:
            for first in readings:
                if first <= high and first + self.declared > low:
                    return first
            return readings[0]
        return self.first


def read_lut(item: Dataset, little: bool) -> Lut:
    """The table of a Modality or VOI LUT item; DropRecord BAD_HEADER where descriptor and data make none.

    LUT Data may be words or bytes, and bytes packed into words (C.11.1.1.1): their number says which.
    """
    descriptor, data = value(item, "LUTDescriptor"), value(item, "LUTData")
    declared, first, bits = _descriptor(descriptor[:6] if isinstance(descriptor, bytes) else descriptor, little)
    if data is None or not 1 <= bits <= 16:
        raise DropRecord(Reason.BAD_HEADER)
    entries = _entries(data, declared, bits, little)[:declared]
    if not entries.size:
        raise DropRecord(Reason.BAD_HEADER)
    return Lut(first, entries, declared)


def _descriptor(found: Any, little: bool) -> tuple[int, int, int]:
    """Entries, first value mapped, bits of an entry; these are 0 where the descriptor is none."""
    if isinstance(found, bytes):
        found = np.frombuffer(found[: len(found) & ~1], "<u2" if little else ">u2").tolist()
    try:
        count, first, bits = (int(v) & 0xFFFF for v in found)
    except (TypeError, ValueError):
        return 0, 0, 0
    return count or 0x10000, first, bits  # 65536 does not fit its 16 bits and is written 0


def _entries(data: object, declared: int, bits: int, little: bool) -> np.ndarray:
    """uint16 entries of bytes or of numbers that were read as 16-bit words."""
    if isinstance(data, bytes):
        raw = np.frombuffer(data[: len(data) & ~1], "<u2" if little else ">u2")
        odd = data[len(data) & ~1 :]
    else:
        raw, odd = (np.atleast_1d(np.asarray(data, dtype=np.int64)) & 0xFFFF), b""
    words = raw.astype("<u2")
    if words.size + len(odd) != (declared + 1) // 2 or declared < 2:
        return words.astype(np.uint16)
    packed = np.append(words.view(np.uint8), np.frombuffer(odd, np.uint8))  # in a word the lower byte comes first
    if bits > 8 and nearest_stride(packed, (1, 2)) != 1:  # half a table of words
        return words.astype(np.uint16)
    return packed.astype(np.uint16)


_COLOURS = ("Red", "Green", "Blue")


@dataclass(frozen=True)
class Palette:
    """``entries``: uint8 or uint16 [n, 3]; stored value ``first`` and below show the first, those beyond the last."""

    first: int
    entries: np.ndarray

    def colours(self, stored: np.ndarray) -> np.ndarray:
        """uint8 (rows, columns, 3) of stored indices."""
        entries = self.entries if self.entries.dtype == np.uint8 else (self.entries >> 8).astype(np.uint8)
        return np.asarray(entries[self.places(stored)])

    def places(self, stored: np.ndarray) -> np.ndarray:
        """Which entry each stored value shows."""
        return np.asarray(np.clip(stored.astype(np.int64) - self.first, 0, len(self.entries) - 1))

    def hides(self, stored: np.ndarray) -> bool:
        """Do two indices of this frame show one colour, so that something may lie in the difference?"""
        used = np.unique(np.clip(stored, self.first, self.first + len(self.entries) - 1))
        shown = self.entries[used.astype(np.int64) - self.first]
        return len(np.unique(shown, axis=0)) < len(used)


def read_palette(dataset: Dataset, *, signed: bool) -> Palette:
    """The palette of a PALETTE COLOR image, a segmented one (C.7.9.2) expanded; DropRecord BAD_HEADER without."""
    little = is_little(dataset)
    columns, firsts = [], []
    for colour in _COLOURS:
        count, first, bits = _descriptor(value(dataset, f"{colour}PaletteColorLookupTableDescriptor"), little)
        if bits not in (8, 16):
            raise DropRecord(Reason.BAD_HEADER)
        firsts.append(first)
        data = value(dataset, f"{colour}PaletteColorLookupTableData")
        if isinstance(data, bytes):
            columns.append(_plain(data, count, bits, little))
        else:
            segments = value(dataset, f"Segmented{colour}PaletteColorLookupTableData")
            columns.append(_expanded(segments, count, bits, little))
    if len({len(c) for c in columns}) != 1 or len(set(firsts)) != 1:
        raise DropRecord(Reason.BAD_HEADER)
    wide = any(c.max() > 0xFF for c in columns)
    first = firsts[0] - 0x10000 if signed and firsts[0] > 0x7FFF else firsts[0]
    return Palette(first, np.stack(columns, axis=1).astype(np.uint16 if wide else np.uint8))


def _plain(data: bytes, count: int, bits: int, little: bool) -> np.ndarray:
    """uint16[count]: of words where there are enough bytes for words, else of bytes."""
    if len(data) >= 2 * count:
        words = np.frombuffer(data, "<u2" if little else ">u2", count)
        return words & 0xFF if bits == 8 and words.max() <= 0xFF else words.astype(np.uint16)
    if len(data) >= count:  # in big endian the bytes of a word are swapped (PS3.5 7.3)
        even = data if little or len(data) % 2 else np.frombuffer(data, "<u2").byteswap().tobytes()
        return np.frombuffer(even, np.uint8, count).astype(np.uint16)
    raise DropRecord(Reason.BAD_HEADER)


def _expanded(data: object, count: int, bits: int, little: bool) -> np.ndarray:
    """A segmented table (C.7.9.2) written out, to ``count`` entries and no more."""
    if not isinstance(data, bytes):
        raise DropRecord(Reason.BAD_HEADER)
    size = bits // 8
    kind = "u1" if size == 1 else "<u2" if little else ">u2"
    codes = np.frombuffer(data[: len(data) - len(data) % size], kind).tolist()
    out: list[int] = []
    try:
        _expand(codes, 0, len(codes), out, count, size)
    except IndexError:
        raise DropRecord(Reason.BAD_HEADER) from None
    if len(out) != count:
        raise DropRecord(Reason.BAD_HEADER)
    return np.array(out, np.uint16)


def _expand(codes: list[int], at: int, segments: int, out: list[int], count: int, size: int, depth: int = 0) -> None:
    while at + 1 < len(codes) and segments and len(out) < count:
        kind, length = codes[at], codes[at + 1]
        at, segments = at + 2, segments - 1
        if kind == 0:  # discrete
            out += codes[at : at + length]
            at += length
        elif kind == 1 and out:  # linear, from the last value to the one given
            first, step = out[-1], (codes[at] - out[-1]) / max(length, 1)
            out += [round(first + k * step) for k in range(1, length)] + [codes[at]] * (length > 0)
            at += 1
        elif kind == 2 and out and not depth:  # indirect: segments that were there before, by their byte offset
            words = 4 // size
            parts = codes[at : at + words]
            start = sum(part << (8 * size * k) for k, part in enumerate(parts)) // size
            _expand(codes, start, length, out, count, size, 1)
            at += words
        else:
            raise IndexError
