"""Rules for what identifies in any report, whoever it is of: numbers, contacts, addresses, times, ages, initials.

A rule is a label, a pattern and maybe a check (`curate.deid.patterns.prefilter`); they lie
in `curate.deid.patterns`, a file for each kind. A rule may take too much, never too little where its cue is clear; what
keeps clinical text whole is that a cue or a telling shape is always asked for. Works on folded text
(`curate.deid.text.fold`).
"""

from __future__ import annotations

from collections.abc import Iterator

from curate.deid.patterns import addresses, ages, clock, contacts, initials, numbers, wards
from curate.deid.patterns.prefilter import Rule, Span, find_all
from curate.deid.text.text_index import TextIndex

_KINDS = (contacts, numbers, clock, ages, addresses, wards, initials)
RULES: tuple[Rule, ...] = tuple(rule for kind in _KINDS for rule in kind.SURE)
# What goes where the vocabulary decides: less telling shapes.
STRICT_RULES: tuple[Rule, ...] = tuple(rule for kind in _KINDS for rule in kind.STRICT)


def find_spans(text: str, index: TextIndex | None = None, *, strict: bool = True) -> Iterator[Span]:
    """Every span the rules find in folded text, overlapping ones too; dates and names have their own.

    ``strict``: also the rules that go with the decision per word.
    """
    index = TextIndex(text) if index is None else index
    yield from find_all(RULES, index)
    if strict:
        yield from find_all(STRICT_RULES, index)
