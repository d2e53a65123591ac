"""A learned mixture: which fault a pair has, if any, from the columns of several filters.

Multinomial logistic regression over standardised columns, one class a fault and one "right". A column may be missing
(NaN): it is filled with its median and a flag says so. How strongly weights are held down is chosen by cross-validation
over whole groups (patients), and the probability of "right" is calibrated on what the folds had not seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from curate.errors import RunError
from filters.methods.ours.calibration import Calibration, brier, ece, platt
from filters.metrics import auroc

Floats = NDArray[np.float64]
RIGHT = "right"
_CLIP = 6.0  # standard deviations: a column that went astray does not decide alone
_L2 = (0.1, 0.03, 0.01, 0.003, 0.001)  # penalties to choose among: half the squared weights, per pair
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Inputs:
    """Columns float64[n, k] -> regression inputs: fill, standardise, clip, flag what was missing."""

    fill: Floats
    center: Floats
    scale: Floats
    flagged: tuple[int, ...]

    def __call__(self, features: Floats) -> Floats:
        """float64[n, m]."""
        missing = np.isnan(features)
        z = (np.where(missing, self.fill, features) - self.center) / self.scale
        return np.hstack([np.clip(z, -_CLIP, _CLIP), missing[:, list(self.flagged)]])

    @classmethod
    def of(cls, features: Floats) -> Inputs:
        """Fitted to float64[n, k], NaN where missing; a column that says nothing becomes 0."""
        missing = np.isnan(features)
        empty = missing.all(axis=0)
        filled = np.where(empty, 0.0, features)
        fill, center, scale = (f(filled, axis=0) for f in (np.nanmedian, np.nanmean, np.nanstd))
        scale = np.where(scale > 1e-9 * (1 + np.abs(center)), scale, 1.0)
        return cls(fill, center, scale, tuple(np.flatnonzero(missing.any(axis=0) & ~empty).tolist()))


@dataclass(frozen=True, eq=False)
class Mixture:
    """A fitted mixture over the columns ``names``. ``classes`` are the faults and "right", ``prior`` their shares among
    the pairs it was fitted on; ``weights`` float64[m + 1, classes], the last row the intercepts."""

    names: tuple[str, ...]
    classes: tuple[str, ...]
    prior: tuple[float, ...]
    inputs: Inputs
    weights: Floats
    calibration: Calibration
    metrics: Mapping[str, float]

    def posterior(self, features: ArrayLike) -> Floats:
        """float64[n, classes], rows summing to 1: calibrated "right", the rest shared among the faults as fitted.

        ``features`` float[n, k] in the order of ``names``, NaN where missing. RunError where one is infinite.
        """
        x = _checked(features, self.names)
        raw = softmax(self.inputs(x) @ self.weights[:-1] + self.weights[-1], axis=1)
        at = self.classes.index(RIGHT)
        right = self.calibration.apply(_logit(raw[:, at]))
        rest = np.delete(raw, at, axis=1)
        rest = rest / np.maximum(rest.sum(axis=1, keepdims=True), 1e-300) * (1 - right)[:, None]
        return np.insert(rest, at, right, axis=1)

    def probability(self, features: ArrayLike) -> Floats:
        """float64[n]: calibrated probability that each pair is right."""
        return np.asarray(self.posterior(features)[:, self.classes.index(RIGHT)])

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=np.ndarray.tolist))
        return plain

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Mixture:
        """Of `to_json`'s values; KeyError, TypeError or ValueError where they are not or do not fit each other."""
        names, classes = tuple(map(str, value["names"])), tuple(map(str, value["classes"]))
        e, weights = value["inputs"], np.array(value["weights"], np.float64)
        fill, center, scale = (np.array(e[n], np.float64) for n in ("fill", "center", "scale"))
        inputs = Inputs(fill, center, scale, tuple(map(int, e["flagged"])))
        prior = tuple(float(p) for p in value["prior"])
        if RIGHT not in classes or len(prior) != len(classes) or {len(fill), len(center), len(scale)} != {len(names)}:
            raise ValueError("a mixture's columns and classes do not fit each other")
        rows = len(names) + len(inputs.flagged) + 1
        if weights.shape != (rows, len(classes)) or not np.isfinite(weights).all():
            raise ValueError(f"a mixture's weights are {rows} x {len(classes)} finite numbers")
        calibration = Calibration(**{n: float(value["calibration"][n]) for n in ("slope", "intercept")})
        return cls(names, classes, prior, inputs, weights, calibration, dict(value["metrics"]))


