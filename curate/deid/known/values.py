"""The patient's own header and report values, found in folded text however they are written there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from curate.deid.known.person import People, people_spans
from curate.deid.known.variants import initials_spans, variant_spans
from curate.deid.patterns.prefilter import Span
from curate.deid.text.fold import BARRIER, fold_value
from curate.deid.text.text_index import TextIndex
from curate.deid.word_lists import word_sections
from curate.deid.words.technical import technical_words

_FACILITY = word_sections("context")["of a facility"]
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_NO_DIGIT = re.compile(r"[^0-9]")
_ADDRESS = re.compile(r"^\d+\s+[^\W\d_]|\b(?:street|st|ave|avenue|road|rd|lane|ln|drive|blvd|box|apt)\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Value:
    """A value that is no name, as it is looked for: letters and digits alone, and what may stand between them."""

    core: str
    gaps: Mapping[int, int]  # behind which character of the core how many others may stand
    label: str
    numbers: tuple[str, ...]  # its digits alone
    places: tuple[tuple[str, Mapping[int, int]], ...]  # a facility's own words


def phi_spans(text: str, phi: Sequence[str], index: TextIndex | None = None) -> Iterator[Span]:
    """Spans of folded ``text`` that hold one of ``phi``, by what each value is: a name, a number, a place, a phrase."""
    index = TextIndex(text) if index is None else index
    values, people = _known(tuple(phi))
    for value in values:
        yield from _value_spans(index, value)
    yield from people_spans(index, people)
    if people.long:
        yield from variant_spans(index, people.long)
        yield from initials_spans(text, people.initials)


_UID = re.compile(r"[0-2](?:\.\d+){3,}")
_DAY = re.compile(r"(?:1[89]|20)\d{6}")  # as `header_days` reads it: to be found in other forms


def without_absent(texts: Sequence[str], phi: tuple[str, ...]) -> tuple[str, ...]:
    """``phi`` without what `phi_spans` finds in none of ``texts``: UIDs (PS3.5 9.1) of more digits than each has, and
    ids of letters and digits that stand in none, however they are broken.

    What is left is the same for all pictures of a series, and often for all patients with the same words.
    """
    if not all(text.isascii() for text in texts):  # folding makes digits of other signs
        return phi
    squashed = [re.sub(r"[\W_]+", "", text).lower() for text in texts]
    most = max((len(_NO_DIGIT.sub("", text)) for text in squashed), default=0)

    def may_stand(value: str) -> bool:
        if _UID.fullmatch(value):
            return len(_NO_DIGIT.sub("", value).lstrip("0")) <= most
        if not (value.isascii() and value.isalnum()) or value.isalpha() or _DAY.fullmatch(value):
            return True
        sought = (way for read in _read(value) if isinstance(read, _Value) for way in (read.core, *read.numbers) if way)
        return any(way in text for way in sought for text in squashed)

    return tuple(value for value in phi if may_stand(value))


@lru_cache(maxsize=256)
def _known(phi: tuple[str, ...]) -> tuple[list[_Value], People]:
    """What is no name, and the people; kept, since a patient's texts come one after the other."""
    values: list[_Value] = []
    people = People()
    for value in dict.fromkeys(phi):
        for read in _read(value):
            if isinstance(read, _Value):
                values.append(read)
            else:
                people.add(read)
    return values, people


@lru_cache(maxsize=1024)
def _read(value: str) -> list[str | _Value]:
    """A value in both ways of writing its letters: a name folded, anything else as it is looked for."""
    found: list[str | _Value] = []
    ways = (False,) if value.isascii() else (False, True)
    for plain in dict.fromkeys(fold_value(value, wide=wide).strip() for wide in ways):
        words = _WORD.findall(plain)
        if _is_name(plain, words):
            found.append(plain)
        elif words:
            found.append(_value(plain, words))
    return found


def _value(plain: str, words: list[str]) -> _Value:
    core = _squash(plain)
    digits = _NO_DIGIT.sub("", plain)
    numbers = tuple(n for n in dict.fromkeys((digits, digits.lstrip("0"))) if len(n) > 4 and n != core)
    bare = bool(digits) and plain.isalnum()  # a number or a code, as most values are that are no name
    label = "ID" if bare else _label(plain, words)
    places = tuple((_squash(word), _gaps([word], 0)) for word in ([] if bare else _own_words(words)))
    if core.isdigit() and len(core) < 4:
        core = ""
    loose = any(c.isdigit() for c in core) and len(words) < 3 and len(core) > 4
    gaps = dict.fromkeys(range(len(core)), 3) if loose else _gaps(words, 12)
    return _Value(core, gaps, label, numbers, places)


