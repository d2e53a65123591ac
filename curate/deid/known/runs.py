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
from curate.deid.text.text_index import TextIndex

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


def run_spans(index: TextIndex, parts: Parts) -> Iterator[Span]:
    """Runs of parts, minor parts and initials in any order that hold at least one whole part."""
    hits = sorted({*_words(index, parts), *_compounds(index, parts), *_broken(index, parts), *_grown(index, parts)})
    ends = dict(hits)
    last = -1
    for first, end in hits:
        if end > last:
            (start, stop), last = _extended(index, parts, first, end, ends)
            yield start, stop, "NAME"


def _words(index: TextIndex, parts: Parts) -> Iterator[Range]:
    for part in parts.whole:
        if part in index.spaced:
            yield from ((i, i) for i in index.which(part))
    if any(part in index.soft for part in parts.soft):
        yield from ((i, i) for i, token in enumerate(index.soft.split(" ")) if token in parts.soft)


def _compounds(index: TextIndex, parts: Parts) -> Iterator[Range]:
    for pieces in parts.compound:
        for i in index.which(pieces[0]):
            end = i + len(pieces)
            if tuple(index.lowered[i:end]) == pieces and all(len(index.gap(j)) <= _WIDEST for j in range(i, end - 1)):
                yield i, end - 1


def _broken(index: TextIndex, parts: Parts) -> Iterator[Range]:
    if not _is_crossed(index, parts):
        return
    beginnings = {part[:1] for part in parts.whole}
    longest = max(map(len, parts.whole), default=0) + 3
    for i in index.joints:
        joined, end, spelled = index.lowered[i], i, False
        if joined[:1] not in beginnings:
            continue
        while end in index.joints and len(joined) < longest:
            spelled = spelled or index.joints[end]
            end += 1
            joined += index.lowered[end]
            if spelled and (len(joined) < _FEWEST_SPACED or len(joined) != end - i + 1):
                continue
            if joined in parts.whole or (parts.soft and collapsed(joined) in parts.soft):
                yield i, end


def _is_crossed(index: TextIndex, parts: Parts) -> bool:
    """True if a part can be read across the tokens' borders."""
    squashed, spaced = index.squashed, index.spaced
    if any(part in squashed and squashed.count(part) > spaced.count(part) for part in parts.whole):
        return True
    if not parts.soft:
        return False
    squashed, spaced = index.soft_squashed, index.soft
    return any(part in squashed and squashed.count(part) > spaced.count(part) for part in parts.soft)


def _grown(index: TextIndex, parts: Parts) -> Iterator[Range]:
    """ "JohnSmith", "SmithJ": tokens that are parts and nothing else."""
    for part in parts.whole:
        if part in index.spaced and index.spaced.count(part) > index.lowered.count(part):
            for i, token in enumerate(index.lowered):
                if part in token and len(token) > len(part) and _only_parts(index.written(i), parts):
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


def _extended(index: TextIndex, parts: Parts, first: int, last: int, hits: dict[int, int]) -> tuple[Range, int]:
    """((start, end) in the text, its last token) of the run around a hit."""
    while first > 0 and _BETWEEN.fullmatch(index.gap(first - 1)) and _belongs(index, parts, first - 1):
        first -= 1
    while last + 1 < len(index.tokens) and _BETWEEN.fullmatch(index.gap(last)):
        if last + 1 in hits:
            last = max(last + 1, hits[last + 1])
        elif _belongs(index, parts, last + 1):
            last += 1
        else:
            break
    end = index.tokens[last][1]
    text = index.text
    if text[end : end + 1] == "." and len(index.lowered[last]) == 1 and not text[end + 1 : end + 2].isalnum():
        end += 1
    elif text[end : end + 2].lower() == "'s" and not text[end + 2 : end + 3].isalnum():
        end += 2
    return (index.tokens[first][0], end), last


def _belongs(index: TextIndex, parts: Parts, i: int) -> bool:
    token = index.lowered[i]
    if token in parts.whole or token in parts.minor:
        return True
    return len(token) == 1 and index.written(i) in parts.initials
