"""One DICOM file through `clean_dicom`: what is planted is gone, what is picture is the same."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
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
from curate.deid_export.rules import Outcome, ReleaseRules
from curate.record import Fate, Reason
from curate.sources.dicom.colours import some_frames
from tests.curate.dicomfiles import ENCAPSULATED, NATIVE, dataset, encode, gradient, to_bytes

NAME = "WYRZYKOWSKI^ZDZISLAWA"
PSEUDO = Pseudonymizer(b"0123456789abcdef0123456789abcdef")
TRUST = ReleaseRules(deid=DeidRules("trust"))
GATED = ReleaseRules(deid=DeidRules(max_painted_anatomy=0.5))  # two lines on a thumbnail are a quarter of it
SMOOTH = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 4096, (96, 80)).astype(np.uint16), (0, 0), 9)


def file_of(pixels: np.ndarray, syntax: str = ExplicitVRLittleEndian, **attributes: object) -> Dataset:
    ds = dataset(pixels, syntax, PatientName=NAME, PatientID="MRN4711", PatientBirthDate="19400101", **attributes)
    ds.ImageType, ds.PatientSex, ds.StudyTime = ["ORIGINAL", "PRIMARY", "AXIAL"], "F", "101500"
    ds.PositionReferenceIndicator, ds.FrameOfReferenceUID = "", "1.2.3.9"
    ds.RescaleSlope, ds.RescaleIntercept, ds.KVP, ds.AcquisitionNumber = "1", "-1024", "120", "1"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness, ds.PatientPosition = [0.7, 0.7], "2", "HFS"
    return ds


def cleaned(folder: Path, source: Dataset | bytes, rules: ReleaseRules = TRUST) -> Outcome:
    path = folder / "source.dcm"
    path.write_bytes(source if isinstance(source, bytes) else to_bytes(source))
    return clean_dicom(path, rules, PSEUDO)


def opened(outcome: Outcome) -> Dataset:
    """The written file, read without a warning, the planted name nowhere in it."""
    assert Fate.of(outcome.reason) is Fate.CLEAN, (outcome.reason, outcome.findings)
    assert outcome.data is not None and b"WYRZYKOWSKI" not in outcome.data and outcome.suffix == ".dcm"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = pydicom.dcmread(io.BytesIO(outcome.data))
        str(ds)
    return ds


def pixels_of(outcome: Outcome) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return opened(outcome).pixel_array


@pytest.mark.parametrize("syntax", (*NATIVE, *ENCAPSULATED), ids=lambda s: s.name)
def test_every_transfer_syntax_keeps_its_pixels(tmp_path, syntax):
    source = (SMOOTH >> 4).astype(np.uint8) if syntax == JPEGBaseline8Bit else SMOOTH
    ds = file_of(source, syntax)
    outcome = cleaned(tmp_path, ds)
    written = opened(outcome)
    wanted = syntax if syntax.is_encapsulated else ExplicitVRLittleEndian
    assert written.file_meta.TransferSyntaxUID == wanted
    expected = pydicom.dcmread(tmp_path / "source.dcm").pixel_array if syntax == JPEGBaseline8Bit else source
    np.testing.assert_array_equal(pixels_of(outcome), expected)


@pytest.mark.parametrize("syntax", ENCAPSULATED, ids=lambda s: s.name)
def test_cleaning_again_keeps_every_pixel(tmp_path, syntax):
    source = (SMOOTH >> 4).astype(np.uint8) if syntax == JPEGBaseline8Bit else SMOOTH
    first = cleaned(tmp_path, file_of(source, syntax))
    second = cleaned(tmp_path, first.data or b"")
    assert opened(second).PixelData == opened(first).PixelData


def test_the_file_is_made_from_nothing(tmp_path):
    ds = file_of(SMOOTH)
    ds.file_meta.SourceApplicationEntityTitle = "WYRZYKOWSKI"
    ds.file_meta.PrivateInformationCreatorUID = "1.2.3.4"
    ds.file_meta.PrivateInformation = NAME.encode()
    ds.add_new(0xFFFCFFFC, "OB", NAME.encode() + b"\0")
    ds.add_new(0x60003000, "OW", NAME.encode() + b"\0")
    ds.preamble = NAME.encode().ljust(128, b"!")
    written = opened(cleaned(tmp_path, to_bytes(ds) + NAME.encode() * 4))
    assert written.preamble == bytes(128)
    assert sorted(e.keyword for e in written.file_meta) == [
        "FileMetaInformationGroupLength",
        "FileMetaInformationVersion",
        "ImplementationClassUID",
        "ImplementationVersionName",
        "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID",
        "TransferSyntaxUID",
    ]
    assert written.file_meta.MediaStorageSOPInstanceUID == written.SOPInstanceUID == PSEUDO.uid("1.2.3.4.5")
    assert 0x60003000 not in written and 0xFFFCFFFC not in written


def test_the_preamble_and_the_meta_information_may_be_missing(tmp_path):
    whole = to_bytes(file_of(SMOOTH))
    np.testing.assert_array_equal(pixels_of(cleaned(tmp_path, whole[132:])), SMOOTH)


def test_bits_above_bits_stored_are_gone(tmp_path):
    overlay = SMOOTH | np.where(np.arange(80) % 7 == 0, 0x8000, 0).astype(np.uint16)
    outcome = cleaned(tmp_path, file_of(overlay, BitsStored=12))
    np.testing.assert_array_equal(np.frombuffer(opened(outcome).PixelData, "<u2").reshape(SMOOTH.shape), SMOOTH)
    assert outcome.actions["mask unused bits"] == 1


@pytest.mark.parametrize(
    "syntax", [JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, RLELossless], ids=lambda s: s.name
)
def test_bits_above_bits_stored_are_gone_from_compressed_pixels(tmp_path, syntax):
    overlay = SMOOTH | np.where(np.arange(80) % 7 == 0, 0x8000, 0).astype(np.uint16)
    written = opened(cleaned(tmp_path, file_of(overlay, syntax, BitsStored=12)))
    assert written.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    np.testing.assert_array_equal(np.frombuffer(written.PixelData, "<u2").reshape(SMOOTH.shape), SMOOTH)


def test_signed_pixels_keep_their_sign(tmp_path):
    signed = SMOOTH.astype(np.int16) - 2048
    hidden = (signed & 0x0FFF) | 0x5000
    written = opened(cleaned(tmp_path, file_of(hidden.astype(np.int16), BitsStored=12)))
    np.testing.assert_array_equal(np.frombuffer(written.PixelData, "<i2").reshape(signed.shape), signed)


def test_pixels_at_the_top_of_their_cells_move_down(tmp_path):
    ds = file_of(SMOOTH << 4, BitsStored=12)
    ds.HighBit = 15
    written = opened(cleaned(tmp_path, ds))
    assert written.HighBit == 11
    np.testing.assert_array_equal(written.pixel_array, SMOOTH)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian], ids=lambda s: s.name)
def test_native_pixels_of_odd_length_and_8_bit_words(tmp_path, syntax):
    odd = (gradient(33, 31) % 256).astype(np.uint8)
    ds = file_of(odd, syntax)
    if syntax == ExplicitVRBigEndian:  # words of two pixels, swapped (PS3.5 8.1.1, Annex D)
        swapped = np.frombuffer(ds.PixelData, "<u2").byteswap().tobytes()
        ds["PixelData"].value, ds["PixelData"].VR = swapped, "OW"
    np.testing.assert_array_equal(pixels_of(cleaned(tmp_path, ds)), odd)


def test_trailing_pixel_bytes_are_cut_and_missing_ones_are_a_reason(tmp_path):
    ds = file_of(SMOOTH)
    ds.PixelData += NAME.encode() + b"\0"
    outcome = cleaned(tmp_path, ds)
    assert outcome.actions["drop trailing pixel bytes"] == 1
    np.testing.assert_array_equal(pixels_of(outcome), SMOOTH)
    ds.PixelData = SMOOTH.tobytes()[:-2]
    assert cleaned(tmp_path, ds).reason is Reason.TRUNCATED


def test_a_codestream_loses_its_comments_and_extra_fragments(tmp_path):
    picture = (SMOOTH >> 4).astype(np.uint8)
    stream = encode(picture, JPEGBaseline8Bit)
    comment = b"\xff\xfe" + (len(NAME) + 2).to_bytes(2, "big") + NAME.encode()
    ds = file_of(picture, JPEGBaseline8Bit)
    ds.PixelData = encapsulate([stream[:2] + comment + stream[2:] + NAME.encode(), (NAME * 2).encode()])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    outcome = cleaned(tmp_path, ds)
    assert opened(outcome).file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert outcome.actions["clean codestream"] == 1
    assert len(pydicom.encaps.get_frame(opened(outcome).PixelData, 0, number_of_frames=1)) <= len(stream) + 8


def test_text_inside_the_entropy_coded_data_costs_the_compression(tmp_path):
    picture = (SMOOTH >> 4).astype(np.uint8)
    stream = encode(picture, JPEGBaseline8Bit)
    ds = file_of(picture, JPEGBaseline8Bit)
    ds.PixelData = encapsulate([stream[:-2] + NAME.encode() + stream[-2:]])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    outcome = cleaned(tmp_path, ds)
    assert opened(outcome).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert opened(outcome).LossyImageCompression == "01"
    assert outcome.actions["decompress pixels"] == 1


def test_frames_are_framed_anew(tmp_path):
    frames = np.stack([SMOOTH, SMOOTH // 2, SMOOTH // 3])
    streams = [encode(f, JPEGLSLossless) for f in frames]
    ds = file_of(frames, JPEGLSLossless, NumberOfFrames=3)
    ds.PixelData = encapsulate(streams, fragments_per_frame=2, has_bot=False)
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    outcome = cleaned(tmp_path, ds)
    data = opened(outcome).PixelData
    assert data[:8] == b"\xfe\xff\x00\xe0\x0c\0\0\0"  # a table of three offsets
    np.testing.assert_array_equal(pixels_of(outcome), frames)


@pytest.mark.parametrize(("count", "shows"), ((2, 0), (2, 1), (6, 1)))
def test_colours_that_one_frame_proves_are_those_of_all(tmp_path, count, shows):
    ramp = gradient(96, 80).astype(np.uint8)
    frames = np.stack([np.dstack([ramp, 255 - ramp, np.full_like(ramp, 90)])] * count)
    frames[shows] = ramp[..., None]
    ybr = pydicom.pixels.convert_color_space(frames, "RGB", "YBR_FULL")  # in streams that do not say so
    ds = file_of(ybr, JPEGLSLossless, NumberOfFrames=count, PhotometricInterpretation="RGB")
    outcome = cleaned(tmp_path, ds)
    kept = opened(outcome).file_meta.TransferSyntaxUID == JPEGLSLossless
    assert kept == (shows in some_frames(count))  # else frames before it were searched in other colours
    assert np.abs(pixels_of(outcome).astype(int) - frames).max() <= 2


def test_a_palette_has_just_its_entries(tmp_path):
    indices = (gradient(40, 32) % 200).astype(np.uint8)
    ds = file_of(indices, PhotometricInterpretation="PALETTE COLOR")
    for k, colour in enumerate(("Red", "Green", "Blue")):
        table = ((np.arange(200) + 13 * k) % 256).astype("<u2") * 257
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [200, 0, 16])
        setattr(ds, f"{colour}PaletteColorLookupTableData", table.tobytes() + NAME.encode() + b"\0")
    written = opened(cleaned(tmp_path, ds))
    assert len(written.RedPaletteColorLookupTableData) == 400
    np.testing.assert_array_equal(written.pixel_array, indices)
    del ds.RedPaletteColorLookupTableData
    assert cleaned(tmp_path, ds).reason is Reason.BAD_HEADER


def test_a_lut_has_just_its_entries(tmp_path):
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType, item.LUTExplanation = [64, 0, 12], "US", NAME
    item.add_new(0x00283006, "OW", np.arange(64, dtype="<u2").tobytes() + NAME.encode() + b"\0")
    ds = file_of(SMOOTH)
    del ds.RescaleSlope, ds.RescaleIntercept
    ds.ModalityLUTSequence = Items([item])
    kept = opened(cleaned(tmp_path, ds)).ModalityLUTSequence[0]
    assert kept.LUTData == np.arange(64, dtype="<u2").tobytes() and "LUTExplanation" not in kept


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.1099"])  # MPEG-4, and none
def test_what_cannot_be_looked_at_is_kept_back(tmp_path, syntax):
    ds = file_of((SMOOTH >> 4).astype(np.uint8), JPEGBaseline8Bit)
    ds.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, implicit_vr=False, little_endian=True, force_encoding=True)
    assert cleaned(tmp_path, buffer.getvalue()).reason is Reason.UNSUPPORTED_SYNTAX


def test_a_stream_of_another_coding_than_declared_is_not_kept(tmp_path):
    picture = (SMOOTH >> 4).astype(np.uint8)
    ds = file_of(picture, JPEGBaseline8Bit)
    ds.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    outcome = cleaned(tmp_path, ds)
    assert outcome.data is None or opened(outcome).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_a_picture_without_pixels_and_no_dicom_at_all(tmp_path):
    ds = file_of(SMOOTH)
    del ds.PixelData
    assert cleaned(tmp_path, ds).reason is Reason.NO_PIXELS
    assert cleaned(tmp_path, b"").reason is Reason.EMPTY_FILE
    assert cleaned(tmp_path, b"\x89PNG\r\n" * 40).data is None
    assert clean_dicom(tmp_path / "absent", TRUST, PSEUDO).reason is Reason.UNREADABLE_FILE


def test_sequences_a_thousand_deep_end_with_a_reason_or_clean(tmp_path):
    whole = to_bytes(file_of(SMOOTH))
    at = whole.index(b"\x10\x00\x10\x00PN")
    opening = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    for depth in (20, 1000):
        nest = opening * depth + b"\x10\x00\x10\x00PN\x16\0" + NAME.encode() + b" " + closing * depth
        outcome = cleaned(tmp_path, whole[:at] + nest + whole[at:])
        assert outcome.data is None or b"WYRZYKOWSKI" not in outcome.data


def test_a_deflated_bomb_is_too_large(tmp_path):
    bomb = file_of(np.zeros((2048, 2048), np.uint16), DeflatedExplicitVRLittleEndian)
    small = ReleaseRules(deid=DeidRules("trust"), max_bytes=1 << 20)
    assert cleaned(tmp_path, bomb, small).reason is Reason.TOO_LARGE


def written_on(picture: np.ndarray, value: int) -> np.ndarray:
    strokes = np.zeros(picture.shape, np.uint8)
    for at, line in ((30, "WYRZYKOWSKI Z"), (56, "01.01.1940")):
        cv2.putText(strokes, line, (12, at), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
    return np.where(strokes > 127, picture.dtype.type(value), picture)


def blurred(rows: int = 140, columns: int = 220, top: int = 2000) -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 4096, (rows, columns)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 25)
    return (top * (smooth - smooth.min()) / (smooth.max() - smooth.min())).astype(np.uint16)


def strokes(pixels: np.ndarray, step: int) -> int:
    """Sharp edges along the row that has the most of them: text has dozens, a blanked box has two."""
    return int((np.abs(np.diff(pixels[:70].astype(np.int32), axis=1)) > step).sum(axis=1).max())


def test_burned_in_text_is_blanked_in_every_frame(tmp_path):
    plain = blurred()
    frames = np.stack([plain, written_on(plain, 4000)])
    assert strokes(frames[1], 400) > 20
    outcome = cleaned(tmp_path, file_of(frames, JPEGLSLossless, NumberOfFrames=2), GATED)
    assert outcome.actions["blank pixels"] == 2
    written = opened(outcome)
    assert written.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert written.BurnedInAnnotation == "NO"
    assert "113101" in [item.CodeValue for item in written.DeidentificationMethodCodeSequence]
    for frame in written.pixel_array:
        assert strokes(frame, 400) <= 4
        np.testing.assert_array_equal(frame[115:], plain[115:])


def test_text_in_a_palette_is_blanked_in_its_indices(tmp_path):
    plain = (blurred(top=99)).astype(np.uint8)
    ds = file_of(written_on(plain, 200), PhotometricInterpretation="PALETTE COLOR")
    ramp = np.arange(256, dtype="<u2") * 257
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{colour}PaletteColorLookupTableData", ramp.tobytes())
    outcome = cleaned(tmp_path, ds, GATED)
    written = opened(outcome)
    assert written.PhotometricInterpretation == "PALETTE COLOR" and strokes(written.pixel_array, 20) <= 4
    np.testing.assert_array_equal(written.pixel_array[115:], plain[115:])


def test_labels_are_not_looked_at_unless_the_header_says_there_is_text():
    from curate.deid_export.dicom.gate import is_numbers

    ds = Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    assert is_numbers(ds)
    ds.BurnedInAnnotation = "YES"
    assert not is_numbers(ds)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), syntax=st.sampled_from([ExplicitVRLittleEndian, *ENCAPSULATED]))
def test_no_broken_file_raises_or_leaks(tmp_path, data, syntax):
    picture = (SMOOTH >> 4).astype(np.uint8)[:24, :20]
    whole = bytearray(to_bytes(file_of(np.ascontiguousarray(picture), syntax)))
    places = st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255))
    for at, byte in data.draw(st.lists(places, max_size=8)):
        whole[at] = byte
    outcome = cleaned(tmp_path, bytes(whole[: data.draw(st.just(len(whole)) | st.integers(0, len(whole)))]))
    assert outcome.data is None or b"WYRZYKOWSKI" not in outcome.data
