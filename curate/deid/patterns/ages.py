"""Ages over 89, in digits and in words: they identify as a date of birth does."""

from __future__ import annotations

import re

from curate.deid.patterns.prefilter import Rule, cued, guard, rule

_I = re.IGNORECASE
_YEARS = r"(?:y(?:ea)?rs?|y/?o|y\.o\.|y|anos?|jahre?|jahrig\w*|jaehrig\w*|ans)\b"
_ONES = r"(?:one|two|three|four|five|six|seven|eight|nine)"
_FIRSTS = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
# ages over 89, in words
_OLD = (
    rf"(?:ninety(?:[\s-]{{1,3}}{_ONES})?|(?:a"
    rf"|one)[\s-]{{1,3}}hundred(?:[\s-]{{1,3}}(?:and[\s-]{{1,3}})?(?:{_ONES}|ten|eleven|twelve"
    r"|thirteen|fourteen|fifteen)\b)?|noventa(?:\s+y\s+(?:uno?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve))?"
    r"|quatre-vingt-(?:dix(?:-(?:sept|huit|neuf))?|onze|douze|treize|quatorze|quinze|seize)"
    r"|(?:ein|zwei|drei|vier|funf|sechs|sieben|acht|neun)?(?:und)?neunzig)"
)
_OLD_TH = (
    rf"(?:ninetieth|ninety[\s-]{{1,2}}(?:{_FIRSTS})|(?:(?:one|a)[\s-]{{1,3}})?hundred(?:th|[\s-]{{1,3}}"
    rf"(?:and[\s-]{{1,3}})?(?:{_FIRSTS}|tenth)))"
)
_OVER = r"(?:9\d|1[0-4]\d)"  # ages over 89, in digits
_AGES = r"(?<![\d.])(?:9\d|1[0-4]\d)(?!\d)"
_OLD_WORDS = "ninety hundred noventa quatre neunzig"
_NO_UNIT = (
    r"(?!\w|[.,]\d|\s?(?:percent|degrees?|mm|cm|ml|mg|bpm|kg|lb|hu|ms|mgy|weeks?|days?|months?|minutes?|hours?)\b"
    r"|\s?%)"
)
_AT_HEAD = r"(?:(?<=\n)|(?<!.)|(?<=[.:;,(/]\s)|(?<=[(/,:])|(?<=\0,\s))"

