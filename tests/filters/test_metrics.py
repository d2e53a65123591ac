from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from curate.errors import RunError
from filters.metrics import (
    auroc,
    bootstrap_interval,
    weighted_auprc,
    weighted_auroc,
)

SCORED = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30)


@given(SCORED)
def test_auroc_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]):
    right = [s for s, y in rows if y]
    wrong = [s for s, y in rows if not y]
    got = auroc([s for s, _ in rows], [y for _, y in rows])
    if not right or not wrong:
        assert math.isnan(got)
    else:
        expected = np.mean([(a > b) + (a == b) / 2 for a in right for b in wrong])
        assert got == pytest.approx(expected)


@given(SCORED, st.integers(0, 9))
def test_the_measures_of_a_bootstrap_are_scikit_learns_under_weights(rows: list[tuple[int, bool]], seed: int):
    s, y = np.array([s for s, _ in rows], float), np.array([y for _, y in rows])
    weights = np.random.default_rng(seed).integers(0, 4, (3, len(s))).astype(float)
    kinds = ((weighted_auroc, roc_auc_score), (weighted_auprc, average_precision_score))
    for ours, theirs in kinds:
        for got, w in zip(ours(s, y, weights), weights, strict=True):
            both = w[y].sum() > 0 and (w[~y].sum() > 0 or ours is weighted_auprc)
            assert got == pytest.approx(theirs(y, s, sample_weight=w)) if both else math.isnan(got)


def test_interval_holds_the_truth_about_as_often_as_it_says():
    """Gaussians one apart: AUROC is Phi(1/sqrt 2) = 0.7602."""
    hits = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = np.arange(120) < 50
        low, high = bootstrap_interval(rng.normal(size=120) + y, y, n=300, seed=seed)
        hits += low <= 0.7602 <= high
    assert 87 <= hits <= 100


def test_repeats_of_a_patient_are_no_new_evidence():
    rng = np.random.default_rng(0)
    y = rng.random(40) < 0.5
    s, groups = rng.normal(size=40) + y, [f"p{i}" for i in range(40)]
    alone = bootstrap_interval(s, y, groups)
    np.testing.assert_allclose(bootstrap_interval(np.tile(s, 25), np.tile(y, 25), groups * 25), alone, atol=1e-9)
    low, high = bootstrap_interval(np.tile(s, 25), np.tile(y, 25))
    assert high - low < (alone[1] - alone[0]) / 3


def test_interval_is_the_same_for_a_seed_and_nan_without_both_classes():
    y = np.arange(30) % 3 == 0
    s = np.sin(np.arange(30))
    assert bootstrap_interval(s, y, seed=4) == bootstrap_interval(s, y, seed=4) != bootstrap_interval(s, y, seed=5)
    assert np.isnan(bootstrap_interval([1.0, 2.0], [True, True])).all()
    assert np.isnan(bootstrap_interval([], [])).all()


def test_nan_scores_and_unequal_lengths_are_refused():
    with pytest.raises(RunError, match="1 of 2 scores are NaN"):
        auroc([float("nan"), 1.0], [True, False])
    with pytest.raises(ValueError, match="2 scores for 1 labels"):
        auroc([0.0, 1.0], [True])


@given(SCORED)
def test_average_precision_is_the_sum_over_distinct_scores(rows: list[tuple[int, bool]]):
    s, y = np.array([float(r[0]) for r in rows]), np.array([r[1] for r in rows])
    got = weighted_auprc(s, y, np.ones((1, len(rows))))[0]
    if not y.any():
        assert math.isnan(got)
        return
    expected, found = 0.0, 0
    for score in sorted(set(s.tolist()), reverse=True):
        now = int(y[s >= score].sum())
        expected += (now - found) / y.sum() * y[s >= score].mean()
        found = now
    assert got == pytest.approx(expected)
