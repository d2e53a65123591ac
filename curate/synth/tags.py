"""A DICOM header as hospitals write them, with identifiers in standard tags, private tags, sequences and free text."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from curate.synth.case import Case
from curate.synth.identities import Ledger, Patient, Visit, make_uid, write_date

_SOP_CLASS = {
    "CR": uid.ComputedRadiographyImageStorage,
    "DX": uid.DigitalXRayImageStorageForPresentation,
    "CT": uid.CTImageStorage,
    "MR": uid.MRImageStorage,
    "US": uid.UltrasoundImageStorage,
}
_MAKERS = ("Halvorsen Imaging", "Quantec Medical", "Orbis Diagnostics")
_IMPLEMENTATION = uid.UID("2.25.315527389468331096113286478251640219177")
_NAME_IN_PREAMBLE = 0.06
_PRIVATE_CREATOR = "HALVORSEN HEADER 01"


@dataclass(frozen=True)
class Subject:
    """The subject of a header: one image of one study of one patient."""

    seed: int
    index: int
    number: int
    case: Case
    patient: Patient
    visit: Visit
    ledger: Ledger

    @property
    def sop_uid(self) -> str:
        """SOPInstanceUID of this image."""
        return self.ledger.note(make_uid(self.seed, "instance", self.index, self.number))


def make_header(
    subject: Subject, syntax: uid.UID, frames: int, burned: bool, bare: bool, rng: np.random.Generator
) -> Dataset:
    """Everything but the pixels, file meta included; each identifying string goes into the subject's ledger.

    ``bare``: the file will have no preamble, so nothing can hide there.
    """
    ds = Dataset()
    ds.SpecificCharacterSet = list(subject.patient.charset)
    scene = subject.case.scene
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.SOPClassUID = uid.UltrasoundMultiFrameImageStorage if frames > 1 else _SOP_CLASS[scene.modality]
    ds.SOPInstanceUID = subject.sop_uid
    ds.Modality = scene.modality
    ds.BodyPartExamined = scene.body_part
    ds.Manufacturer = str(rng.choice(_MAKERS))
    ds.SeriesNumber, ds.InstanceNumber = 1, subject.number + 1
    if frames > 1:
        ds.NumberOfFrames = frames
        ds.FrameTime = 40
    if scene.name == "chest_film":
        ds.ViewPosition = "AP" if scene.modality == "CR" else "PA"
        ds.PatientOrientation = ["L", "F"]
    # the flag is unreliable, as in real files
    if flag := str(rng.choice(["YES", "NO", ""], p=[0.5, 0.3, 0.2] if burned else [0.0, 0.5, 0.5])):
        ds.BurnedInAnnotation = flag
    _add_patient(ds, subject, rng)
    _add_visit(ds, subject, rng)
    _add_nested(ds, subject, rng)
    if rng.random() < 0.5:
        _add_private(ds, subject)
    _add_file_meta(ds, subject, syntax)
    name_hidden = rng.random() < _NAME_IN_PREAMBLE and not bare  # the 128 bytes are free for any use (PS3.10 7.1)
    hidden = subject.patient.name("comma", subject.ledger).encode() if name_hidden else b""
    ds.preamble = hidden.ljust(128, b"\0")
    return ds


def _add_patient(ds: Dataset, subject: Subject, rng: np.random.Generator) -> None:
    patient, ledger = subject.patient, subject.ledger
    form = "DICOM" if rng.random() < 0.4 and not patient.ideographic else "dicom"
    name = patient.name(form, ledger)
    ds.PatientName = f"{name}={ledger.note(patient.ideographic)}" if patient.ideographic else name
    ds.PatientID = ledger.note(patient.mrn)
    ds.PatientBirthDate = write_date(patient.birth, "da", ledger)
    ds.PatientSex = patient.sex
    ds.PatientAge = f"{(subject.visit.date - patient.birth).days // 365:03d}Y"
    if rng.random() < 0.5:
        ds.PatientAddress = ledger.note(f"{patient.address}, {subject.visit.town}", patient.address, subject.visit.town)
        ds.PatientTelephoneNumbers = ledger.note(patient.phone)
    if rng.random() < 0.3:
        ds.PatientComments = f"{patient.name('title', ledger)} asks for a call at {ledger.note(patient.phone)}"


def _add_visit(ds: Dataset, subject: Subject, rng: np.random.Generator) -> None:
    visit, ledger, note = subject.visit, subject.ledger, subject.ledger.note
    ds.StudyInstanceUID = note(visit.study_uid)
    ds.SeriesInstanceUID = note(visit.series_uid)
    ds.FrameOfReferenceUID = note(visit.frame_uid)
    ds.AccessionNumber = note(visit.accession)
    day = write_date(visit.date, "da", ledger)
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = day
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = visit.time
    ds.AcquisitionDateTime = note(f"{day}{visit.time}")
    ds.InstitutionName = note(visit.institution)
    ds.InstitutionAddress = note(f"Main Street, {visit.town}", visit.town)
    ds.ReferringPhysicianName = note("^".join(visit.referring), visit.referring[0])
    ds.NameOfPhysiciansReadingStudy = note("^".join(visit.reader), visit.reader[0])
    ds.StationName = note(visit.station)
    ds.DeviceSerialNumber = note(visit.serial)
    title = subject.case.scene.title
    if rng.random() < 0.15:
        title = f"{title} for {subject.patient.name('comma', ledger)}"
    ds.StudyDescription = title
    ds.SeriesDescription = subject.case.scene.title


def _add_nested(ds: Dataset, subject: Subject, rng: np.random.Generator) -> None:
    patient, visit, ledger = subject.patient, subject.visit, subject.ledger
    other = Dataset()
    other.PatientID = ledger.note(patient.mrn.replace("QH", "ZK"))
    other.IssuerOfPatientID = ledger.note(visit.institution)
    ds.OtherPatientIDsSequence = Sequence([other])
    if rng.random() < 0.6:
        request, study = Dataset(), Dataset()
        study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
        study.ReferencedSOPInstanceUID = ledger.note(make_uid(subject.seed, "earlier", subject.index))
        request.ReferencedStudySequence = Sequence([study])
        request.RequestedProcedureDescription = f"Imaging of {patient.name('short', ledger)}"
        request.ScheduledProcedureStepID = ledger.note(f"P{visit.accession}")
        ds.RequestAttributesSequence = Sequence([request])


def _add_private(ds: Dataset, subject: Subject) -> None:
    patient, ledger = subject.patient, subject.ledger
    block = ds.private_block(0x0009, _PRIVATE_CREATOR, create=True)
    block.add_new(0x01, "LO", f"worklist entry {patient.name('comma', ledger)}")
    block.add_new(0x02, "SH", ledger.note(patient.mrn))
    block.add_new(0x03, "DA", write_date(subject.visit.date - dt.timedelta(days=3), "da", ledger))
    item = Dataset()
    item.PatientName = patient.name("dicom", ledger)
    deep = item.private_block(0x0011, _PRIVATE_CREATOR, create=True)
    deep.add_new(0x01, "LT", f"callback {ledger.note(patient.phone)}, seen by {subject.visit.reader[0]}")
    ledger.note(subject.visit.reader[0])
    block.add_new(0x10, "SQ", Sequence([item]))


def _add_file_meta(ds: Dataset, subject: Subject, syntax: uid.UID) -> None:
    """File meta information with fixed bytes: pydicom's own version string would change with pydicom."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = "HALVORSEN_1"
    ds.file_meta = meta
