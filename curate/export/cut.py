"""The cut: scores from one or several columns, top fractions, the threshold for a wanted precision.

All arrays here are in key order (`curate.export.choose`), so a stable sort by score breaks ties by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.errors import RecipeError

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Rows = NDArray[np.int64]

_ROW = 0xFFFFFFFF
_CLOSE = 1e-6  # probabilities are float32


def combined(columns: Mapping[str, Any], by: str | Mapping[str, float], among: Bools) -> Floats:
    """float32[n]: the score of every record; NaN if any of its columns is NaN.

    Weights over columns give the weighted mean of the columns' ranks, 0..1, ties at their middle. Ranks are computed
    among the records of ``among`` (bool[n]); the others are interpolated.
    """
    if isinstance(by, str):
        return np.asarray(columns[by], dtype=np.float32)
    total = np.zeros(len(among), dtype=np.float64)
    for name, weight in by.items():
        total += weight * ranks(np.asarray(columns[name], dtype=np.float32), among)
    return np.asarray(total / sum(by.values()), dtype=np.float32)


def ranks(scores: Floats, among: Bools) -> NDArray[np.float64]:
    """float64[n] in 0..1: the share of the scored records of ``among`` below, and half of those that tie. NaN stays."""
    rows = np.flatnonzero(~np.isnan(scores))
    order = rows[np.argsort(scores[rows])]
    ends = np.flatnonzero(np.r_[scores[order][1:] != scores[order][:-1], np.ones(min(len(order), 1), bool)])
    upto = np.cumsum(among[order])[ends]  # of `among`, up to the end of each run of equal scores
    below = np.r_[0, upto[:-1]]
    out = np.full(len(scores), np.nan)
    out[order] = np.repeat((below + upto) / (2.0 * max(int(among[rows].sum()), 1)), np.diff(np.r_[-1, ends]))
    return out


def best_first(scores: Floats, among: Bools) -> Rows:
    """The rows of ``among`` (all scored), highest score first, ties in row order."""
    rows = np.flatnonzero(among)
    return np.asarray(rows[stable_order(-scores[rows])])


def best(scores: Floats, rows: Rows, wanted: int) -> Rows:
    """The ``wanted`` of ``rows`` (all scored) with the highest scores, ties as the rows come; in no order."""
    if wanted >= len(rows):
        return rows
    packed = _packed(-scores[rows])
    packed.partition(wanted)
    return np.asarray(rows[packed[:wanted] & _ROW])


def stable_order(scores: Floats) -> Rows:
    """The rows by score, lowest first, ties in row order, NaN last: a stable argsort in half its time."""
    packed = _packed(scores)
    packed.sort()
    return packed & _ROW


def _packed(scores: Floats) -> Rows:
    """int64[n], which sort fast: a score's bits, made to sort as the score does, above its row's number."""
    bits = (scores + np.float32(0)).view(np.int32)  # -0 as 0
    ascending = np.where(np.isnan(scores), np.iinfo(np.int32).max, bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF)))
    return (ascending.astype(np.int64) << 32) | np.arange(len(scores))


def in_top(scores: Floats, fraction: float) -> Bools:
    """bool[n]: among the top ``fraction`` of the scored records; never for NaN."""
    scored = ~np.isnan(scores)
    top = np.zeros(len(scores), dtype=bool)
    top[best(scores, np.flatnonzero(scored), round(fraction * int(scored.sum())))] = True
    return top


def precision_threshold(scores: NDArray[Any], probabilities: NDArray[Any], wanted: float) -> tuple[float | None, float]:
    """(The smallest score whose kept set, all scores >= it, has a mean probability >= ``wanted``; the best reachable).

    None if no kept set reaches it; the best is NaN if there are no scores. Both float[n] without NaN.
    """
    if not len(scores):
        return None, float("nan")
    order = np.lexsort((probabilities, -scores))
    ranked = scores[order]
    last = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])  # records of equal score are kept or dropped together
    mean = np.cumsum(probabilities[order], dtype=np.float64)[last] / (last + 1)
    reached = np.flatnonzero(mean >= wanted - _CLOSE)
    return (float(ranked[last[reached[-1]]]) if len(reached) else None), float(mean.max())


def probability_cut(scores: Floats, probabilities: Floats, wanted: float, name: str) -> float | None:
    """`precision_threshold` for a recipe: None if nothing is scored; RecipeError if ``name`` holds no probabilities, or
    if no cut reaches ``wanted``."""
    if len(probabilities) and not (probabilities.min() >= 0 and probabilities.max() <= 1):
        fix = "name a calibrated column with select.probability"
        raise RecipeError("select.precision", f"'{name}' is no column of probabilities: it leaves 0..1", fix)
    threshold, best = precision_threshold(scores, probabilities, wanted)
    if threshold is None and len(scores):
        problem = f"{wanted:g} is out of reach: the best cut of '{name}' is expected to reach {best:.3f}"
        raise RecipeError("select.precision", problem, "ask for less, or cut by keep or top_k")
    return threshold
