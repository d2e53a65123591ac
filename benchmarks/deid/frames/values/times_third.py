"""Dates and times of the third frames, written and dictated, in the order of the frame's style."""

from __future__ import annotations

import datetime as dt

from benchmarks.deid.frames.values.first import Filling
from benchmarks.deid.frames.values.numbers import ordinal, spoken, spoken_ordinal


def _month_first(f: Filling) -> bool:
    return f.style == "us" or (f.style in ("telegram", "dictated") and f.rng.random() < 0.5)


def date(f: Filling) -> str:
    """A whole date."""
    d = f.day()
    both = (f"{d:%Y-%m-%d}", f"{d:%Y%m%d}", f"{d:%d%b%Y}".upper(), f"{d.day}-{d:%b}-{d:%y}", f"{d:%Y.%m.%d}")
    month = (
        f"{d.month}/{d.day}/{d:%y}",
        f"{d:%m-%d-%Y}",
        f"{d:%B} {ordinal(d.day)}, {d.year}",
        f"{d:%b} {d.day} '{d:%y}",
        f"{d:%b}. {d.day}, {d.year}",
        f"{d:%m.%d.%y}",
        f"{d:%b %d %Y}".upper(),
        f"{d:%B} {d.day} {d.year}",
    )
    day = (
        f"{d.day}.{d.month}.{d:%y}",
        f"{d:%d/%m/%y}",
        f"{ordinal(d.day)} {d:%b} {d.year}",
        f"{d.day}/{d:%b}/{d.year}",
        f"the {ordinal(d.day)} of {d:%B} {d.year}",
        f"{d:%d %m %Y}",
        f"{d.day} {d:%b} '{d:%y}",
        f"{d:%d-%m-%Y}",
    )
    return f.pick(*both, *(month if _month_first(f) else day) * 2)


def birth(f: Filling) -> str:
    """A day of birth."""
    d = f.day(1934, 2016)
    return f.pick(
        f"{d:%d/%m/%y}", f"{d.day} {d:%b %Y}", f"{d:%d-%m-%Y}", f"{d:%d.%b.%Y}", f"{ordinal(d.day)} {d:%B %Y}"
    )


def stamp(f: Filling) -> str:
    """A date with its time."""
    d, hour, minute = f.day(), f.near(0, 23), f.near(0, 59)
    numbers = f"{d:%m/%d/%Y}" if f.style == "us" else f"{d:%d/%m/%Y}"
    return f.pick(
        f"{numbers} {hour:02}:{minute:02}:{f.near(0, 59):02}",
        f"{d:%Y-%m-%dT}{hour:02}:{minute:02}",
        f"{d:%Y%m%d}{hour:02}{minute:02}{f.near(0, 59):02}",
        f"{hour:02}{minute:02} {d:%d%b%y}".upper(),
        f"{d.day} {d:%b %y} @ {hour:02}.{minute:02}",
        f"{numbers}, {hour % 12 or 12}:{minute:02}p",
    )


def day_month(f: Filling) -> str:
    """A day without its year."""
    d = f.day()
    if _month_first(f):
        return f.pick(
            f"{d:%b} {d.day}", f"{d:%B} {d.day}", f"{d:%b}. {ordinal(d.day)}", f"{d:%b%d}".upper(), f"{d.day}-{d:%b}"
        )
    return f.pick(
        f"{d.day} {d:%b}",
        f"{d.day} {d:%B}",
        f"{ordinal(d.day)} {d:%b}",
        f"{d:%d%b}".upper(),
        f"{d.day}/{d:%b}",
        f"the {ordinal(d.day)} of {d:%B}",
    )


def day_month_numbers(f: Filling) -> str:
    """A day without its year, in numbers."""
    d = f.day()
    a, b = (d.month, d.day) if _month_first(f) else (d.day, d.month)
    return f.pick(f"{a}/{b}", f"{a:02}/{b:02}", f"{a}-{b}", f"{a:02}-{b:02}", f"{a}/{b:02}")


def month_year(f: Filling) -> str:
    """A month with its year."""
    d = f.day()
    return f.pick(
        f"{d:%b %y}", f"{d:%b}-{d.year}", f"{d:%B} of {d.year}", f"{d:%m.%Y}", f"{d:%b} '{d:%y}", f"{d:%b}/{d:%y}"
    )


def spoken_date(f: Filling, d: dt.date) -> str:
    """``d`` as it is dictated."""
    month, year = f"{d:%B}".lower(), spoken(d.year) if d.year >= 2000 else f"nineteen {spoken(d.year - 1900)}"
    return f.pick(
        f"the {spoken_ordinal(d.day)} of {month} {year}",
        f"{month} {spoken(d.day)} {year}",
        f"{spoken(d.day)} {month} {year}",
        f"{spoken(d.month)} slash {spoken(d.day)} slash {year}",
    )


def spoken_day_month(f: Filling) -> str:
    """A day without its year, as it is dictated."""
    d = f.day()
    month = f"{d:%B}".lower()
    return f.pick(
        f"the {spoken_ordinal(d.day)} of {month}",
        f"{month} the {spoken_ordinal(d.day)}",
        f"{month} {spoken_ordinal(d.day)}",
        f"{spoken(d.day)} {month}",
    )


def time(f: Filling) -> str:
    """A time of day."""
    hour, minute = f.near(7, 23), f.near(0, 59)
    short = f"{hour % 12 or 12}:{minute:02}"
    return f.pick(
        f"{hour:02}:{minute:02}",
        f"{hour:02}{minute:02} hrs",
        f"{hour:02}{minute:02}h",
        f"{hour:02}.{minute:02}",
        f"{short}{'ap'[hour > 11]}",
        f"{short} {'AP'[hour > 11]}M",
        f"{hour % 12 or 12} {'ap'[hour > 11]}.m.",
        f"{hour:02}{minute:02}",
        f"{hour:02}h{minute:02}",
        f"{hour:02}:{minute:02}:{f.near(0, 59):02}",
    )


def spoken_time(f: Filling) -> str:
    """A time of day as it is dictated."""
    hour = f.near(1, 11)
    return f.pick(
        f"half past {spoken(hour)}",
        f"oh {spoken(hour % 10 or 9)} hundred hours",
        f"quarter to {spoken(hour)}",
        f"{spoken(hour + 12)} {spoken(f.near(20, 59))} hours",
        f"{spoken(hour)} oh {spoken(f.near(1, 9))} p m",
        f"ten past {spoken(hour)}",
    )
