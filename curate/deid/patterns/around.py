"""The words around a number, by which it is told what it counts."""

from __future__ import annotations

import re
from collections.abc import Container

from curate.deid.word_lists import word_sections

MEASURED = word_sections("numbers")["measured"]
# of these, two numbers tell how much, how strong or which
COUNTED = word_sections("numbers")["counted"]
_BEFORE = re.compile(r"[a-z]+(?:/[a-z]+)?|[.;\n\0](?!\d)")
_BEHIND = re.compile(r"\s*([a-z]+)", re.IGNORECASE)
_REACH = 48  # characters
_ENDS = ".;\n"
_SHORT = 3  # letters of a word that has no plural


def words_before(text: str, at: int) -> list[str]:
    """The words that end before ``at`` in small letters, nearest last; ends of clauses and what went are words too."""
    return _BEFORE.findall(text[max(0, at - _REACH) : at].lower())


def word_behind(text: str, at: int) -> str:
    """The word that follows at once, in small letters; "" for none."""
    found = _BEHIND.match(text, at)
    return found[1].lower() if found else ""


def is_any_before(before: list[str], listed: Container[str], most: int = 4) -> bool:
    """Is one of the last words of the same clause, up to ``most``, ``listed``?"""
    for word in reversed(before[-most:]):
        if word in _ENDS:
            return False
        if word in listed or (len(word) > _SHORT and word.endswith("s") and word[:-1] in listed):
            return True
        if "/" in word and any(len(part) > 1 and part in listed for part in word.split("/")):
            return True  # "TR/TE"
    return False
