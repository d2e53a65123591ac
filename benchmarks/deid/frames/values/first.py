"""What the slots of the frames are filled with: identifiers of some forty kinds, people, places; seeded, invented.

A slot's value comes as pieces, (kind, text): kind "" is of no one (the comma of "Last, First", an initial).
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.deid.frames.values.numbers import MONTHS, ONES, ordinal, spoken, spoken_ordinal
from benchmarks.deid.frames.values.people import Cast, Pieces

KEEP = "+"  # the kind of a value that is medicine, and stays
_TOWNS = """Ashcombe Wetherford Kilburnie Narrawong Coolabah Thirsk Dunmarra Tallaght Sedgeley Wodonga Bhopal Nashik
Guntur Salem Kollam Mysuru Ludhiana Tacoma Dubuque Lubbock Spokane Paducah Yakima Macon Flagstaff Toledo
Penrith Bendigo Mackay Dubbo Hobart Kalgoorlie Wigan Truro Perth Selkirk Bangor Reading Bath Rugby Crewe"""
_STREETS = """Larkspur Tennyson Quarry Gandhi Church Wattle Jacaranda Sycamore Victoria Nehru Anzac Mulberry Kestrel
Station Mill Orchard Chestnut Juniper Residency Brigade Eucalypt Cromwell Hawthorn Pitt Sunset Ridge"""


Makers = Mapping[str, tuple[str, Callable[["Filling"], str]]]  # slot -> (kind, what makes its value)


@dataclass
class Filling:
    """One text's fillings: the style says in which order a date is written; ``own`` is the patient of the header."""

    cast: Cast
    rng: random.Random
    style: str
    makers: Makers
    own: dict[str, Pieces] = field(default_factory=dict)

    def value(self, slot: str) -> Pieces:
        """The pieces of one slot. KeyError: no such slot."""
        if slot in _PEOPLE:
            return _PEOPLE[slot](self)
        if slot.startswith("p") and slot in ("pf", "ps", "pg", "pl", "pm", "pd"):
            return self._own(slot)
        kind, make = self.makers[slot]
        return [(kind, make(self))]

    def _own(self, slot: str) -> Pieces:
        if not self.own:
            given, surname = self.cast.name("given"), self.cast.name("surname")
            number, birth = self.own_number(), self.day(1930, 2000)
            self.own = {"pg": given, "ps": surname, "pf": [*given, ("", " "), *surname],
                        "pl": [*surname, ("", ", "), *given], "pm": [("record number", number)],
                        "pd": [("date of birth", self.own_birth(birth))],
                        "birth": [("", f"{birth:%Y%m%d}")]}  # fmt: skip
        return self.own[slot]

    def own_number(self) -> str:
        """The patient's record number."""
        return self.form("#######", "MR######")

    def own_birth(self, day: dt.date) -> str:
        """The patient's day of birth as the text has it."""
        return f"{day:%d/%m/%Y}"

    def header(self) -> tuple[str, ...]:
        """Name, number and date of birth as a DICOM header holds them; () where the text does not name its patient."""
        if not self.own:
            return ()
        plain = {k: v[0][1] for k, v in self.own.items()}
        return (f"{plain['ps']}^{plain['pg']}", plain["pm"], plain["birth"])

    def form(self, *forms: str) -> str:
        """One of ``forms`` with # as any digit, @ as any capital."""
        pick = {"#": "0123456789", "@": "ABCDEFGHJKLMNPRSTUVWXYZ"}
        return "".join(self.rng.choice(pick[c]) if c in pick else c for c in self.rng.choice(forms))

    def day(self, low: int = 2009, high: int = 2025) -> dt.date:
        """Any day of those years."""
        return dt.date(low, 1, 1) + dt.timedelta(days=self.rng.randrange(365 * (high - low)))

    def near(self, low: int, high: int) -> int:
        """Any number of those, both included."""
        return self.rng.randint(low, high)

    def pick(self, *values: str) -> str:
        """One of ``values``."""
        return self.rng.choice(values)


