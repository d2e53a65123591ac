"""Markers that mean something and name nobody: one letter of side or orientation, alone on its line.

Found text that is exactly that is left in the picture (`PixelPolicy.keep_markers`): the reader must be sure of the
letter, and nothing like it may stand within two heights on its line, where a name would go on.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from curate.deid.pixels.boxes import Box, Image8, grown, within
from curate.deid.pixels.text_reader import read

LETTERS = frozenset("LRAPHFSI")  # left, right, anterior, posterior, head, foot, superior, inferior
_SURE = 0.8  # probability of the letter
_WIDE = 1.3  # no letter is wider, of its height
_ALONE = 2.0  # of its height
_AS_STRONG = 0.5  # of the letter's contrast: what would be a letter beside it


def markers(view: Image8, boxes: Sequence[Box]) -> list[Box]:
    """Those of ``boxes`` (of found text in ``view``, uint8[H, W]) that hold a marker and nothing else."""
    shaped = [box for box in boxes if box[3] >= 8 and box[2] <= _WIDE * box[3] and box[3] <= 6 * box[2]]
    return [box for box in shaped if _alone(view, box) and _letter(view, box) in LETTERS]


def _alone(view: Image8, box: Box) -> bool:
    """Whether nothing of half the letter's contrast stands beside it within two heights, on the left or right."""
    x, y, w, h = within(box, view.shape)
    own = view[y : y + h, x : x + w].astype(np.int16)
    reach = int(_ALONE * h)
    sides = (view[y : y + h, max(0, x - reach) : max(0, x - 2)], view[y : y + h, x + w + 2 : x + w + reach])
    step = _AS_STRONG * float(np.ptp(own))
    return all(not side.size or float(np.ptp(cv2.medianBlur(np.ascontiguousarray(side), 3))) < step for side in sides)


def _letter(view: Image8, box: Box) -> str:
    """The one letter that is read in ``box``, "" where it is not one or the reader is not sure."""
    text, sure = read(view, grown(box, box[3] // 5 + 2, box[3] // 5 + 2))
    return text.upper() if len(text) == 1 and sure >= _SURE else ""
