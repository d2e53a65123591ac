"""Drawings of what is made of metal and worn or implanted, which is no text and no code: pacemakers, leads, stents,
screws, plates, clips, coils, electrodes, staples, meshes, chains, combs, keypads."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Image8 = npt.NDArray[np.uint8]
Stamp = Callable[[random.Random], Floats]

_FINE = 3  # times: stamps are drawn so much larger, and made smaller


def draw_metal(out: Image8, rng: random.Random) -> None:
    """One of them somewhere in ``out`` (uint8[H, W]), at any slant and size, bright as a rule, often with the rims that
    a sharpening filter makes."""
    stamp = rng.choices(list(_STAMPS), list(_STAMPS.values()))[0](rng)
    h, w = out.shape
    times = math.exp(rng.uniform(math.log(0.35), math.log(2.2))) * min(1.0, 0.8 * max(h, w) / max(stamp.shape) * _FINE)
    turn = math.radians(rng.choice((0, 0, rng.uniform(-30, 30), rng.uniform(0, 360)))) + rng.randrange(4) * math.pi / 2
    scale = times / _FINE
    small = cv2.resize(stamp, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else stamp
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    middle = np.array([rng.uniform(0, w), rng.uniform(0, h)]) - matrix @ (np.array(small.shape[::-1]) / 2)
    layer = cv2.warpAffine(small, np.c_[matrix, middle], (w, h), flags=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        layer = layer + rng.uniform(0.5, 2) * (layer - cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.8, 3)))
    if rng.random() < 0.3:
        layer = cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.4, 1.2))
    ground, tone = out.astype(np.float32), rng.choice((255, 255, rng.randint(150, 255), rng.randint(0, 255)))
    out[:] = np.clip(ground + (tone - ground) * layer * rng.uniform(0.3, 1), 0, 255)


def _canvas(wide: float, high: float) -> Floats:
    return np.zeros((round(high * _FINE), round(wide * _FINE)), np.float32)


def _at(*places: float) -> tuple[int, ...]:
    return tuple(round(p * _FINE) for p in places)


def _line(on: Floats, points: npt.ArrayLike, tone: float, thick: float, closed: bool = False) -> None:
    line = np.int32(np.round(np.asarray(points, np.float64) * _FINE * 16))
    cv2.polylines(on, [line], closed, tone, max(1, round(thick * _FINE)), cv2.LINE_AA, 4)


def _box(on: Floats, x: float, y: float, w: float, h: float, tone: float, thick: float = -1) -> None:
    cv2.rectangle(on, _at(x, y), _at(x + w, y + h), tone, -1 if thick < 0 else max(1, round(thick * _FINE)))


def _disc(on: Floats, x: float, y: float, r: float, tone: float, thick: float = -1) -> None:
    cv2.circle(on, _at(x, y), max(1, round(r * _FINE)), tone, -1 if thick < 0 else max(1, round(thick * _FINE)))


def _board(rng: random.Random, w: float, h: float) -> Floats:
    """A circuit: parts of all sizes, chips with pins, coils, traces along two directions."""
    on = _canvas(w, h)
    for _ in range(rng.randint(3, 9)):  # traces
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        points = [(x, y)]
        for k in range(rng.randint(1, 4)):
            x, y = (rng.uniform(0, w), y) if k % 2 else (x, rng.uniform(0, h))
            points.append((x, y))
        _line(on, points, rng.uniform(0.3, 1), rng.choice((0.7, 1, 2)))
    for _ in range(rng.randint(4, 22)):  # parts
        a, b = rng.uniform(1.5, w / 4), rng.uniform(1.5, h / 3)
        x, y, tone = rng.uniform(0, w - a), rng.uniform(0, h - b), rng.choice((1, rng.uniform(0.3, 1), 0))
        kind = rng.random()
        if kind < 0.6:
            _box(on, x, y, a, b, tone, rng.choice((-1, -1, 1)))
        elif kind < 0.75:
            _disc(on, x, y, min(a, b), tone, rng.choice((-1, 1)))
        else:  # a chip
            pins, step = rng.randint(3, 10), rng.uniform(2, 4)
            _box(on, x, y, pins * step, b, 0.7 * tone, 1)
            for k in range(pins):
                _box(on, x + k * step, y - 2, step / 2, 2, 1)
                _box(on, x + k * step, y + b, step / 2, 2, 1)
    return on


def _can(rng: random.Random) -> Floats:
    """A pacemaker: a case with a battery and a circuit, a header with the leads' ends."""
    w, h = rng.uniform(40, 110), rng.uniform(25, 90)
    on = _canvas(w + 60, h + 60)
    x, y = 30.0, 30.0
    middle, size = _at(x + w / 2, y + h / 2), _at(w / 2, h / 2)
    case = np.zeros_like(on)
    if rng.random() < 0.5:
        cv2.ellipse(case, middle, size, 0, 0, 360, 1, -1)
    else:
        _box(case, x, y, w, h, 1)
        case = cv2.GaussianBlur(case, (0, 0), 5 * _FINE)
        case = (case > 0.5).astype(np.float32)
    rim = case - cv2.erode(case, np.ones((3, 3), np.uint8), iterations=round(rng.uniform(0.4, 1.2) * _FINE))
    on = np.maximum(rng.uniform(0, 0.6) * case, rng.uniform(0, 1) * rim)
    part = rng.uniform(0.4, 0.9)
    board = _board(rng, w * part, h * rng.uniform(0.4, 0.9))
    top, left = (round((a + 0.05 * b) * _FINE) for a, b in ((y, h), (x, w)))
    at = np.s_[top : top + board.shape[0], left : left + board.shape[1]]
    on[at] = np.maximum(on[at], board[: on[at].shape[0], : on[at].shape[1]] * case[at])
    for k in range(rng.randint(0, 4)):  # the header's rings, and leads
        at_y = y + h * (0.1 + 0.2 * k)
        for j in range(rng.randint(1, 4)):
            _box(on, x + w + 3 + 5 * j, at_y, 2.5, 5, 1)
        if rng.random() < 0.6:
            _line(on, [(x + w, at_y + 2), (x + w + 15, at_y), (x + w + 29, at_y - rng.uniform(0, 30))], 1, 1)
    return on


