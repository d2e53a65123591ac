"""The gate every picture passes: no text-like structure in it, or it is blanked or kept back.

BurnedInAnnotation = NO is not believed, YES is. What is known to hold annotation, by machine or by ultrasound metadata
(`curate.deid.pixels.known_regions`), is blanked; the rest is looked at (`curate.deid.pixels.found_text`). Found text is
blanked, each line by a tight box, and looked for again; a picture that still shows text is quarantined, and so is one
that lost more of its anatomy, or more than its text, than the policy allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from pydicom.dataset import Dataset

from curate.deid.pixels import text_reader
from curate.deid.pixels.boxes import Box, area, grown, joined, within
from curate.deid.pixels.found_text import TextSearch
from curate.deid.pixels.intensity_views import coloured, is_palette, views
from curate.deid.pixels.known_regions import written_in, written_regions
from curate.deid.pixels.markers import markers
from curate.deid.pixels.paint import HALO, painted, share_of_anatomy, with_margin
from curate.deid.quiet import UNPARSEABLE, quiet
from curate.deid.rules import PixelPolicy
from curate.record import Reason

__all__ = ["Gate", "PixelPolicy", "gate", "painted", "too_much_painted"]

_ROUNDS = 3  # looks at a blanked picture before it is given up


@dataclass(frozen=True)
class Gate:
    """The pixels to go on with, why they may not (None: cleared), and the boxes (x, y, width, height) of text.

    Where pixels were painted, ``regions`` are exactly what was, within the picture.
    """

    pixels: np.ndarray
    reason: Reason | None
    regions: tuple[Box, ...]


def gate(pixels: np.ndarray, header: Dataset | None, policy: PixelPolicy, search: TextSearch | None = None) -> Gate:
    """Clear a picture, blank its text or keep it back.

    ``pixels``: one frame at its native resolution, [H, W] or [H, W, 3], any integer or float dtype; indices of a
    palette where ``header`` (the source's) says PALETTE COLOR. Reason.BURNED_IN where text is left,
    Reason.PIXELS_UNPROVEN where the header says there is some and none was found, Reason.TOO_MUCH_PAINTED where what
    was found leaves too little. Policy "quarantine" blanks nothing and stops looking at the first text found, so its
    ``regions`` may not be all there are; "blank" names them all. Policy "trust" returns everything untouched and looks
    at nothing; the caller must say so. ``search``: the one of the frames before, whose finds are painted in this one.
    Raises ValueError for another shape.
    """
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise ValueError(f"one frame of shape [H, W] or [H, W, 3] expected, not {pixels.ndim} dimensions")
    if policy.burned_in == "trust":
        return Gate(pixels, None, ())
    blank = policy.burned_in == "blank"
    known = written_regions(header, (pixels.shape[0], pixels.shape[1]))
    written: list[Box] = []
    paint = partial(painted, indices=_indices(pixels, header))
    if blank and known:
        written = written_in(pixels, known)
        pixels = paint(pixels, written)
    look = partial(_look, search or TextSearch(), header=header, keep=policy.keep_markers and text_reader.available())
    source, tight = pixels, look(pixels, first=not blank)
    left, boxes = tight, _to_paint(tight, pixels.shape)
    for _ in range(_ROUNDS if blank else 0):
        if not left:
            break
        pixels = paint(source, boxes)
        if too_much_painted(_shown(source, header), boxes, policy, tight):
            return Gate(pixels, Reason.TOO_MUCH_PAINTED, (*written, *boxes))
        left = look(pixels)
        tight = [*tight, *left]
        boxes = _to_paint(tight, pixels.shape)
    regions = (*written, *boxes)
    if left:
        return Gate(pixels, Reason.BURNED_IN, regions)
    return Gate(pixels, Reason.PIXELS_UNPROVEN if _annotated(header) and not regions else None, regions)


def too_much_painted(
    pixels: np.ndarray, boxes: Sequence[Box], policy: PixelPolicy, text: Sequence[Box] | None = None
) -> bool:
    """Whether ``boxes`` of ``pixels`` (shown: grey or colours; not yet painted) are more than the policy allows of the
    area of the ``text`` they are painted for, with its halo (None: not asked), or of the anatomy."""
    if text is not None:
        letters = area([grown(box, HALO, HALO) for box in text], pixels.shape)
        if area(boxes, pixels.shape) > policy.max_painted_text * max(letters, 1):
            return True
    return share_of_anatomy(next(views(pixels)), boxes) > policy.max_painted_anatomy


def _annotated(header: Dataset | None) -> bool:
    """Whether the header says that there is text in the picture."""
    if header is None:
        return False
    with quiet():
        try:
            return str(header.get("BurnedInAnnotation", "")).strip().upper() == "YES"
        except UNPARSEABLE:
            return False


def _indices(pixels: np.ndarray, header: Dataset | None) -> bool:
    return pixels.ndim == 2 and is_palette(header)


def _shown(pixels: np.ndarray, header: Dataset | None) -> np.ndarray:
    return coloured(pixels, header) if header is not None and _indices(pixels, header) else pixels


def _look(
    search: TextSearch, pixels: np.ndarray, header: Dataset | None, *, keep: bool, first: bool = False
) -> list[Box]:
    """Tight boxes of the text in a picture, within it, less the markers that are to stay."""
    shown = _shown(pixels, header)
    found = search(shown, first=first)
    boxes = joined(within(box, pixels.shape) for text in found for box in text.boxes())
    kept = markers(next(views(shown)), boxes) if keep and boxes else []
    return [box for box in boxes if box not in kept]


def _to_paint(tight: Sequence[Box], shape: Sequence[int]) -> list[Box]:
    return joined(within(with_margin(box), shape) for box in tight)
