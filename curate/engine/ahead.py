"""Make the next thing while this one is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def one_ahead(items: Iterable[T]) -> Iterator[T]:
    """``items`` in order, the next one made in a thread beside whoever uses this one; an error comes where its item
    would have. For work that leaves Python's lock, such as decoding images while a model runs."""
    source = iter(items)
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as beside:
        waiting = beside.submit(next, source, end)
        while (item := waiting.result()) is not end:
            waiting = beside.submit(next, source, end)
            yield item  # type: ignore[misc]  # all but the end are T
