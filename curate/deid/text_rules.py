"""Rules for what identifies in any report, whoever it is of: times, numbers, contacts, addresses, facilities, names.

Each rule is a label and a way to find spans in folded text (`curate.deid.text_fold`). A rule may take too much, never
too little where its cue is clear; what keeps clinical text whole is that a cue or a telling shape is always asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curate.deid.header_phi import technical_words

Span = tuple[int, int, str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_I = re.IGNORECASE
_UNIT = (
    r"(?!\s?(?:mm|cm|ml|cc|mg|mcg|g|kg|hu|ms|msec|sec|mgy|mgy\*cm|mhz|hz|kv|kvp|mas|ma|units?|cells|/u?l|/mm|x10"
    r"|%|weeks?"
    r"|days?|years?|images?|slices?|per)\b)"
)
_STREETS = (
    r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Terrace|Ter"
    r"|Parkway|Pkwy"
    r"|Highway|Hwy|Circle|Cir|Square|Sq|Trail|Trl|Close|Crescent|Cres|Mews|Row|Alley|Plaza|STREET|AVENUE|AVE|ROAD"
    r"|RD|LANE"
    r"|DRIVE|BLVD|BOULEVARD)\b\.?"
)
_STATES = "A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT"
          "|V[AIT]|W[AIVY]|PR"
_CITY = rf"(?:\s*,?\s*(?:[A-Z][\w.'-]+\s?){{1,3}},?\s+(?:{_STATES})\b(?:\s+\d{{5}}(?:-\d{{4}})?)?"
        rf"|,\s+[A-Z][a-z]+(?:\s[A-Z][a-z]+)?)?"

# (label, pattern, group that is the span). Cues stay, values go.
_PATTERNS: list[tuple[str, re.Pattern[str], int]] = [
    ("EMAIL", re.compile(r"[\w.+'-]+\s?@\s?[\w-]+(?:\s?\.\s?[\w-]+)+", _I), 0),
    ("URL", re.compile(r"\b(?:https?|ftp)://[^\s\0<>\"]+|\bwww\.[^\s\0<>\"]+", _I), 0),
    ("URL", re.compile(r"\b(?:[a-z0-9-]+\.)+(?:com|org|net|edu|gov|info|io|health|hospital|uk|ca|au|fr|nl|jp|lk|eu)\b(?:/[^\s\0]*)?", _I), 0),
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
            r"|insurance|id|i\.d\.)"
            r"(?:[ ]?(?:id|no|num|number|nr|record|code)\b)?\.?[ ]?(?:[#:=]|\bis\b|-(?=[ ]))*[ \t]*"
            r"((?=[\w./-]*\d)[a-z0-9][\w/-]{2,}(?:\.\d\w*)?)(?!\s?(?:mm|cm))",
            _I,
        ),
        1,
    ),
    ("ID", re.compile(r"(?<![\w#])#\s?((?=\w*\d)\w{4,})\b"), 1),
    ("ID", re.compile(r"\b(?=[A-Za-z0-9-]*[A-Za-z])(?=(?:[A-Za-z-]*\d){5})[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b"), 0),
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
    ("AGE", re.compile(r"(?<![\w.])(?:9\d|1[0-4]\d)(?=[\s-]{0,2}(?:y(?:ea)?rs?|y/?o|y\.o\.|y)\b)", _I), 0),
    ("AGE", re.compile(r"\b(?:aged?|age:|edad:?|aged:)\s{0,2}(9\d|1[0-4]\d)\b(?!\s?(?:%|mm|cm))", _I), 1),
    ("ADDRESS", re.compile(rf"\b\d{{1,5}}[A-Za-z]?[ ,]+(?:[A-Z0-9][\w.'-]*\s+){{1,4}}?{_STREETS}" + _CITY), 0),
    ("ADDRESS", re.compile(r"\b(?:Apt|Apartment|Suite|Ste|PO Box|P\.O\. Box|Box)\.?\s?#?\s?\d+\w*" + _CITY), 0),
    ("ADDRESS", re.compile(rf"\b(?:[A-Z][\w.'-]+\s?){{1,3}},\s+(?:{_STATES})\s+\d{{5}}(?:-\d{{4}})?\b"), 0),
    ("ADDRESS", re.compile(rf"\b(?:{_STATES})\s+\d{{5}}(?:-\d{{4}})?\b"), 0),
]

_FACILITY = re.compile(
    r"\b((?:(?:[A-Z][\w.'&-]*|of|the|and|for|de|la|&)[ ]){1,6}?)((?i:hospitals?|medical cent(?:er|re)|clinic"
    r"|infirmary|"
    r"health (?:system|cent(?:er|re)|care|network)|healthcare|imaging cent(?:er|re)|cancer cent(?:er|re)|hospice|"
    r"nursing home|surgery cent(?:er|re)|university|sanatorium|polyclinic|imaging associates|radiology associates"
    r"|med ctr|trauma cent(?:er|re)|diagnostics|laborator(?:y|ies)|pharmacy|medical group))\b"
    r"(?:[ ]of[ ](?:[A-Z][\w.'-]*[ ]?){1,3})?"
)
_COMMON = _words("""
the this that these those an a outside in at from to by of and or for with on same other another no prior
previous our local referring emergency outpatient inpatient home day any acute during per via followup follow-up
clinical general patient hospital clinic his her their seen transferred admitted discharged discharge
hospitalized is was st
""")


def _facilities(text: str) -> Iterator[Span]:
    for hit in _FACILITY.finditer(text):
        words = [w.strip(".,'").lower() for w in hit[1].split()]
        skip = 0  # leading words of the sentence are not of the name
        while skip < len(words) and words[skip] in _COMMON - {"st"}:
            skip += 1
        if any(w not in _COMMON for w in words[skip:]):
            lead = re.match(rf"(?:\S+[ ]){{{skip}}}", hit[0])
            yield hit.start() + (lead.end() if lead else 0), hit.end(), "FACILITY"


# -- names, by their cues
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['-](?=[^\W\d_]))*\.?")
_JOIN = re.compile(r"[ \t]{0,2},?[ \t]{1,2}(?:\n(?=[A-Z]))?|\n(?=[A-Z])|(?<=\.)(?=[A-Z])")
_TITLE = re.compile(
    r"\b(Drs?|DRS?|dr|Doctor|doctor|Doctors|Professor|Prof|Mr|MR|Mrs|MRS|Ms|MS|Miss|Mx|Sra?|Dra|Nurse|Sister|Rev)"
    r"(\.[ \t]?|[ \t])\s{0,2}(?=[^\W\d_])"
)
_SIGNED = re.compile(
    r"\b(?:(?:electronically|digitally|preliminarily|final(?:ly)?)[ ]+)?(?:e-?signed|signed(?: out| off)?"
    r"|co-?signed|dictated|transcribed"
    r"|authenticated|typed|attested|countersigned|finali[sz]ed|verified|approved)(?:[ ]+electronically)?(?:[ "
    r"]+(?:and|&|/)[ ]*\w+)?"
    r"[ ]*(?:\bby\b|:)[ ]*:?\s{0,3}",
    _I,
)
_BY = re.compile(
    r"\b(?:interpreted|reported|read|reviewed|performed|ordered|requested|referred|entered|prepared|released"
    r"|supervised|examined"
    r"|seen|scanned|acquired|evaluated)[ ]+by[ ]*:?[ ]{0,2}",
    _I,
)
_FIELD = re.compile(
    r"\b(?:patient(?:'s)? name|patient|name|surname|first name|last name|(?:referring|ordering|attending"
    r"|requesting|primary care"
    r"|reading|interpreting|admitting|family)[ ](?:physician|doctor|provider|radiologist|clinician|md)|physician"
    r"|doctor|provider"
    r"|radiologist|technologist|technician|tech|resident|fellow|consultant|surgeon|attending|transcriptionist"
    r"|clinician|sonographer"
    r"|supervisor|analyst|nurse|nurse in charge|therapist|paramedic|cc|attn|attention|dear|from|to|nombre"
    r"|apellidos|medico|paciente|report by|initials)[ ]*[:=][ \t]{0,24}",
    _I,
)
_TOLD = re.compile(
    r"\b(?i:discussed|communicated|conveyed|relayed|called|spoken?|speaking|telephoned|paged|phoned|reviewed"
    r"|faxed|reported)"
    r"[ ]+(?:(?!with\b|to\b)\w+[ ]+){0,5}(?:with|to)[ ]+(?=[A-Z])"
    r"|\b(?i:notified|informed|contacted|cc|mother|father|wife|husband|son|daughter|brother|sister|spouse|guardian"
    r"|caregiver|named|nurse|paramedic|technician|technologist|attendant|therapist|sonographer|radiographer|physician"
    r"|supervisor),?[ ]+(?:is[ ]+|named[ ]+)?(?=[A-Z])"
)
_DEGREE = re.compile(
    r"(?<![\w.])((?:(?:[A-Z][\w'-]*[a-z]|[A-Z]{2,}|[A-Z]\.?)(?:,?[ ]+)){1,4}?),?[ ]*(?:M\.?D\.?|D\.O\.|DO|MBBS"
    r"|MBChB|Ph\.?D\.?|R\.N\.|RN|PA-C"
    r"|CRNP|ARNP|NP|FRCR|FACR|FRCPC|RDMS|R\.?T\.?\(R\)|D\.?D\.?S|DPM)(?![\w])"
)
_STOP = _words("""
the a an and or on at in by to of for with from as is was were be been has have had who that this via per not no
patient radiologist resident attending physician doctor nurse technologist team staff service department
reviewed notified informed called stated agrees agreed reports reported read signed dictated date time dr mr mrs
ms prof electronically it he she they his her we i will would should may can please see after before during over
regarding about none unknown same self md do phd rn np
""")


def _names(text: str) -> Iterator[Span]:
    for hit in _TITLE.finditer(text):
        spelled_out = hit[1] not in ("DR", "DRS", "MR", "MS", "dr") or hit[2].startswith(".")
        yield from _take(text, hit.end(), 3, lower=hit[1].lower() in ("dr", "doctor"), sure=spelled_out)
    for hit in _SIGNED.finditer(text):
        yield from _take(text, hit.end(), 5, lower=True, sure=True)
    for hit in _FIELD.finditer(text):
        yield from _take(text, hit.end(), 5, lower=False, sure=False)
    for cue in (_BY, _TOLD):
        for hit in cue.finditer(text):
            yield from _take(text, hit.end(), 3, lower=False, sure=False)
    for hit in _DEGREE.finditer(text):
        if not all(w.strip(".,").lower() in _STOP for w in hit[1].split()):
            yield hit.start(1), hit.start(1) + len(hit[1].rstrip(" ,")), "NAME"


def _take(text: str, at: int, most: int, *, lower: bool, sure: bool) -> Iterator[Span]:
    """The run of name-like words from ``at``: capitalised ones (any, with ``lower``, for the first two).

    Unless ``sure``, a run that begins with a word of anatomy or imaging is no name ("DR chest", "read by CT").
    """
    end, start, taken = at, at, 0
    while taken < most:
        word = _WORD.match(text, end if taken == 0 else _joined(text, end))
        if word is None or word[0].rstrip(".").lower() in _STOP:
            break
        plain, capital = word[0].rstrip("."), word[0][0].isupper()
        if not capital and not (lower and taken < 2):
            break
        technical = plain.lower() in technical_words()
        if technical and ((taken == 0 and not sure) or (taken > 0 and not capital) or taken > 1):
            break
        end = word.end() if len(plain) == 1 else word.start() + len(plain)
        taken += 1
    if taken:
        yield start, end, "NAME"


def _joined(text: str, at: int) -> int:
    join = _JOIN.match(text, at)
    return join.end() if join else len(text)


def find_spans(text: str) -> Iterator[Span]:
    """Every span the rules find in folded text, overlapping ones too; dates are `curate.deid.text_dates`'s."""
    for label, pattern, group in _PATTERNS:
        for hit in pattern.finditer(text):
            yield hit.start(group), hit.end(group), label
    yield from _facilities(text)
    yield from _names(text)
