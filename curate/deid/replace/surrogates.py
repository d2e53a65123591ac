"""Surrogates: what was masked is told anew, as of somebody else, so that what was overlooked stands among inventions.

Carrell et al., "Hiding in plain sight" (JAMIA 2013). A step over finished placeholders: the scrubber's text and the
text it came from say between them what each placeholder stands for, and in its place goes a value of the same form.
Nothing of an original is copied but its marks (spaces, hyphens) and words of a fixed list ("Dr", "van", "Hospital"), so
an original that was read wrongly can make a surrogate odd, and never leaves any of it.

All are chosen by HMAC under the run's secret for a patient: one name is one surrogate in all texts of a patient, and
another in those of the next. None is a word of the text, one of the patient's own values or a name of the archive's
headers. A text filled so is final: scrubbed again its surrogates are masked, as any names are.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.replace.surrogate_forms import age_like, day_like, digits_of, month_like, time_like
from curate.deid.rules import PLACEHOLDER
from curate.deid.text.dates import header_days
from curate.deid.text.fold import fold_value, tidy
from curate.deid.word_lists import word_sections
from curate.deid.words.shared import name_words

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_DEGREE = re.compile(r"(?:M\.D|D\.O|R\.N|Ph\.D)\b")
_PART = re.compile(rf"{_DEGREE.pattern}|{_WORD.pattern}")
_MAX_TRIES = 200
_TITLE_WORDS = """
dr drs doctor prof professor mr mrs ms miss mx md phd rn np jr sr ii iii mbbs frcr facr rt nurse herr frau he she they
his her is was
"""
_TITLES = frozenset(_TITLE_WORDS.split())
# Small words inside a name; only so, since Le, Van and Do are somebody's names, too.
_PARTICLE_WORDS = "and or the of by for at in to with from de da del der den van von la le el al di du st bin"
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
_PLACE_WORDS = """
hospital hospitals clinic clinics medical center centre university general regional memorial imaging institute health
healthcare system saint children childrens community cancer heart radiology associates group department emergency room
county city national veterans affairs surgery surgical hospice nursing home infirmary college school medicine north
south east west street avenue ave road rd lane drive boulevard blvd court ct way place pl terrace parkway pkwy highway
hwy circle square trail close crescent box apt apartment suite ste floor building house po p o unit ward
"""
_PLACES = frozenset(_PLACE_WORDS.split()) | _PARTICLES
_CALL = frozenset(["ext", "x", "extension", "tel", "phone", "fax", "pager", "cell", "mobile"])


@cache
def pools() -> dict[str, tuple[str, ...]]:
    """ "women", "men" and "surnames" to choose of, in lower case."""
    return {name: tuple(sorted(word_sections("surrogates")[name])) for name in ("women", "men", "surnames")}


@cache
def _names_for(gender: str) -> frozenset[str]:
    found = word_sections("surrogates")
    return found[gender] | found[f"told {gender}"]


@dataclass(frozen=True)
class Surrogates:
    """What stands in the place of one patient's identities, and of those whom his texts name.

    ``scope``: whose texts they are, the patient's id, or the record where that is unknown. ``phi``: the patient's own
    values. ``taken``: names of the archive's headers, folded, that nobody is to be called (`read_taken_names`).
    ``shift``: of days; None where dates are masked.
    """

    pseudo: Pseudonymizer
    scope: str
    phi: tuple[str, ...] = ()
    taken: frozenset[str] = frozenset()
    shift: dt.timedelta | None = None
    _refused: frozenset[str] = field(init=False, default=frozenset())
    _given: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        refused = self.taken | {w for value in self.phi for w in name_words(value)}
        given = {w for value in self.phi if "^" in value for w in name_words(" ".join(value.split("^")[1:]))}
        object.__setattr__(self, "_refused", frozenset(refused))
        object.__setattr__(self, "_given", frozenset(given))

    def fill(self, source: str, scrubbed: str, cut: Sequence[tuple[int, int, str]] = ()) -> tuple[str, Counter[str]]:
        """``scrubbed`` with surrogates in the place of placeholders, and how many of each label ("surrogate NAME").

        ``source``: the text that was scrubbed to it; ``cut``: what of ``scrubbed`` goes (`boilerplate.cut_spans`). A
        placeholder stays where the source wrote it itself, and where its form is not understood: a day that is no whole
        day, an age in another language.
        """
        done: Counter[str] = Counter()
        out, at = [], 0
        marks = zip(PLACEHOLDER.finditer(scrubbed), self.values(source, scrubbed), strict=True)
        changes = [(hit.start(), hit.end(), value) for hit, value in marks if value is not None]
        changes = [c for c in changes if not any(start <= c[0] < end for start, end, _ in cut)]
        for start, end, value in sorted([*changes, *((start, end, "") for start, end, _ in cut)]):
            out += [scrubbed[at:start], value]
            at = end
            if value:
                done[f"surrogate {scrubbed[start + 1 : end - 1].partition(':')[0]}"] += 1
        return "".join([*out, scrubbed[at:]]).strip() if cut else "".join([*out, scrubbed[at:]]), done

    def values(self, source: str, scrubbed: str) -> list[str | None]:
        """A surrogate for each placeholder of ``scrubbed``, in order; None where it stays."""
        marks = [hit[0] for hit in PLACEHOLDER.finditer(scrubbed)]
        there = originals(source, scrubbed)
        if there is None:
            return [None] * len(marks)
        words = self._refused | frozenset(_WORD.findall(fold_value(source).lower()))
        return [
            None if PLACEHOLDER.fullmatch(original) else self._value(mark, original, words)
            for mark, original in zip(marks, there, strict=True)
        ]

    def _value(self, mark: str, original: str, refused: frozenset[str]) -> str | None:
        label, _, day = mark[1:-1].partition(":")
        if label == "DATE":
            return self._date(original, day)
        if label == "AGE":
            return age_like(original, self._number("age", original) % 10)
        if label == "TIME":
            return time_like(original, self._number("time", original))
        if label == "EMAIL":
            given, surname = (self._chosen(pool, label, original, refused) for pool in ("women", "surnames"))
            return f"{given}.{surname}@example.org"  # RFC 2606: nobody's
        if label == "URL":
            return f"www.example.org/{self._chosen('surnames', label, original, refused)}"
        if label in ("ID", "PHONE"):
            return self._coded(original, _CALL if label == "PHONE" else frozenset())
        alone = len(_WORD.findall(original)) == 1
        return self._numbers(_PART.sub(lambda hit: self._word(hit[0], label, refused, alone=alone), original))

    def _word(self, word: str, label: str, refused: frozenset[str], *, alone: bool) -> str:
        if _DEGREE.fullmatch(word):
            return word
        low = fold_value(word).lower()
        ending = next((word[-len(e) :] for e in ("'s", "’s") if word.lower().endswith(e)), "")
        low = low.removesuffix("'s").removesuffix("’s")
        kept = low in _TITLES or (low in _PARTICLES and word[0].islower()) or (low in _PLACES and label != "NAME")
        if kept and not alone and low not in self._refused:
            return word
        if label != "NAME":
            surrogate = self._chosen("surnames", "place", low, refused)
        elif len(low) == 1:
            return self._initial(word, refused)
        else:
            surrogate = self._name(low, refused)
        if word.isupper() and len(low) > 1:
            return surrogate.upper() + ending
        return (surrogate if word[0].islower() else surrogate.capitalize()) + ending

    def _name(self, low: str, refused: frozenset[str]) -> str:
        """Of a given name another, of the same gender where that is told; else of a surname another."""
        woman, man = low in _names_for("women"), low in _names_for("men")
        if woman != man:
            return self._chosen("women" if woman else "men", "given", low, refused)
        if woman or low in self._given:
            return self._chosen("men" if self._number("gender", low) % 2 else "women", "given", low, refused)
        return self._chosen("surnames", "surname", low, refused)

    def _initial(self, letter: str, refused: frozenset[str]) -> str:
        """That of the surrogate of the patient's given name that begins so, else another letter."""
        own = next((w for w in sorted(self._given) if w.startswith(letter.lower()) and len(w) > 1), None)
        surrogate = (
            self._name(own, refused)[0] if own else self._chosen("surnames", "initial", letter.lower(), refused)[0]
        )
        return surrogate.upper() if letter.isupper() else surrogate

    def _chosen(self, pool: str, kind: str, value: str, refused: frozenset[str]) -> str:
        names = pools()[pool]
        start = self._number(kind, value)
        for i in range(len(names)):
            name = names[(start + i) % len(names)]
            if name not in refused:
                return name
        return _invented(start, refused)

    def _number(self, kind: str, value: str) -> int:
        return int.from_bytes(self.pseudo.digest("surrogate", self.scope, kind, fold_value(value).lower())[:8], "big")

    def _numbers(self, text: str) -> str:
        return re.sub(r"\d+", lambda hit: digits_of(self._number("number", hit[0]), hit[0]), text)

    def _coded(self, original: str, kept: frozenset[str]) -> str:
        """Its digits others, its letters others of the same case; no number of the patient's own."""
        own = {_solid(value) for value in (*self.phi, original)}
        surrogate = ""
        for i in range(_MAX_TRIES):
            seed = self.pseudo.digest("surrogate", self.scope, "code", _solid(original), str(i))
            surrogate = _recoded(original, random.Random(seed), kept)  # noqa: S311  the seed is the secret
            if _solid(surrogate) not in own:
                break
        return surrogate

    def _date(self, original: str, day: str) -> str | None:
        """The shifted day written as the original was; of a month or a year alone, that of its middle shifted.

        None where the form is not understood, and where it would be one of the patient's own days by another reading.
        """
        if self.shift is None:
            return None
        if not day:
            return month_like(original, self.shift)
        new = dt.date.fromisoformat(day)
        own = header_days(self.phi)
        if any((d.year, *sorted((d.month, d.day))) == (new.year, *sorted((new.month, new.day))) for d in own):
            return None
        return day_like(original, new - self.shift, new)


