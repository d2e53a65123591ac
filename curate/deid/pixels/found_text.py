"""Where a picture holds text: what the detector finds in any view of it, as tight as its strokes; and codes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Image8, within
from curate.deid.pixels.codes import found_codes
from curate.deid.pixels.hidden_views import hidden_views
from curate.deid.pixels.intensity_views import views
from curate.deid.pixels.text_detector import FoundText, detected

# Mean probability of a line's core from which it is text: chosen on pictures that are neither the benchmark's nor those
# of the detector's fit, so that of 100 without text one is touched.
LEAST = 0.68
HIDDEN = 0.85  # the same in a hidden view, where grain and what coding left stand on nothing else
_KEPT = 4  # views that were looked at before
_STROKE = 0.25  # of a line's contrast: what is a stroke of it


class TextSearch:
    """Looks for text in one picture, again once what was found there is painted, and in the frames that follow it.

    A view is looked at where it differs from one that was looked at before: the channels of a nearly grey picture are
    nearly one, nothing but paint is new in a painted picture, and what stands about a moving picture stands still.
    Where it is as it was, what was found is told, or painted, already.
    """

    def __init__(self) -> None:
        self._plain: deque[Image8] = deque(maxlen=_KEPT)
        self._hidden: deque[Image8] = deque(maxlen=_KEPT)

    def __call__(self, pixels: np.ndarray, *, first: bool = False) -> list[FoundText]:
        """The lines of text, and the codes, in any view of ``pixels`` ([H, W] or [H, W, 3], any dtype), of one shape.

        With ``first`` the look ends at the first view that shows text.
        """
        found: list[FoundText] = []
        for view in views(pixels):
            new = _new(view, self._plain)
            found += [*found_codes(view, new), *_lines(view, new, LEAST)]
            self._plain.append(view)
            if first and found:
                return found
        for view in hidden_views(pixels):
            found += _lines(view, _new(view, self._hidden), HIDDEN)
            self._hidden.append(view)
        return found


def _new(view: Image8, before: Iterable[Image8]) -> npt.NDArray[np.bool_] | None:
    """bool[H, W]: where it differs from that one of those before that it is most like; None where there was none."""
    return min((view != other for other in before), key=np.count_nonzero, default=None)


def _lines(view: Image8, new: npt.NDArray[np.bool_] | None, least: float) -> list[FoundText]:
    return [_trimmed(view, line) for line in detected(view, least, new)] if new is None or new.any() else []


def found_text(pixels: np.ndarray) -> list[FoundText]:
    """What a first look of `TextSearch` finds."""
    return TextSearch()(pixels)


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
