from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.training.plan import batches, hold_out


@given(
    groups=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60),
    share=st.floats(0, 0.9),
    seed=st.integers(0, 9),
)
def test_no_patient_is_on_both_sides(groups: list[str], share: float, seed: int):
    held = hold_out(groups, share, seed)
    inside = {g for g, h in zip(groups, held, strict=True) if h}
    outside = {g for g, h in zip(groups, held, strict=True) if not h}
    assert not inside & outside and outside
    if len(outside) > 1:
        assert held.sum() >= share * len(groups) - 1e-9
    assert share > 0 or not inside


@settings(deadline=None)
@given(labels=st.lists(st.integers(0, 12), min_size=1, max_size=80), size=st.integers(2, 9), seed=st.integers(0, 5))
def test_no_batch_holds_a_text_twice(labels: list[int], size: int, seed: int):
    epoch = list(batches(np.array(labels), size, np.random.default_rng(seed)))
    for batch in epoch:
        assert len(batch) == size == len({labels[i] for i in batch})
    used = [int(i) for b in epoch for i in b]
    assert len(set(used)) == len(used)
    if len(set(labels)) == len(labels):
        assert len(epoch) == len(labels) // size
    assert bool(epoch) == (len(set(labels)) >= size)
