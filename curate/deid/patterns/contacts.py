"""How someone is reached: e-mail, links, telephones and pagers. Cues stay, values go."""

from __future__ import annotations

import re
from functools import partial

from curate.deid.patterns.around import MEASURED, is_any_before, words_before
from curate.deid.patterns.prefilter import Rule, cued, rule

_rule, _cued = partial(rule, "PHONE"), partial(cued, "PHONE")
_DOMAINS = "com|org|net|edu|gov|info|io|health|hospital|uk|ca|au|nz|in|ie|za|de|fr|nl|jp|lk|eu|example"
_PATH = r"(?:/(?:[^\s\0]*[^\s\0.,;:!?)])?)?"
# Not behind a number of a telephone: what counts and measures.
_NO_UNIT = (
    r"(?!\s?(?:mm|cm|ml|cc|mg|mcg|g|kg|hu|ms|msec|sec|mgy|mgy\*cm|mhz|hz|kv|kvp|mas|ma|units?|cells?|/u?l|/mm|x10"
    r"|%|weeks?|days?|hours?|months?|years?|images?|slices?|per|fr|french|gauge)\b)"
)
_END = r"(?!\w|[.,/-]\d)"
_NUMBER = rf"\+?\(?\d[\d\s().+/-]{{0,20}}\d(?!\w){_NO_UNIT}"
_IS_DECIMAL = re.compile(r"\d{1,2}\.\d{1,2}")  # "pH 7.35"
_DIGIT = "zero|oh|o|nought|one|two|three|four|five|six|seven|eight|nine|double|triple"
_DOT = r"(?:\.|[ ]?[\[(]dot[\])][ ]?|[ ]dot[ ])"
_PIECE = r"(?:\.|[ ]?[\[(]dot[\])][ ]?|[ ](?:dot|underscore|dash|hyphen|minus|plus)[ ])"

_PRESSURE = re.compile(r"(?:[6-9]\d|1\d\d|2[0-4]\d)\s?[/-]\s?(?:[2-9]\d|1[0-4]\d)")


def _is_no_pressure(hit: re.Match[str]) -> bool:
    """ "bp 120-80" and "ph 7.35" are measured."""
    bleep = hit[0][:2].lower() == "bp"
    return not (bleep and ("/" in hit[1] or _PRESSURE.fullmatch(hit[1]))) and not _IS_DECIMAL.fullmatch(hit[1])


_SENTENCE = re.compile(r"\.\s")


def _is_no_sentence(hit: re.Match[str]) -> bool:
    """ "sats @ 98. pt well" and "bp @ rest. hr" are no addresses: with blanks about it, it ends as a domain does."""
    if _SENTENCE.search(hit[0]) is None:
        return True
    host = hit[0].partition("@")[2].lower()
    return host.rpartition(".")[2].strip() in _DOMAINS.split("|") and not host.lstrip()[:1].isdigit()


def _is_counted_by_none(hit: re.Match[str]) -> bool:
    return not is_any_before(words_before(hit.string, hit.start()), MEASURED)


