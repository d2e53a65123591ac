"""Free text and codes of headers: the words of medicine stay, the people go."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes

from curate.deid.header.codes import checked, code_of
from curate.deid.header.iod import is_code
from curate.deid.header.phi import Identity, identity
from curate.deid.header.words import clean_text
from tests.curate.deid.header_objects import PLANT, cleaned, ct, source

NOBODY = Identity((), frozenset(), (), frozenset())
SMITH = identity(
    source(
        PatientName="SMITH^BAKER^ANN", PatientID="4711", AccessionNumber="A93847", InstitutionName="Chest Clinic North"
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "CT CHEST W/O CONTRAST", "MRI Brain wo/w 1.5T", "T2W_TSE_SAG", "ax T1 FLAIR 5mm", "knee lt 2 views",
        "L4-L5 spine 3D recon 2.5 mm", "HU 120kV 200 mAs", "CHEST PA LAT", "hand ap", "HEAD/BRAIN WO", "B30s",
    ],
)  # fmt: skip
def test_a_protocols_words_stay_as_they_are(text: str) -> None:
    assert clean_text(text, NOBODY) == text == clean_text(clean_text(text, NOBODY), NOBODY)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Smith chest Baker PA & LAT", "chest PA LAT"),
        ("chest SMITH_BAKER 12/03/1957", "chest"),
        ("port CXR 10:32 Zqxjkwv", "port CXR"),
        ("12 Mar 1957 CHEST", "CHEST"),
        ("chest 4711", "chest"),
        ("chest 5551234567 A93847", "chest"),
        ("Chest Clinic North", ""),
        ("mr may", ""),
        ("97", ""),
        ("\u80f8\u90e8 chest", "chest"),
        ("TÓRAX ap", "ap"),
        ("", ""),
    ],
)
def test_names_numbers_and_dates_go(text: str, left: str) -> None:
    assert clean_text(text, SMITH) == left


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.sampled_from(["", " ", "^", "_", "-", ".", "/", "2", "\u200b", "\u00a0"]))
def test_no_name_comes_through_whatever_is_around_it(noise: str, glue: str) -> None:
    for name in ("Smith", "BAKER", PLANT, "Zqxj\u00e9kwv"):
        left = clean_text(f"{noise} chest{glue} {name}{glue}{noise}", SMITH)
        assert left.isascii() and left.isprintable()
        assert name.lower() not in left.lower().split()


def test_codes_are_written_in_the_standards_words() -> None:
    known = checked("T-D3000", "SRT", PLANT, NOBODY)
    assert known is not None and (known.value, known.scheme_designator, known.meaning) == ("816094009", "SCT", "Chest")
    for code in (codes.SCT.Kidney, codes.DCM.ComputedTomography, codes.UCUM.Millimeter):
        found = checked(code.value, code.scheme_designator, PLANT, NOBODY)
        assert found is not None and found.meaning == code.meaning


def test_codes_that_are_not_known_need_their_form_and_their_words() -> None:
    assert checked("243787008", "SCT", "skull lesion", NOBODY) is None  # a wrong check digit
    assert checked("1234567", "SCT", f"{PLANT}", NOBODY) is None
    assert checked("24627-2", "LN", "Chest CT", NOBODY) is not None
    assert checked("24627-3", "LN", "Chest CT", NOBODY) is None
    local = checked("CHEST", "99MERCYHOSP", "Chest", NOBODY)
    assert local is not None and local.scheme_designator == "99LOCAL"
    assert checked("CHEST", "MERCY HOSPITAL", "Chest", NOBODY) is None
    assert checked("4711", "99X", "Chest", SMITH) is None
    assert checked("CHEST", "99X", "Chest of Smith", SMITH) is None


def test_check_digits_accept_every_snomed_and_loinc_code_of_the_standard() -> None:
    from pydicom.sr._concepts_dict import concepts

    from curate.deid.header.codes import _FORMS

    for scheme in ("SCT", "LN"):
        form, digit = _FORMS[scheme]
        values = [v for names in concepts[scheme].values() for v in names]
        wrong = [v for v in values if not form.fullmatch(v) or (digit and not digit(v))]
        assert len(values) > 100 and len(wrong) <= len(values) / 50, wrong[:9]


def test_a_code_sequence_keeps_what_it_can() -> None:
    chest = source(CodeValue="T-D3000", CodingSchemeDesignator="SRT", CodeMeaning=PLANT)
    odd = source(CodeValue=PLANT, CodingSchemeDesignator="99X", CodeMeaning=PLANT)
    out = cleaned(ct(AnatomicRegionSequence=Sequence([odd, chest]), ProcedureCodeSequence=Sequence([odd])))
    assert [i.CodeMeaning for i in out.AnatomicRegionSequence] == ["Chest"]
    assert "ProcedureCodeSequence" not in out
    assert is_code("AnatomicRegionSequence") and code_of(Dataset(), NOBODY) is None
