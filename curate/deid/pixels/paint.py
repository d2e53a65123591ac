"""Painting over parts of a picture, and the arithmetic of boxes (x, y, width, height in pixels)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from curate.deid.pixels.row import Box

_RING = 2  # px: how far around a box its fill is looked for


def painted(pixels: np.ndarray, boxes: Iterable[Box], *, indices: bool = False, margin: float = 0.5) -> np.ndarray:
    """A copy of ``pixels`` with every box filled with what lies around it.

    ``pixels``: [H, W] or [H, W, channels], any integer or float dtype. A box is first widened by ``margin`` times its
    shorter side, 3 px or more, since a box of detected text may cut the outermost strokes; 0 takes it as it is. The
    fill is the median, a channel at a time, of the ring around the widened box; with ``indices`` (of a palette, where
    the middle of two tones may be any colour) the ring's most frequent value. Boxes may reach beyond the picture.
    """
    out = pixels.copy()
    for box in boxes:
        x0, y0, x1, y1 = _widened(box, margin, pixels.shape)
        if x0 < x1 and y0 < y1:
            out[y0:y1, x0:x1] = _fill(_ring(pixels, x0, y0, x1, y1), indices).astype(pixels.dtype)
    return out


def _widened(box: Box, margin: float, shape: Sequence[int]) -> tuple[int, int, int, int]:
    x, y, w, h = box
    by = max(3, int(min(w, h) * margin)) if margin else 0
    return max(0, x - by), max(0, y - by), min(shape[1], x + w + by), min(shape[0], y + h + by)


def _ring(pixels: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """The pixels just outside the box, [n] or [n, channels]; none where the box is the whole picture."""
    sides = (
        pixels[max(0, y0 - _RING) : y0, x0:x1],
        pixels[y1 : y1 + _RING, x0:x1],
        pixels[y0:y1, max(0, x0 - _RING) : x0],
        pixels[y0:y1, x1 : x1 + _RING],
    )
    return np.concatenate([side.reshape(-1, *pixels.shape[2:]) for side in sides])


def _fill(ring: np.ndarray, indices: bool) -> np.ndarray:
    if not len(ring):
        return np.zeros(ring.shape[1:])
    if indices:
        values, counts = np.unique(ring, return_counts=True, axis=0)
        return np.asarray(values[counts.argmax()])
    return np.asarray(np.median(ring, axis=0))


def within(box: Box, shape: Sequence[int]) -> Box:
    """What of ``box`` lies in a picture of ``shape`` (H, W, ...); of no width or height where nothing does."""
    x, y, w, h = box
    x0, y0 = min(max(0, x), shape[1]), min(max(0, y), shape[0])
    return x0, y0, max(0, min(shape[1], x + w) - x0), max(0, min(shape[0], y + h) - y0)


def merged(boxes: Iterable[Box]) -> list[Box]:
    """Boxes that overlap or touch as one, in reading order."""
    done: list[Box] = []
    for box in sorted(set(boxes)):
        # A box that has grown may touch what its parts did not.
        while touching := [b for b in done if _touch(b, box)]:
            done = [b for b in done if b not in touching]
            box = _around([box, *touching])
        done.append(box)
    return sorted(done, key=lambda b: (b[1], b[0]))


def _touch(a: Box, b: Box) -> bool:
    return all(a[k] <= b[k] + b[k + 2] and b[k] <= a[k] + a[k + 2] for k in (0, 1))


def _around(boxes: Sequence[Box]) -> Box:
    x0, y0 = min(b[0] for b in boxes), min(b[1] for b in boxes)
    return x0, y0, max(b[0] + b[2] for b in boxes) - x0, max(b[1] + b[3] for b in boxes) - y0


def outside(boxes: Iterable[Box], shape: Sequence[int]) -> list[Box]:
    """What of a picture of ``shape`` (H, W) lies in none of ``boxes``, as boxes that do not overlap."""
    height, width = shape[:2]
    inner = [(max(0, x), max(0, y), min(width, x + w), min(height, y + h)) for x, y, w, h in boxes]
    inner = [b for b in inner if b[0] < b[2] and b[1] < b[3]]
    levels = sorted({0, height, *(b[1] for b in inner), *(b[3] for b in inner)})
    found: list[Box] = []
    for top, bottom in pairwise(levels):
        at = 0
        for x0, x1 in sorted((b[0], b[2]) for b in inner if b[1] <= top and b[3] >= bottom):
            if x0 > at:
                found.append((at, top, x0 - at, bottom - top))
            at = max(at, x1)
        if at < width:
            found.append((at, top, width - at, bottom - top))
    return found
