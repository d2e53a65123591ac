"""What a step does to its partitions: the protocols of its tasks, and a task by its name."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import pyarrow as pa

Tables: TypeAlias = pa.Table | Iterable[pa.Table]  # rows, or at least one table of them, one behind the other


class Task(Protocol):
    """What a step does to one partition. Picklable; carries no payload and no identity, only where to read."""

    def rows(self, partition: int) -> int:
        """How many rows the partition has, without decoding any."""
        ...

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> Tables:
        """The partition's output rows. ``only`` limits the work to some rows (to find the one that crashes);
        rows in ``poison`` are not touched but marked CRASHED."""
        ...


@dataclass(frozen=True)
class Unit:
    """A task whose partitions are done whole."""

    def rows(self, partition: int) -> int:
        """One unit of work."""
        return 1


@runtime_checkable
class LeavesFiles(Protocol):
    """A task that writes more than its part: its marker then holds their sha256 too."""

    def beside(self, partition: int) -> Iterable[Path]:
        """The files that `Task.run` wrote for the partition."""
        ...


class ModelTask(Task, Protocol):
    """A task whose work is a model's: CPU batches in, results out (see `Engine.map_model`)."""

    def prepare(self, partition: int) -> Iterable[Any]:
        """The partition's model batches, in order."""
        ...

    def batches(self, partition: int) -> int:
        """How many `prepare` makes, without decoding any."""
        ...

    def model(self) -> Callable[[Any], Any]:
        """Build the model; called once an actor."""
        ...

    def assemble(self, partition: int, results: list[Any]) -> pa.Table:
        """The partition's output rows from its batches' results."""
        ...


class SpreadTask(Protocol):
    """Work on all records together, spread over workers as steps of its own."""

    def spread(self, inner: Callable[[str, Task, int], str]) -> Task:
        """Do all but the last of the work, and return that. ``inner``: run a step of so many partitions, and where its
        parts then lie."""
        ...


@dataclass(frozen=True)
class Deferred:
    """A task, a `ModelTask` or a `SpreadTask`, by the name of what makes it (PACKAGE.MODULE:CLASS): made where it is
    first asked for something, so that who only sends it, or finds it done, does not import what it needs. Arguments
    that are deferred themselves are made with it."""

    name: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _task(self) -> Any:
        def whole(value: Any) -> Any:
            return value._task if isinstance(value, Deferred) else value

        options = {name: whole(value) for name, value in self.options.items()}
        return pkgutil.resolve_name(self.name)(*map(whole, self.arguments), **options)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_task"}

    def rows(self, partition: int) -> int:
        """As `Task.rows`."""
        return int(self._task.rows(partition))

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> Tables:
        """As `Task.run`."""
        tables: Tables = self._task.run(partition, only, poison)
        return tables

    def beside(self, partition: int) -> Iterable[Path]:
        """As `LeavesFiles.beside`; nothing where the task leaves none."""
        return self._task.beside(partition) if isinstance(self._task, LeavesFiles) else ()

    def spread(self, inner: Callable[[str, Task, int], str]) -> Task:
        """As `SpreadTask.spread`."""
        last: Task = self._task.spread(inner)
        return last

    def prepare(self, partition: int) -> Iterable[Any]:
        """As `ModelTask.prepare`."""
        batches: Iterable[Any] = self._task.prepare(partition)
        return batches

    def model(self) -> Callable[[Any], Any]:
        """As `ModelTask.model`."""
        model: Callable[[Any], Any] = self._task.model()
        return model

    def batches(self, partition: int) -> int:
        """As `ModelTask.batches`."""
        return int(self._task.batches(partition))

    def assemble(self, partition: int, results: list[Any]) -> pa.Table:
        """As `ModelTask.assemble`."""
        return self._task.assemble(partition, results)


def defer(name: str, /, *arguments: Any, **options: Any) -> Deferred:
    """`Deferred`, as the call of ``name`` will be written."""
    return Deferred(name, arguments, options)
