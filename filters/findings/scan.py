"""Tokenise a text into sentences of lexicon phrases, in one pass of the compiled pattern."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from operator import itemgetter

from filters.findings.lexicon import Lexicon, Meaning, lexicon, normalise

_MAX_TOKENS = 64  # tokens a sentence; longer ones are split, so that time stays linear in texts without full stops
_VERTEBRA = re.compile(r"[ -](?:vertebra|level|body|bodies|rib|disc|disk|spinous|transverse|pedicle)")
_LEVEL = re.compile(r"([ctls])(\d\d?)(?:[ ]?[-/\u2010-\u2014][ ]?([ctls]?)(\d\d?))?")
_COMMA = Meaning(cue="comma")
_LETTERS = {"L": Meaning(side="left"), "R": Meaning(side="right")}
_OR = Meaning(cue="or")


@dataclass(slots=True, eq=False)
class Token:
    """A phrase of the lexicon at ``start:stop`` of the text, and its meaning."""

    start: int
    stop: int
    meaning: Meaning


@dataclass(slots=True, eq=False)
class Sentence:
    """A sentence's tokens and offsets; ``past``: its section is not about this picture."""

    start: int
    stop: int
    past: bool
    tokens: list[Token] = field(default_factory=list)


def lower(text: str) -> str:
    """Lower case of the same length: letters whose lower case is longer are kept."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c if len(c.lower()) != 1 else c.lower() for c in text)


def scan(text: str) -> tuple[str, list[Sentence]]:
    """The lower-cased text and its sentences in order, also those without a known word."""
    words, low = lexicon(), lower(text)
    past = _past(words, low)
    sentences: list[Sentence] = []
    current = Sentence(0, len(text), False)
    meanings = words.meanings
    for match in words.pattern.finditer(low):
        start, stop = match.span()
        if match.lastindex is not None:
            if low[start] == "\n" and not _ends_line(text, stop):
                continue
            _close(current, start, past, sentences)
            current = Sentence(stop, len(text), False)
            continue
        phrase = match[0]
        meaning = meanings.get(phrase) or meanings.get(normalise(phrase)) or _special_meaning(text, low, start, stop)
        if meaning is not None and meaning.cue != "none":
            current.tokens.append(Token(start, stop, meaning))
            if len(current.tokens) >= _MAX_TOKENS:
                _close(current, stop, past, sentences)
                current = Sentence(stop, len(text), False)
    _close(current, len(text), past, sentences)
    return low, sentences


def _close(current: Sentence, stop: int, past: list[tuple[int, bool]], sentences: list[Sentence]) -> None:
    current.stop = stop
    if past and current.tokens:
        section = bisect_right(past, current.tokens[-1].start, key=itemgetter(0)) - 1
        current.past = section >= 0 and past[section][1]
    sentences.append(current)


def _past(words: Lexicon, low: str) -> list[tuple[int, bool]]:
    """(start of a section, whether it is not about this picture), in order."""
    if ":" not in low:
        return []
    return [(m.end(), m[1] in words.past) for m in words.sections.finditer(low)]


def _ends_line(text: str, stop: int) -> bool:
    """Does the line end the sentence? No if it was only wrapped, and the next line continues in lower case."""
    rest = text[stop : stop + 24]
    following = rest.lstrip(" \t\r")
    return not following[:1].islower()


def _special_meaning(text: str, low: str, start: int, stop: int) -> Meaning | None:
    """Matches outside of the dictionary: a comma or slash, a level of the spine, L and R in capitals."""
    phrase = low[start:stop]
    if phrase in (",", ":", "("):
        return _COMMA
    if phrase == "/":
        return _OR
    if phrase in ("l", "r"):
        return _LETTERS.get(text[start])
    level = level_name(phrase)
    if level in ("T1", "T2") and not _VERTEBRA.match(low, stop):
        return None
    return Meaning(level=level) if level else None


def level_name(phrase: str) -> str:
    """ "l4/5" as "L4-L5"; "" if it is no level of the spine."""
    match = _LEVEL.fullmatch(phrase)
    if match is None:
        return ""
    first = f"{match[1]}{match[2]}".upper()
    return f"{first}-{(match[3] or match[1]).upper()}{match[4]}" if match[4] else first
