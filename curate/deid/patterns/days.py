"""A day of a month without its year, in any form: "Oct 3", "3rd of October", "10/3", "the 12th", "march twelfth".

Beside a month's name a number is a day. Two numbers alone are a day and a month or a fraction, and one decision says
which (`_is_day`): what stands around them first, then what they can be. "3/4" is a fraction until something dated
stands before it, "9/3" and "3/19" are days until something counted does. Masked, never shifted.
"""

from __future__ import annotations

import re
from functools import partial

from curate.deid.patterns.around import COUNTED, MEASURED, is_any_before, word_behind, words_before
from curate.deid.patterns.months import ENGLISH
from curate.deid.patterns.prefilter import Rule, cued, rule
from curate.deid.word_lists import word_sections, words

_rule, _cued = partial(rule, "DATE"), partial(cued, "DATE")
_I = re.IGNORECASE
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_TH = r"(?:st|nd|rd|th)"
_ONES = "one|two|three|four|five|six|seven|eight|nine"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_FIRSTS = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
SPOKEN = (
    rf"(?:(?:twenty|thirty)[ -](?:{_FIRSTS}|{_ONES})|twentieth|thirtieth|twenty|thirty|{_TEENS}"
    rf"|(?:thir|four|fif|six|seven|eigh|nine)teenth|twelfth|tenth|eleventh|{_FIRSTS}|{_ONES})"
)  # a day of a month in words
_SPOKEN_TH = (
    rf"(?:(?:twenty|thirty)[ -](?:{_FIRSTS})|twentieth|thirtieth|(?:thir|four|fif|six|seven|eigh"
    rf"|nine)teenth|twelfth|tenth|eleventh|{_FIRSTS})"
)
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_UNDER_100 = rf"(?:(?:oh|zero|o)[ -](?:{_ONES})|{_TEENS}|(?:{_TENS})(?:[ -](?:{_ONES}))?)"
SPOKEN_YEAR = (
    rf"(?:(?:twenty|nineteen)[ -](?:hundred|{_UNDER_100})|two[ ]thousand(?:[ ](?:and[ ])?(?:{_UNDER_100}|{_ONES}))?"
    rf"|(?:oh|zero)[ ](?:{_ONES}))\b"
)
_SPOKEN_YEAR = rf"(?:,?[ ](?:of[ ]|in[ ]|comma[ ])?{SPOKEN_YEAR})?"
# what makes of a number behind "may" or "march" no day
_NO_UNIT = (
    r"(?![\w/]|[.,]\d|\s?(?:mm|cm|ml|cc|mg|mcg|g\b|kg|hu\b|ms\b|mgy|units?|x\b|%|times|degrees?|point|images?|steps|cells"
    r"|percent|fold|-[a-z]|months?|weeks?|years?|hours?|minutes?|or\b))"
)
_NO_MODAL = r"(?!\s(?:be|have|represent|reflect|not|also|need|well|require|suggest|indicate)\b)"  # behind "may"
_LINK = r"\s?(?:-|to|and|&|,|until|through|or)\s?"

# -- two numbers
_DATED = word_sections("numbers")["dated"]
_WORK_DONE = re.compile(r"(?:ectomy|otomy|ostomy|plasty|scopy|centesis|graphy|gram|pexy|desis|ed)\Z")
_STUDIES = words(
    "exam study film films radiograph ct mr mri us xr cxr xray scan mammogram ultrasound prior previous comparison"
    " outside visit admission discharge surgery biopsy bx images report"
)
_SLIGHT = words("to from between of at by old near visit cycle")  # too little where a range is likelier
_SURELY = words("on dated date since until till dob lmp edd edc due scheduled booked between")
_LETTERS = ("l", "c", "t", "s", "x", "o")  # "L 4/5", "q x 1/2"
_COUNTED_BEHIND = word_sections("numbers")["counted behind"]
_LASTING = words("in at for x past over within every about approx approximately around another")
_LASTED = words(
    "time ago history hx h/o of old weeks post duration later further more male female boy girl infant baby child m f"
)
_PAIRS = re.compile(r"(\d{1,2})[/-](\d{1,2})")
_SPINE = re.compile(r"\b[CTLS]\d{1,2}\b[^.;\n]{0,24}\Z", _I)
_HEAD_END = re.compile(r":?[ ]|[ ]?-[ ]|:")
_CLAUSE_END = re.compile(r"[.;,):]?(?:\s*\n|\s*$)|[.;):](?!\d)")
_FRACTIONS = ("2", "3", "4", "5", "6", "10", "12")  # what is usually divided by
_PAIR = rf"{_DAY}/{_DAY}(?:\s?(?:,|&|-|;|\+|to|and|or|through)\s?{_DAY}/{_DAY})*"


