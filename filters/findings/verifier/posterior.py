"""Log-odds that picture and text belong together, from the network's logits and the text's claims."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from filters.findings.slots import Claims

FEATURES = ("claims", "worst", "silence", "most_left_out", "match", "place")
_FLOOR = 0.02  # bound of the network's probabilities


def evidence(
    logits: NDArray[np.float64], claims: Claims, prior: NDArray[np.float64], first_region: int
) -> list[NDArray[np.float64]]:
    """Log-likelihood ratios of claims given the picture against the prior, in natural logarithms.

    Returns the sum over claims on findings, the worst claim, the sum over omitted findings, the worst of those, and
    the sum over regions, whose slots begin at ``first_region``.
    """
    probability = np.clip(1 / (1 + np.exp(-logits)), _FLOOR, 1 - _FLOOR)
    log_present, log_absent = np.log(probability) - np.log(prior), np.log1p(-probability) - np.log1p(-prior)
    per_slot = np.where(claims.polarity > 0, log_present, log_absent) * np.abs(claims.polarity)
    omitted = np.where(claims.unmentioned, np.minimum(log_absent, 0.0), 0.0)
    any_claim = (claims.polarity != 0).any(axis=1)
    worst = np.where(claims.polarity != 0, per_slot, np.inf).min(axis=1)
    return [
        per_slot[:, :first_region].sum(axis=1),
        np.where(any_claim, np.minimum(worst, 2.0), 0.0),
        omitted.sum(axis=1),
        omitted.min(axis=1),
        per_slot[:, first_region:].sum(axis=1),
    ]


def prior_of(claims: Claims) -> NDArray[np.float64]:
    """The weighted share of texts in which each slot is true, smoothed by one text."""
    known = claims.weight.sum(axis=0)
    return np.asarray(np.clip(((claims.truth * claims.weight).sum(axis=0) + 0.5) / (known + 2), 0.01, 0.99), np.float64)


def logistic(x: NDArray[np.float64], y: NDArray[np.bool_], ridge: float = 1.0) -> NDArray[np.float64]:
    """Weights (constant first) of a ridge logistic regression, both classes of equal weight, no slope negative."""
    from sklearn.linear_model import LogisticRegression  # slow import, needed only for fitting

    slopes, active = np.zeros(x.shape[1]), np.ones(x.shape[1], np.bool_)
    while active.any():
        fitted = LogisticRegression(C=1 / ridge, class_weight="balanced", solver="newton-cholesky", tol=1e-8)
        slopes[active] = fitted.fit(x[:, active], y).coef_[0]
        if (slopes >= 0).all():
            return np.asarray(np.r_[fitted.intercept_, slopes])
        active, slopes = slopes > 0, np.zeros(x.shape[1])
    return np.zeros(x.shape[1] + 1)  # no feature indicates a right pair
