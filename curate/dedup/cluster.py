"""From links to clusters: connected components, and who stands for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curate.dedup.exact import Pairs

Rows = npt.NDArray[np.int64]
Links = npt.NDArray[np.int8]
Match = Callable[[Rows, Rows], Links]  # (representatives, members) -> the kind of link, 0 for none


_SMALL = 64  # rows of a component that are weighed round by round, all components at once
_HEADS = 64  # of rows that only a dropped one linked, so many are tried as a leader of the others


def components(n: int, pairs: npt.NDArray[np.integer]) -> Rows:
    """int64[n]: the lowest row of each row's connected component. pairs: int[m, 2]."""
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(max(n, 1), max(n, 1)))
    label = connected_components(graph, directed=False)[1][:n]
    return np.asarray(np.unique(label, return_index=True)[1][label], dtype=np.int64)


def represent(n: int, pairs: Pairs, match: Match) -> tuple[Rows, Links]:
    """(int64[n] each row's representative, itself where kept; int8[n] the link that dropped it, 0 where kept).

    A lower row is a better one. The best row left of a component stays, those that ``match`` it are dropped, and so on
    with the rest. In a large component a row that stays is compared with the rows that are linked to it, and to what is
    dropped for it, rather than with all: then a chain or a hot bucket of n rows costs about n comparisons.
    """
    parent, link = np.arange(n), np.zeros(n, dtype=np.int8)
    label = components(n, pairs)
    size = np.bincount(label, minlength=n)[label] if n else label
    left = np.flatnonzero((size > 1) & (size <= _SMALL))
    left = left[np.lexsort((left, label[left]))]
    while len(left):
        fresh = np.ones(len(left), dtype=bool)
        fresh[1:] = label[left[1:]] != label[left[:-1]]
        reps, members = left[fresh][np.cumsum(fresh) - 1][~fresh], left[~fresh]
        kind = match(reps, members)
        parent[members[kind > 0]], link[members] = reps[kind > 0], kind
        left = members[kind == 0]
    if (size > _SMALL).any():
        _Large(pairs[size[pairs[:, 0]] > _SMALL], match, parent, link).settle()
    return parent, link


class _Large:
    """Large components: rows in order, each with the rows that it may be the representative of."""

    def __init__(self, pairs: Pairs, match: Match, parent: Rows, link: Links) -> None:
        both = np.concatenate([pairs, pairs[:, ::-1]])
        both = both[np.argsort(both[:, 0], kind="stable")]
        self.other, self.rows = both[:, 1], np.unique(both[:, 0])
        self.start = np.searchsorted(both[:, 0], np.arange(len(parent) + 1))
        self.match, self.parent, self.link = match, parent, link
        self.open = np.ones(len(parent), dtype=bool)  # neither dropped nor kept yet
        self.tested = np.full(len(parent), -1, dtype=np.int64)  # against which row last
        self.behind: dict[int, list[tuple[Rows, int]]] = {}  # rows that a dropped one linked, under the first of them

    def settle(self) -> None:
        for row in self.rows.tolist():
            if self.open[row]:
                self.open[row] = False
                self._drop_for(row)

    def _drop_for(self, row: int) -> None:
        waiting = self.behind.pop(row, [])
        frontier = np.unique(np.concatenate([self._linked(np.array([row]))[1], *(rows for rows, _ in waiting)]))
        while len(frontier := frontier[self.open[frontier] & (self.tested[frontier] != row)]):
            kind = self.match(np.full(len(frontier), row), frontier)
            self.tested[frontier] = row
            dropped = frontier[kind > 0]
            self.parent[dropped], self.link[dropped], self.open[dropped] = row, kind[kind > 0], False
            waiting += [group for gone in dropped.tolist() for group in self.behind.pop(gone, [])]
            gone, linked = self._linked(dropped)
            waiting += [(rows, 0) for rows in np.split(linked, np.flatnonzero(np.diff(gone)) + 1) if len(rows) > 1]
            frontier = np.unique(np.concatenate([linked, *(rows for rows, _ in waiting)]))
        for rows, heads in waiting:
            rest = np.sort(rows[self.open[rows]])
            if len(rest) > 1 and heads < _HEADS:
                self.behind.setdefault(int(rest[0]), []).append((rest[1:], heads + 1))

    def _linked(self, rows: Rows) -> tuple[Rows, Rows]:
        """(Which of ``rows``, a row that is linked to it and open), for all such pairs."""
        many = self.start[rows + 1] - self.start[rows]
        first = np.repeat(self.start[rows] - (np.cumsum(many) - many), many)
        owner, other = np.repeat(rows, many), self.other[first + np.arange(int(many.sum()))]
        return owner[self.open[other]], other[self.open[other]]
