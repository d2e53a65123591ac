"""The second reader's idea of an age over 89: said in words or figures, or to be reckoned from a date of birth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from curate.deid.verify.finding import Finding

_OVER_89_DAYS = 89 * 365 + 22  # between two days this far apart lie 89 years
_UNIT = r"[\s-]{0,2}(?:years?|yrs?|y/?o|y\.o\.)\b"
_WORDS = r"(?:ninety|(?:one|a)\s+hundred)(?:[\s-]+(?:and\s+)?(?:one|two|three|four|five|six|seven|eight|nine))?"
_SAID = re.compile(
    rf"\bnonagenarian|\bcentenarian|\b(?:his|her|their)\s+(?:(?:early|mid|late)[\s-]+)?(?:nineties|90'?s)\b"
    rf"|\b{_WORDS}{_UNIT}|\bage[d:]?\s+(?:ninety\b|1[0-4]\d\b(?!\s?%)|9\d\b(?!\s?[%m]))|(?<![\w.])(?:9\d|1[0-4]\d){_UNIT}"
    r"|(?<![\w.])(?:9\d|1[0-4]\d)\s?(?-i:[MF])\b",
    re.IGNORECASE,
)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ene|abr|ago|dic)[a-z]*"
_DATE = (
    rf"(?:\[DATE:|(?:18|19|20)\d\d(?!\d)|(?:18|19|20)\d{{6}}(?!\d)|\d{{1,2}}\s?[-/.]\s?\d{{1,2}}\s?[-/.]\s?\d{{2}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?[\s-]+(?:de\s+|of\s+)?{_MONTH}\b|{_MONTH}\.?\s+\d)"
)
_BORN = re.compile(
    r"(?:\bd\.?o\.?b\b\.?|\bborn|\bbirth\s?(?:date|day)|\b(?:date|day|year)\s+of\s+birth|(?<![\w.])b\.|\bnacid[oa]"
    rf"|\bnacimiento|\bgeboren|\bgeburtsdatum|\bnaissance)[\s:=,(-]{{0,5}}(?:(?:on|in|is|was|the|el|en|am|le)\s+){{0,3}}{_DATE}",
    re.IGNORECASE,
)
_DAY = re.compile(r"(?<!\d)((?:18|19|20)\d\d)-(\d\d)-(\d\d)(?!\d)")


def ages_and_births(texts: Sequence[str], *, together: bool = True) -> Iterator[Finding]:
    """AGE for an age over 89 or two days 89 years apart in what is written of one record, BIRTH for a date of birth.

    Shifted days are read like others: intervals survive the shift.
    """
    if any(_SAID.search(text) for text in texts):
        yield Finding.AGE
    if any(_BORN.search(text) for text in texts):
        yield Finding.BIRTH
    for days in [[d for text in texts for d in _days(text)]] if together else map(list, map(_days, texts)):
        if days and (max(days) - min(days)).days >= _OVER_89_DAYS:
            yield Finding.AGE


def _days(text: str) -> Iterator[date]:
    for hit in _DAY.finditer(text):
        try:
            yield date(int(hit[1]), int(hit[2]), int(hit[3]))
        except ValueError:
            continue
