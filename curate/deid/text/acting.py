"""Where only a person can stand: before what only people do, have done or will do, whatever the word means.

"Forum held the child", "Per will bring the films", "the disc Cord carried": a capital where reports write none.
"""

from __future__ import annotations

import re

from curate.deid.text import roles
from curate.deid.text.fold import BARRIER
from curate.deid.text.tokens import Word
from curate.deid.text.vocabulary import Kind

_OF_FINDINGS = roles.words("measured described mentioned compared flagged marked suspected")  # what readers do
_BORN = re.compile(r"[ ]?\((?:DOB|D\.O\.B|dob|born)\b")


def is_acting(words: list[Word], i: int, text: str) -> bool:
    """Is this capitalised word somebody, by the verb behind it?"""
    word = words[i]
    if not word.text.istitle() or len(word.text) < 2 or _is_nobody(word):
        return False
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
        return True
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
