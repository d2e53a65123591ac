"""A law that is there is found, with the interval it promises; one that cannot be there is not made up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import RunError
from filters.compare.scaling import fit

SIZES = np.array([1e3, 2e3, 4e3, 8e3, 16e3])


@settings(max_examples=5, deadline=None)
@given(st.floats(0.05, 5), st.floats(-0.9, -0.05))
def test_a_law_without_noise_is_found_exactly(a: float, b: float) -> None:
    law = fit(SIZES, a * SIZES**b)
    assert law.a == pytest.approx(a, rel=1e-6) and law.b == pytest.approx(b, abs=1e-9)
    assert (law.b_low, law.b_high) == pytest.approx((b, b), abs=1e-9)
    assert law.reach == pytest.approx((1e3, 16e3))
    assert law.at(64e3) == pytest.approx((a * 64e3**b,) * 3, rel=1e-6)


def test_a_noisy_law_lies_within_its_interval() -> None:
    """Five seeds a size, 5 % noise: the bootstrap of so few is a little narrow, as Cherti et al.'s is."""
    rng, b = np.random.default_rng(1), -0.3
    compute = np.repeat(SIZES, 5)
    hits, widths = [], []
    for _ in range(12):
        law = fit(compute, 2 * compute**b * np.exp(rng.normal(0, 0.05, len(compute))))
        hits.append(law.b_low <= b <= law.b_high)
        widths.append(law.b_high - law.b_low)
        value, low, high = law.at(1.6e6)
        assert low < value < high
    assert sum(hits) >= 9 and np.mean(widths) < 0.1


def test_farther_is_less_certain() -> None:
    compute = np.repeat(SIZES, 3)
    law = fit(compute, compute**-0.2 * np.exp(np.random.default_rng(0).normal(0, 0.05, len(compute))))
    near, far = law.at(4e3), law.at(4e6)
    assert (far[2] - far[1]) / far[0] > 2 * (near[2] - near[1]) / near[0]


def test_equal_numbers_give_equal_laws() -> None:
    rng = np.random.default_rng(2)
    compute, error = np.repeat(SIZES, 2), rng.uniform(0.2, 0.9, 10)
    assert fit(compute, error) == fit(compute, error)


@pytest.mark.parametrize(
    "points",
    [
        [(1e3, 0.5), (2e3, 0.4)],
        [(1e3, 0.5), (1e3, 0.4), (1e3, 0.3), (2e3, 0.4)],
        [(1e3, 0.5), (2e3, 0.4), (4e3, math.nan)],
        [(1e3, 0.5), (2e3, 0.4), (4e3, 0.0)],
        [],
    ],
)
def test_too_few_sizes_are_no_law(points: list[tuple[float, float]]) -> None:
    with pytest.raises(RunError, match="a scaling law needs 3"):
        fit([c for c, _ in points], [e for _, e in points])
