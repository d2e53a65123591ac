"""Several opinions of a pair as one log-odds: a logistic regression fitted on pairs as they are and pairs exchanged;
and how many pairs of a pool are right, and which, from such scores of the pool and of pairs known to be wrong.

Both are asked of judges that have not seen the pair's patient. Half of what is exchanged goes to pictures that look
alike, for that is where judges are put to the test.

Nothing is labelled right: the pool is a mixture of right pairs and of pairs like the exchanged ones (mixture proportion
estimation: Blanchard, Lee & Scott 2010). Where exchanged pairs are at home, the pool can hold at most as many of them
as it holds pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from filters.judges.spaces import Rows

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

_CUTS = np.arange(0.05, 0.55, 0.05)  # quantiles of the exchanged pairs below which pool and exchanged are compared
_LEAST, _MOST = 0.02, 0.98
_EACH = 4  # texts that a picture is given at random, and of its look-alikes
_ALIKE = 25  # look-alikes that they are drawn from
_SAME_TEXT = 0.8  # cosine from which two texts say the same, and neither is wrong for the other's picture


def wrong_texts(images: Rows, texts: Rows, groups: Sequence[str], rng: np.random.Generator) -> tuple[Index, Index]:
    """(picture, text) of pairs that are wrong: other patients' texts that say something else, as many at random as of
    pictures that look alike; all at random before all look-alikes."""
    owner = np.asarray(groups)
    allowed = (owner[:, None] != owner[None]) & (texts @ texts.T < _SAME_TEXT)
    alike = np.where(allowed, images @ images.T, -np.inf)
    far: list[tuple[int, int]] = []
    near: list[tuple[int, int]] = []
    for i in np.flatnonzero(allowed.any(axis=1)):
        others = np.flatnonzero(allowed[i])
        best = np.argsort(-alike[i], kind="stable")[: min(_ALIKE, len(others))]
        far += [(int(i), int(j)) for j in rng.choice(others, min(_EACH, len(others)), replace=False)]
        near += [(int(i), int(j)) for j in rng.choice(best, min(_EACH, len(best)), replace=False)]
    rows, columns = np.array(far + near, np.int64).reshape(-1, 2).T
    return rows, columns


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
