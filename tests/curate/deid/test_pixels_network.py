"""The network that looks at rows: its windows, its weights, and that it tells text from eyeballs."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.deid.pixels.candidate_features import Row
from curate.deid.pixels.candidate_network import HEIGHT, WIDTH, log_odds, windows
from curate.deid.pixels.found_text import found_text
from curate.deid.pixels.intensity_views import views
from curate.deid.pixels.text_candidates import rows


def written(text: str, size: float = 0.6) -> np.ndarray:
    image = np.full((128, 256), 40, np.uint8)
    cv2.putText(image, text, (30, 80), cv2.FONT_HERSHEY_DUPLEX, size, 200, 1, cv2.LINE_AA)
    return image


def eyes() -> np.ndarray:
    """Two bright discs with soft edges, side by side, as eyeballs on a T2-weighted slice."""
    image = np.full((128, 256), 20, np.uint8)
    for x in (110, 150):
        cv2.circle(image, (x, 64), 13, 220, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 1.5)


def test_text_is_likelier_than_anatomy_of_the_same_traits() -> None:
    on_text = [log_odds(v, list(rows(v))) for v in views(written("SMITH 47"))]
    on_eyes = [log_odds(v, list(rows(v))) for v in views(eyes())]
    assert max(odds for each in on_text for odds in each) > 3
    assert max((odds for each in on_eyes for odds in each), default=-9.0) < 0


def test_without_an_engine_text_is_suspected_and_eyes_are_not() -> None:
    assert found_text(written("SMITH 47"), engine=False)
    assert not found_text(eyes(), engine=False)


def test_rows_are_judged_each_by_itself() -> None:
    view = next(views(written("SMITH 47")))
    found = list(rows(view))
    assert np.allclose([log_odds(view, [row])[0] for row in found], log_odds(view, found), atol=1e-3)
    assert log_odds(view, []) == []


def test_dark_text_is_seen_as_bright_text_is() -> None:
    bright, dark = written("SMITH 47"), 240 - written("SMITH 47")
    odds = [max(o for v in views(image) for o in log_odds(v, list(rows(v)))) for image in (bright, dark)]
    assert abs(odds[0] - odds[1]) < 1


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_windows_of_any_row_lie_in_range(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(10, 90)), data.draw(st.integers(10, 90))
    x, y = data.draw(st.integers(0, width - 5)), data.draw(st.integers(0, height - 5))
    w, h = data.draw(st.integers(5, width - x)), data.draw(st.integers(5, height - y))
    image = np.random.default_rng(0).integers(0, 256, (height, width)).astype(np.uint8)
    row = Row((x, y, w, h), 3, 90, 0, 0, 0, 1.0, 0.2, 0, 0.7, 0.4, 0.2, 0.5, 0, dark=data.draw(st.booleans()))
    shown = windows(image, row)
    assert shown.shape[1:] == (HEIGHT, WIDTH) and 1 <= len(shown) <= 4 and shown.dtype == np.float32
    assert np.abs(shown).max() <= 2


def test_a_line_downwards_is_shown_as_one_across() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 90)).astype(np.uint8)
    across = Row((20, 30, 40, 12), 3, 90, 0, 0, 0, 1.0, 0.2, 0, 0.7, 0.4, 0.2, 0.5, 0)
    down = Row((30, 20, 12, 40), 3, 90, 0, 0, 0, 1.0, 0.2, 0, 0.7, 0.4, 0.2, 0.5, 0)
    assert np.array_equal(windows(image, across), windows(np.ascontiguousarray(image.T), down))
