"""The text detector: letters of any size, slant and make are found where they are, and anatomy is not."""

from __future__ import annotations

import math
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from curate.deid.pixels.boxes import mask_of
from curate.deid.pixels.found_text import LEAST, TextSearch, found_text
from curate.deid.pixels.text_detector import _CONTEXT, FoundText, _lines, _parts, _rectangles, detected, shown
from tests.curate.deid.test_pixels import anatomy


def inked(text: str, size: int) -> np.ndarray:
    """uint8[h, w]: how much of each pixel is ink (``size`` 0: Pillow's bitmap letters, which touch each other)."""
    font = ImageFont.load_default(size) if size else ImageFont.load_default_imagefont()
    left, top, right, bottom = (int(v) for v in font.getbbox(text))
    page = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(page).text((-left, -top), text, 255, font)
    return np.asarray(page)


def drawn(picture: np.ndarray, ink: np.ndarray, at: tuple[int, int], tone: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture with the ink on it, and bool[H, W] of the strokes."""
    x, y = at
    share = np.zeros(picture.shape, np.float32)
    share[y : y + ink.shape[0], x : x + ink.shape[1]] = ink / np.float32(255)
    return (picture * (1 - share) + tone * share).astype(np.uint8), share > 0.5


def covered(found: list[FoundText], strokes: np.ndarray) -> float:
    mask = mask_of([box for text in found for box in text.boxes()], strokes.shape)
    return float((mask & strokes).sum() / strokes.sum())


@pytest.mark.parametrize("seed", range(4))
def test_in_anatomy_there_is_no_text(seed: int) -> None:
    picture = anatomy(seed)
    assert detected(picture, LEAST) == []
    for x in (210, 290):  # eyeballs
        cv2.circle(picture, (x, 200), 13, 220, -1, cv2.LINE_AA)
    picture[150:250, 150:350] = cv2.GaussianBlur(picture, (0, 0), 1.5)[150:250, 150:350]
    assert detected(picture, LEAST) == []


@pytest.mark.parametrize("size", [0, 9, 14, 24, 40, 70, 120])
def test_letters_of_every_size_are_found(size: int) -> None:
    picture, strokes = drawn(anatomy(), inked("SMITH" if size > 60 else "SMITH JOHN 1957", size), (60, 30), 250)
    found = found_text(picture)
    assert covered(found, strokes) > 0.95
    assert mask_of([box for text in found for box in text.boxes()], strokes.shape).sum() < 6 * strokes.sum() + 2000


@pytest.mark.parametrize("degrees", [7, 30, 45, 90, 135, 180, 270])
def test_text_of_every_slant_is_found(degrees: int) -> None:
    ink = inked("SMITH JOHN 1957", 22)
    page = np.zeros((512, 512), np.uint8)
    page[245 : 245 + ink.shape[0], 160 : 160 + ink.shape[1]] = ink
    turned = cv2.warpAffine(page, cv2.getRotationMatrix2D((256, 256), degrees, 1), (512, 512))
    picture, strokes = drawn(anatomy(2), turned, (0, 0), 250)
    assert covered(found_text(picture), strokes) > 0.95


@pytest.mark.parametrize("pitch", [2, 3, 5, 9])
def test_dots_of_a_matrix_are_text(pitch: int) -> None:
    small = inked("DOE 47", 0) > 110
    dots = np.zeros((small.shape[0] * pitch, small.shape[1] * pitch), np.uint8)
    for y, x in np.argwhere(small):
        dots[y * pitch : y * pitch + max(1, pitch // 2), x * pitch : x * pitch + max(1, pitch // 2)] = 255
    picture, strokes = drawn(anatomy(1), dots, (20, 20), 240)
    assert covered(found_text(picture), strokes) > 0.9


@pytest.mark.parametrize("text", ["A3", "12Y"])
def test_marks_of_a_few_characters_are_found(text: str) -> None:
    picture, strokes = drawn(anatomy(3), inked(text, 26), (120, 200), 250)
    assert covered(found_text(picture), strokes) > 0.9


def test_faint_text_on_air_beside_a_grainy_body_is_found() -> None:
    rng = np.random.default_rng(0)
    body = anatomy(size=256).astype(np.float32)
    body[:, 100:] += rng.normal(0, 14, (256, 156))
    picture = np.clip(body, 0, 255).astype(np.uint8)
    picture[:, :100] = 0
    written, strokes = drawn(picture, inked("02/10/1933", 14), (8, 100), 40)
    assert covered(found_text(written), strokes) > 0.9


def test_text_where_tiles_meet_is_found_as_anywhere() -> None:
    picture = np.zeros((300, 2100), np.uint8)
    written, strokes = drawn(picture, inked("SMITH JOHN 1957", 20), (980, 140), 200)
    found = found_text(written)
    assert covered(found, strokes) > 0.95
    assert all(min(math.dist(*side) for side in pairwise(text.polygon)) < 40 for text in found)


def test_what_is_shown_is_bounded_whatever_the_picture() -> None:
    for picture in (np.zeros((40, 50), np.uint8), np.full((33, 70), 255, np.uint8), anatomy()):
        planes = shown(picture)
        assert planes.shape == (2, *picture.shape) and planes.dtype == np.float32
        assert np.isfinite(planes).all() and np.abs(planes).max() <= 2


@given(st.integers(0, 2**20), st.floats(0, 0.3), st.integers(1, 40), st.integers(1, 40))
def test_what_is_worth_a_look_is_shown_with_what_is_around_it(seed: int, share: float, high: int, wide: int) -> None:
    worth = np.random.default_rng(seed).random((high, wide)) < share
    assert mask_of(_rectangles(worth), worth.shape)[worth].all()
    shape = (16 * high - 5, 16 * wide - 3)
    around = cv2.dilate(np.kron(worth, np.ones((16, 16), np.uint8)), np.ones((2 * _CONTEXT + 1,) * 2, np.uint8))
    parts = _parts(worth, shape)
    assert mask_of(parts, shape)[around[: shape[0], : shape[1]] > 0].all()
    assert all(x % 2 == y % 2 == 0 for x, y, _, _ in parts)


def test_two_corners_cost_two_corners() -> None:
    worth = np.zeros((100, 100), np.bool_)
    worth[:3, :3] = worth[-2:, -4:] = True
    assert sorted(_rectangles(worth)) == [(0, 0, 3, 3), (96, 98, 4, 2)]
    assert _rectangles(np.ones((20, 30), np.bool_)) == [(0, 0, 30, 20)]


@given(st.floats(0, 180), st.floats(0, 300), st.floats(0, 300))
def test_a_line_of_any_slant_holds_its_corners(degrees: float, x: float, y: float) -> None:
    a = math.radians(degrees)
    turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    corners = [turn @ corner + (x, y) for corner in ((0, 0), (80, 0), (80, 12), (0, 12))]
    text = FoundText(tuple((float(u), float(v)) for u, v in corners), 0.9, "detector")
    left, top, w, h = text.box
    assert all(left <= u <= left + w and top <= v <= top + h for u, v in text.polygon)


def test_a_second_look_sees_what_is_new_and_tells_nothing_twice() -> None:
    search, picture = TextSearch(), anatomy()
    picture, first = drawn(picture, inked("SMITH JOHN 1957", 14), (60, 30), 200)
    assert covered(search(picture), first) > 0.95
    assert search(picture) == []
    picture, second = drawn(picture, inked("WARD 7B", 20), (200, 300), 0)
    found = search(picture)
    assert covered(found, second) > 0.95
    assert covered(found, first) < 0.1


def test_a_second_look_sees_what_another_range_shows() -> None:
    """A bright plate leaves the rest a few shades; when it is gone, these are stretched over the whole range."""
    deep, strokes = drawn(anatomy() // 8, inked("SMITH JOHN 1957", 20), (60, 60), 31)
    plate = deep.astype(np.uint16)
    plate[250:] = 60_000
    search = TextSearch()
    search(plate)
    plate[250:] = 0
    assert covered(search(plate), strokes) > 0.95


@pytest.mark.parametrize("tint", [0, 25])
def test_text_in_colours_is_found_in_whichever_channel_it_stands_out(tint: int) -> None:
    grey = np.repeat(anatomy()[..., None], 3, axis=2).astype(np.uint8)
    grey[..., 2] += np.uint8(tint) * (grey[..., 2] < 200)
    for channel in range(3):
        picture = grey.copy()
        picture[..., channel], strokes = drawn(grey[..., channel], inked("SMITH JOHN 1957", 16), (60, 30), 250)
        assert covered(found_text(picture), strokes) > 0.95


def test_text_in_the_corner_of_a_flat_picture_is_found() -> None:
    for shape in ((40, 300), (700, 700), (1500, 1300)):
        for tone in (0, 255):
            picture, strokes = drawn(np.full(shape, tone, np.uint8), inked("SMITH JOHN", 12), (3, 3), 128)
            assert covered(found_text(picture), strokes) > 0.95


def lines(core: np.ndarray, elsewhere: float, view: np.ndarray | None = None) -> list[FoundText]:
    """What a core of .75 at half size is, where another size says ``elsewhere``; on ``view``, as it is halved."""
    ground = np.zeros((2 * core.shape[0], 2 * core.shape[1]), np.uint8)
    sure = np.where(core, 0.75, 0).astype(np.float32)
    return _lines(
        sure,
        np.full(core.shape, elsewhere, np.float32),
        np.zeros(core.shape, np.bool_),
        np.array([2.0, 2.0]),
        LEAST,
        ground if view is None else view,
    )


def bar() -> np.ndarray:
    core = np.zeros((60, 90), bool)
    core[20:28, 10:80] = True
    return core


def test_a_line_that_one_size_alone_shows_is_doubted() -> None:
    (line,) = lines(bar(), 0.6)
    assert line.score == pytest.approx(0.75)
    assert lines(bar(), 0.4) == []


def slanted(core_on: np.ndarray) -> np.ndarray:
    cv2.line(core_on, (15, 45), (75, 12), 1, 9)
    return core_on > 0


def test_a_thick_slanted_core_along_a_scans_border_is_doubted() -> None:
    core = slanted(np.zeros((60, 90), np.uint8))
    below = np.add.outer(np.arange(120) - 90.0, (np.arange(180) - 30) * 33 / 60) > 0
    grain = np.random.default_rng(3).integers(30, 90, below.shape).astype(np.uint8)
    (line,) = lines(core, 0.6)
    assert line.score == pytest.approx(0.75)
    assert lines(core, 0.6, np.where(below, grain, 0).astype(np.uint8)) == []
    assert lines(core, 0.6, np.where(below, 0, grain).astype(np.uint8)) == []
    for both in (grain, np.where(below, 60, 0), np.where(below, grain, 60)):  # a step; letters on one side's ground
        assert len(lines(core, 0.6, both.astype(np.uint8))) == 1


def test_a_ragged_core_is_doubted() -> None:
    ragged = bar()
    ragged[5:20, 15:18] = ragged[28:45, 60:63] = True  # a wire's ends
    assert lines(ragged, 0.6) == []
