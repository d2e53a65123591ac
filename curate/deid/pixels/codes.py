"""QR codes, other matrices and bar codes in a picture: where they are, whether or not a decoder reads them.

A code is what anatomy is not: two tones and nothing between, in modules of one size, edges along two directions at a
right angle or along one, densely, all over a rectangle. So a place is asked about where, in a window around it, many
neighbours differ by much of what the window's darkest and lightest differ by, and most pixels are near one of these
two. What a place looks like is weighed by `curate.deid.pixels.code_traits`. Decoders are not asked: they miss damaged,
small, blurred and faint codes, which somebody with more patience reads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Image8, shared
from curate.deid.pixels.code_traits import WINDOW, Rect, Region, evenness, log_odds, measured, quantiles, upright
from curate.deid.pixels.text_detector import FoundText

CODE = 2.5  # log-odds above which it is one: one of a hundred figures that are none is
TIMES = (1, 1.5, 2, 3, 4)  # the picture is looked at at its size and reduced so often, for large modules

_CELL = 4  # px: the side of a place that is asked about
_AROUND = np.ones((3, 3), np.uint8)  # cells by which one is judged
_MIN_SIDE = 80  # px of the reduced picture: a code is a small part of it
_DENSE, _TONES, _LEAST = 1 / 6, 0.22, 12  # of contrast: mean steps across and down, mean deviation; contrast, of 255
_MIN_PLACES, _MIN_FILL = 9, 0.5  # places of a region; what of its rectangle they fill
EVEN, _GRID = 0.6, 0.85  # more is no code; more is a grid, which reduced to another size may look like one
_MOST = 0.6  # of the picture: what is larger is a texture, all over it
_REACH = 0.6  # of a region's shorter side, px around it in which a code may go on
_GOES_ON = 0.35  # of the density of edges within it
_GAP = 6  # px without edges that a code may have; the quiet zone around it is wider
_SAME = 0.4  # of the smaller of two boxes, in the other: the same code
_PART = 2  # times smaller: a part of a code, which says nothing against the whole, however sure it is


def found_codes(view: Image8, new: npt.NDArray[np.bool_] | None = None) -> list[FoundText]:
    """The codes in ``view`` (uint8[H, W]), surest first, as text whose ``source`` is "code".

    ``new``: bool[H, W], where alone there may be any (None: everywhere).
    """
    found, grids = [], []
    for times, small in reduced(view):
        for region in regions(small, new):
            score = log_odds(measured(small, region, min(small.shape)))
            if score <= CODE:
                continue
            corners = tuple((float(x) * times, float(y) * times) for x, y in whole(small, region.rect))
            code, even = FoundText(corners, 1 / (1 + math.exp(-score)), "code"), evenness(small, region.rect)
            if even > _GRID:
                grids.append(code)
            elif even <= EVEN and _area(code) <= _MOST * view.size:
                found.append(code)
    chosen: list[FoundText] = []
    for code in sorted(found, key=lambda c: (-c.score, c.polygon)):
        parts = (other for other in chosen if _area(other) * _PART < _area(code))
        if not any(_overlap(code, other) for other in {*grids, *chosen}.difference(parts)):
            chosen.append(code)
    return chosen


def _overlap(a: FoundText, b: FoundText) -> bool:
    """Whether they are of one code: of a larger reduction, with what stands beside it, or a part of it."""
    return shared(a.box, b.box) > _SAME * min(a.box[2] * a.box[3], b.box[2] * b.box[3])


def _area(code: FoundText) -> float:
    return float(cv2.contourArea(np.array(code.polygon, np.float32)))


def reduced(view: Image8) -> Iterator[tuple[float, Image8]]:
    """The view at the sizes at which codes are looked for: each but the first two half of the last but one."""
    sizes: dict[float, Image8] = {}
    for times in TIMES:
        if min(view.shape) < _MIN_SIDE * times:
            return
        by = 1 / times if times < 2 else 0.5
        sizes[times] = np.asarray(cv2.resize(sizes.get(times / 2, view), None, fx=by, fy=by), np.uint8)
        yield times, sizes[times]


def regions(view: Image8, new: npt.NDArray[np.bool_] | None = None) -> list[Region]:
    """Where the windows around most places are of two tones with many edges, and something is ``new``, bool of the same
    picture at any size."""
    dense = _dense(view)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(dense, connectivity=4)
    fresh = dense > 0
    if new is not None and count > 1:
        fresh = cv2.resize(new.astype(np.float32), dense.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    found = []
    for label in range(1, count):
        x, y, w, h, area = stats[label].tolist()
        if area < _MIN_PLACES or not fresh[y : y + h, x : x + w].any():
            continue
        rect, filled = _laid_out(view, np.argwhere(labels[y : y + h, x : x + w] == label)[:, ::-1] + (x, y))
        if filled >= _MIN_FILL:
            found.append(Region(rect, filled))
    return found


def _laid_out(view: Image8, places: npt.NDArray[np.int64]) -> tuple[Rect, float]:
    """The rectangle around ``places`` (int[n, 2], x and y in cells) along the edges there, and how much they fill."""
    (x0, y0), (x1, y1) = _CELL * places.min(axis=0), _CELL * (places.max(axis=0) + 1)
    across, down = (cv2.Sobel(view[y0:y1, x0:x1], cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    turned = (across + 1j * down).ravel()
    strength = np.abs(turned)
    twice = np.square(turned / np.maximum(strength, 1))  # numpy's fourth power is a general one, many times as slow
    angle = float(np.angle((np.square(twice) * strength).sum())) / 4
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    along = places @ turn
    low, size = along.min(axis=0), np.ptp(along, axis=0)
    mx, my = _CELL * (turn @ (low + size / 2) + 0.5)
    # a window at the code's border is half filled: what they cover is smaller than the code by that
    wide, high = _CELL * (size + 2) + WINDOW / 2
    rect = ((float(mx), float(my)), (float(wide), float(high)), math.degrees(angle))
    return rect, len(places) / float(np.prod(size + 1))


def _dense(view: Image8) -> Image8:
    """uint8[H / 4, W / 4], rounded up, 1 where the cells around a cell of 4 x 4 px look like a code's."""
    below, right = (-side % _CELL + 1 for side in view.shape)
    more = cv2.copyMakeBorder(view, 0, below, 0, right, cv2.BORDER_REPLICATE)
    view = np.asarray(more[:-1, :-1], np.uint8)
    steps = cv2.add(cv2.absdiff(more[:-1, 1:], view), cv2.absdiff(more[1:, :-1], view))
    away = cv2.absdiff(view, cv2.resize(cv2.blur(_cells(view), (3, 3)), view.shape[::-1]))
    step, deviation = (cv2.blur(_cells(plane).astype(np.float32), (3, 3)) for plane in (steps, away))
    cell = np.ones((_CELL, _CELL), np.uint8)
    light, dark = (op(op(view, cell)[2::_CELL, 2::_CELL], _AROUND) for op in (cv2.dilate, cv2.erode))
    contrast = (light - dark).astype(np.float32)
    dense = (step > _DENSE * contrast) & (deviation > _TONES * contrast) & (contrast > _LEAST)
    return np.asarray(cv2.morphologyEx(dense.view(np.uint8), cv2.MORPH_OPEN, _AROUND), np.uint8)


