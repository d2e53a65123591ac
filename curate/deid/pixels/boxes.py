"""The arithmetic of boxes: (x, y, width, height) in pixels, upright, anywhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Image8 = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]  # x, y, width, height

_LOOSE = 1.1  # a box around two may be so much larger than what these cover


def within(box: Box, shape: Sequence[int]) -> Box:
    """What of ``box`` lies in a picture of ``shape`` (H, W, ...); of no width or height where nothing does."""
    x, y, w, h = box
    x0, y0 = min(max(0, x), shape[1]), min(max(0, y), shape[0])
    return x0, y0, max(0, min(shape[1], x + w) - x0), max(0, min(shape[0], y + h) - y0)


def grown(box: Box, along: int, across: int) -> Box:
    """The box with so many pixels more on its left and right, and above and below."""
    x, y, w, h = box
    return x - along, y - across, w + 2 * along, h + 2 * across


def moved(box: Box, shape: Sequence[int], place: Box) -> Box:
    """Where ``box`` of a picture of ``shape`` (H, W, ...) lies if that is scaled to fill ``place``; all it touches."""
    left, top, wide, high = place
    fx, fy = wide / shape[1], high / shape[0]
    x0, y0 = math.floor(box[0] * fx), math.floor(box[1] * fy)
    x1, y1 = math.ceil((box[0] + box[2]) * fx), math.ceil((box[1] + box[3]) * fy)
    return left + x0, top + y0, x1 - x0, y1 - y0


def shared(a: Box, b: Box) -> int:
    """Pixels that lie in both."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(wide, 0) * max(high, 0)


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of ``boxes``, one or more."""
    x0, y0 = min(b[0] for b in boxes), min(b[1] for b in boxes)
    return x0, y0, max(b[0] + b[2] for b in boxes) - x0, max(b[1] + b[3] for b in boxes) - y0


def joined(boxes: Iterable[Box]) -> list[Box]:
    """``boxes`` in reading order, as fewer where that covers nearly nothing more.

    Two are joined where the box around both is at most a tenth larger than what they cover: parts of one line, a box
    and what lies in it. Any others stay apart, however they touch.
    """
    rest = [(b, [b]) for b in sorted(set(boxes), key=lambda b: (-b[2] * b[3], b)) if b[2] > 0 and b[3] > 0]
    done: list[tuple[Box, list[Box]]] = []
    while rest:
        box, parts = rest.pop(0)
        for k, (other, others) in enumerate(done):
            both = around([box, other])
            size, room = both[2] * both[3], _LOOSE * (box[2] * box[3] + other[2] * other[3] - shared(box, other))
            if size <= room and size <= _LOOSE * _covered([*parts, *others]):  # of what was there, not of joined boxes
                del done[k]
                rest.insert(0, (both, [*parts, *others]))
                break
        else:
            done.append((box, parts))
    return sorted((box for box, _ in done), key=lambda b: (b[1], b[0], b))


def _covered(boxes: Sequence[Box]) -> int:
    """Pixels that lie in any of ``boxes``, one or more, wherever these are."""
    x, y, w, h = around(boxes)
    return int(np.count_nonzero(mask_of([(a - x, b - y, c, d) for a, b, c, d in boxes], (h, w))))


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


def mask_of(boxes: Iterable[Box], shape: Sequence[int]) -> npt.NDArray[np.bool_]:
    """bool[H, W]: which pixels of a picture of ``shape`` lie in any of ``boxes``."""
    mask = np.zeros((shape[0], shape[1]), np.bool_)
    for x, y, w, h in (within(box, shape) for box in boxes):
        mask[y : y + h, x : x + w] = True
    return mask


def area(boxes: Iterable[Box], shape: Sequence[int]) -> int:
    """Pixels of a picture of ``shape`` that lie in any of ``boxes``."""
    inside = [within(box, shape) for box in boxes]
    return _covered(inside) if inside else 0
