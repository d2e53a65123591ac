"""Rules that go with the vocabulary gate: pagers, postal codes, rooms, initials, times of the day in other writings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from curate.deid.text import guards
from curate.deid.text.glance import Glance
from curate.deid.text.rules import Span
from curate.deid.text.vocabulary import Kind, kind

_I = re.IGNORECASE
_NUMBER = r"\+?\(?\d[\d\s().+/-]{0,20}\d"
_PATTERNS: list[tuple[str, re.Pattern[str], int]] = [
    (
        "PHONE",
        re.compile(
            r"\b(?:pagers?|paged|beeper|bleeps?|bleeped|page|ext(?:ension)?|extn|vocera|spectralink|ascom|dect"
            r"|voalte|phone|tel|telephone|fax|cell"
            r"|mobile|ph|call(?:ed)?(?: back)?(?: at| on)?|dial|reach(?:ed)?(?: at| on)|contact(?:ed)?(?: at| on)"
            r"|ring|text(?:ed)?|hotline|line)"
            rf"(?:\s(?:id|no|number|at|on|is|was|to))?\.?\s?[:#*=]?\s?({_NUMBER})(?!\w)(?!\s?(?:mm|cm|%|ml|fr\b"
            rf"|french|french|gauge|days?|hours?|months?|weeks?))",
            _I,
        ),
        1,
    ),
    ("PHONE", re.compile(r"(?<![\w.])[xX]\s?-?\d{3,6}(?![\w.]|\s?(?:mm|cm|\d))"), 0),
    ("PHONE", re.compile(r"(?<![\w.])[*#]\d{3,7}(?![\w.])"), 0),
    ("PHONE", re.compile(r"(?<![\w.+])00\s?\d{1,3}(?:[\s.()/-]{0,2}\d{1,5}){2,5}(?!\w)"), 0),
    ("PHONE", re.compile(r"(?<![\w.+-])\(?0\d{2,4}\)?[\s.-]\d{3,8}(?:[\s.-]\d{2,6})?(?![\w])"), 0),
    (
        "PHONE",
        re.compile(
            r"(?<![\w.+-])\(?(?:[2-9]\d{2}\)?[\s./-]{1,2}\d{3}[\s./-]{1,2}|1\d{2}[.-]\d{3}[.-])\d{4}(?:\s?(?:x|ext\.?"
            r"|extension)\s?\d+)?(?!\w)",
            _I,
        ),
        0,
    ),
    (
        "PHONE",
        re.compile(r"(?<![\w.+,/-])[2-9]\d{2}[ .-]\d{4}(?![\w-]|[.,]\d)(?!\s?(?:mm|cm|ml|hu|mgy|images?))", _I),
        0,
    ),
    ("PHONE", re.compile(r"(?<![\w.+-])\+\d[\d\s().-]{6,18}\d(?!\w)"), 0),
    ("ADDRESS", re.compile(r"\b(?:[A-Z]{1,2}\d[A-Z\d]?)\s?\d[ABD-HJLNP-UW-Z]{2}\b"), 0),  # United Kingdom
    ("ADDRESS", re.compile(r"\b(?!T\dN\dM\d)[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d\b"), 0),  # Canada
    (
        "ADDRESS",
        re.compile(
            r"\b(?:room|rm|bed|bay|cubicle|ward|suite|ste|apt|apartment|flat|floor|unit|bldg|building|house|pod"
            r"|station|theatre|clinic|zip|postcode|plz)"
            r"\.?\s?(?:code|no\.?|number|#)?:?\s?(#?(?:\d{1,5}[A-Za-z]?"
            r"|[A-Z]-?\d{1,4}[A-Za-z]?)(?:[-/]\d{1,3}[A-Za-z]?)?)(?![\w.])(?!\s?(?:mm|cm|ml|of)\b)",
            _I,
        ),
        1,
    ),
    (
        "ADDRESS",
        re.compile(
            r"\b\d{1,5}[A-Za-z]?,?\s+(?:[A-Z][\w'.-]*\s+){0,3}[A-Z][\w'.-]*\s+(?i:street|str|st|avenue|ave|road"
            r"|rd|lane|ln|drive|dr|boulevard|blvd|court|ct"
            r"|way|place|pl|terrace|parkway|pkwy|highway|hwy|circle|square|sq|trail|close|crescent|mews|row|alley"
            r"|plaza|gardens|grove|hill|park|green"
            r"|walk|rise|view|quay|wharf|gate|loop|run|pike|bend|ridge|heights|end|vale|meadows?|path|crossing"
            r"|point|landing)\b\.?"
        ),
        0,
    ),
    ("TIME", re.compile(r"(?<![\w.:/])(?:[01]?\d|2[0-3])\s?h\s?[0-5]\d(?:\s?(?:min|m))?(?!\w)", _I), 0),
    (
        "TIME",
        re.compile(
            r"\b(?:at|around|by|approximately|@|about|time|since|until|till|from|to|before"
            r"|after)[ :]{1,2}((?:[01]\d|2[0-3])[.:]?[0-5]\d)(?![\w/-]|[.,]\d)(?!\s?(?:mm|cm|ml|mg|hu"
            r"|mgy|images?|%))",
            _I,
        ),
        1,
    ),
    (
        "TIME",
        re.compile(
            r"(?<![\w.:])(?:[01]?\d|2[0-3])[.:][0-5]\d\s?(?:[ap]\.?m\b\.?|hrs?\b|hours\b|h\b|uhr\b"
            r"|z\b)",
            _I,
        ),
        0,
    ),
    (
        "TIME",
        re.compile(
            r"\b(?:quarter|half|ten|five|twenty)\s(?:past|to|after|before)\s(?:one|two|three|four"
            r"|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})\b",
            _I,
        ),
        0,
    ),
    ("NAME", re.compile(r"(?<![\w.])(?:[A-Z]\.[ -]?){2,4}(?![\w])"), 0),  # W.T.A.
    ("NAME", re.compile(r"(?<![\w/:])[A-Z]{2,4}\s?[/:]\s?[a-z]{2,4}(?=\s*(?:$|[\n.;]))", re.MULTILINE), 0),  # RGS/mk
    (
        "NAME",
        re.compile(
            r"\b(?:initials?|typed by|transcribed by|tech|rad|signed|initialled"
            r"|initialed)\s?:?\s([A-Z]{2,4})(?![\w-])"
        ),
        1,
    ),
    ("AGE", re.compile(r"(?<![\w.,/-])(?:9\d|1[01]\d)(?=\s?(?:-|\s)?(?:y\.?/?o\.?|yr|year|yom|yof|ym|yf)s?\b)", _I), 0),
    (
        "ID",
        re.compile(
            r"\b(?:serial|s/?n|lot|model|ref|udi|device|batch|asset|implant|pin|badge|employee|license"
            r"|room)(?![a-z])\s?(?:no|num|number|id|#)?\.?\s?[:#=]?\s?((?=[\w/-]*\d)[A-Za-z0-9][\w/-]{3,})",
            _I,
        ),
        1,
    ),
    (
        "ID",
        re.compile(r"(?<![\w/-])(?=[A-Za-z/_-]*\d)(?=[\d/_-]*[A-Za-z])[A-Za-z0-9]{2,}(?:[-/_][A-Za-z0-9]{2,}){2,}\b"),
        0,
    ),
    (
        "ID",
        re.compile(
            r"\b(?:[A-Z]{1,5}[-_]?\d{4,}[A-Z]?|\d{2,}[-_][A-Z]{1,4}[-_]?\d{2,}"
            r"|[A-Z]{2,5}[-_]\d{2,}(?:[-_]\d+)*)\b"
        ),
        0,
    ),
]
_DOTTED = frozenset(
    [
        "A.P.",
        "P.A.",
        "I.V.",
        "U.S.",
        "M.D.",
        "D.O.",
        "P.O.",
        "N.P.O.",
        "B.I.D.",
        "T.I.D.",
        "Q.D.",
        "P.R.N.",
        "A.M.",
        "P.M.",
        "C.T.",
        "M.R.",
        "M.R.I.",
        "R.N.",
        "U.K.",
        "I.D.",
    ]
)
_LEVELS = re.compile(
    r"(?:LR|TR|BI|PI|TI|CAD|RADS|T|L|C|S|SEG|IM|SE|COVID|SARS|HBA|CA|CD|IL|PD|KI|HPV|CO|B|DD|RCC"
    r"|EBV)[-_ ]?\d{1,3}(?:[-_/]\d{1,2})?[A-C]?"
)


def find_contacts(text: str, glance: Glance | None = None) -> Iterator[Span]:
    """Spans of folded text that these rules find, overlapping ones too."""
    glance = Glance(text) if glance is None else glance
    fired = glance.fired
    for (label, pattern, group), needs in zip(_PATTERNS, guards.CONTACTS, strict=True):
        for hit in needs.find(pattern, glance) if needs.number in fired else ():
            if not _harmless(label, hit[group]):
                yield hit.start(group), hit.end(group), label


def _harmless(label: str, found: str) -> bool:
    """ "P.A.", "L4-5", "65-year-old": of the shape, and no one's."""
    if label == "NAME":
        return found.replace(" ", "").upper() in _DOTTED
    if label != "ID":
        return False
    if _LEVELS.fullmatch(found.upper()):
        return True
    pieces = re.split(r"[-/_]", found.lower())
    numbers = [piece for piece in pieces if any(map(str.isdigit, piece))]
    words = [piece for piece in pieces if piece not in numbers]
    return bool(words) and all(kind(w) & Kind.KNOWN for w in words) and all(len(n) < 4 for n in numbers)
