"""Days and moments as exports write them: which day a cell holds, to pair a report with its study and to be shifted;
which moment is the later one. Every place that reads a cell for its day does it here."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import lru_cache

from curate.deid.patterns.months import NAMES

# a cell that is a day and perhaps a time, by its form alone
DAY = re.compile(r"(?:19|20)\d\d[-/.]?[01]\d[-/.]?[0-3]\d(?:[T ].*|\d{6}.*)?|[0-3]?\d[-/.][0-3]?\d[-/.](?:19|20)\d\d")
_WAYS = ("ymd", "dmy", "mdy")
_COMPACT = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:[T ]?(\d\d)(\d\d)(\d\d)?)?((?:\D.*)?)", re.DOTALL
)  # DICOM's DA and DT, HL7's TS, ISO 8601 without signs
_WRITTEN = re.compile(r"(\d{4}|\d{1,2})([-/. ])(\d{1,2})\2(\d{4}|\d{1,2})((?:\D.*)?)", re.DOTALL)
# with the month's name: 02-JAN-2024, Jan 2, 2024, 2. Januar 2024, Oracle's 02-JAN-24
_NAMED = tuple(
    re.compile(rf"(?:[^\W\d_]{{2,}}\.?,?\s+)?{form}(?P<rest>(?:\D.*)?)", re.DOTALL)
    for form in (
        r"(?P<d>\d{1,2})(?:st|nd|rd|th|\.)?[-/. ]*(?:de )?(?P<m>[^\W\d_]{3,10})\.?,?[-/. ]*(?:de )?"
        r"(?P<y>\d{4}|\d\d(?!:))",
        r"(?P<m>[^\W\d_]{3,10})\.?[-/. ]*(?P<d>\d{1,2})(?:st|nd|rd|th)?,?[-/. ]+(?P<y>\d{4})",
        r"(?P<y>\d{4})[-/. ]?(?P<m>[^\W\d_]{3,10})[-/. ]?(?P<d>\d{1,2})",
    )
)
_MONTHS = [re.compile(name) for name in NAMES]
_ORDERED = re.compile(r"\s*(\d{1,2})\s?([-/. ])\s?(\d{1,2})\s?\2\s?\d\d(?:\d\d)?(?!\d)")  # but for the order
_TIME = re.compile(
    r"[T ,]*(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:[.,](\d+))?)?\s*(?:([ap])\.?m\.?)?\s*(z|gmt|utc|[+-]\d\d(?::?\d\d)?)?",
    re.IGNORECASE,
)
_BEHIND = re.compile(r"(?:\.(\d+))?(z|[+-]\d\d:?\d\d)?", re.IGNORECASE)  # a compact moment's
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_SERIAL = re.compile(r"([2-7]\d{4})(?:[.,]\d+)?")  # a spreadsheet's, 1954 to 2119
_EPOCH = re.compile(r"\d{13}")  # milliseconds, as pandas writes JSON; no DT has so many digits
_DAY_0 = dt.date(1899, 12, 30)
_FARTHEST = (-12 * 3600, 14 * 3600)  # what a moment without a zone may be off UTC, and everything between


def sure_day(value: str) -> dt.date | None:
    """The day that ``value`` names, whatever time stands behind it; None where it could be two ("01/02/2024").

    Year first, or with the month's name, or days and months of which one cannot be the other ("01/22/2024"), with dots
    day first; a spreadsheet's serial number; milliseconds since 1970.
    """
    value = value.strip()
    if serial := _SERIAL.fullmatch(value):
        return _DAY_0 + dt.timedelta(int(serial[1]))
    if _EPOCH.fullmatch(value):
        return dt.datetime.fromtimestamp(int(value) / 1000, dt.UTC).date()
    read = [found[0] for way in _WAYS if (found := _day(value, way))]
    if len(set(read)) == 2 and re.match(r"\d{1,2}\.", value):
        return read[0]
    return read[0] if len(set(read)) == 1 else None


def day_first(cell: str) -> bool | None:
    """Whether a date in numbers has its day before its month, as far as it shows: "22/01/2024" True, "01/22/2024"
    False, "01/02/2024" and anything else None."""
    found = _ORDERED.match(cell)
    days = [int(found[i]) > 12 for i in (1, 3)] if found else []
    return days[0] if len(set(days)) == 2 else None


def whole_day(cell: str, proven: Collection[bool] = ()) -> dt.date | None:
    """The date in a cell that holds nothing but a date and perhaps a time: to be shifted, and for no comparison. None
    for anything else.

    Of the two that "01/02/2024" could be it is the one in the order that the other cells of the column have ``proven``
    (`day_first`); where they have proven both it is neither, and where none, day first with dots, else month first.
    """
    by_day, by_month = possible_days(cell)
    if by_day == by_month or len(proven) == 2:
        return by_day if by_day == by_month else None
    first = next(iter(proven), re.match(r"\s*\d{1,2}\.", cell) is not None)
    return by_day if first else by_month


def possible_days(cell: str) -> tuple[dt.date | None, dt.date | None]:
    """What a cell that holds nothing but a date and perhaps a time may say, read day first and month first."""
    from curate.deid.text.dates import find_dates  # only where days are shifted
    from curate.deid.text.fold import fold_value

    text, found = fold_value(cell), list[dt.date | None]()
    for order in (True, False):
        spans = [(s, e, each) for s, e, each in find_dates(text, day_first=order) if each is not None]
        start, end, day = spans[0] if len({each for *_, each in spans}) == 1 else (0, 0, None)
        rest = text[:start] + text[end:]
        found.append(None if re.search(r"[^\W\d_]{3,}", rest) or len(re.sub(r"\D", "", rest)) > 12 else day)
    return found[0], found[1]


def ranks(values: Sequence[str]) -> list[int]:
    """The place of each value in order, as a moment or a number, equal ones alike.

    All 0 where one is neither, or where they would stand in different orders: days that read both ways ("03/04/2024"),
    moments with a time zone beside ones of nobody knows which.
    """
    found: set[tuple[int, ...]] = set()
    for way in _WAYS:
        moments = [_moment(value.strip(), way) for value in values]
        read = [moment for moment in moments if moment is not None]
        if len(read) == len(values):
            found |= {_ranks([at if zoned else at - off for at, zoned in read]) for off in _FARTHEST}
    if not found and all(_NUMBER.fullmatch(value.strip()) for value in values):
        found = {_ranks([float(value) for value in values])}
    return list(found.pop()) if len(found) == 1 else [0] * len(values)


def _ranks(values: Sequence[float]) -> tuple[int, ...]:
    height = {value: i for i, value in enumerate(sorted(set(values)))}
    return tuple(height[value] for value in values)


def _moment(value: str, way: str) -> tuple[float, bool] | None:
    """(seconds, whether they are UTC's) of a value that writes its day this way."""
    if (day := _day(value, way)) is None:
        return None
    at, rest = day[0].toordinal() * 86_400.0, day[1].strip()
    if (compact := _COMPACT.fullmatch(value)) and compact[4]:
        behind = _BEHIND.fullmatch(rest)
        hour, minute, second = (int(part or 0) for part in compact.groups()[3:6])
        fraction, zone = behind.groups() if behind else (None, None)
        half = None
    else:
        behind = _TIME.fullmatch(rest)
        hour, minute, second = (int(part or 0) for part in behind.groups()[:3]) if behind else (0, 0, 0)
        fraction, half, zone = behind.groups()[3:] if behind else (None, None, None)
    if rest and behind is None:
        return None
    if hour > 24 or minute > 59 or second > 60:
        return None
    hour = hour if half is None else hour % 12 + 12 * (half.lower() == "p")
    at += hour * 3600 + minute * 60 + second + float(f"0.{fraction or 0}")
    if zone and (numbers := re.fullmatch(r"([+-])(\d\d):?(\d\d)?", zone)):
        at -= int(numbers[1] + "1") * (int(numbers[2]) * 3600 + int(numbers[3] or 0) * 60)
    return at, bool(zone)


def _day(value: str, way: str) -> tuple[dt.date, str] | None:
    """(day, what stands behind it) of a value that writes its day this way, or in a manner that has only one."""
    if found := _COMPACT.fullmatch(value):
        return _date(found[1], int(found[2]), found[3], found[7])
    if found := _WRITTEN.fullmatch(value):
        parts = dict(zip(way, (found[1], found[3], found[4]), strict=True))
        fits = len(parts["y"]) == 4 and len(parts["d"]) < 3
        return _date(parts["y"], int(parts["m"]), parts["d"], found[5]) if fits else None
    for form in _NAMED:
        if (found := form.fullmatch(value)) and (month := _month(found["m"])):
            century = "" if len(found["y"]) == 4 else "20" if found["y"] < "50" else "19"
            return _date(century + found["y"], month, found["d"], found["rest"])
    return None


def _date(year: str, month: int, day: str, rest: str) -> tuple[dt.date, str] | None:
    try:
        return dt.date(int(year), month, int(day)), rest
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _month(name: str) -> int | None:
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(c))
    return next((number for number, each in enumerate(_MONTHS, start=1) if each.fullmatch(plain)), None)
