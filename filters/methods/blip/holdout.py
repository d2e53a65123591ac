"""Clean pairs decoded, and what a matching filter is worth on the patients it was not trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.errors import RecipeError
from filters.evaluate.metrics import auroc, bootstrap_interval
from filters.method import Batch, Method, Records
from filters.towers import preprocess

_SHUFFLES = 4  # wrong texts a held-out image is measured against


def decode(records: Records, side: int) -> tuple[preprocess.Pixels, NDArray[np.int64]]:
    """uint8[k, side, side, c] and the rows they are of; RecipeError where no image decodes."""
    decoded = [preprocess.decode(image, side) for image in records.images]
    good = [i for i, pixels in enumerate(decoded) if pixels is not None]
    if not good:
        problem = f"none of {len(records)} images decodes"
        raise RecipeError("clean set", problem, "give a clean set of PNG or JPEG images")
    return preprocess.stack([p for p in decoded if p is not None]), np.array(good)


def measure(
    method: Method, pixels: preprocess.Pixels, pairs: Records, held: NDArray[np.int64] | None, seed: int
) -> dict[str, float]:
    """AUROC of each column, held-out patients' pairs against the same images with other held-out texts."""
    index = np.arange(len(pairs)) if held is None else held
    n = len(index)
    if n < 2:
        return {"holdout_pairs": float(n)}
    shifts = range(min(_SHUFFLES, n - 1) + 1)
    owner = np.concatenate([index] * len(shifts))
    partner = np.concatenate([np.roll(index, -s) for s in shifts])
    texts, groups = np.array(pairs.texts, dtype=object), np.array(pairs.groups)
    kept = (owner == partner) | ((texts[owner] != texts[partner]) & (groups[owner] != groups[partner]))
    owner, partner = owner[kept], partner[kept]
    side = method.sides[0]
    scores = method(Batch({side: pixels[owner]}, [str(t) for t in texts[partner]], np.ones(len(owner), dtype=bool)))
    right = owner == partner
    out = {"holdout_pairs": float(n)}
    for name, values in scores.items():
        out[f"holdout_auroc{'_' if name else ''}{name}"] = auroc(values, right)
    low, high = bootstrap_interval(scores[""], right, [str(g) for g in groups[owner]], seed=seed)
    return out | {"holdout_auroc_low": low, "holdout_auroc_high": high}
