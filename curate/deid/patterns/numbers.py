"""Numbers and codes that are somebody's: of a record, an account, a licence, a device. Cues stay, values go."""

from __future__ import annotations

import re
from functools import partial

from curate.deid.patterns.around import COUNTED, MEASURED, is_any_before, words_before
from curate.deid.patterns.prefilter import Rule, cued, rule
from curate.deid.words.vocabulary import Kind, kind

_rule, _cued = partial(rule, "ID"), partial(cued, "ID")
_I = re.IGNORECASE
_NO_UNIT = (
    r"(?!\s?(?:mm|cm|ml|cc|mg|mcg|g|kg|hu|ms|msec|sec|mgy|mgy\*cm|mhz|hz|kv|kvp|mas|ma|units?|cells|/u?l|/mm|x10"
    r"|%|weeks?|days?|years?|images?|slices?|per)\b)"
)
_END = r"(?!\w|[.,/-]\d)"
_BEHIND = r"(?!\w|[.,]\d|\s?(?:mm|cm|%|years?)\b)"
# whose number it is: of the patient, a case, an account
_OWNED = """mrn|m.r.n|medical record|medical record number|med rec|accession|acc|patient id|pat id|pid|ssn|nhs|chi
|medicare|ihi|dva|abha|aadhaar|aadhar|uhid|ip no|op no|opd|ipd|hosp|hospital|hn|urn|ur|nric|chart|account|acct|claim
|policy|case|pathway|episode|referral|plate|registration|reg|slide|slides|block|form|file|folder|card|receipt|bill
|token|voucher|docket|ticket|invoice|req|request|gmc|hcpc|nmc|ahpra|npi|provider|prov|provider no|license|licence|lic
|passport|visa|insurance|ins|cghs|esi|pan|voter id|ration card|nino|ni number|record|label|disc|cd|log|study|order
|gdc|gphc|mci|dmc|kmc|mmc|tnmc|nhi|crn|mlc|fir|haad|emirates id|iqama|hkid|id card|identity card|nid|cnic
|driver's license|drivers license|driver's licence|driving licence|subscriber|wristband|riskman|datix|employee
|badge|warrant
|collar|pcn|fin|csn|encounter|unit record|lab slip|request form|consent form|dea|serial no|serial number
|implant serial|device serial|member id|group id|wrist band|home office"""
_INDIAN_STATES = """ap ar as br cg ch dd dl dn ga gj hp hr jh jk ka kl la ld mh ml mn mp mz nl od or pb py rj sk tn
tr ts
tg uk up ua wb"""
_INDIAN_PLATE = (
    rf"\b(?:{'|'.join(_INDIAN_STATES.split())})[ -]?\d{{1,2}}[ -](?!(?:x|mm|cm|ml|mg|cc|hu|to|of|by"
    rf"|and)\b)[a-z]{{1,3}}[ -]?\d{{4}}\b"
)
_VEHICLES = """driver of|driving|rider of|owner of|plate|plates|rego|reg|regn|registration|vehicle|vehicle no|car
|van|lorry|truck|pickup|bike|motorbike
|motorcycle|moped|scooter|bus|minibus|taxi|cab|auto|autorickshaw|rickshaw|ambulance|tractor|ute|trailer|caravan|jeep|suv
|sedan|chopper|helicopter|aircraft|tail no|tail number|hgv|quad|two wheeler|tempo
|toyota|honda|ford|nissan|hyundai|kia|maruti|suzuki|tata|mahindra|holden|mazda|volkswagen|vw|bmw|audi|chevrolet|chevy|hilux|corolla
|civic|polo|golf|fiesta|swift|innova|bolero|renault|skoda|subaru|mitsubishi|jeep|tesla|yamaha|bajaj|hero|activa"""
# two to four groups of letters and digits, four signs at least, that hold both
_PLATE = (
    r"(?!(?:at|in|on|of|to|x|by|the|and|for|vs|v|was|is|no|with|or|hit"
    r"|ran)\b)(?=(?:[ -]?[a-z0-9]){5,11}(?![a-z0-9]))(?:"
    r"[a-z]{1,3}[ -]?\d{2,4}[a-z]?(?:[ -]?[a-z]{1,3})?(?:[ -]?\d{3,4})?|[a-z][ ]?\d{1,3}[ -]?[a-z]{3}"
    r"|\d{2,3}[ -][a-z]{1,2}[ -]\d{1,6}|[a-z]{2}[ -]?\d[a-z][ -]?[a-z]{1,2}[ -]?\d{4}|[a-z]{3}[ -]\d{3}[ -]?[a-z]{2}"
    r"|\d[a-z]{2,3}[ -]?\d[a-z0-9]{2}|\d{1,3}[ -]?[a-z]{3}|\d[a-z]{3}\d{3}|[a-z]{3}[ -]?\d{2,3}[a-z]?)"
    r"(?![\w]|[.,]\d|[ ]?(?:mm|cm|weeks?|days?|years?|yrs?|kph|mph|km|hrs?|hours?)\b)"
)
# words of reports too: only with "no", "number", "id" or # behind
_OWNED_NO = """patient|pt|client|consumer|visit|lab|specimen|sample|cytology|histology|pathology|path|biopsy
|incident|serial|asset
|staff|group|member|tag|band|slip|job|dl|ur|crn|study|series|bed|exam|box|cassette|kit|batch|implant|device|unit|machine|pump
|donor|recipient|trial|subject|participant|guarantor|payer|contract|envelope|bag|barcode|rack|tube|vial|test|report|letter
|certificate|permit|locker|parcel|phone|tally|service|regimental|prison|inmate|custody|crime|officer|shoulder|pnc|roll|student
|school|tax|bank|card|ticket|booking|appointment|reference|ref|your ref|our ref"""
_NAMED = """mrn|m.r.n.|medical record|med rec|mr #|mr no|accession|acc #|acc no|acc n|acc|patient id|pat id|pid|ssn|nhs
|chi|nhc|cip|nass|encounter|account|acct|visit|order|exam id|study id|req|requisition|policy|member|license|licence|dea
|npi|serial|s/n|passport|unit no|unit number|chart|file|case|hospital|record|job|document|doc|dictation|specimen|badge
|insurance|id|i.d.|uhid|gmc|hcpc|ahpra|provider|urn|aadhaar|medicare|dva|claim|plate|lot"""
_WHAT = r"(?:[ ]?(?:id|no|nos|num|number|nr|record|code|f no)\b)?\.?[ ]?(?:[#:=]|\bis\b|-(?=[ ]))*[ \t]*"
# spoken: "four four one two", "forty four twelve"
_SPOKEN = (
    r"(?:(?:zero|oh|o|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|double|triple)[ ,-]{1,2}){2,}"
    r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)\b(?![ -](?:mm|cm|millimet|centimet|percent|years?"
    r"|days?|weeks?))"
)
_LEAD = r"(?!(?i:of|in|at|on|to|and|for|the|by|with|is|was|as|from|or|no|x|l|r|lt|rt|L|R|LT|RT)\b)[A-Za-z]{1,4}[ -]"
_SEP = r"(?:[ ]?[-/][ ]?|[ ])"
_GROUP = (
    r"(?:\d{1,8}(?:(?!(?:mm|cm|ml|mg|kg|cc|hu)\b)[A-Za-z]{1,2}\b)?|[A-Za-z]{1,2}\b(?=[.,;)]|\n|$)"
    r"|[A-Z]\b(?![ ][a-z])|[A-Z]{2,3}(?=[ /-]?\d))"
)


def _is_no_ones(hit: re.Match[str]) -> bool:
    """ "L4-5", "65-year-old", "SEG-7": of the shape of a code, and no one's."""
    found = hit[hit.re.groups and 1]
    if _BIRTHS.fullmatch(found.upper()):
        return True
    if _LEVELS.fullmatch(found.upper()):
        return True
    if _PARITY.fullmatch(found.upper()) and _GRAVIDA.search(hit.string, max(0, hit.start() - 5), hit.start()):
        return True
    pieces = re.split(r"[-/_]", found.lower())
    if len(pieces) > 1 and pieces[0] in MEASURED:
        return True  # "LDH-3101"
    numbers = [piece for piece in pieces if any(map(str.isdigit, piece))]
    words = [piece for piece in pieces if piece not in numbers]
    return bool(words) and all(kind(w) & Kind.KNOWN for w in words) and all(len(n) < 4 for n in numbers)


_PARITY, _GRAVIDA = re.compile(r"P\d{4}"), re.compile(r"G\d{1,2}[ ,/]{1,2}\Z", _I)
_BIRTHS = re.compile(r"\d{1,4}X\d{1,4}(?:X\d{1,4})?|WW?\d{4}|G\d{1,2}P\d{1,4}(?:[ALT+]\d{1,2}){0,3}")
_LEVELS = re.compile(
    r"(?:LR|TR|BI|PI|TI|CAD|RADS|T|L|C|S|SEG|IM|SE|COVID|SARS|HBA|CA|CD|IL|PD|KI|HPV|CO|B|DD|RCC"
    r"|EBV)[-_ ]?\d{1,3}(?:[-_/]\d{1,2})?[A-C]?"
)


def _is_someones(hit: re.Match[str]) -> bool:
    return not _is_no_ones(hit)


def _is_plate(hit: re.Match[str]) -> bool:
    """No "van t2 fat": none of its letters are a word that reports are made of, if there is but one digit."""
    pieces = re.findall(r"[a-z]+", hit[1].lower())
    known = any(len(piece) > 2 and kind(piece) & Kind.FUNCTION for piece in pieces)
    return not known and sum(map(str.isdigit, hit[1])) > 1


def _is_no_word(hit: re.Match[str]) -> bool:
    """No "se12 sag": its last letters are no word, or in capitals as nothing around it is."""
    alone = hit[1].isupper() and " " in hit[1] and not (hit["more"] or "").isupper()
    return alone or not kind(hit[1][-3:].lower()) & Kind.KNOWN


def _is_not_measured(hit: re.Match[str]) -> bool:
    """No "TR/TE/TI 4000/90/2500"."""
    return not is_any_before(words_before(hit.string, hit.start()), COUNTED | MEASURED)


SURE: tuple[Rule, ...] = (
    _rule(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)", cased=True),
    _rule(r"(?<![\d.])[0-2](?:\.\d+){4,}", cased=True),
    _rule(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b"),
    _rule(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])", cased=True),
    _rule(r"(?<![\w-])(?:\d{4}[ -]){3}\d{1,7}(?![\w-])", cased=True),
    _cued(_NAMED, r"(?=[\w./-]{0,32}\d)[a-z0-9][\w/-]{2,}(?:\.\d\w*)?(?!\s?(?:mm|cm))", joint=_WHAT),
    # groups of digits behind what says whose number it is, or before it
    _cued(
        _OWNED,
        rf"(?-i:(?=(?:{_SEP}?\w){{4,16}}(?!\w))(?:[A-Za-z]{{0,3}}|{_LEAD})\d{{1,8}}(?:{_SEP}{_GROUP}){{1,5}})"
        rf"{_BEHIND}|{_LEAD}\d{{3,12}}{_BEHIND}|\d{{4,}}{_BEHIND}|\d{{1,4}}(?:\.\d{{1,5}}){{2,4}}{_END}|{_SPOKEN}",
        joint=r"\.?(?:[ ]?(?:id|no|nos|num|number|nr|record|code|f no)\b)?\.?[ ]?(?:[#:=]|\bis\b|[ ])*",
    ),
    _cued(
        _OWNED_NO,
        rf"(?-i:(?=(?:{_SEP}?\w){{4,16}}(?!\w))(?:[A-Za-z]{{0,3}}|{_LEAD})\d{{1,8}}(?:{_SEP}{_GROUP}){{1,5}})"
        rf"{_BEHIND}|{_LEAD}\d{{3,12}}{_BEHIND}|[A-Za-z]{{0,4}}\d{{4,}}{_BEHIND}",
        joint=r"\.?[ ]?(?:(?:id|nos?|num|number|nr|code)\b\.?|#|:[ ]?#)[ ]?(?:[#:=]|\bis\b|[ ])*",
    ),
    _cued(
        "no|number|nr",
        rf"(?=(?:{_SEP}?\w){{5,16}}(?!\w))[A-Z]{{0,3}}\d{{1,8}}(?:{_SEP}\d{{1,8}}){{1,4}}{_BEHIND}"
        rf"|(?:[A-Z]{{1,4}}[ -]?)?\d{{5,}}{_BEHIND}",
        joint=r"\.?[ ]?[:#=]?[ ]?",
    ),
    # "MR25/42218", "GP/103/75", "ref CAS 6059/20"
    _rule(rf"(?<![\w/-])[A-Za-z]{{2,3}}(?:\d{{1,4}}/\d{{4,9}}|/\d{{2,5}}/\d{{2,4}}){_END}", cased=True, where="codes"),
    _cued(
        "ref|incident|letter|mlc|fir|saps|police ref|case|claim|our ref|your ref|file",
        rf"(?:[A-Z]{{2,4}}[ /-])?\d{{2,6}}/\d{{2,4}}{_END}|[A-Z]{{2,4}}-\d{{3,}}{_END}",
        joint=r"\.?[ ]?(?:no\.?)?[ ]?[:#]?[ ]?",
    ),
    # two groups of digits, one of them long: 79-398922, 571810/23
    _rule(rf"(?<![\w.,/-])(?:\d{{1,4}}[-/]\d{{5,9}}|\d{{5,9}}[-/]\d{{1,4}}){_END}", cased=True),
    # three groups with slashes, one of them longer than any of a date: "5611/12/904"
    _rule(
        rf"(?<![\w.,/-])(?=[\d/]{{0,12}}\d{{4}})\d{{1,8}}(?:/\d{{1,8}}){{2,4}}{_END}",
        check=_is_not_measured,
        cased=True,
    ),
    # all but the last digits made unreadable: "XXXX XXXX 5521", "***-**-1234"
    _rule(r"(?<![\w*])(?:[Xx]{3,}|\*{3,})(?:[ -]?(?:[Xx]{2,}|\*{2,}))*[ -]?(\d{3,6})(?![\w*])", cased=True),
    _cued(
        "ending|ending in|ends in|ends|last four|last 4|last four digits|last 4 digits",
        r"\d{4}(?!\w|[.,]\d)",
        joint=r"[ ]?(?:in|with|:|are|is)?[ ]",
    ),
    _rule(r"(?<![\w#])#\s?((?=\w{0,32}\d)\w{4,})\b", cased=True),
    _rule(
        r"\b(?=[A-Za-z0-9-]{0,64}[A-Za-z])(?=(?:[A-Za-z-]{0,32}\d){5})[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b",
        check=lambda hit: not _BIRTHS.fullmatch(hit[0].upper()),
        cased=True,
        where="codes",
    ),
    _rule(rf"(?<![\w.,/-])\d{{6,}}{_END}{_NO_UNIT}", cased=True),
    _rule(rf"(?<![\w.-])\d{{2,}}(?:-\d{{2,}}){{2,}}{_END}", cased=True),
)
STRICT: tuple[Rule, ...] = (
    _cued(
        """serial|s/n|sn|lot|model|ref|udi|device|batch|asset|implant|pin|badge|employee|license|room|machine|station
        |scanner|probe|unit|reg|regn|prov|provider|gmc|plate|rego|vehicle|claim""",
        r"(?=[\w/-]*\d)[A-Za-z0-9][\w/-]{3,}",
        joint=r"\s?(?:no|num|number|id|#)?\.?\s?[:#=]?\s?",
        check=_is_someones,
    ),
    _rule(
        r"(?<![\w/-])(?=[A-Za-z/_-]*\d)(?=[\d/_-]*[A-Za-z])[A-Za-z0-9]{2,}(?:[-/_][A-Za-z0-9]{2,}){2,}\b",
        check=_is_someones,
        cased=True,
        where="codes",
    ),
    _rule(
        r"\b(?:[A-Z]{1,5}[-_]?\d{4,}[A-Z]?|\d{2,}[-_][A-Z]{1,4}[-_]?\d{2,}|[A-Z]{2,5}[-_]\d{2,}(?:[-_]\d+)*)\b",
        check=_is_someones,
        cased=True,
        where="codes",
    ),
    # a letter or two and two groups: "E266 693"
    _rule(rf"\b(?![BTbt]\d)[A-Za-z]{{1,2}}\d{{3,4}} \d{{3,4}}{_END}{_NO_UNIT}", cased=True, where="codes"),
    # plates: "KB12 XYZ", "KA 01 M 4471", and any behind what has one
    _rule(r"\b([A-Z]{2}\d{2} ?[A-Z]{3})\b(?P<more>[ ][A-Z])?", check=_is_no_word, where="codes"),
    _rule(_INDIAN_PLATE),
    _cued(
        _VEHICLES,
        _PLATE,
        joint=r"(?:[ ]?(?:no|nos|number|numbers|plate|plates|rego|reg|registration)\b\.?){0,2}[ ]?[:#=(]?[ ]?",
        check=_is_plate,
    ),
)
