"""Crops to fit the text detector with: parts of real and made pictures as a pyramid's levels show them, figures that
are no text, text, and the truth about it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.burned_in.fit_figures import draw_figures
from benchmarks.burned_in.fit_text import SIDE, Image8, write_text


@dataclass(frozen=True)
class Ground:
    """A picture that text is drawn on, uint8[H, W]; what of it is writing already: 1 text, 2 not known; and where it
    was seen that there is none: 1."""

    pixels: Image8
    written: Image8
    free: Image8


@dataclass(frozen=True)
class Crop:
    """``pixels``: uint8[side, side]; ``truth``: uint8, 1 in a line's core, 0 on ground, 2 where nothing is asked."""

    pixels: Image8
    truth: Image8


def crop(grounds: Sequence[Ground], fonts: Sequence[str], rng: random.Random, side: int = SIDE) -> Crop:
    """One crop with 0 to 9 lines: on a part of one picture, or on several as small as in a pyramid's last levels; of a
    smaller ``side`` on one as small as that, as such a level is shown alone."""
    small = side < SIDE
    pixels, truth = _mosaic(grounds, rng, side) if small or rng.random() < 0.3 else _ground(rng.choice(grounds), rng)
    if not small and rng.random() < 0.4:
        pixels = draw_figures(pixels, rng)
    canvas = pixels.astype(np.float32)
    for _ in range(rng.choice((0, 1, 1, 2) if small else (0, 0, 1, 1, 2, 2, 3, 4, 6, 9))):
        write_text(canvas, truth, fonts, rng)
    return Crop(_finished(canvas, rng), truth)


def _mosaic(grounds: Sequence[Ground], rng: random.Random, across: int) -> tuple[Image8, Image8]:
    """Whole pictures, or most of one, in 4 to 16 cells, or one alone where there is no room; what is written on them is
    too small to be asked about."""
    many = rng.choice((2, 2, 3, 4)) if across == SIDE else 1
    pixels, marks = np.zeros((across, across), np.uint8), np.zeros((across, across), np.uint8)
    edges = [round(k * across / many) for k in range(many + 1)]
    for top, bottom in pairwise(edges):
        for left, right in pairwise(edges):
            one, (h, w) = rng.choice(grounds), (bottom - top, right - left)
            high, wide = one.pixels.shape
            side = rng.choice((max(high, wide), min(high, wide), rng.uniform(0.4, 1) * min(high, wide)))
            y, x = (round(rng.uniform(0, max(0, n - side))) for n in (high, wide))
            at = np.s_[y : y + round(side), x : x + round(side)]
            part, seen = one.pixels[at], one.written[at]
            by = min(h, w) / max(part.shape)
            size = (max(1, int(part.shape[1] * by)), max(1, int(part.shape[0] * by)))
            small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            written = cv2.resize(seen, size, interpolation=cv2.INTER_NEAREST)
            turns = rng.randrange(4)
            small, written = np.rot90(small, turns), np.rot90(written, turns)
            if rng.random() < 0.2:
                small = 255 - small
            small = np.clip(255 * (small / 255.0) ** math.exp(rng.uniform(-0.6, 0.6)), 0, 255).astype(np.uint8)
            beyond = [(0, h - small.shape[0]), (0, w - small.shape[1])]
            pixels[top:bottom, left:right] = np.pad(small, beyond, mode=rng.choice(("edge", "constant")))
            marks[top:bottom, left:right] = np.pad(2 * (written > 0).astype(np.uint8), beyond)
    return pixels, marks


def _ground(ground: Ground, rng: random.Random) -> tuple[Image8, Image8]:
    """A part of a picture at some size, turned, inverted, of other contrast."""
    times = math.exp(rng.uniform(math.log(0.35), math.log(2.2)))
    side = min(SIDE / times, *(2 * n for n in ground.pixels.shape))
    h, w = ground.pixels.shape
    x, y = rng.uniform(-0.2 * side, max(1, w - 0.8 * side)), rng.uniform(-0.2 * side, max(1, h - 0.8 * side))
    scale = SIDE / side
    matrix = np.array([[scale, 0, -x * scale], [0, scale, -y * scale]])
    if rng.random() < 0.1:  # at any slant
        a = rng.uniform(-math.pi, math.pi)
        turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
        matrix = np.c_[turn @ matrix[:, :2], turn @ matrix[:, 2] + SIDE / 2 * (1 - turn.sum(axis=1))]
    way = cv2.INTER_AREA if scale < 1 else rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST))
    if scale < 1:  # warping does not average
        small = cv2.resize(ground.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix = np.c_[matrix[:, :2] / scale, matrix[:, 2]]
        source, way = small, cv2.INTER_LINEAR
        marks = cv2.resize(ground.written, small.shape[::-1], interpolation=cv2.INTER_NEAREST)
    else:
        source, marks = ground.pixels, ground.written
    border = rng.choice((cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT))
    tone = rng.choice((0, 0, 0, 255, rng.randrange(256)))
    pixels = cv2.warpAffine(source, matrix, (SIDE, SIDE), flags=way, borderMode=border, borderValue=tone)
    written = cv2.warpAffine(marks, matrix, (SIDE, SIDE), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
    turns, flip = rng.randrange(4), rng.random() < 0.3
    pixels, written = np.rot90(pixels, turns), np.rot90(written, turns)
    if flip and not (written == 1).any():
        pixels, written = pixels[:, ::-1], written[:, ::-1]
    out = pixels.astype(np.float32)
    if rng.random() < 0.5:
        out = 255 * (out / 255) ** math.exp(rng.uniform(-0.7, 0.7))
    if rng.random() < 0.3:
        out = out * rng.uniform(0.2, 1.0) + rng.uniform(0, 100)
    if rng.random() < 0.12:  # a narrow window
        out = (out - np.float32(rng.uniform(30, 200))) * np.float32(rng.uniform(1.5, 6)) + 128
    if rng.random() < 0.2:
        out = 255 - out
    return np.clip(out, 0, 255).astype(np.uint8), np.ascontiguousarray(written)


def _finished(canvas: npt.NDArray[np.float32], rng: random.Random) -> Image8:
    out = canvas
    if rng.random() < 0.2:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.1))
    if rng.random() < 0.2:
        noise = np.random.default_rng(rng.randrange(2**31)).normal(0, rng.uniform(1, 10), out.shape)
        out = out + noise.astype(np.float32)
    done = np.clip(out, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        _, coded = cv2.imencode(".jpg", done, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(40, 95)])
        done = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return done
