"""Numbers and months in words, as they are dictated."""

from __future__ import annotations

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_FIRST = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
fifteenth sixteenth seventeenth eighteenth nineteenth"""


def spoken(n: int) -> str:
    """0-9999 in words, years as "twenty twenty three"."""
    if n < 20:
        return (ONES + _TEENS)[n]
    if n < 100:
        return _TENS[n // 10 - 2] + (" " + ONES[n % 10] if n % 10 else "")
    if n < 1000:
        return "one hundred" + (f" and {spoken(n % 100)}" if n % 100 else "")
    return f"two thousand {spoken(n % 100)}" if n % 100 < 10 else f"{spoken(n // 100)} {spoken(n % 100)}"


def spoken_ordinal(n: int) -> str:
    """1-109 as "twenty first"."""
    if n < 20:
        return _FIRST.split()[n - 1]
    if n % 10 == 0:
        return spoken(n)[:-1] + "ieth" if n < 100 else "one hundredth"
    return f"{spoken(n - n % 10)} {_FIRST.split()[n % 10 - 1]}"


def ordinal(n: int) -> str:
    """1 -> "1st"."""
    return f"{n}{'th' if 11 <= n % 100 <= 13 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"
