"""What the slots of the frames in other languages are filled with: dates, numbers and places as those countries write
them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping

MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
}
# # is any digit, @ any capital; what stands between bars is one of.
_FORMS = {
    "de": {
        "phone": "0### ####-###|+49 ### ######|0###/######|0### / ## ## ##|(0###) ######",
        "post": "D-##### {t}|##### {t}|A-#### {t}",
        "ins": "@#########|@ ### ### ###",
        "nid": "## ### ### ###|###########",
        "lic": "#########",
        "case": "F-#######|########",
        "acc": "#######|R##-######",
        "pid": "#######|P######",
        "street": "{s} ##|{s} #a|{s} ###",
    },
    "es": {
        "phone": "9## ### ###|9# ### ## ##|+34 6## ### ###|6########|6## ## ## ##",
        "post": "##### {t}|##### {t} (Madrid)",
        "ins": "## ######## ##|@@@@############|##/########/##",
        "nid": "########@|##.###.###-@|X#######@",
        "lic": "28/28/#####|#########",
        "case": "#######|E-########",
        "acc": "#######",
        "pid": "######|#######",
        "street": "{s}, ##|{s} ##, #º @|{s} nº ##, #º izq.",
    },
    "fr": {
        "phone": "0# ## ## ## ##|0#.##.##.##.##|+33 # ## ## ## ##|0#########",
        "post": "##### {t}|F-##### {t}",
        "lic": "###########|1 ## ## ######",
        "ins": "1 ## 0# ## ### ### ##|2##11##########|2 ## 1# ## ### ### ##",
        "nid": "############",
        "case": "########|S########",
        "acc": "#######",
        "pid": "########|#######",
        "street": "##, {s}|# bis {s}|## {s}",
    },
    "it": {
        "phone": "0# #######|+39 3## #######|0##-######|3## ### ####",
        "post": "##### {t}|##### {t} (VI)",
        "ins": "8038000############",
        "nid": "@@@@@@##@##@###@",
        "lic": "######",
        "case": "20##/######|########",
        "acc": "#######",
        "pid": "########|RX######",
        "street": "{s}, ##|{s} ##/@|{s} n. ##",
    },
    "nl": {
        "phone": "0##-#######|06-########|+31 ## ### ####|06 ## ## ## ##",
        "post": "#### @@ {t}|####@@ {t}|B-#### {t}",
        "ins": "#########|##########",
        "nid": "#########|####.##.###",
        "lic": "########|##-######",
        "case": "#######|O-######",
        "acc": "#######",
        "pid": "#######|########",
        "street": "{s} ##|{s} ##a|{s} ##-II",
    },
    "pt": {
        "phone": "2# ### ####|9## ### ###|+351 9## ### ###|(11) 9####-####|(21) ####-####",
        "post": "####-### {t}|#####-### {t} - MG",
        "ins": "#########|### ### ###|7## #### #### ####",
        "nid": "###.###.###-##|######## # ZZ#",
        "lic": "#####|#####/SP|SP ######",
        "case": "#######|#########",
        "acc": "#######",
        "pid": "#######|########",
        "street": "{s}, ##|{s}, nº ##|{s} ##, #º Esq.",
    },
}
_KINDS = {
    "phone": "phone",
    "post": "postcode and town",
    "ins": "insurance number",
    "nid": "national number",
    "lic": "licence",
    "case": "case number",
    "acc": "accession",
    "pid": "record number",
    "street": "street",
}


class Values:
    """Values of one language: towns, streets and facilities from its file, numbers by form."""

    def __init__(self, code: str, places: Mapping[str, list[str]], rng: random.Random) -> None:
        self.code, self.places, self.rng = code, places, rng
        self.months = MONTHS[code].split()

    def value(self, slot: str, name: str) -> tuple[str, str]:
        """(kind, text) of one slot; ``name`` is of who an e-mail address is. KeyError: no such slot."""
        if slot in _KINDS:
            return _KINDS[slot], self.form(slot)
        if slot == "email":
            return "e-mail", f"{name.lower().replace(' ', '').replace(chr(39), '')}@klinik-example.{self.code}"
        if slot in ("town", "fac"):
            key = {"town": "towns", "fac": "facilities"}[slot]
            return {"town": "town", "fac": "facility"}[slot], self.rng.choice(self.places[key])
        kept = {"mm": lambda: str(self.rng.randint(3, 48)), "lvl": self.level,
                "cm": lambda: f"{self.rng.randint(1, 11)},{self.rng.randint(1, 9)}"}  # fmt: skip
        if slot in kept:
            return "+", kept[slot]()
        if slot == "room":
            return "room", str(self.rng.randint(2, 480))
        if slot == "age":
            return "age over 89", str(self.rng.randint(90, 104))
        return {
            "date": "date",
            "dlong": "date in words",
            "dmon": "date without year",
            "my": "month and year",
            "time": "time",
        }[slot], self.time(slot)

    def form(self, slot: str) -> str:
        """One of the slot's forms, filled."""
        made = self.rng.choice(_FORMS[self.code][slot].split("|"))
        place = {"{t}": "towns", "{s}": "streets"}
        for mark, key in place.items():
            made = made.replace(mark, self.rng.choice(self.places[key])) if mark in made else made
        pick = {"#": "123456789", "@": "ABCDEFGHJKLMNPRSTUVWXYZ"}
        return "".join(self.rng.choice(pick[c]) if c in pick else c for c in made)

    def level(self) -> str:
        """A level of the spine."""
        form = {"de": ("LWK 4/5", "L4/5", "L5/S1", "HWK 5/6")}.get(self.code, ("L4-L5", "L5-S1", "C5-C6", "L3-L4"))
        return self.rng.choice(form)

    def day(self, low: int = 2009, high: int = 2025) -> dt.date:
        """Any day of those years."""
        return dt.date(low, 1, 1) + dt.timedelta(days=self.rng.randrange(365 * (high - low)))

    def born(self) -> tuple[str, str]:
        """A day of birth as the language writes it, and as a header does."""
        d = self.day(1931, 2001)
        return self.numeric(d, long=True), f"{d:%Y%m%d}"

    def numeric(self, d: dt.date, *, long: bool = False) -> str:
        """A day in numbers."""
        mark = {"de": ".", "nl": "-"}.get(self.code, "/")
        forms = [f"{d.day:02d}{mark}{d.month:02d}{mark}{d.year}", f"{d.day}{mark}{d.month}{mark}{d.year}"]
        forms += (
            []
            if long
            else [
                f"{d.day:02d}{mark}{d.month:02d}{mark}{d:%y}",
                f"{d.day:02d}.{d.month:02d}.{d.year}",
                f"{d.day:02d}-{d.month:02d}-{d.year}",
            ]
        )
        return self.rng.choice(forms)

    def time(self, slot: str) -> str:
        """A date in one of its forms, or a time of day."""
        d = self.day()
        month = self.months[d.month - 1]
        if slot == "date":
            return self.numeric(d)
        if slot == "time":
            h, m = self.rng.randint(0, 23), self.rng.randint(0, 59)
            marks = {"fr": ("h", " h ", ":"), "pt": ("h", ":", "h"), "nl": (":", ".", ":")}.get(
                self.code, (":", ".", ":")
            )
            return f"{h:02d}{self.rng.choice(marks)}{m:02d}"
        of = " de " if self.code in ("es", "pt") else " "
        day = f"{d.day}." if self.code == "de" else "1er" if self.code == "fr" and d.day == 1 else str(d.day)
        short = {"de": [f"{d.day}.{d.month:02d}."], "es": [f"{d.day}/{d.month}"], "it": [f"{d.day}/{d.month:02d}"]}
        if slot == "dmon":
            return self.rng.choice([f"{day}{of}{month}"] * 2 + short.get(self.code, []))
        if slot == "my":
            return f"{month}{of}{d.year}"
        return self.rng.choice([f"{day}{of}{month}{of}{d.year}"] * 2 + [f"{day} {month[:3]} {d.year}"])
