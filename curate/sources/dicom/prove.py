"""One place that decides how pixel data lies where header and data contradict each other.

The header is one witness, the data the other: the element's length, the items of an encapsulated element, the code
stream's own header, the content of the cells. Where they disagree, what the data prove is followed; where the data
prove nothing, or two things, the file is dropped with the Reason that names the contradiction. `cells` does the same
for the bits of a cell, once a frame is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import imagecodecs
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.codestream import (
    DELIMITER,
    Fragments,
    Stream,
    bare_stream,
    end_of_runs,
    find_fragments,
    read_stream,
    rle_segments,
)
from curate.sources.dicom.file import PIXEL_DATA, UNDEFINED, DicomFile, PixelElement
from curate.sources.dicom.layout import COLOUR, Layout, clamped, declared_layout, with_samples
from curate.sources.dicom.prove_native import WIDTHS, in_proven_order, native_layout
from curate.sources.third_party import call_third_party

_STREAMS_ONLY = ("YBR_ICT", "YBR_RCT")  # colours that JPEG 2000 makes


@dataclass(frozen=True)
class ProvenPixels:
    """Pixel data as proven: ``file`` with the syntax that the data have, ``fragments`` where they are encapsulated."""

    file: DicomFile
    layout: Layout
    fragments: Fragments | None


def prove(file: DicomFile, frame: int = 0) -> ProvenPixels:
    """What the pixel data of ``file`` are; of encapsulated ones the 0-based ``frame`` speaks for all.

    Raises DropRecord: BAD_HEADER, UNDECODABLE, UNSUPPORTED_SYNTAX, NO_PIXELS; TRUNCATED where bytes are missing; and
    where the header cannot be right and the data do not say what is: ENCAPSULATION (native or not), PIXEL_LENGTH,
    STREAM_SIZE, FRAME_COUNT.
    """
    if file.pixels is None:
        raise DropRecord(Reason.NO_PIXELS)
    declared = declared_layout(file)
    call_third_party(Reason.UNSUPPORTED_SYNTAX, get_decoder, file.syntax)
    fragments = find_fragments(file, declared.frames) if file.pixels.tag == PIXEL_DATA else None
    if fragments is None and file.pixels.tag == PIXEL_DATA:
        fragments = _bare_stream(file, declared)
    if fragments is not None:
        syntax, layout = _coded(file, declared, fragments, frame)
        proven = replace(file, syntax=syntax)
    else:
        proven = _as_native(file, declared)
        layout = native_layout(proven, declared)
        proven = in_proven_order(proven, layout)
    return ProvenPixels(proven, layout, fragments)


def _bare_stream(file: DicomFile, layout: Layout) -> Fragments | None:
    """A code stream without items; under a native syntax where cells do not fit the length and the stream is whole and
    of the header's size."""
    if not file.syntax.is_encapsulated and 0 <= file.element.length - layout.bytes_of_all <= 1:
        return None
    fragments = bare_stream(file)
    if fragments is None or file.syntax.is_encapsulated or file.element.length == UNDEFINED:
        return fragments
    stream = call_third_party(Reason.UNDECODABLE, read_stream, fragments.read(file, 0)) if fragments.whole else None
    size = (layout.rows, layout.columns)
    return fragments if stream and stream.end and (stream.rows, stream.columns) == size else None


def frame_stream(pixels: ProvenPixels, frame: int) -> bytes:
    """The frame's code stream, what lies behind its end marker left out. Raises DropRecord TRUNCATED,
    FRAME_COUNT, UNDECODABLE, STREAM_SIZE."""
    assert pixels.fragments is not None
    data = pixels.fragments.read(pixels.file, frame)
    if pixels.file.syntax == RLELossless:
        return _whole_rle(data, pixels.layout)
    stream = call_third_party(Reason.UNDECODABLE, read_stream, data)
    if stream is None:
        raise DropRecord(Reason.UNDECODABLE)
    if stream.end is None:
        raise DropRecord(Reason.TRUNCATED)
    return data[: stream.end]


def _whole_rle(data: bytes, layout: Layout) -> bytes:
    """Segments as many as bytes of a pixel, and of the first as many bytes as pixels: decoders trust both blindly.
    Padding behind the last segment, bytes of one value, is left out."""
    segments = rle_segments(data, len(data))
    if segments is None or len(segments) != layout.samples * layout.allocated // 8:
        raise DropRecord(Reason.UNDECODABLE)
    count, ends = layout.rows * layout.columns, (*segments, len(data))
    if data[-5:-1] in (bytes(4), b"\xff" * 4):  # the last byte may only make the length even
        data = data[: _end_of_plane(data, segments[-1], count)]
        ends = (*segments, len(data))
    plane = _unpacked(data[ends[0] : ends[1]])
    if plane < count or plane > count + count % 2 + 1:
        raise DropRecord(Reason.STREAM_SIZE if plane else Reason.UNDECODABLE)
    return data


