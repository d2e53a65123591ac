"""Report files as records with their own types, streaming: what cannot be read is a Reason in a record's place.

The one reader of `curate run` (`curate.sources.reports.read`, which takes the columns that a recipe names) and of
`curate deid` (which keeps every column, its type and its nesting). A record is a dict: of a CSV or a workbook str to
str, of JSON and Parquet whatever they hold.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.identity import folded
from curate.sources.image_rows import ImageColumn, image_columns, path_column, paths_of
from curate.sources.reports.columns import Kinds, safe_name
from curate.sources.reports.dialect import read_csv
from curate.sources.reports.formats import (
    HEAD,
    MAX_BYTES,
    Format,
    as_string,
    decode,
    format_of,
    mended,
    open_bytes,
    reading,
    text_encoding,
)  # fmt: skip
from curate.sources.reports.hl7 import Message, message_text, read_messages
from curate.sources.reports.xml import read_cda

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
        text = _text(_whole(file, MAX_REPORT_BYTES))
        return Records(kind, ("text",), ("text",), iter([{"text": text}]))
    if kind in ("hl7", "cda"):
        found = _messages(file, kind)
        return Records(kind, (), (), (m.reason or m.record() for m in found))
    if kind == "parquet":
        return _parquet(file, wanted)
    if kind == "xlsx":
        names, cells = read_workbook(_whole(file, MAX_WORKBOOK), wanted)
        return Records("xlsx", _unique(names), tuple(names), _rows(cells, _unique(names), Reason.NOT_A_REPORT))
    if kind == "json" or (kind == "jsonl" and file.peek(64)[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["):
        return Records("json", (), (), map(_json_record, documents(_text(_whole(file, _MAX_DOCUMENT)), wanted)))
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
    text = message_text(_whole(file, _MAX_DOCUMENT))
    if text is None:
        raise DropRecord(Reason.BAD_ENCODING)
    return read_messages(text)


def _whole(file: Any, limit: int) -> bytes:
    with reading():
        raw: bytes = file.read(_PIECE)
        if len(raw) == _PIECE:  # room for as much as there may be is made only where there is more
            raw += file.read(limit + 1 - _PIECE)
    if len(raw) > limit:
        raise DropRecord(Reason.TOO_LARGE)
    return raw


def _text(raw: bytes) -> str:
    text = decode(raw)
    if text is None:
        raise DropRecord(Reason.BAD_ENCODING)
    return text


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


# -- JSON --------------------------------------------------------------------------------------------------------------


def _json_lines(lines: Iterator[str]) -> Iterator[Record]:
    return (_json_record(parsed(line.strip().rstrip(","))) for line in lines if line.strip())


def _json_record(value: Any) -> Record:
    return mended(value) if isinstance(value, dict) else Reason.BROKEN_ROW


# of a document the forms that exports and pandas write, told by where the names of columns stand:
#
# [{...}, {...}]                                      an array of records
# {"records": [{...}], ...}                           arrays in an object; of several each record's "key" says which
# {"accession": {"0": "A1"}, "text": {"0": "..."}}    a table by columns, also with lists, also pandas' "split"
# {"A1": {"text": "..."}}, {"A1": "..."}              records by their ids, which become "key"; a bare text is "text"
# {...}                                               one record
KEY, TEXT = "key", "text"
_BETWEEN = re.compile(r"[\s,]*")
_JSON = json.JSONDecoder(strict=False)  # tabs and line breaks that nobody has escaped stay what they are


def parsed(text: str) -> Any:
    """The value, or None where it is no JSON."""
    try:
        return _JSON.decode(text)
    except (ValueError, RecursionError):
        return None


def documents(text: str, wanted: Collection[str] | None = None) -> Iterator[Any]:
    """The records of a JSON document; of one that is no document its lines. ``wanted``: columns asked for, where they
    are known, which decide between the forms."""
    whole = parsed(text)
    if whole is None:
        return iter(_in_turn(text) or [parsed(line) for line in text.splitlines() if line.strip()])
    if isinstance(whole, dict) and whole:
        whole = _of_object(whole, None if wanted is None else {folded(name) for name in wanted})
    return iter(whole if isinstance(whole, list) else [whole])


def _in_turn(text: str) -> list[Any]:
    """Values one behind the other, whatever line breaks they have, commas between or none; [] where they are not."""
    found: list[Any] = []
    at = 0
    while (start := _BETWEEN.match(text, at)) is not None and (at := start.end()) < len(text):
        try:
            value, at = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            return []
        found.append(value)
    return found


def _of_object(whole: dict[str, Any], wanted: Collection[str] | None) -> Any:
    values = list(whole.values())
    if arrays := _arrays(whole, wanted):
        return arrays
    deeper = [found for v in values if isinstance(v, dict) and _named((found := _arrays(v, wanted) or [{}])[0], wanted)]
    if wanted and len(deeper) == 1 and not _named(whole, wanted):  # {"data": {"reports": [...]}}
        return deeper[0]
    if {"columns", "data"} <= whole.keys() <= {"columns", "data", "index"}:
        return [
            dict(zip(whole["columns"], row, strict=False)) if isinstance(row, list) else row for row in whole["data"]
        ]
    if all(isinstance(v, dict) and v for v in values):
        inner, outer = _named(values[0], wanted), _named(whole, wanted)
        if inner > outer:
            return [{KEY: key, **record} for key, record in whole.items()]
        if all(v.keys() == values[0].keys() for v in values):
            return [{name: column[row] for name, column in whole.items()} for row in values[0]]
    if len(whole) > 1 and all(isinstance(v, list) and len(v) == len(values[0]) for v in values):
        return [dict(zip(whole, row, strict=True)) for row in zip(*values, strict=True)]
    if all(isinstance(v, str) for v in values) and _are_ids(whole, wanted):
        return [{KEY: key, TEXT: text} for key, text in whole.items()]
    return whole


def _arrays(whole: dict[str, Any], wanted: Collection[str] | None) -> list[Any]:
    """Every record of the object's arrays of records: of those alone that have columns asked for, if any has."""
    arrays = {k: v for k, v in whole.items() if isinstance(v, list) and v and isinstance(v[0], dict)}
    meant = {k: v for k, v in arrays.items() if wanted and _named(v[0], wanted)} or arrays
    if len(meant) == 1:
        return next(iter(meant.values()))
    return [{KEY: key, **r} if isinstance(r, dict) else r for key, records in meant.items() for r in records]


