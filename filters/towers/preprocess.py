"""Encoded images to the square uint8 pixels the towers read. No torch here.

The geometry is open_clip's ``longest``: the aspect kept, the longest side made ``side``, the rest padded black.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.errors import RecipeError

Pixels = NDArray[np.uint8]
_MAX_PIXELS = 1 << 27  # of an encoded picture: a mammogram has 25 million


def decode(data: bytes | None, side: int) -> Pixels | None:
    """uint8[side, side, 1] for a grey image, [side, side, 3] RGB for a colour one; None where it does not decode.

    16-bit images are windowed from their least to their greatest value after the resize, never clipped: reading
    them as 8 bit, as most loaders do, saturates nearly all of a radiograph.
    """
    raw = read(data)
    return None if raw is None else square(raw, side)


def read(data: bytes | None) -> NDArray[Any] | None:
    """The picture as encoded, uint8 or uint16[h, w] or [h, w, 3] BGR; None where it does not decode."""
    if not data or not _bounded(data):
        return None
    try:
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if raw is None or raw.dtype not in (np.uint8, np.uint16):
        return None
    image: NDArray[Any] = raw
    return image if raw.ndim == 2 or raw.shape[2] != 4 else image[:, :, :3]  # alpha says nothing about the patient


def _bounded(data: bytes) -> bool:
    """Whether the size in the picture's header is at most `_MAX_PIXELS`; nothing is decoded."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big") <= _MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            width, height = Image.open(io.BytesIO(data)).size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
    return width * height <= _MAX_PIXELS


def native(image: NDArray[Any], most: int) -> Pixels:
    """A picture that was `read`, uint8[h, w, 1] or RGB [h, w, 3] in its own aspect, at most ``most`` pixels a side."""
    windowed = _window(_resize(image, min(most / max(image.shape[:2]), 1.0)))
    return windowed[:, :, None] if windowed.ndim == 2 else np.ascontiguousarray(windowed[:, :, ::-1])


def square(image: NDArray[Any], side: int) -> Pixels:
    """A picture that was `read`, letterboxed to uint8[side, side, c]; c 1 where it shows no colour."""
    small = _window(_resize(image, side / max(image.shape[:2])))
    return _square(small[:, :, 0] if _is_grey(small) else small, side)


def _is_grey(image: Pixels) -> bool:
    """Whether three channels say what one does."""
    return image.ndim == 3 and bool((image[:, :, :1] == image[:, :, 1:]).all())


def _resize(image: NDArray[Any], scale: float) -> NDArray[Any]:
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    if size == (image.shape[1], image.shape[0]):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def _window(image: NDArray[Any]) -> Pixels:
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    low, high = float(image.min()), float(image.max())
    return np.asarray(np.rint((image - low) * (255 / max(high - low, 1.0))), np.uint8)


def _square(image: Pixels, side: int) -> Pixels:
    """In the middle of a black square; BGR, as OpenCV decodes, to RGB."""
    channels = 1 if image.ndim == 2 else 3
    out = np.zeros((side, side, channels), np.uint8)
    top, left = (side - image.shape[0]) // 2, (side - image.shape[1]) // 2
    place = out[top : top + image.shape[0], left : left + image.shape[1]]
    place[...] = image[:, :, None] if channels == 1 else image[:, :, ::-1]
    return out


def stack(images: Sequence[Pixels]) -> Pixels:
    """uint8[n, side, side, c]: one channel where every image is grey, else three (grey ones repeated)."""
    channels = max(i.shape[2] for i in images)
    return np.stack([i if i.shape[2] == channels else np.repeat(i, channels, axis=2) for i in images])


def decode_all(images: Sequence[bytes], side: int) -> tuple[Pixels, NDArray[np.int64]]:
    """uint8[k, side, side, c] of the images that decode, and which they are; RecipeError where none does."""
    decoded = [decode(image, side) for image in images]
    good = [i for i, pixels in enumerate(decoded) if pixels is not None]
    if not good:
        problem = f"none of {len(images)} images decodes"
        raise RecipeError("clean set", problem, "give a clean set of PNG or JPEG images")
    return stack([p for p in decoded if p is not None]), np.array(good)
