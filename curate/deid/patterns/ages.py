"""Ages over 89, in digits and in words: they identify as a date of birth does.

One value (`_OVER` in digits, `_OLD` in words) in three frames: years, a sex or a person behind it; an age, a sex or a
person before it; or a place in the sentence where only an age stands ("Frail, 94, lives alone", "alive at 97").
"""

from __future__ import annotations

import re
from functools import partial

from curate.deid.patterns.around import COUNTED, MEASURED, is_any_before, words_before
from curate.deid.patterns.prefilter import Rule, cued, rule
from curate.deid.word_lists import word_sections
from curate.deid.words.vocabulary import Kind, kind

_rule, _cued = partial(rule, "AGE"), partial(cued, "AGE")
_I = re.IGNORECASE
_ONES = r"(?:one|two|three|four|five|six|seven|eight|nine)"
_FIRSTS = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
_OVER = r"0?(?:9\d|1[0-4]\d)(?!\d)"  # ages over 89, in digits
# ... in words
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
_ANY = rf"(?:{_OVER}|{_OLD}\b)"
_YEARS = (
    r"(?!years?'?[ ](?:worth|of (?:data|experience)))"
    r"(?:y(?:ea)?rs?|y/?o|y\.o\.|y|anos?|jahre?|jahrig\w*|jaehrig\w*|ans)\b"
)
_NO_UNIT = (
    r"(?!\w|[.,]\d|/\d|-\d|\s?(?:percent|degrees?|mm|cm|ml|mg|bpm|kg|lb|hu|ms|mgy|weeks?|days?|months?|minutes?|hours?|x\b"
    r"|cc|m/?s|units?|images?|slices?)\b|\s?%)"
)
_END = r"(?=\s*(?:[,;:)]|\.(?!\d)|\n|$))"
_SOMEONE = (
    "pt|patient|lady|gentleman|gent|man|woman|male|female|veteran|resident|widow|widower|pensioner|farmer|teacher"
    "|mother|father|mum|dad|grandmother|grandfather|husband|wife|sister|brother|aunt|uncle|elderly|frail|oldest|eldest"
)
_WHO_IS = (
    "patient is|patient was|pt is|pt was|he is|she is|he was|she was|who is|is now|lady is|man is|woman is|mother is"
    "|father is|husband is|wife is|mother was|father was|oldest is|eldest is"
)
_SEX = r"(?:[MF]|[Ff]?e?[Mm]ale|FEMALE|MALE|[Ww]?o?[Mm]an)"
_WHAT_BEHIND = (
    r"w/?|with|c/o|h/o|s/p|p/w|from|mrn|id|fall|fell|falls|to|post|\0|room|rm|bed|smoker|known|hx|who|presents?|and|f/u"
)
_AT_HEAD = r"(?:(?<=\n)|(?<!.)|(?<=[.:;,(/]\s)|(?<=[(/,:])|(?<=\0,\s)|(?<=\0\s))"
_FEVER = re.compile(r"(?:\bt|temp\w*|tmax|fever|febrile(?: to)?|to|at|of|is|was)[ :=]{1,2}\Z", _I)


_TECHNETIUM = re.compile(r"\btc[ -]{0,2}99|99[ ]?m[ -]{0,2}(?:tc|technet)", _I)


def _is_no_fever(hit: re.Match[str]) -> bool:
    """ "T 101F" is no woman, and "Tc-99M" no man."""
    if hit[0].lower().lstrip("(").startswith("99") and _TECHNETIUM.search(
        hit.string, max(0, hit.start() - 4), hit.end() + 6
    ):
        return False
    unit = (hit[0] + hit.string[hit.end() : hit.end() + 2]).lstrip("0123456789 ").lower()
    return not (unit[:1] == "f" and _FEVER.search(hit.string, max(0, hit.start() - 14), hit.start()))


# what a number of 90 and more is of, where it is no age
_VITAL = COUNTED | MEASURED | word_sections("numbers")["vital"]
_STRONG = r"fall|fell|falls|w/|c/o|h/o|s/p|p/w|f/u|r/o|sob|cp|ams|gcs|fx|nof|hx|pmh|pmhx|nh|snf|rh|dnr|dnar|found"


_WHO = re.compile(r"(?:\A|[.;:\n]\s*)((?:[^\W\d_][^\W\d_'-]*[ ]){2,3})\(?\Z")


