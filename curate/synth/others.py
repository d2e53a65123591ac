"""Sagittal spine MR and ultrasound: float32 in 0..1."""

from __future__ import annotations

import numpy as np

from curate.synth.canvas import Canvas, Image, blob, disc, ellipse, mix, smooth
from curate.synth.chest import grade, sign_of

Rng = np.random.Generator
LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")


def mr_spine(view: Canvas, finding: str, side: str, size: str, body: Rng, spot: Rng) -> Image:
    """A sagittal T2-weighted lumbar spine, float32[h, w]: fluid of the canal bright, dried discs dark."""
    image = view.plain(0.02)
    mix(image, 0.35, view.fill(smooth([(-0.8, -1.5), (0.7, -1.5), (0.75, 1.5), (-0.75, 1.5)]), soft=0.03))
    mix(
        image, 0.7, view.fill(smooth([(0.42, -1.5), (0.7, -1.5), (0.75, 1.5), (0.5, 1.5)]), soft=0.02)
    )  # fat of the back
    bend, broken = body.uniform(0.05, 0.16), int(spot.integers(2, 5))
    centre = [(-0.2 + bend * np.cos(np.pi * (k - 3) / 5), -0.95 + 0.33 * k) for k in range(7)]
    canal = np.add(centre, [0.3, 0.0])
    mix(image, 0.92, view.stroke(canal, width=0.14))
    mix(image, 0.4, view.stroke(canal[:4], width=0.06))  # the cord ends at L1-L2
    for k, (x, y) in enumerate(centre):
        flat = grade(size, 0.6, 0.35) if finding == "compression fracture" and k == broken else 1.0
        box = [(x - 0.21, y - 0.125 * flat), (x + 0.2, y - 0.125), (x + 0.2, y + 0.125), (x - 0.21, y + 0.125 * flat)]
        mix(image, 0.85 if flat < 1 else 0.48, view.fill(smooth(box, 2), soft=0.012))
        mix(image, 0.62, view.fill(ellipse(x, y + 0.165, 0.17, 0.028)))
        if finding == "disc herniation" and k == broken:
            bulge = grade(size, 0.1, 0.18)
            mix(image, 0.1, view.fill(ellipse(x, y + 0.165, 0.2, 0.04), ellipse(x + 0.24, y + 0.165, bulge, 0.09)))
        mix(image, 0.15, view.fill(ellipse(x + 0.44, y + 0.12, 0.06, 0.1, 25)))  # spinous process
    if finding == "syrinx":
        mix(image, 0.98, view.stroke(canal[:3], width=grade(size, 0.05, 0.09)))
        mix(image, 0.05, view.stroke(np.add(canal[:3], [grade(size, 0.06, 0.08), 0.0]), width=0.02))
    return image + 0.03 * view.texture(spot, 18)


def ultrasound(view: Canvas, organ: str, finding: str, side: str, size: str, body: Rng, spot: Rng) -> Image:
    """One B-mode frame, float32[h, w]: the organ under speckle inside the fan of a curved probe."""
    image = view.plain(0.42)
    _ORGANS[organ](view, image, finding, side, size, body, spot)
    depth = np.linspace(1.1, 0.75, view.height, dtype=np.float32)[:, None]
    speckle = 0.55 + 0.45 * np.abs(view.grain(spot) + 0.8 * view.texture(spot, 60))
    image = np.asarray(image * speckle * depth, np.float32)
    angles = np.deg2rad(np.linspace(-42, 42, 24))
    arc = np.stack([np.sin(angles), np.cos(angles)], 1)
    fan = np.add(np.vstack([0.45 * arc, 2.1 * arc[::-1]]), [0.0, -1.3])
    return np.asarray(image * view.fill(fan), np.float32)


def _shadow(view: Canvas, image: Image, x: float, y: float, width: float) -> None:
    """The acoustic shadow below a stone, widening as the beam does."""
    mix(
        image,
        0.04,
        view.fill(
            np.array([(x - width, y), (x + width, y), (x * 1.4 + 1.5 * width, 1.2), (x * 1.4 - 1.5 * width, 1.2)])
        )
        * 0.9,
    )


