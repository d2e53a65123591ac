"""The verifier of whole files about to be written: container and content of pictures, tables and texts."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.deid.verify.finding import Finding, sorted_unique
from curate.deid.verify.images import BARE
from curate.deid.verify.text import findings, text_findings

_TEXT = frozenset({".csv", ".tsv", ".jsonl", ".json", ".txt", ".text"})
_ROWS = frozenset({".csv", ".tsv", ".jsonl"})  # rows of many patients
_PARQUET = b"PAR1"


def file_findings(data: bytes, suffix: str, phi: Sequence[str], sources: Sequence[str] = ()) -> tuple[Finding, ...]:
    """Findings in a file about to be written, by its suffix: ".png", ".jpg", ".tif", ".parquet", ".csv", ".jsonl",
    ".txt", and variants.

    Pictures may contain pixels only (which `curate.deid.verify.pixels` checks). Texts must be UTF-8 and are searched by
    `curate.deid.verify.text.findings`. In Parquet every string of every column is searched, with column names,
    metadata and statistics; bytes that no reader sees, page indexes among them, are CONTAINER. So is a file of another
    kind, or one that contradicts its suffix.
    """
    kind = suffix.lower()
    if kind in BARE:
        return () if BARE[kind](data) else (Finding.CONTAINER,)
    if kind == ".parquet":
        return _parquet(data, phi, sources)
    if kind not in _TEXT:
        return (Finding.CONTAINER,)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return sorted_unique([Finding.CONTAINER, *findings([data], phi, sources)])
    codes = list(
        text_findings(text.splitlines() if kind in _ROWS else [text], phi, sources, together=kind not in _ROWS)
    )
    return sorted_unique([*codes, Finding.CONTAINER] if "\0" in text else codes)


def _parquet(data: bytes, phi: Sequence[str], sources: Sequence[str]) -> tuple[Finding, ...]:
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        table = file.read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError):
        return (Finding.CONTAINER,)
    values = [v if isinstance(v, str) else v.decode("utf-8", "replace") for v in _strings(table)]
    codes = list(text_findings(values, phi, sources, together=False))
    codes += text_findings(_metadata_strings(file), phi, sources, together=False)
    if not _is_whole(data, file):
        codes.append(Finding.CONTAINER)
    return sorted_unique(codes)


def _strings(table: pa.Table) -> Iterator[str | bytes]:
    """Every string and byte string in a table, with unused values of dictionaries."""
    for column in table.columns:
        for chunk in column.chunks:
            if pa.types.is_dictionary(chunk.type):
                yield from _values(chunk.dictionary.to_pylist())
            yield from _values(chunk.to_pylist())


def _values(values: list[Any]) -> Iterator[str | bytes]:
    for value in values:
        if isinstance(value, str | bytes):
            yield value
        elif isinstance(value, dict):
            yield from _values([*value.keys(), *value.values()])
        elif isinstance(value, list | tuple):
            yield from _values(list(value))
        elif value is not None and not isinstance(value, bool | float):
            yield str(value)


def _metadata_strings(file: pq.ParquetFile) -> list[str]:
    """The strings of a Parquet file beside its rows: names, key-value metadata, statistics of every column."""
    meta = file.metadata
    strings = [str(file.schema_arrow.names), str(file.schema), meta.created_by or ""]
    for pairs in (meta.metadata or {}, *(field.metadata or {} for field in file.schema_arrow)):
        strings += [part.decode("latin-1") for pair in pairs.items() if pair[0] != b"ARROW:schema" for part in pair]
    for group in range(meta.num_row_groups):
        for column in range(meta.num_columns):
            statistics = meta.row_group(group).column(column).statistics
            if statistics is not None and statistics.has_min_max:
                strings += [str(statistics.min), str(statistics.max)]
    return strings


def _is_whole(data: bytes, file: pq.ParquetFile) -> bool:
    """True if the column chunks follow one another from the first magic to the footer: no bytes that no reader sees."""
    (footer,) = struct.unpack_from("<I", data, len(data) - 8)
    meta = file.metadata
    spans = []
    for group in range(meta.num_row_groups):
        for column in range(meta.num_columns):
            chunk = meta.row_group(group).column(column)
            start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
            spans.append((start, start + chunk.total_compressed_size))
    end = len(_PARQUET)
    for start, stop in sorted(spans):
        if start != end:
            return False
        end = stop
    return data[:4] == _PARQUET and data[-4:] == _PARQUET and end == len(data) - 8 - footer
