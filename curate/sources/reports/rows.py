"""Report files as records with their own types, streaming: what cannot be read is a Reason in a record's place.

The one reader of `curate run` (`curate.sources.reports.read`, which takes the columns that a recipe names) and of
`curate deid` (which keeps every column, its type and its nesting). A record is a dict: of a CSV or a workbook str to
str, of JSON and Parquet whatever they hold.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.identity import folded
from curate.sources.image_rows import ImageColumn, image_columns, path_column, paths_of
from curate.sources.reports.formats import (
    HEAD,
    MAX_BYTES,
    Format,
    decode,
    format_of,
    mended,
    open_bytes,
    reading,
    text_encoding,
)  # fmt: skip
from curate.sources.reports.messages.cda import read_cda
from curate.sources.reports.messages.hl7 import Message, message_text, read_messages
from curate.sources.reports.tables.columns import Kinds
from curate.sources.reports.tables.dialect import read_csv
from curate.sources.reports.tables.documents import documents, parsed
from curate.sources.reports.tables.workbook import MAX_WORKBOOK, read_workbook

Record = dict[str, Any] | Reason
MAX_REPORT_BYTES = 1 << 24  # a text file beyond this is not one report
_MAX_DOCUMENT = 1 << 28  # bytes of a JSON document, which is read whole
_MAX_LINE = 1 << 24  # characters: a line without an end must not fill the memory
_PIECE = 1 << 16
_BATCH = 1024
_SAMPLE = 500  # records that show what a file's columns hold
_LOOK_AHEAD = 1000  # records that show which names a file without a header has


@dataclass(frozen=True)
class Records:
    """An open report file. ``columns`` are unique (a second "id" is "id#2"); of JSON there are none. ``names`` are the
    columns as they stand in the file, ``schema`` a Parquet file's, ``images``: whether it holds some."""

    format: Format
    columns: tuple[str, ...]
    names: tuple[str, ...]
    rows: Iterator[Record]
    schema: pa.Schema | None = None
    images: bool = False


@contextmanager
def open_records(
    path: Path, max_bytes: int = MAX_BYTES, format: Format | None = None, wanted: Collection[str] | None = None
) -> Iterator[Records]:
    """The records of a file of ``format`` (None: as its name says), a .gz inflated to ``max_bytes`` at most.

    A text file is one record {"text": ...}, an order of an HL7 message one {"accession": ..., "text": ...}. ``wanted``
    are the columns asked for, in any letter case: of a Parquet file no other is read, of a workbook they choose the
    sheet, of a JSON document its form. Raises DropRecord:
    UNREADABLE_FILE, EMPTY_FILE; REFUSED_KIND where the content is of another kind; BAD_ENCODING; TOO_LARGE. Once begun,
    the rows raise it where the file can be read no further.
    """
    kind = format or format_of(path.name)
    if kind is None:
        raise DropRecord(Reason.REFUSED_KIND)
    with open_bytes(path, kind, max_bytes) as file:
        yield _opened(file, kind, wanted)


@contextmanager
def open_typed(path: Path, max_bytes: int = MAX_BYTES) -> Iterator[tuple[Records, Kinds, Iterator[Record]]]:
    """(records, kinds of their columns, rows) of a file: what a column holds is shown by its first rows, the order of
    day and month by any of them. Raises as `open_records`."""
    with open_records(path, max_bytes) as records:
        head = list(islice(records.rows, _SAMPLE))
        kinds = Kinds(r for r in head if not isinstance(r, Reason))
        if len(head) == _SAMPLE and kinds.undecided:
            with suppress(DropRecord), open_records(path, max_bytes) as again:
                kinds.see_orders(r for r in again.rows if not isinstance(r, Reason))
        yield records, kinds, chain(head, records.rows)


def named_rows(records: Records, nested: bool = False) -> tuple[list[str], Iterator[Record]]:
    """(names, rows): of a file without a header the names that its first records have; where it can be read no further
    a last row says why. ``nested``: the fields of a record's fields are columns too, by names as "report.text"."""
    rows = _to_the_end(records.rows)
    if nested and records.format in ("json", "jsonl", "parquet"):
        rows = (row if isinstance(row, Reason) else dict(_flat(row)) for row in rows)
    if records.names and not (nested and records.format == "parquet"):
        return list(records.names), rows
    head = list(islice(rows, _LOOK_AHEAD))
    names = dict.fromkeys(name for row in head if not isinstance(row, Reason) for name in row)
    return list(dict.fromkeys([*records.names, *names])), chain(head, rows)


