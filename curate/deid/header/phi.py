"""The identifying values of a source header: what is searched for in report text and in everything written.

The opposite of `curate.deid.header.clean`: there a value must be known harmless to stay, here one must be known
generic to be left out. Values live in memory only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.deid.header.iod import iod_of
from curate.deid.pseudonym import is_time
from curate.deid.quiet import element, quiet
from curate.deid.words.technical import technical_words

_SHORTEST = 3
_REMEMBERED = 64  # bytes: shorter values, which the files of a series and of a hospital share, are looked at once
_MAX_DEPTH = 16
_LONGEST_PRIVATE = 256  # longer private strings are tables and protocols, not values that recur in a report
_PEOPLE_AND_PLACES = re.compile(
    r"Physician|Operator|Person|Patient.*Name|Institution|Department|Address|Telephone|Telecom|Station|Serial|Accession"
    r"|Issuer|Location|Residence|Identifi|Insurance|Locator|Organization|Responsible|Requester|Performer|Verifying"
    r"|Author|Scheduled.*Name|Service$|Title$|OrderNumber|Occupation|Mother|Owner|Contact|IDs?$|UDI|DeviceUID"
)
_PLACES = re.compile(r"Institution|Department|Address|Location|Residence|Physician|Person|Name|Operator")
_TECHNICAL = re.compile(r"Tracking|Technique|Sequence|Organ$|Coding|CodingScheme|PrivateCreator|TransferSyntax")
_PATIENT_IDS = re.compile(
    r"^(Other)?PatientIDs?$|^PatientBirthName|^MedicalRecordLocator|^(Issuer)?AccessionNumber$|^AdmissionID$"
)
_SHORTEST_PHRASE = 4
_FEWEST_DIGITS = 5
_TEXT_VRS = frozenset({"PN", "LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE", "CS"})
# Words that name no one; a header full of them is an anonymised or a test one.
_GENERIC_WORDS = """
none null unknown anonymous anonymized anonymised anonymize deidentified removed withheld patient name test
unnamed nothing empty default other yes no not available n/a na xxx xxxx male female unspecified radiology
hospital clinic department dept imaging physician doctor operator tech technologist technician admin
administrator user guest service system scanner station workstation console server local localhost any anyscp
storescp pacs dicom ris his emr mrn ct mr mri us cr dx dr mg xa rf nm pt pet xray general university center
centre medical issuer true false unassigned siemens philips toshiba canon hitachi fujifilm agfa kodak
carestream hologic samsung
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())


@dataclass(frozen=True)
class Identity:
    """What identifies the patient, and everyone else, in one file's header. In memory only; its repr tells nothing.

    ``values`` as of `identifying_values`. ``words``: the folded words of person names and of the patient's identifiers,
    of two letters and more. ``phrases``: the folded values that are not of one of these words alone, to be searched
    for as a whole. ``digits``: the digits of numbers and dates among them, of five and more, leading zeros stripped.
    """

    values: tuple[str, ...]
    words: frozenset[str]
    phrases: tuple[str, ...]
    digits: frozenset[str]

    def __repr__(self) -> str:
        return "Identity(***)"


def identifying_values(ds: Dataset) -> list[str]:
    """Every identifying value of a source header, its file meta included, in the header's order, without repeats.

    Person names whole ("SMITH^JOHN") and in parts, identifiers, UIDs of instances, dates (DA, and the date of DT),
    institutions, physicians, addresses, telephone and serial numbers, and private strings that could name someone, at
    any depth. Values under 3 characters (2 outside ASCII) and generic ones ("CT", "NONE") are left out.
    Never raises for malformed elements: their raw bytes are taken as Latin-1.
    """
    return list(_read(ds)[0])


def identity(ds: Dataset) -> Identity:
    """The same, sorted by what each is good for."""
    found, words = _read(ds)
    forms = [(_forms if len(v) <= _REMEMBERED else _forms.__wrapped__)(v) for v in found]
    phrases = dict.fromkeys(phrase for phrase, _ in forms if phrase)
    return Identity(tuple(found), frozenset(words), tuple(phrases), frozenset(d for _, d in forms if d))


def _read(ds: Dataset) -> tuple[dict[str, None], set[str]]:
    """The values in the header's order, and the words of people and of the patient's identifiers."""
    found: dict[str, None] = {}
    words: set[str] = set()
    with quiet():
        for part in (getattr(ds, "file_meta", None), ds):
            for told in _walk(part, 0, frozenset()) if part is not None else ():
                found.update(dict.fromkeys(told.values))
                words.update(told.words)
    return found, words


class Told(NamedTuple):
    """What one element tells: identifying values, and words of person names and of the patient's identifiers."""

    values: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


