"""Text planted on real pictures that have none: letters of 8 to 200 px, of any contrast and slant, dotted, told from
their ground by hue alone, and codes."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.burned_in.pictures import Picture
from benchmarks.drawn_text import Font, fonts, wording
from curate.deid.pixels.intensity_views import stretched

KINDS = ("plain", "plain", "plain", "slanted", "turned", "dotted", "hue", "code")
SMALL, LARGE = 8, 200  # px, height of letters
FAINT = 0.05  # of the range
_DOTS = 7  # px: height of the letters that are drawn as dots, one a pixel


@dataclass(frozen=True)
class Planted:
    """A picture with one line in it. ``ink``: float32[H, W], how much of each pixel is stroke; ``corners``: the line's
    corners (x, y), from its first letter's top left clockwise; ``height`` of it in px; ``contrast`` of the range."""

    picture: Picture
    pixels: np.ndarray
    ink: np.ndarray
    corners: np.ndarray
    text: str
    kind: str
    height: int
    contrast: float
    degrees: int
    font: str

    @property
    def area(self) -> float:
        """px, of the line's box."""
        return float(cv2.contourArea(self.corners.astype(np.float32)))


def plant(pictures: Sequence[Picture], n: int, seed: int = 1) -> list[Planted]:
    """``n`` lines, each alone on a picture, the pictures in turn."""
    rng, faces = random.Random(seed), fonts("test")
    made: list[Planted] = []
    tries = 0
    while len(made) < n and tries < 40 * n:
        tries += 1
        one = _one(pictures[(len(made) * 7 + tries) % len(pictures)], rng, faces)
        if one is not None:
            made.append(one)
    return made


def _one(picture: Picture, rng: random.Random, faces: Sequence[Font]) -> Planted | None:
    kind = rng.choice(KINDS)
    height = round(math.exp(rng.uniform(math.log(SMALL), math.log(LARGE))))
    contrast = math.exp(rng.uniform(math.log(FAINT), 0))
    font = rng.choice(faces)
    text = wording(rng)[1]
    if kind == "code":
        height = max(height, 40)
        code = np.asarray(cv2.QRCodeEncoder.create().encode(text + rng.choice("ABC") * 9), np.uint8)
        side = max(1, height // code.shape[0]) * code.shape[0]
        flat = cv2.resize(code, (side, side), interpolation=cv2.INTER_NEAREST)  # the label is light
    elif kind == "dotted":
        flat = _dotted(font, text, height)
    else:
        flat = font.ink(text, max(SMALL, round(height * 1.35)))
    degrees = {"slanted": rng.choice((5, 10, 20, 30, 45, 60, -15, -30)), "turned": rng.choice((90, 180, 270))}.get(
        kind, 0
    )
    placed = _placed(flat, degrees, picture.pixels.shape, rng)
    if placed is None:
        return None
    ink, corners = placed
    pixels = _hued(picture.pixels, ink, contrast, rng) if kind == "hue" else _drawn(picture.pixels, ink, contrast)
    high, face = round(math.dist(corners[0], corners[3])), font.source.split("/")[-1]
    return Planted(picture, pixels, ink, corners, text, kind, high, contrast, degrees, face)


def _dotted(font: Font, text: str, height: int) -> np.ndarray:
    """Letters of a dot matrix, seven dots high, with gaps between the dots."""
    dots = Font("bitmap").ink(text, 10) if font.source.startswith("cv") else font.ink(text, _DOTS + 3)
    pitch = max(2, round(height / dots.shape[0]))
    out = np.zeros((dots.shape[0] * pitch, dots.shape[1] * pitch), np.uint8)
    for y, x in np.argwhere(dots > 110):
        if pitch < 4:
            out[y * pitch, x * pitch] = 255
        else:
            cv2.circle(out, (int(x) * pitch + pitch // 2, int(y) * pitch + pitch // 2), max(1, pitch // 3), 255, -1)
    return out


def _placed(
    flat: np.ndarray, degrees: int, shape: Sequence[int], rng: random.Random
) -> tuple[np.ndarray, np.ndarray] | None:
    """The ink somewhere in a picture of ``shape``, often at its border, and the line's corners; None: too large."""
    h, w = flat.shape
    corners = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float64)
    a = math.radians(degrees)
    turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    turned = corners @ turn.T
    low, size = turned.min(axis=0), np.ptp(turned, axis=0)
    room = np.array([shape[1], shape[0]]) - size - 8
    if (room < 0).any():
        return None
    at = np.array([rng.uniform(0, room[0]), rng.uniform(0, room[1])])
    if rng.random() < 0.5:
        at[1] = rng.choice((0, room[1]))
    shift = np.round(at + 4 - low)
    matrix = np.c_[turn, shift]
    ink = cv2.warpAffine(
        flat, matrix, (shape[1], shape[0]), flags=cv2.INTER_LINEAR if degrees % 90 else cv2.INTER_NEAREST
    )
    return ink.astype(np.float32) / 255, turned + shift


def _range(pixels: np.ndarray) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(pixels, (0.1, 99.9)))
    return low, high if high > low else low + 1


def _drawn(pixels: np.ndarray, ink: np.ndarray, contrast: float) -> np.ndarray:
    """Brighter than its ground by ``contrast`` of the picture's range, darker where that is bright."""
    low, high = _range(pixels)
    ground = pixels.astype(np.float32)
    level = float(np.median(ground[ink > 0.5])) if (ink > 0.5).any() else low
    tone = level + contrast * (high - low) * (1 if level <= (low + high) / 2 else -1)
    share = ink if pixels.ndim == 2 else ink[..., None]
    limits = np.iinfo(pixels.dtype)
    return np.clip(ground * (1 - share) + tone * share, limits.min, limits.max).astype(pixels.dtype)


def _hued(pixels: np.ndarray, ink: np.ndarray, contrast: float, rng: random.Random) -> np.ndarray:
    """In colour: of the ground's brightness (the mean of its channels), and of another hue."""
    low, high = _range(pixels)
    grey = pixels if pixels.dtype == np.uint8 else stretched(pixels, low, high)
    ground = (grey if grey.ndim == 3 else np.repeat(grey[..., None], 3, axis=2)).astype(np.float32)
    if float(np.median(ground)) < 60:
        ground = ground * 0.6 + 60
    ways = [(1, -0.5, -0.5), (-0.5, 1, -0.5), (-0.5, -0.5, 1), (0.5, 0.5, -1), (0.5, -1, 0.5)]
    step = np.array(rng.choice(ways), np.float32) * contrast * 200
    return np.clip(ground + ink[..., None] * step, 0, 255).astype(np.uint8)
