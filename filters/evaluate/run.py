"""All of it: a model, a set, and numbers with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.evaluate.encode import Encoded, encode
from filters.evaluate.estimate import Metric, estimates
from filters.evaluate.language import language
from filters.evaluate.leakage import leakage
from filters.evaluate.probes import Split, few_shot, finding_probe, linear_probe, split_of
from filters.evaluate.retrieval import retrieval
from filters.evaluate.rules import EvaluateRules, check_evaluate_rules
from filters.evaluate.sets import EvalSet
from filters.evaluate.subgroups import subgroups
from filters.evaluate.targets import Target, labels_of, targets
from filters.evaluate.zero_shot import finding_truth, findings, truth_of, zero_shot
from filters.method import Progress
from filters.towers.encoder import Filter
from filters.training.determinism import determinism

FORMAT = 1
_ON_FINDINGS = {"findings", "linear_probe"}
Tasks = dict[str, dict[str, Metric]]


def evaluate(
    model: Filter,
    data: EvalSet,
    rules: EvaluateRules = EvaluateRules(),  # noqa: B008  frozen
    train: Path | None = None,
    probe: EvalSet | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """What ``model`` is worth on ``data``, as plain JSON: {"tasks": {task: {metric: {value, low, high, n}}}, ...}.

    ``train``: the shards the model was trained on; with them "leakage" counts what it has seen, and "without_leaked"
    repeats the tasks without it. ``probe``: a set to train probes on; without it whole patients of ``data`` are.
    "subgroups" repeats chosen metrics by the facts of the records. Intervals are percentiles (95 %) of
    ``rules.draws`` bootstrap samples of whole patients. Equal arguments give equal numbers, whatever the order of the
    records. RecipeError where no image decodes.
    """
    check_evaluate_rules(rules)
    told = progress or (lambda *_: None)
    with determinism(rules.seed, rules.threads):
        found = encode(model, data.sorted(), rules.batch, signed=train is not None)
        told(1, 4, {})
        trained = None if probe is None else encode(model, _drawn(probe, rules.max_probe, rules.seed), rules.batch)
        tasks = measure(model, found, rules, trained)
        told(2, 4, {})
        leaks = None if train is None else leakage(found, train)
        told(3, 4, {})
    said = _estimated(tasks, found, rules)
    clean = leaks is not None and leaks.leaked.any() and not leaks.leaked.all()
    out = {
        "format": FORMAT,
        "model": {"arch": model.card.get("arch"), "preprocessing": model.preprocessing},
        "data": _described(found, len(data)),
        "rules": {k: v for k, v in asdict(rules).items() if k not in ("threads", "device", "batch")},
        "tasks": said,
        "subgroups": subgroups(tasks, found.data, rules),
        "leakage": None if leaks is None else leaks.counts(),
        "without_leaked": _estimated(tasks, found, rules, ~leaks.leaked) if clean and leaks is not None else None,
    }
    told(4, 4, {})
    return out


def measure(model: Filter, found: Encoded, rules: EvaluateRules, trained: Encoded | None = None) -> Tasks:
    """Every task that the rules ask for and the set has something for."""
    tasks: Tasks = {}
    wanted = [] if not {"zero_shot", "linear_probe", "few_shot"} & {*rules.tasks} else targets(found.data, rules)
    if "zero_shot" in rules.tasks:
        tasks |= {f"zero_shot/{t.name}": zero_shot(model, found.images, t) for t in wanted}
    truths = finding_truth(first_texts(found.data), rules.min_records) if _ON_FINDINGS & {*rules.tasks} else {}
    if "findings" in rules.tasks:
        tasks |= findings(model, found, truths, rules.seed)
    if "retrieval" in rules.tasks:
        tasks |= retrieval(model, found)
    if {"linear_probe", "few_shot"} & {*rules.tasks} and len(set(found.data.groups)) > 1:
        tasks |= _probes(found, wanted, truths, rules, trained)
    if "language" in rules.tasks:
        tasks |= language(model, found, rules.seed)
    return {name: metrics for name, metrics in tasks.items() if metrics}


def _probes(
    found: Encoded,
    wanted: list[Target],
    truths: dict[str, NDArray[np.float64]],
    rules: EvaluateRules,
    trained: Encoded | None,
) -> Tasks:
    if trained is None:
        split = split_of(found.images, found.data.groups, rules)
        source, taught = found.data.take(split.own), {name: y[split.own] for name, y in truths.items()}
    else:
        split = Split(trained.images, trained.data.groups, np.ones(len(found.data), bool), np.arange(0))
        source, taught = trained.data, truth_of(first_texts(trained.data), truths)
    tasks: Tasks = {}
    if "linear_probe" in rules.tasks and truths:
        tasks["linear_probe/findings"] = finding_probe(found.images, truths, split, taught, rules.seed)
    for target in wanted:
        labels = labels_of(target, source)
        if "linear_probe" in rules.tasks:
            tasks[f"linear_probe/{target.name}"] = linear_probe(found.images, target, split, labels, rules.seed)
        if "few_shot" in rules.tasks:
            tasks[f"few_shot/{target.name}"] = few_shot(found.images, target, split, labels, rules)
    return tasks


def first_texts(found: EvalSet) -> list[str]:
    """The first text of each record, "" where there is none."""
    return [texts[0] if texts else "" for texts in found.texts]


def _drawn(found: EvalSet, most: int, seed: int) -> EvalSet:
    """At most ``most`` records, in the order of their keys."""
    order = np.random.default_rng(seed).permutation(len(found))[:most]
    return found.sorted().take(np.sort(order))


def _estimated(
    tasks: Mapping[str, Mapping[str, Metric]],
    found: Encoded,
    rules: EvaluateRules,
    mask: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    flat = {(task, name): m for task, metrics in tasks.items() for name, m in metrics.items()}
    told = estimates({f"{t}\0{n}": m for (t, n), m in flat.items()}, found.data.groups, rules.draws, rules.seed, mask)
    return {t: {n: told[f"{t}\0{n}"] for n in tasks[t]} for t in tasks}


def _described(found: Encoded, given: int) -> dict[str, Any]:
    data = found.data
    return {
        "name": data.name,
        "records": len(data),
        "read": given,
        "patients": len(set(data.groups)) if data.known_patients else None,
        "texts": sum(bool(t) for t in data.texts),
        "classes": list(data.classes),
        "skipped": dict(sorted(data.skipped.items())),
    }
