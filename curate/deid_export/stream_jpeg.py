"""JPEG and JPEG-LS streams (ITU-T T.81 Annex B, T.87 Annex C), rebuilt from what decoding needs.

Kept: the frame and scan headers, the tables that a scan uses, restart intervals, the entropy-coded data, and of the
application segments those that say how colours are coded: JFIF (without thumbnail and density), Adobe's transform and
the "mrfx" of JPEG-LS. Removed: comments, every other application segment, unused tables, fill bytes between segments
and bytes after the end of the image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from curate.deid_export.stream_part import Cursor, Unparsed, seems_text, segment

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI, _COM, _LSE = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xFE, 0xF8
_SEQUENTIAL, _LOSSLESS, _SOF55 = (0xC0, 0xC1), (0xC3,), (0xF7,)
_FRAMES = {"dct": _SEQUENTIAL, "lossless": _LOSSLESS, "ls": _SOF55}  # the SOF markers of each coding
_APPS = range(0xE0, 0xF0)
_JFIF = segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")  # version 1.1, no unit, aspect 1:1, no thumbnail
# The end of entropy-coded data: a marker other than RSTn; JPEG-LS stuffs a bit, so that FF 7F and below is data.
_END = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]", re.DOTALL)
_END_LS = re.compile(rb"\xff+[\x80-\xcf\xd8-\xfe]", re.DOTALL)

Coding = Literal["dct", "lossless", "ls"]
Key = tuple[int, int]  # of a table: its marker, its class and number as the segment gives them


@dataclass
class _Picture:
    """State of the parser: the segments read so far, and the output."""

    coding: Coding
    apps: dict[int, bytes] = field(default_factory=dict)
    tables: dict[Key, bytes] = field(default_factory=dict)
    restart: bytes = b""
    preset: bytes = b""
    frame: bytes = b""
    quantisers: dict[int, int] = field(default_factory=dict)  # component -> its table
    out: bytearray = field(default_factory=bytearray)
    written: dict[Key, bytes] = field(default_factory=dict)


def clean_jpeg(data: bytes, coding: Coding) -> bytes:
    """The stream of one frame, SOI to EOI, with only what decoding it needs.

    ``coding``: sequential DCT, lossless (process 14) or JPEG-LS. Raises Unparsed, for a stream of another coding too.
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


def _application(code: int, parameters: bytes, coding: Coding) -> bytes:
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
    for k in range(count):
        component, tables = parameters[1 + 2 * k], parameters[2 + 2 * k]
        if component not in picture.quantisers or (picture.coding == "ls" and tables):
            raise Unparsed
        if picture.coding == "dct":
            wanted += [(_DQT, picture.quantisers[component]), (_DHT, tables >> 4), (_DHT, 0x10 | (tables & 0x0F))]
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


def _entropy(cursor: Cursor, coding: Coding) -> bytes:
    """The entropy-coded data up to the next marker that is no restart."""
    end = (_END_LS if coding == "ls" else _END).search(cursor.data, cursor.at)
    if end is None:
        raise Unparsed
    data = cursor.take(end.start() - cursor.at)
    if seems_text(data):
        raise Unparsed
    return data
