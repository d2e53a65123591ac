from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import RecipeError
from filters.towers.tokenizer import WordPiece, train_wordpiece
from tests.filters.shapes import pairs

TEXTS = [*pairs(120)[1], "[NAME], 64-year-old: T2 at L4-L5 [DATE]", "Hépatomégalie ≥ 12 mm", ""]


@pytest.fixture(scope="module")
def tokenizer() -> WordPiece:
    return train_wordpiece(TEXTS, 300, 24)


def test_same_texts_same_bytes_whatever_their_order(tmp_path: Path, tokenizer: WordPiece):
    """The library's own WordPiece trainer fails this: it numbers its pieces in hash order."""
    tokenizer.save(tmp_path / "a.json")
    train_wordpiece(TEXTS[::-1], 300, 24).save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_loads_what_it_saved(tmp_path: Path, tokenizer: WordPiece):
    tokenizer.save(tmp_path / "t.json")
    again = WordPiece.load(tmp_path / "t.json", 24)
    assert again.vocab_size == tokenizer.vocab_size
    np.testing.assert_array_equal(again(TEXTS), tokenizer(TEXTS))


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=200), min_size=1, max_size=4))
def test_every_row_is_start_pieces_end_padding(tokenizer: WordPiece, texts: list[str]):
    ids = tokenizer(texts)
    assert ids.shape == (len(texts), 24)
    ends = ids.argmax(axis=1)  # where open_clip's argmax pooling reads
    for row, end in zip(ids, ends, strict=True):
        assert row[0] == tokenizer.vocab_size - 2
        assert row[end] == tokenizer.vocab_size - 1
        assert (row[1:end] > 0).all() and (row[1:end] < tokenizer.vocab_size - 2).all()
        assert (row[end + 1 :] == 0).all()


def test_placeholders_are_single_tokens_and_case_is_not_read(tokenizer: WordPiece):
    name, lower, upper = tokenizer(["[NAME]", "left disc", "LEFT Disc"])
    assert name.argmax() == 2
    np.testing.assert_array_equal(lower, upper)
    assert tokenizer(["[DATE]"])[0, 1] != name[1] != 1


def test_known_words_are_few_pieces_and_unlike_words_differ(tokenizer: WordPiece):
    left, right = tokenizer(
        ["There is a bright disc in the left upper field.", "There is a bright disc in the right upper field."]
    )
    assert (left != right).sum() == 1
    assert left.argmax() == 12  # eleven words and the dot: one piece each, after the start


def test_ten_thousand_words_are_cut(tokenizer: WordPiece):
    ids = tokenizer(["left disc " * 5000])
    assert ids.shape == (1, 24) and ids[0, -1] == tokenizer.vocab_size - 1


def test_no_texts_no_rows(tokenizer: WordPiece):
    assert tokenizer([]).shape == (0, 24)


def test_a_vocabulary_too_small_says_how_large(tmp_path: Path):
    with pytest.raises(RecipeError, match=r"vocab: 20 tokens .*\n  fix: at least \d+"):
        train_wordpiece(TEXTS, 20, 24)


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", '{"model": 3}'])
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(RecipeError, match=r"tokenizer\.json"):
        WordPiece.load(tmp_path / "tokenizer.json", 24)
