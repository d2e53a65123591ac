"""The whole data dictionary: one identity in every attribute of a VR at once, at the top level and in an item."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from benchmarks.deid.header.cases.build import Built, base_ct, one, written
from benchmarks.deid.plant import Ledger

_KEEP = {"SpecificCharacterSet", "TransferSyntaxUID", "SOPClassUID", "PhotometricInterpretation", "PixelSpacing",
         "NumberOfFrames", "Modality"}  # fmt: skip


def _of(vrs: Iterable[str]) -> list[tuple[int, str]]:
    wanted = set(vrs)
    return [
        (tag, vr)
        for tag, (vr, _, _, _, keyword) in sorted(DicomDictionary.items())
        if vr in wanted and keyword not in _KEEP and tag >> 16 not in (0x0000, 0x0002, 0xFFFE, 0x7FE0, 0x0004)
        and "class" not in keyword.lower()
    ]  # fmt: skip


def _fill(ds: Dataset, vrs: Iterable[str], value: object) -> None:
    for tag, vr in _of(vrs):
        ds[Tag(tag)] = DataElement(Tag(tag), vr, value, validation_mode=0)


def _swept(p: Ledger, vrs: Iterable[str], value: object) -> Built:
    ds = base_ct(p)
    _fill(ds, vrs, value)
    return one(written(ds))


def every_person_name(p: Ledger) -> Built:
    return _swept(p, ["PN"], p.name())


def every_text(p: Ledger) -> Built:
    return _swept(p, ["LO", "LT", "ST", "UT", "UC", "SH"], p.name("{s}"))


def every_text_a_common_name(p: Ledger) -> Built:
    return _swept(p, ["LO", "LT", "ST", "UT", "UC", "SH"], p.plant("HARRISON"))


def every_code_string(p: Ledger) -> Built:
    return _swept(p, ["CS", "AE", "UR"], p.plant("QUILLFEATHER"))


def every_uid(p: Ledger) -> Built:
    return _swept(p, ["UI"], p.uid())


def every_date(p: Ledger) -> Built:
    ds, day = base_ct(p), p.date(2012, 2020)
    _fill(ds, ["DA"], day)
    _fill(ds, ["DT"], day + "120000")
    return one(written(ds))


def every_number(p: Ledger) -> Built:
    """The patient's number in every decimal and integer string that says nothing of how the pixels lie."""
    ds, digits = base_ct(p), p.number("#######")
    ds.PatientID = digits
    _fill(ds, ["IS", "DS"], digits)
    return one(written(ds))


def every_sequence(p: Ledger) -> Built:
    """A name, a number and a description in an item of every sequence of the dictionary."""
    ds, name, number = base_ct(p), p.name(), p.number("SQ#######")
    for tag, _ in _of(["SQ"]):
        inner = Dataset()
        inner.PatientName, inner.PatientID, inner.ReferencedSOPInstanceUID = name, number, p.strings[0]
        inner.CodeMeaning = inner.TextValue = name
        ds.add_new(Tag(tag), "SQ", [inner])
    return one(written(ds))


CASES = (every_person_name, every_text, every_text_a_common_name, every_code_string, every_uid, every_date,
         every_number, every_sequence)  # fmt: skip
