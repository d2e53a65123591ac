"""What was asked before is not worked out again: values that a step's records share, for as long as one partition.

Nothing outlives the block: an identity that a worker has met is gone with the partition it was of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from curate.errors import DropRecord

P = ParamSpec("P")
T = TypeVar("T")

_cache: ContextVar[dict[Any, Any] | None] = ContextVar("held", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Inside, `once` remembers; an inner block remembers by itself, and both forget at their end."""
    before = _cache.set({})
    try:
        yield
    finally:
        _cache.reset(before)


def once(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``fn(*args)``, looked up where the block has asked that before. ``fn`` is pure, its arguments can be hashed, and
    nobody changes what it returns. A DropRecord is remembered and raised again; outside of any block ``fn`` is called.
    """
    cached = _cache.get()
    if cached is None:
        return fn(*args, **kwargs)
    key = (fn, *args, *kwargs.items())
    found = cached.get(key)
    if found is None:
        try:
            found = (fn(*args, **kwargs),)
        except DropRecord as drop:
            found = drop.reason
        cached[key] = found
    if not isinstance(found, tuple):
        raise DropRecord(found)
    value: T = found[0]
    return value


def once_for(who: str, is_own: Callable[[T], bool], fn: Callable[..., T], *args: Any) -> T:
    """``fn(*args, who)`` as by `once`, and what is not ``is_own`` is the same for whoever else asks with ``args``; who
    is nobody ("") asks apart."""
    cached = _cache.get()
    key = (once_for, fn, *args, bool(who))
    if cached is not None and key in cached:
        shared: T = cached[key]
        return shared
    value = once(fn, *args, who)
    if cached is not None and not is_own(value):
        cached[key] = value
    return value
