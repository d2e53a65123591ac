"""Reports from tables or from one file a study: their text decoded, and identities, in memory only.

Every file under a source is one report, several, or a Reason in their place. A column that no row can give is a
RecipeError before work.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePath
from typing import Any, Literal, cast

from curate.engine.guard import fault_of
from curate.errors import DropRecord, RecipeError
from curate.record import Reason
from curate.sources.faults import stop_for_source
from curate.sources.identity import folded
from curate.sources.pairing.paths import stem
from curate.sources.reports.asked import Asked, ReportColumns, Several
from curate.sources.reports.captions import gathered
from curate.sources.reports.columns import safe_name
from curate.sources.reports.formats import SUFFIXES, Format, explain, explain_content, format_of, is_hl7
from curate.sources.reports.headings import SECTIONS
from curate.sources.reports.hl7 import FIELD, is_message, read_messages
from curate.sources.reports.markup import plain_text, report_text
from curate.sources.reports.rows import as_string, named_rows, open_messages, open_records
from curate.sources.reports.statements import Claim
from curate.sources.walk import Found, as_text, walk

_TRUE = {"yes", "true", "1", "y"}
_PHI = ("patient_name", "patient", "accession", "study")
_NAMED = ("accession", "study", "patient", "date", "image")  # what a file's name can say
_AS_IT_IS = frozenset(("image",))  # a path's backslashes are no escapes
_HEAD = 4096  # bytes of a text file that show whether it is something else
_BROKEN_FIX = "quote cells that hold the delimiter, quotes or line breaks; name a field of a field as report.text"
_NO_TEXT = re.compile(r"\s*(?:null|none|nan|n/?a|nil|\\n|<na>|nat)\s*", re.IGNORECASE)  # as databases write nothing
_HEADER = re.compile(r"[A-Za-z]\w*(?:_\w+)+|[A-Z][A-Z0-9]{1,7}")  # FINDINGS_COL, ACC: as no one is called


@dataclass(frozen=True)
class Report:
    """One report as the source has it: PHI. Strings are valid Unicode, "" where the source says nothing."""

    row: str  # its stable identity: relative file, or relative file + "#" + number of the row from 1
    text: str = ""  # without markup and escapes
    accession: str = ""
    study: str = ""
    patient: str = ""
    date: str = ""
    image: str = ""
    phi: tuple[str, ...] = ()  # patient name, patient, accession and study, as far as known
    group: str = ""
    clean: bool | None = None  # None: the source has no such column
    split: str = ""
    claim: Claim | None = None  # what a row with a question states, and its denial
    meta: dict[str, str] = field(default_factory=dict)
    reason: Reason | None = None  # NOT_A_REPORT, EMPTY_REPORT, BAD_ENCODING ...; of a bad entry, what `walk` said
    undecoded: str = ""  # the text as it came, where that is another: it may name someone in what is no text
    file: str = ""  # its file's absolute path, where the whole source is read
    status: str = ""
    order: str = ""
    several: Several = "ambiguous"  # what is done where several share an identity; its source's rule
    fault: str = ""  # of one that FAILED, where in the code


def check_columns(path: Path, columns: ReportColumns, format: Asked = "auto", name_pattern: str | None = None) -> None:
    """Raise RecipeError where a source cannot give what ``columns`` asks, reading no more than the files' heads."""
    if name_pattern is not None:
        _compile(name_pattern)
    unknown = [name for name in columns.sections if name not in SECTIONS or name == "other"]
    if unknown:
        known = ", ".join(name for name in SECTIONS if name != "other")
        raise RecipeError(f"columns.sections.{unknown[0]}", "is no section", f"choose among {known}")
    single = not Path(path).is_dir()
    some = False
    for found in walk(path):
        kind = _kind(found, format, single)
        if kind is None and single:
            what, fix = explain(found.relative)
            raise RecipeError("format" if "format" in fix else "path", what, fix)
        if kind is None or kind == "dicom":
            some = some or _is_structured(found, format) or _is_closed(found)
        else:
            some = _offers(found, kind, columns, single) or some
    if not some:
        _nothing_there(path, columns, format)


