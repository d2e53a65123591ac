"""A second generator of pictures: `python -m benchmarks.input.second [--seed S] [--each N] [--out FILE]`

156 files that contradict themselves and 186 good but unusual ones. How it differs from `dicom_contradictory`,
`dicom_good` and the image kinds: textures are real (pydicom's CT, MR and ultrasound files, cut and resized), the coders
are DCMTK's, pydicom's, libtiff's (Pillow) and OpenJPEG's rather than this folder's own, headers are those of other
objects (XA, tomosynthesis, NM, enhanced MR, secondary captures of every depth), and the right picture of each file is
written down before it is encoded. A contradictory file must be dropped or right; a good one must be right; what
`curate deid` writes of a file must be the same picture.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pydicom
from PIL import Image, ImageOps
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.sequence import Sequence
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
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from benchmarks.input.dicom_make import keep
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import DeidRules
from curate.deid_export.dicom import clean_dicom
from curate.deid_export.images import clean_image
from curate.deid_export.rules import ReleaseRules
from curate.errors import DropRecord
from curate.sources.dicom.read import load_dicom, read_header
from curate.sources.images.read import load_image, read_image_header
from curate.sources.picture import PixelRules

SEED, EACH = 20261129, 6
_LE, _BE, _IM, _DF = (
    ExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian,
)  # fmt: skip
_TRUST, _PSEUDO = ReleaseRules(deid=DeidRules("trust")), Pseudonymizer(bytes(range(32)))


@dataclass
class Case:
    """A file and the uint8 picture of its ``frame``, give or take ``within``."""

    data: bytes
    truth: np.ndarray
    within: int = 1
    frame: int = 0
    suffix: str = ".dcm"


Make = Callable[[np.random.Generator], Case]
GOOD: dict[str, Make] = {}
CONTRADICTORY: dict[str, Make] = {}


def good(make: Make) -> Make:
    """Registers a kind that must not be lost."""
    return GOOD.setdefault(make.__name__, make)


def bad(make: Make) -> Make:
    """Registers a kind that must not be kept wrong."""
    return CONTRADICTORY.setdefault(make.__name__, make)


# -- textures and pieces


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


def to8(share: np.ndarray) -> np.ndarray:
    """uint8, rounded half up."""
    return np.floor(np.clip(share, 0, 1) * 255 + 0.5).astype(np.uint8)


def linear(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """C.11.2.1.2.1."""
    return to8((values - (centre - 0.5)) / (width - 1) + 0.5)


def robust(values: np.ndarray) -> np.ndarray:
    """The declared rule for frames of over 8 bits without a window: percentiles 0.5 and 99.5 by rank."""
    inside = np.sort(values, axis=None)
    low, high = (float(inside[max(int(np.ceil(q * inside.size)) - 1, 0)]) for q in (0.005, 0.995))
    return to8((values - low) / (high - low))


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
    ds: Dataset, value: bytes, syntax: UID = _LE, *, vr: str | None = None, told: UID | None = None, **how: Any
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
    data = out.getvalue()
    if told is not None:
        old, new = (s.encode() + b"\0" * (len(s) % 2) for s in (syntax, told))
        start = data.index(b"\x02\x00\x10\x00UI")
        data = data[: start + 6] + len(new).to_bytes(2, "little") + new + data[start + 8 + len(old) :]
        data = (
            data[:140]
            + (int.from_bytes(data[140:144], "little") + len(new) - len(old)).to_bytes(4, "little")
            + data[144:]
        )
    return data


def cells(values: np.ndarray, bits: int, order: str = "<") -> bytes:
    """Two's complement in cells of ``bits`` bits."""
    return (values.astype(np.int64) & ((1 << bits) - 1)).astype(f"{order}u{bits // 8}").tobytes()


def windowed(rng: np.random.Generator, ds: Dataset, values: np.ndarray) -> np.ndarray:
    """Sets a window in ``ds`` and gives the picture."""
    centre, width = round(float(np.median(values)), 2), round(float(np.ptp(values)) * rng.uniform(0.4, 0.9) + 2, 2)
    ds.WindowCenter, ds.WindowWidth = f"{centre}", f" {width}"
    return linear(values, centre, width)


def coder(syntax: UID, values: np.ndarray, **options: Any) -> bytes:
    """A code stream of unsigned or (JPEG 2000) signed values."""
    values = np.ascontiguousarray(values)
    if syntax == RLELossless:
        count = 3 if values.ndim == 3 else 1
        if values.itemsize > 2:  # which pydicom's does not code
            planes = np.ascontiguousarray(
                values.astype(values.dtype.newbyteorder(">")).view(np.uint8).reshape(*values.shape, -1)
            )
            parts = [
                bytes(imagecodecs.packbits_encode(np.ascontiguousarray(planes[..., k]))) for k in range(values.itemsize)
            ]
            parts = [part + b"\0" * (len(part) % 2) for part in parts]
            places = [64 + sum(map(len, parts[:k])) for k in range(len(parts))]
            return np.array([len(parts), *places, *[0] * (15 - len(parts))], "<u4").tobytes() + b"".join(parts)
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


_CODED = (RLELossless, JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless, HTJ2KLossless)


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


# -- good and unusual: grey DICOM


def _plain(
    rng: np.random.Generator, kind: str = "CT", signed: bool | None = None
) -> tuple[Dataset, np.ndarray, np.ndarray]:
    signed = bool(rng.integers(2)) if signed is None else signed
    values = grey(rng, -900, 1900) if signed else grey(rng, 3, 4000)
    ds = head(kind, *values.shape, 12, 16, signed)
    if kind == "CT":
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "0", "HU"
    return ds, values, windowed(rng, ds, values)


@good
def xa_run(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 255, (64, 72)) for _ in range(5)]
    at = int(rng.integers(5))
    ds = head("XA", 64, 72, 8, 8, NumberOfFrames=5, FrameTime="66.7", PixelIntensityRelationship="LIN")
    ds.FrameIncrementPointer = 0x00181063
    syntax = pick(rng, _LE, _DF, _IM)
    return Case(pack(ds, b"".join(cells(f, 8) for f in frames), syntax), frames[at].astype(np.uint8), 0, at)


