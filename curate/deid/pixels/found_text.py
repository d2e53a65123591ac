"""Where a picture holds text: the one place that weighs what rows of strokes, two networks and text detection say.

Without an OCR engine a row is text where a small network that sees its pixels says so
(`curate.deid.pixels.candidate_network`). With one the rows lean far towards seeing: the surroundings of whatever might
be text are shown to the engine, enlarged, and a row counts where the engine sees a line on it; or where rows and
network are both sure, since faint or oddly cut lettering escapes the engine. Text seldom comes alone: where some was
found the engine reads the whole picture. Text is found where something is seen *there*, and reaches as far as its
strokes do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Box, Image8, grown, mask_of, merged, shared, within
from curate.deid.pixels.candidate_features import Row
from curate.deid.pixels.candidate_network import log_odds
from curate.deid.pixels.codes import found_codes
from curate.deid.pixels.hidden_views import hidden_views
from curate.deid.pixels.intensity_views import views
from curate.deid.pixels.text_candidates import rows
from curate.deid.pixels.text_detector import FoundText, detected, detected_small
from curate.deid.pixels.text_reader import read

T = TypeVar("T")

# Log-odds by the traits below which the network is not asked about a row, and by the network above which one is text.
ASKED, DRAWN = -3.0, 2.0
# Log-odds by the traits, of one piece alone, of two and of more; chosen on the half of pictures and fonts for fitting
# in benchmarks/burned_in (on pictures the weights have not seen), which reports on the other half.
SUSPECT = (3.3, 2.8, 2.3)  # text, as far as the traits tell
JOINT = 1.3  # the same, of a row and the likeliest single piece on it, added up
SURE = 0.7  # so much more is text whatever the engine says, where the network is sure
UNLIKE, ALONE = -2.0, 3.0  # by the network: less is no text though the engine says so; more is text though it does not
LEAN = (-1.0, -2.0, -3.0)  # worth the engine's look
FAINT = -2.0  # of a hidden view's likeliest row: less, and the engine is not asked about the view
NEAR = -2.0  # so little less than text is worth a look at three times its size, which takes anatomy for text more often
BESIDE = 1.0  # by the network, of a row that stands on a line with found text
SAYS, SAYS_ONE = 0.3, 0.6  # mean probability of two characters and more that are read, and of one
READ, READ_SMALL = 0.5, 0.8  # mean probability of the engine's line; where it was shown at three times its size
_WHOLE = 800_000  # pixels: a picture up to this size is read whole
_BAND = 128  # px: annotation of a large picture stands along its borders
_AROUND = 48  # px: what is shown to the engine around a row
_SHOWN, _SHOWN_PART = 150_000, 1 / 16  # pixels of a view that are shown enlarged, the likeliest first; or of its size
_ON, _PIECE_ON = 0.5, 0.7  # of a row, within the line that confirms it; of a single piece, on the row it adds to
_NEW = 0.3  # of an engine's line, in found ones: it is one of them, or several taken for one
_SEEN = 0.6  # of a row, in found lines: it is a part of them, or a column of their letters
_GLANCE = 288  # px: longer side of the copy of a picture that is read whole
_SMALL = 16  # px: letters up to this high are shown larger still
_TALL = 48  # px: no letter is higher
_HIDDEN_HIGH = 8  # px: a line in a hidden view is no lower; what coding leaves at borders is
_STROKE, _EDGE = 0.25, 0.5  # of a line's contrast: what is a stroke of it, and what is one beyond its end


def found_text(pixels: np.ndarray, *, engine: bool, insist: bool = False, first: bool = False) -> list[FoundText]:
    """The lines of text, and the codes, in any view of ``pixels`` ([H, W] or [H, W, 3], any dtype).

    ``engine``: whether the OCR engine is there to ask. ``insist``: it reads the whole picture whatever the rows say.
    With ``first`` the look ends at the first view that shows text.
    """
    found: list[FoundText] = []
    for view in views(pixels):
        found += found_codes(view)
        found += _read(view, _leaning(view), insist) if engine else _drawn(view)
        if first and found:
            return found
    for view in hidden_views(pixels):
        found += _hidden(view, engine)
        if first and found:
            break
    return found


def _hidden(view: Image8, engine: bool) -> list[FoundText]:
    """The text in a hidden view. Grain and what coding left look most like rows there: the engine is asked only where
    one leans towards text, and must see a line itself; without one, nothing of the kind is seen."""
    leaning = _leaning(view) if engine else []
    if not leaning or leaning[0].excess <= FAINT:
        return []
    return [t for t in _read(view, leaning, False) if t.source != "candidate" and t.thickness >= _HIDDEN_HIGH]


class Candidate(NamedTuple):
    """A row that leans towards text, and by how much its log-odds exceed what is taken for text."""

    excess: float
    row: Row


def _drawn(view: Image8) -> list[FoundText]:
    """What is text by the look alone: the rows that are not unlikely by their traits, by what the network sees."""
    asked = [row for row in rows(view) if row.score > ASKED]
    odds = log_odds(view, asked)
    return [_of_row(view, row, v) for row, v in zip(asked, odds, strict=True) if v > DRAWN]


def _glanced(view: Image8) -> list[FoundText]:
    """What is seen in a small copy of the picture: letters too large for the engine at full size, slanted ones, and
    dots too far apart for the rows. Anatomy is as large as letters there: the reader must be asked (`_new`)."""
    times = max(1.0, max(view.shape) / _GLANCE)
    small = view if times == 1 else cv2.resize(view, None, fx=1 / times, fy=1 / times, interpolation=cv2.INTER_AREA)
    return [line.scaled(1 / times, 0, 0) for line in detected(np.asarray(small, np.uint8), least=READ)]


def _new(view: Image8, lines: Sequence[FoundText], found: Sequence[FoundText]) -> list[FoundText]:
    """Those of the engine's ``lines`` that are not ``found`` yet, and in which the reader, too, sees something."""
    known = _mask(found, view)
    return [_trimmed(view, n) for n in lines if _part_of(n.box, known) < _NEW and _says_some(view, n)]


