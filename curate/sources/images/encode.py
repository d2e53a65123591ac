"""Encoded images out, without metadata. Nothing that reads one: a report's thumbnails need no decoder."""

from __future__ import annotations

import cv2
import imagecodecs
import numpy as np

_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)


def encode_png(pixels: np.ndarray) -> bytes:
    """Lossless PNG of uint8 or uint16 (rows, columns) or (rows, columns, 3) RGB; chunks IHDR, IDAT, IEND only."""
    assert pixels.dtype in (np.uint8, np.uint16), pixels.dtype
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".png", pixels, _PNG)
    assert done
    return encoded.tobytes()


def encode_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """Baseline JPEG of uint8 (rows, columns) or (rows, columns, 3) RGB, colour not subsampled; ``quality`` 1 to 100."""
    assert pixels.dtype == np.uint8, pixels.dtype
    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(pixels), level=quality, subsampling="444"))


def resize(pixels: np.ndarray, side: int) -> np.ndarray:
    """``pixels`` with the longer side ``side`` at most, same dtype; area-averaged, never enlarged."""
    rows, columns = pixels.shape[:2]
    longest = max(rows, columns)
    if longest <= side:
        return pixels
    size = max(1, round(columns * side / longest)), max(1, round(rows * side / longest))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
