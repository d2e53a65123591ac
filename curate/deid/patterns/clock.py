"""Times of the day, in digits and in words.

A time is a shape that nothing else has ("14:30", "2 pm", "0915 hrs"), or four digits ("0915", "09.15") beside what
happens at a time; then what they count (`around.MEASURED`) must not stand before them, nor a unit behind.
"""

from __future__ import annotations

import re
from functools import partial

from curate.deid.patterns.around import MEASURED, is_any_before, words_before
from curate.deid.patterns.prefilter import Rule, cued, rule
from curate.deid.word_lists import word_sections, words

_rule, _cued = partial(rule, "TIME"), partial(cued, "TIME")
_HOUR = r"(?:[01]\d|2[0-3])"
_ONCE = rf"(?:{_HOUR}[.:]?[0-5]\d)"
_TO = r"\s?(?:-|to|and|until|&|,)\s?"
_BARE = rf"{_ONCE}(?:{_TO}{_ONCE}(?![\w/]|[.,]\d))?"
_YEAR = r"(?!(?:19[3-9]|20[0-4])\d(?!\d))"
_END = (
    r"(?![\w/-]|[.,]\d)(?!\s?(?:mm|cm|ml|mg|mcg|hu|mgy|cc|kg|lb|ng(?!t|[ ]tube)|pg|iu|u/|units?|images?|slices?|views?"
    r"|weeks?|days?|years?|months?|mhz|msec|ms|sec(?:ond)?s?|min(?:ute)?s?|degrees?|grams?|o'?clock|position|x\s?\d+|%)"
    r"(?!\w))"
)
_ZONES = "[ECMP][SD]T|UTC|GMT|Z|IST|BST|A[CEW][SD]T|NZ[SD]T|SGT|CES?T|PKT|GST|SAST|HKT"
_HOURS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_LATE = "thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty(?:[ -](?:one|two|three))?"
_ONES = "one|two|three|four|five|six|seven|eight|nine"
_MINUTES = (
    rf"(?:(?:oh|zero|o)[ -](?:{_ONES})|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
    rf"|(?:twenty|thirty|forty|fifty)(?:[ -](?:{_ONES}))?)"
)
_SPOKEN = rf"(?:(?:oh|zero)[ -](?:{_ONES})|{_HOURS}|{_LATE})[ -](?:hundred|{_MINUTES})"
_HALF = (
    r"(?:[ap][ .]{0,2}m\b\.?|in the (?:morning|afternoon|evening)|at night|tonight|this (?:morning|afternoon|evening))"
)
_PART = (
    r"in the (?:early |late )?(?:morning|afternoon|evening)\b|at night\b|tonight\b|this (?:morning|afternoon|evening)\b"
)
_AFTER = "|".join(
    rf"(?<=\b{word} )"
    for word in ("at", "by", "around", "about", "before", "after", "until", "till", "since", "from", "is", "was")
)
_DOSED = word_sections("numbers")["dosed"]
_TOLD = """called|phoned|telephoned|rang|rung|told|informed|notified|paged|attended|seen|arrived|relayed|conveyed
|discussed|bleeped|texted|aware|spoke|contacted|intimated|reported|d/w""".replace("\n", "")
_HAPPENED = """start|started|starts|finish|finished|ended|end|begin|began|commenced|completed|scanned|arrived|arr
|departed|notified|told|informed|aware|paged|called|rung|rang|tel'd|ph'd|phoned|telephoned|bleeped|texted|discussed|d/w
|seen|signed|verified|reported|rptd|dictated|read|read back|done|performed|taken|acquired|time|timed|injected|given|due
|updated|notif|inf|call|collected|admitted|reviewed|imaged|repositioned|onset|lkw|last known well|well|last seen|fluoro
|needle in|needle out|puncture|code stroke|x2|intubated|tubed|extubated|adv|advanced|fall|fell|collapsed|found"""
_POINT = re.compile(r"\d[:.]\d")


_RATIOS = words("ratio titre titer dilution diluted ana rpr vdrl anca epinephrine adrenaline scale mix mixed rf")
_NOON = 12
_LASTS = words("fluoroscopy fluoro duration screening")
_ON_THE_CLOCK = re.compile(
    r"[ ]?(?:o'?clock|position|radian|radius|[,;(]?[ ]?(?:\d{1,2}(?:\.\d)?[ ]?(?:cm|mm|fn)\b|fn\b|n[ +]?\d"
    r"|zone [abc1-3]\b"
    r"|(?:sub|retro)?-?areolar|periareolar))",
    re.IGNORECASE,
)
_OF_A_BREAST = re.compile(
    r"(?:\b(?:[lr]|lt|rt|left|right)[ ]|\b(?:torn|tears?|labrum|breast|axis|mass|cyst|nodule|lesion|fibroadenoma"
    r"|calcifications?|lump|asymmetry|quadrant|enthesis|labral|anal|anus|fistula|opening|cuff)\b"
    r"(?:(?!\w+ed\b|scan|film|seen|done|image|ward|bay)[^.;\n]){0,24}|[/,;&-][ ]?\d{1,2}:\d\d[^.;\n]{0,4})\Z",
    re.IGNORECASE,
)
_RANGE_BEHIND = re.compile(r"\s?(?:-|to)\s?\d{1,2}:\d\d")
_RANGE_BEFORE = re.compile(r"\d:\d\d\s?(?:-|to)\s?\Z")


