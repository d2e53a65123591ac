"""JPEG (ITU-T T.81 Annex B) and JPEG-LS (T.87 Annex C) without anything that is not picture, of DICOM and of image
files; the reader of marker segments, and the search for text in entropy-coded data.

A cleaned stream is rebuilt from the parts that decoding needs, each of its exact length; one that does not parse to its
last byte is `Unparsed`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

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