def _is_day(hit: re.Match[str]) -> bool:
    """Are these two numbers, or several times two, days of months?"""
    text, start, end = hit.string, hit.start(), hit.end()
    pairs = _PAIRS.findall(hit[0])
    if not all(min(int(a), int(b)) <= 12 and (a, b) != ("24", "7") for a, b in pairs):
        return False
    before = words_before(text, start)
    last = before[-1] if before else "\n"
    beside = text[start - 1 : start] in ("", " ", ":", "(", "\n", "\0", ",", "[")
    behind = word_behind(text, end)
    if behind in _COUNTED_BEHIND or not beside:
        return False
    if last in _SURELY:
        return True
    if last in _LETTERS or is_any_before(before, COUNTED) or _SPINE.search(text, max(0, start - 32), start):
        return False
    a, b = pairs[0]
    if b in ("7", "12") and (last in _LASTING or behind in _LASTED):
        return False  # "in 3/12", "2/7 history": months and days, as the British count them
    if last in _DATED or (_WORK_DONE.search(last) and last not in COUNTED and int(a) != int(b)):
        return True
    if last == "\0" and a != b and re.search(r"\0(?:[,;:]|[ ]\(|[ ](?:on|from|dated|of|and|for))?[ ]?\Z", text[:start]):
        return True
    if behind in _STUDIES:
        return True  # "3/4 film"
    if any(int(n) > 12 for pair in pairs for n in pair) or ((len(a), len(b)) == (2, 2) and a[0] == "0"):
        return True
    return _is_day_alone(text, start, end, a, b, last)


def _is_day_alone(text: str, start: int, end: int, a: str, b: str, last: str) -> bool:
    """Two numbers that could both be months, and no word that tells."""
    if int(a) > int(b) > 1:
        return True  # no one divides so
    head = start == 0 or text[start - 1] == "\n"
    if int(a) == int(b) or (b in _FRACTIONS and not (head and text[end : end + 1] == ":")):
        return False
    if head and _HEAD_END.match(text, end) and text[end:].lstrip(" :-")[:1].isalpha():
        return True
    return _CLAUSE_END.match(text, end) is not None


def _is_dated(hit: re.Match[str]) -> bool:
    """Two numbers with a hyphen are days behind what is dated only: else they are a range."""
    text, start = hit.string, hit.start()
    if word_behind(text, hit.end()) in _COUNTED_BEHIND:
        return False
    a, b = _PAIRS.findall(hit[0])[0]
    before = words_before(text, start)
    if min(int(a), int(b)) > 12 or is_any_before(before, COUNTED | MEASURED):
        return False
    last = before[-1] if before else "\n"
    if len(a) == len(b) == 2 and a[0] == "0" and int(a) <= 12:
        return True  # "03-10"
    near = text[start - 1 : start] in ("", " ", ":", "(", "\n")
    if int(a) > int(b) and last not in _LETTERS and _SPINE.search(text, max(0, start - 32), start) is None:
        return near  # what falls is no range
    if last == "\0":
        return near and _CLAUSE_END.match(text, hit.end()) is not None
    if last in ("of", "from") and len(before) > 1:
        return near and before[-2] in _DATED and before[-2] not in _SLIGHT
    return near and last in _DATED and last not in _SLIGHT


_POINTED = word_sections("numbers")["pointed"]
_IMAGED = word_sections("numbers")["imaged"]
_MAX_DECIMALS = 2


