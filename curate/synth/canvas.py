"""Drawing in body coordinates: shapes as polygons, soft masks, textures. Used by `anatomy`.

Units: one body unit is half the shorter side of the picture, the origin is its middle, x runs to image right
(the patient's left), y runs down. A view may turn, zoom and shift the body a little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Shape = NDArray[np.float64]  # closed polygon or polyline, float64[n, 2] as (x, y) in body units

_TURN = np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_SUBPIXEL_BITS = 4


def rotation(degrees: float) -> Shape:
    """float64[2, 2] turning row vectors by ``degrees``."""
    a = np.deg2rad(degrees)
    return np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])


def ellipse(cx: float, cy: float, rx: float, ry: float, degrees: float = 0.0) -> Shape:
    """An ellipse as a polygon of 48 points."""
    return np.asarray((_CIRCLE * [rx, ry]) @ rotation(degrees) + [cx, cy])


def disc(cx: float, cy: float, radius: float) -> Shape:
    """A circle as a polygon of 48 points."""
    return ellipse(cx, cy, radius, radius)


def smooth(points: Any, rounds: int = 3) -> Shape:
    """A closed polygon with its corners cut ``rounds`` times (Chaikin 1974)."""
    shape = np.asarray(points, np.float64)
    for _ in range(rounds):
        after = np.roll(shape, -1, axis=0)
        shape = np.stack([0.75 * shape + 0.25 * after, 0.25 * shape + 0.75 * after], axis=1).reshape(-1, 2)
    return shape


def blob(rng: np.random.Generator, cx: float, cy: float, radius: float, rough: float = 0.25) -> Shape:
    """A roundish shape with an irregular edge; ``rough`` is the relative swing of its radius."""
    radii = radius * (1.0 + rough * rng.uniform(-1.0, 1.0, 12))
    return smooth(_CIRCLE[::4] * radii[:, None] + [cx, cy])


def mirror(shape: Shape, sign: float) -> Shape:
    """The shape on the other side of the midline where ``sign`` is negative."""
    return shape * [sign, 1.0]


def scale(shape: Shape, factor: float, about: tuple[float, float]) -> Shape:
    """The shape made ``factor`` times as large around a point."""
    return np.asarray((shape - about) * factor + about)


@dataclass(frozen=True)
class Canvas:
    """A picture's size and the map from body units to its pixels."""

    height: int
    width: int
    turn: Shape
    shift: tuple[float, float]  # pixels

    @classmethod
    def view(cls, height: int, width: int, rng: np.random.Generator, zoom: float = 1.0) -> Canvas:
        """A view of the body as positioned this time: turned, zoomed and shifted by a little."""
        unit = 0.5 * min(height, width) * zoom * rng.uniform(0.9, 1.06)
        shift = (0.5 * width + unit * rng.uniform(-0.06, 0.06), 0.5 * height + unit * rng.uniform(-0.06, 0.06))
        return cls(height, width, rotation(rng.uniform(-4.0, 4.0)) * unit, shift)

    @property
    def unit(self) -> float:
        """Pixels a body unit."""
        return float(np.hypot(*self.turn[0]))

    def pixels(self, shape: Shape) -> Any:
        """int32[n, 1, 2] fixed-point pixel coordinates, as cv2 draws them."""
        at = (shape @ self.turn + self.shift) * (1 << _SUBPIXEL_BITS)
        return np.round(at).astype(np.int32)[:, None, :]

    def fill(self, *shapes: Shape, soft: float = 0.008) -> Image:
        """float32[h, w] in 0..1: inside any of the shapes, with an edge ``soft`` body units wide."""
        layer = np.zeros((self.height, self.width), np.uint8)
        for shape in shapes:
            cv2.fillPoly(layer, [self.pixels(shape)], (255,), cv2.LINE_AA, _SUBPIXEL_BITS)
        return self._soften(layer, soft)

    def stroke(self, *lines: Any, width: float, soft: float = 0.006) -> Image:
        """float32[h, w] in 0..1: polylines ``width`` body units wide."""
        layer = np.zeros((self.height, self.width), np.uint8)
        thick = max(1, round(width * self.unit))
        for line in lines:
            at = self.pixels(np.asarray(line, np.float64))
            cv2.polylines(layer, [at], False, (255,), thick, cv2.LINE_AA, _SUBPIXEL_BITS)
        return self._soften(layer, soft)

    def plain(self, value: float) -> Image:
        """float32[h, w], all ``value``."""
        return np.full((self.height, self.width), value, np.float32)

    def texture(self, rng: np.random.Generator, grid: int) -> Image:
        """float32[h, w]: smooth noise of about unit variance, ``grid`` bumps across."""
        coarse = rng.standard_normal((grid, grid), dtype=np.float32)
        return np.asarray(cv2.resize(coarse, (self.width, self.height), interpolation=cv2.INTER_CUBIC), np.float32)

    def grain(self, rng: np.random.Generator) -> Image:
        """float32[h, w]: white noise of unit variance."""
        return rng.standard_normal((self.height, self.width), dtype=np.float32)

    def _soften(self, layer: NDArray[np.uint8], soft: float) -> Image:
        sigma = soft * self.unit
        blurred = cv2.GaussianBlur(layer, (0, 0), sigma) if sigma > 0.3 else layer
        return np.asarray(blurred, np.float32) * np.float32(1 / 255)


def mix(image: Image, value: float | Image, mask: Image) -> None:
    """Blend ``value`` into ``image`` in place, with ``mask`` as opacity."""
    image += (value - image) * mask
