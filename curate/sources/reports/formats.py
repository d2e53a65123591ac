"""What a report file is: told by its name, checked against its first bytes, opened inflated and bounded.

    .csv .tsv .jsonl .ndjson .json .parquet .pq .xlsx     a report a row
    .txt .text .html .htm .rtf                            a report a file
    .hl7                                                  a report an order
    .xml .cda .ccda that hold a clinical document         a report a file; resources of FHIR: `fhir`
    any of them as .gz                                    inflated to a limit

Nothing else is a report. What is often met all the same is named (`explain`), so that an error says what to do.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, Any, Literal

import pyarrow as pa
import python_calamine

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.faults import stop_for_source
from curate.sources.member import open_file
from curate.sources.reports.cda import is_cda

Format = Literal["csv", "jsonl", "json", "parquet", "xlsx", "txt", "hl7", "cda"]
MAX_BYTES = 1 << 30  # of an inflated file
SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".parquet": "parquet",
    ".pq": "parquet", ".xlsx": "xlsx", ".txt": "txt", ".text": "txt", ".html": "txt", ".htm": "txt", ".rtf": "txt",
    ".hl7": "hl7", ".xml": "cda", ".cda": "cda", ".ccda": "cda",
}  # fmt: skip
_WRITTEN_AS = {
    ".json": ".jsonl", ".xlsx": ".csv", ".html": ".txt", ".htm": ".txt", ".rtf": ".txt", ".hl7": ".jsonl",
    ".xml": ".jsonl", ".cda": ".jsonl", ".ccda": ".jsonl",
}  # fmt: skip
_GZIP, _ZIP, _PARQUET, _OLE = b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0"
_HL7 = (b"MSH|", b"FHS|", b"BHS|")
_MESSAGE = re.compile(rb"(?:MSH|FHS|BHS)(?:\||([^\w\s])[^\w\s]{3,4}\1)")  # other marks than | must show themselves
# What a file is that says it is text and is not: other documents, and kinds of report that have rules of their own.
_OTHER_KINDS = (_ZIP, _OLE, _PARQUET, _GZIP, b"%PDF", *_HL7, b"SQLite format 3", b"BZh",
                b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!", b"\x89PNG", b"\xff\xd8\xff")  # fmt: skip
_DOCUMENTS = (b"<?xml", b"<clinicaldocument", b"<soap", b"<bundle")
_HEAD = 4096
_AS_TEXT = "save it as CSV or JSON lines, or one .txt file a report"
_EXPLAINED = {
    "an Excel workbook of the old kind": ((".xls", ".xlsb", ".xlsm", ".ods"), "save it as .xlsx or CSV"),
    "a PDF, which is not read": ((".pdf",), "export the reports as text, or as CSV"),
    "a word processor's document, which is not read": ((".doc", ".docx", ".odt"), "save it as .txt or .rtf"),
    "a document of Markdown, which is not read": ((".md", ".markdown", ".rst"), "name it .txt if it is a report"),
    "an archive of files": ((".7z", ".rar", ".bz2", ".xz", ".zst"), "unpack it, or pack it as .tar or .zip"),
    "an archive that cannot be read": ((".zip", ".tar", ".tgz"), "pack it again, or unpack it"),
    "a document of XML, of which CDA and FHIR are read": ((".xml", ".cda", ".ccda"), _AS_TEXT),
    "a database": ((".db", ".sqlite", ".mdb", ".accdb", ".dta", ".sas7bdat", ".sav", ".rds"), _AS_TEXT),
}


def format_of(name: str) -> Format | None:
    """The format that a file's name stands for, a .gz of it too; None where it stands for no report's."""
    return SUFFIXES.get(_suffix(name))


def report_suffix(path: PurePath) -> str:
    """The suffix of what is written for a report file by this name, "" where it is none: a .gz is written inflated, a
    workbook as CSV, a JSON document as lines, HTML and RTF as text."""
    suffix = _suffix(path.name)
    return _WRITTEN_AS.get(suffix, suffix) if suffix in SUFFIXES else ""


def explain(name: str) -> tuple[str, str]:
    """(what a file by this name is, what to do) for one that is read by none of the formats."""
    suffix = _suffix(name)
    for problem, (suffixes, fix) in _EXPLAINED.items():
        if suffix in suffixes:
            return f"is {problem}", fix
    return "the file's suffix does not say what it is", "give 'format'"


def explain_content(path: Path) -> tuple[str, str]:
    """(": it is ..." or "", what to do) of a file whose content is not what its name or the recipe says."""
    try:
        with open_file(path) as file:
            head = file.read(8)
    except OSError:
        head = b""
    for magic, suffix in (
        (b"%PDF", ".pdf"),
        (_OLE, ".xls"),
        (b"<?xml", ".xml"),
    ):
        if head.startswith(magic):
            problem, fix = explain(f"x{suffix}")
            return f": it {problem}", fix
    if is_hl7(head):
        return ": it holds HL7 messages", "name it .hl7; what is read are the texts of OBX-5"
    if head.startswith(_ZIP) and path.suffix.lower() != ".xlsx":
        return ": it is a workbook or an archive", "name it .xlsx, or unpack it"
    return "", "mend it, save it as CSV or JSON lines, or give 'format'"


def _suffix(name: str) -> str:
    lower = PurePath(name.lower())
    return PurePath(lower.stem).suffix if lower.suffix == ".gz" else lower.suffix


def is_hl7(head: bytes) -> bool:
    """Does a file that begins with ``head`` hold HL7 v2 messages, framed by their listener or not, UTF-16 too?"""
    return _MESSAGE.match(head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe\x0b \t\r\n")) is not None


@contextmanager
def open_bytes(path: Path, kind: Format | Literal["xml"], max_bytes: int = MAX_BYTES) -> Iterator[Any]:
    """The file's bytes, inflated where they are gzip'd, as a stream that can ``peek``; a Parquet file or a workbook can
    ``seek`` as well. Raises DropRecord UNREADABLE_FILE, EMPTY_FILE, TOO_LARGE (inflated), and REFUSED_KIND where the
    content is of another kind than ``kind``."""
    with reading():
        file: Any = open_file(path)
    with file:
        with reading():
            zipped = file.peek(2)[:2] == _GZIP
        if zipped:
            file = io.BufferedReader(_Inflated(file, max_bytes))
            if kind in ("parquet", "xlsx"):
                file = io.BufferedReader(io.BytesIO(file.read()))
        _check_kind(file, kind)
        yield file


@contextmanager
def reading() -> Iterator[None]:
    """What reading raises, as a reason; nothing of its text, which may quote a value."""
    reason = None
    try:
        yield
    except UnicodeError:
        reason = Reason.BAD_ENCODING
    except OSError as error:
        stop_for_source(error)
        reason = Reason.UNREADABLE_FILE
    except (EOFError, zlib.error, pa.ArrowException, OverflowError, python_calamine.CalamineError):
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
        with reading():
            data = self._file.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise DropRecord(Reason.TOO_LARGE)
        buffer[: len(data)] = data
        return len(data)


def _check_kind(file: Any, kind: Format | Literal["xml"]) -> None:
    with reading():
        head = file.peek(_HEAD)[:_HEAD]
    if not head:
        raise DropRecord(Reason.EMPTY_FILE)
    magic = {"parquet": _PARQUET, "xlsx": _ZIP}.get(kind)
    if magic is not None:
        if not head.startswith(magic):
            raise DropRecord(Reason.UNREADABLE_FILE)
        return
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if kind in ("hl7", "cda"):
        if not (is_hl7(head) if kind == "hl7" else is_cda(head)):
            raise DropRecord(Reason.REFUSED_KIND)
        return
    if head.startswith(_OTHER_KINDS) or (kind != "xml" and start.startswith(_DOCUMENTS) and b"<html" not in start):
        raise DropRecord(Reason.REFUSED_KIND)
