"""Metrics by subgroup (sex, age band, source, ...): a mean hides the groups on which a model fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from filters.evaluate.estimate import Metric, estimates
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.sets import EvalSet

CHOSEN = {"findings": "auroc", "retrieval": "r5", "language": "preferred", "zero_shot": "accuracy"}
_MAX_VALUES = 12  # at most so many values of a fact are reported, the largest


def subgroups(
    tasks: Mapping[str, Mapping[str, Metric]], data: EvalSet, rules: EvaluateRules
) -> dict[str, dict[str, dict[str, Any]]]:
    """fact -> value -> "task: metric" -> value with interval and n, for values of at least ``min_subgroup`` records.

    Candidates of retrieval and prompts are those of the whole set: a subgroup selects queries only.
    """
    out: dict[str, dict[str, dict[str, Any]]] = {}
    for fact in rules.subgroups:
        values = data.facts.get(fact, [])
        frequent = [v for v, n in Counter(values).items() if v is not None and n >= rules.min_subgroup]
        frequent.sort(key=lambda v: (-values.count(v), v))
        if len(frequent) < 2:
            continue
        chosen = _chosen(tasks, fact)
        masks = {v: np.array([x == v for x in values]) for v in frequent[:_MAX_VALUES]}
        out[fact] = {v: estimates(chosen, data.groups, rules.draws, rules.seed, mask) for v, mask in masks.items()}
    return out


def _chosen(tasks: Mapping[str, Mapping[str, Metric]], fact: str) -> dict[str, Metric]:
    out = {}
    for task, metrics in tasks.items():
        name = CHOSEN.get(task.split("/")[0], "")
        if name in metrics and not task.startswith("findings/") and task != f"zero_shot/{fact}":
            out[f"{task}: {name}"] = metrics[name]
    return out