def _end_of_plane(data: bytes, start: int, count: int) -> int:
    """Where the runs that begin at ``start`` (PS3.5 G.3.1) have made ``count`` bytes, if only padding follows."""
    at, more = end_of_runs(data, start, count)
    behind = data[at + at % 2 : -1]  # a byte that makes the segment even is of no value in particular
    return at if more == 0 and len(set(behind)) == 1 else len(data)


def _unpacked(part: bytes) -> int:
    """Bytes that an RLE segment unpacks to; the byte that makes its length even may be one too many for the decoder."""
    for end in (len(part), len(part) - 1):
        try:
            return len(call_third_party(Reason.UNDECODABLE, imagecodecs.packbits_decode, part[:end]))
        except DropRecord:
            continue
    return 0


def _coded(file: DicomFile, layout: Layout, fragments: Fragments, frame: int) -> tuple[UID, Layout]:
    if fragments.whole and len(fragments.frames) != layout.frames:
        layout = replace(layout, frames=len(fragments.frames))
    data = fragments.read(file, frame)
    stream = call_third_party(Reason.UNDECODABLE, read_stream, data)
    if stream is None:
        segments = rle_segments(data, len(data))
        if segments is not None:
            return RLELossless, _rle(layout, len(segments))
        known = file.syntax.is_encapsulated
        raise DropRecord(Reason.UNDECODABLE if known else Reason.ENCAPSULATION)
    if (stream.rows, stream.columns) != (layout.rows, layout.columns):
        raise DropRecord(Reason.STREAM_SIZE)
    return stream.syntax(file.syntax), _of_stream(layout, stream)


def _of_stream(layout: Layout, stream: Stream) -> Layout:
    """The layout with the stream's samples, depth and colours."""
    if stream.samples not in (1, 3):
        raise DropRecord(Reason.UNDECODABLE)
    layout = with_samples(layout, stream.samples, stream.colours)
    allocated = layout.allocated
    if stream.bits > allocated or stream.bits <= 8 or allocated not in WIDTHS:
        allocated = 8 if stream.bits <= 8 else 16 if stream.bits <= 16 else 32
    stored, short = layout.stored, stream.bits < layout.stored
    if stored > allocated or stream.bits > layout.allocated or (layout.signed and not stream.signed and short):
        stored = stream.bits  # of numbers without a sign of their own, the highest bit is the sign
    if stream.colours is not None:
        ybr = "YBR_FULL_422" if stream.coding == "dct" and stream.bits == 8 else "YBR_FULL"
        photometric = layout.photometric if layout.photometric.startswith("YBR_FULL") else ybr
        layout = replace(layout, photometric="RGB" if stream.colours == "RGB" else photometric)
    elif stream.coding == "dct" and layout.photometric in ("YBR_ICT", "YBR_RCT"):  # JPEG 2000's own
        layout = replace(layout, photometric="YBR_FULL")
    high = layout.high if layout.high is not None and layout.high < allocated else None
    return replace(layout, allocated=allocated, stored=stored, high=high)


def _rle(layout: Layout, segments: int) -> Layout:
    """Segments are the bytes of the samples (PS3.5 G.2), so they prove Bits Allocated."""
    for samples in (layout.samples, 4 - layout.samples):
        allocated = 8 * (segments // samples)
        fits = samples == 1 or layout.photometric in COLOUR
        wider = allocated < layout.stored <= layout.allocated  # values that need more bytes than there are
        if segments % samples == 0 and allocated in WIDTHS and fits and not wider:
            return clamped(replace(with_samples(layout, samples, None), allocated=allocated))
    raise DropRecord(Reason.STREAM_SIZE)


def _as_native(file: DicomFile, layout: Layout) -> DicomFile:
    """The file with a native syntax and a defined length, as far as the element can be read as native."""
    element, syntax = file.element, file.syntax
    if syntax.is_encapsulated:
        if element.length != layout.bytes_of_all + layout.bytes_of_all % 2 or layout.photometric in _STREAMS_ONLY:
            cut = element.length == UNDEFINED and file.size - element.offset < 8
            raise DropRecord(Reason.TRUNCATED if cut else Reason.ENCAPSULATION)
        syntax = ExplicitVRLittleEndian
    if element.length == UNDEFINED:  # native all the same where the frames end just where the delimiter stands
        length = layout.bytes_of_all + layout.bytes_of_all % 2
        if file.read(element.offset + length, 4) != DELIMITER:
            raise DropRecord(Reason.ENCAPSULATION)
        element = PixelElement(element.tag, element.vr, length, element.offset)
    return replace(file, syntax=syntax, pixels=element)
