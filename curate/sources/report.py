"""Reports from CSV, JSONL or Parquet files or from one text file a study: raw text and identities, in memory only.

What a row cannot give is said by a Reason in its place; a column that no row can give is a RecipeError before work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from curate.errors import RecipeError
from curate.record import Reason
from curate.sources.paths import stem
from curate.sources.rows import SUFFIXES, Format, Row, column_names, decode, read_rows
from curate.sources.section import SECTIONS
from curate.sources.walk import Found, as_text, walk

Asked = Literal["auto", "csv", "jsonl", "parquet", "txt"]
MAX_REPORT_BYTES = 1 << 24  # a text file beyond this is not a report
_TRUE = {"yes", "true", "1", "y"}
_PHI = ("patient_name", "patient", "accession", "study")
_SINGLE = ("text", "accession", "study", "patient", "date", "image", "patient_name", "group", "clean", "split")
_NAMED = ("accession", "study", "patient", "date", "image")  # what a file's name can say
# what a first row of data looks like where names should be: it is never printed
_DATA_LIKE = re.compile(r"\d{4}|\^|[.;:!?]\s|\.$|^.{49}|^$", re.DOTALL)


@dataclass(frozen=True)
class ReportColumns:
    """Which column says what; None: no column does. ``text``, ``sections`` or both make the report's text."""

    text: str | None = None
    sections: Mapping[str, str] = field(default_factory=dict)  # section name -> column
    accession: str | None = None
    study: str | None = None
    patient: str | None = None
    date: str | None = None
    image: str | None = None  # path or name of the one image that the row is about
    patient_name: str | None = None
    group: str | None = None  # rows that must share a split; by default the patient
    clean: str | None = None  # whether the row belongs to the trusted set
    split: str | None = None  # the source's own: train, val or test, by any of their usual names
    keep: Mapping[str, str] = field(default_factory=dict)  # name in the record's meta -> column


@dataclass(frozen=True)
class Report:
    """One report as the source has it: PHI. Strings are valid Unicode, "" where the source says nothing."""

    row: str  # its stable identity: relative file, or relative file + "#" + number of the row from 1
    text: str = ""
    accession: str = ""
    study: str = ""
    patient: str = ""
    date: str = ""
    image: str = ""
    phi: tuple[str, ...] = ()  # patient name, patient, accession and study, as far as known
    group: str = ""
    clean: bool | None = None  # None: the source has no such column
    split: str = ""
    meta: dict[str, str] = field(default_factory=dict)
    reason: Reason | None = None  # EMPTY_REPORT, BAD_ENCODING, UNREADABLE_FILE; of a bad entry, what `walk` said


def check_columns(path: Path, columns: ReportColumns, format: Asked = "auto", name_pattern: str | None = None) -> None:
    """Raise RecipeError where a source cannot give what ``columns`` asks, reading no more than the files' heads."""
    if name_pattern is not None:
        _compile(name_pattern)
    unknown = [name for name in columns.sections if name not in SECTIONS or name == "other"]
    if unknown:
        known = ", ".join(name for name in SECTIONS if name != "other")
        raise RecipeError(f"columns.sections.{unknown[0]}", "is no section", f"choose among {known}")
    files = 0
    for found, kind in _files(path, format):
        files += 1
        if kind == "txt" or found.reason is not None:
            continue
        try:
            names = column_names(Path(found.path), kind)
        except OSError:
            names = []
        if names:
            _check_names(names, columns)
        elif Path(path).is_file():  # among many, a file that cannot be read is a Reason later
            raise RecipeError("path", f"is no readable {kind} file", "mend it, or give 'format'")
    if not files:
        raise RecipeError("path", "holds no reports", "name a " + ", ".join(SUFFIXES) + " file, or give 'format'")


def read_reports(
    path: Path,
    columns: ReportColumns,
    format: Asked = "auto",
    name_pattern: str | None = None,
) -> Iterator[Report]:
    """Every report under ``path``, a file or a folder, streaming, in the order of `walk` and of the rows.

    In a folder only files with a suffix of ``format`` (any known one for "auto") are reports. A text file's identity is
    its stem, taken as the accession; or what the groups ``accession, study, patient, date`` of the regular expression
    ``name_pattern`` find in its name, or else in its relative path. Raises RecipeError where the path does not exist,
    the pattern is none, or (when its turn comes) a file lacks a column; `check_columns` says so before.
    """
    pattern = None if name_pattern is None else _compile(name_pattern)
    files = _files(path, format)
    return (report for found, kind in files for report in _read(found, kind, columns, pattern))


def _files(path: Path, format: Asked) -> Iterator[tuple[Found, Format]]:
    """What ``path`` holds of this format, and the entries that cannot be entered and so may hold some."""
    single = not Path(path).is_dir()
    return ((found, kind) for found in walk(path) if (kind := _kind(found, format, single)) is not None)


def _kind(found: Found, format: Asked, single: bool) -> Format | None:
    by_suffix = SUFFIXES.get(PurePosixPath(found.relative).suffix.lower())
    kind = by_suffix if format == "auto" else format
    if single and kind is None:
        raise RecipeError("format", "the file's suffix does not say what it is", "give 'format'")
    if single or (by_suffix is not None and by_suffix == kind):
        return kind
    closed = found.reason is Reason.SYMLINK and Path(found.path).is_dir()
    return "txt" if closed or found.reason is Reason.UNREADABLE_FOLDER else None


