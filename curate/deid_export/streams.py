"""Compressed frames without anything that is not picture: comments, application data, boxes, padding, bytes after the
end.

A cleaned stream is rebuilt from the parts that decoding needs, each of its exact length: JPEG (ITU-T T.81 Annex B) and
JPEG-LS (T.87 Annex C), of DICOM and of image files; JPEG 2000 and HTJ2K (T.800 Annex A, T.814); RLE (PS3.5 Annex G).
One that does not parse to its last byte is `Unparsed`, and its pixels are written uncompressed.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import imagecodecs
import numpy as np
from pydicom import uid

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.codestream import end_of_runs, rle_segments
from curate.sources.dicom.layout import Layout
from curate.sources.images.jp2 import open_boxes
from curate.sources.third_party import call_third_party

_RUN = 16  # bytes; a run of letters this long comes by chance once in 10^9 bytes of entropy-coded data
_DISTINCT = 6  # a flat picture repeats a few bytes, which may happen to be letters


class Unparsed(ValueError):
    """The stream does not parse completely. Carries no value of it."""


class Cursor:
    """A place in a stream. Every read checks that the bytes are there; Unparsed where they are not."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if count < 0 or self.at + count > len(self.data):
            raise Unparsed
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, count: int) -> int:
        """The next ``count`` bytes as a big-endian number."""
        return int.from_bytes(self.take(count), "big")

    def marker(self) -> int:
        """The code of the marker that must come next, fill bytes before it skipped (ITU-T T.81 B.1.1.2)."""
        if self.take(1) != b"\xff":
            raise Unparsed
        code = self.number(1)
        while code == 0xFF:
            code = self.number(1)
        return code

    def segment(self) -> bytes:
        """The parameters of a marker segment: its length, which counts itself, is read and taken off."""
        return self.take(self.number(2) - 2)


def segment(code: int, payload: bytes) -> bytes:
    """A marker segment: FF, its code, its length, its parameters."""
    return bytes((0xFF, code)) + (len(payload) + 2).to_bytes(2, "big") + payload


_LETTERS = np.zeros(256, bool)
_LETTERS[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789^ .,:;=/-_'@")] = True


def seems_text(data: bytes) -> bool:
    """Does entropy-coded ``data`` contain a run of letters and digits too long to be chance?"""
    if len(data) < _RUN:
        return False
    runs = _LETTERS[np.frombuffer(data, np.uint8)]
    for step in (1, 2, 4, 8):  # after these, runs[i] says that the 16 bytes from i on are letters
        runs = runs[:-step] & runs[step:]
    return any(len(set(data[i : i + _RUN])) >= _DISTINCT for i in np.flatnonzero(runs).tolist())


# -- JPEG and JPEG-LS

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI, _COM, _LSE = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xFE, 0xF8
_PROGRESSIVE = 0xC2
# The SOF markers of each coding; an image file may be progressive, which DICOM has no more
_FRAMES = {"dct": (0xC0, 0xC1), "image": (0xC0, 0xC1, _PROGRESSIVE), "lossless": (0xC3,), "ls": (0xF7,)}
_APPS = range(0xE0, 0xF0)
_JFIF = segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")  # version 1.1, no unit, aspect 1:1, no thumbnail
# The end of entropy-coded data: a marker other than RSTn; JPEG-LS stuffs a bit, so that FF 7F and below is data.
_END = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]", re.DOTALL)
_END_LS = re.compile(rb"\xff+[\x80-\xcf\xd8-\xfe]", re.DOTALL)

JpegCoding = Literal["dct", "image", "lossless", "ls"]
Key = tuple[int, int]  # of a table: its marker, its class and number as the segment gives them


@dataclass
class _Picture:
    """State of the parser: the segments read so far, and the output."""

    coding: JpegCoding
    apps: dict[int, bytes] = field(default_factory=dict)
    tables: dict[Key, bytes] = field(default_factory=dict)
    restart: bytes = b""
    preset: bytes = b""
    frame: bytes = b""
    quantisers: dict[int, int] = field(default_factory=dict)  # component -> its table
    out: bytearray = field(default_factory=bytearray)
    written: dict[Key, bytes] = field(default_factory=dict)


