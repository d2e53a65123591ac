"""What the trainings came to, seed by seed: estimates of each selection, the share of the gap, what was enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.training.selections import ORACLE, OURS
from filters.compare.outcome import ALL, Estimate, Row, compare_selections, efficiency, measures, value

Name = tuple[str, str, str]  # exam, task, metric
_DRAWS = 2000


def cells_of(results: dict[str, Any], part: str, kind: str | None = None) -> list[dict[str, Any]]:
    """The cells of every seed; ``kind`` of mismatches, of the real pairs."""
    found = results.get(part, {}).values()
    return [cell for seed in found for cell in (seed if kind is None else seed.get(kind, {})).get("cells", ())]


def rows(cells: Sequence[dict[str, Any]], name: Name) -> list[Row]:
    """As `filters.compare` tells them; none where the cells were not asked this."""
    return compare_selections(cells, name) if cells and name in measures(cells) else []


def gap(cells: Sequence[dict[str, Any]], name: Name, selection: str = OURS) -> Estimate:
    """How much of the way from the unfiltered pool to the oracle a selection goes, 1 being all of it: the ratio of
    the mean differences, its interval by drawing seeds (percentiles of a bootstrap)."""
    whole = [c for c in cells if c["budget"] == 1]
    by = {s: {c["seed"]: value(c, name) for c in whole if c["selection"] == s} for s in (ALL, selection, ORACLE)}
    seeds = sorted(set.intersection(*(set(v) for v in by.values())))
    if not seeds:
        return Estimate(math.nan, None, None, 0)
    base, mine, best = (np.array([by[s][seed] for seed in seeds]) for s in (ALL, selection, ORACLE))
    told = float((mine - base).mean() / (best - base).mean())
    if len(seeds) < 2:
        return Estimate(told, None, None, 1)
    drawn = np.random.default_rng(0).integers(0, len(seeds), (_DRAWS, len(seeds)))
    ratios = (mine - base)[drawn].mean(axis=1) / (best - base)[drawn].mean(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Estimate(told, float(low), float(high), len(seeds))


def enough(cells: Sequence[dict[str, Any]], name: Name) -> float | None:
    """The least share of the samples with which ours does as well as the unfiltered pool with all of them."""
    return next(e.share for e in efficiency(cells, name, OURS) if e.of == "the samples seen")
