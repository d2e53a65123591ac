"""What three samples of a pixel are, RGB or YBR_FULL (PS3.3 C.7.6.3.1.2), where the header is one witness of it only.

Echoes are mostly grey, and a grey pixel shows which of the two it is: of RGB all samples are equal, of YBR_FULL the
last two are half of the range. Nor does YBR of a picture leave the range of RGB.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.layout import Layout

_SAMPLE = 1 << 13  # pixels that are looked at
_CLEARLY, _MOSTLY = 0.2, 0.5  # more of the pixels are grey under the one than under the other
_OUTSIDE = 0.1  # of the pixels no colours, which compression alone does not make
_VALUES = 16  # a picture has so many luminances at least
_TO_RGB = np.array(
    [[1.0, 1.0, 1.0], [0.0, -0.114 * 1.772 / 0.587, 1.772], [1.402, -0.299 * 1.402 / 0.587, 0.0]], np.float32
)


def to_rgb(samples: np.ndarray, bits: int) -> np.ndarray:
    """RGB of YBR_FULL samples (..., 3) of ``bits`` bits, same dtype, rounded half up."""
    colours = _unclipped(samples, bits)
    return np.clip(colours, 0, (1 << bits) - 1, out=colours).astype(samples.dtype)


def _unclipped(samples: np.ndarray, bits: int) -> np.ndarray:
    centred = samples.astype(np.float32)
    centred -= (0, 1 << (bits - 1), 1 << (bits - 1))
    colours = np.matmul(centred, _TO_RGB, out=centred)
    colours += 0.5
    return np.floor(colours, out=colours)


def some_frames(count: int, but: int = -1) -> list[int]:
    """Of a file's ``count`` frames up to four that are asked for its colours."""
    return sorted({0, count // 3, 2 * count // 3, count - 1} - {but})


def proven_colours(frames: Iterable[np.ndarray], layout: Layout, *, doubted: bool, otherwise: Reason) -> Layout:
    """``layout`` with the colours of (rows, columns, 3) samples as stored, those of the first of ``frames`` that shows
    them: RGB where clearly more of the pixels are grey so; YBR_FULL where it is said, or most of them are grey only so.

    Raises DropRecord ``otherwise`` where it says YBR_FULL, no frame tells, and many pixels of the first would be no
    colours at all or the header is ``doubted``.
    """
    unlikely = doubted
    for number, samples in enumerate(frames):
        step = max(int((layout.rows * layout.columns / _SAMPLE) ** 0.5), 1)
        pixels, bits = samples[::step, ::step], min(layout.stored, 8 * samples.dtype.itemsize)
        near = max((1 << bits) >> 6, 1)
        shown = _shown(pixels, bits, near, said_ybr=layout.photometric.startswith("YBR_FULL"))
        if shown is not None:
            return layout if layout.photometric.startswith(shown) else replace(layout, photometric=shown)
        if not number:
            colours = _unclipped(pixels, bits)
            outside = (colours < -4 * near) | (colours > (1 << bits) + 4 * near)
            unlikely |= float(outside.any(axis=2).mean()) > _OUTSIDE
    if unlikely and layout.photometric.startswith("YBR_FULL"):
        raise DropRecord(otherwise)
    return layout


def _shown(pixels: np.ndarray, bits: int, near: int, *, said_ybr: bool) -> str | None:
    """RGB or YBR_FULL as the pixels show it; None where they do not."""
    first, second, third = np.moveaxis(pixels, -1, 0).astype(np.int64)  # by planes: an axis of three is slow
    half = 1 << (bits - 1)
    alike = (abs(first - second) <= near) & (abs(first - third) <= near) & (abs(second - third) <= near)
    as_ybr = (abs(second - half) <= near) & (abs(third - half) <= near)
    if not said_ybr:
        leans = float(alike.mean() - as_ybr.mean())
        shows_ybr = leans < -_MOSTLY and len(np.unique(first[as_ybr])) > _VALUES
        return "YBR_FULL" if shows_ybr else "RGB" if leans >= _CLEARLY else None
    written = (first > near) | (second > near) | (third > near)  # the rest may be what another tool blanked
    for among in (written, np.ones_like(written)) if written.any() else (~written,):
        leans = float(alike[among].mean() - as_ybr[among].mean())
        if abs(leans) >= _CLEARLY:
            return "RGB" if leans > 0 else "YBR_FULL"
    return None
