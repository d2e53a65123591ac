"""Which record goes into which shard: planned once for the whole selection, sorted by shard, so that the writer of a
shard reads only its slice."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import RunError
from curate.export.columns import SLICE, read_slices
from curate.export.remove import NOBODY
from curate.export.split import SPLITS
from curate.intact import part_path
from curate.places import place
from curate.record import SHARD_PLAN, conform
from curate.storage import read_batches

_COLUMNS = ("key", "split", "partition", "score", "weight", "text_from")


@dataclass(frozen=True)
class PlanTask:
    """One unit of global work: the SELECTION in the folder ``selection`` -> SHARD_PLAN. ``continued``: the folder of an
    earlier plan, whose shards this one's begin with."""

    selection: str
    per_shard: int
    continued: str | None = None

    def rows(self, partition: int) -> int:
        """The plan is global: one unit."""
        return 1

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> Iterator[pa.Table]:
        """SHARD_PLAN rows of all kept records. RunError where the plan to continue is gone."""
        earlier = None
        if self.continued is not None:
            path = part_path(place(self.continued), 0)
            if not path.is_file():
                problem = "the plan that export.append continues is gone, and its continuation is damaged"
                raise RunError(f"{problem}; --set export.append=false plans all shards anew")
            earlier = read_batches(path, ["key", "split", "name"], SLICE)
        kept = map(_kept, read_slices(place(self.selection), (*_COLUMNS, "drop_reason")))
        return _planned(kept, self.per_shard, earlier)


def plan_shards(selection: pa.Table, per_shard: int, earlier: pa.Table | None = None) -> pa.Table:
    """SHARD_PLAN: kept rows of a SELECTION, split by split, cut into shards of ``per_shard`` in ingest order. Keys are
    HMACs and partitions are sorted by key, so this order is already a shuffle, and a shard reads one or two partitions.

    What has a shard in an ``earlier`` plan stays there, in the same order; the rest fills shards after those. A shard
    that loses all its records keeps its name, and one row under `NOBODY`.
    """
    kept = _kept(selection).sort("partition", maintain_order=True)
    return pa.concat_tables(_planned(iter([kept]), per_shard, None if earlier is None else iter([earlier])))


def _kept(selection: pa.Table) -> pl.DataFrame:
    kept = selection.filter(pc.is_null(selection["drop_reason"])).select(_COLUMNS)
    return cast("pl.DataFrame", pl.from_arrow(kept)).with_columns(pl.col("split").cast(pl.Enum(SPLITS)))


def _planned(kept: Iterator[pl.DataFrame], per_shard: int, earlier: Iterator[pa.Table] | None) -> Iterator[pa.Table]:
    """SHARD_PLAN of what is ``kept``, slices in ingest order; all of it is held only where it continues a plan."""
    if earlier is not None:
        yield from _continued(kept, earlier, per_shard)
        return
    shards = rows = 0
    split_before = SPLITS[0]
    for split, part in _by_split(kept):
        if split != split_before:
            shards, rows, split_before = shards - (-rows // per_shard), 0, split
        number = ((rows + pl.int_range(pl.len())) // per_shard).alias("number")
        yield _rows(part.with_columns(number, (shards + number).alias("shard")))
        rows += part.height


def _by_split(kept: Iterator[pl.DataFrame]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Of each split in turn, the rows a slice at a time. Those of train, which are most, are not held."""
    first, *others = SPLITS
    later = []
    for table in kept:
        yield first, table.filter(pl.col("split") == first)
        later.append(table.filter(pl.col("split") != first))
    for split in others:
        for table in later:
            yield split, table.filter(pl.col("split") == split)


def _rows(table: pl.DataFrame) -> pa.Table:
    names = table["number"].cast(pl.String).str.zfill(6)
    return conform(table.with_columns(pl.col("split").cast(pl.String), names.alias("name")).to_arrow(), SHARD_PLAN)


def _continued(kept: Iterator[pl.DataFrame], earlier: Iterator[pa.Table], per_shard: int) -> Iterator[pa.Table]:
    """`_planned` of what begins with the shards of an ``earlier`` plan (key, split, name). Held are that one's keys and
    numbers and the rows of what is kept, which are put in order by numbers alone."""
    before = pl.concat(map(_numbers, earlier)).sort("key")
    planned = pl.concat([_as_before(table, before) for table in kept])
    shards = before.select("split", "number").unique()
    del before
    is_new = pl.col("number").is_null()
    first = shards.group_by("split").agg(first=pl.col("number").max() + 1)
    planned = planned.join(first, on="split", how="left", maintain_order="left")
    number = pl.col("first").fill_null(0) + pl.int_range(pl.len(), dtype=pl.Int32).over("split", is_new) // per_shard
    planned = planned.with_columns(number=pl.when(is_new).then(number).otherwise("number"))
    emptied = shards.join(planned, on=["split", "number"], how="anti")
    emptied = emptied.with_columns(key=pl.lit(NOBODY), partition=pl.lit(-1, pl.Int32))
    planned = pl.concat([planned, emptied], how="diagonal")
    order = planned.select(pl.arg_sort_by("split", "number", maintain_order=True)).to_series()
    shard = planned.select("split", "number")[order].to_struct("shard").rle_id()
    for at in range(0, max(len(order), 1), SLICE):
        yield _rows(planned[order.slice(at, SLICE)].with_columns(shard.slice(at, SLICE)))


def _numbers(plan: pa.Table) -> pl.DataFrame:
    numbered = pl.col("split").cast(pl.Enum(SPLITS)), pl.col("name").cast(pl.Int32).alias("number")
    return cast("pl.DataFrame", pl.from_arrow(plan)).select("key", *numbered)


def _as_before(kept: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Some that are ``kept``, with the ``number`` of the shard that each had ``before`` (in the order of keys) or null;
    their keys are a range, or nearly, so few of those before are looked at."""
    ends = kept.select(pl.col("key").min().alias("first"), pl.col("key").max().alias("last")).row(0)
    start, stop = (before["key"].search_sorted(ends[i] or "", ("left", "right")[i]) for i in (0, 1))
    return kept.join(before.slice(start, stop - start), on=["key", "split"], how="left", maintain_order="left")