_NOTHING = Told()


@lru_cache(maxsize=8192)
def _forms(value: str) -> tuple[str, str]:
    """An identifying value as a phrase to search for, and its digits; "" where it is none or has too few or many."""
    phrase = folded(value) if len(value) >= _SHORTEST_PHRASE and not re.fullmatch(r"[\d.]+", value) else ""
    digits = re.sub(r"[^0-9]", "", value).lstrip("0")
    return phrase, digits if _FEWEST_DIGITS <= len(digits) <= 16 else ""


def _told(kind: Kind, texts: Iterable[str]) -> Told:
    values: dict[str, None] = {}
    words: dict[str, None] = {}
    for value in texts:
        for piece in (value, *_pieces(value)):
            clean = piece.strip(" \0\t\r\n^=")
            if len(clean) >= (_SHORTEST if clean.isascii() else 2) and not _generic(clean):
                values.setdefault(clean)
        if kind is Kind.PERSON:
            words |= dict.fromkeys(w for w in _words(value) if len(w) > 1 and w not in _GENERIC)
    return Told(tuple(values), tuple(words))


def folded(text: str) -> str:
    """Lower case without accents: how words are compared here."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in apart if not unicodedata.combining(c))


def _words(value: str) -> list[str]:
    return re.findall(r"[^\W_]+", folded(value))


class Kind(Enum):
    """How an attribute may identify: see `_kind`."""

    NOTHING = 0
    PERSON = 1  # a person's name, or an identifier of the patient
    PLACE = 2  # institutions, addresses, physicians' identifiers
    NUMBER = 3  # other identifiers: only where there is a digit in them, or a word that is no technical one
    DATE = 4
    UID = 5
    UNKNOWN = 6  # no attribute of the dictionary: where it could name someone


@lru_cache(maxsize=8192)
def _kind(tag: int) -> Kind:
    """By the dictionary's attribute, whatever VR the file claims for it."""
    keyword = keyword_for_tag(tag)
    if not keyword or tag >> 16 & 1:
        return Kind.UNKNOWN
    vr = dictionary_VR(tag)
    if vr == "PN" or _PATIENT_IDS.search(keyword):
        return Kind.PERSON
    if vr == "UI":
        return Kind.UID
    if vr in ("DA", "DT"):
        return Kind.DATE
    if vr in _TEXT_VRS and _PEOPLE_AND_PLACES.search(keyword) and not _TECHNICAL.search(keyword):
        return Kind.PLACE if _PLACES.search(keyword) else Kind.NUMBER
    return Kind.NOTHING


def _walk(ds: Dataset, depth: int, above: frozenset[int]) -> Iterator[Told]:
    above |= {id(ds)}  # an object made in memory may hold itself
    for tag, held in list(ds.items()):  # not the Dataset itself: iterating it parses, and may raise
        number = int(tag)
        if number >> 16 == 0x7FE0:
            continue
        vr = (held.VR or _implied(number)) if isinstance(held, RawDataElement) else None
        if vr and vr != "SQ" and isinstance(held.value, bytes):
            told = (_unparsed if len(held.value) <= _REMEMBERED else _unparsed.__wrapped__)(number, vr, held.value)
            if told is not None:
                if told is not _NOTHING:
                    yield told
                continue
        kind, found = _kind(number), element(ds, tag)
        if found is None:
            yield _told(kind, (v for v in _raw(held) if kind is Kind.PERSON or _could_name(v)))
        elif found.VR == "SQ":
            for item in found.value if depth < _MAX_DEPTH and isinstance(found.value, Items) else ():
                if id(item) not in above:
                    yield from _walk(item, depth + 1, above)
        elif not tag.is_private_creator:
            strings = _strings(found, kind not in (Kind.NOTHING, Kind.UNKNOWN))
            yield _told(kind, _wanted(kind, strings, found.VR))


@lru_cache(maxsize=8192)
def _implied(tag: int) -> str | None:
    """The VR that a public element has where the file does not say one (implicit VR, PS3.5 7.1.3)."""
    return dictionary_VR(tag) if not tag >> 16 & 1 and dictionary_has_tag(tag) else None


@lru_cache(maxsize=16384)
def _unparsed(tag: int, vr: str, raw: bytes) -> Told | None:
    """What an element tells by its bytes; None where these have to be parsed."""
    kind = _kind(tag)
    if _plain(kind, vr, raw):
        return _NOTHING
    texts = _ascii(vr, raw)
    if texts is None:
        return None
    creator = tag >> 16 & 1 and not tag & 0xFF00  # a private creator names a maker
    return _NOTHING if creator else _told(kind, _wanted(kind, texts, vr))


