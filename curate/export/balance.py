"""Selection rules beside the cut: concept caps, balancing over findings, floors of subgroups.

Arrays are in key order, ``ranked`` rows best first; so all results are independent of the order of the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.export.labels import Labels, Subgroups

Bools = NDArray[np.bool_]
Rows = NDArray[np.int64]


def rank_in_group(group: NDArray[np.int64] | NDArray[np.int32]) -> Rows:
    """int64[n]: how many earlier entries are in the group of entry i."""
    frame = pl.DataFrame({"group": group})
    return frame.select(pl.int_range(pl.len()).over("group")).to_series().to_numpy()


def beyond_cap(ranked: Rows, concepts: Labels, cap: int) -> Rows:
    """Rows of ``ranked`` beyond the ``cap`` best of their concept; "" (nothing known) is no concept."""
    codes = concepts.codes[ranked]
    known = np.array([bool(name) for name in concepts.names], dtype=bool)
    return np.asarray(ranked[(rank_in_group(codes) >= cap) & known[codes]])


def quotas(plain: Rows, available: Rows, balance: float) -> Rows:
    """How many of each stratum to keep: int64[g], summing to ``plain``'s sum, none above ``available``.

    ``plain`` (int64[g]) is what one cut for all keeps of each stratum. At ``balance`` 1 every stratum gives up to t
    records, with t such that sum(min(available, t)) is that sum: MetaCLIP's limit (arXiv 2309.16671). In between, the
    two are mixed. Fractions are rounded by largest remainder, ties to the first.
    """
    wanted = int(plain.sum())
    target = (1 - balance) * plain + balance * np.minimum(available, _level(available, wanted))
    out = np.floor(target + 1e-9).astype(np.int64)
    order = np.argsort(-np.where(out < available, target - out, -1), kind="stable")
    out[order[: wanted - int(out.sum())]] += 1
    return out


def _level(available: Rows, wanted: int) -> float:
    """t such that sum(min(available, t)) is ``wanted``."""
    rising = np.sort(available).astype(np.float64)
    below = np.cumsum(rising) - rising
    for i, size in enumerate(rising):  # strata are findings: some hundreds
        level = (wanted - below[i]) / (len(rising) - i)
        if level <= size:
            return float(level)
    return float(rising[-1]) if len(rising) else 0.0


def take_balanced(ranked: Rows, strata: Labels, wanted: int, balance: float) -> Rows:
    """``wanted`` rows of ``ranked``: the best of each stratum, as many as `quotas` allows."""
    codes = strata.codes[ranked]
    count = len(strata.names)
    plain, available = np.bincount(codes[:wanted], minlength=count), np.bincount(codes, minlength=count)
    return np.asarray(ranked[rank_in_group(codes) < quotas(plain, available, balance)[codes]])


def floor_rows(ranked: Rows, groupings: Sequence[Subgroups], keep: float) -> Rows:
    """The rows to keep so that every subgroup keeps the share ``keep`` of its records in ``ranked``."""
    required = np.zeros(int(ranked.max()) + 1 if len(ranked) else 0, dtype=bool)
    for groups in groupings:
        rows, group = groups.expand(ranked)
        size = np.bincount(group, minlength=len(groups.names))
        quota = np.array([math.ceil(keep * int(n) - 1e-9) for n in size], dtype=np.int64)
        required[rows[rank_in_group(group) < quota[group]]] = True
    return np.flatnonzero(required)


def make_room(kept: Bools, required: Bools, ranked: Rows, fixed: bool) -> tuple[Rows, Rows]:
    """(rows to add to ``kept`` so that it includes ``required``, rows to drop for them).

    Rows are dropped only if the number to keep is ``fixed``: the worst of ``kept`` that no floor requires.
    """
    added = np.flatnonzero(required & ~kept)
    if not fixed:
        return added, added[:0]
    free = ranked[(kept & ~required)[ranked]]
    return added, np.asarray(free[len(free) - min(len(added), len(free)) :])