@good
def tomosynthesis(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 1023, (60, 44)) for _ in range(4)]
    at = int(rng.integers(4))
    shared, voi, change = Dataset(), Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth, voi.VOILUTFunction = ["512", "300"], ["700.5", "200"], "LINEAR"
    voi.WindowCenterWidthExplanation = ["NORMAL", "HARDER"]
    change.RescaleSlope, change.RescaleIntercept, change.RescaleType = "1", "0", "US"
    shared.FrameVOILUTSequence, shared.PixelValueTransformationSequence = Sequence([voi]), Sequence([change])
    ds = head("BTO", 60, 44, 10, 16, NumberOfFrames=4, PresentationLUTShape="IDENTITY")
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence([Dataset() for _ in frames])
    syntax = pick(rng, *_CODED)
    value = encapsulate([coder(syntax, f.astype(np.uint16)) for f in frames])
    return Case(pack(ds, value, syntax), linear(frames[at], 512, 700.5), 1, at)


@good
def enhanced_mr(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 3000, (50, 48)) for _ in range(3)]
    at = int(rng.integers(3))
    groups = []
    for k in range(3):
        group, voi, change = Dataset(), Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = f"{900 + 100 * k}", f"{1500 - 200 * k}"
        change.RescaleSlope, change.RescaleIntercept = f"{0.5 + 0.25 * k}", f"{-10 * k}"
        group.FrameVOILUTSequence, group.PixelValueTransformationSequence = Sequence([voi]), Sequence([change])
        groups.append(group)
    ds = head("EMR", 50, 48, 16, 16, NumberOfFrames=3, WindowCenter="1", WindowWidth="2")
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    truth = linear(frames[at] * (0.5 + 0.25 * at) - 10 * at, 900 + 100 * at, 1500 - 200 * at)
    return Case(pack(ds, b"".join(cells(f, 16) for f in frames), pick(rng, _LE, _IM)), truth, 1, at)


@good
def nuclear_medicine(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 400, (64, 64)) for _ in range(4)]
    at = int(rng.integers(4))
    ds = head("NM", 64, 64, 16, 16, NumberOfFrames=4, NumberOfDetectors=2, NumberOfEnergyWindows=1)
    ds.FrameIncrementPointer, ds.EnergyWindowVector, ds.DetectorVector = [0x00540010, 0x00540020], [1] * 4, [1, 1, 2, 2]
    ds.DetectorInformationSequence = Sequence([Dataset(), Dataset()])
    if rng.integers(2):
        return Case(pack(ds, b"".join(cells(f, 16) for f in frames)), robust(frames[at]), 1, at)
    ds.SmallestImagePixelValue, ds.LargestImagePixelValue = 0, 400
    return Case(pack(ds, b"".join(cells(f, 16, ">") for f in frames), _BE), robust(frames[at]), 1, at)


@good
def positron_slope(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 32000)
    slope = 10.0 ** -rng.uniform(3, 7)
    ds = head("PT", *values.shape, 16, 16, True, RescaleIntercept="0", RescaleSlope=f"{slope:.8g}", Units="BQML")
    slope = float(f"{slope:.8g}")
    top = float(f"{32000 * slope * 0.8:.8g}")
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = f"{top / 2:.8g}", f"{top:.8g}", "LINEAR_EXACT"
    centre = float(f"{top / 2:.8g}")
    return Case(pack(ds, cells(values, 16)), to8((values * slope - centre) / top + 0.5))


