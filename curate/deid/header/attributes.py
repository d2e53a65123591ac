"""Attributes of a record's image from the source header: defined terms, an age, a shifted date."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.tag import Tag

from curate.deid.header import allowed
from curate.deid.header.method_attributes import patient_of
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import element, quiet

_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_MAX_AGE = 90  # HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C): ages over 89 are one class


def attributes(ds: Dataset, pseudo: Pseudonymizer, patient: str | None = None) -> dict[str, str | int | None]:
    """modality, body_part, view, laterality, sex, age and date of a record's image, from a source header.

    Every string is a defined term of DICOM, or None. ``age`` is in whole years, 90 meaning 90 and over; ``date`` is the
    study's (else series', acquisition's, content's), shifted for ``patient`` or else for the file's patient
    (`patient_of`), YYYY-MM-DD; None if there is none.
    """
    with quiet():
        patient_id = patient_of(ds) if patient is None else patient
        sides = (_term(ds, k) for k in ("ImageLaterality", "Laterality", "FrameLaterality"))
        dates = (pseudo.shift_date(patient_id, d) for k in _DATE_ORDER if (d := _date(ds, k)) and patient_id)
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


def _age(ds: Dataset) -> int | None:
    match = _AGE.fullmatch(_text(ds, "PatientAge").upper())
    if match is not None:
        return min(_years(match), _MAX_AGE)
    birth_date, study_date = _date(ds, "PatientBirthDate"), next((d for k in _DATE_ORDER if (d := _date(ds, k))), None)
    if birth_date is None or study_date is None:
        return None
    birth_date, study_date = birth_date.replace(".", ""), study_date.replace(".", "")
    years = int(study_date[:4]) - int(birth_date[:4]) - (study_date[4:] < birth_date[4:])
    return min(years, _MAX_AGE) if 0 <= years < 130 else None


def _years(match: re.Match[str]) -> int:
    return int(int(match[1]) / {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}[match[2]])


def _values(data_element: DataElement) -> list[Any]:
    value = data_element.value
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (MultiValue, list, tuple)) else [value]


def _term(ds: Dataset, keyword: str) -> str | None:
    """The first value of a CS attribute of ``ds`` if it is a defined term, else None."""
    value = _text(ds, keyword).upper()
    return value if value in allowed.TERMS[keyword] else None


def _find(ds: Dataset, keyword: str) -> DataElement | None:
    tag = Tag(keyword)
    return element(ds, tag) if tag in ds else None


def _text(ds: Dataset, keyword: str) -> str:
    """The first value of an attribute as a stripped string; empty if absent or malformed."""
    data_element = _find(ds, keyword)
    values = _values(data_element) if data_element is not None else []
    return str(values[0]).strip(" \0\t\r\n") if values else ""


def _date(ds: Dataset, keyword: str) -> str | None:
    value = _text(ds, keyword)
    return value if _DATE.fullmatch(value) else None


@lru_cache(maxsize=4096)
def _registered(keyword: str, value: str, scheme: str) -> Code | None:
    """The Code of this value in the attribute's context groups. By equality: a Code equals its SNOMED-RT equivalent."""
    value, scheme = allowed.SUPERSEDED.get((value, scheme), (value, scheme))
    wanted = Code(value, scheme, "")
    groups = (getattr(codes, name).concepts.values() for name in allowed.CODES[keyword])
    return next((code for group in groups for code in group if wanted == code), None)


def _known_code(item: Dataset, keyword: str) -> Code | None:
    """The code of a code-sequence item in the standard's words, or None if its context groups do not have it."""
    return _registered(keyword, _text(item, "CodeValue"), _text(item, "CodingSchemeDesignator"))


def _coded(ds: Dataset, keyword: str, term: Callable[[str], str | None]) -> str | None:
    """``term`` of the first code meaning of a code sequence that has one."""
    return next((t for meaning in _meanings(ds, keyword) if (t := term(meaning.casefold()))), None)


def _meanings(ds: Dataset, keyword: str) -> Iterator[str]:
    data_element = _find(ds, keyword)
    if data_element is not None and data_element.VR == "SQ":
        yield from (c.meaning for item in data_element.value if (c := _known_code(item, keyword)))


def _body_part(meaning: str) -> str | None:
    term = re.sub(r"[^A-Z]", "", meaning.upper()).replace("THORAX", "CHEST")
    return term if term in allowed.BODY_PARTS else None