def _date(f: Filling) -> str:
    d, month, first = f.day(), "", f.style in ("us", "telegram", "dictated")
    month = MONTHS[d.month - 1]
    a, b = (d.month, d.day) if first else (d.day, d.month)
    words = (f"{month} {d.day}, {d.year}", f"{month[:3]} {ordinal(d.day)} {d.year}") if first else (
        f"{ordinal(d.day)} {month} {d.year}", f"{d.day} {month[:3]} {d.year}")  # fmt: skip
    numbers = (f"{a}/{b}/{d.year}", f"{a:02d}/{b:02d}/{d:%y}", f"{a}-{b}-{d.year}", f"{d:%Y%m%d}")
    return f.pick(*numbers, f"{a:02d}.{b:02d}.{d.year}", f"{d.day:02d}-{month[:3].upper()}-{d:%y}", *words)


def _day_month(f: Filling) -> str:
    d = f.day()
    month = MONTHS[d.month - 1]
    if f.style in ("us", "dictated"):
        return f.pick(f"{month} {d.day}", f"{month[:3]} {d.day}", f"{month} {ordinal(d.day)}")
    return f.pick(f"{d.day} {month}", f"{ordinal(d.day)} {month[:3]}", f"the {ordinal(d.day)} of {month}")


def _month_day_numbers(f: Filling) -> str:
    d = f.day()
    return f"{d.month}/{d.day}" if f.style in ("us", "telegram", "dictated") else f"{d.day}/{d.month}"


def _spoken_date(f: Filling, year: bool = True) -> str:
    d = f.day()
    month, tail = MONTHS[d.month - 1].lower(), f" {spoken(d.year)}" if year else ""
    return f.pick(f"{month} {spoken_ordinal(d.day)}{tail}", f"the {spoken_ordinal(d.day)} of {month}{tail}")


def _stamp(f: Filling) -> str:
    d, h, m = f.day(), f.near(0, 23), f.near(0, 59)
    return f.pick(
        f"{d:%d/%m/%Y} {h:02d}:{m:02d}",
        f"{d:%Y-%m-%d} {h:02d}:{m:02d}:{f.near(0, 59):02d}",
        f"{d:%m/%d/%y} {h:02d}{m:02d}",
    )


def _time(f: Filling) -> str:
    h, m = f.near(0, 23), f.near(0, 59)
    half_day = f"{h % 12 or 12}:{m:02d}"
    return f.pick(f"{h:02d}:{m:02d}", f"{h:02d}{m:02d}", f"{half_day} {'am' if h < 12 else 'pm'}", f"{h:02d}.{m:02d}")


def _address(f: Filling) -> str:
    way = {"us": ("Ave", "Street", "Blvd", "Drive"), "in": ("Nagar", "Road", "Cross", "Marg")}
    ways = way.get(f.style, ("Road", "Close", "Lane", "Street", "Crescent"))
    return f"{f.near(2, 980)} {f.pick(*_STREETS.split())} {f.pick(*ways)}"


def _facility(f: Filling) -> str:
    town, name, saint = (
        f.pick(*_TOWNS.split()),
        f.cast.others.draw(),
        f.pick("Mary", "Jude", "Bede", "Columba", "Agnes"),
    )
    forms = {"uk": (f"{town} Royal Infirmary", f"{town} District General", f"Royal {town} Hospital",
                    f"{name} Health Centre"),
             "au": (f"{town} Base Hospital", f"{name} Private Hospital", f"{town} Family Practice"),
             "in": (f"{name} Multispeciality Hospital", f"{name} Nursing Home", f"{town} Medical College")}  # fmt: skip
    common = (
        f"{town} Memorial Hospital",
        f"St. {saint}'s",
        f"{name} Imaging Center",
        f"{name} Clinic",
        f"{town} Urgent Care",
    )
    return f.pick(*forms.get(f.style, common), f"St {saint}'s Hospital")