def read_reports(
    path: Path,
    columns: ReportColumns,
    format: Asked = "auto",
    name_pattern: str | None = None,
    images: Mapping[str, bool] | None = None,
) -> Iterator[Report]:
    """Every report under ``path``, a file or a folder, streaming, in the order of `walk` and of the rows.

    A folder's file is read as its suffix says, where ``format`` is that or "auto"; a DICOM structured report as such;
    any other, and a table without any of ``columns``, is one NOT_A_REPORT. ``images`` are the files that an image
    source counts (absolute path -> whether it is a picture): of these, those that are no report are left to it. A text
    file's identity is its stem, taken as the accession; or what the groups ``accession, study, patient, date`` of the
    regular expression ``name_pattern`` find in its name, or else in its relative path. Raises RecipeError where the
    path does not exist, the pattern is none, or (when its turn comes) a file lacks a column; `check_columns` says so
    before.
    """
    pattern = None if name_pattern is None else _compile(name_pattern)
    source = _Source(columns, format, pattern, not Path(path).is_dir())
    reports = _reports(walk(path), source, images or {})
    return gathered(reports) if columns.caption.question else reports


@dataclass(frozen=True)
class _Source:
    columns: ReportColumns
    format: Asked
    pattern: re.Pattern[str] | None
    single: bool


def _reports(files: Iterable[Found], source: _Source, images: Mapping[str, bool]) -> Iterator[Report]:
    for found in files:
        counted = images.get(found.path)
        if counted:
            continue
        for report in _surely(found, source):
            if counted is None or report.reason is not Reason.NOT_A_REPORT:
                yield report


def _surely(found: Found, source: _Source) -> Iterator[Report]:
    """`_read`; an exception that nobody foresaw ends this file, as FAILED with its place in the code, and no other."""
    try:
        yield from _read(found, source)
    except Exception as error:  # noqa: BLE001  counted, and said aloud when the run ends
        yield Report(as_text(found.relative), reason=Reason.FAILED, fault=fault_of(error))


def _read(found: Found, source: _Source) -> Iterator[Report]:
    relative, kind = as_text(found.relative), _kind(found, source.format, source.single)
    if found.reason is not None:
        empty = found.reason is Reason.EMPTY_FILE and kind is not None
        yield Report(relative, reason=Reason.EMPTY_REPORT if empty else found.reason)
        return
    try:
        if kind in (None, "dicom"):
            yield _structured(found, source, kind)
        elif kind == "hl7":
            yield from _messages(found, source.columns)
        elif kind == "txt":
            yield from _text_or_table(found, source)
        else:
            yield from _table(found, cast("Format", kind), source)
    except DropRecord as dropped:
        yield Report(relative, reason=_told(dropped.reason))


def _told(reason: Reason) -> Reason:
    """What a file that is no report is called here; `curate deid` refuses it as what it is."""
    return Reason.NOT_A_REPORT if reason is Reason.REFUSED_KIND else reason


def _kind(found: Found, format: Asked, single: bool) -> Format | Literal["dicom"] | None:
    """How the file is read; None where its name stands for no report."""
    if single and format != "auto":
        return format
    by_suffix = format_of(PurePath(found.relative).name)
    if single and by_suffix is None and _is_structured(found, format):
        return "dicom"
    return by_suffix if format in ("auto", by_suffix) else None


# -- one report a file -------------------------------------------------------------------------------------------------


def _is_structured(found: Found, format: Asked) -> bool:
    from curate.sources.sniff import sniff

    try:
        return found.reason is None and format in ("auto", "dicom") and sniff(Path(found.path)) == "dicom"
    except DropRecord:
        return False


def _structured(found: Found, source: _Source, kind: Literal["dicom"] | None) -> Report:
    if kind is None and not _is_structured(found, source.format):
        raise DropRecord(Reason.NOT_A_REPORT)
    from curate.sources.reports.structured import read_structured  # pydicom: where there is a structured report

    said = read_structured(Path(found.path))
    known = {"accession": said.accession, "study": said.study, "patient": said.patient, "date": said.date}
    return _report(as_text(found.relative), said.text, known, phi=said.phi)


