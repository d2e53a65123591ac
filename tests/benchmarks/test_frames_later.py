"""Frames written later: what must go is what stands there, nothing else tells anyone, none repeats."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256
from itertools import chain, pairwise

import pytest

from benchmarks.deid.frames.fillings import SPLITS, Text, frames, main, render
from benchmarks.deid.frames.values.people import names
from benchmarks.deid.frames.values.third import of_a_kind
from benchmarks.deid.public import in_sample

_SLOT = re.compile(r"\{\w+\}")
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?)"
)
_DAY, _NUMBER = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])"
_IDENTIFIERS = {  # what no frame may hold outside its slots, told by shape and without the product's own patterns
    "date": rf"\b(?:{_DAY}([-/.]){_NUMBER}\1|{_NUMBER}([-/.]){_DAY}\2)(?:19|20)?\d\d\b|\b(?:19|20)\d\d[-/]\d\d?[-/]",
    "day and month": rf"\b\d{{1,2}}(?:st|nd|rd|th)? {_MONTH}\b|\b{_MONTH}\.? (?:the )?\d{{1,2}}(?:st|nd|rd|th)?\b",
    "year": r"(?<![\d.])(?:19|20)\d\d(?! ?g\b|\d)",
    "weekday": r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day",
    "time": r"\b\d{1,2}[:.]\d\d ?[ap]\.?m\b|\b\d{4} ?h(?:rs)?\b",
    "address": r"\S@\S|https?:|www\.|\.(?:com|org|net)\b|\b\d{1,3}(?:\.\d{1,3}){3}\b",
    "long number": r"\d{5}|\b\d{3}[- ]\d{3}[- ]\d{3}|\b[A-Z]{1,3}\d{4}",
    "age over 89": r"\b(?:9\d|10\d)[- ]?(?:y|year)|\baged? (?:9\d|ninety)|\bninety[- ]?\w* year",
    "titled name": r"\b(?:Dr|Mr|Mrs|Ms|Prof|Rev|Shri|Sister)\b\.? [A-Z][a-z]",
}
_FLOORS = {
    "other name": 250, "name that is a word": 250, "other name, cued": 40, "name that is a word, cued": 40,
    "time": 50, "date": 50, "facility": 40, "date without year": 40, "phone": 40, "town": 25, "address": 20,
    "record number": 15, "age over 89": 15, "month and year": 15, "device serial": 10, "postcode": 10, "accession": 10,
    "licence": 10, "bed": 8, "e-mail": 8, "date of birth": 8, "date, spoken": 8, "room": 6, "health number": 6,
    "ward": 6, "case number": 5, "number plate": 5, "URL": 5, "age over 89, spelled": 4, "extension": 4, "pager": 4,
    "account number": 3, "IP address": 3, "phone, spoken": 3, "national number": 2, "apartment": 2, "name, spelled": 2,
    "vehicle identifier": 1, "passport": 1, "e-mail, spoken": 1,
}  # fmt: skip
_MORE = {
    "fresh": {},
    "third": {"employer": 8, "school": 8, "initials": 5, "record number, spoken": 1},
    "fourth": {"employer": 20, "school": 15, "initials": 30, "day of the month": 20, "month alone": 12, "apartment": 0,
               "vehicle identifier": 0, "e-mail, spoken": 0,
               "device serial": 3, "IP address": 2, "URL": 1, "age over 89": 10, "licence": 6},
}  # fmt: skip
_EITHER = {  # what of a slot is of no one: initials, commas; of the third set also particles, titles, words of a kind
    "fresh": r"[A-Z]\. |[, ]*",
    "third": r"(?:[A-Z]\.|[A-Z]{1,2}|van der|de la|von|ter|dos|Le|bin|Const\.|Det\.|Dra\.|Master|PC|Sgt|[- ,])*"
    r"|(?:years of age|-?year old|y\.o\.|y/o|[- ]yr[- ]old|yrs|yo|[FMYy /])*",
    "fourth": r"[A-Z]\. |[, ]*",
}


@pytest.fixture(scope="module", params=["fresh", "third", "fourth"])
def split(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def rendered(split) -> list[Text]:
    return list(render(split, 1, 3))


def test_every_frame_is_itself_and_every_style_has_as_many(split):
    found = frames(split)
    assert len(found) >= 150
    assert all(f["id"] == sha256(f["text"].encode()).hexdigest()[:10] for f in found)
    assert min(Counter(f["style"] for f in found).values()) >= 25
    assert len({f["modality"] for f in found}) >= 10


def test_spans_are_where_the_frame_has_its_slots(split, rendered):
    """What must stay is the frame's own words; between them lie its slots, which hold the spans and little else."""
    words = {f["id"]: _SLOT.split(f["text"]) for f in frames(split)}
    for text in (t for t in rendered if t.case == "as written"):
        assert [text.text[a:b] for a, b in text.protected] == words[text.frame]
        gone = {i for g in text.gold for i in range(g.start, g.end)}
        for (_, a), (b, _) in pairwise(text.protected):
            either = "".join(text.text[i] for i in range(a, b) if i not in gone)
            assert a < b
            assert (
                re.fullmatch(_EITHER[split], either)
                or either == text.text[a:b]
                or all(map(of_a_kind, either.split()))
                or split == "fourth"
            )  # a weekday; of the fourth set the values say what may stay
        assert len(gone) == sum(g.end - g.start for g in text.gold)
        assert all(text.text[g.start : g.end].strip() == text.text[g.start : g.end] != "" for g in text.gold)


@pytest.mark.parametrize("kind", _IDENTIFIERS)
def test_outside_the_slots_nothing_has_the_shape_of_an_identifier(split, kind):
    pattern = re.compile(_IDENTIFIERS[kind], 0 if kind in ("long number", "titled name") else re.I)
    told = [f["id"] for f in frames(split) if any(map(pattern.search, _SLOT.split(f["text"])))]
    assert not told


def test_kinds_are_many(split, rendered):
    found = Counter(g.kind for t in rendered if t.case == "as written" for g in t.gold)
    floors = _FLOORS | _MORE[split]
    assert not {kind: (found[kind], floor) for kind, floor in floors.items() if found[kind] < floor}


def test_no_wording_is_used_twice(split):
    """Six words in a row stand in one frame alone, of any split."""
    held: Counter[tuple[str, ...]] = Counter()
    for frame in chain(*(frames(each) for each in SPLITS)):
        held.update(in_sample.grams(in_sample.sentences([frame["text"]]), 6))
    mine = in_sample.grams(in_sample.sentences([f["text"] for f in frames(split)]), 6)
    few, chance = (900, 50) if split == "fourth" else (2500, 500)  # the fourth is mostly slots
    assert len(mine) > few
    assert sum(held[g] > 1 for g in mine) * chance <= len(mine)


def test_other_names_are_no_words_among_them(split):
    words = {n.casefold() for g, found in names(split).items() if g.startswith("words") for n in found}
    others = {n.casefold() for g, found in names(split).items() if not g.startswith("words") for n in found}
    assert not words & others
    assert all(len(n) == 2 for n in names(split)["two letters"])


@pytest.mark.parametrize("option", ["--texts", "--render"])
@pytest.mark.parametrize("held", ["test", "fresh", "third"])
def test_held_out_texts_are_not_shown(held, option, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["frames", "--split", held, option, str(tmp_path / "texts")])
    with pytest.raises(SystemExit):
        main()
    assert not list(tmp_path.iterdir())
