"""Hot buckets, linearly: a row of one is linked to the first leader that it matches, and not to every other row.

A million blank pictures, 200,000 reports that say "normal" under other headings, 20,000 noisy copies of one phantom:
all share a bucket, and all pairs of them are too many. Rows come best first, so the leader of a bucket is the row that
a duplicate is dropped for anyhow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from curate.dedup.exact import Pairs

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Confirm = Callable[[Rows, Rows], Bools]  # (lower rows, higher rows) -> which of these pairs match

HOT = 64  # in a bucket of no more rows all pairs are compared


def link_to_leaders(
    n: int, keys: Iterable[npt.NDArray[np.generic]], confirm: Confirm, most: int
) -> tuple[Pairs, Bools]:
    """(int64[m, 2] links, bool[n] the rows that still have to be compared with others).

    keys: one array[n] a bucketing, equal where rows share a bucket. In a bucket of more than `HOT` the first row leads:
    what it matches is linked to it and looked at no more; the rest has the next leader, until `HOT` are left or
    ``most`` have led. So a row meets at most ``most`` leaders a bucketing.
    """
    links = [np.empty((0, 2), dtype=np.int64)]
    free = np.ones(n, dtype=bool)
    for key in keys:
        rows, bucket = _hot(np.flatnonzero(free), key)
        for _ in range(most):
            if not len(rows):
                break
            first = np.ones(len(rows), dtype=bool)
            first[1:] = bucket[1:] != bucket[:-1]
            leader, member, bucket = rows[first][np.cumsum(first) - 1][~first], rows[~first], bucket[~first]
            match = confirm(leader, member)
            links.append(np.stack([leader[match], member[match]], axis=1))
            free[member[match]] = False
            rows, bucket = member[~match], bucket[~match]
            hot = np.bincount(bucket, minlength=1)[bucket] > HOT
            rows, bucket = rows[hot], bucket[hot]
    return np.concatenate(links), free


def _hot(rows: Rows, key: npt.NDArray[np.generic]) -> tuple[Rows, Rows]:
    """(The rows of hot buckets, bucket by bucket and rising in each; a number for each one's bucket)."""
    order = rows[np.argsort(key[rows], kind="stable")]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = key[order[1:]] != key[order[:-1]]
    bucket = np.cumsum(fresh) - 1
    hot = np.bincount(bucket, minlength=1)[bucket] > HOT
    return order[hot], bucket[hot]
