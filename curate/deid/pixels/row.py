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
        (5.6639, 2.8184, 1.5071, -0.2516),
        (2.6699, 0.4863, -0.2056, 0.3836),
        (1.3620, 0.5284, 0.6318, -0.2679),
        (3.9563, 0.7368, -1.1178, -0.1788),
        (0.0796, 0.0991, -0.4132, 0.1264),
        (0.0255, 0.0547, -0.2946, -0.1728),
        (0.0561, 0.1009, -1.1657, 0.3924),
        (0.9285, 0.2328, 1.5450, -0.5732),
        (0.4516, 0.1944, -1.7522, 0.1551),
        (0.0555, 0.0622, 0.0702, -0.0420),
        (0.7071, 0.1669, 2.0839, -0.1877),
        (0.4840, 0.2837, 2.4018, -0.7558),
        (0.2302, 0.2356, -0.2416, 0.0446),
        (0.4894, 0.1207, 0.3904, -0.1720),
    ]
)
_ROW_BIAS = 4.0870
_PAIR = np.array(
    [
        (2.0000, 1.0000, 0.0000, 0.0000),
        (2.4473, 0.4609, 0.3372, -0.2671),
        (0.4222, 0.2388, 0.1591, -0.3767),
        (3.5319, 0.6200, -1.1704, -0.1208),
        (0.1389, 0.0732, -0.2531, 0.2297),
        (0.0383, 0.0339, -0.8085, 0.5092),
        (0.1186, 0.1768, -0.4172, -0.1661),
        (0.8118, 0.2520, 1.7779, -0.4302),
        (0.6015, 0.2029, -0.6804, 0.3530),
        (0.0997, 0.0791, -0.1602, -0.0217),
        (0.6372, 0.1576, 2.0718, -0.1182),
        (0.2680, 0.1881, 2.5849, -0.2524),
        (0.0000, 1.0000, 0.0000, 0.0000),
        (0.4981, 0.1265, -0.2146, 0.0152),
    ]
)
_PAIR_BIAS = -5.0505
_LONE = np.array(
    [
        (2.1784, 0.4463, -0.1025, -0.2772),
        (0.4614, 0.3711, 0.9112, -0.3142),
        (3.5683, 0.5961, -0.8539, -0.2925),
        (0.1786, 0.1256, -1.0422, 0.2700),
        (1.0402, 0.3420, 0.2905, -0.2558),
        (0.6182, 0.2521, -2.6571, 0.5206),
        (0.5440, 0.1642, 2.2363, 0.0916),
        (0.3888, 0.2362, 1.9481, -0.2507),
        (0.4479, 0.1484, 1.0509, -0.1884),
        (1.0456, 0.5191, 1.6874, -0.3142),
        (1.6957, 1.1814, 0.6684, 0.1629),
    ]
)
_LONE_BIAS = -2.0224
_MODELS = {1: (_LONE, _LONE_BIAS), 2: (_PAIR, _PAIR_BIAS)}


@dataclass(frozen=True)
class Row:
    """A candidate line of text and what it looks like; spreads are relative to the height or the contrast.

    Of a row that is one piece the tone spreads within it, and ``crossings`` says how many strokes a line along it
    crosses, for each height it is long; where there are more pieces, that is 0.
    """

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
    crossings: float

    @property
    def traits(self) -> list[float]:
        short, long = sorted(self.box[2:])
        if self.count == 1:
            return [
                math.log(short), math.log(long / short), math.log(self.level), self.tone_spread, self.sharpness,
                self.stroke, self.stable, self.contrast, self.fill, self.crossings, self.crossings * long / short,
            ]  # fmt: skip
        return [
            min(self.count, 12), math.log(short), math.log(long / short), math.log(self.level), self.height_spread,
            self.baseline_spread, self.tone_spread, self.sharpness, self.stroke, self.stroke_spread, self.stable,
            self.contrast, self.gap_spread, self.fill,
        ]  # fmt: skip

    @property
    def score(self) -> float:
        """Log-odds that this is a line of text, by the fitted weights."""
        model, bias = _MODELS.get(self.count, (_ROW, _ROW_BIAS))
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
    tones, crossings = (_spread(tone), 0.0) if len(pieces) > 1 else _alone(look, pieces[0], labels[0], tone[0])
    x, y = min(p[0] for p in pieces), min(p[1] for p in pieces)
    w, h = max(p[0] + p[2] for p in pieces) - x, max(p[1] + p[3] for p in pieces) - y
    n = look.factor
    return Row(
        box=((x + look.at[0]) * n, (y + look.at[1]) * n, w * n, h * n),
        count=len(pieces),
        level=look.level,
        height_spread=_spread(heights) / tall,
        baseline_spread=min(_spread(starts), _spread(ends)) / tall,
        tone_spread=tones / max(strength, 1.0),
        sharpness=_median(sharp),
        stroke=_median(stroke),
        stroke_spread=_spread(stroke),
        stable=_median(stable),
        contrast=strength / 255,
        gap_spread=_spread(steps) / tall if steps else 0.0,
        fill=_median(fill),
        crossings=crossings,
    )


def _alone(look: Look, piece: list[int], label: int, tone: float) -> tuple[float, float]:
    """Of a lone piece: the spread of its tones about ``tone``, and the strokes crossed along it for each height."""
    x, y, w, h, _ = piece
    box = np.s_[y : y + h, x : x + w]
    where = look.labels[box] == label
    away = cv2.absdiff(look.image[box], np.full((h, w), round(tone), np.uint8))
    across = where if w >= h else where.T
    some = across[[len(across) // 4, len(across) // 2, 3 * len(across) // 4]]
    starts = int(np.count_nonzero(some[:, 1:] & ~some[:, :-1]) + np.count_nonzero(some[:, 0])) / 3
    return _quantile(away[where], 0.5), starts * min(w, h) / max(w, h)


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