def clean_jpeg(data: bytes, coding: JpegCoding) -> bytes:
    """The stream of one frame, SOI to EOI, with only what decoding it needs.

    Kept are the frame and scan headers, the tables that a scan uses, restart intervals, the entropy-coded data, and
    what says how colours are coded: JFIF (without thumbnail and density), Adobe's transform and the "mrfx" of JPEG-LS.

    ``coding``: sequential DCT, that of an image file (progressive too), lossless (process 14) or JPEG-LS. Raises
    Unparsed, for a stream of another coding too.
    """
    cursor, picture = Cursor(data), _Picture(coding)
    if cursor.marker() != _SOI:
        raise Unparsed
    while (code := cursor.marker()) != _EOI:
        parameters = cursor.segment()
        if code == _SOS:
            _begin_scan(picture, parameters)
            picture.out += _entropy(cursor, coding)
        else:
            _remember(picture, code, parameters)
    if not picture.out:
        raise Unparsed
    if coding == "lossless" and any(key[0] == _DHT and key not in picture.written for key in picture.tables):
        raise Unparsed  # decoders differ in which table is whose, so none may go
    return bytes(picture.out) + bytes((0xFF, _EOI))


def _remember(picture: _Picture, code: int, parameters: bytes) -> None:
    if code in _APPS:
        application = _application(code, parameters, picture.coding)
        if application:
            picture.apps.setdefault(code, application)
    elif code in (_DQT, _DHT):
        picture.tables.update(_tables(code, parameters))
    elif code == _DRI and 2 <= len(parameters) <= 4:
        picture.restart = segment(code, parameters)
    elif code == _LSE and picture.coding == "ls" and len(parameters) == 11 and parameters[0] == 1:  # preset parameters
        picture.preset = segment(code, parameters)
    elif code in _FRAMES[picture.coding] and not picture.frame:
        _begin_frame(picture, code, parameters)
    elif code != _COM:  # mapping tables, DNL, progressive and hierarchical frames, unknown markers
        raise Unparsed


def _application(code: int, parameters: bytes, coding: JpegCoding) -> bytes:
    if code == 0xE0 and parameters[:5] == b"JFIF\0":
        return _JFIF
    if code == 0xEE and parameters[:5] == b"Adobe" and len(parameters) >= 12:
        if parameters[11] > 2:
            raise Unparsed
        return segment(code, b"Adobe\0\x64\0\0\0\0" + parameters[11:12])
    if code == 0xE8 and coding == "ls" and parameters[:4] == b"mrfx" and len(parameters) == 5 and parameters[4] <= 5:
        return segment(code, parameters)
    return b""


def _tables(code: int, parameters: bytes) -> dict[Key, bytes]:
    """The tables of a DQT or DHT segment (T.81 B.2.4.1, B.2.4.2), each as its own parameters. A Huffman
    table has each value once, so that no text can hide in it."""
    tables, cursor = dict[Key, bytes](), Cursor(parameters)
    while cursor.at < len(parameters):
        head = cursor.number(1)
        if head & 0x0F > 3 or head >> 4 > 1:
            raise Unparsed
        if code == _DQT:
            tables[_DQT, head & 0x0F] = bytes((head,)) + cursor.take(64 << (head >> 4))
            continue
        counts = cursor.take(16)
        values = cursor.take(sum(counts))
        if len(set(values)) != len(values):
            raise Unparsed
        tables[_DHT, head] = bytes((head,)) + counts + values
    return tables


def _begin_frame(picture: _Picture, code: int, parameters: bytes) -> None:
    """T.81 B.2.2: precision, lines (0 would be told later, by DNL), samples, components."""
    count = parameters[5] if len(parameters) > 5 else 0
    if len(parameters) != 6 + 3 * count or not count or parameters[1:3] == b"\0\0":
        raise Unparsed
    components = [parameters[6 + 3 * k : 9 + 3 * k] for k in range(count)]
    picture.quantisers = {c[0]: c[2] for c in components}
    picture.frame = segment(code, parameters)


def _begin_scan(picture: _Picture, parameters: bytes) -> None:
    """T.81 B.2.3: writes the tables that this scan uses and are not written yet, then the scan's header."""
    count = parameters[0] if parameters else 0
    if len(parameters) != 4 + 2 * count or not picture.frame:
        raise Unparsed
    wanted: list[Key] = []
    spectral, high = parameters[-3:-1], parameters[-1] >> 4
    if picture.frame[1] != _PROGRESSIVE:
        spectral, high = b"\0\x3f", 0
    for k in range(count):
        component, tables = parameters[1 + 2 * k], parameters[2 + 2 * k]
        if component not in picture.quantisers or (picture.coding == "ls" and tables):
            raise Unparsed
        if picture.coding in ("dct", "image"):
            wanted.append((_DQT, picture.quantisers[component]))
            if not spectral[0] and not high:  # no codes refine DC (G.1.2.1)
                wanted.append((_DHT, tables >> 4))
            if spectral[1]:
                wanted.append((_DHT, 0x10 | (tables & 0x0F)))
        elif picture.coding == "lossless":
            wanted.append((_DHT, tables >> 4))
    quantisers, codes = (_new_tables(picture, [k for k in wanted if k[0] == m]) for m in (_DQT, _DHT))
    out, first = picture.out, not picture.out
    if first:
        out += bytes((0xFF, _SOI)) + b"".join(picture.apps[code] for code in sorted(picture.apps))
    out += quantisers + (picture.frame if first else b"")
    out += picture.preset + codes + picture.restart + segment(_SOS, parameters)
    picture.preset = picture.restart = b""


