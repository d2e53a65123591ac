"""Names of people and of facilities, found by the words around them: titles, signatures, degrees, "Medical Center".

For the people a header does not know: clinicians, relatives, other hospitals. Without such a cue a name is not found
here. Works on folded text (`curate.deid.text.fold`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curate.deid.patterns.facilities import find_facilities
from curate.deid.patterns.prefilter import Span, rule
from curate.deid.text.text_index import TextIndex
from curate.deid.word_lists import word_sections, words
from curate.deid.words import context_words as roles
from curate.deid.words.technical import technical_words
from curate.deid.words.vocabulary import Kind, kind

_I = re.IGNORECASE


# -- names, by their cues
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['-](?=[^\W\d_]))*(?!\d)\.?")
_JOIN = re.compile(r"[ \t]{0,2},?[ \t]{1,2}(?:\n(?=[A-Z]))?|\n(?=[A-Z])|(?<=\.)(?=[A-Z])")
_TITLE = rule(
    "NAME",
    r"\b(Drs?|DRS?|dr|Doctor|doctor|Doctors|Professor|Prof|Mr|MR|Mrs|MRS|Ms|MS|Miss|Mx|Sra?|Dra|Nurse|Sister|Rev"
    r"|Smt|SMT|smt|Shri|SHRI|shri|Sri|Kumari|KUMARI|Madam|MADAM|madam|Mister|MISTER|mister|Missus|missus|mrs|prof)"
    r"(\.[ \t]?|[ \t])\s{0,2}(?=[^\W\d_])",
    cased=True,
)
_TO_SOMEONE = re.compile(
    r"\b(?:by|to|with|per|from|cc|for|and)[ ]{1,2}\Z", _I
)  # "BY DR STONE"; "DR CHEST" is a picture
_SIGNED = rule(
    "NAME",
    r"\b(?:(?:electronically|digitally|preliminarily|final(?:ly)?)[ ]+)?(?:e-?signed|signed(?: out| off)?"
    r"|co-?signed|dictated|transcribed"
    r"|authenticated|typed|attested|countersigned|finali[sz]ed|verified|approved)(?:[ ]+electronically)?(?:[ "
    r"]+(?:and|&|/)[ ]*\w+)?"
    r"[ ]*(?:\bby\b|:)[ ]*:?\s{0,3}",
)
_BY = rule(
    "NAME",
    r"\b(?:interpreted|reported|read|reviewed|performed|ordered|requested|referred|entered|prepared|released"
    r"|supervised|examined"
    r"|seen|scanned|acquired|evaluated)[ ]+by[ ]*:?[ ]{0,2}",
)
# An account's name, as it is typed: in small letters, of any word.
_USER = rule(
    "NAME",
    r"\b(?:marked|annotated|labell?ed|flagged|uploaded|saved|edited|entered|logged)[ ]+by[ ]+"
    r"(?!(?:the|an?|his|her|our|their)\b)([^\W\d_]{2,})(?=[ ]+(?:on|at|in)[ ]+(?:the[ ]+)?([a-z]+)|[.,;]|$)",
)
_MACHINES = word_sections("context")["machines"]
_FIELD = rule(
    "NAME",
    r"\b(?:patient(?:'s)? name|patient|name|surname|first name|last name|(?:referring|ordering|attending"
    r"|requesting|primary care"
    r"|reading|interpreting|admitting|family)[ ](?:physician|doctor|provider|radiologist|clinician|md)|physician"
    r"|doctor|provider"
    r"|radiologist|technologist|technician|tech|resident|fellow|consultant|surgeon|attending|transcriptionist"
    r"|clinician|sonographer"
    r"|supervisor|analyst|nurse|nurse in charge|therapist|paramedic|cc|attn|attention|dear|from|to|nombre"
    r"|apellidos|medico|paciente|report by|initials)[ ]*[:=][ \t]{0,24}",
)
_OPEN = re.compile(r"(?:patient|name|surname|from|to|dear|attn|attention|initials|paciente|cc)\b", _I)  # or anything
_PAIR = re.compile(r"[A-Z][a-z]+,[ ][A-Z][a-z]+")
_TITLED = re.compile(r"[A-Z][a-z]+(?:,|[ ]+[A-Z]|[ ]?[.;]?[ ]?(?:\n|$))")
# "14 cc Lt lobe" is a volume: a number of up to three digits, of no date and no time, stands before
_COPY = "(?=cc)" + "".join(rf"(?<![^-/:\w]{n}[ ])(?<!\A{n}[ ])" for n in (r"\d", r"\d\d", r"\d\d\d")) + "cc"
_TOLD = rule(
    "NAME",
    r"\b(?i:discussed|communicated|conveyed|relayed|called|spoken?|speaking|telephoned|paged|phoned|reviewed"
    r"|faxed|reported)"
    r"[ ]+(?:(?!with\b|to\b)\w+[ ]+){0,5}(?:with|to)[ ]+(?=[A-Z])"
    rf"|\b(?i:notified|informed|contacted|{_COPY}|mother|father|wife|husband|son|daughter|brother|sister|spouse|guardian"
    r"|caregiver|named|nurse|paramedic|technician|technologist|attendant|therapist|sonographer|radiographer|physician"
    r"|supervisor),?[ ]+(?:is[ ]+|named[ ]+)?(?=[A-Z])",
    cased=True,
)
_SHOUTED = rule(
    "NAME", r"\b(?:Pt|Patient)\.?[ ]+([A-Z]{2,}(?:[ ]+[A-Z]{2,}){1,2})(?=[ ,]+(?:[a-z]|\d))", cased=True
)  # "Pt ROE ANN is"
_COPIED = rule("NAME", rf"\b(?i:{_COPY}|copies[ ]to|copy[ ]to)\b[ ]?:?[ ]+(?=[A-Z])|\bcc:[ ]*(?=[a-z])", cased=True)
_NEXT = re.compile(r"[ ]?[;,][ ]?(?=[A-Za-z])")
_DEGREE = rule(
    "NAME",
    r"(?<![\w.])((?:(?:[A-Z][\w'-]*[a-z]|[A-Z]{2,}(?:['-][A-Z]{2,})*|[A-Z]\.?)(?:,?[ ]+)){1,4}?),?[ ]*"
    r"(?:M\.?D\.?|D\.O\.|DO|MBBS|MBChB|Ph\.?D\.?|R\.N\.|RN|PA-C"
    r"|CRNP|ARNP|NP|FRCR|FACR|FRCPC|RDMS|R\.?T\.?\(R\)|D\.?D\.?S|DPM)(?![\w])",
    cased=True,
)
_STOP = word_sections("context")["ends a name"]


def _names(text: str, index: TextIndex) -> Iterator[Span]:
    for hit in _USER.find(index):
        if hit[1].lower() not in technical_words() or (hit[2] or "").lower() in _MACHINES:
            yield hit.start(1), hit.end(1), "NAME"
    for hit in _TITLE.find(index):
        word = _WORD.match(text, hit.end()) if hit[1] in ("MR", "DR") else None
        plain = "" if word is None else word[0].rstrip(".")
        if len(plain) > 2 and plain.istitle() and _is_of_report(plain.lower()):
            continue  # "seen on MR.  Cysts"
        spelled_out = hit[1] not in ("DR", "DRS", "MR", "MS", "dr") or hit[2].startswith(".")
        spelled_out = spelled_out or (
            hit[1] == "DR" and _TO_SOMEONE.search(text[max(0, hit.start() - 8) : hit.start()]) is not None
        )
        yield from _take(
            text, hit.end(), 3, lower=hit[1].islower() or hit[1] in ("Dr", "DR", "Doctor"), sure=spelled_out
        )
    for hit in _SIGNED.find(index):
        yield from _take(text, hit.end(), 5, lower=True, sure=True)
    for hit in _FIELD.find(index):
        # "Attending radiologist: Back, Henry": a capital behind someone's role is theirs, whatever it means
        role = _OPEN.match(hit[0]) is None
        yield from _take(text, hit.end(), 5, lower=False, sure=role and _TITLED.match(text, hit.end()) is not None)
        if role and (pair := _PAIR.match(text, hit.end())) is not None:
            yield pair.start(), pair.end(), "NAME"
    for cue in (_BY, _TOLD):
        for hit in cue.find(index):
            yield from _take(text, hit.end(), 3, lower=False, sure=False)
    for hit in _SHOUTED.find(index):
        if not all(w.lower() in technical_words() for w in hit[1].split()):
            yield hit.start(1), hit.end(1), "NAME"
    for hit in _COPIED.find(index):
        if ":" in hit[0] or not hit[0].isupper():  # "CC" may be a canal's
            yield from _list_of(text, hit.end(), lower=hit[0].islower())
    for hit in _DEGREE.find(index):
        if not all(w.strip(".,").lower() in _STOP for w in hit[1].split()):
            yield hit.start(1), hit.start(1) + len(hit[1].rstrip(" ,")), "NAME"


def _list_of(text: str, at: int, *, lower: bool) -> Iterator[Span]:
    """Names with commas or semicolons between them."""
    while True:
        found = list(_take(text, at, 2 if lower else 4, lower=lower, sure=True))
        yield from found
        further = _NEXT.match(text, found[-1][1]) if found else None
        if further is None or (text[further.end()].islower() and not lower):
            return
        at = further.end()


def _take(text: str, at: int, most: int, *, lower: bool, sure: bool) -> Iterator[Span]:
    """The run of name-like words from ``at``: capitalised ones (any, with ``lower``, for the first two).

    Unless ``sure``, a run that begins with a word of anatomy or imaging is no name ("DR chest", "read by CT").
    """
    end, start, taken = at, at, 0
    while taken < most:
        word = _WORD.match(text, end if taken == 0 else _joined(text, end))
        if word is None or not _is_of_name(text, word, end, taken, lower=lower, sure=sure):
            break
        end = word.end() if len(word[0].rstrip(".")) == 1 else word.start() + len(word[0].rstrip("."))
        taken += 1
    if taken:
        yield start, end, "NAME"


def _is_of_name(text: str, word: re.Match[str], end: int, taken: int, *, lower: bool, sure: bool) -> bool:
    """Does a name go on with this word that has ``taken`` words up to ``end``?"""
    plain = word[0].rstrip(".")
    low, capital = plain.lower(), plain[0].isupper()
    if not capital and not (lower and taken < 2):
        return False
    if low in _STOP and not _is_surname(text, word, first=taken == 0 and sure and not lower, after=taken):
        return False
    if taken == 0:
        return sure or not (low in technical_words() or _is_of_medicine(low) or low in _SIDES)
    if low in technical_words() and (not capital or taken > 1):
        return False
    gap = text[end : word.start()]
    short = "," in gap and plain.isupper() and len(plain) > 1 and bool(kind(low) & Kind.SHORT)
    if short and _GOES_ON.match(text, word.end()) and not text[:end].isupper():
        return False  # "Anita Rao, HRCT thorax", no "Name: Nguyen, PE"
    return not ("\n" in gap and _is_of_report(low)) and not _is_done(plain)


_GOES_ON = re.compile(r"[ ][^\W_]")
_SIDES = words("lt rt bilat")  # "MR LT KNEE"
_DONE = words("thank thanks given told rang says said saw wants spoke sent took gave left came went")


def _is_done(word: str) -> bool:
    """A verb behind a name, where letters do not tell: "doctor ode dictating", "DR ODE GIVEN A COPY"."""
    if word.istitle():
        return False
    lower = word.lower()
    bits = kind(lower)
    ends = lower.endswith(("ed", "ing")) and len(lower) > _SHORTEST_SURNAME
    return lower in _DONE or bool(ends and bits & Kind.KNOWN and not bits & Kind.NAME)


def _is_of_medicine(word: str) -> bool:
    """ "MR FISTULOGRAM": a long word of medicine, and no list's name."""
    bits = kind(word)
    return bool(bits & Kind.CLINICAL and not bits & (Kind.NAME | Kind.EPONYM | Kind.BOUND)) and len(word) > _LONG


