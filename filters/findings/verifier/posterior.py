"""From what the network sees and the text claims to the log-odds that they belong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from filters.findings.slots import Claims

FEATURES = ("claims", "worst", "silence", "most_left_out", "match", "place")
_FLOOR = 0.02  # no claim is surer than this, whatever the network says


def evidence(
    logits: NDArray[np.float64], claims: Claims, prior: NDArray[np.float64], places: int
) -> list[NDArray[np.float64]]:
    """How much likelier the picture makes each claim than it is of any picture, in natural logarithms.

    Returns the sum over claims on findings, the worst claim, the sum over what is left out, the worst of that, and
    the sum over regions, whose slots begin at ``places``.
    """
    seen = np.clip(1 / (1 + np.exp(-logits)), _FLOOR, 1 - _FLOOR)
    there, gone = np.log(seen) - np.log(prior), np.log1p(-seen) - np.log1p(-prior)
    each = np.where(claims.said > 0, there, gone) * np.abs(claims.said)
    left_out = np.where(claims.silent, np.minimum(gone, 0.0), 0.0)
    spoken = (claims.said != 0).any(axis=1)
    worst = np.where(claims.said != 0, each, np.inf).min(axis=1)
    return [
        each[:, :places].sum(axis=1),
        np.where(spoken, np.minimum(worst, 2.0), 0.0),
        left_out.sum(axis=1),
        left_out.min(axis=1),
        each[:, places:].sum(axis=1),
    ]


def prior_of(claims: Claims) -> NDArray[np.float64]:
    """How often each slot is affirmed where it is spoken of or left open, smoothed by one text."""
    known = claims.weight.sum(axis=0)
    return np.asarray(np.clip(((claims.truth * claims.weight).sum(axis=0) + 0.5) / (known + 2), 0.01, 0.99), np.float64)


def logistic(x: NDArray[np.float64], y: NDArray[np.bool_], ridge: float = 1.0) -> NDArray[np.float64]:
    """Weights (constant first) of a ridge logistic regression, both classes of equal weight, no slope negative."""
    from sklearn.linear_model import LogisticRegression  # where a judge is fitted alone

    slopes, active = np.zeros(x.shape[1]), np.ones(x.shape[1], np.bool_)
    while active.any():
        fitted = LogisticRegression(C=1 / ridge, class_weight="balanced", solver="newton-cholesky", tol=1e-8)
        slopes[active] = fitted.fit(x[:, active], y).coef_[0]
        if (slopes >= 0).all():
            return np.asarray(np.r_[fitted.intercept_, slopes])
        active, slopes = slopes > 0, np.zeros(x.shape[1])
    return np.zeros(x.shape[1] + 1)  # nothing speaks for a right pair, and both classes weigh the same
