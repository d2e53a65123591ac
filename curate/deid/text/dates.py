"""Dates as people write them: found in folded text, and read where they hold a whole day that may be told.

A day of birth is never told, not even shifted: beside a shifted study date it gives the exact age of someone over 90.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from curate.deid.patterns.prefilter import Rule, cued, guard, rule
from curate.deid.text.text_index import Glance

MONTH_WORDS = """jan january janvier januar ene enero feb february febrero februar fevr fevrier fev mar march marzo mars
marz
maerz apr april abr abril avril avr may mayo mai jun june juni junio juin jul july juli julio juillet juil
aug august ago
agosto aout sep sept september septiembre septembre set setiembre oct october octubre octobre okt oktober nov
november
noviembre novembre dec december decembre dic diciembre dez dezember"""
_TRIPLE = "0-0- 0-00- 0/0/ 0/00/ 0.0. 0.00."
_NAMES = (
    "jan(?:uary|vier|uari|uar|eiro)?|ene(?:ro)?|janner|jaenner|genn?(?:aio)?",
    "feb(?:ruary|rero|ruari|ruar|braio|er)?|fevr(?:ier)?|fev(?:ereiro)?",
    "mar(?:ch|zo|co|s)?|marz|maerz|maart|mrt",
    "apr(?:ile|il)?|abr(?:il)?|avril|avr",
    "may(?:o)?|mai(?:o)?|mei|magg?(?:io)?",
    "june?|juni|junio|juin|junho|giu(?:gno)?",
    "july?|juli|julio|juillet|juil|julho|lug(?:lio)?",
    "aug(?:ustus|ust)?|ago(?:sto)?|aout",
    "sept?(?:ember|iembre|embre)?|set(?:iembre|embro|t(?:embre)?)?",
    "oct(?:ober|ubre|obre)?|okt(?:ober)?|out(?:ubro)?|ott(?:obre)?",
    "nov(?:ember|iembre|embre|embro)?",
    "dec(?:ember|embre)?|dic(?:iembre|embre)?|dez(?:ember|embro)?",
)
_MONTHS = [re.compile(p, re.IGNORECASE) for p in _NAMES]
_MON = rf"(?P<mon>{'|'.join(_NAMES)})"
MONTH = "|".join(_NAMES)  # a month's name, or its beginning, in any of the languages, folded
WEEKDAY = (
    r"(?:mon|tues?|wed|wednes|thu|thurs|fri|sat|satur|sun)(?:day)?|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend"
    r"|(?:lun|mar|mercre|jeu|vendre|same)di|dimanche|lunes|martes|miercoles|jueves|viernes|sabado|domingo"
    r"|(?:lun|marte|mercole|giove|vener)di|domenica|(?:maan|dins|woens|donder|vrij|zater|zon)dag|(?:segunda|terca|quarta"
    r"|quinta|sexta)-feira"
)
_YEAR = r"(?P<y>(?:1[89]|20)\d\d|'?\d\d)"
_YEAR4 = r"(?P<y>(?:1[89]|20)\d\d)"
_DAY = r"(?P<d>0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?P<m>0?[1-9]|1[0-2])"
_ORD = r"(?:\s?(?:st|nd|rd|th|o|\.))?"
_SEP = r"\s{0,2}(?:,|-|/|\.|of|de|del)?\s{0,2}"
_CLOCK = r"(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s?Z|[+-]\d\d:?\d\d)?)?"
_START, _END = r"(?<![\w.])", r"(?![^\W_]|[.,]\d)"

# Most telling first: where two overlap, the earlier in this list is the one that is read.
_DATES: tuple[Rule, ...] = (
    rule(
        "DATE",
        guard(shapes=_TRIPLE, led="digits"),
        rf"(?<!\d){_YEAR4}\s?(?P<s>[-/.])\s?{_MONTH}\s?(?P=s)\s?{_DAY}{_CLOCK}(?!\d)",
        re.IGNORECASE,
    ),
    rule(
        "DATE",
        guard(shapes=_TRIPLE, led="digits"),
        rf"{_START}(?P<a>\d{{1,2}})\s?(?P<s>[-/])\s?(?P<b>\d{{1,2}})\s?(?P=s)\s?{_YEAR}{_END}",
        re.IGNORECASE,
    ),
    rule(
        "DATE",
        guard(shapes="0.0.0 0.00.0", led="digits"),
        rf"{_START}(?P<a>\d{{1,2}})\.\s?(?P<b>\d{{1,2}})\.\s?{_YEAR4}{_END}",
        re.IGNORECASE,
    ),
    rule(
        "DATE",
        guard(shapes="00.00.00", led="digits"),
        rf"{_START}(?P<a>\d\d)\.(?P<b>\d\d)\.(?P<y>\d\d){_END}",
        re.IGNORECASE,
    ),
    rule(
        "DATE",
        guard(MONTH_WORDS, led="digits"),
        rf"{_START}{_DAY}{_ORD}{_SEP}(?:{_MON})\.?{_SEP}{_YEAR}{_END}",
        re.IGNORECASE,
    ),
    rule(
        "DATE",
        guard(MONTH_WORDS, led="words", also=r"\d"),
        rf"\b{_MON}\.?{_SEP}{_DAY}{_ORD}{_SEP}{_YEAR4}{_END}",
        re.IGNORECASE,
    ),
    rule("DATE", guard(MONTH_WORDS, led="digits"), rf"\b{_YEAR4}[ /-]{_MON}\.?{_SEP}{_DAY}{_ORD}{_END}", re.IGNORECASE),
    rule(
        "DATE",
        guard(shapes="00000000", led="digits"),
        rf"(?<![\d.]){_YEAR4}(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?:\d{{6}}(?:\.\d+)?)?(?!\d)",
        re.IGNORECASE,
    ),
    rule(
        "DATE",
        guard(signs="年"),
        r"(?<!\d)(?P<y>(?:1[89]|20)\d\d)年\s?(?P<m>\d{1,2})月\s?(?P<d>\d{1,2})日",
        re.IGNORECASE,
    ),
    rule(
        "DATE",
        guard(signs="年"),
        r"(?:明治|大正|昭和|平成|令和)\s?(?:\d{1,2}|元)年(?:\s?\d{1,2}月)?(?:\s?\d{1,2}日)?",
        re.IGNORECASE,
    ),
    rule("DATE", guard(signs="年 月"), r"\d{1,4}年\s?\d{1,2}月|\d{1,2}月\s?\d{1,2}日", re.IGNORECASE),
    rule(
        "DATE",
        guard(MONTH_WORDS, led="words", also=r"\d{4}"),
        rf"\b{_MON}\.?{_SEP}(?:de\s)?{_YEAR4}{_END}",
        re.IGNORECASE,
    ),
    rule(
        "DATE", guard(shapes="0-0000 0/0000", led="digits"), rf"{_START}{_MONTH}\s?[-/]\s?{_YEAR4}{_END}", re.IGNORECASE
    ),
    rule("DATE", guard(shapes="0000-0", led="digits"), rf"(?<!\d){_YEAR4}-{_MONTH}{_END}(?!-)", re.IGNORECASE),
)
# Without a year "may 2" and "4/5" are ordinary text: the month's name must be capitalised, the slash needs a lead-in.
_MON_CAP = (
    r"(?:Jan|Feb|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?|January|February|March|April|May|June|July|August|September"
    r"|October|November|December|JAN|FEB|MAR|APR|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
)
_YEARLESS: tuple[Rule, ...] = (
    rule(
        "DATE",
        guard(MONTH_WORDS, led="words", also=r"\d"),
        rf"\b(?:{_MON_CAP})\s{{1,2}}(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?{_END}(?!\s?(?:mm|cm|mL|ml|%))",
    ),
    rule(
        "DATE",
        guard(MONTH_WORDS, led="digits"),
        rf"{_START}(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?\s(?:of\s)?(?:{_MON_CAP})\b",
    ),
)
_NO_DAY = r"(?![\w/]|[.,-]\d|\s?(?:strength|power|nodes?|lymph|cores?|points?|pain|ribs?|vessels?|score|mm|cm|%))"
_BARE = rf"(?:{_MONTH}[/-]{_DAY}|{_DAY}[/-]{_MONTH})".replace("?P<m>", "?:").replace("?P<d>", "?:") + _NO_DAY
_LED_BY = """on|dated|date|from|since|of|until|through|exam|study|film|radiograph|radiographs|ct|mr|mri|comp|comp.|cf
|cf.|vs|vs.|prior|previous|dob|admitted|seen|performed|obtained|done|taken|near|bx|biopsy|biopsied|f/u|fu|appt|appointment|booked
|booked for|set for|due|scheduled|scheduled for|planned for|arranged for|clinic|next|last|removed|inserted|placed|sited
|injected|adm|dc|d/c|discharged|lmp|op|surgery|sx|rpt|repeat|review|recd|received|scanned|came|old|us|xr|cxr
|signed|sent|called|notified|told|informed|paged|at|before|after|prev|outside|moved to|back on|mr|pet|dexa|compared
|compared to|compared with|compare|compares|comparing|comparison|comparisons|comparable|comparison is made to
|comparison is made with"""
_LED = cued(
    "DATE",
    _LED_BY,
    rf"{_BARE}(?:(?:\s?,\s?|\s?&\s?|\s(?:and|or|to)\s){_BARE})*",
    joint=r"\s*:?[\s(]+(?:(?:the|prior|previous|outside|stud(?:y|ies)|exam|examination|films?|scan|ct|mri?"
    r"|radiographs?|x-?rays?|of|on|from|dated|to|with)\s+){0,4}",
    also=r"\d[-/]\d",
)
# a day and a month before the time, or before who did it: "set for 1/7 at [TIME]", "7/5 by Roe"
_LED_BACK = rule(
    "DATE",
    guard(shapes="0/0 0-0", led="digits", also=r"\d[-/]\d"),
    rf"(?<![\w.,/-])({_BARE})(?=[ ](?:at[ ](?:\0|\d\d?[:.]?\d\d)|by[ ][A-Z\0]|@))",
    group=1,
)


# What says that a date is of birth, before it and behind it.
_CUE = (
    r"(?:(?<![\w.])(?:d\.?\s?o\.?\s?b\b\.?|born|(?:date|day|year|dt)\s+of\s+birth|birth\s?-?(?:date|day|year)?"
    r"|b\.|bdate"
    r"|f\.?\s?nac\.?|(?:fecha\s+de\s+)?nac(?:id[oa]|imiento|io)\b|geb(?:oren|urtsdatum|\.)?|nee?(?=\s+(?:le|en)\b)"
    r"|naissance|nat[oa](?=\s+il\b)|nascid[oa]|nascita|nascimento|fodt)|生年月日|出生(?:日期)?|생년월일"
    r"|рожд[а-я]+|род(?:ился|илась|\.)|дата\s+рожд\.?|д\.?\s?р\.)"
    r"(?:['’]?s)?(?:[\s:=,(*#-]|\b(?:on|in|is|was|the|of|el|en|am|im|le|del?|il|dia|dated?|about|circa|c)\b\.?){0,12}"
)
_BEFORE = re.compile(_CUE + r"$", re.IGNORECASE)
_BEHIND = re.compile(r"[\s,(-]{0,3}(?:d\.?o\.?b\b|birth|born\b|geboren|生まれ|生\b|出生|г\.?\s?р\.?)", re.IGNORECASE)
_DAY_TH = rf"(?:0?[1-9]|[12]\d|3[01]){_ORD}"
_MON_ANY = rf"(?:{'|'.join(_NAMES)})\b\.?"
_Y_ANY = r"(?:(?:1[89]|20)\d\d|'?\d\d)"
# Behind a cue less is enough: a year, a month and a day in letters of any case, three numbers.
_BIRTH = rule(
    "DATE",
    guard(
        """d dob born birth births birthdate birthday birthyear b bdate f date day year dt nac fecha nacido nacida
    nacimiento nacio geb geboren geburtsdatum ne nee naissance nato nata nascido nascida nascita nascimento fodt""",
        signs="ро РО Ро да Да ДА д. Д. др Др ДР 生 出 생",
        led="words",
        also=r"\d",
    ),
    rf"{_CUE}(?P<day>{_MON_ANY}{_SEP}(?:{_DAY_TH}(?:{_SEP}{_Y_ANY})?|{_Y_ANY})|{_DAY_TH}{_SEP}{_MON_ANY}"
    r"|\d{1,4}(?:\s?[-/.,]\s?|\s)\d{1,2}(?:\s?[-/.,]\s?|\s)\d{2,4}|(?:1[89]|20)\d\d)(?![^\W_])",
    re.IGNORECASE,
)
_LIFETIME = 85  # years: less than the 90 from which an age identifies, so that no rounding decides
_DIGITAL = 1990  # a record whose newest date is older was not dated by a machine, and anchors nothing


def find_dates(
    text: str, header: Sequence[dt.date] = (), glance: Glance | None = None, *, day_first: bool = False
) -> Iterator[tuple[int, int, dt.date | None]]:
    """(start, end, day) of every date in folded text; ``header`` are the days that the source's header holds.

    Day is None, to be masked, where the date names no whole, existing day; where it is of birth: by a cue beside it,
    by being 85 calendar years and more before the newest date known (text and header), or by being a day of the header
    more than a year before the header's newest or the text's.

    10/11/2024 is read month first, as DICOM's home writes it, unless only day first exists; with ``day_first``, for a
    text in another language than English, the other way round. A two-digit year is of the
    latest century that is not over a year after the newest date known, if that is since 1990; else 00 to 29 are of
    this century, 70 to 99 of the last, and what lies between is not told.
    """
    glance = Glance(text) if glance is None else glance
    if day_first:  # the guards know the words of English text only
        hits = [hit for one in _DATES for hit in one.pattern.finditer(text)]
    else:
        hits = [hit for one in _DATES for hit in one.find(glance)]
    read = [_ordered(hit.groupdict(), day_first) for hit in hits]
    known = [day for hit, found in zip(hits, read, strict=True) if (day := _read(found, None)) and _four(hit)]
    newest = max([*known, *header], default=None)
    days = [_read(found, newest) for found in read]
    newest = max([day for day in (*days, newest) if day is not None], default=None)
    for hit, day in zip(hits, days, strict=True):
        if day is not None or _plausible(hit.groupdict()):
            yield hit.start(), hit.end(), None if _of_birth(text, hit, day, header, newest) else day
    for hit in _BIRTH.find(glance):
        yield hit.start("day"), hit.end("day"), None
    for one in _YEARLESS:
        for hit in one.find(glance):
            yield hit.start(), hit.end(), None
    for one in (_LED, _LED_BACK):
        for hit in one.find(glance):
            yield hit.start(1), hit.end(1), None


@lru_cache(maxsize=256)
def header_days(phi: tuple[str, ...]) -> tuple[dt.date, ...]:
    """The days among a source's values: DA, DT's date, ISO."""
    found = (re.fullmatch(r"((?:1[89]|20)\d\d)([-./]?)(\d\d)\2(\d\d)", value.strip()) for value in phi)
    days = (_day(int(hit[1]), int(hit[3]), int(hit[4])) for hit in found if hit)
    return tuple(dict.fromkeys(day for day in days if day is not None))


def _ordered(found: dict[str, str | None], day_first: bool) -> dict[str, str | None]:
    return {**found, "a": found["b"], "b": found["a"]} if day_first and found.get("a") is not None else found


def _four(hit: re.Match[str]) -> bool:
    return len(hit.groupdict().get("y") or "") == 4


def _of_birth(
    text: str, hit: re.Match[str], day: dt.date | None, header: Sequence[dt.date], newest: dt.date | None
) -> bool:
    if _BEFORE.search(text[max(0, hit.start() - 48) : hit.start()]) or _BEHIND.match(text, hit.end()):
        return True
    if day is None or newest is None:
        return False
    return newest.year - day.year >= _LIFETIME or (day in header and (newest - day).days > 366)


def _plausible(found: dict[str, str | None]) -> bool:
    """False for 45/67/89, three numbers that no order makes a date of, unless the year is written out."""
    if found.get("a") is None or len(found["y"] or "") == 4:
        return True
    return _read_year(found, 2000) is not None


def _read(found: dict[str, str | None], newest: dt.date | None) -> dt.date | None:
    year = (found.get("y") or "").lstrip("'")
    if len(year) != 2:
        return _read_year(found, int(year)) if year else None
    y = int(year)
    if newest is not None and newest.year >= _DIGITAL:
        days = (_read_year(found, century + y) for century in (2000, 1900))
        return next((day for day in days if day is not None and (day - newest).days <= 366), None)
    return None if 29 < y < 70 else _read_year(found, y + (2000 if y < 30 else 1900))


def _read_year(found: dict[str, str | None], y: int) -> dt.date | None:
    day = found.get("d")
    if found.get("a") is not None:
        a, b = int(found["a"] or 0), int(found["b"] or 0)
        return _day(y, a, b) or _day(y, b, a)
    if day is None:
        return None
    month = int(found["m"] or 0) if found.get("m") else _month(found.get("mon") or "")
    return _day(y, month, int(day))


@lru_cache(maxsize=256)
def _month(name: str) -> int:
    return next((i for i, p in enumerate(_MONTHS, 1) if p.fullmatch(name)), 0)


def _day(y: int, m: int, d: int) -> dt.date | None:
    try:
        return dt.date(y, m, d)
    except ValueError:
        return None