def _cells(plane: np.ndarray) -> np.ndarray:
    """The mean of each cell, uint8; halved twice, which costs a tenth of what a fourth does."""
    return cv2.resize(cv2.resize(plane, None, fx=0.5, fy=0.5), None, fx=0.5, fy=0.5)


def whole(view: Image8, rect: Rect) -> npt.NDArray[np.float32]:
    """The corners of the code of which ``rect`` was seen, float32[4, 2]: as far as its edges go on, on each side."""
    (mx, my), (wide, high), degrees = rect
    by = round(_REACH * min(wide, high)) + WINDOW
    patch = upright(view, ((mx, my), (wide + 2 * by, high + 2 * by), degrees))
    steps = np.zeros(patch.shape, np.float32)
    steps[:, 1:] = cv2.absdiff(patch[:, 1:], patch[:, :-1])
    steps[1:] = np.maximum(steps[1:], cv2.absdiff(patch[1:], patch[:-1]))
    core = np.s_[by:-by, by:-by]
    dark, light = quantiles(patch[core], 0.05, 0.95)
    edges = steps > 0.3 * (light - dark)
    left, right = _extent(edges[by:-by].mean(axis=0), by)
    top, bottom = _extent(edges[:, by:-by].mean(axis=1), by)
    corners = cv2.boxPoints(((mx, my), (wide + 2 * by, high + 2 * by), degrees))
    origin, along, down = corners[1], corners[2] - corners[1], corners[0] - corners[1]
    along, down = along / max(float(np.hypot(*along)), 1), down / max(float(np.hypot(*down)), 1)
    ends = ((left, top), (right, top), (right, bottom), (left, bottom))
    return np.array([origin + x * along + y * down for x, y in ends], np.float32)


def _extent(density: npt.NDArray[np.float64], by: int) -> tuple[int, int]:
    """From where to where the ``density`` of edges goes on as it is in the middle, which lies ``by`` off both ends."""
    at = np.flatnonzero(density > _GOES_ON * float(np.median(density[by:-by])))
    middle = int(np.searchsorted(at, len(density) // 2))
    far = np.flatnonzero(np.diff(at) > _GAP) + 1
    first = max((int(k) for k in far if k <= middle), default=0)
    last = min((int(k) for k in far if k > middle), default=len(at))
    return (int(at[first]), int(at[last - 1]) + 1) if last > first else (by, len(density) - by)
