"""Views of what a picture as shown hides and another way of showing it would not: hue alone, faint steps, far tones.

Each costs a look, so there is one only where it holds what no other view does: most pictures have none. In them
everything is left out (mid-grey) that is plain in the views of `curate.deid.pixels.intensity_views` already.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Image8
from curate.deid.pixels.intensity_views import planes

Floats = npt.NDArray[np.float32]

_MID = 128  # of 255: where a view holds nothing
# Hue: steps of an opponent channel that are this many times those of brightness, and at least so much of the range.
_HUE_TIMES, _HUE_LEAST, _HUE_GAIN = 2.0, 0.06, 3.0
# Faint steps: of the range, what any window over it shows, how flat ground is, how much of what is around; the gain.
_PLAIN, _GRAIN, _FLAT, _GAIN = 1 / 7, 1 / 150, 0.7, 6.0
_STEP, _WIDE = 4, 11  # px between places where ground is looked for; places around
_BESIDE, _ISLAND = 5, 7  # places left out about a plain step, and where ground ends; smaller islands are grain
_AROUND = 31  # px around a step that is shown: strokes of letters are no further apart, and some ground about them
_SEEN = 20  # of 255: the faintest step that text is looked for at
_FEW = 40  # pixels: a line of text has more
_PART, _STROKES = 9, 6  # px of a side about any of a letter's pixels, and how many are its: fewer are grain


def hidden_views(pixels: np.ndarray) -> Iterator[Image8]:
    """The hidden views of ``pixels``, [H, W] or [H, W, 3 or 4] of any dtype, that hold something."""
    span = 0.0
    for plane in planes(pixels):
        span = max(span, plane.high - plane.low)
        view = faint_view(plane.values, plane.high - plane.low)
        if view is not None:
            yield view
    if pixels.ndim == 3:
        yield from hue_views(pixels, span)


def hue_views(pixels: np.ndarray, span: float) -> Iterator[Image8]:
    """The opponent channels of colours [H, W, 3 or 4] where these differ and brightness does not, uint8[H, W].

    Red against green, and blue against yellow (CIE 15 has them as a* and b*; the plain differences of channels serve as
    well, and are exact). ``span``: the range of brightness, in the pixels' own units. A line of one brightness on
    another hue is in neither the brightest nor the darkest channel; where it is in one of them, it is left out here.
    """
    red, green, blue = (_bytes(pixels[..., k], span) for k in range(3))
    if max(float(np.ptp(channel)) for channel in (red - green, blue - green)) <= 255 * _HUE_LEAST:
        return
    steps = np.maximum(*(_steps(op(op(red, green), blue)) for op in (np.maximum, np.minimum)))
    for channel in (red - green, blue - (red + green) / 2):
        own = _steps(channel)
        near = _near_strokes((own > _HUE_TIMES * steps) & (own > 255 * _HUE_LEAST))
        if near is not None:
            ground = float(np.median(channel[near]))
            yield np.where(near, np.clip(_MID + _HUE_GAIN / 2 * (channel - ground), 0, 255), _MID).astype(np.uint8)


def _bytes(plane: np.ndarray, span: float) -> Floats:
    return np.asarray(plane, np.float32) * np.float32(255 / span if span > 0 else 0)


def _steps(plane: np.ndarray) -> Floats:
    """The largest difference between pixels side by side."""
    return np.asarray(cv2.morphologyEx(plane, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.float32)


def _near_strokes(steps: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
    """bool[H, W]: what lies about those ``steps`` that are no single specks; None where they are too few for a line."""
    around = cv2.boxFilter(steps.view(np.uint8), -1, (_PART, _PART), normalize=False, borderType=cv2.BORDER_CONSTANT)
    strokes = steps & (around >= _STROKES)
    if np.count_nonzero(strokes) < _FEW:
        return None
    return np.asarray(cv2.dilate(strokes.view(np.uint8), np.ones((_AROUND, _AROUND), np.uint8))) > 0


def faint_view(plane: np.ndarray, span: float) -> Image8 | None:
    """Steps too faint to be seen in ``plane`` ([H, W], any dtype) as it is shown, at six times the contrast.

    ``span``: the range that is shown, in the plane's units. Shown is what stands on flat ground of any tone, black air,
    white air or padding, where a narrow window would show it: most pixels around are within a 150th of the range of one
    another, and none near by is further than a seventh from them, which the other views show. None where there is
    nothing of the kind.
    """
    if span <= 0 or min(plane.shape) < 4 * _STEP:
        return None
    ground, flat = _ground(_bytes(plane[::_STEP, ::_STEP], span))
    if not flat.any():
        return None
    size = (plane.shape[1], plane.shape[0])
    away = cv2.resize(ground, size, interpolation=cv2.INTER_LINEAR)
    cv2.subtract(_bytes(plane, span), away, dst=away)
    shown = cv2.resize(cv2.inRange(away, -255 * _PLAIN, 255 * _PLAIN), flat.shape[::-1], interpolation=cv2.INTER_AREA)
    rest = flat & (cv2.erode(shown, np.ones((_BESIDE, _BESIDE), np.uint8)) > 127)
    large = cv2.morphologyEx(rest.view(np.uint8), cv2.MORPH_OPEN, np.ones((_ISLAND, _ISLAND), np.uint8))
    inside = cv2.erode(large, np.ones((_BESIDE, _BESIDE), np.uint8))
    if not inside.any():
        return None
    on = cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST)
    steps = np.clip(cv2.multiply(away, on, dst=away, scale=_GAIN, dtype=cv2.CV_32F), -_MID, 127, out=away)
    near = _near_strokes(np.abs(steps) > _SEEN)
    return None if near is None else np.where(near, steps + _MID, _MID).astype(np.uint8)


def _ground(shades: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The ground's tone about each of ``shades`` (every fourth pixel), and whether most of what is around has it."""
    side, grain = (_WIDE, _WIDE), 255 * _GRAIN
    ground, share = cv2.blur(shades, side), np.ones_like(shades)
    for reach in (8 * grain, 2 * grain, grain):  # strokes draw the first mean towards them; the last is free of them
        near = (np.abs(shades - ground) < reach).astype(np.float32)
        share = np.maximum(cv2.blur(near, side), 1e-3)
        ground = cv2.blur(shades * near, side) / share
    return np.asarray(ground, np.float32), np.asarray(share > _FLAT)
