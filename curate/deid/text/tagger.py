"""A learned look at what rules and the decision per word have found: what else identifies goes, what is nobody's stays.

Rules know the wordings that somebody thought of. A small network of convolutions, fitted to texts whose identifying
values are marked (`benchmarks/deid/fit.py`), reads of each token its letters, what the vocabularies say of it,
what found it and the same of sixteen tokens on either side, and says how likely it is part of a name, a place, a day,
an age, a number. What it is sure of goes beside what the rules mask; what it is all but sure is nobody's comes back.
Words that a report's meaning stands and falls with are never masked by it, and a patient's own values never come back.
Works on folded text (`curate.deid.text.fold`).
"""

from __future__ import annotations

import re
import sys
import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from curate.deid.patterns.around import COUNTED, MEASURED, is_any_before, words_before
from curate.deid.rules import LABELS as PLACEHOLDERS
from curate.deid.text import features
from curate.deid.text.closed_class import BY_TAGGER, Found
from curate.deid.text.fold import BARRIER
from curate.deid.text.text_index import is_shouted
from curate.deid.word_lists import words
from curate.deid.words import context_words as roles
from curate.deid.words.vocabulary import Kind, kind

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
    by = [_PLACED[f"{source_of(one.by)}: {_label_of(one)}"] for one in masked]
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


def _label_of(one: Found) -> str:
    """What its placeholder says: "DATE" of "[DATE:2019-03-21]"."""
    return one.placeholder[1:-1].partition(":")[0]


@cache
def weights() -> dict[str, NDArray[np.float32]]:
    """The fitted numbers."""
    raw = (files("curate.deid.words") / "data" / "tagger.npz").read_bytes()
    with np.load(BytesIO(raw), allow_pickle=False) as loaded:
        return {name: loaded[name].astype(np.float32) for name in loaded.files}


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
    return {"begin": begin, "inside": fitted["inside"], "back": back, "site": fitted["site"]}


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


_COUNTS = COUNTED | MEASURED
_UNIT = words(
    """
    mm cm cms % m ml cc mg g kg hu ms bpm mmhg mbq degrees mgy gy week weeks wks wk day days hour hours hrs
    year years yrs yr y yo month months km mph
    """
)
_OLD = 90  # years: from here on an age tells who
_COUNTING = words("one two three four five six seven eight nine ten first second third single")
_OF_A_KIND = words("hospital hospitals clinic clinics ward wards department")
_EXAMS = words("ct pa ca la mi sc x xray usg ultrasound scan scans lab labs")  # that states and houses have too
_NUMBERED = ("DATE", "PHONE", "ID", "AGE")
_JOIN = re.compile(r"[^\w\n]{0,3}")
ACTS = "decision per word (acts)"
KEPT = ("known value", ACTS)  # what found a span that never comes back
_PLACE = LABELS.index("ADDRESS")
_LABEL = {name: number for number, name in enumerate(LABELS)} | {"FACILITY": _PLACE}
_JOINTS = words(", - & of and the de la on upon")  # inside a place's name
_SAINTS = words("st mt ft")  # before a full stop


def is_protected(tokens: Tokens, i: int, label: str, *, inside: bool = False) -> bool:
    """Words and numbers that the tagger does not add: those of the closed class, of grammar, of a number that counts;
    abbreviations and departments where they are not ``inside`` what goes ("Barron Children's ED").

    Levels, heads and a list's numbers are cut out of what it adds by `closed_class`, as of whatever found a span.
    """
    form = tokens.forms[i]
    lower = form.lower()
    if form.isalpha():
        if lower in roles.PROTECTED:
            return not (lower in _COUNTING and label in _NUMBERED)
        if label == "ADDRESS" and lower in roles.PARTS_OF_PLACES and _leads_a_number(tokens, i):
            return True  # "MAU K3", "bed 14": the cue stays
        if label == "ADDRESS" and lower in _EXAMS and _leads_an_exam(tokens, i):
            return True  # "Mercy Hospital CT head", no "Hartford CT"
        if lower in roles.LICENSED or (form.isupper() and kind(lower) & Kind.SHORT and not inside):
            return True
        if (
            label == "ADDRESS"
            and not inside
            and (lower in _OF_A_KIND or (lower.endswith(roles.DEPARTMENTS) and kind(lower) & Kind.KNOWN))
        ):
            return True  # "seen in Orthopedics", "our local hospital"
        return lower in _UNIT and i > 0 and tokens.forms[i - 1].isdecimal()
    if not form.isdecimal():
        return False
    if len(form) < 5 and is_any_before(words_before(tokens.text, tokens.starts[i]), _COUNTS, 2):
        return True  # "CRP 98", "strength 4/5"
    after = [*tokens.forms[i + 1 : i + 4], "\n", "\n", "\n"]
    k = 2 if after[0] == "." and after[1].isdecimal() else 0  # 3.5 cm
    k += after[k] == "-"  # 67-year-old
    return after[k].lower() in _UNIT and not (label == "AGE" and int(form) >= _OLD)