def _text_file(found: Found, pattern: re.Pattern[str] | None) -> Report:
    relative, path = as_text(found.relative), Path(found.path)
    if pattern is None:
        name = path.name[:-3] if path.suffix.lower() == ".gz" else path.name
        known = {"accession": as_text(PurePath(name).stem)}
    else:
        match = pattern.search(as_text(path.name)) or pattern.search(relative)
        known = {name: value or "" for name, value in (match.groupdict() if match else {}).items() if name in _NAMED}
    known.setdefault("image", stem(relative))  # the image that lies beside it, where pairs are given by file name
    try:
        with open_records(path, format="txt") as records:
            record = next(records.rows)
    except DropRecord as dropped:
        if dropped.reason is Reason.REFUSED_KIND:
            raise
        return _report(relative, "", known, reason=dropped.reason)
    return _report(relative, as_string(cast("dict[str, Any]", record)["text"]), known)


def _text_or_table(found: Found, source: _Source) -> Iterator[Report]:
    """A text file as what its beginning proves it to be: HL7 messages, a table with the columns asked for, a text."""
    kind = _within_text(found, source.columns)
    if kind == "hl7":
        yield from _messages(found, source.columns)
    elif kind == "csv":
        yield from _table(found, "csv", source)
    else:
        yield _text_file(found, source.pattern)


def _within_text(found: Found, columns: ReportColumns) -> Literal["csv", "hl7", "txt"]:
    try:
        with Path(found.path).open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        stop_for_source(error)
        return "txt"
    if is_hl7(head):
        return "hl7"
    asked = columns.asked().values()
    if columns.make_text and len(asked) > 1 and all(column.encode() in head for column in asked):
        names = _names(found, "csv", columns)
        return "csv" if set(asked) <= set(names) else "txt"
    return "txt"


def _messages(found: Found, columns: ReportColumns) -> Iterator[Report]:
    """The orders of HL7 messages; ``columns`` may name fields of theirs ("OBR-20") in place of the usual ones."""
    relative = as_text(found.relative)
    asked = {name: field for name, field in columns.asked().items() if FIELD.fullmatch(field)}
    some = False
    for number, message in enumerate(open_messages(Path(found.path)), start=1):
        some = True
        known = {**message.known, **{name: message.fields.get(field, "") for name, field in asked.items()}}
        yield _report(f"{relative}#{number}", message.text, known, phi=(*message.people, *message.numbers))
    if not some:
        raise DropRecord(Reason.NOT_A_REPORT)


# -- one report a row --------------------------------------------------------------------------------------------------


def _table(found: Found, kind: Format, source: _Source) -> Iterator[Report]:
    relative = as_text(found.relative)
    plan = _Plan(source.columns)
    with open_records(Path(found.path), format=kind, wanted=plan.wanted) as records:
        names, rows = named_rows(records, nested=plan.nested)
        first = next(rows, None)
        if not names:
            unread = first if isinstance(first, Reason) else Reason.BAD_ENCODING
            raise DropRecord(Reason.EMPTY_REPORT if first is None else unread)
        asked = _as_asked(names, source.columns)
        names = [asked.get(name, name) for name in names]
        if not source.single and not _is_meant(names, source.columns):
            raise DropRecord(Reason.NOT_A_REPORT)
        _check_names(names, source.columns)
        if first is None:
            raise DropRecord(Reason.EMPTY_REPORT)
        for number, row in enumerate(chain([first], rows), start=1):
            identity = f"{relative}#{number}"
            if isinstance(row, Reason):
                yield Report(identity, reason=row)
            else:
                yield plan.report(identity, {asked.get(n, n): cell for n, cell in row.items()} if asked else row)


def _as_asked(names: Sequence[str], columns: ReportColumns) -> dict[str, str]:
    """Column of the file -> the column asked for that it is but for letter case, width and blanks, if only one is."""
    spelt: dict[str, list[str]] = {}
    for name in names:
        spelt.setdefault(folded(name), []).append(name)
    missing = [column for column in columns.asked().values() if column not in names]
    return {same[0]: column for column in missing if len(same := spelt.get(folded(column), [])) == 1}


