"""Rows of glyph-like marks in an image, in plain OpenCV: the fast first look for burned-in text.

Strokes that stand out from their surroundings are cut into connected pieces; pieces of a glyph's size that follow one
another on a line make a row, and `curate.deid.pixels.candidate_features` says how much that looks like text. Small or
bold letters run together: a piece with sharp edges is a row by itself, be it a word in one piece or a letter. It leans
towards seeing text: an OCR engine's detection may clear a row, nothing clears an image in which no row was looked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Box, Image8
from curate.deid.pixels.candidate_features import Look, Row, measured

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_KERNEL = 15  # px: wider than any stroke of a letter 48 px high
# Contrast of a stroke over its surroundings, of 255: faint text needs the lowest; the strongest shows most, for least.
_LEVELS = (150, 90, 45, 20)
_GRAINS = 3.5  # standard deviations of the grain that a stroke stands out by
_MIN_HEIGHT, _MAX_HEIGHT = 5, 48
_SMALL_IMAGE_HEIGHT = 14  # no line of text is a tenth of the picture high; ribs and gyri are
_MOST_PIECES = 2000  # more glyph-like pieces than this at one level is noise; the next level is cleaner
_MOST_PAIRS = 60  # at one level: more is texture
_PAIR_HEIGHT = 6  # px
# A lone piece is measured where its strokes' mean gradient is this much of their contrast, the sharpest of a level.
_LONE_SHARP, _MOST_LONE = 0.7, 16
_LONE_LONG, _LONE_FILL = 16, 0.85  # length over height of a word in one piece; fuller pieces are bars and dots
_LONE_HEIGHT = 40  # px: a single letter higher than this is the side marker of a radiograph, at its full size
_LARGE = 700  # px: above, a half-size look finds letters too large for the native one


def rows(image: Image8, *, eager: bool = False) -> Iterator[Row]:
    """Candidate rows, horizontal and vertical, bright and dark, at native size (and half size for large images).

    They are looked for as they are asked for, the cheapest places first: who needs one only need not pay for all.
    ``eager``: also fainter than the picture's grain, where that part of it is quiet; much there is noise of coding.
    """
    if min(image.shape) < 2 * _MIN_HEIGHT:
        return
    if min(image.shape) >= _LARGE:
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        yield from _rows_at(np.asarray(half, np.uint8), 2, eager)
    yield from _rows_at(image, 1, eager)


def _rows_at(image: Image8, factor: int, eager: bool) -> Iterator[Row]:
    kernel = np.ones((_KERNEL, _KERNEL), np.uint8)
    edges = np.asarray(cv2.morphologyEx(image, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.uint8)
    floor = min(_GRAINS * _noise(image), 45)  # grain makes glyphs of its own; strong text is looked for in any
    tops = [np.asarray(cv2.morphologyEx(image, op, kernel), np.uint8) for op in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)]
    known: tuple[set[Box], set[Box]] = (set(), set())  # lone pieces of either polarity, measured at a higher level
    for level in (v for v in _LEVELS if eager or v >= floor):
        if level < floor:  # faint text on the air beside a grainy body
            tops = [np.asarray(cv2.bitwise_and(strokes, _quiet(image, level)), np.uint8) for strokes in tops]
        for dark, strokes, seen in zip((False, True), tops, known, strict=True):
            yield from _rows_of(image, strokes, edges, level, factor, dark, seen)


def _quiet(image: Image8, level: int) -> Image8:
    """255 where the grain is finer than ``level`` asks for: few of the neighbours around differ by more, 0 elsewhere.

    Where as many differ as on average in grain, it is grain; strokes of a line of text are fewer.
    """
    steps = np.zeros_like(image)
    cv2.absdiff(image[:, 1:], image[:, :-1], dst=steps[:, 1:])
    _, far = cv2.threshold(steps, level / _GRAINS * math.sqrt(2) / 1.4826, 255, cv2.THRESH_BINARY)
    share = cv2.blur(far, (2 * _KERNEL + 1, 2 * _KERNEL + 1))
    return np.asarray(cv2.threshold(share, 0.4 * 255, 255, cv2.THRESH_BINARY_INV)[1], np.uint8)


def _noise(image: Image8) -> float:
    """Standard deviation of the grain, from differences of neighbours; 0 where most neighbours are equal."""
    steps = cv2.absdiff(image[::2, 1:], image[::2, :-1])
    counts = cv2.calcHist([steps], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    if counts[0] > 0.8 * counts.sum():  # drawn, or flat: the few differences are edges, not grain
        return 0.0
    counts[0] = 0
    below = np.cumsum(counts)
    return float(np.searchsorted(below, below[-1] / 2)) * 1.4826 / math.sqrt(2)


def _rows_of(
    image: Image8, strokes: Image8, edges: Image8, level: int, factor: int, dark: bool, seen: set[Box]
) -> Iterator[Row]:
    """The rows among the pieces of ``strokes`` above ``level``; only the part of the picture that has any is cut up."""
    _, mask = cv2.threshold(strokes, level, 255, cv2.THRESH_BINARY)
    marked = cv2.countNonZero(mask)
    if marked < 3 * _MIN_HEIGHT:
        return
    x, y, w, h = cv2.boundingRect(mask)
    x0, y0 = x & ~1, y & ~1  # OpenCV labels by blocks of 2 x 2: keeps the labels' order that of the whole picture
    part = np.s_[y0 : y + h, x0 : x + w]
    kind = cv2.CV_16U if marked < 0xFFFF else cv2.CV_32S  # half the memory is half the time
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask[part], connectivity=8, ltype=kind)
    pieces = np.asarray(stats, np.int64)[1:]  # label 0 is the background
    look = Look(image[part], strokes[part], edges[part], np.asarray(labels), level, (x0, y0), factor, dark)
    highest = min(_MAX_HEIGHT, max(_SMALL_IMAGE_HEIGHT, min(image.shape) // 10))
    for members, turned in _chains(pieces, _glyphs(pieces, highest)):
        if factor > 1 and len(members) == 2:  # too large for a word of two letters: a side marker's parts
            continue
        yield measured(look, pieces[members].tolist(), (members + 1).tolist(), turned)
    if factor > 1:
        return
    for k in _lone(look, pieces, min(highest, _LONE_HEIGHT)):
        x, y, w, h, _ = piece = pieces[k].tolist()
        if (x + x0, y + y0, w, h) not in seen:
            seen.add((x + x0, y + y0, w, h))
            yield measured(look, [piece], [k + 1], h > w)


def _lone(look: Look, pieces: Ints, highest: int) -> list[int]:
    """Indices of the pieces that may be text by themselves, the sharpest of a level."""
    short, long, area = pieces[:, 2:4].min(axis=1), pieces[:, 2:4].max(axis=1), pieces[:, 4]
    fill = area / (short * long)
    shaped = (short >= _MIN_HEIGHT) & (short <= highest) & (long <= _LONE_LONG * short) & (long >= _PAIR_HEIGHT)
    index = np.flatnonzero(shaped & (fill >= 0.12) & (fill <= _LONE_FILL) & (area >= 2 * short))
    if not len(index):
        return []
    wanted = np.zeros(len(pieces) + 1, np.bool_)
    wanted[index + 1] = True
    labels = look.labels.ravel()
    at = np.flatnonzero(labels)
    at = at[wanted[labels[at]]]
    sums = [np.bincount(labels[at], plane.ravel()[at], len(pieces) + 1) for plane in (look.edges, look.strokes)]
    sharp = sums[0][index + 1] / sums[1][index + 1]
    order = np.argsort(-sharp, kind="stable")[:_MOST_LONE]
    return sorted(int(k) for k in index[order[sharp[order] >= _LONE_SHARP]])


def _glyphs(pieces: Ints, highest: int) -> Flags:
    """Which pieces may be glyphs of a line across and of a line downwards: bool[2, pieces]."""
    wide, tall, area = pieces[:, (2, 3)].T, pieces[:, (3, 2)].T, pieces[:, 4]
    solid = area >= 0.12 * wide[0] * tall[0]
    glyph: Flags = (tall >= _MIN_HEIGHT) & (tall <= highest) & (wide <= 4 * tall) & solid & (area >= tall)
    for turned in (0, 1):
        if not 2 <= np.count_nonzero(glyph[turned]) <= _MOST_PIECES:
            glyph[turned] = False
    return glyph


def _chains(pieces: Ints, glyph: Flags) -> Iterator[tuple[Ints, bool]]:
    """Index sets of pieces that follow one another on a line: like heights, common top or bottom, small gaps.

    ``glyph`` as `_glyphs` gives it. Lines downwards are looked for in one go with lines across, laid out beside them.
    """
    turned, index = np.nonzero(glyph)
    if not len(index):
        return
    chosen = pieces[index]
    x, y, w, h = np.where(turned[:, None], chosen[:, (1, 0, 3, 2)], chosen[:, :4]).T
    x += turned * (int((x + w).max()) + 2 * _MAX_HEIGHT)
    order = np.argsort(x, kind="stable")
    i, j = _followers(x[order], y[order], w[order], h[order])
    pairs = 0
    for chain in _connected(i.tolist(), j.tolist()):
        members = order[chain]
        if len(chain) == 2:
            pairs += 1
            if pairs > _MOST_PAIRS or not _alike(x, y, w, h, members.tolist()):
                continue
        yield index[members], bool(turned[members[0]])


def _alike(x: Ints, y: Ints, w: Ints, h: Ints, pair: list[int]) -> bool:
    """Whether two pieces alone may be a word of two letters: with a common foot or head, close, and not too flat."""
    a, b = pair
    tall = max(int(h[a]), int(h[b]))
    level = min(abs(int(y[a] - y[b])), abs(int(y[a] + h[a] - y[b] - h[b]))) <= 1 + tall // 12
    close = x[b] - (x[a] + w[a]) <= 0.5 * tall
    return bool(level and close and tall >= _PAIR_HEIGHT and max(int(w[a]), int(w[b])) <= 1.3 * tall)


def _followers(x: Ints, y: Ints, w: Ints, h: Ints) -> tuple[Ints, Ints]:
    """Pairs of pieces, sorted by ``x``, that may be neighbours on a line."""
    n = np.arange(len(x))
    span = np.searchsorted(x, x + w + math.ceil(1.1 * _MAX_HEIGHT), side="right") - n - 1
    i = np.repeat(n, span)
    j = np.arange(1, len(i) + 1) + i - np.repeat(np.cumsum(span) - span, span)
    tall = np.maximum(h[i], h[j])
    gap = x[j] - (x + w)[i]
    near = (np.abs(h[i] - h[j]) <= 0.4 * tall) & (gap <= 1.1 * tall) & (gap >= -0.25 * tall) & (x[j] > x[i])
    i, j, tall = i[near], j[near], tall[near]
    bottom = y + h
    aligned = np.minimum(np.abs(bottom[i] - bottom[j]), np.abs(y[i] - y[j])) <= 0.2 * tall + 0.5
    return i[aligned], j[aligned]


def _connected(i: list[int], j: list[int]) -> Iterator[list[int]]:
    """Groups that the pairs (i, j) tie together, each in order, by their first member."""
    parent = {k: k for k in sorted({*i, *j})}
    for a, b in zip(i, j, strict=True):
        a, b = _root(parent, a), _root(parent, b)
        parent[max(a, b)] = min(a, b)
    groups: dict[int, list[int]] = {}
    for k in parent:
        groups.setdefault(_root(parent, k), []).append(k)
    yield from groups.values()


def _root(parent: dict[int, int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i