def _email(f: Filling) -> str:
    a, b = f.cast.others.draw().lower(), f.cast.others.draw().lower()
    host = f.pick("example.org", "mail.example.net", "nhs.example")
    return f"{a}{f.pick('.', '_', '')}{b}{f.pick('', '7', '22')}@{host}"


def _spoken_email(f: Filling) -> str:
    a = f.cast.others.draw().lower()
    host = f"{f.pick('example', 'acme')} dot {f.pick('org', 'com')}"
    return f"{a} {f.pick('dot', 'underscore')} {f.pick('h', 'k', 't')} at {host}"


def _phone(f: Filling) -> str:
    return f.form("(###) ###-####", "###-###-####", "### ### ####", "1-###-###-####", "+1 ###.###.####", "##########")


def _spoken_digits(f: Filling) -> str:
    return " ".join(f.pick("oh", *ONES[1:]) for _ in range(7))


_URLS = ("https://view.example.org/p/######", "www.example.net/share/@@####", "pacs.example/s?id=######")
_SPACED = tuple(f"{month} " for month in MONTHS)
_NUMBERED = tuple(f"{n:02d}/" for n in range(1, 13))
VALUES: dict[str, tuple[str, Callable[[Filling], str]]] = {
    "mrn": ("record number", lambda f: f.form("#######", "MR######", "##-##-##", "### ####", "@######", "######-#")),
    "acc": ("accession", lambda f: f.form("A########", "##-######", "CT-##-#####", "@@########", "E### ###")),
    "nhs": ("health number", lambda f: f.form("### ### ####", "##########", "###-###-####")),
    "medicare": ("health number", lambda f: f.form("#@##-@@#-@@##", "#@##@@#@@##")),
    "medicareau": ("health number", lambda f: f.form("#### ##### #", "##########")),
    "aadhaar": ("national number", lambda f: f.form("#### #### ####", "##-####-####-####")),
    "dva": ("health number", lambda f: f.form("NX######", "QSM#####")),
    "ssn": ("national number", lambda f: f.form("###-##-####", "### ## ####")),
    "passport": ("passport", lambda f: f.form("@########", "#########")),
    "plate": ("number plate", lambda f: f.form("@@@-####", "@@## @@@")),
    "case": ("case number", lambda f: f.form("WC-20##-#####", "CL#######", "######/##")),
    "lic": ("licence", lambda f: f.form("#######", "@#####", "TN-#####")),
    "provno": ("licence", lambda f: f.form("######@@", "#######@")),
    "serial": ("device serial", lambda f: f.form("@@@#####", "SN-########", "@##-####-@")),
    "phone": ("phone", _phone),
    "phoneuk": ("phone", lambda f: f.form("0#### ######", "020 #### ####", "07### ######", "+44 7### ######")),
    "phoneau": ("phone", lambda f: f.form("0# #### ####", "04## ### ###", "(0#) #### ####", "+61 4## ### ###")),
    "phonein": ("phone", lambda f: f.form("+91 ##### #####", "9#########", "0##-#######", "8####-#####")),
    "phonesp": ("phone, spoken", _spoken_digits),
    "ext": ("extension", lambda f: f.form("####", "#####")),
    "pager": ("pager", lambda f: f.form("####", "##-###", "#####")),
    "email": ("e-mail", _email),
    "emailsp": ("e-mail, spoken", _spoken_email),
    "url": ("URL", lambda f: f.form(*_URLS)),
    "ip": ("IP address", lambda f: f.form("10.1##.2#.1#", "192.168.#.1##", "172.16.##.##")),
    "room": ("room", lambda f: f.form("###", "#-###", "##@", "@###")),
    "bed": ("bed", lambda f: f.form("##", "##@", "#@")),
    "apt": ("apartment", lambda f: f.form("#@", "##", "###")),
    "ward": ("ward", lambda f: f.form("Ward 7@", "# West", "ward @#", "Rosewood Ward", "Cedar ward")),
    "addr": ("address", _address),
    "post": ("postcode", lambda f: f.form("@@# #@@", "@## #@@", "@@## #@@")),
    "post4": ("postcode", lambda f: f.form("####")),
    "zip": ("postcode", lambda f: f.form("#####", "#####-####")),
    "pin": ("postcode", lambda f: f.form("######", "### ###")),
    "town": ("town", lambda f: f.pick(*_TOWNS.split())),
    "fac": ("facility", _facility),
    "date": ("date", _date),
    "datedot": ("date", lambda f: f"{f.day():%d.%m.%y}"),
    "dateiso": ("date", lambda f: f.day().isoformat()),
    "datetime": ("date", _stamp),
    "dob": ("date of birth", lambda f: f.day(1932, 2001).strftime("%m/%d/%Y" if f.style == "us" else "%d/%m/%Y")),
    "dmon": ("date without year", _day_month),
    "dmd": ("date without year", _month_day_numbers),
    "dmshort": ("date without year", lambda f: f"{f.near(1, 28)}-{f.pick(*MONTHS)[:3]}"),
    "datesp": ("date, spoken", _spoken_date),
    "dmonsp": ("date, spoken", lambda f: _spoken_date(f, False)),
    "my": ("month and year", lambda f: f"{f.pick(*_SPACED, *_NUMBERED)}{f.near(2008, 2024)}"),
    "time": ("time", _time),
    "timeam": ("time", lambda f: f"{f.near(1, 12)}{f.pick('', ':15', ':40')}{f.pick(' am', 'am', ' p.m.', 'pm')}"),
    "timesp": ("time", lambda f: f"{spoken(f.near(1, 12))} {spoken(f.near(13, 59))} {f.pick('p m', 'a m')}"),
    "age": ("age over 89", lambda f: str(_old(f))),
    "agesp": ("age over 89, spelled", lambda f: spoken(_old(f)).replace(" ", f.pick(" ", "-"))),
    "ageord": ("age over 89", lambda f: ordinal(_old(f))),
    "ageordsp": ("age over 89, spelled", lambda f: spoken_ordinal(_old(f))),
    "ageyr": ("age over 89", lambda f: f"{_old(f)}{f.pick('-year-old', ' year old', ' yr old', 'yo', '-yr-old')}"),
    "ageold": ("age over 89", lambda f: f"{_old(f)} {f.pick('years old', 'y.o.', 'yrs')}"),
    "ageslash": ("age over 89", lambda f: f"{_old(f)}{f.pick('/F', '/M', 'F', ' M')}"),
    "spell": ("name, spelled", lambda f: " ".join(f.cast.others.draw().lower().replace("-", ""))),
    "mm": (KEEP, lambda f: str(f.near(3, 48))),
    "cm": (KEEP, lambda f: f"{f.near(1, 11)}.{f.near(1, 9)}"),
    "lvl": (KEEP, lambda f: f.pick("C4-5", "C5-C6", "T11-T12", "L3/4", "L4-L5", "L5-S1", "L2-3")),
    "weekday": ("", lambda f: f.pick("Monday", "Tuesday", "Friday")),
}  # fmt: skip


def _old(f: Filling) -> int:
    return f.near(90, 104)


def _cued(pieces: Pieces) -> Pieces:
    return [(f"{kind}, cued" if kind else "", text) for kind, text in pieces]


def _last_first(f: Filling) -> Pieces:
    return [*f.cast.name("surname"), ("", ", "), *f.cast.name("given")]


def _initial(f: Filling) -> Pieces:
    return [("", f.pick(*"ABDEGHJKMNPRST") + ". "), *f.cast.name("surname")]


_PEOPLE: dict[str, Callable[[Filling], Pieces]] = {
    "s": lambda f: f.cast.name("surname"),
    "g": lambda f: f.cast.name("given"),
    "f": lambda f: f.cast.full(),
    "l": _last_first,
    "i": _initial,
    "S": lambda f: _cued(f.cast.name("surname")),
    "G": lambda f: _cued(f.cast.name("given")),
    "F": lambda f: _cued(f.cast.full()),
    "L": lambda f: _cued(_last_first(f)),
    "I": lambda f: _cued(_initial(f)),
}
