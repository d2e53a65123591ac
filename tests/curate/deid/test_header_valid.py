"""The result is a valid object of its class: what must be there is, whatever of it had to go (PS3.5 7.4)."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.tag import Tag

from curate.deid.header.clean import clean_header
from curate.deid.header.iod import attributes_of, iod_of, kind_of, sop_classes
from curate.deid.quiet import quiet
from curate.deid.rules import HeaderRules
from curate.errors import DropRecord
from curate.record import Reason
from tests.curate.deid.header_objects import (
    EVERYTHING,
    NOTHING,
    PLANT,
    PSEUDO,
    cleaned,
    ct,
    full_object,
    raw,
    source,
    written,
)

IODS = {iod_of(uid): uid for uid in sop_classes() if kind_of(uid) == "object"}
_NOT_MADE = ("SQ", "OB", "OW", "OF", "OD", "OL", "OV", "UN")


@pytest.mark.parametrize("rules", [HeaderRules(), EVERYTHING, NOTHING], ids=["default", "everything", "nothing"])
@pytest.mark.parametrize("identifying", [False, True], ids=["harmless", "identifying"])
def test_mandatory_attributes_are_there_in_every_object(rules: HeaderRules, identifying: bool) -> None:
    for iod, uid in IODS.items():
        assert iod is not None
        out = cleaned(full_object(uid, iod, identifying), rules)
        text = written(out).decode("latin-1")
        assert PLANT.upper() not in text.upper(), iod
        for number, need in attributes_of(iod).items():
            tag = Tag(number)
            if not need.mandatory or dictionary_VR(tag).split(" or ")[0] in _NOT_MADE:
                continue
            if need.type == "1":
                assert tag in out and not out[tag].is_empty, f"{iod} {tag} {out.get(tag)}"
            if need.type == "2":
                assert tag in out, f"{iod} {tag}"


def test_what_is_written_reads_back_the_same_by_any_encoding() -> None:
    ds = full_object(IODS["ct-image"], "ct-image", False)
    ds.PixelRepresentation = 0
    out = cleaned(ds)
    expected = out.to_json()
    for implicit, little in ((False, True), (True, True), (False, False)):
        data = DicomBytesIO(written(out, implicit, little))
        with quiet():
            back = pydicom.filereader.read_dataset(data, implicit, little)
            assert back.to_json() == expected


def test_a_picture_that_cannot_be_read_without_its_identity_is_not_released() -> None:
    with pytest.raises(DropRecord) as drop:
        clean_header(ct(PatientID="51234", Rows=51234), PSEUDO)
    assert drop.value.reason is Reason.HEADER_UNPROVEN
    with pytest.raises(DropRecord):
        clean_header(ct(PhotometricInterpretation="SMITH"), PSEUDO)


def test_classes_are_refused_by_what_they_are() -> None:
    def reason(ds: Dataset, **rules: str) -> Reason:
        with pytest.raises(DropRecord) as drop:
            clean_header(ds, PSEUDO, HeaderRules(**rules))  # type: ignore[arg-type]
        return drop.value.reason

    sr, pdf, directory, raw_data = "88.11", "104.1", "1.2.840.10008.1.3.10", "66"
    storage = "1.2.840.10008.5.1.4.1.1."
    assert reason(ct(SOPClassUID=storage + sr)) is Reason.REFUSED_STRUCTURED
    assert reason(ct(SOPClassUID=storage + "88.59")) is Reason.REFUSED_STRUCTURED
    assert reason(ct(SOPClassUID=storage + "88.1")) is Reason.REFUSED_STRUCTURED  # a trial class, not in PS3.3 now
    for rules in ({}, {"structured_reports": "clean"}, {"unknown_classes": "generic"}):
        assert reason(ct(SOPClassUID=storage + pdf), **rules) is Reason.REFUSED_DOCUMENT
        assert reason(ct(SOPClassUID=directory), **rules) is Reason.REFUSED_DIRECTORY
    for unknown in (storage + raw_data, storage + "201.1", "1.2.826.0.1.3680043.9.9999.1", "SMITH", ""):
        assert reason(ct(SOPClassUID=unknown)) is Reason.REFUSED_CLASS
        assert cleaned(ct(SOPClassUID=unknown, Rows=3), HeaderRules(unknown_classes="generic")).Rows == 3


def test_the_class_of_the_file_meta_counts_and_must_agree() -> None:
    ds = source(PatientID="P", Modality="CR")
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    out = cleaned(ds)
    assert (out.SOPClassUID, out.SOPInstanceUID) == ("1.2.840.10008.5.1.4.1.1.1", PSEUDO.uid("1.2.3.4"))
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    with pytest.raises(DropRecord):
        clean_header(ds, PSEUDO)
    ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    with pytest.raises(DropRecord):
        clean_header(ds, PSEUDO, EVERYTHING)


def test_retired_classes_are_cleaned_as_their_successors() -> None:
    out = cleaned(ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.6", Modality="US"))
    assert out.SOPClassUID == "1.2.840.10008.5.1.4.1.1.6" and "AccessionNumber" in out


def test_cleaning_is_deterministic_and_its_shape_a_fixpoint() -> None:
    for iod in ("ct-image", "enhanced-mr-image", "digital-mammography-x-ray-image", "rt-plan"):
        ds = full_object(IODS[iod], iod, False)
        once, again = cleaned(ds), cleaned(full_object(IODS[iod], iod, False))
        assert once.to_json() == again.to_json() and written(once) == written(again)
        twice = cleaned(once)
        assert list(twice.keys()) == list(once.keys())
        moved = ("UI", "DA", "DT", "PN")
        same = [e.tag for e in once if e.VR not in moved and e.keyword != "PatientID" and twice[e.tag] != e]
        assert not same


def test_a_wrong_vr_length_or_character_set_leaves_the_attribute_out_and_no_more() -> None:
    ds = ct(PatientID="P1", Rows=512, KVP="120")
    for tag, vr, value in [
        (0x00280011, "LO", PLANT),
        (0x00181150, "IS", "12 " + PLANT),
        (0x00181151, "IS", b"\xff\xfe"),
        (0x00180050, "DS", "1e999"),
        (0x00181160, "SH", b"\x1b$B" + PLANT.encode()),
        (0x00081030, "LO", b"\x81\xfe" + PLANT.encode()),
        (0x00280100, "US", b"\x10"),
        (0x00080020, "DA", "2024-03-01"),
        (0x00080005, "CS", "ISO 2022 NONE"),
    ]:
        ds[tag] = raw(tag, vr, value)
    out = cleaned_without_core(ds)
    assert (out.Rows, out.KVP) == (512, 120)
    assert PLANT not in written(out).decode("latin-1")
    for keyword in ("ExposureTime", "XRayTubeCurrent", "FilterType", "SpecificCharacterSet"):
        assert keyword not in out


def cleaned_without_core(ds: Dataset) -> Dataset:
    """Cleaned as a class without a picture, since Columns and BitsAllocated of these are no longer to be read."""
    return cleaned(ds, EVERYTHING) if "SOPClassUID" not in ds else _as_unknown(ds)


def _as_unknown(ds: Dataset) -> Dataset:
    with pytest.raises(DropRecord):
        clean_header(ds, PSEUDO)
    for tag in (0x00280011, 0x00280100):
        del ds[tag]
    return cleaned(ds)
