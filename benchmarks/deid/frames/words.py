"""The measure's own words, independent of the product's: what tells no one, what may go along, the closed class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_OF_A_KIND = """hospital clinic center centre memorial royal infirmary district general base private family practice
multispeciality nursing home medical college health imaging urgent care st saint street road ave avenue blvd drive nagar
cross marg close lane crescent ward west the of and at dot underscore https http www com org net example mail acme nhs
pacs view share yr yrs year years old yo oh am pm wc sn id
terrace parade court gardens way place layout colony main regional orthopedics county community service scans
diagnostics hospitals house surgery radiology saint edu img ris portal rad hosp post films xxxx"""
_NEUTRAL = """dr doctor mr mrs ms miss smt sister prof professor madam sir mam sr dear md do dnb rn np nurse mrn acc
uhid nhs chi aadhaar abha gmc reg no medicare dva urn prov provno ssn dob dt tel telephone ph phone fax mob mobile cell
whatsapp ext pager bleep bp email mail room rm bed apt unit lot station ip license lic passport pin plate claim pathway
hosp number aged age yo y yr yrs year years old m f s x s/o d/o w/o c/o r/o cc dated birthday tech rad clinic
diagnostics rooms office family rev shri accession npi gdc hcpc vin policy account suite rego serial"""
OF_A_KIND = frozenset(_OF_A_KIND.split())  # of a span, tell no one
NEUTRAL = frozenset(_NEUTRAL.split())  # beside a span, may go with what they announce

_SEVERITY = """mild|moderate|severe|small|large|minimal|trace|marked|tiny|gross|massive|subtle|normal|abnormal|stable
|unchanged"""
_GRADED = """grade|stage|type|category|(?:BI|TI|PI|LI|CAD|O|Lung)-?RADS|ASPECTS|Fazekas|Bosniak|KL\\ grade"""
_HEADS = "exam|history|findings|impression|conclusion|comparison|indication|clinical\\ notes|imp|report"


def _pattern(source: str) -> re.Pattern[str]:
    return re.compile(source, re.I | re.M | re.X)


CLOSED = {  # what carries the meaning, and may never go
    "negation": _pattern(r"\b(?:no|not|none|nil|neg|negative|without|w/o|absent|never|nor|free|excluded|denies)\b"),
    "side": _pattern(r"\b(?:left|right|bilateral(?:ly)?|lt|rt|b/l|midline|both)\b"),
    "severity": _pattern(rf"\b(?:{_SEVERITY})\b"),
    "number and unit": _pattern(
        r"\b\d+(?:\.\d+)?(?:\ ?x\ ?\d+(?:\.\d+)?)*\ ?(?:mm|cms?|ml|%|g|mg|cc|bpm|degrees|MBq|wks?)(?!\w)"
    ),
    "level": _pattern(r"\b[CTLSD]\d{1,2}(?:[-/][CTLS]?\d{1,2})?\b"),
    "heading": _pattern(rf"^\ *(?:{_HEADS})(?=\ ?:)"),
    "list number": _pattern(r"(?:^|(?<=[.\n]))\d{1,2}[.)](?=\s?[A-Za-z])"),
    "grade": _pattern(rf"\b(?:{_GRADED})[\ -]?(?:\d|[IVX]+)[a-z]?\b"),
}


@dataclass(frozen=True)
class Measure:
    """What texts of a language are judged by: ``of_a_kind`` of a span tells no one, ``neutral`` beside one may go
    along,
    ``closed`` (kind -> pattern) may never go."""

    of_a_kind: frozenset[str]
    neutral: frozenset[str]
    closed: Mapping[str, re.Pattern[str]]


ENGLISH = Measure(OF_A_KIND, NEUTRAL, CLOSED)
