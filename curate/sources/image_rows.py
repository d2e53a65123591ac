"""Images that lie in a Parquet table: Hugging Face's structs of bytes and path, lists of them, or bytes alone.

A row's bytes are found by its number. Parquet is read forwards: rows asked for in their order cost one pass over the
row groups they lie in, with a batch of rows in memory; a row behind the last one asked for costs its group's beginning.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.places import is_remote, place

_BATCH_BYTES = 1 << 25  # of images in memory at a time, in the mean
_LOOKED_AT = 16  # rows that show whether bytes are images


@dataclass(frozen=True)
class ImageColumn:
    """A column that holds images. ``several``: a list of them a row; ``field``: of a struct, what holds the bytes."""

    name: str
    several: bool
    field: str | None


def image_columns(table: pq.ParquetFile) -> list[ImageColumn]:
    """The table's columns of images, by their types; of plain bytes by the first ones' content."""
    found = []
    for field in table.schema_arrow:
        several = pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
        kind = field.type.value_type if several else field.type
        if pa.types.is_struct(kind):
            if kind.get_field_index("bytes") >= 0 and _is_bytes(kind.field("bytes").type):
                found.append(ImageColumn(field.name, several, "bytes"))
        elif _is_bytes(kind) and not several and _holds_images(table, field.name):
            found.append(ImageColumn(field.name, False, None))
    return found


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _holds_images(table: pq.ParquetFile, name: str) -> bool:
    from curate.sources.sniff import HEAD_BYTES, kind_of  # pydicom: only where there are bytes to look at

    for batch in table.iter_batches(batch_size=_LOOKED_AT, columns=[name], use_threads=False):
        values = [v for v in batch.column(0).to_pylist() if v]
        return bool(values) and all(kind_of(v[:HEAD_BYTES]) != "none" for v in values)
    return False


def list_images(table: pq.ParquetFile) -> Iterator[tuple[int, str]]:
    """(row from 0, member's name) of every image whose bytes are in the table, in the rows' order. A null is none."""
    columns = image_columns(table)
    entries = [_counts(table, column) for column in columns]
    for row in range(table.metadata.num_rows):
        for column, counts in zip(columns, entries, strict=True):
            n = 1 if counts is None else counts[row]
            names = [f"{column.name}.{i}" for i in range(n)] if column.several else [column.name][:n]
            for name in names:
                yield row, f"{row + 1}/{name}"


def path_column(table: pq.ParquetFile, column: ImageColumn) -> str | None:
    """What to read of a column to know the paths of images that are not in the table; None where all of them are."""
    if column.field is None or column.several or _nulls(table, column) == 0:
        return None
    kind = table.schema_arrow.field(column.name).type
    alone = kind.get_field_index("path") >= 0 and _nulls(table, column) == table.metadata.num_rows
    return f"{column.name}.path" if alone else column.name


def paths_of(values: pa.Array) -> list[str | None]:
    """The paths in structs that hold no bytes; None for those that do."""
    if values.type.get_field_index("path") < 0:
        return [None] * len(values)
    paths = pc.struct_field(values, "path")
    if values.type.get_field_index("bytes") >= 0:
        paths = pc.if_else(pc.is_valid(pc.struct_field(values, "bytes")), None, paths)
    found: list[str | None] = paths.to_pylist()
    return found


def _counts(table: pq.ParquetFile, column: ImageColumn) -> list[int] | None:
    """How many images each row has; None where every row has one, as the table's statistics say."""
    if not column.several and _nulls(table, column) == 0:
        return None
    found: list[int] = []
    for batch in _batches(table, column, range(table.num_row_groups)):
        values = batch.column(0)
        if column.several:
            found += pc.fill_null(pc.list_value_length(values), 0).to_pylist()
        else:
            found += _bytes(values, column).is_valid().cast(pa.int8()).to_pylist()
    return found


def _nulls(table: pq.ParquetFile, column: ImageColumn) -> int | None:
    """How many rows have no bytes, None where the table does not say."""
    path = column.name if column.field is None else f"{column.name}.{column.field}"
    places = [i for i in range(table.metadata.num_columns) if table.schema.column(i).path == path]
    chunks = [table.metadata.row_group(g).column(i) for g in range(table.num_row_groups) for i in places]
    nulls = [c.statistics.null_count if c.is_stats_set and c.statistics.has_null_count else None for c in chunks]
    return None if not places or None in nulls else sum(n for n in nulls if n)


def _batches(table: pq.ParquetFile, column: ImageColumn, groups: range) -> Iterator[pa.RecordBatch]:
    size = sum(table.metadata.row_group(g).total_byte_size for g in groups)
    rows = sum(table.metadata.row_group(g).num_rows for g in groups)
    batch = max(1, min(1024, rows * _BATCH_BYTES // max(size, 1)))
    leaf = f"{column.name}.{column.field}" if column.field and not column.several else column.name
    return iter(table.iter_batches(batch, row_groups=list(groups), columns=[leaf], use_threads=False))


def _bytes(values: pa.Array, column: ImageColumn) -> pa.Array:
    return values if column.field is None else pc.struct_field(values, column.field)


def read_image(path: str, row: int, name: str) -> bytes:
    """The bytes of the image ``name`` (as `list_images` says) of ``row``; KeyError where there is none, ArrowException
    and OSError as pyarrow raises them."""
    info = place(path).stat()
    column, _, number = name.partition("/")[2].rpartition(".")
    cursors = _cursors(path, info.st_size, info.st_mtime_ns, os.getpid())
    if column in cursors and cursors[column].column.several:
        values = cursors[column].value(row) or []
        entry = values[int(number)] if number.isdigit() and int(number) < len(values) else None
        value = entry if entry is None or cursors[column].column.field is None else entry["bytes"]
    else:
        value = cursors[name.partition("/")[2]].value(row)
    if value is None:
        raise KeyError(row)
    return bytes(value)


@lru_cache(maxsize=2)
def _cursors(path: str, size: int, mtime_ns: int, process: int) -> dict[str, _Cursor]:
    """One a column; a table is opened once as long as it is the same, and a process has its own."""
    file = place(path).open("rb") if is_remote(place(path)) else path
    table = pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
    return {column.name: _Cursor(table, column) for column in image_columns(table)}


class _Cursor:
    """A place in a column that moves forwards."""

    def __init__(self, table: pq.ParquetFile, column: ImageColumn) -> None:
        self.column, self._table = column, table
        rows = [table.metadata.row_group(g).num_rows for g in range(table.num_row_groups)]
        self._starts = [0, *accumulate(rows)]
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._first, self._values, self._end = 0, pa.array([]), 0  # the batch at hand; where its row group ends

    def value(self, row: int) -> Any:
        """What stands in ``row``; KeyError beyond the last."""
        if not 0 <= row < self._starts[-1]:
            raise KeyError(row)
        if row < self._first or row >= self._end:
            group = bisect_right(self._starts, row) - 1
            self._batches = _batches(self._table, self.column, range(group, group + 1))
            self._first, self._values, self._end = self._starts[group], pa.array([]), self._starts[group + 1]
        while row >= self._first + len(self._values):
            self._first += len(self._values)
            batch = next(self._batches, None)
            if batch is None:  # fewer rows than the table's footer says
                raise KeyError(row)
            values = batch.column(0)
            self._values = values if self.column.several else _bytes(values, self.column)
        return self._values[row - self._first].as_py()
