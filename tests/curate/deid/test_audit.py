"""The audit of a folder that another tool released: clean ones pass, and each identity that was left is found by where
it is, and never told."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.verify.audit.header import audit_header
from curate.deid.verify.audit.text import audit_text, cell_findings, path_findings
from curate.deid.verify.finding import Finding, reads_pixels
from curate.deid_export.audit import AuditRules, FileAudit, audit_file, summary
from curate.deid_export.dicom.clean import clean_dicom
from curate.deid_export.rules import ReleaseRules
from curate.report.render import render
from curate.sources.images.encode import encode_png
from curate.sources.walk import walk
from tests.curate.dicomfiles import dataset, gradient, to_bytes, write

CT = "1.2.840.10008.5.1.4.1.1.2"
UID = "1.2.826.0.1.3680043.8.498."  # of pydicom's generator, which several tools use


def released() -> Dataset:
    """A CT slice as a careful tool leaves it: UIDs replaced, dates emptied, codes of what was done."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CT
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID + "1001"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = UID + "1", UID + "11", UID + "111"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.AccessionNumber = "LIDC-IDRI-0001", "LIDC-IDRI-0001", "", ""
    ds.StudyDate = ds.StudyTime = ds.ReferringPhysicianName = ds.StudyID = ""
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "CT", "SIEMENS", "SOMATOM Definition Edge"
    ds.StudyDescription, ds.SeriesDescription, ds.ProtocolName = "CT CHEST W CONTRAST", "Lung 1.5 B50f", "2_Thorax"
    ds.ConvolutionKernel, ds.SoftwareVersions, ds.BodyPartExamined = "B50f", "syngo CT 2012B", "CHEST"
    ds.ImageType, ds.PatientPosition, ds.ContrastBolusAgent = ["ORIGINAL", "PRIMARY", "AXIAL"], "HFS", "OMNI 350"
    ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", "TOOL 3.1"
    ds.DeidentificationMethodCodeSequence = Items([code("113100", "Basic Application Confidentiality Profile")])
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CT, UID + "1002"
    ds.ReferencedImageSequence = Items([reference])
    pixels = gradient()
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def private(ds: Dataset) -> None:
    ds.private_block(0x0009, "GEMS_IDEN_01", create=True).add_new(0x27, "LO", "MRN4471123")


def nested(ds: Dataset) -> None:
    request = Dataset()
    request.RequestedProcedureDescription, request.RequestingPhysician = "CT CHEST", "Kowalska^Brenda"
    ds.RequestAttributesSequence = Items([request])


def reference_not_remapped(ds: Dataset) -> None:
    ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.3.6.1.4.1.9590.100.1.2.4471123"


def makers_uid(ds: Dataset) -> None:
    ds.FrameOfReferenceUID = "1.3.12.2.1107.5.1.4.73104.30000016"


def structured(ds: Dataset) -> None:
    item = Dataset()
    item.ValueType, item.TextValue = "TEXT", "Findings discussed with Dr. Kowalska by telephone at 415-555-0134."
    outer = Dataset()
    outer.ValueType, outer.ContentSequence = "CONTAINER", Items([item])
    ds.ContentSequence = Items([outer])


def document(ds: Dataset) -> None:
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    ds.MIMETypeOfEncapsulatedDocument, ds.EncapsulatedDocument = "application/pdf", pdf("Signed by Dr. Kowalska")
    del ds.PixelData


def icon(ds: Dataset) -> None:
    item = Dataset()
    item.Rows = item.Columns = 8
    item.PixelData = bytes(range(64))
    item["PixelData"].VR = "OB"
    ds.IconImageSequence = Items([item])


def setting(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds, keyword, value)


