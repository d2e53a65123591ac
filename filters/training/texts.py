"""Which text of a record is read with its image this time: a report says the same thing more than once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

CAPTION = "caption"  # the whole text of the record


def choices(text: str, facts: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The record's texts among ``names``: caption, sections of the report, or fields of its facts (``synthetic``).

    The whole text where it has none of them.
    """
    sections = facts.get("sections")
    said: dict[str, Any] = {**facts, **(sections if isinstance(sections, dict) else {}), CAPTION: text}
    found = [said[n] for n in names if isinstance(said.get(n), str) and said[n].strip()]
    return found or [text]


def draw(found: Sequence[str], rng: np.random.Generator) -> str:
    """One of them, each as likely."""
    return found[int(rng.integers(len(found)))] if len(found) > 1 else found[0]
