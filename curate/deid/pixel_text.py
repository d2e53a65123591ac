"""Rows of glyph-like marks in an image, in plain OpenCV: the fast first look for burned-in text.

Drawn text is what anatomy is not: thin strokes of one brightness with sharp edges, in pieces of like height standing on
one line, evenly close. Each of these is weak alone, and all are asked of a row together. It is tuned to see text that is
there rather than to be sure of it; what it sees may be cleared by an OCR engine's text detection.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image8 = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]  # x, y, width, height in pixels

_KERNEL = 15  # px: wider than any stroke of a letter 48 px high
_LEVELS = (12, 22, 45, 90, 150)  # contrast of a stroke over its surroundings, of 255: faint text needs the lowest
_MIN_HEIGHT, _MAX_HEIGHT = 4, 48
_SMALL_IMAGE_HEIGHT = 14  # no line of text is a tenth of the picture high; ribs and gyri are
_MOST_PIECES = 1500  # more glyph-like pieces than this at one level is noise; the next level is cleaner
_LARGE = 700  # px: above, a half-size look finds letters too large for the native one


@dataclass(frozen=True)
class Row:
    """A candidate line of text: its box and how glyph-like it is (all in 0..1 but ``count``)."""

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


def rows(image: Image8) -> list[Row]:
    """Candidate rows, horizontal and vertical, bright and dark, at native size (and half size for large images)."""
    found = _rows_at(image, 1)
    if min(image.shape) >= _LARGE:
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        found += _rows_at(np.asarray(half, np.uint8), 2)
    return found


def _rows_at(image: Image8, factor: int) -> list[Row]:
    kernel = np.ones((_KERNEL, _KERNEL), np.uint8)
    edges = np.asarray(cv2.morphologyEx(image, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.uint8)
    found: list[Row] = []
    for operation in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        strokes = np.asarray(cv2.morphologyEx(image, operation, kernel), np.uint8)
        joined = cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, np.ones((2, 2), np.uint8))
        for level in _LEVELS:
            found += _rows_of(image, strokes, edges, level, factor, joined)
    return found


def _rows_of(image: Image8, strokes: Image8, edges: Image8, level: int, factor: int, joined) -> list[Row]:
    _, mask = cv2.threshold(joined, level, 255, cv2.THRESH_BINARY)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    pieces = np.asarray(stats, np.int32)
    highest = min(_MAX_HEIGHT, max(_SMALL_IMAGE_HEIGHT, min(image.shape) // 10))
    found: list[Row] = []
    for turned in (False, True):
        x, y, w, h, area = (pieces[:, i] for i in ((1, 0, 3, 2, 4) if turned else (0, 1, 2, 3, 4)))
        keep = np.flatnonzero(
            (h >= _MIN_HEIGHT) & (h <= highest) & (w <= 4 * h) & (area >= 0.12 * w * h) & (area >= h) & (np.arange(len(h)) > 0)
        )
        if not 3 <= len(keep) <= _MOST_PIECES:
            continue
        for members in _chains(x[keep], y[keep], w[keep], h[keep]):
            found.append(_measured(image, strokes, edges, labels, pieces, keep[members], turned, level, factor))
    return found


def _chains(x: np.ndarray, y: np.ndarray, w: np.ndarray, h: np.ndarray) -> list[np.ndarray]:
    """Index sets of pieces that follow one another on a line: like heights, common top or bottom, small gaps."""
    order = np.argsort(x, kind="stable")
    x, y, w, h = x[order], y[order], w[order], h[order]
    tall = np.maximum(h[:, None], h[None, :])
    near = (np.abs(h[:, None] - h[None, :]) <= 0.4 * tall) & (
        (np.abs((y + h)[:, None] - (y + h)[None, :]) <= 0.2 * tall + 0.5) | (np.abs(y[:, None] - y[None, :]) <= 0.2 * tall + 0.5)
    )
    gap = x[None, :] - (x + w)[:, None]
    near &= (gap <= 1.1 * tall) & (gap >= -0.25 * tall) & (x[None, :] > x[:, None])
    parent = np.arange(len(x))
    first, second = np.nonzero(near)
    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        a, b = _root(parent, i), _root(parent, j)
        parent[max(a, b)] = min(a, b)
    roots = np.array([_root(parent, i) for i in range(len(x))])
    return [order[roots == r] for r in np.unique(roots) if int((roots == r).sum()) >= 3]


def _root(parent: np.ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = int(parent[i])
    return i


def _measured(
    image: Image8, strokes: Image8, edges: Image8, labels: np.ndarray, pieces: np.ndarray, members: np.ndarray, turned: bool,
    level: int, factor: int,
) -> Row:  # fmt: skip
    tones, sharp, thick, fills, stable, contrasts = [], [], [], [], [], []
    for label in members.tolist():
        x, y, w, h, area = pieces[label].tolist()
        where = labels[y : y + h, x : x + w] == label
        here = strokes[y : y + h, x : x + w]
        contrast = float(np.percentile(here[where], 90))
        contrasts.append(contrast)
        tones.append(float(np.percentile(image[y : y + h, x : x + w][where], 75)))
        sharp.append(float(np.percentile(edges[y : y + h, x : x + w][where], 90)) / max(contrast, 1.0))
        stable.append(float((here > 0.65 * contrast).sum()) / max(float((here > 0.3 * contrast).sum()), 1.0))
        inside = cv2.distanceTransform(np.pad(here > 0.5 * contrast, 1).astype(np.uint8), cv2.DIST_L1, 3)
        thick.append(2 * float(inside.max()) / (w if turned else h))
        fills.append(area / (w * h))
    box = pieces[members]
    x0, y0 = int(box[:, 0].min()), int(box[:, 1].min())
    x1, y1 = int((box[:, 0] + box[:, 2]).max()), int((box[:, 1] + box[:, 3]).max())
    heights = box[:, 2] if turned else box[:, 3]
    ends = box[:, 0] + box[:, 2] if turned else box[:, 1] + box[:, 3]
    starts = box[:, 0] if turned else box[:, 1]
    tall = float(np.median(heights))
    run = np.sort(box[:, 1] if turned else box[:, 0])
    steps = np.diff(run)
    return Row(
        box=(x0 * factor, y0 * factor, (x1 - x0) * factor, (y1 - y0) * factor),
        count=len(members),
        level=level,
        height_spread=float(np.median(np.abs(heights - tall)) / tall),
        baseline_spread=float(min(np.median(np.abs(v - np.median(v))) for v in (ends, starts)) / tall),
        tone_spread=float(np.median(np.abs(np.array(tones) - np.median(tones))) / max(float(np.median(contrasts)), 1.0)),
        sharpness=float(np.median(sharp)),
        stroke=float(np.median(thick)),
        stroke_spread=float(np.median(np.abs(np.array(thick) - np.median(thick)))),
        stable=float(np.median(stable)),
        contrast=float(np.median(contrasts)) / 255,
        gap_spread=float(np.median(np.abs(steps - np.median(steps)))) / tall,
        fill=float(np.median(fills)),
    )
