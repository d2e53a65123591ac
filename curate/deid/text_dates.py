"""Dates as people write them: found in folded text, and read where they hold a whole day."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

_NAMES = (
    "jan(?:uary|vier|uar)?|ene(?:ro)?|january",
    "feb(?:ruary|rero|ruar)?|fevr(?:ier)?|fev",
    "mar(?:ch|zo|s)?|marz|maerz",
    "apr(?:il)?|abr(?:il)?|avril|avr",
    "may(?:o)?|mai",
    "june?|juni|junio|juin",
    "july?|juli|julio|juillet|juil",
    "aug(?:ust)?|ago(?:sto)?|aout",
    "sept?(?:ember|iembre|embre)?|set(?:iembre)?",
    "oct(?:ober|ubre|obre)?|okt(?:ober)?",
    "nov(?:ember|iembre|embre)?",
    "dec(?:ember|embre)?|dic(?:iembre)?|dez(?:ember)?",
)
_MONTHS = [re.compile(p, re.IGNORECASE) for p in _NAMES]
_MON = rf"(?P<mon>{'|'.join(_NAMES)})"
_YEAR = r"(?P<y>(?:1[89]|20)\d\d|'?\d\d)"
_YEAR4 = r"(?P<y>(?:1[89]|20)\d\d)"
_DAY = r"(?P<d>0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?P<m>0?[1-9]|1[0-2])"
_ORD = r"(?:\s?(?:st|nd|rd|th|o|\.))?"
_SEP = r"\s{0,2}(?:,|-|/|\.|of|de|del)?\s{0,2}"
_CLOCK = r"(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s?Z|[+-]\d\d:?\d\d)?)?"
_START, _END = r"(?<![\w.])", r"(?![^\W_]|[.,]\d)"

# Most telling first: where two overlap, the earlier in this list is the one that is read.
_PATTERNS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<!\d){_YEAR4}\s?(?P<s>[-/.])\s?{_MONTH}\s?(?P=s)\s?{_DAY}{_CLOCK}(?!\d)",
        rf"{_START}(?P<a>\d{{1,2}})\s?(?P<s>[-/])\s?(?P<b>\d{{1,2}})\s?(?P=s)\s?{_YEAR}{_END}",
        rf"{_START}(?P<a>\d{{1,2}})\.\s?(?P<b>\d{{1,2}})\.\s?{_YEAR4}{_END}",
        rf"{_START}(?P<a>\d\d)\.(?P<b>\d\d)\.(?P<y>\d\d){_END}",
        rf"{_START}{_DAY}{_ORD}{_SEP}(?:{_MON})\.?{_SEP}{_YEAR}{_END}",
        rf"\b{_MON}\.?{_SEP}{_DAY}{_ORD}{_SEP}{_YEAR4}{_END}",
        rf"\b{_YEAR4}[ /-]{_MON}\.?{_SEP}{_DAY}{_ORD}{_END}",
        rf"(?<![\d.]){_YEAR4}(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?:\d{{6}}(?:\.\d+)?)?(?!\d)",
        r"(?<!\d)(?P<y>(?:1[89]|20)\d\d)年\s?(?P<m>\d{1,2})月\s?(?P<d>\d{1,2})日",
        # what holds no whole day is masked, never shifted
        r"(?:明治|大正|昭和|平成|令和)\s?(?:\d{1,2}|元)年(?:\s?\d{1,2}月)?(?:\s?\d{1,2}日)?",
        r"\d{1,4}年\s?\d{1,2}月|\d{1,2}月\s?\d{1,2}日",
        rf"\b{_MON}\.?{_SEP}(?:de\s)?{_YEAR4}{_END}",
        rf"{_START}{_MONTH}\s?[-/]\s?{_YEAR4}{_END}",
        rf"(?<!\d){_YEAR4}-{_MONTH}{_END}(?!-)",
    )
]
# Without a year "may 2" and "4/5" are ordinary text: the month's name must be capitalised, the slash needs a lead-in.
_MON_CAP = (
    r"(?:Jan|Feb|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?|January|February|March|April|May|June|July|August|September"
    r"|October|November|December|JAN|FEB|MAR|APR|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
)
_YEARLESS = [
    re.compile(rf"\b(?:{_MON_CAP})\s{{1,2}}(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?{_END}(?!\s?(?:mm|cm|mL|ml|%))"),
    re.compile(rf"{_START}(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?\s(?:of\s)?(?:{_MON_CAP})\b"),
]
_LED = re.compile(
    r"\b(?:on|dated?|from|since|of|until|through|exam|study|film|radiographs?|ct|mri?"
    r"|compar\w+(?: (?:to|with|is made (?:to|with)))?|prior|dob|admitted|seen)\s*:?\s+((?:0?[1-9]"
    r"|1[0-2])[/-](?:0?[1-9]|[12]\d|3[01]))(?![\w/]|[.,-]\d)",
    re.IGNORECASE,
)


def find_dates(text: str) -> Iterator[tuple[int, int, dt.date | None]]:
    """(start, end, day) of every date in folded text; day is None where it names no whole, existing day.

    10/11/2024 is read month first, as DICOM's home writes it, unless only day first exists. Two-digit years up to 49
    are of this century.
    """
    for pattern in _PATTERNS:
        for hit in pattern.finditer(text):
            day = _read(hit.groupdict())
            if day is not None or _plausible(hit.groupdict()):
                yield hit.start(), hit.end(), day
    for pattern in _YEARLESS:
        for hit in pattern.finditer(text):
            yield hit.start(), hit.end(), None
    for hit in _LED.finditer(text):
        yield hit.start(1), hit.end(1), None


def _plausible(found: dict[str, str | None]) -> bool:
    """False for 45/67/89, three numbers that no order makes a date of, unless the year is written out."""
    return found.get("a") is None or len(found["y"] or "") == 4


def _read(found: dict[str, str | None]) -> dt.date | None:
    year, day = found.get("y"), found.get("d")
    if year is None:
        return None
    y = int(year.lstrip("'"))
    y += (2000 if y < 50 else 1900) if y < 100 else 0
    if found.get("a") is not None:
        a, b = int(found["a"] or 0), int(found["b"] or 0)
        return _day(y, a, b) or _day(y, b, a)
    if day is None:
        return None
    month = int(found["m"] or 0) if found.get("m") else _month(found.get("mon") or "")
    return _day(y, month, int(day))


def _month(name: str) -> int:
    return next((i for i, p in enumerate(_MONTHS, 1) if p.fullmatch(name)), 0)


def _day(y: int, m: int, d: int) -> dt.date | None:
    try:
        return dt.date(y, m, d)
    except ValueError:
        return None
