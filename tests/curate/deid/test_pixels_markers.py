"""A letter of side or orientation, alone, stays; anything else that is text goes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from curate.deid.pixels import text_reader
from curate.deid.pixels.gate import gate
from curate.deid.pixels.markers import markers
from curate.deid.rules import PixelPolicy
from tests.curate.deid.test_pixels import anatomy

pytestmark = pytest.mark.skipif(not text_reader.available(), reason="needs the ocr extra")


def lettered(text: str, size: int = 28, at: tuple[int, int] = (30, 20)) -> np.ndarray:
    out = Image.fromarray(anatomy(2))
    ImageDraw.Draw(out).text(at, text, 240, ImageFont.load_default(size))
    return np.asarray(out)


def ink(picture: np.ndarray) -> tuple[int, int, int, int]:
    ys, xs = np.nonzero(picture[:70, :300] > 200)
    return int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1


@pytest.mark.parametrize("letter", ["L", "R"])
def test_a_side_marker_stays_and_goes_if_the_recipe_says_so(letter):
    picture = lettered(letter)
    kept = gate(picture, None, PixelPolicy())
    assert kept.reason is None
    assert np.array_equal(kept.pixels, picture)
    assert markers(picture, [ink(picture)]) == [ink(picture)]


@pytest.mark.parametrize("text", ["L. SMITH", "R 19570712", "LR", "4", "K"])
def test_what_is_more_than_a_marker_is_none(text):
    picture = lettered(text)
    x, y, w, h = ink(picture)
    assert markers(picture, [(x, y, w, h)]) == []
    assert markers(picture, [(x, y, min(w, 18), h)]) == []  # its first letter, as if nothing else had been found


def test_without_the_policy_a_found_letter_is_painted():
    picture = lettered("R", 40)
    always = gate(picture, None, PixelPolicy(keep_markers=False))
    assert always.reason is None
    assert always.regions
    assert not (always.pixels[20:70, 30:80] > 200).any()


def test_a_scale_bar_stays():
    picture = anatomy(1)
    picture[60:450, 500] = 255
    picture[60:450:39, 492:500] = 255
    assert np.array_equal(gate(picture, None, PixelPolicy()).pixels, picture)
