"""From a score to the probability that a pair is right, and how good such probabilities are.

All arrays are float64[n] unless said otherwise; labels are bool[n], True for a right pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curate.errors import RunError
from curate.report.trust import Reliability, ReliabilityBin
from filters.metrics import resampled

Floats = NDArray[np.float64]
_REACH = 30.0  # logits: no probability is 0 or 1


@dataclass(frozen=True)
class Calibration:
    """The probability expit(``slope`` * score + ``intercept``), which never falls."""

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not (0 <= self.slope < np.inf and np.isfinite(self.intercept)):
            raise ValueError("a calibration takes a finite slope that does not fall and a finite intercept")

    def apply(self, scores: ArrayLike) -> Floats:
        """The probability of each score; NaN stays NaN."""
        from scipy.special import expit

        logits = self.slope * np.asarray(scores, np.float64) + self.intercept
        return np.asarray(expit(np.clip(logits, -_REACH, _REACH)))


def platt(scores: ArrayLike, right: ArrayLike) -> Calibration:
    """A sigmoid of the score, fitted with Platt's targets (Platt 1999; Lin, Lin & Weng 2007).

    Where the scores order pairs the wrong way round, flat at the share of right pairs. RunError without both kinds, or
    on a NaN score.
    """
    s, y = _checked(scores, right)
    scale = float(s.std()) or 1.0
    slope, intercept = _sigmoid_fit((s - s.mean()) / scale, _targets(y))
    if slope <= 1e-9:
        return Calibration(0.0, _digits(np.log(y.mean() / (1 - y.mean()))))
    return Calibration(_digits(slope / scale), _digits(intercept - slope * float(s.mean()) / scale))


def reliability(
    probabilities: ArrayLike,
    right: ArrayLike,
    groups: Sequence[str],
    bins: int = 10,
    name: str = "probability that a pair is right",
    note: str = "",
    seed: int = 0,
) -> Reliability:
    """A reliability diagram of ``bins`` bins of about equal numbers; equal probabilities share one.

    Intervals are a bootstrap's over whole ``groups`` (patients).
    """
    p, y = _checked(probabilities, right, both=False)
    of = _bins_of(p, bins)
    size, hits = np.bincount(of), np.bincount(of, weights=y)
    mean = np.bincount(of, weights=p) / size
    one_hot = (of[None, :] == np.arange(len(size))[:, None]).astype(np.float64)
    draws = [(w @ (one_hot * y).T) / np.maximum(w @ one_hot.T, 1e-12) for w in resampled(groups, 1000, seed)]
    low, high = np.quantile(np.concatenate(draws), [0.025, 0.975], axis=0)
    diagram = tuple(
        ReliabilityBin(
            float(p[of == i].min()),
            float(p[of == i].max()),
            int(size[i]),
            float(mean[i]),
            float(hits[i] / size[i]),
            float(low[i]),
            float(high[i]),
        )
        for i in range(len(size))
    )
    return Reliability(name, diagram, ece(p, y), brier(p, y), note)


def ece(probabilities: ArrayLike, right: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error: mean distance of probability and share over bins of equal numbers (Naeini 2015)."""
    p, y = _checked(probabilities, right, both=False)
    of = _bins_of(p, bins)
    return float(np.abs(np.bincount(of, weights=p) - np.bincount(of, weights=y)).sum() / len(p))


def brier(probabilities: ArrayLike, right: ArrayLike) -> float:
    """Mean squared distance of probability and truth (Brier 1950)."""
    from sklearn.metrics import brier_score_loss

    p, y = _checked(probabilities, right, both=False)
    return float(brier_score_loss(y, p, labels=[False, True]))


def _targets(y: NDArray[np.bool_]) -> Floats:
    right, wrong = int(y.sum()), int((~y).sum())
    return np.where(y, (right + 1) / (right + 2), 1 / (wrong + 2))


def _sigmoid_fit(x: Floats, target: Floats) -> tuple[float, float]:
    """(slope, intercept) of the least log loss to ``target``, of which every row is part right and part wrong."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
    right = np.repeat([True, False], len(x))
    fitted.fit(np.tile(x, 2)[:, None], right, sample_weight=np.r_[target, 1 - target])
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def _digits(value: float) -> float:
    """Nine significant digits: the same on machines whose sums differ in the last bit."""
    return float(f"{value:.9g}")


def _bins_of(p: Floats, bins: int) -> NDArray[np.int64]:
    """int64[n]: 0-based bin of each, bins of equal numbers as far as ties allow, none empty."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, p, side="left"), return_inverse=True)[1]


def _checked(scores: ArrayLike, right: ArrayLike, both: bool = True) -> tuple[Floats, NDArray[np.bool_]]:
    s, y = np.asarray(scores, np.float64).ravel(), np.asarray(right, bool).ravel()
    if len(s) != len(y):
        raise ValueError(f"{len(s)} scores for {len(y)} labels")
    if not np.isfinite(s).all():
        raise RunError(f"{int((~np.isfinite(s)).sum())} of {len(s)} scores are not finite: leave unscored pairs out")
    if not len(s) or (both and (y.all() or not y.any())):
        raise RunError(f"{len(s)} pairs, {int(y.sum())} of them right: a calibration needs right and wrong ones")
    return s, y