SURE: tuple[Rule, ...] = (
    rule(
        "EMAIL",
        r"(?<![\w.+'-])[\w.+'-]{1,99}\s?@\s?[\w-]{1,63}(?:\s?\.(?:\s(?-i:(?=[a-z])))?[\w-]{1,63}){1,6}",
        check=_is_no_sentence,
    ),
    # spoken: "j.doe [at] mail [dot] com", "doe underscore j at mail dot com"
    rule(
        "EMAIL",
        rf"\b[\w+'-]{{1,40}}(?:{_PIECE}[\w+'-]{{1,40}}){{0,3}}(?:[ ]?[\[(]at[\])][ ]?[\w-]{{1,40}}"
        rf"(?:{_DOT}[\w-]{{1,40}}){{1,4}}|[ ]at[ ][\w-]{{1,40}}(?:(?:[ ]dot[ ]|[ ]?[\[(]dot[\])][ ]?)"
        r"[\w-]{1,40}){1,4})",
    ),
    rule("URL", r"\b(?:(?:https?|ftp)://|www\.)[^\s\0<>\"]*[^\s\0<>\".,;:!?)]"),
    rule(
        "URL",
        rf"(?<![\w.-])(?:[a-z0-9-]{{1,63}}\.){{1,6}}(?:{_DOMAINS})\b{_PATH}",
        check=lambda hit: not hit[0].lower().endswith((".in", ".de")) or "/" in hit[0] or hit[0].count(".") > 1,
    ),
    _rule(rf"\b(?:(?:{_DIGIT})[ ,-]{{1,2}}){{4,}}(?:{_DIGIT})\b"),
    # spoken behind its cue, three digits are enough: "pager four four one"
    _cued(
        "pager|beeper|bleep|extension|ext|vocera|phone|mobile|cell|fax|dial",
        rf"(?:(?:{_DIGIT})[ ,-]{{1,2}}){{2,}}(?:{_DIGIT})\b",
        joint=r"(?:[ ](?:number|is|at))*[ ]",
    ),
    _cued(
        "phone|tel|telephone|fax|pager|beeper|mobile|cell|ext|extension|call|call back|contact|reached at|whatsapp",
        r"\+?\(?\d[\d\s().+/-]{1,20}\d(?!\w)(?!\s?(?:mm|cm|%))",
        joint=r"(?:[ ]?(?:no|number|#))?\.?\s?[:#]?\s?",
    ),
    _rule(
        r"(?<![\w.+-])(?:\+\d{1,3}[\s.-]?|1[ .-])?(?:\(\d{2,5}\)[\s.-]?|\d{2,5}[\s.-])\d{3,4}[\s.-]\d{3,4}(?:\s?(?:x"
        rf"|ext\.?)\s?\d+)?{_END}",
        cased=True,
    ),
    _rule(r"(?<![\w.+-])(?:\+\d{1,3}[\s.-]?\d[\d\s.-]{5,14}\d|\(\d{3}\)\s?\d{3}[\s.-]?\d{4})(?!\w)", cased=True),
    _rule(rf"(?<![\w.+/-])(?:[2-9]\d{{2}}-\d{{4}}|\d{{3}}-0\d{{3}}){_END}{_NO_UNIT}", cased=True),
    # three, three and four digits with blanks about the hyphens: "555 - 201 - 4410"
    _rule(rf"(?<![\w.+-])\d{{3}}[ ]?-[ ]?\d{{3}}[ ]?-[ ]?\d{{4}}{_END}", cased=True),
)
STRICT: tuple[Rule, ...] = (
    _cued(
        """pager|pagers|paged|pgr|pgd|pg|bpr|blp|beeper|beep|beeped|bleep|bleeps|bleeped|bleeper|bp|page|ext|extension|extn|vocera|spectralink|ascom|dect
        |voalte|phone|phoned|tel|telephone|fax|cell|mobile|mob|ph|call|called|call back|called back|call at|call on
        |dial|reach|reached|reach on|reached on|reached at|contact|contact at|contact on|contacted at|contacted on
        |ring|rang|rung|text|texted|hotline|line|whatsapp|sms|mob no|switch""",
        _NUMBER,
        joint=r"(?:\s(?:id|no|number|at|on|is|was|to))?\.?\s?[:#*=]?\s?",
        check=_is_no_pressure,
    ),
    # behind who was called: "called Lock bp 72-535", "d/w Roe 5-3321"
    _rule(rf"(?<=\0)[, ]{{1,2}}\(?(?:bp |b |p )?(\d{{1,2}}-\d{{3,5}}){_END}", cased=True),
    _rule(r"(?<![\w.])(?<!\d )[xX]\s?-?\d{3,6}(?![\w.]|\s?(?:mm|cm|\d))", cased=True),
    _rule(rf"(?<=\0 )[xX]\s?-?\d{{3,6}}{_END}", cased=True),
    _rule(r"(?<![\w.])[*#]\d{3,7}(?![\w.])", cased=True),
    _rule(r"(?<![\w.+])00\s?\d{1,3}(?:[\s.()/-]{0,2}\d{1,5}){2,5}(?!\w)", cased=True),
    # an area of two digits takes more behind it: "06.2024" is a month, "01 350" nothing
    _rule(
        r"(?<![\w.+-])\(?0(?:\d{2,4}\)?[\s.-]\d{3,8}|\d\)?[\s.-](?!(?:19|20)\d\d\b)(?:\d{6,8}|\d{3,5}[\s.-]\d{3,6}))"
        r"(?:[\s.-]\d{2,6})?(?![\w])",
        cased=True,
    ),
    _rule(
        r"(?<![\w.+-])\(?(?:[2-9]\d{2}\)?[\s./-]{1,2}\d{3}[\s./-]{1,2}|1\d{2}[.-]\d{3}[.-])\d{4}(?:\s?(?:x|ext\.?"
        r"|extension)\s?\d+)?(?!\w)"
    ),
    _rule(rf"(?<![\w.+,/-])[2-9]\d{{2}}[ .-]\d{{4}}{_END}{_NO_UNIT}"),
    _rule(r"(?<![\w.+-])\+\d[\d\s().-]{6,18}\d(?!\w)", cased=True),
    # a country's number without its plus: "91-9812345678"
    _rule(rf"(?<![\w.+-])\d{{2}}-[6-9]\d{{9}}{_END}", cased=True),
    # two groups of four behind someone or at a clause's end: "son, 9123 4567."
    _rule(
        rf"(?<![\w.+-])(?<!\d )[3689]\d{{3}} \d{{4}}(?=[.;,)]?(?:\s|$)){_END}{_NO_UNIT}",
        check=_is_counted_by_none,
        cased=True,
    ),
)
