"""What the page says of filters by their cards."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from pipelines.report.measures import blind_spots, measures


def test_a_fault_that_cannot_be_told_is_named_and_no_other() -> None:
    card = {"planted_auroc": 0.55, "planted_auroc_side": 0.49, "planted_auroc_mismatch": 0.9, "holdout_auroc": 0.5}
    found = blind_spots({"ours": {"metrics": card}, "dfn": {"metrics": {"holdout_auroc": 0.4}}})
    assert len(found) == 1
    assert "'ours'" in found[0] and "side" in found[0] and "0.49" in found[0] and "ours_side" in found[0]


@pytest.mark.parametrize("truth", [None, "known"])
def test_without_truth_the_card_says_how_well_planted_faults_are_told(truth: str | None) -> None:
    metrics = {"planted_auroc_side": 0.9, "planted_auroc_blank": 1.0, "holdout_pairs": 48.0, "right_in_pool": 0.4}
    cards = {"ours": {"method": "ours", "metrics": metrics}}
    run: Any = SimpleNamespace(recipe=SimpleNamespace(truth=truth), score=None, cards=cards)
    told = {m.name: m.value for m in measures(run, pa.table({}))}
    planted = {"ours: AUROC on planted blank": 1.0, "ours: AUROC on planted side": 0.9}
    assert told == ({} if truth else planted) | {"ours: right pairs, its estimate": 0.4}


def test_the_page_says_why_a_probability_is_none_to_cut_by() -> None:
    metrics = {"right_in_pool": 0.97, "right_error": 0.05}
    cards = {"judges": {"method": "judges", "metrics": metrics, "uncalibrated": "nobody knows"}}
    run: Any = SimpleNamespace(recipe=SimpleNamespace(truth=None), score=None, cards=cards)
    (found,) = measures(run, pa.table({}))
    assert found.note.endswith("Not calibrated: nobody knows")
    assert (found.low, found.high) == (pytest.approx(0.872), 1.0)
