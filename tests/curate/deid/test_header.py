"""Headers: nothing identifying passes the allow-list, and what does is in the standard's words."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import pydicom
import pytest
from pydantic import ValidationError
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage

from curate.deid.header.clean import attributes, clean_header, identifying_values, patient_of
from curate.deid.header.phi import identity
from curate.deid.quiet import quiet
from curate.deid.rules import HeaderRules
from curate.errors import DropRecord
from tests.curate.deid.header_objects import (
    EVERYTHING,
    NOTHING,
    PLANT,
    PSEUDO,
    cleaned,
    ct,
    raw,
    source,
    written,
)
from tests.realdata import real


def test_unknown_private_overlay_curve_and_vr_confused_elements_are_absent() -> None:
    ds = ct(PatientID="P1", KVP="120", SeriesNumber="4")
    for tag, vr, value in [
        (0x00091001, "LO", PLANT),
        (0x60000022, "LO", PLANT),
        (0x60023000, "OW", PLANT + " "),
        (0x50000020, "CS", PLANT.upper()),
        (0x00181030, "LO", PLANT),
        (0x0018FFFE, "UN", PLANT),
        (0x00181160, "UN", PLANT),
        (0x00181050, "DS", PLANT),  # a number that is none
        (0x00080060, "CS", PLANT.upper()),  # a Modality that is none
        (0xFFFCFFFC, "OB", PLANT + " "),
        (0x7FE00010, "OB", PLANT + " "),
        (0x00880200, "LO", PLANT),  # an icon
    ]:
        ds[tag] = raw(tag, vr, value)
    done = clean_header(ds, PSEUDO)
    out = done.dataset
    assert (out.KVP, out.SeriesNumber, out.Modality) == (120, 4, "OT")
    assert PLANT.upper() not in (written(out).decode("latin-1") + out.to_json()).upper()
    assert done.actions["remove private"] == 1 and done.actions["replace Modality"] == 1
    assert not [a for a in done.actions if PLANT.upper() in a.upper()]


def test_a_number_that_is_an_identifier_of_the_patient_is_not_copied() -> None:
    ds = ct(
        PatientID="00873245", InstanceNumber="873245", SeriesNumber="4", AcquisitionNumber="19570312", KVP="873245.0"
    )
    out = cleaned(ds)
    assert out.InstanceNumber is None and out.SeriesNumber == 4
    assert "KVP" not in out or out.KVP is None
    assert "19570312" not in out.to_json()
    assert "DoseCalibrationFactor" not in out


def test_a_name_in_the_bytes_of_a_number_is_not_copied() -> None:
    ds = ct(PatientName="SMITHERS^ANN")
    ds[0x00189345] = raw(0x00189345, "FD", b"SMITHERS")  # CTDIvol: 1.9e+117
    ds[0x00283002] = raw(0x00283002, "US", b"SMITHE")
    assert "CTDIvol" in cleaned(ct(CTDIvol=1.5))
    assert b"SMITHERS" not in written(cleaned(ds))


def test_uids_are_remapped_alike_everywhere_and_classes_stay() -> None:
    ds = ct(SOPInstanceUID="1.2.3.4", FrameOfReferenceUID="1.2.3.4", PatientID="P")
    ds.ReferencedImageSequence = Sequence(
        [source(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID="1.2.3.4")]
    )
    out = cleaned(ds)
    assert out.SOPClassUID == CTImageStorage
    assert out.SOPInstanceUID == out.FrameOfReferenceUID == PSEUDO.uid("1.2.3.4")
    assert out.ReferencedImageSequence[0].ReferencedSOPInstanceUID == PSEUDO.uid("1.2.3.4")
    assert cleaned(ds, HeaderRules(uid_root="1.2.826.0.1.3680043.10.99")).SOPInstanceUID.startswith(
        "1.2.826.0.1.3680043.10.99."
    )
    kept = cleaned(ds, HeaderRules(retain=("uids",)))
    assert kept.SOPInstanceUID == "1.2.3.4" == kept.ReferencedImageSequence[0].ReferencedSOPInstanceUID
    with pytest.raises(ValidationError, match="uid_root"):
        HeaderRules(uid_root="hospital")


def test_a_reference_to_an_object_of_a_private_class_is_dropped() -> None:
    odd = source(ReferencedSOPClassUID="1.2.826.77.1", ReferencedSOPInstanceUID="1.2.3.4")
    assert "ReferencedImageSequence" not in cleaned(ct(ReferencedImageSequence=Sequence([odd])))


def test_dates_move_by_the_patients_shift_and_ages_stop_at_ninety() -> None:
    ds = ct(PatientID="P7", StudyDate="20240301", SeriesDate="20240311", StudyTime="101112", PatientAge="097Y",
            AcquisitionDateTime="20240301101112.5+0100", PatientBirthDate="19270101", PatientBirthTime="101112",
            TimezoneOffsetFromUTC="+0100", ContentDate="20241399", AcquisitionTime="999999")  # fmt: skip
    out = cleaned(ds)
    moved = PSEUDO.shift_da("P7", "20240301")
    assert out.StudyDate == moved != "20240301"
    assert out.AcquisitionDateTime == f"{moved}101112.5+0100"
    assert (out.StudyTime, out.PatientAge, out.PatientBirthDate) == ("101112", "090Y", "")
    for absent in ("PatientBirthTime", "TimezoneOffsetFromUTC", "AcquisitionTime"):
        assert absent not in out
    assert "ContentDate" not in out or not out.ContentDate
    assert out.LongitudinalTemporalInformationModified == "MODIFIED"
    bare = cleaned(ds, NOTHING)
    assert (bare.StudyDate, bare.StudyTime) == ("", "") and "PatientAge" not in bare and "SeriesDate" not in bare
    assert bare.LongitudinalTemporalInformationModified == "REMOVED"


def test_a_file_without_a_patient_is_its_studys() -> None:
    first, second = ct(StudyDate="20240301"), ct(StudyDate="20240302", StudyInstanceUID="1.2.9")
    assert patient_of(first) == "1.2.3"
    one, other = cleaned(first), cleaned(second)
    assert one.PatientID and one.PatientID != other.PatientID
    assert one.StudyDate == PSEUDO.shift_da("1.2.3", "20240301")
    named = cleaned(ct(PatientID=" P7\0", IssuerOfPatientID="Mercy"))
    assert named.PatientID == named.PatientName == PSEUDO.key("patient", "P7") and "IssuerOfPatientID" not in named


def test_options_keep_what_they_name_and_no_more() -> None:
    ds = ct(
        PatientID="P",
        PatientSex="F",
        PatientWeight="71.5",
        DeviceSerialNumber="SN1234",
        StationName="CT01",
        StudyDescription=f"chest {PLANT}",
        ManufacturerModelName="Somatom Zqx",
        InstitutionName="Mercy",
    )
    out = cleaned(ds)
    assert (out.PatientSex, out.PatientWeight, out.StudyDescription) == ("F", 71.5, "chest")
    assert "DeviceSerialNumber" not in out and "StationName" not in out and "InstitutionName" not in out
    out = cleaned(ds, HeaderRules(retain=("device_identity",)))
    assert (out.DeviceSerialNumber, out.StationName) == ("SN1234", "CT01")
    assert not out.PatientSex and "PatientWeight" not in out and "InstitutionName" not in out
    out = cleaned(ds, HeaderRules(descriptors="remove"))
    assert "StudyDescription" not in out
    ds.StationName = "Smith"
    ds.OperatorsName = "Smith^J"
    assert "StationName" not in cleaned(ds, EVERYTHING)


def test_safe_private_attributes_stay_by_creator_and_value() -> None:
    ds = ct(PatientID="873245")
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "1000")
    block.add_new(0x0D, "CS", "DIRECTIONAL")
    block.add_new(0x0E, "FD", [1.0, 0.0, 0.0])
    block.add_new(0x09, "LO", "DIRECTIONAL")
    other = ds.private_block(0x0043, "GEMS_PARM_01", create=True)
    other.add_new(0x27, "SH", f"1.5:1 {PLANT}")
    other.add_new(0x39, "IS", [873245, 0, 0, 0])
    out = cleaned(ds, EVERYTHING)
    kept = out.private_block(0x0019, "SIEMENS MR HEADER")
    assert (kept[0x0C].value, kept[0x0D].value, kept[0x0E].value) == (1000, "DIRECTIONAL", [1.0, 0.0, 0.0])
    assert 0x09 not in kept and not [t for t in list(out.keys()) if t.group == 0x0043]
    assert not [t for t in list(cleaned(ds).keys()) if t.is_private]


def test_a_structured_report_keeps_its_codes_and_numbers_only() -> None:
    def code(value: str, scheme: str, meaning: str) -> Sequence:
        return Sequence([source(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)])

    def item(kind: str, name: str, **values: object) -> Dataset:
        concept = code(name, "DCM", "x")
        return source(ValueType=kind, RelationshipType="CONTAINS", ConceptNameCodeSequence=concept, **values)

    unit = code("mm", "UCUM", "millimeter")
    measured = Sequence([source(NumericValue="12.5", MeasurementUnitsCodeSequence=unit)])
    tree = [
        item("TEXT", "121071", TextValue=PLANT),
        item("PNAME", "121008", PersonName=PLANT),
        item("CODE", "121005", ConceptCodeSequence=code("121006", "DCM", "Person")),
        item("NUM", "121206", MeasuredValueSequence=measured),
        item("NUM", "121033", MeasuredValueSequence=measured),
        item("DATE", "121031", Date="19570312"),
        item("TIME", "121069", Time="101112"),
        item("UIDREF", "112227", UID="1.2.3.4"),
        item("CONTAINER", "121070", ContentSequence=Sequence([item("TEXT", "121071", TextValue=PLANT)])),
    ]
    sr = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", ContentSequence=Sequence(tree), VerificationFlag="VERIFIED",
            VerifyingObserverSequence=Sequence([source(VerifyingObserverName=PLANT)]), PatientID="P")  # fmt: skip
    out = cleaned(sr, EVERYTHING)
    assert PLANT not in out.to_json() and "19570312" not in out.to_json() and "101112" not in out.to_json()
    assert [i.ValueType for i in out.ContentSequence] == ["NUM", "UIDREF", "CONTAINER"]
    assert out.ContentSequence[0].MeasuredValueSequence[0].NumericValue == 12.5
    assert out.VerificationFlag == "UNVERIFIED"


def test_the_result_says_what_was_done() -> None:
    out = cleaned(ct(PatientID="P", PatientIdentityRemoved="NO", DeidentificationMethod=PLANT))
    assert (out.PatientIdentityRemoved, PLANT in out.DeidentificationMethod) == ("YES", False)
    assert [i.CodeValue for i in out.DeidentificationMethodCodeSequence] == ["113100", "113105", "113107", "113108"]
    every = cleaned(ct(PatientID="P"), EVERYTHING).DeidentificationMethodCodeSequence
    assert [i.CodeValue for i in every] == [
        "113100",
        "113104",
        "113105",
        "113107",
        "113108",
        "113109",
        "113110",
        "113111",
    ]


def test_attributes_hold_defined_terms_only() -> None:
    ds = source(
        PatientID="P7", Modality="DX", BodyPartExamined="chest", ViewPosition="PA", ImageLaterality="L", PatientSex="F",
        PatientAge="093Y", StudyDate="20240301",
    )  # fmt: skip
    assert attributes(ds, PSEUDO) == {
        "modality": "DX", "body_part": "CHEST", "view": "PA", "laterality": "L", "sex": "F", "age": 90,
        "date": PSEUDO.shift_date("P7", "20240301"),
    }  # fmt: skip
    wild = source(Modality=PLANT, BodyPartExamined="MR SMITH", ViewPosition=PLANT, PatientSex="SMITH", PatientAge="old")
    assert set(attributes(wild, PSEUDO).values()) == {None}


def test_age_from_birth_date_when_the_age_is_absent() -> None:
    ds = source(PatientBirthDate="19600401", StudyDate="20240301")
    assert attributes(ds, PSEUDO)["age"] == 63


def test_identifying_values_go_into_sequences_private_groups_and_name_parts() -> None:
    ds = source(
        PatientName="SMITH^JOHN^A", PatientID="MRN-12", AccessionNumber="A9", StudyInstanceUID="1.2.3.99",
        SOPClassUID=CTImageStorage, StudyDate="20240301", InstitutionName="Mercy General", Modality="CT",
        StationName="CT", ReferringPhysicianName="ROE^JANE", OperatorsName="ANONYMOUS",
    )  # fmt: skip
    ds.RequestAttributesSequence = Sequence([source(RequestingPhysician="DEEP^NESTED")])
    block = ds.private_block(0x0009, "ACME 1.1", create=True)
    block.add_new(1, "LO", "SMITH JOHN 19570312")
    block.add_new(2, "LO", "contrast phase")
    block.add_new(3, "UN", b"Ward 7, bed 12345 ")
    found = identifying_values(ds)
    for value in ("SMITH^JOHN^A", "SMITH", "JOHN", "MRN-12", "1.2.3.99", "20240301", "Mercy General", "ROE", "NESTED"):
        assert value in found
    assert "SMITH JOHN 19570312" in found
    assert "Ward 7, bed 12345" in found
    for value in ("A9", "CT", "ANONYMOUS", "A", CTImageStorage, "contrast phase", "ACME 1.1"):
        assert value not in found
    assert len(found) == len(set(found))


def test_identifying_values_are_found_by_the_attribute_whatever_the_vr() -> None:
    ds = Dataset()
    for tag, vr, value in [
        (0x00100010, "LO", b"Smith^John"),
        (0x00100020, "US", b"\x39\x30"),
        (0x00080080, "IS", b"Mercy General"),
        (0x00100030, "UN", b"19570312"),
        (0x00080050, "OB", b"ACC-4711"),
        (0x00081048, "DS", b"Roe^Jane"),
    ]:
        ds[tag] = raw(tag, vr, value)
    found = identifying_values(ds)
    for value in ("Smith", "John", "12345", "Mercy General", "19570312", "ACC-4711", "Roe"):
        assert value in found, value
    assert {"smith", "john", "12345"} <= identity(ds).words
    assert "Smith" not in repr(identity(ds))


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        (None, "Müller^Ada".encode()),  # UTF-8 that nobody declares, or that is called Latin-1
        (b"ISO_IR 100", "Müller^Ada".encode()),
        (b"ISO_IR 192", "Müller^Ada".encode("latin-1")),
        (b"ISO_IR 192", "Müller^Ada".encode().decode("latin-1").encode()),  # encoded twice
        (b"ISO_IR 100", b"M&uuml;ller^Ada"),
        (b"ISO_IR 100", "Müller_Ada".encode("latin-1")),
    ],
)
def test_a_name_in_another_character_set_than_the_header_says(declared: bytes | None, name: bytes) -> None:
    written = io.BytesIO()  # by hand: pydicom's writer decodes and encodes again
    for element, vr, value in ((0x00080005, b"CS", declared or b""), (0x00100010, b"PN", name)):
        padded = value + b" " * (len(value) % 2)
        written.write(struct.pack("<HH2sH", element >> 16, element & 0xFFFF, vr, len(padded)) + padded)
    written.seek(0)
    read = pydicom.dcmread(written, force=True)
    assert {"Müller", "Ada"} <= set(identifying_values(read))
    written.seek(0)  # anew: of Latin-1 called UTF-8, pydicom keeps no bytes once it has parsed them
    assert {"muller", "ada"} <= identity(pydicom.dcmread(written, force=True)).words


def test_real_headers_never_raise_and_lose_every_identifying_value(recwarn: pytest.WarningsRecorder) -> None:
    folder = [p for p in real("dicom").rglob("*") if p.is_file() and p.suffix not in (".csv", ".md")]
    seen = refused = 0
    bundled = {Path(p).name: Path(p) for p in get_testdata_files()}
    for path in sorted({**bundled, **{p.name: p for p in folder}}.values()):
        try:
            with quiet():
                ds = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        except (InvalidDicomError, OSError, EOFError):
            continue
        phi = identifying_values(ds)
        try:
            out = cleaned(ds)
        except DropRecord:
            refused += 1
            continue
        text = out.to_json()
        assert not [v for v in phi if len(v) > 4 and f'"{v}"' in text], path
        assert text.isascii()
        attributes(ds, PSEUDO)
        seen += 1
    assert seen > 150 and refused < 60
    assert not [w for w in recwarn if w.category is UserWarning]


def test_warnings_are_silenced_only_inside() -> None:
    with pytest.warns(UserWarning):
        with quiet():
            warnings.warn("inside", stacklevel=1)
        warnings.warn("outside", stacklevel=1)
