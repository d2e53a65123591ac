"""What the slots of the fourth frames are filled with: the families of forms of nine countries, and values in words.

The slots are those of `first`; what stands in ((...)) says what kind of thing it is and may stay or go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.deid.frames.values.first import Filling
from benchmarks.deid.frames.values.numbers import MONTHS, ordinal, spoken, spoken_ordinal
from benchmarks.deid.frames.values.people import Pieces
from benchmarks.deid.frames.values.places_fourth import ADDRESSES, FACILITIES, POSTCODES, STREETS, TOWNS, VILLAGES

Maker = Callable[["Fourth"], str]
_EITHER = re.compile(r"(\(\(.*?\)\))")
_SHORT = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_COUNTRIES = {"us": "us us ca", "uk": "uk uk ie", "in": "in", "au": "au", "world": "za ie ca sg ng",
              "telegram": "us uk in au za", "dictated": "us us uk au"}  # fmt: skip
_PHONES = {
    "us": ("(###) 555-01##", "###.555.01##", "### 555 01##", "555-01##", "1 (###) 555-01##", "+1###55501##",
                  "###/555-01##"),
    "ca": ("###-555-01##", "(###)555-01##", "1.###.555.01##", "### 555-01## ((ext)) ###"),
    "uk": ("07700 900 ###", "0113 496 0###", "020 7946 0###", "(01632) 960###", "+44 7700 900###",
                  "+44 (0)113 496 0###",
                  "01632-960-###", "0044 7700 900###"),
    "ie": ("08# ### ####", "(01) ### ####", "+353 8# ### ####", "021-4######", "00353 1 ### ####"),
    "in": ("98### #####", "0484-2######", "+91 9#### #####", "044 2### ####", "91-9#########", "(080) 4### ####",
                  "0####-######", "9### ### ###"),
    "au": ("04## ### ###", "(07) 5### ####", "+61 4## ### ###", "02 9### ####", "1300 ### ###", "0011 61 2 9### ####"),
    "za": ("082 ### ####", "(011) ### ####", "+27 8# ### ####", "021-###-####", "0027 11 ### ####"),
    "sg": ("9### ####", "6### ####", "+65 8### ####", "(65) 6### ####"),
    "ng": ("080# ### ####", "+234 80# ### ####", "01-2######", "0703#######", "234-81#-###-####"),
}  # fmt: skip
_PLATES = {"us": ("@@@ ####", "#@@@###"), "ca": ("@@@@ ###", "@@# #@#"), "uk": ("@@## @@@", "@###@@@"),
           "ie": ("1#1-D-####", "2# KE ####"), "in": ("@@ ## @@ ####", "@@-##-@-####"),
           "au": ("#@@-#@@", "@@@-###"),
                  "za": ("@@@ ### GP", "CA ### ###"), "sg": ("S@@ #### @", "S@@####@"), "ng": ("@@@-###@@",
                  "@@@ ### @@")}  # fmt: skip


@dataclass
class Fourth(Filling):
    """A text of one country of its style's."""

    country: str = field(init=False)

    def __post_init__(self) -> None:
        self.country = self.rng.choice(_COUNTRIES[self.style].split())

    def value(self, slot: str) -> Pieces:
        """As `Filling.value`, with what stands in ((...)) of no one. KeyError: no such slot."""
        found = list[tuple[str, str]]()
        for kind, text in super().value(slot):
            parts = ((("", p[2:-2]) if p.startswith("((") else (kind, p)) for p in _EITHER.split(text) if p)
            found += [piece for part in parts for piece in _bare(*part)]
        return found

    @property
    def month_first(self) -> bool:
        """Is it March 4 here?"""
        return self.country in ("us", "ca")

    def own_number(self) -> str:
        """The patient's record number."""
        return self.form("######", "##-##-##", "@@######", "########")

    def of(self, table: Mapping[str, tuple[str, ...]]) -> str:
        """One of the country's forms, filled."""
        return self.form(self.pick(*table[self.country])).replace("%", self.pick(*STREETS))