def _circuit(rng: random.Random) -> Floats:
    return _board(rng, rng.uniform(25, 120), rng.uniform(12, 80))


def _way(rng: random.Random, long: float) -> npt.NDArray[np.float64]:
    """A smooth line, float64[n, 2] (x, y), about ``long`` px; with room around it."""
    t = np.linspace(0, 1, 240)
    bend, waves = rng.uniform(0, 0.3) * long, rng.uniform(0.3, 2)
    return np.c_[12 + t * long, 12 + bend * (1 + np.sin(2 * math.pi * waves * t + rng.uniform(0, 6)))]


def _on_way(way: npt.NDArray[np.float64]) -> Floats:
    return _canvas(*(way.max(axis=0) + 12))


def _along(way: npt.NDArray[np.float64], step: float) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """(place, direction across) at every ``step`` px of a line."""
    far = np.r_[0, np.cumsum(np.hypot(*np.diff(way, axis=0).T))]
    found = []
    for s in np.arange(0, far[-1] - 1, step):
        k = int(np.searchsorted(far, s))
        along = way[min(k + 1, len(way) - 1)] - way[max(k - 1, 0)]
        along = along / max(float(np.hypot(*along)), 1e-6)
        found.append((way[k], np.array([-along[1], along[0]])))
    return found


def _lead(rng: random.Random) -> Floats:
    """A lead or a wire: plain, wound, or with rings; with a tip."""
    way = _way(rng, rng.uniform(40, 180))
    on, thick = _on_way(way), rng.uniform(0.8, 4)
    _line(on, way, rng.uniform(0.3, 1), thick)
    if rng.random() < 0.6:
        step = rng.choice((2, 3, 6, 12, 20))
        for place, across in _along(way, step):
            _line(on, [place - thick * across, place + thick * across], 1, rng.uniform(0.4, 0.6) * min(step, 6))
    _disc(on, *way[-1], thick + rng.uniform(0, 2), 1)
    return on


