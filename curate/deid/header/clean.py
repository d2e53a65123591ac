"""DICOM headers: an allow-list (`curate.deid.header.allowed`) tighter than the Basic Profile of PS3.15 Annex E.

What is not known to be harmless is not copied: the lists are of what stays, never of what goes. So private groups,
curves, overlays, UN elements, new attributes of a later edition and malformed ones all fall away by themselves.
The options taken are Retain Longitudinal Temporal Information with Modified Dates and Retain Patient Characteristics.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.tag import Tag
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.deid.header import allowed
from curate.deid.header.phi import identifying_values
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import UNPARSEABLE, element, quiet

__all__ = ["attributes", "clean_header", "identifying_values"]

_MAX_DEPTH = 6  # the deepest allow-listed nesting of an enhanced multi-frame object is 4
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_OLDEST = 90  # HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C): ages over 89 are one class
_TOKEN_DIGITS = 5  # a number this long that is also an identifier of the patient is taken for the identifier


def clean_header(ds: Dataset, pseudo: Pseudonymizer) -> Dataset:
    """A new Dataset with only the allow-listed attributes of ``ds``, at any depth (PS3.15 Annex E, Basic Profile).

    UIDs are remapped, dates moved by the patient's shift (dropped where the file names no patient), times dropped,
    ages of 90 and over set to 090Y, coded strings kept only from their defined terms, code sequences only from their
    context groups with the meaning of the standard. Pixel data, LUTs and palettes are not header and are not copied.
    ``ds`` is not changed. Nothing is raised for malformed elements; they are absent.
    """
    with quiet():
        patient = _text(ds, "PatientID")
        digits = frozenset(v for v in identifying_values(ds) if v.isdigit() and len(v) >= _TOKEN_DIGITS)
        out = _clean(ds, _Context(pseudo, patient, digits), 0)
        pseudonym = pseudo.key("patient", patient) if patient else ""
        out.PatientID = out.PatientName = pseudonym
        out.PatientIdentityRemoved = "YES"
        out.LongitudinalTemporalInformationModified = "MODIFIED" if patient else "REMOVED"
        out.DeidentificationMethodCodeSequence = Items([_code(Code(v, "DCM", m)) for v, m in allowed.METHOD_CODES])
    return out


def attributes(ds: Dataset, pseudo: Pseudonymizer) -> dict[str, str | int | None]:
    """What a record says of its image, from a source header: modality, body_part, view, laterality, sex, age, date.

    Every string is a defined term of DICOM, or None. ``age`` is in whole years, 90 standing for 90 and over; ``date``
    is the study's (else series', acquisition's, content's) moved by the patient's shift, YYYY-MM-DD, None where the
    file names no patient to shift by.
    """
    with quiet():
        patient = _text(ds, "PatientID")
        sides = (_term(ds, k) for k in ("ImageLaterality", "Laterality", "FrameLaterality"))
        dates = (pseudo.shift_date(patient, d) for k in _DATE_ORDER if (d := _date(ds, k)) and patient)
        return {
            "modality": _term(ds, "Modality"),
            "body_part": _term(ds, "BodyPartExamined") or _coded(ds, "AnatomicRegionSequence", _body_part),
            "view": _term(ds, "ViewPosition") or _coded(ds, "ViewCodeSequence", allowed.VIEW_OF_MEANING.get),
            "laterality": next((s for s in sides if s), None),
            "sex": _term(ds, "PatientSex"),
            "age": _age(ds),
            "date": next((d for d in dates if d), None),
        }


_DATE_ORDER = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")


class _Context:
    """What every level of the recursion needs: the pseudonyms, the patient, and the patient's own numbers."""

    def __init__(self, pseudo: Pseudonymizer, patient: str, digits: frozenset[str]) -> None:
        self.pseudo, self.patient, self.digits = pseudo, patient, digits


def _clean(ds: Dataset, context: _Context, depth: int) -> Dataset:
    out = Dataset()
    for tag in list(ds.keys()):  # not elements: iterating a Dataset parses, and may raise
        keyword = keyword_for_tag(tag)
        if keyword not in _KNOWN:
            continue
        found = element(ds, tag)
        if found is None or found.VR not in _vrs(keyword):
            continue
        value = _cleaned(keyword, found, context, depth)
        if value is not None:
            setattr(out, keyword, value)
    return out


def _cleaned(keyword: str, found: DataElement, context: _Context, depth: int) -> object:
    """The value to write for an allow-listed attribute, or None where it is not to be trusted."""
    if keyword in allowed.NUMBERS:
        return _numbers(found, context.digits)
    if keyword in allowed.TERMS:
        return _terms(found, allowed.TERMS[keyword])
    if keyword in allowed.UIDS:
        uid = str(found.value or "").strip()
        return context.pseudo.uid(uid) if uid else None
    if keyword in allowed.CLASS_UIDS:
        return str(found.value) if str(found.value) in UID_dictionary else None
    if keyword in allowed.DATES:
        moved = context.pseudo.shift_date(context.patient, str(found.value)) if context.patient else None
        return moved.replace("-", "") if moved and _DATE.fullmatch(str(found.value).strip()) else None
    if keyword == "PatientAge":
        return _age_string(str(found.value))
    if keyword == "Manufacturer":
        return _manufacturer(str(found.value))
    if keyword in allowed.CODES:
        return Items([_code(c) for item in found.value if (c := _known_code(item, keyword))]) or None
    if depth >= _MAX_DEPTH:
        return None
    return Items([_clean(item, context, depth + 1) for item in found.value])


