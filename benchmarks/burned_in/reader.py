"""A reader that is told where the line stands and which way up: rapidocr's recogniser on the line alone, however faint.

It is told the place, which the gate has to find: a reader that had to find the line first would miss what the gate
missed. It shares nothing with the detector whose work it judges. A code is read by OpenCV's own decoder.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import cache
from typing import Any

import cv2
import numpy as np

from benchmarks.burned_in.planted import Planted

READ = 0.5  # of the letters, in order, from which a line counts as read
_HEIGHT = 48  # px: what the recogniser was taught on


def read_share(line: Planted, pixels: np.ndarray) -> float:
    """0 to 1: how much of the line is read in ``pixels``, the best of several contrasts and channels."""
    if line.kind == "code":
        return max(float(_decodes(_flat(line, plane, 0.25), line.text)) for plane in _planes(pixels))
    wanted = _letters(line.text)
    best = 0.0
    for plane in _planes(pixels):
        seen = _flat(line, plane, 0.3)
        for low, high in ((0, 100), (5, 95), (1, 99.9)):
            a, b = np.percentile(seen, (low, high))
            if b > a:
                stretched = np.clip((seen - a) * (255 / (b - a)), 0, 255).astype(np.uint8)
                told = _letters(_recognised(stretched))
                same = sum(
                    block.size for block in SequenceMatcher(None, wanted, told, autojunk=False).get_matching_blocks()
                )
                best = max(best, same / max(len(wanted), 1))
    return best


def says(line: Planted, pixels: np.ndarray) -> bool:
    """Whether the line's text, or four letters of it in a row, stand in what is read."""
    wanted = _letters(line.text)
    parts = {wanted[k : k + 4] for k in range(max(1, len(wanted) - 3))}
    told = " ".join(_letters(_recognised(_bytes(_flat(line, plane, 0.3)))) for plane in _planes(pixels))
    return any(part in told for part in parts)


def _planes(pixels: np.ndarray) -> list[np.ndarray]:
    if pixels.ndim == 2:
        return [pixels.astype(np.float32)]
    red, green, blue = (pixels[..., k].astype(np.float32) for k in range(3))
    return [red, green, blue, red - green, blue - (red + green) / 2]


def _flat(line: Planted, plane: np.ndarray, room: float) -> np.ndarray:
    """The line, upright, ``room`` of its height of ground around it, float32."""
    wide, high = (float(np.hypot(*(line.corners[k] - line.corners[0]))) for k in (1, 3))
    by = room * high
    scale = _HEIGHT * 1.2 / (high + 2 * by) if line.kind != "code" else max(1.0, 200 / high)
    size = max(8, round((wide + 2 * by) * scale)), max(8, round((high + 2 * by) * scale))
    there = np.float32([(by, by), (by + wide, by), (by + wide, by + high)]) * np.float32(scale)
    matrix = cv2.getAffineTransform(line.corners[:3].astype(np.float32), there)
    return cv2.warpAffine(plane, matrix, size, flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
                          borderMode=cv2.BORDER_REPLICATE)  # fmt: skip


def _bytes(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return np.clip((values - low) * (255 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)


def _decodes(values: np.ndarray, text: str) -> bool:
    for picture in (_bytes(values), 255 - _bytes(values)):
        try:
            told, _, _ = cv2.QRCodeDetector().detectAndDecode(
                cv2.copyMakeBorder(picture, 20, 20, 20, 20, cv2.BORDER_REPLICATE)
            )
        except cv2.error:  # its own checks of what it took for a code
            continue
        if text in told:
            return True
    return False


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def _recognised(picture: np.ndarray) -> str:
    said, _ = _recogniser()([cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)])
    return str(said[0][0]) if said else ""


@cache
def _recogniser() -> Any:  # an untyped package
    from rapidocr_onnxruntime import RapidOCR

    return RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1).text_rec
