"""A finished model's card: README.md as model hubs read it, and the same facts in card.json.

It contains how the model was trained, hashes of data and filters, metrics with intervals, intended use and limits. No
path, no time, nothing about a person.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, Template

from curate.errors import RecipeError
from curate.storage import commit_bytes
from filters.method import add_to_card, read_card

_TAGS = ["clip", "medical", "radiology", "image-text-retrieval", "radsift"]
_HUB_NAMES = {"auroc": "roc_auc", "auprc": "average_precision", "f1": "f1", "accuracy": "accuracy"}  # of metrics
_TASK = "zero-shot-image-classification"
_LAYOUT: Any = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True, "undefined": StrictUndefined}


@dataclass(frozen=True)
class CardFacts:
    """Facts for the card that the training itself does not know.

    ``licence`` is a hub's identifier ("other" until someone decides), ``notes`` remarks on the licences of data,
    checkpoints and towers. ``data``: the export step's hash and counts, plain values by name. ``filters``: name to hash
    (`filters.method.filter_hash`). ``evaluation``: name of a set to the results of `filters.evaluate` on it.
    """

    title: str = "An image-text model of radiology"
    curated: bool = False  # the shards are those of a run of this product
    licence: str = "other"
    notes: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    filters: Mapping[str, str] = field(default_factory=dict)
    evaluation: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def write_card(folder: Path, facts: CardFacts) -> None:
    """Write README.md into a finished model's ``folder`` and add ``facts`` to its card.json; deterministic.

    RecipeError if ``folder`` has no card.json, or a fact is a path.
    """
    evaluation = {name: _numbers(results) for name, results in sorted(facts.evaluation.items())}
    card = {
        "title": facts.title,
        "curated": facts.curated,
        "licence": {"id": facts.licence, "notes": list(facts.notes)},
        "export": dict(facts.data),
        "filters": dict(facts.filters),
        "evaluation": evaluation,
    }
    _check(card)
    weights = folder / "model.safetensors"
    if weights.is_file():
        with weights.open("rb") as file:
            card["weights"] = hashlib.file_digest(file, "sha256").hexdigest()
    add_to_card(folder, **card)
    whole = read_card(folder)
    provenance = [*_flat(whole["export"]), *_flat(whole["filters"], "filter ")]
    template = Template(files("filters.training.export").joinpath("card.md.j2").read_text("utf-8"), **_LAYOUT)
    body = template.render(
        title=facts.title, card=whole, training=_training(whole), provenance=provenance, measured=_measured
    )
    text = _front(facts, evaluation) + body
    commit_bytes(folder / "README.md", text.encode())


def _numbers(results: Mapping[str, Any]) -> dict[str, Any]:
    """The tasks' values and intervals and the leakage counts; subgroups are on the evaluation's page only."""
    tasks = {
        task: {name: {k: _finite(v) for k, v in sorted(metric.items())} for name, metric in metrics.items()}
        for task, metrics in results.get("tasks", results).items()
    }
    leakage = results.get("leakage")
    return {"tasks": tasks} | ({"leakage": dict(leakage)} if leakage else {})


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check(card: Any) -> None:
    """RecipeError if the card contains a path: it may name a place or a person."""
    for value in _strings(card):
        if Path(value).is_absolute() or value.startswith("~") or ":\\" in value:
            raise RecipeError("card", "a path does not belong on a model's card", "a name or a hash")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, str):
        yield value


def _front(facts: CardFacts, evaluation: Mapping[str, Any]) -> str:
    """The hub's front matter."""
    rows = [(data, *row) for data, results_of_set in evaluation.items() for row in _rows(results_of_set)]
    front: dict[str, Any] = {
        "library_name": "open_clip",
        "pipeline_tag": _TASK,
        "license": facts.licence,
        "tags": _TAGS,
    }
    if rows:
        front["metrics"] = sorted({_hub(name) for _, _, name, _ in rows})
        results = [
            {
                "task": {"type": _TASK, "name": task},
                "dataset": {"type": data, "name": data},
                "metrics": [{"type": _hub(name), "name": name, "value": metric["value"]}],
            }
            for data, task, name, metric in rows
            if metric.get("value") is not None
        ]
        front["model-index"] = [{"name": facts.title, "results": results}]
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n"


def _hub(name: str) -> str:
    return _HUB_NAMES.get(name.lower(), name)


def _rows(results: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for task, metrics in results["tasks"].items():
        for name, metric in metrics.items():
            yield task, name, metric


def _training(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Facts about the training from card.json, with the rules that were used."""
    data, rules, pixels = card.get("data", {}), card.get("rules", {}), card.get("preprocessing", {})
    facts = {
        "architecture": card.get("arch"),
        "objective": card.get("objective"),
        "tokenizer": card.get("tokenizer"),
        "image side": pixels.get("side"),
        "training data": data.get("sha256"),
        "records": data.get("records"),
        "samples seen": data.get("pairs seen"),
        "weights": card.get("weights"),
    }
    reported_rules = ("batch", "lr", "optimizer", "weight_decay", "layer_decay", "patch_dropout", "ema", "seed")
    facts |= {name.replace("_", " "): rules.get(name) for name in reported_rules}
    facts |= {f"last {k}": v for k, v in card.get("metrics", {}).items() if k in ("loss", "contrast", "caption")}
    return [(name, _cell(value)) for name, value in facts.items() if value is not None]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", _cell(value)


def _measured(results: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(task, metric, _interval(value), _cell(value.get("n"))) for task, metric, value in _rows(results)]


def _interval(metric: Mapping[str, Any]) -> str:
    value, low, high = (metric.get(k) for k in ("value", "low", "high"))
    return _cell(value) if low is None or high is None else f"{_cell(value)} ({_cell(low)} to {_cell(high)})"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
