"""What a rule needs to find anything: in most texts most rules can not, and those that can only in a few places.

A rule is asked only if its `Guard` lets it. A guard may let a rule run in vain; it must never hold one back that would
have found something, which the tests check rule by rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

from curate.deid.text.text_index import CUES, FIRES, SHAPED, SIGNED, Glance

_BEGIN = re.compile(r"\b\w")
_COUNT = count(1)
Led = Literal["", "words", "digits", "codes", "before", "end"]
_END = 24  # characters of a text's end
Span = tuple[int, int, str]  # start, end, label


@dataclass(frozen=True)
class Guard:
    """Lets a rule run where one of ``words`` (lower case) is there, one of ``shapes`` in the text's numbers (no blanks,
    0 for any digit), or one of ``signs`` in the text; and where ``also`` is found in its numbers and ``like`` in it.

    ``led``: the rule's pattern begins with one of the words or signs, or with digits (maybe in brackets, behind a
    plus), or is a code of letters and digits, and is tried only where such stand; or it begins up to ``reach`` words
    of the same line "before" one of the words; or it is tried in the last characters of the text only ("end").
    """

    words: frozenset[str] = frozenset()
    shapes: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    led: Led = ""
    also: re.Pattern[str] | None = None
    like: re.Pattern[str] | None = None
    reach: int = 0
    number: int = 0  # its place among all guards

    def find(self, pattern: re.Pattern[str], glance: Glance) -> Iterable[re.Match[str]]:
        """The matches of a rule's ``pattern``; where it is led by something, they may overlap."""
        text = glance.text
        if self.number not in glance.fired:
            return ()
        if self.also is not None and not glance.counts(self.also):
            return ()
        if self.like is not None and self.like.search(text) is None:
            return ()
        if self.led == "":
            return pattern.finditer(text)
        if self.led == "before":
            return self._before(pattern, glance)
        match = pattern.match
        if self.led == "end":
            return [hit for at in range(max(0, len(text) - _END), len(text)) if (hit := match(text, at)) is not None]
        starts = (
            self._starts(glance) if self.led == "words" else glance.digits if self.led == "digits" else glance.codes
        )
        return [hit for at in starts if (hit := match(text, at)) is not None]

    def _starts(self, glance: Glance) -> list[int]:
        starts = [at for word in glance.fired[self.number] for at in glance.places(word)]
        for sign in self.signs:
            at = glance.text.find(sign)
            while at >= 0:
                starts.append(at)
                at = glance.text.find(sign, at + 1)
        return sorted(starts)

    def _before(self, pattern: re.Pattern[str], glance: Glance) -> Iterator[re.Match[str]]:
        text, last = glance.text, 0
        for cue in self._starts(glance):
            for begin in _BEGIN.finditer(text, max(last, _words_back(text, cue, self.reach)), cue):
                if begin.start() >= last and (hit := pattern.match(text, begin.start())) is not None:
                    yield hit
                    last = hit.end()


Check = Callable[[re.Match[str]], bool]


@dataclass(frozen=True, eq=False)
class Rule:
    """What is looked for in folded text: where ``guard`` lets it, ``pattern`` gives a span, its ``group``, if ``check``
    has nothing against the match."""

    label: str
    guard: Guard
    pattern: re.Pattern[str]
    group: int = 0
    check: Check | None = None

    def find(self, glance: Glance) -> Iterable[re.Match[str]]:
        """Its matches; where the guard leads it, they may overlap."""
        return self.guard.find(self.pattern, glance)


def rule(label: str, guard: Guard, pattern: str, flags: int = 0, group: int = 0, check: Check | None = None) -> Rule:
    """A Rule from the text of its pattern."""
    return Rule(label, guard, re.compile(pattern, flags), group, check)


def cued(
    label: str,
    cues: str,
    value: str,
    *,
    joint: str = r"[ ]",
    also: str = r"\d",
    flags: int = re.IGNORECASE,
    check: Check | None = None,
) -> Rule:
    """A Rule for ``value`` behind one of ``cues`` (plain phrases with | between) and what joins them; the cue stays.

    ``also`` must be found in the text's numbers: "" for values without a digit.
    """
    phrases = sorted((one.strip() for line in cues.splitlines() for one in line.split("|") if one.strip()), key=len)
    first = {re.match(r"[a-z]+", one)[0] for one in phrases}  # type: ignore[index]
    choices = "|".join(re.escape(one).replace("\\ ", "[ ]") for one in reversed(phrases))
    pattern = rf"\b(?:{choices})(?![a-z]){joint}({value})"
    return rule(label, guard(" ".join(sorted(first)), led="words", also=also), pattern, flags, 1, check)


def find_all(rules: Iterable[Rule], glance: Glance) -> Iterator[Span]:
    """The spans of all ``rules``, overlapping ones too."""
    fired = glance.fired
    for one in rules:
        if one.guard.number not in fired:
            continue
        for hit in one.find(glance):
            if one.check is None or one.check(hit):
                yield hit.start(one.group), hit.end(one.group), one.label


def _words_back(text: str, at: int, count: int) -> int:
    """Where the ``count``-th word before ``at`` begins, words being what stands between blanks, on the same line."""
    for _ in range(count):
        while at > 0 and text[at - 1] == " ":
            at -= 1
        line, at = text.rfind("\n", 0, at), text.rfind(" ", 0, at)
        if line >= at:
            return line + 1
        at += 1
    return at


def guard(
    words: str = "",
    shapes: str = "",
    signs: str = "",
    led: Led = "",
    *,
    also: str = "",
    like: str = "",
    reach: int = 0,
) -> Guard:
    """A Guard from words, shapes and signs between blanks and the patterns of a number and of a text."""
    listed, shaped, signed = frozenset(words.split()), tuple(shapes.split()), tuple(signs.split())
    built = Guard(listed, shaped, signed, led, _compiled(also), _compiled(like), reach, next(_COUNT))
    for keys, registry in ((built.words, FIRES), (built.shapes, SHAPED), (built.signs, SIGNED)):
        for key in keys:
            registry.setdefault(key, []).append(built.number)
    CUES.update(built.words)
    return built


def _compiled(pattern: str) -> re.Pattern[str] | None:
    return re.compile(pattern) if pattern else None


CODES = guard(shapes="0", led="codes")
