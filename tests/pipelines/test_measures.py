"""What the page says of filters by their cards."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.export.rules import SelectRules
from curate.intact import part_path
from curate.record import RECORD, SELECTION, conform
from pipelines.report.measures import blind_spots, keep_rates, measures


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


def test_keep_rates_are_of_what_was_scored(tmp_path: Path) -> None:
    """A report without an image is in the selection and in no score table."""
    keys = [f"{i:032x}" for i in range(6)]
    rows = {"key": keys, "sex": ["F", "M"] * 3, "age": [None] * 6, "modality": ["CT", "MR", None] * 2}
    reasons = [None, None, "score_below_cut", None, "unscored", None]
    selection = {"key": keys, "split": ["train"] * 5 + ["test"], "drop_reason": reasons}
    pq.write_table(pa.table({"key": keys[3::-1], "findings": ["mass", None, "", "edema"]}), part_path(tmp_path, 0))
    recipe = SimpleNamespace(select_rules=lambda: SelectRules(by="dfn", keep=0.5))
    run: Any = SimpleNamespace(recipe=recipe, score=SimpleNamespace(folder=lambda run: tmp_path), run=tmp_path)
    found = keep_rates(run, conform(pa.table(rows), RECORD), conform(pa.table(selection), SELECTION))
    assert found is not None and (found.n, found.kept) == (4, 3)
    assert [(r.value, r.n, r.kept) for r in found.rates["sex"]] == [("F", 2, 1), ("M", 2, 2)]
    assert {r.value: r.kept for r in found.rates["modality"]} == {"CT": 2, "MR": 1, "unknown": 0}
