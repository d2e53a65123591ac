"""Clean records as a file: RFC 4180 CSV, JSON lines, Parquet without the source's metadata, or one text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.deid_export.reports.cells import output_names
from curate.sources.reports.rows import Records, is_plain
from curate.sources.reports.tables.columns import Kind, Kinds, below

_BATCH = 1024
_WRITTEN_AS_TEXT = frozenset({Kind.PATIENT, Kind.ACCESSION, Kind.ID, Kind.FILE, Kind.NAME, Kind.UID, Kind.DATE})
_ISO = re.compile(r"\d{4}-\d\d-\d\d")


def open_writer(records: Records, kinds: Kinds, suffix: str) -> Writer:
    """A writer in the format of ``records``: CSV for a workbook, JSON lines for JSON; ``suffix`` selects commas or
    tabs.

    It takes clean records, whose keys are already the output's names.
    """
    if records.format == "parquet":
        return _Parquet(_schema(records, kinds))
    if records.format in ("csv", "xlsx"):
        text = io.StringIO(newline="")
        table = csv.writer(text, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\r\n")
        table.writerow(output_names(records.columns).values())
        return _Stream(text, lambda record: table.writerow(record.values()))
    if records.format == "txt":
        text = io.StringIO(newline="")
        return _Stream(text, lambda record: text.write(str(record["text"])))
    lines = io.BytesIO()
    return _Stream(lines, lambda record: lines.write(json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n"))


class _Stream:
    """A file in memory, to which ``add`` appends one record."""

    def __init__(self, out: io.StringIO | io.BytesIO, add: Callable[[dict[str, Any]], object]) -> None:
        self._out, self.add = out, add

    @property
    def size(self) -> int:
        """Bytes so far, about."""
        return self._out.tell()

    def finish(self) -> bytes:
        """The whole file."""
        written = self._out.getvalue()
        return written if isinstance(written, bytes) else written.encode("utf-8")


class _Parquet:
    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._out = pa.BufferOutputStream()
        self._writer: Any = pq.ParquetWriter(self._out, schema, compression="zstd", store_schema=False)
        self._rows: list[dict[str, Any]] = []
        self.size = 0  # bytes so far

    def add(self, record: dict[str, Any]) -> None:
        self._rows.append(record)
        if len(self._rows) >= _BATCH:
            self._flush()

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
            self.size += table.nbytes
            self._rows = []


Writer = _Stream | _Parquet


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_temporal(kind):  # dates come as ISO strings; any other string is a date that could not be shifted
        days = [v if isinstance(v, str) and _ISO.fullmatch(v) else None for v in values]
        return pa.array(days, pa.string()).cast(pa.date32()).cast(kind)
    return pa.array(values, kind)


def _schema(records: Records, kinds: Kinds) -> pa.Schema:
    """The source's fields without metadata, under their output names; ids, bytes and unsupported types as strings."""
    assert records.schema is not None
    names = output_names(records.columns)
    return pa.schema(
        [
            pa.field(names[column], _type(field.type, below("", column), kinds, top=True))
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
        return pa.struct([(names[f.name], _type(f.type, below(path, f.name), kinds)) for f in kind])
    if pa.types.is_dictionary(kind):
        return _type(kind.value_type, path, kinds, top)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        moved = pa.date32() if pa.types.is_date(kind) else pa.timestamp(kind.unit)
        return moved if top else pa.string()
    if pa.types.is_boolean(kind):
        return kind
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.string() if kinds.of(path) in _WRITTEN_AS_TEXT else kind
    return pa.string()
