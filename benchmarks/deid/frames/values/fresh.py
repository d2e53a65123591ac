"""What the slots of the fresh frames are filled with where it differs: numbers, dates and places of other forms.

The same slots as `first`, in forms that its other halves have not: who mends a rule on what the other halves
showed has not seen these. Two kinds more that 45 CFR 164.514(b)(2)(i) names, (J) account numbers and (L) vehicle
identifiers; a bare year may stay or go, for (C) lets it stay.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from benchmarks.deid.frames.values.first import Filling
from benchmarks.deid.frames.values.numbers import MONTHS, ordinal

_TOWNS = {
    "us": "Abernathy Bellingham Beverley Duluth Gallup Hope Laramie Missoula Mobile Pahrump Poughkeepsie Saginaw",
    "uk": "Battle Deal Dunstable Grimsby Halesowen Hope Kettering Leominster Sandwich Scunthorpe Tewkesbury Yeovil",
    "in": "Coimbatore Dindigul Erode Gorakhpur Hubli Jorhat Nagercoil Palakkad Rourkela Solapur Thanjavur",
    "au": "Ballarat Bundaberg Chatswood Fremantle Geraldton Katoomba Moree Oamaru Orange Sale Tamworth Wagga",
}
_STREETS = """Acacia Ashgrove Banksia Bluegum Canning Copperfield Dogwood Elgin Foundry Glebe Hillcrest Ironbark
Kasturba Lakeview Linking Magnolia Netaji Parsonage Patel Pepperwood Priory Rajaji Rosemary Saddleback Tilak Wharf"""
_SAINTS = "Aidan Brigid Cuthbert Helena Luke Monica Ninian Thomas Vincent"
_PLATES = {"us": ("#@@@###", "@@@ ####"), "uk": ("@@## @@@", "@### @@@"), "in": ("@@ ## @ ####", "@@##@@####"),
           "au": ("@@@ ##@", "#@@ #@@")}  # fmt: skip
_SHORT = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec")


def _month_first(f: Filling) -> bool:
    return f.style in ("us", "telegram", "dictated")


def _town(f: Filling) -> str:
    return f.pick(*_TOWNS.get(f.style, _TOWNS["us"]).split())


def _dotted(d: dt.date) -> str:
    short = _SHORT[d.month - 1]
    return short if short == "May" else f"{short}."


def _date(f: Filling) -> str:
    d = f.day()
    month, short, a, b = MONTHS[d.month - 1], _SHORT[d.month - 1], d.day, d.month
    if _month_first(f):
        a, b = b, a
        words = (f"{_dotted(d)} {d.day}, {d.year}", f"{month} {ordinal(d.day)}, {d.year}", f"{short} {d.day} {d.year}")
    else:
        words = (f"{d.day}-{short}-{d.year}", f"{d.day} {month}, {d.year}", f"{ordinal(d.day)} {short} '{d:%y}")
    numbers = (f"{a}/{b}/{d:%y}", f"{a:02d}/{b:02d}/{d.year}", f"{a}.{b}.{d:%y}", f"{a:02d}-{b:02d}-{d:%y}")
    return f.pick(*numbers, f"{d:%Y/%m/%d}", f"{d.day:02d}{short[:3].upper()}{d.year}", f"{d.year}-{d.month}-{d.day}",
                  *words)  # fmt: skip


def _day_month(f: Filling) -> str:
    d = f.day()
    month, short = MONTHS[d.month - 1], _SHORT[d.month - 1]
    if _month_first(f):
        return f.pick(
            f"{_dotted(d)} {d.day}", f"{month} the {ordinal(d.day)}", f"{short} {ordinal(d.day)}", f"{d.day} {short}"
        )
    return f.pick(f"{d.day} {short}", f"{ordinal(d.day)} {month}", f"{d.day}-{short}", f"{month} {d.day}")


def _month_day_numbers(f: Filling) -> str:
    d = f.day()
    a, b = (d.month, d.day) if _month_first(f) else (d.day, d.month)
    return f.pick(f"{a}/{b}", f"{a:02d}/{b:02d}", f"{a}-{b}")


def _month_year(f: Filling) -> str:
    d = f.day()
    month, short = MONTHS[d.month - 1], _SHORT[d.month - 1]
    return f.pick(
        f"{month} {d.year}", f"{short} {d.year}", f"{short} '{d:%y}", f"{d.month}/{d.year}", f"{month} of {d.year}"
    )


def _stamp(f: Filling) -> str:
    d, h, m = f.day(), f.near(0, 23), f.near(0, 59)
    a = f"{d.month}/{d.day}/{d.year}" if _month_first(f) else f"{d.day}/{d.month}/{d.year}"
    clock = f"{h % 12 or 12}:{m:02d} {'AM' if h < 12 else 'PM'}"
    return f.pick(
        f"{a} {clock}", f"{d:%Y-%m-%d}T{h:02d}:{m:02d}:{f.near(0, 59):02d}Z", f"{d:%d %b %Y}, {h:02d}:{m:02d}"
    )


def _time(f: Filling) -> str:
    h, m = f.near(0, 23), f.near(0, 59)
    half = "AM" if h < 12 else "PM"
    return f.pick(f"{h:02d}:{m:02d}", f"{h % 12 or 12}:{m:02d}{half}", f"{h:02d}{m:02d}", f"{h:02d}h{m:02d}",
                  f"{h % 12 or 12}.{m:02d} {half.lower()}", f"{h:02d}:{m:02d}:{f.near(0, 59):02d}")  # fmt: skip


def _address(f: Filling) -> str:
    ways = {
        "us": ("Court", "Way", "Avenue", "Place"),
        "uk": ("Gardens", "Terrace", "Avenue", "Road"),
        "in": ("Layout", "Colony", "Main Road", "Street"),
        "au": ("Parade", "Street", "Terrace", "Road"),
    }
    number = f.form("#", "1#", "2##", "1###") if f.style != "in" else f.form("1#/2", "4#", "#-1-2##")
    return f"{number.replace('0', '4')} {f.pick(*_STREETS.split())} {f.pick(*ways.get(f.style, ways['us']))}"


def _facility(f: Filling) -> str:
    town, name, saint = _town(f), f.cast.others.draw(), f.pick(*_SAINTS.split())
    own = {
        "uk": (f"{town} General Hospital", f"{town} Community Hospital", f"{name} House Surgery"),
        "au": (f"{town} Health Service", f"{town} District Hospital", f"{name} Radiology"),
        "in": (f"{name} Scans", f"{town} Medical College Hospital", f"{name} Diagnostics", f"{name} Hospitals"),
    }
    common = (f"{town} Regional Medical Center", f"{name} Orthopedics", f"{town} General", f"{town} County Hospital")
    return f.pick(*own.get(f.style, common), f"St {saint}'s", f"Saint {saint} Hospital")


def _email(f: Filling) -> str:
    a, b = (f.cast.others.draw().lower().replace("'", "") for _ in range(2))
    who = f.pick(f"{a[0]}.{b}", f"{a}-{b}", f"dr{b}", f"{b}{a[0]}{f.near(10, 99)}", f"{a}.{b}+films")
    return f"{who}@{f.pick('health.example.com', 'rad.example.edu', 'post.example', 'hosp.example.in')}"


def _spoken_email(f: Filling) -> str:
    return f"{f.cast.others.draw().lower()} {f.pick('dash m', 'dot r', 'dot p')} at example dot {f.pick('net', 'edu')}"


def _forms(kind: str, *forms: str) -> tuple[str, Callable[[Filling], str]]:
    return kind, lambda f: f.form(*forms)


FRESH: dict[str, tuple[str, Callable[[Filling], str]]] = {
    "mrn": _forms("record number", "########", "00######", "###-##-##", "@@@#####", "##/#####", "### ### ###"),
    "acc": _forms("accession", "#########", "@@##-#######", "##@@######", "RAD######", "R-##-######"),
    "nhs": _forms("health number", "### ### ####", "### - ### - ####"),
    "medicareau": _forms("health number", "#### ##### #", "##########-#"),
    "aadhaar": _forms("national number", "#### #### ####", "####-####-####", "XXXX XXXX ####"),
    "dva": _forms("health number", "VX#####", "QX######@", "NSM#####"),
    "policy": _forms("health number", "@@@###@#####", "####-#######-##", "P/######/##/####"),
    "passport": _forms("passport", "@@#######", "@#######"),
    "plate": ("number plate", lambda f: f.form(*_PLATES.get(f.style, _PLATES["us"]))),
    "vin": _forms("vehicle identifier", "#@#@@##@#@#######", "@@@@@##@#@@######"),
    "acct": _forms("account number", "##########", "@#########", "####-######", "#######"),
    "case": _forms("case number", "LP/##/####", "CRN######", "####/##/###", "@@-######"),
    "lic": _forms("licence", "##########", "MD######", "@@@-#####", "#####", "@@ #####"),
    "serial": _forms("device serial", "#########", "@@-####-##", "@#######", "#####-@@"),
    "phone": _forms("phone", "(###) ###-####", "###.###.####", "###-####", "+1-###-###-####", "### ###-####"),
    "phoneuk": _forms("phone", "01### ######", "0161 ### ####", "+44 (0)20 #### ####", "07#########"),
    "phoneau": _forms("phone", "(02) #### ####", "04########", "+61 3 #### ####", "08 #### ####", "1800 ### ###"),
    "phonein": _forms("phone", "+91-##########", "9#### #####", "080-########", "0#### ######", "98########"),
    "ext": _forms("extension", "####", "#-####", "###"),
    "pager": _forms("pager", "####", "###", "######"),
    "url": _forms(
        "URL",
        "https://portal.example.net/r/@@###",
        "img.example.org/view?acc=#######",
        "http://ris.example.com:8080/s/######",
    ),
    "ip": _forms("IP address", "10.##.1##.2#", "192.168.1#.##", "172.2#.#.1##"),
    "room": ("room", lambda f: f.form("##", "@-##", "G##", "4#.1#" if f.style == "uk" else "1##@")),
    "bed": _forms("bed", "##", "@#", "1#@"),
    "ward": _forms("ward", "Ward ##", "ward #@", "Ward @#", "# West"),
    "town": ("town", _town),
    "addr": ("address", _address),
    "fac": ("facility", _facility),
    "email": ("e-mail", _email),
    "emailsp": ("e-mail, spoken", _spoken_email),
    "date": ("date", _date),
    "datedot": ("date", lambda f: f"{f.day():%d.%m.%Y}"),
    "datetime": ("date", _stamp),
    "dmon": ("date without year", _day_month),
    "dmd": ("date without year", _month_day_numbers),
    "my": ("month and year", _month_year),
    "time": ("time", _time),
    "yr": ("", lambda f: str(f.near(1988, 2024))),
}
