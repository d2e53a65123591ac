"""Drawings that are no text, for fitting the text detector: what machines and people draw, wires, vessels, teeth."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.burned_in.fit_metal import draw_metal
from benchmarks.burned_in.fit_text import SIDE, Image8

Point = tuple[int, int]
_AT = 4  # bits of a pixel's fraction in drawn curves


def draw_figures(pixels: Image8, rng: random.Random) -> Image8:
    """uint8[SIDE, SIDE] with one to four of them."""
    out = pixels.copy()
    for figure in rng.choices(list(_FIGURES), list(_FIGURES.values()), k=rng.randint(1, 4)):
        figure(out, rng)
    return out


def _point(rng: random.Random) -> Point:
    return rng.randrange(SIDE), rng.randrange(SIDE)


def _tone(rng: random.Random) -> int:
    return rng.choice((255, 0, rng.randrange(256), rng.randrange(256)))


def _line(out: Image8, rng: random.Random) -> None:
    cv2.line(out, _point(rng), _point(rng), _tone(rng), rng.choice((1, 1, 2, 3)), cv2.LINE_AA)


def _ruler(out: Image8, rng: random.Random) -> None:
    (x, y), tone, level = _point(rng), _tone(rng), rng.random() < 0.5
    step, long = rng.choice((4, 6, 8, 12, 20)), rng.randint(3, 14)
    for k in range(rng.randint(5, 40)):
        size, along = (long if k % 5 else 2 * long), k * step
        ends = ((x + along, y), (x + along, y + size)) if level else ((x, y + along), (x + size, y + along))
        cv2.line(out, *ends, tone, 1)


def _grid(out: Image8, rng: random.Random) -> None:
    (a, b), (c, d), tone = _point(rng), _point(rng), _tone(rng)
    for k in range(0, SIDE, rng.choice((6, 8, 12, 20, 32))):
        cv2.line(out, (k, b // 2), (k, d), tone, 1)
        cv2.line(out, (a // 2, k), (c, k), tone, 1)


def _arrow(out: Image8, rng: random.Random) -> None:
    x, y = _point(rng)
    far = (x + rng.randint(-60, 60), y + rng.randint(-60, 60))
    cv2.arrowedLine(
        out, (x, y), far, _tone(rng), rng.choice((2, 2, 3, 4)), cv2.LINE_AA, tipLength=rng.uniform(0.2, 0.6)
    )


def _ellipse(out: Image8, rng: random.Random) -> None:
    axes, end = (rng.randint(2, 60), rng.randint(2, 60)), rng.choice((360, 360, 200))
    cv2.ellipse(out, _point(rng), axes, rng.randrange(180), 0, end, _tone(rng), rng.choice((1, 2, -1)), cv2.LINE_AA)


def _curve(out: Image8, rng: random.Random) -> None:
    """A heart's or a flow's."""
    (x, y), t = _point(rng), np.linspace(0, 1, 200)
    height = y + rng.uniform(3, 30) * np.sin(t * rng.uniform(5, 60) + 1) * np.sin(t * rng.uniform(1, 20))
    line = np.int32(np.c_[x + t * rng.uniform(40, 250), height])
    cv2.polylines(out, [line], False, _tone(rng), rng.choice((1, 1, 2, 3)), cv2.LINE_AA)


def _frame(out: Image8, rng: random.Random) -> None:
    cv2.rectangle(out, _point(rng), _point(rng), _tone(rng), rng.choice((1, 1, 2, -1)))


def _calipers(out: Image8, rng: random.Random) -> None:
    """One to four crosses, whole or open in the middle, outlined, with dots or dashes between two."""
    size, thick = rng.randint(3, 14), rng.choice((1, 1, 2, 3))
    tone, kind = rng.choice((255, 255, rng.randint(150, 255), rng.randint(0, 60))), rng.randrange(4)
    gap = rng.choice((0, 0, 0, max(1, size // 3)))
    x, y = _point(rng)
    ends = [(x, y)] + [(x + rng.randint(-90, 90), y + rng.randint(-90, 90)) for _ in range(rng.choice((0, 1, 1, 3)))]
    outlined = rng.random() < 0.4
    for place in ends:
        if outlined:
            _cross(out, place, size + 1, gap, 255 if tone < 128 else 0, thick + 2, kind)
        _cross(out, place, size, gap, tone, thick, kind)
    if len(ends) > 1 and rng.random() < 0.6:
        a, b = np.array(ends[0]), np.array(ends[1])
        n, dash = rng.randint(4, 24), rng.choice((0, 0, 0.4))
        for k in range(1, n):
            one, other = (np.int32(a + (b - a) * (k + d) / n).tolist() for d in (0, dash))
            cv2.line(out, one, other, tone, rng.choice((1, 2)))


def _cross(out: Image8, at: Point, size: int, gap: int, tone: int, thick: int, kind: int) -> None:
    ways = [(1, 1), (1, -1), (-1, 1), (-1, -1)] if kind == 1 else [(1, 0), (0, 1), (-1, 0), (0, -1)]
    if kind == 2 and size > 4:  # a star
        ways += [(1, 1), (-1, -1), (1, -1), (-1, 1)]
    for dx, dy in ways:
        near = (at[0] + dx * gap, at[1] + dy * gap)
        cv2.line(out, near, (at[0] + dx * size, at[1] + dy * size), tone, thick)


def _wires(out: Image8, rng: random.Random) -> None:
    """Loops of wire one above another, as they close a breastbone; clips and coils."""
    (x, y), tone = _point(rng), rng.randint(190, 255)
    wide, high, step = rng.uniform(6, 30), rng.uniform(4, 22), rng.uniform(12, 50)
    level, thick = rng.random() < 0.3, rng.choice((1, 1, 2, 3))
    for k in range(rng.randint(2, 7)):
        t = np.linspace(0, rng.uniform(1, 2.5) * 2 * math.pi, 60)
        wave, phase = rng.choice((1, 2, 2, 3)), rng.uniform(0, 6)
        across = wide * rng.uniform(0.6, 1.1) * np.cos(t + phase)
        down = high * rng.uniform(0.4, 1.1) * np.sin(wave * t) + k * step
        line = np.c_[x + (down if level else across), y + (across if level else down)]
        cv2.polylines(out, [np.int32(line * (1 << _AT))], False, tone, thick, cv2.LINE_AA, _AT)


def _flow(out: Image8, rng: random.Random) -> None:
    """Vessels as power Doppler fills them: ragged, of one tone, with hard edges."""
    noise = np.random.default_rng(rng.randrange(2**31)).normal(size=(SIDE, SIDE)).astype(np.float32)
    fine = rng.uniform(1.5, 8)
    wave = cv2.GaussianBlur(noise, (0, 0), fine * rng.uniform(0.6, 2), None, fine)
    inside = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(inside, _point(rng), (rng.randint(20, 120), rng.randint(12, 60)), rng.randrange(180), 0, 360, 1, -1)
    filled = (wave > rng.uniform(0.2, 1.4) * wave.std()) & (inside > 0)
    out[filled] = _tone(rng)


def _blobs(out: Image8, rng: random.Random) -> None:
    """Eyeballs, vessels, vertebrae, teeth."""
    (x, y), tone = _point(rng), rng.randrange(256)
    layer, size, way = np.zeros((SIDE, SIDE), np.float32), rng.uniform(3, 26), rng.uniform(0, math.pi)
    far = size * rng.uniform(1.8, 4)
    for k in range(rng.choice((1, 2, 2, 3, 4, 6))):
        at = (round(x + k * far * math.cos(way)), round(y + k * far * math.sin(way)))
        axes = (round(size * rng.uniform(0.7, 1.1)), round(size * rng.uniform(0.5, 1.1)))
        cv2.ellipse(layer, at, axes, rng.randrange(180), 0, 360, 1, rng.choice((-1, -1, -1, 2)))
    layer = cv2.GaussianBlur(layer, (0, 0), max(0.8, size * rng.uniform(0.05, 0.3))) * rng.uniform(0.3, 1)
    out[:] = out + (tone - out.astype(np.float32)) * layer


def _wedge(out: Image8, rng: random.Random) -> None:
    """A scale of tones."""
    x, y = min(rng.randrange(SIDE), SIDE - 12), min(rng.randrange(SIDE), SIDE - 121)
    out[y : y + 120, x : x + 10] = np.linspace(0, 255, 120).astype(np.uint8)[:, None]


def _couch(out: Image8, rng: random.Random) -> None:
    """What a scanner's table or head holder shows below a body: one to three thin rims, straight or bent, foam between
    them, and tubes, rails and cables along them."""
    x, y, wide = rng.uniform(0, SIDE), rng.uniform(0, SIDE), rng.uniform(20, 260)
    t = np.linspace(-1, 1, 60)
    bent, high = rng.choice((0, rng.uniform(-0.4, 0.4))), rng.uniform(3, 26)
    tone, thick = rng.randint(60, 255), rng.choice((1, 1, 2, 3))
    layer = out.copy()
    for k in range(rng.randint(1, 3)):
        rim = np.c_[x + wide * t, y + bent * wide * rng.choice((1, 1, rng.uniform(-1, 1))) * t * t + k * high]
        cv2.polylines(layer, [np.int32(rim * (1 << _AT))], False, tone, thick, cv2.LINE_AA, _AT)
    for _ in range(rng.randint(0, 7)):
        u, size = rng.uniform(-1, 1), rng.randint(1, max(2, round(0.7 * high)))
        at = (round(x + wide * u), round(y + bent * wide * u * u + rng.uniform(0, 2) * high))
        other, line = rng.choice((tone, rng.randint(60, 255))), rng.choice((1, 1, 2, -1))
        far = (at[0] + rng.randint(-3, 3) * size, at[1] + rng.randint(-2, 2) * size)
        part = rng.randrange(4)
        if part == 0:
            cv2.circle(layer, at, size, other, line, cv2.LINE_AA)
        elif part == 1:
            cv2.rectangle(layer, at, far, other, line)
        elif part == 2:
            cv2.ellipse(layer, at, (2 * size, size), rng.randrange(180), 0, 360, other, line, cv2.LINE_AA)
        else:
            cv2.line(layer, at, far, other, abs(line))
    out[:] = cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.4, 1.6)) if rng.random() < 0.7 else layer


_FIGURES: dict[Callable[[Image8, random.Random], None], float] = {
    _line: 1, _ruler: 1, _grid: 1, _arrow: 1, _ellipse: 1, _curve: 1, _frame: 1, _calipers: 4, _wires: 2, _flow: 1.5,
    _blobs: 2, _wedge: 1, _couch: 4, draw_metal: 10,
}  # fmt: skip
