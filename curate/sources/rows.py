"""Rows out of CSV, JSONL and Parquet files, as strings, streaming; what cannot be read is a Reason in its place.

Text is UTF-8, or UTF-16 where a byte-order mark says so. In a file that mixes encodings, as exports from several
systems do, each value is decided alone: bytes that are not UTF-8 are read as cp1252 only where all of the value can
be, so one bad row spoils no other and nothing is read as what it is not.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from curate.record import Reason
from curate.sources.faults import stop_for_source

Format = Literal["csv", "jsonl", "parquet", "txt"]
Row = list[str] | Reason  # the wanted columns' values, or why there are none
SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet",
    ".txt": "txt", ".text": "txt",
}  # fmt: skip
BROKEN_ROW = Reason.BROKEN_ROW  # a row with too few or too many cells, a line that is not JSON
MAX_CELL = 1 << 22  # characters; an unclosed quote must not swallow the rest of the file
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DELIMITERS = ",;\t|"
_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON_LOOK_AHEAD = 1000  # records that show which names a JSONL file has


def decode(raw: bytes) -> str | None:
    """``raw`` as text; None where it is in no encoding that can be told."""
    if raw.startswith(_UTF16):
        try:
            return mend(raw.decode("utf-16", "surrogatepass"))
        except UnicodeDecodeError:
            return None
    return mend(raw.decode("utf-8-sig", "surrogateescape"))


def mend(text: str) -> str | None:
    """``text``, decoded as UTF-8 with escaped bytes (PEP 383), made whole; None where that would be a guess.

    Escaped bytes are cp1252 where the value holds no UTF-8 beside them, all of its bytes are assigned in cp1252 (else
    latin-1 would make them C1 controls) and they are few, as accents are. NUL is a sign of another encoding.
    """
    if "\0" in text:
        return None
    if text.isascii() or not _SURROGATE.search(text):
        return text
    if any("\x80" <= c < "\udc80" or c > "\udcff" for c in text):
        return None
    try:
        mended = text.encode("ascii", "surrogateescape").decode("cp1252")
    except UnicodeDecodeError:
        return None
    strange = sum(not c.isascii() for c in mended)
    return mended if strange * 3 <= len(mended) or len(mended) <= 16 else None


def column_names(path: Path, format: Format) -> list[str]:
    """The columns a file has, reading only its head: a CSV's first row, a JSONL's first records, a Parquet's schema.

    Raises OSError where it cannot be read; [] where it is empty or not such a file.
    """
    if format == "parquet":
        try:
            return list(pq.read_schema(path).names)
        except pa.ArrowInvalid:
            return []
    with _open(path) as lines:
        if format == "csv":
            return csv_header(lines)[0]
        names: dict[str, None] = {}
        for _, line in zip(range(_JSON_LOOK_AHEAD), lines, strict=False):
            record = json_object(line)
            names.update(dict.fromkeys(record or {}))
        return list(names)


def read_rows(path: Path, format: Format, wanted: Sequence[str]) -> Iterator[tuple[int, Row]]:
    """(number, values of the ``wanted`` columns in order or a Reason) of every row; numbers count from 1.

    A column that a row does not have is "". Raises OSError where the file cannot be opened; once begun, what cannot be
    read further is one last row with UNREADABLE_FILE.
    """
    readers = {"csv": _csv_rows, "jsonl": _json_rows, "parquet": _parquet_rows}
    number = 0
    try:
        for number, row in enumerate(readers[format](path, wanted), start=1):
            yield number, row
    except UnicodeDecodeError:  # UTF-16 that breaks off; what follows cannot be lined up again
        yield number + 1, Reason.BAD_ENCODING
    except OSError as error:
        stop_for_source(error)
        yield number + 1, Reason.UNREADABLE_FILE
    except (pa.ArrowException, OverflowError):
        yield number + 1, Reason.UNREADABLE_FILE


def _open(path: Path) -> IO[str]:
    """Lines with their own ends; bytes that are not UTF-8 come as surrogates, for `mend` to judge value by value."""
    with path.open("rb") as f:
        head = f.read(2)
    if head in _UTF16:
        return path.open(encoding="utf-16", errors="surrogatepass", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def csv_header(lines: Iterator[str]) -> tuple[list[str], str]:
    """The names in the first row that is not empty, and the delimiter that splits it into most; [] where it is none."""
    record = next((line for line in lines if line.strip()), "")
    while record.count('"') % 2 and len(record) < MAX_CELL and (more := next(lines, "")):
        record += more  # a name with a line break in it
    splits: list[tuple[list[str], str]] = [([], ",")]
    for delimiter in _DELIMITERS:
        with contextlib.suppress(csv.Error):
            splits.append((next(_reader(io.StringIO(record, newline=""), delimiter), []), delimiter))
    names, delimiter = max(splits, key=lambda split: len(split[0]))
    return [(mend(name) or "?").strip() for name in names], delimiter


def _reader(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    """Strict: a quote that never ends, or ends amid a cell, is a csv.Error and not a cell made up."""
    csv.field_size_limit(max(MAX_CELL, csv.field_size_limit()))
    return csv.reader(lines, delimiter=delimiter, strict=True)


class _Lines:
    """Physical lines that remember which ones the current record took, so that they can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: list[str] = []
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._lines)
        self.taken.append(line)
        return line

    def give_back(self) -> None:
        """All but the first line taken come again: only that one is certain to belong to the broken record."""
        self._again.extend(reversed(self.taken[1:]))


