"""Cells to answers: means over seeds with intervals, differences seed by seed, how much of the pool was needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

ALL = "all"  # the unfiltered pool, against which everything is compared
_MEASURES = ("auroc", "accuracy", "balanced_accuracy", "r1", "r5", "r10", "median_rank", "preferred")

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Estimate:
    """The mean of n seeds and the 95 % interval of Student's t; no interval for one seed."""

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def certain(self) -> bool:
        """Of a difference: the interval leaves out zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def estimate(values: Sequence[float]) -> Estimate:
    """Of one number a seed; NaN where there are none."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    n = len(known)
    if n < 2:
        return Estimate(known[0] if known else math.nan, None, None, n)
    mean, half = float(np.mean(known)), t95(n - 1) * float(np.std(known, ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


def within(found: Estimate) -> Estimate:
    """The interval of a share ends where shares do."""
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def t95(freedom: int) -> float:
    """The two-sided 95 % point of Student's t."""
    from scipy.stats import t  # where runs are compared alone: a recipe is read without it

    return float(t.ppf(0.975, freedom))


@dataclass(frozen=True)
class Row:
    """A selection on one measure; ``gain`` is its difference to `ALL`, paired by seed."""

    selection: str
    estimate: Estimate
    gain: Estimate | None


def measures(results: Sequence[Result]) -> list[tuple[str, str, str]]:
    """(evaluation, task, metric) that every run has, in the order of tasks; means over findings, not each finding."""
    names: dict[tuple[str, str, str], int] = {}
    for result in results:
        for evaluation, tasks in result["tasks"].items():
            for task, metrics in tasks.items():
                for metric in metrics if not task.startswith("findings/") else ():
                    if metric in _MEASURES:
                        names[evaluation, task, metric] = names.get((evaluation, task, metric), 0) + 1
    return [name for name, n in names.items() if n == len(results)]


def compare(results: Sequence[Result], name: tuple[str, str, str]) -> list[Row]:
    """Every selection of whole budget on one measure, in the order in which they came."""
    whole = [r for r in results if r["budget"] == 1]
    base = {r["seed"]: value(r, name) for r in whole if r["selection"] == ALL}
    rows = []
    for selection in dict.fromkeys(r["selection"] for r in whole):
        mine = {r["seed"]: value(r, name) for r in whole if r["selection"] == selection}
        shared = sorted(set(mine) & set(base))
        gain = estimate([mine[s] - base[s] for s in shared]) if selection != ALL and shared else None
        found = estimate(list(mine.values()))
        rows.append(Row(selection, found if name[2] == "median_rank" else within(found), gain))
    return rows


def value(result: Result, name: tuple[str, str, str]) -> float:
    """One number of one run; NaN where it is missing."""
    evaluation, task, metric = name
    found = result["tasks"].get(evaluation, {}).get(task, {}).get(metric)
    return math.nan if found is None else float(found)


@dataclass(frozen=True)
class Efficiency:
    """The least that was enough to do as well as the unfiltered pool does with everything: ``share`` of the pool's
    records or of the samples seen; None where nothing tried was."""

    of: str
    share: float | None
    tried: tuple[float, ...]


def efficiency(results: Sequence[Result], name: tuple[str, str, str], family: str) -> list[Efficiency]:
    """Of the pool's records (runs of several fractions, whole budget) and of the samples (several budgets)."""
    whole = [r for r in results if r["budget"] == 1]
    by_size = _means([r for r in whole if r["family"] == family], "fraction", name)
    by_budget = _means([r for r in results if r["selection"] == family], "budget", name)
    wanted = estimate([value(r, name) for r in whole if r["selection"] == ALL]).value
    sign = -1 if name[2] == "median_rank" else 1
    found = []
    for of, means in (("the pool's records", by_size), ("the samples seen", by_budget)):
        enough = [share for share, mean in means.items() if sign * mean >= sign * wanted]
        found.append(Efficiency(of, min(enough) if enough else None, tuple(sorted(means))))
    return found


def _means(results: Sequence[Result], key: str, name: tuple[str, str, str]) -> dict[float, float]:
    shares = {float(r[key]) for r in results}
    return {s: estimate([value(r, name) for r in results if r[key] == s]).value for s in sorted(shares)}
