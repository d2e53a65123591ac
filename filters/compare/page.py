"""The report of a comparison: as JSON, and as one HTML page without scripts or network requests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from curate.errors import RecipeError, RunError
from curate.report.render import render as render_page
from curate.report.words import MEASURES
from filters.compare import scaling
from filters.compare.outcome import (
    ALL,
    VALIDATION,
    Estimate,
    Name,
    choose,
    compare_selections,
    efficiency,
    estimate,
    measures,
    value,
)

_EXTRAPOLATED = (10.0, 100.0)  # multiples of the largest training at which the law is evaluated
_PLOTTED = ("r10", "auroc", "preferred")


def report(
    results: Sequence[Mapping[str, Any]],
    evaluations: Sequence[str],
    headline: tuple[str, str],
    filter_seconds: float,
    title: str,
    chosen: str = "recipe",
    among: Sequence[str] = (),
) -> dict[str, Any]:
    """JSON of all runs: tables by measure, efficiency, costs, and the scaling law where there are enough sizes.

    ``headline`` is the (task, metric) of the first evaluation from which efficiency and scaling are computed;
    RecipeError where it does not exist. ``filter_seconds``: wall time of training and scoring the filters. One of the
    selections ``among`` is chosen by the models that were trained on it, by ``headline`` on the evaluation
    `VALIDATION`; none where it does not exist there.
    """
    names = measures(results)
    if not names:
        raise RunError("no cell has a number: the held-out records have no texts, facts or findings to ask for")
    headline_name = (evaluations[0], *headline)
    if headline_name not in names:
        available = ", ".join(f"[{t}, {m}]" for e, t, m in names if e == evaluations[0])
        raise RecipeError(
            "compare.headline", f"{evaluations[0]} has no {headline[0]}, {headline[1]}", f"one of {available}"
        )
    tables = [{"exam": name[0], "task": name[1], "metric": name[2], "rows": _rows(results, name)} for name in names]
    choice = choose(results, (VALIDATION, *headline), among)
    families = [f for f in dict.fromkeys(r["family"] for r in results) if f == chosen]
    return {
        "format": 1,
        "title": title,
        "headline": list(headline_name),
        "chosen": chosen,
        "choice": choice and {**asdict(choice), "lead": _numbers(choice.lead)},
        "seeds": len({r["seed"] for r in results}),
        "tables": tables,
        "selections": _selections(results),
        "efficiency": {f: [asdict(e) for e in efficiency(results, headline_name, f)] for f in families},
        "filter_seconds": round(filter_seconds, 1),
        "scaling": {f: law for f in (ALL, chosen) if (law := _law(results, headline_name, f)) is not None},
        "cells": [{k: v for k, v in r.items() if k != "draws"} for r in results],
    }


def _rows(results: Sequence[Mapping[str, Any]], name: Name) -> list[dict[str, Any]]:
    rows = compare_selections(results, name)
    return [{"selection": r.selection, **_numbers(r.estimate), "gain": r.gain and _numbers(r.gain)} for r in rows]


def _numbers(interval: Estimate) -> dict[str, Any]:
    numbers = asdict(interval) | {"certain": interval.certain}
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in numbers.items()}


def _selections(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Size, share of correct pairs and training cost of each selection."""
    described = []
    for name, budget in dict.fromkeys((r["selection"], r["budget"]) for r in results):
        runs = [r for r in results if (r["selection"], r["budget"]) == (name, budget)]
        correct_shares = [r["right"] for r in runs if r["right"] is not None]
        described.append(
            {
                "selection": name,
                "budget": budget,
                "fraction": runs[0]["fraction"],
                "pairs": round(estimate([r["pairs"] for r in runs]).value),
                "samples": runs[0]["samples"],
                "right": estimate(correct_shares).value if correct_shares else None,
                "cpu_seconds": round(estimate([r["cpu_seconds"] for r in runs]).value, 1),
            }
        )
    return described


def _law(results: Sequence[Mapping[str, Any]], name: Name, selection: str) -> dict[str, Any] | None:
    """The law of error (1 - metric) against pairs seen for one selection; None with too few sizes, or for a metric
    without an upper bound."""
    if name[2] == "median_rank":
        return None
    runs = [r for r in results if r["selection"] == selection]
    points = [(float(r["samples"]), 1 - v) for r in runs if math.isfinite(v := value(r, name))]
    try:
        law = scaling.fit([c for c, _ in points], [e for _, e in points])
    except RunError:
        return None
    extrapolated = [(times, law.reach[1] * times, *law.at(law.reach[1] * times)) for times in _EXTRAPOLATED]
    return {
        "a": law.a, "b": law.b, "b_low": law.b_low, "b_high": law.b_high, "points": points,
        "guesses": [{"times": t, "samples": c, "error": e, "low": lo, "high": hi} for t, c, e, lo, hi in extrapolated],
        "line": [(float(c), law.at(c)[0]) for c in np.geomspace(law.reach[0], law.reach[1] * _EXTRAPOLATED[0], 40)],
    }  # fmt: skip


def render(comparison: Mapping[str, Any]) -> str:
    """The HTML page of a `report`."""
    plotted = [t for t in comparison["tables"] if t["metric"] in _PLOTTED]
    headline_table = next(
        t for t in comparison["tables"] if [t["exam"], t["task"], t["metric"]] == comparison["headline"]
    )
    other_tables = [t for t in plotted if t is not headline_table]
    return render_page(
        "filters.compare/page.html.j2", found=comparison, head=headline_table, rest=other_tables, names=MEASURES
    )