def _stent(rng: random.Random) -> Floats:
    """Zigzags beside one another in a tube, or diamonds."""
    long, high, n = rng.uniform(25, 110), rng.uniform(6, 30), rng.randint(3, 12)
    on, thick = _canvas(long + 8, high + 8), rng.choice((0.6, 0.8, 1.2, 2))
    for k in range(n + 1):
        x = 4 + k * long / n
        t = np.linspace(0, 1, rng.randint(3, 8) * 2 + 1)
        zigzag = (np.arange(len(t)) % 2 - 0.5) * long / n
        _line(on, np.c_[x + zigzag, 4 + t * high], 1, thick)
        if rng.random() < 0.5:
            _line(on, np.c_[x - zigzag, 4 + t * high], 1, thick)
    if rng.random() < 0.3:
        _box(on, 4, 4, long, high, 0.6, 1)
    return on


def _screw(rng: random.Random) -> Floats:
    long, high = rng.uniform(20, 100), rng.uniform(3, 12)
    on, turns = _canvas(long + 24, 3 * high + 8), rng.randint(5, 22)
    y = 1.5 * high + 4
    t = np.linspace(0, 1, 2 * turns)
    tooth = (np.arange(2 * turns) % 2) * rng.uniform(0.15, 0.5) * high
    edge = np.r_[np.c_[14 + t * long, y - high / 2 - tooth], np.c_[14 + t[::-1] * long, y + high / 2 + tooth[::-1]]]
    cv2.fillPoly(on, [np.int32(edge * _FINE)], rng.uniform(0.5, 1))
    _box(on, 14 - high, y - high, high, 2 * high, 1)
    return on


def _plate(rng: random.Random) -> Floats:
    """A plate with holes, some with a screw's head or seen from the side."""
    n, step, high = rng.randint(3, 9), rng.uniform(8, 22), rng.uniform(6, 14)
    on = _canvas(n * step + 10, 5 * high)
    y = 1.5 * high
    _line(on, [(5 + high / 2, y), (5 + n * step - high / 2, y)], rng.uniform(0.4, 0.9), high)
    for k in range(n):
        x = 5 + (k + 0.5) * step
        _disc(on, x, y, 0.3 * high, rng.choice((0, 0, 1)), rng.choice((-1, -1, 1)))
        if rng.random() < 0.3:
            _line(on, [(x, y), (x + rng.uniform(-4, 4), y + rng.uniform(1, 3) * high)], 1, 0.3 * high)
    return on


def _clips(rng: random.Random) -> Floats:
    """Short dashes and bows, in a row, along a line or in a cloud: of no height and no pitch that letters have."""
    n, w, h = rng.randint(3, 26), rng.uniform(30, 170), rng.uniform(10, 90)
    on, size, cloud = _canvas(w + 24, h + 24), rng.uniform(2, 8), rng.random() < 0.5
    slope, bend = rng.uniform(-1, 1), rng.uniform(0, 3)
    for k in range(n):
        x = 12 + (rng.random() if cloud else (k + rng.uniform(-0.3, 0.3)) / n) * w
        y = 12 + (rng.random() if cloud else abs(slope * k / n + 0.2 * math.sin(bend * k))) * h
        y = min(y, h + 20)
        a, own = rng.uniform(0, math.pi), size * rng.uniform(0.5, 1.4)
        dx, dy = own * math.cos(a), own * math.sin(a)
        points = [(x - dx, y - dy), (x + dx, y + dy)]
        if rng.random() < 0.15:  # both legs of one
            points += [(x + dx + 1.5 * dy / own, y + dy - 1.5 * dx / own), (x - dx, y - dy - 1.5)]
        _line(on, points, rng.uniform(0.6, 1), rng.choice((0.6, 1, 1.5)))
    return on


def _coils(rng: random.Random) -> Floats:
    """A ball of wire."""
    r = rng.uniform(8, 35)
    on, t = _canvas(2 * r + 12, 2 * r + 12), np.linspace(0, 1, 400)
    a, b = (rng.uniform(10, 60) for _ in range(2))
    radius = r * np.abs(np.sin(rng.uniform(5, 30) * t + 1))
    _line(on, np.c_[6 + r + radius * np.cos(a * t), 6 + r + radius * np.sin(b * t)], 1, rng.choice((0.6, 1, 1.6)))
    return on


