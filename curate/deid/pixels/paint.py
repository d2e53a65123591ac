"""Painting over text, and how much a picture loses by it.

What is painted is a tight box around each line, filled with one tone: the letters' own outline, however wide its halo,
can be read; a box tells the length of a line and nothing else. The tone is what lies around the box, so that no edge
stands where nothing was; nothing is made up that a model could take for anatomy, and the boxes are told, so that those
pixels can be left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Box, Image8, grown, mask_of, moved, within

_RING = 3  # px: how far around a box its fill is looked for
_MIN_RING = 24  # pixels to take a tone from
HALO = 2  # px that belong to a letter: its edge is no sharper
# Of the text's height, and px: its halo, what compression left around it, and what finding it is out by.
_MARGIN, _MIN_MARGIN, _MAX_MARGIN = 0.1, 2, 8
_SHOWN = 512  # px: longer side at which anatomy is looked for
_FLAT = 10  # of 255: ground differs by less within a few pixels
_THIN = 11  # px at that size: frames, rulers and lines are thinner
_SMALL, _ON_GROUND = 0.05, 0.9  # of the picture, a small box; of what is around one on the ground, ground
_MIN_ANATOMY = 0.05  # of the picture: where there is less, its share means nothing


def with_margin(box: Box) -> Box:
    """What is painted for the text in ``box``."""
    by = min(max(_MIN_MARGIN, round(_MARGIN * min(box[2:]))), _MAX_MARGIN)
    return grown(box, by, by)


def painted(pixels: np.ndarray, boxes: Iterable[Box], *, indices: bool = False) -> np.ndarray:
    """A copy of ``pixels`` with every box filled with what lies around it.

    ``pixels``: [H, W] or [H, W, channels], any integer or float dtype. The fill is the median, a channel at a time, of
    the ring around the box, less what lies in any other; with ``indices`` (of a palette, where the middle of two tones
    may be any colour) the ring's most frequent value. Boxes may reach beyond the picture.
    """
    out, chosen = pixels.copy(), list(boxes)
    covered = mask_of(chosen, pixels.shape)
    for box in chosen:
        x, y, w, h = within(box, pixels.shape)
        if w and h:
            out[y : y + h, x : x + w] = _fill(_ring(pixels, (x, y, w, h), covered), indices).astype(pixels.dtype)
    return out


def _ring(pixels: np.ndarray, box: Box, covered: npt.NDArray[np.bool_]) -> np.ndarray:
    """The uncovered pixels just outside the box, [n] or [n, channels]; further off where there are few; none where the
    whole picture is covered."""
    by = _RING
    while True:
        x, y, w, h = within(grown(box, by, by), pixels.shape)
        at = np.s_[y : y + h, x : x + w]
        free = ~covered[at]
        if np.count_nonzero(free) >= _MIN_RING or (w, h) == (pixels.shape[1], pixels.shape[0]):
            return np.asarray(pixels[at][free])
        by *= 2


def _fill(ring: np.ndarray, indices: bool) -> np.ndarray:
    if not len(ring):
        return np.zeros(ring.shape[1:])
    if indices:
        values, counts = np.unique(ring, return_counts=True, axis=0)
        return np.asarray(values[counts.argmax()])
    return np.asarray(np.median(ring, axis=0))


def share_of_anatomy(view: Image8, boxes: Sequence[Box]) -> float:
    """How much of the anatomy ``boxes`` cover, 0 to 1; ``view``: the picture before it is painted there, uint8[H, W].

    Anatomy is what is neither flat ground nor a thin line; under a small box with ground all around it there is none,
    under any other all that has not the ground's tone. Where there is hardly any anatomy, it is the share of a
    twentieth of the picture.
    """
    if not boxes or not view.size:
        return 0.0
    factor = max(1.0, max(view.shape) / _SHOWN)
    size = (max(1, round(view.shape[1] / factor)), max(1, round(view.shape[0] / factor)))
    small = np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_AREA), np.uint8)
    scaled = [within(moved(box, view.shape, (0, 0, *size)), small.shape) for box in boxes]
    covered = mask_of(scaled, small.shape)
    flat = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) <= _FLAT
    tones = np.bincount(small[flat & ~covered], minlength=256)
    dark = (small <= _FLAT) | (np.abs(small.astype(np.int16) - int(tones.argmax())) <= _FLAT)
    ground = dark | (small >= 255 - _FLAT)
    body = (~(flat & ground) & ~covered).view(np.uint8)
    anatomy = cv2.countNonZero(cv2.morphologyEx(body, cv2.MORPH_OPEN, np.ones((_THIN, _THIN), np.uint8)))
    on_anatomy = [
        box for box in scaled if box[2] * box[3] > _SMALL * small.size or not _on_ground(_ring(ground, box, covered))
    ]
    lost = int(np.count_nonzero(mask_of(on_anatomy, small.shape) & ~dark))
    return float(min(1.0, lost / max(anatomy + lost, _MIN_ANATOMY * small.size)))


def _on_ground(ring: npt.NDArray[np.bool_]) -> bool:
    """Whether what is around a box is ground; of one with nothing but boxes around it nobody knows."""
    return bool(len(ring)) and float(ring.mean()) >= _ON_GROUND