# what was left, the finding, the place, and the value that nothing may tell
LEFT = [
    (private, Finding.PRIVATE, "(0009,1027)", "4471123"),
    (nested, Finding.NAME, "RequestAttributesSequence/RequestingPhysician", "Kowalska"),
    (makers_uid, Finding.UID, "FrameOfReferenceUID", "73104"),
    (reference_not_remapped, Finding.UID, "ReferencedImageSequence/ReferencedSOPInstanceUID", "4471123"),
    (structured, Finding.NAME, "ContentSequence/ContentSequence/TextValue", "Kowalska"),
    (structured, Finding.CONTACT, "ContentSequence/ContentSequence/TextValue", "555"),
    (document, Finding.UNPROVABLE, "EncapsulatedDocument", "Kowalska"),
    (icon, Finding.ATTRIBUTE, "IconImageSequence/PixelData", "AAEC"),
    (setting("PatientName", "Kowalska^Brenda"), Finding.NAME, "PatientName", "Kowalska"),
    (setting("PatientID", "4471123"), Finding.ID, "PatientID", "4471123"),
    (setting("PatientBirthDate", "19610714"), Finding.BIRTH, "PatientBirthDate", "1961"),
    (setting("StudyDate", "20190312"), Finding.DATE, "StudyDate", "20190312"),
    (setting("AccessionNumber", "A19-00341"), Finding.ATTRIBUTE, "AccessionNumber", "00341"),
    (setting("InstitutionName", "Mercy Ridge Hospital"), Finding.ATTRIBUTE, "InstitutionName", "Mercy"),
    (setting("StationName", "CT07ROOM3"), Finding.ATTRIBUTE, "StationName", "CT07"),
    (setting("DeviceSerialNumber", "73104"), Finding.ATTRIBUTE, "DeviceSerialNumber", "73104"),
    (setting("StudyDescription", "CT chest for Kowalska"), Finding.WORD, "StudyDescription", "Kowalska"),
    (setting("ImageComments", "MRN: 4471123, repeat"), Finding.ID, "ImageComments", "4471123"),
    (setting("PatientAge", "093Y"), Finding.AGE, "PatientAge", "093"),
    (setting("PatientWeight", "71.5"), Finding.ATTRIBUTE, "PatientWeight", "71.5"),
]  # fmt: skip


def test_what_a_careful_tool_released_is_clean() -> None:
    found = audit_header(to_bytes(released()))
    assert found.places == {} and found.removed and found.declared == frozenset()


@pytest.mark.parametrize(("leave", "finding", "place", "value"), LEFT, ids=lambda v: getattr(v, "value", None))
def test_each_identity_that_was_left_is_found_where_it_is_and_not_told(
    leave: Callable[[Dataset], None], finding: Finding, place: str, value: str, tmp_path: Path
) -> None:
    ds = released()
    leave(ds)
    (tmp_path / "1.dcm").write_bytes(to_bytes(ds))
    (file,) = [audit_file(f, AuditRules(pixels=0)) for f in walk(tmp_path)]
    assert any(where.startswith(place) for where in file.places[finding.value]), file.places
    audit = summary([file], AuditRules(pixels=0), 1)
    assert not audit["passed"] and value not in json.dumps(audit["places"]) + json.dumps(audit["with_findings"])
    assert value not in render("audit.html.j2", a={**audit, "product": {}})


def test_what_a_file_declares_and_what_was_agreed_is_believed_and_told() -> None:
    ds = released()
    ds.StudyDate, ds.PatientAge, ds.DeviceSerialNumber = "20190312", "044Y", "73104"
    assert set(audit_header(to_bytes(ds)).places) == {Finding.DATE, Finding.ATTRIBUTE}
    more = [code("113107", "Modified Dates"), code("113108", "Characteristics"), code("113109", "Device Identity")]
    ds.DeidentificationMethodCodeSequence.extend(more)
    found = audit_header(to_bytes(ds))
    assert found.places == {} and found.declared == {"dates", "patient_characteristics", "device_identity"}
    del ds.DeidentificationMethodCodeSequence
    assert audit_header(to_bytes(ds), ("dates", "patient_characteristics", "device_identity")).places == {}


def test_what_our_own_release_leaves_is_clean(tmp_path: Path) -> None:
    source = write(tmp_path / "source.dcm", gradient(), PatientBirthDate="19610714", InstitutionName="Mercy Ridge")
    out = clean_dicom(source, ReleaseRules(), Pseudonymizer(b"\x07" * 32))
    assert out.data is not None and audit_header(out.data).places == {}
    assert len(audit_header(source.read_bytes()).places) >= 4


