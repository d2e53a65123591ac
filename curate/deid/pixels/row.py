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

# Traits in the order of `Row.traits`: mean and deviation they are scaled by, weight, weight of the square. A row of two
# pieces is judged by weights of its own: what tells text from anatomy there is how the pieces are drawn.
_ROW = np.array(
    [
        (5.4150, 2.7875, 1.4956, -0.2732),
        (2.7543, 0.5223, -0.0650, 0.4795),
        (1.3255, 0.5399, 0.8496, -0.3828),
        (3.9114, 0.7175, -0.6947, 0.0267),
        (0.0894, 0.1041, -0.2502, 0.4292),
        (0.0308, 0.0571, -0.6187, -0.1430),
        (0.0811, 0.1506, -1.2959, 0.3045),
        (0.8814, 0.1880, 2.3055, -0.9071),
        (0.4605, 0.1988, -2.0972, -0.0469),
        (0.0568, 0.0613, -0.2337, 0.2588),
        (0.6787, 0.1739, 2.4847, -0.1878),
        (0.4629, 0.2817, 2.1293, -0.8673),
        (0.2398, 0.2375, -0.3500, 0.1746),
        (0.4861, 0.1181, 0.7816, -0.3682),
    ]
)
_ROW_BIAS = 2.3668
_PAIR = np.array(
    [
        (2.0000, 1.0000, 0.0000, 0.0000),
        (2.5718, 0.5169, -0.2157, -0.9378),
        (0.4299, 0.2394, 0.5321, -0.2666),
        (3.5145, 0.5794, -0.6778, -0.3807),
        (0.1419, 0.0728, -0.0412, 0.3632),
        (0.0383, 0.0325, -0.9892, 0.1728),
        (0.1593, 0.2434, -0.6345, -0.2114),
        (0.7475, 0.2520, 2.1827, -0.6816),
        (0.6024, 0.2144, -1.1518, -0.0921),
        (0.0952, 0.0791, -0.1252, 0.0154),
        (0.6163, 0.1586, 1.8578, 0.0141),
        (0.2663, 0.1701, 1.5128, -0.0280),
        (0.0000, 1.0000, 0.0000, 0.0000),
        (0.5136, 0.1312, -0.2374, -0.0449),
    ]
)
_PAIR_BIAS = -5.1393


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
        model, bias = (_PAIR, _PAIR_BIAS) if self.count == 2 else (_ROW, _ROW_BIAS)
        mean, deviation, weight, square = model.T
        z = np.clip((np.array(self.traits) - mean) / deviation, -4, 4)
        return float(bias + z @ weight + (z * z) @ square)


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
