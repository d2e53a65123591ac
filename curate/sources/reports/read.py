"""Reports from tables or from one file a study: their text decoded, and identities, in memory only.

Every file under a source is one report, several, or a Reason in their place. A column that no row can give is a
RecipeError before work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from curate.engine.guard import fault_of
from curate.errors import DropRecord, RecipeError
from curate.places import place
from curate.record import Reason
from curate.sources.archives import OF_ARCHIVES, is_archive, walk_members
from curate.sources.member import archive_of
from curate.sources.pairing.paths import compile_keys, stem
from curate.sources.reports.captions import Asked, ReportColumns, gathered
from curate.sources.reports.formats import (
    HEAD,
    SUFFIXES,
    Format,
    as_string,
    explain,
    explain_content,
    format_of,
    is_cda,
    is_fhir,
    is_hl7,
    open_bytes,
    text_encoding,
)
from curate.sources.reports.messages.cda import read_openi
from curate.sources.reports.messages.hl7 import FIELD, Message
from curate.sources.reports.report import NAMED, Report, RowPlan, make_report
from curate.sources.reports.rows import named_rows, open_messages, open_records
from curate.sources.reports.tables.header import as_asked, check_names, is_meant, names_of
from curate.sources.reports.text.section import SECTIONS
from curate.sources.walk import Found, as_text

if TYPE_CHECKING:
    from curate.sources.reports.messages.fhir import References

Kind = Asked | None
_TABLES = ("csv", "jsonl", "json", "parquet", "xlsx")
_MAX_XML = 1 << 24  # bytes of one document; what is longer is cut, and then malformed


class Counted(Protocol):
    """Files that an image source counts: absolute path -> whether it is a picture."""

    def get(self, path: str, /) -> bool | None:
        """None of a file that no image source counts."""
        ...


def check_columns(path: Path, columns: ReportColumns, format: Asked = "auto", name_pattern: str | None = None) -> None:
    """Raise RecipeError where a source cannot give what ``columns`` asks, reading no more than the files' heads."""
    _compile(name_pattern)
    unknown = [name for name in columns.sections if name not in SECTIONS or name == "other"]
    if unknown:
        known = ", ".join(name for name in SECTIONS if name != "other")
        raise RecipeError(f"columns.sections.{unknown[0]}", "is no section", f"choose among {known}")
    single = _is_single(place(path))
    some, others, tables = False, set[str](), list[list[str]]()  # what is no report, and tables of something else
    for found in walk_members(path):
        if some and archive_of(place(found.path)):  # one member that holds reports is enough
            continue
        kind = _kind(found, format, single)
        if kind is None or kind == "dicom":
            problem, fix = explain(found.relative)
            damaged = found.reason is Reason.DAMAGED_ARCHIVE and not some and not place(path).is_dir()
            if kind is None and (single or damaged):
                raise RecipeError("format" if "format" in fix else "path", problem, fix)
            others.add(problem)
            some = some or _is_structured(found, format) or _is_closed(found)
        elif names := _names_to_check(found, kind, columns, single):
            if single or is_meant(names, columns):
                check_names(names, columns)
                some = True
            else:
                tables.append(names)
        else:
            some = True
    if some:
        return
    for names in tables:
        check_names(names, columns)
    there = "; ".join(sorted(problem.removeprefix("is ") for problem in others if problem.startswith("is ")))
    fix = "name a " + ", ".join(SUFFIXES) + " file, or give 'format'; "
    fix += "for pictures without any, --set 'reports=[]' --set pair.unpaired_images=keep"
    raise RecipeError("path", "holds no reports" + (f": there is {there}" if there else ""), fix)


def read_reports(
    path: Path,
    columns: ReportColumns,
    format: Asked = "auto",
    name_pattern: str | None = None,
    images: Counted | None = None,
) -> Iterator[Report]:
    """Every report under ``path``, a file or a folder, streaming, in the order of `walk` and of the rows.

    A folder's file is read as its suffix says, where ``format`` is that or "auto"; a DICOM structured report as such;
    any other, and a table without any of ``columns``, is one NOT_A_REPORT. ``images`` are the files that an image
    source counts: of these, those that are no report are left to it. A text
    file's identity is its stem, taken as the accession; or what the groups ``accession, study, patient, date`` of the
    regular expression ``name_pattern`` find in its name, or else in its relative path. Raises RecipeError where the
    path does not exist, the pattern is none, or (when its turn comes) a file lacks a column; `check_columns` says so
    before.
    """
    source = _Source(place(path), columns, format, _compile(name_pattern), _is_single(place(path)))
    reports = _reports(walk_members(path), source, images or {})
    return gathered(reports) if columns.caption.question else reports


def _is_single(path: Path) -> bool:
    return not path.is_dir() and not is_archive(path.name)


