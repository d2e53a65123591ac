"""A comparison's answer: as data, and as one HTML page that needs no network and runs no script."""

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
from filters.compare.outcome import ALL, Estimate, Row, compare, efficiency, estimate, measures, value

_GUESS = (10.0, 100.0)  # times the largest training, at which the law is asked
_PLOTTED = ("r10", "auroc", "preferred")


def report(
    results: Sequence[Mapping[str, Any]],
    evaluations: Sequence[str],
    headline: tuple[str, str],
    filter_seconds: float,
    title: str,
    chosen: str = "recipe",
) -> dict[str, Any]:
    """Plain JSON of every run: tables by measure, what was enough, costs, the law where there are sizes for one.

    ``headline`` (task, metric) of the first evaluation is what efficiency and scaling are told by; RecipeError where
    there is none of that name. ``filter_seconds``: what training and scoring the filters cost, wall time.
    """
    names = measures(results)
    if not names:
        raise RunError("no cell has a number: the held-out records have no texts, facts or findings to ask for")
    head = (evaluations[0], *headline)
    if head not in names:
        there = ", ".join(f"[{t}, {m}]" for e, t, m in names if e == evaluations[0])
        raise RecipeError(
            "compare.headline", f"{evaluations[0]} has no {headline[0]}, {headline[1]}", f"one of {there}"
        )
    tables = [
        {"exam": e, "task": t, "metric": m, "rows": [_row(r) for r in compare(results, (e, t, m))]} for e, t, m in names
    ]
    families = [f for f in dict.fromkeys(r["family"] for r in results) if f == chosen]
    return {
        "format": 1,
        "title": title,
        "headline": list(head),
        "chosen": chosen,
        "seeds": len({r["seed"] for r in results}),
        "tables": tables,
        "selections": _selections(results),
        "efficiency": {f: [asdict(e) for e in efficiency(results, head, f)] for f in families},
        "filter_seconds": round(filter_seconds, 1),
        "scaling": {f: law for f in (ALL, chosen) if (law := _law(results, head, f)) is not None},
        "cells": [dict(r) for r in results],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "selection": row.selection,
        **_numbers(row.estimate),
        "gain": None if row.gain is None else _numbers(row.gain),
    }


def _numbers(found: Estimate) -> dict[str, Any]:
    values = {"value": found.value, "low": found.low, "high": found.high, "n": found.n, "certain": found.certain}
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def _selections(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What each selection is: its size, how right it is, what its trainings cost."""
    found = []
    for name, budget in dict.fromkeys((r["selection"], r["budget"]) for r in results):
        mine = [r for r in results if (r["selection"], r["budget"]) == (name, budget)]
        known = [r["right"] for r in mine if r["right"] is not None]
        found.append(
            {
                "selection": name,
                "budget": budget,
                "fraction": mine[0]["fraction"],
                "pairs": round(estimate([r["pairs"] for r in mine]).value),
                "samples": mine[0]["samples"],
                "right": estimate(known).value if known else None,
                "cpu_seconds": round(estimate([r["cpu_seconds"] for r in mine]).value, 1),
            }
        )
    return found


def _law(results: Sequence[Mapping[str, Any]], name: tuple[str, str, str], selection: str) -> dict[str, Any] | None:
    """Error (1 - metric) against pairs seen of one selection; None with too few sizes, or of a metric without a top."""
    if name[2] == "median_rank":
        return None
    mine = [r for r in results if r["selection"] == selection]
    points = [(float(r["samples"]), 1 - v) for r in mine if math.isfinite(v := value(r, name))]
    try:
        law = scaling.fit([c for c, _ in points], [e for _, e in points])
    except RunError:
        return None
    guesses = [(times, law.reach[1] * times, *law.at(law.reach[1] * times)) for times in _GUESS]
    return {
        "a": law.a, "b": law.b, "b_low": law.b_low, "b_high": law.b_high, "points": points,
        "guesses": [{"times": t, "samples": c, "error": e, "low": lo, "high": hi} for t, c, e, lo, hi in guesses],
        "line": [(float(c), law.at(c)[0]) for c in np.geomspace(law.reach[0], law.reach[1] * _GUESS[0], 40)],
    }  # fmt: skip


def render(found: Mapping[str, Any]) -> str:
    """The page of a `report`."""
    plotted = [t for t in found["tables"] if t["metric"] in _PLOTTED]
    head = next(t for t in found["tables"] if [t["exam"], t["task"], t["metric"]] == found["headline"])
    rest = [t for t in plotted if t is not head]
    return render_page("filters.compare/page.html.j2", found=found, head=head, rest=rest, names=MEASURES)