@good
def sigmoid_of_a_film(rng: np.random.Generator) -> Case:
    values = grey(rng, 100, 4000)
    ds = head("DX", *values.shape, 12, 16, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = "2048", "1200", pick(rng, "SIGMOID", "sigmoid", "Sigmoid ")
    return Case(pack(ds, cells(values, 16)), 255 - to8(1 / (1 + np.exp(-4 * (values - 2048.0) / 1200))))


@good
def tables_before_windows(rng: np.random.Generator) -> Case:
    values = grey(rng, -1000, 1000)
    entries = np.cumsum(rng.integers(1, 4, 2001))
    item = Dataset()
    item.add_new("LUTDescriptor", "SS", [2001, -1000, 13])
    item.LUTExplanation = "made"
    item.add_new("LUTData", "US", entries.tolist())
    ds = head("DX", *values.shape, 12, 16, True, WindowCenter="0", WindowWidth="10", VOILUTSequence=Sequence([item]))
    top = (1 << int(entries.max()).bit_length()) - 1
    return Case(pack(ds, cells(values, 16)), to8(entries[values + 1000] / top))


@good
def modality_table(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 255)
    table = np.sort(rng.integers(0, 60000, 256))
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [256, 0, 16], "OD"
    item.add_new("LUTData", "OW", table.astype("<u2").tobytes())
    ds = head(
        "DX", *values.shape, 8, 8, ModalityLUTSequence=Sequence([item]), WindowCenter="30000", WindowWidth="50000"
    )
    return Case(pack(ds, cells(values, 8)), linear(table[values], 30000, 50000))


@good
def four_bytes(rng: np.random.Generator) -> Case:
    signed = bool(rng.integers(2))
    values = grey(rng, -(10**6) if signed else 5, 2 * 10**6)
    ds = head("SC", *values.shape, 32, 32, signed)
    truth = windowed(rng, ds, values)
    if rng.integers(2):
        return Case(pack(ds, cells(values, 32)), truth)
    return Case(
        pack(ds, encapsulate([coder(RLELossless, (values & 0xFFFFFFFF).astype(np.uint32))]), RLELossless), truth
    )


@good
def floats_of_a_known_class(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 5000).astype(np.float64) / 7 - 300
    wide = bool(rng.integers(2))
    ds = head("EMR", *values.shape, 32, 64 if wide else 32)
    for keyword in ("BitsStored", "HighBit", "PixelRepresentation"):
        delattr(ds, keyword)
    ds.WindowCenter, ds.WindowWidth = "0", "500"
    data = pack(ds, b"")
    at = data.rindex(b"\xe0\x7f\x10\x00")
    raw = values.astype("<f8" if wide else "<f4").tobytes()
    tag = b"\xe0\x7f\x09\x00OD" if wide else b"\xe0\x7f\x08\x00OF"
    stored = values if wide else values.astype(np.float32).astype(np.float64)
    return Case(data[:at] + tag + b"\0\0" + len(raw).to_bytes(4, "little") + raw, linear(stored, 0, 500))


@good
def single_bits(rng: np.random.Generator) -> Case:
    frames = [(grey(rng, 0, 255, (33, 29)) > 127).astype(np.uint8) for _ in range(3)]
    at, inverse = int(rng.integers(3)), bool(rng.integers(2))
    ds = head("SCB", 33, 29, 1, 1, NumberOfFrames=3, PhotometricInterpretation=f"MONOCHROME{1 if inverse else 2}")
    bits = np.packbits(np.concatenate([f.ravel() for f in frames]), bitorder="little").tobytes()
    return Case(pack(ds, bits), (1 - frames[at] if inverse else frames[at]) * np.uint8(255), 0, at)


@good
def overlays_beside(rng: np.random.Generator) -> Case:
    ds, values, truth = _plain(rng)
    rows, columns = values.shape
    for group in (0x6000, 0x6004):
        ds.add_new((group, 0x0010), "US", rows)
        ds.add_new((group, 0x0011), "US", columns)
        ds.add_new((group, 0x0040), "CS", "G")
        ds.add_new((group, 0x0050), "SS", [1, 1])
        ds.add_new((group, 0x0100), "US", 1)
        ds.add_new((group, 0x0102), "US", 0)
        plane = np.packbits(rng.integers(0, 2, rows * columns, dtype=np.uint8)).tobytes()
        ds.add_new((group, 0x3000), "OW", plane + b"\0" * (len(plane) % 2))
    return Case(pack(ds, cells(values, 16)), truth)


@good
def an_icon_and_private_pixels(rng: np.random.Generator) -> Case:
    """Nested pixel data before the picture's own, in sequences of either length."""
    ds, values, truth = _plain(rng)
    icon = head("SC", 16, 16, 8, 8)
    icon.PixelData = bytes(rng.integers(0, 256, 256, dtype=np.uint8))
    icon["PixelData"].VR = "OB"
    ds.IconImageSequence = Sequence([icon])
    block = ds.private_block(0x0009, "MADE UP", create=True)
    inner = Dataset()
    inner.PixelData = bytes(64)
    inner["PixelData"].VR = "OB"
    block.add_new(0x10, "SQ", Sequence([inner]))
    ds["IconImageSequence"].is_undefined_length = bool(rng.integers(2))
    for item in ds.IconImageSequence:
        item.is_undefined_length_sequence_item = bool(rng.integers(2))
    return Case(pack(ds, cells(values, 16), pick(rng, _LE, _IM, _DF)), truth)


@good
def coded_in_pieces(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 4095, (51, 47)) for _ in range(3)]
    at, syntax = int(rng.integers(3)), pick(rng, *_CODED)
    ds = head("XA", 51, 47, 12, 16, NumberOfFrames=3, WindowCenter="2000", WindowWidth="3000")
    streams = [coder(syntax, f.astype(np.uint16)) for f in frames]
    if rng.integers(2):
        value, table, lengths = encapsulate_extended(streams)
        ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = table, lengths
    else:
        pieces = 1 if syntax == RLELossless else int(rng.integers(2, 5))
        value = encapsulate(streams, fragments_per_frame=pieces, has_bot=bool(rng.integers(2)))
    return Case(pack(ds, value, syntax), linear(frames[at], 2000, 3000), 1, at)


@good
def coded_by_dcmtk(rng: np.random.Generator) -> Case:
    ds, values, truth = _plain(rng, signed=False)
    plain = pack(ds, cells(values, 16))
    tool, *flags = pick(
        rng, ("dcmcjpeg", "+e1"), ("dcmcjpeg", "+el", "+sv", str(int(rng.integers(1, 8)))), ("dcmcjpls",), ("dcmcrle",),
        ("dcmconv", "+tb"), ("dcmconv", "+td"), ("dcmconv", "+ti", "-e"), ("dcmconv", "+te", "+g", "-e"),
        ("dcmconv", "+te", "-g", "+e", "+p", "512", "128"),
    )  # fmt: skip
    return Case(by_dcmtk(tool, plain, *flags), truth)


@good
def signed_streams(rng: np.random.Generator) -> Case:
    values = grey(rng, -1024, 3000)
    ds = head("CT", *values.shape, 16, 16, True)
    truth = windowed(rng, ds, values)
    syntax = pick(rng, JPEG2000Lossless, HTJ2KLossless, HTJ2KLosslessRPCL, JPEGLSLossless, RLELossless)
    own = syntax in (JPEG2000Lossless, HTJ2KLossless, HTJ2KLosslessRPCL)
    options = {"resolutions": int(rng.integers(1, 5))} if syntax == JPEG2000Lossless else {}
    stream = coder(syntax, values.astype(np.int16) if own else (values & 0xFFFF).astype(np.uint16), **options)
    return Case(pack(ds, encapsulate([stream]), syntax), truth)


@good
def lossy_grey(rng: np.random.Generator) -> Case:
    syntax = pick(rng, JPEGBaseline8Bit, JPEGLSNearLossless, JPEG2000)
    values = grey(rng, 0, 255)
    options = {JPEGLSNearLossless: {"level": 2}, JPEGBaseline8Bit: {"level": 98}}.get(syntax, {})
    ds = head("XA", *values.shape, 8, 8, LossyImageCompression="01")
    return Case(
        pack(ds, encapsulate([coder(syntax, values.astype(np.uint8), **options)]), syntax), values.astype(np.uint8), 9
    )


