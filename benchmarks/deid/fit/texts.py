"""Texts with marked identifiers, for fitting the tagger (`curate.deid.text.tagger`), and what is made of them.

`train_a.jsonl` to `train_o.jsonl` but m were written (2026-11-28 and 29) by fourteen hands that had seen neither rules
nor tests nor each other's texts: reports, letters, notes and left-overs with every identifying value marked
`[[LABEL|value]]`; f wrote more of places, days and numbers, g of names and what looks like one, h ordinary reports, i,
j and k as in North America, in Britain, Ireland and the south, and in India, the Gulf, Africa and Asia, l of cases and
what looks like a name and is none, n of places and of names that are words, o of numbers, days, telephones and ages and
of numbers that are none of these. m (one line each, by the hand that mended the rules) is of named places and of scores
and makers named by cities, p of plain sentences that hold nobody, or a name, a bed, a ward that a test's might. Another
hand's are the fresh frames, which are in-sample for the rules. So that no name or number is learned by heart, values
are drawn anew each time a text is read, in the same shape; capitals, full stops and letters vary as well. Beside them
stand the dev half of the frames, the forms of identifiers with their look-alikes (but the fresh ones), and sentences of
our own making.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files

from benchmarks.deid.fit.made_sentences import Maker
from benchmarks.deid.forms.__main__ import texts as form_texts
from benchmarks.deid.frames import fillings
from benchmarks.deid.frames.marked import Pieces, pieces_of
from curate.deid.text.fold import tidy
from curate.deid.word_lists import words
from curate.deid.words.vocabulary import Kind, kind

_LABEL = {"PLACE": "ADDRESS"}  # as the product calls it
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_STAY = words("de van der von den la le el al bin binti bint abu ibn san dos da di st y e ap ben ter")
_OF_PLACES = words(
    """
    street st road rd avenue ave lane ln drive dr close court ct crescent place way terrace house flat apt unit floor
    hospital clinic centre center ward room bed bay medical memorial general regional community health imaging
    university college school of the and for at in near practice surgery infirmary radiology diagnostics department
    suite block sector phase building tower north south east west upper lower box po p o nursing home care royal
    national county city primary secondary high academy institute ltd inc pty limited company no nagar colony cross
    main layout
    """
)
# Hands mark "BED 3" and "bed [3]" about as often; the product keeps the cue.
_LIES = re.compile(
    r"(?:beds?|bay|wards?|room|rm|suite|cubicle|theatre|or|icu|itu|hdu|unit|pod)[ ]?#?[ ]?(?P<value>[a-z]?\d+[a-z]?)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[ ,/]+")
_NUMBER = re.compile(
    r"(?<![\w.,/:-])(?<!aged )(?<!age )\d{2,3}(?![\w.,/:-]|[ ]?(?:y|f\b|m\b|/|male|female|lady|man\b|woman))",
    re.IGNORECASE,
)  # of a finding, not of an age
_MONTHS = sorted(words("january february march april may june july august september october november december"))
_DAYS = sorted(words("monday tuesday wednesday thursday friday saturday sunday"))


@dataclass(frozen=True)
class Marked:
    """A text in pieces, each with the label of what must go, or "" """

    key: str
    pieces: Pieces


WRITERS = "abcdefghijklmno"
PLAIN = "p"  # in every fit: nobody is judged by it
LATER = "no"  # whose texts the decision per word is not fitted to, so that the tagger reads them as any others
SITES = 0.4  # of named places, how many become quite another
FRESH = "fresh"  # frames, filled
FOLDS = (("i", "j", "k", "l"), ("b", "e", "h", "n", FRESH), ("a", "c", "d", "f", "g", "m", "o"))  # left out together


def written(name: str) -> list[Marked]:
    """The texts of one of `WRITERS`, or `PLAIN`."""
    lines = files("benchmarks.deid.fit").joinpath(f"train_{name}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return [Marked(row["id"], marked(row["text"])) for row in rows]


def marked(text: str) -> Pieces:
    """The pieces of a text as it is scrubbed, by the product's labels; of a bed or a ward the cue stays."""
    found = Pieces()
    for label, piece in pieces_of(tidy(text)):
        if label in ("PLACE", "ADDRESS") and not _BETWEEN.sub("", _LIES.sub("", piece)):
            found += _without_cues(piece)
        else:
            found.append((_LABEL.get(label, label), piece))
    return found


