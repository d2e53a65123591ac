"""Metrics of a filter on held-out patients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.metrics import auroc, bootstrap_interval, retrieval
from filters.training.pairs import Encoder, Pairs, embed

_SHUFFLES = 16  # wrong texts for each image


def evaluate(trained: Encoder, pairs: Pairs, seed: int) -> dict[str, float]:
    """Metrics on held-out patients: retrieval, and AUROC of matched pairs against texts of other patients."""
    n = len(pairs.labels)
    if n < 2:
        return {"holdout_pairs": float(n)}
    left, right = (rows.numpy() for rows in embed(trained, pairs))
    owner, partner = against_others(np.arange(n), pairs.labels, pairs.groups, _SHUFFLES)
    matched = owner == partner
    scores = np.einsum("ij,ij->i", left[owner], right[partner])
    recalls = retrieval(left, right, [str(label) for label in pairs.labels])
    low, high = bootstrap_interval(scores, matched, list(pairs.groups[owner]), seed=seed)
    intervals = {"holdout_auroc": auroc(scores, matched), "holdout_auroc_low": low, "holdout_auroc_high": high}
    return {"holdout_pairs": float(n), **{f"holdout_r{k}": v for k, v in recalls.items()}, **intervals}


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
