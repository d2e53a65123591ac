"""A generator of radiology notes with protected health information inside the findings, every span exact.

Held apart from the rules it measures: it was written from the task alone, by someone who had not read the scrubber;
its names come from Faker in 22 locales, not from any list of the product; its clinical sentences (`clinical/*.txt`)
and its sentences about people (`phi_sentences.txt`) are its own; and nothing of the product reads or imports it.
Names that are words too ("Rose", "Baker", "Long") are left in as often as Faker draws them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from benchmarks.deid.notes.people import Cast, Person

_SLOT = re.compile(r"\{(\w+)\}")
_SECTIONS = ("history", "comparison", "findings", "impression")
_TITLES = {"history": ("CLINICAL HISTORY", "INDICATION", "HISTORY"), "comparison": ("COMPARISON", "PRIOR STUDIES"),
           "findings": ("FINDINGS", "REPORT"), "impression": ("IMPRESSION", "CONCLUSION")}  # fmt: skip
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip


@dataclass(frozen=True)
class Span:
    """Protected text: ``text`` is note[start:end], of this ``kind``; ``own``: the patient's header knows it."""

    start: int
    end: int
    kind: str
    text: str
    own: bool


@dataclass(frozen=True)
class Note:
    """One report. ``header``: the patient's own values as a DICOM header holds them."""

    patient_id: str
    text: str
    spans: tuple[Span, ...]
    header: tuple[str, ...]


@dataclass
class _Draft:
    cast: Cast
    rng: random.Random
    patient: Person
    mrn: str
    accession: str
    birth: str
    parts: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    length: int = 0

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def sentence(self, template: str) -> None:
        """The template with its slots filled: numbers of medicine plain, identities as spans."""
        at = 0
        for match in _SLOT.finditer(template):
            self.add(template[at : match.start()])
            name, at = match.group(1), match.end()
            if name in _PLAIN:
                self.add(_PLAIN[name](self.rng))
                continue
            text = _KINDS[name](self)
            own = name.startswith("patient") or name in ("mrn", "acc", "dob")
            self.spans.append(Span(self.length, self.length + len(text), name.split("_")[0], text, own))
            self.add(text)
        self.add(template[at:])


def _date(d: _Draft) -> str:
    day, rng = d.cast.day(), d.rng
    month, short = _MONTHS[day.month - 1], _MONTHS[day.month - 1][:3]
    forms = (f"{day.month}/{day.day}/{day.year}", f"{day.month:02d}/{day.day:02d}/{day.year}", day.isoformat(),
             f"{day.month}/{day.day}/{day.year % 100:02d}", f"{day.day}.{day.month}.{day.year}",
             f"{month} {day.day}, {day.year}",
             f"{day.day} {short} {day.year}", f"{day.day} {month} {day.year}", f"{short}. {day.day}, {day.year}",
             f"{day:%Y%m%d}", f"{day.day:02d}-{short.upper()}-{day.year}", f"{month} {_ordinal(day.day)}",
             f"{day.month}-{day.day}-{day.year}", f"{day.month}/{day.day}")  # fmt: skip
    return rng.choice(forms)


def _ordinal(n: int) -> str:
    return f"{n}{'th' if 11 <= n <= 13 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def _of(*forms: str) -> Callable[[_Draft], str]:
    return lambda d: d.cast.digits(d.rng.choice(forms))


def _named(form: str) -> Callable[[_Draft], str]:
    def fill(d: _Draft) -> str:
        person = d.cast.person()
        return form.format(g=person.given, s=person.surname)

    return fill


def _patient(d: _Draft) -> str:
    g, s = d.patient.given, d.patient.surname
    return d.rng.choice((f"{g} {s}", f"{s}, {g}", s, f"{g[0]}. {s}", f"{s} {g}"))


def _facility(d: _Draft) -> str:
    a, city = d.cast.person(), d.cast.city()
    forms = (f"{a.surname} Memorial Hospital", f"St. {a.given}'s Hospital", f"{city} General Hospital",
             f"{city} Regional Medical Center", f"{a.surname} Clinic", f"{a.surname} Imaging Center",
             f"University Hospital of {city}", f"{a.surname}-{d.cast.person().surname} Institute")  # fmt: skip
    return d.rng.choice(forms)


def _email(d: _Draft) -> str:
    person = d.cast.person()
    return f"{person.given}.{person.surname}@{d.rng.choice(('example.org', 'mail.example.com'))}".replace(
        " ", ""
    ).lower()


def _time(d: _Draft) -> str:
    h, m = d.rng.randint(0, 23), d.rng.randint(0, 59)
    return d.rng.choice(
        (f"{h:02d}:{m:02d}", f"{h:02d}{m:02d} hours", f"{h % 12 or 12}:{m:02d} {'AM' if h < 12 else 'PM'}")
    )


