"""What a name draws along: its other half, initials, particles, and whoever stands behind an "and".

Works on the gate's words, of which those that are someone's are marked.
"""

from __future__ import annotations

from collections.abc import Iterator

from curate.deid.text import roles
from curate.deid.text.context import beside, is_initial
from curate.deid.text.fold import BARRIER
from curate.deid.text.tokens import Word
from curate.deid.text.vocabulary import Kind

_GIVEN_FUNCTION = frozenset("will may do no so an but than van like bill rob sue mark".split())  # noqa: SIM905
_ADJECTIVES = ("al", "ic", "ar", "ous", "ed", "ing", "ive", "ly", "ology", "graphy")


def spread(words: list[Word], text: str, level: bool) -> None:
    """A name's neighbours: initials, particles, and capitalised words that may be its other half."""
    for step in (1, -1):
        people = [j for j, word in enumerate(words) if word.person]
        waiting = people[::-1] if step == 1 else people
        while waiting:
            j = waiting.pop()
            if 0 <= j + step < len(words) and not words[j + step].masked:
                taken = list(_drawn(words, j, step, text, level))
                for i in taken:
                    words[i].masked = words[i].person = True
                waiting += sorted(taken, reverse=step == 1)  # a neighbour just taken in is asked for its own in turn


def _drawn(words: list[Word], j: int, step: int, text: str, level: bool) -> Iterator[int]:
    """What a name draws along on one side."""
    i = j + step
    word, first, last = words[i], min(i, j), max(i, j)
    if not beside(text, words[first], words[last]):
        return
    if len(word.text) == 1 and step == -1 and not is_initial(words, i):
        return
    gap = text[words[first].end : words[last].start]
    if _goes_along(word, words[j], gap, level) or (not level and _is_half(words, i, j, text)):
        yield i
    elif word.lower == "and" and 0 <= i + step < len(words):
        if not level and _is_mate(words, i + step, step, text):
            yield i + step  # "Fine and Mcfall concur"
    elif step == 1 and not level and word.lower in roles.PARTICLES and gap in (" ", "-"):
        k = i + 1  # "Ngozi de Olive"
        while k < len(words) and words[k].lower in roles.PARTICLES and words[k].text.islower() and k < i + 2:
            k += 1
        if k < len(words) and not words[k].first and words[k].text[:1].isupper() and word.text.islower():
            yield from range(i, k + 1)
    elif step == -1 and not level and _leads(words, i, gap):
        yield i  # "Stone van Nowak"


def _is_mate(words: list[Word], i: int, step: int, text: str) -> bool:
    """The other of two people with an "and" between them; behind it ("Reynolds and Seven") whatever it means."""
    word = words[i]
    if word.masked or not word.text.istitle() or word.lower in roles.GRAMMAR or text[word.end : word.end + 1] == "-":
        return False
    if step == -1 and word.lower not in roles.BEFORE_VERBS:
        behind = words[i + 3].lower if i + 3 < len(words) else ""
        if behind in roles.ACTS or behind in roles.DOES:  # "Cis and Kumar concur"
            return True
    if word.lower in roles.HUMANS:
        return False
    if step == 1 and not word.first and not (word.settled and word.kind & (Kind.BOUND | Kind.EPONYM)):
        return not word.lower.endswith(roles.DEPARTMENTS)
    if word.kind & Kind.FUNCTION:
        return False
    return bool(word.kind & Kind.FREQUENT) or is_rare(word) or word.kind & (Kind.NAME | Kind.CLINICAL) == Kind.NAME


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


def _leads(words: list[Word], i: int, gap: str) -> bool:
    """A particle in small letters before a name: at its beginning, or behind another capitalised word."""
    word = words[i]
    if word.lower not in roles.PARTICLES or not word.text.islower() or gap not in (" ", "-", "'"):
        return False
    if word.lower not in ("de", "do", "la", "e", "y", "das", "du", "st", "den"):
        return True
    return i > 0 and words[i - 1].text[:1].isupper() and not words[i].first


def _is_half(words: list[Word], i: int, j: int, text: str) -> bool:
    """A known word, capitalised as a name beside one that no vocabulary knows: "Tongue Novak", "Novak Foot"."""
    word, name = words[i], words[j]
    gap = text[words[min(i, j)].end : words[max(i, j)].start]
    if word.settled and word.kind & (Kind.BOUND | Kind.EPONYM):
        return False
    if gap == "-" and word.text.istitle() and word.text.isalpha() and len(word.text) > 1 and name.text[:1].isupper():
        return True
    if i > j and len(name.text) == 1 and gap == ". " and word.text.istitle() and not is_opener(word):
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
        return not word.first and not noun and (not is_opener(word) or _ends(words, i, text, gap))
    if word.kind & Kind.FUNCTION and word.lower not in _GIVEN_FUNCTION:
        copied = i > 0 and (words[i - 1].lower in ("cc", "copy", "copies") or text[: word.start].rstrip()[-1:] == ";")
        listed = copied or not word.first
        return listed and word.lower not in roles.GRAMMAR and gap == " "  # "the report of Per Nyman", "cc: Per Nyman"
    if name.text == BARRIER or name.kind & Kind.KNOWN or gap == ", ":
        ordinary = word.first and bool(word.kind & (Kind.CLINICAL | Kind.BY_HAND))
        return not ordinary and not is_opener(word) and name.text != BARRIER
    return not is_opener(word)


def _ends(words: list[Word], i: int, text: str, gap: str) -> bool:
    """ "by Yatin Date by phone", "Nurbanu Seven, which": the sentence goes on behind it, so it is no heading."""
    word = words[i]
    if (
        gap != " "
        or word.lower in roles.GRAMMAR
        or word.lower in roles.LICENSED
        or text[word.end : word.end + 1] == ":"
    ):
        return False
    if text[word.end : word.end + 1] in (".", ",", ";", ")", ""):
        return True
    after = words[i + 1] if i + 1 < len(words) else None
    if after is None or after.first:
        return False
    return after.text == BARRIER or (after.text.islower() and after.lower not in ("of", "and", "for"))


def is_opener(word: Word) -> bool:
    if word.kind & Kind.FUNCTION and word.lower not in _GIVEN_FUNCTION:
        return True
    if word.lower in roles.OPENERS or word.lower in roles.CAPITALS or word.lower in roles.ACTS:
        return True
    return word.first and word.lower.endswith(_ADJECTIVES)


def is_rare(word: Word) -> bool:
    """A word that only the large lists know: capitalised inside a sentence it is likelier a name that looks so."""
    return not word.kind & Kind.BY_HAND and word.lower not in roles.CAPITALS
