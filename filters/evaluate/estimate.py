"""Metrics under any weights of the records: one bootstrap serves all, and a subgroup is a mask.

A `Metric` maps weights float64[r, n] (how often each of n records counts in each of r draws) to float64[r]. The plain
value has weights 1; intervals come from `filters.metrics.resampled`, which draws whole patients (Efron 1979).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from filters.metrics import resampled, weighted_auprc, weighted_auroc

Weights = NDArray[np.float64]
Measure = Callable[[Weights], Weights]


@dataclass(frozen=True, eq=False)
class Metric:
    """``rows`` bool[n]: the records that it is computed over."""

    measure: Measure
    rows: NDArray[np.bool_]


def estimates(
    metrics: Mapping[str, Metric], groups: Sequence[str], draws: int, seed: int, mask: NDArray[np.bool_] | None = None
) -> dict[str, dict[str, Any]]:
    """``value``, ``low``, ``high`` (95 %) and ``n`` of each metric, over the records under ``mask``.

    Draws without a value (of one class alone) are left out; None if none is left, and no interval for a single patient.
    """
    mask_weights = np.ones((1, len(groups))) if mask is None else mask[None, :].astype(np.float64)
    values = values_under(metrics, [mask_weights])
    resamples = values_under(metrics, (weights * mask_weights for weights in resampled(groups, draws, seed)))
    return {
        name: {
            "value": number(values[name][0]),
            **_bounds(resamples[name] if _drawable(m.rows & (mask_weights[0] > 0), groups) else np.empty(0)),
            "n": int((m.rows & (mask_weights[0] > 0)).sum()),
        }
        for name, m in metrics.items()
    }


def values_under(metrics: Mapping[str, Metric], weights: Iterable[Weights]) -> dict[str, Weights]:
    """Each metric under every row of ``weights``, some rows at a time: float64[r]."""
    parts: dict[str, list[Weights]] = {name: [] for name in metrics}
    for rows in weights:
        for name, metric in metrics.items():
            parts[name].append(metric.measure(rows))
    return {name: np.concatenate(part) if part else np.empty(0) for name, part in parts.items()}


def _drawable(rows: NDArray[np.bool_], groups: Sequence[str]) -> bool:
    """Are there two patients to draw from? Resampling a single one does not vary."""
    return len({groups[int(i)] for i in np.flatnonzero(rows)}) > 1


def _bounds(resamples: Weights) -> dict[str, float | None]:
    known = resamples[np.isfinite(resamples)]
    if not len(known):
        return {"low": None, "high": None}
    low, high = np.quantile(known, [0.025, 0.975])
    return {"low": number(float(low)), "high": number(float(high))}


def number(value: float) -> float | None:
    """As JSON has it: None where there is none."""
    return round(value, 6) if np.isfinite(value) else None


def mean(values: ArrayLike) -> Metric:
    """The mean of ``values`` float64[n]; NaN for a record that does not count."""
    v = np.asarray(values, np.float64)
    rows = np.isfinite(v)
    known = v[rows]

    def measure(weights: Weights) -> Weights:
        part = weights[:, rows]
        return ratio(part @ known, part.sum(axis=1))

    return Metric(measure, rows)


def median(values: ArrayLike) -> Metric:
    """The lower median of ``values``, as `mean`."""
    v = np.asarray(values, np.float64)
    rows = np.isfinite(v)
    order = np.flatnonzero(rows)[np.argsort(v[rows], kind="stable")]
    ranked = v[order]

    def measure(weights: Weights) -> Weights:
        total = np.cumsum(weights[:, order], axis=1)
        if not len(order):
            return np.full(len(weights), np.nan)
        place = (total >= total[:, -1:] / 2).argmax(axis=1)
        return np.where(total[:, -1] > 0, ranked[place], np.nan)

    return Metric(measure, rows)


def auroc(scores: NDArray[Any], truth: NDArray[Any]) -> Metric:
    """Area under the ROC curve; ``truth`` float[n] is 1, 0, or NaN for a record that does not count."""
    return _ranked(weighted_auroc, scores, truth)


def auprc(scores: NDArray[Any], truth: NDArray[Any]) -> Metric:
    """Average precision; as `auroc`."""
    return _ranked(weighted_auprc, scores, truth)


def _ranked(kind: Callable[..., Weights], scores: NDArray[Any], truth: NDArray[Any]) -> Metric:
    rows = np.isfinite(truth)
    s, y = np.asarray(scores[rows], np.float64), truth[rows] > 0
    return Metric(lambda weights: kind(s, y, weights[:, rows]), rows)


def f1(predicted: NDArray[np.bool_], truth: NDArray[Any]) -> Metric:
    """2 tp / (2 tp + fp + fn); NaN where there is no positive in truth or prediction."""
    rows = np.isfinite(truth)
    p, y = predicted[rows], truth[rows] > 0
    both, either = (p & y).astype(np.float64), p.astype(np.float64) + y

    def measure(weights: Weights) -> Weights:
        part = weights[:, rows]
        return ratio(2 * (part @ both), part @ either)

    return Metric(measure, rows)


def average(metrics: Sequence[Metric]) -> Metric:
    """The unweighted ("macro") mean of ``metrics``; in each draw over those that have a value."""
    rows = np.logical_or.reduce([m.rows for m in metrics])

    def measure(weights: Weights) -> Weights:
        values = np.stack([m.measure(weights) for m in metrics])
        known = np.isfinite(values)
        return ratio(np.where(known, values, 0).sum(axis=0), known.sum(axis=0).astype(np.float64))

    return Metric(measure, rows)


def ratio(above: Weights, below: Weights) -> Weights:
    """``above / below``, NaN where ``below`` is 0."""
    return np.asarray(np.where(below > 0, above / np.where(below > 0, below, 1), np.nan))


def classified(
    labels: NDArray[np.int64], scores: NDArray[Any], rows: NDArray[np.bool_] | None = None
) -> dict[str, Metric]:
    """Metrics of scores float[n, c] for ``labels`` int64[n] (-1: does not count): accuracy, and macro means over
    classes of recall (balanced accuracy), AUROC and AUPRC of each class against the rest, and F1 of the highest
    score."""
    counted = labels >= 0 if rows is None else (labels >= 0) & rows
    best = scores.argmax(axis=1)
    present = [c for c in range(scores.shape[1]) if (labels[counted] == c).any()]
    one = {c: np.where(counted, (labels == c).astype(np.float64), np.nan) for c in present}
    hit = np.where(counted, (best == labels).astype(np.float64), np.nan)
    return {
        "accuracy": mean(hit),
        "balanced_accuracy": recall(labels, hit),
        "auroc": average([auroc(scores[:, c], one[c]) for c in present]),
        "auprc": average([auprc(scores[:, c], one[c]) for c in present]),
        "f1": average([f1(best == c, one[c]) for c in present]),
    }


def recall(labels: NDArray[np.int64], hit: Weights) -> Metric:
    """Balanced accuracy: the macro mean over classes of the mean ``hit`` (float64[n], NaN does not count)."""
    present = np.unique(labels[np.isfinite(hit)])
    return average([mean(np.where(labels == c, hit, np.nan)) for c in present])
