"""What a row of glyph-like marks looks like, and how much that is what drawn text looks like.

Drawn text is what anatomy is not: thin strokes of one tone with sharp edges, in pieces of like height that stand on one
line, evenly close. Each trait is weak alone, so a row's traits are weighed together (logistic regression; the weights
come from ``benchmarks/burned_in.py --fit``). A row holds few and small pieces, for which plain Python on sorted lists
costs a tenth of array functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image8 = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]  # x, y, width, height in pixels

_MEASURED = 10  # pieces of a row whose pixels are looked at: a row's traits are medians

# Traits in the order of `Row.traits`: mean and deviation they are scaled by, weight, weight of the square.
_MODEL = np.array(
    [
        (6.9930, 3.5346, 1.6858, -0.8817),
        (2.6572, 0.4643, 0.0149, 0.8921),
        (1.5172, 0.5665, 0.9838, -0.4073),
        (3.8552, 0.7203, -0.2037, -0.1587),
        (0.0852, 0.1011, -0.3020, 0.2236),
        (0.0235, 0.0511, -1.1208, 0.0928),
        (0.0788, 0.1189, -0.9531, 0.0432),
        (0.9337, 0.1579, 1.9429, -0.6924),
        (0.4966, 0.1769, -1.6257, 0.0531),
        (0.0826, 0.0714, 0.1692, -0.1525),
        (0.7303, 0.1614, 1.5391, -0.4035),
        (0.4215, 0.2421, 0.8124, -0.2828),
        (0.2482, 0.2351, -0.2527, 0.1534),
        (0.5414, 0.1199, 0.5923, -0.0100),
    ]
)
_BIAS = 4.0258


@dataclass(frozen=True)
class Row:
    """A candidate line of text and what it looks like; spreads are relative to the height or the contrast."""

    box: Box
    count: int
    level: int
    height_spread: float
    baseline_spread: float
    tone_spread: float
    sharpness: float
    stroke: float
    stroke_spread: float
    stable: float
    contrast: float
    gap_spread: float
    fill: float

    @property
    def traits(self) -> list[float]:
        short, long = sorted(self.box[2:])
        return [
            min(self.count, 12), math.log(short), math.log(long / short), math.log(self.level), self.height_spread,
            self.baseline_spread, self.tone_spread, self.sharpness, self.stroke, self.stroke_spread, self.stable,
            self.contrast, self.gap_spread, self.fill,
        ]  # fmt: skip

    @property
    def score(self) -> float:
        """Log-odds that this is a line of text, by the fitted weights."""
        mean, deviation, weight, square = _MODEL.T
        z = np.clip((np.array(self.traits) - mean) / deviation, -4, 4)
        return float(_BIAS + z @ weight + (z * z) @ square)


@dataclass(frozen=True)
class Look:
    """A part of the picture at one polarity and contrast level.

    The grey image, the strokes in it, its edges (uint8[H, W]) and the labels of the connected pieces of its strokes
    (uint16 or int32 [H, W]). ``at`` is the part's corner (x, y) in the image, ``factor`` how often that was halved.
    """

    image: Image8
    strokes: Image8
    edges: Image8
    labels: npt.NDArray[Any]
    level: int
    at: tuple[int, int]
    factor: int


def measured(look: Look, pieces: list[list[int]], labels: list[int], turned: bool) -> Row:
    """The row of these pieces, each x, y, width, height and area within the look; ``turned``: it runs downwards."""
    along, across = (1, 0) if turned else (0, 1)
    heights = [p[across + 2] for p in pieces]
    starts, ends = [p[across] for p in pieces], [p[across] + p[across + 2] for p in pieces]
    order = sorted(p[along] for p in pieces)
    steps = [b - a for a, b in pairwise(order)]
    tall = _median(heights)
    some = np.linspace(0, len(pieces) - 1, min(len(pieces), _MEASURED)).astype(int).tolist()
    traits = [_piece(look, pieces[k], labels[k], heights[k]) for k in some]
    tone, sharp, stroke, stable, contrast, fill = zip(*traits, strict=True)
    strength = _median(contrast)
    x, y = min(p[0] for p in pieces), min(p[1] for p in pieces)
    w, h = max(p[0] + p[2] for p in pieces) - x, max(p[1] + p[3] for p in pieces) - y
    n = look.factor
    return Row(
        box=((x + look.at[0]) * n, (y + look.at[1]) * n, w * n, h * n),
        count=len(pieces),
        level=look.level,
        height_spread=_spread(heights) / tall,
        baseline_spread=min(_spread(starts), _spread(ends)) / tall,
        tone_spread=_spread(tone) / max(strength, 1.0),
        sharpness=_median(sharp),
        stroke=_median(stroke),
        stroke_spread=_spread(stroke),
        stable=_median(stable),
        contrast=strength / 255,
        gap_spread=_spread(steps) / tall,
        fill=_median(fill),
    )


def _piece(look: Look, piece: list[int], label: int, height: int) -> tuple[float, ...]:
    """Of one piece: tone, edge over contrast, stroke width over height, stability of its area, contrast, fill."""
    x, y, w, h, area = piece
    box = np.s_[y : y + h, x : x + w]
    where = look.labels[box] == label
    strokes = look.strokes[box]
    contrast = max(_quantile(strokes[where], 0.90), 1.0)
    core = np.count_nonzero(strokes > int(0.65 * contrast)) / np.count_nonzero(strokes > int(0.3 * contrast))
    half = (strokes > int(0.5 * contrast)).view(np.uint8)
    inside = cv2.distanceTransform(cv2.copyMakeBorder(half, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L1, 3)
    return (
        _quantile(look.image[box][where], 0.75),
        _quantile(look.edges[box][where], 0.90) / contrast,
        2 * float(inside.max()) / height,
        core,
        contrast,
        area / (w * h),
    )


def _quantile(values: Image8, part: float) -> float:
    """The quantile ``part`` (below 1) of any number of bytes, interpolated between the two nearest."""
    values = np.sort(values)
    at = part * (len(values) - 1)
    low = int(at)
    a, b = int(values[low]), int(values[min(low + 1, len(values) - 1)])
    t = at - low
    return a + (b - a) * t if t < 0.5 else b - (b - a) * (1 - t)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _spread(values: Sequence[float]) -> float:
    """Median absolute deviation."""
    middle = _median(values)
    return _median([abs(v - middle) for v in values])
