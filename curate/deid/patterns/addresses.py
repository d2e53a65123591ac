"""Where someone lives: houses, streets, places, postal codes. Cues stay, values go."""

from __future__ import annotations

import re
from functools import partial

from curate.deid.patterns.prefilter import Rule, cued, rule
from curate.deid.patterns.wards import NO_SIZE
from curate.deid.word_lists import words
from curate.deid.words.vocabulary import Kind, kind

_rule, _cued = partial(rule, "ADDRESS"), partial(cued, "ADDRESS")
_I = re.IGNORECASE
# ways that are hardly anything else, and those that are words of reports too
_WAYS = """street avenue ave road rd lane ln boulevard blvd crescent cres parkway pkwy highway hwy marg nagar colony
vihar puram salai mews esplanade tce pde cct"""
_WAYS_TOO = """st str drive dr court ct way place pl terrace ter circle cir square sq trail trl close row alley plaza
gardens grove track hill park green walk rise view quay wharf gate loop run pike bend ridge heights end vale
meadow meadows
path crossing point landing cross main chowk gali bagh layout enclave sector extension estate quarters apartments
society residency parade circuit gate road-east promenade fields common"""
# postal codes of the United States
_STATES = "A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]"
_STATES += "|W[AIVY]"
_CITY = (
    r"(?:,?[ ](?:(?:Apt|Apartment|Unit|Suite|Ste|APT|UNIT|SUITE|STE)\.?[ ]?#?|#)[ ]?\w{1,5})?"
    rf"(?:\s*,?\s*(?:[A-Z][\w.'-]+\s?){{1,3}},?\s+(?:{_STATES})\b(?:\s+\d{{5}}(?:-\d{{4}})?)?"
    r"|,\s+(?!Dist|Distt|Near|Opp|Behind|Tel|Ph|Mob|Age|Phone|Age|DOB)[A-Z][a-z]+(?:\s[A-Z][a-z]+)?)?"
)
_STREETS = r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Terrace|Ter"
_STREETS += r"|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Square|Sq|Trail|Trl|Close|Crescent|Cres|Mews|Row|Alley|Plaza|STREET"
_STREETS += r"|AVENUE|AVE|ROAD|RD|LANE|DRIVE|BLVD|BOULEVARD)\b\.?"
_NO_DOCTOR = r"(?!Dr\b\.? (?!Apt|Apartment|Suite|Ste|Unit)[A-Z])"
# a house's number: "12", "12a", "4/22", "8-1-225", "03, 14/2"
_HOUSE = r"(?:\d{1,4}[A-Za-z]?,[ ])?\d{1,5}[A-Za-z]?(?:[/-]\d{1,4}[A-Za-z]?){0,3}"
_END = r"(?!\w|[.,/-]\d)"
_COUNTED = words("mm cm ml mg cc kg view views vessel vessels image images slice slices level levels cut cuts")


def _either(words: str) -> str:
    return "|".join(sorted(words.split(), key=len, reverse=True))


_LANDMARKS = """temple masjid mosque mandir gurdwara church school college market chowk bus post police petrol
railway bhavan
bhawan hospital tank circle stand cinema talkies mill park road street lane"""
_REGIONS = """vill|village|po|p.o|ps|p.s|dist|distt|district|tal|taluk|taluka|tehsil|teh|mandal|post office
|at post|at/po|moh|mohalla
|gram|thana|co|county|brgy|barangay|township|suburb|kampung|ward of"""
_ORDINAL = re.compile(r"\b\d{1,3}(?:st|nd|rd|th)\b", _I)  # "4412 NE 12th Ave"
_WAY_TOO = re.compile(rf"\b(?:{_either(_WAYS_TOO)})\.?\Z", _I)


def _is_of_reports(word: str) -> bool:
    bits = kind(word)
    return bool(bits & (Kind.FUNCTION | Kind.BY_HAND)) and not bits & (Kind.NAME | Kind.TOWN)


