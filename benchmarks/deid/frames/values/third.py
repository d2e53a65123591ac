"""What the slots of the third frames are filled with: people written in more ways, numbers, dates and places of others.

The slots of `first`, in forms that neither it nor `fresh` has, from the formats of eight countries'
hospitals; a slot that ends in a country's letters (`phoneie`, `addrph`) is of that country whatever the style. Kinds
more: the employer and the school of a patient or relative (45 CFR 164.514(b)(2)(i) names employers; a school is as
telling) and a patient's initials (parts of a name are names, says the Department's guidance). Staff's reference
initials ("ab/cd"), particles and initials of a surname may stay or go, as years and weekdays may.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable

from benchmarks.deid.frames.values import times_third as times
from benchmarks.deid.frames.values.first import Filling
from benchmarks.deid.frames.values.numbers import MONTHS, ONES, spoken, spoken_ordinal
from benchmarks.deid.frames.values.people import Pieces
from benchmarks.deid.frames.values.places_third import address, employer, facility, home, plate, school, town


class Third(Filling):
    """`Filling` with more ways to write a person; a slot with a capital is announced ("Dr {H}"), as there."""

    def value(self, slot: str) -> Pieces:
        """The pieces of one slot. KeyError: no such slot."""
        if slot == "pc":
            return [*_capitals(self.value("ps")), ("", ", "), *self.value("pg")]
        if slot in self.makers:
            kind, make = self.makers[slot]
            return _core(kind, make(self))
        if slot.lower() not in _PEOPLE:
            return super().value(slot)
        found = _PEOPLE[slot.lower()](self)
        return [(f"{k}, cued" if k else "", t) for k, t in found] if slot[0].isupper() else found

    def own_number(self) -> str:
        """Terminal digits, a letter before, a check digit behind, or long."""
        return self.form("##-##-##", "0########", "@######", "######-#", "########")

    def own_birth(self, day: dt.date) -> str:
        """The day of birth as forms and labels have it."""
        if self.style == "dictated":
            return times.spoken_date(self, day)
        first = f"{day:%m/%d/%Y}" if self.style == "us" else f"{day:%d.%m.%Y}"
        return self.pick(
            first, f"{day:%d-%b-%Y}", f"{day:%d %b %Y}".upper(), f"{day:%Y-%m-%d}", f"{day.day} {day:%B %Y}"
        )


# at the ends of a value they tell no one apart and may stay or go: "Flat 3", "1432 hrs", "Primary School"
_OF_A_KIND = """academy aged apt blk box brgy call care centre civil college convent cottage ct doctors door east
elementary ext flat foods general govt grammar grove half haulage hospice hospital hotel hours hrs hwy infirmary
insurance lady level line lodge lot manor mansions medical middle multispeciality mutual no north of our p.o park past
pde pkwy plot port primary provincial public purok quarries quarter quay rd residence rmb road roofing rr school
sciences section sector south stand state steel subd tce textiles the to tower towers track unit university ward weg
west xxxx years yrs"""


def of_a_kind(word: str) -> bool:
    """Does the word tell no one apart? So do two digits of a year: "Mar '19"."""
    return word.strip(".,").casefold() in _OF_A_KIND.split() or bool(re.fullmatch(r"'\d\d", word))


def _core(kind: str, value: str) -> Pieces:
    """The value of ``kind`` without the words of a kind at its ends, and those."""
    found = r"\d+" if kind == "age over 89" else r"\S+"  # of "93yM" the number alone tells of someone
    words = [m for m in re.finditer(found, value) if not of_a_kind(m.group())]
    if not kind or kind.startswith("name") or not words:
        return [(kind, value)]
    a, b = words[0].start(), words[-1].end()
    return [(k, t) for k, t in (("", value[:a]), (kind, value[a:b]), ("", value[b:])) if t]


def _capitals(pieces: Pieces) -> Pieces:
    return [(k, t.upper() if len(t.upper()) == len(t) else t) for k, t in pieces]


def _initials(f: Filling, n: int, behind: str) -> str:
    return "".join(f.pick(*"ABCEFGHJKLMNPRSTW") + behind for _ in range(n))


_TITLES = {"const": "Const. ", "det": "Det. ", "dra": "Dra. ", "master": "Master ", "pol": "PC ", "sgt": "Sgt "}
_PEOPLE: dict[str, Callable[[Filling], Pieces]] = {
    **{slot: lambda f, title=title: [("", title), *f.cast.name("surname")] for slot, title in _TITLES.items()},
    "h": lambda f: [*f.cast.name("surname"), ("", "-"), *f.cast.name("surname")],
    "v": lambda f: [("", f.pick("van der ", "de la ", "von ", "ter ", "dos ", "Le ", "bin ")), *f.cast.name("surname")],
    "fc": lambda f: [*f.cast.name("given"), ("", " "), *_capitals(f.cast.name("surname"))],
    "lc": lambda f: [*_capitals(f.cast.name("surname")), ("", ", "), *f.cast.name("given")],
    "sn": lambda f: [*f.cast.name("surname"), ("", " " + _initials(f, f.near(1, 2), ""))],
    "gi": lambda f: [*f.cast.name("given"), ("", f" {_initials(f, 1, '.')}")],
    "fm": lambda f: [*f.cast.name("given"), ("", f" {_initials(f, 1, '.')} "), *f.cast.name("surname")],
}


def _spoken_digits(f: Filling, n: int) -> str:
    out = list[str]()
    while n > 0:
        digit, twice = f.near(0, 9), n > 1 and f.rng.random() < 0.2
        out.append("double " * twice + ("oh" if digit == 0 else ONES[digit]))
        n -= 1 + twice
    return " ".join(out)


def _plain(f: Filling) -> str:
    """A name that is no word, as in an address of mail: without accents and marks."""
    name = unicodedata.normalize("NFD", f.cast.others.draw()).lower().replace("đ", "d")
    return "".join(c for c in name if c.isascii() and c.isalpha())


def _email(f: Filling) -> str:
    name, letter = _plain(f), f.pick(*"abcdefgjklmnprst")
    local = f.pick(
        f"{name}.{letter}",
        f"{letter}{letter}{name}",
        f"{name}_{f.near(60, 99)}",
        f"{name}-{_plain(f)}",
        f"{letter}_{name}",
    )
    return f"{local}@{f.pick('', 'mail.', 'rad.')}example.{f.pick('ie', 'org.au', 'ac.za', 'co.in', 'ca', 'com.ph')}"


def _spoken_email(f: Filling) -> str:
    return f"{_plain(f)} {f.pick('underscore', 'dot')} {_plain(f)} at example dot {f.pick('co dot u k', 'i e', 'com')}"


def _spelled(f: Filling) -> str:
    name = ""
    while len(name) < 4:
        name = _plain(f)
    return f.pick(" - ", " ", ", ").join(name.upper() if f.style != "dictated" else name)


def _patients_initials(f: Filling) -> str:
    return f.pick("H.J.", "R. W. B.", "D.K.", "YLB", "G.W.", "K. N.", "J.F.K.", "HJW", "S.Y.N.", "DKH", "W.R.")


def _old(f: Filling) -> str:
    return str(f.near(90, 106))


def _said(f: Filling) -> str:
    """A South African identity number begins with the day of birth; so does a Scottish CHI."""
    return f"{f.day(1940, 2005):%y%m%d}" + f.form(" #### 08#", "####08#", " #### 0 8 #")


def _forms(kind: str, *forms: str) -> tuple[str, Callable[[Filling], str]]:
    return kind, lambda f: f.form(*forms)


_HEALTH = {
    "nhs": ("###.###.####", "###-###-####", "### #### ###"),
    "medicareau": ("####-#####-#/#", "#### ##### #/#"),
    "ohip": ("####-###-###", "#### ### ###@@", "##########-@@"),
    "ramq": ("@@@@ #### ####", "@@@@########"),
    "philhealth": ("##-#########-#", "############"),
    "abha": ("##-####-####-####", "## #### #### ####"),
    "nhi": ("@@@####", "@@@##@@"),
    "policy": ("W##### ####", "@@@-#####-##", "##/###/#######", "XJB#########"),
}
_NATIONAL = {
    "aadhaar": ("####/####/####", "############", "XXXX XXXX ####"),
    "pps": ("#######@@", "####### @", "#######@"),
    "ssn4": ("####",),
}
_PHONES = {
    "phone": ("(###)###-####", "+1 (###) ###-####", "###/###-####", "###.###.#### x###", "1-###-###-####"),
    "phoneuk": ("07###-######", "(01###) ######", "+44 7### ######", "0131-###-####", "0300 ### ####"),
    "phoneie": ("087-#######", "(01) ### ####", "+353 86 ### ####", "091 ######"),
    "phoneza": ("082 ### ####", "+27 21 ### ####", "(031) ###-####", "0## ### ## ##"),
    "phoneph": ("0917-###-####", "(02) 8###-####", "+63 9## ### ####", "09#########"),
    "phonein": ("0##-########", "+91 ###########", "98###-#####", "044 #### ####", "9## ### ####"),
    "phoneau": ("04##-###-###", "+61 4## ### ###", "(08) #### ####", "0# ########", "021 ### ####"),
}
THIRD: dict[str, tuple[str, Callable[[Filling], str]]] = {
    **{slot: _forms("health number", *forms) for slot, forms in _HEALTH.items()},
    **{slot: _forms("national number", *forms) for slot, forms in _NATIONAL.items()},
    **{slot: _forms("phone", *forms) for slot, forms in _PHONES.items()},
    "said": ("national number", _said),
    "mrn": _forms("record number", "##-##-##", "H-####-####", "@@-######/##", "UR######", "P0######",
                  "######.#", "@@@@.00########"),
    "enc": _forms("record number", "V##########", "3##########", "E-########"),
    "acc": _forms("accession", "CR##-####", "####@########", "E#########", "R########-1", "2#MR######", "S##-#####"),
    "spokenid": ("record number, spoken", lambda f: _spoken_digits(f, f.near(6, 8))),
    "acct": _forms("account number", "###-######-#", "IP/##/######", "@@####-##"),
    "case": _forms("case number", "20##-CV-#####", "WCB ########", "##/CID/####", "PE########", "C-##-####", "####/2#"),
    "lic": _forms("licence", "0######", "RT-#####", "@@######", "####-#####", "######/@"),
    "licau": _forms("licence", "MED000#######", "######@@", "MRP000#######"),
    "licin": _forms("licence", "KMC#####", "######", "TNMC######", "R####/##"),
    "licza": _forms("licence", "MP#######", "0######", "DR0######"),
    "passport": _forms("passport", "P#######@", "@@ ######", "EB#######"),
    "serial": _forms("device serial", "##@@-#####", "@#@#######", "SN#######@", "######/####"),
    "lot": _forms("device serial", "@@######", "L#####-#", "#######@@"),
    "udi": _forms("device serial", "+@###@######/$$######@####"),
    "plate": ("number plate", plate),
    "platein": ("number plate", lambda f: plate(f, "in")),
    "plateza": ("number plate", lambda f: plate(f, "za")),
    "vin": _forms("vehicle identifier", "#@@@@##@#########"),
    "tail": _forms("vehicle identifier", "N###@@", "C-F@@@"),
    "ext": _forms("extension", "##-####", "####", "#.####", "6####"),
    "pager": _forms("pager", "#-####", "####", "##.###", "@####"),
    "phonesp": ("phone, spoken", lambda f: _spoken_digits(f, f.near(10, 11))),
    "email": ("e-mail", _email),
    "emailsp": ("e-mail, spoken", _spoken_email),
    "url": _forms("URL", "https://pacs.example.ca/study?id=######",
                  "share.example.org.au/v/@@####", "http://cd.example.ie/####-####"),
    "ip": _forms("IP address", "10.4#.2##.##", "172.16.#.1##", "192.168.##.2#"),
    "room": _forms("room", "B-###", "##C", "#.###", "W#-##", "@###"),
    "bed": _forms("bed", "#-#", "C##", "#@", "##"),
    "apt": _forms("apartment", "Apt #@", "Unit ###", "#/F"),
    "ward": _forms("ward", "Ward C#", "# North", "ward #@", "B#-South",
                   "Level # East", "#T", "Willow Ward", "Heron ward", "Unit 1#"),
    "post": _forms("postcode", "@@## #@@", "@# #@@", "@@#@ #@@"),
    "post4": _forms("postcode", "2###", "4###", "0###"),
    "zip": _forms("postcode", "#####", "#####-####", "0####"),
    "pin": _forms("postcode", "### ###", "######"),
    "eir": _forms("postcode", "@## @#@#", "@##@#@#"),
    "town": ("town", town),
    "addr": ("address", address),
    "fac": ("facility", facility),
    "home": ("facility", home),
    "emp": ("employer", employer),
    "school": ("school", school),
    "date": ("date", times.date),
    "datetime": ("date", times.stamp),
    "dob": ("date of birth", times.birth),
    "dmon": ("date without year", times.day_month),
    "dmd": ("date without year", times.day_month_numbers),
    "my": ("month and year", times.month_year),
    "datesp": ("date, spoken", lambda f: times.spoken_date(f, f.day())),
    "dmonsp": ("date, spoken", times.spoken_day_month),
    "monthsp": ("date, spoken", lambda f: f"{f.pick(*MONTHS).lower()} {f.pick('', 'of ')}{spoken(f.near(2010, 2025))}"),
    "time": ("time", times.time),
    "timesp": ("time", times.spoken_time),
    "age": ("age over 89", _old),
    "ageyr": ("age over 89", lambda f: f"{_old(f)}{f.pick(' y.o.', ' yr old', '-yr-old', ' y/o', '-year old')}"),
    "ageold": ("age over 89", lambda f: f"{_old(f)} {f.pick('yrs', 'years of age', 'y', 'yo')}"),
    "ageslash": ("age over 89", lambda f: f.pick("F/#", "# F", "M #", "#yM", "#/M", "# y F").replace("#", _old(f))),
    "agedicom": ("age over 89", lambda f: f"{f.near(91, 106):03}Y"),
    "agesp": ("age over 89, spelled", lambda f: spoken(f.near(90, 99)).replace(" ", f.pick(" ", "-"))),
    "ageordsp": ("age over 89, spelled", lambda f: spoken_ordinal(f.near(90, 99))),
    "spell": ("name, spelled", _spelled),
    "pini": ("initials", _patients_initials),
    "ini": ("", lambda f: f.pick("jm/kt", "RTN", "HB:sw", "/lkw", "PJD")),
    "yr": ("", lambda f: str(f.near(1986, 2024))),
    "weekday": ("", lambda f: f.pick("Monday", "Tues", "Wednesday", "Thurs", "Fri", "Saturday", "Sunday")),
    **{f"town{c}": ("town", lambda f, c=c: town(f, c)) for c in ("ie", "ca", "za", "ph")},
    **{f"addr{c}": ("address", lambda f, c=c: address(f, c)) for c in ("ie", "ca", "za", "ph")},
    **{f"fac{c}": ("facility", lambda f, c=c: facility(f, c)) for c in ("ie", "ca", "za", "ph")},
}  # fmt: skip
