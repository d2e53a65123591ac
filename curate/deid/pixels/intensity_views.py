"""What of a picture is looked at: 8-bit views, so stretched that no text hides in tones nobody shows.

Pictures stored as indices of a palette are looked at in their colours: near indices may be far tones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from curate.deid.pixels.boxes import Image8
from curate.deid.quiet import UNPARSEABLE, quiet

_BINS = 64  # in which gaps of a range are looked for
_NEARLY = 0.1  # of a range: so near another is one with it
_COUNTED = 2  # bytes: integers this wide are counted and looked up instead of sorted and reckoned with


class Plane(NamedTuple):
    """One channel of a picture, [H, W], any dtype, every value a number; and the range that holds its bulk."""

    values: np.ndarray
    low: float
    high: float


def views(pixels: np.ndarray) -> Iterator[Image8]:
    """The picture as uint8[H, W], stretched over its bulk, and over its whole range where that hides much of it.

    ``pixels``: [H, W] or [H, W, 3 or 4], any dtype. Text brighter than all anatomy saturates in the first view but
    keeps its edges; text drawn on saturated ground shows in the second only. Where padding or metal lies far from all
    else, what most pixels hold is a view of its own. Colour is looked at by its brightest and its darkest channel. What
    none of these shows is in `curate.deid.pixels.hidden_views`.
    """
    for plane in planes(pixels):
        values, low, high = plane
        yield stretched(values, low, high)
        least, most = float(values.min()), float(values.max())
        if most - least > 1.5 * (high - low):
            yield stretched(values, least, most)
        part = _crowded(plane)
        if part is not None:
            yield stretched(values, *part)


def planes(pixels: np.ndarray) -> Iterator[Plane]:
    """What is looked at of [H, W] or [H, W, 3 or 4] ``pixels``: the grey values; of colours the brightest and the
    darkest channel, one where they are equal, over one range where theirs are nearly one. A fourth channel is alpha."""
    before: tuple[float, float] | None = None
    for values in [pixels] if pixels.ndim == 2 else _extremes(pixels):
        if values.dtype.kind not in "iu" or values.dtype.itemsize > _COUNTED:
            values = np.nan_to_num(values.astype(np.float32), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        low, high = _bulk(values[:: max(1, values.shape[0] // 512), :: max(1, values.shape[1] // 512)])
        high = high if high > low else float(values.max())
        if before is not None and abs(low - before[0]) + abs(high - before[1]) < _NEARLY * (before[1] - before[0]):
            low, high = before
        before = low, high
        yield Plane(values, low, high)


def _extremes(pixels: np.ndarray) -> list[np.ndarray]:
    red, green, blue = (pixels[..., k] for k in range(3))
    channels = [np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)]
    return channels[:1] if np.array_equal(*channels) else channels


def _crowded(plane: Plane) -> tuple[float, float] | None:
    """The range of most pixels, where half of the bulk's range holds none: padding far below a body, or metal far above
    it, leaves the body a few shades. None where there is no such gap."""
    values, low, high = plane
    if high <= low or values.dtype == np.uint8:  # a byte has no shades to spare
        return None
    sample = values[:: max(1, values.shape[0] // 128), :: max(1, values.shape[1] // 128)].astype(np.float32)
    counts, _ = np.histogram(sample, bins=_BINS, range=(low, high))
    used = np.flatnonzero(counts)
    gaps = np.diff(used)
    if not len(gaps) or gaps.max() <= _BINS // 2:
        return None
    middle = low + (used[int(gaps.argmax())] + 1.5) * (high - low) / _BINS
    most = max((sample[sample < middle], sample[sample >= middle]), key=lambda part: (np.ptp(part) > 0) * part.size)
    return (float(most.min()), float(most.max())) if most.min() < most.max() else None


def _bulk(sample: np.ndarray) -> tuple[float, float]:
    """The 0.1th and 99.9th percentile; of integers of 8 and 16 bits by counting, at a tenth of the cost of sorting."""
    if sample.dtype == np.uint8:
        least, counts = 0, cv2.calcHist([np.ascontiguousarray(sample)], [0], None, [256], [0, 256]).ravel()
    elif sample.dtype.kind in "iu":
        least = int(sample.min())
        counts = np.bincount((sample.astype(np.int64) - least).ravel())
    else:
        low, high = (float(v) for v in np.percentile(sample, (0.1, 99.9)))
        return low, high
    below = np.cumsum(counts, dtype=np.int64)
    return least + _counted(below, 0.001), least + _counted(below, 0.999)


def _counted(below: np.ndarray, part: float) -> float:
    """The quantile ``part`` where ``below[v]`` values are ``v`` or less, interpolated between the two nearest."""
    at = part * (int(below[-1]) - 1)
    a, b = (float(v) for v in np.searchsorted(below, (math.floor(at), math.ceil(at)), side="right"))
    return a + (b - a) * (at - math.floor(at))


def stretched(plane: np.ndarray, low: float, high: float) -> Image8:
    """``plane`` with ``low`` at 0 and ``high`` at 255, uint8."""
    if plane.dtype == np.uint8:
        table = stretched(np.arange(256, dtype=np.float32), low, high)
        return np.asarray(cv2.LUT(plane, table), np.uint8)
    if plane.dtype.kind in "iu" and plane.dtype.itemsize <= _COUNTED:
        least, most = int(plane.min()), int(plane.max())
        table = stretched(np.arange(least, most + 1, dtype=np.float32), low, high)
        return np.asarray(table.take(plane.astype(np.intp) - least), np.uint8)
    scale = 255.0 / (high - low) if high > low else 0.0
    return np.asarray(np.clip((plane - low) * scale, 0, 255), np.uint8)


def is_palette(header: Dataset | None) -> bool:
    """Whether the header says that [H, W] pixels are indices (PhotometricInterpretation PALETTE COLOR)."""
    if header is None:
        return False
    with quiet():
        try:
            return str(header.get("PhotometricInterpretation", "")).strip().upper() == "PALETTE COLOR"
        except UNPARSEABLE:
            return False


def coloured(indices: np.ndarray, header: Dataset) -> np.ndarray:
    """The [H, W] ``indices`` as colours [H, W, 3]; as they are where the header's palette does not parse."""
    with quiet():
        try:
            return np.asarray(apply_color_lut(indices, header))
        except UNPARSEABLE:
            return indices
