"""Keep rates of subgroups: their intervals, who lags behind, and how the page draws it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.report.fairness import BEHIND, fairness
from curate.report.interval import wilson
from curate.report.page import RunReport, render_page, report_json
from curate.report.trust import Drift, Reliability, ReliabilityBin

EMPTY = RunReport("run", "", {}, [], [], [], [], [], [], [], {}, {}, [])


def test_wilson_is_the_published_interval() -> None:
    """Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    low, high = wilson([81, 15, 0, 1], [263, 148, 20, 29])
    assert low.round(4).tolist() == [0.2553, 0.0624, 0.0, 0.0061]
    assert high.round(4).tolist() == [0.3662, 0.1605, 0.1611, 0.1718]
    assert [float(v) for v in wilson(0, 0)] == [0.0, 1.0]


@given(st.integers(0, 200), st.integers(0, 200))
def test_wilson_holds_the_share_and_stays_within_0_and_1(hits: int, misses: int) -> None:
    low, high = wilson(hits, hits + misses)
    if hits + misses:
        assert 0 <= low <= hits / (hits + misses) <= high <= 1
        flipped = wilson(misses, hits + misses)
        assert float(low) == pytest.approx(1 - float(flipped[1])) and float(high) == pytest.approx(
            1 - float(flipped[0])
        )


def test_a_subgroup_is_behind_only_where_its_whole_interval_is() -> None:
    view = pa.array(["PA"] * 600 + ["LL"] * 200 + [None] * 4)
    kept = np.array([True] * 240 + [False] * 360 + [True] * 20 + [False] * 180 + [False] * 4)
    told = fairness({"view": view}, kept)
    assert (told.n, told.kept) == (804, 260) and told.overall == pytest.approx(260 / 804)
    rates = {r.value: r for r in told.rates["view"]}
    assert list(rates) == ["PA", "LL", "unknown"]  # largest first
    assert (rates["LL"].n, rates["LL"].kept, rates["LL"].behind) == (200, 20, True)
    assert not rates["unknown"].behind  # four records tell nothing
    assert rates["LL"].high < BEHIND * told.overall < rates["unknown"].high
    (warning,) = told.warnings()
    assert "view 'LL': 10.0 % of 200 kept" in warning and "select.floor: {by: view" in warning


def test_findings_ages_and_columns_that_are_not_there() -> None:
    columns = {"findings": ["mass@left;edema", "edema", "", "mass"], "age": [3, None, 85, 40], "sex": ["F"] * 4}
    told = fairness(columns, np.array([True, False, True, True]))
    assert {r.value: (r.kept, r.n) for r in told.rates["finding"]} == {"edema": (1, 2), "mass": (2, 2)}
    assert {r.value: (r.kept, r.n) for r in told.rates["age_band"]} == {
        "0-17": (1, 1),
        "40-59": (1, 1),
        "80+": (1, 1),
        "unknown": (0, 1),
    }
    assert set(told.rates) == {"finding", "age_band"}  # one sex alone is no comparison
    assert fairness({}, np.zeros(0, bool)).rates == {}


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.booleans()), min_size=1, max_size=40))
def test_every_record_is_counted_once_in_a_column(rows: list[tuple[str | None, bool]]) -> None:
    kept = np.array([k for _, k in rows])
    told = fairness({"source": [v for v, _ in rows]}, kept)
    for rates in told.rates.values():
        assert sum(r.n for r in rates) == len(rows) and sum(r.kept for r in rates) == kept.sum()
        assert all(math.isclose(r.rate, r.kept / r.n) for r in rates)


def test_the_page_shows_keep_rates_reliability_and_drift() -> None:
    kept = np.array([True] * 100 + [False] * 100)
    told = fairness({"view": ["PA"] * 100 + ["LL"] * 100}, kept)
    bins = (ReliabilityBin(0.0, 0.4, 50, 0.2, 0.25, 0.15, 0.38), ReliabilityBin(0.4, 1.0, 50, 0.8, 0.7, 0.6, 0.8))
    report = dataclasses.replace(
        EMPTY,
        fairness=told,
        reliability=[Reliability("ours", bins, 0.07, 0.16, "on held-out pairs")],
        drift=[Drift("dfn", "PSI", 0.31, "warn", "train the filter again", (0.5, 0.5), (0.9, 0.1))],
    )
    page = render_page(report)
    assert "1 lag behind" in page and "0/100" in page and "Expected calibration error 0.070" in page
    assert "drifted" in page and "train the filter again" in page and "on held-out pairs" in page
    assert page.count('class="chip dropped">behind') == 1
    assert render_page(report) == page and '"ece": 0.07' in report_json(report)


def test_many_subgroups_are_cut_short_but_those_behind_stay() -> None:
    names = [f"finding {i:03d}" for i in range(60)]
    rows = [name for i, name in enumerate(names) for _ in range(200 if i < 59 else 100)]
    kept = np.array([name != names[-1] for name in rows])
    page = render_page(dataclasses.replace(EMPTY, fairness=fairness({"findings": rows}, kept)))
    assert "15 of 60 are shown" in page and names[-1] in page and names[30] not in page