def _flat(record: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        yield before + name, value
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")


def _to_the_end(rows: Iterator[Record]) -> Iterator[Record]:
    try:
        yield from rows
    except DropRecord as dropped:
        yield dropped.reason


def _opened(file: Any, kind: Format, wanted: Collection[str] | None) -> Records:
    if kind == "txt":
        return Records(kind, ("text",), ("text",), iter([{"text": decode(_whole(file, MAX_REPORT_BYTES))}]))
    if kind in ("hl7", "cda"):
        found = _messages(file, kind)
        return Records(kind, (), (), (m.reason or m.record() for m in found))
    if kind == "parquet":
        return _parquet(file, wanted)
    if kind == "xlsx":
        names, cells = read_workbook(_whole(file, MAX_WORKBOOK), wanted)
        return Records("xlsx", _unique(names), tuple(names), _rows(cells, _unique(names), Reason.NOT_A_REPORT))
    if kind == "json" or (kind == "jsonl" and file.peek(64)[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["):
        return Records("json", (), (), map(_json_record, documents(decode(_whole(file, _MAX_DOCUMENT)), wanted)))
    with reading():
        codec, errors = text_encoding(file.peek(HEAD)[:HEAD])
        lines = _lines(io.TextIOWrapper(file, encoding=codec, errors=errors, newline=""))
        if kind == "jsonl":
            return Records(kind, (), (), _json_lines(lines))
        names, rows = read_csv(lines, wanted or ())
    if not names:
        raise DropRecord(Reason.BAD_ENCODING)
    columns = _unique(names)
    return Records("csv", columns, tuple(names), _rows(rows, columns, Reason.BROKEN_ROW))


def open_messages(path: Path, kind: Literal["hl7", "cda"]) -> Iterator[Message]:
    """What a file of HL7 messages reports, an order each; or a CDA document. Raises DropRecord as `open_records`."""
    with open_bytes(path, kind) as file:
        yield from _messages(file, kind)


def _messages(file: Any, kind: Format) -> Iterator[Message]:
    if kind == "cda":
        return iter([read_cda(_whole(file, MAX_REPORT_BYTES))])
    return read_messages(message_text(_whole(file, _MAX_DOCUMENT)))


def _whole(file: Any, limit: int) -> bytes:
    with reading():
        raw: bytes = file.read(_PIECE)
        if len(raw) == _PIECE:  # room for as much as there may be is made only where there is more
            raw += file.read(limit + 1 - _PIECE)
    if len(raw) > limit:
        raise DropRecord(Reason.TOO_LARGE)
    return raw


def _lines(stream: io.TextIOWrapper) -> Iterator[str]:
    """Lines with their own ends."""
    with reading():
        while line := stream.readline(_MAX_LINE):
            if len(line) == _MAX_LINE:
                raise DropRecord(Reason.TOO_LARGE)
            if whole := line.strip("\0\x1a"):  # what a crash or a fixed size has filled up with, DOS's end of a file
                yield whole


def _unique(names: Collection[str]) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    columns = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        columns.append(name if counts[name] == 1 else f"{name}#{counts[name]}")
    return tuple(columns)


def _rows(rows: Iterator[list[str] | None], columns: tuple[str, ...], otherwise: Reason) -> Iterator[Record]:
    for cells in rows:
        yield otherwise if cells is None else mended(dict(zip(columns, cells, strict=False)))


def _json_lines(lines: Iterator[str]) -> Iterator[Record]:
    return (_json_record(parsed(line.strip().rstrip(","))) for line in lines if line.strip())


def _json_record(value: Any) -> Record:
    return mended(value) if isinstance(value, dict) else Reason.BROKEN_ROW


def _parquet(file: Any, wanted: Collection[str] | None) -> Records:
    with reading():
        parquet = pq.ParquetFile(file)
        schema = parquet.schema_arrow.remove_metadata()
        images = [] if wanted is None else image_columns(parquet)
    columns = _unique(schema.names)
    rows = _parquet_rows(parquet, columns, wanted, images)
    return Records("parquet", columns, tuple(schema.names), rows, schema, bool(images))


def _parquet_rows(
    parquet: Any, columns: tuple[str, ...], wanted: Collection[str] | None, images: Sequence[ImageColumn]
) -> Iterator[Record]:
    wanted_names = None if wanted is None else set(map(folded, wanted))
    names = [name for name in columns if wanted_names is None or folded(name) in wanted_names]
    with reading():
        paths = {column.name: path_column(parquet, column) for column in images}
        held_names = [name for name in names if paths.get(name, name)]  # of images that the table holds nothing is read
        read = [paths.get(name) or name for name in held_names]
        for batch in parquet.iter_batches(batch_size=_BATCH, use_threads=False, columns=read):
            lists = [
                paths_of(column) if name in paths else _values(column, keep_bytes=wanted is not None)
                for name, column in zip(held_names, batch.columns, strict=True)
            ]
            for i in range(batch.num_rows):
                row = {name: values[i] for name, values in zip(held_names, lists, strict=True)}
                yield mended(row if held_names == names else {name: row.get(name) for name in names})


def _values(column: pa.Array, keep_bytes: bool) -> list[Any]:
    """A column's values: strings with what is not UTF-8, since Parquet does not promise it, left for `mend`; days and
    times as Arrow writes them, since Python's own end at the year 9999."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    binary = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if text or (binary and keep_bytes):  # texts that a writer did not mark as such
        raw = column.cast(pa.large_binary()).to_pylist()
        return [None if v is None else v.decode("utf-8", "surrogateescape") for v in raw]
    if pa.types.is_time(column.type) and keep_bytes:
        column = column.cast(pa.string())
    elif not is_plain(column.type):
        column = pa.nulls(len(column), pa.string())
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp(column.type.unit)).cast(pa.string())
    elif pa.types.is_date(column.type):
        column = column.cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values


def is_plain(kind: pa.DataType) -> bool:
    """False for a type that nothing is known to be kept of: maps, unions, durations, views, extensions."""
    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return is_plain(kind.value_type)
    if types.is_struct(kind):
        return all(is_plain(field.type) for field in kind)
    if types.is_dictionary(kind):
        return is_plain(kind.value_type)
    number = types.is_integer(kind) or types.is_float32(kind) or types.is_float64(kind) or types.is_decimal(kind)
    text = types.is_string(kind) or types.is_large_string(kind)
    return bool(number or text or types.is_boolean(kind) or types.is_date(kind) or types.is_timestamp(kind))
