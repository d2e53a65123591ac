"""Where someone lies in a hospital: wards, rooms and beds, by number, letter or name. Cues stay, values go."""

from __future__ import annotations

import re
from functools import partial

from curate.deid.patterns.prefilter import Rule, cued, rule
from curate.deid.word_lists import word_sections
from curate.deid.words.context_words import COMMON, DEPARTMENTS
from curate.deid.words.vocabulary import Kind, kind

_rule, _cued = partial(rule, "ADDRESS"), partial(cued, "ADDRESS")
_I = re.IGNORECASE
_COUNTED = (
    "mm|cm|ml|of|x|days?|weeks?|months?|hours?|hrs?|years?|nodes?|lymph|foot|feet|degrees?|views?|images?|slices?"
    "|liters?|litres?|units?|lesions?|points?|pts|patients?|sessions?|doses?|cycles?|times|minutes?|mins?|secs?|seconds?"
    "|percent|cores?|wks?|litre|l(?![ ][a-z])"
)
NO_SIZE = rf"(?![\w+]|[.,/]\d|\s?%)(?!\s?(?:{_COUNTED})\b)"  # behind the number of a place: nothing that it counts
# of a bed or a ward nothing is counted but how long
_NO_SPAN = (
    r"(?![\w+]|[.,/]\d|\s?%)(?!\s?(?:mm|cm|ml|days?|weeks?|wks?|months?|hours?|hrs?|years?|minutes?|mins?|times)\b)"
)
_SPOKEN = (
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
    r"|eighteen|nineteen|twenty|thirty|forty|fifty|oh|hundred)"
)
# what has a number of its own, and what has a letter too
_PLACES = """room|rm|bed|bay|cubicle|ward|suite|ste|apt|apartment|flat|floor|unit|bldg|building|house|station|theatre
|clinic|zip|postcode|plz|h no|h.no|house no|door no|plot|plot no|cot|incubator|cabin|chair|wing|villa|wd|cube
|bed space|bedspace|side room|p/c|sector|theater|trolley|stretcher|gurney|recliner|crib|bassinet|isolette
|warmer|erf|tower|bedded bay|examination room|op room|op theatre|bed number|lounge"""
_LETTERED = """ward|bay|pod|wing|room|rm|theatre|theater|bed|cubicle|clinic room|bedded bay|tower|side room|lab
|flat|apt|apartment|suite"""
_UNITS = """icu|micu|sicu|ccu|cvicu|nicu|picu|itu|hdu|resus|pacu|ed|er|trauma|sr|mau|amu|sau|cau|eau|aau|acu
|cdu|csu|ssu|esu|esau
|ccot|cticu|ctccu|csicu|nsicu|nccu|neuro icu|pcu|imcu|imc|stepdown|step down|tele|telemetry|ldr|l&d
|nnu|scbu|scn|gitu|citu|hobs|ambu|sdec|majors|minors|triage|recovery|obs unit|observation|short stay|day unit|a&e
|ccl|cath lab|endo|ot|ot no|iccu|rcu|bicu|burns unit|labour room|labor room|labour ward|delivery suite|maternity
|mmw|fmw|msw|fsw|mow|fow|pnw|anw|medical ward|surgical ward|male ward|female ward|general ward"""
_SIDE = "(?:east|west|north|south)"
_OF_A_KIND = word_sections("context")["of a kind of ward"]


def _is_a_wards_name(hit: re.Match[str]) -> bool:
    """A word that says nothing of who lies there: "Kestrel ward", no "stroke ward"."""
    word = hit["name"].lower().removesuffix("'s")
    bits = kind(word)
    if word in COMMON or word in _OF_A_KIND or word.endswith(DEPARTMENTS) or bits & (Kind.FUNCTION | Kind.CLINICAL):
        return False
    named = bits & (Kind.NAME | Kind.TOWN) or not bits & Kind.KNOWN or word.isalpha()
    return bool(named) and not bits & (Kind.BY_HAND | Kind.EPONYM | Kind.BOUND)


def _is_a_units_name(hit: re.Match[str]) -> bool:
    """ "Willow Suite"; where letters do not tell, a name of the lists."""
    listed = bool(kind(hit["name"].lower().removesuffix("'s")) & (Kind.NAME | Kind.TOWN))
    return ((hit["name"].istitle() and hit["head"].istitle()) or listed) and _is_a_wards_name(hit)


_MEASURES = re.compile(r"\b(?:hounsfield|motor|absolute)[ ]\Z", _I)


def _is_no_measure(hit: re.Match[str]) -> bool:
    return not _MEASURES.search(hit.string, max(0, hit.start() - 12), hit.start())


