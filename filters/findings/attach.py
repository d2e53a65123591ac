"""Assign side, size and level to findings: "left" before a noun belongs to it, "on the left" to the finding before."""

from __future__ import annotations

import re
from itertools import pairwise

from filters.findings.items import Item
from filters.findings.lexicon import Lexicon
from filters.findings.scan import Token

_PLACE = re.compile(
    r"\b(?:in|on|of|at|within|over|along|involving|to|from|through|near|into|with|between|is|are|and)\b"
)
_CLOSERS = frozenset({"comma", "stop", "and", "or"})
_JOINTS = frozenset({"and", "or", "affirm"})
_MEANINGS = frozenset({"certain", "doubt", "doubt_either", "versus", "comma"})
_COUPLED = 24  # characters of "effusion and [basal] atelectasis"


def attach(words: Lexicon, low: str, tokens: list[Token], items: list[Item]) -> None:
    """Set ``side``, ``size`` and ``level`` of the items, in place."""
    marked = [i for i, t in enumerate(tokens) if t.meaning.side or t.meaning.size or t.meaning.level]
    if not items or not marked:
        return
    by_token: dict[int, list[Item]] = {}
    for item in items:
        by_token.setdefault(item.at, []).append(item)
    organ_side: dict[int, str] = {}
    place_sides: list[int] = []
    for i in marked:
        meaning = tokens[i].meaning
        if meaning.side:
            _chain(low, tokens, by_token, i, organ_side, place_sides)
        if meaning.size:
            _size(low, tokens, by_token, i)
        if meaning.level:
            _level(low, tokens, by_token, i)
    for item in items:
        if not item.side and item.organ >= 0:
            item.side = organ_side.get(item.organ, "")
    for i in place_sides:
        _place(tokens, items, by_token, i)
    _inherit(tokens, items)
    for item in items:
        if item.side and not item.normal and not words.findings[item.names[0]].sided:
            item.side = ""


def _chain(
    low: str,
    tokens: list[Token],
    by_token: dict[int, list[Item]],
    i: int,
    organ_side: dict[int, str],
    place_sides: list[int],
) -> None:
    """Follow "left lower lobe consolidation" to its noun; without a noun, the side is that of a place."""
    side, k = tokens[i].meaning.side, i
    if tokens[i].meaning.organ:
        organ_side[i] = side
    while k + 1 < len(tokens):
        current, following = tokens[k], tokens[k + 1]
        if following.meaning.cue not in ("", "affirm", "normal") or following.meaning.side:
            break
        if following.start - current.stop > _COUPLED or _PLACE.search(low, current.stop, following.start):
            break
        k += 1
        if following.meaning.organ:
            organ_side[k] = side
        named = [item for item in by_token.get(k, ()) if not item.normal]
        if named:
            for item in named:
                item.side = side
            return
    place_sides.append(i)


def _place(tokens: list[Token], items: list[Item], by_token: dict[int, list[Item]], i: int) -> None:
    """ "On the left": the nearest item before, else the first item after that has no side."""
    side = tokens[i].meaning.side
    for k in range(i - 1, -1, -1):
        if tokens[k].meaning.cue == "stop":
            break
        named = [item for item in by_token.get(k, ()) if not item.normal]
        if named:
            for item in named:
                item.side = side if item.side in ("", side) or item.organ >= 0 else "both"
            _share(tokens, items, named[0], side)
            return
    for item in items:
        if item.at > i and not item.side and not item.normal:
            item.side = side
            return


def _share(tokens: list[Token], items: list[Item], last: Item, side: str) -> None:
    """ "Atelectasis or infiltrate in the right base": items joined to the last one share its place."""
    for item in reversed(items):
        if item.at < last.at and not item.normal:
            if item.side or item.organ >= 0 or not _joined(tokens, item, last, _COUPLED, _JOINTS):
                return
            item.side, last = side, item


def _inherit(tokens: list[Token], items: list[Item]) -> None:
    """ "Left effusion and atelectasis", "left opacity, likely pneumonia": the second shares the side of the first."""
    for a, b in pairwise(items):
        open_ended = not b.side and not b.normal and b.organ < 0
        if not (a.side and open_ended and not a.normal and b.at > a.at):
            continue
        if _joined(tokens, a, b, _COUPLED, _JOINTS) or _joined(tokens, a, b, 2 * _COUPLED, _MEANINGS):
            b.side = a.side


def _joined(tokens: list[Token], a: Item, b: Item, within: int, joints: frozenset[str]) -> bool:
    between = [t.meaning.cue for t in tokens[a.at + 1 : b.at] if not t.meaning.size]
    close = tokens[b.at].start - tokens[a.at].stop <= within
    return close and bool(joints.intersection(between)) and all(c in _JOINTS or c in _MEANINGS for c in between)


def _size(low: str, tokens: list[Token], by_token: dict[int, list[Item]], i: int) -> None:
    size = tokens[i].meaning.size
    for k in range(i + 1, len(tokens)):
        if tokens[k].meaning.cue in _CLOSERS:
            break
        if named := [item for item in by_token.get(k, ()) if not item.normal and not item.size]:
            for item in named:
                item.size = size
            return
        if k in by_token:
            break
    for k in range(i - 1, -1, -1):
        if tokens[k].meaning.cue == "stop" or tokens[i].start - tokens[i - 1].stop > _COUPLED:
            return
        if named := [item for item in by_token.get(k, ()) if not item.normal]:
            for item in named:
                item.size = item.size or size
            return


def _level(low: str, tokens: list[Token], by_token: dict[int, list[Item]], i: int) -> None:
    level = tokens[i].meaning.level
    order = list(range(i - 1, -1, -1)) + list(range(i + 1, len(tokens)))
    if i + 1 < len(tokens) and not _PLACE.search(low, tokens[i].stop, tokens[i + 1].start):
        order = list(range(i + 1, len(tokens))) + list(range(i - 1, -1, -1))
    for k in order:
        if named := [item for item in by_token.get(k, ()) if not item.normal]:
            for item in named:
                item.level = item.level or level
            return
