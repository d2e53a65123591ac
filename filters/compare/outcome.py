"""Summarise runs: means over seeds with confidence intervals, paired differences, the share of the pool needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

ALL = "all"  # the unfiltered pool, against which everything is compared
HELD_OUT = "held out"  # the evaluation on the run's own test split
VALIDATION = "validation"  # the evaluation that filters are chosen on; what is reported is measured on others
_MEASURES = ("auroc", "accuracy", "balanced_accuracy", "r1", "r5", "r10", "median_rank", "preferred")

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Estimate:
    """The mean of n seeds with its 95 % interval (Student's t); one seed has no interval."""

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def certain(self) -> bool:
        """For a difference: whether the interval excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def estimate(values: Sequence[float]) -> Estimate:
    """The estimate from one value per seed; NaN where there is none."""
    finite = [v for v in values if v is not None and math.isfinite(v)]
    n = len(finite)
    if n < 2:
        return Estimate(finite[0] if finite else math.nan, None, None, n)
    from scipy.stats import sem, t  # imported only where runs are compared

    mean, error = float(np.mean(finite)), float(sem(finite))
    low, high = t.interval(0.95, n - 1, loc=mean, scale=error) if error else (mean, mean)
    return Estimate(mean, float(low), float(high), n)


def clip_to_share(interval: Estimate) -> Estimate:
    """The interval of a share, clipped to [0, 1]."""
    if interval.low is None or interval.high is None:
        return interval
    return replace(interval, low=max(interval.low, 0.0), high=min(interval.high, 1.0))


@dataclass(frozen=True)
class Row:
    """One selection on one measure; ``gain`` is its difference from `ALL`, paired by seed."""

    selection: str
    estimate: Estimate
    gain: Estimate | None


def measures(results: Sequence[Result]) -> list[tuple[str, str, str]]:
    """The (evaluation, task, metric) that every run has, in task order; means over findings, not single findings."""
    names: dict[tuple[str, str, str], int] = {}
    for result in results:
        for evaluation, tasks in result["tasks"].items():
            for task, metrics in tasks.items():
                for metric in metrics if not task.startswith("findings/") else ():
                    if metric in _MEASURES:
                        names[evaluation, task, metric] = names.get((evaluation, task, metric), 0) + 1
    return [name for name, n in names.items() if n == len(results)]


def compare_selections(results: Sequence[Result], name: tuple[str, str, str]) -> list[Row]:
    """Every selection trained with the full budget, on one measure, in the order of ``results``."""
    full_budget = [r for r in results if r["budget"] == 1]
    baseline = {r["seed"]: value(r, name) for r in full_budget if r["selection"] == ALL}
    rows = []
    for selection in dict.fromkeys(r["selection"] for r in full_budget):
        by_seed = {r["seed"]: value(r, name) for r in full_budget if r["selection"] == selection}
        shared = sorted(set(by_seed) & set(baseline))
        gain = estimate([by_seed[s] - baseline[s] for s in shared]) if selection != ALL and shared else None
        mean = estimate(list(by_seed.values()))
        rows.append(Row(selection, mean if name[2] == "median_rank" else clip_to_share(mean), gain))
    return rows


@dataclass(frozen=True)
class Choice:
    """The selection whose models did best on average; ``lead`` is how far they are ahead of the ``second``'s, seed by
    seed."""

    selection: str
    second: str
    lead: Estimate


def choose(results: Sequence[Result], name: tuple[str, str, str], among: Sequence[str]) -> Choice | None:
    """Which of the selections ``among`` made the best induced models on one measure (Data Filtering Networks,
    2309.17425, section 4: filters are chosen by what models become of them, not by their own accuracy); None where
    fewer than two were trained with the full budget."""
    sign = -1 if name[2] == "median_rank" else 1
    by_seed = {
        s: {r["seed"]: sign * value(r, name) for r in results if r["selection"] == s and r["budget"] == 1}
        for s in among
    }
    means = {s: mean for s, of in by_seed.items() if math.isfinite(mean := estimate(list(of.values())).value)}
    if len(means) < 2:
        return None
    first, second = sorted(means, key=lambda s: -means[s])[:2]
    seeds = sorted(set(by_seed[first]) & set(by_seed[second]))
    return Choice(first, second, estimate([by_seed[first][s] - by_seed[second][s] for s in seeds]))


def value(result: Result, name: tuple[str, str, str]) -> float:
    """One metric of one run; NaN where it is missing."""
    evaluation, task, metric = name
    number = result["tasks"].get(evaluation, {}).get(task, {}).get(metric)
    return math.nan if number is None else float(number)


@dataclass(frozen=True)
class Efficiency:
    """The smallest share that matched the unfiltered pool at full budget: ``share`` of the pool's records or of the
    samples seen; None where no tried share did."""

    of: str
    share: float | None
    tried: tuple[float, ...]


def efficiency(results: Sequence[Result], name: tuple[str, str, str], family: str) -> list[Efficiency]:
    """Efficiency in the pool's records (runs of several fractions at full budget) and in samples (several budgets)."""
    full_budget = [r for r in results if r["budget"] == 1]
    by_size = _mean_by([r for r in full_budget if r["family"] == family], "fraction", name)
    by_budget = _mean_by([r for r in results if r["selection"] == family], "budget", name)
    target = estimate([value(r, name) for r in full_budget if r["selection"] == ALL]).value
    sign = -1 if name[2] == "median_rank" else 1
    efficiencies = []
    for of, means in (("the pool's records", by_size), ("the samples seen", by_budget)):
        sufficient = [share for share, mean in means.items() if sign * mean >= sign * target]
        efficiencies.append(Efficiency(of, min(sufficient) if sufficient else None, tuple(sorted(means))))
    return efficiencies


def _mean_by(results: Sequence[Result], key: str, name: tuple[str, str, str]) -> dict[float, float]:
    shares = {float(r[key]) for r in results}
    return {s: estimate([value(r, name) for r in results if r[key] == s]).value for s in sorted(shares)}