def _without_cues(place: str) -> Iterator[tuple[str, str]]:
    at = 0
    for hit in _LIES.finditer(place):
        yield "", place[at : hit.start("value")]
        yield "ADDRESS", hit["value"]
        at = hit.end()
    if place[at:]:
        yield "", place[at:]


_KINDS = (
    ("IP", "ID"), ("URL", "URL"), ("mail", "EMAIL"),
    ("name", "NAME"), ("initial", "NAME"), ("twoletters", "NAME"), ("phone", "PHONE"), ("fax", "PHONE"),
    ("pager", "PHONE"), ("ext", "PHONE"), ("contact", "PHONE"), ("age", "AGE"), ("spelled", "NAME"), ("date", "DATE"),
    ("month", "DATE"), ("day", "DATE"), ("time", "TIME"), ("clock", "TIME"), ("hour", "TIME"), ("email", "EMAIL"),
    ("url", "URL"), ("addr", "ADDRESS"), ("zip", "ADDRESS"), ("post", "ADDRESS"), ("fac", "ADDRESS"),
    ("town", "ADDRESS"), ("city", "ADDRESS"), ("room", "ADDRESS"), ("ward", "ADDRESS"), ("street", "ADDRESS"),
    ("bed", "ADDRESS"), ("place", "ADDRESS"), ("apart", "ADDRESS"),
)  # fmt: skip


def framed(split: str, fills: int, seed: int) -> list[Marked]:
    """The frames of a split ("dev" or "fresh"), filled."""
    return [_of(text) for text in fillings.render(split, fills, seed) if text.case == "as written"]


def _of(text: fillings.Text) -> Marked:
    pieces, at = list[tuple[str, str]](), 0
    for gold in text.gold:
        label = next((to for begin, to in _KINDS if begin in gold.kind), "ID")
        pieces += [("", text.text[at : gold.start]), (label, text.text[gold.start : gold.end])]
        at = gold.end
    return Marked(text.frame, [(k, t) for k, t in [*pieces, ("", text.text[at:])] if t])


def forms(name: str) -> list[Marked]:
    """The forms of identifiers and their look-alikes, "dev" or "families"."""
    return [_of(text) for text in form_texts(name) if text.case == "as written"]


def sentences(maker: Maker, count: int) -> Iterator[Marked]:
    """Sentences of our own making: their names, places, days and numbers."""
    for number in range(count):
        text, names, masked = maker.text()
        spans = sorted([*((s, e, "NAME") for s, e in names), *masked])
        pieces, at = list[tuple[str, str]](), 0
        for start, end, label in spans:
            label = "ADDRESS" if label == "FACILITY" else label
            pieces += [("", text[at:start]), (label, text[start:end].replace("\0", f"[{label}]"))]
            at = end
        yield Marked(f"sentence {number}", [(k, t) for k, t in [*pieces, ("", text[at:])] if t])