def _bare(kind: str, text: str) -> Pieces:
    """The piece without spaces and commas at its ends, which are of no one."""
    core = text.strip(" ,;")
    if not core:
        return [("", text)]
    at = text.index(core)
    pieces = [("", text[:at]), (kind, core), ("", text[at + len(core) :])]
    return [p for p in pieces if p[1]]


def _date(f: Fourth) -> str:
    d = f.day()
    month, short, a, b = MONTHS[d.month - 1], _SHORT[d.month - 1], d.day, d.month
    words = (f"{d.day} {month} {d.year}", f"{ordinal(d.day)} {short} {d.year}", f"{d.day}/{short}/{d.year}",
             f"{ordinal(d.day)} of {month} {d.year}")  # fmt: skip
    if f.month_first:
        a, b = b, a
        words = (
            f"{month} {d.day}, {d.year}",
            f"{short}. {d.day}, {d.year}",
            f"{short}-{d.day}-{d.year}",
            f"{month} {d.day} {d.year}",
        )
    numbers = (
        f"{a}/{b}/{d:%y}",
        f"{a:02d}/{b:02d}/{d.year}",
        f"{a}.{b}.{d.year}",
        f"{a}-{b}-{d:%y}",
        f"{a} / {b} / {d:%y}",
    )
    return f.pick(*numbers, *numbers, f"{d:%Y-%m-%d}", f"{d.day:02d}-{short.upper()}-{d.year}", f"{d:%Y.%m.%d}", *words)


def _day_month(f: Fourth) -> str:
    d = f.day()
    month, short = MONTHS[d.month - 1], _SHORT[d.month - 1]
    if f.month_first:
        return f.pick(
            f"{month} {d.day}",
            f"{short} {d.day}",
            f"{month} {ordinal(d.day)}",
            f"{short}. {ordinal(d.day)}",
            f"{short}-{d.day:02d}",
        )
    return f.pick(f"{d.day} {month}", f"{d.day} {short}", f"{ordinal(d.day)} {month}", f"{ordinal(d.day)} of {short}",
                  f"{d.day:02d}-{short}", f"{d.day}{short.lower()}", f"{ordinal(d.day)}/{short}",
                  f"{month} the {ordinal(d.day)}")  # fmt: skip


def _day_month_numbers(f: Fourth) -> str:
    d = f.day()
    a, b = (d.month, d.day) if f.month_first else (d.day, d.month)
    return f.pick(f"{a}/{b}", f"{a:02d}/{b:02d}", f"{a}.{b}.", f"{a:02d}.{b:02d}", f"{a}-{b}")


def _two_days(f: Fourth) -> str:
    d = f.day()
    month, short, later = MONTHS[d.month - 1], _SHORT[d.month - 1], min(d.day + f.near(1, 5), 28)
    first = min(d.day, later - 1)
    if f.month_first:
        return f.pick(
            f"{month} {first}-{later}", f"{short} {first}(( to )){later}", f"{d.month}/{first}-{d.month}/{later}"
        )
    return f.pick(
        f"{first}-{later} {month}",
        f"{first}(( to )){later} {short}",
        f"{first}/{d.month}-{later}/{d.month}",
        f"{ordinal(first)}(( and )){ordinal(later)} {month}",
    )


def _month_year(f: Fourth) -> str:
    d = f.day()
    month, short = MONTHS[d.month - 1], _SHORT[d.month - 1]
    return f.pick(f"{month} {d.year}", f"{short} {d.year}", f"{short}-{d:%y}", f"{short} '{d:%y}",
                  f"{d.month:02d}/{d.year}",
                  f"{d.month}/{d:%y}", f"{d:%Y-%m}", f"{month} of {d.year}", f"{d.month:02d}.{d.year}",
                  f"{short}/{d.year}",
                  f"{month}, {d.year}", f"{short.upper()}{d.year}")  # fmt: skip


def _stamp(f: Fourth) -> str:
    d, clock = f.day(), f"{f.near(0, 23):02d}:{f.near(0, 59):02d}"
    a, b = (d.month, d.day) if f.month_first else (d.day, d.month)
    return f.pick(f"{a}/{b}/{d:%y} {clock}", f"{a:02d}.{b:02d}.{d.year} {clock}", f"{d:%d %b %Y} @ {clock}",
                  f"{d:%Y-%m-%d %H}:{clock[3:]}", f"{clock} {a}/{b}/{d:%y}", f"{d:%Y%m%d}{clock.replace(':', '')}",
                  f"{clock}hrs(( on )){a}/{b}/{d.year}")  # fmt: skip