_SKIPPED_VRS = frozenset(
    {"US", "SS", "UL", "SL", "FL", "FD", "CS", "DS", "IS", "AT", "OW", "OF", "OD", "UI", "TM", "AS"}
)
_NUMERIC = re.compile(rb"[-+0-9.eE\\ \0]*")
_DECIMALS = re.compile(rb" *[+-]?\d+\.?\d*(?:[eE][+-]?\d+)? *(?:\\ *[+-]?\d+\.?\d*(?:[eE][+-]?\d+)? *)*")


def _plain(kind: Kind, vr: str, raw: bytes) -> bool:
    """True for raw elements that need no parsing: no attribute that identifies, holding what its VR says."""
    if vr == "TM" and kind in (Kind.UNKNOWN, Kind.NOTHING):
        return is_time(raw.decode("latin-1"))
    if kind is Kind.UNKNOWN:  # of private elements most are numbers and tables
        if vr == "DS" and _DECIMALS.fullmatch(raw):
            return True
        return vr in _SKIPPED_VRS and (vr not in ("DS", "IS", "CS", "UI", "TM", "AS") or len(raw) > 64)
    if kind is not Kind.NOTHING or vr == "UN":
        return False
    return vr not in ("DS", "IS") or _NUMERIC.fullmatch(raw) is not None


def _wanted(kind: Kind, texts: Iterable[str], vr: str) -> Iterator[str]:
    """The values that identify, of an attribute of this kind that the file holds by this VR."""
    if kind is Kind.UID:
        yield from (v for v in texts if v not in UID_dictionary and iod_of(v) is None)
    elif kind is Kind.DATE:
        yield from (v[:8] if v[:8].isdigit() else v for v in texts)
    elif kind in (Kind.PERSON, Kind.PLACE) or vr == "PN":
        yield from texts
    elif kind is Kind.NUMBER:
        yield from (v for v in texts if re.search(r"\d", v) or _could_name(v))
    elif kind is Kind.UNKNOWN or vr == "UN":
        yield from (v for v in texts if _could_name(v))


_STRING_VRS = _TEXT_VRS | {"DA", "DT", "UI"}


def _ascii(vr: str, raw: bytes) -> list[str] | None:
    """The values of a raw element of a string VR in plain ASCII, which needs no parsing; None for any other."""
    if vr not in _STRING_VRS or not raw.isascii() or b"\x1b" in raw:
        return None
    text = raw.decode("ascii").strip(" \0\t\r\n")
    return text.split("\\") if text else []


def _raw(raw: object) -> Iterator[str]:
    """An element that does not parse: its bytes, where they read as text."""
    if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes):
        yield from _text_of(raw.value)


def _strings(found: DataElement, numbers: bool) -> Iterator[str]:
    """The values as text; ``numbers`` too, where the attribute identifies and a file holds it by a numeric VR."""
    value: Any = found.value
    for each in [*value] if isinstance(value, (MultiValue, list, tuple)) else [value]:
        if isinstance(each, bytes):
            yield from _text_of(each)
        elif each is not None and (numbers or not isinstance(each, int | float)):
            yield str(each)


def _text_of(raw: bytes) -> list[str]:
    """The values of a byte string that is text, else nothing."""
    text = raw[:_LONGEST_PRIVATE].decode("latin-1").strip(" \0")
    return text.split("\\") if text and text.isprintable() and len(raw) <= _LONGEST_PRIVATE else []


def _pieces(value: str) -> Iterator[str]:
    """The components of a person name, and its words: a report says "Mr Smith", not "SMITH^JOHN"."""
    if "^" in value or "=" in value:
        yield from value.split("=")  # alphabetic, ideographic and phonetic groups (PS3.5 6.2.1)
        for component in re.split(r"[\^=]", value):
            yield component
            yield from re.split(r"[\s,]+", component)


def _generic(value: str) -> bool:
    """True for values that point at no one: all words generic, or one character repeated."""
    words = re.findall(r"[^\W_]+", value.casefold())
    return not words or all(w in _GENERIC for w in words) or len(set("".join(words))) == 1


def _could_name(value: str) -> bool:
    """False for private strings that are plainly technical: every word in the standard's vocabulary, or short codes."""
    if len(value) > _LONGEST_PRIVATE:
        return False
    if re.search(r"\d{5,}|\^|@", value):
        return not re.fullmatch(r"[-+]?\d*\.\d*(e[-+]?\d+)?", value.strip(), re.IGNORECASE)
    words = re.findall(r"[^\W\d_]{3,}", value.casefold())
    return bool(words) and not any(ch in value for ch in "{}<>=") and not any(w in technical_words() for w in words)