def csv_records(lines: Iterator[str], width: int, delimiter: str) -> Iterator[list[str] | None]:
    """The cells of every record of ``width`` named columns, None where it is broken: too few or too many cells, or a
    quote that never ends. Of a broken record only the first line is lost. Empty lines are no records."""
    again = _Lines(lines)
    rows = _reader(again, delimiter)
    while True:
        again.taken.clear()
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            cells = None
        if cells is not None and not cells:
            continue
        if cells is None or len(cells) < width or any(cells[width:]):
            again.give_back()
            yield None
        else:
            yield cells


def _csv_rows(path: Path, wanted: Sequence[str]) -> Iterator[Row]:
    with _open(path) as stream:
        names, delimiter = csv_header(stream)
        places = [names.index(name) if name in names else -1 for name in wanted]
        for cells in csv_records(stream, len(names), delimiter):
            yield BROKEN_ROW if cells is None else _mended([cells[i] if i >= 0 else "" for i in places])


def _json_rows(path: Path, wanted: Sequence[str]) -> Iterator[Row]:
    with _open(path) as lines:
        for line in lines:
            if not line.strip():
                continue
            record = json_object(line)
            yield BROKEN_ROW if record is None else _mended([as_string(record.get(name)) for name in wanted])


def json_object(line: str) -> dict[str, Any] | None:
    """The JSON object a line holds, None where it holds anything else."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _parquet_rows(path: Path, wanted: Sequence[str]) -> Iterator[Row]:
    with pq.ParquetFile(path) as file:
        have = [name for name in wanted if name in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=4096, columns=have):
            columns = {name: _as_bytes(batch.column(name)).to_pylist() for name in have}
            absent = [None] * batch.num_rows
            for values in zip(*(columns.get(name, absent) for name in wanted), strict=True):
                yield _mended([as_string(value) for value in values])


def _as_bytes(column: pa.Array) -> pa.Array:
    """Strings as the bytes they are: Parquet does not promise that they are UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_temporal(column.type):
        return _temporal(column)
    return column.cast(pa.large_binary()) if pa.types.is_string(column.type) else column


def _temporal(column: pa.Array) -> pa.Array:
    """Days and times as Arrow writes them: Python's own end at the year 9999 and want the time zone's name known."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp(column.type.unit))
    return column.cast(pa.string())


def as_string(value: object) -> str:
    """A cell as text: null and NaN are "", a whole float an integer (a column of ids with gaps becomes floats)."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return "; ".join(map(as_string, value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=repr)
    return str(value)


def _mended(values: list[str]) -> Row:
    for i, value in enumerate(values):
        if not value.isascii() or "\0" in value:
            mended = mend(value)
            if mended is None:
                return Reason.BAD_ENCODING
            values[i] = mended
    return values
