"""The identifying values of a source header, which are searched for in report text and in all output.

The opposite of `curate.deid.header.clean`: there a value must be known as harmless to be kept, here one must be known
as generic to be left out. Values live in memory only.
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

from curate.deid.header.allowed import GENERIC_WORDS
from curate.deid.header.iod import iod_of
from curate.deid.pseudonym import is_time
from curate.deid.quiet import element, quiet
from curate.deid.words.technical import technical_words
from curate.sources.reports.text.markup import plain_text

_MIN_LENGTH = 3
_MAX_CACHED = 64  # bytes; shorter values, which the files of a series share, are cached
_MAX_DEPTH = 16
_MAX_PRIVATE = 256  # longer private strings are tables and protocols, not values that recur in a report
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
_MIN_PHRASE = 4
_MIN_DIGITS = 5
_TEXT_VRS = frozenset({"PN", "LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE", "CS"})


@dataclass(frozen=True)
class Identity:
    """The identifying values of one file's header, of the patient and of everyone else. In memory only; its repr is
    redacted.

    ``values`` as from `identifying_values`. ``words``: the folded words of person names and of the patient's
    identifiers, of two letters and more. ``phrases``: the folded values, to be searched for as a whole. ``digits``: the
    digits of numbers and dates among them, five and more, leading zeros stripped.
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
    institutions, physicians, addresses, telephone and serial numbers, and private strings that could be names, at any
    depth. Values under 3 characters (2 outside ASCII) and generic ones ("CT", "NONE") are left out.
    Never raises for malformed elements: their raw bytes are taken as Latin-1.
    """
    return list(_collect(ds)[0])


def identity(ds: Dataset) -> Identity:
    """The identifying values, in the forms in which they are searched for."""
    values, words = _collect(ds)
    forms = [(_forms if len(v) <= _MAX_CACHED else _forms.__wrapped__)(v) for v in values]
    phrases = dict.fromkeys(phrase for phrase, _ in forms if phrase)
    return Identity(tuple(values), frozenset(words), tuple(phrases), frozenset(d for _, d in forms if d))


def _collect(ds: Dataset) -> tuple[dict[str, None], set[str]]:
    """The values in the header's order, and the words of person names and of the patient's identifiers."""
    values: dict[str, None] = {}
    words: set[str] = set()
    with quiet():
        for part in (getattr(ds, "file_meta", None), ds):
            for identifying in _walk(part, 0, frozenset()) if part is not None else ():
                values.update(dict.fromkeys(identifying.values))
                words.update(identifying.words)
    return values, words


class IdentifyingValues(NamedTuple):
    """The identifying values of one element, and the words of person names and of the patient's identifiers."""

    values: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


_NOTHING = IdentifyingValues()


@lru_cache(maxsize=8192)
def _forms(value: str) -> tuple[str, str]:
    """An identifying value as a phrase to search for, and its digits; "" if too short, or too few or many digits."""
    phrase = folded(value) if len(value) >= _MIN_PHRASE and not re.fullmatch(r"[\d.]+", value) else ""
    digits = re.sub(r"[^0-9]", "", value).lstrip("0")
    return phrase, digits if _MIN_DIGITS <= len(digits) <= 16 else ""


def _values_of(kind: Kind, texts: Iterable[str]) -> IdentifyingValues:
    values: dict[str, None] = {}
    words: dict[str, None] = {}
    for value in (each for text in texts for each in dict.fromkeys((text, plain_text(text)))):
        for piece in (value, *_pieces(value)):
            clean = piece.strip(" \0\t\r\n^=")
            if len(clean) >= (_MIN_LENGTH if clean.isascii() else 2) and not _generic(clean):
                values.setdefault(clean)
        if kind is Kind.PERSON:
            words |= dict.fromkeys(w for w in _words(value) if len(w) > 1 and w not in GENERIC_WORDS)
    return IdentifyingValues(tuple(values), tuple(words))


