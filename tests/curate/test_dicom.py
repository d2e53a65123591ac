"""Reading DICOM: every real test file has a fate, every transfer syntax gives pydicom's pixels, bad bytes only drop."""

from __future__ import annotations

import csv
import logging
import random
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_windowing
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom import codec
from curate.sources.dicom.cells import overlay_bits
from curate.sources.dicom.codestream import read_stream
from curate.sources.dicom.file import open_dicom
from curate.sources.dicom.layout import declared_layout
from curate.sources.dicom.prove import frame_stream, prove
from curate.sources.dicom.read import load_dicom, read_header
from curate.sources.grey import window
from curate.sources.picture import PixelRules
from curate.sources.sniff import sniff
from tests.curate.dicomfiles import CT, ENCAPSULATED, NATIVE, dataset, gradient, to_bytes, write
from tests.realdata import real

RULES = PixelRules()
WIDE = PixelRules(bits=16)


def fate(path: Path, rules: PixelRules = RULES, frame: int = 0) -> Reason | None:
    """Why the file is dropped; None where it loads."""
    try:
        load_dicom(path, frame, rules)
    except DropRecord as dropped:
        return dropped.reason
    return None


def manifest() -> list[tuple[Path, str]]:
    folder = real("dicom")
    with (folder / "manifest.csv").open(newline="") as f:
        rows = [(folder / row["file"], row["pydicom_decode"]) for row in csv.DictReader(f)]
    return [row for row in rows if row[0].exists()]


def test_every_real_file_loads_or_is_dropped_by_a_stated_rule() -> None:
    stated = {None, Reason.NOT_A_PICTURE, Reason.TOO_SMALL, Reason.BLANK}
    files = manifest()
    fates = {path: fate(path) for path, _ in files}  # anything but DropRecord would raise here
    assert len(fates) > 150
    assert {path.name: fates[path] for path, said in files if said.startswith("ok") and fates[path] not in stated} == {}
    assert sum(reason is None for reason in fates.values()) > 100


def test_the_header_of_every_real_file_agrees_with_its_fate() -> None:
    for path, _ in manifest():
        try:
            header = read_header(path)
        except DropRecord as dropped:
            assert fate(path) == dropped.reason or path.name == "no_meta.dcm", path.name
        else:
            assert sniff(path) == "dicom" and header.rows > 0 and header.columns > 0, path.name


