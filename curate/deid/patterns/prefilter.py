"""Rules: what is looked for in folded text, and what a text must hold for one to find anything.

Most rules find nothing in most texts, and those that do in a few places. So from each pattern is read, once, with what
its matches begin and what they must hold: words, signs, digits (`first_keys`). A rule is tried only where a text has
all of it, and its pattern is tried only where a match can begin. A rule may so be tried in vain; none is held back that
would have found something, which the tests check rule by rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from curate.deid.patterns.first_keys import first_and_required
from curate.deid.text.text_index import BY_KEY, OPEN_KEYS, TextIndex

Span = tuple[int, int, str]  # start, end, label
Where = Literal["", "codes", "end"]
Check = Callable[[re.Match[str]], bool]
_END = 24  # characters


@dataclass(frozen=True, eq=False)
class Rule:
    """In folded text ``pattern`` gives a span, its first group if that has no name, where ``check`` has nothing against
    the match. ``where``: it is tried only where "codes" of letters and digits stand, or at the "end" of the text."""

    label: str
    pattern: re.Pattern[str]
    check: Check | None = None
    where: Where = ""
    group: int = field(init=False)
    keys: frozenset[str] | None = field(init=False)  # one of these begins a match; None: anything does
    required: tuple[frozenset[str], ...] = field(init=False)  # of each of these a text with a match holds one

    def __post_init__(self) -> None:
        unnamed = self.pattern.groups > 0 and 1 not in self.pattern.groupindex.values()
        keys, required = first_and_required(self.pattern)
        for name, value in (("group", int(unnamed)), ("keys", keys), ("required", required)):
            object.__setattr__(self, name, value)
        for key in required[0] if required else ("",):
            BY_KEY.setdefault(key, []).append(self)
        OPEN_KEYS.update(key for keys in (keys or (), *required) for key in keys if key[-1] == "*")

    def find(self, index: TextIndex) -> Iterable[re.Match[str]]:
        """The matches in a text, before any check; where a pattern is tried at some places only, they may overlap."""
        if self not in index.wanted or any(keys.isdisjoint(index.present) for keys in self.required[1:]):
            return ()
        text, match = index.text, self.pattern.match
        if self.where:
            starts = index.codes if self.where == "codes" else range(max(0, len(text) - _END), len(text))
        elif self.keys is not None:
            starts = index.starts(self.keys)
        else:
            return self.pattern.finditer(text)
        return [hit for at in starts if (hit := match(text, at)) is not None]


def rule(label: str, pattern: str, check: Check | None = None, *, cased: bool = False, where: Where = "") -> Rule:
    """A Rule from the text of its pattern, in which small letters and capitals are alike unless it is ``cased``."""
    return Rule(label, re.compile(pattern, 0 if cased else re.IGNORECASE), check, where)


def cued(label: str, cues: str, value: str, *, joint: str = r"[ ]", check: Check | None = None) -> Rule:
    """A Rule for ``value`` behind one of ``cues`` (plain phrases with | between) and what joins them; the cue stays."""
    phrases = sorted((one.strip() for line in cues.splitlines() for one in line.split("|") if one.strip()), key=len)
    choices = "|".join(re.escape(one).replace("\\ ", "[ ]") for one in reversed(phrases))
    return rule(label, rf"\b(?:{choices})(?![a-z]){joint}({value})", check)


def find_all(rules: Iterable[Rule], index: TextIndex) -> Iterator[Span]:
    """The spans of all ``rules``, overlapping ones too."""
    wanted = index.wanted
    for one in rules:
        for hit in one.find(index) if one in wanted else ():
            if one.check is None or one.check(hit):
                yield hit.start(one.group), hit.end(one.group), one.label
