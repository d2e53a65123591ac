"""CLIP's tokens in compiled code are open_clip's, sign by sign."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.towers.openclip import open_clip
from filters.towers.tokenizer import PlainText, faster

WORDS = st.sampled_from(
    ["effusion", "No", "pneumothorax.", "3.5", "cm", "T12-L1", "patient's", "we'll", "(", "IV/VI", "--", "'", "12:30"]
)
TEXTS = st.one_of(
    st.lists(WORDS, max_size=40).map(" ".join),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
    st.text(max_size=20),
)


@cache
def both() -> tuple[PlainText, Any]:
    slow = open_clip.SimpleTokenizer(context_length=40)
    fast = faster(slow, 40)
    assert isinstance(fast, PlainText)
    return fast, slow


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=4))
@example(["", " ", "'", "''s 'S don't", "a\n\tb", "\r\n", "&amp; x < y", "<start_of_text>", "über 5 µm", "x" * 500])
def test_ids_are_open_clips(texts: list[str]) -> None:
    fast, slow = both()
    found = fast(texts)
    assert found.dtype == np.int64 and found.shape == (len(texts), 40)
    if texts:
        np.testing.assert_array_equal(found, np.asarray(slow(texts, context_length=40)))


def test_only_clips_own_tokenizer_has_a_faster_one() -> None:
    assert faster(object(), 40) is None
    assert faster(open_clip.SimpleTokenizer(context_length=40, clean="canonicalize"), 40) is None
    assert faster(open_clip.SimpleTokenizer(context_length=40, reduction_mask="simple"), 40) is None
