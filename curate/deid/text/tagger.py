"""A learned look at what rules and the decision per word have found: how likely each token is part of what identifies.

Rules know the wordings that somebody thought of. A small network of convolutions, fitted to texts whose identifying
values are marked (`benchmarks/deid/fit`), reads of each token its letters, what the vocabularies say of it,
what found it and the same of sixteen tokens on either side, and says how likely it is part of a name, a place, a day,
an age, a number. What goes and what stays for it says `curate.deid.text.revision`. Works on folded text
(`curate.deid.text.fold`).
"""

from __future__ import annotations

import re
import sys
import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from curate.deid.rules import LABELS as PLACEHOLDERS
from curate.deid.text import features
from curate.deid.text.closed_class import Found
from curate.deid.text.fold import BARRIER
from curate.deid.text.text_index import is_shouted
from curate.deid.words.looks import read_weights

LABELS = ("", "NAME", "ADDRESS", "DATE", "AGE", "PHONE", "ID", "EMAIL", "URL")  # "": of no one
WORDS, AFFIXES = 4096, 1024  # rows of hashed words, and of their first and last three letters
EMBEDDED, HIDDEN = 40, 48
DILATIONS = (1, 2, 4, 8)
_TOKEN = re.compile(rf"{BARRIER}|[^\W\d_]+(?:'[^\W\d_]+)*|\d+|\n|[^\w\s]|_+")
_SIGNS = "\n.,:;()-/#'\"@&+=%*<>[]_|?!"
_RANGES = ((0, 1), (1, 13), (13, 32), (32, 60), (60, 90), (90, 111), (111, 1900), (1900, 2040))
SOURCES = ("date", "rule", "name by its cue", "date without a day", "decision per word")
NEVER = 2.0  # a limit that no chance reaches
LIKELY = (0.005, 0.02, 0.07, 0.2, 0.5)  # of the decision per word
FIXED: tuple[str, ...] = (
    *(f"masked as {label}" for label in PLACEHOLDERS),
    *(f"sign {sign!r}" for sign in _SIGNS),
    "another sign",
    *(f"{size} digits" for size in range(1, 11)),
    "more digits",
    "0 before digits",
    *(f"number of {low} to {high - 1}" for low, high in _RANGES),
    *features.OWN,
)
# what is known of a token at its place
PLACE: tuple[str, ...] = (
    "glued to the one before",
    "a wide gap before",
    "begins a line",
    "all in capitals",
    "all in small letters",
    "a name elsewhere in the text",
    "in small letters elsewhere",
    *(f"{source}: {label}" for source in SOURCES for label in PLACEHOLDERS),
    *(f"decision per word: below {limit:g}" for limit in (*LIKELY, 1.01)),
)
_AT = {name: number for number, name in enumerate(FIXED)}
_PLACED = {name: number for number, name in enumerate(PLACE)}
_GLUED, _WIDE, _BEGINS, _CAPITAL, _ALL_SMALL, _NAMED, _SMALL_ELSEWHERE = range(7)
_LIKELIEST = len(PLACE) - len(LIKELY) - 1  # the first of these rows
_SMALL, _LONG_WORD = re.compile(r"\b[^\W\d_A-Z]+\b"), re.compile(r"[^\W\d_]{3,}")
_BEYOND = (sys.maxsize, sys.maxsize)
ROWS = len(FIXED) + WORDS + 2 * AFFIXES


@dataclass(frozen=True)
class Tokens:
    """A text as the tagger reads it: words, runs of digits, signs, line ends. ``places``: of each the rows of `PLACE`,
    ``masks``: which of what is masked covers it, -1 for none."""

    text: str
    starts: list[int]
    ends: list[int]
    forms: list[str]
    places: list[tuple[int, ...]]
    masks: list[int]


