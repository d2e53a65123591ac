"""Kinds of objects that are no plain picture: reports, documents, directories, presentation states, private classes."""

from __future__ import annotations

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from benchmarks.deid.header.cases.build import Built, base_ct, meta_of, one, padded, set_pixels, written
from benchmarks.deid.plant import Ledger


def _without_pixels(p: Ledger, sop_class: str, modality: str) -> Dataset:
    ds = base_ct(p)
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
                    "SamplesPerPixel", "PhotometricInterpretation"):  # fmt: skip
        del ds[keyword]
    ds.SOPClassUID, ds.Modality = sop_class, modality
    return ds


def _text_item(p: Ledger, text: str) -> Dataset:
    found, name = Dataset(), Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = "121071", "DCM", "Finding"
    found.RelationshipType, found.ValueType, found.TextValue = "CONTAINS", "TEXT", text
    found.ConceptNameCodeSequence = [name]
    return found


def structured_report(p: Ledger) -> Built:
    ds = _without_pixels(p, uid.BasicTextSRStorage, "SR")
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "VERIFIED"
    observer = Dataset()
    observer.VerifyingObserverName, observer.VerifyingOrganization = p.name(), p.plant("Ottoline Clinic", "Ottoline")
    observer.VerificationDateTime = p.date() + "101010"
    ds.VerifyingObserverSequence = [observer]
    deep = _text_item(p, "Discussed with " + p.name("{g} {s}"))
    deep.ContentSequence = [_text_item(p, p.name("{g}") + " brought the old film"), _person(p)]
    ds.ContentSequence = [_text_item(p, "No pneumothorax. " + p.name("{s}", common=True) + " was told."), deep]
    return one(written(ds), pixels=False, withhold=True)


def _person(p: Ledger) -> Dataset:
    found = Dataset()
    found.RelationshipType, found.ValueType, found.PersonName = "HAS OBS CONTEXT", "PNAME", p.name()
    return found


def encapsulated_pdf(p: Ledger) -> Built:
    ds = _without_pixels(p, uid.EncapsulatedPDFStorage, "DOC")
    ds.DocumentTitle, ds.MIMETypeOfEncapsulatedDocument = "Letter about " + p.name("{s}"), "application/pdf"
    ds.EncapsulatedDocument = padded(
        b"%PDF-1.4\n1 0 obj <</Author (" + p.name("{g} {s}").encode() + b")>> endobj\n%%EOF"
    )
    return one(written(ds), pixels=False, withhold=True)


def dicomdir(p: Ledger) -> Built:
    image = base_ct(p)
    image.StudyID, image.AccessionNumber = p.number("S#####"), p.number("A#######")
    directory = Dataset()
    directory.FileSetID, directory.FileSetConsistencyFlag = p.plant("QUILLSET"), 0
    directory.SOPClassUID, directory.SOPInstanceUID = uid.MediaStorageDirectoryStorage, p.uid()
    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord, record.RecordInUseFlag = 0, 0xFFFF
    record.OffsetOfReferencedLowerLevelDirectoryEntity, record.DirectoryRecordType = 0, "PATIENT"
    record.PatientName, record.PatientID = p.name(), p.number("MR#######")
    directory.DirectoryRecordSequence = [record]
    meta = meta_of(directory)
    del directory.SOPClassUID, directory.SOPInstanceUID  # a directory names itself in its file meta alone
    files = {"DICOMDIR": written(directory, meta=meta), "a.dcm": written(image)}
    return Built(files, withhold=True)


def presentation_state(p: Ledger) -> Built:
    ds = _without_pixels(p, uid.GrayscaleSoftcopyPresentationStateStorage, "PR")
    ds.ContentLabel, ds.ContentDescription = p.plant("QUILLFEATHER"), p.name("{g} {s}")
    ds.ContentCreatorName, ds.PresentationCreationDate = p.name(), p.date()
    text, graphic = Dataset(), Dataset()
    text.UnformattedTextValue = "biopsy for " + p.name("{g} {s}")
    graphic.TextObjectSequence = [text]
    ds.GraphicAnnotationSequence = [graphic]
    return one(written(ds), pixels=False, withhold=True)


def radiotherapy_structures(p: Ledger) -> Built:
    ds = _without_pixels(p, uid.RTStructureSetStorage, "RTSTRUCT")
    ds.StructureSetLabel, ds.StructureSetName = p.name("{s}"), p.name("{s}")
    roi = Dataset()
    roi.ROINumber, roi.ROIName, roi.ROIDescription = 1, "GTV " + p.name("{s}"), p.name("{g} {s}")
    roi.ReferencedFrameOfReferenceUID = p.uid()
    ds.StructureSetROISequence = [roi]
    return one(written(ds), pixels=False, withhold=True)


def waveform(p: Ledger) -> Built:
    ds = _without_pixels(p, uid.TwelveLeadECGWaveformStorage, "ECG")
    note = Dataset()
    note.UnformattedTextValue = p.name("{g} {s}")
    ds.WaveformAnnotationSequence = [note]
    return one(written(ds), pixels=False, withhold=True)


def private_class(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.SOPClassUID = "1.2.826.0.1.3680043.9.9999.7"
    ds.StudyDescription = "CHEST " + p.name("{s}")
    return one(written(ds), withhold=True)


def segmentation(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.SOPClassUID, ds.Modality, ds.SegmentationType = uid.SegmentationStorage, "SEG", "FRACTIONAL"
    set_pixels(ds, np.full((64, 64), 9, np.uint8), 8)
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel, segment.SegmentDescription = 1, p.name("{s}"), p.name("{g} {s}")
    ds.SegmentSequence, ds.ContentCreatorName = [segment], p.name()
    return one(written(ds), withhold=True)


def ultrasound(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.SOPClassUID, ds.Modality = uid.UltrasoundImageStorage, "US"
    grey = (np.mgrid[:64, :64][0] * 2).astype(np.uint8)
    set_pixels(ds, np.repeat(grey[..., None], 3, axis=2), 8, "RGB")
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 63, 63
    region.add_new("ReferencePixelX0", "SL", 0)
    ds.SequenceOfUltrasoundRegions = [region]
    ds.StageName, ds.ViewName, ds.ProtocolName = p.name("{s}"), p.name("{s}"), "Echo " + p.name("{s}")
    ds.TransducerData = ["S5-1", p.name("{s}")]
    return one(written(ds), withhold=True)


def secondary_capture(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.SOPClassUID, ds.Modality, ds.ConversionType = uid.SecondaryCaptureImageStorage, "OT", "WSD"
    ds.SecondaryCaptureDeviceID, ds.SecondaryCaptureDeviceManufacturer = p.number("DEV#####"), p.name("{s}")
    ds.HardcopyDeviceSoftwareVersion = p.name("{s}")
    ds.DocumentTitle = "scan of " + p.name("{s}")
    return one(written(ds), withhold=True)


CASES = (structured_report, encapsulated_pdf, dicomdir, presentation_state, radiotherapy_structures, waveform,
         private_class, segmentation, ultrasound, secondary_capture)  # fmt: skip
