"""Probes on rows whose truth is known."""

from __future__ import annotations

import numpy as np

from filters.evaluate.estimate import Metric
from filters.evaluate.probes import _fit, _shares, few_shot, finding_probe, linear_probe, split_of
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.targets import Target

RULES = EvaluateRules(shots=(1, 4, 64), shot_draws=3)


def blobs(n: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    rows = np.eye(8)[labels] + spread * rng.normal(size=(n, 8))
    return rows.astype(np.float32), labels, [f"p{i // 2}" for i in range(n)]


def target(labels: np.ndarray) -> Target:
    return Target("classes", ("a", "b", "c"), (("a",), ("b",), ("c",)), ("{c}",), labels)


def value(metric: Metric) -> float:
    return float(metric.measure(np.ones((1, len(metric.rows))))[0])


def test_patients_are_on_one_side_only():
    rows, _, groups = blobs(200, 0.3)
    split = split_of(rows, groups, RULES)
    assert not {groups[i] for i in np.flatnonzero(split.test)} & set(split.groups)
    assert (split.x == rows[split.own]).all() and not split.test[split.own].any()


def test_separable_rows_are_told_and_noise_is_not():
    for spread, low, high in ((0.2, 0.97, 1.0), (50.0, 0.12, 0.6)):
        rows, labels, groups = blobs(200, spread)
        split = split_of(rows, groups, RULES)
        found = linear_probe(rows, target(labels), split, labels[split.own], 0)
        assert low <= value(found["balanced_accuracy"]) <= high
        assert found["accuracy"].rows.tolist() == split.test.tolist(), "measured where it was not fitted"


def test_more_shots_tell_more_and_too_many_are_left_out():
    rows, labels, groups = blobs(240, 0.8)
    split = split_of(rows, groups, RULES)
    found = few_shot(rows, target(labels), split, labels[split.own], RULES)
    assert set(found) == {"accuracy@1", "balanced_accuracy@1", "accuracy@4", "balanced_accuracy@4"}
    assert value(found["accuracy@4"]) > value(found["accuracy@1"]) > 0.34


def test_one_class_is_nothing_to_learn():
    rows, labels, groups = blobs(40, 0.2)
    split = split_of(rows, groups, RULES)
    alone = np.zeros(len(split.own), np.int64)
    assert linear_probe(rows, target(labels), split, alone, 0) == {}
    assert few_shot(rows, target(labels), split, alone, RULES) == {}


def test_findings_are_learned_where_they_are_known():
    rows, labels, groups = blobs(300, 0.3)
    truth = np.where(np.arange(300) % 5 == 0, np.nan, (labels == 1).astype(float))
    split = split_of(rows, groups, RULES)
    taught = {"f": truth[split.own], "never": np.zeros(len(split.own))}
    found = finding_probe(rows, {"f": truth, "never": truth}, split, taught, 0)
    assert value(found["auroc"]) > 0.95
    assert found["auroc"].rows.sum() == (split.test & np.isfinite(truth)).sum()


def test_a_strong_penalty_leaves_the_shares_of_the_classes():
    rows, labels, _ = blobs(300, 0.3)
    fitted = _fit(rows, labels, 10.0)
    np.testing.assert_allclose(_shares(fitted, rows, 4).mean(axis=0)[:3], np.bincount(labels) / 300, atol=0.02)
    assert np.abs(fitted.coef_).max() < 0.05
