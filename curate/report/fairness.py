"""Fairness of a filter: how much of every subgroup it keeps, with intervals, and which lag behind.

A low keep rate is not yet an injustice: a subgroup may hold more wrong pairs. It says where to look, and what a floor
(`curate.export.rules.Floor`) would change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.export.labels import subgroups
from curate.export.rules import SUBGROUPS
from curate.report.interval import wilson

BEHIND = 0.8  # of the overall rate: the four-fifths rule (US 29 CFR 1607.4 D)


@dataclass(frozen=True)
class KeepRate:
    """``kept`` of ``n`` records of the subgroup ``value`` of ``by``: their share with its 95 % interval. ``behind``:
    the whole interval lies below `BEHIND` of the overall rate."""

    by: str
    value: str
    n: int
    kept: int
    rate: float
    low: float
    high: float
    behind: bool


@dataclass(frozen=True)
class Fairness:
    """Keep rates of every subgroup, by subgrouping, largest first; ``overall`` of all ``n`` records."""

    n: int
    kept: int
    overall: float
    rates: dict[str, tuple[KeepRate, ...]]

    @property
    def behind(self) -> list[KeepRate]:
        """The subgroups that lag, furthest first."""
        found = [r for rates in self.rates.values() for r in rates if r.behind]
        return sorted(found, key=lambda r: (r.high, r.by, r.value))

    def warnings(self, most: int = 5) -> list[str]:
        """A sentence for each of the ``most`` subgroups furthest behind, and one for the others."""
        lines = [
            f"{r.by} '{r.value}': {100 * r.rate:.1f} % of {r.n:,} kept "
            f"(95 % interval {100 * r.low:.1f} to {100 * r.high:.1f}), {100 * self.overall:.1f} % of all; "
            f"select.floor: {{by: {r.by}, keep: ...}} holds more"
            for r in self.behind[:most]
        ]
        more = len(self.behind) - len(lines)
        return [*lines, f"{more:,} more subgroups are kept far less than the others: see Keep rates"] if more else lines


def fairness(columns: Mapping[str, Any], kept: NDArray[np.bool_], by: Sequence[str] = SUBGROUPS) -> Fairness:
    """Keep rates by the subgroupings ``by`` of n records, ``kept`` bool[n].

    ``columns``: text columns (numpy, Arrow, lists or `Labels`) by name, ``age`` in years for ``age_band``,
    ``findings`` (concept strings) for ``finding``. What is not there, or has one value alone, is left out. Give the
    records that were cut: held-out splits keep everything. Intervals are Wilson's.
    """
    kept = np.asarray(kept, dtype=bool)
    overall = float(kept.mean()) if len(kept) else 0.0
    needs = {"age_band": ("age_band", "age"), "finding": ("findings",)}
    rates = {}
    for name in by:
        if any(column in columns for column in needs.get(name, (name,))):
            found = _rates(name, columns, kept, overall)
            if len(found) > 1:
                rates[name] = found
    return Fairness(len(kept), int(kept.sum()), overall, rates)


def _rates(by: str, columns: Mapping[str, Any], kept: NDArray[np.bool_], overall: float) -> tuple[KeepRate, ...]:
    groups = subgroups(by, columns)
    rows, group = groups.expand(np.arange(len(kept)))
    n = np.bincount(group, minlength=len(groups.names))
    hits = np.bincount(group[kept[rows]], minlength=len(groups.names))
    low, high = wilson(hits, n)
    order = np.lexsort((np.arange(len(n)), -n))
    return tuple(
        KeepRate(
            by,
            groups.names[i],
            int(n[i]),
            int(hits[i]),
            float(hits[i] / n[i]),
            float(low[i]),
            float(high[i]),
            bool(high[i] < BEHIND * overall),
        )
        for i in order
        if n[i]
    )
