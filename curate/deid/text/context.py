"""What a word's place says of it: who stands before it, who does something behind it, what an eponym belongs to."""

from __future__ import annotations

import re
from functools import cache

from curate.deid.text import roles
from curate.deid.text.fold import BARRIER
from curate.deid.text.tokens import Word
from curate.deid.text.vocabulary import Kind, eponyms

_GRADE = re.compile(r"[IVX]{1,4}[A-Fa-f]?|[A-D][1-4]?|\d{1,2}[A-Fa-f]?|I{1,3}F")
_COUNTING = roles.words(
    "type grade class stage category group hepatitis vitamin influenza factor zone level segment part phase option"
)
_BESIDE = re.compile(r"[ \xa0]{1,2}|[ ]?[,&^_/-][ ]?|'|\.[ ]?|\n")


def titled(words: list[Word], i: int) -> bool:
    return i > 0 and words[i - 1].lower in roles.TITLES


def told(words: list[Word], i: int) -> bool:
    """Behind "discussed with", "seen by": someone."""
    return i > 1 and words[i - 1].lower in roles.LINKS and words[i - 2].lower in roles.TOLD


def enclosed(words: list[Word], i: int, text: str) -> bool:
    """Alone in quotes or parentheses."""
    before, after = text[: words[i].start][-1:], text[words[i].end : words[i].end + 1]
    return (before, after) in (("(", ")"), ('"', '"'), ("'", "'"))


def before_noun(words: list[Word], i: int, text: str) -> bool:
    """An eponym's noun within the next four words ("Baker cyst", "Hill-Sachs lesion", "Swan-Ganz line tip")."""
    if titled(words, i):
        return False
    after = words[i + 1] if i + 1 < len(words) else None
    if after is not None and after.kind & Kind.EPONYM and text[words[i].end : after.start] == "-":
        return True
    for word in words[i + 1 : i + 5]:
        if word.first:
            return False
        if word.kind & Kind.NOUN and not word.text[:1].isupper():
            return True
        surname = word.text.istitle() and word.kind & Kind.FREQUENT  # "James Fields"
        if word.kind & Kind.NOUN and not surname and word.lower not in ("line", "stone", "ring", "law", "bag"):
            return True
        if (
            len(word.text) > 1
            and not word.kind & (Kind.BOUND | Kind.EPONYM)
            and word.lower not in ("and", "de", "type", "0", "s")
        ):
            return False
    return False


@cache
def _paired_words() -> frozenset[str]:
    return frozenset(word for pair in eponyms("pairs") for word in pair.split("-"))


def is_eponym(words: list[Word], i: int, text: str) -> bool:
    """Before its noun, behind it ("pouch of Douglas"), in a pair ("Spetzler-Martin"), or graded ("Bosniak IIF")."""
    word = words[i]
    before = words[i - 1] if i else None
    after = words[i + 1] if i + 1 < len(words) else None
    if word.lower in _paired_words():
        if before is not None and _paired(before, word, text) and not titled(words, i - 1):
            return True
        if after is not None and _paired(word, after, text) and not titled(words, i):
            return True
    if after is not None and after.lower in eponyms("surely") and text[word.end : after.start] == " ":
        unsure = word.text.endswith("'s") or not word.text.istitle() or after.text != after.lower
        if not unsure and not titled(words, i):
            return True
    if not word.kind & (Kind.BOUND | Kind.EPONYM):
        return False
    if before is not None and before.lower == "of" and i > 1 and words[i - 2].lower in eponyms("of"):
        return not word.first
    if after is not None and not after.first and word.lower in eponyms("graded") and not titled(words, i):
        behind = text[word.end : after.start]
        if behind in (" ", "-") and (_GRADE.fullmatch(after.text) or after.lower in ("grade", "class", "type")):
            return True
    return before_noun(words, i, text)


def _paired(one: Word, other: Word, text: str) -> bool:
    gap = text[one.end : other.start]
    return gap in ("-", " ", " - ", "/") and f"{one.lower}-{other.lower}" in eponyms("pairs")