def _is_range(text: str, start: int, end: int) -> bool:
    """ "fluoro 14:30-15:10" says when."""
    return bool(_RANGE_BEHIND.match(text, end) or _RANGE_BEFORE.search(text, max(0, start - 12), start))


def _is_time(hit: re.Match[str]) -> bool:
    """Nothing counted before it: "DLP 1430", "Fluoroscopy time: 2:30", "ratio of 1:20"; and no place on the face of a
    clock ("left 4:00, 3 cm FN")."""
    at, shape = hit.start(hit.re.groups and 1), hit[hit.re.groups and 1].lstrip()
    text, before = hit.string, words_before(hit.string, at)
    if ":" not in shape:
        return not is_any_before(before, MEASURED)
    if is_any_before(before, _LASTS) and not _is_range(text, at, hit.end()):
        return False
    if shape[0] == "0" or int(shape.split(":")[0]) > _NOON or "m" in shape.lower():
        return True
    if shape.endswith((":00", ":30")) and _OF_A_BREAST.search(text, max(0, at - 40), at):
        return False
    if _ON_THE_CLOCK.match(text, hit.end()) or is_any_before(before, _RATIOS):
        return False
    return before[-1:] == ["at"] or not is_any_before(before, MEASURED)


def _is_no_dose(hit: re.Match[str]) -> bool:
    """ "1 at night" is taken, unless something happened then."""
    return not is_any_before(words_before(hit.string, hit.start()), _DOSED)


