"""The vocabulary gate: a word stays only if it is known, and where it is also a name, only if its place allows it.

What no rule and no header can know are the names of third parties without a cue. Here the question is turned round: not
"is this a name" but "is this a word of reports". Unknown words go, whatever they are. A known word that could be a name
(Young, Grant, Stone) goes where it is capitalised inside a sentence, stands beside a name or does what people do; an
eponym stays before its noun. Works on folded text (`curate.deid.text.fold`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from curate.deid.text import roles
from curate.deid.text.context import (
    acts_as_person,
    alone,
    among_small,
    beside,
    enclosed,
    in_heading,
    initialled,
    is_eponym,
    is_human,
    is_initial,
    of_place,
    titled,
    told,
)
from curate.deid.text.fold import BARRIER
from curate.deid.text.rules import Span
from curate.deid.text.tokens import Word, is_shouted, words_of
from curate.deid.text.vocabulary import Kind

_GIVEN_FUNCTION = frozenset("will may do no so an but than van like bill rob sue mark".split())  # noqa: SIM905
_DEPARTMENTS = ("ology", "surgery", "medicine", "therapy", "care")
_ADJECTIVES = ("al", "ic", "ar", "ous", "ed", "ing", "ive", "ly", "ology", "graphy")
_SURELY = roles.SURELY | {"called", "paged"}
_CAPITALISED = re.compile(r"[A-Z][a-z]")


def gate_spans(text: str, archive: frozenset[str] = frozenset(), taken: Sequence[Span] = ()) -> Iterator[Span]:
    """Spans of folded ``text`` that must go; runs of words side by side are one span.

    ``archive``: folded lower-case words that stay although the vocabulary lacks them. ``taken``: what is masked already
    or will be, sorted and apart (start, end, label); a NAME there draws its neighbours along.
    """
    words = words_of(text, archive, taken)
    level = is_shouted(text) or _CAPITALISED.search(text) is None  # capitals tell nothing
    for i, word in enumerate(words):
        if not word.settled:
            word.masked = word.person = _goes(words, i, text, level)
    _spread(words, text, level)
    yield from _runs(words, text)


def _goes(words: list[Word], i: int, text: str, level: bool) -> bool:
    word = words[i]
    what, form = word.kind, word.text
    if len(form) == 1:
        return True  # of another script
    frequent = bool(what & Kind.FREQUENT)
    if is_eponym(words, i, text):
        word.settled = True
        return False
    if what & Kind.EPONYM and not frequent:
        named = bool(what & Kind.NAME) or told(words, i) or acts_as_person(words, i, text, plain=False)
        return form.istitle() and not level and named
    if not what & Kind.KNOWN:
        return True
    if form.istitle() and not level and initialled(words, i, text):
        return not _is_opener(word)
    if form.istitle() and not level and titled(words, i) and what & Kind.NAME and words[i - 1].text != "MR":
        return True  # "Dr May"
    if what & Kind.FUNCTION:
        after = words[i + 1].lower if i + 1 < len(words) else ""
        return form.istitle() and not level and (after in _SURELY if word.first else alone(words, i))
    if level:
        return frequent and (not what & Kind.BY_HAND or acts_as_person(words, i, text, plain=True))
    if form.islower():
        return frequent and acts_as_person(words, i, text, plain=True)
    if form.isupper():
        return not what & Kind.CLINICAL and bool(what & Kind.NAME) and not word.first and among_small(words, i)
    if what & Kind.SHORT:  # "Li", "Ng": as abbreviations they are all in capitals
        lone = not word.first and not _by_number(words, i) and not in_heading(words, i, text)
        return bool(what & Kind.NAME) or (form.istitle() and lone)
    if word.first:
        rare = frequent and not what & Kind.BY_HAND
        after = words[i + 1].lower if i + 1 < len(words) else ""
        if form.istitle() and (is_human(words, i) or (not what & Kind.BY_HAND and after in _SURELY)):
            return True
        return frequent and (rare or enclosed(words, i, text) or acts_as_person(words, i, text, plain=False))
    if word.lower in roles.PLACES:
        return True
    if word.lower in roles.COUNTED and i + 1 < len(words) and words[i + 1].lower == "0":
        return False
    if form.istitle() and what & Kind.NAME and not _is_opener(word) and _is_subject(words, i, text):
        return not word.lower.endswith(_DEPARTMENTS)
    if form.istitle() and _is_rare(word):
        return not in_heading(words, i, text)
    if what & Kind.CLINICAL or word.lower in roles.CAPITALS:
        return frequent and (titled(words, i) or alone(words, i) or told(words, i) or of_place(words, i))
    return not in_heading(words, i, text)


def _by_number(words: list[Word], i: int) -> bool:
    """Beside a number, as units and isotopes are: "8 Fr", "Tc-99m"."""
    return any(0 <= j < len(words) and words[j].lower == "0" for j in (i - 1, i + 1))


def _is_rare(word: Word) -> bool:
    """A word that only the large lists know: capitalised inside a sentence it is likelier a name that looks so."""
    return not word.kind & Kind.BY_HAND and word.lower not in roles.CAPITALS


def _is_subject(words: list[Word], i: int, text: str) -> bool:
    return told(words, i) or is_human(words, i) or acts_as_person(words, i, text, plain=False)


def _spread(words: list[Word], text: str, level: bool) -> None:
    """A name's neighbours: initials, particles, and capitalised words that may be its other half."""
    for step in (1, -1):
        for j in range(len(words))[::step]:  # a neighbour just taken in is asked for its own in turn
            i = j + step
            if not words[j].person or not 0 <= i < len(words) or words[i].masked:
                continue
            one, other = (words[j], words[i]) if step == 1 else (words[i], words[j])
            if not beside(text, one, other) or (len(words[i].text) == 1 and step == -1 and not is_initial(words, i)):
                continue
            gap = text[one.end : other.start]
            if _goes_along(words[i], words[j], gap, level) or (not level and _is_half(words, i, j, gap)):
                _take(words[i])
            elif words[i].lower == "and" and 0 <= i + step < len(words):
                mate = words[i + step]  # "Fine and Mcfall concur"
                named = (
                    bool(mate.kind & Kind.FREQUENT)
                    or _is_rare(mate)
                    or bool(mate.kind & Kind.NAME and not mate.kind & Kind.CLINICAL)
                )
                listed = mate.text.istitle() and named and not level and not mate.masked
                if listed and not mate.kind & Kind.FUNCTION and text[mate.end : mate.end + 1] != "-":
                    _take(mate)
            elif step == 1 and not level and words[i].lower in roles.PARTICLES and gap in (" ", "-"):
                k = i + 1  # "Ngozi de Olive"
                while k < len(words) and words[k].lower in roles.PARTICLES and words[k].text.islower() and k < i + 2:
                    k += 1
                if k < len(words) and not words[k].first and words[k].text[:1].isupper() and words[i].text.islower():
                    for word in words[i : k + 1]:
                        _take(word)
            elif step == -1 and not level and _leads(words, i, gap):
                _take(words[i])  # "Stone van Nowak"