def _recoded(original: str, rng: random.Random, kept: frozenset[str]) -> str:
    return re.sub(r"[^\W\d_]+|\d", lambda hit: _other(hit[0], rng, kept), original)


def _other(run: str, rng: random.Random, kept: frozenset[str]) -> str:
    if run.isdigit():
        return rng.choice("123456789") if run != "0" else "0"
    if run.lower() in kept:
        return run
    return "".join(rng.choice(string.ascii_uppercase if c.isupper() else string.ascii_lowercase) for c in run)


def _solid(value: str) -> str:
    return re.sub(r"[\W_]", "", value).lower()


_STARTS = ("al", "bar", "cal", "dun", "el", "far", "gar", "hal", "kel", "lan", "mor", "nor", "pel", "ren", "sel", "tor")
_ENDS = (
    "bury",
    "combe",
    "cott",
    "dale",
    "field",
    "ford",
    "grove",
    "ham",
    "ley",
    "more",
    "stead",
    "ston",
    "thorpe",
    "wick",
)


def _invented(start: int, refused: frozenset[str]) -> str:
    """A name of syllables, where the archive's people have every name of the pool."""
    for i in range(len(_STARTS) ** 2 * len(_ENDS)):
        at = start + i
        first, second, end = at % 16, at // 16 % 16, at // 256 % len(_ENDS)
        name = _STARTS[first] + _STARTS[second] + _ENDS[end]
        if name not in refused:
            return name
    return "norname"


