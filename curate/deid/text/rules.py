"""Rules for what identifies in any report, whoever it is of: times, numbers, contacts, addresses, facilities, names.

Each rule is a label and a way to find spans in folded text (`curate.deid.text.fold`). A rule may take too much, never
too little where its cue is clear; what keeps clinical text whole is that a cue or a telling shape is always asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curate.deid.text import guards
from curate.deid.text.glance import Glance

Span = tuple[int, int, str]


_I = re.IGNORECASE
_UNIT = (
    r"(?!\s?(?:mm|cm|ml|cc|mg|mcg|g|kg|hu|ms|msec|sec|mgy|mgy\*cm|mhz|hz|kv|kvp|mas|ma|units?|cells|/u?l|/mm|x10"
    r"|%|weeks?"
    r"|days?|years?|images?|slices?|per)\b)"
)
_YEARS = r"(?:y(?:ea)?rs?|y/?o|y\.o\.|y|anos?|jahre?|jahrig\w*|jaehrig\w*|ans)\b"
_ONES = r"(?:one|two|three|four|five|six|seven|eight|nine)"
# ages over 89, in words
_OLD = (
    rf"(?:ninety(?:[\s-]{{1,3}}{_ONES})?|(?:a|one)[\s-]{{1,3}}hundred(?:[\s-]{{1,3}}(?:and[\s-]{{1,3}})?(?:{_ONES}|ten|eleven|twelve"
    r"|thirteen|fourteen|fifteen))?|noventa(?:\s+y\s+(?:uno?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve))?"
    r"|quatre-vingt-(?:dix(?:-(?:sept|huit|neuf))?|onze|douze|treize|quatorze|quinze|seize)"
    r"|(?:ein|zwei|drei|vier|funf|sechs|sieben|acht|neun)?(?:und)?neunzig)"
)
_DOMAINS = "com|org|net|edu|gov|info|io|health|hospital|uk|ca|au|fr|nl|jp|lk|eu"
_STREETS = (
    r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Terrace|Ter"
    r"|Parkway|Pkwy"
    r"|Highway|Hwy|Circle|Cir|Square|Sq|Trail|Trl|Close|Crescent|Cres|Mews|Row|Alley|Plaza|STREET|AVENUE|AVE|ROAD"
    r"|RD|LANE"
    r"|DRIVE|BLVD|BOULEVARD)\b\.?"
)
# postal codes of the United States
_STATES = "A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]"
_STATES += "|W[AIVY]"
_CITY = (
    rf"(?:\s*,?\s*(?:[A-Z][\w.'-]+\s?){{1,3}},?\s+(?:{_STATES})\b(?:\s+\d{{5}}(?:-\d{{4}})?)?"
    r"|,\s+[A-Z][a-z]+(?:\s[A-Z][a-z]+)?)?"
)

_PATH = r"(?:/(?:[^\s\0]*[^\s\0.,;:!?)])?)?"
# (label, pattern, group that is the span). Cues stay, values go.
_PATTERNS: list[tuple[str, re.Pattern[str], int]] = [
    (
        "EMAIL",
        re.compile(r"(?<![\w.+'-])[\w.+'-]{1,99}\s?@\s?[\w-]{1,63}(?:\s?\.(?:\s(?-i:(?=[a-z])))?[\w-]{1,63}){1,6}", _I),
        0,
    ),
    ("URL", re.compile(r"\b(?:(?:https?|ftp)://|www\.)[^\s\0<>\"]*[^\s\0<>\".,;:!?)]", _I), 0),
    (
        "URL",
        re.compile(rf"(?<![\w.-])(?:[a-z0-9-]{{1,63}}\.){{1,6}}(?:{_DOMAINS})\b{_PATH}", _I),
        0,
    ),
    ("ID", re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"), 0),  # an address of IPv4
    ("ID", re.compile(r"(?<![\d.])[0-2](?:\.\d+){4,}"), 0),  # a UID
    ("ID", re.compile(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", _I), 0),
    ("ID", re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"), 0),  # SSN
    ("ID", re.compile(r"(?<![\w-])(?:\d{4}[ -]){3}\d{1,7}(?![\w-])"), 0),  # a card
    (
        "ID",
        re.compile(
            r"\b(?:mrn|m\.r\.n\.|medical record|med rec|mr ?#|accession|acc(?= ?[#:n])|patient id|pat id|pid|ssn"
            r"|nhs|chi|nhc|cip|nass"
            r"|encounter|account|acct|visit|order|exam id|study id|req(?:uisition)?|policy|member|licen[cs]e|dea"
            r"|npi|serial|s/n|passport"
            r"|unit (?:no|number)|chart|file|case|hospital|record|job|document|doc|dictation|specimen|badge"
            r"|insurance|id|i\.d\.)(?![a-z])"
            r"(?:[ ]?(?:id|no|num|number|nr|record|code)\b)?\.?[ ]?(?:[#:=]|\bis\b|-(?=[ ]))*[ \t]*"
            r"((?=[\w./-]{0,32}\d)[a-z0-9][\w/-]{2,}(?:\.\d\w*)?)(?!\s?(?:mm|cm))",
            _I,
        ),
        1,
    ),
    ("ID", re.compile(r"(?<![\w#])#\s?((?=\w{0,32}\d)\w{4,})\b"), 1),
    (
        "ID",
        re.compile(r"\b(?=[A-Za-z0-9-]{0,64}[A-Za-z])(?=(?:[A-Za-z-]{0,32}\d){5})[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b"),
        0,
    ),
    ("ID", re.compile(rf"(?<![\w.,/-])\d{{6,}}(?![\w/-]|[.,]\d){_UNIT}"), 0),
    (
        "PHONE",
        re.compile(
            r"\b(?:phone|tel(?:ephone)?|fax|pager|beeper|mobile|cell|ext(?:ension)?|call(?: back)?|contact"
            r"|reached at|whatsapp)"
            r"(?:[ ]?(?:no|number|#))?\.?\s?[:#]?\s?(\+?\(?\d[\d\s().+/-]{1,20}\d)(?!\w)(?!\s?(?:mm|cm|%))",
            _I,
        ),
        1,
    ),
    (
        "PHONE",
        re.compile(
            r"(?<![\w.+-])(?:\+\d{1,3}[\s.-]?)?(?:\(\d{2,5}\)[\s.-]?|\d{2,5}[\s.-])\d{3,4}[\s.-]\d{3,4}(?:\s?(?:x"
            r"|ext\.?)\s?\d+)?(?![\w.-])"
        ),
        0,
    ),
    ("PHONE", re.compile(r"(?<![\w.+-])(?:\+\d{1,3}[\s.-]?\d[\d\s.-]{5,14}\d|\(\d{3}\)\s?\d{3}[\s.-]?\d{4})(?!\w)"), 0),
    ("PHONE", re.compile(r"(?<![\w.+/-])[2-9]\d{2}-\d{4}(?![\w-]|\.\d)" + _UNIT), 0),
    ("ID", re.compile(r"(?<![\w.-])\d{2,}(?:-\d{2,}){2,}(?![\w.-])"), 0),
    (
        "TIME",
        re.compile(
            r"(?<![\w:./])(?:[01]?\d"
            r"|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?(?:\s?[ap]\.?m\b\.?)?(?:\s?(?:h(?:ou)?rs?|h|[ECMP][SD]T"
            r"|UTC|GMT|Z)\b)?"
            r"(?!\s?(?:o'?clock|position)|[:/]?\d)",
            _I,
        ),
        0,
    ),
    ("TIME", re.compile(r"(?<![\w.:])(?:1[0-2]|0?[1-9])\s?[ap]\.?m\b\.?(?!\w)", _I), 0),
    ("TIME", re.compile(r"(?<![\w.:])(?:[01]\d|2[0-3])[0-5]\d\s?(?:h(?:ou)?rs?|h)\b", _I), 0),
    ("AGE", re.compile(rf"(?<![\w.])(?:9\d|1[0-4]\d)\+?(?=[\s-]{{0,2}}{_YEARS})", _I), 0),
    ("AGE", re.compile(rf"\b{_OLD}(?=[\s-]{{0,2}}{_YEARS})", _I), 0),
    ("AGE", re.compile(r"(?<![\w.])(?:9\d|1[0-4]\d)(?=\s?[MF]\b)"), 0),  # "92F"
    (
        "AGE",
        re.compile(
            rf"\b(?:aged?|edad)[\s:]{{1,2}}(?:(?:of|about|over|above|de)\s)?\s?({_OLD})\b(?!\s?(?:%|mm|cm))", _I
        ),
        1,
    ),
    ("AGE", re.compile(r"\b(?:super-?)?(?:non?agenarian|cent(?:en|in)arian|nonagenari[oa]|centenari[oa])s?\b", _I), 0),
    ("AGE", re.compile(r"\bninetieth(?=\s+(?:birthday|year))", _I), 0),
    (
        "AGE",
        re.compile(
            r"\b(?:his|her|their|patient's)\s+(?:(?:very\s+)?(?:early|mid|middle|late)[\s-]+)?"
            r"(nineties|9\ds?|'?90'?s|hundreds|1[0-4]0'?s)(?!\w)",
            _I,
        ),
        1,
    ),
    ("AGE", re.compile(r"\b(?:aged?|age:|edad:?|aged:)\s{0,2}(9\d|1[0-4]\d)\b(?!\s?(?:%|mm|cm))", _I), 1),
    ("ADDRESS", re.compile(rf"\b\d{{1,5}}[A-Za-z]?[ ,]+(?:[A-Z0-9][\w.'-]*\s+){{1,4}}?{_STREETS}" + _CITY), 0),
    ("ADDRESS", re.compile(r"\b(?:Apt|Apartment|Suite|Ste|PO Box|P\.O\. Box|Box)\.?\s?#?\s?\d+\w*" + _CITY), 0),
    ("ADDRESS", re.compile(rf"\b(?:[A-Z][\w.'-]+\s?){{1,3}},\s+(?:{_STATES})\s+\d{{5}}(?:-\d{{4}})?\b"), 0),
    ("ADDRESS", re.compile(rf"\b(?:{_STATES})\s+\d{{5}}(?:-\d{{4}})?\b"), 0),
]


def find_spans(text: str, glance: Glance | None = None) -> Iterator[Span]:
    """Every span the rules find in folded text, overlapping ones too; dates and names have their own."""
    glance = Glance(text) if glance is None else glance
    fired = glance.fired
    for (label, pattern, group), needs in zip(_PATTERNS, guards.RULES, strict=True):
        for hit in needs.find(pattern, glance) if needs.number in fired else ():
            yield hit.start(group), hit.end(group), label
