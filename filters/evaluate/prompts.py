"""Prompts of a class: several templates, whose embeddings are averaged (CLIP, 2103.00020, section 3.1.4).

The templates are phrases of reports and captions, not of photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from filters.evaluate.encode import Rows, text_rows
from filters.findings.spelling import spellings
from filters.towers.encoder import Filter

GENERIC = ("{c}", "{c}.", "an image of {c}", "a medical image showing {c}", "findings of {c}", "this image shows {c}.")
TEMPLATES = {
    "modality": ("{c}", "{c} image", "{c} scan", "{c} of the patient", "a medical image, {c}", "this is a {c} image."),
    "view": ("{c}", "{c} view", "{c} image", "{c} projection", "image in the {c} plane", "{c} section"),
    "body_part": ("{c}", "image of the {c}", "scan of the {c}", "study of the {c}", "the {c} is shown.", "{c}, image"),
    "laterality": ("{c}", "{c} side", "image of the {c} side", "{c} view"),
    "sex": ("{c}", "{c} patient", "image of a {c} patient"),
}
# The most common phrases of radiologists. "X is absent" and "without X" hardly occur for a finding by itself: a model
# of reports does not know them, and on synthetic films they reverse the score.
PRESENT = ("{c}", "{c}.", "There is {c}.", "Findings consistent with {c}.")
ABSENT = ("No {c}", "No {c}.", "There is no {c}.", "No evidence of {c}.")

# a value as archives write it -> its canonical name; several may mean the same
VALUES = {
    "modality": {
        "CT": "CT", "MR": "MRI", "MRI": "MRI", "CR": "radiograph", "DX": "radiograph", "XR": "radiograph",
        "RG": "radiograph", "MG": "mammogram", "US": "ultrasound", "PT": "PET", "NM": "nuclear medicine",
        "XA": "angiogram", "RF": "fluoroscopy",
    },
    "view": {
        "TRANSVERSE": "axial", "TRA": "axial", "AX": "axial", "COR": "coronal", "SAG": "sagittal", "LL": "lateral",
        "LAT": "lateral", "RL": "lateral", "PA": "PA", "AP": "AP",
    },
    "laterality": {"L": "left", "R": "right", "B": "bilateral"},
    "sex": {"M": "male", "F": "female"},
}  # fmt: skip
_NAMES = {
    ("modality", "CT"): ("CT", "computed tomography"),
    ("modality", "MRI"): ("MRI", "MR", "magnetic resonance imaging"),
    ("modality", "radiograph"): ("radiograph", "X-ray", "plain film"),
    ("modality", "ultrasound"): ("ultrasound", "sonogram"),
    ("modality", "PET"): ("PET", "positron emission tomography"),
    ("view", "PA"): ("PA", "posteroanterior", "frontal"),
    ("view", "AP"): ("AP", "anteroposterior"),
    ("view", "axial"): ("axial", "transverse"),
    ("body_part", "head"): ("head", "brain"),
    ("body_part", "thorax"): ("thorax", "chest"),
}


def names(fact: str, value: str) -> tuple[str, ...]:
    """The names of a value of a fact: itself and its synonyms."""
    return _NAMES.get((fact, value), (value,))


def prompts(class_names: Sequence[str], templates: Sequence[str]) -> list[str]:
    """Every name in every template, capitalised if the template is a sentence."""
    filled = [t.replace("{c}", name) for t in templates for name in class_names]
    return list(dict.fromkeys(p[:1].upper() + p[1:] if p.endswith(".") else p for p in filled))


def ensemble(model: Filter, classes: Sequence[Sequence[str]], templates: Sequence[str]) -> Rows:
    """Unit rows float32[c, d]: for each class the normalised mean of its prompts' unit rows."""
    per_class = [prompts(c, templates) for c in classes]
    rows = text_rows(model, [p for part in per_class for p in part])
    starts = np.cumsum([0, *(len(p) for p in per_class)])
    means = np.stack([rows[a:b].mean(axis=0) for a, b in pairwise(starts.tolist())])
    return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12), np.float32)


def finding_names(finding: str) -> tuple[str, ...]:
    """A finding in British and American spelling."""
    return spellings(finding)
