"""Dates and ages over 89 for the verifier: their written forms, and which dates are shifted ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from curate.deid.verify.finding import Finding

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
# First letters of the months in English, Spanish, Portuguese, Italian, French, German and Dutch.
_STEMS = (
    "jan jän ene gen", "feb fév fev", "mar mär maa mrz", "apr abr avr", "may mai mag mei", "jun juin giu",
    "jul juil lug", "aug ago aoû aou", "sep set", "oct okt ott out", "nov", "dec dez dic déc",
)  # fmt: skip
_STEM_MONTH = {stem: month for month, stems in enumerate(_STEMS, 1) for stem in stems.split()}
_MONTH = rf"(?P<mon>(?:{'|'.join(sorted(_STEM_MONTH, key=len, reverse=True))})[^\W\d_]{{0,9}})"
_LINK = r"[\s,./-]{0,3}(?:(?:of|de|del|di|the)\s)?\s?"
_YEAR = r"(?P<y>(?:18|19|20)\d\d|['’]?\d\d)(?!\d)"
_PLACEHOLDER = re.compile(r"\[DATE:(\d{4}-\d\d-\d\d)\]")
_WHOLE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_NUMBERS = re.compile(r"(?<![\d.])(\d{1,4})\s?([-/.])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{2})(?!\d|[.,]\d)")
_SOLID = re.compile(r"(?<!\d)((?:18|19|20)\d\d)([01]\d)([0-3]\d)(?!\d)|(?<!\d)((?:18|19|20)\d\d)([01]\d)([0-3]\d)\d{6}")
_DAY_FIRST = re.compile(
    rf"(?<![\w.])(?P<d>\d{{1,2}})(?:st|nd|rd|th|º|°)?{_LINK}{_MONTH}"
    rf"(?!\d(?!\d{{3}}))(?:{_LINK}{_YEAR})?",
    re.I,
)
_MONTH_FIRST = re.compile(
    rf"\b{_MONTH}(?=[\s,./-]){_LINK}(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?!\d|[.,]?\d)(?:{_LINK}{_YEAR})?", re.I
)
_MONTH_YEAR = re.compile(rf"\b{_MONTH}{_LINK}(?P<y>(?:18|19|20)\d\d)(?!\d)", re.I)
_KANJI = re.compile(r"(?:(\d{4}|(?:明治|大正|昭和|平成|令和)\s?(?:\d{1,2}|元))年\s?)?(\d{1,2})月\s?(\d{1,2})日")
_CLOCK = re.compile(
    r"(?<![\d:.])([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?(?!\d|:)(?!\s?(?:o['’]?\s?clock|position|radian"
    r"|in the (?:\w+ ){0,3}breast|,? ?\d+ ?cm (?:fn\b|from the nipple)))"
    r"|(?<![\w.:])(1[0-2]|0?[1-9])\s?([ap])\.?m\b",
    re.I,
)
_HOURS = re.compile(r"(?<![\w.:/])([01]\d|2[0-3]):?([0-5]\d)\s?(?:hours|hrs?|h)\b", re.I)
# "14h30", "14.30 Uhr", "a las 14.30": a full stop or an h in other languages than English.
_OTHER_CLOCK = re.compile(
    r"(?<![\w.,:/])([01]?\d|2[0-3])\s?h\s?([0-5]\d)(?!\d)|(?<![\w.,:/])([01]?\d|2[0-3])[.]([0-5]\d)\s?(?:uhr"
    r"|uur|h|hs|horas|ore)\b"
    r"|\b(?:um|gegen|om|alle|alle ore|ore|a las|las|as|às|à)\s([01]?\d|2[0-3])[.]([0-5]\d)(?!\d|[.,]\d|\s?(?:mm"
    r"|cm|ml|mg|%))",
    re.I,
)
# A day without a year counts only after a word that dates something, or before a clock time: not "3/10 pain".
_DAY_ONLY = r"(\d{1,2}/\d{1,2})(?![\d/]|\s?(?:mm|cm|%|pain|strength|images?|slices?|of\b))"
_STUDY = (
    r"(?:films?|stud(?:y|ies)|exam\w*|radiographs?|x-?rays?|scans?|cts?|mris?|ultrasounds?|biops(?:y|ies)|surgery"
    r"|reports?)"
)
_CUED = re.compile(
    rf"\b(?:on|dated|since|until|till|{_STUDY}\s(?:of|from)|compar\w+[^.\n]{{0,60}}\s(?:of|from|to|with|and|,)"
    rf"|signed|prior)"
    rf"[\s:]{{1,2}}{_DAY_ONLY}",
    re.I,
)
_TIMED = re.compile(
    r"(?<![\w./])(\d{1,2}/\d{1,2})(?=,?\s(?:at\s)?(?:[01]?\d|2[0-3]):?[0-5]\d(?:\s?[ap]m|\shours|\b(?![.\d])))", re.I
)


def day_of(value: str) -> date | None:
    """The day of a DICOM DA or DT, or of an ISO date."""
    match = re.fullmatch(r"(\d{4})[-.]?(\d\d)[-.]?(\d\d)(?:\d{2,6}(?:\.\d+)?(?:[+-]\d{4})?)?", value.strip())
    return _day(int(match[1]), int(match[2]), int(match[3])) if match else None


def date_forms(day: date) -> Iterator[str]:
    """The written forms of a day, flattened as by `curate.deid.verify.normalise.normalise`."""
    y, m, d, name = day.year, day.month, day.day, _MONTHS[day.month - 1]
    yield f"{y}{m:02}{d:02}"
    for dd in dict.fromkeys((f"{d:02}", str(d))):
        for mm in dict.fromkeys((f"{m:02}", str(m))):
            yield from (f"{y} {mm} {dd}", f"{mm} {dd} {y}", f"{dd} {mm} {y}")
        for mon in dict.fromkeys((name, name[:3])):
            for day_word in (dd, f"{dd}{_ordinal(d)}"):
                yield from (f"{day_word} {mon} {y}", f"{mon} {day_word} {y}", f"{day_word} of {mon} {y}")
    yield from (f"{d:02}{name[:3]}{y}", f"{m:02} {d:02} {y % 100:02}", f"{m} {d} {y % 100:02}")


def _ordinal(d: int) -> str:
    return "th" if 10 < d < 20 else {1: "st", 2: "nd", 3: "rd"}.get(d % 10, "th")


def without_shifted(text: str) -> tuple[str, frozenset[date]]:
    """``text`` without the dates that are marked as shifted, and these dates.

    They are "[DATE:2019-05-02]", and a text that is an ISO date and nothing else: a cleaned column.
    """
    whole = _WHOLE.fullmatch(text.strip())
    if whole is not None:
        return "", frozenset(d for d in [_day(int(whole[1]), int(whole[2]), int(whole[3]))] if d)
    if "[DATE:" not in text:
        return text, frozenset()
    shifted = (day_of(hit) for hit in _PLACEHOLDER.findall(text))
    return _PLACEHOLDER.sub("[]", text), frozenset(day for day in shifted if day is not None)


def is_unshifted(shifted: frozenset[date], source: frozenset[date]) -> bool:
    """True if the dates that should have been shifted are all dates of the source.

    A single one may be so by chance, if one day of the source was shifted onto another; all of them only if nothing was
    shifted: no finite set of days contains its shifted copy.
    """
    return bool(shifted) and shifted <= source


def date_keys(text: str) -> set[str]:
    """Every day, month of a year, day of a year and clock time in a text, in all readings, as keys to compare."""
    keys: set[str] = set()
    for a, _, b, c in _NUMBERS.findall(text):
        keys.update(day.isoformat() for day in _readings(a, b, c))
    for groups in _SOLID.findall(text):
        y, m, d = groups[:3] if groups[0] else groups[3:]
        keys.update(day.isoformat() for day in [_day(int(y), int(m), int(d))] if day)
    for pattern in (_DAY_FIRST, _MONTH_FIRST):
        for hit in pattern.finditer(text):
            keys.update(_named(hit))
    for hit in _MONTH_YEAR.finditer(text):
        if _is_month(hit["mon"]):
            keys.add(f"{hit['y']}-{_month(hit['mon']):02}")
    for year, month, day in _KANJI.findall(text):
        keys.add(f"{year}年{int(month)}月{int(day)}日")
    for hour, minute, twelve, half in _CLOCK.findall(text):
        keys.add(f"t{int(hour)}:{minute}" if hour else f"t{int(twelve)}{half.lower()}")
    keys.update(f"t{int(hour)}:{minute}" for hour, minute in _HOURS.findall(text))
    for groups in _OTHER_CLOCK.findall(text):
        hour, minute = [part for part in groups if part]
        keys.add(f"t{int(hour)}:{minute}")
    for pattern in (_CUED, _TIMED):
        keys.update(f"--{day}" for day in pattern.findall(text) if _is_day_of_a_year(day))
    return keys


def date_spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of every day, month of a year and clock time in a text."""
    for hit in _NUMBERS.finditer(text):
        if any(True for _ in _readings(hit[1], hit[3], hit[4])):
            yield hit.span()
    for pattern in (_DAY_FIRST, _MONTH_FIRST):
        yield from (hit.span() for hit in pattern.finditer(text) if any(True for _ in _named(hit)))
    yield from (hit.span() for hit in _MONTH_YEAR.finditer(text) if _is_month(hit["mon"]))
    for hit in _OTHER_CLOCK.finditer(text):
        first = next(n for n in (1, 3, 5) if hit[n])
        yield hit.start(first), hit.end(first + 1)
    for pattern in (_SOLID, _KANJI, _CLOCK, _HOURS):
        yield from (hit.span() for hit in pattern.finditer(text))
    for pattern in (_CUED, _TIMED):
        yield from (hit.span(1) for hit in pattern.finditer(text) if _is_day_of_a_year(hit[1]))


