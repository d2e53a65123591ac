from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.training.curation import select_jointly
from filters.training.objectives.losses import elementwise


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 20), st.integers(1, 6), st.sampled_from(["clip", "siglip"]), st.integers(0, 9), st.data())
def test_any_choice_is_of_the_wanted_size_and_no_row_comes_twice(n: int, chunks: int, objective, seed: int, data):
    size = data.draw(st.integers(1, n))
    logits = torch.randn((2, n, n), generator=_generator(seed)) * 5
    chosen = select_jointly(logits[0], logits[1], size, chunks, _generator(seed), objective)
    assert len(set(chosen.tolist())) == size and 0 <= int(chosen.min()) <= int(chosen.max()) < n


@pytest.mark.parametrize("objective", ["clip", "siglip"])
def test_what_the_learner_cannot_and_the_reference_can_is_chosen(objective):
    """Rows 0-3: learnable. 4-7: both know. 8-11: neither does (noise)."""
    n = 12
    know, ignorant = 10.0 * torch.eye(n) - 5, torch.zeros((n, n)) - 5
    learner, reference = know.clone(), know.clone()
    learner[[0, 1, 2, 3, 8, 9, 10, 11]] = ignorant[[0, 1, 2, 3, 8, 9, 10, 11]]
    reference[[8, 9, 10, 11]] = ignorant[[8, 9, 10, 11]]
    count = np.zeros(n)
    for seed in range(50):
        count[select_jointly(learner, reference, 4, 2, _generator(seed), objective).numpy()] += 1
    # among few chosen, the softmax loss of one who knows nothing is small: ln 3 of two, where ln 12 of all
    assert count[:4].sum() > {"siglip": 0.8, "clip": 0.6}[objective] * count.sum()
    assert abs(count[4:8].sum() - count[8:].sum()) < 0.15 * count.sum(), "knowing and noise are alike: nothing to learn"


def test_a_choice_takes_pairs_that_are_hard_for_each_other():
    """Rows 0 and 1 are only confused with each other; no row is learnable by itself."""
    learner = torch.full((8, 8), -20.0)
    learner.fill_diagonal_(20.0)
    reference = learner.clone()
    learner[0, 1] = learner[1, 0] = 20.0
    drawn = [select_jointly(learner, reference, 4, 4, _generator(seed)).tolist() for seed in range(60)]
    together = sum({0, 1} <= set(rows) for rows in drawn)
    assert together == sum(bool({0, 1} & set(rows[:3])) for rows in drawn), "one brings the other, if there is room"
    assert together > 60 * 3 / 14 * 1.5, "chance puts both among four of eight in 3 of 14 draws"


def test_the_first_draw_follows_the_softmax_of_learnability():
    learner, reference = torch.randn((2, 4, 4), generator=_generator(3))
    gain = (elementwise(learner) - elementwise(reference)).diagonal().double()
    expected = torch.softmax(gain, 0).numpy()
    count = np.zeros(4)
    for seed in range(4000):
        count[int(select_jointly(learner, reference, 1, 1, _generator(seed)))] += 1
    assert np.abs(count / 4000 - expected).max() < 0.03


def test_shapes_and_sizes_are_checked():
    square, wrong = torch.zeros((4, 4)), torch.zeros((4, 3))
    cases = (wrong, 2, 1), (square, 5, 1), (square, 0, 1), (square, 2, 0)
    for b, size, chunks in cases:
        with pytest.raises(ValueError):
            select_jointly(square, b, size, chunks, _generator())


def test_one_seed_one_choice():
    logits = torch.randn((2, 9, 9), generator=_generator(1))
    first, again, other = (select_jointly(logits[0], logits[1], 5, 2, _generator(s)).tolist() for s in (7, 7, 8))
    assert first == again
    assert any(a != b for a, b in itertools.zip_longest(first, other))
