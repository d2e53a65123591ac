"""The one decision per word: is it somebody's name? `curate.deid.text.features` -> a probability -> a threshold.

What no rule and no header can know are the names of third parties without a cue. A network of one hidden layer, fitted
to text of our own making (`benchmarks/deid/fit_words.py`), reads what is known of a word and its neighbours. Words that
a report's meaning stands and falls with (`roles.PROTECTED`) are never asked about: they go only as part of a name that
a cue gives away. Works on folded text (`curate.deid.text.fold`).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.deid.text import features, roles
from curate.deid.text.eponyms import is_eponym
from curate.deid.text.fold import BARRIER
from curate.deid.text.looks import weights
from curate.deid.text.needs import Span
from curate.deid.text.tokens import Word, is_shouted, words_of
from curate.deid.text.vocabulary import Kind

_BESIDE = re.compile(r"[ \xa0]{1,2}|[ ]?[,&^_/-][ ]?|'|\.[ ]?")


@dataclass(frozen=True)
class Thresholds:
    """The probability of a name from which a word goes: one that a vocabulary knows, and one that none does."""

    known: float = 0.3
    unknown: float = 0.05
    given_away: float = 0.02  # one that a cue gives away elsewhere in the text

    @classmethod
    def from_one(cls, known: float) -> Thresholds:
        """From the one number of a recipe: the others keep their proportion to it."""
        scale = known / cls.known
        return cls(known, min(1.0, cls.unknown * scale), min(1.0, cls.given_away * scale))


@dataclass(frozen=True)
class State:
    """A text as it is decided on: its words, and which of them are asked about."""

    text: str
    words: list[Word]
    which: list[int]
    known: frozenset[str]
    level: bool
    shouted: bool

    def table(self) -> NDArray[np.float32]:
        """(len(which), WIDTH) float32."""
        return features.table(self.words, self.text, self.which, self.known, level=self.level, shouted=self.shouted)


def read(
    text: str,
    archive: frozenset[str],
    taken: Sequence[Span],
    known: frozenset[str],
    accented: Container[int] = (),
) -> State:
    """``archive``: folded lower-case words that stay; ``taken``: what is masked already or will be, sorted and apart;
    ``known``: names in small letters that a cue gives away; ``accented``: the places of ``text`` at which the source
    has a letter beyond ASCII."""
    words = words_of(text, archive, taken)
    for word in words if accented else ():
        word.accented = any(i in accented for i in range(word.start, word.end))
    shouted = is_shouted(text)
    level = shouted or not any(word.text.istitle() and len(word.text) > 1 for word in words)
    asked = [i for i, word in enumerate(words) if _is_asked(word, level=level) and not is_eponym(words, i, text)]
    return State(text, words, asked, known, level, shouted)


def _is_asked(word: Word, *, level: bool) -> bool:
    if word.settled or word.masked or word.text == BARRIER or word.lower in roles.PROTECTED:
        return False
    return level or not (word.kind & Kind.KNOWN and word.text.islower())  # names have capitals where others have none


def probability(table: NDArray[np.float32], fitted: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """(n,) float32: how likely each row of features (n, WIDTH) is a name's."""
    hidden = np.maximum(table @ fitted["hidden"].astype(np.float32) + fitted["hidden_bias"], 0)
    odds = hidden @ fitted["out"] + fitted["out_bias"]
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


def name_spans(state: State, thresholds: Thresholds) -> Iterator[Span]:
    """Spans of words that go, side by side as one: names, and codes that no one knows (ID)."""
    if state.which:
        for i, p in zip(state.which, probability(state.table(), weights()), strict=True):
            state.words[i].person = state.words[i].masked = bool(p >= _threshold(state.words[i], state, thresholds))
        _join(state)
    begin: Word | None = None
    last: Word | None = None
    for word in state.words:
        if not word.masked or word.text == BARRIER:
            continue
        joined = last is not None and last.person == word.person and _BESIDE.fullmatch(state.text, last.end, word.start)
        if begin is not None and last is not None and not joined:
            yield begin.start, last.end, "NAME" if last.person else "ID"
        if not joined:
            begin = word
        last = word
    if begin is not None and last is not None:
        yield begin.start, last.end, "NAME" if last.person else "ID"


def _join(state: State) -> None:
    """The other half of a name with a hyphen: "Tzu-Ching"; not "Baker-type"."""
    pairs = list(pairwise(state.words))
    for one, other in [*pairs, *reversed(pairs)]:
        if one.masked != other.masked and state.text[one.end : other.start] == "-":
            named, half = (one, other) if one.masked else (other, one)
            plain = half.settled or half.lower in roles.PROTECTED or half.kind & (Kind.CLINICAL | Kind.FUNCTION)
            if named.person and named.text != BARRIER and half.text != BARRIER and not plain:
                half.masked = half.person = True


def _threshold(word: Word, state: State, thresholds: Thresholds) -> float:
    if word.accented and not word.kind & (Kind.KNOWN | Kind.EPONYM):
        return 0.0  # English has no such letters
    least = thresholds.known if word.kind & (Kind.KNOWN | Kind.EPONYM) else thresholds.unknown
    return min(least, thresholds.given_away) if word.lower in state.known else least


def reasons(state: State, most: int = 4) -> dict[tuple[int, int], str]:
    """(start, end) of each word that was asked about: how likely it is a name, and the features that say so most: those
    without which it would be least likely."""
    if not state.which:
        return {}
    fitted, table, names = weights(), state.table(), features.feature_names()
    found = {}
    for i, row, p in zip(state.which, table, probability(table, fitted), strict=True):
        active = np.flatnonzero(row)
        without = np.repeat(row[None], len(active), axis=0)
        without[np.arange(len(active)), active] = 0
        fall = float(p) - probability(without, fitted)
        told = [names[active[j]] for j in np.argsort(-fall)[:most] if fall[j] > 0]
        found[state.words[i].start, state.words[i].end] = f"{p:.2f} likely a name: {', '.join(told)}"
    return found
