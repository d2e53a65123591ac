"""Whose side, size and level: "left" before a noun belongs to it, "on the left" to what was said before."""

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
    marked = [i for i, t in enumerate(tokens) if t.said.side or t.said.size or t.said.level]
    if not items or not marked:
        return
    by_token: dict[int, list[Item]] = {}
    for item in items:
        by_token.setdefault(item.at, []).append(item)
    organ_side: dict[int, str] = {}
    places: list[int] = []
    for i in marked:
        said = tokens[i].said
        if said.side:
            _chain(low, tokens, by_token, i, organ_side, places)
        if said.size:
            _size(low, tokens, by_token, i)
        if said.level:
            _level(low, tokens, by_token, i)
    for item in items:
        if not item.side and item.organ >= 0:
            item.side = organ_side.get(item.organ, "")
    for i in places:
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
    places: list[int],
) -> None:
    """Follow "left lower lobe consolidation" to its noun; where there is no noun, the side is that of a place."""
    side, k = tokens[i].said.side, i
    if tokens[i].said.organ:
        organ_side[i] = side
    while k + 1 < len(tokens):
        here, there = tokens[k], tokens[k + 1]
        if there.said.cue not in ("", "affirm", "normal") or there.said.side:
            break
        if there.start - here.stop > _COUPLED or _PLACE.search(low, here.stop, there.start):
            break
        k += 1
        if there.said.organ:
            organ_side[k] = side
        found = [item for item in by_token.get(k, ()) if not item.normal]
        if found:
            for item in found:
                item.side = side
            return
    places.append(i)


def _place(tokens: list[Token], items: list[Item], by_token: dict[int, list[Item]], i: int) -> None:
    """ "On the left": the nearest item before without a side; where there is none, the first after."""
    side = tokens[i].said.side
    for k in range(i - 1, -1, -1):
        if tokens[k].said.cue == "stop":
            break
        found = [item for item in by_token.get(k, ()) if not item.normal]
        if found:
            for item in found:
                item.side = side if item.side in ("", side) or item.organ >= 0 else "both"
            _share(tokens, items, found[0], side)
            return
    for item in items:
        if item.at > i and not item.side and not item.normal:
            item.side = side
            return


def _share(tokens: list[Token], items: list[Item], last: Item, side: str) -> None:
    """ "Atelectasis or infiltrate in the right base": those joined before share the place."""
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


def _joined(tokens: list[Token], a: Item, b: Item, within: int, by: frozenset[str]) -> bool:
    between = [t.said.cue for t in tokens[a.at + 1 : b.at] if not t.said.size]
    close = tokens[b.at].start - tokens[a.at].stop <= within
    return close and bool(by.intersection(between)) and all(c in _JOINTS or c in _MEANINGS for c in between)


def _size(low: str, tokens: list[Token], by_token: dict[int, list[Item]], i: int) -> None:
    size = tokens[i].said.size
    for k in range(i + 1, len(tokens)):
        if tokens[k].said.cue in _CLOSERS:
            break
        if found := [item for item in by_token.get(k, ()) if not item.normal and not item.size]:
            for item in found:
                item.size = size
            return
        if k in by_token:
            break
    for k in range(i - 1, -1, -1):
        if tokens[k].said.cue == "stop" or tokens[i].start - tokens[i - 1].stop > _COUPLED:
            return
        if found := [item for item in by_token.get(k, ()) if not item.normal]:
            for item in found:
                item.size = item.size or size
            return


def _level(low: str, tokens: list[Token], by_token: dict[int, list[Item]], i: int) -> None:
    level = tokens[i].said.level
    order = list(range(i - 1, -1, -1)) + list(range(i + 1, len(tokens)))
    if i + 1 < len(tokens) and not _PLACE.search(low, tokens[i].stop, tokens[i + 1].start):
        order = list(range(i + 1, len(tokens))) + list(range(i - 1, -1, -1))
    for k in order:
        if found := [item for item in by_token.get(k, ()) if not item.normal]:
            for item in found:
                item.level = item.level or level
            return
