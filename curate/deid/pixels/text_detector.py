"""Text detection: where letters stand in a picture, not what they say.

A small network says of every second pixel how likely it lies in the core of a line of text (segmentation with shrunken
kernels, as differentiable binarisation has it, arXiv 1911.08947, section 3.5). It was fitted on lines of every slant,
so a picture is shown once; on letters 5 to 40 px high, so it is shown halved, and halved again, for those that are
higher. What is flat, or as it was when it was looked at before, is not shown. Fitted by
``python -m benchmarks.burned_in.fit_detector``.
"""

from __future__ import annotations

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

from curate.deid.pixels.boxes import Box, Image8, grown, mask_of, within
from curate.deid.pixels.network import Network

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

WEIGHTS = "text_detector.onnx"
LEVELS = (1, 2, 4)  # times a picture is made smaller
_AROUND = 31  # px: what a pixel's tone is compared with
_UNREST = 3.0  # of 255: less unrest than this is not made much of
_TILE, _OVERLAP = 1024, 96  # px: a larger picture is shown in tiles of this side, so that memory stays bounded
_STRIDE = 64  # px: sides of what is shown are multiples
_CONTEXT = 16  # px shown about what is looked at, at least
_CALL = 20_000  # px that could be shown for what asking once costs
_LEAST = 12  # px: a side of a level that is worth a look
_INSIDE, _FURTHER = 0.4, 0.3  # probability above which a pixel is of a line's core, and as far as which it goes on
_SHRUNK = 1 / 3  # of a core's height: what was taken off a line on each side
_WHOLE, _SUSPECT = 1 << 20, 0.03  # px, and the probability of half the size from which a larger picture is looked at
_BLOCK = 16  # px of a level: it is looked at by blocks
_FLAT = 3  # of 255: a block, with those beside it, that varies by no more holds no text (what is fainter: hidden_views)
_BESIDE, _NEWS = 3, 7  # blocks that are looked at about one that is suspected, across; and about what is new
_SEEN, _DOUBT = 0.5, 0.1  # letters of most heights are seen at two levels; doubt of what one alone sees
_NEAR = np.ones((3, 3), np.uint8)  # what is told by a finer level, and a pixel about it, is known
_KNOWN = 0.9  # of a core: nothing new
_FULL, _RAGGED = 0.7, 0.3  # of its rectangle, what a line's core fills; doubt for each part less: wires, clips, vessels
_BORDER, _THICK = 0.15, 30  # doubt of a slanted core so thick (px) with a flat tone on one side alone: a scan's border
_LEVEL = 4.0  # degrees: a line less steep is taken for level
_LONG = 2.5  # length over height from which a line's slant can be told
_PIECE = 0.6  # of its height: the pieces that a slanted line is covered by


