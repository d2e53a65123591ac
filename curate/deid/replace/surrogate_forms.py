"""How a day, an age, a time and a number are written: another one, in the form of the one that was there."""

from __future__ import annotations

import datetime as dt
import re

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TOKEN = re.compile(r"\d+(?:st|nd|rd|th)?|[^\W\d_]+", re.IGNORECASE)
_LINKS = frozenset(["of", "the", "at", "on", "t", "z"])
_ONES = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_FULL_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)")


def digits_of(number: int, like: str) -> str:
    """As many digits as ``like`` has, of ``number``; the first is none only where it was none."""
    formed = f"{number % 10 ** len(like):0{len(like)}d}"
    return formed if like[0] == "0" or formed[0] != "0" else f"{1 + number % 9}{formed[1:]}"


def ordinal(n: int) -> str:
    """ "1st", "12th"."""
    return f"{n}{'th' if 10 < n % 100 < 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def day_like(original: str, old: dt.date, new: dt.date) -> str | None:
    """``new`` written as ``original`` writes ``old``; None where that is not understood."""
    if (solid := _FULL_DATE.fullmatch(original)) and solid[0] == f"{old:%Y%m%d}":
        return f"{new:%Y%m%d}"
    open_ = {"y", "m", "d"}
    padded = re.search(r"(?<!\d)0\d(?!\d)", original) is not None
    # where the month is written out, or the day first, a number that could be either is the day
    named = any(_month_of(word) for word in _TOKEN.findall(original)) or re.match(r"\d\d?\.", original) is not None
    out, at = [], 0
    for hit in _TOKEN.finditer(original):
        formed = _part(hit[0], old, new, open_, padded=padded, named=named)
        if formed is None:
            return None
        out += [original[at : hit.start()], formed]
        at = hit.end()
    return None if open_ else "".join([*out, original[at:]])


def _part(token: str, old: dt.date, new: dt.date, open_: set[str], *, padded: bool, named: bool) -> str | None:
    if not token[0].isdigit():
        return _word_part(token, old, new, open_)
    ending = token.lstrip("0123456789")
    number = token[: len(token) - len(ending)]
    if len(number) == 4 and int(number) == old.year and "y" in open_:
        open_.discard("y")
        return f"{new.year}"
    if len(number) > 2:
        return None
    value = int(number)
    if "d" in open_ and value == old.day and (named or old.day != old.month or "m" not in open_):
        open_.discard("d")
        return ordinal(new.day) if ending else f"{new.day:02d}" if padded and len(number) == 2 else str(new.day)
    if "m" in open_ and value == old.month and not ending:
        open_.discard("m")
        return f"{new.month:02d}" if padded and len(number) == 2 else str(new.month)
    if "y" in open_ and len(number) == 2 and value == old.year % 100 and not ending:
        open_.discard("y")
        return f"{new.year % 100:02d}"
    return None


def _word_part(token: str, old: dt.date, new: dt.date, open_: set[str]) -> str | None:
    low = token.lower()
    if low in _LINKS:
        return token
    if _month_of(low) == old.month and "m" in open_:
        open_.discard("m")
        return _cased(_MONTHS[new.month - 1], token)
    day = next((i for i, name in enumerate(_WEEKDAYS) if name == low or name[:3] == low), None)
    return _cased(_WEEKDAYS[new.weekday()], token) if day is not None and day == old.weekday() else None


def _month_of(word: str) -> int:
    """The month that an English word or its first three or four letters mean; 0 where none."""
    low = word.lower()
    return next((i for i, name in enumerate(_MONTHS, 1) if low in (name, name[:3]) or low == name[:4] == "sept"), 0)


def _cased(word: str, like: str) -> str:
    word = word if len(like) > 4 or like.lower() in (*_MONTHS, *_WEEKDAYS) else word[:3]  # "may" is whole
    return word.upper() if like.isupper() else word.capitalize() if like[0].isupper() else word


def month_like(original: str, shift: dt.timedelta) -> str | None:
    """A month of a year, a year, or a day without its year, moved by ``shift`` from its middle; None for others."""
    words = _TOKEN.findall(original)
    year = next((int(w) for w in words if re.fullmatch(r"(?:19|20)\d\d", w)), None)
    month = next((m for w in words if (m := _month_of(w))), 0)
    plain = [w for w in words if w.lower() not in _LINKS]
    if year is not None and len(plain) == 1:
        return original.replace(str(year), str((dt.date(year, 7, 1) + shift).year))
    if year is not None and month and len(plain) == 2:
        new = dt.date(year, month, 15) + shift
        return _TOKEN.sub(lambda hit: _moved(hit[0], new), original)
    if year is None and month and len(plain) == 2:
        day = next((int(n[0]) for w in plain if (n := re.match(r"\d{1,2}(?!\d)", w))), 0)
        if 1 <= day <= 28:
            new = dt.date(2001, month, day) + shift
            return _TOKEN.sub(lambda hit: _moved(hit[0], new), original)
    return None


def _moved(token: str, new: dt.date) -> str:
    if re.fullmatch(r"\d{4}", token):
        return str(new.year)
    if token[0].isdigit():
        return ordinal(new.day) if not token.isdigit() else str(new.day)
    return _cased(_MONTHS[new.month - 1], token) if _month_of(token) else token


def age_like(original: str, ones: int) -> str | None:
    """An age of 80 to 89 in the form of one over 89: those over 89 may not be told, and of 80 to 89 there are many."""
    if number := re.fullmatch(r"(\W*)(\d{2,3})(st|nd|rd|th)?('?s)?(\W*)", original):
        spelled = "80" if number[4] else ordinal(80 + ones) if number[3] else str(80 + ones)
        return f"{number[1]}{spelled}{number[4] or ''}{number[5]}"
    low = original.lower()
    for old, new in (("nonagenarian", "octogenarian"), ("centenarian", "octogenarian"), ("nineties", "eighties"),
                     ("hundreds", "eighties"), ("ninetieth", "eightieth")):  # fmt: skip
        if low.removesuffix("s" if old.endswith("n") else "") == old:
            formed = new + ("s" if low.endswith("s") and not new.endswith("s") else "")
            return formed.capitalize() if original[0].isupper() else formed
    if re.fullmatch(rf"(?:ninety|(?:an?|one)[\s-]+hundred)(?:[\s-]+(?:and[\s-]+)?(?:{'|'.join(_ONES[1:])}))?", low):
        formed = f"eighty-{_ONES[ones]}" if ones else "eighty"
        return formed.upper() if original.isupper() else formed.capitalize() if original[0].isupper() else formed
    return None


def time_like(original: str, number: int) -> str | None:
    """Another time of day in the same form; None where it holds no figure."""
    groups = re.findall(r"\d+", original)
    if not groups or len(groups[0]) not in (1, 2, 4):
        return None
    twelve = re.search(r"[ap]\.?\s?m", original, re.IGNORECASE) is not None
    hour, minute = (1 + number % 12 if twelve else number % 24), number // 24 % 60
    formed = (
        [f"{hour:02d}{minute:02d}"] if len(groups[0]) == 4 else [f"{hour:02d}" if len(groups[0]) == 2 else str(hour)]
    )
    formed += [
        f"{(minute if i == 0 else number // 1440) % 10 ** len(g) % 60:0{len(g)}d}" for i, g in enumerate(groups[1:])
    ]
    following = iter(formed)
    return re.sub(r"\d+", lambda _: next(following), original)
