"""The one decision per word: is it somebody's name? `curate.deid.text.features` -> a probability -> a threshold.

What no rule and no header can know are the names of third parties without a cue. A network of one hidden layer, fitted
to marked texts and to sentences of our own making (`benchmarks/deid/fit`), reads what is known of a word and
its neighbours. Words that a report's meaning stands and falls with (`roles.PROTECTED`) are never asked about: they go
only as part of a name that a cue gives away. Works on folded text (`curate.deid.text.fold`).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.deid.patterns.around import COUNTED, MEASURED
from curate.deid.patterns.prefilter import Span
from curate.deid.rules import NAME_THRESHOLD
from curate.deid.text import features
from curate.deid.text.context import is_acting, is_eponym
from curate.deid.text.features import State
from curate.deid.text.fold import BARRIER
from curate.deid.text.text_index import is_shouted
from curate.deid.text.tokens import Word, words_of
from curate.deid.word_lists import words
from curate.deid.words import context_words as roles
from curate.deid.words.looks import weights
from curate.deid.words.vocabulary import Kind, is_given_name, is_listed

_COUNTS = COUNTED | MEASURED  # before a number these are no one
_LONG = 7  # letters
_TWO_LETTERS = re.compile(r"(?:[A-Z]\.){2,4}(?![A-Za-z])")
_INITIALS = "BCDEFGHJKMNOPQSTUVWXYZ"  # neither words nor sides
_OF_AGE = words("y yo yr yrs old year years")
_BESIDE = re.compile(r"[ \xa0]{1,2}|[ ]?[,&^_/-][ ]?|'|\.[ ]?")


@dataclass(frozen=True)
class Thresholds:
    """The probability of a name from which a word goes, by what is known of the word (chosen on the frames of
    `benchmarks/deid` that are there to choose on)."""

    known: float = NAME_THRESHOLD
    unknown: float = 0.07
    report: float = 0.3  # a word that reports are made of, and a name
    plain: float = 0.55  # ... in small letters, that few are called, or an abbreviation in capitals
    unnamed: float = 0.8  # one that no list of names and towns has
    unnamed_inside: float = 0.5  # such a one with a capital inside a sentence
    medicine: float = 0.97  # ... a long one of medicine ("Dextrocardia")
    given_away: float = 0.02  # one that a cue gives away elsewhere in the text

    @classmethod
    def from_one(cls, known: float) -> Thresholds:
        """From the one number of a recipe: the others keep their proportion to it."""
        _, *others = astuple(cls())
        return cls(known, *(min(1.0, each * known / cls.known) for each in others))


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
        if word.accented and word.kind & Kind.KNOWN and not word.kind & Kind.EPONYM and not is_listed(word.lower):
            word.kind, word.settled = word.kind & ~(Kind.KNOWN | Kind.CLINICAL), False
    shouted = is_shouted(text)
    level = shouted or not any(word.text.istitle() and len(word.text) > 1 for word in words)
    to_decide = [
        i
        for i, word in enumerate(words)
        if not (word.settled or word.masked) and word.text != BARRIER and _is_asked(words, i, text, level=level)
    ]
    return State(text, words, to_decide, known, level, shouted)


def _is_asked(words: list[Word], i: int, text: str, *, level: bool) -> bool:
    """Of what is not settled and not masked already: False for what its place keeps; everything else is decided on."""
    word = words[i]
    before, after = words[i - 1] if i else None, words[i + 1] if i + 1 < len(words) else None
    if word.lower in roles.LICENSED or (after is not None and after.lower == "0" and word.lower in _COUNTS):
        return False  # "Power 4/5"
    if word.kind & Kind.FUNCTION and not word.kind & Kind.NAME and (word.first or level):
        return is_acting(words, i, text)
    if (
        before is not None
        and before.text in features.PICTURED
        and word.kind & Kind.CLINICAL
        and word.kind & Kind.BY_HAND
    ):
        return before.text == "DR" and bool(word.kind & Kind.NAME) and _is_closed(words, i)  # not "MR BRAIN"
    if word.kind & Kind.KNOWN and _is_plainly_a_word(words, i, level=level):
        return False
    if word.lower in roles.PROTECTED:
        return _is_led(words, i, text)
    if len(word.text) == 1:
        return _is_initial(words, i, text)
    joined = "" if after is None else text[word.end : after.start]
    if after is not None and len(joined) == 1 and after.lower == "rads":
        return False  # "LI-RADS 5"
    if after is not None and joined == "-" and not level and after.text.islower():
        return not after.kind & Kind.KNOWN  # "Tree-in-bud"
    noun = word.kind & Kind.NOUN and i > 0 and is_eponym(words, i - 1, text)
    return not noun and not is_eponym(words, i, text)


def _is_plainly_a_word(words: list[Word], i: int, *, level: bool) -> bool:
    """Of a known word: is it written as no name is, or does it stand where none does?"""
    word = words[i]
    if word.first and _is_paired_with_a_word(words, i):
        return True  # "Alert and Oriented"
    if i and words[i - 1].lower in _DENYING and not word.first and not word.text.istitle():
        return True  # "no falls", "denies pain"
    plain = word.lower not in roles.PROTECTED and len(word.text) > 1 and not level
    return plain and (word.text.islower() or _is_short(word))  # names have capitals where others have none


def _is_short(word: Word) -> bool:
    """ "FLAIR", "MR BRAIN": in a text with small letters a word of reports that has none is no one."""
    return word.text.isupper() and bool(word.kind & Kind.CLINICAL and word.kind & Kind.BY_HAND)


def _is_initial(words: list[Word], i: int, text: str) -> bool:
    """One letter before a full stop or beside a name; not "Child-Pugh B"."""
    word = words[i]
    if text[word.end : word.end + 1] == "." and text[word.start - 1 : word.start] == ".":
        return False  # "A.P.", which is a rule's
    if _TWO_LETTERS.match(text, word.start) and not (i + 2 < len(words) and words[i + 2].person):
        return False  # so is its first letter, but "J.R. [NAME]"
    before = i > 0 and words[i - 1].person and words[i - 1].masked
    behind = i + 1 < len(words) and words[i + 1].person and words[i + 1].masked
    return before or behind or (text[word.end : word.end + 1] == "." and not (i and is_eponym(words, i - 1, text)))


_DENYING = words("no nil denies denied without any")


def _is_paired_with_a_word(words: list[Word], i: int) -> bool:
    """ "X and Y", both with a capital, the other a word that no list of names or towns has: a heading or a state."""
    if i + 2 >= len(words) or words[i + 1].lower != "and" or words[i + 1].first or words[i + 2].first:
        return False
    other = words[i + 2]
    named = other.kind & (Kind.NAME | Kind.TOWN | Kind.EPONYM | Kind.BOUND) or other.lower in roles.HUMANS
    return other.text.istitle() and bool(other.kind & Kind.KNOWN) and not named


_PEOPLE = roles.POSTS | roles.RELATIONS | roles.TITLES


def _is_led(words: list[Word], i: int, text: str) -> bool:
    """ "[NAME] Small and", "registrar Large.", "witnessed by Gross and": a surname behind half a name, a post or "by",
    with a capital where others have none, and nothing behind it that it could say something of."""
    word, before = words[i], words[i - 1] if i else None
    if before is None or word.first or not word.text.istitle() or not word.kind & Kind.FREQUENT:
        return False
    if text[before.end : word.start] != " " or word.lower in ("left", "right") or not _is_closed(words, i):
        return False
    done = before.lower == "by" and i > 1 and (words[i - 2].lower.endswith("ed") or words[i - 2].lower in roles.TOLD)
    return done or before.lower in _PEOPLE or (before.masked and before.person)


def _is_closed(words: list[Word], i: int) -> bool:
    """Behind this word ends the sentence, or nothing follows that has a size or a side."""
    after = words[i + 1] if i + 1 < len(words) else None
    if after is None or after.first or after.text == BARRIER or after.lower == "0":
        return True
    return after.lower in _GOES_ON


_GOES_ON = words("and who is was has had will to on at in from with for by or") | roles.ACTS | roles.CALLED


def probabilities(state: State) -> NDArray[np.float32]:
    """(len(which),) float32: how likely each word that is asked about is a name."""
    return _likelihood(features.hidden(state), weights())


def probability(table: NDArray[np.float32], fitted: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """(n,) float32: how likely each row of features (n, WIDTH) is a name's."""
    return _likelihood(table @ fitted["hidden"].astype(np.float32, copy=False) + fitted["hidden_bias"], fitted)


