"""Image files with their pixels, the tags and tables that decoding needs, and nothing else.

JPEG (ITU-T T.81 annex B): the coded pixels are untouched. Kept are a plain JFIF header, Adobe's colour transform, and
the tables that a scan uses. Everything else is removed: APPn with EXIF, ICC, thumbnails and maker notes, comments,
unused tables, bytes after the end.

TIFF (TIFF 6.0): written here because libraries leave padding between the parts, in which anything could be hidden.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from curate.deid_export.stream_part import segment
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.images.jpeg import SOS, segments

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_DQT, _DHT, _DRI, _APP0, _ADOBE = 0xDB, 0xC4, 0xDD, 0xE0, 0xEE
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive Huffman; others are re-encoded
_TAIL = 6  # bytes; anything shorter hidden behind a scan's last block is searched for by its letters
_LETTERS = re.compile(rb"[A-Za-z0-9^ ,.:/_-]{5,}.?\Z", re.DOTALL)
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")


def bare_jpeg(data: bytes) -> bytes | None:
    """``data`` with only the segments that decoding needs, the scans byte for byte; None for a form that is not
    supported here, and where a scan looks as if it held more than pixels."""
    out = [_SOI]
    tables: dict[tuple[int, int], bytes] = {}
    components: dict[int, int] = {}  # component -> its quantisation table
    scans, progressive = 0, False
    for marker, body, scan, _ in segments(data):
        if marker in (_DQT, _DHT):
            for part in _tables(marker, body):
                tables[marker, part[0]] = part
        elif marker == _ADOBE and body[:5] == b"Adobe" and len(body) >= 12:
            out.append(segment(_ADOBE, body[:12]))
        elif marker == _APP0 and body[:5] == b"JFIF\0" and len(body) >= 14:
            out.append(segment(_APP0, body[:12] + b"\0\0"))
        elif marker == _DRI and len(body) == 2:
            out.append(segment(_DRI, body))
        elif marker in _FRAMES and not components and len(body) == 6 + 3 * (body[5] if len(body) > 5 else 0):
            components = {body[i]: body[i + 2] & 15 for i in range(6, len(body), 3)}
            progressive = marker == 0xC2
            out.append(segment(marker, body))
        elif marker == SOS and components:
            if not scans:
                wanted = (tables.get((_DQT, n), tables.get((_DQT, n | 16))) for n in sorted(set(components.values())))
                out += [segment(_DQT, table) for table in wanted if table is not None]
            scans += 1
            used = _huffman(body, progressive)
            if used is None or _spells(scan):
                return None
            out += [segment(_DHT, tables[_DHT, n]) for n in used if (_DHT, n) in tables]
            out += [segment(SOS, body), scan]
        elif marker == 0xD9:
            return b"".join([*out, _EOI]) if scans else None
        elif not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            return None
    return None


def cut_short(bare: bytes) -> Iterator[bytes]:
    """``bare`` with a few bytes less at the end of one scan each: if it still decodes to the same picture, these bytes
    were no pixels. Nothing for a progressive picture, whose later scans may end in bytes that change no pixel."""
    parts = list(segments(bare))
    if any(marker == 0xC2 for marker, *_ in parts):
        return
    for marker, _, scan, end in parts:
        if marker == SOS and len(scan) > 2 * _TAIL:
            yield bare[: end - _TAIL] + bare[end:]


def _spells(scan: bytes) -> bool:
    """Does the scan, or an interval before a restart marker, end in what reads as a word? Flat background repeats one
    letter, which no word does; before restart markers, which are many, only long words count."""
    *inner, last = _RESTART.split(scan)
    for part, shortest in ((last, 5), *((part, 10) for part in inner)):
        match = _LETTERS.search(part[-40:])
        if match is not None and len(match[0]) >= shortest and len(set(match[0])) > 3:
            return True
    return False


def _tables(marker: int, body: bytes) -> Iterator[bytes]:
    """The single tables of a DQT or DHT segment, each beginning with the byte that numbers it."""
    at = 0
    while at < len(body):
        size = 1 + (128 if body[at] >> 4 else 64) if marker == _DQT else 17 + sum(body[at + 1 : at + 17])
        yield body[at : at + size]
        at += size


def _huffman(body: bytes, progressive: bool) -> list[int] | None:
    """The Huffman tables that a scan header names: DC as 0n, AC as 1n; a progressive scan may use one kind only."""
    count = body[0] if body else 0
    if len(body) != 4 + 2 * count:
        return None
    pairs = [body[2 + 2 * i] for i in range(count)]
    first, last = body[-3], body[-2]
    dc = [pair >> 4 for pair in pairs] if first == 0 else []
    ac = [16 | (pair & 15) for pair in pairs] if last > 0 or not progressive else []
    return sorted({*dc, *ac})


_SHORT, _LONG = 3, 4  # field types
_DEFLATE = 8  # compression: Adobe's deflate
_SAMPLES = {"u": 1, "i": 2, "f": 3}  # SampleFormat
_LEVEL = 6


def encode_tiff(pages: Sequence[np.ndarray]) -> bytes:
    """Pages of whole or float numbers of 8 to 64 bits, [H, W] grey or [H, W, 3] RGB, deflated, one strip each.

    DropRecord TOO_LARGE where offsets would not fit 32 bits.
    """
    out = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number, page in enumerate(pages, 1):
        out += _page(page, len(out), last=number == len(pages))
    if len(out) >= 1 << 32:
        raise DropRecord(Reason.TOO_LARGE)
    return bytes(out)


def _page(page: np.ndarray, at: int, last: bool) -> bytes:
    """The page's directory (written at offset ``at``), the values that its tags point to, and its strip."""
    little = np.ascontiguousarray(page).astype(page.dtype.newbyteorder("<"), copy=False)
    strip = zlib.compress(little.tobytes(), _LEVEL)
    strip += b"\0" * (len(strip) % 2)  # directories begin on a word boundary; zlib knows its own end
    samples = page.shape[2] if page.ndim == 3 else 1
    bits, form = [page.dtype.itemsize * 8] * samples, [_SAMPLES[page.dtype.kind]] * samples
    count = 11
    values_at = at + 2 + 12 * count + 4
    values = struct.pack(f"<{2 * samples}H", *bits, *form) if samples > 2 else b""
    fields = [
        (256, _LONG, [page.shape[1]], 0),
        (257, _LONG, [page.shape[0]], 0),
        (258, _SHORT, bits, values_at),
        (259, _SHORT, [_DEFLATE], 0),
        (262, _SHORT, [2 if samples == 3 else 1], 0),  # RGB, or black is zero
        (273, _LONG, [values_at + len(values)], 0),
        (277, _SHORT, [samples], 0),
        (278, _LONG, [page.shape[0]], 0),
        (279, _LONG, [len(strip)], 0),
        (284, _SHORT, [1], 0),  # samples interleaved
        (339, _SHORT, form, values_at + 2 * samples),
    ]
    entries = b"".join(_entry(*field) for field in fields)
    after = 0 if last else values_at + len(values) + len(strip)
    return struct.pack("<H", count) + entries + _long(after) + values + strip


def _entry(tag: int, kind: int, values: list[int], elsewhere: int) -> bytes:
    head = struct.pack("<HHI", tag, kind, len(values))
    if len(values) > 2:
        return head + _long(elsewhere)
    return head + struct.pack(f"<{len(values)}{'H' if kind == _SHORT else 'I'}", *values).ljust(4, b"\0")


def _long(value: int) -> bytes:
    return struct.pack("<I", value & 0xFFFFFFFF)
