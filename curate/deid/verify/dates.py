"""Dates and ages over 89 for the verifier: their written forms, and which dates are shifted ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from curate.deid.verify.finding import Finding
from curate.deid.verify.normalise import has_any, plain

# The months in English, Spanish, Portuguese, Italian, French, German and Dutch, as they are written in full and short.
_MONTHS = (
    "january jan enero ene janeiro gennaio gen genn janvier janv januar jänner januari",
    "february feb febr febrero fevereiro fev febbraio febbr février févr februar februari",
    "march mar marzo março mars märz maerz mrz maart",
    "april apr abril abr aprile avril",
    "may mayo maio mai maggio mag mei",
    "june jun junio junho giugno giu juin juni",
    "july jul julio julho luglio lug juillet juil juill juli",
    "august aug agosto ago août augustus",
    "september sep sept septiembre setiembre setembro set settembre septembre",
    "october oct octubre outubro out ottobre ott octobre oktober okt",
    "november nov noviembre novembro novembre",
    "december dec diciembre dic dezembro dez dicembre décembre dezember",
)
_MONTH_OF = {form: n for n, names in enumerate(_MONTHS, 1) for form in f"{names} {plain(names)}".split()}
_WORDS_TOO = frozenset(["may", "march", "mar", "set", "out", "ago", "mag", "gen", "sept"])  # "lesions may 3 ..."
_MONTH_STARTS = sorted({name[:3] for name in _MONTH_OF})
_MONTH = rf"(?P<mon>(?:{'|'.join(_MONTH_STARTS)})[^\W\d_]{{0,9}})"
_LINK = r"[\s,./-]{0,3}(?:(?:of|de|del|di|the)\s)?\s?"
_YEAR = r"(?P<y>(?:18|19|20)\d\d|['’]?\d\d)(?!\d)"
_PLACEHOLDER = re.compile(r"\[DATE:(\d{4}-\d\d-\d\d)\]")
_WHOLE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_DIGITS = re.compile(r"\d+")
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
_MONTH_YEAR_IN_DIGITS = re.compile(r"(?<![\w./,-])(?P<m>0?[1-9]|1[0-2])\s?[./-]\s?(?P<y>(?:19|20)\d\d)(?!\w|[.,/-]\d)")
_KANJI = re.compile(r"(?:(\d{4}|(?:明治|大正|昭和|平成|令和)\s?(?:\d{1,2}|元))年\s?)?(\d{1,2})月\s?(\d{1,2})日")
# Clock times: (pattern with groups h and m, or h and half). A full stop or an h in other languages than English.
_CLOCKS = (
    re.compile(
        r"(?<![\d:.])(?P<h>[01]?\d|2[0-3]):(?P<m>[0-5]\d)(?::[0-5]\d)?(?!\d|:)(?!\s?(?:o['’]?\s?clock|position|radian"
        r"|in the (?:\w+ ){0,3}breast|,? ?\d+ ?cm (?:fn\b|from the nipple)))"
    ),
    re.compile(r"(?<![\w.:])(?P<h>1[0-2]|0?[1-9])\s?(?P<half>[ap])\.?m\b", re.I),
    re.compile(r"(?<![\w.:/])(?P<h>[01]\d|2[0-3]):?(?P<m>[0-5]\d)\s?(?:hours|hrs?|h)\b", re.I),
    re.compile(r"(?<![\w.,:/])(?P<h>[01]?\d|2[0-3])\s?h\s?(?P<m>[0-5]\d)(?!\d)", re.I),
    re.compile(r"(?<![\w.,:/])(?P<h>[01]?\d|2[0-3])[.](?P<m>[0-5]\d)\s?(?:uhr|uur|h|hs|horas|ore)\b", re.I),
    re.compile(r"(?<=[^\W\d_\]] \()(?P<h>[01]\d|2[0-3])\.(?P<m>[0-5]\d)(?=\)(?:[:.,;]|$))"),  # behind a name
)
_HOUR_BEHIND_A_WORD = re.compile(
    r"\b(?:um|gegen|om|alle|alle ore|ore|a las|las|as|às|à)\s(?P<h>[01]?\d|2[0-3])[.](?P<m>[0-5]\d)"
    r"(?!\d|[.,]\d|\s?(?:mm|cm|ml|mg|%))",
    re.I,
)
# A day without a year counts only after a word that dates something, or before a clock time: not "3/10 pain".
_DAY_ONLY = r"(\d{1,2}/\d{1,2})(?![\d/]|\s?(?:mm|cm|%|pain|strength|images?|slices?|of\b))"
_STUDY = (
    r"(?:films?|stud(?:y|ies)|exam\w*|radiographs?|x-?rays?|scans?|cts?|mris?|ultrasounds?|biops(?:y|ies)|surgery"
    r"|reports?)"
)
_CUED = re.compile(
    rf"\b(?:on|il|le|el|em|dia|am|op|dated|since|until|till|{_STUDY}\s(?:of|from)|compar\w+[^.\n]{{0,60}}\s(?:of|from|to|with|and|,)"
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
    """The written forms of a day, flattened as by `normalise`."""
    y, m, d, name = day.year, day.month, day.day, _MONTHS[day.month - 1].split()[0]
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


def date_spans(text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """(start, end, keys to compare) of every day, month of a year, day of a year and clock time; a key a reading."""
    starts = [number.start() for number in _DIGITS.finditer(text)]
    if not starts:
        return
    for hit in _from_numbers(_NUMBERS, text, starts):
        if readings := tuple(day.isoformat() for day in _readings(hit[1], hit[3], hit[4])):
            yield *hit.span(), readings
    for hit in _from_numbers(_SOLID, text, starts):
        y, m, d = (int(part) for part in hit.groups() if part)
        yield *hit.span(), tuple(day.isoformat() for day in [_day(y, m, d)] if day)
    if has_any(text, _MONTH_STARTS):
        for hit in (*_from_numbers(_DAY_FIRST, text, starts), *_MONTH_FIRST.finditer(text)):
            if keys := tuple(_named(hit)):
                yield *hit.span(), keys
        for hit in _MONTH_YEAR.finditer(text):
            if month := _MONTH_OF.get(hit["mon"].lower()):
                yield *hit.span(), (f"{hit['y']}-{month:02}",)
    for hit in _from_numbers(_MONTH_YEAR_IN_DIGITS, text, starts):
        yield *hit.span(), (f"{hit['y']}-{int(hit['m']):02}",)
    for hit in () if text.isascii() else _KANJI.finditer(text):
        yield *hit.span(), (f"{hit[1] or ''}年{int(hit[2])}月{int(hit[3])}日",)
    for hit in (*_HOUR_BEHIND_A_WORD.finditer(text), *(h for p in _CLOCKS for h in _from_numbers(p, text, starts))):
        parts = hit.groupdict()
        minute = f":{parts['m']}" if "m" in parts else parts["half"].lower()
        yield hit.start("h"), hit.end(), (f"t{int(hit['h'])}{minute}",)
    if "/" in text:
        for hit in (*_CUED.finditer(text), *_from_numbers(_TIMED, text, starts)):
            if _is_day_of_a_year(hit[1]):
                yield *hit.span(1), (f"--{hit[1]}",)


def _from_numbers(pattern: re.Pattern[str], text: str, starts: Sequence[int]) -> Iterator[re.Match[str]]:
    """The matches of a pattern that begins with a number, of which the text has some at ``starts``."""
    end = 0
    for start in starts:
        if start >= end and (hit := pattern.match(text, start)) is not None:
            end = hit.end()
            yield hit


def date_keys(text: str) -> set[str]:
    """The keys of all `date_spans` of a text."""
    return {key for _, _, keys in date_spans(text) for key in keys}


def _is_day_of_a_year(numbers: str) -> bool:
    a, b = map(int, numbers.split("/"))
    return 0 < min(a, b) < 13 and 0 < max(a, b) < 32


def days_in(text: str) -> frozenset[date]:
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
    month, day = _MONTH_OF.get(hit["mon"].lower(), 0), int(hit["d"])
    if not month or not 1 <= day <= 31:
        return
    year = (hit["y"] or "").lstrip("'’")
    if year:
        years = [int(year)] if len(year) == 4 else [1900 + int(year), 2000 + int(year)]
        yield from (d.isoformat() for y in years if (d := _day(y, month, day)) is not None)
    elif hit["mon"][0].isupper() or hit["mon"] not in _WORDS_TOO:
        yield f"--{month:02}-{day:02}"


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
    r"|jarige?\b|aa\b)|(?:^|[\],] )(?:9\d|1[0-4]\d)\s?(?:j|jr|a)\b[.,]|\banni (?:9\d|1[0-4]\d)\b",
    re.IGNORECASE,
)
_OLD, _OLD_IN_DIGITS = ("enarian", "ninet", "hundred"), re.compile(r"9\d|1[0-4]\d")  # what the pattern needs at least
_BIRTHS = ("dob", "d.ob", "do.b", "d.o.b", "born", "birth", "b.", "naci", "gebor", "geburt", "naissance")
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
    if any((has_any(text, _OLD) or _OLD_IN_DIGITS.search(text)) and _OVER_89.search(text) for text in texts):
        yield Finding.AGE
    if any(has_any(text, _BIRTHS) and _BORN.search(text) for text in texts):
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
