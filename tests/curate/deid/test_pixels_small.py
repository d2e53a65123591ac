"""Text that makes no row of separate letters: words in one piece, marks of two or three characters, faint lines."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from curate.deid.pixels.found_text import found_text
from curate.deid.pixels.gate import PixelPolicy, gate, ocr_available
from curate.deid.pixels.text_candidates import rows
from curate.record import Reason
from tests.curate.deid.test_pixels import FAST, anatomy

BLANK = PixelPolicy("blank")
needs_ocr = pytest.mark.skipif(not ocr_available(), reason="needs the ocr extra")


def drawn(picture: np.ndarray, text: str, at: tuple[int, int], size: int, tone: int) -> np.ndarray:
    """With Pillow's bitmap letters (``size`` 0), which touch each other, or its outlines."""
    out = Image.fromarray(picture)
    font = ImageFont.load_default(size) if size else ImageFont.load_default_imagefont()
    ImageDraw.Draw(out).text(at, text, tone, font)
    return np.asarray(out)


def covered(regions: tuple[tuple[int, int, int, int], ...], at: tuple[int, int]) -> bool:
    return any(x - 3 <= at[0] < x + w + 3 and y - 3 <= at[1] < y + h + 3 for x, y, w, h in regions)


@pytest.mark.parametrize("at", [(4, 4), (440, 490), (200, 300)])
def test_a_word_whose_letters_touch_is_seen(at):
    picture = anatomy()
    tone = 20 if picture[at[1] + 5, at[0] + 20] > 110 else 240
    written = drawn(picture, "Radiology", at, 0, tone)
    assert any(row.count == 1 and row.box[2] > 2 * row.box[3] for row in rows(written))
    assert gate(written, None, FAST).reason is Reason.BURNED_IN


@needs_ocr
@pytest.mark.parametrize("text", ["A3", "12Y"])
@pytest.mark.parametrize("size", [12, 28])
def test_marks_of_a_few_characters_are_blanked(text, size):
    at = (120, 200)
    result = gate(drawn(anatomy(3), text, at, size, 250), None, BLANK)
    assert result.reason is None
    assert covered(result.regions, (at[0] + size // 3, at[1] + 2 * size // 3))


@needs_ocr
def test_faint_text_on_the_air_beside_a_grainy_body_is_seen():
    rng = np.random.default_rng(0)
    body = anatomy(size=256).astype(np.float32)
    body[:, 100:] += rng.normal(0, 14, (256, 156))
    picture = np.clip(body, 0, 255).astype(np.uint8)
    picture[:, :100] = 0
    written = drawn(picture, "02/10/1933", (8, 100), 11, 40)
    assert not any(covered((row.box,), (20, 106)) for row in rows(written))
    assert any(covered((row.box,), (20, 106)) for row in rows(written, eager=True))
    assert covered(tuple(text.box for text in found_text(written, engine=True)), (20, 106))