def test_limits_and_versions_of_our_own_attestation_are_no_identities(tmp_path: Path) -> None:
    own = {"options": {"max_bytes": 1073741824}, "product": {"opencv": "5.0.0.93"}}
    (tmp_path / "attestation.json").write_text(json.dumps(own))
    page = tmp_path / "index.html"
    page.write_text("<style>p { color: #4cc3b5 }</style><p>at most 1073741824 bytes, opencv 5.0.0.93</p>")
    assert [audit_file(found, AuditRules()).places for found in walk(tmp_path)] == [{}, {}]
    page.write_text("<p>at most 1073741824 bytes, call 617-555-0187</p>")
    assert audit_file(next(f for f in walk(tmp_path) if f.relative == "index.html"), AuditRules()).places


def test_a_file_that_is_cut_off_or_followed_by_more_is_no_sound_container() -> None:
    whole = to_bytes(released())
    for broken in (whole[:-9], whole + b"Kowalska Brenda MRN 4471123 xx"):
        assert "file structure" in audit_header(broken).places[Finding.CONTAINER]
    preamble = b"Brenda Kowalska".ljust(128, b"\0") + whole[128:]
    assert "preamble" in audit_header(preamble).places[Finding.CONTAINER]


def pdf(text: str) -> bytes:
    """A PDF of one page with this text, deflated, as word processors write it."""
    stream = zlib.compress(f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode())
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 5\n0000000000 65535 f \n" + table + b"trailer << /Size 5 /Root 1 0 R >>\n"
    return out + b"startxref\n%d\n%%%%EOF\n" % start + b" " * (start % 2)


def places_of(tmp_path: Path, name: str, data: bytes) -> dict[str, list[str]]:
    path = tmp_path / "folder" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    (file,) = [audit_file(f, AuditRules(pixels=0)) for f in walk(tmp_path / "folder")]
    return file.places


