"""Dates as people write them: found in folded text, and read where they hold a whole day that may be told.

A day of birth is never told, not even shifted: beside a shifted study date it gives the exact age of someone over 90.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from curate.deid.patterns import days as yearless
from curate.deid.patterns.around import COUNTED, is_any_before, words_before
from curate.deid.patterns.months import MONTH, NAMES
from curate.deid.patterns.prefilter import Rule, find_all, rule
from curate.deid.text.text_index import TextIndex
from curate.deid.word_lists import words

_MONTHS = [re.compile(p, re.IGNORECASE) for p in NAMES]
_MON = rf"(?P<mon>{MONTH})"
_YEAR = r"(?P<y>(?:1[89]|20)\d\d|'?\d\d)"
_YEAR4 = r"(?P<y>(?:1[89]|20)\d\d)"
_DAY = r"(?P<d>0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?P<m>0?[1-9]|1[0-2])"
_ORD = r"(?:\s?(?:st|nd|rd|th|o|\.))?"
_SEP = r"\s{0,2}(?:,|-|/|\.|of|de|del)?\s{0,2}"
_CLOCK = r"(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s?Z|[+-]\d\d:?\d\d)?)?"
_UNITS = r"\s?(?:mm|cm|ml|cc|mg|kg|hu|ms|%|x\b|images?|views?|slices?|years?|yrs?|weeks?|days?)\b"
_START, _END = r"(?<![\w.])", r"(?![^\W_]|[.,]\d)"

_NUMBERED = words(
    "version ver v release rel software firmware build syngo dicom section sec chapter paragraph para item clause fig"
    " figure table protocol"
)


def _is_no_version(hit: re.Match[str]) -> bool:
    """ "version 3.12.23", "section 1.2.10"."""
    return not is_any_before(words_before(hit.string, hit.start()), _NUMBERED, 1)


def _is_no_count(hit: re.Match[str]) -> bool:
    """Two numbers that are a day and a month, and no "strength 4/5 2019"."""
    a, b = int(hit["a"]), int(hit["b"])
    possible = 0 < min(a, b) <= 12 and max(a, b) <= 31
    return possible and not is_any_before(words_before(hit.string, hit.start()), COUNTED)


# Most telling first: where two overlap, the earlier in this list is the one that is read.
_DATES: tuple[Rule, ...] = (
    rule("DATE", rf"(?<!\d){_YEAR4}\s?(?P<s>[-/.])\s?{_MONTH}\s?(?P=s)\s?{_DAY}{_CLOCK}(?!\d)"),
    rule("DATE", rf"{_START}(?P<a>\d{{1,2}})\s?(?P<s>[-/])\s?(?P<b>\d{{1,2}})\s?(?P=s)\s?{_YEAR}{_END}"),
    rule("DATE", rf"{_START}(?P<a>\d{{1,2}})\.\s?(?P<b>\d{{1,2}})\.\s?{_YEAR4}{_END}"),
    rule("DATE", rf"{_START}(?P<a>\d{{1,2}})\.(?P<b>\d{{1,2}})\.(?P<y>'?\d\d){_END}", check=_is_no_version),
    # the parts joined by different marks, or by blanks: "30/3-2021", "30 03 2021"
    rule(
        "DATE",
        rf"{_START}(?P<a>\d{{1,2}})(?:\s?[-/.]\s?|[ ])(?P<b>\d{{1,2}})(?:\s?[-/.,]\s?|[ ])(?P<y>(?:19|20)\d\d){_END}"
        rf"(?!{_UNITS})",
        check=_is_no_count,
    ),
    rule("DATE", rf"{_START}(?P<a>\d{{1,2}})/(?P<b>\d{{1,2}})-(?P<y>\d\d){_END}(?!{_UNITS})", check=_is_no_count),
    # "7-iii-22"
    rule("DATE", rf"{_START}\d{{1,2}}(?P<s>[-/.])(?:i{{1,3}}|iv|vi{{0,3}}|ix|xi{{0,2}})(?P=s)(?:\d{{4}}|\d\d){_END}"),
    rule("DATE", rf"{_START}{_DAY}{_ORD}(?:\sday\sof\s)?{_SEP}(?:{_MON})\.?{_SEP}{_YEAR}{_END}"),
    rule(
        "DATE", rf"\b{_MON}\.?{_SEP}{_DAY}{_ORD}{_SEP}(?P<y>(?:1[89]|20)\d\d|'\d\d|(?<=[ ,/-])\d\d(?!{_UNITS})){_END}"
    ),
    rule("DATE", rf"\b{_YEAR4}[ /-]{_MON}\.?{_SEP}{_DAY}{_ORD}{_END}"),
    rule("DATE", rf"(?<![\d.]){_YEAR4}(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?:\d{{6}}(?:\.\d+)?)?(?!\d)"),
    rule("DATE", r"(?<!\d)(?P<y>(?:1[89]|20)\d\d)年\s?(?P<m>\d{1,2})月\s?(?P<d>\d{1,2})日"),
    rule("DATE", r"(?:明治|大正|昭和|平成|令和)\s?(?:\d{1,2}|元)年(?:\s?\d{1,2}月)?(?:\s?\d{1,2}日)?"),
    rule("DATE", r"\d{1,4}年\s?\d{1,2}月|\d{1,2}月\s?\d{1,2}日"),
    rule("DATE", rf"\b{_MON}\.?{_SEP}(?:de\s)?{_YEAR4}{_END}"),
    rule("DATE", rf"{_START}{_MONTH}\s?[-/]\s?{_YEAR4}{_END}"),
    rule("DATE", rf"(?<![\d/-]){_YEAR4}[-/]{_MONTH}{_END}(?![-/])"),
)
# What says that a date is of birth, before it and behind it.
_CUE = (
    r"(?:(?<![\w.])(?:d\.?\s?o\.?\s?b\b\.?|born|(?:date|day|year|dt)\s+of\s+birth|birth\s?-?(?:date|day|year)?"
    r"|b\.|bdate"
    r"|f\.?\s?nac\.?|(?:fecha\s+de\s+)?nac(?:id[oa]|imiento|io)\b|geb(?:oren|urtsdatum|\.)?|nee?(?=\s+(?:le|en)\b)"
    r"|naissance|nat[oa](?=\s+il\b)|nascid[oa]|nascita|nascimento|fodt)|生年月日|出生(?:日期)?|생년월일"
    r"|рожд[а-я]+|род(?:ился|илась|\.)|дата\s+рожд\.?|д\.?\s?р\.)"
    r"(?:['’]?s)?(?![a-z])(?:[\s:=,(*#-]|\b(?:on|in|is|was|the|of|el|en|am|im|le|del?|il|dia|dated?|about|circa|c)\b\.?){0,12}"
)
_BEFORE = re.compile(_CUE + r"$", re.IGNORECASE)
_BEHIND = re.compile(r"[\s,(-]{0,3}(?:d\.?o\.?b\b|birth|born\b|geboren|生まれ|生\b|出生|г\.?\s?р\.?)", re.IGNORECASE)
_DAY_TH = rf"(?:0?[1-9]|[12]\d|3[01]){_ORD}"
_MON_ANY = rf"(?:{MONTH})\b\.?"
_Y_ANY = r"(?:(?:1[89]|20)\d\d|'?\d\d)"
# Behind a cue less is enough: a year, a month and a day in letters of any case, three numbers.
_BIRTH = rule(
    "DATE",
    rf"{_CUE}(?P<day>{_MON_ANY}{_SEP}(?:{_DAY_TH}(?:{_SEP}{_Y_ANY})?|{_Y_ANY})|{_DAY_TH}{_SEP}{_MON_ANY}"
    r"|\d{1,4}(?:\s?[-/.,]\s?|\s)\d{1,2}(?:\s?[-/.,]\s?|\s)\d{2,4}|(?:1[89]|20)\d\d)(?![^\W_])",
)
_LIFETIME = 85  # years: less than the 90 from which an age identifies, so that no rounding decides
_DIGITAL = 1990  # a record whose newest date is older was not dated by a machine, and anchors nothing


def find_dates(
    text: str, header: Sequence[dt.date] = (), index: TextIndex | None = None, *, day_first: bool = False
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
    index = TextIndex(text) if index is None else index
    hits = [hit for one in _DATES for hit in one.find(index) if one.check is None or one.check(hit)]
    read = [_ordered(hit.groupdict(), day_first) for hit in hits]
    known = [day for hit, found in zip(hits, read, strict=True) if (day := _read(found, None)) and _four(hit)]
    newest = max([*known, *header], default=None)
    days = [_read(found, newest) for found in read]
    newest = max([day for day in (*days, newest) if day is not None], default=None)
    for hit, day in zip(hits, days, strict=True):
        if day is not None or _plausible(hit.groupdict()):
            yield hit.start(), hit.end(), None if _of_birth(text, hit, day, header, newest) else day
    for hit in _BIRTH.find(index):
        yield hit.start("day"), hit.end("day"), None
    for start, end, _ in find_all(yearless.RULES, index):
        yield start, end, None


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
