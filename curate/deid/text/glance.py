"""One cheap look at a text that says which rules can possibly find something in it: most can not, in most texts.

A rule is asked only if its `Guard` lets it. A guard may let a rule run in vain; it must never hold one back that would
have found something, which the tests check rule by rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Literal

_WORDS = re.compile(r"[^\W\d_]+")
_COUNT = count(1)
_FIRES: dict[str, set[int]] = {}  # word: the guards that it lets run; filled as they are made
_DIGITS = re.compile(r"[(+]{0,2}(\d+)")
_NUMBERS = re.compile(r"\d[\d\s().,:+/-]*")


@dataclass(frozen=True)
class Glance:
    """What a folded text holds."""

    text: str

    @cached_property
    def lower(self) -> str:
        """The text in lower case, a character for each of its."""
        lower = self.text.lower()
        if len(lower) == len(self.text):
            return lower
        return "".join(low if len(low := c.lower()) == 1 else c for c in self.text)

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words in lower case, runs of letters."""
        return frozenset(_WORDS.findall(self.lower))

    @cached_property
    def fired(self) -> frozenset[int]:
        """The guards of which it has a word, by number."""
        return frozenset().union(*(_FIRES[word] for word in self.words & _FIRES.keys()))

    def places(self, word: str) -> list[int]:
        """Where one of its ``words`` begins."""
        found, lower, size = [], self.lower, len(word)
        at = lower.find(word)
        while at >= 0:
            end = at + size
            inside = (at > 0 and lower[at - 1].isalpha()) or (end < len(lower) and lower[end].isalpha())
            if not inside:
                found.append(at)
            at = lower.find(word, at + 1)
        return found

    @cached_property
    def numbers(self) -> str:
        """Its digits with what stands between them, one number a line."""
        return "|".join(_NUMBERS.findall(self.text))

    @cached_property
    def digits(self) -> list[int]:
        """Where its runs of digits begin, and the brackets and plus signs before them."""
        found: list[int] = []
        for hit in _DIGITS.finditer(self.text):
            first, at = hit.span(1)[0], hit.start()
            found += [at, first] if at < first else [at]
            if at + 1 < first:
                found.append(at + 1)
        return found

    @cached_property
    def codes(self) -> list[int]:
        """Where the runs of letters, digits, hyphens and slashes that hold a digit begin, and their parts."""
        found: dict[int, None] = {}
        for at in self.digits:
            while at > 0 and (self.text[at - 1].isalnum() or self.text[at - 1] in "_-/"):
                if self.text[at - 1] in "-/":
                    found[at] = None
                at -= 1
            found[at] = None
        return sorted(found)


@dataclass(frozen=True)
class Guard:
    """Lets a rule run where one of ``words`` (lower case) is there, ``numbers`` is found in the text's numbers, or one
    of ``signs`` is in the text. ``led``: the rule's pattern begins with one of the words or signs, or with digits
    (maybe in brackets, behind a plus), or is a code of letters and digits, and is tried only where such stand.
    """

    words: frozenset[str] = frozenset()
    numbers: re.Pattern[str] | None = None
    signs: tuple[str, ...] = ()
    led: Literal["", "words", "digits", "codes"] = ""
    number: int = 0  # its place among all guards

    def lets(self, glance: Glance) -> bool:
        if self.words and self.number in glance.fired:
            return True
        if self.numbers is not None and glance.numbers and self.numbers.search(glance.numbers):
            return True
        for sign in self.signs:  # noqa: SIM110  a generator costs more than what it asks
            if sign in glance.text:
                return True
        return False

    def find(self, pattern: re.Pattern[str], glance: Glance) -> Iterable[re.Match[str]]:
        """The matches of a rule's ``pattern``; where it is led by something, they may overlap."""
        if not self.lets(glance):
            return ()
        if not self.led:
            return pattern.finditer(glance.text)
        starts = (
            self._starts(glance) if self.led == "words" else glance.digits if self.led == "digits" else glance.codes
        )
        return [hit for at in starts if (hit := pattern.match(glance.text, at)) is not None]

    def _starts(self, glance: Glance) -> list[int]:
        starts = [at for word in self.words & glance.words for at in glance.places(word)]
        starts += [hit.start() for sign in self.signs for hit in re.finditer(re.escape(sign), glance.text)]
        return sorted(starts)


def guard(
    words: str = "", numbers: str = "", signs: str = "", led: Literal["", "words", "digits", "codes"] = ""
) -> Guard:
    """A Guard from words and signs between blanks and the pattern of a number."""
    pattern = re.compile(numbers) if numbers else None
    made = Guard(frozenset(words.split()), pattern, tuple(signs.split()), led, next(_COUNT))
    for word in made.words:
        _FIRES.setdefault(word, set()).add(made.number)
    return made


ANY_DIGIT = guard(numbers=r"\d")
CODES = guard(numbers=r"\d", led="codes")
DIGITS_FIRST = guard(numbers=r"\d", led="digits")