@dataclass(frozen=True)
class FoundText:
    """A line of text somewhere in a picture.

    ``polygon``: its corners (x, y) in pixels, clockwise, around the strokes and little else. ``score``: 0 to 1, the
    mean probability of its core, less where that is no straight bar or is seen at one size alone. ``source``: who
    found it.
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


def detected(view: Image8, least: float, new: Mask | None = None) -> list[FoundText]:
    """Lines of text in ``view`` (uint8[H, W]), of any slant and size, the smallest letters first.

    ``least``: the mean probability of a line's core. ``new``: bool[H, W], where alone, and near by, there may be any
    (None: everywhere). A large picture is looked at in full size only where half of it raises a suspicion: letters too
    small to be told there are seen there.
    """
    levels = [level for level in LEVELS if level == 1 or min(view.shape) >= _LEAST * level]
    sizes = {level: _smaller(view, level) for level in levels}
    news = None if new is None else _reduced(new, _BLOCK)
    cores: dict[int, Floats] = {}
    for level in reversed(levels):
        worth = _varied(sizes[level])
        if news is not None:
            worth &= _near(news, _NEWS, worth.shape)
        if level == 1 and view.size > _WHOLE and 2 in cores:
            worth &= _near(_reduced(cores[2] > _SUSPECT, _BLOCK // 4), _BESIDE, worth.shape)
        cores[level] = _core(sizes[level], _parts(worth, sizes[level].shape))
    found: list[FoundText] = []
    known = np.zeros(view.shape, np.bool_)
    for level in levels:
        scale = np.array(view.shape[::-1]) / np.array(sizes[level].shape[::-1])
        covered = cv2.resize(known.view(np.uint8), cores[level].shape[::-1], interpolation=cv2.INTER_NEAREST)
        covered = cv2.dilate(covered, _NEAR)
        lines = _lines(cores[level], _elsewhere(cores, level), covered > 0, scale, least, sizes[level])
        found += lines
        known |= mask_of([box for line in lines for box in line.boxes()], view.shape)
    return found


def _elsewhere(cores: dict[int, Floats], level: int) -> Floats:
    """What the other levels say where ``level`` is asked, the surest of them; all of the smallest letters, which no
    other level can see, and nothing of the smallest copy, where anatomy is as large as letters."""
    shape = cores[level].shape
    if level in (LEVELS[0], LEVELS[-1]):
        return np.full(shape, level == LEVELS[0], np.float32)
    others = (cv2.resize(core, shape[::-1], interpolation=cv2.INTER_AREA) for at, core in cores.items() if at != level)
    return np.asarray(np.maximum.reduce(list(others)), np.float32)


def _varied(view: Image8) -> Mask:
    """bool[H / 16, W / 16], rounded up: where a block, or one beside it, is not flat."""
    padded = np.pad(view, [(0, -n % _BLOCK) for n in view.shape], mode="edge")
    rows = padded.reshape(-1, _BLOCK, padded.shape[1])
    most, least = (op(op(rows, axis=1).reshape(len(rows), -1, _BLOCK), axis=2) for op in (np.max, np.min))
    return np.asarray(cv2.dilate(most, _NEAR) - cv2.erode(least, _NEAR) > _FLAT)


def _reduced(mask: Mask, times: int) -> Mask:
    """bool[H / times, W / times], rounded up: where any of ``mask`` is."""
    rows, columns = (np.arange(0, side, times) for side in mask.shape)
    return np.asarray(np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, axis=0), columns, axis=1))


def _near(blocks: Mask, about: int, shape: tuple[int, ...]) -> Mask:
    """``blocks`` of a picture as ``shape`` of them, and what lies within ``about`` blocks across."""
    share = cv2.resize(blocks.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.dilate((share > 0).view(np.uint8), np.ones((about, about), np.uint8))) > 0


def _parts(worth: Mask, shape: Sequence[int]) -> list[Box]:
    """The parts of a level of ``shape`` (H, W) that are shown so that all blocks that are ``worth`` it are seen with
    what is around them, at even places and of few sizes."""
    parts = []
    for x, y, w, h in _rectangles(worth):
        box = within(grown((_BLOCK * x, _BLOCK * y, _BLOCK * w, _BLOCK * h), _CONTEXT, _CONTEXT), shape)
        (left, wide), (top, high) = (_side(box[k], box[k + 2], shape[1 - k]) for k in (0, 1))
        parts.append((left, top, wide, high))
    return parts


def _side(start: int, length: int, most: int) -> tuple[int, int]:
    """Where of ``most`` pixels what holds these begins, evenly, and its length, a multiple where there is room."""
    end = start + length
    whole = -(-(end - start // 2 * 2) // _STRIDE) * _STRIDE
    start = max(0, min(start, most - whole)) // 2 * 2
    return start, max(min(whole, most - start), end - start)


def _rectangles(worth: Mask) -> list[Box]:
    """Boxes that hold all that is set in ``worth``, so cut that little is shown: each once where that is cheapest
    (guillotine cuts)."""
    rows, columns = (np.flatnonzero(worth.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return []
    y, x = int(rows[0]), int(columns[0])
    worth = worth[y : rows[-1] + 1, x : columns[-1] + 1]
    h, w = worth.shape
    (across, i), (down, j) = _cheapest_cut(worth), _cheapest_cut(worth.T)
    if min(across, down) >= _cost(w, h):
        return [(x, y, w, h)]
    first, second, dx, dy = (worth[:, :i], worth[:, i:], i, 0) if across <= down else (worth[:j], worth[j:], 0, j)
    return [
        *((x + a, y + b, c, d) for a, b, c, d in _rectangles(first)),
        *((x + dx + a, y + dy + b, c, d) for a, b, c, d in _rectangles(second)),
    ]


def _cheapest_cut(worth: Mask) -> tuple[float, int]:
    """What the two parts cost at least, each as tight as it can be, if ``worth`` is cut before a column, and which."""
    if worth.shape[1] < 2:
        return math.inf, 0
    before, after = _costs(worth)[:-1], _costs(worth[:, ::-1])[::-1][1:]
    at = int(np.argmin(before + after))
    return float((before + after)[at]), at + 1


def _costs(worth: Mask) -> npt.NDArray[np.float64]:
    """What the columns up to each cost, float64[W]."""
    used, high = worth.any(axis=0), len(worth)
    top = np.minimum.accumulate(np.where(used, worth.argmax(axis=0), high))
    bottom = np.maximum.accumulate(np.where(used, high - worth[::-1].argmax(axis=0), 0))
    last = np.maximum.accumulate(np.where(used, np.arange(1, worth.shape[1] + 1), 0))
    return np.asarray(_cost(last, np.maximum(bottom - top, 0)), np.float64)


def _cost(wide: Any, high: Any) -> Any:
    """px, of showing so many blocks (numbers or arrays of them)."""
    across, down = (-(-(_BLOCK * side + 2 * _CONTEXT) // _STRIDE) * _STRIDE for side in (wide, high))
    return across * down + _CALL


def _smaller(view: Image8, times: int) -> Image8:
    size = (max(1, round(view.shape[1] / times)), max(1, round(view.shape[0] / times)))
    return view if times == 1 else np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_AREA), np.uint8)


def shown(view: Image8) -> Floats:
    """What the network sees of uint8[H, W], float32[2, H, W]: the tone, -1 to 1; and by how many times the unrest
    around it differs from the mean around it, halved and at most +-2."""
    tone = view.astype(np.float32)
    mean, square = (mean_of(view, cv2.CV_32F, (_AROUND, _AROUND)) for mean_of in (cv2.boxFilter, cv2.sqrBoxFilter))
    unrest = np.sqrt(np.maximum(square - mean * mean, 0))
    return np.stack([tone / np.float32(127.5) - 1, np.clip((tone - mean) / (unrest + _UNREST), -4, 4) / 2])


def _core(view: Image8, parts: Sequence[Box]) -> Floats:
    """Of every second pixel of ``view`` (uint8[H, W]) how likely it lies in a line's core, float32[H / 2, W / 2];
    ``parts``: what is looked at, at even places; elsewhere it is 0."""
    out = np.zeros((-(-view.shape[0] // 2), -(-view.shape[1] // 2)), np.float32)
    for x, y, w, h in parts:
        for top in _starts(h):
            for left in _starts(w):
                tile = shown(view[y + top : y + min(h, top + _TILE), x + left : x + min(w, left + _TILE)])
                answer = _answer(tile)
                v, u = (y + top) // 2, (x + left) // 2
                at = np.s_[v : v + answer.shape[0], u : u + answer.shape[1]]
                np.maximum(out[at], answer, out=out[at])
    return out


def _answer(tile: Floats) -> Floats:
    """The network's answer for float32[2, H, W], float32[H / 2, W / 2] rounded up."""
    height, width = tile.shape[1:]
    beyond = [(0, 0), (0, -height % _STRIDE), (0, -width % _STRIDE)]
    answer = _network()(np.pad(tile, beyond, mode="edge"))
    return answer[0, : -(-height // 2), : -(-width // 2)]


@cache
def _network() -> Network:
    """The one of this process."""
    return Network(files("curate.deid.pixels").joinpath("data", WEIGHTS).read_bytes())


def _starts(length: int) -> list[int]:
    """Where tiles begin along ``length`` pixels, evenly apart and at even places."""
    if length <= _TILE:
        return [0]
    count = -(-(length - _OVERLAP) // (_TILE - _OVERLAP))
    return [2 * round(k * (length - _TILE) / (count - 1) / 2) for k in range(count)]


def _lines(
    core: Floats, elsewhere: Floats, known: Mask, scale: np.ndarray, least: float, view: Image8
) -> list[FoundText]:
    """The connected cores whose mean is ``least`` or more, each as a line; more where they are ragged, where nothing is
    seen ``elsewhere``, or along a scan's border. What is ``known`` by finer levels is not told again, but as a part of
    what is larger. ``scale``: px of the picture (x, y) to one of ``view``, the level's. Of a coarse level a core a
    pixel thin is a suspicion, to be told by the finer one."""
    if float(core.max(initial=0)) <= _INSIDE:
        return []
    _, labels, stats, _ = cv2.connectedComponentsWithStats((core > _FURTHER).view(np.uint8), connectivity=8)
    found, coarse = [], float(scale.max()) > 1
    for label, (x, y, w, h, _) in enumerate(stats.tolist()):
        line, part = labels[y : y + h, x : x + w] == label, core[y : y + h, x : x + w]
        sure = line & (part > _INSIDE)
        if label == 0 or not sure.any() or (coarse and min(np.ptp(at) for at in np.nonzero(sure)) == 0):
            continue
        score = float(part[sure].mean())
        if score < least or known[y : y + h, x : x + w][line].mean() > _KNOWN:
            continue
        rect = cv2.minAreaRect(np.argwhere(line)[:, ::-1].astype(np.float32))
        score -= _RAGGED * max(0.0, _FULL - _fill(line, rect))
        score -= _DOUBT * (float(np.quantile(elsewhere[y : y + h, x : x + w][sure], 0.9)) < _SEEN)
        slant = _slant(line, rect)
        if slant is not None and 2 * (slant[1][1] + 1) * float(scale.max()) >= _THICK:
            score -= _BORDER * _is_border(view, slant, (x, y))
        if score >= least:
            corners = 2 * (_corners(line, slant) + np.array([x, y])) * scale
            found.append(FoundText(tuple((float(a), float(b)) for a, b in corners), score, "detector"))
    return found


def _fill(core: Mask, rect: cv2.typing.RotatedRect) -> float:
    """How much of the rectangle ``rect`` around it a core fills, 0 to 1."""
    (long, short) = rect[1]
    return float(np.count_nonzero(core)) / ((long + 1) * (short + 1))


def _slant(core: Mask, rect: cv2.typing.RotatedRect) -> cv2.typing.RotatedRect | None:
    """The rectangle ``rect`` around a core (bool[h, w], tight), its longer side first, where it is plainly slanted."""
    h, w = core.shape
    centre, (long, short), degrees = rect
    if short > long:
        long, short, degrees = short, long, degrees + 90
    off = abs((degrees + 45) % 90 - 45)  # from level or upright, whichever is nearer
    if off < _LEVEL or long < _LONG * max(short, 1) or (long + 1) * (short + 1) > 0.8 * w * h:
        return None
    return centre, (long, short), degrees


def _is_border(view: Image8, rect: cv2.typing.RotatedRect, at: tuple[int, int]) -> bool:
    """Whether a slanted core, ``at`` half as many pixels of ``view``, lies between a flat tone and what is none, as a
    scan's border does: the ground of letters goes on to their other side."""
    (x, y), (long, short), degrees = rect
    across = math.radians(degrees + 90)
    sides = []
    for away in (-1.33 * (short + 1), 1.33 * (short + 1)):
        centre = 2 * (x + at[0] + 0.5 + away * math.cos(across)), 2 * (y + at[1] + 0.5 + away * math.sin(across))
        beside = np.zeros(view.shape, np.uint8)
        cv2.fillPoly(
            beside, [np.round(cv2.boxPoints((centre, (2 * long, 2 * short + 2), degrees))).astype(np.int32)], 1
        )
        if not beside.any():
            return False
        sides.append(np.quantile(view[beside > 0], (0.1, 0.5, 0.9)))
    flat = [float(high - low) <= _FLAT for low, _, high in sides]
    return flat[0] != flat[1] and abs(float(sides[0][1] - sides[1][1])) > _FLAT


def _corners(core: Mask, slant: cv2.typing.RotatedRect | None) -> npt.NDArray[np.float64]:
    """The corners (x, y), clockwise, of the line of ``core`` (bool[h, w], tight): those of ``slant``, or upright."""
    h, w = core.shape
    # how thick the core is where it is thickest: lines may touch, and a block of them is as thick as one
    thick = 2 * float(cv2.distanceTransform(np.pad(core, 1).view(np.uint8), cv2.DIST_C, 3).max()) - 1
    by = _SHRUNK * thick
    if slant is None:
        return np.array([(-by, -by), (w + by, -by), (w + by, h + by), (-by, h + by)])
    (x, y), (long, short), degrees = slant
    return np.array(cv2.boxPoints(((x + 0.5, y + 0.5), (long + 1 + 2 * by, short + 1 + 2 * by), degrees)), np.float64)
