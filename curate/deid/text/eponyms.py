"""Where a name is no one's: an eponym before its noun, behind it, in a pair or graded (`data/eponyms.txt`)."""

from __future__ import annotations

import re
from functools import cache

from curate.deid.text import roles
from curate.deid.text.tokens import Word
from curate.deid.text.vocabulary import Kind, eponyms

_GRADE = re.compile(r"[IVX]{1,4}[A-Fa-f]?|[A-D][1-4]?|\d{1,2}[A-Fa-f]?|I{1,3}F")
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