def _leads_an_exam(tokens: Tokens, i: int) -> bool:
    before, after = tokens.forms[i - 1].lower() if i else "", [*tokens.forms[i + 1 : i + 3], "", ""]
    if tokens.forms[i] in "Xx":
        return after[1].lower() == "ray"
    if kind(after[0].lower()) & Kind.FUNCTION and before not in roles.OF_PLACES:
        return False
    return after[0].isalpha() and (before in roles.OF_PLACES or _is_of_medicine(after[0]))


def _leads_a_number(tokens: Tokens, i: int) -> bool:
    after = [*tokens.forms[i + 1 : i + 3], "", ""]
    return after[0].isdecimal() or (len(after[0]) == 1 and after[0].isalpha() and after[1].isdecimal())


def revised(
    tokens: Tokens, masked: Sequence[Found], chances: NDArray[np.float32], limits: Mapping[str, NDArray[np.float32]]
) -> tuple[list[Found], list[int]]:
    """What goes: of ``masked`` what the tagger does not take back, and what it adds; and which words it took back.

    ``limits``: "begin" (len(LABELS),) the chance of being anybody's from which a token goes as such a label, "inside"
    (1,) that of one beside a token that goes, "back" (len(SOURCES),) the chance of being nobody's from which what such
    a source masks comes back, "site" (2,) the chances of being of a place from which what goes is one, and from which
    what stands beside a place goes along.
    """
    spans, back = _taken_back(tokens, masked, chances[:, 0], limits["back"])
    which = 1 + chances[:, 1:].argmax(axis=1)
    masks = np.asarray(tokens.masks, np.int64)
    free = masks < 0
    own = free & (1 - chances[:, 0] >= limits["begin"][which])
    for i in map(int, np.flatnonzero(own)):
        own[i] = _may_go(tokens, i, LABELS[which[i]])
    labels = np.where(free, which, np.array([*(_LABEL.get(_label_of(one), 0) for one in masked), 0])[masks])
    removed = own | ~(free | back)
    _grow(tokens, chances, free, removed, labels, limits)
    beside = np.pad(removed, 1)
    for i in map(int, np.flatnonzero(removed & free & ~beside[:-2] & ~beside[2:] & (labels == _PLACE))):
        removed[i] = not _is_of_medicine(tokens.forms[i])  # alone it is no place
    for i in map(int, np.flatnonzero(removed & free)):
        for k in _glued_numbers(tokens, i):
            if free[k] and not removed[k] and _may_go(tokens, k, LABELS[labels[i]]):
                removed[k], labels[k] = True, labels[i]  # "18.20" goes whole
    spans += _own_spans(tokens, removed & free, labels)
    words = [i for i in map(int, np.flatnonzero(back)) if tokens.forms[i][0].isalnum()]
    return sorted(spans, key=lambda one: (one.start, -one.end)), words


def _grow(
    tokens: Tokens,
    chances: NDArray[np.float32],
    free: NDArray[np.bool_],
    removed: NDArray[np.bool_],
    labels: NDArray[np.int64],
    limits: Mapping[str, NDArray[np.float32]],
) -> None:
    """Along with what goes goes what stands beside it and may be of the same; with a place what places are named by
    ("Oakmont Middle School", "Kerrville, TX"). ``removed`` and ``labels`` take it in."""
    anyone, chance, count = 1 - chances[:, 0], chances[:, _PLACE], len(tokens.forms)
    a_place, part = map(float, limits["site"])
    site = removed & ((labels == _PLACE) | (~free & (chance >= a_place)))
    level = not any(form.istitle() and len(form) > 1 for form in tokens.forms)
    for step in (1, -1):
        for last in map(int, np.flatnonzero(removed)[::step]):
            word, i = tokens.forms[last], last + step
            while 0 <= i < count and free[i] and not removed[i]:
                along = anyone[i] >= limits["inside"][0] and labels[i] == labels[last]
                along = along and _may_go(tokens, i, LABELS[labels[i]], signs=True)
                if not along and site[last]:
                    beside, i = i, _behind_joints(tokens, i, step)
                    named = len(word) > 2 and not word.isdecimal() and (i == beside or chance[i] >= part)
                    along = (
                        free[i] and not removed[i] and _is_part(tokens, i, chance[i] >= part, level=level, named=named)
                    )
                    labels[i] = _PLACE if along else labels[i]
                if not along:
                    break
                removed[i], site[i] = True, labels[i] == _PLACE
                last, word, i = i, tokens.forms[i] if tokens.forms[i][0].isalnum() else word, i + step


