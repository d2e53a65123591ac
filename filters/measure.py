"""How well a score separates right from wrong pairs, and how well texts are found: with intervals, vectorised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curate.errors import RunError


def auroc(scores: ArrayLike, positives: ArrayLike) -> float:
    """Probability that a positive scores above a negative, ties counting half (Mann-Whitney U; Hanley & McNeil 1982).

    ``scores`` float[n], ``positives`` bool[n]. NaN where one of the two classes is empty; RunError on a NaN score.
    """
    s, y = _checked(scores, positives)
    return float(_weighted(s, y, np.ones((1, len(s))))[0])


def bootstrap_interval(
    scores: ArrayLike,
    positives: ArrayLike,
    groups: Sequence[str] | None = None,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of `auroc` (Efron 1979); whole ``groups`` (patients) are drawn where given.

    Draws that hold one class only are left out; (nan, nan) where none is left.
    """
    s, y = _checked(scores, positives)
    unit = np.arange(len(s)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    k = int(unit.max()) + 1 if len(unit) else 0
    rng, values = np.random.default_rng(seed), []
    for start in range(0, n if k else 0, 64):  # 64 draws at a time bound the memory to 64 x len(scores)
        draws = rng.multinomial(k, np.full(k, 1 / k), size=min(64, n - start))
        values.append(_weighted(s, y, draws[:, unit].astype(np.float64)))
    known = np.concatenate(values)[np.isfinite(np.concatenate(values))] if values else np.empty(0)
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def retrieval(
    images: ArrayLike, texts: ArrayLike, labels: Sequence[str], ks: Sequence[int] = (1, 5, 10)
) -> dict[int, float]:
    """Image-to-text R@k: the share of images with a right text among the ``k`` of highest cosine.

    ``images`` and ``texts`` float[n, d] unit rows, pair i being right. A text counts once however often it is
    repeated (``labels`` equal), so a duplicate of the right text is right and takes no second place. A tie counts
    against the image, so a collapsed model scores nothing.
    """
    left, right = np.asarray(images, np.float32), np.asarray(texts, np.float32)
    first, owner = np.unique(np.asarray(labels), return_index=True, return_inverse=True)[1:]
    similarity = left @ right[first].T
    mine = np.take_along_axis(similarity, owner[:, None], axis=1)
    above = (similarity >= mine).sum(axis=1) - 1
    return {k: float((above < k).mean()) if len(left) else float("nan") for k in ks}


def _checked(scores: ArrayLike, positives: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    s, y = np.asarray(scores, np.float64).ravel(), np.asarray(positives, bool).ravel()
    if len(s) != len(y):
        raise ValueError(f"{len(s)} scores for {len(y)} labels")
    if np.isnan(s).any():
        raise RunError(
            f"{int(np.isnan(s).sum())} of {len(s)} scores are NaN: leave unscored records out before measuring"
        )
    return s, y


def _weighted(s: NDArray[np.float64], y: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
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
