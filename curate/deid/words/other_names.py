"""Names that a title or a role leads, in the languages beside English: where one begins behind its cue, and how far it
goes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from curate.deid.word_lists import word_sections, words
from curate.deid.words.lexicon import Lexicon

_MAX_TITLED, _MAX_LED = 5, 4  # words of a name behind a title, behind a role
_DENIALS = word_sections("context")["denials, elsewhere"]
_WRAPPED = r"|[.:]?[ ]{0,3}\n[ ]{0,3}"
_PLURAL = words("sigg drs dres dras sres messieurs mesdames mm herren profs")
_AND = frozenset(["und", "e", "y", "et", "en", "ed"])


@dataclass(slots=True)
class Word:
    """A word of folded text, and what is known of it; `decide_words` finds out whether it goes."""

    start: int
    end: int
    text: str
    low: str
    gap: str  # what stands before it
    first: bool
    level: bool  # its capitals tell nothing
    known: bool = False
    name: bool = False  # on a list of names: rather a name
    maybe: bool = False  # on any list of names or towns
    closed: bool = False
    masked: bool = False
    cued: bool = False


def mask_behind_cues(words: list[Word], lexical: Lexicon) -> None:
    """A title and the words behind it are a name, whatever they mean; a role leads one where a name follows it."""
    i = 0
    while i < len(words):
        word = words[i]
        titled = word.low in lexical.titles and (len(word.text) > 1 or _is_initial_title(words, i))
        if word.masked or not (titled or word.low in lexical.roles):
            i += 1
            continue
        at = i + 1
        while at < len(words) and _leads(words, at, lexical):
            titled = titled or (words[at].low in lexical.titles and len(words[at].text) > 1)
            at += 1
        end = _taken(words, at, lexical, titled)
        names = words[at:end]
        if titled and end == at > i + 1 and _is_role_as_name(words[at - 1], lexical):
            names = [words[at - 1]]  # "Dr. Neto"
        if word.low in _PLURAL and at < end < len(words) - 1 and words[end].low in _AND and words[end + 1].maybe:
            second = end + 1
            end = _taken(words, second, lexical, titled)
            names += words[second:end]
        for word in names:
            word.masked = word.cued = True
        i = max(end, i + 1)


def _is_role_as_name(word: Word, lexical: Lexicon) -> bool:
    somebody = word.low in lexical.roles and word.low not in lexical.titles and word.maybe
    return somebody and (word.level or word.text.istitle())


def _leads(words: list[Word], at: int, lexical: Lexicon) -> bool:
    """Does this word belong to a title or a role still: "Dr. med.", "medico de guardia", "Kollege Dr."?"""
    word = words[at]
    if word.low in lexical.titles | lexical.degrees | lexical.roles:
        one = len(word.text) == 1 and word.low not in lexical.degrees
        return re.fullmatch(r"[.:]?[ ]{0,2}|[ ]?[:(-][ ]{0,2}|,[ ]", word.gap) is not None and not one
    linked = word.low in lexical.by and re.fullmatch(r"[ ]", word.gap) is not None and at + 1 < len(words)
    if not linked:
        return False
    after = words[at + 1]
    return after.low in lexical.titles | lexical.roles or word.low in lexical.agent_links


def _is_initial_title(words: list[Word], i: int) -> bool:
    """ "D. Juan", "M. Dupont": one letter is a title before its full stop and a name."""
    after = words[i + 1] if i + 1 < len(words) else None
    if after is None or re.fullmatch(r"[.][ ]?", after.gap) is None:
        return False
    if after.closed:
        behind = words[i + 2] if i + 2 < len(words) else None
        return (
            after.text.istitle()
            and not words[i].level
            and behind is not None
            and behind.text.istitle()
            and behind.gap == " "
        )
    return (
        after.maybe
        or not after.known
        or (after.text.istitle() and words[i].text.isupper() and not words[i].level and words[i].first)
    )


def _taken(words: list[Word], at: int, lexical: Lexicon, titled: bool) -> int:
    """Where the name ends whose first word may be at ``at``."""
    end = at
    most = _MAX_TITLED if titled else _MAX_LED
    while end < len(words) and end - at < most + 2 and _continues(words, end, at, lexical, titled):
        end += 1
    while (
        end > at and words[end - 1].low in lexical.particles and (words[end - 1].text.islower() or words[end - 1].level)
    ):
        end -= 1
    return end


def _continues(words: list[Word], i: int, at: int, lexical: Lexicon, titled: bool) -> bool:
    word, before = words[i], words[i - 1]
    gaps = (
        r"[ ]{1,2}|[.][ ]?|,[ ]|[-']"
        if i > at
        else r"[.:]?[ ]{0,3}|[ ]?:[ ]{0,9}|[ ]?\([ ]?|,[ ]" + (_WRAPPED if titled else r"|[ ]?[:=][ \t]*")
    )
    if re.fullmatch(gaps, word.gap) is None or not word.text.isalpha() or word.gap == "":
        return False
    if word.gap.startswith(".") and i > at and len(before.text) > 1:
        return False
    after = words[i + 1] if i + 1 < len(words) else None
    if "\n" in word.gap and not _begins_line(word, after, lexical):
        return False
    if (
        word.low in lexical.particles
        and not word.gap.startswith(",")
        and after is not None
        and after.gap in (" ", "'", "-", ".")
    ):
        return _follows_particle(after, lexical)
    if word.closed or word.low in lexical.acts or word.low in _DENIALS:
        ends = after is None or after.gap != " " or (after.maybe and not after.closed) or after.low in lexical.acts
        announced = titled or (":" in word.gap and ends)
        first = i == at or (titled and before.low in lexical.particles)  # "DR. VAN DER MEER GEBELD"
        return _is_closed_name(word, lexical, first=first, titled=announced, ends=ends)
    if word.low in lexical.roles and i > at:
        return False
    if not word.level and not word.text[0].isupper():
        return False
    named = word.maybe or not word.known
    if word.gap.startswith(","):
        return (
            named and word.low not in lexical.medical and not (word.level and lexical.capital_nouns and not word.name)
        )
    if word.gap == "-":
        return True
    if i == at:
        return _begins(words, i, lexical, titled)
    return before.low in lexical.particles or _follows_name(words, i, at, lexical, titled)


def _begins_line(word: Word, after: Word | None, lexical: Lexicon) -> bool:
    """A name that a line's end parts from its title; no heading, no finding: "Dr.\\nKleiner Erguss"."""
    if word.low in lexical.particles:
        return True
    named = (word.maybe or not word.known) and word.text[0].isupper()
    described = after is not None and after.gap == " " and lexical.is_medical(after.low) and not after.closed
    return named and (word.closed or not lexical.is_medical(word.low)) and not (described and word.known)