def _behind_joints(tokens: Tokens, i: int, step: int) -> int:
    """``i``, or where the next word is behind what joins the words of a place's name."""
    while 0 < i < len(tokens.forms) - 1:
        form = tokens.forms[i].lower()
        if form not in _JOINTS and not (form == "." and tokens.forms[i - 1].lower() in _SAINTS):
            break
        i += step
    return i


def _is_part(tokens: Tokens, i: int, likely: bool, *, level: bool, named: bool) -> bool:
    """``likely``: it may well be of a place; ``named``: it stands beside a word; of a number or a letter the cue stays
    ("MAU K3", "bed 14")."""
    form = tokens.forms[i]
    lower = form.lower()
    if not form[0].isalnum() or (form.islower() and not level) or is_protected(tokens, i, "ADDRESS", inside=True):
        return False
    if lower in roles.PARTS_OF_PLACES:
        return named
    return likely and not _is_of_medicine(form)


def _glued_numbers(tokens: Tokens, i: int) -> list[int]:
    """The numbers that one sign joins to the number at ``i``."""
    found = []
    for sign, k in ((i - 1, i - 2), (i + 1, i + 2)):
        numbers = 0 <= k < len(tokens.forms) and tokens.forms[i].isdecimal() and tokens.forms[k].isdecimal()
        if numbers and abs(tokens.starts[k] - tokens.starts[i]) == len(tokens.forms[min(i, k)]) + 1:
            found += [k] if tokens.forms[sign] in ".:/-" else []
    return found


def _may_go(tokens: Tokens, i: int, label: str, *, signs: bool = False) -> bool:
    form = tokens.forms[i]
    if form[0] == BARRIER or form == "\n" or not (signs or form[0].isalnum()):
        return False
    inside = signs and label == "ADDRESS"
    return not is_protected(tokens, i, label, inside=inside) and not (label == "NAME" and _is_of_medicine(form))


def _is_of_medicine(form: str) -> bool:
    """A clinical word that no list of names or towns holds: "Lipomas" on a line of its own."""
    return kind(form.lower()) & (Kind.CLINICAL | Kind.NAME | Kind.TOWN) == Kind.CLINICAL


def _taken_back(
    tokens: Tokens, masked: Sequence[Found], nobody: NDArray[np.float32], limits: NDArray[np.float32]
) -> tuple[list[Found], NDArray[np.bool_]]:
    """What of ``masked`` stays masked, and which tokens come back: at its ends what is all but surely nobody's."""
    back, spans = np.zeros(len(tokens.forms), bool), list(masked)
    for mask, same in groupby(range(len(tokens.forms)), tokens.masks.__getitem__):
        if mask < 0 or masked[mask].by.startswith(KEPT) or masked[mask].placeholder == "[TIME]":
            continue
        one, inside = masked[mask], [*same]
        limit = limits[SOURCES.index(source_of(one.by))]
        stay = [i for i in inside if tokens.forms[i][0].isalnum() and nobody[i] < limit]
        first, last = (stay[0], stay[-1]) if stay else (inside[-1] + 1, inside[-1])
        while stay and first > inside[0] and tokens.ends[first - 1] == tokens.starts[first]:
            first -= 1  # "16.20" goes whole
        while stay and last < inside[-1] and tokens.ends[last] == tokens.starts[last + 1]:
            last += 1
        back[inside[0] : first] = back[last + 1 : inside[-1] + 1] = True
        if (first, last) != (inside[0], inside[-1]):
            spans[mask] = one._replace(start=tokens.starts[first], end=tokens.ends[last]) if stay else _NOTHING
    return [one for one in spans if one is not _NOTHING], back


_NOTHING = Found(0, 0, "", "")


def _own_spans(tokens: Tokens, own: NDArray[np.bool_], labels: NDArray[np.int64]) -> list[Found]:
    found: list[Found] = []
    for i in map(int, np.flatnonzero(own)):
        if not tokens.forms[i][0].isalnum():
            continue  # a sign goes between two words that go
        start, end, placeholder = tokens.starts[i], tokens.ends[i], f"[{LABELS[labels[i]]}]"
        if found and found[-1].placeholder == placeholder and _JOIN.fullmatch(tokens.text, found[-1].end, start):
            found[-1] = Found(found[-1].start, end, placeholder, BY_TAGGER)
        else:
            found.append(Found(start, end, placeholder, BY_TAGGER))
    return found


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
