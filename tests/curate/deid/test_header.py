"""Headers: nothing identifying passes the allow-list, and what does is in the standard's words."""

from __future__ import annotations

import json
import warnings

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage

from curate.deid.header.clean import attributes, clean_header, identifying_values
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import quiet
from tests.realdata import real

PSEUDO = Pseudonymizer(b"a secret of enough bytes, for tests")
PLANT = "Zqxjkwv"
PLANTED_DATE = "19570312"
BY_VR = {
    "DA": PLANTED_DATE,
    "DT": PLANTED_DATE + "101112.131415",
    "TM": "101112.131415",
    "AS": "097Y",
    "UI": "1.2.826.777.424242",
    "DS": "424242.25",
    "IS": "424242",
    "FD": 424242.25,
    "FL": 424242.25,
    "US": 42424,
    "UL": 424242,
    "SL": 424242,
    "UV": 424242,
}
CARRIED = [PLANT, PLANT.upper(), PLANTED_DATE, "101112", "097Y", "1.2.826.777.424242", "424242", "42424"]


def source(**values: object) -> Dataset:
    ds = Dataset()
    with quiet():
        for keyword, value in values.items():
            setattr(ds, keyword, value)
    return ds


def raw(tag: int, vr: str, value: str) -> RawDataElement:
    """An element as read from a file, bytes that need not fit its VR."""
    data = value.encode()
    return RawDataElement(Tag(tag), vr, len(data), data, 0, False, True)


def planted(tag: int, vr: str) -> Dataset:
    """A dataset with one attribute of this tag holding a value that cannot be met by chance."""
    vr = vr.split(" or ")[0]
    ds = Dataset()
    if vr == "SQ":
        ds.add_new(tag, vr, Sequence([source(PatientName=f"{PLANT}^X", CodeMeaning=PLANT, TextValue=PLANT)]))
    elif vr in ("OB", "OW", "OF", "OD", "UN"):
        ds.add_new(tag, vr, PLANT.encode() + b" ")
    else:
        ds.add_new(tag, vr, BY_VR.get(vr, PLANT.upper() if vr == "CS" else PLANT))
    return ds


def table_rows() -> list[tuple[int, str]]:
    rows = json.loads((real("deid") / "ps3.15" / "confidentiality_profile_attributes.json").read_text())
    ids = [r["id"].replace("xx", "02") for r in rows if r["basicProfile"][0] in "XZDU" and "," not in r["id"]]
    tags = [int(i, 16) for i in ids if all(c in "0123456789abcdef" for c in i)]
    known = []
    for tag in tags:
        try:
            known.append((tag, dictionary_VR(tag)))
        except KeyError:
            known.append((tag, "LO"))
    assert len(known) > 600
    return known


def test_no_attribute_of_the_basic_profile_is_carried_at_any_level():
    for tag, vr in table_rows():
        if tag >> 16 == 0x0002:
            continue  # file meta is no part of a data set
        with quiet():
            ds = planted(tag, vr)
            nested = Dataset()
            for keyword in ("SharedFunctionalGroupsSequence", "ReferencedStudySequence", "RequestAttributesSequence"):
                setattr(nested, keyword, Sequence([planted(tag, vr)]))
            for each in (ds, nested):
                each.PatientID = each.PatientID if "PatientID" in each else "4711-0815"
                text = clean_header(each, PSEUDO).to_json()
                assert not [v for v in CARRIED if v in text], f"{tag:08x} {vr}"
                assert "4711-0815" not in text


def test_unknown_private_overlay_curve_and_vr_confused_elements_are_absent():
    ds = source(PatientID="P1", Rows=512, KVP="120")
    for tag, vr, value in [
        (0x00091001, "LO", PLANT),
        (0x60000022, "LO", PLANT),
        (0x50000020, "CS", PLANT.upper()),
        (0x00181030, "LO", PLANT),
        (0x0018FFFE, "UN", PLANT),
        (0x00280011, "LO", PLANT),  # Columns with text in it
        (0x00181050, "DS", PLANT),  # a number that is none
        (0x00080060, "CS", PLANT.upper()),  # a Modality that is none
    ]:
        ds[tag] = raw(tag, vr, value)
    out = clean_header(ds, PSEUDO)
    assert (out.Rows, out.KVP) == (512, 120)
    assert PLANT.upper() not in out.to_json().upper()
    for keyword in ("Columns", "Modality"):
        assert keyword not in out