def _says_some(view: Image8, line: FoundText) -> bool:
    """Whether the reader reads something there: two characters, or one it is sure of. In eyeballs it does not."""
    text, sure = read(view, line.polygon)
    return sure >= (SAYS if len(text) > 1 else SAYS_ONE)


def _leaning(view: Image8) -> list[Candidate]:
    """The likeliest first."""
    leaning = [(row.score, row) for row in rows(view, eager=True)]
    leaning = [(score, row) for score, row in leaning if score > LEAN[min(row.count, 3) - 1]]
    alone = [(score, row.box) for score, row in leaning if row.count == 1]
    found = []
    for score, row in leaning:
        excess = score - SUSPECT[min(row.count, 3) - 1]
        if row.count > 1:
            on = [s for s, box in alone if shared(box, row.box) >= _PIECE_ON * box[2] * box[3]]
            excess = max([excess, *(score + s - JOINT for s in on)])
        found.append(Candidate(excess, row))
    return sorted(found, key=lambda c: (-c.excess, c.row.box))


def _read(view: Image8, leaning: Sequence[Candidate], insist: bool) -> list[FoundText]:
    boxes = [candidate.row.box for candidate in leaning]
    small = [row.box for excess, row in leaning if excess > NEAR and min(row.box[2:]) <= _SMALL]
    lines = [
        line
        for times, some, least in ((2, boxes, READ), (3, small, READ_SMALL))
        for part in _shown(view, some)
        for line in detected_small(view, part, times=times, least=least)
    ]
    on = [(row, [line for line in lines if _confirms(line, row)]) for _, row in leaning]
    seen = _with_odds(view, [(row, of_it) for row, of_it in on if of_it], UNLIKE)
    told = [each for each in seen if each[1] > DRAWN or any(_says_some(view, line) for line in each[0][1])]
    found = [FoundText.upright(row.box, max(line.score for line in of_it), "both") for (row, of_it), _ in told]
    found += [_trimmed(view, line) for line in dict.fromkeys(line for (_, of_it), _ in told for line in of_it)]
    rest = [(excess, row) for (excess, row), (_, of_it) in zip(leaning, on, strict=True) if not of_it]
    sure = _with_odds(view, [(row, None) for excess, row in rest if excess > SURE], ALONE)
    found += [_of_row(view, row, odds) for (row, _), odds in sure]
    found += _new(view, _glanced(view), found)
    if found or insist:
        where = None if insist or view.size <= _WHOLE else _parts(view.shape, boxes)
        found += _new(view, detected(view, where, least=READ), found)
    covered = _mask(found, view)
    near = _neighbours([text.box for text in found], [row for _, row in rest if _part_of(row.box, covered) < _SEEN])
    return found + [_of_row(view, row, v) for (row, _), v in _with_odds(view, [(row, None) for row in near], BESIDE)]


def _with_odds(view: Image8, asked: Sequence[tuple[Row, T]], least: float) -> list[tuple[tuple[Row, T], float]]:
    """Those of ``asked`` whose row the network gives log-odds above ``least``, with these."""
    odds = log_odds(view, [row for row, _ in asked])
    return [(each, v) for each, v in zip(asked, odds, strict=True) if v > least]


def _of_row(view: Image8, row: Row, odds: float) -> FoundText:
    return FoundText.upright(_lengthened(view, row.box), 1 / (1 + math.exp(-odds)), "candidate")


def _mask(found: Sequence[FoundText], view: Image8) -> npt.NDArray[np.bool_]:
    return mask_of([box for text in found for box in text.boxes()], view.shape)


def _part_of(box: Box, seen: np.ndarray) -> float:
    x, y, w, h = within(box, seen.shape)
    return float(seen[y : y + h, x : x + w].mean()) if w * h else 1.0


