"""Good image files of unusual kinds, each with the values that were encoded."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
from PIL import Image

from benchmarks.input.image_writers import bmp, chunk, exif, jp2, jp2_box, png, tiff


@dataclass(frozen=True)
class Good:
    """A file and what a reader must find in it: the values as stored, upright, black is zero, alpha over black.

    ``within``: shades that a lossy coding may be off. ``exact``: may `curate deid` be asked for the very values?
    """

    name: str
    data: bytes
    truth: np.ndarray
    within: int = 1
    exact: bool = True


def field(rng: np.random.Generator, dtype: str, samples: int = 1, top: int | None = None) -> np.ndarray:
    """A smooth, asymmetric picture with texture, over the whole of its range; [H, W] or [H, W, S]."""
    rows, columns = int(rng.integers(33, 58)), int(rng.integers(33, 58))
    y, x = np.mgrid[:rows, :columns]
    planes = []
    for k in range(samples):
        wave = np.sin((x + 3 * k) / rng.uniform(4, 9)) * np.cos(y / rng.uniform(5, 11)) + (x + 2 * y) / (rows + columns)
        wave = wave + 0.04 * rng.random((rows, columns))
        planes.append((wave - wave.min()) / np.ptp(wave))
    values = np.dstack(planes) if samples > 1 else planes[0]
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return (values * 3000 - 1000).astype(kind)
    low, high = (0, top) if top is not None else (int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    return (np.rint(values * (1 - 2**-12) * (high - low)) + low).astype(kind)


def turned(values: np.ndarray, orientation: int) -> np.ndarray:
    """What a viewer shows of stored values, by EXIF 2.3 table 6."""
    return np.ascontiguousarray(
        {
            2: lambda a: a[:, ::-1],
            3: lambda a: np.rot90(a, 2),
            4: lambda a: a[::-1],
            5: lambda a: a.swapaxes(0, 1),
            6: lambda a: np.rot90(a, -1),
            7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
            8: np.rot90,
        }.get(orientation, lambda a: a)(values)
    )


def laid(colour: np.ndarray, alpha: np.ndarray, top: float) -> np.ndarray:
    """Straight alpha over black."""
    share = alpha / top
    return np.rint(colour * (share[..., None] if colour.ndim == 3 else share)).astype(colour.dtype)


_JUNK = (
    (b"gAMA", struct.pack(">I", 22727)),
    (b"sBIT", b"\x05\x05\x05\x05"),
    (b"pHYs", struct.pack(">IIB", 1, 2, 0)),
    (b"tEXt", b"Comment\0" + b"none" * 9),
    (b"iCCP", b"x\0\0not a profile"),
    (b"acTL", struct.pack(">II", 2, 0)),
    (b"cHRM", bytes(32)),
    (b"prVt", bytes(77)),
)


def pngs(rng: np.random.Generator) -> Iterator[Good]:
    """Every colour type and depth, interlaced or not, with and without transparency, under every orientation."""
    for number in range(12):
        for kind, depth in (
            (0, 1),
            (0, 2),
            (0, 4),
            (0, 8),
            (0, 16),
            (2, 8),
            (2, 16),
            (3, 1),
            (3, 2),
            (3, 4),
            (3, 8),
            (4, 8),
            (4, 16),
            (6, 8),
            (6, 16),
        ):
            interlaced, orientation = number % 3 == 1, int(rng.integers(0, 10))
            samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
            top = (1 << depth) - 1
            shown = top if depth < 16 or number % 4 else 4095  # 12 bits in 16, as acquired
            values = field(rng, "u2" if depth == 16 else "u1", samples, shown)
            full = np.uint8 if depth < 16 else np.uint16
            before: list[tuple[bytes, bytes]] = []
            if kind in (4, 6):
                values[..., -1] = np.where(values[..., -1] > shown // 3, top, values[..., -1])
                truth = laid(values[..., :-1], values[..., -1], top)
                truth = truth[..., 0] if kind == 4 else truth
            elif kind == 3:
                colours = rng.integers(0, 256, (top + 1, 3)).astype(np.uint8)
                before.append((b"PLTE", colours.tobytes()))
                truth = colours[values]
                if number % 2:
                    opacity = rng.choice([0, 90, 255], top + 1).astype(np.uint8)[: max(1, top)]
                    before.append((b"tRNS", opacity.tobytes()))
                    truth = laid(truth, np.append(opacity, np.full(top + 1 - len(opacity), 255, np.uint8))[values], 255)
            else:
                truth = (values * (255 // top)).astype(full) if depth < 8 else values
                if number % 2 and depth > 1:
                    hole = values[7, 9] if samples == 1 else values[7, 9, :]
                    before.append((b"tRNS", b"".join(int(v).to_bytes(2, "big") for v in np.atleast_1d(hole))))
                    gone = values == hole if samples == 1 else (values == hole).all(axis=2)
                    truth = np.where(gone if samples == 1 else gone[..., None], 0, truth).astype(full)
            oriented = [(b"eXIf", exif(orientation, "<>"[number % 2]))] if orientation else []
            junk = [_JUNK[int(rng.integers(len(_JUNK)))]] if number > 1 else []
            late = number % 5 == 0
            data = png(
                values,
                kind,
                depth,
                rng,
                junk + before + ([] if late else oriented),
                oriented if late else (),
                interlaced,
                int(rng.integers(1, 5)),
            )
            yield Good(f"png {kind}/{depth}", data + b"behind" * (number % 2), turned(truth, orientation))


_DTYPES = ("u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8", "f2", "u8")


def tiffs(rng: np.random.Generator) -> Iterator[Good]:
    """Depths, signs, byte orders, layouts, compressions and meanings of TIFF, crossed at random."""
    for number in range(220):
        dtype, order = _DTYPES[number % len(_DTYPES)], "<>"[number // len(_DTYPES) % 2]
        samples = 3 if number % 7 == 3 and dtype != "i1" else 1
        values = field(rng, dtype, samples)
        white = samples == 1 and number % 3 == 0
        truth = values
        if white:
            truth = -values if dtype[0] == "f" else ~values
        if dtype == "f4" and number % 4 == 1:
            values = values.copy()
            values[3:6, 4:9] = np.nan
            truth = -values if white else values
        orientation = int(rng.integers(1, 9))
        compression = int(rng.choice([1, 5, 8, 32946, 32773, 50000, 34925, 34887, 34712]))
        if compression == 34712 and dtype not in ("u1", "u2", "i1", "i2"):
            compression = 8
        if compression == 34887 and (
            dtype in ("u8", "f2") or (order == ">" and dtype[1] != "1") or np.isnan(values.astype(float)).any()
        ):
            compression = 8
        options = {
            "photometric": 0 if white else (2 if samples == 3 else 1),
            "compression": compression,
            "orientation": orientation,
            "shuffle": number % 5 == 0,
        }
        if number % 2:
            options["rows"] = int(rng.integers(1, 40))
        elif number % 4 == 2:
            options["tile"] = (16 * int(rng.integers(1, 5)), 16 * int(rng.integers(1, 5)))
        if samples == 3:
            options["planar"] = 1 + number % 2
        if compression in (5, 8, 32946, 50000, 34925) and dtype not in ("f8", "f2", "u8"):
            options["predictor"] = 3 if dtype == "f4" else 2
        if compression == 1 and "tile" not in options and number % 2 == 0:
            options["tags"] = {279: None}
        if number % 3 == 2 and number % 2 == 0 and compression in (1, 8, 32773) and "tags" not in options:
            options["fill_order"] = 2
        yield Good(f"tiff {dtype}", tiff([(values, options)], order, number % 6 == 4), turned(truth, orientation))


def tiffs_of_few_bits(rng: np.random.Generator) -> Iterator[Good]:
    """1, 2, 4, 10, 12 and 14 bits packed, palettes, fax compressions, both meanings of zero."""
    for number in range(72):
        bits, order, white = (1, 2, 4, 10, 12, 14)[number % 6], "<>"[number // 6 % 2], number // 12 % 2 == 1
        top = (1 << bits) - 1
        values = field(rng, "u2" if bits > 8 else "u1", 1, top)
        options = {
            "bits": bits,
            "photometric": 0 if white else 1,
            "compression": (1, 8, 32773, 5)[number % 4],
            "rows": int(rng.integers(5, 60)),
        }
        truth = top - values if white else values
        truth = (truth * (255 // top)).astype(np.uint8) if bits < 8 else truth
        yield Good(f"tiff {bits} bits", tiff([(values, options)], order), truth)
    for number in range(24):
        bits = (1, 2, 4, 8)[number % 4]
        values = field(rng, "u1", 1, (1 << bits) - 1)
        colours = rng.integers(0, 256, (3, 1 << bits))
        stored = colours * (1, 256, 257)[number % 3]
        options = {"bits": bits, "photometric": 3, "colours": stored, "compression": (1, 5)[number % 2]}
        if colours.max() > 1:
            yield Good(
                f"tiff palette {bits}",
                tiff([(values, options)], "<>"[number // 4 % 2]),
                colours.T.astype(np.uint8)[values],
            )
    for number, coding in enumerate(("group3", "group4", "tiff_ccitt", "packbits") * 4):
        values = field(rng, "u1") > int(rng.integers(60, 200))
        out = io.BytesIO()
        Image.fromarray(values).save(out, "TIFF", compression=coding)
        yield Good(f"tiff {coding} {number}", out.getvalue(), values.astype(np.uint8) * 255)


def tiffs_with_more(rng: np.random.Generator) -> Iterator[Good]:
    """Alpha of three kinds, inks, JPEG strips, thumbnails beside the page."""
    for number in range(40):
        dtype, order = ("u1", "u2")[number % 2], "<>"[number // 2 % 2]
        top, extra = np.iinfo(dtype).max, (0, 1, 2)[number % 3]
        samples = (2, 4)[number // 3 % 2]
        values = field(rng, dtype, samples)
        truth = laid(values[..., :-1], values[..., -1], top) if extra == 2 else values[..., :-1]
        options = {
            "photometric": 1 if samples == 2 else 2,
            "extra": extra,
            "planar": 1 + number % 2,
            "compression": (1, 8)[number // 2 % 2],
        }
        yield Good(f"tiff alpha {extra}", tiff([(values, options)], order), truth[..., 0] if samples == 2 else truth)
    for number in range(16):
        values = field(rng, ("u1", "u2")[number % 2], 4)
        top = float(np.iinfo(values.dtype).max)
        light = (top - values[..., :3].astype(float)) * (top - values[..., 3:].astype(float)) / top
        yield Good(
            "tiff inks",
            tiff([(values, {"photometric": 5, "compression": (1, 5)[number // 2 % 2]})], "<>"[number // 4 % 2]),
            np.rint(light).astype(values.dtype),
            exact=False,
        )
    for number in range(20):
        values = field(rng, "u1", (1, 3)[number % 2])
        options = {"compression": 7, "rows": (64, 16)[number // 2 % 2], "photometric": (1, 2)[number % 2]}
        yield Good("tiff jpeg", tiff([(values, options)], "<>"[number // 4 % 2]), values, within=30, exact=False)
    for number in range(20):
        values, order = field(rng, "u2"), "<>"[number % 2]
        small = (np.ascontiguousarray(values[::4, ::4]), {"subfile": (1, 4, 5)[number % 3]})
        pages = [small, (values, {"subfile": 0})] if number % 2 else [(values, {}), small]
        yield Good("tiff thumbnail", tiff(pages, order, number % 4 == 3), values)


def jpegs(rng: np.random.Generator) -> Iterator[Good]:
    """Grey, colour and inks; progressive, restarts, 12 bits, lossless, JPEG-LS; odd segments and ends."""
    for number in range(110):
        samples = (1, 3, 3, 4)[number % 4]
        values = field(rng, "u1", samples)
        orientation = int(rng.integers(0, 10))
        block = exif(orientation, "<>"[number % 2]) if orientation else b""
        out = io.BytesIO()
        options = {"progressive": number % 3 == 0, "optimize": number % 2 == 0, "restart_marker_blocks": number % 5}
        Image.fromarray(values, "CMYK" if samples == 4 else None).save(
            out, "JPEG", quality=97, subsampling=0, exif=b"Exif\0\0" + block if block else b"", **options
        )
        data = out.getvalue()
        if number % 6 == 1:
            data = data[:-2]  # without an end marker
        elif number % 6 == 2:
            data += b"\0" * 33 + b"behind"
        elif number % 6 == 3:
            data = data[:2] + b"\xff\xef\0\x09nothing\xff\xff\xff\xfe\0\4ab" + data[2:]
        elif number % 6 == 4 and samples == 1:
            data = data[:2] + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0" + data[2:]
        truth = values
        if samples == 4:
            truth = np.rint((255 - values[..., :3].astype(float)) * (255 - values[..., 3:].astype(float)) / 255)
        yield Good(f"jpeg {samples}", data, turned(truth.astype(np.uint8), orientation), within=24, exact=False)
    for number in range(30):
        bits = (12, 16, 12)[number % 3]
        values = field(rng, "u2", 1 + 2 * (number % 2), (1 << bits) - 1)
        if number % 3 == 2:
            data, within = imagecodecs.jpeg8_encode(values, level=98, bitspersample=12, subsampling="444"), 8
        else:
            data, within = imagecodecs.jpeg8_encode(values, lossless=True, bitspersample=bits), 1
        yield Good(f"jpeg {bits} bits", bytes(data), values, within, exact=within == 1)
    for number in range(24):
        values = field(rng, ("u1", "u2")[number % 2], (1, 3)[number // 2 % 2], (255, 4095)[number % 2])
        yield Good("jpeg-ls", bytes(imagecodecs.jpegls_encode(values)), values)


def others(rng: np.random.Generator) -> Iterator[Good]:
    """JPEG 2000, BMP and WebP."""
    for number in range(60):
        bits, samples, signed = (8, 12, 16)[number % 3], (1, 3, 2, 4)[number % 4], number % 5 == 4 and number % 4 < 2
        top = (1 << bits) - 1
        values = field(rng, "u1" if bits == 8 else "u2", samples, top)
        if signed:
            values = (values.astype(np.int64) - (1 << (bits - 1))).astype("i1" if bits == 8 else "i2")
        stream = bytes(
            imagecodecs.jpeg2k_encode(
                values, codecformat="j2k", reversible=True, level=0, mct=False, bitspersample=bits
            )
        )
        truth = values if samples % 2 else laid(values[..., :-1], values[..., -1], top)
        truth = truth[..., 0] if samples == 2 else truth
        channels = [(k, 0, k + 1) for k in range(samples - 1)] + [(samples - 1, 1, 0)]
        defined = (
            b""
            if samples % 2
            else jp2_box(b"cdef", struct.pack(">H", samples) + b"".join(struct.pack(">3H", *c) for c in channels))
        )
        inside = jp2(stream, *values.shape[:2], samples, bits, 17 if samples < 3 else 16, defined)
        yield Good(f"jp2 {bits}/{samples}", stream if samples % 2 and number % 2 else inside, truth)
    for number in range(40):
        bits = (1, 4, 8, 24, 32)[number % 5]
        values = field(rng, "u1", 3 if bits > 8 else 1, 255 if bits > 8 else (1 << bits) - 1)
        colours = rng.integers(0, 256, (1 << bits, 3)).astype(np.uint8) if bits <= 8 else None
        told = {} if number % 3 else {"size": int(rng.integers(1 << 16)), "image_size": 0}
        yield Good(
            f"bmp {bits}",
            bmp(values, bits, colours, top_down=number % 2 == 1, **told) + b"\0" * (number % 4),
            values if colours is None else colours[values],
        )
    for number in range(40):
        values = field(rng, "u1", 3 + number % 2)
        orientation = int(rng.integers(1, 9))
        out = io.BytesIO()
        options = {"save_all": True, "append_images": [Image.fromarray(values[::-1])]} if number % 4 > 1 else {}
        Image.fromarray(values).save(
            out, "WEBP", lossless=True, exact=True, exif=b"Exif\0\0" + exif(orientation), **options
        )
        truth = laid(values[..., :3], values[..., 3], 255) if number % 2 else values
        yield Good("webp", out.getvalue(), turned(truth, orientation), within=2 if number % 4 > 1 else 1)


def good(seed: int) -> Iterator[Good]:
    for make in (pngs, tiffs, tiffs_of_few_bits, tiffs_with_more, jpegs, others):
        yield from make(np.random.default_rng([seed, len(make.__name__)]))


__all__ = ["Good", "chunk", "field", "good", "laid", "turned"]
