"""A small network that looks at a row's pixels: does this look drawn by a typesetter, or by nature?

The traits of a row (`curate.deid.pixels.candidate_features`) are a dozen numbers; two eyeballs side by side have those
of a word of two letters. So what is seen around the row is shown, at one size and one contrast, to three layers of
convolutions, and what these say is weighed together with the traits. It runs in NumPy: the weights come from
``python -m benchmarks.burned_in.fit_network``, which trains on pictures and fonts of the half for fitting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.pixels.boxes import Image8
from curate.deid.pixels.candidate_features import Row

Floats = npt.NDArray[np.float32]

HEIGHT, WIDTH = 16, 32  # px of a window: the row is half as high, as much room is around it
_MOST_WINDOWS = 4
_LEAST_CONTRAST = 8.0
_AT_ONCE = 6  # windows: matrices small enough that BLAS does not start threads for them
_ROW_TRAITS, _LONE_TRAITS = 14, 11
WEIGHTS = "candidate_network.npz"


def log_odds(image: Image8, rows: Sequence[Row]) -> list[float]:
    """For each of ``rows``, found in ``image`` (uint8[H, W]), the log-odds that it is text."""
    if not rows:
        return []
    net = _network()
    shown = [windows(image, row) for row in rows]
    owner = np.repeat(np.arange(len(rows)), [len(w) for w in shown])
    told = np.concatenate(list(_convolved(net, np.concatenate(shown))))
    some = [told[owner == k] for k in range(len(rows))]
    inputs = np.array([np.r_[s.mean(axis=0), s.max(axis=0), t] for s, t in zip(some, _scaled(net, rows), strict=True)])
    hidden = np.maximum(inputs.astype(np.float32) @ net.mix + net.mix_bias, 0)
    return [float(v) for v in hidden @ net.out + net.out_bias]


def windows(image: Image8, row: Row) -> Floats:
    """What is seen of a row, float32[n, 16, 32]: across, strokes positive, in units of their contrast, at most +-2.

    A row downwards is laid across. Windows are twice as high as the row and twice as long as high; a long row has
    several of them, evenly spread, a letter alone the empty space beside it.
    """
    x, y, w, h = row.box
    if h > w:
        image, x, y, w, h = image.T, y, x, h, w
    long, wide = w + h, 4 * h
    count = min(_MOST_WINDOWS, max(1, round(long / wide + 0.25)))
    middles = [x + w / 2] if count == 1 else np.linspace(x - h / 2 + wide / 2, x + w + h / 2 - wide / 2, count).tolist()
    top, bottom = round(y - h / 2), round(y + h + h / 2)
    way = cv2.INTER_AREA if 2 * h > HEIGHT else cv2.INTER_LINEAR
    cut = (_cut(image, round(middle - wide / 2), top, wide, bottom - top) for middle in middles)
    out = np.array([cv2.resize(part, (WIDTH, HEIGHT), interpolation=way) for part in cut], np.float32)
    unit = max(255 * row.contrast, _LEAST_CONTRAST) * (-1 if row.dark else 1)
    scaled: Floats = np.clip((out - np.median(out, axis=(1, 2), keepdims=True)) / np.float32(unit), -2, 2)
    return scaled


def traits(row: Row) -> list[float]:
    """The row's traits in places of their own for one piece and for more, and which of one, two or more it is."""
    own, kind = row.traits, [0.0, 0.0, 0.0]
    kind[min(row.count, 3) - 1] = 1.0
    return [0.0] * _ROW_TRAITS + own + kind if row.count == 1 else own + [0.0] * _LONE_TRAITS + kind


def _cut(image: Image8, x: int, y: int, w: int, h: int) -> Image8:
    """A part of the picture; what of it is outside repeats the border."""
    height, width = image.shape
    part = image[max(y, 0) : max(y + h, 1), max(x, 0) : max(x + w, 1)]
    beyond = max(-y, 0), max(y + h - height, 0), max(-x, 0), max(x + w - width, 0)
    part = np.ascontiguousarray(part)
    return np.asarray(cv2.copyMakeBorder(part, *beyond, cv2.BORDER_REPLICATE), np.uint8) if any(beyond) else part


class Network(NamedTuple):
    """Its weights, float32: three convolutions as matrices of (rows x columns x channels, out), then dense layers."""

    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    third: Floats
    third_bias: Floats
    dense: Floats
    dense_bias: Floats
    mean: Floats
    deviation: Floats
    mix: Floats
    mix_bias: Floats
    out: Floats
    out_bias: Floats


@cache
def _network() -> Network:
    with (files("curate.deid.pixels") / "data" / WEIGHTS).open("rb") as file, np.load(file) as stored:
        return Network(*(stored[name].astype(np.float32) for name in Network._fields))


def _scaled(net: Network, rows: Sequence[Row]) -> Floats:
    told = np.array([traits(row) for row in rows], np.float32)
    scaled: Floats = np.clip((told - net.mean) / net.deviation, -4, 4)
    return scaled


def _convolved(net: Network, shown: Floats) -> Iterator[Floats]:
    for at in range(0, len(shown), _AT_ONCE):
        x = shown[at : at + _AT_ONCE, :, :, None]
        x = _layer(x, net.first, net.first_bias, 5)
        x = _layer(x, net.second, net.second_bias, 3)
        x = _layer(x, net.third, net.third_bias, 3)
        yield np.maximum(x.reshape(len(x), -1) @ net.dense + net.dense_bias, 0)


def _layer(x: Floats, weights: Floats, bias: Floats, size: int) -> Floats:
    """A convolution of stride 2 within a margin of zeros, cut off at 0: [n, h, w, c] to [n, h / 2, w / 2, out]."""
    n, h, w, c = x.shape
    by = size // 2
    wider = np.zeros((n, h + 2 * by, w + 2 * by, c), np.float32)
    wider[:, by : by + h, by : by + w] = x
    s = wider.strides
    seen = np.lib.stride_tricks.as_strided(
        wider, (n, h // 2, w // 2, size, size, c), (s[0], 2 * s[1], 2 * s[2], s[1], s[2], s[3]), writeable=False
    )
    out: Floats = np.maximum(seen.reshape(-1, size * size * c) @ weights + bias, 0)
    return out.reshape(n, h // 2, w // 2, -1)
