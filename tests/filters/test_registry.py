"""What a recipe says of the filters: unknown fields and values out of range are named."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from filters.registry import CleanRules, make_rules


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match="judges has no field 'least'; the fields are encoder, rounds, max_pairs"):
        make_rules("judges", {"least": 3})
    with pytest.raises(ValidationError, match="max_pairs"):
        CleanRules.model_validate({"max_pairs": 3})


def test_a_value_out_of_range_is_told_with_what_would_be_right():
    with pytest.raises(ValueError, match=r"^lr: 0; above 0$"):
        make_rules("dfn", {"lr": 0})
    with pytest.raises(ValueError, match=r"^batch: 1; at least 2$"):
        make_rules("siglip", {"batch": 1})
    with pytest.raises(ValueError, match=r"^epochs: 'many'; Input should be a valid integer"):
        make_rules("blip", {"epochs": "many"})