@lru_cache(maxsize=10_000)
def rows(form: str) -> tuple[int, ...]:
    """The numbers of what is known of a token by its letters alone, of `ROWS`."""
    if form[0] == BARRIER:
        return (_AT[f"masked as {form[1:]}"],)
    if form[0].isdecimal():
        found = [_AT[f"{len(form)} digits" if len(form) <= 10 else "more digits"]]
        if form[0] == "0":
            found.append(_AT["0 before digits"])
        if len(form) <= 4:
            value = int(form)
            found += [_AT[f"number of {low} to {high - 1}"] for low, high in _RANGES if low <= value < high]
        return (*found, _hashed(f"w{form}", WORDS, 0)) if len(form) < 3 else tuple(found)
    if not form[0].isalpha():
        return (_AT.get(f"sign {form[0]!r}", _AT["another sign"]),)
    lower = form.lower()
    return (
        *(_AT[features.OWN[0]] + at for at in features.own_features(form)),
        _hashed(f"w{lower}", WORDS, 0),
        _hashed(f"p{lower[:3]}", AFFIXES, WORDS),
        _hashed(f"s{lower[-3:]}", AFFIXES, WORDS + AFFIXES),
    )


def _hashed(text: str, size: int, first: int) -> int:
    return len(FIXED) + first + zlib.crc32(text.encode()) % size


def read(text: str, masked: Sequence[Found], labels: Sequence[str], likely: Mapping[int, float]) -> Tokens:
    """``masked``: sorted and apart; ``labels``: what the placeholders that stand in ``text`` say, in order; ``likely``:
    how likely the words that begin there are names."""
    starts, ends, forms, places, masks = list[int](), list[int](), list[str](), list[tuple[int, ...]](), list[int]()
    cases = (_ALL_SMALL,) if text.islower() else (_CAPITAL,) if is_shouted(text) else ()
    # by where a token stands: behind a blank, glued to the one before, behind a wide gap; at a line's beginning as well
    stands = [(*cases, *gap, *begins) for begins in ((), (_BEGINS,)) for gap in ((), (_GLUED,), (_WIDE,))]
    standing = iter(labels)
    named = (text[one.start : one.end].lower() for one in masked if one.placeholder == "[NAME]")
    names = {word for name in named for word in _LONG_WORD.findall(name)}
    by = [_PLACED[f"{source_of(one.by)}: {label_of(one)}"] for one in masked]
    small = set() if cases else set(_SMALL.findall(text))
    at, opens, reached, last, line = -1, -1, 0, 0, 3
    for hit in _TOKEN.finditer(text):
        start, end = hit.span()
        form, gap = hit[0], start - last
        placed = stands[line + (1 if gap == 0 and start else 2 if gap > 1 else 0)]
        last, line = end, 0
        while start >= reached:
            at += 1
            opens, reached = masked[at][:2] if at < len(masked) else _BEYOND
        mask = at if opens <= start else -1
        if mask >= 0:
            placed = (*placed, by[mask])
        if form[0].isalpha():
            lower = form.lower()
            if lower in names:
                placed = (*placed, _NAMED)
            if lower in small and form != lower:
                placed = (*placed, _SMALL_ELSEWHERE)
            if (chance := likely.get(start)) is not None:
                placed = (*placed, _LIKELIEST + bisect_right(LIKELY, chance))
        elif form == "\n":
            line = 3
        elif form == BARRIER:
            form = BARRIER + next(standing).partition(":")[0]
        starts.append(start)
        ends.append(end)
        forms.append(form)
        places.append(placed)
        masks.append(mask)
    return Tokens(text, starts, ends, forms, places, masks)


def source_of(by: str) -> str:
    """What found a span, of `SOURCES`."""
    source = by.partition(";")[0].partition(" (")[0]
    return source if source in SOURCES else "rule"


def label_of(one: Found) -> str:
    """What its placeholder says: "DATE" of "[DATE:2019-03-21]"."""
    return one.placeholder[1:-1].partition(":")[0]


@cache
def weights() -> dict[str, NDArray[np.float32]]:
    """The fitted numbers."""
    return read_weights("tagger")


def version() -> int:
    """Another for other features: numbers fitted to some belong to no others."""
    joined = "\n".join((*FIXED, *PLACE, *LABELS, str((WORDS, AFFIXES, EMBEDDED, HIDDEN, DILATIONS))))
    return zlib.crc32(joined.encode()) % 2**24  # whole in float32