def _named(keys: Iterable[str], wanted: Collection[str] | None) -> int:
    """How many of ``keys`` are names of columns."""
    if wanted is not None:
        return sum(folded(key) in wanted for key in keys)
    return sum(not _is_id(key) and safe_name(key) is not None for key in keys)


def _is_id(key: str) -> bool:
    """Half of it digits, or a digit in what no column is called: "A1" and "CR-2024-AX", not "finding2"."""
    digits, letters = (sum(map(test, key)) for test in (str.isdigit, str.isalpha))
    return digits > 0 and (digits >= letters or safe_name(key) is None)


def _are_ids(keys: Iterable[str], wanted: Collection[str] | None) -> bool:
    """Are these ids, and no columns? Where nobody asks for their column, only what has digits is surely an id."""
    if wanted and (KEY in wanted or _named(keys, wanted)):
        return not _named(keys, wanted)
    return all(map(_is_id, keys))


# -- workbooks ---------------------------------------------------------------------------------------------------------

MAX_WORKBOOK = 1 << 28  # bytes, inflated: it is read whole
_TITLES = 20  # rows that may stand above a header
_MAX_CELLS = 1 << 26  # of a sheet, empty ones among them
_CELL = re.compile(rb'<(?:\w+:)?c [^>]*?\br="([A-Z]{1,3})(\d{1,7})"')


def read_workbook(raw: bytes, wanted: Collection[str] | None) -> tuple[list[str], Iterator[list[str] | None]]:
    """(names, rows) of the sheet that has the ``wanted`` columns, else of the first with any rows, and of every sheet
    headed as it is, or with the wanted columns in another order or among others; one None for a sheet of anything else.
    Titles above a header that has them are left out. Hidden sheets are read as others are.

    Raises DropRecord UNREADABLE_FILE, TOO_LARGE.
    """
    _check_size(raw)
    with reading():
        book = CalamineWorkbook.from_filelike(io.BytesIO(raw))
        tables = [_sheet(book, i) for i in range(len(book.sheet_names))]
    named = set(map(folded, wanted or ()))
    tables = [_from_header(table, named) for table in tables if table]
    shown = [table for table in tables if named and named <= _first_row(table)] or tables
    names = [as_string(cell).strip() for cell in shown[0][0]] if shown else []
    if not any(names):
        raise DropRecord(Reason.UNREADABLE_FILE)
    return names, _of_sheets(tables, names, named)


def _sheet(book: CalamineWorkbook, sheet: int) -> list[list[Any]]:
    return [row for row in book.get_sheet_by_index(sheet).iter_rows() if any(cell != "" for cell in row)]


def _first_row(table: list[list[Any]]) -> set[str]:
    return {folded(as_string(cell)) for cell in table[0]}


def _from_header(table: list[list[Any]], named: set[str]) -> list[list[Any]]:
    """The rows from the first that has all columns asked for, of the first ones; all of them where none has."""
    starts = (i for i in range(min(len(table), _TITLES)) if len(named) > 1 and named <= _first_row(table[i:]))
    return table[next(starts, 0) :]


def _of_sheets(tables: list[list[list[Any]]], names: list[str], named: set[str]) -> Iterator[list[str] | None]:
    header = list(map(folded, names))
    for table in tables:
        own = [folded(as_string(cell)) for cell in table[0]]
        if own == header:
            yield from ([as_string(cell) for cell in row] for row in table[1:])
        elif named and named <= set(own) and len(set(own)) == len(own):
            places = [own.index(name) if name in own else None for name in header]
            yield from (["" if i is None else as_string(row[i]) for i in places] for row in table[1:])
        else:
            yield None


def _check_size(raw: bytes) -> None:
    """A sheet is held as a rectangle: one stray cell in the last column of the last row would be sixteen billion."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as parts:
            infos = [info for info in parts.infolist() if info.filename.endswith(".xml")]
            if sum(info.file_size for info in infos) > MAX_WORKBOOK:
                raise DropRecord(Reason.TOO_LARGE)
            sheets = [parts.read(info) for info in infos if "/worksheets/" in info.filename]
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError):
        sheets = None
    if sheets is None:
        raise DropRecord(Reason.UNREADABLE_FILE)
    for sheet in sheets:
        columns, rows = 1, 1
        for column, row in _CELL.findall(sheet):
            number = 0
            for letter in column:
                number = number * 26 + letter - 64
            columns, rows = max(columns, number), max(rows, int(row))
        if columns * rows > _MAX_CELLS:
            raise DropRecord(Reason.TOO_LARGE)


# -- Parquet -----------------------------------------------------------------------------------------------------------


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