@good
def padding_and_a_range(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 2000)
    values[: len(values) // 3] = -2000
    ds = head("CT", *values.shape, 16, 16, True)
    ds.add_new("PixelPaddingValue", "SS", -2000)
    inside = values[len(values) // 3 :]
    low, high = (np.sort(inside, axis=None)[max(int(np.ceil(q * inside.size)) - 1, 0)] for q in (0.005, 0.995))
    return Case(pack(ds, cells(values, 16)), to8((values - float(low)) / float(high - low)))


@good
def spellings(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 255)
    name = pick(rng, "monochrome2", "Monochrome2", "MONOCHROME", "GRAYSCALE", "MONOCHROME 2", "Grayscale", "")
    ds = head("SC", *values.shape, 8, 8, PhotometricInterpretation=name)
    return Case(pack(ds, cells(values, 8)), values.astype(np.uint8), 0)


@good
def without_head_or_meta(rng: np.random.Generator) -> Case:
    ds, values, truth = _plain(rng)
    data = pack(ds, cells(values, 16), _IM)
    length = int.from_bytes(data[140:144], "little")
    return Case(data[144 + length :] if rng.integers(2) else data[128 + 4 :], truth)


@good
def things_behind_the_pixels(rng: np.random.Generator) -> Case:
    ds, values, truth = _plain(rng)
    ds.DataSetTrailingPadding = bytes(126)
    ds["DataSetTrailingPadding"].VR = "OB"
    syntax = pick(rng, _LE, _BE)
    return Case(pack(ds, cells(values, 16, ">" if syntax == _BE else "<"), syntax), truth)


@good
def bytes_in_words(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 255, (45, 37))
    raw = np.frombuffer(cells(values, 8) + b"\0", np.uint8)[: 45 * 37 + 1]
    data = raw.reshape(-1, 2)[:, ::-1].tobytes()
    return Case(pack(head("SC", 45, 37, 8, 8), data, _BE, vr="OW"), values.astype(np.uint8), 0)


# -- good and unusual: colour DICOM


def _rgb_head(kind: str, rgb: np.ndarray, photometric: str = "RGB", planar: int = 0, **more: Any) -> Dataset:
    return head(
        kind, *rgb.shape[:2], 8, 8, SamplesPerPixel=3, PhotometricInterpretation=photometric,
        PlanarConfiguration=planar, **more,
    )  # fmt: skip


@good
def colour_streams(rng: np.random.Generator) -> Case:
    rgb = pick(rng, colour, vivid)(rng)
    syntax = pick(rng, *_CODED)
    options = {"mct": bool(rng.integers(2))} if syntax == JPEG2000Lossless else {}
    named = "YBR_RCT" if options.get("mct") else "RGB"
    value = encapsulate([coder(syntax, rgb, **options)])
    return Case(pack(_rgb_head("US", rgb, named, int(syntax == RLELossless)), value, syntax), rgb, 0)


@good
def luminance_streams(rng: np.random.Generator) -> Case:
    """YBR_FULL as it is, in the codings that carry what they are given."""
    rgb = pick(rng, colour, vivid)(rng)
    syntax = pick(rng, RLELossless, JPEGLSLossless, JPEGLosslessSV1, _LE, _DF)
    ybr = ybr_of(rgb)
    if syntax == JPEGLosslessSV1:  # whose other coders name the colours themselves
        return Case(by_dcmtk("dcmcjpeg", pack(_rgb_head("US", rgb, "YBR_FULL"), ybr.tobytes(), vr="OB"), "+e1"), rgb, 2)
    value = encapsulate([coder(syntax, ybr)]) if syntax.is_encapsulated else ybr.tobytes()
    return Case(pack(_rgb_head("US", rgb, pick(rng, "YBR_FULL", "ybr_full")), value, syntax, vr="OB"), rgb, 2)


@good
def loops_of_dct(rng: np.random.Generator) -> Case:
    frames = [colour(rng, (48, 64)) for _ in range(3)]
    frames = [cv2.GaussianBlur(f, (0, 0), 2) for f in frames]
    at = int(rng.integers(3))
    streams = [coder(JPEGBaseline8Bit, f, subsampling="422") for f in frames]
    ds = _rgb_head("US", frames[0], "YBR_FULL_422", NumberOfFrames=3, LossyImageCompression="01")
    return Case(pack(ds, encapsulate(streams), JPEGBaseline8Bit), frames[at], 40, at)


@good
def colours_by_dcmtk(rng: np.random.Generator) -> Case:
    rgb = pick(rng, colour, vivid)(rng)
    plain = pack(_rgb_head("SCT", rgb), rgb.tobytes(), vr="OB")
    tool, *flags = pick(
        rng, ("dcmcjpeg", "+e1"), ("dcmcjpeg", "+e1", "+pl", "+cy"), ("dcmcjpeg", "+eb", "+cr", "+q", "97"),
        ("dcmcjpeg", "+eb", "+cy", "+n1", "+q", "97", "+s4"), ("dcmcjpls",), ("dcmcjpls", "+is"), ("dcmcrle",),
        ("dcmcjpls", "+il"),
    )  # fmt: skip
    lossless = tool != "dcmcjpeg" or flags == ["+e1"]
    return Case(by_dcmtk(tool, plain, *flags), rgb, 0 if lossless else 3 if "+e1" in flags else 25)


@good
def subsampled_cells(rng: np.random.Generator) -> Case:
    rgb = colour(rng)
    rgb[:, 1::2] = rgb[:, ::2]
    ybr = ybr_of(rgb)
    data = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], -1).tobytes()
    return Case(pack(_rgb_head("US", rgb, "YBR_FULL_422"), data, vr="OB"), rgb, 2)


@good
def palettes(rng: np.random.Generator) -> Case:
    deep, first, syntax = bool(rng.integers(2)), int(rng.choice([0, 0, 5])), pick(rng, _LE, _BE, RLELossless, _IM)
    values = grey(rng, 0, 199)
    table = rng.integers(0, 256, (200, 3))
    ds = head("US", *values.shape, 8, 8, PhotometricInterpretation="PALETTE COLOR")
    for k, name in enumerate(("Red", "Green", "Blue")):
        words = table[:, k] * (257 if deep else 1)
        raw = words.astype(">u2" if syntax == _BE else "<u2").tobytes() if deep else table[:, k].astype("u1").tobytes()
        if syntax == _BE and not deep:
            raw = np.frombuffer(raw, np.uint8).reshape(-1, 2)[:, ::-1].tobytes()
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [200, first, 16 if deep else 8])
        setattr(ds, f"{name}PaletteColorLookupTableData", raw)
    value = values + first
    data = encapsulate([coder(syntax, value.astype(np.uint8))]) if syntax.is_encapsulated else cells(value, 8)
    return Case(pack(ds, data, syntax), table[values].astype(np.uint8), 0)


# -- good and unusual: image files


