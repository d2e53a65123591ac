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
    is_eponym,
    of_place,
    titled,
    told,
)
from curate.deid.text.fold import BARRIER
from curate.deid.text.rules import Span
from curate.deid.text.tokens import Word, is_shouted, words_of
from curate.deid.text.vocabulary import Kind

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
        return form.istitle() and not level and (told(words, i) or acts_as_person(words, i, text, plain=False))
    if not what & Kind.KNOWN:
        return True
    if what & Kind.FUNCTION:
        after = words[i + 1].lower if i + 1 < len(words) else ""
        return form.istitle() and not level and (after in roles.SURELY | {"called"} if word.first else alone(words, i))
    if level:
        return frequent and (not what & Kind.BY_HAND or acts_as_person(words, i, text, plain=True))
    if form.islower():
        return frequent and acts_as_person(words, i, text, plain=True)
    if form.isupper():
        return not what & Kind.CLINICAL and bool(what & Kind.NAME) and not word.first and among_small(words, i)
    if what & Kind.SHORT:  # "Li", "Ng": as abbreviations they are all in capitals
        return bool(what & Kind.NAME)
    if word.first:
        rare = frequent and not what & Kind.BY_HAND
        return frequent and (rare or enclosed(words, i, text) or acts_as_person(words, i, text, plain=False))
    if word.lower in roles.PLACES:
        return True
    if word.lower in roles.COUNTED and i + 1 < len(words) and words[i + 1].lower == "0":
        return False
    if what & Kind.CLINICAL or word.lower in roles.CAPITALS:
        return frequent and (titled(words, i) or alone(words, i) or told(words, i) or of_place(words, i))
    return not in_heading(words, i, text)


def _spread(words: list[Word], text: str, level: bool) -> None:
    """A name's neighbours: initials, and capitalised words that may be its other half."""
    for step in (1, -1):
        for j in range(len(words))[::step]:  # a neighbour just taken in is asked for its own in turn
            i = j + step
            if not words[j].person or not 0 <= i < len(words) or words[i].masked:
                continue
            one, other = (words[j], words[i]) if step == 1 else (words[i], words[j])
            if beside(text, one, other) and _goes_along(words[i], words[j], text[one.end : other.start], level):
                words[i].masked = words[i].person = True
            elif words[i].lower in ("and", "&") and 0 <= i + step < len(words) and beside(text, one, other):
                mate = words[i + step]  # "Fine and Mcfall concur"
                listed = mate.text.istitle() and bool(mate.kind & Kind.FREQUENT) and not level and not mate.masked
                if listed and not mate.kind & Kind.FUNCTION and text[mate.end : mate.end + 1] != "-":
                    mate.masked = mate.person = True


def _goes_along(word: Word, name: Word, gap: str, level: bool) -> bool:
    if word.text == BARRIER:
        return False
    if word.kind & Kind.FUNCTION:
        return word.text.istitle() and not word.first and not level and gap == " " and bool(word.kind & Kind.NAME)
    if not word.text[:1].isupper():
        plain = not word.kind & (Kind.CLINICAL | Kind.BY_HAND)
        named = plain or (name.kind & Kind.NAME and not word.kind & Kind.CLINICAL)
        return level and bool(word.kind & Kind.FREQUENT) and bool(named) and gap in (" ", "-")
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