def _time(f: Fourth) -> str:
    h, m = f.near(0, 23), f.near(0, 59)
    half = "am" if h < 12 else "pm"
    return f.pick(f"{h:02d}:{m:02d}", f"{h:02d}{m:02d}", f"{h:02d}{m:02d}h", f"{h:02d}{m:02d} hrs",
                  f"{h:02d}.{m:02d}hrs", f"{h:02d}h{m:02d}",
                  f"{h % 12 or 12}{half}", f"{h % 12 or 12}.{m:02d}{half}", f"{h % 12 or 12}:{m:02d} {half[0]}.m.",
                  f"{h}:{m:02d}",
                  f"{h:02d}:{m:02d}:{f.near(0, 59):02d}", f"{h:02d}:{m:02d} hours")  # fmt: skip


def _time_words(f: Fourth) -> str:
    hour, part = spoken(f.near(1, 12)), f.pick("in the morning", "in the evening", "at night", "in the afternoon")
    return f.pick(f"half past {hour}", f"quarter to {hour}", f"ten past {hour}", f"{hour} {part}",
                  f"{hour} {f.pick('am', 'pm')}",
                  f"{hour} {f.pick('fifteen', 'thirty', 'forty five')}", f"twenty to {hour}",
                  f"{f.near(1, 12)} {part}", f"{hour} o'clock {part}",
                  f"{spoken(f.near(13, 23))} hundred hours")  # fmt: skip


def _time_range(f: Fourth) -> str:
    h, m = f.near(1, 21), f.pick("00", "15", "30", "45")
    return f.pick(
        f"{h:02d}:{m}-{h + 1:02d}:{m}",
        f"{h:02d}{m}(( to )){h + 1:02d}{m}",
        f"{h:02d}{m}-{h + 1:02d}{m}",
        f"{h:02d}.{m} - {h + 2:02d}.{m}",
        f"{h % 11 or 1}-{h % 11 + 2}pm",
    )


def _facility(f: Fourth) -> str:
    return (
        f.pick(*FACILITIES[f.country])
        .replace("%", f.cast.others.draw())
        .replace("~", f.pick(*TOWNS[f.country].split()))
    )


def _address(f: Fourth) -> str:
    made = f.of(ADDRESSES).replace("$", f.pick(*VILLAGES.split())).replace("¤", "#")
    return re.sub(r"(?<![\w/#-])0+(?=\d)", "", made)


def _ward(f: Fourth) -> str:
    name = f.pick(
        "Nightingale", "Kestrel", "Lavender", "Seacole", "Mandela", "Juniper", "Beaumont", "Tagore", "Lister", "Willow"
    )
    return f.pick("((Ward)) ##", "((Ward)) #@", "((ward)) @#", "W##", "((wd)) #", "((Ward No.)) #",
                  f"{name} ((Ward))", f"((ward)) {name}", "# North", "#E", "((Level)) # East",
                  "#th ((floor west))", "((Male Medical Ward)) #", "((Unit)) #@", "((ward)) " + spoken(f.near(1,
                         14)), "Tower @ ((floor)) #", "#-South", "#@ ((ward))", "((Ward)) #/#",
                  f"{name} Suite")  # fmt: skip


def _bed(f: Fourth) -> str:
    return f.pick("((bed)) #", "((Bed)) ##@", "((bed)) @", "((Bay)) # ((bed)) #", "((bed no.)) ##", "((cubicle)) #",
                  "((trolley)) #", "((side room)) #", "((cot)) ##", "((bed number)) " + spoken(f.near(2, 29)),
                  "((Bed)) #/#", "((B))##", "((bed)) @##", "((bay)) @", "((chair)) #", "((bed))##", "((bed:)) #@",
                  "((resus)) #", "((incubator)) #", "((bedspace)) ##")  # fmt: skip


