"""Text detection by a network (PP-OCRv4, differentiable binarisation, arXiv 1911.08947): where, not what.

The network says of every pixel how likely it lies inside a line; it was taught upright lines, so a picture is also
shown turned by 90 degrees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Box, Image8, around, within
from curate.deid.pixels.ocr_network import DETECTOR, Floats, network

_STRIDE = 32  # px: the network halves its input five times
_TILE = 640  # px: side of a tile; activations of one take about 100 MB
_OVERLAP = 96  # px: a line 48 px high is whole, with its surroundings, in one of two neighbouring tiles
_INSIDE = 0.3  # probability above which a pixel belongs to a line, as the package itself sets it
# A brain is to the network a letter a slice high: nothing higher than this is a line, in pixels or of the shorter side.
_HIGHEST, _HIGHEST_PART = 44, 1 / 32
_SMALL_HIGHEST = 60  # px in the picture, of a line that is looked for at twice its size
_GROWN = 1.6  # the network marks a line's core; its offset is this times area over perimeter (section 3.5)
_LEVEL = 4.0  # degrees: a line less steep is taken for level
_LONG = 2.5  # length over height from which a line's slant can be told
_PIECE = 1.2  # of its height: the pieces that a slanted line is covered by


@dataclass(frozen=True)
class FoundText:
    """A line of text somewhere in a picture.

    ``polygon``: its corners (x, y) in pixels, clockwise, around the strokes and little else. ``score``: 0 to 1, the
    mean probability that the detector gives its pixels, or what `curate.deid.pixels.found_text` makes of a row's
    log-odds. ``source``: who found it.
    """

    polygon: tuple[tuple[float, float], ...]
    score: float
    source: str

    @staticmethod
    def upright(box: Box, score: float, source: str) -> FoundText:
        """The text in an upright box."""
        x, y, w, h = box
        return FoundText(((x, y), (x + w, y), (x + w, y + h), (x, y + h)), score, source)

    @property
    def box(self) -> Box:
        """The upright box around it."""
        x0, y0 = (math.floor(min(p[k] for p in self.polygon)) for k in (0, 1))
        x1, y1 = (math.ceil(max(p[k] for p in self.polygon)) for k in (0, 1))
        return x0, y0, x1 - x0, y1 - y0

    @property
    def thickness(self) -> float:
        """px, the shorter side."""
        (ax, ay), (bx, by), (cx, cy) = self.polygon[:3]
        return min(math.hypot(bx - ax, by - ay), math.hypot(cx - bx, cy - by))

    def boxes(self) -> list[Box]:
        """Upright boxes that cover it: one, or of a slanted line several along it, so that they hold little else."""
        a, b, c, d = self.polygon
        if abs(a[0] - b[0]) < 1e-6 or abs(a[1] - b[1]) < 1e-6:
            return [self.box]
        if math.dist(a, b) < math.dist(b, c):
            a, b, c, d = b, c, d, a
        n = max(1, round(math.dist(a, b) / (_PIECE * max(math.dist(b, c), 1.0))))
        cuts = [(_between(a, b, k / n), _between(d, c, k / n)) for k in range(n + 1)]
        ends = pairwise(cuts)
        return [FoundText((*left, *right[::-1]), self.score, self.source).box for left, right in ends]

    def turned_back(self, width: int) -> FoundText:
        """Where text found in a picture that was turned by ``np.rot90`` lies in the picture, ``width`` px wide."""
        return FoundText(tuple((width - y, x) for x, y in self.polygon), self.score, self.source)

    def scaled(self, times: float, x: int, y: int) -> FoundText:
        """Where text found in a part of a picture at ``times`` its size lies in it; ``x``, ``y``: the part's corner."""
        return FoundText(tuple((x + a / times, y + b / times) for a, b in self.polygon), self.score, self.source)