def test_documents_are_read_and_never_called_clean(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("pypdf")
    found = places_of(tmp_path, "report.pdf", pdf("Signed by Dr. Kowalska"))
    assert found["name"] == ["page 1"] and "unprovable" in found
    assert set(places_of(tmp_path, "report.pdf", pdf("No acute finding."))) == {"unprovable"}
    assert set(places_of(tmp_path, "report.pdf", b"Kowalska")) == {"unprovable"}
    assert caplog.text == ""  # its parser logs the bytes that it did not expect


@pytest.mark.parametrize(
    ("name", "data", "finding", "place"),
    [
        ("notes.txt", b"Dictated by: Brenda Kowalska, MD", "name", "text"),
        ("notes.txt", "Exam on 12 March 2019. No effusion.".encode("utf-16"), "date", "text"),
        ("a.csv", b"patient_name,text\nKowalska^Brenda,No effusion.\n", "name", "column patient_name"),
        ("a.csv", b"id,text\n1,Seen at Mercy Ridge Hospital today.\n", "place", "column text"),
        ("a.tsv", b"mrn\ttext\n4471123\tNo effusion.\n", "id", "column mrn"),
        ("a.jsonl", b'{"report": {"text": "call 415-555-0134"}}\n', "contact", "column text"),
        ("a.html", b"<p>Dr. Kow<b>al</b>ska</p>", "name", "text"),
        ("a.xml", b"<note>b.k@mercy-ridge.org</note>", "contact", "text"),
        ("a.csv", b"key,study_date\na,2019-03-12\n", "date", "column study_date"),
        ("a.zip", b"PK\x03\x04", "unprovable", "not searched: .zip"),
        ("a.parquet", b"PAR1 not", "unprovable", "unreadable as .parquet"),
        ("a.json", b"[[[", "unprovable", "unreadable as .json"),
        ("Doe_Jane_report.txt", b"No effusion.", "name", "path"),
        ("4471123/report.txt", b"No effusion.", "id", "path"),
        ("20190312/report.txt", b"No effusion.", "date", "path"),
    ],
)
def test_texts_tables_and_names_of_files(name: str, data: bytes, finding: str, place: str, tmp_path: Path) -> None:
    assert place in places_of(tmp_path, name, data)[finding]


def test_a_parquet_table_is_read_in_every_column(tmp_path: Path) -> None:
    sink = io.BytesIO()
    facts = [{"seen": "Dr. Kowalska agrees."}]
    pq.write_table(pa.table({"key": ["a" * 32], "text": ["No effusion."], "facts": facts}), sink)
    assert places_of(tmp_path, "a.parquet", sink.getvalue()) == {"name": ["column facts"]}


@pytest.mark.parametrize(
    "text",
    [
        "The cardiomediastinal silhouette is within normal limits. No pneumothorax at L3/4.",
        "[NAME] was told at [TIME]; compared with [DATE:2013-03-21].",
        "Key 457c8a0093fe7be94ea7d78551a440ea, class 1.2.840.10008.5.1.4.1.1.2, CC https://creativecommons.org/licenses/by/4.0",
        "T1 weighted, TR 500 ms, 3.5 x 2.1 cm, SUV 4.5, grade 2/6.",
    ],
)
def test_clean_texts_are_clean(text: str) -> None:
    assert not set(audit_text(text))


@pytest.mark.parametrize(
    "path",
    [
        "LIDC-IDRI-0001/000001.dcm",
        "IM-0001-0001.dcm",
        "images/NORMAL2-IM-1427-0001.jpeg",
        "1.2.3/report.txt",
        "dicom/ab/abcdefabcdefabcdefabcdefabcdefab.dcm",
        "Open_Access/Chest_Xray/train-00001.parquet",
    ],
)
def test_paths_as_released_folders_have_them_are_clean(path: str) -> None:
    assert not path_findings(path)


def test_a_number_counts_where_its_column_says_whose_it_is() -> None:
    assert cell_findings("accession", "A1900341") == {Finding.ID} and not cell_findings("width", "1024")
    assert not cell_findings("patient_id", "de70126127aa9baeed52ff57b798f754")


def test_a_file_too_large_to_be_read_is_not_called_clean(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("No effusion.")
    (file,) = [audit_file(f, AuditRules(pixels=0, max_bytes=5)) for f in walk(tmp_path)]
    assert file.places == {"unprovable": ["too large to be read"]}


def test_pictures_hold_pixels_alone(tmp_path: Path) -> None:
    plain = encode_png(gradient(dtype="u1", top=255))
    assert places_of(tmp_path, "a.png", plain) == {}
    said = b"Author\0Brenda Kowalska"
    chunk = len(said).to_bytes(4, "big") + b"tEXt" + said + zlib.crc32(b"tEXt" + said).to_bytes(4, "big")
    assert places_of(tmp_path, "a.png", plain[:33] + chunk + plain[33:]) == {"container": ["png: more than pixels"]}


@pytest.mark.skipif(not reads_pixels(), reason="the 'ocr' extra reads pictures")
def test_text_in_pixels_is_read(tmp_path: Path) -> None:
    drawn = np.full((256, 256), 40, np.uint8)
    cv2.putText(drawn, "KOWALSKA B", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 220, 2)
    ds = dataset(drawn.astype(np.uint16))
    (tmp_path / "a.dcm").write_bytes(to_bytes(ds))
    (file,) = [audit_file(f, AuditRules()) for f in walk(tmp_path)]
    assert file.places["pixel_text"] == ["pixels"] and file.pixels == "read"


def test_an_audit_is_the_same_bytes_and_counts_what_it_could_not_judge() -> None:
    files = [FileAudit(f"{i:032x}", "dicom", {"name": ["path"]} if i else {}, ("dates",), bool(i)) for i in (1, 0, 2)]
    audit = summary(files, AuditRules(("uids",), pixels=0), 7)
    assert audit == summary(files[::-1], AuditRules(("uids",), pixels=0), 7)
    assert (audit["files"], audit["declared"], audit["not_declared_removed"]) == (3, {"dates": 3}, 1)
    assert [f["key"][-1] for f in audit["with_findings"]] == ["1", "2"] and audit["findings"] == {"name": 2}
