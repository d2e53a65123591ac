"""Pieces of DICOM files for the generators: pictures, headers, streams, and what a frame should look like.

Nothing here is taken from the product: pixels are shown by the formulas of PS3.3 C.11 as they stand there.
"""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)
LOSSLESS = (JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless, RLELossless)
_CLASSES = {"CT": "2", "MR": "4", "CR": "1", "DX": "1.1", "US": "6.1", "XA": "12.1", "EMR": "4.1", "NM": "20"}


@dataclass
class Case:
    """A file, and what frame ``frame`` of it shows: ``truth``, uint8 (rows, columns) or (rows, columns, 3), give or
    take ``within`` shades."""

    data: bytes
    truth: np.ndarray
    frame: int = 0
    within: int = 1


def picture(rng: np.random.Generator, low: float, high: float, shape: tuple[int, int] | None = None) -> np.ndarray:
    """int64 (rows, columns), ``low`` and ``high`` both reached: soft masses, hard-edged bones and rods, grain."""
    rows, columns = shape or (int(rng.integers(64, 112)), 2 * int(rng.integers(33, 60)))
    y, x = np.mgrid[:rows, :columns]
    soft = np.zeros((rows, columns))
    for _ in range(5):
        cy, cx, s = rng.uniform(0, rows), rng.uniform(0, columns), rng.uniform(8, 30)
        soft += rng.uniform(-1, 1) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * s * s))
    soft = (soft - soft.min()) / np.ptp(soft)
    hard = np.zeros((rows, columns), np.float32)
    for _ in range(3):
        centre = int(rng.integers(columns)), int(rng.integers(rows))
        axes = int(rng.integers(5, 20)), int(rng.integers(4, 12))
        cv2.ellipse(hard, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0.2, 0.6)), -1)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)), (0, 0), float(rng.uniform(0.6, 1.5)))
    whole = soft + hard + float(rng.choice([rng.uniform(0.005, 0.03), 0.12], p=[0.85, 0.15])) * grain
    whole = (whole - whole.min()) / np.ptp(whole)
    return np.rint(low + whole * (high - low)).astype(np.int64)


def colours(rng: np.random.Generator, shape: tuple[int, int] | None = None) -> np.ndarray:
    """uint8 (rows, columns, 3)."""
    first = picture(rng, 0, 255, shape)
    rest = [picture(rng, *sorted(rng.integers(0, 256, 2)), first.shape) for _ in range(2)]
    return np.dstack([first, *rest]).astype(np.uint8)


def header(values: np.ndarray, stored: int, allocated: int, modality: str = "CT", **attributes: Any) -> Dataset:
    """A data set for (rows, columns[, 3]) or (frames, rows, columns[, 3]) values, without its pixel data."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = f"1.2.840.10008.5.1.4.1.1.{_CLASSES[modality]}"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = "1.2.3", "1.2.3.4", 1
    ds.PatientID, ds.PatientName, ds.StudyDate, ds.StudyTime = "P1", "Quill^Ada", "20190502", "101112"
    ds.AccessionNumber, ds.Modality, ds.PatientSex, ds.PatientBirthDate = "A1", modality, "F", "19500101"
    colour = values.ndim >= 3 and values.shape[-1] == 3
    ds.Rows, ds.Columns = values.shape[-3:-1] if colour else values.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, stored, stored - 1
    ds.PixelRepresentation = int(values.min() < 0)
    if colour:
        ds.PlanarConfiguration = 0
    if values.ndim - colour == 3:
        ds.NumberOfFrames = len(values)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def native(values: np.ndarray, allocated: int, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Cells of ``values``, two's complement, in the syntax's byte order, of even length."""
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    cells = (values.astype(np.int64) & ((1 << allocated) - 1)).astype(f"{order}u{allocated // 8}")
    return cells.tobytes() + b"\0" * (cells.nbytes % 2)


def stream(cells: np.ndarray, syntax: UID, **options: Any) -> bytes:
    """One code stream of unsigned (or, for JPEG 2000, signed) cells (rows, columns[, 3])."""
    cells = np.ascontiguousarray(cells)
    if syntax == RLELossless:
        return rle(cells)
    if syntax == JPEGBaseline8Bit:
        return bytes(imagecodecs.jpeg8_encode(cells, **{"level": 95, **options}))
    if syntax == JPEGLosslessSV1:
        return bytes(imagecodecs.ljpeg_encode(cells, **options))
    if syntax == JPEGLSLossless:
        return bytes(imagecodecs.jpegls_encode(cells, **options))
    if syntax == HTJ2KLossless:
        return bytes(imagecodecs.htj2k_encode(cells, reversible=True, **options))
    return bytes(imagecodecs.jpeg2k_encode(cells, **{"codecformat": "j2k", "reversible": True, "level": 0, **options}))


