from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import RunError
from filters.methods.ours.calibration import Calibration, brier, ece, platt, reliability
from filters.metrics import shares_of

ROWS = st.lists(st.tuples(st.integers(-20, 20), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(y for _, y in rows) < len(rows)
)


def drawn(n: int, seed: int = 0, slope: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels and the true probabilities sigmoid(slope * score - 1)."""
    rng = np.random.default_rng(seed)
    s = rng.normal(size=n)
    p = 1 / (1 + np.exp(1 - slope * s))
    return s, rng.random(n) < p, p


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_probabilities_never_fall(rows):
    s, y = np.array([r[0] for r in rows]) / 7, [r[1] for r in rows]
    calibration = platt(s, y)
    grid = np.linspace(-5, 5, 101)
    p = calibration.apply(grid)
    assert (np.diff(p) >= 0).all() and 0 <= p[0] <= p[-1] <= 1


def test_a_known_sigmoid_is_found_again():
    s, y, p = drawn(8000)
    got = platt(s, y).apply(s)
    assert np.abs(got - p).mean() < 0.015
    assert ece(got, y) < 0.02 and brier(got, y) < brier(np.full(len(y), y.mean()), y) - 0.05


def test_a_sigmoid_does_not_depend_on_the_scores_unit():
    s, y, _ = drawn(500)
    np.testing.assert_allclose(platt(s, y).apply(s), platt(1e-3 * s + 7, y).apply(1e-3 * s + 7), atol=2e-4)


def test_scores_the_wrong_way_round_are_worth_nothing():
    s, y, _ = drawn(500)
    assert platt(-s, y).apply(-s) == pytest.approx(y.mean())


def test_extremes_stay_between_0_and_1_and_nan_stays_nan():
    s, y = np.arange(20.0), np.arange(20) >= 10
    got = platt(s, y).apply([-1e9, np.nan, 1e9])
    assert 0 < got[0] < 0.1 and np.isnan(got[1]) and 0.9 < got[2] < 1
    p = platt(s, y).apply(s)
    assert (np.diff(p) > 0).all()  # no ties: a cut can tell all of them apart


def test_reliability_counts_every_pair_and_says_how_sure_it_is():
    s, y, p = drawn(2000)
    groups = [f"p{i}" for i in range(2000)]
    told = reliability(p, y, groups, bins=10)
    assert sum(b.n for b in told.bins) == 2000 and len(told.bins) == 10
    assert all(b.low <= b.predicted <= b.high and b.lower <= b.observed <= b.upper for b in told.bins)
    assert sum(b.lower <= b.predicted <= b.upper for b in told.bins) >= 8  # p is the truth
    assert told.ece < 0.03 and told.brier == pytest.approx(((p - y) ** 2).mean())
    wrong = reliability(p**3, y, groups)
    assert wrong.ece > 0.1 and sum(b.lower <= b.predicted <= b.upper for b in wrong.bins) < 6
    assert s.shape == p.shape


def test_repeats_of_a_patient_narrow_no_interval():
    _, y, p = drawn(100)
    groups = [f"p{i}" for i in range(100)] * 9
    wide = reliability(np.tile(p, 9), np.tile(y, 9), groups, bins=4).bins
    alone = reliability(p, y, [f"p{i}" for i in range(100)], bins=4).bins
    assert [b.lower for b in wide] == pytest.approx([b.lower for b in alone])


def test_ece_of_a_constant_is_its_distance():
    assert ece(np.full(10, 0.3), np.arange(10) < 5) == pytest.approx(0.2)
    assert reliability([0.5, 0.5], [True, False], ["a", "b"]).bins[0].n == 2


def test_another_archives_share_of_right_pairs_is_found_without_labels():
    rng = np.random.default_rng(0)

    def pool(share: float, n: int = 6000) -> tuple[np.ndarray, np.ndarray]:
        y = rng.random(n) < share
        return rng.normal(size=n) + 1.5 * y, y

    s, y = pool(0.5)
    calibration = platt(s, y)
    there, right = pool(0.15)
    wrong = (1 - calibration.apply(there)) / calibration.apply(
        there
    )  # how much denser wrong pairs are: half were right
    shares = shares_of(wrong[:, None], np.ones((1, len(there))))[0]
    assert shares[0] == pytest.approx(0.15, abs=0.03) and shares.sum() == pytest.approx(1)
    got = shares[0] / (shares[0] + shares[1] * wrong)
    assert ece(got, right) < 0.03 < 0.1 < ece(calibration.apply(there), right)


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(RunError, match="needs right and wrong"):
        platt([1.0, 2.0], [True, True])
    with pytest.raises(RunError, match="not finite"):
        platt([1.0, np.nan], [True, False])
    with pytest.raises(ValueError, match="2 scores for 1"):
        platt([1.0, 2.0], [True])


@pytest.mark.parametrize(("slope", "intercept"), [(-1.0, 0.0), (np.nan, 0.0), (np.inf, 0.0), (1.0, np.nan)])
def test_numbers_that_are_no_calibration_are_refused(slope, intercept):
    assert Calibration(2.0, -1.0).apply([0.5])[0] == 0.5
    with pytest.raises(ValueError, match="finite slope"):
        Calibration(slope, intercept)
