"""A patient's records taken out of a step's tables, so that nothing else changes a byte."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from curate.record import Reason

NOBODY = ""  # the key of a row of a plan that keeps the number of a shard whose records have all gone
_NAMES_ANOTHER = ("cluster", "duplicate_of")  # columns of a row that name another row


def without(table: pa.Table, keys: Collection[str]) -> pa.Table:
    """The table without the rows under ``keys``, and without their names in other rows: a cluster whose representative
    went is called by its rows' own keys."""
    if "key" not in table.column_names:
        return table
    table = table.cast(pa.schema([f.with_type(_as_made(f.type)) for f in table.schema], table.schema.metadata))
    gone = pa.array(sorted(keys), pa.string())
    table = table.filter(pc.invert(pc.is_in(table["key"], value_set=gone)))
    for name in _NAMES_ANOTHER:
        if name in table.column_names:
            own = table["key"] if name == "cluster" else pa.nulls(table.num_rows, pa.string())
            named = pc.if_else(pc.is_in(table[name], value_set=gone), own, table[name])
            table = table.set_column(table.column_names.index(name), table.schema.field(name), named)
    return table


def _as_made(kind: pa.DataType) -> pa.DataType:
    """The type as stages make it: Parquet gives the parts of lists and maps names of its own, which would be other
    bytes."""
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_as_made(kind.value_type), kind.list_size)
    if pa.types.is_list(kind):
        return pa.list_(_as_made(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, kind.item_type)
    return kind


def without_planned(table: pa.Table, keys: Collection[str]) -> pa.Table:
    """`without`, of a SHARD_PLAN: the others stay in their shards, and one that is empty now is still one, of a row
    that is `NOBODY`'s."""
    left = without(table, keys)
    empty = pc.invert(pc.is_in(table["shard"], value_set=left["shard"].combine_chunks()))
    first = (
        table.filter(empty).group_by("shard", use_threads=False).aggregate([(n, "first") for n in ("split", "name")])
    )
    rows = [
        {"key": NOBODY, "shard": r["shard"], "split": r["split_first"], "name": r["name_first"], "partition": -1}
        for r in first.to_pylist()
    ]
    both = pa.concat_tables([left, pa.Table.from_pylist(rows, left.schema)])
    return both.take(pc.sort_indices(both["shard"])) if rows else left


def withdrawn_fates(table: pa.Table, keys: Collection[str], names: Mapping[str, str]) -> pa.Table:
    """FATE rows: those under ``keys`` say that they were withdrawn and nothing else, under another name (``names``):
    every file of the archive stays in the count."""
    gone = pc.is_in(table["key"], value_set=pa.array(sorted(keys), pa.string()))
    said = {"drop_step": "index", "drop_reason": Reason.WITHDRAWN.value}
    for name in table.column_names:
        field = table.schema.field(name)
        if name == "key":
            new = pa.array([names.get(key, key) for key in table["key"].to_pylist()], pa.string())
        else:
            new = pc.if_else(gone, pa.scalar(said.get(name), field.type), table[name])
        table = table.set_column(table.column_names.index(name), field, new)
    return table