def _goes_along(word: Word, name: Word, gap: str, level: bool) -> bool:
    if word.text == BARRIER:
        return False
    if word.kind & Kind.FUNCTION:
        return (
            word.text.istitle() and not word.first and not level and gap in (" ", ". ") and bool(word.kind & Kind.NAME)
        )
    if not word.text[:1].isupper():
        plain = not word.kind & (Kind.CLINICAL | Kind.BY_HAND)
        named = plain or (name.kind & Kind.NAME and not word.kind & Kind.CLINICAL)
        return level and bool(word.kind & Kind.FREQUENT) and bool(named) and gap in (" ", "-")
    if word.lower in roles.OPENERS and word.start < name.start and word.first:
        return False
    if len(word.text) == 1:
        return gap.strip(" \xa0.,") == "" and word.text.isalpha()
    if (
        "." in gap
        or "\n" in gap
        or gap.strip() in ("/", "&")
        or (word.kind & Kind.EPONYM and not word.kind & Kind.NAME)
    ):
        return False
    if name.text != BARRIER and name.text.islower():
        return False
    if word.lower in roles.OF_PLACES and not word.first and gap in (" ", "\xa0", "-"):
        return True
    return bool(word.kind & Kind.NAME) and (not word.kind & Kind.CLINICAL or bool(word.kind & Kind.FREQUENT))


