"""Each rule of the header cleaner switched off in turn: the verifier must notice every one.

A mutant is a properly cleaned file with one element of its source carried over as it was, which is what a rule that is
off leaves behind: one mutant an attribute of PS3.15 Table E.1-1, at the top level and inside a sequence.
"""

from __future__ import annotations

import io
from functools import cache

import pytest
from pydicom import dcmwrite
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from curate.deid.header.clean import clean_header
from curate.deid.header.table import rows
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import quiet
from curate.deid.rules import HeaderRules
from curate.deid.verify.dicom.findings import dicom_findings
from curate.deid.verify.finding import Finding

PSEUDO = Pseudonymizer(b"0123456789abcdef")
TEXT = "seen with Zebulon Quarrington"
PLANTED = {
    "PN": "QUARRINGTON^ZEBULON", "LO": TEXT, "ST": TEXT, "LT": TEXT, "UT": TEXT, "UC": TEXT, "SH": "Quarrington Zeb",
    "UI": "1.2.826.0.1.3680043.9.7241.4711.5", "DA": "20190507", "DT": "20190507101530.123456", "TM": "101530.123456",
    "AS": "057Y", "AE": "QUARRINGTON_WS", "CS": "QUARRINGTON",
    "UR": "https://pacs.quarrington.example/a", "DS": "71.375", "IS": "4711023", "OB": b"Quarrington^Zebulon\0",
    "OW": b"Quarrington^Zebulon\0", "OB or OW": b"Quarrington^Zebulon\0",
    "US": 4711, "UL": 4711023, "FL": 71.375, "FD": 71.375, "SS": 4711, "SL": 4711023, "AT": 0x00100010,
    "UN": b"Quarrington^Zebulon\0",
}  # fmt: skip
# Attributes of the table that hold a number of physics or of bookkeeping, with why their value tells of no one.
TECHNICAL = {
    "DS": "a measured quantity", "FL": "a measured quantity", "FD": "a measured quantity", "US": "a count or a flag",
    "UL": "an offset or a count", "SS": "a count", "SL": "a count", "AT": "the tag of an attribute",
}  # fmt: skip


def source() -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.9.7241.1"
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.0.1.3680043.9.7241.2", "1.2.826.0.1.3680043.9.7241.3"
    ds.PatientName, ds.PatientID = "VANDERBEEK^WILHELMINA", "HX-4471203"
    ds.PatientBirthDate, ds.StudyDate, ds.StudyTime, ds.Modality = "19610214", "20180329", "084512", "CT"
    ds.StudyDescription, ds.BodyPartExamined, ds.Manufacturer = "CT chest with contrast", "CHEST", "SIEMENS"
    ds.AccessionNumber, ds.PatientAge, ds.PatientSex = "ACC7741902", "057Y", "F"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 4, 4, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    return ds


@cache
def cleaned(*retain: str) -> Dataset:
    return clean_header(source(), PSEUDO, HeaderRules(retain=retain)).dataset


def copied(ds: Dataset) -> Dataset:
    """A Dataset of its own: ``Dataset(ds)`` shares its elements with ``ds``."""
    out = Dataset()
    out.update(ds)
    return out


def written(ds: Dataset, preamble: bytes = bytes(128), syntax: str = "1.2.840.10008.1.2.1") -> bytes:
    """``ds`` as a Part 10 file; the 4 x 4 pixels it gets where it has none are of 12 bits in 16."""
    out = copied(ds)
    if 0x7FE00010 not in out:
        out.add_new(0x7FE00010, "OW", bytes(b & (0x0F if i % 2 else 0xFF) for i, b in enumerate(bytes(range(16)) * 2)))
    out.file_meta = FileMetaDataset()
    out.file_meta.MediaStorageSOPClassUID, out.file_meta.MediaStorageSOPInstanceUID = (
        out.SOPClassUID,
        out.SOPInstanceUID,
    )
    out.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    out.preamble = preamble
    with quiet():
        dcmwrite(buffer, out, enforce_file_format=True)
    return buffer.getvalue()


