"""More of header against data: byte order, padded RLE, planes, subsampled loops, padding of floats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

from curate.sources.dicom.read import load_dicom
from curate.sources.picture import PixelRules
from tests.curate.dicomfiles import dataset, gradient, to_bytes, write

RULES, WIDE = PixelRules(), PixelRules(bits=16)


def texture(rows: int = 48, columns: int = 40, top: int = 255, seed: int = 0) -> np.ndarray:
    """(rows, columns) of soft blobs with grain, 0 to ``top``."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    centres = random.random((5, 2)) * (rows, columns)
    field = 0.01 * random.random((rows, columns))
    field += sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 150) for a, b in centres) + 0.01 * random.random(
        (rows, columns)
    )
    field = (field - field.min()) / (field.max() - field.min())
    return np.rint(field * top).astype("u1" if top < 256 else "u2")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian], ids=lambda s: s.name)
@pytest.mark.parametrize(("top", "bits"), [(4095, 12), (60000, 16)])
def test_cells_in_the_other_byte_order(tmp_path: Path, syntax, top: int, bits: int) -> None:
    pixels = texture(top=top)
    ds = dataset(pixels, syntax, BitsStored=bits)
    ds.PixelData = pixels.astype("<u2" if syntax == ExplicitVRBigEndian else ">u2").tobytes()
    (tmp_path / "a").write_bytes(to_bytes(ds))
    np.testing.assert_array_equal(load_dicom(tmp_path / "a", 0, WIDE).pixels, pixels)


def test_the_byte_order_of_noise_is_the_headers(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 32), dtype="u2")
    found = load_dicom(write(tmp_path / "a", pixels), 0, WIDE).pixels
    np.testing.assert_array_equal(found, pixels - pixels.min())


@pytest.mark.parametrize("padding", [bytes(300), b"\xff" * 301, bytes(2)], ids=["zeros", "ff", "two"])
@pytest.mark.parametrize("top", [255, 60000], ids=["one segment", "two segments"])
def test_padding_behind_an_rle_frame(tmp_path: Path, padding: bytes, top: int) -> None:
    pixels = texture(top=top)
    pixels[-3:] = 0  # a picture that ends in what padding looks like
    ds = dataset(pixels)
    bits = 8 * pixels.itemsize
    frame = RLELosslessEncoder.encode(
        pixels, rows=48, columns=40, samples_per_pixel=1, bits_allocated=bits, bits_stored=bits,
        photometric_interpretation="MONOCHROME2", number_of_frames=1, pixel_representation=0,
    )  # fmt: skip
    ds.file_meta.TransferSyntaxUID = RLELossless
    ds.PixelData = encapsulate([frame + padding])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    (tmp_path / "a").write_bytes(to_bytes(ds))
    np.testing.assert_array_equal(load_dicom(tmp_path / "a", 0, WIDE if top > 255 else RULES).pixels, pixels)


@pytest.mark.parametrize("told", [0, 1])
def test_planes_of_unlike_colours_under_the_other_configuration(tmp_path: Path, told: int) -> None:
    pixels = np.dstack([texture(seed=s) for s in (1, 2, 3)])
    ds = dataset(pixels, PlanarConfiguration=told)
    ds.PixelData = (pixels if told else np.moveaxis(pixels, 2, 0)).tobytes()
    (tmp_path / "a").write_bytes(to_bytes(ds))
    np.testing.assert_array_equal(load_dicom(tmp_path / "a", 0, RULES).pixels, pixels)


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_a_loop_of_422_that_is_444(tmp_path: Path, frames: int) -> None:
    ybr = np.dstack([texture(seed=s) for s in (1, 2, 3)])
    ds = dataset(ybr, PhotometricInterpretation="YBR_FULL_422")
    ds.NumberOfFrames, ds.PixelData = frames, ybr.tobytes() * frames
    (tmp_path / "a").write_bytes(to_bytes(ds))
    found = load_dicom(tmp_path / "a", frames - 1, RULES).pixels
    np.testing.assert_array_equal(found, convert_color_space(ybr, "YBR_FULL", "RGB"))


@pytest.mark.parametrize(("vr", "form", "tag", "bits"), [("OF", "<f4", 0x7FE00008, 32), ("OD", "<f8", 0x7FE00009, 64)])
def test_padding_of_floats(tmp_path: Path, vr: str, form: str, tag: int, bits: int) -> None:
    values = gradient().astype(form) / 7 - 100
    values[:10] = -10000
    ds = dataset(gradient())
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        del ds[keyword]
    ds.BitsAllocated = bits
    setattr(ds, "FloatPixelPaddingValue" if bits == 32 else "DoubleFloatPixelPaddingValue", -10000.0)
    ds.add_new(tag, vr, values.tobytes())
    (tmp_path / "a").write_bytes(to_bytes(ds))
    found = load_dicom(tmp_path / "a", 0, RULES).pixels.astype(int)
    low, high = np.percentile(values[10:], (0.5, 99.5))
    expected = np.floor(np.clip((values - low) / (high - low), 0, 1) * 255 + 0.5)
    assert np.abs(found - expected).max() <= 1
