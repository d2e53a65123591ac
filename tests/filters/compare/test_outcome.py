"""From numbers a seed to answers: intervals, differences seed by seed, what was enough."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.compare.outcome import Estimate, choose, compare_selections, difference, efficiency, estimate, measures
from filters.metrics import resampled
from tests.filters.compare.results import NAME, cell

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=12)


@pytest.mark.parametrize(
    ("freedom", "point"),
    [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (15, 2.131), (20, 2.086), (30, 2.042), (60, 2.000), (120, 1.980)],
)
def test_students_t_by_its_table(freedom: int, point: float) -> None:
    values = np.arange(freedom + 1.0)
    found = estimate(values.tolist())
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert (float(found.high or 0) - found.value) / error == pytest.approx(point, rel=0.005)


def test_an_estimate_by_hand() -> None:
    """Mean 3, standard deviation 1.5811, so 2.776 * 1.5811 / sqrt(5) = 1.963 either way."""
    found = estimate([1, 2, 3, 4, 5])
    assert (found.value, found.n) == (3.0, 5)
    assert found.low == pytest.approx(1.037, abs=1e-3) and found.high == pytest.approx(4.963, abs=1e-3)


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = [(e := estimate(rng.normal(2, 1, 5).tolist())).low <= 2 <= e.high for _ in range(2000)]  # type: ignore[operator]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(("seeds", "patients", "both"), [(0.0, 1.0, 1.0), (0.1, 1.0, 1.0), (0.3, 0.5, 2.0)])
def test_an_interval_over_seeds_and_patients_holds_the_truth_as_often_as_it_says(
    seeds: float, patients: float, both: float
) -> None:
    """Three seeds measured on the same 60 patients. Student's t over the seeds takes the patients for all there are."""
    rng = np.random.default_rng(0)
    weights = np.concatenate(list(resampled(60, 100, 0)))
    crossed, over_seeds = [], []
    for _ in range(600):
        values = seeds * rng.normal(size=(3, 1)) + patients * rng.normal(size=60) + both * rng.normal(size=(3, 60))
        means = values.mean(axis=1).tolist()
        crossed.append(estimate(means, list(values @ weights.T / 60)))
        over_seeds.append(estimate(means))

    def share(found: list[Estimate]) -> float:
        return float(np.mean([e.low <= 0 <= e.high for e in found]))  # type: ignore[operator]

    assert share(crossed) >= 0.93
    assert share(over_seeds) < share(crossed) or patients < both


def test_what_patients_have_in_common_under_both_selections_is_no_difference() -> None:
    """Patients that differ far more than selections do, and a gain of .02 on every one of them."""
    draws = np.random.default_rng(0).normal(0.5, 0.1, 50)
    at = NAME[0], NAME[1], NAME[2]
    results = [cell(s, seed, 0.5 + 0.02 * (s == "ours") + 0.001 * seed) for s in ("all", "ours") for seed in (1, 2, 3)]
    for result in results:
        drawn = draws + result["tasks"][at[0]][at[1]][at[2]] - 0.5
        result["draws"] = {at[0]: {at[1]: {at[2]: drawn.tolist()}}}
    everyone, ours = compare_selections(results, NAME)
    assert everyone.estimate.low is not None and everyone.estimate.low < 0.4, "patients vary"
    assert ours.gain is not None and ours.gain.certain and ours.gain.value == pytest.approx(0.02)
    assert difference({1: results[3]}, {1: results[0]}, NAME).low is None, "one seed has no interval"
    results[0]["tasks"][at[0]][at[1]][at[2]] = None
    assert compare_selections(results, NAME)[1].gain.n == 2  # type: ignore[union-attr]


@given(VALUES, st.floats(0.1, 10), st.floats(-50, 50))
def test_other_units_give_the_same_answer(values: list[float], scale: float, shift: float) -> None:
    plain, other = estimate(values), estimate([scale * v + shift for v in values])
    for a, b in ((plain.value, other.value), (plain.low, other.low), (plain.high, other.high)):
        assert b == pytest.approx(scale * a + shift, abs=1e-6)


def test_what_is_missing_does_not_count() -> None:
    assert estimate([1.0, math.nan, 3.0]) == estimate([1.0, 3.0])
    one, none = estimate([0.5]), estimate([])
    assert (one.value, one.low, one.n, one.certain) == (0.5, None, 1, False)
    assert math.isnan(none.value) and none.n == 0 and not none.certain


