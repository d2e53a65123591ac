"""JPEG 2000 (ITU-T T.800): JP2 files and bare code streams; the boxes and the code stream are two witnesses.

Read are grey and RGB of 1 to 16 bits, signed too, with opacity where a Channel Definition box says so, and sYCC of
8 bits; palettes, subsampled and other colours are not.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import imagecodecs
import numpy as np
from PIL import Image

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.images.page import Alpha, Page, full_range, over_black
from curate.sources.third_party import call_third_party

CODE_STREAM = b"\xff\x4f\xff\x51"  # SOC and SIZ
_END = b"\xff\xd9"
COD, CAP, _COC, _SOT = 0x52, 0x50, 0x53, 0x90
_LONGEST = 1 << 16  # bytes of the first segment
_HOLE = 32  # bytes of zeros before the end that are nothing to wonder at
_SRGB, _GREY, _SYCC = 16, 17, 18  # EnumCS, I.5.3.3
_ALPHA: dict[int, Alpha] = {1: "straight", 2: "premultiplied"}  # Typ of a channel, I.5.3.6


def read_page(file: BinaryIO) -> Page:
    """The page as the code stream declares it; CONTRADICTORY where the Image Header box tells another size."""
    boxes, at = open_boxes(file)
    file.seek(at)
    head = _read(file.read(_LONGEST))
    declared = boxes.get(b"ihdr", b"")[:10]
    if declared and struct.pack(">IIH", head.rows, head.columns, len(head.depths)) != declared:
        raise DropRecord(Reason.CONTRADICTORY)
    return Page(head.rows, head.columns, len(head.depths) * (1 if head.bits <= 8 else 2))


def decode(data: bytes, page: Page) -> np.ndarray:
    """Values as stored, [H, W] or [H, W, 3] RGB, alpha over black; at most 8 unsigned bits over the whole of uint8.

    Raises DropRecord UNSUPPORTED_IMAGE, CONTRADICTORY; UNDECODABLE, also where the code stream is cut.
    """
    boxes, at = open_boxes(io.BytesIO(data))
    count = len(_read(data[at:]).depths)
    alpha, ycc = _channels(boxes, count)
    values, bits, signed = samples(data, page.rows, page.columns, count)
    if alpha is not None:
        values = over_black(values, alpha, (1 << bits) - 1)
    values = full_range(values, bits)
    if ycc or (alpha is not None and signed):
        if not ycc or values.dtype != np.uint8:
            raise DropRecord(Reason.UNSUPPORTED_IMAGE)
        values = from_ycc(values)
    return values


def from_ycc(values: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] RGB of YCbCr, full range (T.871 section 7)."""
    return np.asarray(Image.fromarray(values, "YCbCr").convert("RGB"))


def samples(data: bytes, rows: int, columns: int, count: int) -> tuple[np.ndarray, int, bool]:
    """The components of a code stream, JP2 or bare, [H, W] or [H, W, S]; their bits, and whether they are signed.

    Raises DropRecord CONTRADICTORY where it is not of this size; UNSUPPORTED_IMAGE, UNDECODABLE, TRUNCATED, BAD_HEADER.
    """
    _, at = open_boxes(io.BytesIO(data))
    head = _read(data[at:])
    if (head.rows, head.columns, len(head.depths)) != (rows, columns, count):
        raise DropRecord(Reason.CONTRADICTORY)
    if len(set(head.depths)) > 1 or head.bits > 16:
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    values = decode_whole(data[at:])
    if values.shape != ((rows, columns, count) if count > 1 else (rows, columns)):
        raise DropRecord(Reason.CONTRADICTORY)
    return values, head.bits, head.depths[0] > 127


def decode_whole(stream: bytes) -> np.ndarray:
    """What a bare code stream holds; DropRecord UNDECODABLE, TRUNCATED as `check_hole`."""
    check_hole(stream)
    return np.asarray(call_third_party(Reason.UNDECODABLE, imagecodecs.jpeg2k_decode, stream))


def check_hole(stream: bytes) -> None:
    """DropRecord TRUNCATED where zeros stand for the end of a code stream, as a copy that was broken off leaves in a
    file of the whole's size. To a decoder they are packets of nothing; a tile has no more packets than `_packets`."""
    body = stream.removesuffix(_END)
    zeros = len(body) - len(body.rstrip(b"\0"))
    if zeros > _HOLE and zeros > (_packets(stream) or zeros):
        raise DropRecord(Reason.TRUNCATED)


