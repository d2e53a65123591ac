"""Training batches: hold-out by group, and index arrays in which no text occurs twice. No torch here."""

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

    The same text twice in a batch would be a false negative of itself. A pair that does not fit into a batch is
    postponed to the next; pairs left over when no full batch can be made are not used in this epoch.
    """
    return ordered_batches(labels, size, rng.permutation(len(labels)))


def ordered_batches(labels: NDArray[np.int64], size: int, order: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """`batches` of the pairs in the given ``order``, taken from its end."""
    remaining = order.tolist()
    postponed: list[int] = []
    while len(remaining) + len(postponed) >= size:
        batch: list[int] = []
        repeated: list[int] = []
        batch_texts: set[int] = set()
        while (postponed or remaining) and len(batch) < size:
            i = postponed.pop() if postponed else remaining.pop()
            if labels[i] in batch_texts:
                repeated.append(i)
            else:
                batch_texts.add(int(labels[i]))
                batch.append(i)
        if len(batch) < size:
            return
        yield np.array(batch)
        postponed += repeated
