"""Attributes of a record's image from the source header: defined terms, an age, a shifted date."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.tag import Tag

from curate.deid.header import allowed
from curate.deid.header.checks import AGE, MAX_AGE, years
from curate.deid.header.method_attributes import patient_of
from curate.deid.header.values import first_text, value_of
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import quiet

_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")  # in this order


def attributes(ds: Dataset, pseudo: Pseudonymizer, patient: str | None = None) -> dict[str, str | int | None]:
    """modality, body_part, view, laterality, sex, age and date of a record's image, from a source header.

    Every string is a defined term of DICOM, or None. ``age`` is in whole years, 90 meaning 90 and over; ``date`` is the
    study's (else series', acquisition's, content's), shifted for ``patient`` or else for the file's patient
    (`patient_of`), YYYY-MM-DD; None if there is none.
    """
    with quiet():
        patient_id = patient_of(ds) if patient is None else patient
        dates = [date for keyword in _DATES if _DATE.fullmatch(date := _text(ds, keyword))]
        shifted = (pseudo.shift_date(patient_id, date) for date in dates if patient_id)
        sides = (_term(ds, k) for k in ("ImageLaterality", "Laterality", "FrameLaterality"))
        return {
            "modality": _term(ds, "Modality"),
            "body_part": _term(ds, "BodyPartExamined") or _coded(ds, "AnatomicRegionSequence", _body_part),
            "view": _term(ds, "ViewPosition") or _coded(ds, "ViewCodeSequence", allowed.VIEW_OF_MEANING.get),
            "laterality": next(filter(None, sides), None),
            "sex": _term(ds, "PatientSex"),
            "age": _age(ds, dates),
            "date": next(filter(None, shifted), None),
        }


def _age(ds: Dataset, dates: list[str]) -> int | None:
    match = AGE.fullmatch(_text(ds, "PatientAge").upper())
    if match is not None:
        return min(years(match), MAX_AGE)
    birth = _DATE.fullmatch(_text(ds, "PatientBirthDate"))
    if birth is None or not dates:
        return None
    born, day = "".join(birth.groups()), dates[0].replace(".", "")
    age = int(day[:4]) - int(born[:4]) - (day[4:] < born[4:])
    return min(age, MAX_AGE) if 0 <= age < 130 else None


def _text(ds: Dataset, keyword: str) -> str:
    return first_text(ds, Tag(keyword), "CS")


def _term(ds: Dataset, keyword: str) -> str | None:
    """The first value of a CS attribute if it is a defined term, else None."""
    value = _text(ds, keyword).upper()
    return value if value in allowed.TERMS[keyword] else None


@lru_cache(maxsize=4096)
def _registered(keyword: str, value: str, scheme: str) -> Code | None:
    """The Code of this value in the attribute's context groups. By equality: a Code equals its SNOMED-RT equivalent."""
    wanted = Code(*allowed.SUPERSEDED.get((value, scheme), (value, scheme)), "")
    groups = (getattr(codes, name).concepts.values() for name in allowed.CODES[keyword])
    return next((code for group in groups for code in group if wanted == code), None)


def _coded(ds: Dataset, keyword: str, term: Callable[[str], str | None]) -> str | None:
    """``term`` of the first code of a code sequence that has one, by its meaning in the standard's words."""
    items = value_of(ds, Tag(keyword), "SQ")
    for item in items if isinstance(items, list) else ():
        assert isinstance(item, Dataset)
        code = _registered(keyword, _text(item, "CodeValue"), _text(item, "CodingSchemeDesignator"))
        if code is not None and (found := term(code.meaning.casefold())):
            return found
    return None


def _body_part(meaning: str) -> str | None:
    term = re.sub(r"[^A-Z]", "", meaning.upper()).replace("THORAX", "CHEST")
    return term if term in allowed.BODY_PARTS else None
