"""Run an evaluation: a model and a set in, metrics with intervals out, by subgroup too (sex, age band, source): a
mean hides the groups on which a model fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.evaluate.encode import Encoded, encode
from filters.evaluate.estimate import Metric, estimates
from filters.evaluate.leakage import leakage
from filters.evaluate.probes import Split, few_shot, finding_probe, linear_probe, split_of
from filters.evaluate.retrieval import language, retrieval
from filters.evaluate.rules import EvaluateRules, check_evaluate_rules
from filters.evaluate.sets import EvalSet
from filters.evaluate.targets import Target, labels_of, targets
from filters.evaluate.zero_shot import finding_truth, findings, truth_of, zero_shot
from filters.method import Progress
from filters.towers.encoder import Filter
from filters.training.distributed import determinism

FORMAT = 1
CHOSEN = {"findings": "auroc", "retrieval": "r5", "language": "preferred", "zero_shot": "accuracy"}
_MAX_VALUES = 12  # at most so many values of a fact are reported, the largest
_FINDINGS_TASKS = {"findings", "linear_probe"}
Tasks = dict[str, dict[str, Metric]]


def evaluate(
    model: Filter,
    data: EvalSet,
    rules: EvaluateRules = EvaluateRules(),  # noqa: B008  frozen
    train: Path | None = None,
    probe: EvalSet | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Metrics of ``model`` on ``data``, as plain JSON: {"tasks": {task: {metric: {value, low, high, n}}}, ...}.

    ``train``: the shards that the model was trained on; with them "leakage" counts records in both, and
    "without_leaked" repeats the tasks without these. ``probe``: a set to train probes on; without it whole patients of
    ``data`` are. "subgroups" repeats chosen metrics by the facts of the records. Intervals are percentiles (95 %) of
    ``rules.draws`` bootstrap samples of whole patients. Results do not depend on the order of the records. RecipeError
    if no image decodes.
    """
    check_evaluate_rules(rules)
    report = progress or (lambda *_: None)
    with determinism(rules.seed, rules.threads):
        encoded = encode(model, data.sorted(), rules.batch, signed=train is not None)
        report(1, 4, {})
        trained = None if probe is None else encode(model, _sample(probe, rules.max_probe, rules.seed), rules.batch)
        tasks = measure(model, encoded, rules, trained)
        report(2, 4, {})
        leak = None if train is None else leakage(encoded, train)
        report(3, 4, {})
    results = _estimate(tasks, encoded, rules)
    clean = leak is not None and leak.leaked.any() and not leak.leaked.all()
    out = {
        "format": FORMAT,
        "model": {"arch": model.card.get("arch"), "preprocessing": model.preprocessing},
        "data": _describe(encoded, len(data)),
        "rules": {k: v for k, v in asdict(rules).items() if k not in ("threads", "device", "batch")},
        "tasks": results,
        "subgroups": subgroups(tasks, encoded.data, rules),
        "leakage": None if leak is None else leak.counts(),
        "without_leaked": _estimate(tasks, encoded, rules, ~leak.leaked) if clean and leak is not None else None,
    }
    report(4, 4, {})
    return out


def measure(model: Filter, encoded: Encoded, rules: EvaluateRules, trained: Encoded | None = None) -> Tasks:
    """Every task of the rules that applies to the set."""
    tasks: Tasks = {}
    classifications = (
        [] if not {"zero_shot", "linear_probe", "few_shot"} & {*rules.tasks} else targets(encoded.data, rules)
    )
    if "zero_shot" in rules.tasks:
        tasks |= {f"zero_shot/{t.name}": zero_shot(model, encoded.images, t) for t in classifications}
    truths = finding_truth(first_texts(encoded.data), rules.min_records) if _FINDINGS_TASKS & {*rules.tasks} else {}
    if "findings" in rules.tasks:
        tasks |= findings(model, encoded, truths, rules.seed)
    if "retrieval" in rules.tasks:
        tasks |= retrieval(model, encoded)
    if {"linear_probe", "few_shot"} & {*rules.tasks} and len(set(encoded.data.groups)) > 1:
        tasks |= _probes(encoded, classifications, truths, rules, trained)
    if "language" in rules.tasks:
        tasks |= language(model, encoded, rules.seed)
    return {name: metrics for name, metrics in tasks.items() if metrics}


def _probes(
    encoded: Encoded,
    classifications: list[Target],
    truths: dict[str, NDArray[np.float64]],
    rules: EvaluateRules,
    trained: Encoded | None,
) -> Tasks:
    if trained is None:
        split = split_of(encoded.images, encoded.data.groups, rules)
        source, training_truth = encoded.data.take(split.own), {name: y[split.own] for name, y in truths.items()}
    else:
        split = Split(trained.images, trained.data.groups, np.ones(len(encoded.data), bool), np.arange(0))
        source, training_truth = trained.data, truth_of(first_texts(trained.data), truths)
    tasks: Tasks = {}
    if "linear_probe" in rules.tasks and truths:
        tasks["linear_probe/findings"] = finding_probe(encoded.images, truths, split, training_truth, rules.seed)
    for target in classifications:
        labels = labels_of(target, source)
        if "linear_probe" in rules.tasks:
            tasks[f"linear_probe/{target.name}"] = linear_probe(encoded.images, target, split, labels, rules.seed)
        if "few_shot" in rules.tasks:
            tasks[f"few_shot/{target.name}"] = few_shot(encoded.images, target, split, labels, rules)
    return tasks


def first_texts(data: EvalSet) -> list[str]:
    """The first text of each record, "" if it has none."""
    return [texts[0] if texts else "" for texts in data.texts]


def _sample(data: EvalSet, limit: int, seed: int) -> EvalSet:
    """A random sample of at most ``limit`` records, sorted by key."""
    order = np.random.default_rng(seed).permutation(len(data))[:limit]
    return data.sorted().take(np.sort(order))


def _estimate(
    tasks: Mapping[str, Mapping[str, Metric]],
    encoded: Encoded,
    rules: EvaluateRules,
    mask: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    groups = encoded.data.groups
    return {task: estimates(metrics, groups, rules.draws, rules.seed, mask) for task, metrics in tasks.items()}


def _describe(encoded: Encoded, n_read: int) -> dict[str, Any]:
    data = encoded.data
    return {
        "name": data.name,
        "records": len(data),
        "read": n_read,
        "patients": len(set(data.groups)) if data.known_patients else None,
        "texts": sum(bool(t) for t in data.texts),
        "classes": list(data.classes),
        "skipped": dict(sorted(data.skipped.items())),
    }


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
