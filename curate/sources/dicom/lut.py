"""Modality and VOI LUT items (PS3.3 C.11.1, C.11.2): what the table is, by its own bytes where its descriptor errs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import value
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
    if isinstance(descriptor, bytes):
        descriptor = np.frombuffer(descriptor[:6], "<u2" if little else ">u2").tolist()
    try:
        count, first, bits = (int(v) & 0xFFFF for v in descriptor)
    except (TypeError, ValueError):
        count = first = bits = 0
    if data is None or not 1 <= bits <= 16:
        raise DropRecord(Reason.BAD_HEADER)
    declared = count or 0x10000  # 65536 does not fit its 16 bits and is written 0
    entries = _entries(data, declared, bits, little)[:declared]
    if not entries.size:
        raise DropRecord(Reason.BAD_HEADER)
    return Lut(first, entries, declared)


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