@dataclass(frozen=True)
class _Source:
    path: Path
    columns: ReportColumns
    format: Asked
    pattern: re.Pattern[str] | None
    single: bool

    @cached_property
    def references(self) -> References:
        """What FHIR's reports refer to: in their own bundle, or in another file of an export."""
        from curate.sources.reports.messages.fhir import References, resources

        known = References()
        for found in walk_members(self.path):
            kind = _kind(found, self.format, self.single)
            if found.reason is None and (kind == "fhir" or _may_be_fhir(found, kind, self.columns)):
                with suppress(DropRecord), open_bytes(place(found.path), "xml") as file:
                    own = known.within(found.path)
                    for url, resource in resources(file):
                        own.add(url, resource)
        return known


def _reports(files: Iterable[Found], source: _Source, images: Counted) -> Iterator[Report]:
    """An exception that nobody foresaw ends its file, as FAILED with its place in the code, and no other."""
    for found in files:
        counted = images.get(found.path)
        if counted or (counted is not None and found.reason in OF_ARCHIVES):
            continue
        try:
            for report in _read(found, source):
                if counted is None or report.reason is not Reason.NOT_A_REPORT:
                    yield report
        except Exception as error:  # noqa: BLE001  counted, and said aloud when the run ends
            yield Report(as_text(found.relative), reason=Reason.FAILED, fault=fault_of(error))


def _read(found: Found, source: _Source) -> Iterator[Report]:
    relative, kind = as_text(found.relative), _kind(found, source.format, source.single)
    if found.reason is not None:
        empty = found.reason is Reason.EMPTY_FILE and kind is not None
        yield Report(relative, reason=Reason.EMPTY_REPORT if empty else found.reason)
        return
    if kind == "txt":
        kind = _within_text(found, source.columns)
    if _may_be_fhir(found, kind, source.columns):
        kind = "fhir"
    try:
        if kind == "txt":
            yield _text_file(found, source.pattern)
        elif kind in _TABLES:
            yield from _table(found, cast("Format", kind), source)
        else:
            yield from _documents(found, kind, source)
    except DropRecord as dropped:
        # `curate deid` refuses what is no report as what it is
        refused = dropped.reason is Reason.REFUSED_KIND
        yield Report(relative, reason=Reason.NOT_A_REPORT if refused else dropped.reason)


def _kind(found: Found, format: Asked, single: bool) -> Kind:
    """How the file is read; None where its name stands for no report."""
    if single and format != "auto":
        return format
    by_suffix = format_of(PurePath(found.relative).name)
    if format == "openi":
        return "openi" if found.relative.lower().endswith(".xml") else None
    if format == "fhir" and by_suffix in ("json", "jsonl"):
        return "fhir"
    if by_suffix == "cda" and not _begins(found, is_cda):
        return "fhir" if format in ("auto", "fhir") and _begins(found, is_fhir) else None
    if single and by_suffix is None and _is_structured(found, format):
        return "dicom"
    return by_suffix if format in ("auto", by_suffix) else None


def _begins(found: Found, as_kind: Callable[[bytes], bool]) -> bool:
    """Can the file be read, and does it begin as that kind does?"""
    with suppress(DropRecord), open_bytes(place(found.path), "xml") as file:
        return found.reason is None and as_kind(file.peek(HEAD)[:HEAD])
    return False


def _is_structured(found: Found, format: Asked) -> bool:
    from curate.sources.sniff import sniff

    with suppress(DropRecord):
        return found.reason is None and format in ("auto", "dicom") and sniff(place(found.path)) == "dicom"
    return False


def _may_be_fhir(found: Found, kind: Kind, columns: ReportColumns) -> bool:
    """A JSON file of FHIR's resources; where columns are asked for, it is a table of its fields as any other."""
    return kind in ("json", "jsonl") and not columns.make_text and _begins(found, is_fhir)


def _documents(found: Found, kind: Kind, source: _Source) -> Iterator[Report]:
    """What a file reports that says itself whose its reports are; ``columns`` may name a message's fields ("OBR-20") in
    place of the usual ones."""
    relative, number = as_text(found.relative), 0
    fields = {name: field for name, field in source.columns.by_field().items() if FIELD.fullmatch(field)}
    for number, message in enumerate(_messages(found, kind, source), start=1):
        named = {name: message.value(field) for name, field in fields.items()} if kind in ("hl7", "cda") else {}
        row = f"{relative}#{number}" if kind in ("hl7", "cda", "fhir") else relative
        phi = (*message.people, *message.numbers)
        yield make_report(row, message.text, {**message.known, **named}, reason=message.reason, phi=phi)
    if not number:
        raise DropRecord(Reason.NOT_A_REPORT)


