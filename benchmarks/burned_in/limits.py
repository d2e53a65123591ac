"""Where the limits of the pixel gate's sight are: lines found by their height, contrast, slant and font; faint lines in
stored values, lines of another hue alone, and codes.

    python -m benchmarks.burned_in.limits DATA [--each N] [--only letters,stored,hue,codes] [--out FILE] [--plot FILE]

One thing is changed at a time, the others stay where letters are plain (20 px, contrast 0.6, level). Pictures are those
of `clean_pictures.csv` that nothing here was fitted on, fonts three kinds of the half for testing, each alone. Found is
a line with 90 % of its strokes in what would be painted. Codes need zxing-cpp. Writes JSON and a plot.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.burned_in.measure import COVERED, share
from benchmarks.burned_in.pictures import Picture, clean_pictures
from benchmarks.burned_in.planted import _dotted, _drawn, _placed
from benchmarks.burned_in.planted_codes import decoded, plant_codes
from benchmarks.burned_in.show import curves
from benchmarks.drawn_text import Font, fonts, wording
from curate.deid.pixels.boxes import mask_of
from curate.deid.pixels.found_text import found_text
from curate.deid.pixels.gate import gate
from curate.deid.pixels.paint import with_margin
from curate.deid.rules import PixelPolicy

OUT, PLOT = Path("benchmarks/results/burned_in_limits.json"), Path("docs/images/burned_in_limits.svg")
HEIGHTS, DOTTED = (6, 8, 10, 12, 16, 24, 40, 64, 100, 140, 200), (7, 14, 21, 28, 42, 56)
CONTRASTS, DEGREES = (0.03, 0.05, 0.08, 0.12, 0.2, 0.35, 0.6, 1.0), tuple(range(0, 360, 15))
STORED = (0.025, 0.05, 0.1, 0.2)
PLAIN = (20, 0.6, 0)  # height, contrast, degrees
_SIDE = 360  # px of the part of a picture that is written on, more where letters are high
_LARGEST = 1300
_FAINT = "contrast in stored values, on quiet ground, all fonts"
_QUIET = 0.15  # of the contrast: the ground's unrest, where a window shows a faint line plainly


def kinds() -> dict[str, Font]:
    """A font of strokes, one of outlines, one of one width."""
    faces = {face.source.split("/")[-1].removesuffix(".ttf"): face for face in fonts("test")}
    chosen = ("cv:2", "DejaVuSans", "DejaVuSansMono")
    return {name: faces[name] for name in chosen if name in faces}


def letters(pictures: Sequence[Picture], each: int) -> dict[str, Any]:
    """For every font the share found by height, contrast, degrees, and height of dotted letters."""
    high, contrast, level = PLAIN
    told: dict[str, Any] = {}
    for name, font in kinds().items():
        tried = {
            "height": [(v, (v, contrast, level, False)) for v in HEIGHTS],
            "contrast": [(v, (high, v, level, False)) for v in CONTRASTS],
            "degrees": [(v, (high, contrast, v, False)) for v in DEGREES],
            "height of dotted letters": [(v, (v, contrast, level, True)) for v in DOTTED],
        }
        for by, values in tried.items():
            rng = random.Random(f"{name} {by}")
            told.setdefault(by, {})[name] = {
                f"{v:g}": share(*_count(partial(_written, pictures, font, rng, *how), each)) for v, how in values
            }
    return told


def _count(try_one: Callable[[], bool | None], n: int) -> tuple[int, int]:
    """Hits and tries, of ``n``; what did not fit its picture is tried again on others."""
    told: list[bool] = []
    for _ in range(8 * n):
        if len(told) == n:
            break
        one = try_one()
        if one is not None:
            told.append(one)
    return sum(told), len(told)


def _written(
    pictures: Sequence[Picture], font: Font, rng: random.Random, height: int, contrast: float, degrees: int, dots: bool
) -> bool | None:
    text = wording(rng)[1]
    text = text[:4].strip() if height > 60 else text
    pixels = _part(rng.choice(pictures).pixels, rng, max(_SIDE, 4 * height))
    flat = _dotted(font, text, height) if dots else _of_height(font, text, height)
    placed = _placed(flat, degrees, pixels.shape, rng)
    return None if placed is None else covered(_drawn(pixels, placed[0], contrast), placed[0])


def _of_height(font: Font, text: str, height: int) -> np.ndarray:
    """The line's ink with its own capitals ``height`` px high."""
    size = max(6, round(height * height / max(font.ink("H", max(6, height)).shape[0], 1)))
    return font.ink(text, size)


def covered(pixels: np.ndarray, ink: np.ndarray) -> bool:
    """Whether the line of this ``ink`` (0 to 1) is in what would be painted of ``pixels``."""
    boxes = [with_margin(box) for text in found_text(pixels) for box in text.boxes()]
    strokes = ink > 0.5
    return bool(boxes) and float(mask_of(boxes, pixels.shape)[strokes].mean()) >= COVERED


def _part(pixels: np.ndarray, rng: random.Random, side: int) -> np.ndarray:
    h, w = pixels.shape[:2]
    y, x = rng.randint(0, max(0, h - side)), rng.randint(0, max(0, w - side))
    return np.ascontiguousarray(pixels[y : y + side, x : x + side])


