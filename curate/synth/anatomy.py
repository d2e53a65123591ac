"""A case as a picture: chooses the scene, its random generators and its grey values.

The patient's build comes from the patient's generator, the place of the finding from the study's, position and
noise from the image's. So a patient's studies look alike, and the images of a study show the same disease.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from curate.synth.canvas import Canvas, Image
from curate.synth.case import Case, Purpose, rng_for
from curate.synth.chest import chest_film
from curate.synth.others import mr_spine, ultrasound
from curate.synth.slices import ct_abdomen, ct_chest, ct_head, mr_brain

# height and width in units of the configured side
_SHAPE = {"DX": (1.25, 1.25), "CR": (1.25, 1.0), "CT": (1.0, 1.0), "MR": (0.75, 0.75), "US": (0.75, 1.0)}
_NOISE = {"DX": 0.02, "CR": 0.03, "CT": 7.0, "MR": 0.025, "US": 0.01}
_BLUR = {"DX": 0.0, "CR": 0.6, "CT": 0.5, "MR": 0.7, "US": 0.7}  # pixels
_FLEX = 0.02  # slow swing of a film's exposure or a coil's sensitivity

_Painter = Callable[[Canvas, str, str, str, np.random.Generator, np.random.Generator], Image]
_PAINTERS: dict[str, _Painter] = {
    "chest_film": chest_film,
    "ct_head": ct_head,
    "ct_chest": ct_chest,
    "ct_abdomen": ct_abdomen,
    "mr_brain": mr_brain,
    "mr_spine": mr_spine,
}


def render(case: Case, seed: int, number: int, side: int) -> Image:
    """Image ``number`` (0-based) of a study, float32[h, w]: HU for CT, 0..1 for everything else.

    ``side`` is the base size in pixels; films are larger, MR and ultrasound smaller.
    """
    scene = case.scene
    height, width = (max(16, round(k * side)) for k in _SHAPE[scene.modality])
    grain = rng_for(seed, Purpose.GRAIN, case.index, number)
    view = Canvas.view(height, width, grain, _ZOOM.get(scene.name, 1.0))
    body = rng_for(seed, Purpose.BODY, case.patient)
    spot = rng_for(seed, Purpose.SPOT, case.index)
    if scene.name.startswith("us_"):
        image = ultrasound(view, scene.name[3:], case.finding_name, case.side, case.size, body, spot)
    else:
        image = _PAINTERS[scene.name](view, case.finding_name, case.side, case.size, body, spot)
    return _expose(view, image, scene.modality, grain)


_ZOOM = {"ct_head": 1.05, "mr_brain": 1.05, "us_thyroid": 1.1}


def _expose(view: Canvas, image: Image, modality: str, grain: np.random.Generator) -> Image:
    """Add the machine's point spread, noise and uneven field; the field not in CT, whose numbers are calibrated."""
    if _BLUR[modality] > 0:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), _BLUR[modality]), np.float32)
    image = image + _NOISE[modality] * view.grain(grain)
    if modality == "CT":
        return np.clip(image, -1024, 3000).astype(np.float32)
    if modality != "US":
        image = image * grain.uniform(0.9, 1.1) + _FLEX * view.texture(grain, 4)
    return np.clip(image, 0.0, 1.0).astype(np.float32)
