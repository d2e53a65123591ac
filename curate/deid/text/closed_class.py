"""Words that a report's meaning stands and falls with, in one place: whatever found a span, they are cut out of it.

Negations and sides go only as a patient's own value (a side in two letters as somebody's initials, too). Severities go
as a name that a cue gives away as well ("seen by Small") or, with a capital, in a place's name ("Small Heath Road");
levels behind a word for a place ("bed C4"); a list's numbers as days; numbers with their unit, grades and section heads
never. Works on folded text (`curate.deid.text.fold`).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Found(NamedTuple):
    """A span of a text that goes: what it becomes, and what found it."""

    start: int
    end: int
    placeholder: str
    by: str


ASKED = "decision per word"  # of such words only where somebody's name is led by a cue ("seen by Small")
BY_TAGGER = "tagger"
KNOWN = ("known value", "Presidio")  # what found a span that is left whole
CUED = (*KNOWN, "name by its cue")
_PLACES = ("[ADDRESS]", "[FACILITY]")
_DAYS = ("[DATE", "[TIME]")  # "14.03. Seen"
_NEGATION = r"\b(?:no|not|none|nil|neg|negative|without|w/o|absent|never|neither|nor|free|excluded|denies)\b"
# with a capital somebody's name too ("Dr Free", "Royal Free")
_FREE = r"\b(?-i:Free|FREE)\b(?![ ](?:fluid|air|gas)\b)"
_SIDE = (
    r"\b(?:left|right|bilat(?:eral(?:ly)?)?|unilateral(?:ly)?|b/l|midline|both)\b"
    # "R hip", no "Dr R Hand"
    r"|\b(?-i:[LR])(?=[ ](?-i:hip|knee|shoulder|elbow|wrist|hand|foot|ankle|arm|leg|femur|tibia|humerus|lung|kidney"
    r"|renal|breast|ovary|eye|ear|side|sided|upper|lower|middle|pleural|effusion|pneumothorax)\b)"
)
_SIDE_IN_SHORT = r"\b[lr]t\b"  # "Lt knee"; of "Lt Smith" the rank stays
_SEVERITY = (
    r"\b(?:mild|moderate|severe|small|large|minimal|trace|marked|tiny|gross|massive|subtle|normal|abnormal|stable"
    r"|unchanged)\b"
)
_MEASURE = (
    r"(?<![\w-])(?<!\d[.,])(?:\d{1,3}(?:\.\d{1,2})?-)?"  # "3-4 mm"
    r"(?:\d{1,2}[ ]?wks?\b|\d{1,4}(?:\.\d{1,3})?(?:[ ]?x[ ]?\d{1,4}(?:\.\d{1,3})?)*"
    r"[ ]?(?:%|(?:mm|cms?|ml|mg|bpm|degrees|mbq)(?!\w)|french(?=[ ](?-i:[a-z]))"
    r"|(?-i:g|cc)(?![\w:.]|[ ](?:(?-i:[A-Z])|dr|to\b))))"
)
_LEVEL = r"(?<![\w/-])[CTLSD]\d{1,2}(?:[-/][CTLS]?\d{1,2})?(?![\w/-])"
_ORDINAL = (  # "4th and 5th metatarsals"
    r"\b\d{1,2}(?:st|nd|rd|th)(?:(?:,|[ ]?[-/&]|[ ](?:and|or|to|through))[ ]?\d{1,2}(?:st|nd|rd|th))*"
    r"(?=[ ](?:left[ ]|right[ ])?(?:metatars|metacarp|rib|toe|finger|digit|ray|phalan|cranial|intercostal|interspace"
    r"|ventric|cervical|thoracic|lumbar|sacral|proximal|middle|distal|web|MTP|MCP|PIP|DIP|CMC|TMT|trimester))"
)
_GRADE = (
    r"\b(?:grade|stage|type|category|(?:bi|ti|pi|li|cad|o|lung)-?rads|aspects|fazekas|bosniak|kl[ ]grade)[ -]?"
    r"(?:\d|[ivx]+)[a-z]?\b"
    r"|\b(?:type|class|category|density|hepatitis|vitamin|segment)[ ](?-i:[A-EIVX]{1,4})[.][ ]"  # no initial
)
_HEAD = (
    r"(?:^[ ]*|(?<=[.][ ]))(?:exam|history|findings|impression|conclusion|comparison|indication|clinical[ ]notes|imp"
    r"|report|technique|(?:support[ ])?devices|lines|tubes|lines[ ](?:and|&)[ ]tubes)(?=[ ]?:)"
)
_LISTED = r"(?:^[ ]*|(?<=[^\d.]\.))\d{1,2}[.)](?=\s?[a-z])"
_CLOSED = re.compile(
    rf"(?:\b|^)(?:(?P<severity>{_SEVERITY}|{_FREE})"
    rf"|(?P<never>{_NEGATION}|{_SIDE}|{_ORDINAL}|{_GRADE}|{_MEASURE}|{_HEAD})"
    rf"|(?P<level>{_LEVEL})|(?P<listed>{_LISTED})|(?P<short>{_SIDE_IN_SHORT}))",
    re.IGNORECASE | re.MULTILINE,
)
_INITIALS = re.compile(r"[LR]T(?:[/:]\w+)?")  # "Typed by RT"
_NUMERO = re.compile(r"no\.?[ ]?\d", re.IGNORECASE)  # "Estrada Nacional, nº 39"
_WORD = re.compile(r"[^\W_]")

_LIES = re.compile(
    r"\b(?:beds?|bd|bay|wards?|room|rm|suite|cubicle|unit|flat|apt|pod|theatre|cot|floor|block|icu|ccu|hdu)\b[^\n]{0,8}\Z",
    re.IGNORECASE,
)
_LONGEST = 16  # characters of it


def without(text: str, spans: Iterable[Found], cued: Iterable[Found] = ()) -> Iterator[Found]:
    """Of each span what is left of it, in order, once words of the closed class are cut out.

    ``cued``: the spans of `CUED` before they were merged with others: what lies in one of them may go.
    """
    spans, cued = [*spans], [*cued]
    hits = [*_CLOSED.finditer(text)] if spans else []
    starts, ends = [hit.start() for hit in hits], [hit.end() for hit in hits]
    for span in spans:
        at = span.start
        for hit in hits[bisect_right(ends, span.start) : bisect_left(starts, span.end)]:
            if not _may_go(hit, span, cued):
                yield from _piece(text, span, at, hit.start())
                at = max(at, hit.end())
        if at == span.start:
            yield span
        else:
            yield from _piece(text, span, at, span.end)


def _may_go(hit: re.Match[str], span: Found, cued: Iterable[Found]) -> bool:
    for one in cued:
        known = one.by.startswith(KNOWN) and one.start < hit.end() and hit.start() < one.end
        if known or (hit.lastgroup == "severity" and one.start <= hit.start() and hit.end() <= one.end):
            return True
    if span.by.startswith(BY_TAGGER):
        return False
    if hit.lastgroup == "never":
        return span.placeholder in _PLACES and _NUMERO.match(hit.string, hit.start(), span.end) is not None
    if hit.lastgroup == "short":
        return span.by == "rule" and _INITIALS.fullmatch(hit.string, span.start, span.end) is not None
    if hit.lastgroup == "severity" and span.by.startswith(ASKED):
        return True
    if hit.lastgroup == "listed":
        return span.placeholder.startswith(_DAYS) or span.placeholder in _PLACES
    if span.placeholder not in _PLACES:
        return False
    return hit[0].istitle() if hit.lastgroup == "severity" else _lies(hit)


def _lies(level: re.Match[str]) -> bool:
    return _LIES.search(level.string, max(0, level.start() - _LONGEST), level.start()) is not None


def _piece(text: str, span: Found, start: int, end: int) -> Iterator[Found]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if _WORD.search(text, start, end):
        yield span._replace(start=start, end=end)
