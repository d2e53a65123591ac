"""Summarise runs: means over seeds with confidence intervals, paired differences, the share of the pool needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALL = "all"  # the unfiltered pool, against which everything is compared
HELD_OUT = "held out"  # the evaluation on the run's own test split
VALIDATION = "validation"  # the evaluation that filters are chosen on; what is reported is measured on others
_MEASURES = ("auroc", "accuracy", "balanced_accuracy", "r1", "r5", "r10", "median_rank", "preferred")

Result = Mapping[str, Any]
Name = tuple[str, str, str]  # evaluation, task, metric


@dataclass(frozen=True)
class Estimate:
    """The mean of n seeds with its 95 % interval; one seed has no interval."""

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def certain(self) -> bool:
        """For a difference: whether the interval excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def estimate(values: Sequence[float], draws: Sequence[NDArray[np.float64]] = ()) -> Estimate:
    """The mean of ``values``, one a seed (NaN: none), with its interval over seeds and patients.

    ``draws``: each value under bootstrap samples of the patients, the same samples for every seed. Seeds and patients
    are crossed random effects, and the variance of the mean is the sum of what it varies by over either; so their
    interaction counts twice, as in the pigeonhole bootstrap (Owen 2007), which a few seeds cannot tell apart. Student's
    t with Satterthwaite's (1946) degrees of freedom; without draws, the plain one over seeds.
    """
    from scipy.stats import t  # imported only where runs are compared

    known = np.isfinite(np.asarray(values, np.float64))
    finite = np.asarray(values, np.float64)[known]
    n = len(finite)
    if n < 2:
        return Estimate(float(finite[0]) if n else math.nan, None, None, n)
    drawn = np.mean([draw for draw, k in zip(draws, known, strict=True) if k], axis=0) if len(draws) else np.empty(0)
    drawn = drawn[np.isfinite(drawn)]
    over_patients = float(drawn.var(ddof=1)) if len(drawn) > 1 else 0.0
    over_seeds = float(finite.var(ddof=1)) / n
    variance = over_seeds + over_patients
    freedom = (n - 1) * (variance / over_seeds) ** 2 if over_seeds else math.inf
    mean, half = float(finite.mean()), float(t.ppf(0.975, freedom)) * math.sqrt(variance)
    return Estimate(mean, mean - half, mean + half, n)


@dataclass(frozen=True)
class Row:
    """One selection on one measure; ``gain`` is its difference from `ALL`."""

    selection: str
    estimate: Estimate
    gain: Estimate | None


def measures(results: Sequence[Result]) -> list[Name]:
    """The (evaluation, task, metric) that every run has, in task order; means over findings, not single findings."""
    names: dict[Name, int] = {}
    for result in results:
        for evaluation, tasks in result["tasks"].items():
            for task, metrics in tasks.items():
                for metric in metrics if not task.startswith("findings/") else ():
                    if metric in _MEASURES:
                        names[evaluation, task, metric] = names.get((evaluation, task, metric), 0) + 1
    return [name for name, n in names.items() if n == len(results)]


def compare_selections(results: Sequence[Result], name: Name) -> list[Row]:
    """Every selection trained with the full budget, on one measure, in the order of ``results``."""
    selections = _full_budget(results)
    rows = []
    for selection, runs in selections.items():
        gain = None if selection == ALL else difference(runs, selections.get(ALL, {}), name)
        mean = estimate([value(r, name) for r in runs.values()], [_draws(r, name) for r in runs.values()])
        if name[2] != "median_rank" and mean.low is not None and mean.high is not None:
            mean = replace(mean, low=max(mean.low, 0.0), high=min(mean.high, 1.0))  # of a share
        rows.append(Row(selection, mean, gain if gain is not None and gain.n else None))
    return rows


def difference(ours: Mapping[int, Result], others: Mapping[int, Result], name: Name) -> Estimate:
    """By how much ``ours`` exceed ``others``, both by seed: of the same seeds, on the same draws of patients."""
    gaps = {s: value(ours[s], name) - value(others[s], name) for s in sorted({*ours} & {*others})}
    shared = [s for s, gap in gaps.items() if math.isfinite(gap)]
    return estimate([gaps[s] for s in shared], [_draws(ours[s], name) - _draws(others[s], name) for s in shared])


def _full_budget(results: Sequence[Result]) -> dict[str, dict[int, Result]]:
    """selection -> seed -> run, of the runs with the full budget."""
    runs: dict[str, dict[int, Result]] = {}
    for result in results:
        if result["budget"] == 1:
            runs.setdefault(result["selection"], {})[result["seed"]] = result
    return runs


@dataclass(frozen=True)
class Choice:
    """The selection whose models did best on average; ``lead`` is how far they are ahead of the ``second``'s, seed by
    seed."""

    selection: str
    second: str
    lead: Estimate


def choose(results: Sequence[Result], name: Name, among: Sequence[str]) -> Choice | None:
    """Which of the selections ``among`` made the best induced models on one measure (Data Filtering Networks,
    2309.17425, section 4: filters are chosen by what models become of them, not by their own accuracy); None where
    fewer than two were trained with the full budget."""
    sign = -1 if name[2] == "median_rank" else 1
    runs = {s: by_seed for s, by_seed in _full_budget(results).items() if s in among}
    means = {s: sign * estimate([value(r, name) for r in by_seed.values()]).value for s, by_seed in runs.items()}
    best = sorted((s for s, mean in means.items() if math.isfinite(mean)), key=lambda s: -means[s])[:2]
    if len(best) < 2:
        return None
    first, second = best
    better, worse = (second, first) if sign < 0 else (first, second)
    return Choice(first, second, difference(runs[better], runs[worse], name))


def value(result: Result, name: Name) -> float:
    """One metric of one run; NaN where it is missing."""
    evaluation, task, metric = name
    number = result["tasks"].get(evaluation, {}).get(task, {}).get(metric)
    return math.nan if number is None else float(number)


def _draws(result: Result, name: Name) -> NDArray[np.float64]:
    """One metric of one run under the bootstrap's samples of patients; empty where it has none."""
    evaluation, task, metric = name
    drawn = result.get("draws", {}).get(evaluation, {}).get(task, {}).get(metric, ())
    return np.asarray(drawn, np.float64)  # None is NaN


@dataclass(frozen=True)
class Efficiency:
    """The smallest share that matched the unfiltered pool at full budget: ``share`` of the pool's records or of the
    samples seen; None where no tried share did."""

    of: str
    share: float | None
    tried: tuple[float, ...]


def efficiency(results: Sequence[Result], name: Name, family: str) -> list[Efficiency]:
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


def _mean_by(results: Sequence[Result], key: str, name: Name) -> dict[float, float]:
    shares = {float(r[key]) for r in results}
    return {s: estimate([value(r, name) for r in results if r[key] == s]).value for s in sorted(shares)}
