"""Dates without a whole day: months, quarters, seasons, holidays, weekdays, years. They are masked, never shifted.

Only in the company of the vocabulary gate, which is as strict: a bare year alone identifies no one in HIPAA's sense.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from curate.deid.patterns.months import ENGLISH
from curate.deid.patterns.prefilter import Rule, Span, find_all, rule
from curate.deid.text.text_index import TextIndex

_rule = partial(rule, "DATE")
_MONTH = (
    r"(?:January|February|April|June|July|August|September|October|November|December|Jan|Feb|Apr|Jun|Jul"
    r"|Aug|Sept?|Oct|Nov"
    r"|Dec|JANUARY|FEBRUARY|APRIL|JUNE|JULY|AUGUST|SEPTEMBER|OCTOBER|NOVEMBER|DECEMBER|JAN|FEB|APR|JUN|JUL"
    r"|AUG|SEPT|OCT|NOV|DEC)"
)
_YEAR = r"(?:(?:19|20)\d\d|'\d\d)"
_SEASON = r"(?:spring|summer|fall|autumn|winter)"
_UNIT = (
    r"(?!\s?(?:mm|cm|ml|cc|mg|mcg|g\b|hu\b|ms\b|mgy|units?|cells|/|x\d|%|ng|pg|kcal|cal|mhz|images?|steps"
    r"|u/|iu|ppm|rpm|ft|feet"
    r"|copies|counts?|[.,]\d|-\d{3}))"
)
RULES: tuple[Rule, ...] = (
    _rule(rf"\b{_MONTH}\b(?:\.?\s{{1,2}}(?:of\s)?{_YEAR}\b|\.(?=\s?\d))?", cased=True),
    _rule(rf"\b(?i:{ENGLISH})\.?(?:[ ,/-]|\sof\s){{1,2}}'?(?:19|20)?\d\d\b{_UNIT}", cased=True),
    # "06.2024": no measure has four digits behind its point, the first of them of a year
    _rule(r"(?<![\w.,/-])(?:0[1-9]|1[0-2])\.(?:199|20[0-3])\d(?![\w.,/%-]\w|\w)" + _UNIT),
    _rule(
        r"(?<=\b(?i:in|of|by|to)[ -])(?:March|May|MARCH|MAY)\b|(?<=\b(?i:mid|and)[ -])(?:March|May|MARCH"
        r"|MAY)\b|(?<=\b(?i:last|this|next|from|late)[ -])(?:March|May|MARCH|MAY)\b|(?<=\b(?i:since|until"
        r"|early)[ -])(?:March|May|MARCH|MAY)\b",
        cased=True,
    ),
    _rule(rf"\b(?:(?:early|mid|late)[ -]?)?{_SEASON}(?:\sof)?[ ,]{{1,2}}{_YEAR}"),
    _rule(
        rf"\b(?:q[1-4]|[1-4]q|(?:first|second|third|fourth|1st|2nd|3rd|4th)[ ]quarter(?:\sof)?)[ ,/-]{{0,2}}{_YEAR}\b"
    ),
    _rule(
        r"\b(?:christmas|xmas|thanksgiving|easter|halloween|hanukkah|ramadan|passover|diwali|eid|epiphany"
        r"|pentecost|boxing day|labou?r day"
        r"|memorial day|independence day|veterans day|presidents'? day|columbus day|canada day|australia day"
        r"|anzac day|bank holiday|mother's day"
        r"|father's day|new year'?s?(?: eve| day)?|valentine'?s(?: day)?|st\.? patrick'?s day|good friday"
        r"|fourth of july|4th of july|juneteenth"
        rf"|martin luther king day|mlk day|guy fawkes(?: night)?|midsummer)\b(?:\s(?:eve|day|weekend|week"
        rf"|monday))?(?:\s(?:of\s)?{_YEAR})?"
    ),
    _rule(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b"),
    _rule(
        r"(?<![\w.,/=-])(?<!b )(?<!t[eri] )(?:19[2-9]\d|20[0-4]\d)(?:s|(?:\s?[-/]\s?(?:19|20)?\d\d))?(?![\w])" + _UNIT
    ),
    _rule(r"(?<![\w'])'\d\d(?!\w)", cased=True),
)


def find_vague(text: str, index: TextIndex | None = None) -> Iterator[Span]:
    """(start, end, "DATE") of what names a time of the year or a year in folded text."""
    return find_all(RULES, TextIndex(text) if index is None else index)