SURE: tuple[Rule, ...] = (
    _rule(
        r"(?<![\w:./])(?:[01]?\d"
        r"|2[0-3]):[0-5]\d(?!\d)(?::[0-5]\d(?:[.,]\d+)?)?(?:\s?[ap]\.?m\b\.?|[ap]\b)?(?:\s?(?:h(?:ou)?rs?|h|"
        rf"{_ZONES})\b)?"
        r"(?!\s?(?:o'?clock|position|min(?:ute)?s?\b|sec)|[:/]?\d)",
        check=_is_time,
    ),
    _rule(r"(?<![\w.:])(?:1[0-2]|0?[1-9])(?:[ .:-]?[0-5]\d)?\s?[ap]\.?m\b\.?(?!\w)"),
    _rule(r"(?<![\w.:])(?:[01]\d|2[0-3])[0-5]\d\s?(?:h(?:ou)?rs?|h)\b"),
    _rule(rf"(?<![\w.:])(?:[01]\d|2[0-3])[0-5]\d ?(?:{_ZONES})\b", cased=True),
    # hours with a nought before them: no measure is written so
    _rule(rf"(?<![\w.,:/-])0\d\.[0-5]\d{_END}", cased=True),
)
STRICT: tuple[Rule, ...] = (
    # who was told, and the time at the end: "called to the ward, 09.15", "Informed telephonically at 9.15"
    _rule(
        rf"\b(?:{_TOLD})\b[^.\n]{{0,60}}(?:[,(;]|[ ]at|[ ]back)[ ]?({_BARE}|[1-9]\.[0-5]\d)"
        r"(?=\s*(?:[.;,)]?\s*(?:$|\n|[A-Z])|[.;,)]\D|[.;,)]$|by\b))",
        check=_is_time,
    ),
    # behind someone, a day or a place that went: "rn [NAME] 15.20"
    _rule(rf"(?<=\0)[,;:]?[ ](?:@ ?|at )?({_YEAR}{_BARE}){_END}", cased=True),
    # behind who was told, at the end: "d/w Roe 2226", "told ed 915"
    _rule(
        r"(?:d/w|(?:told|informed|paged|called|notified|rang|rung|seen by|tel'd|bleeped|spoke to|spoke with))[ ]"
        rf"(?:[^\W\d_][\w'-]*[ ]){{0,4}}({_YEAR}{_BARE}|[1-9][.:]?[0-5]\d)(?=[.;,)]?(?:\s*\n|\s*$)|[.;)](?!\d))",
        check=lambda hit: hit[1] != "911",
    ),
    # the last of a clause: ", 08.13."
    _rule(
        rf"(?<=[,;(/])[ ]?({_YEAR}{_HOUR}\.?[0-5]\d)(?=[.;,)/]?(?:\s*\n|\s*$)|[.;)](?!\d))", check=_is_time, cased=True
    ),
    # between commas: ", 0915, bed 4"
    _rule(rf"(?<=[a-zA-Z\0],)[ ]({_YEAR}{_HOUR}[0-5]\d)(?=,[ ](?!\d))", check=_is_time, cased=True),
    # the first of a line, note or sentence: "0830: ...", "0915 ngt ok. 0930 ngt out"
    _rule(
        rf"(?:(?<=\n)|(?<!.)){_YEAR}{_BARE}(?=(?:[:;,-]|\s-)\s|[ ](?=[A-Za-z])){_END}"
        rf"|(?<=\.[ ]){_YEAR}{_HOUR}[0-5]\d(?=[ ][a-zA-Z]{{2}}){_END}"
    ),
    _rule(r"(?<=\()(?:[01]\d|2[0-3])\.[0-5]\d(?=\))", cased=True),
    _rule(r"(?<![\w.:/])(?:[01]?\d|2[0-3])\s?h\s?[0-5]\d(?:\s?(?:min|m))?(?!\w)"),
    _rule(
        r"\b(?:at|@|time|(?:around|by|approximately|about|since|until|till|from|to|before|after|between)(?![ ](?:199\d"
        rf"|20[0-4]\d)(?![ ]?h)))[ :]{{1,2}}({_BARE}){_END}",
        check=lambda hit: (
            _is_time(hit) and not (_POINT.search(hit[1]) and hit[0][:2].lower() in ("to", "by", "fr", "ab"))
        ),
    ),
    _rule(rf"@[ ]?({_BARE}){_END}", cased=True),
    _cued(_HAPPENED, rf"{_YEAR}{_BARE}{_END}", joint=r"(?:[ ]?[:=@-]|[ ]at)?[ ]", check=_is_time),
    _cued(
        "arrived|arr|departed|left ward|called|paged|phoned|rang|told|informed|notified|scan time|report time"
        "|exam time",
        rf"[1-9]\.[0-5]\d{_END}",
        joint=r"[ ]?[:@-]?[ ]",
    ),
    _rule(rf"(?:(?<=\n)|(?<!.)|(?<=[.;,\0][ ]))time[ ]?[:=-]?[ ]?({_HOUR}\.[0-5]\d|[1-9]\.[0-5]\d){_END}"),
    # "since 2215 film", "the 0511 radiograph"
    _rule(
        rf"(?<![\w.,/-]){_YEAR}{_HOUR}[0-5]\d(?=[ ](?:films?|radiographs?|study|ct|cxr|scan|view|exam|xray)\b)"
        rf"|(?:(?<=\bthe )|(?<=\bto )|(?<=since )|(?<=from )|(?<=\bvs )){_YEAR}{_HOUR}[0-5]\d(?=[ ]images?\b)",
        check=_is_time,
    ),
    _rule(r"(?<![\w.:])(?:[01]?\d|2[0-3])[.:][0-5]\d\s?(?:[ap]\.?m\b\.?|hrs?\b|hours\b|h\b|uhr\b|z\b)"),
    # "half past nine", "since quarter to two", "ten to six": what falls is no range
    _rule(
        rf"\b(?:(?:(?:quarter|half|ten|five|twenty)\s(?:past|after)|quarter\s(?:to|before)|twenty\sto(?=\s(?:{_HOURS})\b)"
        rf"|ten\sto(?=\s(?:one|two|three|four|five|six|seven|eight)\b)|five\sto(?=\s(?:one|two|three)\b)"
        rf"|(?:{_AFTER})(?:a\s)?(?:(?:ten|five|twenty)\s(?:to|before)|half))"
        rf"\s(?:{_HOURS}|\d{{1,2}}))\b(?!\s(?:mm|cm|of|weeks?|days?|months?|years?|minutes?|percent)\b)"
    ),
    # "since 5 at night", "fell 4 in the afternoon"; no dose
    _rule(rf"(?<![\w.,/-])(?:1[0-2]|[1-9])[ ](?:{_PART})", check=_is_no_dose),
    # spoken: "seven forty two p m", "fourteen thirty hours", "at oh nine fifteen", "told at nine o'clock"
    _rule(rf"\b(?:{_HOURS})(?:[ -]{_MINUTES}|[ ]o'?clock)?[ ]{_HALF}"),
    _rule(rf"\b(?:{_TOLD})\b[^.\n]{{0,60}}[ ]at[ ]((?:{_HOURS}|\d\d?)[ ]o'?clock)(?![ ](?:position|radi|in|on the))"),
    _rule(rf"\b(?:(?:oh|zero|o)[ -](?:{_ONES})|{_HOURS}|{_LATE})[ -](?:hundred|{_MINUTES})[ ](?:hours|hrs)\b"),
    _cued(
        "at|time|time now|time is|time of scan|scan time|around|before|after|until|till|since|from|by",
        rf"{_SPOKEN}(?=[ ](?:on|today|and|about|the|with|for|by|period|comma|to|it)\b|[.,;]|$)",
    ),
)
