"""Small columns of a step's parts: some rows at a time, or all of some partitions. Parts are ranges of keys in their
order, so what lies in a partition of one step lies in the same one of another.

A million records in parts of 500 take some .6 ms a part to open, longer than to read; larger ones take less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curate.intact import part_path, part_paths
from curate.storage import read_batches, whole_or_damaged

SLICE = 1 << 16  # rows, about, that are held at a time; of more, what looks their keys up fits no CPU's cache


def read_slices(folder: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """``columns``, partition among them, of a step of one part, whole partitions of about `SLICE` rows at a time; at
    least one table."""
    batches = read_batches(part_path(folder, 0), columns, SLICE)
    rest = next(batches)
    for table in batches:
        numbers = rest["partition"].to_numpy()
        whole = int(np.searchsorted(numbers, numbers[-1]))  # the last partition may go on
        if whole:
            yield rest.slice(0, whole).combine_chunks()
        rest = pa.concat_tables([rest.slice(whole), table])
    yield rest.combine_chunks()


def read_columns(
    folder: Path, columns: Sequence[str], coded: Sequence[str] = (), partitions: range | None = None
) -> pa.Table:
    """``columns`` of a finished step's parts, or of those ``partitions``, in partition order; a table without columns
    if it has no parts.

    Those of ``coded`` come as dictionary arrays. KeyError for a missing column.
    """
    tables = []
    for path in part_paths(folder) if partitions is None else [part_path(folder, i) for i in partitions]:
        with suppress(FileNotFoundError):  # of a step whose input was empty
            tables.append(_read(path, columns))
    if not tables:
        return pa.table({})
    table = pa.concat_tables(tables)
    for name in coded:
        table = table.set_column(table.column_names.index(name), name, table[name].combine_chunks().dictionary_encode())
    return table


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    """`read_table` of few columns of a small part, in half its time."""
    with whole_or_damaged(path), path.open("rb") as file:
        part = pq.ParquetFile(file, page_checksum_verification=True)
        return part.read(list(columns), use_threads=False).select(list(columns))


def columns_in(folder: Path) -> list[str]:
    """The names of a step's columns; empty if it has no parts."""
    parts = part_paths(folder)
    if not parts:
        return []
    with parts[0].open("rb") as file:
        return list(pq.read_schema(file).names)


def fixed_bytes(column: pa.Array) -> NDArray[np.bytes_]:
    """A text column without nulls as numpy bytes, S<width>[n]; without a copy if all have one length, as keys have."""
    width = len(column[0].as_py()) if len(column) else 0
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset :][: len(column) + 1] if width else None
    if offsets is not None and column.type == pa.string() and (np.diff(offsets) == width).all():
        data = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
        return data.view(f"S{width}")
    return np.asarray(column.to_pylist(), dtype=np.bytes_)


def row_indices(keys: pa.Array, known: pa.ChunkedArray) -> pa.Array | None:
    """int32[n]: the row of each key in ``known``, null if it is not there; None if the two are equal."""
    return None if keys.equals(known.combine_chunks()) else pc.index_in(keys, value_set=known)


def take_rows(column: pa.ChunkedArray, rows: pa.Array | None) -> pa.Array:
    """The values at ``rows`` as `row_indices` gives them, null where a row is null."""
    whole = column.combine_chunks()
    return whole if rows is None else whole.take(rows)