def limits(scale: float = 1.0, *, shifted: bool = False) -> dict[str, NDArray[np.float32]]:
    """The fitted limits of `revised`; of names a chance ``scale`` times as high is asked for, at most 1; where days are
    ``shifted`` no year comes back: beside them it would tell by how much."""
    fitted = weights()
    begin, back = fitted["begin"].copy(), fitted["back"].copy()
    begin[LABELS.index("NAME")] = min(1.0, begin[LABELS.index("NAME")] * scale)
    if shifted:
        back[[SOURCES.index("date"), SOURCES.index("date without a day")]] = NEVER
    return {name: fitted[name] for name in ("inside", "site", "sure")} | {"begin": begin, "back": back}


@lru_cache(maxsize=20_000)
def _of_form(form: str) -> NDArray[np.float32]:
    return np.asarray(weights()["forms"].take(rows(form), axis=0).sum(axis=0))


@lru_cache(maxsize=10_000)
def _of_place(places: tuple[int, ...]) -> NDArray[np.float32]:
    return np.asarray(weights()["places"][list(places)].sum(axis=0))


def embedded(tokens: Tokens) -> NDArray[np.float32]:
    """(n, EMBEDDED) float32: what each token is by itself."""
    forms, places = map(_of_form, tokens.forms), map(_of_place, tokens.places)
    return np.asarray(np.concatenate([*forms]) + np.concatenate([*places]), np.float32).reshape(-1, EMBEDDED)


def probabilities(
    x: NDArray[np.float32], fitted: Mapping[str, NDArray[np.float32]] | None = None
) -> NDArray[np.float32]:
    """(..., n, EMBEDDED) -> (..., n, len(LABELS)): how likely each token is part of what."""
    fitted = weights() if fitted is None else fitted
    hidden = np.maximum(_convolved(x, fitted["first"], 1, 2) + fitted["first_bias"], 0)
    for number, dilation in enumerate(DILATIONS[1:]):
        hidden += np.maximum(_convolved(hidden, fitted[f"layer{number}"], dilation, 1) + fitted[f"bias{number}"], 0)
    odds = hidden @ fitted["out"] + fitted["out_bias"]
    odds = np.exp(odds - odds.max(axis=-1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True), np.float32)


def _convolved(x: NDArray[np.float32], kernel: NDArray[np.float32], dilation: int, reach: int) -> NDArray[np.float32]:
    """``kernel``: ((2 * reach + 1) * channels in, channels out), the leftmost tap first."""
    pad, n = dilation * reach, x.shape[-2]
    padded = np.zeros((*x.shape[:-2], n + 2 * pad, x.shape[-1]), np.float32)
    padded[..., pad : pad + n, :] = x
    taps = [padded[..., i * dilation : i * dilation + n, :] for i in range(2 * reach + 1)]
    return np.concatenate(taps, axis=-1) @ kernel


def reasons(tokens: Tokens, i: int, label: str, most: int = 4) -> str:
    """How likely the token at ``i`` is part of what ``label`` says, and what of it and of the tokens around says so
    most: that without which it would be least likely."""
    reach = 2 + sum(DILATIONS[1:])
    first, last = max(0, i - reach), min(len(tokens.forms), i + reach + 1)
    at, which, fitted = i - first, LABELS.index(label), weights()
    x = embedded(tokens)[first:last]
    says: list[tuple[int, str, NDArray[np.float32]]] = []
    for k in range(first, last):
        says += [(k - i, _row_name(row), fitted["forms"][row]) for row in rows(tokens.forms[k])]
        says += [(k - i, PLACE[row], fitted["places"][row]) for row in tokens.places[k]]
    without = np.repeat(x[None], len(says) + 1, axis=0)
    for number, (away, _, vector) in enumerate(says):
        without[number, at + away] -= vector
    chance = probabilities(without)[:, at, which]
    fall = chance[-1] - chance[:-1]
    shown = [says[n] for n in np.argsort(-fall)[:most] if fall[n] > 0]
    joined = ", ".join(f"{away:+d} {name}" if away else name for away, name, _ in shown)
    return f"{chance[-1]:.2f} likely {label or 'nobody'}: {joined}"


def _row_name(row: int) -> str:
    if row < len(FIXED):
        return FIXED[row]
    row -= len(FIXED)
    return "this very word" if row < WORDS else "its first letters" if row < WORDS + AFFIXES else "its last letters"