def _is_street(hit: re.Match[str]) -> bool:
    """Is it a street and not "2 views cross"? Its name must be one: not only words that reports are made of."""
    if "\0" in hit["name"] or _ORDINAL.search(hit["name"]):
        return True
    named = [w for w in re.findall(r"[a-z']+", hit["name"].lower()) if w not in ("old", "new", "upper", "lower")]
    if hit[0].isupper() and _WAY_TOO.search(hit[0]) and all(_is_of_reports(w) for w in named):
        return False
    if len(named) > 1 and hit[0].isupper() and any(kind(w) & Kind.CLINICAL and not kind(w) & Kind.NAME for w in named):
        return False
    if named == ["way"] or any(kind(w) & Kind.FUNCTION or w in _COUNTED for w in named):
        return False
    name = Kind.NAME | Kind.TOWN
    return any(
        kind(w) & name or kind(w) & (Kind.CLINICAL | Kind.BY_HAND) != Kind.CLINICAL | Kind.BY_HAND for w in named
    )


def _is_no_sentence(hit: re.Match[str]) -> bool:
    """No "92 YO FROM 246 ROAD": none of its words is one of grammar."""
    return not any(kind(w) & Kind.FUNCTION for w in re.findall(r"(?<!\w)[a-z']{2,}", hit["name"].lower()))


_AT_HOME = re.compile(r"(?:\b(?:at|of|in|on|to|from|no|resides|address|lives)[ ]|r/o[ ]|[,:;]|[,:;\0][ ]|\n|\A)\Z", _I)


def _is_home(hit: re.Match[str]) -> bool:
    """Every word of its name is a name's, a town's or no word of reports, or it is said before that someone"
    " lives there."""
    if not _is_street(hit):
        return False
    if _AT_HOME.search(hit.string, max(0, hit.start() - 9), hit.start()):
        return True
    named = re.findall(r"[a-z']+", hit["name"].lower())
    return not any(kind(w) & (Kind.FUNCTION | Kind.CLINICAL | Kind.NOUN) for w in named)


_UNITS = re.compile(r"mm|cm|ml|mg|cc|hr|yr|yo|kg|wk|mo|fr|hu|ms|am|pm|gy|kv|ma|dl|lb|oz|in|ft|mh|hz|gm|mc|ug|ng|pg")
_TH = re.compile(r"st|nd|rd|th")
_NO_AREA = words("se im ap pa gr pt st no hu te tr ti br bi pi li hr rr bp ef po co cd il hb gs wk pd ga")


def _is_postal(hit: re.Match[str]) -> bool:
    """A postal code of the United Kingdom; not "l4 5mm", nor "t2 3rd", nor "se3 4th"."""
    area, last = hit["area"].lower(), hit["last"]
    if _UNITS.fullmatch(last.lower()):
        return False
    if not hit[0][-4].isspace():  # joined
        return hit[0].isupper() and not set(last) & set("CIKMOV")
    return _TH.fullmatch(last.lower()) is None or (len(area) > 1 and area not in _NO_AREA)


def _is_house_less(hit: re.Match[str]) -> bool:
    """A street's name alone, where letters do not tell: no word that reports are made of."""
    bits = kind(hit["name"].strip().lower())
    return not bits & (Kind.FUNCTION | Kind.CLINICAL | Kind.NOUN | Kind.BY_HAND)


def _is_region(hit: re.Match[str]) -> bool:
    """ "PO Sowerbypur", no "PO fluids" and no "Dist. radius"."""
    bits = kind(hit[1].lower())
    return not bits & (Kind.CLINICAL | Kind.FUNCTION | Kind.BY_HAND) and (
        hit[1].istitle() or bool(bits & (Kind.NAME | Kind.TOWN)) or not bits & Kind.KNOWN
    )


def _is_place_named(hit: re.Match[str]) -> bool:
    """Is what "near" or "off" names no part of a body?"""
    bits = [kind(w.removesuffix("'s")) for w in re.findall(r"[a-z']+", hit["name"].lower())]
    return not any(w & (Kind.FUNCTION | Kind.CLINICAL | Kind.NOUN | Kind.EPONYM) for w in bits)


