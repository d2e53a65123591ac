"""PNG (ISO/IEC 15948): every depth and colour type with its transparency; gamma and colour profiles are not applied.

The header and the inflated data are two witnesses: their lengths must agree to the byte.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import imagecodecs
import numpy as np

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.images.page import Page, over_black
from curate.sources.images.tiff_directory import exif_orientation
from curate.sources.third_party import call_third_party

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# Adam7: first row and column of each pass, and its steps (clause 8.2)
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf")


def read_page(file: BinaryIO, whole: bool = False) -> Page:
    """The page as declared, orientation by an eXIf chunk before the pixels, anywhere where ``whole``."""
    return _page(_read(file, whole))


def decode(data: bytes, page: Page) -> np.ndarray:
    """uint8 or uint16 [H, W] or [H, W, 3], alpha over black; palettes as RGB, 1 to 4 bits over the whole of 8.

    Raises DropRecord TRUNCATED where the data are shorter than the header says, CONTRADICTORY where they are longer
    or a pixel is of no colour of the palette, UNDECODABLE.
    """
    chunks = _read(io.BytesIO(data), whole=True)
    if b"IDAT" not in chunks:
        raise DropRecord(Reason.UNDECODABLE)
    depth, kind, _, _, interlaced = chunks[b"IHDR"][8:13]
    raw = _inflate(chunks[b"IDAT"], _length(page, depth * _SAMPLES[kind], interlaced))
    # indices as greys
    header = struct.pack(">IIBBBBB", page.columns, page.rows, depth, 0 if kind == 3 else kind, 0, 0, interlaced)
    hole = [(b"tRNS", chunks[b"tRNS"])] if b"tRNS" in chunks and kind in (0, 2) else []
    bare = ((b"IHDR", header), *hole, (b"IDAT", zlib.compress(raw, 0)), (b"IEND", b""))
    whole = _SIGNATURE + b"".join(_chunk(*part) for part in bare)
    values = np.asarray(call_third_party(Reason.UNDECODABLE, imagecodecs.png_decode, whole))
    if kind == 3:
        values = _coloured(values // (255 // ((1 << depth) - 1)), chunks)
    if values.ndim == 3 and values.shape[2] in (2, 4):
        values = over_black(values, "straight", np.iinfo(values.dtype).max)
    return values


def _read(file: BinaryIO, whole: bool) -> dict[bytes, bytes]:
    """The chunks that make the picture; without ``whole`` those before the pixels."""
    found: dict[bytes, bytes] = {}
    data: list[bytes] = []
    for kind, body in _chunks(file, whole):
        if kind == b"IDAT":
            data.append(body)
        elif kind in found:
            raise DropRecord(Reason.CONTRADICTORY)
        else:
            found[kind] = body
    if data:
        found[b"IDAT"] = b"".join(data)
    return found


def _chunks(file: BinaryIO, whole: bool) -> Iterator[tuple[bytes, bytes]]:
    file.seek(len(_SIGNATURE))
    while True:
        head = file.read(8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"IEND" or (kind == b"IDAT" and not whole):
            return
        if len(head) < 8:
            raise DropRecord(Reason.TRUNCATED)
        if kind not in _KEPT and (not kind.isalpha() or kind[:1].isupper()):  # it may change what the others mean
            raise DropRecord(Reason.UNSUPPORTED_IMAGE)
        if kind not in _KEPT:
            file.seek(length + 4, io.SEEK_CUR)
            continue
        body, check = file.read(length), file.read(4)
        if len(body) < length or len(check) < 4:
            raise DropRecord(Reason.TRUNCATED)
        if zlib.crc32(kind + body) != int.from_bytes(check, "big"):
            raise DropRecord(Reason.UNDECODABLE if kind == b"IDAT" else Reason.BAD_HEADER)
        yield kind, body


def _page(chunks: dict[bytes, bytes]) -> Page:
    header = chunks.get(b"IHDR", b"")
    if len(header) != 13:
        raise DropRecord(Reason.BAD_HEADER)
    columns, rows, depth, kind, method, filters, interlaced = struct.unpack(">IIBBBBB", header)
    if not columns or not rows or depth not in _DEPTHS.get(kind, ()) or method or filters or interlaced > 1:
        raise DropRecord(Reason.BAD_HEADER)
    samples = (4 if kind == 3 else _SAMPLES[kind]) + (kind in (0, 2) and b"tRNS" in chunks)
    return Page(rows, columns, samples * max(depth // 8, 1), exif_orientation(chunks.get(b"eXIf", b"")))


def _length(page: Page, bits: int, interlaced: int) -> int:
    """Bytes of the filtered rows of all pictures that the data hold, of ``bits`` a pixel."""
    length = 0
    for row, column, down, right in _PASSES if interlaced else ((0, 0, 1, 1),):
        rows, columns = -((row - page.rows) // down), -((column - page.columns) // right)
        if rows > 0 and columns > 0:
            length += rows * (1 + (columns * bits + 7) // 8)
    return length


def _inflate(data: bytes, length: int) -> bytes:
    raw = call_third_party(Reason.UNDECODABLE, zlib.decompressobj().decompress, data, length + 1)
    if len(raw) != length:
        raise DropRecord(Reason.TRUNCATED if len(raw) < length else Reason.CONTRADICTORY)
    return raw


def _coloured(places: np.ndarray, chunks: dict[bytes, bytes]) -> np.ndarray:
    """RGB or RGBA of indices."""
    colours, opacity = chunks.get(b"PLTE", b""), chunks.get(b"tRNS", b"")
    if not colours or len(colours) % 3:
        raise DropRecord(Reason.BAD_HEADER)
    table = np.frombuffer(colours, np.uint8).reshape(-1, 3)
    if len(opacity) > len(table) or int(places.max()) >= len(table):
        raise DropRecord(Reason.CONTRADICTORY)
    if opacity:
        alpha = np.frombuffer(opacity.ljust(len(table), b"\xff"), np.uint8)
        table = np.concatenate([table, alpha[:, None]], axis=1)
    return np.asarray(table[places])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
