"""What a word's place says by itself: that it is no one's (an eponym), or that it can only be somebody's.

An eponym before its noun, behind it, in a pair or graded (`words/data/eponyms.txt`); and what stands before a verb of
people, whatever the word means: "Forum held the child", "the disc Cord carried".
"""

from __future__ import annotations

import re
from functools import cache

from curate.deid.text.fold import BARRIER
from curate.deid.text.tokens import Word
from curate.deid.word_lists import words
from curate.deid.words import context_words as roles
from curate.deid.words.vocabulary import Kind, eponyms

_GRADE = re.compile(r"[IVX]{1,4}[A-Fa-f]?|[A-D][1-4]?|\d{1,2}[A-Fa-f]?|I{1,3}F", re.IGNORECASE)
_OF_THINGS = ("line", "stone", "ring", "law", "bag")  # nouns that are names as well


def is_eponym(words: list[Word], i: int, text: str) -> bool:
    """Before its noun ("Baker cyst"), behind it ("pouch of Douglas"), in a pair ("Spetzler-Martin"), or graded
    ("Bosniak IIF"); never behind a title."""
    word = words[i]
    before = words[i - 1] if i else None
    after = words[i + 1] if i + 1 < len(words) else None
    if before is not None and before.lower in roles.TITLES:
        return False
    if word.lower in _paired_words():
        if before is not None and _paired(before, word, text) and not (i > 1 and words[i - 2].lower in roles.TITLES):
            return True
        if after is not None and _paired(word, after, text):
            return True
    if after is not None and after.lower in eponyms("surely") and text[word.end : after.start] == " ":
        return not (word.text.endswith("'s") or not word.text.istitle() or after.text != after.lower)
    if not word.kind & (Kind.BOUND | Kind.EPONYM):
        return False
    if before is not None and before.lower == "of" and i > 1 and words[i - 2].lower in eponyms("of"):
        return not word.first
    if after is not None and not after.first and word.lower in eponyms("graded"):
        behind = text[word.end : after.start]
        if behind in (" ", "-") and (_GRADE.fullmatch(after.text) or after.lower in ("grade", "class", "type")):
            return True
    return _before_noun(words, i, text)


@cache
def _paired_words() -> frozenset[str]:
    return frozenset(word for pair in eponyms("pairs") for word in pair.split("-"))


def _paired(one: Word, other: Word, text: str) -> bool:
    gap = text[one.end : other.start]
    return gap in ("-", " ", " - ", "/") and f"{one.lower}-{other.lower}" in eponyms("pairs")


def _before_noun(words: list[Word], i: int, text: str) -> bool:
    """Its noun within the next four words: "Hill-Sachs lesion", "Swan-Ganz line tip"."""
    after = words[i + 1] if i + 1 < len(words) else None
    if after is not None and after.kind & Kind.EPONYM and text[words[i].end : after.start] == "-":
        return True
    for word in words[i + 1 : i + 5]:
        if word.first:
            return False
        if word.kind & Kind.NOUN and (not word.text[:1].isupper() or words[i].text.isupper()):
            return True
        surname = word.text.istitle() and word.kind & Kind.FREQUENT  # "James Fields"
        if word.kind & Kind.NOUN and not surname and word.lower not in _OF_THINGS:
            return True
        joined = word.lower in ("and", "de", "type", "0", "s") or len(word.text) == 1
        if not joined and not word.kind & (Kind.BOUND | Kind.EPONYM):
            return False
    return False


_OF_FINDINGS = words("measured described mentioned compared flagged marked suspected")  # what readers do
_DEGREE = re.compile(r",?[ ]+(?:M\.?D|D\.O|R\.?N|Ph\.?D)\b")
_BORN = re.compile(r"[ ]?\((?:DOB|D\.O\.B|dob|born)\b")


def is_acting(words: list[Word], i: int, text: str) -> bool:
    """Is this capitalised word somebody, by the verb behind it?"""
    word = words[i]
    if not word.text.istitle() or len(word.text) < 2 or _is_nobody(word):
        return False
    if _DEGREE.match(text, word.end) is not None and word.lower not in roles.GRAMMAR | roles.ACTS:
        return True  # "Signed: Date M.D."
    if word.first:
        return _acts_at_head(words, i, text)
    led = i > 0 and (words[i - 1].text.islower() or words[i - 1].text == BARRIER) and words[i - 1].lower != "the"
    return led and text[words[i - 1].end : word.start] == " " and _does(words, i)


