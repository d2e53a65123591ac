"""A report as its source has it, and what a row's values make of it."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.pairing.rules import Several
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.formats import as_string
from curate.sources.reports.messages.hl7 import is_message, read_messages
from curate.sources.reports.statements import Claim
from curate.sources.reports.text.markup import plain_text, report_text

_TRUE = {"yes", "true", "1", "y"}
_PHI = ("patient_name", "patient", "accession", "study")
NAMED = ("accession", "study", "patient", "date", "image")  # what a file's name can say
_TOLD = (*NAMED, "group", "split", "status", "order")  # fields of a report that are a column's
_AS_IT_IS = frozenset(("image",))  # a path's backslashes are no escapes
_NO_TEXT = re.compile(
    r"\s*(?:\"\"|null|none|nan|n/?a|nil|\\n|<na>|nat)\s*", re.IGNORECASE
)  # as databases write nothing


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
    declared_clean: bool = False  # its source names nobody, as the recipe says
    fault: str = ""  # of one that FAILED, where in the code


class RowPlan:
    """Which of a row's values goes where, worked out once a file."""

    def __init__(self, columns: ReportColumns) -> None:
        mapped = columns.by_field()
        self.nested = any("." in column for column in mapped.values())
        self.wanted = frozenset([*mapped.values(), *(c.split(".")[0] for c in mapped.values() if "." in c)])
        self._text, self._clean = mapped.pop("text", None), mapped.pop("clean", None)
        self._single = [(name, column) for name, column in mapped.items() if "." not in name]
        self._sections = [(name.upper(), column) for name, column in columns.sections.items()]
        self._sections.sort(key=lambda s: s[0] != "BODY")  # what has no heading can only stand first
        self._keep = list(columns.keep.items())
        self._caption = columns.caption

    def report(self, row: str, record: Mapping[str, Any]) -> Report:
        """The row's report, or the Reason why it is none."""
        try:
            return self._report(row, record)
        except DropRecord as dropped:
            return Report(row, reason=dropped.reason)

    def _report(self, row: str, record: Mapping[str, Any]) -> Report:
        clean = None if self._clean is None else as_string(record.get(self._clean)).strip().casefold() in _TRUE
        raw = {name: as_string(record.get(column)).strip() for name, column in self._single}
        known = {name: value if name in _AS_IT_IS else plain_text(value).strip() for name, value in raw.items()}
        meta = {name: plain_text(as_string(record.get(column))) for name, column in self._keep}
        more = () if known == raw else tuple(raw[name] for name in _PHI if raw.get(name))
        if not self._caption.given:
            return make_report(row, self._join(record), known, clean, meta, phi=more)
        cells = {column: plain_text(as_string(record.get(column))) for column in self._caption.columns}
        sentences, stated, reason = self._caption.compose(cells)
        # a line each where rows of one image are gathered, so that what they share is said once
        text = ("\n" if self._caption.question else " ").join(sentences)
        return replace(make_report(row, text, known, clean, meta, reason, phi=more), claim=stated)

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
    are_lines = any(" " in item.strip() or item.strip().endswith((".", ":")) for item in items)
    return ("\n" if are_lines else "; ").join(items)


def make_report(
    row: str,
    raw: str,
    known: Mapping[str, str],
    clean: bool | None = None,
    meta: dict[str, str] | None = None,
    reason: Reason | None = None,
    phi: tuple[str, ...] = (),
) -> Report:
    """The report of ``raw``, a text as it came, and of what is ``known`` beside it, by fields of `Report`."""
    known, raw, phi = _of_message(known, raw, phi)
    if _NO_TEXT.fullmatch(raw):
        raw = ""
    text = report_text(raw)
    parts: dict[str, Any] = {name: known.get(name, "") for name in _TOLD}
    return Report(
        row=row,
        text=text,
        **parts,
        phi=tuple(dict.fromkeys([*(known[name] for name in _PHI if known.get(name)), *phi])),
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


class PackedReports(Sequence[Report]):
    """Reports, each made anew where it is asked for. ``packed``: as `pack` makes them."""

    def __init__(self, packed: list[bytes]) -> None:
        self.packed = packed

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, row: Any) -> Any:
        return Report(*pickle.loads(self.packed[row]))  # noqa: S301  our own bytes, of this memory or sealed

    def __iter__(self) -> Iterator[Report]:
        return (self[row] for row in range(len(self)))

    def table(self) -> pa.Table:
        """As they are sealed."""
        return pa.table({"report": pa.array(self.packed, pa.large_binary())})

    @classmethod
    def of_table(cls, table: pa.Table) -> PackedReports:
        """What `table` made."""
        return cls(table["report"].to_pylist())


def pack(reports: Iterable[Report]) -> PackedReports:
    """The reports as they come, one after another."""
    return PackedReports([pickle.dumps(tuple(vars(report).values()), protocol=5) for report in reports])