def _messages(found: Found, kind: Kind, source: _Source) -> Iterator[Message]:
    path = place(found.path)
    if kind == "hl7" or kind == "cda":
        yield from open_messages(path, kind)
    elif kind == "openi":
        with open_bytes(path, "xml") as file:
            yield read_openi(file.read(_MAX_XML))
    elif kind == "fhir":
        from curate.sources.reports.messages.fhir import fhir_report, resources  # ijson: only where there is FHIR

        references = source.references.within(found.path)
        with open_bytes(path, "xml") as file:
            for _, resource in resources(file):
                if resource is None or resource.get("resourceType") == "DiagnosticReport":
                    yield fhir_report(resource, references)
    elif kind == "dicom" or _is_structured(found, source.format):
        from curate.sources.reports.messages.structured import read_structured  # pydicom: only where there is one

        yield Message(*read_structured(path))


def _text_file(found: Found, pattern: re.Pattern[str] | None) -> Report:
    relative, path = as_text(found.relative), place(found.path)
    if pattern is None:
        name = path.name[:-3] if path.suffix.lower() == ".gz" else path.name
        known = {"accession": as_text(PurePath(name).stem)}
    else:
        match = pattern.search(as_text(path.name)) or pattern.search(relative)
        known = {name: value or "" for name, value in (match.groupdict() if match else {}).items() if name in NAMED}
    # the image that lies beside it, where pairs are given by file name
    known.setdefault("image", as_text(found.sample) or stem(relative))
    try:
        with open_records(path, format="txt") as records:
            record = next(records.rows)
    except DropRecord as dropped:
        if dropped.reason is Reason.REFUSED_KIND:
            raise
        return make_report(relative, "", known, reason=dropped.reason)
    return make_report(relative, as_string(cast("dict[str, Any]", record)["text"]), known)


def _within_text(found: Found, columns: ReportColumns) -> Literal["csv", "hl7", "txt"]:
    """What a text file's beginning proves it to be: HL7 messages, a table with the columns asked for, a text."""
    head = b""
    with suppress(DropRecord), open_bytes(place(found.path), "any") as file:
        head = file.peek(HEAD)[:HEAD]
    if is_hl7(head):
        return "hl7"
    names = set(columns.by_field().values())
    text = head.decode(text_encoding(head)[0], "ignore")
    if columns.make_text and len(names) > 1 and all(name in text for name in names):
        return "csv" if names <= set(names_of(found, "csv", columns)) else "txt"
    return "txt"


def _table(found: Found, kind: Format, source: _Source) -> Iterator[Report]:
    relative = as_text(found.relative)
    plan = RowPlan(source.columns)
    with open_records(place(found.path), format=kind, wanted=plan.wanted) as records:
        names, rows = named_rows(records, nested=plan.nested)
        first = next(rows, None)
        if not names:
            unread = first if isinstance(first, Reason) else Reason.BAD_ENCODING
            raise DropRecord(Reason.EMPTY_REPORT if first is None else unread)
        renamed = as_asked(names, source.columns)
        names = [renamed.get(name, name) for name in names]
        if not source.single and not is_meant(names, source.columns):
            raise DropRecord(Reason.NOT_A_REPORT)
        check_names(names, source.columns)
        if first is None:
            raise DropRecord(Reason.EMPTY_REPORT)
        for number, row in enumerate(chain([first], rows), start=1):
            identity = f"{relative}#{number}"
            if isinstance(row, Reason):
                yield Report(identity, reason=row)
                continue
            report = plan.report(identity, {renamed.get(n, n): cell for n, cell in row.items()} if renamed else row)
            if not report.image:  # a document of a sample, as WebDataset has them; a row with an image of its own
                own = f"{relative}/{number}/" if records.images else as_text(found.sample) if kind == "json" else ""
                report = replace(report, image=own)
            yield report


def _names_to_check(found: Found, kind: Kind, columns: ReportColumns, single: bool) -> list[str]:
    """A table's columns; [] of what has none, or cannot be read and so may hold reports. RecipeError where that is all
    there is."""
    if kind not in _TABLES or found.reason is not None or _may_be_fhir(found, kind, columns):
        return []
    names = names_of(found, cast("Format", kind), columns)
    if not names and single:
        problem, fix = explain_content(place(found.path))
        raise RecipeError("path", f"is no readable {kind} file{problem}", fix)
    return names


def _is_closed(found: Found) -> bool:
    """A folder that is not entered: it may hold reports."""
    return found.reason is Reason.UNREADABLE_FOLDER or (found.reason is Reason.SYMLINK and place(found.path).is_dir())


def _compile(name_pattern: str | None) -> re.Pattern[str] | None:
    return None if name_pattern is None else compile_keys(name_pattern, "name_pattern", NAMED, others=True)
