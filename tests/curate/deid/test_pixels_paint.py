"""What is painted: tight boxes of text and no more, never most of a picture; and what is told of it."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate.deid.pixels.boxes import area, joined, mask_of, moved
from curate.deid.pixels.gate import gate, too_much_painted
from curate.deid.pixels.paint import painted, share_of_anatomy, with_margin
from curate.deid.pixels.text_detector import FoundText
from curate.deid.rules import PixelPolicy
from curate.record import Reason
from tests.curate.deid.test_pixels import anatomy, header, write

BOX = st.tuples(st.integers(-5, 40), st.integers(-5, 40), st.integers(0, 30), st.integers(0, 30))


@given(st.lists(BOX, max_size=7))
def test_joining_covers_every_box_and_hardly_more(boxes):
    once = joined(boxes)
    covered, before = mask_of(once, (80, 80)), mask_of(boxes, (80, 80))
    assert not (before & ~covered).any()
    assert len(once) <= len(set(boxes))
    assert area(once, (80, 80)) == covered.sum()


def test_lines_that_touch_are_not_one_box():
    lines = [(10, 10, 100, 12), (10, 22, 30, 12), (108, 20, 12, 60)]
    assert sorted(joined(lines)) == sorted(lines)
    assert joined([(10, 10, 50, 12), (55, 10, 50, 12), (20, 12, 8, 8)]) == [(10, 10, 95, 12)]


@given(st.floats(0, 180), st.floats(20, 80), st.floats(4, 12))
def test_a_slanted_line_is_covered_by_boxes_that_hold_little_else(degrees, long, short):
    a, way, up = math.radians(degrees), np.array([long, 0]), np.array([0, short])
    turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    corners = [turn @ corner + 100 for corner in (0 * way, way, way + up, up)]
    text = FoundText(tuple((float(x), float(y)) for x, y in corners), 0.9, "detector")
    covered = mask_of(text.boxes(), (220, 220))
    for s in np.linspace(0.02, 0.98, 40):
        for t in (0.05, 0.5, 0.95):
            x, y = turn @ (s * way + t * up) + 100
            assert covered[int(y), int(x)]
    assert covered.sum() <= 5 * (long + 2) * (short + 2)


@given(BOX, st.integers(1, 90), st.integers(1, 90))
def test_a_box_moved_with_its_picture_covers_what_it_did(box, wide, high):
    x, y, w, h = moved(box, (40, 38), (3, 5, wide, high))
    assert (x - 3) <= box[0] * wide / 38 and (y - 5) <= box[1] * high / 40
    assert x - 3 + w >= (box[0] + box[2]) * wide / 38 - 1e-9 and y - 5 + h >= (box[1] + box[3]) * high / 40 - 1e-9


def test_the_fill_is_the_ground_though_other_text_stands_around():
    picture = np.full((60, 100), 30, np.uint8)
    picture[10:50, 10:90] = 250
    boxes = [(10, y, 80, 10) for y in (10, 20, 30, 40)]
    assert (painted(picture, boxes) == 30).all()


def test_text_on_the_ground_costs_no_anatomy_and_text_on_anatomy_does():
    picture = anatomy()
    assert share_of_anatomy(picture, [(5, 5, 90, 20)]) == 0
    assert 0.02 < share_of_anatomy(painted(picture, [(200, 200, 100, 40)]), [(200, 200, 100, 40)]) < 0.05


def test_a_box_that_reaches_from_air_to_air_costs_the_body_between():
    picture = anatomy()
    high, wide = picture.shape
    assert share_of_anatomy(picture, [(0, 0, wide, high)]) > 0.9
    assert 0.3 < share_of_anatomy(picture, [(0, 0, wide, high // 2)]) < 0.7
    tiles = [(x, y, 40, 40) for y in range(0, high, 40) for x in range(0, wide, 40)]
    assert share_of_anatomy(picture, tiles) > 0.9  # around most of them is nothing but others
    named = write(picture, "SMITH^JOHN 1957", (5, 20), 255)
    assert share_of_anatomy(named, [(3, 3, 160, 22)]) == 0


def test_a_budget_of_paint():
    picture, policy = anatomy(), PixelPolicy()
    text = [(200, 200, 40, 12)]
    assert not too_much_painted(picture, [with_margin(text[0])], policy, text)
    assert too_much_painted(picture, [(200, 200, 60, 40)], policy, text)
    large = [(120, 150, 200, 100)]
    assert too_much_painted(painted(picture, large), large, policy, large)
    assert not too_much_painted(painted(picture, large), large, PixelPolicy(max_painted_anatomy=0.5), large)


def test_a_picture_that_would_lose_its_anatomy_is_kept_back():
    picture = anatomy()
    for y in range(140, 400, 22):
        picture = write(picture, "SMITH^JOHN 1957 MRN 4711081", (110, y), 255)
    assert gate(picture, header(Modality="CT"), PixelPolicy()).reason in (Reason.TOO_MUCH_PAINTED, Reason.BURNED_IN)


def test_little_is_painted_but_the_text():
    picture = anatomy()
    result = gate(write(picture, "SMITH^JOHN 1957", (120, 250), 255), header(Modality="US"), PixelPolicy())
    assert result.reason is None
    changed = result.pixels != picture
    ys, xs = np.nonzero(changed)
    assert ys.min() >= 228 and ys.max() <= 262 and xs.min() >= 105 and xs.max() <= 300
    assert changed.sum() <= area(result.regions, picture.shape) <= 3 * 165 * 16
