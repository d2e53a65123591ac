"""What can be said of any picture without knowing what it shows: tones, edges, frequencies, colour, lines of text."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.towers.preprocess import Pixels

_TONES = np.array([0, 2, 12, 28, 48, 72, 100, 130, 162, 196, 226, 246, 254])  # where each bin of grey levels begins
_EDGES = np.array([1, 3, 7, 14, 28, 56, 112], np.float32)  # grey levels a pixel, between bins
_BANDS = (0.02, 0.05, 0.09, 0.15, 0.23, 0.33, 0.5)  # cycles a pixel
_LETTERS = (3, 14)  # height of a line of text in pixels of a picture of 128
_SHARP = 48.0  # grey levels from ink to paper

NAMES = (
    *(f"tone{i}" for i in range(len(_TONES))),
    *(f"edge{i}" for i in range(len(_EDGES) + 1)),
    *(f"band{i}" for i in range(len(_BANDS) - 1)),
    "colour",
    "upright",
    "symmetry",
    "border",
    "levels",
    "spread",
    "smooth",
)
BLANK = slice(-2, None)  # the statistics that tell a blank picture


def describe(picture: Pixels) -> NDArray[np.float64]:
    """float64[len(NAMES)] of a letterboxed uint8[side, side, c]; its black bars are cut off first."""
    cut = _without_bars(picture)
    grey = cut.mean(axis=2).astype(np.float32)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.25)
    steep = np.hypot(dx, dy)
    n = grey.size
    counts = np.bincount(grey.astype(np.uint8).ravel(), minlength=256)
    tones = np.sqrt(np.add.reduceat(counts, _TONES) / n)
    edges = np.sqrt(np.bincount(np.searchsorted(_EDGES, steep.ravel(), "right"), minlength=len(_EDGES) + 1) / n)
    return np.array(
        [
            *tones,
            *edges,
            *_spectrum(grey),
            np.log1p(_colour(cut)),
            _upright(dx, dy, steep),
            _likeness(grey, grey[:, ::-1]),
            (grey[[0, -1]].mean() + grey[:, [0, -1]].mean() - 2 * grey.mean()) / 255,
            np.log((counts > 0).sum()),
            *_structure(grey),
        ],
        np.float64,
    )


def _structure(grey: NDArray[np.float32]) -> tuple[float, float]:
    """(log of the spread of the blurred picture in grey levels, log of its share of the whole spread).

    Constant pictures have no spread, noise has none that survives the blur.
    """
    side = max(grey.shape)
    blurred = cv2.GaussianBlur(grey, (0, 0), max(side / 24, 1.0))
    rest = float(blurred.std())
    return float(np.log(rest + 0.1)), float(np.log((rest + 0.1) / (float(grey.std()) + 0.1)))


def text_share(picture: Pixels) -> float:
    """Share of the picture that looks like lines of writing: sharp strokes close together, in low wide boxes."""
    grey = picture.mean(axis=2).astype(np.float32)
    sharp = (np.abs(np.diff(grey, axis=1, prepend=grey[:, :1])) > _SHARP).astype(np.uint8)
    joined = cv2.morphologyEx(sharp, cv2.MORPH_CLOSE, np.ones((1, 7), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=4)
    strokes = np.bincount(labels.ravel(), sharp.ravel(), count)
    area = 0.0
    for k in range(1, count):
        width, height = int(stats[k, cv2.CC_STAT_WIDTH]), int(stats[k, cv2.CC_STAT_HEIGHT])
        if _LETTERS[0] <= height <= _LETTERS[1] and width >= 2 * height and strokes[k] >= 0.2 * width * height:
            area += width * height
    return float(area / grey.size)


def _without_bars(picture: Pixels) -> Pixels:
    lit = picture.max(axis=2) > 0
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if len(rows) < 8 or len(columns) < 8:
        return picture
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _colour(picture: Pixels) -> float:
    """Colourfulness (Hasler and Suesstrunk 2003), 0 for grey."""
    if picture.shape[2] == 1:
        return 0.0
    red, green, blue = (picture[..., k].astype(np.float32) for k in range(3))
    one, two = red - green, (red + green) / 2 - blue
    return float(np.hypot(one.std(), two.std()) + 0.3 * np.hypot(one.mean(), two.mean()))


def _spectrum(grey: NDArray[np.float32]) -> list[float]:
    """Share of the power in each band of frequencies, as logarithms."""
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.rfftfreq(grey.shape[1])[None])
    total = float(power.sum()) + 1.0
    bands = np.bincount(np.searchsorted(_BANDS, frequency.ravel(), "right"), power.ravel(), len(_BANDS) + 1)[1:-1]
    return [float(v) for v in np.log10(bands / total + 1e-6)]


def _upright(dx: NDArray[np.float32], dy: NDArray[np.float32], steep: NDArray[np.float32]) -> float:
    """Share of the edges that run exactly along the rows or columns: pages, charts and windows do."""
    strong = steep > 6.0
    if strong.sum() < 8:
        return 0.0
    straight = np.minimum(np.abs(dx[strong]), np.abs(dy[strong])) < 0.1 * steep[strong]
    return float(straight.mean())


def _likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    spread = float(a.std()) * float(b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 1e-3 else 0.0
