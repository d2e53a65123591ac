"""Header values read from their bytes alone are those that a whole parse gives, whatever the file's form."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from curate.deid.header.phi import identifying_values
from curate.memory import remembering
from curate.sources.dicom.file import integer, open_dicom, text, value

KEYWORDS = ("PatientName", "PatientID", "StudyDate", "ImageType", "Rows", "WindowCenter", "PixelSpacing", "Modality")
KEYWORDS += ("InstitutionName", "InstanceNumber", "SOPInstanceUID", "StudyTime", "PatientAge", "ImageComments")
SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)


def written(path: Path, syntax: str, name: str = "Müller^Änne", charset: str = "ISO_IR 100") -> Path:
    ds = Dataset()
    ds.SpecificCharacterSet = charset
    ds.PatientName, ds.PatientID, ds.StudyDate, ds.StudyTime = name, " 00123 ", "20200131", "101112.5"
    ds.ImageType, ds.Modality, ds.Rows, ds.InstanceNumber = ["ORIGINAL", "PRIMARY"], "CT", 512, "7"
    ds.WindowCenter, ds.PixelSpacing, ds.PatientAge = ["40", "400.50"], ["0.5", "0.25"], "047Y"
    ds.InstitutionName, ds.SOPInstanceUID = "St. Mary", "1.2.3.4.5"
    ds.SmallestImagePixelValue = 3
    item = Dataset()
    item.PatientID, item.IssuerOfPatientID = "A-77", "Ward Nine"
    ds.OtherPatientIDsSequence = [item]
    ds.add_new(0x00091001, "LO", "Jane Roe")
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID, ds.file_meta.MediaStorageSOPClassUID = syntax, "1.2.840.10008.5.1.4.1.1.2"
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    sink = io.BytesIO()
    pydicom.dcmwrite(sink, ds, implicit_vr=syntax == ImplicitVRLittleEndian, enforce_file_format=True)
    path.write_bytes(sink.getvalue())
    return path


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_value_from_its_bytes_is_that_of_the_parsed_file(syntax: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.dcm", syntax)
    whole = pydicom.dcmread(path)
    with remembering():
        for _ in range(2):  # converted, then remembered
            with open_dicom(path, 1 << 20) as file:
                for keyword in KEYWORDS:
                    told, meant = value(file.dataset, keyword), whole.get(keyword)
                    assert told == meant and type(told) is type(meant), keyword
                assert text(file.dataset, "PatientName") == "Müller^Änne" and integer(file.dataset, "Rows", 0) == 512
                assert value(file.dataset, "NoSuchKeyword") is None


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_identifies_is_the_same_of_bytes_and_of_a_parsed_header(syntax: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.dcm", syntax)
    parsed = pydicom.dcmread(path)
    for _ in parsed.iterall():
        pass
    with open_dicom(path, 1 << 20) as file:
        raw = identifying_values(file.dataset)
    assert {"Müller^Änne", "00123", "A-77", "Ward Nine", "St. Mary", "1.2.3.4.5"} <= set(raw)
    assert raw == identifying_values(parsed)


@given(
    name=st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), max_size=30),
    syntax=st.sampled_from(SYNTAXES),
)
def test_files_that_share_a_value_read_it_alike(
    name: str, syntax: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = written(tmp_path_factory.mktemp("v") / "a.dcm", syntax, name or "X", charset="ISO 2022 IR 100")
    with remembering(), open_dicom(path, 1 << 20) as one, open_dicom(path, 1 << 20) as other:
        first, second = (value(f.dataset, "PatientName") for f in (one, other))
        assert first == second == pydicom.dcmread(path).get("PatientName")