def stored(pictures: Sequence[Picture], each: int) -> dict[str, Any]:
    """Of lines added to 12 to 16 bit values where the ground is quiet: the share found, by contrast of the range."""
    deep = [p for p in pictures if p.pixels.dtype.itemsize == 2 and p.pixels.ndim == 2 and min(p.pixels.shape) >= 200]
    rng, faces = random.Random(7), list(kinds().values())
    return {f"{c:g}": share(*_count(partial(_added, deep, rng, faces, c), each)) for c in STORED}


def _added(deep: Sequence[Picture], rng: random.Random, faces: Sequence[Font], contrast: float) -> bool | None:
    pixels = _part(rng.choice(deep).pixels, rng, _SIDE)
    flat = rng.choice(faces).ink(wording(rng)[1], rng.choice((16, 20, 28)))
    low, high = (float(v) for v in np.percentile(pixels, (0.1, 99.9)))
    placed = _placed(flat, 0, pixels.shape, rng)
    if placed is None or high - low < 200:
        return None
    ink = placed[0]
    y, x = np.nonzero(ink > 0.5)
    ground = pixels[y.min() : y.max() + 1, x.min() : x.max() + 1]
    if float(np.std(ground)) > _QUIET * contrast * (high - low):
        return None
    sign = 1 if float(np.median(ground)) <= (low + high) / 2 else -1
    limits = np.iinfo(pixels.dtype)
    drawn = np.clip(pixels + sign * contrast * (high - low) * ink, limits.min, limits.max).astype(pixels.dtype)
    return covered(drawn, ink)


def hue(pictures: Sequence[Picture], each: int) -> dict[str, Any]:
    """Of lines whose channels are their ground's in another order, so that the brightest and the darkest stay, the
    share found: on colour pictures as they are and on grey ones in colour tables of fused and Doppler pictures."""
    rng, faces = random.Random(9), list(kinds().values())
    grey = [p.pixels for p in pictures if p.pixels.ndim == 2 and p.pixels.dtype == np.uint8]
    grounds = {"colour pictures": [p.pixels for p in pictures if p.pixels.ndim == 3 and p.pixels.dtype == np.uint8]}
    for name in ("HOT", "JET", "PINK"):
        table = getattr(cv2, f"COLORMAP_{name}")
        grounds[name.lower()] = [np.asarray(cv2.applyColorMap(p, table)) for p in rng.sample(grey, min(20, len(grey)))]
    told = {name: share(*_count(partial(_swapped, some, rng, faces), each)) for name, some in grounds.items() if some}
    return {name: figure for name, figure in told.items() if figure["of"]}  # colour pictures may be nearly grey


def _swapped(grounds: Sequence[np.ndarray], rng: random.Random, faces: Sequence[Font]) -> bool | None:
    pixels = _part(rng.choice(grounds), rng, _SIDE)
    placed = _placed(rng.choice(faces).ink(wording(rng)[1], rng.choice((16, 20, 28))), 0, pixels.shape, rng)
    if placed is None:
        return None
    ink = placed[0]
    other = pixels[..., rng.choice(([1, 2, 0], [2, 0, 1], [2, 1, 0]))].astype(np.float32)
    drawn = pixels + (other - pixels) * ink[..., None]
    differs = np.abs(other - pixels).max(axis=2)[ink > 0.5]
    if float(np.quantile(differs, 0.1)) < 40:  # on grey ground another order is the same colour
        return None
    return covered(np.clip(drawn, 0, 255).astype(np.uint8), ink)


def codes(pictures: Sequence[Picture], each: int) -> dict[str, Any]:
    """How many of the codes that zxing-cpp reads it still reads in what the gate lets out, in all, by kind and by the
    size of modules."""
    found: dict[str, list[bool]] = {"all": []}
    for code in plant_codes(pictures, 22 * each, 12):
        before = set(decoded(code.pixels))
        if not before:
            continue
        cleared = gate(code.pixels, None, PixelPolicy())
        left = cleared.reason is None and bool(before & set(decoded(cleared.pixels)))
        for name in ("all", code.kind, f"{code.module:g} px"):
            found.setdefault(name, []).append(left)
    return {name: share(sum(left), len(left)) for name, left in sorted(found.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="as of benchmarks.burned_in")
    parser.add_argument("--each", type=int, default=4, help="lines a point of a curve")
    parser.add_argument("--only", default="letters,stored,hue,codes")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--plot", type=Path, default=PLOT)
    args = parser.parse_args()
    pictures = clean_pictures(args.data)[1::2]
    small = [p for p in pictures if max(p.pixels.shape) <= _LARGEST]
    # vqa_rad is in no fitting at all
    plain = [p for p in small if p.name.startswith("vqa_rad") and p.pixels.ndim == 2]
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "letters": lambda: letters(plain, args.each),
        "stored": lambda: stored(clean_pictures(args.data), 8 * args.each),
        "hue": lambda: hue(small, 4 * args.each),
        "codes": lambda: codes(small, args.each),
    }
    told = json.loads(args.out.read_text()) if args.out.exists() else {}
    for name in args.only.split(","):
        start = time.process_time()
        told[name] = parts[name]()
        told.setdefault("CPU s", {})[name] = round(time.process_time() - start, 1)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(told, indent=1) + "\n")
    if "letters" in told:
        faint = (
            {"contrast in stored values, on quiet ground, all fonts": {"all": told["stored"]}}
            if "stored" in told
            else {}
        )
        curves(told["letters"] | faint, args.plot)
    print(json.dumps({k: v for k, v in told.items() if k != "letters"}, indent=1))


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
