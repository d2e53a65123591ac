"""Drawn shapes and sentences that describe them: pairs a tiny network learns in seconds, the side included."""

from __future__ import annotations

import cv2
import numpy as np

_SHAPES = ("disc", "square", "cross")
_SIDES = ("left", "right")
_HEIGHTS = ("upper", "lower")
_TONES = ("bright", "faint")


def pair(seed: int, bits: int = 8) -> tuple[bytes, str]:
    """An encoded PNG of about 80 x 64 pixels and its sentence; ``bits`` 8 or 16 (of which 12 are used)."""
    rng = np.random.default_rng(seed)
    shape, side, height, tone = (str(rng.choice(c)) for c in (_SHAPES, _SIDES, _HEIGHTS, _TONES))
    image = rng.normal(40, 6, (80, 64)).clip(0, 255).astype(np.uint8)
    x = int(rng.integers(12, 21)) + (0 if side == "left" else 32)
    y = int(rng.integers(14, 25)) + (0 if height == "upper" else 40)
    r, value = int(rng.integers(7, 11)), 230 if tone == "bright" else 110
    if shape == "disc":
        cv2.circle(image, (x, y), r, value, -1)
    elif shape == "square":
        cv2.rectangle(image, (x - r, y - r), (x + r, y + r), value, -1)
    else:
        cv2.line(image, (x - r, y), (x + r, y), value, 4)
        cv2.line(image, (x, y - r), (x, y + r), value, 4)
    ending = rng.choice(["", " Seen by [NAME].", " No other finding.", " Compared with [DATE]."])
    text = f"There is a {tone} {shape} in the {side} {height} field.{ending}"
    pixels = image if bits == 8 else image.astype(np.uint16) * 16
    return cv2.imencode(".png", pixels)[1].tobytes(), text


def pairs(n: int, start: int = 0) -> tuple[list[bytes], list[str], list[str]]:
    """``n`` images, texts and patients (two pairs each)."""
    images, texts = zip(*(pair(start + i) for i in range(n)), strict=True)
    return list(images), list(texts), [f"p{(start + i) // 2}" for i in range(n)]