def _is_dotted(hit: re.Match[str]) -> bool:
    """Is "28.08" a day? Behind what is dated, or before the time of it; no measure ends with a point and a colon."""
    text, start, figure = hit.string, hit.start(), hit[0]
    before = words_before(text, start)
    last = before[-1] if before else "\n"
    if word_behind(text, hit.end()) in _COUNTED_BEHIND or is_any_before(before, COUNTED | MEASURED):
        return False
    if text[start - 1 : start] not in ("", " ", ":", "(", "\n", "\0", ","):
        return False
    ended = figure.endswith(".")
    whole = len(figure.rstrip(".").replace(".", "")) == 2 * _MAX_DECIMALS
    if last in _POINTED or (_WORK_DONE.search(last) and last not in COUNTED and (ended or whole)):
        return True
    if _BEFORE_TIME.match(text, hit.end()):
        return ended or whole or last in ("\0", "\n")
    if ended and _GOES_ON.match(text, hit.end()) and not text.islower():
        return True  # "but 18.5. is", no end of a sentence
    if whole and last in _IMAGED and text[hit.end() : hit.end() + 1] == ":":
        return True
    if last in _IMAGED or last in ("\n", "\0"):
        return (ended or (whole and last == "\0")) and text[hit.end() : hit.end() + 1] in (
            " ",
            ":",
            ",",
            ")",
            "",
            ";",
            "\n",
        )
    return False


_GOES_ON = re.compile(r" [a-z]{2,}")
_BEFORE_TIME = re.compile(r"[ ](?:at[ ]|@[ ]?)?(?:\0|[0-2]?\d[:.]?[0-5]\d)")
_CUED_DATE = re.compile(r"\b(?:dated?|done on|study of|scan of)(?:[ ](?:is|was))?[ ]\Z", _I)


def _is_spoken_day(hit: re.Match[str]) -> bool:
    """The whole year is said, or a date is announced."""
    whole = (
        hit["year"].lower().startswith(("two thousand", "twenty twenty", "twenty oh", "nineteen"))
        and " " in hit["year"]
    )
    return (
        whole
        or ("teen" in hit["year"] and " " in hit["year"])
        or _CUED_DATE.search(hit.string, max(0, hit.start() - 20), hit.start()) is not None
    )


_NO_NOUN = (
    "(?:with|and|for|at|after|when|which|to|by|showed|shows|was|is|will|then|but|in|from|until|till|because|if|she|he"
    "|they|we|i|please|before|am|pm|via|about|around|as|who|where)"
)
_COUNTED_THIRD = words(
    "centile centiles percentile percentiles rib ribs ventricle toe toes attempt grade degree between both"
)
_MORE_ORDINALS = re.compile(
    rf"[ ]?(?:,|/|&|and|to|or|-)[ ]?(?:the[ ])?(?:{_DAY}{_TH}|(?:{_FIRSTS})\b)|[ ]?(?:,|/)[ ]?\d", _I
)
_ORDINAL_BEFORE = re.compile(
    rf"(?:{_DAY}{_TH}|\b(?:{_FIRSTS}))[ ]?(?:,|/|&|and|to|or|-)[ ]?(?:and[ ])?(?:the[ ])?\Z", _I
)


def _is_ordinal_day(hit: re.Match[str]) -> bool:
    """No "the 2nd and 3rd" of what follows, nor a centile."""
    text = hit.string
    clause = re.split(r"[.;:,\n]", text[hit.end() : hit.end() + 40].lower())[0]
    if any(word in _COUNTED_THIRD for word in re.findall(r"[a-z]+", clause)):
        return False
    before = words_before(text, hit.start())
    if is_any_before(before, _COUNTED_THIRD):
        return False
    if before[-2:] == ["of", "the"] and not (before[-3:-2] and before[-3] in _DATED | _IMAGED | _POINTED):
        return False  # "floor of the 3rd"
    return _MORE_ORDINALS.match(text, hit.end()) is None and not _ORDINAL_BEFORE.search(
        text, max(0, hit.start() - 24), hit.start()
    )


