"""Clean records as a file: RFC 4180 CSV, JSON lines, Parquet without a foreign word in its metadata, or one text."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from curate.deid_export.report_cells import output_names
from curate.sources.reports.columns import Kind, Kinds, column_key
from curate.sources.reports.rows import Records, is_plain

_BATCH = 1024
_NOW_TEXT = frozenset({Kind.PATIENT, Kind.ACCESSION, Kind.ID, Kind.FILE, Kind.NAME, Kind.UID, Kind.DATE})
_ISO = re.compile(r"\d{4}-\d\d-\d\d")


class Writer(Protocol):
    """Takes clean records, whose keys are already the output's, and gives the file's bytes."""

    def add(self, record: dict[str, Any]) -> None:
        """One record more."""

    @property
    def size(self) -> int:
        """Bytes so far, about."""

    def finish(self) -> bytes:
        """The whole file."""


def open_writer(records: Records, kinds: Kinds, suffix: str) -> Writer:
    """A writer of ``records``' own format: CSV for a workbook, lines for JSON; ``suffix`` tells commas from tabs."""
    if records.format in ("csv", "xlsx"):
        return _Csv(list(output_names(records.columns).values()), "\t" if suffix == ".tsv" else ",")
    if records.format == "parquet":
        assert records.schema is not None
        return _Parquet(_schema(records, kinds))
    return _Text() if records.format == "txt" else _Json()


class _Csv:
    def __init__(self, names: list[str], delimiter: str) -> None:
        self._out = io.StringIO(newline="")
        self._writer = csv.writer(self._out, delimiter=delimiter, lineterminator="\r\n")
        self._writer.writerow(names)

    def add(self, record: dict[str, Any]) -> None:
        self._writer.writerow(record.values())

    @property
    def size(self) -> int:
        return self._out.tell()

    def finish(self) -> bytes:
        return self._out.getvalue().encode("utf-8")


class _Json:
    def __init__(self) -> None:
        self._out = io.BytesIO()

    def add(self, record: dict[str, Any]) -> None:
        self._out.write(json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n")

    @property
    def size(self) -> int:
        return self._out.tell()

    def finish(self) -> bytes:
        return self._out.getvalue()


class _Text:
    def __init__(self) -> None:
        self._text = ""

    def add(self, record: dict[str, Any]) -> None:
        self._text = str(record["text"])

    @property
    def size(self) -> int:
        return len(self._text)

    def finish(self) -> bytes:
        return self._text.encode("utf-8")


class _Parquet:
    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._out = pa.BufferOutputStream()
        self._writer: Any = pq.ParquetWriter(self._out, schema, compression="zstd", store_schema=False)
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, record: dict[str, Any]) -> None:
        self._rows.append(record)
        if len(self._rows) >= _BATCH:
            self._flush()

    @property
    def size(self) -> int:
        return self._bytes

    def finish(self) -> bytes:
        self._flush()
        self._writer.close()
        return bytes(self._out.getvalue().to_pybytes())

    def _flush(self) -> None:
        if self._rows:
            names = self._schema.names
            arrays = [_array([row[n] for row in self._rows], f.type) for n, f in zip(names, self._schema, strict=True)]
            table = pa.Table.from_arrays(arrays, schema=self._schema)
            self._writer.write_table(table)
            self._bytes += table.nbytes
            self._rows = []


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_temporal(kind):  # days come as ISO strings, what could not be moved as another
        days = [v if isinstance(v, str) and _ISO.fullmatch(v) else None for v in values]
        return pa.array(days, pa.string()).cast(pa.date32()).cast(kind)
    return pa.array(values, kind)


def _schema(records: Records, kinds: Kinds) -> pa.Schema:
    """The source's fields without metadata, named for the output, ids as strings, bytes and odd types as nulls."""
    assert records.schema is not None
    names = output_names(records.columns)
    return pa.schema(
        [
            pa.field(names[column], _type(field.type, column_key(column), kinds, top=True))
            for column, field in zip(records.columns, records.schema, strict=True)
        ]
    )


def _type(kind: pa.DataType, path: str, kinds: Kinds, top: bool = False) -> pa.DataType:
    if not is_plain(kind):
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_type(kind.value_type, path, kinds))
    if pa.types.is_struct(kind):
        names = output_names(tuple(f.name for f in kind))
        return pa.struct([(names[f.name], _type(f.type, f"{path}.{column_key(f.name)}", kinds)) for f in kind])
    if pa.types.is_dictionary(kind):
        return _type(kind.value_type, path, kinds, top)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        moved = pa.date32() if pa.types.is_date(kind) else pa.timestamp(kind.unit)
        return moved if top else pa.string()
    if pa.types.is_boolean(kind):
        return kind
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.string() if kinds.of(path) in _NOW_TEXT else kind
    return pa.string()