def _wired(rng: random.Random) -> Floats:
    """Wires twisted about a breastbone, one above another."""
    n, step, w = rng.randint(2, 7), rng.uniform(14, 40), rng.uniform(8, 28)
    on = _canvas(2 * w + 24, n * step + 24)
    for k in range(n):
        t = np.linspace(0, rng.uniform(1.2, 2.6) * math.pi, 50)
        x, y = 12 + w, 12 + (k + 0.5) * step
        wave = rng.choice((1, 2, 3))
        line = np.c_[x + w * rng.uniform(0.5, 1) * np.cos(t), y + 0.4 * step * np.sin(wave * t)]
        _line(on, line, 1, rng.choice((0.7, 1, 1.8)))
        _line(on, [line[-1], line[-1] + (rng.uniform(-8, 8), rng.uniform(-8, 8))], 1, 1.5)
    return on


def _pads(rng: random.Random) -> Floats:
    """Keys, contacts, holes: rows of equal things, at one pitch."""
    rows, columns, pitch = rng.choice((1, 1, 2, 3, 4, 6, 8)), rng.randint(3, 12), rng.uniform(4, 18)
    on, size = _canvas(columns * pitch + 8, rows * pitch + 8), pitch * rng.uniform(0.2, 0.45)
    kind, thick = rng.random() < 0.5, rng.choice((-1, -1, 1))
    for j in range(rows):
        for k in range(columns):
            x, y = 4 + (k + 0.5) * pitch, 4 + (j + 0.5) * pitch
            if kind:
                _disc(on, x, y, size, 1, thick)
            else:
                _box(on, x - size, y - size, 2 * size, 2 * size, 1, thick)
    if rng.random() < 0.4:
        _box(on, 1, 1, columns * pitch + 6, rows * pitch + 6, 0.6, 1)
    return on


def _comb(rng: random.Random) -> Floats:
    """Teeth on one or both sides of a bar or a curve: combs, zippers, hair clips, staples."""
    way, step = _way(rng, rng.uniform(30, 160)), rng.uniform(2.5, 9)
    on, long, both = _on_way(way), rng.uniform(3, 11), rng.random() < 0.4
    if rng.random() < 0.7:
        _line(on, way, 1, rng.uniform(0.8, 3))
    for k, (place, across) in enumerate(_along(way, step)):
        side = -1 if both and k % 2 else 1
        _line(on, [place, place + side * long * across], 1, rng.uniform(0.25, 0.5) * step)
    return on


def _chain(rng: random.Random) -> Floats:
    """Beads or links along a curve."""
    way = _way(rng, rng.uniform(40, 170))
    on, size, step = _on_way(way), rng.uniform(1, 4), rng.uniform(3, 10)
    thick = rng.choice((-1, 0.8))
    for k, (place, _) in enumerate(_along(way, step)):
        _disc(on, *place, size * (0.6 if k % 2 else 1), 1, thick)
    return on


def _mesh(rng: random.Random) -> Floats:
    """A net cut to a round: two families of lines, some of them missing."""
    r, step, slant = rng.uniform(15, 55), rng.uniform(3, 10), rng.uniform(-0.5, 0.5)
    on, hole = _canvas(2 * r + 4, 2 * r + 4), _canvas(2 * r + 4, 2 * r + 4)
    for a in np.arange(-r, 3 * r, step):
        if rng.random() < 0.9:
            _line(on, [(a, 0), (a + slant * 2 * r, 2 * r + 4)], 1, 0.8)
        if rng.random() < 0.9:
            _line(on, [(0, a), (2 * r + 4, a - slant * 2 * r)], 1, 0.8)
    _disc(hole, r + 2, r + 2, r, 1)
    return on * hole


def _patch(rng: random.Random) -> Floats:
    """An electrode on the skin: a disc, a snap, a wire."""
    r = rng.uniform(5, 16)
    on = _canvas(6 * r, 4 * r)
    _disc(on, 2 * r, 2 * r, r, rng.uniform(0.2, 0.6))
    _disc(on, 2 * r, 2 * r, rng.uniform(0.3, 0.8) * r, 1, rng.choice((-1, 1)))
    _line(on, [(2 * r, 2 * r), (4 * r, rng.uniform(0, 4) * r), (6 * r, rng.uniform(0, 4) * r)], 1, 1.2)
    return on


_STAMPS: dict[Stamp, float] = {
    _can: 3, _circuit: 2, _lead: 2, _stent: 1, _screw: 1, _plate: 1, _clips: 3, _coils: 1, _wired: 1.5, _pads: 0.7,
    _comb: 1, _chain: 0.7, _mesh: 0.7, _patch: 1,
}  # fmt: skip
