"""What is known of each word of a text: one table of features, read by the one decision (`curate.deid.text.decide`).

A word's own features come from its letters alone (`own_features`): its shape, what the vocabularies say of it, whether
it is one of the words that tell who acts, is called or is told (`curate.deid.words.context_words`), how much it looks
like a name. Those of its place come from what stands between the words (`gap_features`) and from the text. A word is
decided on by its own and its place's features and the own features of three words on either side.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from curate.deid.text.context import in_heading, is_acting, is_eponym
from curate.deid.text.fold import BARRIER
from curate.deid.text.tokens import Word
from curate.deid.word_lists import words
from curate.deid.words import context_words as roles
from curate.deid.words.looks import name_likeness, weights
from curate.deid.words.vocabulary import Kind, english_rank, is_given_name, is_near_medical, kind, surname_rank

REACH = 3  # words on either side whose own features are read
# what stands where no word does
NAME, SITE, DAY, CODE, NUMBER, NOTHING = "\0name", "\0site", "\0day", "\0code", "\0number", "\0nothing"
_MASKED = {"NAME": NAME, "ADDRESS": SITE, "FACILITY": SITE, "DATE": DAY, "TIME": DAY, "AGE": DAY}  # or a CODE

_KINDS = {
    "is a known word": Kind.KNOWN,
    "is a word of reports": Kind.CLINICAL,
    "is a word of grammar": Kind.FUNCTION,
    "is an abbreviation of reports": Kind.SHORT,
    "is also a name": Kind.NAME,
    "is also a frequent name": Kind.FREQUENT,
    "is an eponym": Kind.EPONYM,
    "is an eponym before its noun": Kind.BOUND,
    "is a noun of eponyms": Kind.NOUN,
    "is in the list of report words": Kind.BY_HAND,
    "is also a town": Kind.TOWN,
}
# context words: the name of a feature, and the words that have it
_CONTEXT: dict[str, frozenset[str]] = {
    "title": roles.TITLES,
    "relative": roles.KIN,
    "act of people": roles.ACTS,
    "act of people alone": roles.SURELY,
    "state of people": roles.STATES | roles.HUMAN_STATES | roles.MOODS,
    "auxiliary": roles.IS | roles.HAVING,
    "modal": roles.MODALS,
    "done with people": roles.TOLD,
    "links to people": roles.LINKS,
    "leads a name": roles.LEADS,
    "belongs to people": roles.BELONGINGS,
    "what people do": roles.DOES | roles.HUMANLY,
    "what people do to others": roles.DOES_TO,
    "calls": roles.CALLED,
    "object": roles.OBJECTS,
    "what people will do": roles.DO | roles.DO_TO,
    "people in general": roles.HUMANS,
    "particle": roles.PARTICLES,
    "begins a sentence": roles.OPENERS,
    "often capitalised": roles.CAPITALS,
    "capitalised anywhere": roles.LICENSED,
    "of a place's name": roles.OF_PLACES,
    "place": roles.PLACES,
    "marks": roles.MARKING,
    "counted": roles.COUNTED,
    "determiner": words("the a an this that these those his her their our its my your no any some each every"),
    "preposition": words("of in on at to for from into onto over under through within near between against"),
    "by or per": words("by per via cc attn"),
    "and": words("and or but nor"),
    "degree": words("md do rn np pa phd mbbs frcr frcpc facr dds crna rt bsc msc consultant registrar resident"),
    "examination": words("ct mr mri mra us cr dx xr cta pet spect mg rf usg cxr kub hrct mrcp"),
    "protected": roles.PROTECTED,
    "post in short": roles.POSTS_SHORT,
    "lives or comes from": roles.LIVES,
    "is called": roles.CALLED_BY,
    "spoken sign": words("period comma semicolon colon paragraph paren bracket slash dash stop"),
    "of a department": words(
        "radiology cardiology urology neurology oncology surgery ortho neuro vascular ed er icu itu ward theatre clinic"
    ),
}
PICTURED = ("MR", "DR", "CR", "CT")  # "MR BRAIN", "DR chest"
_ENDINGS = ("ed", "ing", "ly", "s", "al", "ic", "ous", "ar", "ive", "ion", "ity", "ology", "itis", "oma", "ectomy", "y")
_SHAPES: dict[str, Callable[[str], bool]] = {
    "in small letters": str.islower,
    "capitalised": lambda w: w.istitle() and len(w) > 1,
    "in capitals": lambda w: w.isupper() and len(w) > 1,
    "one capital": lambda w: w.isupper() and len(w) == 1,
    "one small letter": lambda w: w.islower() and len(w) == 1,
    "in mixed letters": lambda w: not (w.islower() or w.isupper() or w.istitle()),
    "possessive": lambda w: w.lower().endswith("'s"),
    "with an apostrophe": lambda w: "'" in w and not w.lower().endswith("'s"),
    "no vowel": lambda w: re.search("[aeiouyAEIOUY]", w) is None,
}
_STANDINS = {
    NAME: "is masked as a name",
    SITE: "is masked as a place",
    DAY: "is masked as a day, a time or an age",
    CODE: "is masked as a number",
    NUMBER: "is a number",
    NOTHING: "is the text's end",
}
_LIKENESS = (-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0)  # log-odds
_LENGTHS = (3, 4, 5, 7, 10)  # letters
_ENGLISH = (200, 700, 2000, 6000, 20000)  # of words of English
_RANKS = (300, 3000, 12000, 40000)  # of surnames, by how frequent they are

OWN: tuple[str, ...] = (
    *_STANDINS.values(),
    *_SHAPES,
    *_KINDS,
    *_CONTEXT,
    *(f"ends in -{ending}" for ending in _ENDINGS),
    *(f"looks like a name: over {odds:g}" for odds in _LIKENESS),
    *(f"{size} letters and more" for size in _LENGTHS),
    *(f"surname among the first {rank}" for rank in _RANKS),
    *(f"among the first {rank} words of English" for rank in _ENGLISH),
    "given name",
    "a letter from a word of medicine",
)
_AT = {name: number for number, name in enumerate(OWN)}
_GAPS: dict[str, re.Pattern[str]] = {
    "blank": re.compile(r"[ \xa0]+"),
    "line's end": re.compile(r".*\n.*", re.DOTALL),
    "comma": re.compile(r".*,.*", re.DOTALL),
    "full stop": re.compile(r".*\..*", re.DOTALL),
    "colon": re.compile(r".*:.*", re.DOTALL),
    "semicolon": re.compile(r".*;.*", re.DOTALL),
    "bracket": re.compile(r".*[()\[\]{}].*", re.DOTALL),
    "hyphen": re.compile(r"-|.+ - .*"),
    "slash": re.compile(r".*/.*", re.DOTALL),
    "quotation mark": re.compile(r".*[\"'*].*", re.DOTALL),
    "question or exclamation mark": re.compile(r".*[!?].*", re.DOTALL),
    "text's end": re.compile(r"\Z"),
}
GAP: tuple[str, ...] = tuple(_GAPS)
PLACE: tuple[str, ...] = (
    "begins a sentence", "the next begins a sentence", "the one after begins a sentence", "the one before begins one",
    "capitals tell nothing", "all in capitals", "many capitals around", "only capital around",
    "in small letters elsewhere", "given away elsewhere", "acts by what follows", "in a heading",
    "behind an eponym", "behind what is pictured",
)  # fmt: skip
_WINDOW = range(-REACH, REACH + 1)
WIDTH = len(OWN) * len(_WINDOW) + 4 * len(GAP) + len(PLACE)
_GAPS_AT = (-1, 0, 1, 2)  # between the words at these places and those before them


@dataclass(frozen=True)
class State:
    """A text as it is decided on: its words, and which of them are asked about; ``known``: names in small letters that
    a cue gives away somewhere; ``level``: capitals tell nothing in it; ``shouted``: it is all in capitals."""

    text: str
    words: list[Word]
    which: list[int]
    known: frozenset[str]
    level: bool
    shouted: bool


def feature_names() -> list[str]:
    """(WIDTH,) what each feature says, with the place of the word that it is of: "-1 title"."""
    own = [f"{at:+d} {name}" if at else name for at in _WINDOW for name in OWN]
    gaps = [f"{name} before {at:+d}" for at in _GAPS_AT for name in GAP]
    return [*own, *gaps, *PLACE]


def version() -> int:
    """Another for other features: numbers fitted to some belong to no others."""
    return zlib.crc32("\n".join(feature_names()).encode()) % 2**24  # whole in float32


@lru_cache(maxsize=100_000)
def own_features(word: str) -> tuple[int, ...]:
    """Which of `OWN` a folded word has as it is written, or what stands for none."""
    if word in _STANDINS:
        return (_AT[_STANDINS[word]],)
    lower = word.lower().removesuffix("'s")
    bits, likeness, rank, english = kind(lower), name_likeness(lower), surname_rank(lower), english_rank(lower)
    found = [_AT[name] for name, test in _SHAPES.items() if test(word)]
    found += [_AT[name] for name, bit in _KINDS.items() if bits & bit]
    found += _of_context().get(lower, ())
    found += [_AT[f"ends in -{ending}"] for ending in _ENDINGS if lower.endswith(ending)]
    found += [_AT[f"looks like a name: over {odds:g}"] for odds in _LIKENESS if likeness > odds]
    found += [_AT[f"{size} letters and more"] for size in _LENGTHS if len(lower) >= size]
    if rank is not None:
        found += [_AT[f"surname among the first {most}"] for most in _RANKS if rank < most]
    if english is not None:
        found += [_AT[f"among the first {most} words of English"] for most in _ENGLISH if english < most]
    if is_given_name(lower):
        found.append(_AT["given name"])
    if not bits & Kind.KNOWN and is_near_medical(lower):
        found.append(_AT["a letter from a word of medicine"])
    return tuple(found)


@cache
def _of_context() -> dict[str, list[int]]:
    """Word -> which context words it is among."""
    found = dict[str, list[int]]()
    for name, listed in _CONTEXT.items():
        for word in listed:
            found.setdefault(word, []).append(_AT[name])
    return found


@lru_cache(maxsize=10_000)
def gap_features(gap: str | None) -> NDArray[np.float32]:
    """(len(GAP),) float32, 0 or 1, of what stands between two words; None beyond the text."""
    return np.array([gap is not None and pattern.fullmatch(gap) is not None for pattern in _GAPS.values()], np.float32)


def standing(word: Word) -> str:
    """A word as its own features are asked for."""
    if word.text == BARRIER:
        return NAME if word.person else _MASKED.get(word.label.partition(":")[0], CODE)
    return NUMBER if word.lower == "0" else word.text


def table(state: State) -> NDArray[np.float32]:
    """(len(which), WIDTH) float32: the features, as the numbers are fitted to them and reasons are told by them."""
    forms, at = _padded(state.words), np.asarray(state.which)
    own = np.zeros((len(forms), len(OWN)), np.float32)
    for row, form in zip(own, forms, strict=True):
        row[[*own_features(form)]] = 1
    between = np.stack([gap_features(_gap_before(state, i)) for i in range(-1, len(state.words) + 3)])
    window = own[at[:, None] + np.arange(2 * REACH + 1)].reshape(len(at), -1)
    beside = between[at[:, None] + 1 + np.array(_GAPS_AT)].reshape(len(at), -1)
    return np.concatenate([window, beside, _places(state)], axis=1)


def hidden(state: State) -> NDArray[np.float32]:
    """(len(which), H) float32: `table` times the fitted hidden layer, its bias added; from what each word and gap adds
    to it, which is kept."""
    bias, of_places = weights()["hidden_bias"], weights()["hidden"][-len(PLACE) :]
    forms, at = _padded(state.words), np.asarray(state.which)
    near = sorted({i + n for i in state.which for n in range(len(_WINDOW))})  # their forms and the gaps before them
    place_of = np.zeros(len(forms) + 1, np.int64)
    place_of[near] = range(len(near))
    own = np.stack([_own_hidden(forms[i]) for i in near])
    gaps = np.stack([_gap_hidden(_gap_before(state, i - REACH)) for i in near])
    found = _places(state) @ of_places + bias
    for n in range(len(_WINDOW)):
        found += own[place_of[at + n], n]
    for n, away in enumerate(_GAPS_AT):
        found += gaps[place_of[at + REACH + away], n]
    return np.asarray(found, np.float32)


def _padded(words: Sequence[Word]) -> list[str]:
    """The words as their own features are asked for, and what stands on either side of the text."""
    return [*[NOTHING] * REACH, *map(standing, words), *[NOTHING] * REACH]


def _gap_before(state: State, i: int) -> str | None:
    """What stands before the word at ``i``, or behind the last; None beyond."""
    words, text = state.words, state.text
    if i < 0 or i > len(words):
        return None
    start = words[i - 1].end if i else 0
    return text[start : words[i].start] if i < len(words) else text[start:] + "\n"


@lru_cache(maxsize=8192)  # about 3 kB each
def _own_hidden(form: str) -> NDArray[np.float32]:
    """(7, H) float32: what a word adds to the hidden layer at each place of the window."""
    layer = weights()["hidden"][: len(OWN) * len(_WINDOW)].reshape(len(_WINDOW), len(OWN), -1)
    return np.asarray(layer[:, own_features(form)].sum(axis=1), np.float32)


@lru_cache(maxsize=2048)
def _gap_hidden(gap: str | None) -> NDArray[np.float32]:
    """(4, H) float32, likewise of what stands between words."""
    first = len(OWN) * len(_WINDOW)
    layer = weights()["hidden"][first : first + len(GAP) * len(_GAPS_AT)].reshape(len(_GAPS_AT), len(GAP), -1)
    return np.asarray(layer[:, np.flatnonzero(gap_features(gap))].sum(axis=1), np.float32)


def _places(state: State) -> NDArray[np.float32]:
    """(len(which), len(PLACE)) float32, 0 or 1."""
    small = {word.text for word in state.words if word.text.islower()}
    return np.array([_place(state, i, small) for i in state.which], np.float32)


def _place(state: State, i: int, small: set[str]) -> list[bool]:
    words, text = state.words, state.text
    word, size = words[i], len(words)
    around = [w for w in (*words[max(0, i - 4) : i], *words[i + 1 : i + 5]) if not w.first and w.text != BARRIER]
    capitals = sum(w.text[:1].isupper() for w in around)
    return [
        word.first,
        i + 1 >= size or words[i + 1].first,
        i + 2 >= size or words[i + 2].first,
        i > 0 and words[i - 1].first,
        state.level,
        state.shouted,
        len(around) > 0 and capitals > len(around) / 2,
        capitals == 0,
        word.lower in small and not word.text.islower(),
        word.lower in state.known,
        is_acting(words, i, text),
        word.first and in_heading(words, i, text),
        i > 0 and is_eponym(words, i - 1, text),
        i > 0 and words[i - 1].text in PICTURED,
    ]
