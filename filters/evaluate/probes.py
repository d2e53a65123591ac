"""Linear probes of frozen image embeddings (CLIP, 2103.00020, section 3.2), on all training records or a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from filters.evaluate.encode import Rows
from filters.evaluate.estimate import Metric, auprc, auroc, average, classified, mean, recall
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.targets import Target
from filters.training.plan import hold_out

_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)  # L2 penalties, chosen by patients held out of the training half
_FEW_SHOT_PENALTY = 0.1  # with a few shots there is no held-out data to choose by
_VALIDATION = 0.25
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
    scaler = StandardScaler().fit(split.x)
    groups = [g for g, t in zip(split.groups, labelled, strict=True) if t]
    fitted = _select_strength(scaler.transform(split.x[labelled]), labels[labelled], groups, seed)
    return classified(target.labels, _shares(fitted, scaler.transform(images), len(target.classes)), split.test)


def finding_probe(
    images: Rows, truths: dict[str, Floats], split: Split, trained: dict[str, Floats], seed: int
) -> dict[str, Metric]:
    """Macro AUROC and AUPRC of one logistic regression a finding; ``trained``: the training rows' truth by name."""
    scaler = StandardScaler().fit(split.x)
    x, rows = scaler.transform(split.x), scaler.transform(images)
    metrics: dict[str, list[Metric]] = {"auroc": [], "auprc": []}
    for name, truth in truths.items():
        known = np.flatnonzero(np.isfinite(trained[name]))
        labels = trained[name][known].astype(np.int64)
        if len(np.unique(labels)) == 2:
            fitted = _select_strength(x[known], labels, [split.groups[i] for i in known.tolist()], seed)
            scores, measured = fitted.decision_function(rows), np.where(split.test, truth, np.nan)
            metrics["auroc"].append(auroc(scores, measured))
            metrics["auprc"].append(auprc(scores, measured))
    return {name: average(parts) for name, parts in metrics.items() if parts}


def few_shot(
    images: Rows, target: Target, split: Split, labels: NDArray[np.int64], rules: EvaluateRules
) -> dict[str, Metric]:
    """accuracy@k and balanced_accuracy@k of probes on k records a class, the mean over ``shot_draws`` draws of them.

    A k for which some class has too few training records is left out. The interval is over the measured patients.
    """
    classes, scaler = np.unique(labels[labels >= 0]), StandardScaler().fit(split.x)
    x, rows = scaler.transform(split.x), scaler.transform(images)
    metrics: dict[str, Metric] = {}
    for k in rules.shots:
        if len(classes) < 2 or min(int((labels == c).sum()) for c in classes) < k:
            continue
        hits = np.zeros(len(images))
        for draw in range(rules.shot_draws):
            rng = np.random.default_rng([rules.seed, k, draw])
            chosen = np.concatenate([rng.choice(np.flatnonzero(labels == c), k, replace=False) for c in classes])
            hits += _fit(x[chosen], labels[chosen], _FEW_SHOT_PENALTY).predict(rows) == target.labels
        hit = np.where(split.test & (target.labels >= 0), hits / rules.shot_draws, np.nan)
        metrics |= {f"accuracy@{k}": mean(hit), f"balanced_accuracy@{k}": recall(target.labels, hit)}
    return metrics


def _select_strength(x: Floats, labels: NDArray[np.int64], groups: Sequence[str], seed: int) -> LogisticRegression:
    """The probe with the penalty that is best on held-out patients, fitted again on all."""
    held_out, width = hold_out(groups, _VALIDATION, seed + 1), int(labels.max()) + 1
    if not held_out.any() or len(np.unique(labels[~held_out])) < 2:
        return _fit(x, labels, _FEW_SHOT_PENALTY)
    shares = [_shares(_fit(x[~held_out], labels[~held_out], s), x[held_out], width) for s in _PENALTIES]
    losses = [log_loss(labels[held_out], p, labels=range(width)) for p in shares]
    return _fit(x, labels, _PENALTIES[int(np.argmin(losses))])


def _fit(x: Floats, labels: NDArray[np.int64], penalty: float) -> LogisticRegression:
    """``penalty`` is a row's, of half the squared weights."""
    return LogisticRegression(C=1 / (penalty * len(x)), max_iter=1000).fit(x, labels)


def _shares(fitted: LogisticRegression, x: Floats, width: int) -> Floats:
    """float64[n, width]: probabilities, 0 of a class without training rows."""
    out: Floats = np.zeros((len(x), width))
    out[:, fitted.classes_] = fitted.predict_proba(x)
    out /= out.sum(axis=1, keepdims=True)  # of float32 rows they sum to one to its precision alone
    return out
