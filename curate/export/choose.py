"""The selection itself: a pure function of columns, keys and rules, independent of tables, files and row order.

    scored? -> in the top of every other column? -> under its concept's cap? -> the cut -> floors -> draws

Rows are processed in key order and every sort is stable: ties break by key, and not even the last bit of a sum depends
on the order of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.export.balance import beyond_cap, floor_rows, make_room, take_balanced
from curate.export.cut import best, best_first, combined, in_top, probability_cut
from curate.export.labels import Labels, rarest_finding, subgroups
from curate.export.repeat import soft_cap
from curate.export.rules import SelectRules
from curate.record import Reason

# `Choice.reason` indexes this; 0 is kept.
REASONS = (
    None,
    Reason.UNSCORED,
    Reason.NOT_IN_ALL,
    Reason.OVER_CAP,
    Reason.BELOW_CUT,
    Reason.DISPLACED,
    Reason.NOT_DRAWN,
)
_UNSCORED, _NOT_IN_ALL, _OVER_CAP, _BELOW_CUT, _DISPLACED, _NOT_DRAWN = range(1, len(REASONS))

Bools = NDArray[np.bool_]
Rows = NDArray[np.int64]
Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Choice:
    """``kept`` bool[n]; ``weight`` float32[n], how often a trainer should see it, 0 where not kept; ``reason`` int8[n]
    into `REASONS`."""

    kept: Bools
    weight: NDArray[np.float32]
    reason: NDArray[np.int8]


def decide_in_order(
    columns: Mapping[str, Any], n: int, chance: NDArray[np.float64] | None, rules: SelectRules
) -> Choice:
    """The selection from n rows in key order. ``chance`` float64[n]: of `uniform`, asked for where ``rules`` repeat.

    ``columns``: float[n] scores, NaN meaning unscored and never kept unless nothing is cut; `Labels` ``findings`` and
    subgroups, ``age`` in years, as far as ``rules`` name them. KeyError for a missing one.
    """
    if not rules.cuts:
        return Choice(np.ones(n, bool), np.ones(n, np.float32), np.zeros(n, np.int8))
    scores = combined(columns, rules.by, np.ones(n, bool))
    scored = ~np.isnan(scores)
    for name in rules.score_columns:
        scored &= ~np.isnan(np.asarray(columns[name], np.float32))
    reason = np.where(scored, np.int8(0), np.int8(_UNSCORED))
    for name, fraction in rules.all_of.items():
        reason[scored & (reason == 0) & ~in_top(np.asarray(columns[name], np.float32), fraction)] = _NOT_IN_ALL
    in_order = rules.cap is not None or rules.balance or rules.floor is not None
    ranked = best_first(scores, reason == 0) if in_order else np.flatnonzero(reason == 0)
    capped = ranked[:0]
    if rules.cap is not None:
        capped = beyond_cap(ranked, Labels.of(columns["findings"]), rules.cap)
        reason[capped] = _OVER_CAP
        ranked = ranked[reason[ranked] == 0]
    kept = _cut(columns, scores, int(scored.sum()), ranked, rules)
    reason[ranked[~kept[ranked]]] = _BELOW_CUT
    if kept.any():  # what falls below the cut anyway does so, and not because of the cap
        reason[capped[scores[capped] < scores[kept].min()]] = _BELOW_CUT
    excluded = scored.copy()
    excluded[ranked] = False
    kept, required = _with_floors(columns, scores, excluded, ranked, kept, reason, rules)
    weight = kept.astype(np.float32)
    if rules.repeats > 1:
        assert chance is not None
        rows = np.flatnonzero(kept)
        drawn = soft_cap(scores[rows], chance[rows], rules.repeats, rules.temperature, rules.penalty)
        weight[rows] = np.maximum(drawn, required[rows])  # a record that a floor requires is kept whatever the draw
        reason[kept & (weight == 0)] = _NOT_DRAWN
        kept = weight > 0
    return Choice(kept, weight, reason)


def _cut(columns: Mapping[str, Any], scores: Scores, all_scored: int, ranked: Rows, rules: SelectRules) -> Bools:
    """bool[n]: what the main cut keeps of ``ranked``. The share ``keep`` is of ``all_scored``."""
    chosen = ranked
    if rules.threshold is not None:
        chosen = ranked[scores[ranked] >= np.float32(rules.threshold)]
    elif rules.precision is not None:
        name = rules.probability or (rules.by if isinstance(rules.by, str) else "the weighted columns")
        source = columns[rules.probability] if rules.probability else scores
        threshold = probability_cut(scores[ranked], np.asarray(source, np.float32)[ranked], rules.precision, name)
        chosen = ranked[:0] if threshold is None else ranked[scores[ranked] >= np.float32(threshold)]
    elif rules.keep is not None or rules.top_k is not None:
        wanted = rules.top_k if rules.top_k is not None else round((rules.keep or 0.0) * all_scored)
        chosen = best(scores, ranked, wanted)
        if rules.balance and wanted < len(ranked):
            strata = rarest_finding(Labels.of(columns["findings"]), ranked)
            chosen = take_balanced(ranked, strata, wanted, rules.balance)
    kept = np.zeros(len(scores), dtype=bool)
    kept[chosen] = True
    return kept


def _with_floors(
    columns: Mapping[str, Any],
    scores: Scores,
    excluded: Bools,
    ranked: Rows,
    kept: Bools,
    reason: NDArray[np.int8],
    rules: SelectRules,
) -> tuple[Bools, Bools]:
    """(kept, rows required by floors bool[n]); ``reason`` is updated in place.

    Floors count over all scored records; those ``excluded`` by other columns or a cap come in last.
    """
    required = np.zeros(len(kept), dtype=bool)
    floor = rules.floor
    if floor is None:
        return kept, required
    ranked = np.concatenate([ranked, best_first(scores, excluded)])
    required[floor_rows(ranked, [subgroups(name, columns) for name in floor.names], floor.keep)] = True
    added, dropped = make_room(kept, required, ranked, rules.keep is not None or rules.top_k is not None)
    kept = kept.copy()
    kept[added], kept[dropped] = True, False
    reason[added], reason[dropped] = 0, _DISPLACED
    return kept, required
