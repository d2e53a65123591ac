"""A text's words and numbers and where they stand, read once for all who search it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from string import ascii_lowercase, ascii_uppercase

from curate.deid.known.roman import collapsed

DIGIT = "0"  # the key of any digit
_TOKENS = re.compile(r"[^\W_]+")
# The same for ASCII in lower case: what is not of the word becomes a blank.
_LETTERS = {i: chr(i) if chr(i).isalpha() else " " for i in range(128)}
_NO_LETTER = re.compile(r"[\W\d_]")
_LETTERS_AND_DIGITS = {i: chr(i) if chr(i).isalnum() else " " for i in range(128)}
_JOINTS = re.compile(
    r"(?<=[^\W_])(?:(?:-?[^\S\n]*\n\s*|[-\xa0'.])(?=[^\W_])"
    r"|(?<![^\W_][^\W_])(?P<spelled>[ .]{1,2})(?=[^\W_](?![^\W_])))"
)
BY_KEY: dict[str, list[object]] = {"": []}  # what is to be looked for where a text holds a key; "": in every text
OPEN_KEYS: set[str] = set()  # what rules look for that is no whole word (`curate.deid.patterns.first_keys`)
_DIGITS, _PLAIN_DIGITS = re.compile(r"\d+"), re.compile(r"[0-9]+")
_SMALL, _LARGE = ascii_lowercase.encode(), ascii_uppercase.encode()
_SHOUTED = 9  # as many capitals for each small letter


def is_shouted(text: str) -> bool:
    """True for a text all in capitals."""
    plain = text.encode("ascii", "ignore")
    small = len(plain) - len(plain.translate(None, _SMALL))
    return len(plain) - len(plain.translate(None, _LARGE)) > _SHOUTED * small


@dataclass(frozen=True)
class TextIndex:
    """A folded text's words and numbers, each read when it is first asked for."""

    text: str

    @cached_property
    def lower(self) -> str:
        """The text in lower case, a character for each of its."""
        lower = self.text.lower()
        if len(lower) == len(self.text):
            return lower
        return "".join(low if len(low := c.lower()) == 1 else c for c in self.text)

    @cached_property
    def spread(self) -> str:
        """The lower-case text with a blank for whatever is no letter, and one at either end."""
        lower = self.lower
        return f" {lower.translate(_LETTERS) if lower.isascii() else _NO_LETTER.sub(' ', lower)} "

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words in lower case, runs of letters."""
        return frozenset(self.spread.split())

    @cached_property
    def lowered(self) -> list[str]:
        """Its tokens, runs of letters and digits, in lower case."""
        lower = self.lower
        return lower.translate(_LETTERS_AND_DIGITS).split() if lower.isascii() else _TOKENS.findall(lower)

    @cached_property
    def tokens(self) -> list[tuple[int, int]]:
        """Where the tokens begin and end."""
        lower, found, end = self.lower, list[tuple[int, int]](), 0
        for token in self.lowered:
            begin = lower.find(token, end)
            end = begin + len(token)
            found.append((begin, end))
        return found

    def which(self, token: str) -> list[int]:
        """Which of ``tokens`` are this one."""
        found, lowered, at = list[int](), self.lowered, -1
        for _ in range(lowered.count(token)):
            at = lowered.index(token, at + 1)
            found.append(at)
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
    def soft(self) -> str:
        """``spaced`` where ae, oe and ue are a, o and u."""
        return collapsed(self.spaced)

    @cached_property
    def soft_squashed(self) -> str:
        """``squashed``, likewise."""
        return collapsed(self.squashed)

    @cached_property
    def shouted(self) -> bool:
        """True for a text all in capitals."""
        return is_shouted(self.text)

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
    def present(self) -> frozenset[str]:
        """The keys that the text holds: its words, and of `OPEN_KEYS` those that stand anywhere in it."""
        lower, signs = self.lower, {f"{sign}*" for sign in set(self.lower)}
        found = [key for key in OPEN_KEYS if (key in signs if len(key) == 2 else key[:-1] in lower)]
        return self.words.union(found, [DIGIT] if self.digits else [])

    @cached_property
    def wanted(self) -> set[object]:
        """Of what is in `BY_KEY` that for which the text holds a key."""
        found = set(BY_KEY[""])
        for key in self.present:
            if key in BY_KEY:
                found.update(BY_KEY[key])
        return found

    def starts(self, keys: frozenset[str]) -> list[int]:
        """Where any of ``keys`` begins, in order."""
        if keys == {DIGIT}:
            return self.digits
        found = {at for word in keys & self.words for at in self.places(word)}
        found.update(self.digits if DIGIT in keys else ())
        for key in keys & OPEN_KEYS:
            if key[:-1] in self.lower:
                found.update(hit.start() for hit in re.finditer(re.escape(key[:-1]), self.lower))
        return sorted(found)

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        return {}

    def places(self, word: str) -> list[int]:
        """Where one of its ``words`` begins."""
        known = self._places.get(word)
        if known is not None:
            return known
        spread, alone = self.spread, f" {word} "
        found = self._places[word] = list[int]()
        at = spread.find(alone)
        while at >= 0:
            found.append(at)
            at = spread.find(alone, at + len(word) + 1)
        return found

    @cached_property
    def digits(self) -> list[int]:
        """Where its runs of digits begin, and the brackets and plus signs before them."""
        found, text = list[int](), self.text
        for hit in (_PLAIN_DIGITS if text.isascii() else _DIGITS).finditer(text):
            first = at = hit.start()
            while at > 0 and at > first - 2 and text[at - 1] in "(+":
                at -= 1
            found += range(at, first + 1)
        return found

    @cached_property
    def codes(self) -> list[int]:
        """Where the runs of letters, digits, hyphens and slashes that hold a digit begin, and their parts."""
        found, text = dict[int, None](), self.text
        for hit in (_PLAIN_DIGITS if text.isascii() else _DIGITS).finditer(text):
            at, end = hit.span()
            if not (_runs_on(text[at - 1 : at]) or _runs_on(text[end : end + 1])):
                continue  # a plain number
            while at > 0 and _runs_on(text[at - 1]):
                if text[at - 1] in "-/":
                    found[at] = None
                at -= 1
            found[at] = None
        return sorted(found)


def _runs_on(ch: str) -> bool:
    return ch.isalnum() or (ch != "" and ch in "_-/")