_KINDS: dict[str, Callable[[_Draft], str]] = {
    "patient": _patient,
    "patient_upper": lambda d: f"{d.patient.surname} {d.patient.given}".upper(),
    "dob": lambda d: f"{d.birth[4:6]}/{d.birth[6:]}/{d.birth[:4]}",
    "mrn": lambda d: d.mrn,
    "acc": lambda d: d.accession,
    "given": _named("{g}"),
    "full": _named("{g} {s}"),
    "clin": _named("{s}"),
    "clin_lower": lambda d: d.cast.person().surname.lower(),
    "clinfull": _named("{g} {s}"),
    "clinfull_upper": lambda d: _named("{g} {s}")(d).upper(),
    "initials_name": lambda d: (lambda p: f"{p.given[0]}. {p.surname}")(d.cast.person()),
    "facility": _facility,
    "city": lambda d: d.cast.city(),
    "company": lambda d: d.cast.company(),
    "address": lambda d: d.cast.street(),
    "phone": _of("(###) ###-####", "###-###-####", "###.###.####", "+1 ### ### ####", "+44 #### ######", "##########"),
    "pager": _of("####", "#####", "###-####"),
    "ext": _of("####", "#####"),
    "email": _email,
    "url": lambda d: f"https://portal.example.org/patient/{d.cast.digits('######')}",
    "npi": _of("1#########"),
    "mrn_other": _of("#######", "########", "MR######", "##-##-##", "@######", "###-###-###"),
    "acc_other": _of("A########", "##-######", "CT-####-#####", "@@##########", "E#######"),
    "serial": _of("@@@######@", "@@######", "SN ########", "@##-####-@"),
    "age90": lambda d: str(d.rng.randint(90, 104)),
    "date": _date,
    "monthyear": lambda d: f"{d.rng.choice(_MONTHS)} {d.cast.day().year}",
    "time": _time,
}
_PLAIN: dict[str, Callable[[random.Random], str]] = {
    "mm": lambda r: str(r.choice((r.randint(2, 45), r.randint(2, 45), round(r.uniform(1, 20), 1)))),
    "cm": lambda r: str(round(r.uniform(0.6, 14), 1)),
    "n": lambda r: str(r.randint(1, 6)),
    "side": lambda r: r.choice(("left", "right", "Left", "Right")),
    "lobe": lambda r: r.choice(("upper", "lower", "middle")),
    "seg": lambda r: r.choice(("II", "III", "IVa", "IVb", "V", "VI", "VII", "VIII")),
    "spine": lambda r: r.choice(("C4-C5", "C5-C6", "T7", "T11-T12", "L1", "L3-L4", "L4-5", "L5-S1")),
    "ratio": lambda r: f"0.{r.randint(28, 95)}",
    "score": lambda r: str(r.randint(3, 980)),
    "pct": lambda r: str(r.randint(40, 80)),
    "deg": lambda r: str(r.randint(8, 48)),
}


@cache
def clinical() -> dict[str, tuple[str, ...]]:
    """Region -> its sentences."""
    found = {}
    for file in sorted(files("benchmarks.deid.notes.clinical").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".txt"):
            head, *lines = file.read_text(encoding="utf-8").splitlines()
            found[head.lstrip("# ")] = tuple(line for line in lines if line)
    return found


@cache
def protected() -> dict[str, tuple[str, ...]]:
    """Section -> sentences with people, places and numbers in them."""
    found: dict[str, list[str]] = {}
    for line in files("benchmarks.deid.notes").joinpath("phi_sentences.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            section, _, sentence = line.partition(" | ")
            found.setdefault(section, []).append(sentence)
    return {section: tuple(lines) for section, lines in found.items()}


def generate(count: int, seed: int = 7) -> list[Note]:
    """``count`` notes of as many patients; the same for the same seed and version of Faker."""
    cast = Cast(seed)
    return [_note(cast, random.Random(f"{seed}/{i}")) for i in range(count)]


def _note(cast: Cast, rng: random.Random) -> Note:
    cast.rng = random.Random(rng.random())
    patient, birth = cast.person(), cast.day(1930, 2000)
    draft = _Draft(cast, rng, patient, cast.digits(rng.choice(("#######", "MR######", "@#######"))),
                   cast.digits(rng.choice(("A########", "##-#######", "CT######"))), f"{birth:%Y%m%d}")  # fmt: skip
    region = rng.choice(sorted(clinical()))
    pool = list(rng.sample(clinical()[region], min(18, len(clinical()[region]))))
    join = rng.choice(("\n", " ", "\n"))
    for section in _SECTIONS:
        title = rng.choice(_TITLES[section])
        draft.add(f"{title if rng.random() < 0.8 else title.title()}: " + rng.choice(("", "\n")))
        wanted = {"history": 0, "comparison": 0, "findings": rng.randint(5, 9), "impression": rng.randint(1, 3)}[
            section
        ]
        lines = [pool.pop() for _ in range(wanted)]
        extra = {"history": 1, "comparison": 1, "findings": rng.randint(1, 3), "impression": rng.randint(0, 2)}[section]
        for sentence in rng.sample(protected()[section], extra):
            lines.insert(rng.randint(0, len(lines)), sentence)
        for line in lines:
            draft.sentence(line)
            draft.add(join)
        draft.add("\n")
    draft.sentence(rng.choice(protected()["sign"]))
    header = (f"{patient.surname}^{patient.given}", draft.mrn, draft.accession, draft.birth)
    return Note(draft.mrn, "".join(draft.parts), tuple(draft.spans), header)
