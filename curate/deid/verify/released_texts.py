"""Findings in tables, texts and documents of a released folder, by the verifier's own readers.

A table's cell is judged by its column's name too. Formats are chosen by the file's name.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import re
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.deid.verify.finding import Finding
from curate.deid.verify.leaks import unwrapped
from curate.deid.verify.released_words import cell_findings, text_findings_alone

_TEXTS = frozenset({".txt", ".text", ".md", ".html", ".htm", ".xml", ".hl7", ".yaml", ".yml", ".log"})
_TABLES = frozenset({".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".xlsx", ".rtf", ".pdf"})
_MAX_INFLATED = 1 << 30  # bytes, inflated
TextFindings = Iterator[tuple[Finding, str]]


def searches(name: str) -> bool:
    """True if a file of this name is read as a table, a text or a document."""
    return _suffix(name)[0] in _TEXTS | _TABLES


def table_findings(name: str, data: bytes) -> TextFindings:
    """(finding, where) in a file's bytes: columns and keys by their names, "text", a PDF's "page 3". A PDF is always
    UNPROVABLE as well, since its pictures are not read; so is a file that cannot be read."""
    suffix, zipped = _suffix(name)
    try:
        data = _inflated(data) if zipped else data
        yield from _findings(suffix, data)
    except (OSError, EOFError, ValueError, zlib.error, pa.ArrowException, csv.Error, RecursionError):
        yield Finding.UNPROVABLE, f"unreadable as {suffix}"


def _suffix(name: str) -> tuple[str, bool]:
    low = name.lower()
    zipped = low.endswith(".gz")
    match = re.search(r"\.[a-z0-9]{1,8}$", low.removesuffix(".gz"))
    return (match[0] if match else "", zipped)


def _inflated(data: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        out = file.read(_MAX_INFLATED + 1)
    if len(out) > _MAX_INFLATED:
        raise ValueError
    return out


def _findings(suffix: str, data: bytes) -> TextFindings:
    if suffix == ".pdf":
        yield from _pdf(data)
    elif suffix in (".parquet", ".pq"):
        yield from _parquet(data)
    elif suffix == ".xlsx":
        yield from _workbook(data)
    elif suffix in (".csv", ".tsv"):
        rows = csv.reader(io.StringIO(_decoded(data), newline=""), delimiter="\t" if suffix == ".tsv" else ",")
        yield from _rows(rows)
    elif suffix in (".jsonl", ".ndjson"):
        for line in _decoded(data).splitlines():
            if line.strip():
                yield from _json(json.loads(line), "")
    elif suffix == ".json":
        yield from _json(json.loads(_decoded(data)), "")
    elif suffix == ".rtf":
        from striprtf.striprtf import rtf_to_text

        yield from _text(str(rtf_to_text(_decoded(data), errors="ignore")))  # type: ignore[no-untyped-call]
    else:
        yield from _text(_decoded(data))


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _text(text: str) -> TextFindings:
    yield from ((finding, "text") for finding in text_findings_alone(unwrapped(text)))


def _rows(rows: Iterator[list[str]]) -> TextFindings:
    head = next(rows, [])
    unnamed = dict.fromkeys(range(len(head)), "")
    named = {i: name.strip() for i, name in enumerate(head)} | ({} if _is_head(head) else unnamed)
    for row in rows if _is_head(head) else _chained(head, rows):
        for i, value in enumerate(row):
            for finding in cell_findings(named.get(i, ""), unwrapped(value)):
                yield finding, _column(named.get(i, ""), i)


def _chained(head: list[str], rows: Iterator[list[str]]) -> Iterator[list[str]]:
    yield head
    yield from rows


def _is_head(head: list[str]) -> bool:
    return bool(head) and all(re.fullmatch(r"[^\W\d][\w .()/#-]{0,60}", name.strip()) for name in head if name.strip())


def _column(name: str, number: int) -> str:
    """A column's place: its name if that looks like one, else its number."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z_ ]{0,40}", name)
    return f"column {name}" if plain else f"column {number + 1}"


def _json(value: Any, name: str) -> TextFindings:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _json(part, str(key))
    elif isinstance(value, list):
        for part in value:
            yield from _json(part, name)
    elif isinstance(value, int) and not isinstance(value, bool):
        if Finding.ID in cell_findings(name, f"no {value}") - cell_findings("", f"no {value}"):
            yield Finding.ID, _column(name, 0)  # by the name of the key alone
    elif isinstance(value, str):
        for finding in cell_findings(name, unwrapped(value)):
            yield finding, _column(name, 0) if name else "text"


def _parquet(data: bytes) -> TextFindings:
    table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    for number, name in enumerate(table.column_names):
        for value in table[name].to_pylist():
            values = value if isinstance(value, dict | list) else str(value) if value is not None else None
            for finding, _ in _json(values, name):
                yield finding, _column(name, number)


def _workbook(data: bytes) -> TextFindings:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    except python_calamine.CalamineError:
        raise ValueError from None
    for sheet in sheets:
        yield from _rows(iter([["" if cell is None else str(cell) for cell in row] for row in sheet]))


def _pdf(data: bytes) -> TextFindings:
    yield Finding.UNPROVABLE, "a document: what it shows as pictures is not read"
    if find_spec("pypdf") is None:
        return
    import pypdf
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)  # its messages hold bytes of the file
    try:
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        texts = [page.extract_text() for page in reader.pages]
        properties = {str(key).strip("/"): str(value) for key, value in (reader.metadata or {}).items()}
    except (PyPdfError, KeyError, TypeError, AttributeError, IndexError):
        raise ValueError from None
    for number, text in enumerate(texts, 1):
        yield from ((finding, f"page {number}") for finding in text_findings_alone(text))
    for key in ("Author", "Title", "Subject", "Keywords"):
        yield from (
            (finding, f"property {key}")
            for finding in cell_findings("name" if key == "Author" else key, properties.get(key, ""))
        )
