"""From links to clusters: connected components, and who stands for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from curate.dedup.exact import Pairs

Rows = npt.NDArray[np.int64]
Links = npt.NDArray[np.int8]
Match = Callable[[Rows, Rows], Links]  # (representatives, members) -> the kind of link, 0 for none


def components(n: int, pairs: Pairs) -> Rows:
    """int64[n]: the lowest row of each row's connected component.

    pairs: int64[m, 2]. Hooking and pointer jumping (Shiloach & Vishkin 1982), a few rounds of O(n + m).
    """
    label = np.arange(n)
    while True:
        ends = label[pairs]
        low, high = ends.min(axis=1), ends.max(axis=1)
        apart = low != high
        if not apart.any():
            return label
        np.minimum.at(label, high[apart], low[apart])
        while (label != label[label]).any():
            label = label[label]


def represent(n: int, pairs: Pairs, match: Match) -> tuple[Rows, Links]:
    """(int64[n] each row's representative, itself where kept; int8[n] the link that dropped it, 0 where kept).

    A lower row is a better one. Round by round the best row left of each component stays, those that ``match`` it are
    dropped, and the rest go into the next round.
    """
    parent, link = np.arange(n), np.zeros(n, dtype=np.int8)
    label = components(n, pairs)
    left = np.flatnonzero(np.bincount(label, minlength=n)[label] > 1)
    left = left[np.lexsort((left, label[left]))]
    while len(left):
        fresh = np.ones(len(left), dtype=bool)
        fresh[1:] = label[left[1:]] != label[left[:-1]]
        reps, members = left[fresh][np.cumsum(fresh) - 1][~fresh], left[~fresh]
        kind = match(reps, members)
        parent[members[kind > 0]], link[members] = reps[kind > 0], kind
        left = members[kind == 0]
    return parent, link
