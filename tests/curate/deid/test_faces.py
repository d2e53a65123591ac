"""Volumes of the head: told by the header, kept back on demand, let through where a defacing tool says that it ran."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from curate.deid.pixels.faces import check_face, is_defaced, may_show_face
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import DeidRules, PixelPolicy
from curate.deid.vault import SecretSource
from curate.deid.verify.audit.header import audit_header
from curate.deid_export.dicom.clean import clean_dicom
from curate.deid_export.rules import ReleaseRules
from curate.errors import DropRecord
from curate.ingest.chain import _Picture
from curate.ingest.rules import PictureRules
from curate.record import Reason
from tests.curate.dicomfiles import dataset, gradient, write
from tests.curate.test_verifier_in_run import row_of

PSEUDO = Pseudonymizer(b"\x07" * 32)
KEPT_BACK = ReleaseRules(deid=DeidRules(faces="quarantine"))


def item(code: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = code, "SCT", "said elsewhere"
    return ds


def volume(**attributes: object) -> Dataset:
    ds = Dataset()
    ds.Modality = "MR"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    "attributes",
    [
        {"BodyPartExamined": "HEAD"},
        {"BodyPartExamined": "HEADNECK", "Modality": "CT"},
        {"StudyDescription": "CT SINUSES W/O", "Modality": "CT"},
        {"SeriesDescription": "T1_MPRAGE_SAG"},
        {"StudyDescription": "MRT des Schädels"},
        {"StudyDescription": "PET/CT WHOLE BODY", "Modality": "PT"},
        {"StudyDescription": "CT chest, head and neck", "BodyPartExamined": "CHEST"},
        {"AnatomicRegionSequence": Items([item("69536005")])},
        {"AnatomicRegionSequence": Items([item("T-A0100")])},
        {},  # nothing says what it is
        {"SeriesDescription": "AX T2 FS"},
    ],
)
def test_heads_and_what_may_be_one(attributes: dict[str, object]) -> None:
    source = volume(**attributes)
    assert may_show_face(source)
    with pytest.raises(DropRecord) as dropped:
        check_face(source, PixelPolicy(faces="quarantine"))
    assert dropped.value.reason is Reason.FACE and Reason.FACE.is_quarantine
    check_face(source, PixelPolicy())


@pytest.mark.parametrize(
    "attributes",
    [
        {"BodyPartExamined": "CHEST"},
        {"BodyPartExamined": "HIP", "SeriesDescription": "COR T1 femoral head"},
        {"StudyDescription": "MRI LUMBAR SPINE"},
        {"StudyDescription": "MR Knie rechts"},
        {"AnatomicRegionSequence": Items([item("51185008")])},
        {"BodyPartExamined": "SKULL", "Modality": "DX"},  # a projection, of which no surface is rendered
    ],
)
def test_other_parts_and_projections(attributes: dict[str, object]) -> None:
    assert not may_show_face(volume(**attributes))


@pytest.mark.parametrize(
    "attributes",
    [
        {"RecognizableVisualFeatures": "NO"},
        {"DeidentificationMethodCodeSequence": Items([item("113100"), item("113102")])},
        {"DeidentificationMethod": ["CTP 2.1", "mri_reface 0.3"]},
        {"DeidentificationMethod": "pydeface"},
    ],
)
def test_who_defaced_before_is_believed(attributes: dict[str, object]) -> None:
    source = volume(BodyPartExamined="HEAD", **attributes)
    assert is_defaced(source)
    check_face(source, PixelPolicy(faces="quarantine"))


def test_another_options_code_is_no_defacing() -> None:
    assert not is_defaced(volume(DeidentificationMethodCodeSequence=Items([item("113101")])))
    assert not is_defaced(volume(RecognizableVisualFeatures="YES", DeidentificationMethod="Per surface policy"))


def test_a_release_keeps_heads_back_and_says_where_they_were_defaced(tmp_path: Path) -> None:
    head = write(tmp_path / "a.dcm", gradient(), BodyPartExamined="HEAD")
    assert clean_dicom(head, KEPT_BACK, PSEUDO).reason is Reason.FACE
    plain = clean_dicom(head, ReleaseRules(), PSEUDO)
    assert plain.data is not None and "clean_faces" not in audit_header(plain.data).declared
    defaced = write(tmp_path / "b.dcm", gradient(), BodyPartExamined="HEAD", DeidentificationMethod="mri_deface")
    done = clean_dicom(defaced, KEPT_BACK, PSEUDO)
    assert done.data is not None and done.reason is None and done.actions["face declared removed"] == 1
    found = audit_header(done.data)
    assert found.declared >= {"clean_pixels", "clean_faces"} and found.places == {}
    import io

    import pydicom

    out = pydicom.dcmread(io.BytesIO(done.data))
    assert out.RecognizableVisualFeatures == "NO" and len(out.DeidentificationMethod) == 2
    codes = [each.CodeValue for each in out.DeidentificationMethodCodeSequence]
    assert codes == sorted(codes) and "113102" in codes


def test_a_run_keeps_heads_back(tmp_path: Path, secret_file: Path) -> None:
    rules = PictureRules(policy=PixelPolicy("trust", faces="quarantine"))
    picture = _Picture(rules, SecretSource(str(secret_file)))
    head = write(tmp_path / "a.dcm", gradient(), BodyPartExamined="HEAD")
    with pytest.raises(DropRecord) as dropped:
        picture(row_of(head, "No fracture."))
    assert dropped.value.reason is Reason.FACE
    chest = write(tmp_path / "b.dcm", gradient(), BodyPartExamined="CHEST")
    assert picture(row_of(chest, "No fracture."))["image"]


def test_a_chest_is_released_either_way(tmp_path: Path) -> None:
    chest = write(tmp_path / "a.dcm", gradient(), BodyPartExamined="CHEST")
    assert clean_dicom(chest, KEPT_BACK, PSEUDO).reason is None
    assert dataset(gradient()).Modality == "CT"
