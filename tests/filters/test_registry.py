"""What a recipe says of the filters: unknown fields and values out of range are named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from filters.method import public_rules
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


def test_a_card_says_by_its_hash_what_a_filter_began_with_and_no_path(tmp_path: Path):
    weights, own = tmp_path / "weights.pt", tmp_path / "own.json"
    weights.write_bytes(b"weights")
    given = {"checkpoint": str(weights), "arch": str(own), "reference": str(weights)}
    told = public_rules(make_rules("dfn", given))
    assert told["train"]["model"]["checkpoint"] == told["train"]["reference"] == hashlib.sha256(b"weights").hexdigest()
    assert told["train"]["model"]["arch"] == "own"
    parts = {"parts": ["judges", "text_quality"], "part_rules": {"judges": {"encoder": str(weights)}}}
    assert str(tmp_path) not in json.dumps([told, public_rules(make_rules("ours", parts))])
