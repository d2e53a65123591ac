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
from curate.deid.text.capitals import acts_at_head, does, is_handled, is_lone
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
    of_place,
    titled,
    told,
)
from curate.deid.text.fold import BARRIER
from curate.deid.text.neighbours import is_opener, is_rare, spread
from curate.deid.text.rules import Span
from curate.deid.text.tokens import Word, is_clinical, is_shouted, words_of
from curate.deid.text.vocabulary import Kind

_SURELY = roles.SURELY | {"called", "paged"}
_CLINICAL = Kind.KNOWN | Kind.CLINICAL | Kind.BY_HAND
_PLAINLY = _CLINICAL | Kind.FUNCTION | Kind.SHORT | Kind.NAME | Kind.EPONYM | Kind.BOUND
_DEGREE = re.compile(r",?[ ]+(?:M\.?D|D\.O|R\.?N|Ph\.?D)\b")
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
    spread(words, text, level)
    yield from _runs(words, text)


def _goes(words: list[Word], i: int, text: str, level: bool) -> bool:
    word = words[i]
    what, form = word.kind, word.text
    if len(form) == 1:
        return True  # of another script
    frequent = bool(what & Kind.FREQUENT)
    title = form.istitle() and not level
    if word.first and title and what & _PLAINLY == _CLINICAL and not _may_act(words, i):
        return False
    if is_eponym(words, i, text):
        word.settled = True
        return False
    named = _by_capital(words, i, text) if title else None
    if named is not None:
        return named
    if what & Kind.EPONYM and not frequent:
        told_of = bool(what & Kind.NAME) or told(words, i) or acts_as_person(words, i, text, plain=False)
        return title and told_of
    if not what & Kind.KNOWN:
        return True
    if what & Kind.FUNCTION:
        after = words[i + 1].lower if i + 1 < len(words) else ""
        return title and bool(what & Kind.NAME) and (after in _SURELY if word.first else alone(words, i))
    common = (what & Kind.BY_HAND and not what & Kind.SHORT) or word.lower in roles.CAPITALS
    if common and is_clinical(word.lower, what):
        return False
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
    if form.istitle() and what & Kind.NAME and not is_opener(word) and _is_subject(words, i, text):
        return not word.lower.endswith(roles.DEPARTMENTS)
    if form.istitle() and is_rare(word):
        return not in_heading(words, i, text)
    if what & Kind.CLINICAL or word.lower in roles.CAPITALS:
        return frequent and (titled(words, i) or alone(words, i) or told(words, i) or of_place(words, i))
    return not in_heading(words, i, text)


def _by_capital(words: list[Word], i: int, text: str) -> bool | None:
    """Whether a capitalised word goes, where its capital and its place tell, whatever it means."""
    word = words[i]
    if word.lower in roles.TITLES:
        return _is_called_so(words, i, text)
    if word.first:
        if acts_at_head(words, i, text):
            return True
    elif is_lone(words, i, text) and (not word.kind & Kind.EPONYM or is_handled(words, i)):
        return True
    if _DEGREE.match(text, word.end) is not None and word.lower not in roles.GRAMMAR | roles.ACTS:
        return True  # "Signed: Date M.D."
    if initialled(words, i, text):
        return word.lower not in roles.GRAMMAR and not (word.first and word.kind & Kind.FUNCTION)
    if not word.first and word.kind & Kind.KNOWN and titled(words, i) and _is_titled_name(words[i - 1], word):
        return True
    return None


def _may_act(words: list[Word], i: int) -> bool:
    """False for most words at the head of a sentence: no initial before, no verb of people behind."""
    if i > 0 and len(words[i - 1].text) == 1:
        return True
    if i + 1 >= len(words):
        return False
    behind = words[i + 1]
    return (
        behind.lower in roles.VERBS or behind.text.istitle() or behind.lower in ("and", "dob", "born", "m", "md", "do")
    )


def _is_titled_name(title: Word, word: Word) -> bool:
    """ "Dr May", "Dr. Date"; "MR Brain" and "DR chest" are examinations."""
    if word.kind & Kind.NAME and title.text != "MR":
        return True
    sure = title.text.istitle() and title.lower != "pt"
    return sure and word.lower not in roles.GRAMMAR and word.lower not in roles.POSTS


def _is_called_so(words: list[Word], i: int, text: str) -> bool:
    """Someone by the name of Doctor: "annotated Y. Doctor", "requested by Doctor.", "Doctor called the ward"."""
    before, after = words[i - 1].lower if i else "", words[i + 1] if i + 1 < len(words) else None
    if i > 0 and words[i - 1].text in ("Dr", "Mr", "Mrs", "Ms") and words[i].lower != words[i - 1].lower:
        return True
    if before == "by" and (after is None or after.first or after.text.islower() or after.lower == "0"):
        return True
    if after is None or after.first:
        return told(words, i) or initialled(words, i, text)
    if _DEGREE.match(text, words[i].end) is not None or initialled(words, i, text):
        return True
    return words[i].first and does(words, i)


def _by_number(words: list[Word], i: int) -> bool:
    """Beside a number, as units and isotopes are: "8 Fr", "Tc-99m"."""
    return any(0 <= j < len(words) and words[j].lower == "0" for j in (i - 1, i + 1))


def _is_subject(words: list[Word], i: int, text: str) -> bool:
    return told(words, i) or is_human(words, i) or acts_as_person(words, i, text, plain=False)


def _runs(words: list[Word], text: str) -> Iterator[Span]:
    masked = [i for i, word in enumerate(words) if word.masked and word.text != BARRIER]
    begin = 0
    for n, i in enumerate(masked):
        one, other = words[i], words[masked[n + 1]] if n + 1 < len(masked) else None
        if other is None or masked[n + 1] != i + 1 or one.person != other.person or not beside(text, one, other):
            yield words[masked[begin]].start, one.end, "NAME" if one.person else "ID"
            begin = n + 1