def test_differences_are_paired_by_seed() -> None:
    """Seeds that differ far more than selections do: apart nothing can be told, seed by seed all."""
    rows = [("all", s, 0.1 * s) for s in range(1, 6)] + [("ours", s, 0.1 * s + 0.02 + 0.001 * s) for s in range(1, 6)]
    results = [cell(*row) for row in rows]
    random.Random(0).shuffle(results)
    found = {r.selection: r for r in compare_selections(results, NAME)}
    assert found["all"].gain is None
    ours = found["ours"]
    assert ours.estimate.low is not None and ours.estimate.low < found["all"].estimate.value
    assert ours.gain is not None and ours.gain.value == pytest.approx(0.023) and ours.gain.certain
    assert not estimate([0.2, -0.1, 0.05]).certain


def test_only_shared_seeds_and_whole_budgets_are_compared() -> None:
    results = [cell("all", 1, 0.3), cell("all", 2, 0.5), cell("ours", 2, 0.6), cell("ours", 3, 0.9)]
    results += [cell("ours", 2, 0.0, budget=0.25), cell("all", 4, None)]
    found = {r.selection: r for r in compare_selections(results, NAME)}
    gain = found["ours"].gain
    assert gain is not None and gain.n == 1 and gain.value == pytest.approx(0.1)
    assert found["ours"].estimate.value == pytest.approx(0.75) and found["all"].estimate.n == 2


def test_measures_are_what_every_cell_has() -> None:
    both = [cell("all", 1, 0.3), cell("ours", 1, 0.4)]
    both[0]["tasks"]["held out"] |= {"findings": {"auroc": 0.7}, "findings/edema": {"auroc": 0.7}}
    both[1]["tasks"]["held out"] |= {"findings/edema": {"auroc": 0.7}}
    assert measures(both) == [NAME, ("held out", NAME[1], "median_rank")]
    assert measures([]) == []


def test_the_least_that_was_enough() -> None:
    results = [cell("all", s, 0.40) for s in (1, 2)]
    results += [cell("ours", s, 0.55 + 0.01 * s) for s in (1, 2)]
    results += [cell("ours", s, v, b) for s in (1, 2) for b, v in ((0.1, 0.30), (0.25, 0.41), (0.5, 0.5))]
    results += [cell("ours, 10% kept", s, 0.39 + 0.02 * s, family="ours", fraction=0.1) for s in (1, 2)]
    pool, samples = efficiency(results, NAME, "ours")
    assert (samples.share, samples.tried) == (0.25, (0.1, 0.25, 0.5, 1.0))
    assert (pool.share, pool.tried) == (0.1, (0.1, 0.2))
    pool, samples = efficiency([r for r in results if r["selection"] == "all"], NAME, "ours")
    assert samples.share is None and samples.tried == () and pool.share is None


def test_nothing_tried_was_enough() -> None:
    results = [cell("all", 1, 0.9), cell("ours", 1, 0.5), cell("ours", 1, 0.95, 0.1)]
    assert efficiency(results, NAME, "ours")[1].share == 0.1
    results = [cell("all", 1, 0.9), cell("ours", 1, 0.5), cell("ours", 1, None, 0.1)]
    assert efficiency(results, NAME, "ours")[1].share is None


def test_a_lower_median_rank_is_better() -> None:
    name = (*NAME[:2], "median_rank")
    ranks = {"all": (1.0, 9.0), "ours": (1.0, 4.0)}
    results = [cell(s, 1, 0.5, b) for s, (b, _) in ranks.items()] + [cell("ours", 1, 0.5, 0.25)]
    for result, rank in zip(results, (9.0, 4.0, 12.0), strict=True):
        result["tasks"]["held out"][NAME[1]]["median_rank"] = rank
    assert efficiency(results, name, "ours")[1].share == 1.0


def test_the_filter_is_chosen_by_its_models_not_by_what_is_reported() -> None:
    """A leads on the records that are reported, B on validation: B is chosen, by its lead seed by seed."""
    results = []
    for seed, of_a, of_b in ((1, 0.30, 0.33), (2, 0.40, 0.42), (3, 0.20, 0.24)):
        for name, there, validation in (("A", 0.9, of_a), ("B", 0.1, of_b), ("all", 0.5, 0.99)):
            found = cell(name, seed, there)
            found["tasks"]["validation"] = {NAME[1]: {NAME[2]: validation, "median_rank": 10 * validation}}
            results.append(found)
    choice = choose(results, ("validation", *NAME[1:]), ["A", "B"])
    assert choice is not None and (choice.selection, choice.second) == ("B", "A")
    assert choice.lead.value == pytest.approx(0.03) and choice.lead.certain
    ranks = choose(results, ("validation", NAME[1], "median_rank"), ["A", "B"])
    assert ranks is not None and ranks.selection == "A", "a low rank is a good one"
    assert choose(results, ("validation", *NAME[1:]), ["A"]) is None