def _new_tables(picture: _Picture, wanted: list[Key]) -> bytes:
    out = b""
    for key in dict.fromkeys(wanted):
        table = picture.tables.get(key)
        if table is None:
            raise Unparsed
        if picture.written.get(key) != table:
            picture.written[key] = table
            out += segment(key[0], table)
    return out


def _entropy(cursor: Cursor, coding: JpegCoding) -> bytes:
    """The entropy-coded data up to the next marker that is no restart."""
    end = (_END_LS if coding == "ls" else _END).search(cursor.data, cursor.at)
    if end is None:
        raise Unparsed
    data = cursor.take(end.start() - cursor.at)
    if seems_text(data):
        raise Unparsed
    return data


# -- JPEG 2000

_SOC, _SIZ, _SOT, _SOD, _EOC = 0x4F, 0x51, 0x90, 0x93, 0xD9
_COD, _COC, _QCD, _QCC, _RGN, _POC, _CAP, _CPF = 0x52, 0x53, 0x5C, 0x5D, 0x5E, 0x5F, 0x50, 0x59
_TLM = 0x55
_REMOVED = (_TLM, 0x57, 0x58, 0x63, 0x64)  # with PLM, PLT, CRG and COM
_MARKER = re.compile(rb"\xff[\x90\x93-\xff]", re.DOTALL)  # packets hold none but SOP and EPH, FF91 and FF92
_MAX_LEVELS = 32
_TLM_ENTRIES = 10_000  # tile-parts that one TLM segment can list


@dataclass(frozen=True)
class _Size:
    """The fields of SIZ (A.5.1) on which the lengths of other segments depend."""

    components: int
    tiles: int

    @property
    def index(self) -> int:
        """Bytes of a component's number."""
        return 1 if self.components < 257 else 2


def clean_jpeg2000(data: bytes) -> bytes:
    """The codestream of one frame, SOC to EOC, with only what decoding it needs. Raises Unparsed.

    Kept are size, coding and quantisation segments of their exact lengths, and the tiles' packets. Comments, component
    registration, the optional lists of lengths (TLM is rebuilt if there was one) and bytes after the end of the
    codestream are removed; so is the JP2 file around it, which PS3.5 A.4.4 forbids.
    """
    cursor = Cursor(_codestream(data) if data[4:8] == b"jP  " else data)
    if cursor.take(4) != b"\xff\x4f\xff\x51":
        raise Unparsed
    parameters = cursor.segment()
    size = _size(parameters)
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


def _size(parameters: bytes) -> _Size:
    if len(parameters) < 36:
        raise Unparsed
    right, bottom, _, _, width, height, left, top = (
        int.from_bytes(parameters[k : k + 4], "big") for k in range(2, 34, 4)
    )
    components = int.from_bytes(parameters[34:36], "big")
    if len(parameters) != 36 + 3 * components or not components or not width or not height:
        raise Unparsed
    tiles = math.ceil((right - left) / width) * math.ceil((bottom - top) / height)
    if not 1 <= tiles <= 0xFFFF:
        raise Unparsed
    return _Size(components, tiles)


def _main_header(cursor: Cursor, size: _Size) -> tuple[bytes, bool]:
    """The kept segments up to the first tile-part, and whether tile-part lengths were listed."""
    segments, listed = b"", False
    while (code := cursor.marker()) != _SOT:
        parameters = cursor.segment()
        listed |= code == _TLM
        segments += _clean_segment(code, parameters, size)
    return segments, listed


def _tile_part(cursor: Cursor, size: _Size) -> tuple[int, bytes, bool]:
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


def _clean_segment(code: int, parameters: bytes, size: _Size) -> bytes:
    if code in _REMOVED:
        return b""
    if not _is_exact(code, parameters, size):
        raise Unparsed
    return segment(code, parameters)


def _is_exact(code: int, parameters: bytes, size: _Size) -> bool:
    """Is the segment known, and of just the length that its own fields ask for (A.6)?"""
    if code in (_COC, _QCC):
        style = parameters[size.index : size.index + 1]
        rest = parameters[size.index + 1 :]
    else:
        style, rest = parameters[:1], parameters[1:]
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
        return len(parameters) == size.index + 2
    if code == _POC:
        return 0 < len(parameters) <= 32 * (5 + 2 * size.index) and len(parameters) % (5 + 2 * size.index) == 0
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


# -- RLE, and all of them

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
