"""Clean pairs to training batches: who is held out, and index arrays in which no text comes twice. No torch here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def hold_out(groups: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """bool[n]: whole groups, drawn until they hold ``share`` of the pairs; never all of them, none for share 0."""
    names, owner, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    chosen = order[: min(int((before < share * len(groups)).sum()), len(names) - 1)]
    return np.isin(owner, chosen)


def batches(labels: NDArray[np.int64], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """One epoch: index arrays of exactly ``size`` pairs whose ``labels`` (texts) differ from each other.

    The same text twice in a batch would be taught as wrong for itself. A pair that finds no place in a batch waits
    for the next; what is left when no full batch can be made sits out this epoch, another part the next time.
    """
    return ordered_batches(labels, size, rng.permutation(len(labels)))


def ordered_batches(labels: NDArray[np.int64], size: int, order: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """`batches` of the pairs as ``order`` names them, its last ones first."""
    fresh = order.tolist()
    late: list[int] = []
    while len(fresh) + len(late) >= size:
        batch: list[int] = []
        rest: list[int] = []
        seen: set[int] = set()
        while (late or fresh) and len(batch) < size:
            i = late.pop() if late else fresh.pop()
            if labels[i] in seen:
                rest.append(i)
            else:
                seen.add(int(labels[i]))
                batch.append(i)
        if len(batch) < size:
            return
        yield np.array(batch)
        late += rest