def _room(f: Fourth) -> str:
    return f.pick("((room)) #", "((Rm)) ##", "((rm.)) #@", "((Room)) @#", "((OR)) #", "((theatre)) #",
                  "((room)) " + spoken(f.near(2, 19)), "((Suite)) #00", "((Room No)) ##", "((rm))##",
                  "((clinic room)) @",
                  "((RM)) #.##", "((consulting room)) #", "((Theatre)) @", "((screening room)) #", "((room)) ###-@",
                  "((exam room)) ##", "((Suite)) ##@")  # fmt: skip


def _initials(f: Fourth) -> str:
    a, b, c = (f.pick(*"ABDEGHJKMNPRST") for _ in range(3))
    return f.pick(f"{a}.{b}.", f"{a}{b}", f"{a}. {b}.", f"{a}.{b}.{c}.", f"{a}{b}{c}", f"{a} {b}", f"{a}.{b}")


def _titled_initial(f: Fourth) -> str:
    a, b = (f.pick(*"ABDEGHJKMNPRST") for _ in range(2))
    return f.pick(f"{a}.{b}.", f"{a}{b}", f"{a}. {b}.")


def _email(f: Fourth) -> str:
    a, b = (re.sub(r"\W", "", f.cast.others.draw().lower()) for _ in range(2))
    who = f.pick(f"{a}.{b}", f"{a}{f.near(60, 99)}", f"{a[0]}{b}", f"{b}_{a}", f"{a}.{b[0]}.{b}")
    return (
        f"{who}@{f.pick('clinic.example', 'example.co.uk', 'scan.example.co.za', 'mail.example.ie', 'example.com.au')}"
    )


def _spoken_email(f: Fourth) -> str:
    who = re.sub(r"[^a-z]", "", f.cast.others.draw().lower())
    return f"{who} at example dot {f.pick('com', 'org', 'co dot uk')}"


def _old(f: Fourth) -> int:
    return f.near(90, 103)


def _age(f: Fourth) -> str:
    n = _old(f)
    return f.pick(
        f"{n} ((yo))",
        f"{n}((-year-old))",
        f"{n}((y))",
        f"{n} ((years))",
        f"{n}((F))",
        f"{n} ((y/o))",
        f"{n} ((yr old))",
        f"{n}((/M))",
        f"{n} ((years of age))",
        f"{n}((yrs))",
    )


def _forms(kind: str, *forms: str) -> tuple[str, Callable[[Filling], str]]:
    return kind, lambda f: f.form(*forms)


def _made(kind: str, make: Maker, *, filled: bool = False) -> tuple[str, Callable[[Filling], str]]:
    """``filled``: # and @ of the value are any digit but 0 and any capital."""

    def value(f: Filling) -> str:
        assert isinstance(f, Fourth)
        text = make(f)
        return re.sub(r"(?<![\d.])0(?=\b|\d)", "3", f.form(text)) if filled else text

    return kind, value


def _employer(f: Fourth) -> str:
    name, town = f.cast.others.draw(), f.pick(*TOWNS[f.country].split())
    return f.pick(
        f"{name} Logistics",
        f"{name} & Sons",
        f"{town} Water",
        f"{name} Foods Ltd",
        f"{town} Bus Depot",
        f"{name} Mining",
        f"{name} Textiles",
        f"{name} Bros",
        f"the {name} bakery",
    )


def _school(f: Fourth) -> str:
    town, street = f.pick(*TOWNS[f.country].split()), f.pick(*STREETS)
    return f.pick(
        f"{town} High",
        "St Finbar's ((Primary))",
        f"{street} ((Primary School))",
        f"{town} Grammar",
        f"{street} ((Elementary))",
        f"{town} ((University))",
        f"{street} ((College))",
    )