_LONG = 7  # letters


def _is_surname(text: str, word: re.Match[str], *, first: bool, after: int) -> bool:
    """A word that ends names, and is one: behind a role ("Attending: Staff"), or last of all ("by Ann Date.")."""
    if not word[0].rstrip(".").istitle() or len(word[0].rstrip(".")) < _SHORTEST_SURNAME:
        return False
    plain = word[0].rstrip(".")
    named = kind(plain.lower()) & Kind.NAME and not kind(plain.lower()) & Kind.FUNCTION
    if first:
        return bool(named) or len(plain) > _SHORTEST_SURNAME
    return bool(after and named) and _ENDS.match(text, word.end()) is not None


_SHORTEST_SURNAME = 4
_ENDS = re.compile(r"[.;]?[ ]?(?:\n|$)|\.[ ]")


def _is_of_report(word: str) -> bool:
    bits = kind(word)
    return word in roles.PROTECTED or bool(bits & Kind.FUNCTION) or bool(bits & Kind.KNOWN and not bits & Kind.NAME)


def _joined(text: str, at: int) -> int:
    join = _JOIN.match(text, at)
    return join.end() if join else len(text)


def find_names(text: str, index: TextIndex | None = None) -> Iterator[Span]:
    """Every facility and every person that a cue points at, overlapping ones too."""
    index = TextIndex(text) if index is None else index
    yield from find_facilities(text, index)
    yield from _names(text, index)