def _packets(stream: bytes) -> int | None:
    """How many packets a tile has at most (B.6, B.12); None where that is not told once for all components, and of the
    high-throughput coder."""
    head = read_main(stream)
    coding = head.segments.get(COD, b"") if head else b""
    if head is None or len(coding) < 10 or head.segments.keys() & {_COC, CAP}:
        return None
    precincts = coding[5] + 1
    if coding[0] & 1:
        sides = [(1 << (part & 15), 1 << (part >> 4)) for part in coding[10:]]
        scales = range(len(sides) - 1, -1, -1)  # the smallest resolution first
        precincts = sum(
            ((head.tile[0] >> scale) // across + 2) * ((head.tile[1] >> scale) // down + 2)
            for scale, (across, down) in zip(scales, sides, strict=True)
        )
    return int.from_bytes(coding[2:4], "big") * precincts * len(head.depths)


class MainHeader(NamedTuple):
    """What a code stream says of itself before its first tile (A.4, A.5.1)."""

    rows: int
    columns: int
    depths: bytes  # Ssiz of each component: bits less one, and 128 where signed
    subsampled: bool
    tile: tuple[int, int]  # width and height of the largest
    tiles: int
    segments: dict[int, bytes]  # marker -> parameters, of those behind SIZ
    end: int  # offset behind them

    @property
    def bits(self) -> int:
        """Of the first component."""
        return (self.depths[0] & 127) + 1


def read_main(data: bytes) -> MainHeader | None:
    """The main header of the code stream that begins ``data``; None where it is none, is cut within SIZ, or has no
    size."""
    if data[:4] != CODE_STREAM or len(data) < 42:
        return None
    right, bottom, left, top, wide, high, first, upper = struct.unpack_from(">8I", data, 8)
    count = int.from_bytes(data[40:42], "big")
    components = data[42 : 42 + 3 * count]
    if not count or len(components) < 3 * count or right <= left or bottom <= top or not wide or not high:
        return None
    segments, at = dict[int, bytes](), 4 + int.from_bytes(data[4:6], "big")
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data) and data[at + 1] != _SOT:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        segments.setdefault(data[at + 1], data[at + 4 : at + 2 + size])
        at += 2 + size
    tiles = -((first - right) // wide) * -((upper - bottom) // high)
    subsampled = components[1::3].strip(b"\1") + components[2::3].strip(b"\1") != b""
    tile = (min(wide, right), min(high, bottom))
    return MainHeader(bottom - top, right - left, components[::3], subsampled, tile, tiles, segments, at)


def _read(data: bytes) -> MainHeader:
    head = read_main(data)
    if head is None:
        raise DropRecord(Reason.BAD_HEADER)
    if head.subsampled:
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    return head


def open_boxes(file: BinaryIO) -> tuple[dict[bytes, bytes], int]:
    """The boxes of the JP2 header, none of a bare code stream, and where the code stream begins."""
    file.seek(0)
    if file.read(4) == CODE_STREAM:
        return {}, 0
    boxes: dict[bytes, bytes] = {}
    for kind, at, size in _boxes(file, 0, file.seek(0, io.SEEK_END)):
        if kind == b"jp2h":
            for inner, start, length in _boxes(file, at, at + size):
                file.seek(start)
                boxes.setdefault(inner, file.read(length))
        elif kind == b"jp2c":
            return boxes, at
    raise DropRecord(Reason.BAD_HEADER)


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, offset, size) of the contents of each box (I.4)."""
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        start = 8
        if size == 1:
            size, start = int.from_bytes(head[8:], "big"), 16
        if size == 0:
            size = end - at
        if size < start:
            raise DropRecord(Reason.BAD_HEADER)
        if at + size > end:
            raise DropRecord(Reason.TRUNCATED)
        yield kind, at + start, size - start
        at += size


def _channels(boxes: dict[bytes, bytes], count: int) -> tuple[Alpha | None, bool]:
    """What the last component is if no colour, and whether the colours are sYCC."""
    space = boxes.get(b"colr", b"")
    named = int.from_bytes(space[3:7], "big") if space[:1] == b"\1" else 0
    defined = boxes.get(b"cdef", b"")
    channels = sorted(struct.unpack(">3H", defined[i : i + 6]) for i in range(2, len(defined) - 5, 6))
    alpha = _ALPHA.get(channels[-1][1]) if channels and len(channels) == count else None
    colours = [(n, 0, n + 1) for n in range(count - (alpha is not None))]
    if b"pclr" in boxes or named not in (0, _SRGB, _GREY, _SYCC) or (channels and channels[: len(colours)] != colours):
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    if len(colours) not in (1, 3):
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    if named and (named == _GREY) != (len(colours) == 1):
        raise DropRecord(Reason.CONTRADICTORY)
    return alpha, named == _SYCC
