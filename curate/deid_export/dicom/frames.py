"""The frames of one file as they are searched, blanked and written.

Of uncompressed pixel data (PS3.5 8.1, 8.2, Annex D) exactly the frames and the stored bits, little endian; of
compressed (A.4) every frame's stream, cleaned and encapsulated again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

from curate.deid_export.codestreams.clean import KNOWN, clean_stream
from curate.deid_export.codestreams.jpeg import Unparsed
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.cells import mask, overlay_bits, settle
from curate.sources.dicom.codec import cell_dtype, decode_frame, decode_stream, other_cells, settle_stream
from curate.sources.dicom.colours import some_frames
from curate.sources.dicom.file import FLOAT_PIXELS, PIXEL_DATA, DicomFile
from curate.sources.dicom.layout import Layout, is_swapped
from curate.sources.dicom.prove import ProvenPixels, frame_stream, prove
from curate.sources.third_party import call_third_party


@dataclass(frozen=True)
class Written:
    """A pixel data element. ``value`` may be of odd length, and may be the frames' own memory."""

    syntax: UID
    tag: int
    vr: str
    value: bytes | memoryview


class Frames(Protocol):
    """Pixel data about to be written.

    ``layout`` is that of the written pixel data, ``decoded`` that of `stored`'s arrays: a compressed YBR frame is
    searched and blanked as RGB. ``changes`` names what was removed, as actions.
    """

    layout: Layout
    decoded: Layout
    changes: tuple[str, ...]

    def stored(self, frame: int) -> np.ndarray:
        """The 0-based frame's stored values, (rows, columns) or (rows, columns, samples); DropRecord if undecodable."""

    def written(self) -> Written:
        """The pixel data element as it is written."""


_MAX_BYTES = 0xFFFFFFFE  # of a value with a defined length, PS3.5 7.1.1
_SIZES = (8, 16, 32, 64)


class NativeFrames(Frames):
    """All frames in one array, in the order they are written: (frames, rows, columns[, samples]) or by planes."""

    def __init__(self, layout: Layout, values: np.ndarray, changes: tuple[str, ...] = ()) -> None:
        self.layout = self.decoded = layout
        self.changes = changes
        self._values = values

    @classmethod
    def empty(cls, layout: Layout, max_bytes: int) -> NativeFrames:
        """Frames of zeros to be filled by `put`; DropRecord TOO_LARGE where they would be over ``max_bytes``."""
        shape = _shape(layout)
        if layout.bits_a_frame * layout.frames > 8 * min(max_bytes, _MAX_BYTES):
            raise DropRecord(Reason.TOO_LARGE)
        return cls(layout, call_third_party(Reason.TOO_LARGE, np.zeros, shape, _dtype(layout)))

    def stored(self, frame: int) -> np.ndarray:
        """A view of the frame, (rows, columns) or (rows, columns, samples)."""
        values: np.ndarray = self._values[frame]
        return np.moveaxis(values, 0, -1) if values.ndim == 3 and self.layout.planar else values

    def put(self, frame: int, pixels: np.ndarray) -> None:
        """Overwrite the 0-based frame with (rows, columns) or (rows, columns, samples)."""
        if not self._values.flags.writeable:  # still the bytes that were read
            self._values = self._values.copy()
        self.stored(frame)[...] = pixels

    def written(self) -> Written:
        tag, vr = PIXEL_DATA, "OW" if self.layout.allocated > 8 else "OB"
        if self._values.dtype.kind == "f":
            tag, vr = (FLOAT_PIXELS[0], "OF") if self._values.itemsize == 4 else (FLOAT_PIXELS[1], "OD")
        return Written(
            ExplicitVRLittleEndian, tag, vr, np.ascontiguousarray(self._values).reshape(-1).view(np.uint8).data
        )