def folded(text: str) -> str:
    """Lower case without accents, the form in which words are compared."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in apart if not unicodedata.combining(c))


def _words(value: str) -> list[str]:
    return re.findall(r"[^\W_]+", folded(value))


class Kind(Enum):
    """How an attribute identifies: see `_kind`."""

    NOTHING = 0
    PERSON = 1  # a person's name, or an identifier of the patient
    PLACE = 2  # institutions, addresses, physicians' identifiers
    NUMBER = 3  # other identifiers: only values with a digit or a word that is not technical
    DATE = 4
    UID = 5
    UNKNOWN = 6  # not in the dictionary: only values that could be a name


@lru_cache(maxsize=8192)
def _kind(tag: int) -> Kind:
    """By the dictionary's attribute, independent of the file's VR."""
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


def _walk(ds: Dataset, depth: int, ancestors: frozenset[int]) -> Iterator[IdentifyingValues]:
    ancestors |= {id(ds)}  # a data set made in memory may contain itself
    for tag, stored in list(ds.items()):  # not the Dataset itself: iterating it parses, and may raise
        number = int(tag)
        if number >> 16 == 0x7FE0:
            continue
        vr = (stored.VR or _implied(number)) if isinstance(stored, RawDataElement) else None
        if vr and vr != "SQ" and isinstance(stored.value, bytes):
            identifying = (_from_bytes if len(stored.value) <= _MAX_CACHED else _from_bytes.__wrapped__)(
                number, vr, stored.value
            )
            if identifying is not None:
                if identifying is not _NOTHING:
                    yield identifying
                continue
        kind, data_element = _kind(number), element(ds, tag)
        if data_element is None:
            yield _values_of(kind, (v for v in _unparsed_strings(stored) if kind is Kind.PERSON or _could_name(v)))
        elif data_element.VR == "SQ":
            for item in data_element.value if depth < _MAX_DEPTH and isinstance(data_element.value, Items) else ():
                if id(item) not in ancestors:
                    yield from _walk(item, depth + 1, ancestors)
        elif not tag.is_private_creator:
            strings = [*_strings(data_element, kind not in (Kind.NOTHING, Kind.UNKNOWN))]
            if any("\ufffd" in each for each in strings):  # Latin-1 that is called UTF-8
                strings += _unparsed_strings(stored)
            yield _values_of(kind, _select(kind, strings, data_element.VR))


@lru_cache(maxsize=8192)
def _implied(tag: int) -> str | None:
    """The VR of a public element in a file with implicit VR (PS3.5 7.1.3)."""
    return dictionary_VR(tag) if not tag >> 16 & 1 and dictionary_has_tag(tag) else None


@lru_cache(maxsize=16384)
def _from_bytes(tag: int, vr: str, raw: bytes) -> IdentifyingValues | None:
    """The identifying values of an element from its bytes; None if these have to be parsed."""
    kind = _kind(tag)
    if _is_harmless_raw(kind, vr, raw):
        return _NOTHING
    texts = _ascii(vr, raw)
    if texts is None:
        return None
    creator = tag >> 16 & 1 and not tag & 0xFF00  # a private creator is a manufacturer's name
    return _NOTHING if creator else _values_of(kind, _select(kind, texts, vr))


_SKIPPED_VRS = frozenset(
    {"US", "SS", "UL", "SL", "FL", "FD", "CS", "DS", "IS", "AT", "OW", "OF", "OD", "UI", "TM", "AS"}
)
_NUMERIC = re.compile(rb"[-+0-9.eE\\ \0]*")
_DECIMALS = re.compile(rb" *[+-]?\d+\.?\d*(?:[eE][+-]?\d+)? *(?:\\ *[+-]?\d+\.?\d*(?:[eE][+-]?\d+)? *)*")


def _is_harmless_raw(kind: Kind, vr: str, raw: bytes) -> bool:
    """True for raw elements that need no parsing: the attribute does not identify and the bytes fit its VR."""
    if vr == "TM" and kind in (Kind.UNKNOWN, Kind.NOTHING):
        return is_time(raw.decode("latin-1"))
    if kind is Kind.UNKNOWN:  # most private elements are numbers and tables
        if vr == "DS" and _DECIMALS.fullmatch(raw):
            return True
        return vr in _SKIPPED_VRS and (vr not in ("DS", "IS", "CS", "UI", "TM", "AS") or len(raw) > 64)
    if kind is not Kind.NOTHING or vr == "UN":
        return False
    return vr not in ("DS", "IS") or _NUMERIC.fullmatch(raw) is not None


def _select(kind: Kind, texts: Iterable[str], vr: str) -> Iterator[str]:
    """The identifying values of an attribute of this kind, with the file's VR."""
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
    """The values of a raw element of a string VR in ASCII, which needs no parsing; None for any other."""
    if vr not in _STRING_VRS or not raw.isascii() or b"\x1b" in raw:
        return None
    text = raw.decode("ascii").strip(" \0\t\r\n")
    return text.split("\\") if text else []


def _unparsed_strings(raw: object) -> Iterator[str]:
    """The values of an element that does not parse, if its bytes are readable as text."""
    if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes):
        yield from _text_of(raw.value)


def _strings(data_element: DataElement, numbers: bool) -> Iterator[str]:
    """The values as text; with ``numbers`` also numeric ones, for identifying attributes with a numeric VR."""
    value: Any = data_element.value
    for each in [*value] if isinstance(value, (MultiValue, list, tuple)) else [value]:
        if isinstance(each, bytes):
            yield from _text_of(each)
        elif each is not None and (numbers or not isinstance(each, int | float)):
            yield str(each)


def _text_of(raw: bytes) -> list[str]:
    """The values of a byte string that is readable as text, else none."""
    text = raw[:_MAX_PRIVATE].decode("latin-1").strip(" \0")
    return text.split("\\") if text and text.isprintable() and len(raw) <= _MAX_PRIVATE else []


def _pieces(value: str) -> Iterator[str]:
    """The components of a person name, and its words: a report says "Mr Smith", not "SMITH^JOHN"."""
    if "^" in value or "=" in value:
        yield from value.split("=")  # alphabetic, ideographic and phonetic groups (PS3.5 6.2.1)
        for component in re.split(r"[\^=]", value):
            yield component
            yield from re.split(r"[\s,]+", component)
    elif re.fullmatch(r"[^\W\d_]+(?:_[^\W\d_]+)+", value):
        yield from value.split("_")


def _generic(value: str) -> bool:
    """True for values that identify nobody: all words generic, or one character repeated."""
    words = re.findall(r"[^\W_]+", value.casefold())
    return not words or all(w in GENERIC_WORDS for w in words) or len(set("".join(words))) == 1


def _could_name(value: str) -> bool:
    """False for private strings that are clearly technical: every word in the standard's vocabulary, or short codes."""
    if len(value) > _MAX_PRIVATE:
        return False
    if re.search(r"\d{5,}|\^|@", value):
        return not re.fullmatch(r"[-+]?\d*\.\d*(e[-+]?\d+)?", value.strip(), re.IGNORECASE)
    words = re.findall(r"[^\W\d_]{3,}", value.casefold())
    return bool(words) and not any(ch in value for ch in "{}<>=") and not any(w in technical_words() for w in words)
