"""Codes drawn into pictures: found whether or not a decoder reads them, and painted so that none does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from curate.deid.pixels.boxes import mask_of
from curate.deid.pixels.codes import found_codes
from curate.deid.pixels.gate import gate
from curate.deid.pixels.paint import painted, with_margin
from curate.deid.rules import PixelPolicy
from curate.record import Reason
from tests.curate.deid.test_pixels import QUARANTINE, anatomy

# Code 39 (ISO/IEC 16388): of the nine bars and gaps of a sign, which are wide.
_WIDE = {"*": "010010100", "4": "000110001", "7": "000100101", "1": "100100001", "0": "000110100", "9": "001100100"}


def qr(text: str = "SMITH^JOHN 4711", module: int = 3) -> np.ndarray:
    code = np.asarray(cv2.QRCodeEncoder.create().encode(text), np.uint8)
    return cv2.resize(code, None, fx=module, fy=module, interpolation=cv2.INTER_NEAREST)


def bars(text: str = "*4710941*", module: int = 2, height: int = 50) -> np.ndarray:
    row: list[int] = []
    for sign in text:
        for k, wide in enumerate(_WIDE[sign]):
            row += [255 * (k % 2)] * module * (3 if wide == "1" else 1)
        row += [255] * module
    return np.repeat(np.pad(np.array(row, np.uint8), 20, constant_values=255)[None], height, axis=0)


def placed(code: np.ndarray, at: tuple[int, int], *, low: int = 20, high: int = 220, degrees: float = 0) -> np.ndarray:
    """On a picture, its dark modules of the tone ``low``, its light ones and the label of ``high``."""
    picture, (h, w) = anatomy(), code.shape
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1.0)
    turn[:, 2] += at
    tones = (low + code.astype(np.float32) * (high - low) / 255).astype(np.uint8)
    shown = cv2.warpAffine(tones, turn, picture.shape[::-1], flags=cv2.INTER_LINEAR)
    label = cv2.warpAffine(np.full_like(code, 255), turn, picture.shape[::-1])
    return np.where(label > 127, shown, picture).astype(np.uint8)


def without(picture: np.ndarray) -> np.ndarray:
    return painted(picture, [with_margin(box) for code in found_codes(picture) for box in code.boxes()])


def qr_reads(picture: np.ndarray) -> bool:
    return bool(cv2.QRCodeDetector().detectAndDecode(picture)[0])


@pytest.mark.parametrize("degrees", [0, 20, 45, 90])
@pytest.mark.parametrize(("low", "high"), [(20, 220), (80, 240)])
def test_a_qr_code_is_found_and_no_decoder_reads_what_is_left(degrees, low, high):
    picture = placed(qr(), (200, 180), low=low, high=high, degrees=degrees)
    assert qr_reads(picture)
    assert [code.source for code in found_codes(picture)] == ["code"]
    assert not qr_reads(without(picture))


@pytest.mark.parametrize("module", [2, 4, 6])
def test_size_of_modules_does_not_matter(module):
    picture = placed(qr(module=module), (150, 150))
    (code,) = found_codes(picture)
    side = qr(module=module).shape[0]
    x, y, w, h = code.box
    assert abs(x + w / 2 - 150 - side / 2) < 0.15 * side
    assert abs(y + h / 2 - 150 - side / 2) < 0.15 * side
    assert 0.6 * side < w < 1.4 * side


def test_a_code_that_fills_half_of_the_picture_is_found_whole_however_sure_its_parts_are():
    (code,) = found_codes(placed(qr(module=14), (5, 5)))
    x, y, w, h = code.box
    assert (abs(x - 5) < 14, abs(y - 5) < 14, abs(w - 350) < 28, abs(h - 350) < 28) == (True,) * 4


@pytest.mark.parametrize("degrees", [0, 30, 90])
def test_bars_are_found_whichever_way_they_run(degrees):
    picture = placed(bars(), (40, 230), degrees=degrees)
    found = mask_of([box for code in found_codes(picture) for box in code.boxes()], picture.shape)
    label = np.full_like(bars(), 255)
    inked = label.copy()
    inked[:, 20:-20] = 0
    drawn = np.not_equal(*(placed(flat, (40, 230), degrees=degrees) for flat in (label, inked)))
    assert found[drawn].mean() > 0.95
    assert np.count_nonzero(found & ~drawn) < 0.6 * np.count_nonzero(drawn)


def test_a_code_that_no_decoder_reads_is_found_too():
    code = qr()
    code[20:40] = 255 - code[20:40]  # most of it wrong
    picture = placed(code, (200, 180))
    assert not qr_reads(picture)
    assert found_codes(picture)


@pytest.mark.parametrize("seed", range(4))
def test_anatomy_grain_and_grids_are_no_codes(seed):
    picture, rng = anatomy(seed), np.random.default_rng(seed)
    y, x = np.mgrid[:512, :512]
    grainy = np.clip(picture + rng.normal(0, 25, picture.shape), 0, 255).astype(np.uint8)
    period = 4 + 2 * seed
    lines = (picture * 0.6 + 60 * (x // (period // 2) % 2)).astype(np.uint8)
    squares = np.where((x // period + y // period) % 2, 60, 180).astype(np.uint8)
    squares[:100] = squares[350:] = 90
    assert [found_codes(each) for each in (picture, grainy, lines, squares)] == [[], [], [], []]


def test_a_code_is_kept_back():
    assert gate(placed(qr(), (200, 180)), None, QUARANTINE).reason is Reason.BURNED_IN


def test_the_gate_paints_a_code_and_clears_the_picture():
    picture = placed(qr(module=2), (8, 8))
    assert qr_reads(picture)
    result = gate(picture, None, PixelPolicy("blank"))
    assert result.reason is None
    assert not qr_reads(result.pixels)
    y, x = np.argwhere(result.pixels != picture).T
    assert max(x.max(), y.max()) < 90


@pytest.mark.parametrize("kind", ["DataMatrix", "PDF417", "Aztec", "Code128", "EAN13", "ITF", "MicroQRCode"])
def test_another_decoder_reads_nothing_either(kind):
    zxingcpp = pytest.importorskip("zxingcpp", reason="needs zxing-cpp (the dev extra)")
    text = "471109471109" if kind in ("EAN13", "ITF") else "4711" if kind == "MicroQRCode" else "SMITH 4711"
    code = np.asarray(zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind)).to_image(scale=2))
    picture = placed(code[:100], (60, 200))
    assert [read.text[:4] for read in zxingcpp.read_barcodes(picture)] == [text[:4]]
    assert zxingcpp.read_barcodes(without(picture)) == []
