"""How well a score separates right from wrong pairs, and how well texts are found: with intervals, vectorised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curate.errors import RunError

KS = (1, 5, 10)
TIE = 1e-6  # cosines this near are equal: sums depend on their order, and an edit may lie beyond the context
_ROUNDS = 300  # of `shares_of`
_CHUNK = 1 << 23  # cosines held at a time: 32 MiB, and masks beside them


def auroc(scores: ArrayLike, positives: ArrayLike) -> float:
    """Probability that a positive scores above a negative, ties counting half (Mann-Whitney U; Hanley & McNeil 1982).

    ``scores`` float[n], ``positives`` bool[n]. NaN where one of the two classes is empty; RunError on a NaN score.
    """
    from sklearn.metrics import roc_auc_score  # where something is measured alone

    s, y = _checked(scores, positives)
    return float(roc_auc_score(y, s)) if y.any() and not y.all() else float("nan")


def bootstrap_interval(
    scores: ArrayLike,
    positives: ArrayLike,
    groups: Sequence[str] | None = None,
    n: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of `auroc` (Efron 1979); whole ``groups`` (patients) are drawn where given.

    Draws without a value (of one class only) are left out; (nan, nan) where none is left.
    """
    s, y = _checked(scores, positives)
    values = [weighted_auroc(s, y, weights) for weights in resampled(groups if groups is not None else len(s), n, seed)]
    known = np.concatenate(values)[np.isfinite(np.concatenate(values))] if values else np.empty(0)
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def auroc_with_interval(
    name: str, scores: ArrayLike, positives: ArrayLike, groups: Sequence[str], seed: int
) -> dict[str, float]:
    """`auroc` under ``name``, and its `bootstrap_interval` under name_low and name_high."""
    low, high = bootstrap_interval(scores, positives, groups, seed=seed)
    return {name: auroc(scores, positives), f"{name}_low": low, f"{name}_high": high}


def shares_of(ratios: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[r, 1 + f]: the shares of right pairs and of each fault among n pairs, counted by each row of ``weights``
    float64[r, n]. ``ratios`` float64[n, f]: how much denser pairs with a fault are where a pair lies than right ones.
    Expectation maximisation (Saerens, Latinne & Decaestecker 2002)."""
    ratios = np.column_stack([np.ones(len(ratios)), ratios])
    weights = weights / weights.sum(axis=1, keepdims=True)
    shares = np.full((len(weights), ratios.shape[1]), 1 / ratios.shape[1])
    for _ in range(_ROUNDS):
        shares = shares * ((weights / (shares @ ratios.T)) @ ratios)
    return shares


def against_others(
    index: NDArray[np.int64], labels: NDArray[Any], groups: NDArray[Any], shuffles: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(image, text) of the pairs ``index``, then of each image with ``shuffles`` other texts, without those of the same
    label or the same patient."""
    shifts = range(min(shuffles, len(index) - 1) + 1)
    owner = np.tile(index, len(shifts))
    partner = np.concatenate([np.roll(index, -shift) for shift in shifts])
    usable = (owner == partner) | ((labels[owner] != labels[partner]) & (groups[owner] != groups[partner]))
    return owner[usable], partner[usable]


def resampled(groups: Sequence[str] | int, n: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each row is drawn in ``n`` bootstrap samples, as float64[r, rows] at a time; whole ``groups`` are
    drawn, or single rows where only their number is given. Nothing where there are no rows."""
    unit = np.arange(groups) if isinstance(groups, int) else np.unique(np.asarray(groups), return_inverse=True)[1]
    k, rng = int(unit.max()) + 1 if len(unit) else 0, np.random.default_rng(seed)
    for start in range(0, n if k else 0, 64):  # 64 draws at a time bound the memory to 64 x rows
        draws = rng.multinomial(k, np.full(k, 1 / k), size=min(64, n - start))
        yield draws[:, unit].astype(np.float64)


def ranks(
    queries: NDArray[np.float32], candidates: NDArray[np.float32], query: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    """float64[q]: the rank of the nearest right candidate of each query; 1 is best, NaN if none is right.

    Candidate ``right[i]`` is right for query ``query[i]``. At most `_CHUNK` cosines are in memory.
    """
    out = np.full(len(queries), np.nan)
    order = np.argsort(query, kind="stable")
    query, right = query[order], right[order]
    size = max(1, _CHUNK // max(len(candidates), 1))
    for start in range(0, len(queries), size):
        a, b = np.searchsorted(query, [start, start + size])
        rows, columns = query[a:b] - start, right[a:b]
        near = queries[start : start + size] @ candidates.T
        best = np.full(len(near), np.inf, np.float32)
        np.minimum.at(best, rows, -near[rows, columns])  # the negated greatest cosine
        near[rows, columns] = -np.inf
        above = (near >= -best[:, None] - TIE).sum(axis=1)
        out[start : start + size] = np.where(np.isfinite(best), 1 + above, np.nan)
    return out


def _checked(scores: ArrayLike, positives: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    s, y = np.asarray(scores, np.float64).ravel(), np.asarray(positives, bool).ravel()
    if len(s) != len(y):
        raise ValueError(f"{len(s)} scores for {len(y)} labels")
    if np.isnan(s).any():
        raise RunError(
            f"{int(np.isnan(s).sum())} of {len(s)} scores are NaN: leave unscored records out before measuring"
        )
    return s, y


def weighted_auroc(s: NDArray[np.float64], y: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[r]: AUROC under each row of ``weights`` (float64[r, n]), from one sort for all rows."""
    if not len(s):
        return np.full(len(weights), np.nan)
    order = np.argsort(s, kind="stable")
    ties = np.flatnonzero(np.r_[True, np.diff(s[order]) > 0])  # where each run of equal scores starts
    positive = np.add.reduceat(weights[:, order] * y[order], ties, axis=1)
    negative = np.add.reduceat(weights[:, order] * ~y[order], ties, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((positive * (below + negative / 2)).sum(axis=1) / np.where(pairs > 0, pairs, np.nan))


def weighted_auprc(s: NDArray[np.float64], y: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[r]: average precision under each row of ``weights``."""
    if not len(s):
        return np.full(len(weights), np.nan)
    order = np.argsort(-s, kind="stable")
    ties = np.flatnonzero(np.r_[True, np.diff(s[order]) < 0])
    positive, both = (np.add.reduceat(weights[:, order] * part, ties, axis=1) for part in (y[order], 1))
    found, taken = np.cumsum(positive, axis=1), np.cumsum(both, axis=1)
    precision = found / np.where(taken > 0, taken, 1)
    with np.errstate(invalid="ignore"):
        return np.asarray((positive * precision).sum(axis=1) / np.where(found[:, -1] > 0, found[:, -1], np.nan))
