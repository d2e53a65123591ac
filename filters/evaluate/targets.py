"""What a classification task is over: the classes of a set, or the values of one of its facts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from filters.evaluate.prompts import GENERIC, TEMPLATES, VALUES, names
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.sets import FACTS, EvalSet

_NEVER = ("age_band", "source")  # told to subgroups, but not by looking
_COVERED = 0.5  # of the records a column that nobody named needs a frequent value for: titles and ids have none


@dataclass(frozen=True, eq=False)
class Target:
    """``labels`` int64[n] of ``classes``, -1 where a record is of none; each class is said in its ``names``."""

    name: str
    classes: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    templates: tuple[str, ...]
    labels: NDArray[np.int64]


def targets(found: EvalSet, rules: EvaluateRules) -> list[Target]:
    """The set's classes, then each fact with 2 to ``max_values`` values that at least ``min_records`` records have."""
    out = []
    if found.labels is not None and len(found.classes) > 1:
        said = tuple((c,) for c in found.classes)
        labels = np.asarray(found.labels, np.int64)
        out.append(Target("classes", found.classes, said, found.templates or GENERIC, labels))
    wanted = rules.facts if rules.facts is not None else [n for n in found.facts if _is_told(n, found.facts[n], rules)]
    for name in wanted:
        target = _fact(name, found.facts.get(name, []), rules)
        if target is not None:
            out.append(target)
    return out


def _is_told(name: str, values: list[str | None], rules: EvaluateRules) -> bool:
    """Whether a fact nobody asked for is a classification: a usual one, or a column of a few words for most records."""
    if name in FACTS:
        return name not in _NEVER
    count = Counter(v for v in values if v is not None)
    covered = sum(n for n in count.values() if n >= rules.min_records)
    return name not in _NEVER and covered >= _COVERED * len(values) and not all(map(_is_number, count))


def _is_number(value: str) -> bool:
    return value.replace(".", "", 1).isdecimal()


def _fact(name: str, values: list[str | None], rules: EvaluateRules) -> Target | None:
    said = _said(name, values)
    count = Counter(v for v in said if v is not None)
    classes = tuple(sorted(v for v, n in count.items() if n >= rules.min_records))
    if not 2 <= len(classes) <= rules.max_values:
        return None
    told = tuple(names(name, c) for c in classes)
    return Target(name, classes, told, TEMPLATES.get(name, GENERIC), _places(said, classes))


def labels_of(target: Target, found: EvalSet) -> NDArray[np.int64]:
    """int64[n]: the classes of ``target`` in another set, -1 where a record of it is of none."""
    if target.name != "classes":
        return _places(_said(target.name, found.facts.get(target.name, [None] * len(found))), target.classes)
    if found.labels is None:
        return np.full(len(found), -1, np.int64)
    own = [found.classes[i] if i >= 0 else None for i in found.labels]
    return _places(own, target.classes)


def _said(name: str, values: list[str | None]) -> list[str | None]:
    """Values as they are called here."""
    known = VALUES.get(name, {})
    return [None if v is None else known.get(v.upper(), v.lower().replace("_", " ")) for v in values]


def _places(said: list[str | None], classes: tuple[str, ...]) -> NDArray[np.int64]:
    place = {v: i for i, v in enumerate(classes)}
    return np.array([-1 if v is None else place.get(v, -1) for v in said], np.int64)
