"""The text of a DICOM structured report: its content tree (PS3.3 C.17.3) as a report with headings.

A container's concept name is a heading, a text item is its text, under its own concept name where that says more;
codes and measurements are a line each ("Diameter: 12 mm"). Who, when and which objects (PNAME, DATE, UIDREF, IMAGE ...)
are no words of the report: they are identities.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from curate.deid.header.phi import identifying_values
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import open_dicom, text, value
from curate.sources.reports.text.section import canonical

# Basic Text, Enhanced, Comprehensive, Comprehensive 3D and Extensible SR (PS3.4 annex B.5)
REPORT_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.88.{n}" for n in (11, 22, 33, 34, 35))
_MAX_BYTES = 1 << 26
_DEEPEST = 64


def read_structured(path: Path) -> tuple[str, dict[str, str], tuple[str, ...]]:
    """The report in a DICOM file: what it says; accession, study, patient and date, "" where the header says nothing;
    and every identifying value. All of it is PHI.

    Raises DropRecord: REFUSED_KIND where the file is no report of a class that holds text (images, dose, key objects);
    UNREADABLE_FILE, EMPTY_FILE, BAD_HEADER, TRUNCATED, TOO_LARGE.
    """
    with open_dicom(path, _MAX_BYTES) as file:
        ds = file.dataset
    if text(ds, "SOPClassUID") not in REPORT_CLASSES:
        raise DropRecord(Reason.REFUSED_KIND)
    lines = [line for item in _items(ds) for line in _lines(item, "", 0)]
    keywords = {"accession": "AccessionNumber", "study": "StudyInstanceUID", "patient": "PatientID"}
    known = {name: text(ds, keyword) for name, keyword in keywords.items()}
    known["date"] = text(ds, "StudyDate") or text(ds, "ContentDate")
    return "\n".join(lines).strip(), known, tuple(identifying_values(ds))


def _lines(item: Dataset, section: str, depth: int) -> Iterator[str]:
    """The lines of one item and those below it; ``section`` is the heading that they stand under."""
    if depth > _DEEPEST or text(item, "RelationshipType") in ("HAS OBS CONTEXT", "HAS ACQ CONTEXT", "HAS CONCEPT MOD"):
        return
    name, kind = _meaning(item, "ConceptNameCodeSequence"), text(item, "ValueType").upper()
    statement = _statement(item, kind)
    if kind == "CONTAINER" and name:
        yield from ("", f"{name.upper()}:")
    elif statement:
        same = not name or _section(name) == section
        yield statement if same else f"{name}: {statement}"
    below = _section(name) if kind == "CONTAINER" and name else section
    for each in _items(item):
        yield from _lines(each, below, depth + 1)


def _statement(item: Dataset, kind: str) -> str:
    if kind == "TEXT":
        return text(item, "TextValue")
    if kind == "CODE":
        return _meaning(item, "ConceptCodeSequence")
    if kind == "NUM":
        measured = _first(item, "MeasuredValueSequence")
        unit = _first(measured, "MeasurementUnitsCodeSequence")
        code = text(unit, "CodeValue")
        return f"{text(measured, 'NumericValue')} {'' if code == '1' else code}".strip()
    return ""


def _section(name: str) -> str:
    """What a concept name stands for: a "Finding" is of the findings."""
    return canonical(name) or name.casefold()


def _meaning(item: Dataset, keyword: str) -> str:
    return text(_first(item, keyword), "CodeMeaning")


def _first(item: Dataset, keyword: str) -> Dataset:
    found: Any = value(item, keyword)
    return found[0] if isinstance(found, Sequence) and len(found) else Dataset()


def _items(item: Dataset) -> list[Dataset]:
    found: Any = value(item, "ContentSequence")
    return list(found) if isinstance(found, Sequence) else []