def _is_day_of_a_year(numbers: str) -> bool:
    a, b = map(int, numbers.split("/"))
    return 0 < min(a, b) < 13 and 0 < max(a, b) < 32


def days(text: str) -> frozenset[date]:
    """The full dates in a text, in all readings."""
    return frozenset(date.fromisoformat(key) for key in date_keys(text) if _WHOLE.fullmatch(key))


def _readings(a: str, b: str, c: str) -> Iterator[date]:
    if len(a) == 4:
        orders = [(int(a), int(b), int(c))] if len(c) == 2 else []
    else:
        years = [int(c)] if len(c) == 4 else [1900 + int(c), 2000 + int(c)]
        orders = [order for y in years for order in ((y, int(a), int(b)), (y, int(b), int(a)))] if len(a) < 3 else []
    yield from (day for order in orders if (day := _day(*order)) is not None)


def _named(hit: re.Match[str]) -> Iterator[str]:
    month, day = _month(hit["mon"]), int(hit["d"])
    if not _is_month(hit["mon"]) or not 1 <= day <= 31:
        return
    year = (hit["y"] or "").lstrip("'’")
    if year:
        years = [int(year)] if len(year) == 4 else [1900 + int(year), 2000 + int(year)]
        yield from (d.isoformat() for y in years if (d := _day(y, month, day)) is not None)
    elif hit["mon"][0].isupper():  # "lesions may 3 ..."
        yield f"--{month:02}-{day:02}"


