"""Which text of a record is read with its image this time: a report says the same thing more than once."""

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

    The whole text where it has none of them.
    """
    said = _said(text, facts)
    found = [said[n] for n in names if isinstance(said.get(n), str) and said[n].strip()]
    return found or [text]


def check_texts(shards: Shards, names: Sequence[str]) -> None:
    """RecipeError where no record of an even sample has any of the ``names``: they are misspelt, or not there."""
    samples = [shards.read(int(i)) for i in np.linspace(0, len(shards) - 1, min(len(shards), _SAMPLE))]
    if CAPTION in names or any(_said(s.text, s.facts).get(n) for s in samples for n in names):
        return
    sections = {key for s in samples for key in _said(s.text, s.facts)["sections"]}
    problem = f"none of {len(samples)} records looked at has {' or '.join(names)}"
    raise RecipeError("train.texts", problem, ", ".join([CAPTION, *sorted(sections)]))


def _said(text: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    sections = facts.get("sections")
    inside = sections if isinstance(sections, dict) else {}
    return {**facts, **inside, CAPTION: text, "sections": inside}


def draw(found: Sequence[str], rng: np.random.Generator) -> str:
    """One of them, each as likely."""
    return found[int(rng.integers(len(found)))] if len(found) > 1 else found[0]
