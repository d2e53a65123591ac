from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import RunError
from filters.drift import (
    ScoreReference,
    score_drift,
    score_reference,
)


def normal(n: int, seed: int, mean: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, scale, n)


def test_psi_is_the_sum_by_its_formula():
    reference = score_reference(np.arange(100.0), bins=4)
    assert reference.shares == (0.25, 0.25, 0.25, 0.25)
    found = score_drift(reference, [10.0] * 40 + [90.0] * 60)
    p, q = np.array([25.5, 25.5, 25.5, 25.5]) / 102, np.array([40.5, 0.5, 0.5, 60.5]) / 102
    assert found.value == pytest.approx(float(((q - p) * np.log(q / p)).sum()))
    assert found.found == (0.4, 0.0, 0.0, 0.6) and found.level == "warn"


@pytest.mark.parametrize(("moved", "level"), [(0.0, "none"), (0.36, "watch"), (1.0, "warn")])
def test_levels_rise_with_the_shift_and_a_warning_names_the_fix(moved, level):
    found = score_drift(score_reference(normal(5000, 0)), normal(5000, 1, moved), "dfn")
    assert found.level == level
    assert ("train the filter again" in found.message) == (level != "none")
    assert "dfn" in found.message


@pytest.mark.parametrize("n", [20, 60, 200])
def test_small_archives_of_the_same_kind_raise_no_alarm(n):
    reference = score_reference(normal(2000, 0))
    alarms = sum(score_drift(reference, normal(n, seed)).level != "none" for seed in range(1, 101))
    assert alarms <= 12  # about 5 of 100 by chance


def test_half_a_shift_is_seen_in_200_records():
    reference = score_reference(normal(2000, 0))
    assert sum(score_drift(reference, normal(200, seed, 0.8)).level == "warn" for seed in range(20)) >= 19


def test_too_few_scores_and_unscored_ones():
    reference = score_reference([*normal(100, 0), np.nan])
    assert reference.n == 100
    few = score_drift(reference, [1.0] * 5 + [np.nan] * 50)
    assert few.level == "none" and np.isnan(few.value) and "too few" in few.message
    with pytest.raises(RunError, match="no scores"):
        score_reference([np.nan])


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.lists(st.integers(-5, 5), min_size=20, max_size=40))
def test_psi_is_finite_and_never_below_zero_however_scores_tie(pool, scores):
    reference = score_reference(pool)
    assert sum(reference.shares) == pytest.approx(1) and min(reference.shares) > 0
    assert 0 <= score_drift(reference, scores).value < 100
    assert ScoreReference.from_json(json.loads(json.dumps(reference.to_json()))) == reference


def test_a_reference_that_is_none_is_refused():
    with pytest.raises(ValueError, match="one share more"):
        ScoreReference.from_json({"edges": [0.0], "shares": [1.0], "n": 3})
