"""Axial CT in Hounsfield units, and the head that CT and MR share; the patient's right is image left."""

from __future__ import annotations

import numpy as np

from curate.synth.canvas import Canvas, Image, blob, disc, ellipse, mix, smooth
from curate.synth.chest import grade, sign_of

Rng = np.random.Generator


def ct_head(view: Canvas, finding: str, side: str, size: str, body: Rng, spot: Rng) -> Image:
    """An axial head slice in HU, float32[h, w]."""
    image, brain = view.plain(-1000.0), _skull(view, body)
    mix(image, 40.0, view.fill(brain[0]))
    mix(image, 900.0, view.fill(brain[1]))
    mix(image, 30.0, view.fill(brain[2]))
    image += 5.0 * view.texture(body, 22) * view.fill(brain[2])
    paint_ventricles(view, image, 4.0, finding, side, size, body)
    _head_finding(
        view, image, finding, side, size, spot, view.fill(brain[2]), {"bleed": 82.0, "infarct": 14.0, "halo": 18.0}
    )
    return image


def mr_brain(view: Canvas, finding: str, side: str, size: str, body: Rng, spot: Rng) -> Image:
    """An axial T2-weighted brain slice, float32[h, w] in 0..1: fluid bright, cortical bone dark."""
    image, brain = view.plain(0.01), _skull(view, body)
    mix(image, 0.55, view.fill(brain[0]))  # fat of the scalp
    mix(image, 0.04, view.fill(brain[1]))
    mix(image, 0.85, view.fill(brain[2], soft=0.01))  # fluid around the brain
    inner = 0.955 * brain[2]
    mix(image, 0.42, view.fill(inner, soft=0.01))
    mix(image, 0.3, view.fill(0.72 * brain[2], soft=0.06))  # white matter
    image += 0.07 * view.texture(body, 24) * view.fill(inner)
    paint_ventricles(view, image, 0.92, finding, side, size, body)
    if finding == "white matter disease":
        spots = [disc(spot.uniform(-0.4, 0.4), spot.uniform(-0.5, 0.5), spot.uniform(0.02, 0.05)) for _ in range(22)]
        mix(image, 0.88, view.fill(*spots, soft=0.012))
    _head_finding(
        view, image, finding, side, size, spot, view.fill(inner), {"infarct": 0.86, "halo": 0.75, "core": 0.6}
    )
    return image


