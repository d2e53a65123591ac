"""What a filter is worth on patients it was not trained on."""

from __future__ import annotations

import numpy as np

from filters.metrics import auroc, bootstrap_interval, retrieval
from filters.training.pairs import Encoder, Pairs, embed

_SHUFFLES = 16  # wrong texts an image is measured against


def evaluate(trained: Encoder, pairs: Pairs, seed: int) -> dict[str, float]:
    """On the held-out patients: retrieval, and matched pairs against texts of other patients."""
    n = len(pairs.labels)
    if n < 2:
        return {"holdout_pairs": float(n)}
    left, right = (rows.numpy() for rows in embed(trained, pairs))
    order = np.arange(n)
    shuffled = [np.roll(order, -shift) for shift in range(1, min(_SHUFFLES, n - 1) + 1)]
    partner = np.concatenate([order, *shuffled])
    owner = np.tile(order, len(shuffled) + 1)
    right_ones = owner == partner
    kept = right_ones | (
        (pairs.labels[owner] != pairs.labels[partner]) & (pairs.groups[owner] != pairs.groups[partner])
    )
    owner, partner, right_ones = owner[kept], partner[kept], right_ones[kept]
    scores = np.einsum("ij,ij->i", left[owner], right[partner])
    found = retrieval(left, right, [str(label) for label in pairs.labels])
    low, high = bootstrap_interval(scores, right_ones, list(pairs.groups[owner]), seed=seed)
    named = {"holdout_auroc": auroc(scores, right_ones), "holdout_auroc_low": low, "holdout_auroc_high": high}
    return {"holdout_pairs": float(n), **{f"holdout_r{k}": v for k, v in found.items()}, **named}
