"""All pairs of 64-bit hashes within a Hamming distance: exact, and never all pairs compared.

The pigeonhole multi-index: cut the bits into m chunks with radii t_i such that sum(t_i + 1) = distance + 1. If every
chunk differed by more than its t_i, the whole would differ by more than the distance; so every pair within it agrees
to within t_i on some chunk i, and is found by probing chunk values (Norouzi, Punjani & Fleet 2012, arXiv 1307.2982;
unequal radii: Qin et al. 2018, GPH). How many chunks is chosen by the expected work for n hashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

BITS = 64
_MAX_TABLE_BITS = 22  # a probe looks up a table of 2**22 int64: 32 MiB
_LARGE_GROUP = 4096  # beyond, a group is searched by itself with a plan of its own size


@dataclass(frozen=True)
class Chunk:
    """Bits ``shift`` .. ``shift + width`` of the hash, probed to within ``radius`` of it."""

    shift: int
    width: int
    radius: int

    def of(self, hashes: Hashes) -> Rows:
        """int64[n]: the chunk's bits."""
        # a shift by the whole width of the type is undefined, and one chunk of all bits needs no mask
        mask = np.uint64((1 << self.width) - 1)
        return ((hashes >> np.uint64(self.shift)) & mask).view(np.int64)

    @property
    def probes(self) -> int:
        """How many values lie within the radius."""
        return sum(comb(self.width, k) for k in range(self.radius + 1))


def plan(n: int, distance: int) -> list[Chunk]:
    """The cheapest cut of 64 bits for n uniform hashes."""
    plans = [cut(m, distance) for m in range(1, distance + 2)]
    usable = [p for p in plans if all(c.radius == 0 or c.width <= _MAX_TABLE_BITS for c in p)]
    return min(usable, key=lambda p: _cost(p, n))


def cut(m: int, distance: int) -> list[Chunk]:
    """``m`` chunks of 64 bits, with the radii that find every pair within ``distance``."""
    spare = distance + 1 - m
    out, shift = [], 0
    for i in range(m):
        width = BITS // m + (i < BITS % m)
        out.append(Chunk(shift, width, spare // m + (i < spare % m)))
        shift += width
    return out


def _cost(chunks: list[Chunk], n: int) -> float:
    """Expected elementary steps: candidates compared, probes looked up, tables built."""
    compared = sum(n * n / 2 * c.probes / float(2**c.width) for c in chunks)
    looked_up = sum(n * c.probes + (1 << c.width) for c in chunks if c.radius)
    return compared + looked_up


def hamming_pairs(hashes: Hashes, distance: int, group: Rows | None = None) -> Iterator[Rows]:
    """Blocks of int64[m, 2], i < j: every pair within ``distance`` (and of one group) exactly once, in no stated order.

    hashes: uint64[n]; group: int64[n] >= 0, small numbers. Many equal hashes are many pairs: collapse them before.
    """
    if not 0 <= distance < BITS:
        raise ValueError(f"distance {distance} is outside 0..{BITS - 1}")
    if group is None:
        yield from _search(hashes, plan(len(hashes), distance), distance)
        return
    sizes = np.bincount(group, minlength=1)
    for g in np.flatnonzero(sizes > _LARGE_GROUP):
        rows = np.flatnonzero(group == g)
        for block in _search(hashes[rows], plan(len(rows), distance), distance):
            yield rows[block]
    rows = np.flatnonzero((sizes[group] > 1) & (sizes[group] <= _LARGE_GROUP))
    for block in _search(hashes[rows], cut(distance + 1, distance), distance, group[rows]):
        yield rows[block]


def _search(hashes: Hashes, chunks: list[Chunk], distance: int, group: Rows | None = None) -> Iterator[Rows]:
    for k, chunk in enumerate(chunks):
        for left, right in _candidates(chunk.of(hashes), chunk, group):
            x = hashes[left] ^ hashes[right]
            near = np.flatnonzero(np.bitwise_count(x) <= distance)
            x = x[near]
            new = np.ones(len(near), dtype=bool)
            for earlier in chunks[:k]:  # a pair that an earlier chunk found is not told twice
                new &= np.bitwise_count(earlier.of(x)) > earlier.radius
            pairs = np.stack([left[near[new]], right[near[new]]], axis=1)
            if len(pairs):
                yield np.sort(pairs, axis=1)


def _candidates(values: Rows, chunk: Chunk, group: Rows | None) -> Iterator[tuple[Rows, Rows]]:
    """(rows, rows) whose chunk values lie within the radius, each unordered pair once; blocks of at most n pairs."""
    order = np.argsort(values, kind="stable") if group is None else np.lexsort((values, group))
    ordered = values[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    if group is not None:
        fresh[1:] |= group[order[1:]] != group[order[:-1]]
    start = np.flatnonzero(fresh)
    end = np.append(start[1:], len(order))[np.cumsum(fresh) - 1]
    here = np.arange(len(order))
    yield from _walk(order, here, here + 1, end)
    if chunk.radius == 0:
        return
    table = np.zeros((1 << chunk.width) + 1, dtype=np.int64)
    np.cumsum(np.bincount(values, minlength=1 << chunk.width), out=table[1:])
    for k in range(1, chunk.radius + 1):
        for bits in combinations(range(chunk.width), k):
            mask = sum(1 << b for b in bits)
            low = np.flatnonzero(ordered & (1 << bits[-1]) == 0)  # of v and v ^ mask, the lower looks up the higher
            target = ordered[low] ^ mask
            yield from _walk(order, low, table[target], table[target + 1])


def _walk(order: Rows, here: Rows, there: Rows, end: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Pair the row at each place ``here`` with every row at the places ``there`` .. ``end``, a step a block."""
    while True:
        more = np.flatnonzero(there < end)
        if len(more) == 0:
            return
        here, there, end = here[more], there[more], end[more]
        yield order[here], order[there]
        there = there + 1
