"""Report files: the rows that can be proven clean are written to a new file of the same kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.verify.files import file_findings
from curate.deid.verify.finding import Finding, rejection_reason
from curate.deid.verify.text import findings
from curate.deid_export.reports.cells import Cells, Row, check_row
from curate.deid_export.reports.people import People, is_registered, is_uid, own_values, search_values
from curate.deid_export.reports.write import Writer, open_writer
from curate.deid_export.rules import Outcome, ReleaseRules
from curate.deid_export.survey import row_links, stem_links
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.reports.formats import SUFFIXES, report_suffix
from curate.sources.reports.rows import Records, open_typed
from curate.sources.reports.tables.columns import Kind, Kinds, decoded, leaves

Renamed = Callable[[str], str | None]


def clean_report_parts(
    path: Path,
    rules: ReleaseRules,
    pseudo: Pseudonymizer,
    people: People,
    archive: frozenset[str],
    part_bytes: int = 64 << 20,
    renamed: Renamed | None = None,
) -> Iterator[Outcome]:
    """The clean rows of a CSV, JSON lines, Parquet or text file (gzip too, written inflated), in one or more files of
    about ``part_bytes`` bytes, each complete in itself. One part is held in memory.

    ``people`` and ``archive`` come from `curate.deid_export.survey`. Rows that cannot be proven clean are left out and
    counted in ``rows``; a file without a clean row has the most frequent of their reasons. ``renamed`` gives the
    released name of an image file that a row names. Never raises for bad data. A read error after the first part is
    one last outcome with its reason.
    """
    cleaner = _RecordCleaner(path, rules, pseudo, people)
    part = _Part()
    try:
        with open_typed(path, rules.max_bytes) as (records, kinds, rows):
            cells = Cells(rules, pseudo, archive, kinds, renamed, people.taken)
            part.begin(records, kinds, report_suffix(path))
            for record in rows:
                part.add(record if isinstance(record, Reason) else cleaner.clean(record, cells, records, part))
                if part.size >= part_bytes:
                    yield part.finish()
                    part.begin(records, kinds, report_suffix(path))
    except DropRecord as dropped:
        yield Outcome(dropped.reason, rows=part.rows, findings=tuple(sorted(part.findings)))
        return
    if part.rows or not part.finished:
        yield part.finish()


@dataclass
class _Part:
    """One file being written, and its counts."""

    rows: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    findings: set[Finding] = field(default_factory=set)
    suffix: str = ""
    finished: int = 0
    writer: Writer | None = None

    def begin(self, records: Records, kinds: Kinds, suffix: str) -> None:
        self.rows, self.actions, self.findings = Counter(), Counter(), set()
        self.suffix, self.writer = suffix, open_writer(records, kinds, suffix)

    @property
    def size(self) -> int:
        return self.writer.size if self.writer is not None and self.rows[""] else 0

    def add(self, record: dict[str, Any] | Reason) -> None:
        """Add a clean record, or count the reason why there is none."""
        if isinstance(record, Reason):
            self.rows[record.value] += 1
        else:
            assert self.writer is not None
            self.rows[""] += 1
            self.writer.add(record)

    def finish(self) -> Outcome:
        """The outcome of the part."""
        self.finished += 1
        assert self.writer is not None
        codes, rows = tuple(sorted(self.findings)), dict(sorted(self.rows.items()))
        if not rows.get(""):
            worst = min(rows, key=lambda reason: (-rows[reason], reason), default=Reason.EMPTY_REPORT.value)
            return Outcome(Reason(worst), findings=codes, rows=rows)
        data = self.writer.finish()
        file_codes = file_findings(data, f".{SUFFIXES[self.suffix][0]}", ())  # its rows were verified one by one
        if file_codes:
            return Outcome(Reason.PHI_IN_OUTPUT, findings=tuple(sorted({*codes, *file_codes})), rows=rows)
        return Outcome(None, data, self.suffix, dict(sorted(self.actions.items())), codes, rows)


@dataclass(frozen=True)
class _RecordCleaner:
    path: Path
    rules: ReleaseRules
    pseudo: Pseudonymizer
    people: People

    def clean(self, raw: dict[str, Any], cells: Cells, records: Records, part: _Part) -> dict[str, Any] | Reason:
        """The clean record, or the reason why it is not written; counts actions and findings in ``part``.

        The decoded form is cleaned and written; the values to search for come from both forms."""
        record: dict[str, Any] = decoded(raw, cells.kinds)
        forms = [record] if record == raw else [record, raw]
        row = self._row(forms, cells.kinds, records)
        try:
            cleaned = cells.clean(record, "", row)
            check_row(row, self.rules)
        except DropRecord as dropped:
            return dropped.reason
        codes = findings(row.texts, row.phi, self._source_words(forms, cells.kinds))
        if row.filled:
            codes += findings(row.filled, row.phi)
        if {*codes} == {Finding.AGE} and cells.rules.text.dates == "shift":
            # moved days still tell how long a patient has lived: of one over 89 they go
            masked = replace(cells.rules, dates="mask")
            return self.clean(raw, replace(cells, rules=masked), records, part)
        if (reason := rejection_reason(codes)) is not None:
            part.findings.update(codes)
            return reason
        part.actions.update(row.actions)
        assert isinstance(cleaned, dict)
        return cleaned

    def _row(self, forms: Sequence[dict[str, Any]], kinds: Kinds, records: Records) -> Row:
        links, patient = row_links(forms[0], kinds, self.pseudo)
        if records.format == "txt":
            links = stem_links(self.path, self.pseudo)
        person = self.people.find(links, patient)
        cells = (cell for form in forms for cell in own_values(form, kinds))
        own = (value for kind, cell in cells for value in search_values(kind, cell))
        values = dict.fromkeys([*own, *person.values])
        if "uids" in self.rules.header.retain:  # the option keeps them here as in the headers
            values = dict.fromkeys(v for v in values if not is_uid(v))
        return Row(person, tuple(values))

    def _source_words(self, forms: Sequence[dict[str, Any]], kinds: Kinds) -> Sequence[str]:
        """The source's cells without measurements, from which the verifier takes what identifies."""
        cells = dict.fromkeys(cell for form in forms for cell in leaves(form))
        values = (value for path, value in cells if kinds.of(path) not in _MEASUREMENTS and value.strip())
        stays = "uids" in self.rules.header.retain
        return [v for v in values if not is_uid(v) or not (stays or is_registered(v))]


_MEASUREMENTS = frozenset({Kind.NUMBER, Kind.AGE})
