"""Frontal chest radiographs: float32 in 0..1, bright where the body absorbs the beam.

Radiological convention throughout the package: the patient's right is image left, so the sign of x is -1 on the
patient's right and +1 on the patient's left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curate.synth.canvas import Canvas, Image, Shape, blob, ellipse, mirror, mix, scale, smooth

_SOFT_TISSUE, _LUNG, _AIR = 0.62, 0.24, 0.04
SIZES = ("small", "moderate", "large")


def grade(size: str, low: float, high: float) -> float:
    """From ``low`` (small) to ``high`` (large)."""
    return low + (high - low) * SIZES.index(size) / (len(SIZES) - 1)


def sign_of(side: str) -> float:
    """-1 for the patient's right (image left), +1 for the left, 0 without a side."""
    return {"right": -1.0, "left": 1.0}.get(side, 0.0)


def chest_film(
    view: Canvas, finding: str, side: str, size: str, body: np.random.Generator, spot: np.random.Generator
) -> Image:
    """A frontal chest film, float32[h, w]. ``body`` gives the patient's build, ``spot`` where the finding lies."""
    return chest_film_with(view, [(finding, side, size)] if finding else [], body, spot)


def chest_film_with(
    view: Canvas, findings: Sequence[tuple[str, str, str]], body: np.random.Generator, spot: np.random.Generator
) -> Image:
    """A chest film with several findings, each (name, side, size); at most one a lung, beside a large heart."""
    image = view.plain(_AIR)
    mix(image, _SOFT_TISSUE, view.fill(_torso(body.uniform(0.92, 1.06)), soft=0.03))
    lungs = [_lung(sign, body) for sign in (-1.0, 1.0)]
    field = view.fill(*lungs, soft=0.012)
    mix(image, _LUNG + body.uniform(-0.04, 0.04), field)
    _bones_and_vessels(view, image, field, body)
    heart = next((size for name, _, size in findings if name == "cardiomegaly"), "")
    _heart(view, image, body, bool(heart), heart)
    for name, side, size in findings:
        if side:
            lung = lungs[0] if side == "right" else lungs[1]
            _FINDINGS[name](view, image, lung, sign_of(side), size, spot)
    return image


def _torso(build: float) -> Shape:
    half = [(0.0, -0.95), (0.2, -0.92), (0.3, -0.8), (0.75, -0.72), (0.98, -0.5), (0.9, 0.0), (0.86, 0.7), (0.9, 1.5)]
    points = [*half, *[(-x, y) for x, y in reversed(half[1:])]]
    return smooth(np.array(points) * [build, 1.0])


def _lung(sign: float, body: np.random.Generator) -> Shape:
    """One lung; the right dome stands higher, over the liver."""
    dome = 0.42 + body.uniform(-0.06, 0.06) + (0.08 if sign > 0 else 0.0)
    wide = body.uniform(0.68, 0.78)
    points = [
        (0.2, -0.72),
        (0.42, -0.66),
        (0.9 * wide, -0.25),
        (wide, 0.2),
        (wide, dome + 0.2),
        (0.75 * wide, dome + 0.06),
    ]
    points += [(0.42, dome - 0.06), (0.16, dome + 0.06), (0.12, 0.0), (0.11, -0.55)]
    return mirror(smooth(points), sign)