def _trimmed(view: Image8, line: FoundText) -> FoundText:
    """The engine's line without the ground that it was grown by."""
    if len(line.boxes()) > 1:
        return line
    x, y, w, h = within(line.box, view.shape)
    strokes = _strokes(view[y : y + h, x : x + w])
    if strokes.any():
        left, top, w, h = cv2.boundingRect(strokes.view(np.uint8))
        x, y = x + left, y + top
    return FoundText.upright((x, y, w, h), line.score, line.source)


def _strokes(part: Image8) -> npt.NDArray[np.bool_]:
    """bool[h, w]: what differs from the tone along the part's border by a quarter of the most that anything does."""
    if not part.size:
        return np.zeros(part.shape, np.bool_)
    border = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
    away = np.abs(part.astype(np.int16) - int(np.median(border)))
    strokes: npt.NDArray[np.bool_] = away >= max(_STROKE * float(np.quantile(away, 0.98)), 4)
    return strokes


def _lengthened(view: Image8, box: Box) -> Box:
    """The box, longer by up to its height at either end, as far as strokes like its own go on there without a gap of
    half of that: the outermost letter may have stuck to something and been left out."""
    x, y, w, h = within(box, view.shape)
    if not w * h:
        return box
    turned = h > w
    if turned:
        view, x, y, w, h = view.T, y, x, h, w
    own = view[y : y + h, x : x + w].astype(np.int16)
    low, high = (float(v) for v in np.quantile(own, (0.05, 0.95)))
    ground = float(np.median(own))
    sign = 1 if high - ground > ground - low else -1
    away = sign * (view[y : y + h].astype(np.float32) - ground)
    stands_out = away.max(axis=0) > _EDGE * (high - low)
    left = _reach(stands_out[max(0, x - h) : x][::-1], h)
    right = _reach(stands_out[x + w : x + w + h], h)
    x, w = x - left, w + left + right
    return (y, x, h, w) if turned else (x, y, w, h)


def _reach(strokes: np.ndarray, height: int) -> int:
    """How many columns from the first on belong to strokes that follow one another within half a height."""
    at = np.flatnonzero(strokes)
    gaps = np.diff(at, prepend=-1)
    far = np.flatnonzero(gaps > max(2, height // 2))
    at = at[: far[0]] if len(far) else at
    return int(at[-1]) + 1 if len(at) else 0


def _shown(view: Image8, leaning: Sequence[Box]) -> list[Box]:
    """The surroundings of the likeliest rows, as many as there is time for; the others are judged by the rows alone."""
    most = max(_SHOWN, int(_SHOWN_PART * view.size))
    parts: list[Box] = []
    for box in leaning:
        wider = merged([*parts, within(grown(box, _AROUND, _AROUND), view.shape)])
        if parts and sum(w * h for _, _, w, h in wider) > most:
            break
        parts = wider
    return parts


def _confirms(line: FoundText, row: Row) -> bool:
    """Whether the engine's line lies on the row and is about as thick."""
    thick = max(row.box[2:]) if row.count == 1 else min(row.box[2:])
    on = shared(row.box, line.box)
    return on >= _ON * row.box[2] * row.box[3] and line.thickness <= 2 * min(thick, _TALL) + 6


def _neighbours(found: Sequence[Box], rest: Sequence[Row]) -> list[Row]:
    """Those of ``rest`` that stand on a line with what was found, or with another that does."""
    new, rest, joined = list(found), list(rest), list[Row]()
    while new:
        more = [row for row in rest if any(_beside(row.box, other) for other in new)]
        rest = [row for row in rest if row not in more]
        joined, new = joined + more, [row.box for row in more]
    return joined


def _beside(a: Box, b: Box) -> bool:
    """Whether ``a`` stands on the line of ``b``, across or downwards, no further off than words do: then it is text."""
    for along, across in ((0, 1), (1, 0)):
        thick = b[across + 2]
        level = abs(2 * a[across] + a[across + 2] - 2 * b[across] - thick) <= thick
        gap = max(a[along], b[along]) - min(a[along] + a[along + 2], b[along] + b[along + 2])
        if level and gap <= 2 * thick and a[across + 2] <= 1.5 * thick and thick <= b[along + 2]:
            return True
    return False


def _parts(shape: Sequence[int], leaning: Sequence[Box]) -> list[Box] | None:
    """The rows' surroundings and the bands along the borders; None (everything) where that is as much to read."""
    height, width = shape
    bands = [(0, 0, width, _BAND), (0, height - _BAND, width, _BAND),
             (0, 0, _BAND, height), (width - _BAND, 0, _BAND, height)]  # fmt: skip
    parts = [*merged(grown(box, _AROUND, _AROUND) for box in leaning), *bands]
    return parts if sum(w * h for _, _, w, h in parts) < height * width else None