def _liver(view: Canvas, image: Image, finding: str, side: str, size: str, body: Rng, spot: Rng) -> None:
    mix(image, 0.3, view.fill(ellipse(0, -0.75, 1.4, 0.22)))  # abdominal wall
    mix(image, 0.8, view.stroke([(-1, 0.62), (-0.3, 0.74), (0.4, 0.7), (1, 0.5)], width=0.03))  # diaphragm
    vessels = [[(body.uniform(-0.6, 0.6), -0.4), (body.uniform(-0.6, 0.6), 0.6)] for _ in range(4)]
    mix(image, 0.12, view.stroke(*vessels, width=0.035))
    bladder = (body.uniform(0.18, 0.3), body.uniform(-0.05, 0.1))
    mix(image, 0.75, view.fill(ellipse(*bladder, 0.29, 0.19, 20)))
    mix(image, 0.03, view.fill(ellipse(*bladder, 0.26, 0.16, 20)))
    if finding == "gallstones":
        r = grade(size, 0.06, 0.1)
        _shadow(view, image, bladder[0], bladder[1] + 0.1, r)
        mix(image, 1.0, view.fill(ellipse(bladder[0], bladder[1] + 0.08, r, 0.8 * r)))
    elif finding == "liver cyst":
        mix(
            image,
            0.02,
            view.fill(disc(spot.uniform(-0.4, -0.3), spot.uniform(-0.1, 0.3), grade(size, 0.15, 0.24))),
        )


def _kidney(view: Canvas, image: Image, finding: str, side: str, size: str, body: Rng, spot: Rng) -> None:
    tilt = body.uniform(-18, 18)
    rx = body.uniform(0.5, 0.58)
    mix(image, 0.8, view.fill(ellipse(0, 0.02, rx + 0.03, 0.3, tilt)))
    mix(image, 0.32, view.fill(ellipse(0, 0.02, rx, 0.27, tilt)))
    mix(image, 0.8, view.fill(ellipse(0, 0.02, 0.33, 0.11, tilt), soft=0.04))
    if finding == "hydronephrosis":
        cups = [ellipse(x, 0.02 + spot.uniform(-0.04, 0.04), 0.11, grade(size, 0.1, 0.16)) for x in (-0.22, 0.0, 0.22)]
        mix(image, 0.02, view.fill(*cups, soft=0.015))
    elif finding == "renal stone":
        x, r = spot.uniform(-0.2, 0.2), grade(size, 0.05, 0.09)
        _shadow(view, image, x, 0.05, r)
        mix(image, 1.0, view.fill(ellipse(x, 0.04, r, 0.7 * r)))


def _thyroid(view: Canvas, image: Image, finding: str, side: str, size: str, body: Rng, spot: Rng) -> None:
    mix(image, 0.28, view.fill(ellipse(0, -0.6, 1.2, 0.25)))  # strap muscles
    for sign in (-1.0, 1.0):
        mix(image, 0.68, view.fill(ellipse(sign * 0.33, -0.08, body.uniform(0.22, 0.26), 0.22, sign * -15)))
        mix(image, 0.03, view.fill(ellipse(sign * 0.66, 0.0, 0.1, 0.1)))  # carotid artery
    mix(image, 0.68, view.fill(ellipse(0, -0.26, 0.25, 0.06)))  # isthmus
    mix(image, 0.9, view.fill(ellipse(0, 0.02, 0.16, 0.17)))
    mix(image, 0.05, view.fill(ellipse(0, 0.06, 0.14, 0.16)))  # air of the trachea
    if finding == "thyroid nodule":
        at = (sign_of(side) * 0.34, -0.08 + spot.uniform(-0.04, 0.04))
        mix(image, 0.12, view.fill(blob(spot, *at, grade(size, 0.1, 0.17), 0.15)))
    elif finding == "goitre":
        mix(image, 0.68, view.fill(*[ellipse(s * 0.4, -0.02, 0.36, grade(size, 0.32, 0.4)) for s in (-1, 1)]))


_ORGANS = {"liver": _liver, "kidney": _kidney, "thyroid": _thyroid}