def acts_as_person(words: list[Word], i: int, text: str, *, plain: bool) -> bool:
    """By what stands around it: a title before, a verb of people behind; ``plain`` where capitals tell nothing."""
    word = words[i]
    before = words[i - 1] if i else None
    after = words[i + 1] if i + 1 < len(words) else None
    clinical = bool(word.kind & Kind.CLINICAL)
    if before is not None and (before.lower in roles.TITLES or (before.lower in roles.KIN and not plain)):
        led = i > 1 and words[i - 2].lower in roles.LINKS  # "BY DR STONE", where "DR CHEST" is an examination
        return not clinical or not plain or led
    if plain and before is not None:
        noun = after is not None and bool(after.kind & Kind.CLINICAL) and not after.kind & Kind.FUNCTION
        clinical = clinical and not word.kind & Kind.SHORT
        if before.lower == "by" and not clinical and not (after is not None and after.kind & Kind.NOUN):
            return True
        if told(words, i):
            return not clinical and not (noun and after is not None and beside(text, word, after))
        if before.lower == "per" and (after is None or text[word.end : word.end + 1] in ",.:;"):
            return not clinical
    if after is None or after.first:
        return False
    if after.lower in roles.SURELY and (not plain or word.first) and text[word.end : after.start].isspace():
        return True
    later = words[i + 2] if i + 2 < len(words) else None
    if (
        later is not None
        and after.lower in ("is", "was")
        and later.lower in roles.TOLD_OF
        and (not plain or word.first)
    ):
        return True
    if word.text.endswith("'s") and (not plain or word.first) and after.lower in roles.BELONGINGS:
        return True
    if clinical:
        return False
    if word.text.endswith("'s") and not plain:
        return True
    if after.lower in roles.ACTS and (not plain or word.first):
        return True
    if later is not None and after.lower in roles.IS and later.lower in roles.STATES and (not plain or word.first):
        return True
    gap = text[word.end : after.start]
    if not plain and gap == ", " and len(after.text) == 1 and text[after.end : after.end + 1] == ".":
        return True  # "Hill, J."
    name = bool(after.kind & Kind.NAME) and not after.kind & Kind.CLINICAL and after.text[:1].isupper()
    name = name and after.lower not in roles.LICENSED
    return not plain and name and beside(text, word, after)


def is_human(words: list[Word], i: int) -> bool:
    """ "Foot was unable to lie flat": by what follows it, a name at the head of a sentence."""
    if not words[i].kind & Kind.NAME or words[i].lower in roles.OPENERS or words[i].lower in roles.CAPITALS:
        return False
    behind = [word.lower for word in words[i + 1 : i + 4]]
    if not behind or words[i + 1].first:
        return False
    if behind[0] in roles.HAVING and len(behind) > 1:
        state = behind[2] if behind[1] == "not" and len(behind) > 2 else behind[1]
        return state in roles.HUMAN_STATES
    return behind[0] in roles.HUMANLY


def initialled(words: list[Word], i: int, text: str) -> bool:
    """ "by L. Foot", "cc: M. Olive", "V. Cost reviewed"; not "Child-Pugh B. Ascites"."""
    if i == 0 or not is_initial(words, i - 1) or text[words[i - 1].end : words[i].start] not in (".", ". "):
        return False
    start = i - 1
    while (
        start > 0
        and is_initial(words, start - 1)
        and text[words[start - 1].end : words[start].start] in (".", ". ", "")
    ):
        start -= 1
    if words[start].first:
        after = words[i + 1].lower if i + 1 < len(words) and not words[i + 1].first else ""
        return start < i - 1 or after in roles.ACTS or after.startswith("present") or is_human(words, i)
    before = words[start - 1]
    told_of = before.lower in roles.LINKS or before.lower in roles.LEADS or before.lower in roles.TITLES
    return before.person or told_of or before.lower in roles.OPENERS or before.lower in roles.MARKING


def is_initial(words: list[Word], i: int) -> bool:
    """A capital letter that no word before it counts by: "grade B" and "Weber C" are none."""
    before = words[i - 1].lower if i else ""
    counted = before in _COUNTING or before in eponyms("graded")
    return len(words[i].text) == 1 and words[i].text.isupper() and not counted


def among_small(words: list[Word], i: int) -> bool:
    around = [w for w in (*words[max(0, i - 1) : i], *words[i + 1 : i + 2]) if w.text != BARRIER]
    return any(w.text.islower() for w in around)


def alone(words: list[Word], i: int) -> bool:
    """A capital among small words: "seen with Stone in clinic"; "Right Lower Lobe" is not."""
    before = words[i - 1] if i else None
    after = words[i + 1] if i + 1 < len(words) else None
    if before is None or not (before.text.islower() or before.lower in roles.LEADS or before.lower.endswith("ed")):
        return False
    if words[i].lower in roles.CAPITALS and before.lower not in roles.LEADS:
        return False
    return after is None or after.first or after.text.islower() or after.text == BARRIER


def of_place(words: list[Word], i: int) -> bool:
    """ "from Fields General"."""
    after = words[i + 1] if i + 1 < len(words) else None
    led = i > 0 and words[i - 1].text.islower()
    return led and after is not None and not after.first and after.text.istitle() and after.lower in roles.OF_PLACES


def in_heading(words: list[Word], i: int, text: str) -> bool:
    """Inside "Reason for Visit:", a short run of known words that begins a line and ends in a colon."""
    end = i
    while end + 1 < len(words) and not words[end + 1].first and end - i < 4:
        end += 1
    if text[words[end].end : words[end].end + 2].lstrip()[:1] != ":":
        return False
    start = i
    while start > 0 and not words[start].first and i - start < 5:
        start -= 1
    own = words[start : end + 1]
    return words[start].first and all(
        (w.kind & Kind.KNOWN and not (w.kind & Kind.FREQUENT)) or w is words[start] for w in own
    )


def beside(text: str, one: Word, other: Word) -> bool:
    return _BESIDE.fullmatch(text, one.end, other.start) is not None
