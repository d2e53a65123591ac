"""What cases are built of: a small CT with an identity, a DICOM writer that can also write what is wrong."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import Tag

from benchmarks.deid.plant import Ledger

EXPLICIT = uid.ExplicitVRLittleEndian
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")


@dataclass(frozen=True)
class Built:
    """The files of a case. ``pixels``: where the tool passes a file, its pixels must equal the source's. ``withhold``:
    the kind is one that a tool may rightly refuse, so refusing counts as no loss. ``spare_bits``: something is drawn in
    the bits above the 12 stored ones; those must be empty, and the pixels equal below them."""

    files: dict[str, bytes]
    pixels: bool = True
    withhold: bool = False
    spare_bits: bool = False


def one(data: bytes, pixels: bool = True, withhold: bool = False) -> Built:
    """A case of a single file."""
    return Built({"a.dcm": data}, pixels, withhold)


def base_ct(ledger: Ledger, side: int = 64) -> Dataset:
    """A valid CT image of an invented patient: only the identity that every file has is planted here."""
    before, ds = frozenset(ledger.strings), Dataset()
    ds.SOPClassUID = uid.CTImageStorage
    ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = ledger.uid(), ledger.uid(), ledger.uid()
    ds.PatientName, ds.PatientID = ledger.name(), ledger.number("MR#######")
    ds.PatientBirthDate, ds.PatientSex = ledger.date(1930, 1990), "F"
    ds.StudyDate = ledger.date(2010, 2023)
    ledger.everywhere = frozenset(ledger.strings) - before
    ds.StudyTime, ds.Modality, ds.BodyPartExamined = "101500", "CT", "CHEST"
    ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = "", "", ""
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness, ds.KVP = [0.7, 0.7], 5, 120
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -1024, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 400
    set_pixels(ds, anatomy(side))
    return ds


def anatomy(side: int, top: int = 4095) -> np.ndarray:
    """uint16[side, side]: a smooth body on a dark ground, no structure like text."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    body = np.clip(1.2 - (x / 0.42) ** 2 - (y / 0.36) ** 2, 0, 1)
    return np.asarray(body * (0.55 + 0.2 * np.cos(9 * x) * np.sin(7 * y + 1)) * top).astype(np.uint16)


def set_pixels(ds: Dataset, pixels: np.ndarray, stored: int = 12, photometric: str = "MONOCHROME2") -> None:
    """The image pixel module of PS3.3 C.7.6.3 for ``pixels`` [h, w] or [h, w, 3]."""
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = 8 * pixels.dtype.itemsize
    ds.BitsStored = min(stored, ds.BitsAllocated)
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    data = pixels.tobytes()
    ds.add_new("PixelData", "OW" if ds.BitsAllocated == 16 else "OB", data + b"\0" * (len(data) % 2))


def meta_of(ds: Dataset, syntax: str = EXPLICIT) -> FileMetaDataset:
    """File meta information of a scanner that is none of today's."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = uid.UID(syntax)
    meta.ImplementationClassUID = "1.2.826.0.1.3680043.9.9999.1"
    return meta


def written(ds: Dataset, syntax: str = EXPLICIT, preamble: bytes = b"", meta: FileMetaDataset | None = None) -> bytes:
    """A Part 10 file by pydicom's own writer."""
    ds.file_meta = meta or meta_of(ds, syntax)
    ds.preamble = preamble.ljust(128, b"\0")[:128]
    out = BytesIO()
    with pydicom.config.disable_value_validation():
        pydicom.dcmwrite(out, ds, enforce_file_format=False)
    return out.getvalue()


def raw(tag: int, vr: bytes, payload: bytes, length: int | None = None) -> bytes:
    """An explicit little endian element with whatever VR, bytes and stated length."""
    stated = len(payload) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    return head + (struct.pack("<HI", 0, stated) if vr in _LONG else struct.pack("<H", stated)) + payload


def padded(text: str | bytes) -> bytes:
    """Bytes of even length."""
    data = text.encode() if isinstance(text, str) else text
    return data + b" " * (len(data) % 2)


def spliced(ds: Dataset, extra: list[tuple[int, bytes]], syntax: str = EXPLICIT) -> bytes:
    """``ds`` in explicit little endian with ready-made elements put in by tag, after one of the same tag."""
    parts = [(int(tag), 0, _encoded(ds, tag)) for tag in sorted(ds.keys())]
    parts += [(tag, 1, data) for tag, data in extra]
    head = b"\0" * 128 + b"DICM" + _meta_bytes(meta_of(ds, syntax))
    return head + b"".join(data for _, _, data in sorted(parts, key=lambda p: p[:2]))


def _encoded(ds: Dataset, tag: Tag) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    encodings = pydicom.charset.convert_encodings(ds.get("SpecificCharacterSet", "ISO_IR 6"))
    element = pydicom.filewriter.correct_ambiguous_vr_element(ds[tag], ds, True)
    write_data_element(out, element, encodings)
    return out.getvalue()


def _meta_bytes(meta: FileMetaDataset) -> bytes:
    out = BytesIO()
    pydicom.filewriter.write_file_meta_info(out, meta, enforce_standard=True)
    return out.getvalue()


def item(tag_value: bytes, undefined: bool = False) -> bytes:
    """One sequence item around ready-made elements (PS3.5 7.5)."""
    if undefined:
        return b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + tag_value + b"\xfe\xff\x0d\xe0\0\0\0\0"
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(tag_value)) + tag_value
