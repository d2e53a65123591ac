"""The patient's name as others get it wrong: inflected, misspelled by a letter, cut in two, by a nickname or
initials.

Looks at whole words of folded text; the name as the header writes it is `curate.deid.known.person`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files

from curate.deid.patterns.prefilter import Span
from curate.deid.text.text_index import TextIndex
from curate.deid.words.vocabulary import Kind, kind

_SHORTEST = 5  # letters of a part that a neighbour of one letter's difference, or two halves, may stand for
_ORDINARY: set[str] = set()  # words that turned out to be of the vocabulary: most words of most texts
_HALVES = re.compile(r"([^\W\d_]+)[ \xa0'-]{1,2}(?:\n)?(?=([^\W\d_]+))|([^\W\d_]+)\n(?=([^\W\d_]+))")
_DOTTED = re.compile(r"(?<![\w.])(?:[A-Z]\.[ -]?){2,4}(?!\w)")
_DOTS = re.compile(r"\.[ -]?[A-Z]\.")  # quicker to look for


@cache
def _nicknames() -> dict[str, list[str]]:
    lines = (files("curate.deid.words") / "data" / "nicknames.txt").read_text(encoding="utf-8").splitlines()
    return {long: short for long, *short in map(str.split, lines) if long != "#"}


def variant_spans(index: TextIndex, parts: Iterable[str]) -> Iterator[Span]:
    """Spans of a folded text that stand for one of a name's ``parts`` (folded words of any case)."""
    lowered = dict.fromkeys(part.lower() for part in parts if len(part) > 2)
    long = [part for part in lowered if len(part) >= _SHORTEST and part.isalpha()]
    called = {nick for part in lowered for nick in _nicknames().get(part, ())}
    endings = {part + ending for part in lowered for ending in ("s", "es")}
    for word in sorted(index.words & (called | endings)):
        if word not in lowered:
            check = _named if word in called else _inflected
            yield from ((at, at + len(word), "NAME") for at in index.places(word) if check(index.text, at, kind(word)))
    for word in sorted(_unknown(index.words)) if long else ():
        if word not in lowered and any(_near(word, part) for part in long):
            yield from ((at, at + len(word), "NAME") for at in index.places(word))
    cut = [part for part in long if part not in index.words and part in index.squashed]
    yield from _halves(index.text, frozenset(cut))


def _unknown(words: frozenset[str]) -> list[str]:
    found = [w for w in words - _ORDINARY if len(w) >= _SHORTEST - 1]
    strange = [w for w in found if not kind(w) & (Kind.KNOWN | Kind.EPONYM)]
    _ORDINARY.update(set(found).difference(strange))
    return strange


def _inflected(text: str, at: int, bits: int) -> bool:
    """ "Smiths", but "marks" only where it is capitalised."""
    return not bits & (Kind.KNOWN | Kind.EPONYM) or text[at].isupper()


def _named(text: str, at: int, bits: int) -> bool:
    """A nickname that is a word besides must be capitalised, one that is a word of reports inside a sentence."""
    if not bits & Kind.KNOWN or (not bits & (Kind.BY_HAND | Kind.FUNCTION) and text[at].isupper()):
        return True
    before = text[:at].rstrip()
    return text[at].isupper() and bool(before) and before[-1] not in ".!?:;\0"


def _halves(text: str, long: frozenset[str]) -> Iterator[Span]:
    if not long:
        return
    for hit in _HALVES.finditer(text):
        one, other = (hit[1], hit[2]) if hit[1] else (hit[3], hit[4])
        if (one + other).lower() in long and len(one) > 1 and (one[0].isupper() or other[0].isupper()):
            yield hit.start(), hit.end() + len(other), "NAME"


def _near(word: str, part: str) -> bool:
    """True at one letter's difference: another, one more, one less, or two in the other order."""
    size = len(word) - len(part)
    if abs(size) > 1 or (word[0] != part[0] and word[-1] != part[-1]):
        return False
    at = 0
    while at < min(len(word), len(part)) and word[at] == part[at]:
        at += 1
    if size == 0:
        swapped = word[at : at + 2] == part[at : at + 2][::-1] and word[at + 2 :] == part[at + 2 :]
        return word[at + 1 :] == part[at + 1 :] or swapped
    return word[at + 1 :] == part[at:] if size > 0 else word[at:] == part[at + 1 :]


def initials_spans(text: str, initials: Iterable[str]) -> Iterator[Span]:
    """ "W.T.A." of the patient's own letters."""
    own = frozenset(initials)
    if len(own) < 2 or _DOTS.search(text) is None:
        return
    for hit in _DOTTED.finditer(text):
        if own.issuperset(c for c in hit[0] if c.isalpha()):
            yield hit.start(), hit.end(), "NAME"
