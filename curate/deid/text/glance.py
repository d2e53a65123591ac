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

from curate.deid.text.roman import collapsed

_WORDS = re.compile(r"[^\W\d_]+")
_TOKENS = re.compile(r"[^\W_]+")
_JOINTS = re.compile(
    r"(?<=[^\W_])(?:(?:-?[^\S\n]*\n\s*|[-\xa0'.])(?=[^\W_])"
    r"|(?<![^\W_][^\W_])(?P<spelled>[ .]{1,2})(?=[^\W_](?![^\W_])))"
)
_COUNT = count(1)
# What lets which guards run; filled as they are made.
_FIRES: dict[str, set[int]] = {}
_SIGNED: dict[str, set[int]] = {}
_NUMBERED: dict[re.Pattern[str], set[int]] = {}
_DIGITS = re.compile(r"[(+]{0,2}(\d+)")
_SHOUTED = 9  # as many capitals for each small letter
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
    def lowered(self) -> list[str]:
        """Its tokens, runs of letters and digits, in lower case."""
        return _TOKENS.findall(self.lower)

    @cached_property
    def tokens(self) -> list[tuple[int, int]]:
        """Where the tokens begin and end."""
        return [hit.span() for hit in _TOKENS.finditer(self.lower)]

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The distinct tokens."""
        return frozenset(self.lowered)

    @cached_property
    def by_token(self) -> dict[str, list[int]]:
        """A token: which of ``tokens`` are it."""
        found: dict[str, list[int]] = {}
        for i, token in enumerate(self.lowered):
            found.setdefault(token, []).append(i)
        return found

    @cached_property
    def spaced(self) -> str:
        """The tokens with a blank between them."""
        return " ".join(self.lowered)

    @cached_property
    def squashed(self) -> str:
        """The tokens with nothing between them."""
        return "".join(self.lowered)

    @cached_property
    def letters(self) -> list[int]:
        """Where each character of ``squashed`` stands in the text."""
        return [at for start, end in self.tokens for at in range(start, end)]

    @cached_property
    def soft(self) -> list[str]:
        """The tokens where ae, oe and ue are a, o and u."""
        return collapsed(self.spaced).split(" ")

    @cached_property
    def shouted(self) -> bool:
        """True for a text all in capitals."""
        return sum(map(str.isupper, self.text)) > _SHOUTED * sum(map(str.islower, self.text))

    @cached_property
    def joints(self) -> dict[int, bool]:
        """The tokens that may go on in the next one: broken by a hyphen or a line's end (False), or spelled (True)."""
        ends = {end: i for i, (_, end) in enumerate(self.tokens)}
        return {ends[hit.start()]: hit["spelled"] is not None for hit in _JOINTS.finditer(self.text)}

    def written(self, i: int) -> str:
        """A token as the text has it."""
        start, end = self.tokens[i]
        return self.text[start:end]

    def gap(self, i: int) -> str:
        """What stands between a token and the next."""
        return self.text[self.tokens[i][1] : self.tokens[i + 1][0]]

    @cached_property
    def fired(self) -> frozenset[int]:
        """The guards that let their rule run, by number."""
        found: set[int] = set()
        for word in self.words & _FIRES.keys():
            found |= _FIRES[word]
        if self.numbers:
            for pattern, guards in _NUMBERED.items():
                if pattern.search(self.numbers):
                    found |= guards
        for sign, guards in _SIGNED.items():
            if sign in self.text:
                found |= guards
        return frozenset(found)

    @cached_property
    def _at(self) -> dict[str, list[int]]:
        return {}

    def places(self, word: str) -> list[int]:
        """Where one of its ``words`` begins."""
        found = self._at.get(word)
        if found is None:
            found = self._at[word] = self._places(word)
        return found

    def _places(self, word: str) -> list[int]:
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
        return self.number in glance.fired

    def find(self, pattern: re.Pattern[str], glance: Glance) -> Iterable[re.Match[str]]:
        """The matches of a rule's ``pattern``; where it is led by something, they may overlap."""
        if self.number not in glance.fired:
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
    for sign in made.signs:
        _SIGNED.setdefault(sign, set()).add(made.number)
    if pattern is not None:
        _NUMBERED.setdefault(pattern, set()).add(made.number)
    return made


ANY_DIGIT = guard(numbers=r"\d")
CODES = guard(numbers=r"\d", led="codes")
DIGITS_FIRST = guard(numbers=r"\d", led="digits")
