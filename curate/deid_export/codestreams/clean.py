"""Compressed frames without anything that is not picture: comments, application data, boxes, padding, bytes after the
end.

A cleaned stream is rebuilt from the parts that decoding needs, each of its exact length: JPEG (ITU-T T.81 Annex B) and
JPEG-LS (T.87 Annex C), of DICOM and of image files; JPEG 2000 and HTJ2K (T.800 Annex A, T.814); RLE (PS3.5 Annex G).
One that does not parse to its last byte is `Unparsed`, and its pixels are written uncompressed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise

import imagecodecs
import numpy as np
from pydicom import uid

from curate.deid_export.codestreams.jpeg import Unparsed, clean_jpeg
from curate.deid_export.codestreams.jpeg2000 import clean_jpeg2000
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.codestream import end_of_runs, rle_segments
from curate.sources.dicom.layout import Layout
from curate.sources.third_party import call_third_party

_HEADER = struct.Struct("<16L")


def clean_rle(data: bytes, layout: Layout) -> bytes:
    """The frame's byte planes, rows encoded one by one as PS3.5 G.3.1 asks. Raises Unparsed."""
    planes, starts = layout.samples * layout.allocated // 8, rle_segments(data, len(data))
    if layout.allocated % 8 or starts is None or len(starts) != planes:
        raise Unparsed
    segments = [_recode_plane(data[a:b], layout) for a, b in pairwise((*starts, len(data)))]
    offsets, at = [], _HEADER.size
    for part in segments:
        offsets.append(at)
        at += len(part)
    return b"".join((_HEADER.pack(planes, *offsets, *[0] * (15 - planes)), *segments))


def _recode_plane(part: bytes, layout: Layout) -> bytes:
    count = layout.rows * layout.columns
    try:
        plane: bytes | bytearray = call_third_party(Reason.UNDECODABLE, imagecodecs.packbits_decode, part)
    except DropRecord:  # the decoder needs every byte to belong to a run; cut off what follows the last one
        end, more = end_of_runs(part, 0, count)
        if more < 0 or end > len(part):
            raise Unparsed from None
        plane = call_third_party(Reason.UNDECODABLE, imagecodecs.packbits_decode, part[:end])
    if len(plane) < count:
        raise Unparsed
    rows = np.frombuffer(plane, np.uint8, count).reshape(layout.rows, layout.columns)
    coded = bytes(imagecodecs.packbits_encode(rows))
    return coded + b"\0" * (len(coded) % 2)


_CLEANERS: dict[str, Callable[[bytes, Layout], bytes]] = {
    uid.RLELossless: clean_rle,
    **dict.fromkeys((uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit), lambda data, _: clean_jpeg(data, "dct")),
    **dict.fromkeys((uid.JPEGLossless, uid.JPEGLosslessSV1), lambda data, _: clean_jpeg(data, "lossless")),
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), lambda data, _: clean_jpeg(data, "ls")),
    **dict.fromkeys(
        (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K),
        lambda data, _: clean_jpeg2000(data),
    ),
}
KNOWN = frozenset(_CLEANERS)  # transfer syntaxes whose streams can be cleaned


def clean_stream(syntax: str, data: bytes, layout: Layout) -> bytes:
    """The frame's stream in ``syntax`` (one of `KNOWN`) with only what decoding it needs; the same pixels.

    Raises Unparsed if the stream does not parse completely, is truncated, or seems to contain text.
    """
    return _CLEANERS[syntax](data, layout)