class BitFrames(Frames):
    """Frames of single bits, packed without gaps between frames, the first pixel lowest (PS3.5 8.1.1)."""

    def __init__(self, layout: Layout, data: bytearray, changes: tuple[str, ...]) -> None:
        self.layout = self.decoded = layout
        self.changes = changes
        self._data = data

    def stored(self, frame: int) -> np.ndarray:
        bits, first = self._bits(frame)
        return bits[first : first + self._count].reshape(self.layout.rows, self.layout.columns)

    def put(self, frame: int, pixels: np.ndarray) -> None:
        bits, first = self._bits(frame)
        bits[first : first + self._count] = (pixels.ravel() != 0).astype(np.uint8)
        start = frame * self._count // 8
        packed = np.packbits(bits, bitorder="little").tobytes()
        self._data[start : start + len(packed)] = packed

    def written(self) -> Written:
        return Written(ExplicitVRLittleEndian, PIXEL_DATA, "OB", bytes(self._data))

    @property
    def _count(self) -> int:
        return self.layout.rows * self.layout.columns

    def _bits(self, frame: int) -> tuple[np.ndarray, int]:
        """The bits of the bytes that the frame touches, and where in them it begins."""
        start, end = frame * self._count, (frame + 1) * self._count
        packed = np.frombuffer(self._data, np.uint8, -(-end // 8) - start // 8, start // 8)
        return np.unpackbits(packed, bitorder="little"), start % 8


class SubsampledFrames(Frames):
    """Native YBR_FULL_422 (two luminances to a pair of colours): stored as bytes, searched as RGB."""

    def __init__(self, file: DicomFile, layout: Layout, data: bytes, changes: tuple[str, ...]) -> None:
        self.layout, self.decoded = layout, replace(layout, photometric="RGB", planar=0)
        self.changes = changes
        self._file, self._data = file, data

    def stored(self, frame: int) -> np.ndarray:
        return decode_frame(ProvenPixels(self._file, self.layout, None), frame)[0]

    def written(self) -> Written:
        return Written(ExplicitVRLittleEndian, PIXEL_DATA, "OB", self._data)


def read_frames(file: DicomFile, max_bytes: int) -> tuple[ProvenPixels, Frames]:
    """What the pixel data of ``file`` are, and its frames; DropRecord as `prove`, `_read_coded` and `read_native`."""
    proven = prove(file)
    if proven.fragments is not None:
        return proven, _read_coded(proven, file.syntax, max_bytes)
    return proven, read_native(proven.file, proven.layout)


def read_native(file: DicomFile, layout: Layout) -> Frames:
    """The frames of uncompressed pixel data, unused bits masked, NaNs made the canonical one, trailing bytes dropped.

    Raises DropRecord TRUNCATED where bytes are missing, TOO_LARGE, PIXEL_BITS, UNDECODABLE for pixel sizes that do not
    exist.
    """
    expected = layout.bytes_of_all
    available = min(file.element.length, file.size - file.element.offset)
    if available < expected:
        raise DropRecord(Reason.TRUNCATED)
    if expected > _MAX_BYTES:
        raise DropRecord(Reason.TOO_LARGE)
    swapped = is_swapped(file, layout)
    data = file.read(file.element.offset, min(expected + (expected % 2 if swapped else 0), available))
    if swapped:
        data = np.frombuffer(data[: len(data) & ~1], "<u2").byteswap().tobytes()
    changes = ("drop trailing pixel bytes",) if available > expected + expected % 2 else ()
    if layout.allocated == 1 and layout.samples == 1:
        bits = bytearray(data[:expected])
        if used := layout.rows * layout.columns * layout.frames % 8:
            bits[-1] &= (1 << used) - 1
        return BitFrames(layout, bits, changes)
    if layout.photometric == "YBR_FULL_422":
        return SubsampledFrames(file, layout, data[:expected], changes)
    return _whole(file, layout, data[:expected], changes)


def _whole(file: DicomFile, layout: Layout, data: bytes, changes: tuple[str, ...]) -> Frames:
    stored = cell_dtype(file, layout)
    if len(data) != int(np.prod(_shape(layout))) * stored.itemsize:
        raise DropRecord(Reason.UNDECODABLE)
    cells = np.frombuffer(data, stored).astype(stored.newbyteorder("<"), copy=False).reshape(_shape(layout))
    if cells.dtype.kind == "f":
        hidden = np.isnan(cells)  # the payload of a NaN (22 or 51 bits) means nothing and may hide anything
        return NativeFrames(layout, np.where(hidden, cells.dtype.type(np.nan), cells), changes)
    values, settled = settle(cells, layout, overlay_bits(file.dataset))
    if layout.stored < layout.allocated and layout.high is None and not np.array_equal(values.view(cells.dtype), cells):
        changes = (*changes, "mask unused bits")
    return NativeFrames(settled, values, changes)


def _shape(layout: Layout) -> tuple[int, ...]:
    if layout.samples == 1:
        return layout.frames, layout.rows, layout.columns
    if layout.planar:
        return layout.frames, layout.samples, layout.rows, layout.columns
    return layout.frames, layout.rows, layout.columns, layout.samples


def _dtype(layout: Layout) -> np.dtype:
    """Little-endian integers of Bits Allocated; DropRecord UNDECODABLE where no integer has that size."""
    if layout.allocated not in _SIZES:
        raise DropRecord(Reason.UNDECODABLE)
    return np.dtype(f"<{'i' if layout.signed else 'u'}{layout.allocated // 8}")


_TABLE = 1 << 32  # bytes that a Basic Offset Table can point over


class CodedFrames(Frames):
    """Streams of one transfer syntax. `stored` decodes what will be written, not what was read.

    ``kept`` is False if the streams cannot be written as they are: one does not parse, or its pixels have bits above
    Bits Stored, which is known only after `stored` decoded every frame.
    """

    def __init__(self, pixels: ProvenPixels, streams: list[bytes], cleaned: list[bytes] | None) -> None:
        self._syntax, self._overlays = pixels.file.syntax, overlay_bits(pixels.file.dataset)
        self._streams = streams if cleaned is None else cleaned
        self._declared = self.layout = self.decoded = pixels.layout
        if self.layout.samples > 1:
            self.decoded = replace(self.layout, photometric="RGB", planar=0)
        self.kept = cleaned is not None
        changed = cleaned is not None and any(_longer(a, b) for a, b in zip(streams, cleaned, strict=True))
        self.changes: tuple[str, ...] = ("clean codestream",) if changed else ()
        self._has_settled = False

    def stored(self, frame: int) -> np.ndarray:
        cells, stream = decode_stream(self._syntax, self._streams[frame], self._declared)
        streams = (self._streams[other] for other in some_frames(len(self._streams), but=frame))
        others = other_cells(self._syntax, streams, self._declared)
        values, settled = settle_stream(cells, stream, self._declared, self._overlays, others)
        if values.ndim == 2:
            self._settle(settled)
        elif settled.photometric != self.layout.photometric:  # of all frames, also those that do not show it
            self.kept &= frame == 0  # else the frames before it were read as of other colours
            self._declared = self.layout = replace(self.layout, photometric=settled.photometric)
        if settled.photometric.startswith("YBR_FULL"):  # other numbers than the stream's
            return values.astype(values.dtype.newbyteorder("<"), copy=False)
        hidden = values.dtype.itemsize == cells.dtype.itemsize and not np.array_equal(values.view(cells.dtype), cells)
        if hidden and not _unsigned_twin(cells, values, settled):
            self.kept = False
            self.changes = tuple(dict.fromkeys((*self.changes, "mask unused bits")))
        return values.astype(values.dtype.newbyteorder("<"), copy=False)

    def _settle(self, settled: Layout) -> None:
        """All frames must have one layout; streams whose layout contradicts the header are decompressed."""
        if self._has_settled and settled != self.decoded:
            raise DropRecord(Reason.PIXEL_BITS)
        if settled != self._declared:
            self.kept = False
        self._has_settled, self.layout, self.decoded = True, settled, settled

    def written(self) -> Written:
        if not self.kept or sum(len(s) + 9 for s in self._streams) >= _TABLE:
            raise ValueError("these streams are not to be written")
        return Written(self._syntax, PIXEL_DATA, "OB", encapsulate(self._streams))


def _longer(before: bytes, after: bytes) -> bool:
    """Was anything but padding removed?"""
    return before.rstrip(b"\0") != after.rstrip(b"\0")


def _unsigned_twin(cells: np.ndarray, values: np.ndarray, layout: Layout) -> bool:
    """Are the bits above Bits Stored all zero, with no sign extension, as codecs for unsigned values leave them?"""
    low = cells & cells.dtype.type((1 << layout.stored) - 1)
    return layout.signed and np.array_equal(low, cells) and np.array_equal(mask(low, layout), values.view(low.dtype))


def _read_coded(pixels: ProvenPixels, declared: str, max_bytes: int) -> CodedFrames:
    """The cleaned frames of compressed pixel data. ``declared``: the header's transfer syntax; streams of another one
    are not kept.

    Raises DropRecord UNDECODABLE, TRUNCATED where frames are missing, TOO_LARGE for a frame that would decode to over
    ``max_bytes``.
    """
    layout, syntax = pixels.layout, pixels.file.syntax
    if layout.bits_a_frame > 8 * max_bytes:
        raise DropRecord(Reason.TOO_LARGE)
    streams = [frame_stream(pixels, k) for k in range(layout.frames)]
    try:
        cleaned = [clean_stream(syntax, s, layout) for s in streams] if syntax in KNOWN and syntax == declared else None
    except Unparsed:
        cleaned = None
    return CodedFrames(pixels, streams, cleaned)