def _likelihood(hidden: NDArray[np.float32], fitted: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    odds = np.maximum(hidden, 0) @ fitted["out"] + fitted["out_bias"]
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


def name_spans(state: State, thresholds: Thresholds) -> Iterator[Span]:
    """Spans of words that go, side by side as one: names, and codes that no one knows (ID)."""
    if state.which:
        for i, p in zip(state.which, probabilities(state), strict=True):
            acts = is_acting(state.words, i, state.text)
            state.words[i].likely = 1.0 if acts else float(p)
            named = acts or p >= _threshold(state.words[i], state, thresholds)
            state.words[i].person = state.words[i].masked = bool(named)
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


def _is_drawn(words: list[Word], i: int, text: str) -> bool:
    word, before = words[i], words[i - 1] if i else None
    if before is None or text[before.end : word.start] != " " or word.lower in roles.PROTECTED:
        return False
    after = words[i + 1] if i + 1 < len(words) else None
    leads = after is not None and text[word.end : after.start] == " " and after.person
    if before.person and leads and word.lower in roles.PARTICLES and word.text.islower():
        return True
    if not word.text.istitle() or word.first:
        return False
    if leads and is_given_name(word.lower) and word.kind & Kind.FREQUENT and not word.kind & Kind.CLINICAL:
        return True  # "a runner Kevin R. Sharuk"
    if before.person and word.lower in roles.OF_PLACES:
        return True
    if leads and word.lower in roles.BEFORE_PLACES and before.lower in ("from", "in", "near", "at", "of", "to"):
        return True  # "from South Debra"
    linked = before.lower == "and" and i > 1 and words[i - 2].person and words[i - 2].masked
    if linked and word.kind & Kind.FUNCTION and word.kind & Kind.NAME and word.lower not in roles.GRAMMAR:
        return after is not None and not after.text.istitle()  # "[NAME] and Over in clinic"
    if word.lower in roles.PLACES:  # "from Cork", "Cork and Mobile"
        return linked or before.lower in ("from", "near", "to", "in", "of")
    return leads and before.text.islower() and bool(word.kind & Kind.FUNCTION) and word.lower not in roles.GRAMMAR


def _join(state: State) -> None:
    """What a name draws along: the other half of one with a hyphen ("Tzu-Ching"; not "Baker-type"), a particle between
    two ("Marrow van Haddadian"), what a place's name ends in ("Brackenridge General"), "of Per Ostrowska", an initial
    before it ("J Bloggs")."""
    words, text = state.words, state.text
    for i, word in enumerate(words):
        if not word.masked and word.text != BARRIER and _is_drawn(words, i, text):
            word.masked = word.person = True
    pairs = list(pairwise(state.words))
    for i, (one, other) in enumerate(pairs):
        if other.masked and other.person and not one.masked and _is_initial_of(words, i, text):
            one.masked = one.person = True
    for one, other in [*pairs, *reversed(pairs)]:
        if one.masked != other.masked and state.text[one.end : other.start] == "-":
            named, half = (one, other) if one.masked else (other, one)
            short = len(half.text) < 5 and half.text.isalpha() and not named.kind & Kind.KNOWN  # "Jui-En"
            whole = half.lower in roles.PROTECTED or bool(half.kind & Kind.FUNCTION)
            plain = whole or (not short and (half.settled or bool(half.kind & Kind.CLINICAL)))
            if named.person and named.text != BARRIER and half.text != BARRIER and not plain:
                half.masked = half.person = True


def _is_initial_of(words: list[Word], i: int, text: str) -> bool:
    """One letter before a name: a capital, or a small one with a full stop; "A Smith" may be an article, "58 F Smith"
    says the sex, "C/A/P. Smith" what is imaged."""
    word, gap = words[i], text[words[i].end : words[i + 1].start]
    if len(word.text) != 1 or not word.text.isalpha() or text[word.start - 1 : word.start] == "/":
        return False
    counted = i > 0 and (words[i - 1].lower == "0" or words[i - 1].lower in _OF_AGE)
    return gap in (". ", ".") or (gap == " " and word.text in _INITIALS and not counted)


def _threshold(word: Word, state: State, thresholds: Thresholds) -> float:
    known, named = word.kind & (Kind.KNOWN | Kind.EPONYM), word.kind & (Kind.NAME | Kind.BOUND | Kind.TOWN)
    if word.accented and not known:
        return 0.0  # English has no such letters
    capital = not state.level and not word.first and word.text.istitle()  # inside a sentence: half a name
    usual = word.kind & Kind.EPONYM or (word.kind & Kind.BY_HAND and word.kind & Kind.CLINICAL)
    least = thresholds.known if known else thresholds.unknown
    if known and not named and not word.kind & Kind.EPONYM:
        long = len(word.text) >= _LONG and word.kind & Kind.CLINICAL
        least = thresholds.medicine if long else thresholds.unnamed_inside if capital else thresholds.unnamed
    elif word.kind & Kind.FUNCTION and not capital:
        least = thresholds.report if state.level else thresholds.unnamed
    elif usual:
        few = word.text.islower() and not word.kind & Kind.FREQUENT
        short = word.text.isupper() and word.kind & Kind.SHORT
        least = thresholds.plain if few or short else thresholds.report
    if word.lower in roles.PROTECTED:
        least = min(least, thresholds.known)  # asked about where its place gives it away
    return min(least, thresholds.given_away) if word.lower in state.known else least


def reasons(state: State, most: int = 4) -> dict[tuple[int, int], str]:
    """(start, end) of each word that was asked about: how likely it is a name, and the features that say so most: those
    without which it would be least likely."""
    if not state.which:
        return {}
    fitted, table, names = weights(), features.table(state), features.feature_names()
    found = {}
    for i, row, p in zip(state.which, table, probability(table, fitted), strict=True):
        active = np.flatnonzero(row)
        without = np.repeat(row[None], len(active), axis=0)
        without[np.arange(len(active)), active] = 0
        fall = float(p) - probability(without, fitted)
        shown = [names[active[j]] for j in np.argsort(-fall)[:most] if fall[j] > 0]
        found[state.words[i].start, state.words[i].end] = f"{p:.2f} likely a name: {', '.join(shown)}"
    return found
