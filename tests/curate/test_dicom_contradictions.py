"""Header and data as two witnesses: what the data prove is shown, what they do not prove is dropped by its name."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
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

from benchmarks.input import dicom_contradictory, dicom_good
from benchmarks.input.dicom_files import judge
from benchmarks.input.dicom_judges import by_dcmtk, by_gdcm, by_pydicom, dcmtk_version
from benchmarks.input.dicom_make import retold, unwindowed, windowed
from benchmarks.input.dicom_render import JUDGES, MORE, _colour, _made, difference, judge_all, ours
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import DeidRules
from curate.deid_export.dicom.clean import clean_dicom
from curate.deid_export.rules import ReleaseRules
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.cells import overlay_bits, settle
from curate.sources.dicom.codestream import read_stream, rle_segments, starts_frame
from curate.sources.dicom.layout import Layout
from curate.sources.dicom.lut import read_lut
from curate.sources.dicom.neighbours import is_continuous, nearest_stride
from curate.sources.dicom.read import load_dicom
from curate.sources.picture import PixelRules
from tests.curate.dicomfiles import ENCAPSULATED, dataset, encode, gradient, to_bytes, write

RULES = PixelRules()
WIDE = PixelRules(bits=16)
CELL = Layout(40, 32, 1, "MONOCHROME2", 16, 12, False, 0, 1)
CODED = tuple(s for s in ENCAPSULATED if s not in (JPEGBaseline8Bit, RLELossless))


def reason(path: Path, frame: int = 0) -> Reason:
    """Why the file is dropped, by `curate run`; that `curate deid` drops it for the same."""
    with pytest.raises(DropRecord) as dropped:
        load_dicom(path, frame, RULES)
    if frame == 0:
        outcome = clean_dicom(path, ReleaseRules(deid=DeidRules("trust")), Pseudonymizer(bytes(32)))
        assert outcome.reason == dropped.value.reason
    return dropped.value.reason


def encapsulated(ds: Dataset, streams: list[bytes], **options: object) -> Dataset:
    ds.PixelData = encapsulate(streams, **options)
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return ds


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("table", [b"", bytes(4)])
def test_a_sequence_of_no_fragment_has_no_frame(frames: int, table: bytes, tmp_path: Path) -> None:
    ds = dataset(gradient(), JPEGLSLossless)
    ds.NumberOfFrames = frames
    ds.PixelData = b"\xfe\xff\x00\xe0" + len(table).to_bytes(4, "little") + table
    ds["PixelData"].is_undefined_length = True
    path = tmp_path / "a.dcm"
    path.write_bytes(to_bytes(ds))
    assert reason(path) is Reason.FRAME_COUNT


@pytest.mark.parametrize("half", [dicom_contradictory, dicom_good], ids=["contradictory", "good"])
def test_a_slice_of_the_generator(tmp_path: Path, half) -> None:
    found = judge(half.KINDS, 2 * len(half.KINDS), 3, tmp_path)
    assert "wrong" not in found and "exported wrong" not in found, found["kinds"]
    if half is dicom_good:
        assert "dropped" not in found and found["right"] == found["files"], found["kinds"]
    else:
        assert found["right"] > found["dropped"] > 0


@pytest.mark.parametrize("seed", [27, 229, 663])
def test_witnesses_see_bytes_of_big_endian_words_in_their_order(tmp_path: Path, seed: int) -> None:
    case = dicom_good.KINDS["bytes_in_big_endian_words"](np.random.default_rng((77, seed)))
    (tmp_path / "a.dcm").write_bytes(case.data)  # as they lie, lines of these seem to go on in another length
    np.testing.assert_array_equal(load_dicom(tmp_path / "a.dcm", case.frame, PixelRules()).pixels, case.truth)


def test_a_slice_of_the_renderers(tmp_path: Path) -> None:
    found = judge_all(_made(tmp_path, 45), JUDGES | MORE)
    assert found["judged"]["pydicom"] > 15 and "UNNAMED" not in found["causes"], found["apart"]
    assert found["within_one_shade"]["pydicom"] == found["judged"]["pydicom"]


def test_the_renderers_see_a_wrong_picture(tmp_path: Path) -> None:
    # the judges above would agree with anything if they were asked nothing
    path = write(tmp_path / "a", gradient(), BitsStored=12, WindowCenter="1000", WindowWidth="900")
    right = ours(path)
    judges = [by_pydicom(path)] + ([by_dcmtk(path)] if dcmtk_version() else [])
    for shades in judges:
        assert isinstance(right, np.ndarray) and shades is not None
        assert difference(right, shades) <= 1 < difference(255 - right, shades)


def test_a_third_renderer_shows_colours_where_two_differ(tmp_path: Path) -> None:
    # DCMTK centres chroma at 127.5, pydicom leaves a palette's bytes as they lie: GDCM does neither
    path = tmp_path / "cell.dcm"
    for photometric, syntax in (("YBR_FULL", ExplicitVRLittleEndian), ("PALETTE 8", ExplicitVRBigEndian)):
        data = _colour(np.random.default_rng(31), photometric, syntax)
        assert data is not None
        path.write_bytes(data)
        right, third = ours(path), by_gdcm(path)
        assert isinstance(right, np.ndarray) and third is not None
        assert difference(right, third) == 0 < difference(255 - right, third)


@pytest.mark.parametrize("real", CODED, ids=lambda s: s.name)
@pytest.mark.parametrize("told", [ExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless], ids=lambda s: s.name)
def test_a_stream_is_read_as_what_it_is(tmp_path: Path, real: UID, told: UID) -> None:
    path = tmp_path / "a"
    path.write_bytes(retold(to_bytes(dataset(gradient(), real)), real, told))
    np.testing.assert_array_equal(load_dicom(path, 0, WIDE).pixels, gradient())


def test_items_under_a_native_syntax_that_hold_no_known_stream(tmp_path: Path) -> None:
    ds = encapsulated(dataset(gradient(), JPEGLSLossless), [b"nothing that is known" * 9])
    (tmp_path / "a").write_bytes(retold(to_bytes(ds), JPEGLSLossless, ExplicitVRLittleEndian))
    assert reason(tmp_path / "a") is Reason.ENCAPSULATION


@pytest.mark.parametrize("told", ENCAPSULATED, ids=lambda s: s.name)
def test_cells_under_an_encapsulated_syntax(tmp_path: Path, told: UID) -> None:
    path = tmp_path / "a"
    path.write_bytes(retold(to_bytes(dataset(gradient())), ExplicitVRLittleEndian, told))
    np.testing.assert_array_equal(load_dicom(path, 0, WIDE).pixels, gradient())
    path.write_bytes(retold(to_bytes(dataset(gradient(), Rows=39)), ExplicitVRLittleEndian, told))
    assert reason(path) is Reason.ENCAPSULATION


@pytest.mark.parametrize("pad", [b"\0" * 700, b"\xff" * 700, b"\0\xff" * 9, b"trailing words"])
@pytest.mark.parametrize("syntax", (*CODED, JPEGBaseline8Bit), ids=lambda s: s.name)
def test_what_lies_behind_the_end_marker_is_not_read(tmp_path: Path, syntax: UID, pad: bytes) -> None:
    pixels = gradient(top=255, dtype="u1")
    ds = encapsulated(dataset(pixels, syntax), [encode(pixels, syntax) + pad])
    (tmp_path / "a").write_bytes(to_bytes(ds))
    (tmp_path / "b").write_bytes(to_bytes(dataset(pixels, syntax)))
    found = load_dicom(tmp_path / "a", 0, RULES).pixels
    np.testing.assert_array_equal(found, load_dicom(tmp_path / "b", 0, RULES).pixels)


def test_frames_are_where_streams_begin(tmp_path: Path) -> None:
    frames = np.stack([gradient(), gradient()[::-1], gradient() // 2])
    streams = [encode(f, JPEGLSLossless) for f in frames]
    for told, pieces in ((3, 1), (1, 1), (9, 1), (3, 3), (1, 2)):
        ds = dataset(frames, JPEGLSLossless, NumberOfFrames=told)
        body = encapsulate(streams, fragments_per_frame=pieces)
        ds.PixelData = body[:8] + b"\x07\0\0\0" * 3 + body[20:]  # an offset table that points nowhere
        ds["PixelData"].is_undefined_length = True
        (tmp_path / "a").write_bytes(to_bytes(ds))
        for frame in range(min(told, 3)):
            expected = frames[frame] - frames[frame].min()
            np.testing.assert_array_equal(load_dicom(tmp_path / "a", frame, WIDE).pixels, expected)
        if told > 3:
            assert reason(tmp_path / "a", 3) is Reason.FRAME_COUNT


def test_native_frames_are_counted_by_length(tmp_path: Path) -> None:
    frames = np.stack([gradient(), gradient()[::-1]])
    for told in (1, 5):
        path = write(tmp_path / "a", frames, BitsStored=12, NumberOfFrames=told)
        np.testing.assert_array_equal(load_dicom(path, 0, WIDE).pixels, frames[0])
    assert reason(path, 4) is Reason.FRAME_COUNT


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"Columns": 31}, Reason.PIXEL_LENGTH),
        ({"Columns": 33}, Reason.TRUNCATED),
        ({"BitsAllocated": 32, "BitsStored": 12}, None),
        ({"BitsAllocated": 8, "BitsStored": 12}, None),
        ({"BitsAllocated": 8, "BitsStored": 8}, Reason.PIXEL_LENGTH),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "MONOCHROME2"}, None),
        ({"SamplesPerPixel": 1, "PhotometricInterpretation": "RGB"}, None),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, Reason.TRUNCATED),
        ({"SamplesPerPixel": 2}, Reason.UNDECODABLE),
    ],
)
def test_length_proves_a_layout_or_none(tmp_path: Path, attributes: dict[str, object], why: Reason | None) -> None:
    pixels = gradient(top=4095)
    path = write(tmp_path / "a", pixels, **{"BitsStored": 12, **attributes})
    if why is None:
        np.testing.assert_array_equal(load_dicom(path, 0, WIDE).pixels, pixels)
    else:
        assert reason(path) is why


@pytest.mark.parametrize("syntax", (*CODED, RLELossless), ids=lambda s: s.name)
def test_a_stream_of_another_size_is_dropped_by_name(tmp_path: Path, syntax: UID) -> None:
    ds = dataset(gradient(), syntax)
    ds.Rows, ds.Columns = 32, 41
    (tmp_path / "a").write_bytes(to_bytes(ds))
    assert reason(tmp_path / "a") is Reason.STREAM_SIZE


@given(st.integers(2, 15), st.booleans(), st.booleans(), st.data())
def test_values_in_their_cells_are_settled_as_they_are(stored: int, signed: bool, written: bool, data) -> None:
    low, high = (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if signed else (0, (1 << stored) - 1)
    values = np.array(data.draw(st.lists(st.integers(low, high), min_size=12, max_size=12))).reshape(3, 4)
    cells = (values & (0xFFFF if written else (1 << stored) - 1)).astype("u2")
    layout = replace(CELL, rows=3, columns=4, stored=stored, signed=signed)
    found, settled = settle(cells, layout)
    np.testing.assert_array_equal(found, values)
    assert settled == layout and found.dtype == ("i2" if signed else "u2")


def soft(top: int) -> np.ndarray:
    """A smooth (90, 80) picture from 0 to ``top``."""
    y, x = np.mgrid[:90, :80]
    wave = np.sin(y / 23.0) * np.cos(x / 19.0)
    return np.rint((wave - wave.min()) / np.ptp(wave) * top).astype(np.int64)


def test_bits_above_bits_stored_belong_to_the_value_or_not() -> None:
    stripes = (np.arange(80) % 7 == 0).astype("u2")
    flagged, layout = settle((soft(4095) | stripes << 15).astype("u2"), CELL)
    np.testing.assert_array_equal(flagged, soft(4095))  # the picture goes on below the flags
    deep, layout = settle(soft(60000).astype("u2"), CELL)
    assert layout.stored == 16
    np.testing.assert_array_equal(deep, soft(60000))  # and here only with the high bits
    noise = np.random.default_rng(1).integers(0, 65536, (90, 80)).astype("u2")
    with pytest.raises(DropRecord) as dropped:
        settle(noise, CELL)
    assert dropped.value.reason is Reason.PIXEL_BITS
    declared, _ = settle(noise & 0x8FFF, CELL, overlays=0x8000)
    np.testing.assert_array_equal(declared, noise & 0x0FFF)


def test_the_sign_is_where_the_cells_have_it() -> None:
    negative = soft(2900) - 900
    found, layout = settle(negative.astype("i2").view("u2"), CELL)
    assert layout.signed
    np.testing.assert_array_equal(found, negative)
    found, layout = settle(soft(4095).astype("u2"), replace(CELL, signed=True))
    assert not layout.signed
    np.testing.assert_array_equal(found, soft(4095))


def test_values_lie_where_high_bit_says_if_the_cells_agree() -> None:
    top = replace(CELL, high=15)
    np.testing.assert_array_equal(settle((soft(4095) << 4).astype("u2"), top)[0], soft(4095))
    np.testing.assert_array_equal(settle(soft(4095).astype("u2"), top)[0], soft(4095))
    with pytest.raises(DropRecord):
        settle((soft(65535) | 1).astype("u2"), top)


def test_overlay_bits_are_those_declared_and_not_stored_apart() -> None:
    ds = Dataset()
    ds.add_new(0x60000102, "US", 13)
    ds.add_new(0x60020102, "US", 14)
    ds.add_new(0x60023000, "OW", b"\0\0")
    ds.add_new(0x60040102, "US", 0)
    assert overlay_bits(ds) == 1 << 13


def test_neighbours_do_not_speak_for_noise() -> None:
    noise = np.random.default_rng(2).integers(0, 4096, (60, 60))
    assert not is_continuous(noise, noise > 2000, 4096.0)
    assert is_continuous(soft(4095), soft(4095) > 2000, 4096.0)
    assert nearest_stride(noise, (1, 2, 3)) is None
    assert nearest_stride(np.repeat(soft(255), 2), (1, 2, 3)) == 1


def test_what_a_stream_says_of_itself() -> None:
    signed = read_stream(encode((gradient() - 2000).astype("i2"), JPEG2000Lossless))
    assert signed is not None and (signed.coding, signed.rows, signed.columns, signed.signed) == ("j2k", 40, 32, True)
    for syntax, coding in ((JPEGLosslessSV1, "lossless"), (JPEGLSLossless, "ls"), (JPEGBaseline8Bit, "dct")):
        data = encode(gradient(top=255, dtype="u1"), syntax)
        found = read_stream(data + b"\xff\xd9 behind")
        assert found is not None and (found.coding, found.samples, found.bits, found.end) == (coding, 1, 8, len(data))
        assert found.syntax(syntax) == syntax and starts_frame(data)
        cut = read_stream(data[: len(data) // 2])
        assert cut is not None and cut.end is None
    assert read_stream(b"\xff\xd8\xff") is None and read_stream(b"") is None and rle_segments(bytes(80)) is None


@pytest.mark.parametrize(
    ("told", "entries", "bits"), [(16, 4095, 12), (16, 255, 8), (12, 4000, 12), (8, 65535, 16), (16, 40000, 16)]
)
def test_a_lut_has_the_range_of_its_entries(told: int, entries: int, bits: int) -> None:
    item = Dataset()
    item.LUTDescriptor = [64, 0, told]
    item.add_new(0x00283006, "OW", np.linspace(0, entries, 64).astype("<u2").tobytes())
    assert read_lut(item, True).bits == bits


@pytest.mark.parametrize(("first", "signed", "low", "found"), [
    (0xFC00, True, -1024, 0), (0xFC00, True, -24, 1000), (40000, False, 40000, 0), (40000, True, 40000, 0),
])  # fmt: skip
def test_the_sign_of_the_first_value_mapped(first: int, signed: bool, low: int, found: int) -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, first, 12]
    item.add_new(0x00283006, "OW", np.arange(4096, dtype="<u2").tobytes())
    assert read_lut(item, True).look_up(np.array([low, low + 5.0]), signed=signed).tolist() == [found, found + 5]


def test_a_table_without_the_entries_that_are_needed(tmp_path: Path) -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 12]
    item.add_new(0x00283006, "OW", np.arange(3000, dtype="<u2").tobytes())
    path = write(tmp_path / "a", gradient(), BitsStored=12, VOILUTSequence=Sequence([item]))
    assert reason(path) is Reason.BAD_HEADER


@pytest.mark.parametrize(
    ("photometric", "shape", "inverse"),
    [("MONOCHROME1", None, True), ("MONOCHROME1", "INVERSE", True), ("MONOCHROME1", "IDENTITY", False),
     ("MONOCHROME2", None, False), ("MONOCHROME2", "IDENTITY", False), ("MONOCHROME2", "INVERSE", True)],
)  # fmt: skip
def test_presentation_shape_goes_before_photometric(
    tmp_path: Path, photometric: str, shape: str | None, inverse: bool
) -> None:
    more = {"PresentationLUTShape": shape} if shape else {}
    pixels = gradient(top=255, dtype="u1")
    path = write(tmp_path / "a", pixels, PhotometricInterpretation=photometric, **more)
    found = load_dicom(path, 0, RULES).pixels
    np.testing.assert_array_equal(found, 255 - pixels if inverse else pixels)
    if dcmtk_version():
        theirs = by_dcmtk(path)
        assert theirs is not None and difference(found, theirs) <= 1


def test_a_window_that_misses_the_frame_is_not_its_window(tmp_path: Path) -> None:
    values = gradient() + 100
    path = write(tmp_path / "a", values, WindowCenter=["-9000", "2000"], WindowWidth=["100", "3000"])
    np.testing.assert_array_equal(load_dicom(path, 0, RULES).pixels, windowed(values, 2000, 3000))
    path = write(tmp_path / "a", values, WindowCenter="-9000", WindowWidth="100")
    np.testing.assert_array_equal(load_dicom(path, 0, RULES).pixels, unwindowed(values))
    padded = values.astype("i2")
    padded[:9] = -9000  # in the window, and no part of the picture
    path = write(tmp_path / "a", padded, WindowCenter="-9000", WindowWidth="100", PixelPaddingValue=-9000)
    np.testing.assert_array_equal(load_dicom(path, 0, RULES).pixels, unwindowed(padded, padded == -9000))


def test_floats_are_shown_by_their_percentiles(tmp_path: Path) -> None:
    values = (gradient() / 1000 - 2).astype("<f4")
    values[0, 0] = np.nan
    ds = dataset(gradient())
    del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    ds.BitsAllocated, ds.FloatPixelData = 32, values.tobytes()
    (tmp_path / "a").write_bytes(to_bytes(ds))
    found = load_dicom(tmp_path / "a", 0, RULES).pixels
    whole = np.nan_to_num(values, nan=np.nanmin(values))
    assert np.abs(found.astype(int) - unwindowed(whole)).max() <= 1
    assert load_dicom(tmp_path / "a", 0, WIDE).pixels.max() == 65535


def test_a_slope_that_is_none(tmp_path: Path) -> None:
    for slope in ("0", ""):
        path = write(
            tmp_path / "a",
            gradient(),
            RescaleSlope=slope,
            RescaleIntercept="-1000",
            WindowCenter="500",
            WindowWidth="900",
        )
        expected = windowed(gradient().astype(int) - 1000, 500, 900)
        np.testing.assert_array_equal(load_dicom(path, 0, RULES).pixels, expected)


def test_a_sign_that_the_header_denies() -> None:
    deep = replace(CELL, stored=16)
    for low, top in ((-1000, 3000), (-20000, 9000)):
        values = soft(top - low) + low
        found, layout = settle((values & 0xFFFF).astype("u2"), deep)
        assert layout.signed
        np.testing.assert_array_equal(found, values)
    for values in (soft(65535), np.where(soft(9) > 8, 65535, soft(900)), np.where(soft(9) > 8, 64900, soft(9))):
        found, layout = settle(values.astype("u2"), deep)  # full range, letters in a dark picture
        assert not layout.signed
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("size", [(45, 80), (15, 80), (90, 40), (45, 40), (80, 90)])
@pytest.mark.parametrize("counted", [True, False])
def test_strips_of_one_picture_are_no_frames(tmp_path: Path, size: tuple[int, int], counted: bool) -> None:
    path = write(tmp_path / "a", soft(4095).astype("u2"), BitsStored=12, Rows=size[0], Columns=size[1])
    assert load_dicom(write(tmp_path / "b", soft(4095).astype("u2"), BitsStored=12), 0, RULES).pixels.shape == (90, 80)
    if counted:
        pixels = soft(4095).astype("u2").reshape(-1, *size)
        path = write(tmp_path / "a", pixels, BitsStored=12, NumberOfFrames=len(pixels))
    if size[0] >= 16:
        assert reason(path) is Reason.PIXEL_LENGTH


@pytest.mark.parametrize("syntax", (JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless), ids=lambda s: s.name)
def test_a_stream_proves_itself(tmp_path: Path, syntax: UID) -> None:
    pixels = gradient(top=255, dtype="u1")
    ds = dataset(pixels)
    ds.PixelData = (code := encode(pixels, syntax)) + b"\0" * (len(code) % 2)
    (tmp_path / "a").write_bytes(to_bytes(ds))
    ds = dataset(pixels, syntax, BitsAllocated=16, BitsStored=12, WindowCenter="2048", WindowWidth="4096")
    (tmp_path / "b").write_bytes(to_bytes(ds))
    for name in "ab":
        np.testing.assert_array_equal(load_dicom(tmp_path / name, 0, RULES).pixels, pixels)


@pytest.mark.parametrize(
    "syntax", (JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless), ids=lambda s: s.name
)
def test_a_stream_that_was_cut_and_closed(tmp_path: Path, syntax: UID) -> None:
    random = np.random.default_rng(0)
    pixels = np.clip(gradient(64, 64, 255, "u1") + random.integers(0, 9, (64, 64)), 0, 255).astype("u1")
    code = encode(pixels, syntax)
    for share in (0.5, 0.8):
        ds = dataset(pixels, syntax)
        ds.PixelData = encapsulate([code[: int(len(code) * share)] + b"\xff\xd9"])
        (tmp_path / "a").write_bytes(to_bytes(ds))
        with pytest.raises(DropRecord) as dropped:
            load_dicom(tmp_path / "a", 0, RULES)
        assert dropped.value.reason in (Reason.TRUNCATED, Reason.UNDECODABLE)
    write(tmp_path / "a", pixels, syntax)
    assert np.abs(load_dicom(tmp_path / "a", 0, RULES).pixels.astype(int) - pixels).max() <= 12


def test_a_restart_interval_that_is_missing(tmp_path: Path) -> None:
    pixels, out = gradient(64, 64, 255, "u1"), io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95, restart_marker_blocks=4)
    code = out.getvalue()
    marks = [i for i in range(len(code) - 1) if code[i] == 0xFF and 0xD0 <= code[i + 1] <= 0xD7]
    ds = dataset(pixels, JPEGBaseline8Bit)
    ds.PixelData = encapsulate([code])
    (tmp_path / "a").write_bytes(to_bytes(ds))
    assert np.abs(load_dicom(tmp_path / "a", 0, RULES).pixels.astype(int) - pixels).max() <= 6
    ds.PixelData = encapsulate([code[: marks[3]] + code[marks[4] :]])
    (tmp_path / "a").write_bytes(to_bytes(ds))
    assert reason(tmp_path / "a") is Reason.STREAM_SIZE
