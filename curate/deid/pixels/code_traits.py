"""What a place in a picture looks like, and how much that is a code's: traits, weighed.

Measured on the place laid upright. Weighed by logistic regression on the traits and their products, two by two
(``python -m benchmarks.burned_in.fit_codes`` writes ``data/code_weights.json``): what tells a code from metal, whose
edges are as straight and whose tones are as few, is no trait alone.
"""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Image8

WEIGHTS = "code_weights.json"
WINDOW = 13  # px: some modules; in the middle of a code, nothing but code

Floats = npt.NDArray[np.float32]
Reals = npt.NDArray[np.float64]
Rect = tuple[tuple[float, float], tuple[float, float], float]  # middle, size (px), degrees: as OpenCV has them

_MANY = 4  # changes of tone along which evenness can be told
_STEEP = 0.8  # of the contrast (Sobel, eight times a step a pixel): what is an edge
_STEP = 0.3  # of the contrast, between pixels side by side: a change
_ACROSS, _ALONG = math.log1p(2), math.log1p(10)  # changes of tone: of a matrix across, or of bars along
_BETWEEN = 0.12  # of the contrast, about the middle: neither tone


class Region(NamedTuple):
    """Where windows look like a code's: the rectangle around them, and how much of it they fill, 0 to 1."""

    rect: Rect
    fill: float


def measured(view: Image8, region: Region, side: int) -> list[float] | None:
    """What the region looks like: its traits; None where it has too few modules either way for a code.

    ``side``: px, the shorter of the picture's.
    """
    (wide, high), patch = region.rect[1], upright(view, region.rect)
    tone, contrast, inner = _toned(patch)
    changes = [quantiles(_changes(way), 0.5, 0.2) for way in (tone, tone.T)]
    few, many = sorted(changes)
    if math.log1p(few[0]) < _ACROSS and math.log1p(many[0]) < _ALONG:
        return None
    short, long = sorted((wide, high))
    square, parallel = _directions(patch, contrast, inner)
    return [
        math.log1p(few[0]), math.log1p(few[1]), math.log1p(many[0]), math.log1p(many[1]),
        10 * (changes[0][0] / wide + changes[1][0] / high),
        2 * float(np.abs(tone).mean()), abs(float((tone > 0).mean()) - 0.5),
        square, parallel, region.fill, math.log(short), math.log(long / short), math.log(short / side),
        *_all_over(tone, contrast[inner]),
    ]  # fmt: skip