SURE: tuple[Rule, ...] = (
    _rule(
        rf"\b{_HOUSE}[ ,]+(?P<name>(?:(?:[A-Z][A-Za-z.'-]*|\d{{1,3}}(?:st|nd|rd|th|ST|ND|RD"
        rf"|TH))[ ]+){{1,4}}?)(?:{_NO_DOCTOR}){_STREETS}" + _CITY,
        check=_is_no_sentence,
        cased=True,
    ),
    _rule(r"\b(?:Apt|Apartment|Suite|Ste|PO Box|P\.O\. Box|Box)\.?\s?#?\s?\d+\w*" + _CITY, cased=True),
    _rule(r"\b(?:p\.?[ ]?o\.?|(?:rr|hc)[ ]?#?\d{1,3},?)[ ]box[ ]#?\d+\b"),
    _rule(r"(?<![\w#])#\d{2}-\d{2,4}[A-Z]?\b", cased=True),
    # "4412 County Road 12"
    _rule(
        r"(?<![\w.,/-])\d{1,5}[ ](?:(?:county|state|us|old|rural|farm)[ ])?(?:road|rd|highway|hwy|route"
        r"|rte)\.?[ ]\d{1,4}\b"
    ),
    _rule(rf"\b(?!ID)(?:{_STATES})\s+\d{{5}}(?:-\d{{4}})?\b", cased=True),
)
STRICT: tuple[Rule, ...] = (
    _rule(r"(?<![\w.-])(?P<area>[a-z]{1,2})\d[a-z\d]?\s?\d(?P<last>[a-z]{2})\b(?!-)", check=_is_postal, where="codes"),
    _rule(r"\b(?!T\dN\dM\d)[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d\b", where="codes"),
    # Australia: "NSW 2000", "in Vic, 3056"
    _rule(
        rf"\b(?:NSW|VIC|QLD|TAS|(?:(?<=\bfrom )|(?<=\bin )|(?<=\0 )|(?<=, ))(?:WA|SA|NT|ACT)),?[ ]\d{{4}}{_END}"
        rf"{NO_SIZE}"
    ),
    _rule(
        rf"(?<![\w.,/-]){_HOUSE},?[ ]+(?P<name>(?:[A-Z][\w'.-]*\s+|\0\s?){{0,3}}"
        rf"(?:[A-Z][\w'.-]*|\0))\s+(?i:{_either(f'{_WAYS} {_WAYS_TOO}')})\b\.?",
        check=_is_street,
        cased=True,
    ),
    _rule(
        rf"(?<![\w.,/-]){_HOUSE},?[ ](?P<name>(?:(?!and\b|with\b|to\b)[a-z][\w'-]*[ ]"
        rf"|\d{{1,3}}(?:st|nd|rd|th)[ ]|\0[ ]?){{1,3}}?)(?:{_either(_WAYS)})\b",
        check=_is_street,
    ),
    # where words of reports stand for ways: with what says that someone lives there, or a name that reports have not
    _rule(
        rf"(?<![\w.,/-]){_HOUSE},?[ ](?P<name>(?:(?!and\b|with\b|to\b)[a-z][\w'-]*[ ]|\0[ ]?){{1,2}}?)"
        rf"(?:{_either(_WAYS_TOO)})\b",
        check=_is_home,
    ),
    # "27 The Crescent"
    _rule(
        r"(?<![\w.,/-])\d{1,4}[a-z]?,?[ ]the[ ](?:crescent|avenue|mews|esplanade|boulevard|grove|terrace|close"
        r"|green|drive|lane|square|paddocks?|street|parade|hill)\b(?![ ](?:of|to)\b)"
    ),
    # beside what: "opp. Sowerby Temple", "off Ranade Road"
    _rule(
        rf"\b(?:near|opp|opposite|behind|beside|off)\.?[ ](?P<name>(?:(?!the\b|of\b)[a-z][\w'-]*[ ]){{1,2}}?)"
        rf"(?:{_either(_LANDMARKS)})\b(?:[ ](?:stand|station|office|pump|stop)\b)?",
        check=_is_place_named,
    ),
    _cued(_REGIONS, r"[a-z][a-z'-]{3,}(?![\w'-])", joint=r"\.?[ :]{1,2}", check=_is_region),
    # a street without a number
    _rule(
        rf"(?:(?<=, )|(?<=\bat )|(?<=\bof )|(?<=\bin )|(?<=\bfrom )|(?<=\boff )|(?<=r/o )|(?<=\0 ))"
        rf"(?P<name>[a-z][\w'-]+[ ])(?:{_either(_WAYS)})\b",
        check=_is_house_less,
    ),
    _rule(
        r"(?<![\w'-])(?!(?:The|A|In|On|At|Off|Main)\b)[A-Z][a-z'-]+ (?:Street|Road|Avenue|Lane|Crescent|Boulevard|Marg"
        r"|Nagar|Colony|Parkway|Highway)\b",
        cased=True,
    ),
)
