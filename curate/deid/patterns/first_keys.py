"""What a text must hold for a regular expression to match, and with what a match begins; read from its parse tree.

A key is a whole word in small letters ("bed"); or what stands anywhere, with an asterisk behind ("bed*", "@*"); or
`DIGIT`. Sets of keys are wider than what the pattern takes, never narrower; words are runs of letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from curate.deid.text.text_index import DIGIT

_MAX_LETTERS, _MAX_REPEATS, _MAX_SETS = 16, 2, 2
_MAX_RANGE = 8  # characters of a class that are told one by one
_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_AHEAD = 1
Items = Sequence[tuple[Any, Any]]


class _AnythingError(Exception):
    """A match may begin with anything."""


def first_and_required(pattern: re.Pattern[str]) -> tuple[frozenset[str] | None, tuple[frozenset[str], ...]]:
    """(with one of these every match begins, or None where that is not told; of each of these sets a text with a match
    holds a key, the most telling first). The pattern asserts what stands before it."""
    items: Items = _parser.parse(pattern.pattern, pattern.flags & re.IGNORECASE)
    first = _keys(items)
    found = {*([first] if first is not None else []), *_required(_flat(items), begins=False)}
    whole = {keys for keys in found if not any(_is_open_word(key) for key in keys)}
    return first, tuple(sorted(whole or found, key=lambda keys: (DIGIT in keys, len(keys)))[:_MAX_SETS])


def _is_open_word(key: str) -> bool:
    return key[-1] == "*" and key[0].isalpha()


def _keys(items: Items, *, skip_blanks: bool = False, limit: int = 2000) -> frozenset[str] | None:
    found = set[str]()
    try:
        for count, key in enumerate(_begin(list(items), "", skip_blanks)):
            found.add(key)
            if count > limit:
                return None
    except _AnythingError:
        return None
    return frozenset(found)


def _begin(items: list[tuple[Any, Any]], word: str, skip_blanks: bool) -> Iterator[str]:
    """The keys of what ``items`` match behind the letters of ``word``, or behind blanks."""
    if not items or len(word) > _MAX_LETTERS:
        yield _open(word)
        return
    (kind, value), rest = items[0], items[1:]
    if kind in (op.SUBPATTERN, op.ATOMIC_GROUP):
        yield from _begin([*_inner(kind, value), *rest], word, skip_blanks)
    elif kind is op.BRANCH:
        for branch in value[1]:
            yield from _begin([*branch, *rest], word, skip_blanks)
    elif kind in _REPEATS:
        low, high, item = value[0], min(value[1], _MAX_REPEATS), value[2]
        if low == 0:
            yield from _begin(rest, word, skip_blanks)
        if high:
            again = [(kind, (max(low - 1, 0), high - 1, item))] if high > 1 else []
            yield from _begin([*item, *again, *rest], word, skip_blanks)
    elif kind in (op.AT, op.ASSERT, op.ASSERT_NOT):
        ends = value is not op.AT_NON_BOUNDARY if kind is op.AT else kind is op.ASSERT_NOT and _is_no_letter(value)
        if word and ends:
            yield _whole(word)
        else:
            yield from _begin(rest, word, skip_blanks)
    else:
        for character in _characters(kind, value) or (None,):
            if character is None:
                yield _open(word)
            elif character.isalpha():
                yield from _begin(rest, word + character, skip_blanks)
            elif word:
                yield _whole(word)
            elif character == " ":
                yield from _begin(rest if skip_blanks else [], "", skip_blanks)
            else:
                yield DIGIT if character == DIGIT else f"{character}*"


def _open(word: str) -> str:
    if not word:
        raise _AnythingError
    return f"{word}*"


def _whole(word: str) -> str:
    """Between signs of other scripts nothing parts words."""
    return word if word.isascii() else f"{word}*"


def _inner(kind: Any, value: Any) -> Items:
    inner: Items = value if kind is op.ATOMIC_GROUP else value[-1]
    return inner


def _is_no_letter(assertion: tuple[int, Items]) -> bool:
    """Of a lookahead that no letter follows: (?!\\w), (?![a-z])."""
    direction, items = assertion
    if direction != _AHEAD or not items:
        return False
    kind, value = items[0]
    branches = value[1] if kind is op.BRANCH else [items]
    return any(len(b) == 1 and b[0][0] is op.IN and _characters(*b[0]) is None for b in branches)


def _characters(kind: Any, value: Any) -> set[str] | None:
    """In small letters what may stand at this place, `DIGIT` for any digit, a blank for any space; None for more."""
    if kind is op.LITERAL:
        return {_plain(chr(value))}
    if kind is not op.IN:
        return None
    found = set[str]()
    for part, of in value:
        if part is op.LITERAL:
            found.add(_plain(chr(of)))
        elif part is op.RANGE and (of[1] - of[0] < _MAX_RANGE or chr(of[0]).isdigit()):
            found.update(_plain(chr(code)) for code in range(of[0], of[1] + 1))
        elif part is op.CATEGORY and of in (op.CATEGORY_DIGIT, op.CATEGORY_SPACE):
            found.add(DIGIT if of is op.CATEGORY_DIGIT else " ")
        else:
            return None
    return found


def _plain(character: str) -> str:
    return DIGIT if character.isdigit() else " " if character.isspace() else character.lower()


def _flat(items: Items) -> list[tuple[Any, Any]]:
    """``items`` with what must be there in the place of its groups and repeats."""
    found: list[tuple[Any, Any]] = []
    for kind, value in items:
        if kind in (op.SUBPATTERN, op.ATOMIC_GROUP):
            found += _flat(_inner(kind, value))
        elif kind in _REPEATS and value[0]:
            found += [*_flat(value[2]), (kind, (value[0] - 1, value[1] - 1, value[2]))]
        else:
            found.append((kind, value))
    return found


def _required(items: list[tuple[Any, Any]], *, begins: bool) -> Iterator[frozenset[str]]:
    """``begins``: a word can only begin at the first of them."""
    for at, (kind, value) in enumerate(items):
        if kind is op.ASSERT:
            yield from _required(_flat(value[1]), begins=begins and value[0] == _AHEAD)
        elif kind is op.AT:
            begins = begins or value is op.AT_BOUNDARY
        elif kind is not op.ASSERT_NOT:
            keys = _keys(items[at:] if begins else [(kind, value)], skip_blanks=begins, limit=200)
            if keys is not None and (begins or not any(key.rstrip("*").isalpha() for key in keys)):
                yield keys
            begins = _ends_plainly(kind, value) and (begins or kind not in _REPEATS)


def _ends_plainly(kind: Any, value: Any) -> bool:
    """Is what an item matches last no letter?"""
    if kind in _REPEATS:
        kind, value = _flat(value[2])[-1]
    if kind in _REPEATS:
        return _ends_plainly(kind, value)
    characters = _characters(kind, value)
    return characters is not None and not any(map(str.isalpha, characters))
