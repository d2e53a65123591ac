"""The dedup step: read the narrow signature columns of every ingested partition, resolve them together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.dedup.held import HELD, Held
from curate.dedup.resolve import STEP, resolve
from curate.dedup.rules import DedupRules
from curate.places import place
from curate.record import DEDUP, RECORD, Reason, conform, live
from curate.step import part_path, read_parts
from curate.storage import read_table

COLUMNS = [
    "key",
    "patient",
    "study",
    "width",
    "height",
    "text",
    "pixel_hash",
    "phash",
    "thumb",
    "text_hash",
    "minhash",
    "official_split",
    "drop_step",
    "drop_reason",
]


@dataclass(frozen=True)
class DedupTask:
    """One unit of global work: every live record's signatures -> one DEDUP table, in ingest order.

    ``held``: the folder of a step that wrote `curate.dedup.held.HELD`; what is in it is dropped before duplicates are
    looked for.
    """

    ingest: str
    partitions: int
    rules: DedupRules
    held: str | None = None

    def rows(self, partition: int) -> int:
        """The work is global: one unit."""
        return 1

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """DEDUP rows of all live records; images are not read."""
        tables = [read_table(part_path(place(self.ingest), i), COLUMNS) for i in range(self.partitions)]
        tables = [t.filter(pa.array(live(t))) for t in tables]
        owner = np.repeat(np.arange(self.partitions, dtype=np.int32), [t.num_rows for t in tables])
        table = pa.concat_tables(tables or [RECORD.empty_table().select(COLUMNS)])
        apart = self._apart(table)
        free = np.array([reason is None for reason in apart], bool)
        resolved = resolve(table.filter(pa.array(free)), self.rules)
        if not free.all():
            resolved = _joined(table, resolved, apart)
        return conform(resolved.set_column(1, "partition", pa.array(owner)), DEDUP)

    def _apart(self, table: pa.Table) -> list[Reason | None]:
        if self.held is None:
            return [None] * table.num_rows
        return Held(read_parts(place(self.held), empty=HELD)).reasons(table)


def _joined(table: pa.Table, resolved: pa.Table, apart: list[Reason | None]) -> pa.Table:
    """The resolved rows and those that were kept apart, in the order of ``table``."""
    held = [(key, r) for key, r in zip(table["key"].to_pylist(), apart, strict=True) if r is not None]
    keys = [key for key, _ in held]
    out = {"key": keys, "cluster": keys, "drop_step": [STEP] * len(held), "drop_reason": [r.value for _, r in held]}
    dropped = conform(pa.table({name: pa.array(values, pa.string()) for name, values in out.items()}), DEDUP)
    both = pa.concat_tables([resolved, dropped])
    return both.take(pc.index_in(table["key"], value_set=both["key"]))
