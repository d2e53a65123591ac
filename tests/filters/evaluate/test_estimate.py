"""Weighted metrics against their plain definitions, and what no weighting may change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import metrics
from filters.evaluate.estimate import Metric, auroc, average, classified, estimates, f1, mean, median, recall

numbers = st.lists(st.floats(0, 1), min_size=4, max_size=30)


def value(metric: Metric, n: int) -> float:
    return float(metric.measure(np.ones((1, n)))[0])


@settings(deadline=None)
@given(numbers, st.integers(0, 1000))
def test_a_weight_of_two_is_the_record_twice(values: list[float], seed: int):
    rng = np.random.default_rng(seed)
    scores, n = np.array(values), len(values)
    truth = (rng.random(n) < 0.5).astype(float)
    weights = rng.integers(0, 3, n)
    again = np.repeat(np.arange(n), weights)
    for make in (
        lambda i: auroc(scores[i], truth[i]),
        lambda i: f1(scores[i] > 0.5, truth[i]),
        lambda i: mean(scores[i]),
        lambda i: median(scores[i]),
    ):
        weighted = make(np.arange(n)).measure(weights[None, :].astype(float))[0]
        plain = value(make(again), len(again)) if len(again) else np.nan
        assert weighted == pytest.approx(plain, nan_ok=True)


@settings(deadline=None)
@given(numbers, st.integers(0, 1000))
def test_auroc_is_symmetric(values: list[float], seed: int):
    scores = np.array(values)
    truth = (np.random.default_rng(seed).random(len(scores)) < 0.5).astype(float)
    here, there = value(auroc(scores, truth), len(scores)), value(auroc(-scores, 1 - truth), len(scores))
    assert here == pytest.approx(there, nan_ok=True)
    assert here == pytest.approx(1 - value(auroc(-scores, truth), len(scores)), nan_ok=True)


def test_records_that_do_not_count_do_not_count():
    truth = np.array([1, 0, np.nan, 1, 0, np.nan])
    scores = np.array([0.9, 0.1, 0.0, 0.2, 0.5, 1.0])
    metric = auroc(scores, truth)
    assert metric.rows.tolist() == [True, True, False, True, True, False]
    assert value(metric, 6) == metrics.auroc([0.9, 0.1, 0.2, 0.5], [1, 0, 1, 0])
    assert value(mean(truth), 6) == 0.5


def test_f1_of_hand():
    said, truth = np.array([1, 1, 0, 0, 1, 0], bool), np.array([1, 0, 1, 0, 1, np.nan])
    assert value(f1(said, truth), 6) == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert np.isnan(value(f1(np.zeros(6, bool), np.zeros(6)), 6))


def test_the_macro_mean_is_of_those_that_have_a_value():
    with_value, without = mean(np.array([1.0, 0, np.nan])), mean(np.array([np.nan] * 3))
    assert value(average([with_value, without]), 3) == 0.5


def test_classes_count_alike_however_rare():
    labels = np.array([0] * 9 + [1])
    scores = np.eye(2)[[0] * 10]
    told = {k: value(m, 10) for k, m in classified(labels, scores).items()}
    assert told["accuracy"] == 0.9 and told["balanced_accuracy"] == 0.5 and told["auroc"] == 0.5
    assert value(recall(labels, np.r_[np.ones(9), 0.5]), 10) == 0.75


def test_intervals_draw_whole_patients_and_are_the_same_every_time():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.random(20) < 0.5, 10).astype(float)  # ten records a patient, all alike
    patients = [f"p{i // 10}" for i in range(200)]
    by_patient = estimates({"x": mean(values)}, patients, 400, 0)["x"]
    by_record = estimates({"x": mean(values)}, [str(i) for i in range(200)], 400, 0)["x"]
    assert by_patient == estimates({"x": mean(values)}, patients, 400, 0)["x"]
    assert by_patient["n"] == 200 and by_patient["low"] < by_patient["value"] < by_patient["high"]
    assert by_patient["high"] - by_patient["low"] > 2 * (by_record["high"] - by_record["low"])


def test_a_mask_is_the_subgroup_alone():
    rng = np.random.default_rng(1)
    values, mask = rng.random(50), rng.random(50) < 0.4
    told = estimates({"x": mean(values)}, [str(i) for i in range(50)], 50, 0, mask)["x"]
    assert told["value"] == pytest.approx(values[mask].mean(), abs=1e-6) and told["n"] == mask.sum()


def test_what_has_no_value_is_none():
    told = estimates({"x": mean(np.full(4, np.nan))}, list("abcd"), 10, 0)["x"]
    assert told == {"value": None, "low": None, "high": None, "n": 0}
