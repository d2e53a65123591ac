"""Runs of names' parts among a text's tokens, by looking them up: a patient is met a few times, too few to compile for.

A part is found as a whole word, broken by a line's end or a hyphen, letter-spaced, with its umlauts either way, and
grown together with other parts ("JohnSmith").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from curate.deid.known.roman import collapsed, is_soft
from curate.deid.patterns.prefilter import Span
from curate.deid.text.text_index import Glance

_BETWEEN = re.compile(r"[\s,.^_/\\=-]{0,4}")
_HALVES = re.compile("['-]")
_WIDEST = 2  # characters between the halves of a compound
_FEWEST_SPACED = 4  # letters that may stand one by one
Range = tuple[int, int]  # first and last token


@dataclass(frozen=True)
class Parts:
    """What is looked for, in lower case: parts that name someone alone, what may stand beside one, initials."""

    whole: frozenset[str]  # without hyphens and apostrophes
    soft: frozenset[str]  # `collapsed`, of those whose umlauts may be written either way
    compound: tuple[tuple[str, ...], ...]  # the pieces of those with a hyphen or an apostrophe
    minor: frozenset[str]
    initials: frozenset[str]  # capitals


def parts_of(long: Iterable[str], minor: Iterable[str], initials: Iterable[str]) -> Parts:
    """The ASCII ones of a record's parts as they are looked up."""
    lowered = [part.lower() for part in long if part.isascii()]
    squashed = {part: _HALVES.sub("", part) for part in lowered}
    return Parts(
        whole=frozenset(squashed.values()),
        soft=frozenset(collapsed(squashed[part]) for part in lowered if is_soft(squashed[part])),
        compound=tuple(tuple(_HALVES.split(part)) for part in lowered if squashed[part] != part),
        minor=frozenset(part.lower() for part in minor),
        initials=frozenset(c for c in initials if c.isalpha()),
    )


def run_spans(glance: Glance, parts: Parts) -> Iterator[Span]:
    """Runs of parts, minor parts and initials in any order that hold at least one whole part."""
    hits = sorted({*_words(glance, parts), *_compounds(glance, parts), *_broken(glance, parts), *_grown(glance, parts)})
    ends = dict(hits)
    last = -1
    for first, end in hits:
        if end > last:
            (start, stop), last = _extended(glance, parts, first, end, ends)
            yield start, stop, "NAME"


def _words(glance: Glance, parts: Parts) -> Iterator[Range]:
    for part in parts.whole:
        if part in glance.spaced:
            yield from ((i, i) for i in glance.which(part))
    if any(part in glance.soft for part in parts.soft):
        yield from ((i, i) for i, token in enumerate(glance.soft.split(" ")) if token in parts.soft)


def _compounds(glance: Glance, parts: Parts) -> Iterator[Range]:
    for pieces in parts.compound:
        for i in glance.which(pieces[0]):
            end = i + len(pieces)
            if tuple(glance.lowered[i:end]) == pieces and all(len(glance.gap(j)) <= _WIDEST for j in range(i, end - 1)):
                yield i, end - 1


def _broken(glance: Glance, parts: Parts) -> Iterator[Range]:
    if not _is_crossed(glance, parts):
        return
    beginnings = {part[:1] for part in parts.whole}
    longest = max(map(len, parts.whole), default=0) + 3
    for i in glance.joints:
        joined, end, spelled = glance.lowered[i], i, False
        if joined[:1] not in beginnings:
            continue
        while end in glance.joints and len(joined) < longest:
            spelled = spelled or glance.joints[end]
            end += 1
            joined += glance.lowered[end]
            if spelled and (len(joined) < _FEWEST_SPACED or len(joined) != end - i + 1):
                continue
            if joined in parts.whole or (parts.soft and collapsed(joined) in parts.soft):
                yield i, end


def _is_crossed(glance: Glance, parts: Parts) -> bool:
    """True if a part can be read across the tokens' borders."""
    squashed, spaced = glance.squashed, glance.spaced
    if any(part in squashed and squashed.count(part) > spaced.count(part) for part in parts.whole):
        return True
    if not parts.soft:
        return False
    squashed, spaced = glance.soft_squashed, glance.soft
    return any(part in squashed and squashed.count(part) > spaced.count(part) for part in parts.soft)


def _grown(glance: Glance, parts: Parts) -> Iterator[Range]:
    """ "JohnSmith", "SmithJ": tokens that are parts and nothing else."""
    for part in parts.whole:
        if part in glance.spaced and glance.spaced.count(part) > glance.lowered.count(part):
            for i, token in enumerate(glance.lowered):
                if part in token and len(token) > len(part) and _only_parts(glance.written(i), parts):
                    yield i, i


def _only_parts(token: str, parts: Parts, *, whole: bool = False) -> bool:
    lower = token.lower()
    if not token:
        return whole
    if whole and (lower in parts.minor or token in parts.initials):
        return True
    found = [part for part in parts.whole if lower.startswith(part)]
    if any(_only_parts(token[len(part) :], parts, whole=True) for part in found):
        return True
    if whole:
        return False
    minors = [part for part in parts.minor if lower.startswith(part)] + (
        [token[0]] if token[0] in parts.initials else []
    )
    return any(_only_parts(token[len(part) :], parts) for part in minors)


def _extended(glance: Glance, parts: Parts, first: int, last: int, hits: dict[int, int]) -> tuple[Range, int]:
    """((start, end) in the text, its last token) of the run around a hit."""
    while first > 0 and _BETWEEN.fullmatch(glance.gap(first - 1)) and _belongs(glance, parts, first - 1):
        first -= 1
    while last + 1 < len(glance.tokens) and _BETWEEN.fullmatch(glance.gap(last)):
        if last + 1 in hits:
            last = max(last + 1, hits[last + 1])
        elif _belongs(glance, parts, last + 1):
            last += 1
        else:
            break
    end = glance.tokens[last][1]
    text = glance.text
    if text[end : end + 1] == "." and len(glance.lowered[last]) == 1 and not text[end + 1 : end + 2].isalnum():
        end += 1
    elif text[end : end + 2].lower() == "'s" and not text[end + 2 : end + 3].isalnum():
        end += 2
    return (glance.tokens[first][0], end), last


def _belongs(glance: Glance, parts: Parts, i: int) -> bool:
    token = glance.lowered[i]
    if token in parts.whole or token in parts.minor:
        return True
    return len(token) == 1 and glance.written(i) in parts.initials
