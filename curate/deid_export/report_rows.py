"""Report files as records with their own types, streaming: what cannot be read is a Reason in a record's place.

`curate.sources.rows` gives the columns a recipe names, as strings. A release keeps every column, its type and its
nesting, so here a record is a dict: of a CSV str to str, of JSON lines and Parquet whatever they hold.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.faults import stop_for_source
from curate.sources.rows import BROKEN_ROW, SUFFIXES, Format, csv_header, csv_records, decode, json_object, mend

Record = dict[str, Any] | Reason
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MAX_TEXT = 1 << 24  # bytes: a text file beyond this is not one report
_MAX_LINE = 1 << 24  # characters: a line without an end must not fill the memory
_BATCH = 1024
# What a file is that says it is text and is not: other documents, and kinds of report that have rules of their own.
_OTHER_KINDS = (b"PK\x03\x04", b"%PDF", b"{\\rtf", b"\xd0\xcf\x11\xe0", b"MSH|", b"FHS|", b"BHS|", b"SQLite format 3",
                b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!", _GZIP)  # fmt: skip
_MARKUP = (b"<?xml", b"<html", b"<!doctype", b"<clinicaldocument", b"<soap", b"<bundle")


@dataclass(frozen=True)
class Records:
    """An open report file. ``columns`` are unique (a second "id" is "id#2"); of JSON lines there are none. ``names``
    are the columns as they stand in the file, ``schema`` a Parquet file's."""

    format: Format
    columns: tuple[str, ...]
    names: tuple[str, ...]
    rows: Iterator[Record]
    schema: pa.Schema | None = None


def report_suffix(path: Path) -> str:
    """The suffix of what is written for a report file by this name (a .gz is written inflated), "" where it is none."""
    suffixes = [s.lower() for s in path.suffixes]
    last = suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:]
    inflated = suffixes[-1:] == [".gz"]
    kind = SUFFIXES.get(last[0]) if last else None
    return last[0] if last and kind is not None and not (inflated and kind == "parquet") else ""


@contextmanager
def open_records(path: Path, max_bytes: int) -> Iterator[Records]:
    """The records of a CSV, JSONL, Parquet or text file, a .gz inflated to ``max_bytes`` at most.

    A text file is one record {"text": ...}. Raises DropRecord: UNREADABLE_FILE, EMPTY_FILE; REFUSED_KIND where the
    content is of another kind; BAD_ENCODING; TOO_LARGE.
    """
    suffix = report_suffix(path)
    if not suffix:
        raise DropRecord(Reason.REFUSED_KIND)
    kind = SUFFIXES[suffix]
    with _reading():
        file: Any = path.open("rb")
    with file:
        if path.suffix.lower() == ".gz":
            file = io.BufferedReader(_Inflated(file, max_bytes))
        _check_kind(file, kind)
        yield _opened(file, kind)


def _opened(file: Any, kind: Format) -> Records:
    if kind == "txt":
        return Records(kind, ("text",), ("text",), iter([{"text": _whole(file)}]))
    if kind == "parquet":
        return _parquet(file)
    with _reading():
        lines = _lines(_decoded(file))
        if kind == "jsonl":
            return Records(kind, (), (), _json_rows(lines))
        names, delimiter = csv_header(lines)
    if not names:
        raise DropRecord(Reason.BAD_ENCODING)
    columns = _unique(names)
    return Records(kind, columns, tuple(names), _csv_rows(lines, columns, delimiter))


@contextmanager
def _reading() -> Iterator[None]:
    """What reading raises, as a reason; nothing of its text, which may quote a value."""
    reason = None
    try:
        yield
    except UnicodeError:
        reason = Reason.BAD_ENCODING
    except OSError as error:
        stop_for_source(error)
        reason = Reason.UNREADABLE_FILE
    except (EOFError, zlib.error, pa.ArrowException, OverflowError):
        reason = Reason.UNREADABLE_FILE
    if reason is not None:
        raise DropRecord(reason)


