"""What a report file is: told by its name, checked against its first bytes, opened inflated and bounded; and its bytes
as text, or as nothing.

    .csv .tsv .jsonl .ndjson .json .parquet .pq .xlsx     a report a row
    .txt .text .html .htm .rtf                            a report a file
    .hl7                                                  a report an order
    .xml .cda .ccda that hold a clinical document         a report a file; resources of FHIR: `fhir`
    any of them as .gz                                    inflated to a limit

Nothing else is a report. What is often met all the same is named (`explain`), so that an error says what to do.

Text is UTF-8, UTF-16 or UTF-32 where a byte-order mark says so, or UTF-16 where its zero bytes do. In a file that mixes
encodings, as exports from several systems do, each value is decided alone: bytes that are not UTF-8 are read as cp1252
only where all of the value can be, so one bad row spoils no other and nothing is read as what it is not.
"""

from __future__ import annotations

import base64
import codecs
import datetime as dt
import gzip
import io
import json
import re
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any, Literal

import pyarrow as pa
import python_calamine

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.faults import stop_for_source
from curate.sources.member import open_file

Format = Literal["csv", "jsonl", "json", "parquet", "xlsx", "txt", "hl7", "cda"]
MAX_BYTES = 1 << 30  # of an inflated file
# suffix -> its format, and the suffix of what is written for it: a workbook is CSV, a document lines, markup text
SUFFIXES: dict[str, tuple[Format, str]] = {
    ".csv": ("csv", ".csv"), ".tsv": ("csv", ".tsv"), ".jsonl": ("jsonl", ".jsonl"), ".ndjson": ("jsonl", ".ndjson"),
    ".json": ("json", ".jsonl"), ".parquet": ("parquet", ".parquet"), ".pq": ("parquet", ".pq"),
    ".xlsx": ("xlsx", ".csv"), ".txt": ("txt", ".txt"), ".text": ("txt", ".text"), ".html": ("txt", ".txt"),
    ".htm": ("txt", ".txt"), ".rtf": ("txt", ".txt"), ".hl7": ("hl7", ".jsonl"), ".xml": ("cda", ".jsonl"),
    ".cda": ("cda", ".jsonl"), ".ccda": ("cda", ".jsonl"),
}  # fmt: skip
_GZIP, _ZIP, _PARQUET, _OLE = b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0"
_HL7 = (b"MSH|", b"FHS|", b"BHS|")
_MESSAGE = re.compile(rb"(?:MSH|FHS|BHS)(?:\||([^\w\s])[^\w\s]{3,4}\1)")  # other marks than | must show themselves
# What a file is that says it is text and is not: other documents, and kinds of report that have rules of their own.
_OTHER_KINDS = (_ZIP, _OLE, _PARQUET, _GZIP, b"%PDF", *_HL7, b"SQLite format 3", b"BZh",
                b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!", b"\x89PNG", b"\xff\xd8\xff")  # fmt: skip
_CDA = re.compile(rb"<(?:[\w.-]+:)?clinicaldocument[\s>]", re.IGNORECASE)
_FHIR = re.compile(rb'"resourceType"\s*:\s*"[A-Z]|<(?:\w+:)?[A-Z]\w+\s[^>]*"http://hl7\.org/fhir"')
_DOCUMENTS = (b"<?xml", b"<clinicaldocument", b"<soap", b"<bundle")
HEAD = 4096  # bytes that show what a file is, and its encoding
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
    return SUFFIXES[suffix][0] if (suffix := _suffix(name)) in SUFFIXES else None


def report_suffix(path: PurePath) -> str:
    """The suffix of what is written for a report file by this name, inflated; "" where it is none."""
    return SUFFIXES[suffix][1] if (suffix := _suffix(path.name)) in SUFFIXES else ""


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


def is_cda(head: bytes) -> bool:
    """Does a file that begins with ``head`` hold a clinical document, UTF-16 too?"""
    return _CDA.search(head.replace(b"\0", b"")) is not None


def is_fhir(head: bytes) -> bool:
    """Does a file of JSON or XML that begins with ``head`` hold FHIR's resources, UTF-16 too?"""
    return _FHIR.search(head.replace(b"\0", b"")) is not None


@contextmanager
def open_bytes(path: Path, kind: Format | Literal["xml", "any"], max_bytes: int = MAX_BYTES) -> Iterator[Any]:
    """The file's bytes, inflated where they are gzip'd, as a stream that can ``peek``; a Parquet file or a workbook can
    ``seek`` as well. Raises DropRecord UNREADABLE_FILE, EMPTY_FILE, TOO_LARGE (inflated), and REFUSED_KIND where the
    content is of another kind than ``kind``; "any" is of none."""
    with reading():
        file: Any = open_file(path)
    with file:
        with reading():
            zipped = file.peek(2)[:2] == _GZIP
        if zipped:
            file = io.BufferedReader(Bounded(gzip.GzipFile(fileobj=file, mode="rb"), max_bytes))
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


class Bounded(io.RawIOBase):
    """A stream that ends in TOO_LARGE where more is read than may be: ``left`` bytes."""

    def __init__(self, file: Any, left: int) -> None:
        self._file, self.left = file, left

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As the file's."""
        with reading():
            data: bytes = self._file.read(len(buffer))
        self.left -= len(data)
        if self.left < 0:
            raise DropRecord(Reason.TOO_LARGE)
        buffer[: len(data)] = data
        return len(data)


def _check_kind(file: Any, kind: Format | Literal["xml", "any"]) -> None:
    with reading():
        head = file.peek(HEAD)[:HEAD]
    if not head:
        raise DropRecord(Reason.EMPTY_FILE)
    if kind == "any":
        return
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


# -- encodings ---------------------------------------------------------------------------------------------------------

_DEEPEST = 32  # of nested values
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALVES = re.compile(r"(?:\udced[\udca0-\udcbf][\udc80-\udcbf])+")
_WHITE = re.compile("[\t\n\v\f\r]+")
# signs between letters, and capitals between small ones
_OF_ANOTHER = re.compile(
    r"(?<=[^\W\d_])[„”“‚ˆ‰˜§¶³¹¤¢£¥¡¿¦¬†‡¼½¾](?=[^\W\d_])|(?<![A-Z][a-z])(?<=[a-zß-ÿ])[À-ÖØ-ÞŠŽŒŸ](?=[a-zß-ÿ])|(?:^|\s)[ˆ‰](?:\s|$)"
)
_NO_TEXT = frozenset(("Cc", "Co", "Cn"))  # control, private and unassigned characters
_MARKS = (  # UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


def text_encoding(head: bytes) -> tuple[str, str]:
    """(codec, error handler) of a text that begins with ``head``. Bytes that are not UTF-8 become surrogates (PEP 383),
    for `mend` to judge value by value."""
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return codec, "surrogatepass"
    text = head.rstrip(b"\0")  # what fills a file up says nothing
    pairs = len(text) // 2
    even, odd = text[: 2 * pairs : 2].count(0), text[1 : 2 * pairs : 2].count(0)
    # Latin letters, digits and separators have a zero byte each; more than a stray one on the other side is no text
    if pairs >= 4 and max(even, odd) * 5 >= pairs and min(even, odd) * 50 <= pairs:
        codec = "utf-16-le" if odd > even else "utf-16-be"
        if _NO_TEXT.isdisjoint(map(unicodedata.category, _WHITE.sub("", head.decode(codec, "ignore")))):
            return codec, "surrogatepass"
    return "utf-8-sig", "surrogateescape"


def decode(raw: bytes) -> str:
    """``raw`` as text; DropRecord BAD_ENCODING where it is in no encoding that can be told."""
    codec, errors = text_encoding(raw[:HEAD])
    with suppress(UnicodeDecodeError):
        if (text := mend(raw.decode(codec, errors))) is not None:
            return text
    raise DropRecord(Reason.BAD_ENCODING)


def from_base64(text: str) -> str:
    """The text that ``text`` holds; DropRecord BROKEN_ROW where it is no base64, BAD_ENCODING as `decode`."""
    try:
        raw = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise DropRecord(Reason.BROKEN_ROW) from None
    return decode(raw)


def mend(text: str) -> str | None:
    """``text``, decoded as UTF-8 with escaped bytes (PEP 383), made whole; None where that would be a guess.

    Escaped bytes are cp1252 where the value holds no UTF-8 beside them, all of its bytes are assigned in cp1252 (else
    latin-1 would make them C1 controls), they are few, as accents are, and none makes a sign of a letter within a word:
    "Gr”áe" was written in a code page of DOS, "z³amania" in that of Central Europe. NUL at an end is padding, as in
    DICOM; within it is a sign of another encoding. Halves of characters beyond the first plane, each as UTF-8 (CESU-8,
    as Oracle and Java write), are joined; a half alone is no text.
    """
    if "\0" in text and "\0" in (text := text.strip("\0")):
        return None
    if text.isascii() or not _SURROGATE.search(text):
        return text
    try:
        text = _HALVES.sub(_joined, text)
        if not _SURROGATE.search(text):
            return text
        if any("\x80" <= c < "\udc80" or c > "\udcff" for c in text):
            return None
        mended = text.encode("ascii", "surrogateescape").decode("cp1252")
    except UnicodeDecodeError:
        return None
    if _OF_ANOTHER.search(mended):
        return None
    strange = sum(not c.isascii() for c in mended)
    return mended if strange * 3 <= len(mended) or len(mended) <= 16 else None


def _joined(halves: re.Match[str]) -> str:
    whole = halves[0].encode("ascii", "surrogateescape").decode("utf-8", "surrogatepass")
    return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def mended(record: dict[str, Any]) -> dict[str, Any] | Reason:
    """Every string of the record whole, at any depth; BAD_ENCODING where one cannot be, BROKEN_ROW where too deep."""
    try:
        return {_all(key, 0): _all(value, 1) for key, value in record.items()}
    except DropRecord as dropped:
        return dropped.reason


def _all(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        whole = mend(value)
        if whole is None:
            raise DropRecord(Reason.BAD_ENCODING)
        return whole
    if depth > _DEEPEST:
        raise DropRecord(Reason.BROKEN_ROW)
    if isinstance(value, dict):
        return {_all(str(k), depth): _all(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_all(v, depth + 1) for v in value]
    return value


def as_string(value: object) -> str:
    """A cell as text: null and NaN are "", a whole float an integer (a column of ids with gaps becomes floats), a
    time at midnight a day."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:  # beyond, the digits are another's
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ")
    if isinstance(value, list):
        return "; ".join(map(as_string, value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=repr)
    return str(value)
