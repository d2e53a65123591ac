"""Invented people, places and numbers for the notes, from Faker: no list of the product is from there."""

from __future__ import annotations

import datetime as dt
import random
import unicodedata
from dataclasses import dataclass

from faker import Faker  # in the `dev` extra: pip install -e '.[dev]'

LOCALES = ("en_US", "en_US", "en_GB", "en_AU", "en_IN", "es_MX", "es_ES", "de_DE", "fr_FR", "it_IT", "pl_PL", "tr_TR",
           "nl_NL", "pt_BR", "sv_SE", "cs_CZ", "fi_FI", "hr_HR", "ro_RO", "id_ID", "tw_GH", "yo_NG")  # fmt: skip
_SHORTEST = 3  # two-letter names are not told from words by anyone


@dataclass(frozen=True)
class Person:
    """A person's given name and surname, as spelled in running text."""

    given: str
    surname: str


class Cast:
    """Draws people and places; deterministic by seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.fakers = [Faker(locale) for locale in LOCALES]
        for i, faker in enumerate(self.fakers):
            faker.seed_instance(seed * 1000 + i)

    def person(self) -> Person:
        """One of any locale; half of the accented names are written without their accents, as systems do."""
        faker = self.rng.choice(self.fakers)
        while True:
            given, surname = faker.first_name(), faker.last_name()
            if self.rng.random() < 0.5:
                given, surname = _plain(given), _plain(surname)
            words = [*given.split(), *surname.split()]
            if all(len(w) >= _SHORTEST and w[0].isupper() for w in words) and _latin(given + surname):
                return Person(given.split()[0], surname)

    def city(self) -> str:
        """A town of one of the locales."""
        while True:
            city = _plain(self.rng.choice(self.fakers).city())
            words = city.split()
            if _latin(city) and len(words) < 3 and all(len(w) > _SHORTEST and w.isalpha() for w in words):
                return city

    def street(self) -> str:
        """House number and street, English form."""
        kind = self.rng.choice(("Street", "Avenue", "Road", "Lane", "Drive", "Court", "Blvd", "Way"))
        return f"{self.rng.randint(2, 9899)} {self.person().surname} {kind}"

    def company(self) -> str:
        """A firm named after its founders."""
        a, b = self.person().surname, self.person().surname
        return self.rng.choice((f"{a} and {b}", f"{a} Logistics", f"{a} & Sons", f"{a} Bakery"))

    def digits(self, form: str) -> str:
        """``form`` with # as any digit, @ as any capital letter."""
        pick = {"#": "0123456789", "@": "ABCDEFGHJKLMNPRSTUVWXYZ"}
        return "".join(self.rng.choice(pick[c]) if c in pick else c for c in form)

    def day(self, low: int = 2005, high: int = 2024) -> dt.date:
        """Any day of those years."""
        return dt.date(low, 1, 1) + dt.timedelta(days=self.rng.randrange(365 * (high - low)))


def _plain(text: str) -> str:
    folded = unicodedata.normalize(
        "NFKD", text.replace("ß", "ss").replace("ł", "l").replace("Ł", "L").replace("ø", "o")
    )
    return "".join(c for c in folded if not unicodedata.combining(c))


def _latin(text: str) -> bool:
    return all(ord(c) < 0x250 for c in text)
