"""The frames in other languages: filled alike for a seed, gold where it lies, halves apart."""

from itertools import pairwise

import pytest

from benchmarks.deid.frames.score import judge
from benchmarks.deid.languages.render import CODES, read, render
from benchmarks.deid.languages.words import measure_of


@pytest.mark.parametrize("code", CODES)
def test_frames_are_filled_alike_and_gold_lies_where_it_says(code):
    texts = list(render(code, "dev", 1))
    assert texts == list(render(code, "dev", 1))
    assert len(read(code)["frames"]) >= 40
    assert not {t.frame for t in texts} & {t.frame for t in render(code, "test", 1)}
    for text in texts:
        covered = sorted([(g.start, g.end) for g in text.gold] + list(text.protected))
        assert all(end <= start for (_, end), (start, _) in pairwise(covered))
        assert all(text.text[g.start : g.end].strip() for g in text.gold)


@pytest.mark.parametrize("code", CODES)
def test_a_text_left_as_it_is_leaks_everything_and_loses_nothing(code):
    for text in render(code, "dev", 1):
        told = judge(text, text.text, measure=measure_of(code))
        leaked = {g for g in text.gold if g.kind != "age over 89"}  # 90 is how an age over 89 may be told
        assert leaked <= set(told.leaks) and not told.lost


def test_a_lost_denial_is_counted_as_of_the_closed_class():
    text = next(t for t in render("de", "dev", 1) if "Kein " in t.text)
    told = judge(text, text.text.replace("Kein ", "[NAME] ", 1), measure=measure_of("de"))
    assert ("negation", "Kein") in told.lost
