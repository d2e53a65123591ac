"""Reading a line (PP-OCRv4's recogniser, arXiv 2009.09941; CTC), by the network of the optional OCR package.

Only a marker's letter is read: where text stands is found without it (`curate.deid.pixels.text_detector`).
"""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from itertools import groupby

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Image8
from curate.deid.pixels.network import Network

_PACKAGE, _MODEL = "rapidocr_onnxruntime", "ch_PP-OCRv4_rec_infer.onnx"

Corners = tuple[tuple[float, float], ...]

# px: as it was taught; the lengths shown are multiples, so that shapes are few
_HEIGHT, _STEP, _LONGEST = 48, 160, 640
# without what it asks for: its opencv-python wants libGL and shares a module's name with the headless one
INSTALL = "pip install --no-deps rapidocr rapidocr-onnxruntime omegaconf colorlog pyclipper shapely six"
_ENOUGH = 0.5  # a line that is read so surely need not be turned around
_MIN_CONTRAST = 4.0  # of 255


@cache
def available() -> bool:
    """Whether the optional package (`INSTALL`) is there."""
    return find_spec(_PACKAGE) is not None


def read(view: Image8, corners: Corners, upright: bool = False) -> tuple[str, float]:
    """What stands between ``corners`` (x, y; clockwise) of ``view`` (uint8[H, W]), and how sure that is, 0 to 1: the
    mean probability of its characters; of both ways up the surer one, unless it is known to be ``upright``.
    ("", 0.0) where nothing is read."""
    a, b, c, d = corners
    if not upright and math.dist(a, b) < math.dist(b, c):
        a, b, c, d = b, c, d, a
    long, short = math.dist(a, b), max(math.dist(b, c), 1.0)
    wide = max(8, min(_LONGEST, round(_HEIGHT * long / short)))
    there = np.array([(0, 0), (wide, 0), (wide, _HEIGHT), (0, _HEIGHT)], np.float32)
    way = cv2.getPerspectiveTransform(np.array([a, b, c, d], np.float32), there)
    line = cv2.warpPerspective(view, way, (wide, _HEIGHT), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    low, high = float(line.min()), float(line.max())
    if high - low < _MIN_CONTRAST:
        return "", 0.0
    line = (line - low) * (2 / (high - low)) - 1
    read = _read(line)
    if upright or (len(read[0]) > 1 and read[1] >= _ENOUGH):
        return read
    return max(read, _read(line[::-1, ::-1]), key=lambda each: each[1])


def _read(line: np.ndarray) -> tuple[str, float]:
    shown = np.zeros((_HEIGHT, -(-line.shape[1] // _STEP) * _STEP), np.float32)
    shown[:, : line.shape[1]] = line
    net = _network()
    probabilities = net(shown)  # [steps, blank and characters]
    best, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    runs = [
        (index, [at for at, _ in run]) for index, run in groupby(enumerate(best.tolist()), key=lambda step: step[1])
    ]
    found = [(net.characters[index - 1], float(sure[at[0]])) for index, at in runs if 0 < index <= len(net.characters)]
    if not found:
        return "", 0.0
    return "".join(character for character, _ in found), sum(p for _, p in found) / len(found)


class _Recogniser:
    """The network, and the characters that it tells apart."""

    def __init__(self) -> None:
        self._ask = Network(files(_PACKAGE).joinpath("models", _MODEL).read_bytes())
        self.characters = self._ask.metadata.get("character", "").split("\n")

    def __call__(self, grey: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The answer for one picture, float32[H, W] of -1 to 1, shown as three equal channels: [steps, characters]."""
        return self._ask(np.repeat(grey[None], 3, axis=0))


@cache
def _network() -> _Recogniser:
    """The one of this process."""
    return _Recogniser()
