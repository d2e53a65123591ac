"""The frames of one language, filled by seed, in three cases; and what of them was left and lost."""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from benchmarks.deid.frames import score, table
from benchmarks.deid.frames.fillings import Text, fill
from benchmarks.deid.frames.values.people import OTHER, WORD, Deck, Pieces, half
from benchmarks.deid.languages.values import Values
from benchmarks.deid.languages.words import measure_of

CODES = ("de", "es", "fr", "it", "nl", "pt")
_PARTICLES = {"nl": ("van ", "van der ", "de ", "van den "), "pt": ("da ", "dos ", "de "), "de": ("von ", "von der "),
              "it": ("De ", "Di "), "fr": ("de ", "de la "), "es": ("de ", "del ")}  # fmt: skip
_WITH_PARTICLE = {"nl": 0.4, "pt": 0.2}  # of surnames; elsewhere one in twenty


def languages(argument: str) -> tuple[str, ...]:
    """ "de,es" -> the two codes. ArgumentTypeError: no such language."""
    found = tuple(argument.split(","))
    if not set(found) <= set(CODES):
        raise argparse.ArgumentTypeError(f"of {', '.join(CODES)}")
    return found


@cache
def read(code: str) -> dict[str, list[str]]:
    """The sections of a language's file: lists, and "frames" as "style | text"."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in files("benchmarks.deid.languages").joinpath(f"{code}.txt").read_text("utf-8").splitlines():
        if line.startswith("## "):
            title = line[3:]
        elif line and not line.startswith("#"):
            found.setdefault(title, []).extend([line] if title == "frames" else line.split("|"))
    return found


class _People:
    """Names of one language and split."""

    def __init__(self, code: str, split: str, rng: random.Random) -> None:
        self.code, self.rng = code, rng
        of = {title: [n for n in names if half(n) == split] for title, names in read(code).items() if title != "frames"}
        self.words, self.others, self.givens = (
            Deck(of[t], rng) for t in ("surnames that are words", "surnames", "given")
        )

    def one(self) -> Pieces:
        """One surname, a word or none, now and then with its particle."""
        word = self.rng.random() < 0.5
        name = (self.words if word else self.others).draw()
        chance = _WITH_PARTICLE.get(self.code, 0.05)
        lead = self.rng.choice(_PARTICLES[self.code]) if self.rng.random() < chance else ""
        return [*([("", lead)] if lead else []), (WORD if word else OTHER, name)]

    def surname(self) -> Pieces:
        """A surname: in Spain often two, in Brazil and Portugal too."""
        chance = {"es": 0.6, "pt": 0.3}.get(self.code, 0.08)
        second = (
            [("", "-" if self.code not in ("es", "pt") else " "), *self.one()] if self.rng.random() < chance else []
        )
        return [*self.one(), *second]

    def given(self) -> Pieces:
        """A given name."""
        return [(OTHER, self.givens.draw())]

    def full(self) -> Pieces:
        """Both."""
        return [*self.given(), ("", " "), *self.surname()]


class _Filling:
    """One text's fillings."""

    def __init__(self, people: _People, values: Values) -> None:
        self.people, self.values = people, values
        self.own: dict[str, Pieces] = {}
        self.birth = ""

    def value(self, slot: str) -> Pieces:
        """The pieces of one slot."""
        makers = {"f": self.people.full, "s": self.people.surname, "g": self.people.given}
        if slot.lower() in makers:
            pieces = makers[slot.lower()]()
            return [(f"{k}, cued" if k and slot.isupper() else k, text) for k, text in pieces]
        if slot in ("pf", "ps", "pl", "pb", "pn"):
            return self._own(slot)
        return [self.values.value(slot, self.people.others.draw())]

    def _own(self, slot: str) -> Pieces:
        if not self.own:
            given, surname = self.people.given(), self.people.surname()
            shown, self.birth = self.values.born()
            self.own = {"pf": [*given, ("", " "), *surname], "ps": surname, "pl": [*surname, ("", ", "), *given],
                        "pb": [("date of birth", shown)], "pn": [("record number", self.values.form("pid"))],
                        "given": given}  # fmt: skip
        return self.own[slot]

    def header(self) -> tuple[str, ...]:
        """Name, number and day of birth as a DICOM header holds them; () where the text does not name its patient."""
        if not self.own:
            return ()
        surname, given = ("".join(t for _, t in self.own[k]) for k in ("ps", "given"))
        return (f"{surname}^{given}", self.own["pn"][0][1], self.birth)


def render(code: str, split: str, fills: int = 8, seed: int = 1) -> Iterator[Text]:
    """Every frame of the half ``fills`` times over in every case; the same for the same arguments."""
    rng = random.Random(f"{code}/{split}/{seed}")
    people, values = _People(code, split, rng), Values(code, read(code), rng)
    for _ in range(fills):
        for number, line in enumerate(read(code)["frames"]):
            style, text = line.split(" | ", 1)
            if half(text) == split:
                frame = {"id": f"{code}{number}", "style": style, "modality": "", "text": text.replace("\\n", "\n")}
                yield from fill(frame, _Filling(people, values))


def row(found: dict[str, Any]) -> dict[str, Any]:
    """The figures of a summary that the targets are of."""
    groups = {
        "names that are words": "names that are words",
        "other names": "other names",
        "hard identifiers": "hard identifiers",
    }
    told = {name: [found["left"][key]["n"], found["left"][key]["of"]] for name, key in groups.items()}
    told |= {"closed lost": [found["closed-class words lost"]["n"], found["closed-class words lost"]["of"]]}
    told |= {"words lost": [found["clinical words lost"]["n"], found["clinical words lost"]["of"]]}
    return told | {"withheld": [found["withheld"], found["texts"]]}


def measure(fills: int) -> dict[str, Any]:
    """{split: {language: `table.summary`}}; the scrubber told that all seven languages are cleaned."""
    told: dict[str, Any] = {}
    for split in ("dev", "test"):
        for code in CODES:
            texts = list(render(code, split, fills))
            outcomes = score.run(texts, ("en", *CODES), measure_of(code))
            told.setdefault(split, {})[code] = table.summary(texts, outcomes)
    return told
