"""More of header against data: byte order, padded RLE, planes, subsampled loops, padding of floats."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pydicom
import pytest
from imagecodecs import jpeg2k_encode, jpeg8_encode, jpegls_encode
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import DeidRules
from curate.deid_export.dicom.clean import clean_dicom
from curate.deid_export.rules import ReleaseRules
from curate.errors import DropRecord
from curate.record import Reason
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
    ybr = convert_color_space(np.dstack([texture(seed=s) for s in (1, 2, 3)]), "RGB", "YBR_FULL")
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


def echo(grey: float) -> np.ndarray:
    """RGB, grey but for a coloured corner of ``1 - grey`` of the rows."""
    pixels = np.dstack([texture()] * 3)
    rows = round(48 * (1 - grey))
    pixels[:rows] = np.dstack([texture(seed=k)[:rows] for k in (1, 2, 3)])
    return pixels


def coloured(pixels: np.ndarray, stream: bytes, syntax: str, photometric: str) -> bytes:
    ds = dataset(pixels, PhotometricInterpretation=photometric)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([stream])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return to_bytes(ds)


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("holds", ["RGB", "YBR"])
def test_jpeg_2000_that_took_its_samples_for_rgb_under_a_header_of_ybr(tmp_path: Path, photometric, holds) -> None:
    """A transcoder leaves the former header, or gives YBR to an encoder that takes it for RGB."""
    rgb = echo(0.8)
    stored = rgb if holds == "RGB" else convert_color_space(rgb, "RGB", "YBR_FULL")
    stream = jpeg2k_encode(stored, codecformat="j2k", reversible=True, level=0, mct=True)
    (tmp_path / "a").write_bytes(coloured(rgb, stream, JPEG2000Lossless, photometric))
    found = load_dicom(tmp_path / "a", 0, RULES).pixels
    assert np.abs(found.astype(int) - rgb).max() <= (0 if holds == "RGB" else 2)
    outcome = clean_dicom(tmp_path / "a", ReleaseRules(deid=DeidRules("trust")), Pseudonymizer(bytes(32)))
    assert outcome.data is not None
    written = pydicom.dcmread(io.BytesIO(outcome.data))
    assert (written.PhotometricInterpretation == "RGB") is (holds == "RGB")


_COLOUR_STREAMS = {
    RLELossless: lambda p: RLELosslessEncoder.encode(
        p, rows=p.shape[0], columns=p.shape[1], samples_per_pixel=3, bits_allocated=8, bits_stored=8,
        number_of_frames=1, photometric_interpretation="RGB", pixel_representation=0, planar_configuration=0,
    ),
    JPEGLSLossless: jpegls_encode,
    JPEGLosslessSV1: lambda p: jpeg8_encode(p, lossless=True, predictor=1),
    JPEG2000Lossless: lambda p: jpeg2k_encode(p, codecformat="j2k", reversible=True, level=0, mct=False),
}  # fmt: skip


def named(stored: np.ndarray, syntax: str, photometric: str) -> bytes:
    """Samples as they are, in any coding that does not change colours, under any name."""
    if syntax in _COLOUR_STREAMS:
        return coloured(stored, bytes(_COLOUR_STREAMS[syntax](stored)), syntax, photometric)
    return to_bytes(dataset(stored, PhotometricInterpretation=photometric))


@pytest.mark.parametrize("syntax", [*_COLOUR_STREAMS, ExplicitVRLittleEndian], ids=lambda s: UID(s).name)
@pytest.mark.parametrize(("holds", "told"), [("RGB", "YBR_FULL"), ("RGB", "YBR_FULL_422"), ("YBR_FULL", "RGB")])
def test_colours_that_the_header_calls_otherwise(tmp_path: Path, syntax: str, holds: str, told: str) -> None:
    rgb = echo(0.8)
    stored = rgb if holds == "RGB" else convert_color_space(rgb, "RGB", "YBR_FULL")
    (tmp_path / "a").write_bytes(named(stored, syntax, told))
    assert np.abs(load_dicom(tmp_path / "a", 0, RULES).pixels.astype(int) - rgb).max() <= (0 if holds == "RGB" else 2)
    outcome = clean_dicom(tmp_path / "a", ReleaseRules(deid=DeidRules("trust")), Pseudonymizer(bytes(32)))
    assert outcome.data is not None
    assert pydicom.dcmread(io.BytesIO(outcome.data)).PhotometricInterpretation == holds
    (tmp_path / "b").write_bytes(outcome.data)
    assert np.abs(load_dicom(tmp_path / "b", 0, RULES).pixels.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("syntax", [JPEGLSLossless, ExplicitVRLittleEndian], ids=lambda s: UID(s).name)
def test_numbers_that_are_no_ybr_and_show_no_grey_are_dropped(tmp_path: Path, syntax: str) -> None:
    rgb = np.dstack([200 + texture(top=50), texture(top=60, seed=1), texture(top=90, seed=2)])
    (tmp_path / "a").write_bytes(named(rgb, syntax, "YBR_FULL"))
    with pytest.raises(DropRecord) as dropped:
        load_dicom(tmp_path / "a", 0, RULES)
    assert dropped.value.reason is (Reason.CONTRADICTORY if syntax == ExplicitVRLittleEndian else Reason.STREAM_SIZE)
    (tmp_path / "b").write_bytes(named(convert_color_space(rgb, "RGB", "YBR_FULL"), syntax, "YBR_FULL"))
    assert np.abs(load_dicom(tmp_path / "b", 0, RULES).pixels.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("syntax", [JPEGLSLossless, ExplicitVRLittleEndian], ids=lambda s: UID(s).name)
@pytest.mark.parametrize("rows", [8, 14, 32])
def test_zeros_that_another_tool_painted_do_not_make_ybr_rgb(tmp_path: Path, syntax: str, rows: int) -> None:
    """Of YBR zeros are green; of RGB they are the ground of an echo, and count where nothing else tells."""
    stored = convert_color_space(echo(0.8), "RGB", "YBR_FULL")
    stored[-rows:] = 0
    (tmp_path / "a").write_bytes(named(stored, syntax, "YBR_FULL"))
    expected = convert_color_space(stored, "YBR_FULL", "RGB").astype(int)
    assert np.abs(load_dicom(tmp_path / "a", 0, RULES).pixels - expected).max() <= 1
    letters = np.zeros_like(stored)
    letters[4:12, 4:40] = (255, 255, 0)
    (tmp_path / "b").write_bytes(named(letters, syntax, "YBR_FULL"))
    np.testing.assert_array_equal(load_dicom(tmp_path / "b", 0, RULES).pixels, letters)


def test_ybr_of_sixteen_bits(tmp_path: Path) -> None:
    """Half of the range is no colour, and not 128."""
    grey = texture(top=60000)
    ybr = np.dstack([grey, np.full_like(grey, 1 << 15), np.full_like(grey, 1 << 15)])
    (tmp_path / "a").write_bytes(to_bytes(dataset(ybr, PhotometricInterpretation="YBR_FULL")))
    assert np.abs(load_dicom(tmp_path / "a", 0, WIDE).pixels.astype(int) - grey).max() <= 1


@pytest.mark.parametrize("name", ["monochrome2", "MONOCHROME", "Grayscale", "MONOCHROME 2", "GREY"])
def test_however_grey_is_spelt(tmp_path: Path, name: str) -> None:
    ds = dataset(texture())
    ds.add_new("PhotometricInterpretation", "LO", name)
    ds["PhotometricInterpretation"].VR = "CS"
    (tmp_path / "a").write_bytes(to_bytes(ds))
    np.testing.assert_array_equal(load_dicom(tmp_path / "a", 0, RULES).pixels, texture())
    outcome = clean_dicom(tmp_path / "a", ReleaseRules(deid=DeidRules("trust")), Pseudonymizer(bytes(32)))
    assert outcome.data is not None
    assert pydicom.dcmread(io.BytesIO(outcome.data)).PhotometricInterpretation == "MONOCHROME2"


def test_jpeg_2000_of_colours_that_nothing_shows_is_dropped(tmp_path: Path) -> None:
    stream = jpeg2k_encode(echo(0), codecformat="j2k", reversible=True, level=0, mct=True)
    (tmp_path / "a").write_bytes(coloured(echo(0), stream, JPEG2000Lossless, "YBR_FULL"))
    with pytest.raises(DropRecord) as dropped:
        load_dicom(tmp_path / "a", 0, RULES)
    assert dropped.value.reason is Reason.STREAM_SIZE


@pytest.mark.parametrize("photometric", ["YBR_ICT", "YBR_RCT"])
@pytest.mark.parametrize("marked", [True, False])
def test_colours_of_jpeg_2000_named_over_jpeg(tmp_path: Path, photometric: str, marked: bool) -> None:
    rgb = echo(0.5)
    stream = jpeg8_encode(rgb, level=98, colorspace="RGB", outcolorspace="YCBCR", subsampling="444")
    assert stream[2:4] == b"\xff\xe0"
    stream = stream if marked else stream[:2] + stream[20:]  # without its JFIF segment
    (tmp_path / "a").write_bytes(coloured(rgb, stream, JPEGBaseline8Bit, photometric))
    assert np.abs(load_dicom(tmp_path / "a", 0, RULES).pixels.astype(int) - rgb).max() < 12


def test_fill_bytes_before_the_end_marker_of_jpeg(tmp_path: Path) -> None:
    """T.81 B.1.1.2: any marker may have some, and DCMTK writes them."""
    pixels = texture()
    stream = bytes(jpeg8_encode(pixels, level=98))
    expected = pixels.astype(int)
    for name, data in (("plain", stream), ("filled", stream[:-2] + b"\xff\xff\xff\xd9")):
        (tmp_path / name).write_bytes(coloured(pixels, data, JPEGBaseline8Bit, "MONOCHROME2"))
        assert np.abs(load_dicom(tmp_path / name, 0, RULES).pixels.astype(int) - expected).max() < 8


@pytest.mark.parametrize("told", [0, 1])
def test_planes_of_echoes_under_the_other_configuration(tmp_path: Path, told: int) -> None:
    pixels = echo(0.7)
    ds = dataset(pixels, PlanarConfiguration=told)
    ds.PixelData = (pixels if told else np.moveaxis(pixels, 2, 0)).tobytes()
    (tmp_path / "a").write_bytes(to_bytes(ds))
    np.testing.assert_array_equal(load_dicom(tmp_path / "a", 0, RULES).pixels, pixels)


def test_lines_of_another_length_of_signed_numbers(tmp_path: Path) -> None:
    pixels = texture(100, 113, 2800).astype(np.int16) - 900
    ds = dataset(pixels, BitsStored=12)
    ds.Rows, ds.Columns = 113, 100
    (tmp_path / "a").write_bytes(to_bytes(ds))
    with pytest.raises(DropRecord) as dropped:
        load_dicom(tmp_path / "a", 0, RULES)
    assert dropped.value.reason is Reason.PIXEL_LENGTH


def test_flat_colours_by_planes_stay_so(tmp_path: Path) -> None:
    """Read by pixels, planes of flat fields look grey."""
    pixels = np.zeros((60, 80, 3), np.uint8)
    for k, colour in enumerate(((255, 255, 0), (0, 255, 255), (255, 0, 255), (180, 20, 20), (20, 20, 180))):
        pixels[:, 16 * k : 16 * (k + 1)] = colour
    pixels[20:40] = np.repeat(texture(20, 80)[..., None], 3, axis=2)
    ds = dataset(pixels, PlanarConfiguration=1)
    ds.PixelData = np.moveaxis(pixels, 2, 0).tobytes()
    (tmp_path / "a").write_bytes(to_bytes(ds))
    np.testing.assert_array_equal(load_dicom(tmp_path / "a", 0, RULES).pixels, pixels)


def test_echoes_of_three_samples_called_one_are_no_three_frames(tmp_path: Path) -> None:
    pixels = echo(0.8)
    ds = dataset(pixels)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelData = 1, "MONOCHROME2", pixels.tobytes()
    (tmp_path / "a").write_bytes(to_bytes(ds))
    with pytest.raises(DropRecord) as dropped:
        load_dicom(tmp_path / "a", 0, RULES)
    assert dropped.value.reason is Reason.PIXEL_LENGTH


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless, JPEGBaseline8Bit], ids=UID)
@pytest.mark.parametrize("has_table", [True, False])
def test_a_fragment_that_is_lost_makes_no_other_picture(tmp_path: Path, syntax: str, has_table: bool) -> None:
    """Of three frames of three fragments: the frames before it are read, no frame is shown in place of another."""
    frames = [texture(top=255, seed=seed) for seed in range(3)]
    lossless = {JPEGLosslessSV1: {"lossless": True}, JPEGBaseline8Bit: {"level": 97}}
    coder = {JPEGLSLossless: jpegls_encode, JPEG2000Lossless: jpeg2k_encode}.get(syntax, jpeg8_encode)
    options = lossless.get(syntax, {"codecformat": "j2k", "level": 0} if syntax == JPEG2000Lossless else {})
    streams = [bytes(coder(frame, **options)) for frame in frames]
    whole = encapsulate(streams, fragments_per_frame=3, has_bot=has_table)
    starts = [0]
    while starts[-1] < len(whole):
        starts.append(starts[-1] + 8 + int.from_bytes(whole[starts[-1] + 4 : starts[-1] + 8], "little"))
    for lost in range(1, 10):
        ds = dataset(frames[0], ExplicitVRLittleEndian)
        ds.NumberOfFrames, ds.file_meta.TransferSyntaxUID = 3, syntax
        ds.PixelData = whole[: starts[lost]] + whole[starts[lost + 1] :]
        ds["PixelData"].is_undefined_length = True
        (tmp_path / "a").write_bytes(to_bytes(ds))
        for at, frame in enumerate(frames):
            found = None
            with suppress(DropRecord):
                found = load_dicom(tmp_path / "a", at, RULES).pixels
            assert found is not None or at >= (lost - 1) // 3
            assert found is None or np.abs(found.astype(int) - frame).max() <= 25 * (syntax == JPEGBaseline8Bit)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless, ExplicitVRLittleEndian], ids=lambda s: UID(s).name)
@pytest.mark.parametrize(("holds", "told"), [("RGB", "YBR_FULL"), ("YBR_FULL", "RGB")])
def test_colours_that_one_frame_shows_are_those_of_all(tmp_path: Path, syntax: str, holds: str, told: str) -> None:
    vivid = np.dstack([200 + texture(top=50), texture(top=60, seed=1), texture(top=90, seed=2)])
    frames = [vivid, echo(0.8), vivid[::-1]]
    stored = frames if holds == "RGB" else [convert_color_space(frame, "RGB", "YBR_FULL") for frame in frames]
    ds = dataset(np.stack(stored), NumberOfFrames=3, PhotometricInterpretation=told)
    if syntax in _COLOUR_STREAMS:
        ds.file_meta.TransferSyntaxUID = syntax
        ds.PixelData = encapsulate([bytes(_COLOUR_STREAMS[syntax](np.ascontiguousarray(frame))) for frame in stored])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    (tmp_path / "a").write_bytes(to_bytes(ds))
    outcome = clean_dicom(tmp_path / "a", ReleaseRules(deid=DeidRules("trust")), Pseudonymizer(bytes(32)))
    assert outcome.data is not None
    (tmp_path / "b").write_bytes(outcome.data)
    for name, at in ((name, at) for name in "ab" for at in range(3)):
        found = load_dicom(tmp_path / name, at, RULES).pixels
        assert np.abs(found.astype(int) - frames[at]).max() <= (0 if holds == "RGB" else 2)


@pytest.mark.parametrize("colour", [False, True])
def test_zeros_in_place_of_the_rest_of_native_pixels(tmp_path: Path, colour: bool) -> None:
    pixels = 5 + texture(top=200) if not colour else 5 + echo(0.6) // 2
    data = to_bytes(dataset(pixels))
    start, line = len(data) - pixels.size, pixels.size // 48
    for size in (20 * line + line // 2, 30 * line + 17):
        (tmp_path / "a").write_bytes(data[: start + size] + bytes(pixels.size - size))
        with pytest.raises(DropRecord, match="truncated"):
            load_dicom(tmp_path / "a", 0, RULES)
        outcome = clean_dicom(tmp_path / "a", ReleaseRules(deid=DeidRules("trust")), Pseudonymizer(bytes(32)))
        assert outcome.reason is Reason.TRUNCATED
    dark = pixels.copy()  # a dark lower half, and one whose border runs askew
    dark[30:] = 0
    (tmp_path / "a").write_bytes(to_bytes(dataset(dark)))
    np.testing.assert_array_equal(load_dicom(tmp_path / "a", 0, RULES).pixels, dark)
    dark[np.add.outer(np.arange(48), np.arange(40) // 8) > 24] = 0
    (tmp_path / "a").write_bytes(to_bytes(dataset(dark)))
    np.testing.assert_array_equal(load_dicom(tmp_path / "a", 0, RULES).pixels, dark)


@pytest.mark.parametrize("seed", range(4))
def test_greys_by_pixel_that_the_header_calls_planes(tmp_path: Path, seed: int) -> None:
    """Each value three times in turn is smooth, read as a plane."""
    rgb = np.dstack([texture(40, 84, seed=seed)] * 3)
    rgb[20:30, 21:] = rgb[20:30, 21:] * (0.2, 0.9, 0.5)
    (tmp_path / "a").write_bytes(to_bytes(dataset(rgb, PlanarConfiguration=1)))
    np.testing.assert_array_equal(load_dicom(tmp_path / "a", 0, RULES).pixels, rgb)


@pytest.mark.parametrize(("rows", "columns"), [(129, 44), (57, 59), (87, 43), (43, 87)])
def test_small_pictures_whose_rows_and_columns_are_exchanged(tmp_path: Path, rows: int, columns: int) -> None:
    pixels = texture(rows, columns, top=3000)
    (tmp_path / "a").write_bytes(to_bytes(dataset(pixels, Rows=columns, Columns=rows)))
    with pytest.raises(DropRecord, match="fits_no_layout"):
        load_dicom(tmp_path / "a", 0, RULES)
    (tmp_path / "a").write_bytes(to_bytes(dataset(pixels)))
    np.testing.assert_array_equal(load_dicom(tmp_path / "a", 0, WIDE).pixels, pixels)
