"""Pictures that are no radiology, drawn: what an image filter is shown as wrong where no archive has wrong ones."""

from __future__ import annotations

import cv2
import numpy as np

from filters.towers.preprocess import Pixels

_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX_SMALL)
_LETTERS = "abcdefghijklmnopqrstuvwxyz     ABCDEFGHIJ0123456789.,:-"


def draw_negative(side: int, rng: np.random.Generator) -> Pixels:
    """uint8[side, side, 1 or 3]: a page, a chart, a screen, a gradient, coloured patches, clouds; half of them grey."""
    drawn = _KINDS[int(rng.integers(len(_KINDS)))](side, rng).astype(np.float32)
    noisy = drawn + rng.uniform(0, 10) * rng.standard_normal(drawn.shape) * (rng.random() < 0.6)
    image: Pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.uint8)
    return image.mean(axis=2, keepdims=True).astype(np.uint8) if rng.random() < 0.5 else image


def write_lines(image: Pixels, rng: np.random.Generator, ink: tuple[int, ...]) -> None:
    """Lines of letters over the whole of ``image``, in place."""
    side = image.shape[0]
    size, font = float(rng.uniform(0.25, 0.8)), _FONTS[int(rng.integers(len(_FONTS)))]
    step, left = int(max(6, 22 * size + rng.integers(0, 8))), int(rng.integers(0, side // 6))
    for y in range(int(rng.integers(4, step + 4)), side, step):
        if rng.random() < 0.85:
            letters = rng.integers(len(_LETTERS), size=int(rng.integers(4, 40)))
            text = "".join(_LETTERS[int(i)] for i in letters)
            cv2.putText(image, text, (left, y), font, size, ink, 1, cv2.LINE_AA)


def _color(rng: np.random.Generator, low: int = 0, high: int = 256) -> tuple[int, ...]:
    return tuple(int(v) for v in rng.integers(low, high, 3))


def _plain(side: int, color: tuple[int, ...]) -> Pixels:
    return np.full((side, side, 3), color, np.uint8)


def _page(side: int, rng: np.random.Generator) -> Pixels:
    dark = rng.random() < 0.25
    image = _plain(side, (15, 15, 15) if dark else (int(rng.integers(225, 256)),) * 3)
    write_lines(image, rng, (230, 230, 230) if dark else _color(rng, 0, 90))
    return image


def _chart(side: int, rng: np.random.Generator) -> Pixels:
    image = _plain(side, (int(rng.integers(235, 256)),) * 3)
    base = int(side * 0.88)
    cv2.line(image, (side // 10, base), (side - 4, base), (40, 40, 40), 1)
    cv2.line(image, (side // 10, 4), (side // 10, base), (40, 40, 40), 1)
    if rng.random() < 0.5:
        bars = int(rng.integers(3, 12))
        for k in range(bars):
            x = side // 8 + k * (side * 4 // 5) // bars
            top = int(rng.integers(side // 8, base))
            cv2.rectangle(image, (x, top), (x + side // (2 * bars), base), _color(rng), -1)
    else:
        for _ in range(int(rng.integers(1, 5))):
            heights = base - np.abs(np.cumsum(rng.normal(0, side / 25, 30))) - 2
            curve = np.column_stack([np.linspace(side // 10, side - 4, 30), heights]).astype(np.int32)
            cv2.polylines(image, [curve], False, _color(rng, 0, 200), int(rng.integers(1, 3)))
    return image


def _screen(side: int, rng: np.random.Generator) -> Pixels:
    image = _plain(side, _color(rng, 100, 256))
    for _ in range(int(rng.integers(2, 7))):
        x, y = (int(v) for v in rng.integers(0, side * 3 // 4, 2))
        w, h = (int(v) for v in rng.integers(side // 6, side * 3 // 4, 2))
        cv2.rectangle(image, (x, y), (x + w, y + h), _color(rng, 150, 256), -1)
        cv2.rectangle(image, (x, y), (x + w, y + side // 16), _color(rng), -1)
    write_lines(image, rng, _color(rng, 0, 120))
    return image


def _gradient(side: int, rng: np.random.Generator) -> Pixels:
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:side, 0:side] / side
    along = np.clip((x * np.cos(angle) + y * np.sin(angle) + 1) / 2, 0, 1)[..., None]
    one, two = np.array(_color(rng)), np.array(_color(rng))
    return np.asarray(one * along + two * (1 - along), np.uint8)


def _patches(side: int, rng: np.random.Generator) -> Pixels:
    image = _plain(side, _color(rng))
    for _ in range(int(rng.integers(2, 16))):
        at = tuple(int(v) for v in rng.integers(0, side, 2))
        size, thick = int(rng.integers(3, side // 2)), int(rng.choice([-1, -1, 1, 3]))
        if rng.random() < 0.5:
            cv2.circle(image, at, size, _color(rng), thick)
        else:
            other = tuple(int(v) for v in rng.integers(0, side, 2))
            cv2.rectangle(image, at, other, _color(rng), thick)
    return image


def _clouds(side: int, rng: np.random.Generator) -> Pixels:
    """Noise of a natural picture's spectrum, 1/f, each channel a mixture of two."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) + 1 / side
    fields = []
    for _ in range(2):
        noise = np.fft.rfft2(rng.standard_normal((side, side))) / frequency ** rng.uniform(0.8, 2.0)
        field = np.fft.irfft2(noise, s=(side, side))
        fields.append((field - field.mean()) / (field.std() + 1e-9))
    mix = rng.normal(0, 1, (2, 3))
    image = 128 + 50 * (fields[0][..., None] * mix[0] + fields[1][..., None] * mix[1])
    return np.asarray(np.clip(image, 0, 255), np.uint8)


_KINDS = (_page, _chart, _screen, _gradient, _patches, _clouds)