def _is_an_age(hit: re.Match[str], most: int = 5) -> bool:
    """Nothing measured or counted before it in the same clause: "sats steady at 94" """
    at = hit.start(hit.re.groups and 1)
    return not is_any_before(words_before(hit.string, at), _VITAL, most) and _is_no_fever(hit)


def _is_of_a_person(hit: re.Match[str]) -> bool:
    """A clause of two or three words and the number ("Jane Roe 94."), one of them a name or no word, none measured."""
    who = _WHO.search(hit.string, max(0, hit.start() - 48), hit.start())
    if who is None:
        return False
    parts = re.findall(r"[^\W\d_]+", who[1])
    kinds = [kind(word.lower()) for word in parts]
    if any(word.lower() in _VITAL or bits & Kind.FUNCTION for word, bits in zip(parts, kinds, strict=True)):
        return False
    if not all(word.istitle() for word in parts) and any(bits & Kind.CLINICAL for bits in kinds):
        return False
    return any((bits & Kind.NAME and not bits & Kind.CLINICAL) or not bits & Kind.KNOWN for bits in kinds)


_BEHIND: tuple[Rule, ...] = (
    # "94-year-old", "94+ yrs", "91y 3m", "ninety-four years", "94yoF"
    _rule(rf"(?<![\w.]){_OVER}(?:\s?\+)?(?=[\s-]{{0,2}}{_YEARS})"),
    _rule(rf"\b{_OLD}(?=[\s-]{{0,2}}{_YEARS})"),
    # "92F", "93/F", "101 male"
    _rule(rf"(?<![\w.]){_OVER}(?=\s?[MF]\b(?![-'/]\w))", check=_is_no_fever, cased=True),
    _rule(
        rf"(?<![\w.,/-]){_OVER}\+?(?=\s{{0,2}}[/,-]\s{{0,2}}(?:[mf]\b|male\b|female\b)|\s(?:fe)?male\b|\s(?:wo)?man\b"
        r"|\s(?:lady|gentleman|gent|veteran|widow(?:er)?|pensioner|grandmother|grandfather)\b)"
    ),
    # "92f", in small letters, at the head of a clause: elsewhere m is metres
    _rule(rf"{_AT_HEAD}{_OVER}(?=\s?[mf](?:[,;.:)/]|\s(?:{_WHAT_BEHIND})|\0|\n|$))", check=_is_no_fever),
    _rule(r"(?<![\w.])(?:9\d|1[0-4]\d)(?:st|nd|rd|th)(?=[\s-]+(?:birthday|b'?day|year))"),
    _rule(rf"\b{_OLD_TH}(?=[\s-]+(?:birthday|b'?day|year))"),
    # "91f fall", "97, off legs": the first of a text or line
    _rule(rf"(?:(?<=\n)|(?<!.)){_OVER}(?=[mf]\b|[ ][mf][ ](?:fall|fell)|,[ ][a-z])"),
)
_BEFORE: tuple[Rule, ...] = (
    _cued(
        "age|aged|ages|edad",
        rf"{_ANY}{_NO_UNIT}|{_OVER}(?=y|[mf]\b)",
        joint=r"(?:[ ]?/[ ]?sex)?(?:[ ]?\([a-z]{2,6}\))?[\s:=(\[-]{0,3}(?:(?:of|about|over|above|approx|around"
        r"|nearly|almost|now|is|was|de"
        r"|at exam)\.?\s)?",
    ),
    _cued("turn|turns|turned|turning", rf"{_ANY}{_NO_UNIT}", joint=r"\s+(?:just\s)?(?:age\s)?"),
    # "patient is 93 today", "Pt is ninety-six."
    _cued(
        f"{_WHO_IS}|will be|is",
        rf"{_ANY}(?=\s(?:today|tomorrow|now|next|this|and lives|and still|and frail|years)\b|\sin\s(?:[A-Z\0]))",
        joint=r"\s(?:now\s|nearly\s|almost\s)?",
    ),
    _cued(
        _WHO_IS,
        rf"{_ANY}(?=\s*(?:[.,;)](?!\d)|\n|$)|\s(?:and|but|who|with|from|comma|period)\b)",
        joint=r"\s(?:now\s|nearly\s|almost\s)?",
    ),
    # "she's 94 but plays bowls", "Mr. Roe is 95, retired"
    _rule(
        rf"\b(?:s?he|patient|pt)(?:'s|[ ]is|[ ]was|[ ]turned|[ ]turns)[ ](?:now[ ]|nearly[ ]|almost[ ]|just[ ]"
        rf"|only[ ])?({_ANY})"
        rf"{_NO_UNIT}(?![ ](?:on|in|at|post|out|over|under|times|to)\b|[ ]?lbs?\b)"
    ),
    _rule(
        rf"(?<=\0)(?:'s|[ ]is|[ ]was|[ ]turned|[ ]turns)[ ](?:now[ ]|nearly[ ]|almost[ ]|just[ ]|only[ ])?({_ANY})"
        rf"{_NO_UNIT}(?=[,;)]|\.(?!\d)|[ ](?:and|but|who|with|from|lives|today|now|this|next|comma|period)\b|$|\n)"
    ),
    # "F 93,", "Male/93", "f-94"
    _rule(
        rf"\b{_SEX}\s?[ /,-]\s?({_OVER})(?=(?:(?<=/..)|(?<=/...))(?![\w]|[.,/-]\d)|\s*(?:[,;:)\n]|\.(?!\d)|$"
        rf"|{_YEARS}))",
        cased=True,
    ),
    _rule(rf"{_AT_HEAD}[mf][ /,-]{{1,2}}({_OVER})(?=[,;:)]|\.(?!\d)|\s(?:{_WHAT_BEHIND})|\n|$)"),
    _rule(
        r"\b(?:his|her|their|patient's)\s+(?:(?:very\s+)?(?:early|mid|middle|late)[\s-]+)?"
        r"(nineties|9\ds?|'?90'?s|hundreds|1[0-4]0'?s)(?!\w)"
    ),
)
_ALONE: tuple[Rule, ...] = (
    _rule(r"\b(?:tenth|10th|eleventh|11th)[ ]decade\b"),
    # "Frail, 94, lives alone", "lady of 94", "husband (97)", "frail man, ninety six, fell"
    _cued(_SOMEONE, rf"{_ANY}(?:{_NO_UNIT}{_END}|(?=[ ]?[mf]\b))", joint=r"(?:,?[ ]\(?|\(|[ ]of[ ]|:[ ]?)"),
    # "lady 97 off legs", "Her mum is 96."
    _cued(_SOMEONE, rf"{_OVER}{_NO_UNIT}(?![ ](?:on|in|of|at|lbs?|and|to|or)\b)", joint=r"[ ]"),
    _cued(
        _SOMEONE,
        rf"{_ANY}(?=\s*(?:[.,;)](?!\d)|\n|$)|\s(?:and|but|who|with|comma|period|years)\b)",
        joint=r"[ ](?:is|was|turned|turns)[ ](?:now[ ]|nearly[ ]|almost[ ])?",
    ),
    # "hip fx, 93, nwb"
    _rule(r"(?<=[a-z],[ ])(?:9\d|10[0-9])(?=,[ ]?\??[a-z]{2})(?!,[ ](?:and|or)\b)"),
    # "At 94 she is not a candidate"
    _cued("at", rf"{_ANY}(?=,?[ ](?:he|she|they|the patient)\b)"),
    # "unlikely @ 98.", "surgery at 94?": at the end, and nothing measured before
    _rule(rf"(?:@[ ]?|\bat[ ])({_ANY}){_NO_UNIT}(?=[,;)?!]|\.(?!\d)|\s*(?:\n|$))", check=_is_an_age),
    # "94f fall" inside a line
    _rule(
        rf"(?<![\w.,/-]){_OVER}(?=[ ]?[mf][ ](?:{_STRONG})(?!\w)|[mf][ ](?:{_WHAT_BEHIND})\b)",
        check=lambda hit: _is_an_age(hit, 2),
    ),
    # "Jane Roe 94.": a clause of a name and a number
    _rule(rf"(?<![\w.,/-])({_OVER})\)?(?=[,;]|\.(?!\d)|\s*(?:\n|$))", check=_is_of_a_person, cased=True),
    # someone, and the age: "Rye (Mary), 98."
    _rule(rf"(?<=\0)\)?,?[ ]\(?({_OVER})(?=[,;:)/]|\.(?!\d)|[ ]?(?:years?|yrs?|y)\b|[mf]\b|\n|$)"),
    _rule(r"\b(?:super-?)?(?:non?agenarian|cent(?:en|in)arian|nonagenari[oa]|centenari[oa])s?\b"),
)
SURE: tuple[Rule, ...] = (*_BEHIND, *_BEFORE, *_ALONE)
STRICT: tuple[Rule, ...] = (_rule(rf"(?<![\w.,/-]){_OVER}(?=[\s-]{{0,2}}(?:y\.?/?o\.?|yom|yof|ym|yf)s?\b)"),)
