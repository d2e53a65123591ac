"""The dedup step: read the narrow signature columns of every ingested partition, resolve them together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from curate.dedup.resolve import DedupRules, resolve
from curate.record import DEDUP, RECORD, conform, live
from curate.step import part_path
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
    "drop_step",
    "drop_reason",
]


@dataclass(frozen=True)
class DedupTask:
    """One unit of global work: every live record's signatures -> one DEDUP table, in ingest order."""

    ingest: str
    partitions: int
    rules: DedupRules

    def rows(self, partition: int) -> int:
        """The work is global: one unit."""
        return 1

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """DEDUP rows of all live records; images are not read."""
        tables = [read_table(part_path(Path(self.ingest), i), COLUMNS) for i in range(self.partitions)]
        tables = [t.filter(pa.array(live(t))) for t in tables]
        owner = np.repeat(np.arange(self.partitions, dtype=np.int32), [t.num_rows for t in tables])
        resolved = resolve(pa.concat_tables(tables or [RECORD.empty_table().select(COLUMNS)]), self.rules)
        return conform(resolved.set_column(1, "partition", pa.array(owner)), DEDUP)