def _pil(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _spread(values: np.ndarray) -> np.ndarray:
    """Greys deeper than 8 bits, from their extremes (no outlier lies in these textures)."""
    return to8((values - values.min()) / float(np.ptp(values)))


def _even(rng: np.random.Generator, low: int, high: int) -> np.ndarray:
    """A ramp under soft texture, so that percentiles and extremes lie near each other."""
    values = grey(rng, 0, 1000).astype(np.float64)
    ramp = np.linspace(0, 1, values.shape[1])
    field = values / 1000 * 0.3 + ramp * 0.7
    field = (field - field.min()) / np.ptp(field)
    return np.rint(low + field * (high - low)).astype(np.int64)


@good
def png_kinds(rng: np.random.Generator) -> Case:
    which = int(rng.integers(6))
    if which == 0:
        values = _even(rng, 0, 60000)
        return Case(bytes(cv2.imencode(".png", values.astype(np.uint16))[1]), _spread(values), 1, suffix=".png")
    if which == 1:
        values = grey(rng, 0, 255).astype(np.uint8)
        alpha = grey(rng, 0, 255, values.shape).astype(np.uint8)
        truth = np.rint(values.astype(float) * alpha / 255).astype(np.uint8)
        return Case(
            _pil(Image.merge("LA", (Image.fromarray(values), Image.fromarray(alpha))), "PNG"), truth, 1, suffix=".png"
        )
    if which == 2:
        bits = (grey(rng, 0, 255) > 100).astype(np.uint8) * 255
        return Case(_pil(Image.fromarray(bits).convert("1", dither=Image.Dither.NONE), "PNG"), bits, 0, suffix=".png")
    if which == 3:
        rgb = vivid(rng)
        image = Image.fromarray(rgb).quantize(32)
        return Case(_pil(image, "PNG"), np.asarray(image.convert("RGB")), 0, suffix=".png")
    if which == 4:
        rgb = colour(rng)
        exif = Image.Exif()
        exif[274] = turn = int(rng.integers(2, 9))
        return Case(_pil(Image.fromarray(rgb), "PNG", exif=exif), _turned(rgb, turn), 0, suffix=".png")
    values = grey(rng, 0, 15)
    small = _packed_png(values.astype(np.uint8), 4)
    return Case(small, (values * 17).astype(np.uint8), 0, suffix=".png")


def _packed_png(values: np.ndarray, depth: int) -> bytes:
    rows, columns = values.shape
    bits = ((values[..., None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(rows, -1)
    raw = b"".join(b"\0" + np.packbits(row).tobytes() for row in bits)
    parts = [(b"IHDR", columns.to_bytes(4, "big") + rows.to_bytes(4, "big") + bytes((depth, 0, 0, 0, 0))),
             (b"tEXt", b"Comment\0nothing"), (b"IDAT", zlib.compress(raw)[:9]), (b"IDAT", zlib.compress(raw)[9:]),
             (b"IEND", b"")]  # fmt: skip
    chunks = [len(b).to_bytes(4, "big") + k + b + zlib.crc32(k + b).to_bytes(4, "big") for k, b in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _turned(pixels: np.ndarray, turn: int) -> np.ndarray:
    """By EXIF's orientation, as Pillow has it."""
    image = Image.fromarray(pixels)
    image.getexif()[274] = turn
    return np.asarray(ImageOps.exif_transpose(image))


@good
def tiff_kinds(rng: np.random.Generator) -> Case:
    which = int(rng.integers(7))
    if which == 0:
        values = _even(rng, 0, 65535).astype(np.uint16)
        how = pick(rng, "tiff_lzw", "tiff_adobe_deflate", "packbits", None)
        return Case(
            _pil(Image.fromarray(values), "TIFF", compression=how), _spread(values.astype(float)), 1, suffix=".tif"
        )
    if which == 1:
        values = _even(rng, -500, 3000).astype(np.float32) / 3
        return Case(_pil(Image.fromarray(values, "F"), "TIFF"), _spread(values.astype(float)), 1, suffix=".tif")
    if which == 2:
        values = _even(rng, -(10**5), 10**6).astype(np.int32)
        return Case(_pil(Image.fromarray(values, "I"), "TIFF"), _spread(values.astype(float)), 1, suffix=".tif")
    if which == 3:
        bits = (grey(rng, 0, 255) > 100).astype(np.uint8) * 255
        image = Image.fromarray(bits).convert("1", dither=Image.Dither.NONE)
        return Case(
            _pil(image, "TIFF", compression=pick(rng, "group4", "group3", "tiff_ccitt")), bits, 0, suffix=".tif"
        )
    if which == 4:
        inks = np.dstack([grey(rng, 0, 200, (50, 60)) for _ in range(4)]).astype(np.uint8)
        image = Image.fromarray(inks, "CMYK")
        return Case(_pil(image, "TIFF", compression="tiff_lzw"), np.asarray(image.convert("RGB")), 1, suffix=".tif")
    if which == 5:
        pages = [grey(rng, 0, 255, (40, 50)).astype(np.uint8) for _ in range(3)]
        at = int(rng.integers(3))
        images = [Image.fromarray(p) for p in pages]
        return Case(_pil(images[0], "TIFF", save_all=True, append_images=images[1:]), pages[at], 0, at, ".tif")
    rgb = vivid(rng)
    indexed = Image.fromarray(rgb).quantize(64)
    return Case(_pil(indexed, "TIFF"), np.asarray(indexed.convert("RGB")), 0, suffix=".tif")


@good
def jpeg_kinds(rng: np.random.Generator) -> Case:
    which = int(rng.integers(6))
    values = cv2.GaussianBlur(grey(rng, 0, 255).astype(np.uint8), (0, 0), 1.5)
    if which == 0:
        return Case(_pil(Image.fromarray(values), "JPEG", quality=97, progressive=True), values, 8, suffix=".jpg")
    if which == 1:
        rgb, turn = cv2.GaussianBlur(colour(rng), (0, 0), 2), int(rng.integers(2, 9))
        exif = Image.Exif()
        exif[274] = turn
        data = _pil(Image.fromarray(rgb), "JPEG", quality=97, subsampling=0, exif=exif)
        return Case(data, _turned(rgb, turn), 10, suffix=".jpg")
    if which == 2:
        return Case(bytes(imagecodecs.jpegls_encode(values)), values, 0, suffix=".jls")
    if which == 3:
        deep = _even(rng, 0, 4000).astype(np.uint16)
        data = bytes(imagecodecs.jpeg2k_encode(deep, codecformat=pick(rng, "jp2", "j2k"), reversible=True, level=0))
        return Case(data, _spread(deep.astype(float)), 1, suffix=".jp2")
    if which == 4:
        data = bytes(imagecodecs.jpeg8_encode(values, lossless=True, predictor=int(rng.integers(1, 8))))
        return Case(data, values, 0, suffix=".jpg")
    kind = pick(rng, "BMP", "WEBP")
    data = _pil(Image.fromarray(values).convert("RGB"), kind, **({"lossless": True} if kind == "WEBP" else {}))
    return Case(data, values, 0, suffix="." + kind.lower())


# -- contradictory


@bad
def colours_named_otherwise(rng: np.random.Generator) -> Case:
    """RGB that the header calls YBR_FULL, or the other way round."""
    rgb = pick(rng, colour, colour, vivid)(rng)
    holds_rgb, syntax = (
        bool(rng.integers(3)),
        pick(rng, RLELossless, JPEGLSLossless, JPEGLosslessSV1, _LE, JPEG2000Lossless),
    )
    stored = rgb if holds_rgb else ybr_of(rgb)
    options = {"mct": False} if syntax == JPEG2000Lossless else {}
    value = encapsulate([coder(syntax, stored, **options)]) if syntax.is_encapsulated else stored.tobytes()
    named = pick(rng, "YBR_FULL", "YBR_FULL_422") if holds_rgb else "RGB"
    return Case(pack(_rgb_head("US", rgb, named), value, syntax, vr="OB"), rgb, 2)


@bad
def colours_of_dct_named_otherwise(rng: np.random.Generator) -> Case:
    """RGB in a JPEG that says nothing of it, under YBR_FULL_422."""
    rgb = cv2.GaussianBlur(colour(rng), (0, 0), 1)
    data = imagecodecs.jpeg8_encode(rgb, level=98, colorspace="RGB", outcolorspace="RGB", subsampling="444")
    plain = bytearray(data)
    at = plain.find(b"\xff\xee")
    if at > 0:
        del plain[at : at + 2 + int.from_bytes(plain[at + 2 : at + 4], "big")]
    frame = plain.find(b"\xff\xc0")
    names = [frame + 10 + 3 * k for k in range(3)]
    scan = plain.find(b"\xff\xda")
    for k, at in enumerate(names):
        plain[at] = k + 1
        plain[scan + 5 + 2 * k] = k + 1
    return Case(pack(_rgb_head("US", rgb, "YBR_FULL_422"), encapsulate([bytes(plain)]), JPEGBaseline8Bit), rgb, 8)


@bad
def sizes_exchanged(rng: np.random.Generator) -> Case:
    ds, values, truth = _plain(rng)
    ds.Rows, ds.Columns = ds.Columns, ds.Rows
    if values.shape[0] == values.shape[1]:
        ds.Rows += 1
    syntax = pick(rng, _LE, JPEGLSLossless, JPEG2000Lossless)
    stored = (values & 0xFFF).astype(np.uint16)
    value = encapsulate([coder(syntax, stored)]) if syntax.is_encapsulated else cells(values, 16)
    return Case(pack(ds, value, syntax), truth)


@bad
def a_size_a_little_off(rng: np.random.Generator) -> Case:
    ds, values, truth = _plain(rng)
    setattr(ds, pick(rng, "Rows", "Columns"), pick(rng, values.shape[0] - 1, values.shape[1] + 1, values.shape[1] - 3))
    syntax = pick(rng, _LE, JPEGLosslessSV1, RLELossless, HTJ2KLossless)
    stored = (values & 0xFFFF).astype(np.uint16)
    value = encapsulate([coder(syntax, stored)]) if syntax.is_encapsulated else cells(values, 16)
    return Case(pack(ds, value, syntax), truth if (ds.Rows, ds.Columns) == values.shape else np.zeros((1, 1), np.uint8))


@bad
def frames_miscounted(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 255, (48, 40)) for _ in range(4)]
    told, syntax = int(rng.choice([1, 2, 3, 5, 8])), pick(rng, _LE, *_CODED)
    at = min(told, 4) - 1 if rng.integers(2) else told - 1
    ds = head("XA", 48, 40, 8, 8, NumberOfFrames=told)
    raw = b"".join(cells(f, 8) for f in frames)
    value = encapsulate([coder(syntax, f.astype(np.uint8)) for f in frames]) if syntax.is_encapsulated else raw
    truth = frames[at].astype(np.uint8) if at < 4 else np.zeros((1, 1), np.uint8)
    return Case(pack(ds, value, syntax), truth, 0, at)


@bad
def another_width_of_cells(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 255)
    if rng.integers(2):
        ds = head("SC", *values.shape, 16, 16)
        return Case(pack(ds, cells(values, 8), vr="OW"), values.astype(np.uint8), 1)
    ds = head("SC", *values.shape, 8, 8)
    deep = values * 16
    return Case(pack(ds, cells(deep, 16), vr="OW"), robust(deep))


@bad
def another_syntax_named(rng: np.random.Generator) -> Case:
    """The whole data set is of another syntax than the meta information says."""
    ds, values, truth = _plain(rng)
    written, told = pick(rng, (_LE, _IM), (_IM, _LE), (_LE, _DF), (_BE, _LE), (_LE, _BE), (_DF, _LE), (_BE, _IM))
    order = ">" if written == _BE else "<"
    return Case(pack(ds, cells(values, 16, order), written, told=told), truth)


@bad
def another_coding_named(rng: np.random.Generator) -> Case:
    ds, values, truth = _plain(rng, signed=False)
    syntax = pick(rng, *_CODED)
    told = pick(rng, *(s for s in (*_CODED, JPEGBaseline8Bit, JPEGExtended12Bit, _LE, _IM) if s != syntax))
    return Case(pack(ds, encapsulate([coder(syntax, values.astype(np.uint16))]), syntax, told=told), truth)


@bad
def a_sign_that_is_none(rng: np.random.Generator) -> Case:
    signed = bool(rng.integers(2))
    values = grey(rng, -20000 if signed else 0, 30000 if signed else 65535)
    ds = head("CT", *values.shape, 16, 16, not signed)
    truth = windowed(rng, ds, values)
    return Case(pack(ds, cells(values, 16)), truth)


@bad
def cut_natively(rng: np.random.Generator) -> Case:
    ds, values, truth = _plain(rng)
    data = pack(ds, cells(values, 16), pick(rng, _LE, _IM, _DF))
    return Case(data[: int(len(data) * rng.uniform(0.5, 0.995))], truth, 0)


@bad
def cut_in_the_code(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 4095)
    syntax = pick(rng, *_CODED)
    ds = head("XA", *values.shape, 12, 16, WindowCenter="2000", WindowWidth="3500")
    stream = coder(syntax, values.astype(np.uint16))
    cut = stream[: int(len(stream) * rng.uniform(0.5, 0.97))]
    if syntax != RLELossless and rng.integers(2):
        cut = cut.rstrip(b"\xff") + b"\xff\xd9"
    return Case(pack(ds, encapsulate([cut + b"\0" * (len(cut) % 2)]), syntax), linear(values, 2000, 3500))


@bad
def a_hole_in_the_code(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 255, (96, 110))
    syntax = pick(rng, JPEGBaseline8Bit, JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless)
    stream = bytearray(coder(syntax, values.astype(np.uint8)))
    tail = int(len(stream) * rng.uniform(0.1, 0.4))
    stream[-tail:-2] = bytes(tail - 2)
    ds = head("XA", 96, 110, 8, 8)
    return Case(pack(ds, encapsulate([bytes(stream) + b"\0" * (len(stream) % 2)]), syntax), values.astype(np.uint8), 8)


@bad
def fragments_lost(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 4095, (70, 66)) for _ in range(3)]
    syntax = pick(rng, JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless)
    ds = head("XA", 70, 66, 12, 16, NumberOfFrames=3, WindowCenter="2000", WindowWidth="3000")
    value = encapsulate([coder(syntax, f.astype(np.uint16)) for f in frames], fragments_per_frame=3, has_bot=True)
    items, at = [], 0
    while at < len(value):
        size = 8 + int.from_bytes(value[at + 4 : at + 8], "little")
        items.append(value[at : at + size])
        at += size
    del items[int(rng.integers(1, len(items)))]
    at = int(rng.integers(3))
    return Case(pack(ds, b"".join(items), syntax), linear(frames[at], 2000, 3000), 1, at)


@bad
def the_other_planes(rng: np.random.Generator) -> Case:
    rgb = colour(rng)
    planar = int(rng.integers(2))
    raw = rgb.tobytes() if planar else np.moveaxis(rgb, -1, 0).tobytes()
    return Case(pack(_rgb_head("US", rgb, planar=planar), raw, vr="OB"), rgb, 0)


@bad
def samples_miscounted(rng: np.random.Generator) -> Case:
    if rng.integers(2):
        rgb = colour(rng)
        ds = _rgb_head("US", rgb)
        ds.SamplesPerPixel = 1
        if rng.integers(2):
            ds.PhotometricInterpretation = "MONOCHROME2"
        return Case(pack(ds, rgb.tobytes(), vr="OB"), rgb, 0)
    values = grey(rng, 0, 255)
    ds = head("SC", *values.shape, 8, 8, SamplesPerPixel=3, PlanarConfiguration=0)
    ds.PhotometricInterpretation = pick(rng, "RGB", "MONOCHROME2")
    return Case(pack(ds, cells(values, 8)), values.astype(np.uint8), 0)


@bad
def palettes_that_fit_nothing(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 199)
    table = rng.integers(0, 256, (200, 3))
    ds = head("US", *values.shape, 8, 8, PhotometricInterpretation="PALETTE COLOR")
    fault = int(rng.integers(4))
    for k, name in enumerate(("Red", "Green", "Blue")):
        count = 256 if fault == 0 else 200
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [count, 0, 12 if fault == 1 else 8])
        raw = table[:, k].astype("u1").tobytes()
        setattr(ds, f"{name}PaletteColorLookupTableData", raw[:100] if fault == 2 and k == 1 else raw)
    if fault == 3:
        del ds.GreenPaletteColorLookupTableData
    return Case(pack(ds, cells(values, 8)), table[values].astype(np.uint8), 0)


@bad
def stream_of_another_picture(rng: np.random.Generator) -> Case:
    ds, values, _ = _plain(rng, signed=False)
    other = grey(rng, 0, 4000, (values.shape[0] + int(rng.integers(1, 9)), values.shape[1]))
    syntax = pick(rng, *_CODED)
    return Case(pack(ds, encapsulate([coder(syntax, other.astype(np.uint16))]), syntax), np.zeros((1, 1), np.uint8))


@bad
def pixels_in_the_icon_alone(rng: np.random.Generator) -> Case:
    ds, values, _ = _plain(rng)
    icon = head("SC", *values.shape, 16, 16)
    icon.PixelData = cells(values, 16)
    icon["PixelData"].VR = "OW"
    ds.IconImageSequence = Sequence([icon])
    data = pack(ds, b"")
    return Case(data[: data.rindex(b"\xe0\x7f\x10\x00")], np.zeros((1, 1), np.uint8))


@bad
def bits_in_a_middle_depth(rng: np.random.Generator) -> Case:
    """12 bits packed, which was once allowed; or bits said to be bytes."""
    values = grey(rng, 0, 4095, (40, 44))
    if rng.integers(2):
        flat = values.ravel().astype(np.uint32)
        packed = np.stack([flat[::2] & 255, (flat[::2] >> 8) | ((flat[1::2] & 15) << 4), flat[1::2] >> 4], -1).astype(
            "u1"
        )
        return Case(pack(head("SC", 40, 44, 12, 12), packed.tobytes(), vr="OW"), robust(values))
    bits = (values > 2000).astype(np.uint8)
    ds = head("SCB", 40, 44, 8, 8)
    return Case(pack(ds, np.packbits(bits.ravel(), bitorder="little").tobytes()), bits * np.uint8(255), 0)


@bad
def windows_that_are_none(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 4000)
    ds = head("DX", *values.shape, 12, 16)
    ds.WindowCenter, ds.WindowWidth = pick(rng, ("2000", "0"), ("90000", "100"), ("-5000", "200"), ("2000", "-400"))
    return Case(pack(ds, cells(values, 16)), robust(values))


@bad
def transforms_that_are_none(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 4000)
    ds = head("CT", *values.shape, 12, 16, RescaleIntercept="0")
    data = None
    ds.RescaleSlope = "1"
    ds.WindowCenter, ds.WindowWidth = "2000", "3000"
    data = pack(ds, cells(values, 16))
    text = pick(rng, b"0 ", b"  ", b"x ")
    at = data.index(b"\x28\x00\x53\x10DS\x02\x00") + 8
    return Case(data[:at] + text + data[at + 2 :], linear(values, 2000, 3000))


@bad
def tables_that_end_early(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 999)
    entries = np.sort(rng.integers(0, 4096, 1000))
    item = Dataset()
    item.LUTDescriptor = [1000, 0, pick(rng, 12, 16, 8)]
    item.add_new("LUTData", "OW", entries[: pick(rng, 1000, 600)].astype("<u2").tobytes())
    ds = head("DX", *values.shape, 12, 16, VOILUTSequence=Sequence([item]))
    top = (1 << int(entries.max()).bit_length()) - 1
    return Case(pack(ds, cells(values, 16)), to8(entries[values] / top))


@bad
def high_bits(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 4095)
    ds = head("CT", *values.shape, 12, 16)
    ds.HighBit = 15
    truth = windowed(rng, ds, values)
    return Case(pack(ds, cells(values * 16 if rng.integers(2) else values, 16)), truth)


@bad
def png_of_another_size(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 15).astype(np.uint8)
    data = bytearray(_packed_png(values, 4))
    at = 16 + 4 * int(rng.integers(2))
    told = int.from_bytes(data[at : at + 4], "big") + int(pick(rng, -9, 8, 30))
    data[at : at + 4] = told.to_bytes(4, "big")
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return Case(bytes(data), np.zeros((1, 1), np.uint8), suffix=".png")


@bad
def tiff_of_another_shape(rng: np.random.Generator) -> Case:
    values = _even(rng, 0, 65535).astype(np.uint16)
    data = bytearray(_pil(Image.fromarray(values), "TIFF", compression=pick(rng, "tiff_lzw", None, "packbits")))
    start = int.from_bytes(data[4:8], "little")
    wanted = pick(rng, 256, 257, 258)
    for k in range(int.from_bytes(data[start : start + 2], "little")):
        at = start + 2 + 12 * k
        if int.from_bytes(data[at : at + 2], "little") == wanted:
            old = int.from_bytes(data[at + 8 : at + 10], "little")
            new = {256: old + pick(rng, -7, 9), 257: old + pick(rng, -9, 12), 258: 8}[wanted]
            data[at + 8 : at + 10] = int(new).to_bytes(2, "little")
    return Case(bytes(data), np.zeros((1, 1), np.uint8), suffix=".tif")


@bad
def image_cut(rng: np.random.Generator) -> Case:
    values = cv2.GaussianBlur(grey(rng, 0, 255, (90, 100)).astype(np.uint8), (0, 0), 1)
    kind = pick(rng, "PNG", "TIFF", "JPEG", "BMP", "WEBP")
    data = _pil(Image.fromarray(values).convert("RGB" if kind == "WEBP" else "L"), kind)
    cut = data[: int(len(data) * rng.uniform(0.5, 0.97))]
    return Case(
        cut + (b"\xff\xd9" if kind == "JPEG" and rng.integers(2) else b""), values, 8, suffix="." + kind.lower()
    )


# -- the figures


def shown(path: Path, case: Case) -> np.ndarray | str:
    """The product's picture, or the Reason."""
    try:
        if case.suffix == ".dcm":
            read_header(path)
            return load_dicom(path, case.frame, PixelRules()).pixels
        read_image_header(path)
        return load_image(path, case.frame, PixelRules()).pixels
    except DropRecord as dropped:
        return dropped.reason.value


def verdict(found: np.ndarray | str, case: Case) -> str:
    """right, wrong or dropped."""
    if isinstance(found, str):
        return "dropped"
    one, other = (np.dstack([a] * 3) if a.ndim == 2 else a for a in (found, case.truth))
    same = one.shape == other.shape and int(np.abs(one.astype(int) - other.astype(int)).max()) <= case.within
    return "right" if same else "wrong"


def judge(kinds: dict[str, Make], seed: int, each: int, folder: Path) -> dict[str, Any]:
    """``each`` files of every kind, and what `curate deid` makes of them."""
    table: dict[str, Counter[str]] = {name: Counter() for name in kinds}
    reasons: Counter[str] = Counter()
    for n, (name, make) in enumerate(kinds.items()):
        for k in range(each):
            try:
                case = make(np.random.default_rng((seed, n, k)))
            except Exception as error:
                raise RuntimeError(f"the generator's {name}, {k}") from error
            path = folder / f"case{case.suffix}"
            path.write_bytes(case.data)
            found = shown(path, case)
            table[name][verdict(found, case)] += 1
            if isinstance(found, str):
                reasons[f"{name}: {found}"] += 1
            clean = clean_dicom if case.suffix == ".dcm" else clean_image
            outcome = clean(path, _TRUST, _PSEUDO)
            if outcome.data is not None:
                again = folder / f"written{outcome.suffix}"
                again.write_bytes(outcome.data)
                table[name]["exported " + verdict(shown(again, case), case)] += 1
            elif not isinstance(found, str):
                table[name][f"not exported: {outcome.reason}"] += 1
    total = sum(table.values(), Counter[str]())
    return {"files": each * len(kinds), **dict(sorted(total.items())), "reasons": dict(sorted(reasons.items())),
            "kinds": {name: dict(sorted(row.items())) for name, row in table.items()}}  # fmt: skip


def run(seed: int = SEED, each: int = EACH) -> dict[str, Any]:
    """Both halves."""
    with tempfile.TemporaryDirectory() as folder:
        return {"seed": seed, "good": judge(GOOD, seed, each, Path(folder)),
                "contradictory": judge(CONTRADICTORY, seed, each, Path(folder))}  # fmt: skip


def main() -> None:
    """Print the figures, kind by kind where something is wrong or lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--each", type=int, default=EACH)
    parser.add_argument("--out", type=Path, help="results to write the figures into")
    options = parser.parse_args()
    result = run(options.seed, options.each)
    for half, faults in (("good", ("wrong", "dropped")), ("contradictory", ("wrong",))):
        for name, row in result[half]["kinds"].items():
            if any(key in faults or "exported wrong" in key or "not exported" in key for key in row):
                why = [r for r in result[half]["reasons"] if r.startswith(name + ":")]
                print(f"{half:14} {name:32} {row} {why if half == 'good' else ''}")
        print(half, {k: v for k, v in result[half].items() if k not in ("kinds", "reasons")})
    if options.out is not None:
        keep(options.out, "second", result)


if __name__ == "__main__":
    main()
