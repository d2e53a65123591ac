"""What a matching filter is worth on the patients it was not trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from filters.method import Batch, Method, Records
from filters.metrics import auroc, bootstrap_interval
from filters.towers.preprocess import Pixels
from filters.training.holdout import against_others

_SHUFFLES = 4  # wrong texts a held-out image is measured against


def measure(
    method: Method, pixels: Pixels, pairs: Records, held: NDArray[np.int64] | None, seed: int
) -> dict[str, float]:
    """AUROC of each column, held-out patients' pairs against the same images with other held-out texts."""
    index = np.arange(len(pairs)) if held is None else held
    n = len(index)
    if n < 2:
        return {"holdout_pairs": float(n)}
    texts, groups = np.array(pairs.texts, dtype=object), np.array(pairs.groups)
    owner, partner = against_others(index, texts, groups, _SHUFFLES)
    side = method.sides[0]
    scores = method(Batch({side: pixels[owner]}, [str(t) for t in texts[partner]], np.ones(len(owner), dtype=bool)))
    right = owner == partner
    out = {"holdout_pairs": float(n)}
    for name, values in scores.items():
        out[f"holdout_auroc{'_' if name else ''}{name}"] = auroc(values, right)
    low, high = bootstrap_interval(scores[""], right, [str(g) for g in groups[owner]], seed=seed)
    return out | {"holdout_auroc_low": low, "holdout_auroc_high": high}