class _Plan:
    """Which of a row's values goes where, worked out once a file."""

    def __init__(self, columns: ReportColumns) -> None:
        asked = columns.asked()
        self.nested = any("." in column for column in asked.values())
        self.wanted = frozenset([*asked.values(), *(c.split(".")[0] for c in asked.values() if "." in c)])
        self._text, self._clean = asked.pop("text", None), asked.pop("clean", None)
        self._single = [(name, column) for name, column in asked.items() if "." not in name]
        self._sections = [(name.upper(), column) for name, column in columns.sections.items()]
        self._sections.sort(key=lambda s: s[0] != "BODY")  # what has no heading can only stand first
        self._keep = list(columns.keep.items())
        self._caption = columns.caption

    def report(self, row: str, record: Mapping[str, Any]) -> Report:
        """The row's report, or the Reason why it is none."""
        try:
            return self._made(row, record)
        except DropRecord as dropped:
            return Report(row, reason=dropped.reason)

    def _made(self, row: str, record: Mapping[str, Any]) -> Report:
        clean = None if self._clean is None else as_string(record.get(self._clean)).strip().casefold() in _TRUE
        raw = {name: as_string(record.get(column)).strip() for name, column in self._single}
        known = {name: value if name in _AS_IT_IS else plain_text(value).strip() for name, value in raw.items()}
        meta = {name: plain_text(as_string(record.get(column))) for name, column in self._keep}
        more = () if known == raw else tuple(raw[name] for name in _PHI if raw.get(name))
        if not self._caption.given:
            return _report(row, self._join(record), known, clean, meta, phi=more)
        cells = {column: plain_text(as_string(record.get(column))) for column in self._caption.columns}
        sentences, stated, reason = self._caption.compose(cells)
        # a line each where rows of one image are gathered, so that what they share is said once
        text = ("\n" if self._caption.question else " ").join(sentences)
        return replace(_report(row, text, known, clean, meta, reason, phi=more), claim=stated)

    def _join(self, record: Mapping[str, Any]) -> str:
        if not self._sections:
            return "" if self._text is None else _words(record.get(self._text))
        parts = ["" if self._text is None else _words(record.get(self._text)).strip()]
        for name, column in self._sections:
            value = _words(record.get(column)).strip()
            parts.append(f"{name}: {value}" if value and name != "BODY" else value)
        return "\n\n".join(part for part in parts if part)


def _words(value: Any) -> str:
    """A cell of text; a list's items are lines. DropRecord BROKEN_ROW for fields of its own, which are no text."""
    if isinstance(value, dict):
        raise DropRecord(Reason.BROKEN_ROW)
    if not isinstance(value, list):
        return as_string(value)
    items = [_words(item) for item in value]
    return ("\n" if any(" " in item.strip() for item in items) else "; ").join(items)


def _report(
    row: str,
    raw: str,
    known: Mapping[str, str],
    clean: bool | None = None,
    meta: dict[str, str] | None = None,
    reason: Reason | None = None,
    phi: tuple[str, ...] = (),
) -> Report:
    known, raw, phi = _of_message(known, raw, phi)
    if _NO_TEXT.fullmatch(raw):
        raw = ""
    text = report_text(raw)
    return Report(
        row=row,
        text=text,
        accession=known.get("accession", ""),
        study=known.get("study", ""),
        patient=known.get("patient", ""),
        date=known.get("date", ""),
        image=known.get("image", ""),
        phi=tuple(dict.fromkeys([*(known[name] for name in _PHI if known.get(name)), *phi])),
        group=known.get("group", ""),
        split=known.get("split", ""),
        status=known.get("status", ""),
        order=known.get("order", ""),
        clean=clean,
        meta=meta or {},
        reason=reason or (None if text.strip() else Reason.EMPTY_REPORT),
        undecoded="" if text == raw else raw,
    )


def _of_message(
    known: Mapping[str, str], raw: str, phi: tuple[str, ...]
) -> tuple[Mapping[str, str], str, tuple[str, ...]]:
    """Of a cell or file that holds an HL7 message what that reports, and whom it names; ids that nothing else tells."""
    if not is_message(raw):
        return known, raw, phi
    messages = list(read_messages(raw))
    if not messages:
        return known, "", phi
    own = {name: value for name, value in messages[0].known.items() if value}
    people = (*(v for m in messages for v in (*m.people, *m.numbers)), *(own[n] for n in _PHI if own.get(n)))
    return {**own, **{n: v for n, v in known.items() if v}}, "\n\n".join(m.text for m in messages), (*phi, *people)


# -- what is wrong with a recipe ---------------------------------------------------------------------------------------


