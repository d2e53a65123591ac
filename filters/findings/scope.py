"""Scope of negation, uncertainty and history: NegEx (Chapman et al. 2001) and ConText (Harkema et al. 2009).

A cue's scope runs forward to the end of its clause, through commas and "or", up to a terminating word; some cues have
backward scope ("is not seen"). Scopes are by clause, not by a number of words.
"""

from __future__ import annotations

from filters.findings.items import Item
from filters.findings.scan import Token

_DIRECT = 1  # at most so many tokens between "resolved" and a finding for it to be an adjective


def apply_cues(tokens: list[Token], items: list[Item]) -> None:
    """Set ``deny``, ``doubt`` and ``past`` of the items, in place."""
    if not items or not any(t.meaning.cue for t in tokens):
        return
    by_token: dict[int, list[Item]] = {}
    for item in items:
        by_token.setdefault(item.at, []).append(item)
    _forward(tokens, by_token)
    for i, token in enumerate(tokens):
        cue = token.meaning.cue
        if cue in ("deny_after", "deny_either") and not (cue == "deny_either" and _is_adjective(tokens, by_token, i)):
            for item in _behind(tokens, by_token, i):
                item.deny = not item.normal or item.deny
        elif cue in ("doubt_after", "doubt_either", "versus") and not (
            cue == "doubt_either" and _speaks_forward(tokens, by_token, i)
        ):
            for item in _behind(tokens, by_token, i):
                item.doubt = not item.normal


def _forward(tokens: list[Token], by_token: dict[int, list[Item]]) -> None:
    deny = doubt = past = False
    since = 0  # items since the negation began
    paused = False  # a comma or an "and" since the last item
    for i, token in enumerate(tokens):
        meaning = token.meaning
        cue = meaning.cue
        if cue:
            if cue == "deny" or (cue == "deny_either" and _is_adjective(tokens, by_token, i)):
                deny, since = True, 0
            elif cue in ("doubt", "versus") or (cue == "doubt_either" and _speaks_forward(tokens, by_token, i)):
                doubt = True
            elif cue == "history":
                past = True
            elif cue == "stop" or (cue in ("certain", "verb") and since):
                deny = doubt = past = False
            elif cue == "comma":
                doubt, past, paused = False, False, True
            elif cue in ("and", "or"):
                paused = cue == "and"
            elif cue == "affirm" and deny and since and paused and not _goes_on(tokens, i):
                deny = False
        elif meaning.size and deny and since and paused and not _goes_on(tokens, i):
            deny = False
        for item in by_token.get(i, ()):
            item.deny, item.doubt, item.past = deny, doubt and not deny, past
            since, paused = since + 1, False


def _goes_on(tokens: list[Token], i: int) -> bool:
    """Does an "or" follow in the clause? "No effusion, large nodule, or mass" is one list."""
    for token in tokens[i + 1 :]:
        if token.meaning.cue in ("or", "stop", "deny"):
            return token.meaning.cue == "or"
    return False


def _is_adjective(tokens: list[Token], by_token: dict[int, list[Item]], i: int) -> bool:
    """ "Resolved pneumothorax" as opposed to "the pneumothorax resolved"."""
    return _next_item(tokens, by_token, i, _DIRECT)


def _speaks_forward(tokens: list[Token], by_token: dict[int, list[Item]], i: int) -> bool:
    """ "Likely atelectasis" as opposed to "atelectasis is likely": forward if a finding follows in the clause."""
    return _next_item(tokens, by_token, i, len(tokens))


def _next_item(tokens: list[Token], by_token: dict[int, list[Item]], i: int, within: int) -> bool:
    for k in range(i + 1, min(i + 2 + within, len(tokens))):
        if tokens[k].meaning.cue in ("comma", "stop", "and"):
            return False
        if k in by_token:
            return True
    return False


def _behind(tokens: list[Token], by_token: dict[int, list[Item]], i: int) -> list[Item]:
    """Items in the backward scope of a cue: back to the start of the clause, through a list joined by "and" or "or"."""
    items: list[Item] = []
    listed = False
    for k in range(i - 1, -1, -1):
        cue = tokens[k].meaning.cue
        if cue in ("stop", "deny_after", "doubt_after") or (cue == "comma" and items and not listed):
            break
        listed = listed or (bool(items) and cue in ("and", "or"))
        items += by_token.get(k, ())
    return items
