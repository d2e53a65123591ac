"""What a recipe says of the filters: former names of fields are read, unknown ones are named."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from filters.evaluate.rules import EvaluateRules
from filters.registry import CapfiltRules, CleanRules, fill_rules, make_rules


@pytest.mark.parametrize(
    ("method", "former", "now"),
    [
        ("findings", {"least": 3, "most": 9, "least_steps": 5, "held": 0.2},
         {"min_texts": 3, "max_findings": 9, "min_steps": 5, "holdout": 0.2}),
        ("text_quality", {"least_groups": 4}, {"min_groups": 4}),
        ("image_quality", {"most": 7}, {"max_images": 7}),
        ("judges", {"most": 70}, {"max_pairs": 70}),
        ("ours", {"held": 0.4}, {"holdout": 0.4}),
    ],
)  # fmt: skip
def test_a_former_name_is_the_same_field(method: str, former: dict[str, Any], now: dict[str, Any]):
    assert make_rules(method, former) == make_rules(method, now) != make_rules(method, {})


def test_former_names_of_the_other_parts():
    asked = {"least": 2, "most_values": 3, "probe_most": 4, "subgroup_least": 5}
    given = EvaluateRules(min_records=2, max_values=3, max_probe=4, min_subgroup=5)
    assert fill_rules("evaluate", EvaluateRules, asked) == given
    assert CleanRules.model_validate({"most": 9}) == CleanRules(max_pairs=9)
    assert CapfiltRules.model_validate({"better": 1, "least_groups": 2}) == CapfiltRules(margin=1, min_groups=2)


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match="judges has no field 'least'; the fields are encoder, rounds, max_pairs"):
        make_rules("judges", {"least": 3})
    with pytest.raises(ValidationError, match="max_pairs"):
        CleanRules.model_validate({"max_pairs": 3})
