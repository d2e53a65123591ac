"""The ways in which a text becomes another patient's, and how common each is in a pool.

A single pair is exchanged, or all pairs of a patient: what a patient's other pairs say misleads where whole studies
were exchanged, since then all is coherent, and wrong. Each is a ratio of two densities, of pairs with that fault and of
pairs as they are, by a logistic regression on exchanges that were injected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from filters.judges.stack import Floats, Index
from filters.metrics import resampled, shares_of

FAULTS = ("single", "whole")
# shares of the pairs and of the patients that are injected with each fault, one round each. A clean set is spoiled by
# little and by much, for nobody knows how bad the pool will be; a pool of which nobody knows is bad enough already.
# With half as many rounds the AUROC depends on which pairs were drawn (near mismatches: 0.82 to 0.90)
_MIXES = ((0.3, 0.0), (0.0, 0.3), (0.2, 0.2), (0.5, 0.2), (0.1, 0.1), (0.1, 0.5), (0.25, 0.25), (0.5, 0.1))
ON_CLEAN, ON_POOL = _MIXES * 2, ((0.12, 0.0),) * 10 + ((0.0, 0.12),) * 10
_PENALTY = 0.005  # a pair, of half the squared weights
_DRAWS = 50  # of the patients; 64 are the most in one piece
_SURELY = 0.95  # the quantile of a fault's own ratios above which the pool can hold nothing but it
_LOG = 30.0  # of a ratio
_CLIP = 4.0  # standard deviations: nothing is so far off that its square decides alone


@dataclass(frozen=True, eq=False)
class Faults:
    """``weights`` float64[f, 2] and ``intercept`` float64[2]: log ratios of each of `FAULTS` to pairs as they are, of
    standardised columns and their products. ``shares`` of the pool have each, ``right`` is the share of right pairs."""

    center: Floats
    scale: Floats
    weights: Floats
    intercept: Floats
    shares: Floats
    right: float = 1.0

    def __call__(self, columns: Floats) -> Floats:
        """float64[n]: the probability that a pair is right, of `filters.judges.study.Memory.columns`."""
        wrong = self.ratios(columns) @ self.shares
        return np.asarray(self.right / (self.right + wrong), np.float64)

    def ratios(self, columns: Floats) -> Floats:
        """float64[n, 2]: how much denser pairs with each fault are here than pairs as they are."""
        z = _products(np.clip((columns - self.center) / self.scale, -_CLIP, _CLIP))
        return np.exp(np.clip(z @ self.weights + self.intercept, -_LOG, _LOG))

    @classmethod
    def of(cls, columns: Floats, fault: Index) -> Faults:
        """Of columns float64[n, k] of pairs as they are (``fault`` 0) and of injected ones (1, 2), both
        counting the same; a fault that could not be injected has no share."""
        scaler = StandardScaler().fit(columns)
        z = _products(np.clip(scaler.transform(columns), -_CLIP, _CLIP))
        weights, intercept = np.zeros((z.shape[1], len(FAULTS))), np.full(len(FAULTS), -_LOG)
        for k in range(len(FAULTS)):
            some, wrong = (fault == 0) | (fault == k + 1), fault == k + 1
            if 0 < wrong.sum() < some.sum():
                again = StandardScaler().fit(z[some])
                found = LogisticRegression(C=1 / (_PENALTY * some.sum()), max_iter=2000, class_weight="balanced")
                found.fit(again.transform(z[some]), wrong[some])
                weights[:, k] = found.coef_[0] / again.scale_
                intercept[k] = found.intercept_[0] - weights[:, k] @ again.mean_
        return cls(scaler.mean_, scaler.scale_, weights, intercept, np.zeros(len(FAULTS)))

    def of_pool(self, columns: Floats) -> Faults:
        """As common as they are in a pool, where pairs as they are were right ones."""
        shares = shares_of(self.ratios(columns), np.ones((1, len(columns))))[0]
        return replace(self, shares=shares[1:], right=float(shares[0]))

    def standard_error(self, columns: Floats, groups: NDArray[np.uint64], seed: int) -> float:
        """Of the share of right pairs in `of_pool`, over patients drawn again (``groups`` uint64[n]): where the two
        faults can stand for each other, or for right pairs, it is large."""
        (drawn,) = resampled(groups.tolist(), _DRAWS, seed)
        return float(np.std(shares_of(self.ratios(columns), drawn)[:, 0]))

    def of_mixture(self, columns: Floats, fault: Index, pool: Floats, right: float) -> Faults:
        """Where pairs as they are were the pool itself, of which ``right`` are: the other pairs have each fault in the
        proportion of the most that the pool can hold of it, by the injected ``columns`` of each."""
        most = [largest_share(self.ratios(columns[fault == k])[:, k - 1]) for k in range(1, len(FAULTS) + 1)]
        wrong = self.ratios(pool) @ np.array(most)
        right = float(np.clip(right, 0.02, 0.98))

        def excess(log: float) -> float:
            return float((right / (right + np.exp(log) * wrong)).mean()) - right

        scale = float(np.exp(brentq(excess, -_LOG, _LOG)))
        return replace(self, shares=scale * np.array(most), right=right)

    def unlike(self, injected: Floats, fault: Index, pool: Floats) -> float:
        """How much righter the pool's wrong pairs look by themselves than injected ones, in standard deviations of
        these: the mean log-odds, the first column, weighted by the probability of being wrong."""
        wrong = 1 - self(pool)
        each = np.append(0, self.shares)[fault] / np.bincount(fault, minlength=1 + len(FAULTS))[fault]
        if not each.any() or not wrong.any():
            return 0.0
        mean = np.average(injected[:, 0], weights=each)
        spread = np.sqrt(np.average((injected[:, 0] - mean) ** 2, weights=each))
        return float((np.average(pool[:, 0], weights=wrong) - mean) / max(spread, 1e-9))


def holdout_error(columns: Floats, fault: Index, half: NDArray[np.bool_], pool: Index) -> float:
    """Root mean square error of the share of right pairs by `Faults.of_pool` where the truth is known: ``pool``
    int64[n] says which injected pool a row is of, ``half`` bool[n] in which half of the patients; each pool is judged
    by what the other half of its patients taught. 1 where one half has nobody."""
    if half.all() or not half.any():
        return 1.0
    ratios = np.empty((len(columns), len(FAULTS)))
    for held_out in (half, ~half):
        ratios[held_out] = Faults.of(columns[~held_out], fault[~held_out]).ratios(columns[held_out])
    each = np.equal(np.unique(pool)[:, None], pool[None]).astype(np.float64)
    right = each @ (fault == 0) / each.sum(axis=1)
    return float(np.sqrt(np.mean(np.square(shares_of(ratios, each)[:, 0] - right))))


def largest_share(ratios: Floats) -> float:
    """The largest share of the pairs as they are that can have a fault, given the ``ratios`` of injected ones: nowhere
    can there be more of it than there are pairs."""
    return float(np.clip(1 / np.quantile(ratios, _SURELY), 1e-4, 1)) if len(ratios) else 1e-4


def _products(z: Floats) -> Floats:
    left, right = np.triu_indices(z.shape[1])
    return np.column_stack([z, z[:, left] * z[:, right]])


def exchange(
    groups: Sequence[str], fold: Index, rng: np.random.Generator, pairs: float, patients: float
) -> tuple[Index, Index]:
    """(whose text each pair now has; 0, or which fault it has by that: 1 and its place in `FAULTS`): the share
    ``patients`` of the patients gave all their texts to another, and the share ``pairs`` of the other pairs its own.
    Texts stay within their ``fold``."""
    owner, source = np.asarray(groups), np.arange(len(groups))
    whole = np.zeros(len(groups), np.bool_)
    for part in np.unique(fold):
        mine = np.flatnonzero(fold == part)
        rows = {name: mine[owner[mine] == name] for name in rng.permutation(np.unique(owner[mine]))}
        away = list(rows)[: int(patients * len(rows))]
        for name, other in zip(away, np.roll(away, 1), strict=True):
            if name != other:
                source[rows[name]] = np.resize(rows[str(other)], len(rows[name]))
                whole[rows[name]] = True
        single = mine[~whole[mine] & (rng.random(len(mine)) < pairs)]
        source[single] = rng.permutation(single)
    wrong = owner[source] != owner
    return np.where(wrong, source, np.arange(len(groups))), np.where(wrong, np.where(whole, 2, 1), 0)
