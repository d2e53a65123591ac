"""Where a picture looks written on: the fast look's rows, weighed with what text detection says of them.

Without an OCR engine a row is suspected where a small network that sees its pixels says so
(`curate.deid.pixels.network`). With one the fast look leans far towards seeing:
the surroundings of whatever might be text are shown to the engine, enlarged, and a row counts where the engine sees a
line, or where it is sure by itself, since faint or oddly cut lettering escapes the network more often than it escapes
the rows. Text seldom comes alone: where some was found the engine reads the whole picture, and what stands on a found
line belongs to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from curate.deid.pixels import ocr
from curate.deid.pixels.look import rows
from curate.deid.pixels.network import log_odds
from curate.deid.pixels.paint import merged, within
from curate.deid.pixels.row import Box, Image8, Row
from curate.deid.pixels.views import views

# Log-odds by the traits below which the network is not asked about a row, and by the network above which one is text.
ASKED, DRAWN = -3.0, 2.0
# Log-odds by the traits, of one piece alone, of two and of more; chosen on the half of pictures and fonts for fitting
# in benchmarks/burned_in.py (on pictures the weights have not seen), which reports on the other half.
SUSPECT = (3.3, 2.8, 2.3)  # text, as far as the traits tell
JOINT = 1.3  # the same, of a row and the likeliest single piece on it, added up
SURE = 0.7  # so much more is text whatever the engine says
LEAN = (-1.0, -2.0, -3.0)  # worth the engine's look
NEAR = -2.0  # so little less than text is worth a look at three times its size, which takes anatomy for text more often
READ, READ_SMALL = 0.5, 0.8  # mean probability of the engine's line; where it was shown at three times its size
_WHOLE = 800_000  # pixels: a picture up to this size is read whole
_BAND = 128  # px: annotation of a large picture stands along its borders
_AROUND = 48  # px: what is shown to the engine around a row
_SHOWN, _SHOWN_PART = 150_000, 1 / 16  # pixels of a view that are shown enlarged, the likeliest first; or of its size
_ON, _PIECE_ON = 0.5, 0.7  # of a row, within the line that confirms it; of a single piece, on the row it adds to
_SMALL = 16  # px: letters up to this high are shown larger still
_TALL = 48  # px: no letter is higher


def suspects(pixels: np.ndarray, *, engine: bool, insist: bool = False, first: bool = False) -> list[Box]:
    """Boxes of what looks like text in any view of ``pixels`` ([H, W] or [H, W, 3], any dtype).

    ``engine``: whether the OCR engine is there to ask. ``insist``: it reads the whole picture whatever the fast
    look says. With ``first`` the look ends at the first view that shows text.
    """
    found: list[Box] = []
    for view in views(pixels):
        found += _read(view, _leaning(view), insist) if engine else _drawn(view)
        if first and found:
            break
    return found


class Candidate(NamedTuple):
    """A row that leans towards text, and by how much its log-odds exceed what is taken for text."""

    excess: float
    row: Row


def _drawn(view: Image8) -> list[Box]:
    """What is text by the look alone: the rows that are not unlikely by their traits, by what the network sees."""
    asked = [row for row in rows(view) if row.score > ASKED]
    return [row.box for row, odds in zip(asked, log_odds(view, asked), strict=True) if odds > DRAWN]


def _leaning(view: Image8) -> list[Candidate]:
    """The likeliest first."""
    leaning = [(row.score, row) for row in rows(view, eager=True)]
    leaning = [(score, row) for score, row in leaning if score > LEAN[min(row.count, 3) - 1]]
    alone = [(score, row.box) for score, row in leaning if row.count == 1]
    found = []
    for score, row in leaning:
        excess = score - SUSPECT[min(row.count, 3) - 1]
        if row.count > 1:
            on = [s for s, box in alone if _shared(box, row.box) >= _PIECE_ON * box[2] * box[3]]
            excess = max([excess, *(score + s - JOINT for s in on)])
        found.append(Candidate(excess, row))
    return sorted(found, key=lambda c: (-c.excess, c.row.box))


def _read(view: Image8, leaning: Sequence[Candidate], insist: bool) -> list[Box]:
    boxes = [candidate.row.box for candidate in leaning]
    small = [row.box for excess, row in leaning if excess > NEAR and min(row.box[2:]) <= _SMALL]
    lines = [
        line.box
        for times, some, least in ((2, boxes, READ), (3, small, READ_SMALL))
        for part in _shown(view, some)
        for line in ocr.detected_small(view, part, times=times, least=least)
    ]
    found: list[Box] = []
    rest: list[Box] = []
    for excess, row in leaning:
        of_it = [line for line in lines if _confirms(line, row)]
        if of_it or excess > SURE:
            found += [_lengthened(box) for box in (row.box, *of_it)]
        else:
            rest.append(row.box)
    if found or insist:
        where = None if insist or view.size <= _WHOLE else _parts(view.shape, boxes)
        found += [_lengthened(line.box) for line in ocr.detected(view, where, least=READ)]
    return _with_neighbours(found, rest)


def _shown(view: Image8, leaning: Sequence[Box]) -> list[Box]:
    """The surroundings of the likeliest rows, as many as there is time for; the others are judged by the rows alone."""
    most = max(_SHOWN, int(_SHOWN_PART * view.size))
    parts: list[Box] = []
    for box in leaning:
        wider = merged([*parts, within(_around(box), view.shape)])
        if parts and sum(w * h for _, _, w, h in wider) > most:
            break
        parts = wider
    return parts


def _around(box: Box) -> Box:
    x, y, w, h = box
    return x - _AROUND, y - _AROUND, w + 2 * _AROUND, h + 2 * _AROUND


def _confirms(line: Box, row: Row) -> bool:
    """Whether the engine's line lies on the row and is about as thick."""
    thick = max(row.box[2:]) if row.count == 1 else min(row.box[2:])
    shared = _shared(row.box, line)
    return shared >= _ON * row.box[2] * row.box[3] and min(line[2:]) <= 2 * min(thick, _TALL) + 6


