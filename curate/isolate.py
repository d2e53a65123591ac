"""Which rows end their process: partitions that crashed are bisected, beside one another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from curate.engine import Crash, Engine
from curate.errors import RunError

if TYPE_CHECKING:
    from curate.step import PartitionWork
    from curate.task import Task

_Rows = tuple[int, range]  # of a partition


@dataclass(frozen=True)
class _Probe:
    """Run some rows of a partition and throw the result away: does it crash?"""

    task: Task
    on_gpu: bool

    def __call__(self, some: _Rows) -> None:
        partition, rows = some
        tables = self.task.run(partition, only=rows)
        for _ in () if isinstance(tables, pa.Table) else tables:  # made as they are asked for
            pass


@dataclass(frozen=True)
class _Poisoned:
    """Whole partitions again, without touching the rows known to crash."""

    work: PartitionWork
    poison: Mapping[int, Collection[int]]

    @property
    def on_gpu(self) -> bool:
        """As the work's own."""
        return self.work.on_gpu

    def __call__(self, partition: int) -> int:
        return self.work(partition, self.poison[partition])


def isolate(work: PartitionWork, partitions: Sequence[int], engine: Engine) -> None:
    """Partitions crashed their process: bisect to the rows at fault, all beside one another, mark them CRASHED, commit
    the rest. A row is at fault that crashes with nothing beside it: another may have taken the memory."""
    probe = _Probe(work.task, work.on_gpu)
    guilty: dict[int, set[int]] = {partition: set() for partition in partitions}
    suspects: list[_Rows] = [(partition, range(work.task.rows(partition))) for partition in partitions]
    while suspects:
        halves = [(partition, half) for partition, rows in suspects for half in _halve(rows)]
        crashed = [some for some, end in engine.map(probe, halves, alone=True) if isinstance(end, Crash)]
        suspects = [(partition, rows) for partition, rows in crashed if len(rows) > 1]
        for single in (some for some in crashed if len(some[1]) == 1):
            for (partition, rows), again in engine.map(probe, [single], alone=True):
                if isinstance(again, Crash):
                    guilty[partition].add(rows[0])
    for partition, last in engine.map(_Poisoned(work, guilty), partitions):
        if isinstance(last, Crash):
            known = len(guilty[partition])
            raise RunError(f"{work.name}: partition {partition} crashes even without its {known} guilty records")


def _halve(rows: range) -> list[range]:
    middle = (rows.start + rows.stop) // 2
    return [r for r in (range(rows.start, middle), range(middle, rows.stop)) if len(r)]