def _take(word: Word) -> None:
    word.masked = word.person = True


def _leads(words: list[Word], i: int, gap: str) -> bool:
    """A particle in small letters before a name: at its beginning, or behind another capitalised word."""
    word = words[i]
    if word.lower not in roles.PARTICLES or not word.text.islower() or gap not in (" ", "-", "'"):
        return False
    if word.lower not in ("de", "do", "la", "e", "y", "das", "du", "st", "den"):
        return True
    return i > 0 and words[i - 1].text[:1].isupper() and not words[i].first


def _is_half(words: list[Word], i: int, j: int, gap: str) -> bool:
    """A known word, capitalised as a name beside one that no vocabulary knows: "Tongue Novak", "Novak Foot"."""
    word, name = words[i], words[j]
    if word.settled and word.kind & (Kind.BOUND | Kind.EPONYM):
        return False
    if gap == "-" and word.text.istitle() and word.text.isalpha() and len(word.text) > 1 and name.text[:1].isupper():
        return True
    if i > j and len(name.text) == 1 and gap == ". " and word.text.istitle() and not _is_opener(word):
        return True  # "Aoife J. Foot"
    if (
        not word.text.istitle()
        or not word.text.isalpha()
        or len(word.text) < 2
        or gap not in (" ", "\xa0", "-", " - ", ", ", " & ")
    ):
        return False
    if word.lower in roles.TITLES or word.lower in roles.KIN or (gap == ", " and i > j and word.first):
        return False
    particle = i < j and name.lower in roles.PARTICLES  # "Stone van Nowak"
    if (name.text == BARRIER and gap != " ") or (name.text != BARRIER and not name.text[:1].isupper() and not particle):
        return False
    if i > j:
        noun = word.kind & Kind.NOUN and word.kind & Kind.CLINICAL and not word.kind & Kind.NAME  # "Xxx Disease"
        return not word.first and not noun and not _is_opener(word)
    if word.kind & Kind.FUNCTION and word.lower not in _GIVEN_FUNCTION:
        return False
    if name.text == BARRIER or name.kind & Kind.KNOWN or gap == ", ":
        ordinary = word.first and bool(word.kind & (Kind.CLINICAL | Kind.BY_HAND))
        return not ordinary and not _is_opener(word) and name.text != BARRIER
    return not _is_opener(word)


def _is_opener(word: Word) -> bool:
    if word.kind & Kind.FUNCTION and word.lower not in _GIVEN_FUNCTION:
        return True
    if word.lower in roles.OPENERS or word.lower in roles.CAPITALS or word.lower in roles.ACTS:
        return True
    return word.first and word.lower.endswith(_ADJECTIVES)


def _runs(words: list[Word], text: str) -> Iterator[Span]:
    run: list[Word] = []
    for word in [w for w in words if w.text != BARRIER]:
        if run and not (word.masked and run[-1].person == word.person and beside(text, run[-1], word)):
            yield run[0].start, run[-1].end, "NAME" if run[0].person else "ID"
            run = []
        if word.masked:
            run.append(word)
    if run:
        yield run[0].start, run[-1].end, "NAME" if run[0].person else "ID"