RULES: tuple[Rule, ...] = (
    # "10/3", "3/7, 3/9 and 3/11", "3/3-3/7"
    _rule(rf"(?<![\w.,/+-]){_PAIR}(?![\w/%]|[.,-]\d)", check=_is_day),
    _rule(rf"(?<![\w.,/+-]){_DAY}-{_DAY}(?![\w/%-]|[.,]\d)", check=_is_dated, cased=True),
    # a day and a month before the time, or before who did it: "set for 1/7 at [TIME]", "7/5 by Roe"
    _rule(rf"(?<![\w.,/-])({_DAY}[/-]{_DAY})(?=[ ](?:at[ ](?:\0|\d\d?[:.]?\d\d)|by[ ][A-Z\0]|@))", cased=True),
    # "on 3.10.", "CT 15.1.: stable", "done 28.08 by"
    _rule(
        rf"(?<![\w.,/+-])(?:{_DAY}\.(?:0?[1-9]|1[0-2])|(?:0?[1-9]|1[0-2])\.{_DAY})(?:\.(?=\s|$|[.,;:)])|(?![\w/%-]|[.,]\d))",
        check=_is_dotted,
        cased=True,
    ),
    # "Oct 3", "Oct. 3rd", "October the 3rd", "Mar 3-7", "OCT03"
    _rule(
        rf"\b{ENGLISH}(?:\b(?:\.[ ]?|[ -]{{1,2}}|[ ]the[ ])|(?=\d)){_DAY}(?!\d)(?:{_TH}(?!\w)|(?=showed|was|and)"
        rf"|{_NO_UNIT})"
        rf"(?:{_LINK}{_DAY}(?:{_TH})?\b(?![/.]\d){_NO_UNIT})?"
    ),
    # "3 Oct", "3rd of October", "03OCT", "3-7 March", "3rd and 7th of March"
    _rule(
        rf"(?<![\w.])(?:{_DAY}(?:{_TH})?{_LINK})?{_DAY}(?:(?:{_TH})?(?:[ -]{{0,2}}|/|[ ]of[ ])|{_TH}[ ]in[ ])(?:of[ ])?"
        rf"{ENGLISH}\b{_NO_MODAL}"
    ),
    # spoken: "march twelfth", "march the twelfth", "october three"
    _rule(rf"\b(?!may[ -](?:{_ONES})\b){ENGLISH}[ ](?:the[ ])?{SPOKEN}{_SPOKEN_YEAR}\b{_NO_UNIT}"),
    # "the twelfth of march", "twelve march"
    _rule(rf"\b{SPOKEN}[ ](?:of[ ]{ENGLISH}|(?!may\b){ENGLISH})\b{_SPOKEN_YEAR}"),
    # "on the fifth": nothing that is the fifth stands behind it
    _rule(
        rf"\b(?:on|for|since|until|till|by|from|before|after)[ ]the[ ]({_SPOKEN_TH})(?=\s*(?:[.,;:)\0]|$|\n"
        rf"|{_NO_NOUN}\b))",
        check=_is_ordinal_day,
    ),
    # "on the 3rd", "stairs the 17th": nothing that is the third stands behind it
    _rule(
        rf"(?:(?<=\bthe )|(?<=day )|(?<=\bon )){_DAY}{_TH}"
        rf"(?=\s*(?:[.,;:)\0]|$|\n|{_NO_NOUN}\b|\d\d?[:.]\d|of (?:this|last|next) month))",
        check=_is_ordinal_day,
    ),
    # "the 7th inst.", "7th of the 3rd"
    _rule(
        rf"(?<![\w.]){_DAY}{_TH}[ ](?:(?:inst|ult|prox)(?:\.|ant|imo)?(?!\w)|of[ ]the[ ](?:0?[1-9]"
        rf"|1[0-2]){_TH}(?=[.,;)]|$|\n|[ ]as\b))"
    ),
    # spoken: "three seven twenty twenty two", behind its cue "dated three seven twenty two"
    _rule(rf"\b{SPOKEN}[ ]{SPOKEN}[ ](?P<year>{SPOKEN_YEAR}|{_UNDER_100}\b){_NO_UNIT}", check=_is_spoken_day),
    # "Fri 3rd", "Tues the 14th"
    _rule(rf"\b(?:mon|tues?|wed|thu|thurs?|fri|sat|sun)\b\.?,?[ ](?:the[ ])?{_DAY}{_TH}\b"),
)
