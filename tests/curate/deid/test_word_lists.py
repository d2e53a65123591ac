"""Word lists as the package carries them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curate.deid.word_lists import pack, read_word_list, unpack

LINES = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), min_size=1)


@given(LINES)
def test_what_is_packed_comes_back_in_its_order(lines: list[str]) -> None:
    assert unpack(pack(lines)) == lines


def test_a_line_shares_no_more_than_can_be_written() -> None:
    lines = ["a" * 500, "a" * 500 + "b", "a" * 499]
    assert unpack(pack(lines)) == lines


def test_comments_are_no_words_and_a_list_by_frequency_keeps_its_order() -> None:
    assert read_word_list("words/data", "surnames")[:3] == ["smith", "johnson", "williams"]
    assert read_word_list("words/data/languages", "frequent")[:2] == ["## en", "the"]
