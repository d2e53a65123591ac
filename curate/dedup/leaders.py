"""Hot buckets, linearly: a row of one is linked to the first leader that it matches, and not to every other row.

A million blank pictures, 200,000 reports that say "normal" under other headings, 20,000 noisy copies of one phantom:
all share a bucket, and all pairs of them are too many. Rows come best first, so the leader of a bucket is the row that
a duplicate is dropped for anyhow.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from curate.dedup.exact import Pairs

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]
Confirm = Callable[[Rows, Rows], Bools]  # (lower rows, higher rows) -> which of these pairs match

HOT = 64  # in a bucket of no more rows all pairs are compared


def link_to_leaders(rows: Rows, key: Hashes, confirm: Confirm, most: int, hot: int = HOT) -> Pairs:
    """int64[m, 2]: each row of a hot bucket linked to the first leader that it matches.

    rows: rising; key: uint64[n], hashes, equal where two rows of the whole table share a bucket. In a bucket of more
    than ``hot`` of ``rows`` the first leads: what matches it is linked to it and looked at no more; the rest has the
    next leader, until ``hot`` are left or ``most`` have led.
    """
    links = [np.empty((0, 2), dtype=np.int64)]
    rows, bucket = _hot(rows, key, hot)
    for _ in range(most):
        if not len(rows):
            break
        first = np.ones(len(rows), dtype=bool)
        first[1:] = bucket[1:] != bucket[:-1]
        leader, member, bucket = rows[first][np.cumsum(first) - 1][~first], rows[~first], bucket[~first]
        match = confirm(leader, member)
        links.append(np.stack([leader[match], member[match]], axis=1))
        rows, bucket = member[~match], bucket[~match]
        crowded = np.bincount(bucket, minlength=1)[bucket] > hot
        rows, bucket = rows[crowded], bucket[crowded]
    return np.concatenate(links)


def _hot(rows: Rows, key: Hashes, hot: int) -> tuple[Rows, Rows]:
    """(The rows of hot buckets, bucket by bucket and rising in each; a number for each one's bucket)."""
    order, bucket = by_bucket(key[rows])
    crowded = np.bincount(bucket, minlength=1)[bucket] > hot
    return rows[order[crowded]], bucket[crowded]


def by_bucket(key: Hashes) -> tuple[Rows, Rows]:
    """(Rows, bucket by bucket and rising in each; a number for each one's bucket). ``key``: uint64[n], hashes.

    Sorted with the row in the lowest bits of each hash, which costs a tenth of a stable sort of places; what is left of
    64 bits tells buckets apart, but for a chance that only proposes more.
    """
    bits = np.uint64(len(key).bit_length())
    mixed = np.sort((key >> bits << bits) | np.arange(len(key), dtype=np.uint64))
    order = (mixed & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    mixed >>= bits
    return order, np.cumsum(np.diff(mixed, prepend=mixed[:1]) != 0)


def mix(state: Hashes, value: npt.NDArray[np.unsignedinteger]) -> Hashes:
    """uint64[n]: a hash of what is hashed already and one value more."""
    mixed = (state ^ value) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(mixed ^ (mixed >> np.uint64(32)), dtype=np.uint64)
