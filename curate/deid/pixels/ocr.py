"""Text detection by rapidocr's network (PP-OCRv4, differentiable binarisation, arXiv 1911.08947): where, not what.

Only the detection network of the optional package is run, by onnxruntime on one thread, so that workers side by side do
not fight for cores; the recogniser, the slow part, is never loaded. The network says of every pixel how likely it lies
inside a line; it was taught upright lines, so a picture is also shown turned by 90 degrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.paint import within
from curate.deid.pixels.row import Box, Image8

_PACKAGE = "rapidocr_onnxruntime"
_MODEL = "models/ch_PP-OCRv4_det_infer.onnx"
_STRIDE = 32  # px: the network halves its input five times
_TILE = 640  # px: side of a tile; activations of one take about 100 MB
_OVERLAP = 96  # px: a line 48 px high is whole, with its surroundings, in one of two neighbouring tiles
_INSIDE = 0.3  # probability above which a pixel belongs to a line, as the package itself sets it
# A brain is to the network a letter a slice high: nothing higher than this is a line, in pixels or of the shorter side.
_HIGHEST, _HIGHEST_PART = 44, 1 / 32
_SMALL_HIGHEST = 60  # px in the picture, of a line that is looked for at twice its size
_GROWN = 1.6  # the network marks a line's core; its offset is this times area over perimeter (section 3.5)


class Found(NamedTuple):
    """A line of text: its box and the mean probability of the pixels in its core."""

    box: Box
    score: float


@cache
def available() -> bool:
    """Whether the optional package (``pip install radsift[ocr]``) is there."""
    return find_spec(_PACKAGE) is not None


def detected(
    view: Image8, where: Sequence[Box] | None = None, *, least: float = 0.5, highest: float | None = None
) -> list[Found]:
    """Lines of text in ``view`` (uint8[H, W]), upright and downwards, best first.

    ``where``: the parts to look at, at native resolution (None: everything); a part is read in overlapping tiles where
    it is large. ``least``: the mean probability a line must have. ``highest``: px, no line is higher (None: 44, or a
    32nd of the shorter side).
    """
    height, width = view.shape
    parts = [(0, 0, width, height)] if where is None else [within(box, view.shape) for box in where]
    found = _lines(_map(view, parts), least)
    aside = np.ascontiguousarray(np.rot90(view))
    turned = _map(aside, [(y, width - x - w, h, w) for x, y, w, h in parts])
    found += [Found((width - y - h, x, h, w), score) for (x, y, w, h), score in _lines(turned, least)]
    if highest is None:
        highest = max(_HIGHEST, _HIGHEST_PART * min(height, width))
    return sorted((f for f in found if min(f.box[2:]) <= highest), key=lambda f: (-f.score, f.box))


def detected_small(view: Image8, around: Box, *, times: int = 2, least: float = 0.5) -> list[Found]:
    """Lines smaller or fainter than `detected` sees, in the part ``around`` of ``view`` at ``times`` its size.

    So enlarged, much anatomy looks written on: this may confirm a suspicion, it raises none.
    """
    x, y, w, h = within(around, view.shape)
    if not w * h:
        return []
    part = cv2.resize(view[y : y + h, x : x + w], None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    lines = detected(np.asarray(part, np.uint8), least=least, highest=times * _SMALL_HIGHEST)
    return [
        Found((x + a // times, y + b // times, -(-c // times), -(-d // times)), score) for (a, b, c, d), score in lines
    ]


def _map(view: Image8, parts: Sequence[Box]) -> npt.NDArray[np.float32]:
    """Of every pixel of ``parts`` how likely it lies inside a line, float32[H, W]; the likeliest of tiles."""
    out = np.zeros(view.shape, np.float32)
    for x, y, w, h in parts:
        for top in _starts(h):
            for left in _starts(w):
                at = np.s_[y + top : y + min(h, top + _TILE), x + left : x + min(w, left + _TILE)]
                if view[at].size:
                    np.maximum(out[at], _looked_at(view[at]), out=out[at])
    return out


def _starts(length: int) -> list[int]:
    """Where tiles begin along ``length`` pixels, evenly apart."""
    if length <= _TILE:
        return [0]
    count = -(-(length - _OVERLAP) // (_TILE - _OVERLAP))
    return [round(k * (length - _TILE) / (count - 1)) for k in range(count)]


def _looked_at(tile: Image8) -> npt.NDArray[np.float32]:
    high, wide = (-(-n // _STRIDE) * _STRIDE for n in tile.shape)
    padded = cv2.copyMakeBorder(tile, 0, high - tile.shape[0], 0, wide - tile.shape[1], cv2.BORDER_REPLICATE)
    grey = np.asarray(padded, np.float32) / 127.5 - 1.0
    batch = np.repeat(grey[None, None], 3, axis=1)
    session = _session()
    answer = session.run(None, {session.get_inputs()[0].name: batch})[0]
    return np.asarray(answer[0, 0, : tile.shape[0], : tile.shape[1]], np.float32)


def _lines(likely: npt.NDArray[np.float32], least: float) -> list[Found]:
    """The connected cores of ``likely`` whose mean is ``least`` or more, each grown to its line's size."""
    mask = cv2.dilate((likely > _INSIDE).view(np.uint8), np.ones((2, 2), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = []
    for label, (x, y, w, h, area) in enumerate(stats.tolist()):
        if label == 0 or min(w, h) < 3:
            continue
        box = np.s_[y : y + h, x : x + w]
        score = float(likely[box][labels[box] == label].mean())
        if score >= least:
            by = round(area * _GROWN / (2 * (w + h)))
            x0, y0 = max(0, x - by), max(0, y - by)
            x1, y1 = min(likely.shape[1], x + w + by), min(likely.shape[0], y + h + by)
            found.append(Found((x0, y0, x1 - x0, y1 - y0), score))
    return found


@cache
def _session() -> Any:  # an untyped optional package
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    model = files(_PACKAGE).joinpath(_MODEL).read_bytes()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
