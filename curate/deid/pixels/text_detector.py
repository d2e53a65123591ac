"""Text detection: where letters stand in a picture, not what they say.

A small network says of every second pixel how likely it lies in the core of a line of text (segmentation with shrunken
kernels, as differentiable binarisation has it, arXiv 1911.08947, section 3.5). It was fitted on lines of every slant,
so a picture is shown once; on letters 5 to 40 px high, so it is shown halved, and halved again, for those that are
higher. Fitted by ``python -m benchmarks.burned_in.fit_detector``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Box, Image8, grown, mask_of, merged, within

Floats = npt.NDArray[np.float32]

WEIGHTS = "text_detector.onnx"
LEVELS = (1, 2, 4)  # times a picture is made smaller
_AROUND = 31  # px: what a pixel's tone is compared with; and what is shown around a suspicion
_UNREST = 3.0  # of 255: less unrest than this is not made much of
_TILE, _OVERLAP = 1024, 96  # px: a larger picture is shown in tiles of this side, so that memory stays bounded
_STRIDE = 64  # px: sides of what is shown are multiples
_LEAST = 12  # px: a side of a level that is worth a look
_INSIDE = 0.4  # probability above which a pixel belongs to a line's core
_SHRUNK = 1 / 3  # of a core's height: what was taken off a line on each side
_WHOLE, _SUSPECT = 1 << 20, 0.03  # px, and the probability of half the size from which a larger picture is looked at
_DOUBT = 0.07  # more of the smallest copy, where anatomy is as large as letters
_NEAR = np.ones((3, 3), np.uint8)  # what is told by a finer level, and a pixel about it, is not told again
_LEVEL = 4.0  # degrees: a line less steep is taken for level
_LONG = 2.5  # length over height from which a line's slant can be told
_PIECE = 1.2  # of its height: the pieces that a slanted line is covered by


@dataclass(frozen=True)
class FoundText:
    """A line of text somewhere in a picture.

    ``polygon``: its corners (x, y) in pixels, clockwise, around the strokes and little else. ``score``: 0 to 1, the
    mean probability of its core. ``source``: who found it.
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