def _offers(found: Found, kind: Format, columns: ReportColumns, single: bool) -> bool:
    """Does the file hold reports, or what cannot be read and so may? RecipeError where it lacks some of the columns."""
    if kind in ("txt", "hl7") or found.reason is not None:
        return True
    names = _names(found, kind, columns)
    if not names and single:
        what, fix = explain_content(Path(found.path))
        raise RecipeError("path", f"is no readable {kind} file{what}", fix)
    if names and not single and not _is_meant(names, columns):
        return False
    if names:
        _check_names(names, columns)
    return True


def _names(found: Found, kind: Format, columns: ReportColumns) -> list[str]:
    """The columns a file has, from its head; [] where it cannot be read."""
    try:
        with open_records(Path(found.path), format=kind, wanted=frozenset(columns.asked().values())) as records:
            names = named_rows(records, nested=True)[0]
            asked = _as_asked(names, columns)
            return [asked.get(name, name) for name in names]
    except DropRecord:
        return []


def not_read(reports: Sequence[Report]) -> list[str]:
    """Of the files that are no reports, how many are of a kind that holds reports often, and what to do; so of rows."""
    found: Counter[tuple[str, str]] = Counter()
    for file in dict.fromkeys(r.file for r in reports if r.reason is Reason.NOT_A_REPORT and r.file):
        what, fix = explain(PurePath(file).name)
        if not what.startswith("is "):
            what, fix = explain_content(Path(file))
        found[what.removeprefix(": it "), fix] += what.startswith(("is ", ": it "))
    told = [f"{n:,} files beside the reports: each {what}; {fix}" for (what, fix), n in sorted(found.items()) if n]
    if broken := sum(r.reason is Reason.BROKEN_ROW for r in reports):
        told.append(f"{broken:,} of {len(reports):,} report rows are malformed: {_BROKEN_FIX}")
    return told


def _is_closed(found: Found) -> bool:
    """A folder that is not entered: it may hold reports."""
    return found.reason is Reason.UNREADABLE_FOLDER or (found.reason is Reason.SYMLINK and Path(found.path).is_dir())


def _nothing_there(path: Path, columns: ReportColumns, format: Asked) -> None:
    """Raise the RecipeError of a folder in which no file holds reports: what its tables lack, or what there is."""
    known = set()
    for found in walk(path):
        kind = _kind(found, format, single=False)
        if kind is None or kind == "dicom":
            known.add(explain(found.relative)[0])
        else:
            _check_names(_names(found, kind, columns), columns)
    there = "; ".join(sorted(what.removeprefix("is ") for what in known if what.startswith("is ")))
    fix = "name a " + ", ".join(SUFFIXES) + " file, or give 'format'"
    raise RecipeError("path", "holds no reports" + (f": there is {there}" if there else ""), fix)


def _is_meant(names: list[str], columns: ReportColumns) -> bool:
    """Is a table among other files one of the reports'? One that has none of the columns is something else."""
    return columns.make_text and not set(names).isdisjoint(columns.asked().values())


def _check_names(names: list[str], columns: ReportColumns) -> None:
    if not columns.make_text:
        raise RecipeError("columns.text", "names no column, and columns.sections neither", _there(names))
    for name, column in columns.asked().items():
        if names.count(column) != 1:
            problem = (
                f"there is no column {column!r}" if column not in names else f"several columns are named {column!r}"
            )
            raise RecipeError(f"columns.{name}", problem, _there(names))


def _there(names: list[str]) -> str:
    """The columns there are, those apart that could be a patient's: a first row of data stands where names should."""
    shown = [name for name in names if _HEADER.fullmatch(name) or safe_name(name)]
    if not shown or 2 * len(shown) < len(names):
        return "the first row of the file must name its columns"
    rest = f", and {len(names) - len(shown)} more" if len(shown) < len(names) else ""
    return "the columns are " + ", ".join(shown[:60]) + rest


def _compile(name_pattern: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(name_pattern)
    except re.error as error:
        raise RecipeError("name_pattern", f"is no regular expression ({error})", "see Python's re") from None
    if not set(pattern.groupindex) & set(_NAMED):
        groups = ", ".join(f"(?P<{name}>...)" for name in _NAMED)
        raise RecipeError("name_pattern", "names no identity", f"use a group among {groups}")
    return pattern