SURE: tuple[Rule, ...] = (
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=_AGES),
        rf"(?<![\w.])(?:9\d|1[0-4]\d)\+?(?=[\s-]{{0,2}}{_YEARS})",
        _I,
    ),
    rule("AGE", guard(_OLD_WORDS, signs="neunzig NEUNZIG Neunzig"), rf"\b{_OLD}(?=[\s-]{{0,2}}{_YEARS})", _I),
    # "92F", "93/F", "101 male", "93rd birthday"
    rule("AGE", guard(shapes="00", led="digits", also=_AGES), r"(?<![\w.])(?:9\d|1[0-4]\d)(?=\s?[MF]\b)"),
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=_AGES),
        r"(?<![\w.,/-])(?:9\d|1[0-4]\d)(?=\s{0,2}[/,-]\s{0,2}(?:[mf]\b|male\b|female\b)|\s(?:fe)?male\b|\s(?:wo)?man\b"
        r"|\s(?:lady|gentleman|veteran|widow(?:er)?|pensioner|grandmother|grandfather)\b)",
        _I,
    ),
    # "92f", in small letters, at the head of a clause: elsewhere m is metres
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=_AGES),
        rf"{_AT_HEAD}(?:9\d|1[0-4]\d)(?=\s?[mf](?:[,;.:)/]|\s(?:w/?|with|c/o|h/o|s/p|p/w|from|mrn|id|fall|fell|to|post|\0"
        r"|room|rm|bed|smoker|known|hx|who|presents?)|\0|\n|$))",
        _I,
    ),
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=_AGES),
        r"(?<![\w.])(?:9\d|1[0-4]\d)[mf](?=\s(?:w/?|with|c/o|h/o|s/p|mrn)\b|[,;)])",
    ),
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=r"(?<![\d.])(?:9\d|1[0-4]\d)(?!\d)"),
        r"(?<![\w.])(?:9\d|1[0-4]\d)(?:st|nd|rd|th)(?=[\s-]+(?:birthday|b'?day|year))",
        _I,
    ),
    # "91f fall", "97, off legs": the first of a text or line
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=_AGES),
        rf"(?:(?<=\n)|(?<!.)){_OVER}(?=[mf]\b|[ ][mf][ ](?:fall|fell)|,[ ][a-z])",
        _I,
    ),
    cued(
        "AGE", "pt|patient|lady|gentleman|veteran|resident", rf"{_OVER}(?=[,;)]|\.(?!\d)|[mf]\b)", joint=r"[ ,:]{1,2}"
    ),
    # someone, and the age: "Rye (Mary), 98."
    rule(
        "AGE",
        guard(signs="\0", also=_AGES),
        rf"(?<=\0)\)?,?[ ]\(?({_OVER})(?=[,;)/]|\.(?!\d)|[ ]?(?:years?|yrs?|y)\b|[mf]\b|\n|$)",
        _I,
        group=1,
    ),
    rule(
        "AGE",
        guard("eldest oldest mother father patient he she husband wife now nearly almost", led="words", also=_AGES),
        rf"\b(?:(?:eldest|oldest|mother|father|patient|he|she|husband|wife)\s(?:is|was)(?:\s(?:now|nearly"
        rf"|almost))?|now|nearly|almost)\s({_OVER})"
        r"(?=\s*(?:[.,;)](?!\d)|\n|$|and\b))",
        _I,
        group=1,
    ),
    # whoever it is: "is 93 today"
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=_AGES),
        rf"(?<=\bis ){_OVER}(?=\s(?:today|tomorrow|now|next|this|on\b|years|and lives|and still)|\sin\s(?:[A-Z\0]))",
        _I,
    ),
    # "F 93,", "Male/93", "turned 93"
    rule(
        "AGE",
        guard("m f male female", led="words", also=_AGES),
        rf"\b(?:[MF]|[Ff]?e?[Mm]ale|FEMALE|MALE)\s?[ /,-]\s?({_OVER})(?=\s*(?:[,;:)\n]|\.(?!\d)|$|{_YEARS}))",
        group=1,
    ),
    cued("AGE", "turn|turns|turned|turning", rf"(?:{_OVER}|{_OLD}){_NO_UNIT}", joint=r"\s+(?:age\s)?", also=""),
    cued(
        "AGE",
        "patient is|he is|she is|who is|is now|lady is|man is|woman is|patient was|now|nearly|almost",
        rf"{_OLD}\b(?=[ ](?:and|but|who|with|from|today|comma|period|this|next)\b|[.,;]|$)",
        also="",
    ),
    cued(
        "AGE",
        "age|aged|ages|edad",
        rf"{_OLD}\b(?!\s?(?:%|mm|cm))",
        joint=r"[\s:]{1,2}(?:(?:of|about|over|above|approx|around|nearly|almost|de)\.?\s)?\s?",
        also="",
    ),
    rule(
        "AGE",
        guard(signs="narian NARIAN Narian nari NARI"),
        r"\b(?:super-?)?(?:non?agenarian|cent(?:en|in)arian|nonagenari[oa]|centenari[oa])s?\b",
        _I,
    ),
    rule(
        "AGE", guard("ninetieth ninety hundredth hundred one a"), rf"\b{_OLD_TH}(?=[\s-]+(?:birthday|b'?day|year))", _I
    ),
    rule(
        "AGE",
        guard("his her their patient", led="words"),
        r"\b(?:his|her|their|patient's)\s+(?:(?:very\s+)?(?:early|mid|middle|late)[\s-]+)?"
        r"(nineties|9\ds?|'?90'?s|hundreds|1[0-4]0'?s)(?!\w)",
        _I,
        group=1,
    ),
    cued(
        "AGE",
        "age|aged|ages|edad",
        rf"{_OVER}\b{_NO_UNIT}",
        joint=r"(?:[ ]?/[ ]?sex)?[\s:]{0,3}(?:(?:of|about|over|above|approx|around|nearly|almost|now|is|was|de)\.?\s)?",
    ),
)
STRICT: tuple[Rule, ...] = (
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=_AGES),
        r"(?<![\w.,/-])(?:9\d|1[0-4]\d)(?=\s?(?:-|\s)?(?:y\.?/?o\.?|yr|year|yom|yof|ym|yf)s?\b)",
        _I,
    ),
)