def fit(features: ArrayLike, names: Sequence[str], labels: Sequence[str], groups: Sequence[str], seed: int) -> Mixture:
    """Learn which of ``labels`` ("right" or a fault) float[n, k] ``features`` speak for; folds never part a group.

    ``metrics``: of pairs their fold had not seen, the log loss over classes and, of "right", AUROC, against each fault
    too (``auroc_FAULT``), expected calibration error and Brier score; the chosen ``l2``. The same bytes for the same
    arguments. RunError where there are not both right pairs and wrong ones in at least two groups, or where a feature
    is infinite.
    """
    x = _checked(features, names)
    classes = tuple(sorted(set(labels)))
    if len(labels) != len(x) or len(groups) != len(x):
        raise ValueError(f"{len(x)} rows, {len(labels)} labels, {len(groups)} groups")
    if RIGHT not in classes or len(classes) < 2 or len(set(groups)) < 2:
        raise RunError("a mixture needs right pairs and wrong ones, of two patients at least: give more clean pairs")
    y = np.array([classes.index(label) for label in labels])
    l2, unseen = _choose(x, y, _folds(groups, seed), len(classes))
    inputs = Inputs.of(x)
    weights = _digits(list(_path(inputs(x), y, len(classes), [penalty for penalty in _L2 if penalty >= l2]))[-1])
    at = classes.index(RIGHT)
    right = y == at
    logits = _logit(unseen[:, at])
    calibration = platt(logits, right)
    calibrated = calibration.apply(logits)
    metrics = {
        "log_loss": float(log_loss(y, unseen, labels=range(len(classes)))),
        "auroc": auroc(logits, right),
        **{f"auroc_{name}": _against(logits, y, at, k) for k, name in enumerate(classes) if k != at},
        "ece": ece(calibrated, right),
        "brier": brier(calibrated, right),
        "l2": l2,
        "pairs": float(len(y)),
    }
    prior = tuple((np.bincount(y, minlength=len(classes)) / len(y)).tolist())
    return Mixture(tuple(names), classes, prior, inputs, weights, calibration, metrics)


def _against(logits: Floats, y: NDArray[np.int64], right: int, fault: int) -> float:
    some = (y == right) | (y == fault)
    return auroc(logits[some], y[some] == right)


def _choose(x: Floats, y: NDArray[np.int64], fold: NDArray[np.int64], k: int) -> tuple[float, Floats]:
    """(l2, probabilities float64[n, k] of pairs their fold had not seen)."""
    predicted = np.empty((len(_L2), len(x), k))
    for f in range(int(fold.max()) + 1):
        train, test = fold != f, fold == f
        inputs = Inputs.of(x[train])
        left = inputs(x[test])
        for i, w in enumerate(_path(inputs(x[train]), y[train], k, _L2)):
            predicted[i, test] = softmax(left @ w[:-1] + w[-1], axis=1)
    predicted = np.maximum(predicted, 1e-12)
    best = int(np.argmin([log_loss(y, p, labels=range(k)) for p in predicted]))
    return _L2[best], predicted[best]


def _path(x: Floats, y: NDArray[np.int64], k: int, l2: Sequence[float]) -> Iterator[Floats]:
    """Weights float64[m + 1, k] for each of ``l2``, each fit beginning where the last ended.

    A millionth of a pair of each class keeps the intercept of a class that a fold does not have finite. Of two classes
    scikit-learn holds one vector down, here each class has its half of it.
    """
    rows, classes = np.vstack([x, np.zeros((k, x.shape[1]))]), np.r_[y, np.arange(k)]
    weight = np.r_[np.ones(len(x)), np.full(k, 1e-6)]
    model = LogisticRegression(solver="newton-cg", tol=1e-5, max_iter=1000, warm_start=True)
    for penalty in l2:
        model.set_params(C=(2 if k == 2 else 1) / (penalty * len(x))).fit(rows, classes, sample_weight=weight)
        weights = np.vstack([model.coef_.T, model.intercept_])
        yield np.hstack([-weights, weights]) / 2 if k == 2 else weights


def _folds(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """int64[n]: the fold of each row's group, about equal numbers of groups each, independent of row order."""
    names, unit = np.unique(np.asarray(groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return np.asarray((order % min(_FOLDS, len(names)))[unit])


def _logit(p: Floats) -> Floats:
    return np.asarray(logit(np.clip(p, 1e-9, 1 - 1e-9)))


def _digits(weights: Floats) -> Floats:
    """Six significant digits: sums of another order give the same card."""
    return np.array([[float(f"{w:.6g}") for w in row] for row in weights])


def _checked(features: ArrayLike, names: Sequence[str]) -> Floats:
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or x.shape[1] != len(names):
        raise ValueError(f"features of shape {x.shape} for {len(names)} columns")
    if np.isinf(x).any():
        worst = names[int(np.isinf(x).any(axis=0).argmax())]
        raise RunError(f"'{worst}' is infinite for {int(np.isinf(x).any(axis=1).sum())} pairs: train that filter again")
    return x
