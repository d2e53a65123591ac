"""A filter that cannot tell right pairs from exchanged ones cuts nothing, unless it is told to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from curate.errors import RunError
from curate.export.rules import SelectRules
from pipelines.run.sight import require_sight

BLIND = {"metrics": {"planted_auroc": 0.9, "planted_auroc_mismatch": 0.33, "holdout_auroc": 0.9}}
SEEING = {"metrics": {"holdout_auroc": 0.8}}


def recipe(**select: Any) -> Any:
    chosen = SelectRules(**select)
    return SimpleNamespace(select=chosen, select_rules=lambda: chosen.resolved(["ours", "ours_two"]))


@pytest.mark.parametrize("select", [{"keep": 0.5}, {"by": {"ours": 1, "ours_two": 1}, "keep": 0.5}, {"threshold": 0.1}])
def test_a_blind_filter_stops_the_run_with_the_choices(select: dict[str, Any]):
    with pytest.raises(RunError, match=r"'ours' cannot tell .* AUROC 0\.33") as error:
        require_sight(recipe(**select), {"ours": BLIND, "ours_two": SEEING})
    for choice in ("'clean'", "select.by", "select: {}", "select.force"):
        assert choice in str(error.value)


@pytest.mark.parametrize(
    ("select", "cards"),
    [
        ({}, {"ours": BLIND}),
        ({"keep": 0.5, "force": True}, {"ours": BLIND}),
        ({"keep": 0.5}, {"ours": SEEING}),
        ({"keep": 0.5}, {"ours": {"metrics": {}}}),
        ({"by": "ours_two_side", "keep": 0.5}, {"ours": BLIND, "ours_two": SEEING}),
    ],
)
def test_who_sees_or_is_told_to_or_says_nothing_goes_on(select: dict[str, Any], cards: dict[str, Any]):
    require_sight(recipe(**select), cards)


GUESSING = {"metrics": {"holdout_auroc": 0.8}, "uncalibrated": "its share of right pairs is known to 0.11 only"}


@pytest.mark.parametrize("select", [{"precision": 0.9}, {"precision": 0.9, "by": "ours_two", "probability": "ours"}])
def test_a_precision_of_a_probability_that_is_none_stops_the_run_with_the_reason(select: dict[str, Any]):
    with pytest.raises(RunError, match=r"probability of 'ours' is not calibrated: its share .* 0\.11 only") as error:
        require_sight(recipe(**select), {"ours": GUESSING, "ours_two": SEEING})
    assert "select.keep" in str(error.value) and "select.force" in str(error.value)


@pytest.mark.parametrize(
    ("select", "card"),
    [
        ({"keep": 0.5}, GUESSING),
        ({"precision": 0.9, "force": True}, GUESSING),
        ({"precision": 0.9}, {**GUESSING, "uncalibrated": None}),
        ({"precision": 0.9, "probability": "ours_two"}, GUESSING),
    ],
)
def test_an_order_needs_no_probability(select: dict[str, Any], card: dict[str, Any]):
    require_sight(recipe(**select), {"ours": card, "ours_two": SEEING})
