"""Image files whose header and bytes contradict each other, that are cut, damaged, too large, or of kinds not read."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from benchmarks.input.image_good import field
from benchmarks.input.image_writers import bmp, chunk, jp2, png, png_raw, tiff


@dataclass(frozen=True)
class Bad:
    """A file that must be dropped, or shown as ``truth``, up to ``within`` shades, where its data prove that."""

    name: str
    data: bytes
    truth: np.ndarray | None = None
    within: int = 1


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data) // 4, len(data) - len(data) // 8))]


def pngs(rng: np.random.Generator) -> Iterator[Bad]:
    """IHDR against the inflated length, damage with and without a right checksum, indices beyond the palette."""
    for number in range(18):
        depth = (8, 16)[number % 2]
        kind = (0, 2, 6)[number % 3]
        values = field(rng, "u2" if depth == 16 else "u1", {0: 1, 2: 3, 6: 4}[kind])
        if kind == 6:
            values[..., 3] = 255 if depth == 8 else 65535
        rows, columns = values.shape[:2]
        interlaced = number % 4 == 3
        raw = png_raw(values, depth, interlaced, rng)
        good = png(values, kind, depth, rng, interlaced=interlaced)
        sizes = {"rows": (rows + 1, rows - 1, rows * 2, rows // 2), "columns": (columns + 9, columns - 9, columns // 2)}
        for name, others in sizes.items():
            for other in others:
                yield Bad(
                    f"png {name}", png(values, kind, depth, rng, interlaced=interlaced, header={name: int(other)})
                )
        yield Bad("png depth", png(values, kind, depth, rng, header={"depth": 24 - depth}))
        yield Bad("png kind", png(values, kind, depth, rng, header={"kind": (2, 0, 0)[number % 3]}))
        for body in (raw[: len(raw) * 2 // 3], raw + raw[: len(raw) // 3], raw[:-1]):
            yield Bad("png length", png(values, kind, depth, rng, body=zlib.compress(body)))
        packed = zlib.compress(raw)
        yield Bad("png cut stream", png(values, kind, depth, rng, body=packed[: len(packed) // 2]))
        yield Bad("png checksum of data", png(values, kind, depth, rng, body=packed[:-4] + b"\1\2\3\4"))
        yield Bad("png filter", png(values, kind, depth, rng, body=zlib.compress(b"\x09" + raw[1:])))
        yield Bad("png cut", _cut(good, rng))
        at = int(rng.integers(45, len(good) - 20))
        yield Bad("png flipped bit", good[:at] + bytes([good[at] ^ 16]) + good[at + 1 :])
        places = field(rng, "u1", 1, 40)
        few = (b"PLTE", bytes(range(90)))
        yield Bad("png palette too short", png(places, 3, 8, rng, [few] if number % 2 else []))
        yield Bad("png two headers", good[:33] + good[8:33] + good[33:])
        huge = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
        yield Bad(
            "png bomb", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", huge) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
        )


def tiffs(rng: np.random.Generator) -> Iterator[Bad]:
    """Directories against strips and tiles: sizes, counts, places; meanings that are none."""
    for number in range(24):
        compression, order = (1, 8, 5, 32773, 50000)[number % 5], "<>"[number % 2]
        samples, dtype = (1, 3)[number // 2 % 2], ("u1", "u2", "u4", "f4")[number % 4]
        values = field(rng, dtype, samples)
        rows, columns = values.shape[:2]
        layout: dict[str, Any] = [{}, {"rows": 16}, {"tile": (16, 32)}, {"planar": 2} if samples == 3 else {}][
            number % 4
        ]
        base = {"compression": compression, **layout}

        def make(tags: dict[int, Any], base: dict[str, Any] = base, order: str = order) -> bytes:
            return tiff([(values, base | {"tags": tags})], order, number % 3 == 0)  # noqa: B023

        good = make({})
        where, length = (324, 325) if "tile" in base else (273, 279)
        if "tile" not in base:
            for other in (rows * 2, rows // 2, rows + 20):
                yield Bad("tiff rows", make({257: (4, [other])}))
        else:
            yield Bad("tiff rows", make({257: (4, [rows + 40])}))
        for other in (columns + 40, columns // 2 if compression != 1 or "tile" in base else columns * 3):
            yield Bad("tiff columns", make({256: (4, [other])}))
        yield Bad("tiff bits", make({258: (3, [64 if dtype != "u4" else 128] * samples)}))
        yield Bad(
            "tiff bits differ", make({258: (3, [8, 16, 8][:samples])}) if samples == 3 else make({258: (3, [256])})
        )
        yield Bad("tiff samples", make({277: (3, [samples + 2])}))
        yield Bad("tiff no photometric", make({262: None}))
        yield Bad("tiff photometric", make({262: (3, [(8, 9, 32803, 3, 5, 34892)[number % 6]])}))
        yield Bad("tiff compression", make({259: (3, [(50001, 6, 7, 99, 4)[number % 5]])}))
        yield Bad("tiff complex", make({339: (3, [6] * samples)}))
        yield Bad("tiff places behind the end", make({where: (4, [len(good) + 5] * _count(good, where, order))}))
        yield Bad("tiff one place too few", make({where: (4, [300] * (_count(good, where, order) + 1))}))
        yield Bad("tiff counts", make({length: (4, [7] * _count(good, where, order))}))
        yield Bad("tiff no counts", make({length: (4, [0] * _count(good, where, order))}), values)
        yield Bad("tiff cut", _cut(good, rng))
        yield Bad("tiff bomb", make({256: (4, [1 << 17]), 257: (4, [1 << 17])}))
        if "tile" in base:
            yield Bad("tiff tile bomb", make({322: (4, [1 << 16]), 323: (4, [1 << 16])}))
    for number in range(12):
        values = field(rng, "u1", 1)
        data = tiff([(values, {"compression": 7, "photometric": 1})], "<>"[number % 2])
        at, end = data.index(b"\xff\xda"), data.rindex(b"\xff\xd9")
        half = (at + end) // 2
        yield Bad("tiff jpeg cut", data[:half] + b"\xff\xd9" + bytes(end - half) + data[end + 2 :])
        colours = rng.integers(0, 65536, 3 * 128)
        yield Bad("tiff palette", tiff([(values, {"photometric": 3, "colours": colours})], "<>"[number % 2]))


def _count(data: bytes, tag: int, order: str) -> int:
    """How many values a tag of the only directory has, found by its bytes."""
    big = data[2:4] in (b"+\0", b"\0+")
    at = struct.unpack(order + ("Q" if big else "I"), data[8:16] if big else data[4:8])[0]
    at += 8 if big else 2
    while struct.unpack_from(order + "H", data, at)[0] != tag:
        at += 20 if big else 12
    return int(struct.unpack_from(order + ("Q" if big else "I"), data, at + 4)[0])


def jpegs(rng: np.random.Generator) -> Iterator[Bad]:
    """SOF against the scans; scans cut, dropped, out of order; a picture that ends in grey."""
    for number in range(28):
        samples, progressive, restarts = (1, 3)[number % 2], number % 4 > 1, 4 * (number % 3)
        values = field(rng, "u1", samples)
        out = io.BytesIO()
        Image.fromarray(values).save(
            out, "JPEG", quality=92, progressive=progressive, subsampling=0, restart_marker_blocks=restarts
        )
        data = out.getvalue()
        frame = re.search(rb"\xff[\xc0-\xc2]\x00[\x0b\x11]\x08", data)
        assert frame is not None
        size = frame.start() + 5
        rows, columns = values.shape[:2]
        for other in (
            (rows + 24, columns),
            (rows - 16, columns),
            (rows * 3, columns),
            (rows // 2, columns),
            (rows, columns + 24),
            (rows, columns - 16),
            (rows, columns * 2),
        ):
            yield Bad("jpeg size", data[:size] + struct.pack(">HH", *other) + data[size + 4 :])
        yield Bad("jpeg no rows", data[:size] + b"\0\0" + data[size + 2 :])
        scan = data.rindex(b"\xff\xda")
        for share in (0.3, 0.6, 0.85):
            end = scan + 14 + int((len(data) - scan - 16) * share)
            yield Bad("jpeg cut", data[:end])
            yield Bad("jpeg cut and closed", data[:end] + b"\xff\xd9")
        if progressive:
            yield Bad("jpeg last scan gone", data[:scan] + b"\xff\xd9")
        if restarts:
            marks = [m.start() for m in re.finditer(rb"\xff[\xd0-\xd7]", data)]
            if len(marks) > 6:
                yield Bad("jpeg interval gone", data[: marks[2]] + data[marks[4] :])
                yield Bad(
                    "jpeg intervals exchanged",
                    data[: marks[1]] + data[marks[2] : marks[3]] + data[marks[1] : marks[2]] + data[marks[3] :],
                )
        table = data.index(b"\xff\xc4")
        yield Bad("jpeg no tables", data[:table] + data[data.index(b"\xff\xda") :], values, 24)
        yield Bad("jpeg two pictures' data", data[:-2] + data[scan + (10 if samples == 1 else 14) :])
    for _ in range(10):
        out = io.BytesIO()
        Image.fromarray(field(rng, "u1", 4), "CMYK").save(out, "JPEG", quality=95)
        data = out.getvalue()
        yield Bad("jpeg inks that nobody signed", data.replace(b"Adobe", b"Nobod", 1))
        lossless = bytes(imagecodecs.jpegls_encode(field(rng, "u2", 1, 4095)))
        frame = lossless.index(b"\xff\xf7")
        yield Bad("jpeg-ls size", lossless[: frame + 5] + struct.pack(">H", 24) + lossless[frame + 7 :])
        yield Bad("jpeg-ls cut", _cut(lossless, rng))


def others(rng: np.random.Generator) -> Iterator[Bad]:
    """JPEG 2000, BMP, WebP, and formats that are not read."""
    for number in range(20):
        bits, samples = (8, 16)[number % 2], (1, 3)[number // 2 % 2]
        values = field(rng, f"u{bits // 8}", samples)
        rows, columns = values.shape[:2]
        stream = bytes(imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True, level=0))
        space = 17 if samples == 1 else 16
        yield Bad("jp2 size", jp2(stream, rows + 1, columns, samples, bits, space))
        yield Bad("jp2 samples", jp2(stream, rows, columns, 4 - samples, bits, space))
        yield Bad("jp2 colour", jp2(stream, rows, columns, samples, bits, 33 - space))
        yield Bad("jp2 inks", jp2(stream, rows, columns, samples, bits, 12))
        yield Bad("jp2 cut", _cut(jp2(stream, rows, columns, samples, bits, space), rng))
        yield Bad("j2k cut", _cut(stream, rng))
        yield Bad("j2k bomb", stream[:8] + struct.pack(">II", 1 << 20, 1 << 20) + stream[16:])
        deep = (8, 24)[number % 2]
        flat = field(rng, "u1", 1 + 2 * (deep == 24))
        colours = None if deep == 24 else rng.integers(0, 256, (256, 3)).astype(np.uint8)
        yield Bad("bmp rows", bmp(flat, deep, colours, rows=len(flat) + 8))
        yield Bad("bmp fewer rows", bmp(flat, deep, colours, rows=len(flat) - 8))
        yield Bad("bmp cut", _cut(bmp(flat, deep, colours), rng))
        out = io.BytesIO()
        Image.fromarray(field(rng, "u1", 3)).save(out, "WEBP", lossless=number % 2 == 0)
        data = out.getvalue()
        yield Bad("webp cut", _cut(data, rng))
        half = data[: len(data) // 2 & ~1]
        yield Bad("webp cut and closed", b"RIFF" + struct.pack("<I", len(half) - 8) + half[8:])
        for image_format in ("AVIF", "GIF", "PPM"):
            if number < 4:
                out = io.BytesIO()
                Image.fromarray(field(rng, "u1", 3)).save(out, image_format)
                yield Bad(image_format.lower(), out.getvalue())
        yield Bad("heic", struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + rng.bytes(300))
        if number < 4:
            yield Bad("jpeg xl", bytes(imagecodecs.jpegxl_encode(field(rng, "u1", 3))))


def bad(seed: int) -> Iterator[Bad]:
    for make in (pngs, tiffs, jpegs, others):
        yield from make(np.random.default_rng([seed, 99, len(make.__name__)]))
