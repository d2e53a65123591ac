"""A cache of small columns of a step's parts: one memory-mapped file beside them.

A million records lie in some thousand parts; opening those takes seconds. The cache is an Arrow file, with
low-cardinality text as dictionary codes, written by the first selection. It is rebuilt if the parts are newer or
different, or if it does not match its checksum.
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

from curate.intact import part_path, part_paths, partition_of
from curate.places import is_remote
from curate.storage import (
    commit_bytes,
    commit_marker,
    digest,
    digest_file,
    read_batches,
    read_marker,
    read_table,
    whole_or_damaged,
)

FEW, SMALL = 8, 16_000_000  # parts and bytes up to which no cache is written
SLICE = (
    1 << 16
)  # rows, about, that are held at a time: more are slower, since what looks keys up no longer fits a cache
_Part = tuple[str, int, int]
_CHECKED = {"page_checksum_verification": True}


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

    Those of ``coded`` come as dictionary arrays. KeyError or ArrowInvalid for a missing column.
    """
    parts = _parts(folder, partitions)
    if not parts:
        return pa.table({})
    if is_remote(folder):  # cannot be mapped: the columns are fetched from the parts
        return _read(folder, parts, columns, coded)
    if len(parts) <= FEW and sum(size for _, size, _ in parts) <= SMALL:
        return _read(folder, parts, columns, coded)
    made_of = digest(*(f"{name}|{size}" for name, size, _ in parts), *columns, "", *coded)
    copy = folder / f"narrow-{digest(parts[0][0], *columns, '', *coded)[:16]}.arrow"
    newest = max(changed for _, _, changed in parts)
    if copy.exists() and copy.stat().st_mtime_ns >= newest:
        marker = read_marker(copy.with_suffix(".json"))
        if marker == {"made_of": made_of, "sha256": digest_file(copy)}:
            return pa.ipc.open_file(pa.memory_map(str(copy))).read_all()
    table = _read(folder, parts, columns, coded).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    data = sink.getvalue()
    with suppress(PermissionError):  # of who may only read: then every time takes as long as the first
        commit_bytes(copy, data)
        commit_marker(copy.with_suffix(".json"), {"made_of": made_of, "sha256": digest(data)})
    return table


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


def _parts(folder: Path, partitions: range | None) -> list[_Part]:
    """(name, bytes, ns of the last change) of each part, in partition order."""
    if is_remote(folder) or partitions is None:
        found = [path for path in part_paths(folder) if partitions is None or partition_of(path) in partitions]
    else:  # not a list of all for each slice
        found = [path for path in (part_path(folder, i) for i in partitions) if path.is_file()]
    return [(path.name, (info := path.stat()).st_size, info.st_mtime_ns) for path in found]


def _read(
    folder: Path, parts: Sequence[tuple[str, int, int]], columns: Sequence[str], coded: Sequence[str]
) -> pa.Table:
    with whole_or_damaged(folder / parts[0][0]):  # the run's integrity check finds out which part it is
        if is_remote(folder):
            table = pa.concat_tables([read_table(folder / name, columns) for name, _, _ in parts])
        else:
            import pyarrow.dataset as ds  # only where no cache serves: it takes as long as all other imports

            whole = ds.ParquetFileFormat(default_fragment_scan_options=ds.ParquetFragmentScanOptions(**_CHECKED))
            paths = [str(folder / name) for name, _, _ in parts]
            table = ds.dataset(paths, format=whole).to_table(columns=list(columns))
    for name in coded:
        table = table.set_column(table.column_names.index(name), name, table[name].combine_chunks().dictionary_encode())
    return table
