"""One ahead: the same items in the same order, errors in their place, nothing made that is not asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.engine.ahead import one_ahead


@given(st.lists(st.integers()))
def test_the_same_items_in_the_same_order(items: list[int]):
    assert list(one_ahead(items)) == items


def test_an_error_comes_after_the_items_before_it():
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("third")

    got = []
    with pytest.raises(KeyError, match="third"):
        for item in one_ahead(broken()):
            got.append(item)  # noqa: PERF402
    assert got == [1, 2]


def test_it_is_never_more_than_one_ahead():
    made = []

    def counted() -> Iterator[int]:
        for i in range(10):
            made.append(i)
            yield i

    for used in one_ahead(counted()):
        assert len(made) <= used + 2