def _between(a: tuple[float, float], b: tuple[float, float], t: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def detected(view: Image8, least: float) -> list[FoundText]:
    """Lines of text in ``view`` (uint8[H, W]), of any slant and size, the smallest letters first.

    ``least``: the mean probability of a line's core. A large picture is looked at in full size only where half of it
    raises a suspicion: letters too small to be told there are seen there.
    """
    levels = [level for level in LEVELS if level == 1 or min(view.shape) >= _LEAST * level]
    sizes = {level: _smaller(view, level) for level in levels}
    cores = {level: _core(sizes[level]) for level in levels if level > 1}
    cores[1] = _core(view, _suspected(cores[2], view.shape) if view.size > _WHOLE and 2 in cores else None)
    found: list[FoundText] = []
    known = np.zeros(view.shape, np.bool_)
    for level in levels:
        scale = np.array(view.shape[::-1]) / np.array(sizes[level].shape[::-1])
        told = cv2.resize(known.view(np.uint8), cores[level].shape[::-1], interpolation=cv2.INTER_NEAREST)
        told = cv2.dilate(told, _NEAR)
        new = _lines(np.where(told, 0, cores[level]), scale, least + _DOUBT * (level == LEVELS[-1]), level > 1)
        found += new
        known |= mask_of([box for line in new for box in line.boxes()], view.shape)
    return found


def _suspected(half: Floats, shape: Sequence[int]) -> list[Box] | None:
    """The parts of a picture of ``shape`` in which text may be, by the core of its half size, with what is around
    them; None (everything) where that is as much to look at."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((half > _SUSPECT).view(np.uint8), connectivity=8)
    found = [(4 * x, 4 * y, 4 * w, 4 * h) for x, y, w, h, _ in stats[1:].tolist()]
    parts = [within(part, shape) for part in merged(grown(box, _AROUND, _AROUND) for box in found)]
    return parts if sum(w * h for _, _, w, h in parts) < shape[0] * shape[1] else None


def _smaller(view: Image8, times: int) -> Image8:
    size = (max(1, round(view.shape[1] / times)), max(1, round(view.shape[0] / times)))
    return view if times == 1 else np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_AREA), np.uint8)


def shown(view: Image8) -> Floats:
    """What the network sees of uint8[H, W], float32[2, H, W]: the tone, -1 to 1; and by how many times the unrest
    around it differs from the mean around it, halved and at most +-2."""
    tone = view.astype(np.float32)
    mean, square = (cv2.blur(plane, (_AROUND, _AROUND)) for plane in (tone, tone * tone))
    unrest = np.sqrt(np.maximum(square - mean * mean, 0))
    return np.stack([tone / np.float32(127.5) - 1, np.clip((tone - mean) / (unrest + _UNREST), -4, 4) / 2])


def _core(view: Image8, where: Sequence[Box] | None = None) -> Floats:
    """Of every second pixel of ``view`` (uint8[H, W]) how likely it lies in a line's core, float32[H / 2, W / 2];
    ``where``: the parts that are looked at (None: everything)."""
    height, width = view.shape
    out = np.zeros((-(-height // 2), -(-width // 2)), np.float32)
    for x, y, w, h in [(0, 0, width, height)] if where is None else where:
        x, y, w, h = x - x % 2, y - y % 2, w + x % 2, h + y % 2
        for top in _starts(h):
            for left in _starts(w):
                tile = shown(view[y + top : y + min(h, top + _TILE), x + left : x + min(w, left + _TILE)])
                told = _asked(tile)
                v, u = (y + top) // 2, (x + left) // 2
                at = np.s_[v : v + told.shape[0], u : u + told.shape[1]]
                np.maximum(out[at], told, out=out[at])
    return out


def _asked(tile: Floats) -> Floats:
    """The network's answer for float32[2, H, W], float32[H / 2, W / 2] rounded up."""
    height, width = tile.shape[1:]
    beyond = [(0, 0), (0, -height % _STRIDE), (0, -width % _STRIDE)]
    net = _network()
    net.setInput(np.pad(tile, beyond, mode="edge")[None])
    return np.asarray(net.forward()[0, 0, : -(-height // 2), : -(-width // 2)], np.float32)


@cache
def _network() -> cv2.dnn.Net:
    """The one of this process."""
    model = files("curate.deid.pixels").joinpath("data", WEIGHTS).read_bytes()
    return cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))


def _starts(length: int) -> list[int]:
    """Where tiles begin along ``length`` pixels, evenly apart and at even places."""
    if length <= _TILE:
        return [0]
    count = -(-(length - _OVERLAP) // (_TILE - _OVERLAP))
    return [2 * round(k * (length - _TILE) / (count - 1) / 2) for k in range(count)]


def _lines(core: Floats, scale: np.ndarray, least: float, coarse: bool) -> list[FoundText]:
    """The connected cores whose mean is ``least`` or more, each as a line; ``scale``: px of the picture (x, y) to one
    shown. Of a ``coarse`` level a core a pixel thin is a suspicion, to be told by the finer one."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((core > _INSIDE).view(np.uint8), connectivity=8)
    found = []
    for label, (x, y, w, h, _) in enumerate(stats.tolist()):
        inside = labels[y : y + h, x : x + w] == label
        if label == 0 or (coarse and min(w, h) == 1):
            continue
        at = np.s_[y : y + h, x : x + w]
        score = float(core[at][inside].mean())
        if score >= least:
            corners = 2 * (_corners(inside) + np.array([x, y])) * scale
            found.append(FoundText(tuple((float(a), float(b)) for a, b in corners), score, "detector"))
    return found


def _corners(core: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The corners (x, y), clockwise, of the line whose core is ``core`` (bool[h, w], tight): slanted where it plainly
    is, else upright."""
    h, w = core.shape
    # how thick the core is where it is thickest: lines may touch, and a block of them is as thick as one
    thick = 2 * float(cv2.distanceTransform(np.pad(core, 1).view(np.uint8), cv2.DIST_C, 3).max()) - 1
    (x, y), (long, short), degrees = cv2.minAreaRect(np.argwhere(core)[:, ::-1].astype(np.float32))
    if short > long:
        long, short, degrees = short, long, degrees + 90
    off = abs((degrees + 45) % 90 - 45)  # from level or upright, whichever is nearer
    if off < _LEVEL or long < _LONG * max(short, 1) or (long + 1) * (short + 1) > 0.8 * w * h:
        by = _SHRUNK * thick
        return np.array([(-by, -by), (w + by, -by), (w + by, h + by), (-by, h + by)])
    by = 2 * _SHRUNK * thick
    return np.array(cv2.boxPoints(((x + 0.5, y + 0.5), (long + 1 + by, short + 1 + by), degrees)), np.float64)
