"""What a filter is worth on patients it was not trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.metrics import auroc, bootstrap_interval, retrieval
from filters.training.pairs import Encoder, Pairs, embed

_SHUFFLES = 16  # wrong texts an image is measured against


def evaluate(trained: Encoder, pairs: Pairs, seed: int) -> dict[str, float]:
    """On the held-out patients: retrieval, and matched pairs against texts of other patients."""
    n = len(pairs.labels)
    if n < 2:
        return {"holdout_pairs": float(n)}
    left, right = (rows.numpy() for rows in embed(trained, pairs))
    owner, partner = against_others(np.arange(n), pairs.labels, pairs.groups, _SHUFFLES)
    right_ones = owner == partner
    scores = np.einsum("ij,ij->i", left[owner], right[partner])
    found = retrieval(left, right, [str(label) for label in pairs.labels])
    low, high = bootstrap_interval(scores, right_ones, list(pairs.groups[owner]), seed=seed)
    named = {"holdout_auroc": auroc(scores, right_ones), "holdout_auroc_low": low, "holdout_auroc_high": high}
    return {"holdout_pairs": float(n), **{f"holdout_r{k}": v for k, v in found.items()}, **named}


def against_others(
    index: NDArray[np.int64], labels: NDArray[Any], groups: NDArray[Any], shuffles: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(image, text) of the pairs ``index``, then of each image with ``shuffles`` other texts of them, but for those of
    the same label or the same patient."""
    shifts = range(min(shuffles, len(index) - 1) + 1)
    owner = np.tile(index, len(shifts))
    partner = np.concatenate([np.roll(index, -shift) for shift in shifts])
    kept = (owner == partner) | ((labels[owner] != labels[partner]) & (groups[owner] != groups[partner]))
    return owner[kept], partner[kept]
