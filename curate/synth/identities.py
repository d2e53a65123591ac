"""The patients, doctors and machines, and a ledger of every identifying string that is written.

The names are invented combinations of uncommon names, none of them an English or a clinical word, and none shorter
than six letters where it stands alone: a byte search for one of them in clean output has no chance hits. For the
same reason no date has the form YYYY-MM-DD, in which shifted, harmless dates are written downstream.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field

import numpy as np

from curate.synth.case import Purpose, rng_for
from curate.synth.catalogue import NAMES

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
MIN_CHARS = 4  # a shorter string found in a byte search proves nothing
_STREETS = ("Quillfeather Lane", "Old Tannery Row", "Marchbanks Terrace", "Saltergate Crescent", "Fenwicke Avenue")


@dataclass
class Ledger:
    """Every identifying string as written, in order; ``pixels`` has those that are drawn into pixels."""

    strings: dict[str, None] = field(default_factory=dict)
    pixels: dict[str, None] = field(default_factory=dict)

    def note(self, text: str, *parts: str) -> str:
        """Add ``text``, and those ``parts`` of it that are identifying by themselves; returns ``text``."""
        for s in (text, *(p for p in parts if p in text)):
            if len(s) >= MIN_CHARS:
                self.strings[s] = None
        return text

    def note_drawn(self, text: str, *parts: str) -> str:
        """`note` for a text that is drawn into the picture."""
        for s in (text, *(p for p in parts if p in text)):
            self.pixels[s] = None
        return self.note(text, *parts)


@dataclass(frozen=True)
class Patient:
    """One patient. ``charset`` is the SpecificCharacterSet the name needs; ``ideographic`` is family^given or ""."""

    mrn: str
    surname: str
    given: str
    middle: str
    sex: str
    birth: dt.date
    charset: tuple[str, ...]
    ideographic: str
    phone: str
    address: str

    def name(self, form: str, ledger: Ledger) -> str:
        """The name in one of its written forms, added to the ledger."""
        title = "Ms." if self.sex == "F" else "Mr."
        text = {
            "comma": f"{self.surname}, {self.given}",
            "upper": f"{self.surname}, {self.given}".upper(),
            "full": f"{self.given} {self.middle}. {self.surname}",
            "short": f"{self.given} {self.surname}",
            "title": f"{title} {self.surname}",
            "dicom": f"{self.surname}^{self.given}^{self.middle}",
            "DICOM": f"{self.surname}^{self.given}^{self.middle}".upper(),
        }[form]
        return ledger.note(text, *self.parts)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that identify by themselves inside a longer form."""
        return self.surname, self.given, self.surname.upper(), self.given.upper()


@dataclass(frozen=True)
class Visit:
    """One study's own identifiers."""

    accession: str
    study_uid: str
    series_uid: str
    frame_uid: str
    date: dt.date
    time: str
    institution: str
    town: str
    referring: tuple[str, str]  # surname, initial
    reader: tuple[str, str]
    phone: str
    serial: str
    station: str


def make_uid(seed: int, *parts: object) -> str:
    """A UID under 2.25, a function of the seed and ``parts``."""
    message = "/".join(str(part) for part in (seed, *parts)).encode()
    return f"2.25.{int.from_bytes(hashlib.blake2b(message, digest_size=16).digest(), 'big')}"


def make_patient(seed: int, index: int) -> Patient:
    """Patient ``index``; one in twelve has a name outside Latin-1."""
    rng = rng_for(seed, Purpose.PATIENT, index)
    sex = str(rng.choice(["F", "M"]))
    surname, given = (
        str(rng.choice(NAMES["surnames"])),
        str(rng.choice(NAMES["given_f"] if sex == "F" else NAMES["given_m"])),
    )
    charset: tuple[str, ...] = ("ISO_IR 100",) if rng.random() < 0.7 else ("ISO_IR 192",)
    ideographic, unusual = "", rng.random()
    if unusual < 0.04:
        surname, given = NAMES["cyrillic"][int(rng.integers(len(NAMES["cyrillic"])))]
        charset = ("ISO_IR 144",) if rng.random() < 0.6 else ("ISO_IR 192",)
    elif unusual < 0.08:
        surname, given, *native = NAMES["japanese"][int(rng.integers(len(NAMES["japanese"])))]
        charset, ideographic = ("", "ISO 2022 IR 87") if rng.random() < 0.6 else ("ISO_IR 192",), "^".join(native)
    birth = dt.date(1926, 1, 1) + dt.timedelta(days=int(rng.integers(0, 75 * 365)))
    # distinct for every index
    mrn = f"QH{(index * 7919 + 10_000_019 + seed * 104_729) % 100_000_000:08d}"
    address = f"{rng.integers(11, 9900)} {rng.choice(_STREETS)}"
    middle = str(rng.choice(list("ABCDEFGHJKLM")))
    return Patient(mrn, surname, given, middle, sex, birth, charset, ideographic, _phone(rng), address)


def make_visit(seed: int, index: int) -> Visit:
    """The identifiers of study ``index``."""
    rng = rng_for(seed, Purpose.VISIT, index)
    date = dt.date(2012, 1, 1) + dt.timedelta(days=int(rng.integers(0, 4000)))
    institution, town = NAMES["hospitals"][int(rng.integers(len(NAMES["hospitals"])))]
    doctors = [
        (str(d), str(rng.choice(list("ABCEFGHJKLMNPRST")))) for d in rng.choice(NAMES["doctors"], 2, replace=False)
    ]
    uids = [make_uid(seed, kind, index) for kind in ("study", "series", "frame")]
    return Visit(
        accession=f"RX{date.year}{(index * 31 + seed * 7 + 1009) % 100_000_000:08d}",
        study_uid=uids[0],
        series_uid=uids[1],
        frame_uid=uids[2],
        date=date,
        time=f"{rng.integers(6, 22):02d}{rng.integers(60):02d}{rng.integers(60):02d}",
        institution=institution,
        town=town,
        referring=doctors[0],
        reader=doctors[1],
        phone=_phone(rng),
        serial=f"SNK{rng.integers(10, 99)}-{rng.integers(10_000, 99_999)}",
        station=f"XRSTN{rng.integers(100, 999)}",
    )


def _phone(rng: np.random.Generator) -> str:
    """A number of the block reserved for fiction."""
    return f"({rng.integers(201, 989)}) 555-01{rng.integers(100):02d}"


def write_date(day: dt.date, form: str, ledger: Ledger) -> str:
    """A full date in one of the forms reports and tags use; never YYYY-MM-DD (see the module's docstring)."""
    text = {
        "da": f"{day:%Y%m%d}",
        "us": f"{day:%m/%d/%Y}",
        "dots": f"{day:%d.%m.%Y}",
        "long": f"{MONTHS[day.month - 1]} {day.day}, {day.year}",
        "british": f"{day.day} {MONTHS[day.month - 1]} {day.year}",
        "dash": f"{day.day:02d}-{MONTHS[day.month - 1][:3]}-{day.year}",
    }[form]
    return ledger.note(text)
