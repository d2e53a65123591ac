"""Compressed pixel data (PS3.5 A.4): fragments into frames, every frame's stream cleaned and encapsulated again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydicom.encaps import encapsulate

from curate.deid_export.dicom_native import Frames, Written
from curate.deid_export.stream import KNOWN, clean_stream
from curate.deid_export.stream_part import Unparsed
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.cells import mask, overlay_bits
from curate.sources.dicom.codec import decode_stream, settle_stream
from curate.sources.dicom.file import PIXEL_DATA
from curate.sources.dicom.layout import Layout
from curate.sources.dicom.prove import ProvenPixels, frame_stream

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
        values, settled = settle_stream(cells, stream, self._declared, self._overlays)
        if values.ndim == 2:
            self._settle(settled)
        elif settled.photometric != self.layout.photometric:
            self.kept &= frame == 0  # else the frames before it are of other colours
            self.layout = replace(self.layout, photometric=settled.photometric)
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


def read_coded(pixels: ProvenPixels, declared: str, max_bytes: int) -> CodedFrames:
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
