"""Who goes and who comes besides the cut: concept caps, balancing over findings, floors of subgroups.

Arrays are in key order, ``ranked`` rows best first; so all results are independent of the order of the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.export.labels import Labels, Subgroups

Bools = NDArray[np.bool_]
Rows = NDArray[np.int64]


def place_in_group(group: NDArray[np.int64] | NDArray[np.int32]) -> Rows:
    """int64[n]: how many before entry i are of its group."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(order) else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[starts, len(order)])
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    return place


def over_cap(ranked: Rows, concepts: Labels, cap: int) -> Rows:
    """Those of ``ranked`` that have ``cap`` better records of their own concept; "" (nothing known) is no concept."""
    codes = concepts.codes[ranked]
    known = np.array([bool(name) for name in concepts.names], dtype=bool)
    return np.asarray(ranked[(place_in_group(codes) >= cap) & known[codes]])


def quotas(plain: Rows, there: Rows, balance: float) -> Rows:
    """How many of each stratum to keep: int64[g], summing to ``plain``'s sum, none above ``there``.

    ``plain`` (int64[g]) is what one cut for all keeps of each, ``there`` what there is. At ``balance`` 1 every stratum
    gives as many as the level t that fills the sum, sum(min(there, t)): MetaCLIP's limit (arXiv 2309.16671). Between,
    the shares are mixed. Fractions go to the largest remainders, ties to the first.
    """
    wanted = int(plain.sum())
    target = (1 - balance) * plain + balance * np.minimum(there, _level(there, wanted))
    out = np.floor(target + 1e-9).astype(np.int64)
    order = np.argsort(-np.where(out < there, target - out, -1), kind="stable")
    out[order[: wanted - int(out.sum())]] += 1
    return out


def _level(there: Rows, wanted: int) -> float:
    """t such that sum(min(there, t)) is ``wanted``."""
    rising = np.sort(there).astype(np.float64)
    below = np.cumsum(rising) - rising
    for i, size in enumerate(rising):  # strata are findings: some hundreds
        level = (wanted - below[i]) / (len(rising) - i)
        if level <= size:
            return float(level)
    return float(rising[-1]) if len(rising) else 0.0


def balanced(ranked: Rows, strata: Labels, wanted: int, balance: float) -> Rows:
    """``wanted`` of ``ranked``, the best of each stratum, in the numbers that `quotas` says."""
    codes = strata.codes[ranked]
    many = len(strata.names)
    plain, there = np.bincount(codes[:wanted], minlength=many), np.bincount(codes, minlength=many)
    return np.asarray(ranked[place_in_group(codes) < quotas(plain, there, balance)[codes]])


def floor_rows(ranked: Rows, groupings: Sequence[Subgroups], keep: float) -> Rows:
    """The rows that must stay so that every subgroup keeps the share ``keep`` of its records in ``ranked``."""
    must = np.zeros(int(ranked.max()) + 1 if len(ranked) else 0, dtype=bool)
    for groups in groupings:
        rows, group = groups.expand(ranked)
        size = np.bincount(group, minlength=len(groups.names))
        need = np.array([math.ceil(keep * int(n) - 1e-9) for n in size], dtype=np.int64)
        must[rows[place_in_group(group) < need[group]]] = True
    return np.flatnonzero(must)


def make_room(kept: Bools, must: Bools, ranked: Rows, fixed: bool) -> tuple[Rows, Rows]:
    """(rows to add to ``kept`` so that ``must`` stays, rows to drop for them).

    Only where the number to keep is ``fixed`` does anything go: the worst of ``kept`` that no floor holds.
    """
    added = np.flatnonzero(must & ~kept)
    if not fixed:
        return added, added[:0]
    free = ranked[(kept & ~must)[ranked]]
    return added, np.asarray(free[len(free) - min(len(added), len(free)) :])