def test_a_number_that_is_the_patient_id_is_not_copied():
    out = clean_header(source(PatientID="873245", InstanceNumber="873245", SeriesNumber="4"), PSEUDO)
    assert "InstanceNumber" not in out
    assert out.SeriesNumber == 4


def test_uids_are_remapped_alike_everywhere_and_classes_stay():
    ds = source(SOPClassUID=CTImageStorage, SOPInstanceUID="1.2.3.4", FrameOfReferenceUID="1.2.3.4", PatientID="P")
    out = clean_header(ds, PSEUDO)
    assert out.SOPClassUID == CTImageStorage
    assert out.SOPInstanceUID == out.FrameOfReferenceUID == PSEUDO.uid("1.2.3.4")
    ds.SOPClassUID = "1.2.826.0.1.3680043.9.9999.1"
    assert "SOPClassUID" not in clean_header(ds, PSEUDO)


def test_dates_move_by_the_patients_shift_and_ages_stop_at_ninety():
    ds = source(PatientID="P7", StudyDate="20240301", SeriesDate="20240311", StudyTime="101112", PatientAge="097Y")
    out = clean_header(ds, PSEUDO)
    moved = PSEUDO.shift_date("P7", "20240301")
    assert out.StudyDate == moved.replace("-", "") != "20240301"
    assert "StudyTime" not in out
    assert out.PatientAge == "090Y"
    del ds.PatientID
    assert "StudyDate" not in clean_header(ds, PSEUDO)


def test_code_sequences_are_rewritten_from_their_context_groups():
    chest = source(CodeValue="T-D3000", CodingSchemeDesignator="SRT", CodeMeaning=PLANT)
    odd = source(CodeValue=PLANT, CodingSchemeDesignator="99X", CodeMeaning=PLANT)
    out = clean_header(source(AnatomicRegionSequence=Sequence([odd, chest]), ViewCodeSequence=Sequence([odd])), PSEUDO)
    assert [i.CodeMeaning for i in out.AnatomicRegionSequence] == ["Thorax"]
    assert "ViewCodeSequence" not in out


def test_the_result_says_what_was_done():
    out = clean_header(source(PatientID="P"), PSEUDO)
    assert out.PatientIdentityRemoved == "YES"
    assert [i.CodeValue for i in out.DeidentificationMethodCodeSequence] == ["113100", "113107", "113108"]


def test_attributes_hold_defined_terms_only():
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


def test_age_from_birth_date_when_the_age_is_absent():
    ds = source(PatientBirthDate="19600401", StudyDate="20240301")
    assert attributes(ds, PSEUDO)["age"] == 63


def test_identifying_values_go_into_sequences_private_groups_and_name_parts():
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


def test_real_headers_never_raise_and_lose_every_identifying_value(recwarn):
    seen = 0
    for path in sorted(p for p in real("dicom").rglob("*") if p.is_file() and p.suffix not in (".csv", ".md")):
        try:
            with quiet():
                ds = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        except (InvalidDicomError, OSError, EOFError):
            continue
        phi = identifying_values(ds)
        text = clean_header(ds, PSEUDO).to_json()
        assert not [v for v in phi if len(v) > 4 and f'"{v}"' in text], path.name
        attributes(ds, PSEUDO)
        seen += 1
    assert seen > 150
    assert not [w for w in recwarn if w.category is UserWarning]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["PatientName", "StudyDescription", "ImageType", "KVP", "PatientAge", "StudyDate", "Modality"]),
       st.text(max_size=20), st.integers(0, 5))  # fmt: skip
def test_no_planted_string_survives_any_nesting(keyword, noise, depth):
    value = PLANT + noise
    with quiet():
        ds = Dataset()
        tag = tag_for_keyword(keyword)
        ds[tag] = raw(tag, dictionary_VR(tag), value)
        for level in range(depth):
            name = "SharedFunctionalGroupsSequence" if level % 2 else "ReferencedImageSequence"
            ds = source(**{name: Sequence([ds])})
        assert PLANT not in clean_header(ds, PSEUDO).to_json()


def test_warnings_are_silenced_only_inside():
    with pytest.warns(UserWarning):
        with quiet():
            warnings.warn("inside", stacklevel=1)
        warnings.warn("outside", stacklevel=1)
