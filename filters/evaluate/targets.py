"""Targets of classification tasks (the classes of a set, or the values of one of its facts), and the prompts of a
class: several templates (phrases of reports and captions), whose embeddings are averaged (CLIP, 2103.00020, 3.1.4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from filters.evaluate.encode import Rows, text_rows
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.sets import FACTS, EvalSet
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
_NOT_CLASSIFIED = ("age_band", "source")  # used for subgroups, but not visible in a picture
_COVERED = 0.5  # share of records with a frequent value that an unrequested column needs: titles and ids have none


@dataclass(frozen=True, eq=False)
class Target:
    """``labels`` int64[n]: indices into ``classes``, -1 for none; ``names``: the names of each class in prompts."""

    name: str
    classes: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    templates: tuple[str, ...]
    labels: NDArray[np.int64]


def targets(data: EvalSet, rules: EvaluateRules) -> list[Target]:
    """The set's classes, then each fact with 2 to ``max_values`` values that at least ``min_records`` records have."""
    out = []
    if data.labels is not None and len(data.classes) > 1:
        class_names = tuple((c,) for c in data.classes)
        labels = np.asarray(data.labels, np.int64)
        out.append(Target("classes", data.classes, class_names, data.templates or GENERIC, labels))
    wanted = (
        rules.facts
        if rules.facts is not None
        else [n for n in data.facts if _is_classification(n, data.facts[n], rules)]
    )
    for name in wanted:
        target = _fact(name, data.facts.get(name, []), rules)
        if target is not None:
            out.append(target)
    return out


def _is_classification(name: str, values: list[str | None], rules: EvaluateRules) -> bool:
    """Is an unrequested fact a classification? A standard one, or a column with a few values for most records."""
    if name in FACTS:
        return name not in _NOT_CLASSIFIED
    count = Counter(v for v in values if v is not None)
    covered = sum(n for n in count.values() if n >= rules.min_records)
    return name not in _NOT_CLASSIFIED and covered >= _COVERED * len(values) and not all(map(_is_number, count))


def _is_number(value: str) -> bool:
    return value.replace(".", "", 1).isdecimal()


def _fact(name: str, values: list[str | None], rules: EvaluateRules) -> Target | None:
    canonical = _canonical_values(name, values)
    count = Counter(v for v in canonical if v is not None)
    classes = tuple(sorted(v for v, n in count.items() if n >= rules.min_records))
    if not 2 <= len(classes) <= rules.max_values:
        return None
    class_names = tuple(names(name, c) for c in classes)
    return Target(name, classes, class_names, TEMPLATES.get(name, GENERIC), _class_indices(canonical, classes))


def labels_of(target: Target, data: EvalSet) -> NDArray[np.int64]:
    """int64[n]: the labels of ``target`` in another set, -1 for none."""
    if target.name != "classes":
        return _class_indices(
            _canonical_values(target.name, data.facts.get(target.name, [None] * len(data))), target.classes
        )
    if data.labels is None:
        return np.full(len(data), -1, np.int64)
    own = [data.classes[i] if i >= 0 else None for i in data.labels]
    return _class_indices(own, target.classes)


def _canonical_values(name: str, values: list[str | None]) -> list[str | None]:
    """Values under their canonical names."""
    known = VALUES.get(name, {})
    return [None if v is None else known.get(v.upper(), v.lower().replace("_", " ")) for v in values]


def _class_indices(values: list[str | None], classes: tuple[str, ...]) -> NDArray[np.int64]:
    index = {v: i for i, v in enumerate(classes)}
    return np.array([-1 if v is None else index.get(v, -1) for v in values], np.int64)


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
