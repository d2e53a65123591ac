"""A logistic regression on standardised columns, as arrays that a folder keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
        from sklearn.linear_model import LogisticRegression  # where one is fitted alone
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(columns)
        found = LogisticRegression(C=1 / (penalty * len(columns)), max_iter=2000)
        found.fit(scaler.transform(columns), right, sample_weight=weights / weights.mean())
        return cls(scaler.mean_, scaler.scale_, found.coef_[0], float(found.intercept_[0]))
