"""Writers of PNG, TIFF, BMP and JP2 files in every unusual layout, and with any field wrong. They share no code with
the readers; compression is imagecodecs', filters, bit packing and containers are written out here."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import imagecodecs
import numpy as np

PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def pack(values: np.ndarray, bits: int) -> bytes:
    """Rows of samples, ``bits`` each, the first in the highest bits, every row on a byte."""
    flat = values.reshape(len(values), -1).astype(np.uint64)
    ones = (flat[..., None] >> np.arange(bits - 1, -1, -1).astype(np.uint64)) & np.uint64(1)
    return np.packbits(ones.reshape(len(values), -1).astype(np.uint8), axis=1).tobytes()


def _filtered(rows: np.ndarray, step: int, rng: np.random.Generator) -> bytes:
    """Each row by one of PNG's five filters (clause 9)."""
    out, above = [], np.zeros(rows.shape[1], np.int64)
    for row in rows.astype(np.int64):
        left = np.concatenate([np.zeros(step, np.int64), row])[: len(row)]
        corner = np.concatenate([np.zeros(step, np.int64), above])[: len(row)]
        guess = left + above - corner
        far = np.stack([abs(guess - left), abs(guess - above), abs(guess - corner)])
        paeth = np.choose(far.argmin(axis=0), [left, above, corner])
        kind = int(rng.integers(5))
        minus = (np.zeros_like(row), left, above, (left + above) // 2, paeth)[kind]
        out.append(bytes([kind]) + ((row - minus) & 255).astype(np.uint8).tobytes())
        above = row
    return b"".join(out)


def png_raw(values: np.ndarray, depth: int, interlaced: bool, rng: np.random.Generator) -> bytes:
    parts = []
    for row, column, down, right in PASSES if interlaced else ((0, 0, 1, 1),):
        part = values[row::down, column::right]
        if not part.size:
            continue
        data = part.astype(">u2").tobytes() if depth == 16 else pack(part, depth)
        samples = 1 if part.ndim == 2 else part.shape[2]
        parts.append(_filtered(np.frombuffer(data, np.uint8).reshape(len(part), -1), max(samples * depth // 8, 1), rng))
    return b"".join(parts)


def png(
    values: np.ndarray,
    kind: int,
    depth: int,
    rng: np.random.Generator,
    before: Sequence[tuple[bytes, bytes]] = (),
    after: Sequence[tuple[bytes, bytes]] = (),
    interlaced: bool = False,
    pieces: int = 1,
    header: Mapping[str, int] | None = None,
    body: bytes | None = None,
) -> bytes:
    """A PNG of samples [H, W] or [H, W, S] (indices where ``kind`` is 3); ``header`` overrides what IHDR says."""
    told = {"columns": values.shape[1], "rows": values.shape[0], "depth": depth, "kind": kind} | dict(header or {})
    ihdr = struct.pack(">IIBBBBB", told["columns"], told["rows"], told["depth"], told["kind"], 0, 0, interlaced)
    data = zlib.compress(png_raw(values, depth, interlaced, rng)) if body is None else body
    cuts = [len(data) * i // pieces for i in range(pieces + 1)]
    idat = [(b"IDAT", data[a:b]) for a, b in pairwise(cuts)]
    chunks = [(b"IHDR", ihdr), *before, *idat, *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in chunks)


def exif(orientation: int, order: str = "<") -> bytes:
    head = {"<": b"II*\0\x08\0\0\0", ">": b"MM\0*\0\0\0\x08"}[order]
    return head + struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


_ENCODERS = {
    1: bytes,
    5: imagecodecs.lzw_encode,
    8: imagecodecs.zlib_encode,
    32946: imagecodecs.zlib_encode,
    50000: imagecodecs.zstd_encode,
    34925: imagecodecs.lzma_encode,
}


def _coded(part: np.ndarray, bits: int, order: str, predictor: int, compression: int) -> bytes:
    """One strip or tile, [H, W, S] of one plane."""
    if compression == 34887:
        return bytes(imagecodecs.lerc_encode(np.ascontiguousarray(part if part.shape[2] > 1 else part[..., 0])))
    if compression == 34712:
        whole = np.ascontiguousarray(part if part.shape[2] > 1 else part[..., 0])
        return bytes(imagecodecs.jpeg2k_encode(whole, codecformat="j2k", reversible=True, level=0))
    if compression == 7:
        grey = part.shape[2] == 1
        return bytes(
            imagecodecs.jpeg8_encode(
                np.ascontiguousarray(part[..., 0] if grey else part),
                level=98,
                **({} if grey else {"colorspace": "rgb", "outcolorspace": "rgb"}),
            )
        )
    if predictor == 2:
        part = np.concatenate([part[:, :1], np.diff(part, axis=1)], axis=1) if part.shape[1] > 1 else part
    if predictor == 3:  # Adobe's technical note 3: bytes by significance, then differences of bytes
        rows = np.ascontiguousarray(part).astype(part.dtype.newbyteorder(">")).view(np.uint8)
        width = part.dtype.itemsize
        planes = rows.reshape(len(part), -1, width).transpose(0, 2, 1).reshape(len(part), -1).astype(np.int64)
        step = part.shape[2]
        planes[:, step:] = planes[:, step:] - planes[:, :-step].copy()
        data = (planes & 255).astype(np.uint8).tobytes()
    elif bits in (8, 16, 32, 64):
        data = np.ascontiguousarray(part).astype(part.dtype.newbyteorder(order)).tobytes()
    else:
        data = pack(part, bits)
    if compression == 32773:  # never across rows
        rows = np.frombuffer(data, np.uint8).reshape(len(part), -1)
        return b"".join(bytes(imagecodecs.packbits_encode(row.tobytes())) for row in rows)
    return bytes(_ENCODERS[compression](data))


def _parts(values: np.ndarray, rows: int, tile: tuple[int, int] | None, planar: int) -> list[np.ndarray]:
    """Strips or tiles in the order that TIFF 6.0 lists them."""
    found = []
    for plane in np.split(values, values.shape[2], axis=2) if planar == 2 else [values]:
        if tile is None:
            found += [plane[i : i + rows] for i in range(0, len(plane), rows)]
            continue
        down, right = (-size % step for size, step in zip(plane.shape, tile, strict=False))
        plane = np.pad(plane, ((0, down), (0, right), (0, 0)), mode="edge")
        found += [
            plane[y : y + tile[0], x : x + tile[1]]
            for y in range(0, len(plane), tile[0])
            for x in range(0, plane.shape[1], tile[1])
        ]
    return found


def tiff(pages: Sequence[tuple[np.ndarray, dict[str, Any]]], order: str = "<", big: bool = False) -> bytes:
    """A TIFF of pages (values [H, W] or [H, W, S], options). Options: photometric, bits, rows, tile, planar,
    compression, predictor, extra, subfile, orientation, colours, fill_order, shuffle; ``tags`` override, None leaves
    one out."""
    out = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42))
    out += struct.pack(order + "HHQ", 8, 0, 0) if big else struct.pack(order + "I", 0)
    link = len(out) - (8 if big else 4)
    for values, given in pages:
        cube = values[..., None] if values.ndim == 2 else values
        bits = given.get("bits", 1 if values.dtype == bool else values.dtype.itemsize * 8)
        rows, tile, planar = given.get("rows", len(cube)), given.get("tile"), given.get("planar", 1)
        compression, predictor = given.get("compression", 1), given.get("predictor", 1)
        data = [_coded(p, bits, order, predictor, compression) for p in _parts(cube, rows, tile, planar)]
        if given.get("fill_order", 1) == 2:
            data = [bytes(imagecodecs.bitorder_decode(d)) for d in data]
        places: dict[int, int] = {}
        sequence = list(range(len(data)))
        for i in reversed(sequence) if given.get("shuffle") else sequence:
            out += b"\0" * (len(out) % 2)
            places[i] = len(out)
            out += data[i]
        samples = cube.shape[2]
        where, length = (324, 325) if tile else (273, 279)
        form = {"u": 1, "b": 1, "i": 2, "f": 3}[values.dtype.kind]
        tags: dict[int, tuple[int, Any]] = {
            256: (4, [cube.shape[1]]),
            257: (4, [len(cube)]),
            258: (3, [bits] * samples),
            259: (3, [compression]),
            262: (3, [given.get("photometric", 2 if samples > 2 else 1)]),
            277: (3, [samples]),
            284: (3, [planar]),
            where: (16 if big else 4, [places[i] for i in range(len(data))]),
            length: (4, [len(d) for d in data]),
        }
        tags |= {322: (3, [tile[1]]), 323: (3, [tile[0]])} if tile else {278: (4, [rows])}
        for name, tag, kind in (
            ("subfile", 254, 4),
            ("fill_order", 266, 3),
            ("orientation", 274, 3),
            ("predictor", 317, 3),
            ("colours", 320, 3),
            ("extra", 338, 3),
        ):
            if name in given:
                tags[tag] = kind, list(np.ravel(given[name]))
        if form > 1 or given.get("format"):
            tags[339] = 3, [given.get("format", form)] * samples
        tags |= given.get("tags", {})
        out += b"\0" * (len(out) % 2)
        struct.pack_into(order + ("Q" if big else "I"), out, link, len(out))
        link = _directory(out, {t: v for t, v in sorted(tags.items()) if v is not None}, order, big)
    return bytes(out)


def _directory(out: bytearray, tags: dict[int, tuple[int, Any]], order: str, big: bool) -> int:
    """Append a directory and its values; returns where the offset of the next one is to be written."""
    letters = {1: "B", 3: "H", 4: "I", 16: "Q"}
    room, size = (8, 20) if big else (4, 12)
    begin = len(out)
    after = begin + (8 if big else 2) + size * len(tags)
    out += struct.pack(order + ("Q" if big else "H"), len(tags))
    extra = b""
    for tag, (kind, values) in tags.items():
        body = struct.pack(f"{order}{len(values)}{letters[kind]}", *(int(v) for v in values))
        if len(body) > room:
            at = after + room + len(extra)
            extra += body + b"\0" * (len(body) % 2)
            body = struct.pack(order + ("Q" if big else "I"), at)
        out += struct.pack(order + "HH" + ("Q" if big else "I"), tag, kind, len(values)) + body.ljust(room, b"\0")
    out += b"\0" * room + extra
    return after


def bmp(values: np.ndarray, bits: int, colours: np.ndarray | None = None, top_down: bool = False, **told: int) -> bytes:
    """A BMP of indices with ``colours`` [N, 3], or of [H, W, 3] in 24 or 32 bits; ``told``: rows, size, image_size."""
    rows = values if top_down else values[::-1]
    if bits <= 8:
        data = [pack(row[None], bits) for row in rows]
    else:
        wide = np.dstack([rows[..., ::-1], np.zeros(rows.shape[:2], np.uint8)]) if bits == 32 else rows[..., ::-1]
        data = [row.tobytes() for row in wide]
    body = b"".join(row + b"\0" * (-len(row) % 4) for row in data)
    table = b"" if colours is None else np.pad(colours[:, ::-1], ((0, 0), (0, 1))).astype(np.uint8).tobytes()
    start = 54 + len(table)
    height = told.get("rows", len(values)) * (-1 if top_down else 1)
    head = struct.pack(
        "<IiiHHIIiiII",
        40,
        values.shape[1],
        height,
        1,
        bits,
        0,
        told.get("image_size", len(body)),
        0,
        0,
        0 if colours is None else len(colours),
        0,
    )
    return b"BM" + struct.pack("<IHHI", told.get("size", start + len(body)), 0, 0, start) + head + table + body


def jp2_box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def jp2(stream: bytes, rows: int, columns: int, samples: int, bits: int, space: int, more: bytes = b"") -> bytes:
    """A JP2 file around a code stream; ``more``: further boxes of its header, a Channel Definition for example."""
    ihdr = struct.pack(">IIHBBBB", rows, columns, samples, bits - 1, 7, 0, 0)
    header = jp2_box(b"ihdr", ihdr) + jp2_box(b"colr", b"\1\0\0" + struct.pack(">I", space)) + more
    start = jp2_box(b"jP  ", b"\r\n\x87\n") + jp2_box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + jp2_box(b"jp2h", header) + jp2_box(b"jp2c", stream)
