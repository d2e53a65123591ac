"""Which record goes into which shard: planned once for the whole selection, sorted by shard, so that the writer of a
shard reads only its slice."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

import polars as pl
import pyarrow as pa

from curate.export.split import SPLITS
from curate.places import place
from curate.record import SELECTION, SHARD_PLAN, conform
from curate.step import read_parts

_COLUMNS = ("key", "partition", "split", "score", "weight", "text_from", "drop_reason")


@dataclass(frozen=True)
class PlanTask:
    """One unit of global work: the SELECTION in the folder ``selection`` -> SHARD_PLAN."""

    selection: str
    per_shard: int

    def rows(self, partition: int) -> int:
        """The plan is global: one unit."""
        return 1

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """SHARD_PLAN rows of all kept records."""
        return plan_shards(read_parts(place(self.selection), _COLUMNS, empty=SELECTION), self.per_shard)


def plan_shards(selection: pa.Table, per_shard: int) -> pa.Table:
    """SHARD_PLAN: kept rows of a SELECTION, split by split, cut into shards of ``per_shard`` in ingest order. Keys are
    HMACs and partitions are sorted by key, so this order is already a shuffle, and a shard reads one or two partitions.
    """
    number = pl.int_range(pl.len()).over("split") // per_shard
    planned = (
        cast("pl.DataFrame", pl.from_arrow(selection.select(_COLUMNS)))
        .lazy()
        .filter(pl.col("drop_reason").is_null())
        .with_columns(pl.col("split").cast(pl.Enum(SPLITS)))
        .sort("split", "partition", maintain_order=True)  # in ingest order, on which the writer relies
        .with_columns(number.alias("number"))
        .with_columns(pl.struct("split", "number").rle_id().alias("shard"))
        .collect()
    )
    names = planned["number"].cast(pl.String).str.zfill(6)
    return conform(planned.with_columns(pl.col("split").cast(pl.String), names.alias("name")).to_arrow(), SHARD_PLAN)