def _between(a: tuple[float, float], b: tuple[float, float], t: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def detected(
    view: Image8, where: Sequence[Box] | None = None, *, least: float = 0.5, highest: float | None = None
) -> list[FoundText]:
    """Lines of text in ``view`` (uint8[H, W]), upright and downwards, best first.

    ``where``: the parts to look at, at native resolution (None: everything); a part is read in overlapping tiles where
    it is large. ``least``: the mean probability a line must have. ``highest``: px, no line is higher (None: 44, or a
    32nd of the shorter side).
    """
    height, width = view.shape
    parts = [(0, 0, width, height)] if where is None else [within(box, view.shape) for box in where]
    found = _lines(_map(view, parts), least)
    aside = np.ascontiguousarray(np.rot90(view))
    turned = _map(aside, [(y, width - x - w, h, w) for x, y, w, h in parts])
    found += [line.turned_back(width) for line in _lines(turned, least)]
    if highest is None:
        highest = max(_HIGHEST, _HIGHEST_PART * min(height, width))
    return sorted((f for f in found if f.thickness <= highest), key=lambda f: (-f.score, f.polygon))


def detected_small(view: Image8, part: Box, *, times: int = 2, least: float = 0.5) -> list[FoundText]:
    """Lines smaller or fainter than `detected` sees, in the ``part`` of ``view`` at ``times`` its size.

    So enlarged, much anatomy looks written on: this may confirm a suspicion, it raises none.
    """
    x, y, w, h = within(part, view.shape)
    if not w * h:
        return []
    large = cv2.resize(view[y : y + h, x : x + w], None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    lines = detected(np.asarray(large, np.uint8), least=least, highest=times * _SMALL_HIGHEST)
    return [line.scaled(times, x, y) for line in lines]


def _map(view: Image8, parts: Sequence[Box]) -> Floats:
    """Of every pixel of ``parts`` how likely it lies inside a line, float32[H, W]; the likeliest of tiles."""
    out = np.zeros(view.shape, np.float32)
    for x, y, w, h in parts:
        for top in _starts(h):
            for left in _starts(w):
                at = np.s_[y + top : y + min(h, top + _TILE), x + left : x + min(w, left + _TILE)]
                if view[at].size:
                    np.maximum(out[at], _looked_at(view[at]), out=out[at])
    return out


def _looked_at(tile: Image8) -> Floats:
    """Of every pixel of ``tile`` (uint8[H, W]) how likely it lies inside a line, float32[H, W]."""
    high, wide = (-(-n // _STRIDE) * _STRIDE for n in tile.shape)
    padded = cv2.copyMakeBorder(tile, 0, high - tile.shape[0], 0, wide - tile.shape[1], cv2.BORDER_REPLICATE)
    return network(DETECTOR)(np.asarray(padded, np.float32) / 127.5 - 1.0)[0, : tile.shape[0], : tile.shape[1]]


def _starts(length: int) -> list[int]:
    """Where tiles begin along ``length`` pixels, evenly apart."""
    if length <= _TILE:
        return [0]
    count = -(-(length - _OVERLAP) // (_TILE - _OVERLAP))
    return [round(k * (length - _TILE) / (count - 1)) for k in range(count)]


def _lines(likely: Floats, least: float) -> list[FoundText]:
    """The connected cores of ``likely`` whose mean is ``least`` or more, each grown to its line's size."""
    mask = cv2.dilate((likely > _INSIDE).view(np.uint8), np.ones((2, 2), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = []
    for label, (x, y, w, h, area) in enumerate(stats.tolist()):
        if label == 0 or min(w, h) < 3:
            continue
        at = np.s_[y : y + h, x : x + w]
        core = labels[at] == label
        score = float(likely[at][core].mean())
        if score >= least:
            found.append(_line(core, (x, y, w, h), area, score, likely.shape))
    return found


def _line(core: npt.NDArray[np.bool_], box: Box, area: int, score: float, shape: Sequence[int]) -> FoundText:
    """The line whose core is ``core`` (bool[h, w]) in ``box``: slanted where it plainly is, else upright."""
    x, y, w, h = box
    (mx, my), (long, short), degrees = cv2.minAreaRect(np.argwhere(core)[:, ::-1].astype(np.float32))
    if short > long:
        long, short, degrees = short, long, degrees + 90
    off = abs((degrees + 45) % 90 - 45)  # from level or upright, whichever is nearer
    if off < _LEVEL or long < _LONG * max(short, 1) or (long + 1) * (short + 1) > 0.8 * w * h:
        by = round(area * _GROWN / (2 * (w + h)))
        return FoundText.upright(within(around([(x - by, y - by, w + 2 * by, h + 2 * by)]), shape), score, "detector")
    off = area * _GROWN / (2 * (long + short)) + 0.5
    corners = cv2.boxPoints(((mx + x + 0.5, my + y + 0.5), (long + 2 * off, short + 2 * off), degrees))
    return FoundText(tuple((float(a), float(b)) for a, b in corners), score, "detector")