def plain(path: Path, frame: int) -> np.ndarray | None:
    """pydicom's own pixels by its own plugins in their own order; None where it cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plugins = [p for p in ("gdcm", "pylibjpeg", "pydicom") if p in _plugins(path)] or [""]
        for plugin in plugins:
            try:
                return pydicom.pixels.pixel_array(
                    pydicom.dcmread(path, force=True), index=frame, decoding_plugin=plugin
                )
            except Exception:  # noqa: BLE001  whatever pydicom cannot read is not compared
                continue
    return None


def _plugins(path: Path) -> tuple[str, ...]:
    try:
        meta = pydicom.filereader.read_file_meta_info(path)
        return pydicom.pixels.get_decoder(meta.TransferSyntaxUID).available_plugins
    except Exception:  # noqa: BLE001  no meta, or a syntax pydicom does not know
        return ()


def test_stored_values_of_real_files_equal_plain_pydicom() -> None:
    compared = fast = 0
    for path, said in manifest():
        if not said.startswith("ok"):
            continue
        with open_dicom(path, RULES.max_bytes) as file:
            if file.pixels is None or file.pixels.tag != 0x7FE00010:
                continue
            for frame in {0, declared_layout(file).frames - 1}:
                expected = plain(path, frame)
                if expected is None:
                    continue
                found, _ = codec.decode_frame(prove(file, frame), frame)
                assert found.dtype == expected.dtype.newbyteorder("=") and np.array_equal(found, expected), path.name
                compared += 1
                fast += file.syntax in codec.FAST
    assert compared > 130 and fast > 60  # as the public files are


def test_the_fast_decoder_alone_gives_those_values() -> None:
    # the test above would pass if imagecodecs always failed and pydicom stepped in
    for path, said in manifest():
        if not said.startswith("ok"):
            continue
        with open_dicom(path, RULES.max_bytes) as file:
            if file.syntax not in codec.FAST or file.pixels is None:
                continue
            proven = prove(file)
            layout, data = proven.layout, frame_stream(proven, 0)
            if codec._plugins(file.syntax, data, layout, read_stream(data))[0] != codec.PLUGIN:
                assert file.syntax.name.startswith("JPEG Extended") or layout.allocated == 1, path.name
                continue
            cells = codec.by_imagecodecs(proven.file.syntax, data, layout)
            alone, _ = codec.settle_stream(cells, read_stream(data), layout, overlay_bits(file.dataset))
        assert np.array_equal(alone, plain(path, 0)), path.name


@pytest.mark.parametrize("syntax", NATIVE + ENCAPSULATED, ids=lambda s: s.name)
def test_every_syntax_of_a_made_file(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    pixels = gradient(top=255, dtype="u1") if syntax == JPEGBaseline8Bit else gradient()
    path = write(tmp_path / "a", pixels, syntax)
    assert sniff(path) == "dicom"
    found = load_dicom(path, 0, WIDE).pixels
    assert found.dtype == np.uint16
    assert np.abs(found.astype(int) - (pixels.astype(int) - pixels.min())).max() <= (syntax == JPEGBaseline8Bit) * 12


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_neither_preamble_nor_transfer_syntax(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    ds = dataset(gradient(), syntax)
    path = tmp_path / "no-meta"
    whole = to_bytes(ds)
    meta_end = 132 + 12 + int.from_bytes(whole[140:144], "little")
    path.write_bytes(whole[meta_end:])
    assert sniff(path) == "dicom"
    assert read_header(path).patient_id == "MRN42"
    assert np.array_equal(load_dicom(path, 0, WIDE).pixels, gradient())


def test_header_values(tmp_path: Path) -> None:
    header = read_header(write(tmp_path / "a", gradient()))
    assert (header.kind, header.patient_id, header.patient_name, header.accession) == (
        "dicom",
        "MRN42",
        "Doe^Jane",
        "ACC7",
    )
    assert (header.study_uid, header.series_uid, header.sop_uid) == ("1.2.3", "1.2.3.4", "1.2.3.4.5")
    assert (header.study_date, header.frames, header.instance) == ("20200229", 1, 3)
    assert (header.rows, header.columns) == (40, 32)


def test_malformed_header_values_are_read_as_far_as_they_make_sense(tmp_path: Path) -> None:
    raw = to_bytes(
        dataset(gradient()[None], NumberOfFrames="1 ", SpecificCharacterSet="ISO_IR 100", InstanceNumber="12")
    )
    raw = (
        raw.replace(b"IS\x02\x001 ", b"IS\x02\x001A")
        .replace(b"ISO_IR 100", b"ISO_IR XYZ")
        .replace(b"20200229", b"29.02.20")
    )
    path = tmp_path / "a"
    path.write_bytes(raw)
    header = read_header(path)
    assert (header.frames, header.patient_name, header.study_date, header.instance) == (1, "Doe^Jane", "", 12)
    assert fate(path) is None


def test_signed_values_and_unused_bits(tmp_path: Path) -> None:
    signed = gradient(top=2000, dtype="i2") - 1000
    path = write(tmp_path / "a", signed.astype("i2"), RescaleSlope="1", RescaleIntercept="-24")
    assert np.array_equal(load_dicom(path, 0, WIDE).pixels, signed + 1000)
    dirty = gradient() | 0xF000  # an old overlay in the four unused bits
    path = write(tmp_path / "b", dirty.astype("u2"), BitsStored=12)
    assert np.array_equal(load_dicom(path, 0, WIDE).pixels, gradient())


@pytest.mark.parametrize(
    ("slope", "expected"), [("0.5", gradient()), ("-0.5", 4095 - gradient()), ("-1", 4095 - gradient())]
)
def test_sixteen_bits_are_never_scaled(tmp_path: Path, slope: str, expected: np.ndarray) -> None:
    path = write(
        tmp_path / "a", gradient(), RescaleSlope=slope, RescaleIntercept="7", WindowCenter="9", WindowWidth="9"
    )
    assert np.array_equal(load_dicom(path, 0, WIDE).pixels, expected)


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    path = write(tmp_path / "a", gradient(top=255, dtype="u1"), PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(load_dicom(path, 0, RULES).pixels, 255 - gradient(top=255, dtype="u1"))
    assert load_dicom(path, 0, WIDE).pixels[-1, -1] == 0


def test_one_bit_and_32_bits(tmp_path: Path) -> None:
    bits = (gradient() % 2).astype("u1")
    ds = dataset(bits, BitsAllocated=1, BitsStored=1)
    ds.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    (tmp_path / "one").write_bytes(to_bytes(ds))
    assert np.array_equal(load_dicom(tmp_path / "one", 0, RULES).pixels, bits * 255)
    deep = gradient().astype("u4") * 1_000_000
    found = load_dicom(write(tmp_path / "deep", deep), 0, PixelRules(window="full")).pixels
    assert np.array_equal(found, np.floor(deep / deep.max() * 255 + 0.5))


@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_in_either_planar_configuration(tmp_path: Path, planar: int) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (20, 24, 3)).astype("u1")
    ds = dataset(rgb, PlanarConfiguration=planar)
    if planar:
        ds.PixelData = np.ascontiguousarray(rgb.transpose(2, 0, 1)).tobytes()
    (tmp_path / "a").write_bytes(to_bytes(ds))
    assert np.array_equal(load_dicom(tmp_path / "a", 0, RULES).pixels, rgb)


def test_grey_stored_as_rgb_is_one_channel(tmp_path: Path) -> None:
    grey = gradient(top=255, dtype="u1")
    assert np.array_equal(load_dicom(write(tmp_path / "a", np.dstack([grey] * 3)), 0, RULES).pixels, grey)


def test_palette(tmp_path: Path) -> None:
    ds = dataset(gradient(top=255, dtype="u1"), PhotometricInterpretation="PALETTE COLOR")
    for colour, step in (("Red", 1), ("Green", 3), ("Blue", 7)):
        entries = (np.arange(256) * step % 256).astype("<u2") << 8
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{colour}PaletteColorLookupTableData", entries.tobytes())
    (tmp_path / "a").write_bytes(to_bytes(ds))
    expected = apply_color_lut(gradient(top=255, dtype="u1"), ds) >> 8
    assert np.array_equal(load_dicom(tmp_path / "a", 0, RULES).pixels, expected)


def test_only_the_wanted_frame(tmp_path: Path) -> None:
    frames = np.stack([gradient() + 3 * k for k in range(4)]) * (np.arange(4) % 2 + 1)[:, None, None]
    for syntax in (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless):
        path = write(tmp_path / "a", frames.astype("u2"), syntax, NumberOfFrames=4)
        assert read_header(path).frames == 4
        for k in (0, 3):
            assert np.array_equal(load_dicom(path, k, WIDE).pixels, frames[k] - frames[k].min())
        assert fate(path, frame=4) == Reason.CHANGED


def test_windows_of_the_header(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a",
        gradient(),
        RescaleSlope="2",
        RescaleIntercept="-1000",
        WindowCenter=["40", "9"],
        WindowWidth=["400", "9"],
    )
    values = gradient() * 2.0 - 1000
    assert np.array_equal(load_dicom(path, 0, RULES).pixels, np.floor(window(values, 40, 400) * 255 + 0.5))
    assert np.array_equal(
        load_dicom(path, 0, PixelRules(window=(100, 50))).pixels, np.floor(window(values, 100, 50) * 255 + 0.5)
    )
    full = load_dicom(path, 0, PixelRules(window="full")).pixels
    assert (full.min(), full.max()) == (0, 255) and np.all(np.diff(full.ravel().astype(int)) >= 0)


def test_decimal_commas_of_a_window(tmp_path: Path) -> None:
    ds = dataset(gradient())
    ds.add_new("WindowCenter", "LO", "2048,5")
    ds.add_new("WindowWidth", "LO", "1000,0")
    (tmp_path / "a").write_bytes(to_bytes(ds))
    shown = load_dicom(tmp_path / "a", 0, RULES).pixels
    assert np.array_equal(shown, np.floor(window(gradient() * 1.0, 2048.5, 1000) * 255 + 0.5))


def test_voi_and_modality_lut_sequences(tmp_path: Path) -> None:
    def item(first: int, bits: int, entries: np.ndarray) -> Dataset:
        lut = Dataset()
        lut.LUTDescriptor, lut.LUTData = [len(entries), first, bits], entries.astype("<u2").tobytes()
        lut["LUTData"].VR = "OW"
        return lut

    halves, inverse = np.arange(4096) // 2, np.arange(1000, -1, -1) * 4
    path = write(
        tmp_path / "a",
        gradient(),
        ModalityLUTSequence=Sequence([item(0, 16, halves)]),
        VOILUTSequence=Sequence([item(500, 12, inverse)]),
        WindowCenter="1",  # the sequence wins
        WindowWidth="2",
    )
    expected = inverse[np.clip(gradient().astype(int) // 2 - 500, 0, 1000)] / 4095
    assert np.array_equal(load_dicom(path, 0, RULES).pixels, np.floor(expected * 255 + 0.5))


def test_functional_groups_of_the_frame_win(tmp_path: Path) -> None:
    def groups(centre: int) -> Dataset:
        voi, item = Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = str(centre), "100"
        item.FrameVOILUTSequence = Sequence([voi])
        return item

    frames = np.stack([gradient(), gradient()])
    path = write(
        tmp_path / "a", frames, NumberOfFrames=2, PerFrameFunctionalGroupsSequence=Sequence([groups(500), groups(3000)])
    )
    for frame, centre in enumerate((500, 3000)):
        found = load_dicom(path, frame, RULES).pixels
        assert np.array_equal(found, np.floor(window(gradient().astype(float), centre, 100) * 255 + 0.5))


def test_without_a_window_the_robust_range_less_the_padding(tmp_path: Path) -> None:
    pixels = gradient(100, 100, top=999).astype("i2")
    pixels[0, :3], pixels[50:] = 30000, -2000  # an outlier of 0.03 %, and half the frame outside the scanner's circle
    found = load_dicom(write(tmp_path / "a", pixels, PixelPaddingValue=-2000), 0, RULES).pixels
    assert found[50:].max() == 0 and found[0, 0] == 255
    assert 240 < found[48, 99] <= 255 and found[1, 0] < 5
    exact = load_dicom(write(tmp_path / "b", pixels), 0, PixelRules(window="full")).pixels
    assert exact[48, 99] < 30


@given(
    centre=st.floats(-2000, 4000),
    width=st.floats(2, 5000),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
def test_windowing_is_pydicoms(centre: float, width: float, function: str) -> None:
    ds = dataset(gradient(), BitsStored=16, WindowCenter=f"{centre:.6f}"[:16], WindowWidth=f"{width:.6f}"[:16])
    ds.VOILUTFunction = function
    values = np.arange(0, 65536, 97, dtype=np.uint16)
    expected = apply_windowing(values, ds) / 65535
    found = window(values.astype(float), float(ds.WindowCenter), float(ds.WindowWidth), function)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"}, Reason.NOT_A_PICTURE),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2"}, Reason.NOT_A_PICTURE),
        ({"SOPClassUID": "1.2.826.0.1.3680043.9.1"}, None),  # a private class is a picture
        ({"Modality": "SEG", "SOPClassUID": ""}, Reason.NOT_A_PICTURE),
        ({"Rows": 0}, Reason.BAD_HEADER),
        ({"BitsAllocated": 0}, Reason.BAD_HEADER),
        ({"Rows": 41}, Reason.TRUNCATED),
        ({"Rows": 15}, Reason.TOO_SMALL),
        ({"Rows": 65535, "Columns": 65535}, Reason.TOO_LARGE),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, Reason.BAD_HEADER),  # no palette
        ({"PhotometricInterpretation": "NONSENSE"}, Reason.UNDECODABLE),
    ],
)
def test_fates_by_header(tmp_path: Path, attributes: dict[str, object], reason: Reason | None) -> None:
    assert fate(write(tmp_path / "a", gradient(), **attributes)) == reason


def test_fates_by_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert fate(write(path, np.full((40, 32), 7, "u2"))) == Reason.BLANK
    ds = dataset(gradient(top=255, dtype="u1"), JPEGBaseline8Bit)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"  # MPEG-4: video
    path.write_bytes(to_bytes(ds))
    assert fate(path) == Reason.UNSUPPORTED_SYNTAX
    del ds.PixelData
    path.write_bytes(to_bytes(ds))
    assert fate(path) == Reason.NO_PIXELS
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.FloatPixelData, ds.BitsAllocated = gradient().astype("f4").tobytes(), 32
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.30"  # Parametric Map: numbers
    path.write_bytes(to_bytes(ds))
    assert fate(path) == Reason.NOT_A_PICTURE
    path.write_bytes(b"")
    assert fate(path) == Reason.EMPTY_FILE
    assert fate(tmp_path / "absent") == Reason.UNREADABLE_FILE


def test_a_deflate_bomb_is_not_inflated(tmp_path: Path) -> None:
    path = write(tmp_path / "a", np.zeros((4096, 4096), "u2"), DeflatedExplicitVRLittleEndian)
    assert path.stat().st_size < 100_000
    assert fate(path, PixelRules(max_bytes=1 << 20)) == Reason.TOO_LARGE
    assert fate(path) == Reason.BLANK


def test_a_codestream_larger_than_its_header_is_not_decoded(tmp_path: Path) -> None:
    path = write(tmp_path / "a", gradient(400, 400), JPEG2000Lossless, Rows=40, Columns=40)
    assert fate(path) == Reason.STREAM_SIZE


@pytest.mark.parametrize("syntax", ENCAPSULATED, ids=lambda s: s.name)
def test_a_cut_frame_is_truncated_not_grey(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    raw = to_bytes(dataset(gradient(400, 400, top=255, dtype="u1"), syntax))
    for share in (0.5, 0.9):
        (tmp_path / "a").write_bytes(raw[: int(len(raw) * share)])
        assert fate(tmp_path / "a") == Reason.TRUNCATED


def test_the_dataset_knows_neither_pixels_nor_the_file(tmp_path: Path) -> None:
    picture = load_dicom(write(tmp_path / "secret-name", gradient()), 0, RULES)
    assert picture.dataset is not None and "PixelData" not in picture.dataset
    assert picture.dataset.PatientName == "Doe^Jane" and picture.dataset.SOPClassUID == CT
    assert "secret-name" not in repr(vars(picture.dataset)) and not hasattr(picture.dataset, "preamble")


def test_nothing_of_a_fault_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    raw = to_bytes(dataset(gradient(), JPEGLSLossless, PatientBirthDate="19700101"))
    raw = raw.replace(b"19700101", b"DoeJane!").replace(b"1.2.3.4.5", b"1.2.Jane5")
    (tmp_path / "a").write_bytes(raw[:-600] + bytes(592) + b"\xff\xd9" + bytes(6))
    with (
        caplog.at_level(logging.DEBUG),
        warnings.catch_warnings(record=True) as heard,
        pytest.raises(DropRecord) as caught,
    ):
        load_dicom(tmp_path / "a", 0, RULES)
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    assert caught.value.args == (caught.value.reason.value,)
    assert not heard and not caplog.records and "Jane" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("syntax", NATIVE + ENCAPSULATED, ids=lambda s: s.name)
def test_broken_bytes_raise_nothing_but_drop_record(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    rng = random.Random(syntax)
    raw = to_bytes(dataset(gradient(top=255, dtype="u1"), syntax, WindowCenter="100", WindowWidth="300"))
    path = tmp_path / "a"
    for _ in range(60):
        broken = bytearray(raw[: rng.randrange(1, len(raw))] if rng.random() < 0.3 else raw)
        for _ in range(rng.choice([1, 1, 2, 5, 20])):
            broken[rng.randrange(len(broken))] = rng.choice([0, 255, rng.randrange(256)])
        path.write_bytes(broken)
        for read in (sniff, read_header, lambda p: load_dicom(p, 0, PixelRules(max_bytes=1 << 24))):
            try:
                read(path)
            except DropRecord as dropped:
                assert dropped.__context__ is None
