"""The pixel gate: drawn text is kept back or blanked, plain pictures pass, and a header's denial proves nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from curate.deid.pixels.gate import gate
from curate.deid.quiet import quiet
from curate.deid.rules import PixelPolicy
from curate.record import Reason
from tests.realdata import real

QUARANTINE = PixelPolicy("quarantine")
BLANK = PixelPolicy("blank", max_painted_anatomy=1)


def anatomy(seed: int = 0, size: int = 512) -> np.ndarray:
    """Smooth shapes of several scales inside an ellipse, with a little grain: uint8[size, size]."""
    rng = np.random.default_rng(seed)
    out = np.zeros((size, size), np.float32)
    for cells in (4, 8, 16, 32):
        grid = rng.random((cells, cells), np.float32)
        out += cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC) * (300 / cells)
    y, x = np.mgrid[:size, :size] / size - 0.5
    out *= (x / 0.4) ** 2 + (y / 0.45) ** 2 < 1
    return np.clip(out + rng.normal(0, 2, out.shape), 0, 200).astype(np.uint8)


def write(picture: np.ndarray, text: str, at: tuple[int, int], tone: int = 255, scale: float = 0.6) -> np.ndarray:
    return cv2.putText(picture.copy(), text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, tone, 1, cv2.LINE_AA)


def header(**values: str) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize("seed", range(6))
def test_a_plain_picture_passes_untouched(seed):
    picture = anatomy(seed)
    result = gate(picture, header(Modality="CT"), QUARANTINE)
    assert (result.reason, result.regions) == (None, ())
    assert result.pixels is picture


@pytest.mark.parametrize("at", [(5, 20), (300, 20), (10, 505), (330, 500), (180, 260)])
@pytest.mark.parametrize("tone", [255, 130])
def test_text_anywhere_is_kept_back(at, tone):
    picture = anatomy()
    dark = int(picture[at[1] - 8, at[0] + 20]) < 90
    written = write(picture, "SMITH^JOHN 1957", at, tone if dark else 255 - tone)
    result = gate(written, header(Modality="CT", BurnedInAnnotation="NO"), QUARANTINE)
    assert result.reason is Reason.BURNED_IN
    assert any(abs(y + h / 2 - (at[1] - 6)) < 20 for _, y, _, h in result.regions)


@pytest.mark.parametrize("dtype,high", [(np.uint16, 4095), (np.int16, 3000), (np.float32, 1.0)])
def test_every_depth_is_seen_alike(dtype, high):
    written = write(anatomy(), "DOE^JANE 12345", (10, 30)).astype(np.float64) / 255 * high
    assert gate(written.astype(dtype), None, QUARANTINE).reason is Reason.BURNED_IN


@pytest.mark.parametrize("seed", range(4))
def test_bytes_and_the_same_values_stored_deep_are_judged_alike(seed):
    """Bytes are stretched by counts and a table, deeper values by sorting and arithmetic."""
    written = write(anatomy(seed)[: 400 - seed, : 500 - seed], "DOE^JANE 12345", (150, 200), 230) // 2 + 9
    found = [gate(written.astype(dtype), None, BLANK).regions for dtype in (np.uint8, np.uint16)]
    assert found[0]
    assert found[0] == found[1]


def test_quarantine_may_stop_at_the_first_text_and_blank_names_all():
    written = write(write(anatomy(), "SMITH^JOHN 1957", (10, 20)), "MRN 4711081", (330, 500))
    some = gate(written, None, QUARANTINE)
    every = gate(written, None, BLANK)
    assert some.reason is Reason.BURNED_IN
    assert some.regions
    for top in (8, 488):
        assert any(abs(y - top) < 8 for _, y, _, _ in every.regions), top


def test_vertical_inverted_and_coloured_text_is_seen():
    written = write(anatomy(), "MRN 4711081", (20, 40))
    assert gate(np.ascontiguousarray(np.rot90(written)), None, QUARANTINE).reason is Reason.BURNED_IN
    assert gate(255 - written, None, QUARANTINE).reason is Reason.BURNED_IN
    colour = np.repeat(anatomy()[..., None], 3, axis=2)
    cv2.putText(colour, "MRN 4711081", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 0), 1)
    assert gate(colour, None, QUARANTINE).reason is Reason.BURNED_IN


def test_text_far_brighter_than_all_anatomy_is_seen():
    """Two tones above the window's end: one label on another's white ground, told apart by the whole range only."""
    picture = anatomy().astype(np.uint16)
    picture[10:40, 10:200] = 20000
    ink = write(np.zeros_like(anatomy()), "SMITH JOHN", (20, 32))
    picture[ink > 128] = 40000
    assert gate(picture, None, QUARANTINE).reason is Reason.BURNED_IN


def test_blank_paints_the_text_away_and_leaves_the_rest():
    picture = anatomy()
    written = write(picture, "SMITH^JOHN 1957", (10, 20))
    result = gate(written, header(Modality="CT"), PixelPolicy("blank"))
    assert result.reason is None
    assert result.regions
    assert not (result.pixels[5:24, 10:180] > 200).any()
    assert np.array_equal(result.pixels[100:], written[100:])
    assert np.array_equal(written, write(picture, "SMITH^JOHN 1957", (10, 20))), "the input is not painted on"


def test_trust_returns_everything_untouched():
    written = write(anatomy(), "SMITH^JOHN 1957", (10, 20))
    result = gate(written, header(Modality="US", BurnedInAnnotation="YES"), PixelPolicy("trust"))
    assert result.pixels is written
    assert result.reason is None


def test_what_is_no_text_is_cleared_unless_the_header_says_there_is_some():
    assert gate(anatomy(), header(Modality="US"), QUARANTINE).reason is None
    assert gate(anatomy(), header(BurnedInAnnotation="YES"), QUARANTINE).reason is Reason.PIXELS_UNPROVEN
    written = write(anatomy(), "SMITH JOHN 1957", (10, 30), scale=0.8)
    assert gate(written, header(Modality="CT"), QUARANTINE).reason is Reason.BURNED_IN
    assert gate(written, header(Modality="CT"), PixelPolicy("blank")).reason is None


def test_degenerate_pictures_do_not_raise_and_wrong_shapes_do():
    for picture in (np.zeros((1, 1), np.uint8), np.full((40, 3), 7, np.int16), np.full((64, 64), np.nan, np.float32)):
        assert gate(picture, None, QUARANTINE).reason is None
    with pytest.raises(ValueError, match="one frame"):
        gate(np.zeros((4, 8, 8, 3), np.uint8), None, QUARANTINE)


@pytest.mark.parametrize("name", ["0_ORIGINAL.png", "1_ORIGINAL.png", "2_ORIGINAL.png"])
def test_real_burned_in_pictures_are_kept_back(name):
    picture = cv2.imread(str(real("deid") / "burned_in_images" / name))
    assert gate(picture, None, QUARANTINE).reason is Reason.BURNED_IN


def test_real_clean_slices_pass():
    clean = [
        p
        for pattern in ("pydicom-data/693_J2KR.dcm", "ljdata/CT1_JLSN.dcm", "fodicom/D_CLUNIE_CT1_RLE_FRAGS.dcm")
        for p in real("dicom").glob(pattern)
    ]
    assert len(clean) == 3
    for path in clean:
        with quiet():
            ds = pydicom.dcmread(path, force=True)
            assert gate(ds.pixel_array, ds, QUARANTINE).reason is None, path.name