def _bones_and_vessels(view: Canvas, image: Image, field: Image, body: np.random.Generator) -> None:
    ribs, vessels = [], []
    steps = np.linspace(0.0, 1.0, 12)
    gap, droop = body.uniform(0.17, 0.2), body.uniform(0.16, 0.26)
    for sign in (-1.0, 1.0):
        for k in range(8):
            arc = np.stack([0.08 + 0.68 * steps, -0.68 + gap * k - 0.12 * np.sin(np.pi * steps) + droop * steps**2], 1)
            ribs.append(mirror(arc, sign))
        for _ in range(9):
            reach, slope = body.uniform(0.25, 0.5), body.uniform(-0.9, 1.1)
            bend = body.uniform(-0.1, 0.1, steps.size).cumsum() * 0.2
            vessels.append(mirror(np.stack([0.14 + reach * steps, -0.05 + reach * slope * steps + bend], 1), sign))
    image += 0.10 * view.stroke(*ribs, width=0.045)
    image += 0.11 * view.stroke(*vessels, width=0.018) * field
    mix(image, _SOFT_TISSUE, view.fill(smooth([(-0.13, -1), (0.13, -1), (0.15, 0.9), (-0.15, 0.9)]), soft=0.02))
    image += 0.10 * view.fill(*[ellipse(0.0, -0.85 + 0.14 * k, 0.075, 0.05) for k in range(14)])
    collars = [[(s * 0.07, -0.6), (s * 0.35, -0.68), (s * 0.7, -0.8)] for s in (-1.0, 1.0)]
    image += 0.16 * view.stroke(*collars, width=0.05)
    image -= 0.10 * view.stroke([(0.0, -1.0), (0.01, -0.3)], width=0.07, soft=0.02)  # trachea
    mix(image, 0.4, view.fill(ellipse(0.36, 0.72, 0.12, 0.07), soft=0.03))  # stomach bubble


def _heart(view: Canvas, image: Image, body: np.random.Generator, large: bool, size: str) -> None:
    rx = grade(size, 0.44, 0.54) if large else body.uniform(0.26, 0.31)
    across = 0.06 + 0.1 * rx
    mix(image, _SOFT_TISSUE + 0.05, view.fill(ellipse(across, 0.25, rx, 0.62 * rx + 0.1, -28), soft=0.015))
    mix(image, _SOFT_TISSUE, view.fill(ellipse(0.13, -0.27, 0.09, 0.1), soft=0.012))  # aortic knob


def _effusion(view: Canvas, image: Image, lung: Shape, sign: float, size: str, spot: np.random.Generator) -> None:
    level = grade(size, 0.34, -0.08) + spot.uniform(-0.05, 0.05)
    meniscus = [(0.05, level + 0.1), (0.3, level + 0.08), (0.5, level), (0.62, level - 0.14), (0.95, level - 0.34)]
    pool = mirror(np.array([*meniscus, (0.95, 1.0), (0.05, 1.0)]), sign)
    mix(image, _SOFT_TISSUE + 0.06, view.fill(pool, soft=0.02) * view.fill(scale(lung, 1.04, (sign * 0.4, 0.0))))


def _pneumothorax(view: Canvas, image: Image, lung: Shape, sign: float, size: str, spot: np.random.Generator) -> None:
    collapsed = scale(lung, grade(size, 0.76, 0.5) + spot.uniform(-0.03, 0.03), (sign * 0.14, 0.12))
    inside = view.fill(collapsed, soft=0.006)
    air = np.clip(view.fill(lung) - inside, 0.0, 1.0)
    mix(image, 0.07, air * 0.9)
    image += 0.07 * inside
    image += 0.14 * view.stroke(np.vstack([collapsed, collapsed[:1]]), width=0.016) * view.fill(lung)


def _consolidation(view: Canvas, image: Image, lung: Shape, sign: float, size: str, spot: np.random.Generator) -> None:
    at = (sign * spot.uniform(0.36, 0.5), spot.uniform(-0.35, 0.25))
    patch = blob(spot, at[0], at[1], grade(size, 0.17, 0.3), 0.35)
    mix(image, _SOFT_TISSUE, view.fill(patch, soft=0.04) * view.fill(lung) * 0.92)
    branches = [[at, (at[0] + spot.uniform(-0.2, 0.2), at[1] + spot.uniform(-0.2, 0.2))] for _ in range(4)]
    image -= 0.12 * view.stroke(*branches, width=0.02)  # air bronchograms


def _nodule(view: Canvas, image: Image, lung: Shape, sign: float, size: str, spot: np.random.Generator) -> None:
    at = (sign * spot.uniform(0.34, 0.52), spot.uniform(-0.42, 0.22))
    mix(image, _SOFT_TISSUE + 0.1, view.fill(blob(spot, *at, grade(size, 0.075, 0.13), 0.08), soft=0.01))


_FINDINGS = {
    "pleural effusion": _effusion,
    "pneumothorax": _pneumothorax,
    "consolidation": _consolidation,
    "pulmonary nodule": _nodule,
}
