"""Remove a patient's records from a step's tables without changing another byte."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from curate.record import Reason

NOBODY = ""  # key of the plan's row for a shard whose records were all removed: the shard keeps its number
_REFERENCES = ("cluster", "duplicate_of")  # columns that refer to another row


def without_records(table: pa.Table, keys: Collection[str]) -> pa.Table:
    """The table without the rows under ``keys``, and without references to them in other rows: in a cluster whose
    representative is removed, each row becomes its own cluster."""
    if "key" not in table.column_names:
        return table
    table = table.cast(pa.schema([f.with_type(_canonical_type(f.type)) for f in table.schema], table.schema.metadata))
    removed = pa.array(sorted(keys), pa.string())
    table = table.filter(pc.invert(pc.is_in(table["key"], value_set=removed)))
    for name in _REFERENCES:
        if name in table.column_names:
            own = table["key"] if name == "cluster" else pa.nulls(table.num_rows, pa.string())
            named = pc.if_else(pc.is_in(table[name], value_set=removed), own, table[name])
            table = table.set_column(table.column_names.index(name), table.schema.field(name), named)
    return table


def _canonical_type(kind: pa.DataType) -> pa.DataType:
    """The type as stages make it: Parquet has its own names for the parts of lists and maps, which would change
    bytes."""
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_canonical_type(kind.value_type), kind.list_size)
    if pa.types.is_list(kind):
        return pa.list_(_canonical_type(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, kind.item_type)
    return kind


def without_planned(table: pa.Table, keys: Collection[str]) -> pa.Table:
    """`without_records` for a SHARD_PLAN: other records stay in their shards, and a shard that becomes empty keeps one
    row, under `NOBODY`."""
    remaining = without_records(table, keys)
    empty = pc.invert(pc.is_in(table["shard"], value_set=remaining["shard"].combine_chunks()))
    first = (
        table.filter(empty).group_by("shard", use_threads=False).aggregate([(n, "first") for n in ("split", "name")])
    )
    rows = [
        {"key": NOBODY, "shard": r["shard"], "split": r["split_first"], "name": r["name_first"], "partition": -1}
        for r in first.to_pylist()
    ]
    both = pa.concat_tables([remaining, pa.Table.from_pylist(rows, remaining.schema)])
    return both.take(pc.sort_indices(both["shard"])) if rows else remaining


def withdrawn_fates(table: pa.Table, keys: Collection[str], names: Mapping[str, str]) -> pa.Table:
    """FATE rows in which those under ``keys`` have only the reason WITHDRAWN, under a new key (``names``), so that
    every file of the archive is still counted."""
    withdrawn = pc.is_in(table["key"], value_set=pa.array(sorted(keys), pa.string()))
    outcome = {"drop_step": "index", "drop_reason": Reason.WITHDRAWN.value}
    for name in table.column_names:
        field = table.schema.field(name)
        if name == "key":
            new = pa.array([names.get(key, key) for key in table["key"].to_pylist()], pa.string())
        else:
            new = pc.if_else(withdrawn, pa.scalar(outcome.get(name), field.type), table[name])
        table = table.set_column(table.column_names.index(name), field, new)
    return table
