"""Results of an evaluation as one HTML file without network access or scripts, in the run report's style."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.report.render import render as render_page
from curate.report.words import LEAKS, MEASURES, TASKS


def render(results: Mapping[str, Any]) -> str:
    """The page of the results of `filters.evaluate.run.evaluate`."""
    tasks: Mapping[str, Any] = results["tasks"]
    parts = {key: {t: m for t, m in tasks.items() if t.split("/")[0] == key} for key in TASKS}
    return render_page(
        "filters.evaluate/page.html.j2",
        results=results,
        sections={key: (*TASKS[key], found) for key, found in parts.items() if found},
        curves={t: found for t, m in parts["few_shot"].items() if len(found := _shots(m)) > 1},
        metric=_metric,
        leaks=LEAKS,
    )


def _metric(name: str) -> str:
    plain, at, k = name.partition("@")
    return f"{MEASURES.get(plain, plain)}{', ' + k + ' a class' if at else ''}"


def _shots(metrics: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(shots a class, balanced accuracy), rising."""
    named = {n.partition("@")[2]: m["value"] for n, m in metrics.items() if n.startswith("balanced_accuracy@")}
    return sorted((float(k), float(v)) for k, v in named.items() if v is not None)