def _lengthened(box: Box) -> Box:
    """The box with room for a letter at either end: the outermost may have stuck to something and been left out."""
    x, y, w, h = box
    return (x - h, y, w + 2 * h, h) if w >= h else (x, y - w, w, h + 2 * w)


def _with_neighbours(found: list[Box], rest: list[Box]) -> list[Box]:
    """``found`` and whatever of ``rest`` stands on a line with it, or with what does."""
    found, new = list(found), list(found)
    while new:
        joined = [box for box in rest if any(_beside(box, other) for other in new)]
        rest = [box for box in rest if box not in joined]
        found, new = found + joined, joined
    return found


def _beside(a: Box, b: Box) -> bool:
    """Whether ``a`` stands on the line of ``b``, across or downwards, no further off than words do: then it is text."""
    for along, across in ((0, 1), (1, 0)):
        thick = b[across + 2]
        level = abs(2 * a[across] + a[across + 2] - 2 * b[across] - thick) <= thick
        gap = max(a[along], b[along]) - min(a[along] + a[along + 2], b[along] + b[along + 2])
        if level and gap <= 2 * thick and a[across + 2] <= 1.5 * thick and thick <= b[along + 2]:
            return True
    return False


def _shared(a: Box, b: Box) -> int:
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(wide, 0) * max(high, 0)


def _parts(shape: Sequence[int], leaning: Sequence[Box]) -> list[Box] | None:
    """The rows' surroundings and the bands along the borders; None (everything) where that is as much to read."""
    height, width = shape
    bands = [(0, 0, width, _BAND), (0, height - _BAND, width, _BAND),
             (0, 0, _BAND, height), (width - _BAND, 0, _BAND, height)]  # fmt: skip
    parts = [*merged(_around(box) for box in leaning), *bands]
    return parts if sum(w * h for _, _, w, h in parts) < height * width else None