_MONTH_NAMES = """
january february march april may june july august september october november december jan feb mar apr jun jul aug
sep sept oct nov dec enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre
diciembre ene abr ago dic janeiro fevereiro março marco maio junho julho setembro outubro novembro dezembro fev mai
set out dez gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre gen mag giu lug ott janvier
février fevrier mars avril juin juillet août aout septembre octobre décembre decembre januar jänner februar märz
maerz juni juli oktober dezember mrz okt januari februari maart mei augustus
"""
_WORDS = frozenset(_MONTH_NAMES.split())


def _is_month(word: str) -> bool:
    return word.lower() in _WORDS


def _month(word: str) -> int:
    lowered = word.lower()
    return next((_STEM_MONTH[lowered[:n]] for n in (4, 3) if lowered[:n] in _STEM_MONTH), 0)


def _day(y: int, m: int, d: int) -> date | None:
    try:
        return date(y, m, d) if 1850 < y < 2100 else None
    except ValueError:
        return None


_OVER_89_DAYS = 89 * 365 + 22  # 89 years in days
_AGE_UNIT = r"[\s-]{0,2}(?:years?|yrs?|y/?o|y\.o\.)\b"
_AGE_WORDS = r"(?:ninety|(?:one|a)\s+hundred)(?:[\s-]+(?:and\s+)?(?:one|two|three|four|five|six|seven|eight|nine))?"
_OVER_89 = re.compile(
    rf"\bnonagenarian|\bcentenarian|\b(?:his|her|their)\s+(?:(?:early|mid|late)[\s-]+)?(?:nineties|90'?s)\b"
    rf"|\b{_AGE_WORDS}{_AGE_UNIT}|\bage[d:]?\s+(?:ninety\b|1[0-4]\d\b(?!\s?%)|9\d\b(?!\s?[%m]))"
    rf"|(?<![\w.])(?:9\d|1[0-4]\d){_AGE_UNIT}"
    r"|(?<![\w.])(?:9\d|1[0-4]\d)\s?(?-i:[MF])\b"
    r"|(?<![\w.,])(?:9\d|1[0-4]\d)[\s-]{0,2}(?:j(?:ae|ä|a)hrig\w*|jahren?\b|años\b|anos\b|ans\b|anni\b|jaar\b"
    r"|jarige?\b|aa\b)|\banni (?:9\d|1[0-4]\d)\b",
    re.IGNORECASE,
)
_BIRTH_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ene|abr|ago|dic)[a-z]*"
_BIRTH_DATE = (
    rf"(?:\[DATE:|(?:18|19|20)\d\d(?!\d)|(?:18|19|20)\d{{6}}(?!\d)|\d{{1,2}}\s?[-/.]\s?\d{{1,2}}\s?[-/.]\s?\d{{2}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?[\s-]+(?:de\s+|of\s+)?{_BIRTH_MONTH}\b|{_BIRTH_MONTH}\.?\s+\d)"
)
_BORN = re.compile(
    r"(?:\bd\.?o\.?b\b\.?|\bborn|\bbirth\s?(?:date|day)|\b(?:date|day|year)\s+of\s+birth|(?<![\w.])b\.|\bnacid[oa]"
    rf"|\bnacimiento|\bgeboren|\bgeburtsdatum|\bnaissance)[\s:=,(-]{{0,5}}(?:(?:on|in|is|was|the|el|en|am"
    rf"|le)\s+){{0,3}}{_BIRTH_DATE}",
    re.IGNORECASE,
)
_AGE_STRING = re.compile(r"(\d{3})([DWMY])")
_PER_YEAR = {"Y": 1, "M": 12, "W": 52.1786, "D": 365.25}
_ISO_DAY = re.compile(r"(?<!\d)((?:18|19|20)\d\d)-(\d\d)-(\d\d)(?!\d)")


def ages_and_births(texts: Sequence[str], *, together: bool = True) -> Iterator[Finding]:
    """AGE for an age over 89 or two dates 89 years apart in one record's output, BIRTH for a date of birth.

    Shifted dates count too: intervals survive the shift.
    """
    if any(_OVER_89.search(text) for text in texts):
        yield Finding.AGE
    if any(_BORN.search(text) for text in texts):
        yield Finding.BIRTH
    for days in [[d for text in texts for d in _days(text)]] if together else map(list, map(_days, texts)):
        if days and (max(days) - min(days)).days >= _OVER_89_DAYS:
            yield Finding.AGE


def is_over_89(value: str) -> bool:
    """True for an age string (PS3.5, AS) of 90 years and more."""
    age = _AGE_STRING.fullmatch(value)
    return age is not None and int(age[1]) / _PER_YEAR[age[2]] > 90


def _days(text: str) -> Iterator[date]:
    for hit in _ISO_DAY.finditer(text):
        try:
            yield date(int(hit[1]), int(hit[2]), int(hit[3]))
        except ValueError:
            continue
