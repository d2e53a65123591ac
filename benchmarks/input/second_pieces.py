"""Pieces of the second generator: real textures, other coders and headers than `dicom_make`'s."""

from __future__ import annotations

import io
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from benchmarks.input.dicom_make import retold, rle, windowed

LE, BE, IM, DF = (
    ExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian,
)  # fmt: skip


@dataclass
class Case:
    """A file and the uint8 picture of its ``frame``, give or take ``within``."""

    data: bytes
    truth: np.ndarray
    within: int = 1
    frame: int = 0
    suffix: str = ".dcm"


Make = Callable[[np.random.Generator], Case]


@lru_cache(maxsize=16)
def _real(name: str) -> np.ndarray:
    path = get_testdata_file(name, download=False)
    assert path is not None
    ds = pydicom.dcmread(path)
    pixels = ds.pixel_array
    return pixels[0] if pixels.ndim - (ds.SamplesPerPixel > 1) > 2 else pixels


def grey(rng: np.random.Generator, low: int, high: int, shape: tuple[int, int] | None = None) -> np.ndarray:
    """int64 (rows, columns) of a real CT or MR, cut, turned and resized; both ends reached."""
    name = str(rng.choice(["CT_small.dcm", "MR_small.dcm", "examples_jpeg2k.dcm"]))
    whole = _real(name)
    whole = whole[..., 1] if whole.ndim == 3 else whole
    field = np.rot90(whole, int(rng.integers(4))).astype(np.float32)
    cut = int(min(field.shape) * rng.uniform(0.7, 1))
    top, left = (int(rng.integers(0, n - cut + 1)) for n in field.shape)
    rows, columns = shape or (int(rng.integers(40, 130)), int(rng.integers(40, 130)))
    field = cv2.resize(field[top : top + cut, left : left + cut], (columns, rows), interpolation=cv2.INTER_CUBIC)
    low_end, high_end = np.percentile(field, (0.2, 99.8))
    field = np.clip((field - low_end) / (high_end - low_end), 0, 1)
    return np.rint(low + field * (high - low)).astype(np.int64)