def _gaps(words: list[str], between: int) -> dict[int, int]:
    """Where a phrase may be broken: two characters inside "O'Neill", ``between`` behind a word."""
    found: dict[int, int] = {}
    at = 0
    for word in words:
        for piece in re.split("['-]", word):
            at += len(piece)
            found[at - 1] = 2
        found[at - 1] = between
    return found


def _own_words(words: list[str]) -> list[str]:
    """A facility's own name: "Mercy General Hospital" is also "Mercy General", and "Mercy"."""
    if not any(w.lower() in _FACILITY for w in words):
        return []
    own = [w for w in words if w.lower() not in _FACILITY and w.lower() not in technical_words() and len(w) > 3]
    return [w for w in own if not any(c.isdigit() for c in w)]


@lru_cache(maxsize=4096)
def _squash(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def _is_name(plain: str, words: list[str]) -> bool:
    """A PN ("A^B"), a word, or two to four words none of which is of a facility, an address or the standard."""
    if "^" in plain:
        return True
    if not words or any(c.isdigit() for c in plain) or "@" in plain or not _letters_only(plain):
        return False
    lowered = [w.lower() for w in words]
    if any(w in _FACILITY for w in lowered):
        return False
    return len(words) == 1 or (len(words) <= 4 and not all(w in technical_words() for w in lowered))


def _letters_only(plain: str) -> bool:
    return re.fullmatch(r"[^\W\d_]+(?:[\s,.'-]+[^\W\d_]+)*\.?", plain) is not None


def _value_spans(index: TextIndex, value: _Value) -> Iterator[Span]:
    squashed = index.squashed
    if value.core and value.core in squashed:
        guarded = value.core.isdigit()
        yield from ((s, e, value.label) for s, e in _found(index, value.core, value.gaps, guarded=guarded))
    for number in value.numbers:
        if number in squashed:
            apart = dict.fromkeys(range(len(number)), 1)
            yield from ((s, e, "ID") for s, e in _found(index, number, apart, signs=frozenset(" \t\n\xa0./_-")))
    for word, gaps in value.places:
        if word in squashed:
            for start, end in _found(index, word, gaps):
                possessive = index.text[end : end + 2].lower() == "'s" and not index.text[end + 2 : end + 3].isalnum()
                yield start, end + 2 * possessive, "FACILITY"


def _found(
    index: TextIndex, core: str, gaps: Mapping[int, int], *, signs: frozenset[str] | None = None, guarded: bool = False
) -> Iterator[tuple[int, int]]:
    """Where ``core`` stands from the beginning of a token to the end of one, with no more between than ``gaps`` say.

    ``signs``: what may stand there; else anything but a placeholder. ``guarded``: not behind "1.".
    """
    text, letters = index.text, index.letters
    at = index.squashed.find(core)
    while at >= 0:
        places = letters[at : at + len(core)]
        start, end = places[0], places[-1] + 1
        bound = not text[max(0, start - 1) : start].isalnum() and not text[end : end + 1].isalnum()
        behind = guarded and start > 1 and text[start - 1] in ".," and text[start - 2].isdigit()
        if bound and not behind and (end - start == len(core) or _is_within_gaps(text, places, gaps, signs)):
            yield start, end
        at = index.squashed.find(core, at + 1)


def _is_within_gaps(text: str, places: list[int], gaps: Mapping[int, int], signs: frozenset[str] | None) -> bool:
    for n, (one, other) in enumerate(pairwise(places)):
        if other - one > 1:
            gap = text[one + 1 : other]
            if len(gap) > gaps.get(n, 0) or BARRIER in gap or not (signs is None or signs.issuperset(gap)):
                return False
    return True


def _label(plain: str, words: list[str]) -> str:
    if "@" in plain:
        return "EMAIL"
    if any(w.lower() in _FACILITY for w in words):
        return "FACILITY"
    if len(words) > 1 and _ADDRESS.search(plain):
        return "ADDRESS"
    if re.fullmatch(r"[+()\d\s./-]{7,}", plain) and re.search(r"[+() -]", plain):
        return "PHONE"
    return "ID" if any(c.isdigit() for c in plain) else "NAME"