_KNOWN = frozenset(
    {*allowed.NUMBERS, *allowed.TERMS, *allowed.UIDS, *allowed.CLASS_UIDS, *allowed.DATES, *allowed.SEQUENCES}
    | {*allowed.CODES, "PatientAge", "Manufacturer"}
)


@cache
def _vrs(keyword: str) -> frozenset[str]:
    """The VRs the standard gives the attribute; another VR in the file means its bytes are something else."""
    return frozenset(dictionary_VR(keyword).split(" or "))


@cache
def _most_values(keyword: str) -> int:
    last = dictionary_VM(keyword).split("-")[-1]
    return int(last) if last.isdigit() else 32


def _values(found: DataElement) -> list[Any]:
    value = found.value
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (MultiValue, list, tuple)) else [value]


def _numbers(found: DataElement, digits: frozenset[str]) -> object:
    """The value unchanged where it is finite numbers, not too many, and none an identifier of the patient."""
    values = _values(found)
    if not values or len(values) > _most_values(found.keyword):
        return None
    for value in values:
        try:
            number = float(value)
        except UNPARSEABLE:
            return None
        if not math.isfinite(number) or (number.is_integer() and str(abs(int(number))) in digits):
            return None
    if found.VR in ("DS", "IS"):
        return [str(v) if len(str(v)) <= 16 else f"{float(v):.9g}" for v in values]
    return found.value


def _terms(found: DataElement, terms: frozenset[str]) -> list[str] | None:
    """Those values that are defined terms; a value that is not is left empty so that the others keep their place."""
    kept = [v if (v := str(x).strip().upper()) in terms else "" for x in _values(found)]
    return kept[: _most_values(found.keyword)] if any(kept) else None


def _term(ds: Dataset, keyword: str) -> str | None:
    """The first value of a CS attribute of ``ds`` if it is a defined term, else None."""
    value = _text(ds, keyword).upper()
    return value if value in allowed.TERMS[keyword] else None


def _find(ds: Dataset, keyword: str) -> DataElement | None:
    tag = Tag(keyword)
    return element(ds, tag) if tag in ds else None


def _text(ds: Dataset, keyword: str) -> str:
    """The first value of an attribute as a stripped string; empty where absent or malformed."""
    found = _find(ds, keyword)
    values = _values(found) if found is not None else []
    return str(values[0]).strip(" \0\t\r\n") if values else ""


def _date(ds: Dataset, keyword: str) -> str | None:
    value = _text(ds, keyword)
    return value if _DATE.fullmatch(value) else None


def _age_string(value: str) -> str | None:
    """PS3.5 AS with ages of 90 years and over as 090Y, whatever unit they came in."""
    match = _AGE.fullmatch(value.strip().upper())
    if match is None:
        return None
    return "090Y" if _years(match) >= _OLDEST else f"{int(match[1]):03d}{match[2]}"


def _years(match: re.Match[str]) -> int:
    return int(int(match[1]) / {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}[match[2]])


def _age(ds: Dataset) -> int | None:
    match = _AGE.fullmatch(_text(ds, "PatientAge").upper())
    if match is not None:
        return min(_years(match), _OLDEST)
    born, seen = _date(ds, "PatientBirthDate"), next((d for k in _DATE_ORDER if (d := _date(ds, k))), None)
    if born is None or seen is None:
        return None
    born, seen = born.replace(".", ""), seen.replace(".", "")
    years = int(seen[:4]) - int(born[:4]) - (seen[4:] < born[4:])
    return min(years, _OLDEST) if 0 <= years < 130 else None


def _manufacturer(value: str) -> str | None:
    spelled = value.strip().casefold() + " "
    return next((name for start, name in allowed.MANUFACTURERS if spelled.startswith(start)), None)


def _code(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


@lru_cache(maxsize=4096)
def _registered(keyword: str, value: str, scheme: str) -> Code | None:
    """The context groups' own Code of this value. By equality: a Code equals its SNOMED-RT twin."""
    value, scheme = allowed.SUPERSEDED.get((value, scheme), (value, scheme))
    wanted = Code(value, scheme, "")
    groups = (getattr(codes, name).concepts.values() for name in allowed.CODES[keyword])
    return next((code for group in groups for code in group if wanted == code), None)


def _known_code(item: Dataset, keyword: str) -> Code | None:
    """The code of a code-sequence item in the standard's words, or None where its context groups lack it."""
    return _registered(keyword, _text(item, "CodeValue"), _text(item, "CodingSchemeDesignator"))


def _coded(ds: Dataset, keyword: str, term: Callable[[str], str | None]) -> str | None:
    """``term`` of the first code meaning of a code sequence that has one."""
    return next((t for meaning in _meanings(ds, keyword) if (t := term(meaning.casefold()))), None)


def _meanings(ds: Dataset, keyword: str) -> Iterator[str]:
    found = _find(ds, keyword)
    if found is not None and found.VR == "SQ":
        yield from (c.meaning for item in found.value if (c := _known_code(item, keyword)))


def _body_part(meaning: str) -> str | None:
    term = re.sub(r"[^A-Z]", "", meaning.upper()).replace("THORAX", "CHEST")
    return term if term in allowed.BODY_PARTS else None
