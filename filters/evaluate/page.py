"""Results of an evaluation as one HTML file that needs no network and runs no script, in the report's own style."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.report.render import render as render_page

NAMES = {
    "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "auroc": "AUROC", "auprc": "AUPRC", "f1": "F1",
    "r1": "R@1", "r5": "R@5", "r10": "R@10", "median_rank": "median rank", "preferred": "own text preferred",
}  # fmt: skip
SECTIONS = {
    "zero_shot": ("Zero-shot classification", "Prompt ensembles; means over classes, each class against the rest."),
    "findings": (
        "Findings",
        "There is against there is no. The truth is read from the reports; F1 at a threshold chosen on other patients.",
    ),
    "retrieval": ("Retrieval", "Every copy of the right text is right; a tie counts against the model."),
    "linear_probe": ("Linear probe", "Logistic regression on frozen image rows, of patients it was not fitted to."),
    "few_shot": ("Few-shot probe", "The same on a few records a class, the mean of several draws."),
    "language": ("Reading", "How often an image is nearer to its own text than to the text edited; 0.5 is guessing."),
}
_LEAKS = {
    "key": "key", "pixels": "equal pixels", "near_duplicate": "near-duplicate picture", "patient": "patient",
    "text": "equal text",
}  # fmt: skip


def render(results: Mapping[str, Any]) -> str:
    """The page of what `filters.evaluate.run.evaluate` returned."""
    tasks: Mapping[str, Any] = results["tasks"]
    parts = {key: {t: m for t, m in tasks.items() if t.split("/")[0] == key} for key in SECTIONS}
    return render_page(
        "filters.evaluate/page.html.j2",
        results=results,
        sections={key: (*SECTIONS[key], found) for key, found in parts.items() if found},
        curves={t: found for t, m in parts["few_shot"].items() if len(found := _shots(m)) > 1},
        metric=_metric,
        leaks=_LEAKS,
    )


def _metric(name: str) -> str:
    plain, at, k = name.partition("@")
    return f"{NAMES.get(plain, plain)}{', ' + k + ' a class' if at else ''}"


def _shots(metrics: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(shots a class, balanced accuracy), rising."""
    named = {n.partition("@")[2]: m["value"] for n, m in metrics.items() if n.startswith("balanced_accuracy@")}
    return sorted((float(k), float(v)) for k, v in named.items() if v is not None)