def rle(cells: np.ndarray) -> bytes:
    """One RLE frame (PS3.5 Annex G): planes of bytes, the highest first, sample by sample."""
    samples = cells[..., None] if cells.ndim == 2 else cells
    planes = []
    for k in range(samples.shape[-1]):
        big = np.ascontiguousarray(samples[..., k]).astype(samples.dtype.newbyteorder(">"))
        octets = big.view(np.uint8).reshape(*big.shape, -1)
        planes += [np.ascontiguousarray(octets[..., b]) for b in range(octets.shape[-1])]
    parts = [bytes(imagecodecs.packbits_encode(p)) for p in planes]
    parts = [p + b"\0" * (len(p) % 2) for p in parts]
    places = [64 + sum(map(len, parts[:k])) for k in range(len(parts))]
    return struct.pack("<16L", len(parts), *places, *[0] * (15 - len(parts))) + b"".join(parts)


def cells_of(values: np.ndarray, allocated: int) -> np.ndarray:
    """Unsigned cells that hold ``values`` as two's complement."""
    return (values.astype(np.int64) & ((1 << allocated) - 1)).astype(f"u{allocated // 8}")


def file_of(
    ds: Dataset, value: bytes, syntax: UID, *, coded: bool = False, told: UID | None = None, vr: str | None = None
) -> bytes:
    """The file. ``syntax`` is how the data set is written, ``told`` what the file meta information says instead."""
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = value
    ds["PixelData"].VR = vr or ("OB" if coded or ds.BitsAllocated <= 8 else "OW")
    ds["PixelData"].is_undefined_length = coded
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return retold(buffer.getvalue(), syntax, told) if told is not None else buffer.getvalue()


def retold(data: bytes, syntax: UID, told: UID) -> bytes:
    """The file with another transfer syntax in its meta information, which keeps its length."""
    old = syntax.encode() + b"\0" * (len(syntax) % 2)
    head = struct.pack("<HH2sH", 2, 0x10, b"UI", len(old)) + old
    new = told.encode() + b"\0" * (len(told) % 2)
    at = data.index(head)
    length = int.from_bytes(data[140:144], "little") + len(new) - len(old)
    changed = data[:at] + struct.pack("<HH2sH", 2, 0x10, b"UI", len(new)) + new + data[at + len(head) :]
    return changed[:140] + length.to_bytes(4, "little") + changed[144:]


def packed(streams: list[bytes], *, table: bool = True, pieces: int = 1) -> bytes:
    """Encapsulated streams without the delimiter, each in ``pieces`` fragments."""
    return encapsulate(streams, fragments_per_frame=pieces, has_bot=table)


def shade(share: np.ndarray) -> np.ndarray:
    """uint8, half rounded up."""
    return np.floor(np.clip(share, 0, 1) * 255 + 0.5).astype(np.uint8)


def windowed(values: np.ndarray, centre: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """uint8 by C.11.2.1.2 and C.11.2.1.3."""
    x = values.astype(np.float64)
    if function == "SIGMOID":
        return shade(1 / (1 + np.exp(-4 * (x - centre) / width)))
    if function == "LINEAR_EXACT":
        return shade((x - centre) / width + 0.5)
    return shade((x - (centre - 0.5)) / (width - 1) + 0.5)


def unwindowed(values: np.ndarray, padding: np.ndarray | None = None) -> np.ndarray:
    """uint8: the smallest values that at least half a per cent, and 99.5 per cent, of the pixels do not exceed, over
    the whole range. This reference is the declared rule; no other renderer has it."""
    inside = np.sort(values[~padding] if padding is not None else values, axis=None)
    low, high = (inside[max(int(np.ceil(q * inside.size)) - 1, 0)] for q in (0.005, 0.995))
    return shade((values.astype(np.float64) - low) / float(high - low))


def wide_window(values: np.ndarray) -> dict[str, str]:
    """A window that shows all of ``values``, with a margin."""
    low, high = float(values.min()), float(values.max())
    return {"WindowCenter": f"{(low + high) / 2:.1f}", "WindowWidth": f"{(high - low) * 1.1 + 2:.1f}"}


def shown(values: np.ndarray, ds: Dataset) -> np.ndarray:
    """uint8 of modality values by the data set's own first window."""
    return windowed(values, float(ds.WindowCenter), float(ds.WindowWidth))


def keep(out: Path, part: str, figures: dict[str, Any]) -> None:
    """Write ``figures`` as ``part`` of the results at ``out``; other parts stay."""
    whole = json.loads(out.read_text()) if out.exists() else {}
    out.write_text(json.dumps({**whole, part: figures}, indent=1, sort_keys=True) + "\n")