def _skull(view: Canvas, body: Rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scalp, outer skull and brain outlines of one patient."""
    rx, ry = body.uniform(0.68, 0.76), body.uniform(0.84, 0.92)
    return ellipse(0, 0, rx, ry), ellipse(0, 0, rx - 0.04, ry - 0.04), ellipse(0, 0, rx - 0.11, ry - 0.11)


def paint_ventricles(view: Canvas, image: Image, value: float, finding: str, side: str, size: str, body: Rng) -> None:
    """Lateral ventricles and midline; wide in hydrocephalus, pushed across the midline in midline shift."""
    wide = grade(size, 1.9, 2.7) if finding == "hydrocephalus" else body.uniform(0.9, 1.15)
    # shift "to the right" moves the midline towards the patient's right; its cause sits opposite
    push = sign_of(side) * grade(size, 0.13, 0.24) if finding == "midline shift" else 0.0
    horns = []
    for sign in (-1.0, 1.0):
        horns.append(ellipse(push + sign * 0.09 * wide**0.6, -0.16, 0.05 * wide, 0.17 * wide**0.6, sign * 18))
        horns.append(ellipse(push + sign * 0.12 * wide**0.6, 0.2, 0.045 * wide, 0.19 * wide**0.6, sign * -22))
    mix(image, value, view.fill(*horns, soft=0.014))
    if finding == "midline shift":
        mass = ellipse(-sign_of(side) * 0.38, 0.0, 0.16, 0.3, 0)
        mix(image, 62.0, view.fill(mass, soft=0.03) * 0.8)
    falx = [(0.0, -0.78), (push * 0.6, -0.4), (push, 0.0), (push * 0.6, 0.45), (0.0, 0.78)]
    mix(image, 60.0 if value > 1 else 0.15, view.stroke(falx, width=0.015) * 0.8)


def _head_finding(
    view: Canvas, image: Image, finding: str, side: str, size: str, spot: Rng, brain: Image, tone: dict[str, float]
) -> None:
    sign = sign_of(side)
    at = (sign * spot.uniform(0.26, 0.36), spot.uniform(-0.3, 0.3))
    if finding == "intracerebral haemorrhage":
        mix(image, tone["halo"], brain * view.fill(blob(spot, *at, grade(size, 0.19, 0.32)), soft=0.03))
        mix(image, tone["bleed"], brain * view.fill(blob(spot, *at, grade(size, 0.13, 0.24)), soft=0.012))
    elif finding == "subdural haematoma":
        rim, thick = np.linspace(-1.15, 1.15, 16), grade(size, 0.07, 0.16)
        outer = np.stack([sign * 0.61 * np.cos(rim), 0.76 * np.sin(rim)], 1)
        inner = np.stack([sign * (0.61 - thick) * np.cos(rim), 0.76 * np.sin(rim)], 1)
        mix(image, tone["bleed"], view.fill(np.vstack([outer, inner[::-1]]), soft=0.01))
    elif finding == "infarct":
        tilt, reach = spot.uniform(-0.35, 0.35), grade(size, 0.22, 0.4)
        wedge = [(sign * 0.2, tilt), (sign * 0.56, tilt - reach), (sign * 0.6, tilt), (sign * 0.54, tilt + reach)]
        mix(image, tone["infarct"], view.fill(smooth(wedge, 2), soft=0.02) * 0.9)
    elif finding == "mass":
        mix(image, tone["halo"], brain * view.fill(blob(spot, *at, grade(size, 0.2, 0.32), 0.35), soft=0.03))
        mix(image, tone["core"], brain * view.fill(blob(spot, *at, grade(size, 0.11, 0.18)), soft=0.012))


def ct_chest(view: Canvas, finding: str, side: str, size: str, body: Rng, spot: Rng) -> Image:
    """An axial chest slice in HU, float32[h, w]; supine: the spine is at the bottom."""
    image = view.plain(-1000.0)
    rx, ry = body.uniform(0.86, 0.96), body.uniform(0.62, 0.7)
    mix(image, -90.0, view.fill(ellipse(0, 0, rx, ry)))
    mix(image, 45.0, view.fill(ellipse(0, 0, rx - 0.07, ry - 0.07)))
    lungs = {s: ellipse(sign_of(s) * 0.43, -0.02, 0.33, ry - 0.14, sign_of(s) * -6) for s in ("right", "left")}
    field = view.fill(*lungs.values())
    mix(image, -830.0, field)
    twigs = [disc(body.uniform(-0.75, 0.75), body.uniform(-0.5, 0.5), 0.016) for _ in range(50)]
    mix(image, -150.0, view.fill(*twigs) * field)
    heart_size = body.uniform(0.24, 0.28)
    mix(image, 60.0, view.fill(ellipse(0.12, -0.2, heart_size, 0.2, 25), ellipse(0.0, 0.1, 0.1, 0.24)))
    mix(image, 150.0, view.fill(ellipse(0.12, 0.18, 0.07, 0.07)))  # descending aorta, left of the spine
    _spine_and_ribs(view, image, rx - 0.1, ry - 0.09)
    if side:
        _lung_finding(view, image, finding, sign_of(side), size, spot, view.fill(lungs[side]))
    return image


def _spine_and_ribs(view: Canvas, image: Image, rx: float, ry: float) -> None:
    mix(image, 420.0, view.fill(ellipse(0, 0.42, 0.12, 0.1), ellipse(0, 0.56, 0.05, 0.1)))
    mix(image, 30.0, view.fill(ellipse(0, 0.53, 0.045, 0.035)))
    around = np.linspace(0.25, 2 * np.pi + 0.25, 11, endpoint=False)
    ribs = [ellipse(rx * np.cos(a), ry * np.sin(a), 0.08, 0.025, -np.rad2deg(a) + 90) for a in around]
    mix(image, 500.0, view.fill(*ribs) * 0.9)


def _lung_finding(view: Canvas, image: Image, finding: str, sign: float, size: str, spot: Rng, lung: Image) -> None:
    at = (sign * spot.uniform(0.38, 0.5), spot.uniform(-0.25, 0.2))
    if finding == "pleural effusion":  # fluid layers behind, on the side of the table
        level = grade(size, 0.24, -0.05)
        pool = [(sign * 0.02, level), (sign * 0.45, level + 0.07), (sign, level - 0.16), (sign, 1), (sign * 0.02, 1)]
        mix(image, 12.0, view.fill(np.array(pool), soft=0.012) * lung)
    elif finding == "pneumothorax":  # air rises in front
        level = grade(size, -0.24, -0.02)
        air = np.array([(0, -1), (sign, -1), (sign, level - 0.1), (sign * 0.45, level), (sign * 0.1, level - 0.08)])
        mix(image, -1000.0, view.fill(air) * lung)
        rest = view.fill(ellipse(sign * 0.43, 0.9 + level, 0.5, 0.85)) * lung
        image += 130.0 * rest
    elif finding == "consolidation":
        mix(image, 30.0, view.fill(blob(spot, *at, grade(size, 0.15, 0.26), 0.35), soft=0.03) * lung * 0.95)
    elif finding == "pulmonary nodule":
        mix(image, 60.0, view.fill(blob(spot, *at, grade(size, 0.065, 0.12), 0.1)))


def ct_abdomen(view: Canvas, finding: str, side: str, size: str, body: Rng, spot: Rng) -> Image:
    """An axial slice at the kidneys in HU, float32[h, w]: liver on image left, spleen on image right."""
    image = view.plain(-1000.0)
    rx, ry = body.uniform(0.86, 0.97), body.uniform(0.6, 0.7)
    mix(image, -100.0, view.fill(ellipse(0, 0, rx, ry)))
    mix(image, 50.0, view.fill(ellipse(0, 0, rx - 0.06, ry - 0.06)))
    mix(image, -95.0, view.fill(ellipse(0, 0.02, rx - 0.11, ry - 0.11)))  # fat inside
    if finding == "ascites":
        mix(image, 8.0, view.fill(ellipse(0, 0.02, rx - 0.1, ry - 0.1)) * 0.95)
    liver = smooth(
        [(-0.76, -0.2), (-0.5, -0.45), (0.05, -0.42), (0.1, -0.25), (-0.2, -0.05), (-0.4, 0.35), (-0.7, 0.25)]
    )
    mix(image, 105.0, view.fill(liver, soft=0.012))
    grow = grade(size, 1.6, 2.1) if finding == "splenomegaly" else 1.0
    mix(image, 120.0, view.fill(ellipse(0.66 - 0.05 * grow, 0.0, 0.1 * grow, 0.2 * grow, 12)))
    mix(image, 20.0, view.fill(ellipse(0.3, -0.3, 0.2, 0.12, -15)))  # stomach
    mix(image, -700.0, view.fill(ellipse(0.32, -0.36, 0.12, 0.04, -12)))
    bowel = [disc(body.uniform(-0.25, 0.35), body.uniform(-0.17, 0.07), 0.06) for _ in range(7)]
    mix(image, 35.0, view.fill(*bowel))
    mix(image, 170.0, view.fill(ellipse(0.05, 0.2, 0.06, 0.06)))  # aorta
    kidneys = {s: (sign_of(s) * body.uniform(0.36, 0.41), body.uniform(0.24, 0.3)) for s in ("right", "left")}
    for s, at in kidneys.items():
        mix(image, 170.0, view.fill(ellipse(*at, 0.12, 0.17, sign_of(s) * 20)))
        mix(image, 20.0, view.fill(ellipse(at[0] - sign_of(s) * 0.04, at[1], 0.035, 0.07), soft=0.015))
    _spine_and_ribs(view, image, rx - 0.1, ry - 0.09)
    _abdomen_finding(view, image, finding, kidneys.get(side, (0.0, 0.0)), sign_of(side), size, spot)
    return image


def _abdomen_finding(
    view: Canvas, image: Image, finding: str, kidney: tuple[float, float], sign: float, size: str, spot: Rng
) -> None:
    x, y = kidney
    if finding == "renal stone":
        mix(
            image,
            900.0,
            view.fill(disc(x - sign * 0.03, y + spot.uniform(-0.05, 0.05), grade(size, 0.04, 0.075))),
        )
    elif finding == "renal cyst":
        mix(image, 6.0, view.fill(disc(x + sign * 0.09, y + spot.uniform(-0.1, 0.1), grade(size, 0.1, 0.17))))
    elif finding == "hydronephrosis":
        mix(image, 10.0, view.fill(blob(spot, x - sign * 0.05, y, grade(size, 0.09, 0.13), 0.2), soft=0.012))
    elif finding == "liver lesion":
        mix(image, 35.0, view.fill(blob(spot, -0.5, spot.uniform(-0.25, 0.05), grade(size, 0.09, 0.17), 0.15)))