def colour(rng: np.random.Generator, shape: tuple[int, int] | None = None) -> np.ndarray:
    """uint8 RGB of a real ultrasound picture, mostly grey, with a coloured part drawn over a third of it."""
    rows, columns = shape or (int(rng.integers(40, 100)), 2 * int(rng.integers(20, 50)))
    base = grey(rng, 0, 250, (rows, columns)).astype(np.uint8)
    rgb = np.dstack([base] * 3)
    top = int(rows * rng.uniform(0.3, 0.6))
    hue = rng.uniform(0.2, 1, 3)
    rgb[top : top + rows // 4, columns // 4 :] = base[top : top + rows // 4, columns // 4 :, None] * hue
    return rgb


def vivid(rng: np.random.Generator) -> np.ndarray:
    """uint8 RGB without a grey: a photograph of skin or of an eye's ground."""
    rows, columns = int(rng.integers(40, 90)), 2 * int(rng.integers(20, 45))
    red, rest = grey(rng, 120, 250, (rows, columns)), grey(rng, 10, 90, (rows, columns))
    return np.dstack([red, rest, rest // 2]).astype(np.uint8)


def ybr_of(rgb: np.ndarray) -> np.ndarray:
    """PS3.3 C.7.6.3.1.2, in float64."""
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    found = np.stack([y, (b - y) / 1.772 + 128, (r - y) / 1.402 + 128], -1)
    return np.clip(np.floor(found + 0.5), 0, 255).astype(np.uint8)


_STORAGE = {"CT": "2", "XA": "12.1", "BTO": "13.1.3", "NM": "20", "EMR": "4.1", "SC": "7", "SCW": "7.3", "SCT": "7.4",
            "SCB": "7.1", "SCG": "7.2", "US": "6.1", "DX": "1.1", "VL": "77.1.4", "PT": "128"}  # fmt: skip


def head(kind: str, rows: int, columns: int, stored: int, allocated: int, signed: bool = False, **more: Any) -> Dataset:
    """A header of one of ``_STORAGE``'s objects; ``more`` by keyword."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = f"1.2.840.10008.5.1.4.1.1.{_STORAGE[kind]}", "1.2.826.0.1.3680043.2.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.0.1.3680043.2.2", "1.2.826.0.1.3680043.2.3"
    ds.PatientID, ds.PatientName, ds.StudyDate, ds.Modality = "77", "Okoro^Ife", "20190304", kind[:2]
    ds.AccessionNumber, ds.InstanceNumber, ds.SamplesPerPixel = "A77", 1, 1
    ds.PhotometricInterpretation, ds.Rows, ds.Columns = "MONOCHROME2", rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = allocated, stored, stored - 1, int(signed)
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    return ds


def pack(
    ds: Dataset, value: bytes, syntax: UID = LE, *, vr: str | None = None, told: UID | None = None, **how: Any
) -> bytes:
    """The file; ``told`` the syntax that its meta information names instead of how it is written."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = value + b"\0" * (len(value) % 2)
    ds["PixelData"].VR = vr or ("OB" if syntax.is_encapsulated or ds.BitsAllocated <= 8 else "OW")
    ds["PixelData"].is_undefined_length = syntax.is_encapsulated
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True, **how)
    return out.getvalue() if told is None else retold(out.getvalue(), syntax, told)


def cells(values: np.ndarray, bits: int, order: str = "<") -> bytes:
    """Two's complement in cells of ``bits`` bits."""
    return (values.astype(np.int64) & ((1 << bits) - 1)).astype(f"{order}u{bits // 8}").tobytes()


def with_window(rng: np.random.Generator, ds: Dataset, values: np.ndarray) -> np.ndarray:
    """Sets a window in ``ds`` and gives the picture."""
    centre, width = round(float(np.median(values)), 2), round(float(np.ptp(values)) * rng.uniform(0.4, 0.9) + 2, 2)
    ds.WindowCenter, ds.WindowWidth = f"{centre}", f" {width}"
    return windowed(values, centre, width)


def coder(syntax: UID, values: np.ndarray, **options: Any) -> bytes:
    """A code stream of unsigned or (JPEG 2000) signed values."""
    values = np.ascontiguousarray(values)
    if syntax == RLELossless:
        count = 3 if values.ndim == 3 else 1
        if values.itemsize > 2:  # which pydicom's does not code
            return rle(values)
        return bytes(RLELosslessEncoder.encode(
            values, rows=values.shape[0], columns=values.shape[1], samples_per_pixel=count, number_of_frames=1,
            bits_allocated=8 * values.itemsize, bits_stored=8 * values.itemsize, pixel_representation=0,
            photometric_interpretation="RGB" if count == 3 else "MONOCHROME2",
            planar_configuration=0 if count == 3 else None,
            encoding_plugin="pydicom",
        ))  # fmt: skip
    if syntax in (JPEGLSLossless, JPEGLSNearLossless):
        return bytes(imagecodecs.jpegls_encode(values, **options))
    if syntax in (JPEGLossless, JPEGLosslessSV1):
        return bytes(imagecodecs.jpeg8_encode(values, lossless=True, **{"predictor": 1, **options}))
    if syntax in (HTJ2KLossless, HTJ2KLosslessRPCL):
        return bytes(imagecodecs.htj2k_encode(values, reversible=True, **options))
    if syntax in (JPEG2000, JPEG2000Lossless):
        reversible = syntax == JPEG2000Lossless
        return bytes(imagecodecs.jpeg2k_encode(
            values, **{"codecformat": "j2k", "reversible": reversible, "level": 0 if reversible else 60, **options}
        ))  # fmt: skip
    return bytes(imagecodecs.jpeg8_encode(values, **{"level": 97, **options}))


CODED = (RLELossless, JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless, HTJ2KLossless)


def pick(rng: np.random.Generator, *options: Any) -> Any:
    """One of ``options``."""
    return options[int(rng.integers(len(options)))]


def by_dcmtk(tool: str, data: bytes, *flags: str) -> bytes:
    """The file as DCMTK's ``tool`` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "a.dcm", Path(folder) / "b.dcm"
        before.write_bytes(data)
        subprocess.run([tool, *flags, str(before), str(after)], check=True, capture_output=True)
        return after.read_bytes()


def plain_file(
    rng: np.random.Generator, kind: str = "CT", signed: bool | None = None
) -> tuple[Dataset, np.ndarray, np.ndarray]:
    signed = bool(rng.integers(2)) if signed is None else signed
    values = grey(rng, -900, 1900) if signed else grey(rng, 3, 4000)
    ds = head(kind, *values.shape, 12, 16, signed)
    if kind == "CT":
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "0", "HU"
    return ds, values, with_window(rng, ds, values)


def rgb_head(kind: str, rgb: np.ndarray, photometric: str = "RGB", planar: int = 0, **more: Any) -> Dataset:
    return head(
        kind, *rgb.shape[:2], 8, 8, SamplesPerPixel=3, PhotometricInterpretation=photometric,
        PlanarConfiguration=planar, **more,
    )  # fmt: skip


def pil(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def even(rng: np.random.Generator, low: int, high: int) -> np.ndarray:
    """A ramp under soft texture, so that percentiles and extremes lie near each other."""
    values = grey(rng, 0, 1000).astype(np.float64)
    ramp = np.linspace(0, 1, values.shape[1])
    field = values / 1000 * 0.3 + ramp * 0.7
    field = (field - field.min()) / np.ptp(field)
    return np.rint(low + field * (high - low)).astype(np.int64)


def packed_png(values: np.ndarray, depth: int) -> bytes:
    rows, columns = values.shape
    bits = ((values[..., None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(rows, -1)
    raw = b"".join(b"\0" + np.packbits(row).tobytes() for row in bits)
    parts = [(b"IHDR", columns.to_bytes(4, "big") + rows.to_bytes(4, "big") + bytes((depth, 0, 0, 0, 0))),
             (b"tEXt", b"Comment\0nothing"), (b"IDAT", zlib.compress(raw)[:9]), (b"IDAT", zlib.compress(raw)[9:]),
             (b"IEND", b"")]  # fmt: skip
    chunks = [len(b).to_bytes(4, "big") + k + b + zlib.crc32(k + b).to_bytes(4, "big") for k, b in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
