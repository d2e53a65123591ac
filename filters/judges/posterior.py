"""How many pairs of a pool are right, and which, from scores of the pool and of pairs known to be wrong.

Nothing is labelled right: the pool is a mixture of right pairs and of pairs like the exchanged ones (mixture proportion
estimation: Blanchard, Lee & Scott 2010). Where exchanged pairs are at home, the pool can hold at most as many of them
as it holds pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float64]

_CUTS = np.arange(0.05, 0.55, 0.05)  # quantiles of the exchanged pairs below which pool and exchanged are compared
_LEAST, _MOST = 0.02, 0.98


def right_share(pool: Floats, wrong: Floats) -> float:
    """The share of right pairs among scores ``pool``; ``wrong`` are scores of exchanged pairs. A standard error is
    left for chance, so that it is rather too small than too large."""
    ratios = []
    for cut in np.quantile(wrong, _CUTS):
        below = float((pool < cut).mean())
        ratios.append((below + np.sqrt(below / len(pool))) / max(float((wrong < cut).mean()), 1 / len(wrong)))
    return float(np.clip(1 - min(ratios), _LEAST, _MOST))


@dataclass(frozen=True)
class Posterior:
    """The probability that a pair of this score is right: 1 - (1 - share) wrong(score) / pool(score), the ratio of the
    two densities being that of a logistic regression on the score and its square."""

    share: float
    center: float
    scale: float
    slope: float
    bend: float
    intercept: float

    def __call__(self, scores: Floats) -> Floats:
        z = (scores - self.center) / self.scale
        ratio = np.exp(self.slope * z + self.bend * z * z + self.intercept)  # of the densities
        return np.clip(1 - (1 - self.share) / ratio, 0.01, 0.99)

    @classmethod
    def of(cls, pool: Floats, wrong: Floats) -> Posterior:
        """Of scores of the pool and of exchanged pairs."""
        center, scale = float(wrong.mean()), float(wrong.std() + 1e-9)
        z = (np.concatenate([pool, wrong]) - center) / scale
        of_pool = np.arange(len(z)) < len(pool)
        each = np.where(of_pool, 1 / len(pool), 1 / len(wrong))
        found = LogisticRegression(C=100).fit(np.column_stack([z, z * z]), of_pool, sample_weight=each / each.mean())
        slope, bend = map(float, found.coef_[0])
        return cls(right_share(pool, wrong), center, scale, slope, bend, float(found.intercept_[0]))