def _is_nobody(word: Word) -> bool:
    if word.lower in roles.HUMANS or word.lower in roles.TITLES or word.lower in roles.LICENSED:
        return True
    if word.lower.endswith((*roles.DEPARTMENTS, "ly")):
        return True
    return bool(word.kind & Kind.FUNCTION) and (word.lower in roles.BEFORE_VERBS or word.lower in roles.GRAMMAR)


def _does(words: list[Word], i: int) -> bool:
    """ "The disc Antoni carried", "because Antoni was crying"."""
    if i + 1 >= len(words) or words[i + 1].first:
        return False
    verb, behind = (w.lower for w in (*words[i + 1 : i + 3], words[i], words[i])[:2])
    if words[i - 1].text == BARRIER and words[i - 1].person and verb.startswith("present"):
        return True  # the second of two names
    if verb in ("was", "is"):
        return behind.endswith("ing") and behind in roles.MOODS
    return verb in roles.DOES or verb in roles.DOES_TO or verb in roles.CALLED or verb in _OF_FINDINGS


def _acts_at_head(words: list[Word], i: int, text: str) -> bool:
    """The first word of a sentence, or the first of two names."""
    word = words[i]
    if _BORN.match(text, word.end) is not None:
        return True
    if i + 2 >= len(words) or words[i + 1].first:
        return False
    if text[word.end : words[i + 1].start] == " " and _acts(words, i):
        return True
    if words[i + 1].lower == "and" and i + 3 < len(words):  # "Bilge and Seven concur"
        done = words[i + 3].lower in roles.ACTS or words[i + 3].lower in roles.DOES
        return done and words[i + 2].text.istitle() and not _is_nobody(words[i + 2])
    mate = words[i + 1]  # "Canal, Lobe was unable to lie flat", "Lobe Canal presents with cough"
    if text[word.end : mate.start] not in (" ", ", ") or not mate.text.istitle() or _is_nobody(mate):
        return False
    if _BORN.match(text, mate.end) is not None:
        return True
    return not words[i + 2].first and (_acts(words, i + 1) or words[i + 2].lower.startswith("present"))


def _acts(words: list[Word], i: int) -> bool:
    """Behind this word stands a verb of people."""
    verb, behind, last = (w.lower for w in (*words[i + 1 : i + 4], words[i], words[i])[:3])
    if i + 2 < len(words) and words[i + 2].first:
        behind = ""
    if verb in roles.DOES:
        sent = verb.endswith("ed") and behind in ("to", "by") and last not in roles.DO
        return not sent or bool(words[i].kind & Kind.NAME)  # "Results emailed to"
    if verb in roles.DOES_TO:
        return behind in roles.OBJECTS
    if verb in roles.CALLED:
        return behind in roles.OBJECTS or behind in ("0", "back", BARRIER) or (behind == "to" and last in roles.DO)
    if verb in ("was", "is"):
        return behind in roles.MOODS and (last != "to" or i + 4 >= len(words) or words[i + 4].lower != "be")
    if verb in roles.MODALS:
        if behind in roles.ADVERBS:
            behind, last = last, words[i + 4].lower if i + 4 < len(words) else ""
        return behind in roles.DO or (behind in roles.DO_TO and last in roles.OBJECTS)
    return False


def in_heading(words: list[Word], i: int, text: str) -> bool:
    """Does this first word begin a heading of two to four known words before a colon ("Reading radiologist:")?"""
    for k in range(i + 1, min(i + 4, len(words))):
        verb = words[k].lower in roles.ACTS or words[k].lower in roles.DOES or words[k].lower in roles.DOES_TO
        if words[k].first or verb or not words[k].kind & Kind.KNOWN or "\n" in text[words[i].end : words[k].start]:
            return False
        if text[words[k].end : words[k].end + 2].lstrip()[:1] == ":":
            return True
    return False
