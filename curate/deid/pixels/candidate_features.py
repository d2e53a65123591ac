"""What a row of glyph-like marks looks like, and how much that is what drawn text looks like.

Drawn text is what anatomy is not: thin strokes of one tone with sharp edges, in pieces of like height that stand on one
line, evenly close. Each trait is weak alone, so a row's traits are weighed together: logistic regression on them and
their squares, by weights of its own for one piece, two and more, since what tells text from anatomy differs there.
``python -m benchmarks.burned_in.fit_features`` writes the weights to ``data/candidate_features.json``. A row holds few
and small pieces, for which plain Python on sorted lists costs a tenth of array functions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Box, Image8

WEIGHTS = "candidate_features.json"

_MEASURED = 10  # pieces of a row whose pixels are looked at: a row's traits are medians


@cache
def _weights() -> list[tuple[npt.NDArray[np.float64], float]]:
    """For one piece, two and more: float64[4, traits] (mean and deviation a trait of `Row.traits` is scaled by, its
    weight, that of its square) and the bias."""
    told = json.loads((files("curate.deid.pixels") / "data" / WEIGHTS).read_text("utf-8"))
    return [(np.array(told[kind]["traits"]).T, float(told[kind]["bias"])) for kind in ("one", "two", "more")]


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
    dark: bool = False

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
        model, bias = _weights()[min(self.count, 3) - 1]
        mean, deviation, weight, square = model
        z = np.clip((np.array(self.traits) - mean) / deviation, -4, 4)
        return float(bias + z @ weight + (z * z) @ square)


@dataclass(frozen=True)
class Look:
    """A part of the picture at one polarity and contrast level.

    The grey image, the strokes in it, its edges (uint8[H, W]) and the labels of the connected pieces of its strokes
    (uint16 or int32 [H, W]). ``at`` is the part's corner (x, y) in the image, ``factor`` how often that was halved;
    ``dark`` strokes are darker than their ground.
    """

    image: Image8
    strokes: Image8
    edges: Image8
    labels: npt.NDArray[Any]
    level: int
    at: tuple[int, int]
    factor: int
    dark: bool = False


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
        dark=look.dark,
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
