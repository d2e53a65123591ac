"""The identifying values of a source header: what is searched for in report text and in everything written.

The opposite of `curate.deid.header.clean`: there a value must be known harmless to stay, here one must be known
generic to be left out. Values live in memory only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydicom.datadict import DicomDictionary, keyword_for_tag  # type: ignore[attr-defined]
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sr.codedict import codes
from pydicom.tag import BaseTag
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.deid.quiet import UNPARSEABLE, element, quiet

_SHORTEST = 3
_MAX_DEPTH = 16
_LONGEST_PRIVATE = 256  # longer private strings are tables and protocols, not values that recur in a report
_PEOPLE_AND_PLACES = re.compile(
    r"Physician|Operator|Person|Patient.*Name|Institution|Department|Address|Telephone|Telecom|Station|Serial|Accession"
    r"|Issuer|Location|Residence|Identifi|Insurance|Locator|Organization|Responsible|Requester|Performer|Verifying"
    r"|Author|Scheduled.*Name|Service$|Title$|OrderNumber|Occupation|Mother|Owner|Contact|IDs?$|UDI|DeviceUID"
)
_PLACES = re.compile(r"Institution|Department|Address|Location|Residence|Physician|Person|Name|Operator")
_TECHNICAL = re.compile(r"Tracking|Technique|Sequence|Organ$|Coding|CodingScheme|PrivateCreator|TransferSyntax")
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


def identifying_values(ds: Dataset) -> list[str]:
    """Every identifying value of a source header, its file meta included, in the header's order, without repeats.

    Person names whole ("SMITH^JOHN") and in parts, identifiers, UIDs of instances, dates (DA, and the date of DT),
    institutions, physicians, addresses, telephone and serial numbers, and private strings that could name someone, at
    any depth. Values under 3 characters (2 outside ASCII) and generic ones ("CT", "NONE") are left out.
    Never raises for malformed elements: their raw bytes are taken as Latin-1.
    """
    found: dict[str, None] = {}
    with quiet():
        for part in (getattr(ds, "file_meta", None), ds):
            for value in _walk(part, 0) if part is not None else ():
                for piece in (value, *_pieces(value)):
                    clean = piece.strip(" \0\t\r\n^=")
                    if len(clean) >= (_SHORTEST if clean.isascii() else 2) and not _generic(clean):
                        found.setdefault(clean)
    return list(found)


def _walk(ds: Dataset, depth: int) -> Iterator[str]:
    for tag in list(ds.keys()):  # not elements: iterating a Dataset parses, and may raise
        if tag.group == 0x7FE0:
            continue
        found = element(ds, tag)
        if found is None:
            yield from _raw(ds, tag)
        elif found.VR == "SQ":
            for item in found.value if depth < _MAX_DEPTH else ():
                yield from _walk(item, depth + 1)
        elif tag.is_private:
            yield from (v for v in _strings(found) if not tag.is_private_creator and _could_name(v))
        else:
            yield from _standard(found)


def _standard(found: DataElement) -> Iterator[str]:
    keyword = keyword_for_tag(found.tag)
    if found.VR == "UI":
        yield from (v for v in _strings(found) if v not in UID_dictionary)
    elif found.VR in ("DA", "DT"):
        yield from (v[:8] if v[:8].isdigit() else v for v in _strings(found))
    elif found.VR == "PN":
        yield from _strings(found)
    elif found.VR in _TEXT_VRS and _PEOPLE_AND_PLACES.search(keyword) and not _TECHNICAL.search(keyword):
        place = _PLACES.search(keyword) is not None
        yield from (v for v in _strings(found) if place or re.search(r"\d", v) or _could_name(v))
    elif found.VR == "UN":
        yield from (v for v in _strings(found) if _could_name(v))


def _raw(ds: Dataset, tag: BaseTag) -> Iterator[str]:
    """An element that does not parse: its bytes, where they read as a value that could name someone."""
    try:
        raw: object = ds.get_item(tag)
    except UNPARSEABLE:
        return
    if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes):
        yield from (v for v in _text_of(raw.value) if _could_name(v))


def _strings(found: DataElement) -> Iterator[str]:
    value: Any = found.value
    for each in [*value] if isinstance(value, (MultiValue, list, tuple)) else [value]:
        if isinstance(each, bytes):
            yield from _text_of(each)
        elif each is not None and not isinstance(each, int | float):
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


@cache
def technical_words() -> frozenset[str]:
    """Words of the standard's code meanings and attribute names (PS3.16, PS3.6): anatomy, procedures, physics."""
    names = " ".join(str(entry[2]) for entry in DicomDictionary.values())
    meanings = " ".join(_meanings())
    return frozenset(re.findall(r"[^\W\d_]{3,}", f"{names} {meanings}".casefold()))


def _meanings() -> Iterator[str]:
    for scheme in ("DCM", "SCT", "UCUM", "FMA", "UMLS", "NEU"):
        for name in getattr(codes, scheme).dir():
            yield re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
