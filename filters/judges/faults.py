"""The two ways in which a text becomes another patient's, and how common each is: a single pair exchanged, or all pairs
of a patient.

What a patient's other pairs say misleads where whole studies were exchanged, since then all is coherent, and wrong; so
the faults are told apart. Each is a ratio of two densities, of pairs with that fault and of pairs as they are; the odds
that a pair is wrong are the two ratios, each times how common its fault is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from filters.judges.belief import shifted
from filters.judges.stack import Floats, Index, Linear

# shares of (single pairs, whole patients) that are exchanged, one round each
SINGLE = ((0.25, 0.25), (0.25, 0.25), (0.5, 0.1), (0.1, 0.5), (0.15, 0.15), (0.5, 0.3))
WHOLE = ((0.0, 0.1), (0.0, 0.3), (0.0, 0.5), (0.1, 0.3))
SINGLE_MORE, WHOLE_MORE = ((0.12, 0.0),) * 5, ((0.0, 0.12),) * 5
_ROUNDS = 200
_SURELY = 0.95  # the quantile of a fault's own ratios above which the pool can hold nothing but it
_LEAST, _MOST = 0.02, 0.98


@dataclass(frozen=True, eq=False)
class Faults:
    """``single`` and ``whole``: log-odds of a pair as it is against one of that fault, at even numbers. ``shares`` of
    the pool have each; ``right``: the share of right pairs; ``shift`` makes the mean probability that."""

    single: Linear
    whole: Linear
    shares: tuple[float, ...] = (0.25, 0.25)
    right: float = 0.5
    shift: float = 0.0

    def __call__(self, columns: Floats) -> Floats:
        """float64[n]: the probability that a pair is right, of `filters.judges.study.Memory.columns`."""
        return np.asarray(expit(self._log_odds(columns) + self.shift), np.float64)

    def _log_odds(self, columns: Floats) -> Floats:
        return np.asarray(-np.log(self._ratios(columns) @ np.array(self.shares) + 1e-12), np.float64)

    def _ratios(self, columns: Floats) -> Floats:
        return np.exp(-np.clip(np.column_stack([self.single(columns), self.whole(columns)]), -30, 30))

    def of_pool(self, columns: Floats) -> Faults:
        """As common as they are in a pool, where pairs as they are were right ones: expectation maximisation over the
        shares (Saerens, Latinne & Decaestecker 2002)."""
        ratios = np.column_stack([np.ones(len(columns)), self._ratios(columns)])
        shares = np.array([0.6, 0.2, 0.2])
        for _ in range(_ROUNDS):
            each = shares * ratios
            shares = (each / each.sum(axis=1, keepdims=True)).mean(axis=0)
        return self._shifted(columns, (float(shares[1]), float(shares[2])), float(shares[0]))

    def of_mixture(self, columns: Floats, right: float) -> Faults:
        """As common as they were where the pool itself was what pairs as they are were. ``right`` is known from
        elsewhere."""
        return self._shifted(columns, self.shares, right)

    def _shifted(self, columns: Floats, shares: tuple[float, ...], right: float) -> Faults:
        found = replace(self, shares=shares, right=float(np.clip(right, _LEAST, _MOST)))
        return replace(found, shift=shifted(found._log_odds(columns), found.right))


def largest_share(fault: Linear, planted: Floats) -> float:
    """The largest share of the pairs as they are that can have a fault, given ``planted`` ones of it: nowhere can there
    be more of it than there are pairs."""
    return float(np.clip(1 / np.quantile(np.exp(-fault(planted)), _SURELY), 1e-4, 1))


def exchange(
    groups: Sequence[str], fold: Index, rng: np.random.Generator, pairs: float, patients: float
) -> tuple[Index, NDArray[np.bool_], NDArray[np.bool_]]:
    """(whose text each pair now has, whether it is another patient's, whether all its patient's are): the share
    ``patients`` of the patients gave all their texts to another, and the share ``pairs`` of the other pairs its own.
    Texts stay within their ``fold``."""
    owner, source = np.asarray(groups), np.arange(len(groups))
    whole = np.zeros(len(groups), np.bool_)
    for part in np.unique(fold):
        mine = np.flatnonzero(fold == part)
        rows = {name: mine[owner[mine] == name] for name in rng.permutation(np.unique(owner[mine]))}
        away = list(rows)[: int(patients * len(rows))]
        for name, other in zip(away, np.roll(away, 1), strict=True):
            source[rows[name]] = np.resize(rows[str(other)], len(rows[name]))
            whole[rows[name]] = True
        single = mine[(source[mine] == mine) & (rng.random(len(mine)) < pairs)]
        source[single] = rng.permutation(single)
    wrong = owner[source] != owner
    return np.where(wrong, source, np.arange(len(groups))), wrong, whole & wrong
