"""Small DICOM files made on the fly, one a transfer syntax, for the tests of reading them."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
ENCAPSULATED = (RLELossless, JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)


def gradient(rows: int = 40, columns: int = 32, top: int = 4095, dtype: str = "u2") -> np.ndarray:
    """(rows, columns): 0 to ``top``, every row and column different."""
    return np.linspace(0, top, rows * columns).round().astype(dtype).reshape(rows, columns)


def dataset(pixels: np.ndarray, syntax: UID = ExplicitVRLittleEndian, **attributes: object) -> Dataset:
    """A CT Image of (rows, columns), (rows, columns, 3) or, with NumberOfFrames, (frames, rows, columns) pixels."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CT
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3.4.5"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.AccessionNumber = "1.2.3", "1.2.3.4", "ACC7"
    ds.PatientID, ds.PatientName, ds.StudyDate, ds.Modality = "MRN42", "Doe^Jane", "20200229", "CT"
    ds.InstanceNumber = 3
    frames = pixels if "NumberOfFrames" in attributes else pixels[None]
    ds.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    ds.PhotometricInterpretation = "RGB" if frames.ndim == 4 else "MONOCHROME2"
    ds.Rows, ds.Columns = frames.shape[1:3]
    ds.BitsAllocated = ds.BitsStored = 8 * pixels.dtype.itemsize
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    if frames.ndim == 4:
        ds.PlanarConfiguration = 0
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.HighBit = ds.BitsStored - 1
    if syntax.is_encapsulated and syntax != RLELossless:
        ds.PixelData = encapsulate([encode(frame, syntax) for frame in frames])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    else:
        ordered = pixels.astype(pixels.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<"))
        ds.PixelData = ordered.tobytes() + b"\0" * (ordered.nbytes % 2)
        ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    if syntax == RLELossless:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(RLELossless, generate_instance_uid=False)
    return ds


def encode(frame: np.ndarray, syntax: UID) -> bytes:
    """One compressed frame."""
    codecs = {
        JPEGBaseline8Bit: lambda a: imagecodecs.jpeg8_encode(a, level=90),
        JPEGLosslessSV1: imagecodecs.ljpeg_encode,
        JPEGLSLossless: imagecodecs.jpegls_encode,
        JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k", reversible=True, level=0),
    }
    return bytes(codecs[syntax](frame))


def to_bytes(ds: Dataset) -> bytes:
    """The file's bytes, in the encoding of its transfer syntax."""
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def write(path: Path, pixels: np.ndarray, syntax: UID = ExplicitVRLittleEndian, **attributes: object) -> Path:
    """The file of `dataset` at ``path``."""
    path.write_bytes(to_bytes(dataset(pixels, syntax, **attributes)))
    return path
