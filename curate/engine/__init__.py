"""How work is spread: one function mapped over items, on local processes or on Ray.

An engine knows nothing of records. It maps a picklable function over items and yields results as they come, or a
`Crash` where the process that worked on an item died. Scheduling, retries and placement are the process pool's and
Ray's own; what to do about a crash is the caller's (`curate.step`). An exception in the function stops the map: it
is a bug or a full disk, and the run resumes from what is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from curate.errors import RecipeError

if TYPE_CHECKING:
    from curate.engine.resources import Resources

T = TypeVar("T")
R = TypeVar("R")


class Crash:
    """The process working on this item died (a segfault in a decoder, the out-of-memory killer)."""


CRASH = Crash()
PAUSE = 2.0


class Engine(Protocol):
    """What both engines offer."""

    def map(
        self, fn: Callable[[T], R], items: Sequence[T], alone: bool = False, idle: Callable[[], None] | None = None
    ) -> Iterator[tuple[T, R | Crash]]:
        """``fn`` over ``items``, results in order of completion; ``alone``: a process an item, tried once; ``idle`` is
        called about every `PAUSE` seconds in which none is done."""
        ...

    def map_model(
        self,
        prepare: Callable[[T], Iterable[Any]],
        model: Callable[[], Callable[[Any], R]],
        items: Sequence[T],
        working: Callable[[Mapping[T, int]], None] | None = None,
    ) -> Iterator[tuple[T, list[R]]]:
        """CPU work feeding a model: ``prepare`` makes an item's batches, ``model()`` is built once an actor and
        called on each. Yields an item with its results in batch order; batches are the same on every engine.
        ``working`` is told about every `PAUSE` seconds how many batches of the items at work are done."""
        ...

    def close(self) -> None:
        """Stop the workers."""
        ...


def start_engine(resources: Resources) -> Engine:
    """The engine the resources name. Ray is imported only where it is asked for."""
    if resources.kind == "ray":
        from curate.engine.ray import RayEngine

        return RayEngine(resources)
    if resources.address:
        raise RecipeError("engine.address", "a local engine joins no cluster", "set engine.kind: ray")
    from curate.engine.local import LocalEngine

    return LocalEngine(resources)
