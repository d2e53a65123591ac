"""Where a picture looks written on: the fast look's rows, weighed with what text detection says of them.

Without an OCR engine a row is suspected where its log-odds say so. With one the fast look leans further towards seeing,
and its rows only decide where the engine reads: the engine's lines count, and of the rows those that are sure by
themselves, since faint or oddly cut lettering escapes the network more often than it escapes the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curate.deid.pixels import ocr
from curate.deid.pixels.look import rows
from curate.deid.pixels.paint import merged
from curate.deid.pixels.row import Box, Image8, Row
from curate.deid.pixels.views import views

# Log-odds of a row; with the figures of benchmarks/burned_in.py.
SUSPECT = 1.2  # text, where nothing else can tell
LEAN = -3.0  # worth the engine's look
SURE = 1.0  # text, whatever the engine says
READ = 0.5  # mean probability of the engine's line
_WHOLE = 800_000  # pixels: a picture up to this size is read whole
_BAND = 128  # px: annotation of a large picture stands along its borders
_AROUND = 48  # px: what is shown to the engine around a row
_MOST = 12  # rows a view that are shown enlarged, the likeliest first
_SAME = 0.3  # intersection over union of a row and the line that confirms it


def suspects(pixels: np.ndarray, *, engine: bool, insist: bool = False, first: bool = False) -> list[Box]:
    """Boxes of what looks like text in any view of ``pixels`` ([H, W] or [H, W, 3], any dtype).

    ``engine``: whether the OCR engine is there to ask. ``insist``: it reads the whole picture whatever the fast
    look says. With ``first`` the look ends at the first view, and without an engine at the first box, that shows text.
    """
    found: list[Box] = []
    for view in views(pixels):
        found += _read(view, insist) if engine else _seen(view, first)
        if first and found:
            break
    return found


def _seen(view: Image8, first: bool) -> list[Box]:
    boxes = []
    for row in rows(view):
        if row.score > SUSPECT:
            boxes.append(row.box)
            if first:
                break
    return boxes


def _read(view: Image8, insist: bool) -> list[Box]:
    leaning = [row for row in rows(view) if row.score > LEAN]
    if not leaning and not insist:
        return []
    where = None if insist or view.size <= _WHOLE else _parts(view.shape, leaning)
    read = [line.box for line in ocr.detected(view, where, least=READ)]
    found = [_lengthened(box) for box in read]
    rest: list[Row] = []
    for rank, row in enumerate(sorted(leaning, key=lambda row: (-row.score, row.box))):
        lines = _enlarged(view, row) if rank < _MOST else []
        if row.score > SURE or any(_overlap(row.box, line) >= _SAME for line in [*lines, *read]):
            found += [_lengthened(box) for box in (row.box, *lines)]
        else:
            rest.append(row)
    return found + [row.box for row in rest if any(_beside(row.box, box) for box in found)]


def _enlarged(view: Image8, row: Row) -> list[Box]:
    """The lines that the engine sees where the row is, shown that part at twice its size."""
    x, y, w, h = row.box
    around = (x - _AROUND, y - _AROUND, w + 2 * _AROUND, h + 2 * _AROUND)
    lines = (line.box for line in ocr.detected_small(view, around, least=READ))
    thick = 2 * min(w, h) + 6
    return [box for box in lines if _overlap(row.box, box) > 0 and min(box[2:]) <= thick]


def _lengthened(box: Box) -> Box:
    """The box with room for a letter at either end: the outermost may have stuck to something and been left out."""
    x, y, w, h = box
    return (x - h, y, w + 2 * h, h) if w >= h else (x, y - w, w, h + 2 * w)


def _beside(a: Box, b: Box) -> bool:
    """Whether ``a`` stands on the line of ``b``, across or downwards, no further off than words do: then it is text."""
    for along, across in ((0, 1), (1, 0)):
        thick = b[across + 2]
        level = abs(2 * a[across] + a[across + 2] - 2 * b[across] - thick) <= thick
        gap = max(a[along], b[along]) - min(a[along] + a[along + 2], b[along] + b[along + 2])
        if level and gap <= 2 * thick and a[across + 2] <= 1.5 * thick and thick <= b[along + 2]:
            return True
    return False


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(wide, 0) * max(high, 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def _parts(shape: Sequence[int], leaning: list[Row]) -> list[Box] | None:
    """The rows' surroundings and the bands along the borders; None (everything) where that is as much to read."""
    height, width = shape
    around = [(x - _AROUND, y - _AROUND, w + 2 * _AROUND, h + 2 * _AROUND) for x, y, w, h in (r.box for r in leaning)]
    bands = [(0, 0, width, _BAND), (0, height - _BAND, width, _BAND),
             (0, 0, _BAND, height), (width - _BAND, 0, _BAND, height)]  # fmt: skip
    parts = [*merged(around), *bands]
    return parts if sum(w * h for _, _, w, h in parts) < height * width else None
