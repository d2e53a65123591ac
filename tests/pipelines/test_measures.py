"""What the page says of filters by their cards."""

from __future__ import annotations

from pipelines.measures import blind_spots


def test_a_fault_that_cannot_be_told_is_named_and_no_other() -> None:
    card = {"planted_auroc": 0.55, "planted_auroc_side": 0.49, "planted_auroc_mismatch": 0.9, "holdout_auroc": 0.5}
    found = blind_spots({"ours": {"metrics": card}, "dfn": {"metrics": {"holdout_auroc": 0.4}}})
    assert len(found) == 1
    assert "'ours'" in found[0] and "side" in found[0] and "0.49" in found[0] and "ours_side" in found[0]
