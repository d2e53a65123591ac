"""Report files: rows in, the rows that can be proven clean out, in a file of the same kind that holds nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.verify.files import file_findings
from curate.deid.verify.finding import Finding, kept_back
from curate.deid.verify.leaks import findings
from curate.deid_export.report_cells import Cells, Row, check_row
from curate.deid_export.report_people import People, is_registered, is_uid, own_values, searched
from curate.deid_export.report_write import Writer, open_writer
from curate.deid_export.rules import Outcome, ReleaseRules
from curate.deid_export.survey import SAMPLE, row_links, stem_links
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.reports.columns import Kind, Kinds, decoded, leaves
from curate.sources.reports.formats import report_suffix
from curate.sources.reports.rows import Records, open_records

_CHECKED_AS = {".tsv": ".csv", ".ndjson": ".jsonl", ".pq": ".parquet", ".text": ".txt"}
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
    """A CSV, JSON lines, Parquet or text file (gzip'd too, written inflated) with every row clean, or its reason: in
    files of about ``part_bytes`` bytes, each whole in itself; at least one. Memory holds one.

    ``people`` and ``archive`` are what `curate.deid_export.survey` learnt. Rows that cannot be proven clean are left
    out and counted in ``rows``; a file without a clean row has the commonest of their reasons. ``renamed`` tells the
    released name of an image file that a row names. Never raises for bad data. An error in reading after the first
    part is one last outcome with its reason.
    """
    task = _File(path, rules, pseudo, people)
    part = _Part()
    try:
        with open_records(path, rules.max_bytes) as records:
            head = list(islice(records.rows, SAMPLE))
            kinds = Kinds(r for r in head if not isinstance(r, Reason))
            cells = Cells(rules, pseudo, archive, kinds, renamed, people.taken)
            part.begin(records, kinds, report_suffix(path))
            for record in chain(head, records.rows):
                part.take(record if isinstance(record, Reason) else task.clean(record, cells, records, part))
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
    """One file being written, and the counts that go with it."""

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

    def take(self, record: dict[str, Any] | Reason) -> None:
        """A clean record, or why there is none."""
        if isinstance(record, Reason):
            self.rows[record.value] += 1
        else:
            assert self.writer is not None
            self.rows[""] += 1
            self.writer.add(record)

    def finish(self) -> Outcome:
        """What the part has become."""
        self.finished += 1
        assert self.writer is not None
        codes, rows = tuple(sorted(self.findings)), dict(sorted(self.rows.items()))
        if not rows.get(""):
            worst = min(rows, key=lambda reason: (-rows[reason], reason), default=Reason.EMPTY_REPORT.value)
            return Outcome(Reason(worst), findings=codes, rows=rows)
        data = self.writer.finish()
        found = file_findings(data, _CHECKED_AS.get(self.suffix, self.suffix), ())  # its rows are proven one by one
        if found:
            return Outcome(Reason.PHI_IN_OUTPUT, findings=tuple(sorted({*codes, *found})), rows=rows)
        return Outcome(None, data, self.suffix, dict(sorted(self.actions.items())), codes, rows)


@dataclass(frozen=True)
class _File:
    path: Path
    rules: ReleaseRules
    pseudo: Pseudonymizer
    people: People

    def clean(self, raw: dict[str, Any], cells: Cells, records: Records, part: _Part) -> dict[str, Any] | Reason:
        """The record as it may be written, or why it may not; counts what was done and what was found in ``part``.

        What is cleaned and written is the plain text; what is searched for is in either form."""
        record: dict[str, Any] = decoded(raw, cells.kinds)
        forms = [record] if record == raw else [record, raw]
        row = self._row(forms, cells.kinds, records)
        try:
            cleaned = cells.clean(record, "", row)
            check_row(row, self.rules)
        except DropRecord as dropped:
            return dropped.reason
        found = findings(row.texts, row.phi, self._told(forms, cells.kinds))
        if row.filled:
            found += findings(row.filled, row.phi)
        if (reason := kept_back(found)) is not None:
            part.findings.update(found)
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
        own = (value for kind, cell in cells for value in searched(kind, cell))
        values = dict.fromkeys([*own, *person.values])
        if "uids" in self.rules.header.retain:  # meant to stay, here as in the headers
            values = dict.fromkeys(v for v in values if not is_uid(v))
        return Row(person, tuple(values))

    def _told(self, forms: Sequence[dict[str, Any]], kinds: Kinds) -> Sequence[str]:
        """The source's own words, for the verifier to take from them what identifies; measurements apart."""
        cells = dict.fromkeys(cell for form in forms for cell in leaves(form))
        told = (value for path, value in cells if kinds.of(path) not in _KEPT and value.strip())
        stays = "uids" in self.rules.header.retain
        return [v for v in told if not is_uid(v) or not (stays or is_registered(v))]


_KEPT = frozenset({Kind.NUMBER, Kind.AGE})
