"""Linear probes of frozen image embeddings (CLIP, 2103.00020, section 3.2), on all training records or a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from filters.evaluate.encode import Rows
from filters.evaluate.estimate import Metric, auprc, auroc, average, classified, mean, recall
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.targets import Target
from filters.training.plan import hold_out

_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)  # L2 penalties, chosen by patients held out of the training half
_FEW_SHOT_PENALTY = 0.1  # with a few shots there is no held-out data to choose by
_VALIDATION = 0.25
_UNSEEN_LOG_ODDS = -30.0  # of a class without training rows
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train and to measure on: ``x`` float32[m, d] with patients ``groups``; ``test`` bool[n] of the measured
    set; ``own``: indices of the training rows in that set, empty if they are from another one."""

    x: Rows
    groups: list[str]
    test: NDArray[np.bool_]
    own: NDArray[np.int64]


def split_of(images: Rows, groups: Sequence[str], rules: EvaluateRules) -> Split:
    """Split the set itself by patient: some to train on, the others to measure on."""
    test = hold_out(groups, rules.probe_test, rules.seed)
    own = np.flatnonzero(~test)
    if len(own) > rules.max_probe:
        own = np.sort(np.random.default_rng(rules.seed).permutation(own)[: rules.max_probe])
    return Split(images[own], [groups[i] for i in own.tolist()], test, own)


def linear_probe(images: Rows, target: Target, split: Split, labels: NDArray[np.int64], seed: int) -> dict[str, Metric]:
    """L2 logistic regression on ``labels`` int64[m] of the training rows; {} if they have fewer than two classes."""
    labelled = labels >= 0
    if len(np.unique(labels[labelled])) < 2:
        return {}
    truth = np.eye(len(target.classes))[labels[labelled]]
    fitted = _select_strength(
        split.x[labelled], truth, [g for g, t in zip(split.groups, labelled, strict=True) if t], True, seed
    )
    return classified(target.labels, fitted(images), split.test)


def finding_probe(
    images: Rows, truths: dict[str, Floats], split: Split, trained: dict[str, Floats], seed: int
) -> dict[str, Metric]:
    """Macro AUROC and AUPRC of one logistic regression a finding; ``trained``: the training rows' truth by name."""
    usable = [f for f in truths if {0.0, 1.0} <= set(trained[f].tolist())]
    if not usable:
        return {}
    fitted = _select_strength(split.x, np.stack([trained[f] for f in usable], axis=1), split.groups, False, seed)
    scores = fitted(images)
    measured = [np.where(split.test, truths[f], np.nan) for f in usable]
    return {
        "auroc": average([auroc(scores[:, k], y) for k, y in enumerate(measured)]),
        "auprc": average([auprc(scores[:, k], y) for k, y in enumerate(measured)]),
    }


def few_shot(
    images: Rows, target: Target, split: Split, labels: NDArray[np.int64], rules: EvaluateRules
) -> dict[str, Metric]:
    """accuracy@k and balanced_accuracy@k of probes on k records a class, the mean over ``shot_draws`` draws of them.

    A k for which some class has too few training records is left out. The interval is over the measured patients.
    """
    classes, base = np.unique(labels[labels >= 0]), Probe.of(split.x)
    metrics: dict[str, Metric] = {}
    for k in rules.shots:
        if len(classes) < 2 or min(int((labels == c).sum()) for c in classes) < k:
            continue
        hits = np.zeros(len(images))
        for draw in range(rules.shot_draws):
            rng = np.random.default_rng([rules.seed, k, draw])
            chosen = np.concatenate([rng.choice(np.flatnonzero(labels == c), k, replace=False) for c in classes])
            truth = np.eye(len(target.classes))[labels[chosen]]
            fitted = base.fit(split.x[chosen], truth, _FEW_SHOT_PENALTY, True)
            hits += fitted(images).argmax(axis=1) == target.labels
        hit = np.where(split.test & (target.labels >= 0), hits / rules.shot_draws, np.nan)
        metrics |= {f"accuracy@{k}": mean(hit), f"balanced_accuracy@{k}": recall(target.labels, hit)}
    return metrics


def _select_strength(x: Rows, truth: Floats, groups: Sequence[str], exclusive: bool, seed: int) -> Probe:
    """The probe with the penalty that is best on held-out patients, fitted again on all."""
    base, held_out = Probe.of(x), hold_out(groups, _VALIDATION, seed + 1)
    if not held_out.any() or held_out.all():
        return base.fit(x, truth, _FEW_SHOT_PENALTY, exclusive)
    losses = [
        base.fit(x[~held_out], truth[~held_out], s, exclusive).loss(x[held_out], truth[held_out], exclusive)
        for s in _PENALTIES
    ]
    return base.fit(x, truth, _PENALTIES[int(np.argmin(losses))], exclusive)


@dataclass(frozen=True, eq=False)
class Probe:
    """Logistic regressions on standardised rows: one over classes that exclude each other, or one a finding.

    Called with rows: scores float64[n, c], of exclusive classes log-probabilities.
    """

    scaler: StandardScaler
    models: tuple[LogisticRegression, ...] = ()
    exclusive: bool = True
    width: int = 0

    @classmethod
    def of(cls, x: Rows) -> Probe:
        """An unfitted probe, standardised by the rows ``x``."""
        return cls(StandardScaler().fit(x))

    def __call__(self, x: Rows) -> Floats:
        rows = self.scaler.transform(x)
        if not self.exclusive:
            return np.column_stack([model.decision_function(rows) for model in self.models])
        found, scores = self.models[0].decision_function(rows), np.full((len(rows), self.width), _UNSEEN_LOG_ODDS)
        scores[:, self.models[0].classes_] = np.column_stack([-found, found]) / 2 if found.ndim == 1 else found
        return np.asarray(log_softmax(scores, axis=1))

    def fit(self, x: Rows, truth: Floats, strength: float, exclusive: bool) -> Probe:
        """Fitted to ``truth`` float64[m, c]: one class a row (``exclusive``), or any number, NaN for unknown ones."""
        rows, known = self.scaler.transform(x), np.isfinite(truth)
        if exclusive:
            labels = truth.argmax(axis=1)
            sides = 2 if len(np.unique(labels)) == 2 else 1  # for two classes scikit-learn fits the difference
            models = [_logistic(rows, labels, strength * len(rows) / sides)]
        else:
            penalty = strength * known.sum() / truth.shape[1]
            models = [_logistic(rows[some], truth[some, k], penalty) for k, some in enumerate(known.T)]
        return Probe(self.scaler, tuple(models), exclusive, truth.shape[1])

    def loss(self, x: Rows, truth: Floats, exclusive: bool) -> float:
        """The mean log loss without the penalty, summed over classes that are not exclusive."""
        scores = self(x)
        if exclusive:
            return float(-(scores * truth).sum(axis=1).mean())
        return float(np.nanmean(np.logaddexp(0, scores) - truth * scores) * truth.shape[1])


def _logistic(rows: Floats, labels: NDArray[Any], penalty: float) -> LogisticRegression:
    """Minimises the log loss, summed over ``rows``, plus ``penalty`` times half the squared weights."""
    return LogisticRegression(C=1 / penalty, max_iter=1000).fit(rows, labels)