def _begins(words: list[Word], i: int, lexical: Lexicon, titled: bool) -> bool:
    """Whether a name begins with this word, which is written as one."""
    word, after = words[i], words[i + 1] if i + 1 < len(words) else None
    medical = lexical.is_medical(word.low)
    before_name = (
        after is not None and after.gap in (" ", ", ") and (after.maybe or not after.known) and not after.closed
    )
    if len(word.text) == 1 and word.text.isupper() and after is not None and after.gap.startswith("."):
        titled = titled or after.low in lexical.particles or after.text[0].isupper()  # "J. de Wit"
    announced = titled or (
        ":" in word.gap
        and (not medical or (word.maybe and (before_name or (after is None or after.gap not in (" ", "-")))))
    )
    named = word.maybe or not word.known
    return announced or (named and not medical) or _is_pair(words, i, lexical)


def _follows_name(words: list[Word], i: int, at: int, lexical: Lexicon, titled: bool) -> bool:
    """Whether this word, written as a name, is of the one that begins at ``at``."""
    word, after = words[i], words[i + 1] if i + 1 < len(words) else None
    if word.gap == " " and not word.level and not lexical.capital_nouns and word.text.istitle() and not word.first:
        return True  # no word of a sentence has a capital there
    medical, named = lexical.is_medical(word.low), word.maybe or not word.known
    last = after is None or after.gap != " "
    if word.level and titled and i <= at + 2 and word.gap == " " and last:
        return True
    led = last or (after is not None and (after.closed or after.low in lexical.acts))
    if word.level and i == at + 2 and word.gap == " " and led and not medical and lexical.two_surnames:
        return True
    somebody = titled or words[at].name or not words[at].known
    if (i == at + 1 and somebody and not medical) or (i <= at + 2 and word.maybe):
        return True  # given name and surname, or two surnames
    if word.level:
        return named and not medical
    return named or (not lexical.capital_nouns and not word.first and word.low not in lexical.medical)


def _is_closed_name(word: Word, lexical: Lexicon, *, first: bool, titled: bool, ends: bool) -> bool:
    """ "Dr. Klein", "Dra. Pinto Grande": a word of the closed class that can only be a name where it stands."""
    if len(word.text) < 3 or word.low in _DENIALS | lexical.acts | lexical.by:
        return False
    if word.level:
        return word.maybe and ((titled and first) or (not first and ends and word.gap in (" ", "-")))
    return word.text.istitle() and (titled if first else word.gap in (" ", "-"))


def _follows_particle(after: Word, lexical: Lexicon) -> bool:
    if after.low in lexical.titles | lexical.roles:
        return False
    if after.low in lexical.particles:
        return True
    if after.level:
        return (not after.closed and not lexical.is_medical(after.low)) or after.name
    return after.text[0].isupper() and (not lexical.capital_nouns or after.maybe or not after.known)


def _is_pair(words: list[Word], i: int, lexical: Lexicon) -> bool:
    """Two words with capitals behind a role, one of them a name: given name and surname."""
    after = words[i + 1] if i + 1 < len(words) else None
    if after is None or after.gap not in (" ", ", ", "-") or lexical.is_medical(words[i].low) or lexical.capital_nouns:
        return False
    return (after.text[0].isupper() or after.level) and (after.maybe or not after.known) and not after.closed
