"""RLE frames (PS3.5 Annex G), decoded segment by segment and encoded again: no byte of the old stream is left."""

from __future__ import annotations

import struct
from itertools import pairwise

import imagecodecs
import numpy as np

from curate.deid_export.stream_part import Unparsed
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.layout import Layout
from curate.sources.third_party import call_third_party

_HEADER = struct.Struct("<16L")


def clean_rle(data: bytes, layout: Layout) -> bytes:
    """The frame's byte planes, rows encoded one by one as PS3.5 G.3.1 asks. Raises Unparsed."""
    planes = layout.samples * layout.allocated // 8
    if layout.allocated % 8 or len(data) < _HEADER.size:
        raise Unparsed
    declared, *offsets = _HEADER.unpack_from(data)
    ends = [*offsets[:planes], len(data)]
    if declared != planes or planes > 15 or ends[0] < _HEADER.size or any(a >= b for a, b in pairwise(ends)):
        raise Unparsed
    segments = [_again(data[a:b], layout) for a, b in pairwise(ends)]
    places, at = [], _HEADER.size
    for part in segments:
        places.append(at)
        at += len(part)
    return b"".join((_HEADER.pack(planes, *places, *[0] * (15 - planes)), *segments))


def _again(part: bytes, layout: Layout) -> bytes:
    count = layout.rows * layout.columns
    try:
        plane: bytes | bytearray = call_third_party(Reason.UNDECODABLE, imagecodecs.packbits_decode, part)
    except DropRecord:  # the decoder wants every byte to be a run; what follows the last one may be anything
        plane = call_third_party(Reason.UNDECODABLE, imagecodecs.packbits_decode, part[: _end(part, count)])
    if len(plane) < count:
        raise Unparsed
    rows = np.frombuffer(plane, np.uint8, count).reshape(layout.rows, layout.columns)
    coded = bytes(imagecodecs.packbits_encode(rows))
    return coded + b"\0" * (len(coded) % 2)


def _end(part: bytes, count: int) -> int:
    """Where the run ends with which ``count`` bytes are decoded (PS3.5 G.3.2). Unparsed where the part ends before."""
    at = decoded = 0
    while decoded < count:
        if at + 1 >= len(part):
            raise Unparsed
        head = part[at]
        if head < 128:
            at, decoded = at + 2 + head, decoded + 1 + head
        elif head > 128:
            at, decoded = at + 2, decoded + 257 - head
        else:
            at += 1
    if at > len(part):  # the last run is cut
        raise Unparsed
    return at
