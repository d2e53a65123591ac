"""The directories of a TIFF or BigTIFF file (TIFF 6.0 section 2); an EXIF block is one too."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import BinaryIO

from curate.errors import DropRecord
from curate.record import Reason

Tags = Mapping[int, tuple[int, ...]]
_TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MAX_VALUES = 1 << 22  # of one tag, offsets of tiles
_MAX_PAGES = 1 << 16


class Tag(IntEnum):
    """The tags that say where pixels lie and what they mean."""

    PHOTOMETRIC_PLACE = -1  # no tag of a file: where in it the value of PhotometricInterpretation lies
    SUBFILE = 254
    OLD_SUBFILE = 255
    COLUMNS = 256
    ROWS = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIPS = 273
    ORIENTATION = 274
    SAMPLES = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTES = 279
    PLANAR = 284
    T4_OPTIONS = 292
    COLOUR_MAP = 320
    TILE_COLUMNS = 322
    TILE_ROWS = 323
    TILES = 324
    TILE_BYTES = 325
    SUB_IFDS = 330
    INK_SET = 332
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_TABLES = 347


_WANTED = frozenset(Tag)


def directories(file: BinaryIO) -> Iterator[Tags]:
    """The tags of each directory of the main chain that are in `Tag`.

    Raises DropRecord BAD_HEADER; TRUNCATED where a directory lies behind the end; CONTRADICTORY where a tag comes
    twice with two values.
    """
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise DropRecord(Reason.BAD_HEADER)
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    number = order + ("Q" if big else "I")
    at = _one(number, head[8:] if big else head[4:8])
    visited: set[int] = set()
    while at and at not in visited and len(visited) < _MAX_PAGES:
        visited.add(at)
        count = _one(order + ("Q" if big else "H"), _at(file, at, 8 if big else 2))
        size, start = (20, at + 8) if big else (12, at + 2)
        if count > 1 << 16:
            raise DropRecord(Reason.BAD_HEADER)
        entries = _at(file, start, count * size)
        yield _tags(file, {start + i: entries[i : i + size] for i in range(0, len(entries), size)}, order, number)
        at = _one(number, _at(file, start + count * size, struct.calcsize(number)))


def exif_orientation(block: bytes) -> int:
    """The orientation that an EXIF block of a PNG or JPEG file tells; 1 where it tells none."""
    block = block.removeprefix(b"Exif\0\0")
    if not block:
        return 1
    first = next(directories(io.BytesIO(block)), {})
    return first.get(Tag.ORIENTATION, (1,))[0]


def _tags(file: BinaryIO, entries: dict[int, bytes], order: str, number: str) -> Tags:
    found: dict[int, tuple[int, ...]] = {}
    room = struct.calcsize(number)
    for place, entry in entries.items():
        tag, kind = struct.unpack(order + "HH", entry[:4])
        if tag not in _WANTED or kind not in _TYPES:
            continue
        count = _one(number, entry[4 : 4 + room])
        if not 0 < count <= _MAX_VALUES:
            raise DropRecord(Reason.BAD_HEADER)
        form = f"{order}{count}{_TYPES[kind]}"
        size = struct.calcsize(form)
        inline = entry[4 + room :]
        if tag == Tag.PHOTOMETRIC:
            found[Tag.PHOTOMETRIC_PLACE] = (place + 4 + room,)
        values = struct.unpack(form, inline[:size] if size <= room else _at(file, _one(number, inline), size))
        if found.setdefault(tag, values) != values:
            raise DropRecord(Reason.CONTRADICTORY)
    return found


def _at(file: BinaryIO, place: int, size: int) -> bytes:
    if place + size > file.seek(0, io.SEEK_END):
        raise DropRecord(Reason.TRUNCATED)
    file.seek(place)
    return file.read(size)


def _one(form: str, data: bytes) -> int:
    if len(data) < struct.calcsize(form):
        raise DropRecord(Reason.TRUNCATED)
    return int(struct.unpack(form, data[: struct.calcsize(form)])[0])