def _toned(patch: Image8) -> tuple[Floats, Floats, tuple[slice, slice]]:
    """The inside of ``patch``, -0.5 (its window's darkest) to 0.5; every window's contrast; where the inside is."""
    kernel = np.ones((WINDOW, WINDOW), np.uint8)
    light, dark = (np.asarray(op(patch, kernel), np.float32) for op in (cv2.dilate, cv2.erode))
    contrast = np.maximum(light - dark, 1)
    h, w = patch.shape
    inner = np.s_[h // 8 : h - h // 8, w // 8 : w - w // 8]
    return ((patch - (light + dark) / 2) / contrast)[inner], contrast, inner


def _all_over(tone: Floats, contrast: Floats) -> tuple[float, float, float, float]:
    """How densely tones change in the emptiest windows, in the median one, the former in terms of the latter; and the
    least contrast in terms of the median: a code is one all over, and what is built of parts has empty places."""
    size = (WINDOW, WINDOW)
    rows = cv2.blur((np.abs(np.diff(tone, axis=1)) > _STEP).astype(np.float32), size)
    columns = cv2.blur((np.abs(np.diff(tone, axis=0)) > _STEP).astype(np.float32), size)
    least, middle = quantiles(np.maximum(rows[:-1], columns[:, :-1]), 0.05, 0.5)
    return least, middle, least / max(middle, 0.01), float(contrast.min()) / max(*quantiles(contrast, 0.5), 1.0)


def quantiles(values: npt.NDArray[Any], *at: float) -> tuple[float, ...]:
    """As `numpy.quantile` has them, at a tenth of its cost for few values."""
    places = [part * (values.size - 1) for part in at]
    ordered = np.partition(values, sorted({f(place) for place in places for f in (math.floor, math.ceil)}), axis=None)
    pairs = [(float(ordered[math.floor(place)]), float(ordered[math.ceil(place)]), place % 1) for place in places]
    return tuple(low + (high - low) * part for low, high, part in pairs)


def _changes(tone: Floats) -> npt.NDArray[np.int64]:
    """How often each row of ``tone`` goes from dark to light or back, int64[h]; what is neither is passed over."""
    at = np.flatnonzero(np.abs(tone) > _BETWEEN)
    light, row = tone.ravel()[at] > 0, at // tone.shape[1]
    turns = (light[1:] != light[:-1]) & (row[1:] == row[:-1])
    return np.bincount(row[1:][turns], minlength=len(tone))


def evenness(view: Image8, rect: Rect) -> float:
    """How evenly what changes there changes, -1 to 1: in a radiograph's grid, a ruler, a phantom's lines it is 1."""
    tone = _toned(upright(view, rect))[0]
    return min((_repeats(way) for way in (tone, tone.T) if quantiles(_changes(way), 0.5)[0] >= _MANY), default=0.0)


def _repeats(tone: Floats) -> float:
    """How much rows are like themselves, -1 to 1, one dark and one light stripe further on."""
    length = tone.shape[1]
    power = np.abs(np.fft.rfft(tone - tone.mean(axis=1, keepdims=True), 2 * length, axis=1)) ** 2
    like = np.fft.irfft(power.sum(axis=0))[:length] / (length - np.arange(length))
    stripe = length / max(*quantiles(_changes(tone), 0.5), 1.0)
    some = like[math.ceil(1.6 * stripe) : math.floor(2.6 * stripe) + 1]
    return float(some.max() / max(like[0], 1e-6)) if len(some) else 0.0


def _directions(patch: Image8, contrast: Floats, inner: tuple[slice, slice]) -> tuple[float, float]:
    """How far edges run along two directions at a right angle, and along one: 0 (all over) to 1 (all)."""
    across, down = ((cv2.Sobel(patch, cv2.CV_32F, dx, 1 - dx) / contrast)[inner] for dx in (1, 0))
    turned = across + 1j * down
    strength = np.abs(turned)
    turned, strength = turned[strength > _STEEP], strength[strength > _STEEP]
    if not len(strength):
        return 0.0, 0.0
    twice = np.square(turned / strength)
    total = float(strength.sum())
    square, parallel = (float(np.abs((strength * way).sum())) / total for way in (np.square(twice), twice))
    return square, parallel


def upright(view: Image8, rect: Rect) -> Image8:
    """What lies in ``rect``, laid upright at its own size; beyond the picture its border is repeated."""
    wide, high = (max(8, round(side)) for side in rect[1])
    corners = cv2.boxPoints(rect)[1:].astype(np.float32)
    there = np.array([(0, 0), (wide, 0), (wide, high)], np.float32)
    way = cv2.getAffineTransform(corners, there)
    return np.asarray(cv2.warpAffine(view, way, (wide, high), borderMode=cv2.BORDER_REPLICATE), np.uint8)


class _Weights(NamedTuple):
    """``mean`` and ``deviation`` that each of k traits is scaled by, float64[k]; ``linear`` float64[k] and ``products``
    float64[k, k] weigh what comes of it."""

    bias: float
    mean: Reals
    deviation: Reals
    linear: Reals
    products: Reals


@cache
def _weights() -> _Weights:
    fitted = json.loads((files("curate.deid.pixels") / "data" / WEIGHTS).read_text("utf-8"))
    return _Weights(fitted["bias"], *(np.array(fitted[name]) for name in _Weights._fields[1:]))


def scaled(traits: Reals, mean: Reals, deviation: Reals) -> Reals:
    """float64[..., k] of ``traits``, as they are weighed; what is far off counts as four deviations."""
    return np.clip((traits - mean) / deviation, -4, 4)


def log_odds(traits: list[float] | None) -> float:
    """The log-odds that a region of these ``traits`` is a code; of what has none it is none."""
    if traits is None:
        return -math.inf
    bias, mean, deviation, linear, products = _weights()
    z = scaled(np.array(traits), mean, deviation)
    return float(bias + z @ linear + z @ products @ z)
