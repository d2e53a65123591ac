"""Reading an upright line (PP-OCRv4's recogniser, arXiv 2009.09941; CTC), by the network of the optional OCR package.

Only a marker's letter is read: where text stands is found without it (`curate.deid.pixels.text_detector`).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.util import find_spec

import cv2
import numpy as np

from curate.deid.pixels.boxes import Box, Image8
from curate.deid.pixels.network import Network

_PACKAGE, _MODEL = "rapidocr_onnxruntime", "ch_PP-OCRv4_rec_infer.onnx"

# px: as it was taught; the lengths shown are multiples, so that shapes are few
_HEIGHT, _STEP, _LONGEST = 48, 160, 640
# without what it asks for: its opencv-python wants libGL and shares a module's name with the headless one
INSTALL = "pip install --no-deps rapidocr rapidocr-onnxruntime omegaconf colorlog pyclipper shapely six"
_MIN_CONTRAST = 4.0  # of 255


@cache
def available() -> bool:
    """Whether the optional package (`INSTALL`) is there."""
    return find_spec(_PACKAGE) is not None


def read(view: Image8, box: Box) -> tuple[str, float]:
    """What stands in the upright ``box`` of ``view`` (uint8[H, W]; beyond it its border goes on), and how sure that is,
    0 to 1: the mean probability of its characters. ("", 0.0) where nothing is read."""
    x, y, w, h = box
    wide = max(8, min(_LONGEST, round(_HEIGHT * w / max(h, 1))))
    scale = np.array([[w / wide, 0, x], [0, h / _HEIGHT, y]])
    line = cv2.warpAffine(
        view, scale, (wide, _HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    low, high = float(line.min()), float(line.max())
    if high - low < _MIN_CONTRAST:
        return "", 0.0
    shown = np.zeros((_HEIGHT, -(-wide // _STEP) * _STEP), np.float32)
    shown[:, :wide] = (line - low) * (2 / (high - low)) - 1
    net = _network()
    characters = net.metadata.get("character", "").split("\n")
    probabilities = net(np.repeat(shown[None], 3, axis=0))  # [steps, blank and characters]
    best, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    starts = np.flatnonzero((np.diff(best, prepend=0) != 0) & (best > 0) & (best <= len(characters)))
    if not len(starts):
        return "", 0.0
    return "".join(characters[k - 1] for k in best[starts]), float(sure[starts].mean())


@cache
def _network() -> Network:
    """The one of this process."""
    return Network(files(_PACKAGE).joinpath("models", _MODEL).read_bytes())