def _read(found: Found, kind: Format, columns: ReportColumns, pattern: re.Pattern[str] | None) -> Iterator[Report]:
    relative = as_text(found.relative)
    if found.reason is not None:
        reason = Reason.EMPTY_REPORT if found.reason is Reason.EMPTY_FILE else found.reason
        yield Report(relative, reason=reason)
        return
    path = Path(found.path)
    try:
        if kind == "txt":
            yield _text_file(found, path, pattern)
            return
        names = column_names(path, kind)
    except OSError:
        yield Report(relative, reason=Reason.UNREADABLE_FILE)
        return
    if not names:
        yield Report(relative, reason=Reason.BAD_ENCODING if kind == "jsonl" else Reason.UNREADABLE_FILE)
        return
    _check_names(names, columns)
    plan = _Plan(columns)
    for number, row in read_rows(path, kind, plan.wanted):
        yield plan.report(f"{relative}#{number}", row)


class _Plan:
    """Which of a row's values goes where, worked out once a file."""

    def __init__(self, columns: ReportColumns) -> None:
        asked = _asked(columns)
        self.wanted = list(dict.fromkeys(asked.values()))
        place = {name: self.wanted.index(column) for name, column in asked.items()}
        self._single = [(name, place[name]) for name in _SINGLE if name in place and name not in ("text", "clean")]
        self._text = place.get("text")
        self._clean = place.get("clean")
        self._sections = [(name.upper(), place[f"sections.{name}"]) for name in columns.sections]
        self._sections.sort(key=lambda s: s[0] != "BODY")  # what has no heading can only stand first
        self._keep = [(name, place[f"keep.{name}"]) for name in columns.keep]

    def report(self, row: str, values: Row) -> Report:
        if isinstance(values, Reason):
            return Report(row, reason=values)
        clean = None if self._clean is None else values[self._clean].strip().casefold() in _TRUE
        meta = {name: values[i] for name, i in self._keep}
        return _report(row, self._join(values), {name: values[i].strip() for name, i in self._single}, clean, meta)

    def _join(self, values: list[str]) -> str:
        if not self._sections:
            return "" if self._text is None else values[self._text]
        parts = ["" if self._text is None else values[self._text].strip()]
        for name, i in self._sections:
            value = values[i].strip()
            parts.append(f"{name}: {value}" if value and name != "BODY" else value)
        return "\n\n".join(part for part in parts if part)


def _text_file(found: Found, path: Path, pattern: re.Pattern[str] | None) -> Report:
    relative = as_text(found.relative)
    if pattern is None:
        known = {"accession": as_text(path.stem)}
    else:
        match = pattern.search(as_text(path.name)) or pattern.search(relative)
        known = {name: value or "" for name, value in (match.groupdict() if match else {}).items() if name in _NAMED}
    known.setdefault("image", stem(relative))  # the image that lies beside it, where pairs are given by file name
    with path.open("rb") as f:
        raw = f.read(MAX_REPORT_BYTES + 1)
    if len(raw) > MAX_REPORT_BYTES:
        return _report(relative, "", known, reason=Reason.UNREADABLE_FILE)
    text = decode(raw)
    return _report(relative, text or "", known, reason=Reason.BAD_ENCODING if text is None else None)


def _report(
    row: str,
    text: str,
    known: Mapping[str, str],
    clean: bool | None = None,
    meta: dict[str, str] | None = None,
    reason: Reason | None = None,
) -> Report:
    return Report(
        row=row,
        text=text,
        accession=known.get("accession", ""),
        study=known.get("study", ""),
        patient=known.get("patient", ""),
        date=known.get("date", ""),
        image=known.get("image", ""),
        phi=tuple(dict.fromkeys(known[name] for name in _PHI if known.get(name))),
        group=known.get("group", ""),
        split=known.get("split", ""),
        clean=clean,
        meta=meta or {},
        reason=reason or (None if text.strip() else Reason.EMPTY_REPORT),
    )


def _asked(columns: ReportColumns) -> dict[str, str]:
    """Field of the recipe under ``columns`` -> the column it names."""
    single = {name: column for name in _SINGLE if (column := getattr(columns, name)) is not None}
    sections = {f"sections.{name}": column for name, column in columns.sections.items()}
    return {**single, **sections, **{f"keep.{name}": column for name, column in columns.keep.items()}}


def _check_names(names: list[str], columns: ReportColumns) -> None:
    if columns.text is None and not columns.sections:
        raise RecipeError("columns.text", "names no column, and columns.sections neither", _there(names))
    for name, column in _asked(columns).items():
        if names.count(column) != 1:
            problem = (
                f"there is no column {column!r}" if column not in names else f"several columns are named {column!r}"
            )
            raise RecipeError(f"columns.{name}", problem, _there(names))


def _there(names: list[str]) -> str:
    if not names or any(_DATA_LIKE.search(name) for name in names):
        return "the first row of the file must name its columns"  # it may be a patient's: not shown
    return "the columns are " + ", ".join(names[:60])


def _compile(name_pattern: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(name_pattern)
    except re.error as error:
        raise RecipeError("name_pattern", f"is no regular expression ({error})", "see Python's re") from None
    if not set(pattern.groupindex) & set(_NAMED):
        groups = ", ".join(f"(?P<{name}>...)" for name in _NAMED)
        raise RecipeError("name_pattern", "names no identity", f"use a group among {groups}")
    return pattern