class Drawer:
    """Draws values anew, in the shape that is there."""

    def __init__(self, maker: Maker, rng: random.Random) -> None:
        self.maker, self.r = maker, rng

    def vary(self, one: Marked) -> Pieces:
        """The text with other values, in other letters."""
        r, same = self.r, dict[str, str]()
        how: dict[str, Callable[[str], str]] = {
            "NAME": lambda v: _WORD.sub(lambda hit: self._name(hit[0], same), v),
            "ADDRESS": self._place,
            "DATE": self._date,
            "AGE": lambda v: re.sub(r"\d+", lambda _: str(r.choice((*range(90, 100), 101, 103))), v),
            "PHONE": self._digits,
            "ID": self._code,
            "EMAIL": self._address,
            "URL": self._address,
        }
        pieces = [
            (label, how[label](text) if label in how and text[:1] != "[" and r.random() < 0.7 else text)
            for label, text in one.pieces
        ]
        return self._styled(pieces)

    def of(self, name: str, times: int) -> list[Marked]:
        """The texts of a writer, or the fresh frames, each ``times`` drawn anew; of a quarter of them some of what must
        go is masked already, as a second look sees it."""
        texts = framed(FRESH, times, 5) if name == FRESH else [one for one in written(name) for _ in range(times)]
        return [self.drawn(one) for one in texts]

    def drawn(self, one: Marked) -> Marked:
        """Another text like this one."""
        pieces, r = self.vary(one), self.r
        if r.random() < 0.25:
            pieces = [(k, f"[{k}]" if k and text[:1] != "[" and r.random() < 0.6 else text) for k, text in pieces]
        return Marked(one.key, pieces)

    def _styled(self, pieces: Pieces) -> Pieces:
        r = self.r
        x = r.random()
        change = str.upper if x < 0.2 else str.lower if x < 0.4 else str
        wrong = r.random() < 0.25
        stops = r.random() < 0.06
        found = []
        for label, text in pieces:
            if not label and wrong:
                text = _WORD.sub(lambda hit: self.maker.misspelt(hit[0]) if self._is_long(hit[0]) else hit[0], text)
            if not label:
                text = _NUMBER.sub(self._number, text)
            if not label and stops:
                text = re.sub(r"\.(?=\s)", "", text)
            if text[:1] == "[" and label:
                found.append((label, text))
            else:
                found.append((label, "".join(c if len(change(c)) != 1 else change(c) for c in text)))
        return found

    def _number(self, hit: re.Match[str]) -> str:
        """Another number where a finding's stands, many of them as high as the ages that go."""
        x = self.r.random()
        if x < 0.6:
            return hit[0]
        return str(self.r.randint(90, 104) if x < 0.8 else self.r.randint(10, 10 ** len(hit[0])))

    def _is_long(self, word: str) -> bool:
        return len(word) > 4 and self.r.random() < 0.04

    def _like(self, old: str, new: str) -> str:
        return new.upper() if old.isupper() and len(old) > 1 else new.lower() if old.islower() else new

    def _name(self, word: str, same: dict[str, str]) -> str:
        if word.lower() in _STAY or len(word) == 1:
            return word if len(word) > 1 else self._like(word, self.r.choice(string.ascii_uppercase))
        if len(word) < 4 and not kind(word.lower()) & Kind.KNOWN and (word.isupper() or word.islower()):
            return self._like(word, "".join(self.r.choices(string.ascii_uppercase, k=len(word))))
        key = word.lower()
        if key not in same:
            same[key] = self.maker.surname() if self.r.random() < 0.6 else self.maker.given()
        return self._like(word, same[key])

    def _place(self, value: str) -> str:
        def word(hit: re.Match[str]) -> str:
            if hit[0].lower() in _OF_PLACES or len(hit[0]) < 3 or self.r.random() < 0.2:
                return hit[0]
            new = self.maker.surname() if self.r.random() < 0.5 else self.maker.town()
            return self._like(hit[0], new)

        if not any(map(str.isdigit, value)) and len(value) > 4 and self.r.random() < SITES:
            return self._like(value, self.maker.site())
        return self._digits(_WORD.sub(word, value))

    def _digits(self, value: str) -> str:
        return re.sub(r"\d", lambda hit: self.r.choice(string.digits if hit.start() else "123456789"), value)

    def _code(self, value: str) -> str:
        def letters(hit: re.Match[str]) -> str:
            if not any(map(str.isdigit, hit[0])) or self.r.random() < 0.4:
                return hit[0]
            return re.sub(r"[A-Z]", lambda _: self.r.choice(string.ascii_uppercase), hit[0])

        return self._digits(re.sub(r"\S+", letters, value))

    def _address(self, value: str) -> str:
        same: dict[str, str] = {}
        words = re.split(r"(\W|_|\d+)", value)
        return "".join(
            self._name(w, same) if w.isalpha() and self.r.random() < 0.4 and len(w) > 3 else w for w in words
        )

    def _date(self, value: str) -> str:
        r = self.r

        def number(hit: re.Match[str]) -> str:
            old, size = int(hit[0]), len(hit[0])
            if size == 4 and 1900 <= old < 2040:
                return str(r.randint(1931, 2026) if r.random() < 0.3 else r.randint(2015, 2026))
            if size > 2:
                return self._digits(hit[0])
            new = r.randint(1, 12) if 0 < old < 13 else r.randint(13, 28) if old < 32 else r.randint(32, 99)
            return str(new).zfill(size) if size == 2 and (hit[0][0] == "0" or new > 9) else str(new)

        def word(hit: re.Match[str]) -> str:
            low = hit[0].lower()
            for names in (_MONTHS, _DAYS):
                if low in names:
                    return self._cased(hit[0], r.choice(names))
                if len(low) == 3 and any(name.startswith(low) for name in names):
                    return self._cased(hit[0], r.choice(names)[:3])
            return hit[0]

        return _WORD.sub(word, re.sub(r"\d+", number, value))

    def _cased(self, old: str, new: str) -> str:
        return new.capitalize() if old.istitle() else self._like(old, new)
