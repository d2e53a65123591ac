"""Reports of a whole archive in memory: as bytes, a fifth of what objects take."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import pyarrow as pa

from curate.sources.reports.report import Report


class PackedReports(Sequence[Report]):
    """Reports, each made anew where it is asked for. ``packed``: as `pack` makes them."""

    def __init__(self, packed: list[bytes]) -> None:
        self.packed = packed

    def __len__(self) -> int:
        return len(self.packed)

    @overload
    def __getitem__(self, row: int) -> Report: ...
    @overload
    def __getitem__(self, row: slice) -> PackedReports: ...
    def __getitem__(self, row: int | slice) -> Report | PackedReports:
        if isinstance(row, slice):
            return PackedReports(self.packed[row])
        return Report(*pickle.loads(self.packed[row]))  # noqa: S301  our own bytes, of this memory or sealed

    def __iter__(self) -> Iterator[Report]:
        return (self[row] for row in range(len(self)))

    def table(self) -> pa.Table:
        """As they are sealed."""
        return pa.table({"report": pa.array(self.packed, pa.large_binary())})

    @classmethod
    def of_table(cls, table: pa.Table) -> PackedReports:
        """What `table` made."""
        return cls(table["report"].to_pylist())


def pack(reports: Iterable[Report]) -> PackedReports:
    """The reports as they come, one after another."""
    return PackedReports([pickle.dumps(tuple(vars(report).values()), protocol=5) for report in reports])
