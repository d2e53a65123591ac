"""What a capital says in running text: reports write few words with one, so a lone one inside a sentence is a name.

Whatever the word means. At the head of a sentence every word has a capital; there it is a name if it does what only
people do: "Forum held the child", "Per will bring the films".
"""

from __future__ import annotations

import re

from curate.deid.text import roles
from curate.deid.text.fold import BARRIER
from curate.deid.text.tokens import Word
from curate.deid.text.vocabulary import Kind

_JOINING = roles.words("of and in for on to the")
_OF_FINDINGS = roles.words("measured described mentioned compared flagged marked suspected")  # what readers do
_LEADING = roles.words("by from per via that because while when since if until before after cc") | roles.KIN
_BORN = re.compile(r"[ ]?\((?:DOB|D\.O\.B|dob|born)\b")
_BEHIND = re.compile(r"[ ]?:|\s*(?:\n|$)")


def is_lone(words: list[Word], i: int, text: str) -> bool:
    """A capital among small letters inside a sentence: "the disc Per carried", "the nodule that Lower measured"."""
    word = words[i]
    before = words[i - 1] if i else None
    after = words[i + 1] if i + 1 < len(words) and not words[i + 1].first else None
    if word.first or before is None or _is_title(words, i, text):
        return False
    if before.text == BARRIER:
        led = before.person
    else:
        led = before.text.islower() or before.lower.endswith("ed") or before.lower in roles.LEADS
    return led and (after is None or after.text.islower() or after.text == BARRIER)


def _is_title(words: list[Word], i: int, text: str) -> bool:
    """ "Plan:", "Date of Birth", "Alert and Oriented", "Vein of Galen", "In-111": capitals of another kind."""
    word, far = words[i], words[i - 2] if i > 1 else None
    if "-" in (text[word.end : word.end + 1], text[word.start - 1 : word.start]):
        return bool(word.kind & Kind.CLINICAL)
    joint = words[i - 1].lower
    joined = far is not None and far.text.istitle() and not far.masked and joint in _JOINING
    behind = _BEHIND.match(text, word.end)
    if behind is not None and (joined or behind[0].endswith(":")):
        return True
    if joined and joint == "and":
        return True
    over = words[i + 2] if i + 2 < len(words) else None
    return (
        over is not None and words[i + 1].lower == "of" and over.text[:1].isupper() and bool(word.kind & Kind.BY_HAND)
    )


def is_handled(words: list[Word], i: int) -> bool:
    """An eponym that is none: "by Morgagni", "paged Wilms", "helping Antoni move", "because Raynaud"."""
    before = words[i - 1].lower
    if before == "to":
        return i > 1 and words[i - 2].lower == "according"
    return before in _LEADING or before in roles.TOLD or before.endswith("ing") or does(words, i)


def does(words: list[Word], i: int) -> bool:
    """ "The disc Antoni carried", "because Antoni was crying"."""
    verb, behind = (w.lower for w in (*words[i + 1 : i + 3], words[i], words[i])[:2])
    if verb in ("was", "is"):
        return behind.endswith("ing") or behind in roles.HUMAN_STATES
    return verb in roles.DOES or verb in roles.DOES_TO or verb in roles.CALLED or verb in _OF_FINDINGS


def acts_at_head(words: list[Word], i: int, text: str) -> bool:
    """The first word of a sentence, or the first of two names, before what only a person does, has done or will do."""
    word = words[i]
    if word.lower in roles.HUMANS or word.lower.endswith(roles.DEPARTMENTS) or word.lower.endswith("ly"):
        return False
    if word.kind & Kind.FUNCTION and word.lower in roles.BEFORE_VERBS:
        return False
    if _BORN.match(text, word.end) is not None:
        return True
    if i + 2 >= len(words) or words[i + 1].first:
        return False
    if text[word.end : words[i + 1].start] == " " and _acts(words, i):
        return True
    if words[i + 1].lower == "and" and i + 3 < len(words):  # "Bilge and Seven concur"
        done = words[i + 3].lower in roles.ACTS or words[i + 3].lower in roles.DOES
        return done and words[i + 2].text.istitle() and words[i + 2].lower not in roles.HUMANS
    mate = words[i + 1]  # "Canal, Lobe was unable to lie flat", "Lobe Canal presents with cough"
    joined = text[word.end : mate.start] in (" ", ", ") and mate.text.istitle() and mate.lower not in roles.HUMANS
    if not joined:
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