def originals(source: str, scrubbed: str) -> list[str] | None:
    """What each placeholder of ``scrubbed`` stands for in ``source``; None where ``scrubbed`` is not made of it.

    Scrubbing puts placeholders in the place of stretches and changes nothing else but characters that nobody sees, so
    the text between two placeholders is found in the source, one stretch behind the other, each at its first place.
    """
    source = tidy(source)
    pieces, at = [], 0
    for hit in PLACEHOLDER.finditer(scrubbed):
        pieces.append(scrubbed[at : hit.start()])
        at = hit.end()
    last = scrubbed[at:]
    if not pieces:
        return [] if source == scrubbed else None
    if not source.startswith(pieces[0]):
        return None
    found, at = [], len(pieces[0])
    for piece in pieces[1:]:
        start = source.find(piece, at + 1)
        if start < 0:
            return None
        found.append(source[at:start])
        at = start + len(piece)
    end = len(source) - len(last)
    if end <= at or not source.endswith(last):
        return None
    return [*found, source[at:end]]


def taken_names(values: Sequence[str]) -> frozenset[str]:
    """Which names of the pools are someone's in ``values``, identifying values of headers and columns."""
    every = {name for pool in pools().values() for name in pool}
    return frozenset(w for value in values for w in name_words(value) if w in every)