class _Inflated(io.RawIOBase):
    """A gzip file as a raw stream that ends in TOO_LARGE where it holds more than it may."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file = gzip.GzipFile(fileobj=file, mode="rb")
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _reading():
            data = self._file.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise DropRecord(Reason.TOO_LARGE)
        buffer[: len(data)] = data
        return len(data)


def _check_kind(file: Any, kind: Format) -> None:
    with _reading():
        head = file.peek(64)[:64] if hasattr(file, "peek") else b""
    if not head:
        raise DropRecord(Reason.EMPTY_FILE)
    if kind == "parquet":
        if head[:4] != _PARQUET:
            raise DropRecord(Reason.UNREADABLE_FILE)
        return
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith((*_OTHER_KINDS, _PARQUET)) or start.startswith(_MARKUP):
        raise DropRecord(Reason.REFUSED_KIND)
    if kind == "jsonl" and start.startswith(b"["):
        raise DropRecord(Reason.REFUSED_KIND)


def _whole(file: Any) -> str:
    with _reading():
        raw = file.read(_MAX_TEXT + 1)
    if len(raw) > _MAX_TEXT:
        raise DropRecord(Reason.TOO_LARGE)
    text = decode(raw)
    if text is None:
        raise DropRecord(Reason.BAD_ENCODING)
    return text


def _decoded(file: Any) -> IO[str]:
    """Lines with their own ends; bytes that are not UTF-8 come as surrogates, for `mend` to judge value by value."""
    if file.peek(2)[:2] in _UTF16:
        return io.TextIOWrapper(file, encoding="utf-16", errors="surrogatepass", newline="")
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _lines(stream: IO[str]) -> Iterator[str]:
    with _reading():
        while line := stream.readline(_MAX_LINE):
            if len(line) == _MAX_LINE:
                raise DropRecord(Reason.TOO_LARGE)
            yield line


def _unique(names: list[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    columns = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        columns.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return tuple(columns)


def _csv_rows(lines: Iterator[str], columns: tuple[str, ...], delimiter: str) -> Iterator[Record]:
    for cells in csv_records(lines, len(columns), delimiter):
        yield BROKEN_ROW if cells is None else _mended(dict(zip(columns, cells, strict=False)))


def _json_rows(lines: Iterator[str]) -> Iterator[Record]:
    for line in lines:
        if line.strip():
            record = json_object(line)
            yield BROKEN_ROW if record is None else _mended(record)


def _parquet(file: Any) -> Records:
    with _reading():
        parquet = pq.ParquetFile(file)
        schema = parquet.schema_arrow.remove_metadata()
    columns = _unique(schema.names)
    return Records("parquet", columns, tuple(schema.names), _parquet_rows(parquet, columns), schema)


def _parquet_rows(parquet: Any, columns: tuple[str, ...]) -> Iterator[Record]:
    with _reading():
        for batch in parquet.iter_batches(batch_size=_BATCH, use_threads=False):
            lists = [_plain(column).to_pylist() for column in batch.columns]
            for values in zip(*lists, strict=True):
                yield _mended(dict(zip(columns, values, strict=True)))


def _plain(column: pa.Array) -> pa.Array:
    """Strings as the bytes they are, since Parquet does not promise UTF-8; days and times as Arrow writes them, since
    Python's own end at the year 9999."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not is_plain(column.type):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp(column.type.unit)).cast(pa.string())
    if pa.types.is_date(column.type):
        return column.cast(pa.string())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _Text.wrap(column)
    return column


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


class _Text:
    """A string column whose ``to_pylist`` leaves bytes that are not UTF-8 for `mend`."""

    def __init__(self, column: pa.Array) -> None:
        self._bytes = column.cast(pa.large_binary())

    @classmethod
    def wrap(cls, column: pa.Array) -> Any:
        return cls(column)

    def to_pylist(self) -> list[str | None]:
        return [None if v is None else v.decode("utf-8", "surrogateescape") for v in self._bytes.to_pylist()]


def _mended(record: dict[str, Any]) -> Record:
    """Every string of the record whole, at any depth; BAD_ENCODING where one cannot be, BROKEN_ROW where too deep."""
    try:
        return {_mend_all(key, 0): _mend_all(value, 1) for key, value in record.items()}
    except DropRecord as dropped:
        return dropped.reason


_DEEPEST = 32


def _mend_all(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise DropRecord(BROKEN_ROW)
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        mended = mend(value)
        if mended is None:
            raise DropRecord(Reason.BAD_ENCODING)
        return mended
    if isinstance(value, dict):
        return {_mend_all(str(k), depth): _mend_all(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_mend_all(v, depth + 1) for v in value]
    return value