def vr_of(tag: int) -> str:
    """The dictionary's VR; LO for attributes of an edition newer than the dictionary, OW for curves and overlays."""
    if tag >> 16 in (0x5000, 0x6000):
        return "OW"
    return dictionary_VR(tag) if dictionary_has_tag(tag) else "LO"


def planted(tag: int, vr: str) -> DataElement:
    """The element with a value that identifies, as its VR writes one; a sequence holds an item that does."""
    if vr == "SQ":
        item = Dataset()
        item.PersonName, item.InstitutionName = PLANTED["PN"], "Zebulon Quarrington Memorial"
        return DataElement(tag, "SQ", Sequence([item]))
    return DataElement(tag, vr.split(" or ")[0], PLANTED[vr])


def inside(element: DataElement) -> Dataset:
    """A dataset that holds the element within an item of a sequence that cleaned files have."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "39607008", "SCT", "Lung"
    item.add(element)
    outer = Dataset()
    outer.AnatomicRegionSequence = Sequence([item])
    return outer


def mutants(retain: tuple[str, ...]) -> tuple[int, list[str], list[str]]:
    """(noticed, survivors, exempt) over all attributes of the table that are elements of their own."""
    noticed, survived, exempt = 0, [], []
    for row in rows():
        if row.tag == "odd":
            continue
        tag = int(row.tag.replace("x", "0"), 16)
        tag |= 0 if tag & 0xFFFF else 0x3000  # any element of a curve: its data
        vr = vr_of(tag)
        if tag >> 16 in (0x0000, 0xFFFA, 0xFFFC) or (tag in source() and tag != 0x00101010) or tag >> 16 in (2, 4):
            continue
        element = planted(tag, vr)
        for where in ("top", "nested"):
            carried = inside(element) if where == "nested" else Dataset()
            carried.add(element) if where == "top" else None
            before, after = source(), copied(cleaned(*retain))
            before.update(carried)
            after.update(carried)
            if any(f is not Finding.UNPROVABLE for f in dicom_findings(written(after), before, retain=retain)):
                noticed += 1
            elif vr in TECHNICAL:
                exempt.append(f"{row.keyword} {where}: {TECHNICAL[vr]}")
            else:
                survived.append(f"{row.keyword} {vr} {where}")
    return noticed, survived, exempt


def test_what_is_properly_cleaned_is_quiet():
    for retain in ((), ("dates",), ("dates", "patient_characteristics"), ("uids",)):
        assert dicom_findings(written(cleaned(*retain)), source(), retain=retain) == ()


def test_what_was_never_identifying_is_quiet_when_carried_over():
    before, after = source(), copied(cleaned())
    for carried in (inside(DataElement(0x00080103, "SH", "1")), inside(DataElement(0x00181151, "IS", "250"))):
        before.update(carried)
        after.update(carried)
        assert dicom_findings(written(after), before) == ()


def test_every_attribute_of_the_profile_carried_over_is_noticed(capsys):
    noticed, survived, exempt = mutants(())
    with capsys.disabled():
        print(f"\nheader mutants: {noticed} of {noticed + len(survived)} noticed, {len(exempt)} exempt as technical")
    assert survived == []
    assert noticed > 1000
    assert len(exempt) < 60, exempt


@pytest.mark.parametrize("vr", ["DA", "DT"])
def test_dates_that_should_have_been_shifted_are_noticed(vr):
    retain = ("dates", "patient_characteristics")
    for row in rows():
        tag = int(row.tag, 16) if row.tag.isalnum() and "x" not in row.tag and row.tag != "odd" else 0
        if tag and vr_of(tag) == vr:
            before, after = source(), copied(cleaned(*retain))
            before.add(planted(tag, vr))
            after.add(planted(tag, vr))
            assert {Finding.DATE, Finding.BIRTH} & set(dicom_findings(written(after), before, retain=retain)), (
                row.keyword
            )
