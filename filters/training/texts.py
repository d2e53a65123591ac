"""The texts of a record, of which one is drawn for its image: the caption, sections or other fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from curate.errors import RecipeError
from filters.training.shards import Shards

_SAMPLE = 200
CAPTION = "caption"  # the whole text of the record


def choices(text: str, facts: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The record's texts among ``names``: caption, sections of the report, or fields of its facts (``synthetic``).

    The whole text if it has none of them.
    """
    fields = _text_fields(text, facts)
    usable = [fields[n] for n in names if isinstance(fields.get(n), str) and fields[n].strip()]
    return usable or [text]


def check_texts(shards: Shards, names: Sequence[str]) -> None:
    """RecipeError if no record of an even sample has any of the ``names``: they are misspelt or missing."""
    samples = [shards.read(int(i)) for i in np.linspace(0, len(shards) - 1, min(len(shards), _SAMPLE))]
    if CAPTION in names or any(_text_fields(s.text, s.facts).get(n) for s in samples for n in names):
        return
    sections = {key for s in samples for key in _text_fields(s.text, s.facts)["sections"]}
    problem = f"none of {len(samples)} records looked at has {' or '.join(names)}"
    raise RecipeError("train.texts", problem, ", ".join([CAPTION, *sorted(sections)]))


def _text_fields(text: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    sections = facts.get("sections")
    inside = sections if isinstance(sections, dict) else {}
    return {**facts, **inside, CAPTION: text, "sections": inside}


def draw(texts: Sequence[str], rng: np.random.Generator) -> str:
    """One of ``texts``, uniformly."""
    return texts[int(rng.integers(len(texts)))] if len(texts) > 1 else texts[0]
