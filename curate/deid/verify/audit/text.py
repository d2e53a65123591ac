"""Findings in texts, paths, cells, tables and documents of a released folder, without a source to compare with.

The verifier's shapes and cues, applied to the output itself. Names are found by their cues; a name that is also an
English word is not found without a cue. A table's cell is judged by its column's name too. Formats are chosen by the
file's name.
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
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.deid.verify import dates
from curate.deid.verify.dates import ages_and_births, day_of
from curate.deid.verify.dicom.header import is_generic
from curate.deid.verify.finding import Finding
from curate.deid.verify.identifiers import text_identifiers
from curate.deid.verify.text import placeholders_masked, unwrapped
from curate.deid.verify.vocabulary import is_known, is_standard

REPLACED = re.compile(
    r"anon|de-?id|remov|redact|pseudo|dummy|subject|unknown|withheld|xxx|volunteer|phantom|patient|case|test|study|unnamed"
    r"|nobody|none|hidden|null",
    re.IGNORECASE,
)
PSEUDONYM = re.compile(r"[0-9a-fA-F-]{16,64}")
DIGITS = re.compile(r"\d{5,}")  # a hospital's number, in PatientID: a pseudonym is seldom digits alone


def is_a_name(value: str) -> bool:
    """True for a value that does not look like a pseudonym: a word without digits that is no placeholder."""
    if is_generic(value) or PSEUDONYM.fullmatch(value.strip("^= ")):
        return False
    words = [w for w in re.split(r"[\^=\s,]+", value) if w and not re.search(r"[\d_-]", w)]
    return any(len(w) > 1 and not REPLACED.search(w) and not is_generic(w) for w in words)


# Hexadecimal pseudonyms, UIDs of the standard, web addresses of licences and standards.
_NO_ONES = re.compile(
    r"\b(?=[0-9a-f]{0,31}[a-f])[0-9a-f]{32,64}\b|(?<![\d.])1\.2\.840\.10008(?:\.\d+)*"
    r"|https?://(?:www\.)?(?:creativecommons|spdx|schema|w3|opensource|apache|dicomstandard)\.org\S*"
)


def audit_text(text: str) -> Iterator[Finding]:
    """Findings in a text without its source: contacts, numbers, dates, addresses by shape; names and facilities by cue;
    ages over 89 and dates of birth. Placeholders ([NAME], [DATE:2013-03-21]) are no findings."""
    plain = _NO_ONES.sub(" ", text)
    remaining = placeholders_masked(dates.without_shifted(plain)[0] or plain)  # a bare date is not marked as shifted
    identifiers = text_identifiers([remaining], in_parts=False)
    yield from (kind for kind, _ in identifiers.shapes)
    yield from (kind for _, kind in identifiers.cued)
    yield from (kind for _, kind, _ in identifiers.pieces if kind is Finding.NAME)
    if dates.days_in(remaining):
        yield Finding.DATE
    yield from ages_and_births([remaining])


_PARTS = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def path_findings(relative: str) -> frozenset[Finding]:
    """Findings in a path below the released folder: names, dates, numbers like a hospital's."""
    codes: set[Finding] = set()
    for part in re.split(r"[/\\]", relative):
        stem = re.sub(r"(?:\.[A-Za-z0-9]{1,8}){1,2}$", "", part) or part
        if PSEUDONYM.fullmatch(stem) or re.fullmatch(r"[0-9.]+", stem):
            stem = stem if re.fullmatch(r"\d{6,10}", stem) else ""
        tokens = [t for word in _PARTS.findall(stem) for t in _CAMEL.split(word)]
        for token in tokens:
            if re.fullmatch(r"\d{8}", token) and day_of(token) is not None:
                codes.add(Finding.DATE)
            elif re.fullmatch(r"(?!00)\d{6,12}", token):
                codes.add(Finding.ID)
        for pair in pairwise(tokens):
            if _are_someone(*pair):
                codes.add(Finding.NAME)
        if "@" in stem:
            codes.add(Finding.CONTACT)
    return frozenset(codes)


_GIVEN_NAMES = """
james john robert michael william david richard joseph thomas charles daniel matthew anthony mark paul steven
andrew peter mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy margaret
sandra ashley emily jane anna maria jose juan carlos luis ana carmen hans peter klaus ursula helga jean pierre
marie jacques giovanni giuseppe paolo wei li ming ahmed mohammed muhammad fatima ali ivan olga natalia dmitri
piotr katarzyna jan kees raj priya sanjay
"""
_GIVEN = frozenset(_GIVEN_NAMES.split())


def _are_someone(a: str, b: str) -> bool:
    """Are two neighbouring words of a path a person's name? One is a frequent given name, or both are capitalised and
    not both English words. Two English words, "Penny_Baker", are not taken for a name."""
    capitals = [re.fullmatch(r"[A-Z][a-z]{2,}", word) is not None for word in (a, b)]
    lower = a.lower(), b.lower()
    for given, word, other in ((lower[0], b, lower[1]), (lower[1], a, lower[0])):
        if given in _GIVEN and re.fullmatch(r"[^\W\d]{3,}", word) and not is_standard(other):
            return True
    return all(capitals) and not any(map(is_standard, lower)) and not all(map(is_known, lower))


_COLUMNS = (
    (re.compile(r"birth|dob\b|geburt|nacim", re.I), Finding.BIRTH),
    (re.compile(r"(?:patient|first|last|sur|family|given|physician|doctor|radiologist|author|signed).{0,12}name|^name$|radiologist"
                r"|physician|^(?:sur|last|first)name", re.I), Finding.NAME),
    (re.compile(r"address|street|postal|zip|city", re.I), Finding.PLACE),
    (re.compile(r"phone|fax|e-?mail", re.I), Finding.CONTACT),
    (
        re.compile(
            r"\bmrn\b|medical.?record|accession|\bssn\b|insurance|order.?(?:no|num)|patient.?(?:id|no|num)", re.I
        ),
        Finding.ID,
    ),
)  # fmt: skip


_NUMBER = re.compile(r"\d{5,}|@|\d[\d ()./-]{5,}\d")


def cell_findings(column: str, value: str) -> frozenset[Finding]:
    """Findings in a table's cell, by its column's name and its value."""
    value = value.strip()
    if not value or PSEUDONYM.fullmatch(value):
        return frozenset()
    codes = set(audit_text(value)) if re.search(r"\s|@|\d{6}|[-/.]\d", value) else set()
    for pattern, kind in _COLUMNS:
        if pattern.search(column) and not is_generic(value):
            if kind is Finding.NAME and not is_a_name(value):
                continue
            if kind in (Finding.ID, Finding.CONTACT) and not _NUMBER.search(value):
                continue
            codes.add(kind)
    return frozenset(codes)


_TEXTS = frozenset({".txt", ".text", ".md", ".html", ".htm", ".xml", ".hl7", ".yaml", ".yml", ".log"})
_TABLES = frozenset({".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".xlsx", ".rtf", ".pdf"})
_MAX_INFLATED = 1 << 30  # bytes, inflated
TextFindings = Iterator[tuple[Finding, str]]


def is_searched(name: str) -> bool:
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
    yield from ((finding, "text") for finding in audit_text(unwrapped(text)))


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
        yield from ((finding, f"page {number}") for finding in audit_text(text))
    for key in ("Author", "Title", "Subject", "Keywords"):
        yield from (
            (finding, f"property {key}")
            for finding in cell_findings("name" if key == "Author" else key, properties.get(key, ""))
        )
