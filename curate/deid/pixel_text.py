"""Rows of glyph-like marks in an image, in plain OpenCV: the fast first look for burned-in text.

Drawn text is what anatomy is not: thin strokes of one tone with sharp edges, in pieces of like height that stand on one
line, evenly close. Each trait is weak alone, so a row's traits are weighed together (logistic regression; the weights
come from ``benchmarks/burned_in.py --fit``). It leans towards seeing text: an OCR engine's detection may clear a row,
nothing clears an image in which no row was looked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image8 = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Box = tuple[int, int, int, int]  # x, y, width, height in pixels

_KERNEL = 15  # px: wider than any stroke of a letter 48 px high
_LEVELS = (20, 45, 90, 150)  # contrast of a stroke over its surroundings, of 255: faint text needs the lowest
_MIN_HEIGHT, _MAX_HEIGHT = 5, 48
_SMALL_IMAGE_HEIGHT = 14  # no line of text is a tenth of the picture high; ribs and gyri are
_MOST_PIECES = 2000  # more glyph-like pieces than this at one level is noise; the next level is cleaner
_MEASURED = 10  # pieces of a row whose pixels are looked at: a row's traits are medians
_LARGE = 700  # px: above, a half-size look finds letters too large for the native one

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


def text_rows(image: Image8, threshold: float) -> list[Row]:
    """The candidate rows of ``image`` (uint8[H, W]) that score above ``threshold``, best first."""
    return sorted((r for r in rows(image) if r.score > threshold), key=lambda r: (-r.score, r.box))


def rows(image: Image8) -> list[Row]:
    """Candidate rows, horizontal and vertical, bright and dark, at native size (and half size for large images)."""
    if min(image.shape) < 2 * _MIN_HEIGHT:
        return []
    found = _rows_at(image, 1)
    if min(image.shape) >= _LARGE:
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        found += _rows_at(np.asarray(half, np.uint8), 2)
    return found


def _rows_at(image: Image8, factor: int) -> list[Row]:
    kernel = np.ones((_KERNEL, _KERNEL), np.uint8)
    edges = np.asarray(cv2.morphologyEx(image, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.uint8)
    floor = min(3.5 * _noise(image), _LEVELS[1])  # grain makes glyphs of its own; strong text is looked for in any
    found: list[Row] = []
    for operation in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        strokes = np.asarray(cv2.morphologyEx(image, operation, kernel), np.uint8)
        for level in (v for v in _LEVELS if v >= floor):
            found += _rows_of(_Look(image, strokes, edges, level, factor))
    return found


def _noise(image: Image8) -> float:
    """Standard deviation of the grain, from differences of neighbours; 0 where most neighbours are equal."""
    steps = np.asarray(cv2.absdiff(image[:, 1:], image[:, :-1]), np.uint8)[::2]
    counts = np.bincount(steps.ravel(), minlength=256)
    if counts[0] > 0.8 * counts.sum():  # drawn, or flat: the few differences are edges, not grain
        return 0.0
    counts[0] = 0
    below = np.cumsum(counts)
    return float(np.searchsorted(below, below[-1] / 2)) * 1.4826 / math.sqrt(2)


@dataclass(frozen=True)
class _Look:
    """One polarity at one contrast level: the grey image, the strokes in it, its edges (uint8[H, W])."""

    image: Image8
    strokes: Image8
    edges: Image8
    level: int
    factor: int


def _rows_of(look: _Look) -> Iterator[Row]:
    _, mask = cv2.threshold(look.strokes, look.level, 255, cv2.THRESH_BINARY)
    if cv2.countNonZero(mask) < 3 * _MIN_HEIGHT:
        return
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    pieces = np.asarray(stats, np.int64)
    highest = min(_MAX_HEIGHT, max(_SMALL_IMAGE_HEIGHT, min(look.image.shape) // 10))
    for turned in (False, True):
        x, y, w, h = (pieces[:, i] for i in ((1, 0, 3, 2) if turned else (0, 1, 2, 3)))
        area = pieces[:, 4]
        glyph = (h >= _MIN_HEIGHT) & (h <= highest) & (w <= 4 * h) & (area >= 0.12 * w * h) & (area >= h)
        glyph[0] = False  # label 0 is the background
        keep = np.flatnonzero(glyph)
        if 3 <= len(keep) <= _MOST_PIECES:
            for members in _chains(x[keep], y[keep], w[keep], h[keep]):
                yield _measured(look, np.asarray(labels), pieces[keep[members]], keep[members], turned)


def _chains(x: Ints, y: Ints, w: Ints, h: Ints) -> Iterator[Ints]:
    """Index sets of pieces that follow one another on a line: like heights, common top or bottom, small gaps."""
    order = np.argsort(x, kind="stable")
    x, y, w, h = x[order], y[order], w[order], h[order]
    reach = np.searchsorted(x, x + w + math.ceil(1.1 * _MAX_HEIGHT), side="right")
    span = np.maximum(reach - np.arange(len(x)) - 1, 0)
    i = np.repeat(np.arange(len(x)), span)
    j = i + 1 + np.arange(len(i)) - np.repeat(np.cumsum(span) - span, span)
    tall = np.maximum(h[i], h[j])
    aligned = np.minimum(np.abs((y + h)[i] - (y + h)[j]), np.abs(y[i] - y[j])) <= 0.2 * tall + 0.5
    gap = x[j] - (x + w)[i]
    near = aligned & (np.abs(h[i] - h[j]) <= 0.4 * tall) & (gap <= 1.1 * tall) & (gap >= -0.25 * tall) & (x[j] > x[i])
    parent = list(range(len(x)))
    for a, b in zip(i[near].tolist(), j[near].tolist(), strict=True):
        a, b = _root(parent, a), _root(parent, b)
        parent[max(a, b)] = min(a, b)
    roots = np.array([_root(parent, k) for k in range(len(x))])
    for root in np.flatnonzero(np.bincount(roots) >= 3):
        yield order[roots == root]


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def _measured(look: _Look, labels: npt.NDArray[np.int32], box: Ints, members: Ints, turned: bool) -> Row:
    """The row of these pieces; ``box`` holds their x, y, width, height, area."""
    along, across = (1, 0) if turned else (0, 1)
    starts, heights = box[:, across], box[:, across + 2]
    tall = float(np.median(heights))
    steps = np.diff(np.sort(box[:, along]))
    some = np.linspace(0, len(members) - 1, min(len(members), _MEASURED)).astype(int)
    traits = np.array([_piece(look, labels, box[k].tolist(), int(members[k]), int(heights[k])) for k in some])
    _, sharp, stroke, stable, contrast, fill = np.median(traits, axis=0)
    low, high = box[:, :2].min(axis=0), (box[:, :2] + box[:, 2:4]).max(axis=0)
    x, y, w, h = (int(v) * look.factor for v in (*low, *(high - low)))
    return Row(
        box=(x, y, w, h),
        count=len(members),
        level=look.level,
        height_spread=_spread(heights) / tall,
        baseline_spread=min(_spread(starts), _spread(starts + heights)) / tall,
        tone_spread=_spread(traits[:, 0]) / max(contrast, 1.0),
        sharpness=float(sharp),
        stroke=float(stroke),
        stroke_spread=_spread(traits[:, 2]),
        stable=float(stable),
        contrast=float(contrast) / 255,
        gap_spread=_spread(steps) / tall,
        fill=float(fill),
    )


def _spread(values: Any) -> float:  # an array of numbers
    """Median absolute deviation."""
    return float(np.median(np.abs(values - np.median(values))))


def _piece(look: _Look, labels: npt.NDArray[np.int32], box: list[int], label: int, height: int) -> tuple[float, ...]:
    """Of one piece: tone, edge over contrast, stroke width over height, stability of its area, contrast, fill."""
    x, y, w, h, area = box
    at = np.s_[y : y + h, x : x + w]
    where = labels[at] == label
    strokes = look.strokes[at]
    contrast = max(float(np.percentile(strokes[where], 90)), 1.0)
    core = (strokes > 0.65 * contrast).sum() / max((strokes > 0.3 * contrast).sum(), 1)
    inside = cv2.distanceTransform(np.pad(strokes > 0.5 * contrast, 1).astype(np.uint8), cv2.DIST_L1, 3)
    return (
        float(np.percentile(look.image[at][where], 75)),
        float(np.percentile(look.edges[at][where], 90)) / contrast,
        2 * float(np.max(inside)) / height,
        float(core),
        contrast,
        area / (w * h),
    )
