"""What a picture as shown hides: letters told from their ground by hue alone, faint ones on flat ground, far tones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from curate.deid.pixels.found_text import found_text
from curate.deid.pixels.gate import gate
from curate.deid.pixels.hidden_views import faint_view, hidden_views, hue_views
from curate.deid.pixels.intensity_views import views
from curate.deid.rules import PixelPolicy
from tests.curate.deid.test_pixels import anatomy

AT, TEXT = (30, 40), "SMITH JOHN 1957"


def letters(shape: tuple[int, int], size: int = 22) -> np.ndarray:
    """float32[H, W], 0 to 1: how much of each pixel is ink."""
    flat = Image.new("L", (shape[1], shape[0]), 0)
    ImageDraw.Draw(flat).text(AT, TEXT, 255, ImageFont.load_default(size))
    return np.asarray(flat, np.float32) / 255


def deep(contrast: float, ground: int = 0, top: int = 1400) -> np.ndarray:
    """A body of up to ``top`` on air of ``ground``, a name beside it ``contrast`` of the range above the air."""
    body = cv2.resize(anatomy(size=256), (300, 300)).astype(np.float32) * (top - ground) / 200
    picture = np.zeros((512, 512), np.float32)
    picture[180:480, 100:400] = body
    return np.round(ground + picture + letters((512, 512)) * contrast * (top - ground)).astype(np.uint16)


def tinted(step: tuple[int, int, int], ground: tuple[int, int, int]) -> np.ndarray:
    grain = np.random.default_rng(0).normal(0, 1, (90, 260, 1))
    ink = letters((90, 260))[..., None]
    return np.clip(np.array(ground) + grain + ink * np.array(step), 0, 255).astype(np.uint8)


# of equal brightest and darkest channel, so that neither shows them; and of equal luma (Rec. 601)
HUES = [((-100, 100, 0), (200, 100, 100)), ((0, 80, -80), (80, 80, 160)), ((-60, 0, 60), (180, 60, 120))]


@pytest.mark.parametrize(("step", "ground"), HUES)
def test_letters_of_another_hue_alone_are_in_a_view(step, ground):
    picture = tinted(step, ground)
    ink = letters((90, 260)) > 0.9
    plain = [abs(float(np.median(view[ink])) - float(np.median(view))) for view in views(picture)]
    shown = [abs(float(np.median(view[ink])) - 128) for view in hue_views(picture, 255)]
    assert max(shown) > 40 or max(plain) > 100


@pytest.mark.parametrize(("step", "ground"), HUES)
def test_letters_of_another_hue_alone_are_found(step, ground):
    boxes = [text.box for text in found_text(tinted(step, ground))]
    assert any(x <= 60 and x + w >= 150 and y <= 55 <= y + h for x, y, w, h in boxes)


def test_hue_that_brightness_shows_as_well_has_no_view_and_grey_costs_none():
    drawn = np.repeat(anatomy()[..., None], 3, axis=2)
    assert list(hue_views(drawn, 255)) == []
    drawn[50:70, 50:200] = (250, 250, 40)  # a plain yellow bar on black
    assert list(hue_views(drawn, 255)) == []


@pytest.mark.parametrize("contrast", [0.043, 0.05, 0.1])
@pytest.mark.parametrize("ground", [0, 900])
def test_a_name_that_no_window_shows_is_in_the_faint_view(contrast, ground):
    picture = deep(contrast, ground)
    view = faint_view(picture, 1400 - ground)
    assert view is not None
    ink = letters(picture.shape) > 0.9
    assert float(np.median(view[ink])) - 128 > 40
    assert (view[200:460, 120:380] == 128).mean() > 0.8  # of the body little


@pytest.mark.parametrize("contrast", [0.043, 0.1])
def test_a_name_at_sixty_of_fourteen_hundred_is_painted_in_the_stored_values(contrast):
    picture = deep(contrast)
    result = gate(picture, None, PixelPolicy("blank"))
    assert result.reason is None
    ink = letters(picture.shape) > 0.5
    assert (result.pixels[ink] == 0).mean() > 0.98
    assert np.array_equal(result.pixels[150:], picture[150:])


def test_of_plain_pictures_there_is_no_faint_view_that_shows_rows():
    assert all(not found_text(anatomy(seed)) for seed in range(3))


def test_grain_about_a_faint_name_is_left_out_and_the_name_is_not():
    grain = np.where(np.random.default_rng(0).random((400, 400)) < 3e-4, 40, 0).astype(np.uint16)
    assert faint_view(grain, 1000.0) is None
    view = faint_view(np.maximum(grain, (40 * letters((400, 400))).astype(np.uint16)), 1000.0)
    assert view is not None
    assert (view[120:] == 128).all()
    assert int(view[40:60, 30:200].max()) > 170


def test_a_body_far_above_its_padding_is_a_view_of_its_own():
    picture = np.full((300, 300), -32768, np.int16)
    picture[40:260, 40:260] = cv2.resize(anatomy(size=256), (220, 220)).astype(np.int16) * 4
    spans = [int(np.ptp(view[60:240, 60:240])) for view in views(picture)]
    assert max(spans) > 200 > 40 > spans[0]


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([np.uint8, np.int16, np.float32]), st.integers(0, 9))
def test_pictures_of_any_size_and_depth_have_views_of_their_shape(height, width, dtype, seed):
    rng = np.random.default_rng(seed)
    for shape in ((height, width), (height, width, 3)):
        pixels = (rng.integers(0, 255, shape) * (1 if dtype == np.uint8 else 60)).astype(dtype)
        for view in hidden_views(pixels):
            assert view.shape == (height, width) and view.dtype == np.uint8
