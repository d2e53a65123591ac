"""A text as sentences of meaningful words: one pass of the compiled pattern, everything else is left out."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from operator import itemgetter

from filters.findings.lexicon import Lexicon, Meaning, lexicon, normalise

_LONGEST = 64  # tokens a sentence; a text without full stops is cut here, so that the work stays linear
_VERTEBRA = re.compile(r"[ -](?:vertebra|level|body|bodies|rib|disc|disk|spinous|transverse|pedicle)")
_LEVEL = re.compile(r"([ctls])(\d\d?)(?:[ ]?[-/\u2010-\u2014][ ]?([ctls]?)(\d\d?))?")
_COMMA = Meaning(cue="comma")
_LETTERS = {"L": Meaning(side="left"), "R": Meaning(side="right")}
_OR = Meaning(cue="or")


@dataclass(slots=True, eq=False)
class Token:
    """One phrase of the lexicon at ``start:stop`` of the text."""

    start: int
    stop: int
    said: Meaning


@dataclass(slots=True, eq=False)
class Sentence:
    """Its tokens, where it lies, and whether its section speaks of something else than this picture."""

    start: int
    stop: int
    past: bool
    tokens: list[Token] = field(default_factory=list)


def lower(text: str) -> str:
    """Lower case of the same length, letter by letter where one letter would become two."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c if len(c.lower()) != 1 else c.lower() for c in text)


def scan(text: str) -> tuple[str, list[Sentence]]:
    """The lower-cased text and its sentences, in order. Sentences without a known word are among them."""
    words, low = lexicon(), lower(text)
    past = _past(words, low)
    sentences: list[Sentence] = []
    now = Sentence(0, len(text), False)
    meanings = words.meanings
    for match in words.pattern.finditer(low):
        start, stop = match.span()
        if match.lastindex is not None:
            if low[start] == "\n" and not _ends_line(text, stop):
                continue
            _close(now, start, past, sentences)
            now = Sentence(stop, len(text), False)
            continue
        found = match[0]
        said = meanings.get(found) or meanings.get(normalise(found)) or _other(text, low, start, stop)
        if said is not None and said.cue != "none":
            now.tokens.append(Token(start, stop, said))
            if len(now.tokens) >= _LONGEST:
                _close(now, stop, past, sentences)
                now = Sentence(stop, len(text), False)
    _close(now, len(text), past, sentences)
    return low, sentences


def _close(now: Sentence, stop: int, past: list[tuple[int, bool]], sentences: list[Sentence]) -> None:
    now.stop = stop
    if past and now.tokens:
        section = bisect_right(past, now.tokens[-1].start, key=itemgetter(0)) - 1
        now.past = section >= 0 and past[section][1]
    sentences.append(now)


def _past(words: Lexicon, low: str) -> list[tuple[int, bool]]:
    """(where a section begins, whether it speaks of the past) in order."""
    if ":" not in low:
        return []
    return [(m.end(), m[1] in words.past) for m in words.sections.finditer(low)]


def _ends_line(text: str, stop: int) -> bool:
    """A line that ends in the middle of a sentence was only wrapped: the next one goes on in lower case."""
    rest = text[stop : stop + 24]
    following = rest.lstrip(" \t\r")
    return not following[:1].islower()


def _other(text: str, low: str, start: int, stop: int) -> Meaning | None:
    """What is not in the dictionary: a comma or slash, a level of the spine, L and R in capitals."""
    found = low[start:stop]
    if found in (",", ":", "("):
        return _COMMA
    if found == "/":
        return _OR
    if found in ("l", "r"):
        return _LETTERS.get(text[start])
    level = level_name(found)
    if level in ("T1", "T2") and not _VERTEBRA.match(low, stop):
        return None
    return Meaning(level=level) if level else None


def level_name(found: str) -> str:
    """ "l4/5" as "L4-L5"; "" where it is no level of the spine."""
    match = _LEVEL.fullmatch(found)
    if match is None:
        return ""
    first = f"{match[1]}{match[2]}".upper()
    return f"{first}-{(match[3] or match[1]).upper()}{match[4]}" if match[4] else first
