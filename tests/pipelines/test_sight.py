"""A filter that cannot tell right pairs from exchanged ones cuts nothing, unless it is told to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from curate.errors import RunError
from pipelines.recipe.scoring import Select
from pipelines.run.sight import require_sight

BLIND = {"metrics": {"planted_auroc": 0.9, "planted_auroc_mismatch": 0.33, "holdout_auroc": 0.9}}
SEEING = {"metrics": {"holdout_auroc": 0.8}}


def recipe(**select: Any) -> Any:
    chosen = Select(**select)
    return SimpleNamespace(select=chosen, select_rules=lambda: chosen.rules(["ours", "ours_two"]))


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
