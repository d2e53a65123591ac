from __future__ import annotations

import cv2
import numpy as np
import pytest

from filters.towers.preprocess import decode, stack


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.mark.parametrize("top", [255, 4095, 65535])
def test_16_bit_is_windowed_not_clipped(top: int):
    ramp = np.linspace(0, top, 64 * 64).reshape(64, 64).astype(np.uint16)
    got = decode(_png(ramp), 64)
    assert got is not None and got.shape == (64, 64, 1) and got.dtype == np.uint8
    assert got.min() == 0 and got.max() == 255
    assert (got == 255).mean() < 0.01
    np.testing.assert_allclose(got[..., 0], ramp / top * 255, atol=0.51)


def test_eight_bit_pixels_are_left_alone():
    image = np.random.default_rng(0).integers(30, 200, (48, 48)).astype(np.uint8)
    np.testing.assert_array_equal(decode(_png(image), 48)[..., 0], image)


@pytest.mark.parametrize(("shape", "inside"), [((100, 50), (64, 32)), ((20, 80), (16, 64)), ((1, 500), (1, 64))])
def test_aspect_is_kept_and_the_rest_is_black(shape: tuple[int, int], inside: tuple[int, int]):
    got = decode(_png(np.full(shape, 200, np.uint8)), 64)
    assert got.shape == (64, 64, 1)
    rows, columns = np.flatnonzero(got.any(axis=(1, 2))), np.flatnonzero(got.any(axis=(0, 2)))
    assert (len(rows), len(columns)) == inside
    assert abs(rows[0] - (63 - rows[-1])) <= 1 and abs(columns[0] - (63 - columns[-1])) <= 1


@pytest.mark.parametrize("alpha", [False, True])
def test_colour_is_rgb(alpha: bool):
    bgr = np.zeros((8, 8, 4 if alpha else 3), np.uint8)
    bgr[..., 2] = 250
    assert decode(_png(bgr), 8)[0, 0].tolist() == [250, 0, 0]


@pytest.mark.parametrize("data", [None, b"", b"not an image", _png(np.zeros((9, 9), np.uint8))[:40]])
def test_what_does_not_decode_is_none(data: bytes | None):
    assert decode(data, 16) is None


def test_flat_16_bit_is_black():
    assert decode(_png(np.full((4, 4), 900, np.uint16)), 4).max() == 0


def test_stack_repeats_grey_beside_colour():
    both = stack([np.full((2, 2, 1), 7, np.uint8), np.full((2, 2, 3), 9, np.uint8)])
    assert both.shape == (2, 2, 2, 3) and (both[0] == 7).all()
    assert stack([np.zeros((2, 2, 1), np.uint8)] * 3).shape == (3, 2, 2, 1)
