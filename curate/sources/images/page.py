"""A page of a plain image file: what its header declares, and how its samples become a picture's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from PIL import Image

Alpha = Literal["none", "straight", "premultiplied"]


@dataclass(frozen=True)
class Page:
    """What a header declares of one page. ``rows`` and ``columns`` are as stored, before ``orientation`` (EXIF's)."""

    rows: int
    columns: int
    bytes_per_pixel: int  # of the decoded samples
    orientation: int = 1
    number: int = 0  # of its directory in the file
    tags: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # of a TIFF


def full_range(values: np.ndarray, bits: int) -> np.ndarray:
    """Unsigned samples of at most 8 ``bits`` as uint8 over the whole range; deeper ones as they are."""
    if bits > 8 or values.dtype.kind not in "bu":
        return values
    table = np.rint(np.arange(256) * (255 / ((1 << bits) - 1))).clip(0, 255).astype(np.uint8)
    return np.asarray(table[values.astype(np.uint8)])


def over_black(values: np.ndarray, alpha: Alpha, top: float) -> np.ndarray:
    """Samples [H, W, S + 1] over black as [H, W] or [H, W, S]: the last is opacity from 0 to ``top``, same dtype.

    "none": the last sample says nothing of the picture and is left out, as it is where colours already are multiplied.
    """
    colour = values[..., :-1]
    if alpha == "straight" and not (values[..., -1] == top).all():
        colour = colour * (values[..., -1:].astype(np.float64) / top)
        colour = (np.rint(colour) if values.dtype.kind in "iu" else colour).astype(values.dtype)
    return colour[..., 0] if colour.shape[2] == 1 else colour


def from_cmyk(inks: np.ndarray) -> np.ndarray:
    """[H, W, 3] RGB of uint8 or uint16 [H, W, 4], 0 is no ink; no colour profile is applied."""
    if inks.dtype == np.uint8:
        return np.asarray(Image.fromarray(inks, "CMYK").convert("RGB"))
    top = np.iinfo(inks.dtype).max
    light = top - inks.astype(np.float64)
    return np.rint(light[..., :3] * (light[..., 3:] / top)).astype(inks.dtype)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels as shown, by EXIF's orientation (EXIF 2.3 table 6); what is not 2 to 8 turns nothing."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    # of rows and of columns, which begin at the far end
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(orientation, (1, 1))
    return pixels[:: flips[0], :: flips[1]]
