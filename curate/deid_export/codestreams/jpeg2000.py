"""JPEG 2000 and HTJ2K codestreams (ITU-T T.800 Annex A, T.814) without anything that is not picture."""

from __future__ import annotations

import io
import re

from curate.deid_export.codestreams.jpeg import Cursor, Unparsed, seems_text, segment
from curate.errors import DropRecord
from curate.sources.images.jp2 import MainHeader, open_boxes, read_main

_SIZ, _SOT, _SOD, _EOC = 0x51, 0x90, 0x93, 0xD9
_COD, _COC, _QCD, _QCC, _RGN, _POC, _CAP, _CPF = 0x52, 0x53, 0x5C, 0x5D, 0x5E, 0x5F, 0x50, 0x59
_TLM = 0x55
_REMOVED = (_TLM, 0x57, 0x58, 0x63, 0x64)  # with PLM, PLT, CRG and COM
_MARKER = re.compile(rb"\xff[\x90\x93-\xff]", re.DOTALL)  # packets hold none but SOP and EPH, FF91 and FF92
_MAX_LEVELS = 32
_TLM_ENTRIES = 10_000  # tile-parts that one TLM segment can list


def clean_jpeg2000(data: bytes) -> bytes:
    """The codestream of one frame, SOC to EOC, with only what decoding it needs. Raises Unparsed.

    Kept are size, coding and quantisation segments of their exact lengths, and the tiles' packets. Comments, component
    registration, the optional lists of lengths (TLM is rebuilt if there was one) and bytes after the end of the
    codestream are removed; so is the JP2 file around it, which PS3.5 A.4.4 forbids.
    """
    stream = _codestream(data) if data[4:8] == b"jP  " else data
    cursor, size = Cursor(stream, 4), read_main(stream)
    parameters = cursor.segment()
    if size is None or len(parameters) != 36 + 3 * len(size.depths) or not 1 <= size.tiles <= 0xFFFF:
        raise Unparsed
    header, listed = _main_header(cursor, size)
    parts: list[tuple[int, bytes]] = []
    while True:  # the SOT or EOC marker is read
        tile, part, more = _tile_part(cursor, size)
        parts.append((tile, part))
        if not more:
            break
    out = b"\xff\x4f" + segment(_SIZ, parameters) + header
    if listed:
        out += _lengths(parts)
    return b"".join((out, *(part for _, part in parts), b"\xff\xd9"))


def _main_header(cursor: Cursor, size: MainHeader) -> tuple[bytes, bool]:
    """The kept segments up to the first tile-part, and whether tile-part lengths were listed."""
    segments, listed = b"", False
    while (code := cursor.marker()) != _SOT:
        parameters = cursor.segment()
        listed |= code == _TLM
        segments += _clean_segment(code, parameters, size)
    return segments, listed


def _tile_part(cursor: Cursor, size: MainHeader) -> tuple[int, bytes, bool]:
    """One tile-part (A.4.2), its SOT marker read already: tile, the part written anew, and whether another follows."""
    start = cursor.at - 2
    parameters = cursor.segment()
    if len(parameters) != 8:
        raise Unparsed
    tile, length = int.from_bytes(parameters[:2], "big"), int.from_bytes(parameters[2:6], "big")
    if tile >= size.tiles:
        raise Unparsed
    header = b""
    while (code := cursor.marker()) != _SOD:
        header += _clean_segment(code, cursor.segment(), size)
    if length:
        packets = cursor.take(start + length - cursor.at)
    else:  # the last part, up to EOC
        packets = cursor.take(cursor.data.find(b"\xff\xd9", cursor.at) - cursor.at)
    if _MARKER.search(packets) or seems_text(packets):
        raise Unparsed
    fields = parameters[:2] + (14 + len(header) + len(packets)).to_bytes(4, "big") + parameters[6:]
    following = cursor.marker()
    if following not in (_SOT, _EOC):
        raise Unparsed
    return tile, segment(_SOT, fields) + header + b"\xff\x93" + packets, following == _SOT


def _clean_segment(code: int, parameters: bytes, size: MainHeader) -> bytes:
    if code in _REMOVED:
        return b""
    if not _is_exact(code, parameters, size):
        raise Unparsed
    return segment(code, parameters)


def _is_exact(code: int, parameters: bytes, size: MainHeader) -> bool:
    """Is the segment known, and of just the length that its own fields ask for (A.6)?"""
    index = 1 if len(size.depths) < 257 else 2  # bytes of a component's number
    at = index if code in (_COC, _QCC) else 0
    style, rest = parameters[at : at + 1], parameters[at + 1 :]
    if code in (_COD, _COC) and style:
        coding = rest[4:] if code == _COD else rest  # progression order, layers and colour transform belong to COD
        if len(coding) < 5 or coding[0] > _MAX_LEVELS:
            return False
        return len(coding) == 5 + (coding[0] + 1 if style[0] & 1 else 0)
    if code in (_QCD, _QCC) and style:
        each = {0: 1, 1: 2, 2: 2}.get(style[0] & 0x1F, 0)
        bands = len(rest) // each if each else 0
        derived = style[0] & 0x1F == 1
        fits = bands == 1 if derived else bands % 3 == 1 and bands <= 3 * _MAX_LEVELS + 1
        return bool(each) and len(rest) == bands * each and fits and not seems_text(rest)
    if code == _RGN:
        return len(parameters) == index + 2
    if code == _POC:
        return 0 < len(parameters) <= 32 * (5 + 2 * index) and len(parameters) % (5 + 2 * index) == 0
    if code == _CAP:
        return len(parameters) == 4 + 2 * int.from_bytes(parameters[:4], "big").bit_count()
    return code == _CPF and len(parameters) in (2, 4)


def _lengths(parts: list[tuple[int, bytes]]) -> bytes:
    """One TLM segment (A.7.1) over all tile-parts: 16-bit tile numbers, 32-bit lengths."""
    if len(parts) > _TLM_ENTRIES:
        raise Unparsed
    return segment(_TLM, b"\0\x60" + b"".join(t.to_bytes(2, "big") + len(p).to_bytes(4, "big") for t, p in parts))


def _codestream(data: bytes) -> bytes:
    """The contiguous codestream box of a JP2 file (Annex I). Unparsed where the file maps or reorders channels."""
    try:
        boxes, at = open_boxes(io.BytesIO(data))
    except DropRecord:
        raise Unparsed from None
    if boxes.keys() & {b"pclr", b"cmap", b"cdef"}:
        raise Unparsed
    return data[at:]
