"""Several opinions of a pair as one log-odds: a logistic regression fitted on pairs as they are and pairs exchanged.

Both are asked of judges that have not seen the pair's patient. Half of what is exchanged goes to pictures that look
alike, for that is where judges are put to the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from filters.judges.spaces import Rows

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

_EACH = 4  # texts that a picture is given at random, and of its look-alikes
_ALIKE = 25  # look-alikes that they are drawn from
_SAME_TEXT = 0.8  # cosine from which two texts say the same, and neither is wrong for the other's picture


@dataclass(frozen=True, eq=False)
class Linear:
    """Log-odds float64[n] of columns float64[n, k]."""

    center: Floats
    scale: Floats
    weights: Floats
    intercept: float

    def __call__(self, columns: Floats) -> Floats:
        return np.asarray((columns - self.center) / self.scale @ self.weights + self.intercept)

    @classmethod
    def of(cls, columns: Floats, right: NDArray[np.bool_], weights: Floats, penalty: float) -> Linear:
        """``penalty`` is a pair's, of half the squared weights of standardised columns."""
        scaler = StandardScaler().fit(columns)
        found = LogisticRegression(C=1 / (penalty * len(columns)), max_iter=2000)
        found.fit(scaler.transform(columns), right, sample_weight=weights / weights.mean())
        return cls(scaler.mean_, scaler.scale_, found.coef_[0], float(found.intercept_[0]))


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
