"""Compressed pixel data (PS3.5 A.4): fragments into frames, every frame's stream cleaned, framed anew."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEGBaseline8Bit, JPEGTransferSyntaxes

from curate.deid_export.dicom_frames import Frames, Written
from curate.deid_export.dicom_native import mask
from curate.deid_export.stream import KNOWN, Unparsed, clean_stream
from curate.deid_export.stream_jpeg import told_colours
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.codec import Layout, codestream_size, decode_frame
from curate.sources.dicomfile import PIXEL_DATA, UNDEFINED, DicomFile, PixelElement
from curate.sources.third_party import call_third_party

_ITEM = b"\xfe\xff\x00\xe0"
_TABLE = 1 << 32  # bytes that a Basic Offset Table can point over


class CodedFrames(Frames):
    """Streams of one transfer syntax. `stored` decodes what will be written, not what was read.

    ``kept`` is False where the streams cannot stay: one is not understood, or its pixels have bits above Bits Stored,
    which shows once every frame went through `stored`.
    """

    def __init__(self, file: DicomFile, layout: Layout, streams: list[bytes], cleaned: list[bytes] | None) -> None:
        self._dataset, self._syntax = file.dataset, file.syntax
        self._streams = streams if cleaned is None else cleaned
        self.layout = self.decoded = layout
        if layout.samples > 1:
            self.decoded = replace(layout, photometric="RGB", planar=0)
        self.kept = cleaned is not None
        changed = cleaned is not None and any(_longer(a, b) for a, b in zip(streams, cleaned, strict=True))
        self.changes = ("clean codestream",) if changed else ()

    def stored(self, frame: int) -> np.ndarray:
        stream = self._streams[frame]
        source = io.BytesIO(call_third_party(Reason.UNDECODABLE, encapsulate, [stream]))
        element = PixelElement(PIXEL_DATA, "OB", UNDEFINED, 0)
        file = DicomFile(self._dataset, self._syntax, element, source, source.getbuffer().nbytes)
        layout = replace(self.layout, frames=1, offsets=None)
        wide = _precision(stream, layout) > layout.stored
        if wide:  # decoders would hide what is above Bits Stored, and it would still be in the stream
            layout = replace(layout, stored=layout.allocated)
        values = decode_frame(file, layout, 0)
        values = values.astype(values.dtype.newbyteorder("<"), copy=False)
        if not wide and self.layout.stored == self.layout.allocated:
            return values
        masked = mask(values, self.layout)
        if not np.array_equal(masked, values) and not _unsigned_twin(values, masked, self.layout):
            self.kept = False
            self.changes = tuple(dict.fromkeys((*self.changes, "mask unused bits")))
        return masked

    def written(self) -> Written:
        if not self.kept or sum(len(s) + 9 for s in self._streams) >= _TABLE:
            raise ValueError("these streams are not to be written")
        return Written(self._syntax, PIXEL_DATA, "OB", encapsulate(self._streams))


def _longer(before: bytes, after: bytes) -> bool:
    """Was anything but padding taken away?"""
    return before.rstrip(b"\0") != after.rstrip(b"\0")


def _unsigned_twin(values: np.ndarray, masked: np.ndarray, layout: Layout) -> bool:
    """Are the bits above Bits Stored simply all zero, the sign left to the reader, as codecs without signs do?"""
    low = values & values.dtype.type((1 << layout.stored) - 1)
    return layout.signed and np.array_equal(low, values) and np.array_equal(mask(low, layout), masked)


def _precision(stream: bytes, layout: Layout) -> int:
    """Bits of a sample in the stream; Bits Allocated where it does not say."""
    size = call_third_party(Reason.UNDECODABLE, codestream_size, stream)
    return layout.allocated if size is None or stream[:1] != b"\xff" else size[3]


def read_coded(file: DicomFile, layout: Layout, max_bytes: int) -> CodedFrames:
    """The cleaned frames of compressed pixel data.

    Raises DropRecord UNSUPPORTED_SYNTAX where nothing here decodes the syntax (MPEG: nobody can look at it),
    UNDECODABLE, TRUNCATED where frames are missing, TOO_LARGE for a frame that would decode to over ``max_bytes``.
    """
    call_third_party(Reason.UNSUPPORTED_SYNTAX, get_decoder, file.syntax)
    if layout.bits_a_frame > 8 * max_bytes:
        raise DropRecord(Reason.TOO_LARGE)
    if file.pixels is None or file.pixels.tag != PIXEL_DATA:
        raise DropRecord(Reason.UNDECODABLE)
    streams = _streams(file, layout)
    try:
        cleaned = [clean_stream(file.syntax, s, layout) for s in streams] if file.syntax in KNOWN else None
    except Unparsed:
        cleaned = None
    return CodedFrames(file, replace(layout, photometric=_photometric(file.syntax, layout, cleaned)), streams, cleaned)


def _photometric(syntax: str, layout: Layout, cleaned: list[bytes] | None) -> str:
    """The colours of JPEG frames as their streams tell them, which is how they are decoded; else the header's."""
    if layout.samples != 3 or cleaned is None or syntax not in JPEGTransferSyntaxes:
        return layout.photometric
    told = told_colours(cleaned[0])
    if told == "YBR" and not layout.photometric.startswith("YBR"):
        return "YBR_FULL_422" if syntax == JPEGBaseline8Bit else "YBR_FULL"
    return told if told == "RGB" else layout.photometric


def _streams(file: DicomFile, layout: Layout) -> list[bytes]:
    """One stream a frame, as many as there are frames by the header; fragments beyond them are left behind.

    As many fragments as frames are one each, whatever an offset table says; otherwise the tables decide.
    """
    assert file.pixels is not None
    fragments = list(_fragments(file))
    if len(fragments) < layout.frames:
        raise DropRecord(Reason.TRUNCATED)
    if len(fragments) == layout.frames:
        return [_read(file, *place) for place in fragments]
    if layout.frames == 1:
        return [b"".join(_read(file, *place) for place in fragments)]
    file.source.seek(file.pixels.offset)
    frames = generate_frames(file.source, number_of_frames=layout.frames, extended_offsets=layout.offsets)
    streams: list[bytes] = call_third_party(Reason.UNDECODABLE, list, islice(frames, layout.frames))
    if len(streams) < layout.frames:
        raise DropRecord(Reason.TRUNCATED)
    return streams


def _fragments(file: DicomFile) -> Iterator[tuple[int, int]]:
    """Offset and length of every fragment, the Basic Offset Table skipped (PS3.5 A.4)."""
    assert file.pixels is not None
    at, first = file.pixels.offset, True
    while True:
        file.source.seek(at)
        head = file.source.read(8)
        if head[:4] != _ITEM:
            break  # the delimiter, the end of the file, or no item
        (length,) = struct.unpack_from("<L", head.ljust(8, b"\xff"), 4)
        if at + 8 + length > file.size:
            raise DropRecord(Reason.TRUNCATED)
        if not first:
            yield at + 8, length
        at, first = at + 8 + length, False
    if first:
        raise DropRecord(Reason.UNDECODABLE)


def _read(file: DicomFile, offset: int, length: int) -> bytes:
    file.source.seek(offset)
    return call_third_party(Reason.UNREADABLE_FILE, file.source.read, length)
