"""Wrong pairs made of right ones by derangement: texts change places, so that none stands twice for being planted.

A share of the pairs ("image") or of the cases ("study": all of a case's texts go to another) is chosen, and among those
the texts go round: at random, or "near", among pictures of one kind. No text goes to its own case or to its equal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVELS, HOW, SHARES = ("image", "study"), ("random", "near"), (0.3, 0.6)
Index = NDArray[np.int64]


def deranged(
    groups: Sequence[str], texts: Sequence[str], kinds: Sequence[str], level: str, how: str, share: float, seed: int
) -> Index:
    """int64[n]: whose text each pair has; its own where it was left."""
    rng = np.random.default_rng([seed, 5])
    owner = np.asarray(groups)
    kind = np.asarray(kinds) if how == "near" else np.full(len(owner), "")
    source = np.arange(len(owner))
    if level == "image":
        chosen = rng.permutation(len(owner))[: round(share * len(owner))]
        for name in np.unique(kind[chosen]):
            ring = chosen[kind[chosen] == name]
            source[ring] = _round(ring, owner, texts, rng)
        return source
    names = rng.permutation(np.unique(owner))
    rows = {name: np.flatnonzero(owner == name) for name in names[: round(share * len(names))]}
    for one in np.unique([kind[r[0]] for r in rows.values()]):
        ring_names = [name for name, r in rows.items() if kind[r[0]] == one]
        for name, other in zip(ring_names, np.roll(ring_names, 1), strict=True):
            source[rows[name]] = np.resize(rows[str(other)], len(rows[name]))
    return source


def _round(ring: Index, owner: NDArray[np.str_], texts: Sequence[str], rng: np.random.Generator) -> Index:
    """``ring`` in another order: pairs that would meet their own case or text are shuffled again, and left at last."""
    order = rng.permutation(ring)

    def stuck() -> Index:
        return np.array([k for k, (i, j) in enumerate(zip(ring, order, strict=True))
                         if owner[i] == owner[j] or texts[i] == texts[j]], np.int64)  # fmt: skip

    for _ in range(200):
        if not len(wrong := stuck()):
            return order
        others = rng.permutation(len(ring))[: len(wrong)]
        mixed = rng.permutation(np.union1d(wrong, others))
        order[np.sort(mixed)] = order[mixed]
    for k in stuck():
        at = int(np.flatnonzero(order == ring[k])[0])
        order[[k, at]] = order[[at, k]]
    return order