FOURTH: dict[str, tuple[str, Callable[[Filling], str]]] = {
    "mrn": _forms("record number", "######", "##-##-##", "@@######", "H#######", "### ### #", "20/######", "########"),
    "acc": _forms("accession", "########", "XR-######", "#########-#", "@#####@", "MR##/#####", "##.#######"),
    "nhs": _forms("health number", "### ### ####", "##########", "### ###-####"),
    "idno": _forms("national number", "###### #### 0##", "S#######@", "#######@@", "########### ", "###-###-###",
                  "@@@@@####@"),
    "medicareau": _forms("health number", "#### ##### #", "#### #####-#"),
    "aadhaar": _forms("national number", "#### #### ####", "####-####-####"),
    "policy": _forms("health number", "@@#####/##", "########-##", "@##-####-###", "### #### ###"),
    "passport": _forms("passport", "@########", "@@######"),
    "plate": _made("number plate", lambda f: f.of(_PLATES)),
    "vin": _forms("vehicle identifier", "@#@@@##@@#@######", "#@@@@##@#@@######"),
    "acct": _forms("account number", "########", "##-#####-#", "@@######"),
    "case": _forms("case number", "CAS ####/##", "####/20##", "@@/###/##", "RTA-####"),
    "lic": _forms("licence", "######", "MP #######", "#######", "@@-#####"),
    "serial": _forms("device serial", "@@######", "####-@@-##", "#########", "@#####"),
    "phone": _made("phone", lambda f: f.of(_PHONES)),
    "phonesp": _made("phone, spoken", lambda f: " ".join(f.pick("oh", "zero", "double four", "one", "two", "three",
                  "five", "six", "seven", "nine") for _ in range(8))),
    "ext": _forms("extension", "####", "#####", "###"),
    "pager": _forms("pager", "####", "#####", "###"),
    "email": _made("e-mail", _email),
    "emailsp": _made("e-mail, spoken", _spoken_email),
    "url": _forms("URL", "https://share.example.org/x/@@####", "scan.example.com/v/######",
                  "pacs://example.net/######"),
    "ip": _forms("IP address", "10.2#.1#.##", "192.168.2#.1#"),
    "room": _made("room", _room, filled=True),
    "bed": _made("bed", _bed, filled=True),
    "ward": _made("ward", _ward, filled=True),
    "apt": _forms("apartment", "#@", "##", "@#"),
    "addr": _made("address", _address),
    "zip": _made("postcode", lambda f: f.of(POSTCODES)),
    "town": _made("town", lambda f: f.pick(*TOWNS[f.country].split()).replace("_", " ")),
    "fac": _made("facility", _facility),
    "emp": _made("employer", _employer),
    "school": _made("school", _school),
    "ini": _made("initials", _initials),
    "inid": _made("initials", _titled_initial),
    "date": _made("date", _date),
    "datetime": _made("date", _stamp),
    "dob": _made("date of birth", lambda f: f.day(1932,
           2001).strftime("%m/%d/%Y" if f.month_first else f.pick("%d/%m/%Y", "%d.%m.%y", "%d %b %Y"))),
    "dmon": _made("date without year", _day_month),
    "dmd": _made("date without year", _day_month_numbers),
    "days": _made("date without year", _two_days),
    "dom": _made("day of the month", lambda f: f"the {ordinal(f.near(1, 28))}"),
    "mon": _made("month alone", lambda f: f.pick(*MONTHS)),
    "datesp": _made("date, spoken",
           lambda f: f"the {spoken_ordinal((d := f.day()).day)} of {MONTHS[d.month - 1].lower()} {spoken(d.year)}"),
    "dmonsp": _made("date, spoken", lambda f: f"{MONTHS[(d := f.day()).month - 1].lower()} {spoken_ordinal(d.day)}"),
    "my": _made("month and year", _month_year),
    "time": _made("time", _time),
    "timew": _made("time", _time_words),
    "timer": _made("time", _time_range),
    "age": _made("age over 89", lambda f: str(_old(f))),
    "ageyr": _made("age over 89", _age),
    "ageord": _made("age over 89", lambda f: ordinal(_old(f))),
    "agesp": _made("age over 89, spelled", lambda f: spoken(_old(f)).replace(" ", f.pick(" ", "-"))),
    "weekday": ("", lambda f: f.pick("Monday", "Tues", "Friday", "Sunday", "Wed")),
    "yr": ("", lambda f: str(f.near(1991, 2024))),
}  # fmt: skip
