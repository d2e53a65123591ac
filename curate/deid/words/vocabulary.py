"""Which words are known: English and medicine, names of people, eponyms. Words are folded and in lower case.

The lists lie in `data`, each with its source and licence at its head; `benchmarks.deid.lists.words` writes those
that come from elsewhere. A word is looked up whole, then by its stem, then piece by piece (peri|broncho|vascular); the
standard's own words (`technical_words`) are part of the vocabulary.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from string import ascii_lowercase
from typing import Final

from curate.deid.text.fold import fold_value
from curate.deid.word_lists import read_word_list, word_sections
from curate.deid.words.stems import PREFIXES, stems
from curate.deid.words.technical import technical_words

_COMMON_RANK = 12000  # surnames this frequent are read as names where their place in the sentence allows both
_SHORTEST_STEM = 3


class Kind:
    """What is known of a word: bits of a plain int, since they are asked for a hundred times a text."""

    KNOWN: Final = 1  # English or medicine
    CLINICAL: Final = 2  # a word of reports: may be capitalised anywhere
    FUNCTION: Final = 4  # the, with, no: never a name by its place alone
    SHORT: Final = 8  # known as an abbreviation only
    NAME: Final = 16  # also a surname or a given name
    FREQUENT: Final = 32  # ... a frequent one
    EPONYM: Final = 64  # kept where it stands
    BOUND: Final = 128  # an eponym before its noun only
    NOUN: Final = 256  # what follows an eponym
    BY_HAND: Final = 512  # in the list of words that reports are made of
    TOWN: Final = 1024  # also a word of a town's name, or a country's


@cache
def _list(name: str) -> tuple[str, ...]:
    return tuple(read_word_list("words/data", name))


@cache
def _surnames() -> dict[str, int]:
    return {name: rank for rank, name in enumerate(_list("surnames"))}


@cache
def _given() -> frozenset[str]:
    return frozenset(_list("given"))


@cache
def _medical() -> frozenset[str]:
    hand = word_sections("radiology")
    bound = word_sections("eponyms")["bound"]
    listed = frozenset(_list("medical")) - bound
    return hand["medical"] | hand["short"] | listed | (technical_words() - bound)


def medical_words() -> frozenset[str]:
    """All words of medicine, imaging and the standard that are listed, names among them."""
    return _medical()


@cache
def _general() -> frozenset[str]:
    hand = word_sections("radiology")
    return hand["function"] | hand["plain"] | frozenset(_list("general"))


@cache
def _by_hand() -> frozenset[str]:
    return word_sections("radiology")["medical"] | word_sections("radiology")["plain"]


@cache
def _all() -> frozenset[str]:
    return _medical() | _general()


def is_listed(word: str) -> bool:
    """True for a word that a list of English or medicine has as it stands, no inflection and nothing put together."""
    return word in _all()


def is_medical(word: str) -> bool:
    """True for a word of medicine, imaging or the standard: "hyperinflated", "cxr", "gadolinium", an eponym."""
    return bool(kind(word) & (Kind.CLINICAL | Kind.EPONYM)) or word in _medical() or _built(word, _medical())


def is_general(word: str) -> bool:
    """True for a word of general English, inflections too; what is rather a name than a word is none."""
    return bool(kind(word) & Kind.KNOWN) and (word in _general() or any(s in _general() for s in stems(word)))


def is_surname(word: str) -> bool:
    """True for a surname of the 1990 census of the United States, however rare."""
    return word in _surnames()


def surname_rank(word: str) -> int | None:
    """How many surnames of that census are more frequent; None for a word that is none of them."""
    return _surnames().get(word)


@cache
def _frequent() -> dict[str, int]:
    return {word: rank for rank, word in enumerate(_list("frequent"))}


def english_rank(word: str) -> int | None:
    """How many words of English are more frequent; None for one that is not among the 20,000 most frequent."""
    return _frequent().get(word)


_SHORTEST_MISSPELT = 5  # letters; shorter words have neighbours everywhere


@lru_cache(maxsize=50_000)
def is_near_medical(word: str) -> bool:
    """True for a word that is `one_letter_away` from a word of medicine."""
    return len(word) >= _SHORTEST_MISSPELT and word.isascii() and one_letter_away(word, _medical())


def one_letter_away(word: str, known: frozenset[str]) -> bool:
    """Does one letter more, less or other, or two in the other order, make a folded ``word`` one of ``known``?"""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    shorter = [near for a, b in cuts if b for near in (a + b[1:], a + b[1:2] + b[:1] + b[2:])]
    longer = [near for a, b in cuts for c in ascii_lowercase for near in (a + c + b, a + c + b[1:])]
    return not (known.isdisjoint(shorter) and known.isdisjoint(longer))


@cache
def _towns() -> frozenset[str]:
    return frozenset(_list("towns")) | word_sections("places")["places"]


def is_given_name(word: str) -> bool:
    """True for a given name of that census."""
    return word in _given()


_LETTERS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def unusual_words(text: str) -> list[str]:
    """Folded lower-case words of a raw text that the vocabulary does not know, without repeats, as they come.

    What a survey counts by patient to find an archive's own words. A word that is a name in the census is left out:
    it must never become a word of the archive.
    """
    words = dict.fromkeys(w.lower().removesuffix("'s") for w in _LETTERS.findall(fold_value(text)))
    return [w for w in words if len(w) > 1 and not kind(w) & (Kind.KNOWN | Kind.EPONYM | Kind.NAME)]


@cache
def eponyms(section: str) -> frozenset[str]:
    """A section of the list of eponyms; see its head."""
    return word_sections("eponyms")[section]


@lru_cache(maxsize=200_000)
def kind(word: str) -> int:
    """Everything that is known of a folded lower-case word, in one look: the bits of `Kind`."""
    return _kind(word) | (Kind.TOWN if word in _towns() else 0)


def _kind(word: str) -> int:
    hand, listed = word_sections("radiology"), word_sections("eponyms")
    found = 0
    if word in hand["function"]:
        return Kind.KNOWN | Kind.CLINICAL | Kind.FUNCTION | (Kind.NAME if word in _surnames() else 0)
    if word in word_sections("places")["places"] and word not in _by_hand():
        return Kind.NAME | Kind.FREQUENT | (Kind.BOUND if word in listed["bound"] else 0)
    rank = _surnames().get(word)
    if rank is not None or word in _given():
        found |= Kind.NAME
        if word in _given() or (rank is not None and rank < _COMMON_RANK):
            found |= Kind.FREQUENT
    found |= Kind.EPONYM if word in listed["free"] else 0
    if word[-1:] == "s" and not found and (word[:-1] in listed["free"] or word[:-1] in listed["bound"]):
        found |= Kind.EPONYM if word not in _general() else 0  # "Kochs chest"
    found |= Kind.BOUND if word in listed["bound"] or word in listed["objects"] else 0
    found |= Kind.NOUN | Kind.KNOWN | Kind.BY_HAND if word in listed["nouns"] else 0
    if word in hand["medical"] or word in hand["plain"] or word in hand["short"]:
        found |= Kind.BY_HAND
    if word in hand["medical"]:
        found |= Kind.KNOWN | Kind.CLINICAL
    elif word in hand["plain"]:
        found |= Kind.KNOWN
        if word in technical_words() and not found & Kind.FREQUENT:
            found |= Kind.CLINICAL
    elif word in hand["short"]:
        found |= Kind.KNOWN | Kind.CLINICAL | Kind.SHORT
    elif word in _general():
        found |= Kind.KNOWN
        if word in technical_words() and not found & Kind.NAME:
            found |= Kind.CLINICAL
    elif not found & Kind.FREQUENT and _inflected(word, _by_hand()):
        found |= Kind.KNOWN | (0 if found & Kind.NAME else Kind.CLINICAL)
    elif not found & Kind.NAME and (word in _medical() or _inflected(word, _all()) or _built(word, _all())):
        found |= Kind.KNOWN | Kind.CLINICAL
    return found


def _inflected(word: str, vocabulary: frozenset[str]) -> bool:
    return any(len(s) >= _SHORTEST_STEM and s in vocabulary for s in stems(word))


def _built(word: str, vocabulary: frozenset[str], depth: int = 3) -> bool:
    """True for a word of prefixes and combining forms before a known word of four letters and more."""
    if len(word) < 7 or word in _surnames():
        return False
    for size in range(min(len(word) - 4, 11), 1, -1):
        if word[:size] in PREFIXES:
            rest = word[size:]
            if len(rest) > 3 and (rest in vocabulary or any(s in vocabulary and len(s) > 3 for s in stems(rest))):
                return True
            if depth > 1 and _built(rest, vocabulary, depth - 1):
                return True
    return False
