"""The same metrics for men and women, young and old, one site and another: a mean hides whom a model fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from filters.evaluate.estimate import Metric, estimates
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.sets import EvalSet

CHOSEN = {"findings": "auroc", "retrieval": "r5", "language": "preferred", "zero_shot": "accuracy"}
_MOST = 12  # values of one fact that are told, the largest


def subgroups(
    tasks: Mapping[str, Mapping[str, Metric]], found: EvalSet, rules: EvaluateRules
) -> dict[str, dict[str, dict[str, Any]]]:
    """fact -> value -> "task: metric" -> value with interval and n, for values of at least ``min_subgroup`` records.

    The candidates of retrieval and the prompts are those of the whole set: a subgroup is a choice of queries.
    """
    out: dict[str, dict[str, dict[str, Any]]] = {}
    for fact in rules.subgroups:
        values = found.facts.get(fact, [])
        frequent = [v for v, n in Counter(values).items() if v is not None and n >= rules.min_subgroup]
        frequent.sort(key=lambda v: (-values.count(v), v))
        if len(frequent) < 2:
            continue
        chosen = _chosen(tasks, fact)
        told = {v: np.array([x == v for x in values]) for v in frequent[:_MOST]}
        out[fact] = {v: estimates(chosen, found.groups, rules.draws, rules.seed, mask) for v, mask in told.items()}
    return out


def _chosen(tasks: Mapping[str, Mapping[str, Metric]], fact: str) -> dict[str, Metric]:
    out = {}
    for task, metrics in tasks.items():
        name = CHOSEN.get(task.split("/")[0], "")
        if name in metrics and not task.startswith("findings/") and task != f"zero_shot/{fact}":
            out[f"{task}: {name}"] = metrics[name]
    return out
