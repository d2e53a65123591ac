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
        (5.7416, 2.8738, 1.6414, -0.5472),
        (2.6713, 0.4871, -0.1158, 0.3552),
        (1.3695, 0.5293, 0.6187, -0.2565),
        (3.9350, 0.7356, -1.1665, -0.2832),
        (0.0812, 0.0999, -0.4044, 0.1325),
        (0.0262, 0.0551, -0.7505, 0.0175),
        (0.0556, 0.0998, -0.9040, 0.2402),
        (0.9269, 0.2148, 1.9563, -0.8317),
        (0.4543, 0.1940, -1.7471, 0.2520),
        (0.0567, 0.0626, 0.1652, -0.0913),
        (0.7062, 0.1648, 2.2052, -0.1617),
        (0.4784, 0.2821, 2.3877, -0.6706),
        (0.2293, 0.2359, -0.4116, 0.1068),
        (0.4922, 0.1202, 0.3314, -0.2410),
    ]
)
_ROW_BIAS = 4.5171
_PAIR = np.array(
    [
        (2.0000, 1.0000, 0.0000, 0.0000),
        (2.4438, 0.4606, 0.4539, -0.1183),
        (0.4192, 0.2389, 0.0387, -0.4248),
        (3.5156, 0.6209, -0.6106, -0.2707),
        (0.1386, 0.0731, -0.0746, 0.3276),
        (0.0381, 0.0339, -0.7726, 0.5296),
        (0.1205, 0.1759, -0.9662, -0.1547),
        (0.8155, 0.2495, 2.2647, -0.6899),
        (0.6006, 0.2011, -0.8702, 0.2299),
        (0.1012, 0.0808, -0.2169, -0.0317),
        (0.6351, 0.1570, 2.0905, -0.0950),
        (0.2630, 0.1874, 1.9499, -0.0922),
        (0.0000, 1.0000, 0.0000, 0.0000),
        (0.4966, 0.1261, -0.1629, -0.0246),
    ]
)
_PAIR_BIAS = -5.5673
_LONE = np.array(
    [
        (2.1714, 0.4370, -0.1573, -0.2212),
        (0.4628, 0.3690, 0.7370, -0.2778),
        (3.5486, 0.5841, -0.7777, -0.3230),
        (0.1827, 0.1277, -0.9745, 0.2951),
        (1.0626, 0.2976, 0.0228, -0.2223),
        (0.5870, 0.2447, -2.6625, 0.4929),
        (0.5454, 0.1681, 2.3963, 0.1316),
        (0.3973, 0.2389, 1.9882, -0.2400),
        (0.4443, 0.1453, 1.0045, -0.2329),
        (1.0741, 0.5375, 1.7393, -0.3401),
        (1.7420, 1.1999, 0.7134, 0.1559),
    ]
)
_LONE_BIAS = -1.3538
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