_ITS = (
    rf"(?:\d{{1,4}}(?:[ ]?[A-Z]\b|[A-Z])?|[A-Z]{{1,2}}[ /-]?\d{{1,3}}[A-Z]?)(?:[-/]\d{{1,3}}[A-Z]?)?(?:[ -]"
    rf"(?:{_SIDE}|annexe?|upper|lower)\b)?"
)
_CODES_END = r" ?(?:[,.;:)\0](?!\d)|$|\n| \d)"  # behind a ward's code that stands alone
SURE: tuple[Rule, ...] = ()
STRICT: tuple[Rule, ...] = (
    # "bed-7", "ward 12 north", "beds 3 and 4", "bed 4 of six"
    _cued(
        "bed|beds|bd|ward|wards|bay|bays|cubicle|cubicles|cot|cots|rm|room|rooms|hall bed|hallway|trolley"
        "|side room|theatre",
        rf"{_ITS}{_NO_SPAN}",
        joint=r"\.?[ ]?(?:(?:no\.?|nr\.?|number|#)[ ]?)?[:#=(-]?[ ]?",
    ),
    _rule(r"(?<![\w.,/-])\d{1,2}(?:N|S|E|W|NE|NW|SE|SW)-?\d{1,3}\b(?![./-]\d)", where="codes"),
    _cued("beds|bays|wards|rooms|cots", rf"(?:\d{{1,3}}[A-Z]?(?:, (?:and )?| ?& ?| and ))+\d{{1,3}}[A-Z]?{_NO_SPAN}"),
    # "on 4W", "sister 7C", "W16: chased", "B14: film", "in OR 3", "East 4"
    _cued("on|unit|floor|level", r"1?\d[NSEW]\b(?! [A-Z]?\d)"),
    _cued("from|to", r"(?-i:1?\d[NSEW])\b(?! [A-Z]?\d)"),  # no weeks or watts: "from 6w to 12w", "to 60W"
    _cued(
        "seen|rn|nurse|sister|notes|ward,|back to|sent to|moved to",
        rf"[12]?\d(?:[ABCEGNSW]|(?-i:(?<![ ][23])D|H))(?={_CODES_END})",
    ),
    _rule(rf"(?<![\w.,/-])(?<!\d )W\d{{1,2}}[A-Z]?(?={_CODES_END})|(?<=\0, )\d{{1,2}}[A-EGHNSW](?=[,.;:)\n]|$)"),
    _rule(r"(?:(?<=[.,;:] )|(?<!.))B([7-9]|1[013-9]|[2-9]\d)(?=[,.:;](?:\s|$))", cased=True),
    _rule(rf"\b(?:(?:in|to|from|for)[ ]or[ ]|or[ ]?#[ ]?)(\d{{1,2}}[A-Z]?){NO_SIZE}"),
    _rule(
        rf"(?:(?<=\bon )|(?<=\bto )|(?<=\bfrom )|(?<=\bin )|(?<=\bfor )|(?<=\bward )|(?<=, )|(?<!.))"
        rf"{_SIDE}[ -]?\d{{1,2}}[A-Z]?{NO_SIZE}"
    ),
    # a ward's code before a bed: "7C bed 12", "w4 b12"
    _rule(
        r"(?<![\w.,/-])(?:\d{1,2}[a-z]|w\d{1,2}[a-z]?)(?:[ ,/-]{1,2}b[ ]?\d{1,2}\b"
        r"|(?=[ ,/-]{1,2}(?:bed|bd|bay|rm|room|cubicle)(?:[ ]no\.?)?[ ]?(?:[a-z]?\d|\0)"
        r"|[ ]ward\b(?![ ](?:rounds?|patients?|days?|beds?)\b)))",
        where="codes",
    ),
    _rule(r"(?<=\0)[, ]{1,2}#[ ]?(\d{1,4}[A-Z]?)\b"),
    _cued(
        _PLACES,
        rf"#?(?:\d{{1,5}}[A-Za-z]{{0,2}}|[A-Z]{{1,2}}-?\d{{1,4}}[A-Za-z]?)(?:[-/](?:\d{{1,3}}[A-Za-z]?|[A-Z]\b))?{NO_SIZE}"
        rf"|(?-i:[1-9]\d?\.\d\d){NO_SIZE}",
        joint=r"\.?\s?(?:code|no\.?|number|#)?:?\s?",
        check=_is_no_measure,
    ),
    # "ICU 3", "resus bay 2", "ED 14": where nothing counted follows
    _cued(
        _UNITS,
        rf"#?[A-Z]?\d{{1,3}}[A-Za-z]?{NO_SIZE}(?!-|,?[ ](?:and[ ])?pr\b)",
        joint=r"\.?(?:[ ](?:(?:bed|bay|rm|room|cubicle|pod|chair|trolley)[ ])?|(?<=cu)-|[ ]?#[ ]?)",
    ),
    # "Bay C", "ward D bed 4": a letter, and what cannot go on a sentence, or a capital that begins no word of medicine
    _cued(
        _LETTERED,
        r"(?:[A-Z](?=[,;:)\0]|\.(?!\d)|\s(?:bed|room|side|\d)|\s*$|\s*\n)"
        r"|(?-i:[B-HJKM-OQSU-Z])(?=[ ](?!arm|spine|wire|ray)(?:(?-i:[A-Z])|on\b|at\b|and\b)))",
        joint=r"(?:[ ](?:no\.?|number))?[ ]",
    ),
    _rule(rf"(?<![\w.,/-])(?:\d{{1,2}}(?:st|nd|rd|th)[ ](?:floor|flr|fl)|level[ ]\d{{1,2}})(?=,?[ ]{_SIDE}\b)"),
    _rule(
        r"(?<![\w'.-])(?P<name>[a-z][a-z'-]{3,})(?=[ ](?P<head>suite|unit|wing|pavilion|tower)\b)",
        check=_is_a_units_name,
    ),
    # spoken: "room four twelve", "ward seven b"
    _cued(
        "room|bed|ward|bay|cubicle|side room|theatre|theater|trolley|cot|bed number|room number",
        rf"{_SPOKEN}(?:[ -]{_SPOKEN}){{0,3}}(?:[ ][a-h]\b)?{NO_SIZE}",
        joint=r"[ ](?:number[ ])?",
    ),
    # "Ward 7P", "4 West", "5 North"
    _rule(
        r"(?<![\w.,/-])\d{1,2}[a-z]?[ -](?:west|east|north|south|tower|pavilion|main)\b"
        r"(?![ ](?:[a-z]*(?:st|nd|rd|th)|asians?|africans?|indians?|europeans?|americans?|coast|side|facing"
        r"|portal|pancreatic"
        r"|branch|duct|vessels?|stem|renal|trunk|of)\b)"
    ),
)
