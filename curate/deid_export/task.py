"""The release step: reads a chunk of the source's files, writes their clean copies, returns one row of codes a file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.vault import SecretSource, is_whole, read_sealed, write_sealed
from curate.deid_export.dicom.clean import clean_dicom
from curate.deid_export.images import clean_image
from curate.deid_export.reports.clean import clean_report_parts
from curate.deid_export.reports.people import People, archive_words
from curate.deid_export.rules import Outcome, ReleaseRules
from curate.deid_export.survey import survey
from curate.engine import Engine
from curate.engine.guard import fault_of
from curate.errors import DropRecord
from curate.record import DROP_FIELDS, Reason
from curate.sources.faults import check_present
from curate.sources.reports.formats import report_suffix
from curate.sources.scan import chunk_name, read_chunks, read_listing, write_listing
from curate.sources.sniff import sniff
from curate.sources.walk import as_path, as_text, chunks, walk
from curate.step import Progress, mark_poison
from curate.storage import commit_bytes, digest

STEP = "release"
_FILES_A_CHUNK = 32  # mean number of files a chunk: small enough to spread, large enough to be worth a task
_COUNTS = pa.map_(pa.string(), pa.int64())
# One row an input, without PHI: the attestation is made of these.
RELEASED = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("kind", pa.string()),  # dicom | image | report | other
        pa.field("out", pa.list_(pa.string())),  # paths below the target: one, or the parts of a large report file
        pa.field("sha256", pa.list_(pa.string())),
        pa.field("actions", _COUNTS),  # "action attribute" -> how often
        pa.field("findings", pa.list_(pa.string())),  # codes of the verifier
        pa.field("rows", _COUNTS),  # of a report file: reason -> rows, "" for the clean ones
        pa.field("fault", pa.string()),  # where the program failed, as in `curate.record.RECORD`
        *DROP_FIELDS,
    ]
)


def list_source(source: Path, folder: Path, pseudo: Pseudonymizer) -> list[str]:
    """Walk ``source`` and write a sealed listing of every chunk of files into ``folder``; the chunks' names, in
    order."""
    names = []
    for chunk in chunks(walk(source), _FILES_A_CHUNK):
        name = chunk_name(chunk, pseudo, "release-chunk", str(source.resolve()))
        write_listing(chunk, folder, name, pseudo)
        names.append(name)
    return names


def survey_reports(names: list[str], folder: Path, secret: SecretSource, engine: Engine, progress: Progress) -> None:
    """If the source holds reports: survey all of it (`curate.deid_export.survey`), a chunk a task, skipping finished
    ones."""
    work = _Survey(str(folder), secret)
    if not any(work.has_reports(name) for name in names):
        return
    pseudo = secret.pseudonymizer()
    todo = [n for n in names if not is_whole(_survey_path(folder, n), pseudo)]
    read_chunks(work, todo, len(names), engine, progress, "survey", "move the file away")


@dataclass(frozen=True)
class _Survey:
    """Surveys one chunk: it gets the chunk's name and reads the paths from the sealed listing."""

    folder: str
    secret: SecretSource

    def has_reports(self, name: str) -> bool:
        listing = read_listing(Path(self.folder), name, self.secret.pseudonymizer())
        return any(report_suffix(Path(as_path(r))) for r in listing["relative"].to_pylist())

    def __call__(self, name: str) -> int:
        pseudo = self.secret.pseudonymizer()
        listing = read_listing(Path(self.folder), name, pseudo)
        paths = [Path(os.fsdecode(r["path"])) for r in listing.to_pylist() if not r["reason"]]
        write_sealed(_survey_path(Path(self.folder), name), survey(paths, pseudo), pseudo)
        return len(paths)


@dataclass(frozen=True)
class ReleaseTask:
    """One partition is one chunk. ``folder`` holds the sealed listings and surveys; ``target`` takes clean files."""

    names: tuple[str, ...]
    folder: str
    target: str
    rules: ReleaseRules
    secret: SecretSource

    def rows(self, partition: int) -> int:
        """Files in the chunk."""
        return int(self._listing(partition).num_rows)

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """RELEASED rows in the listing's order; every clean file is committed below ``target`` before its row is."""
        table = self._listing(partition)
        reasons = mark_poison([Reason(r) if r else None for r in table["reason"].to_pylist()], poison)
        rows = [{**row, "reason": reason} for row, reason in zip(table.to_pylist(), reasons, strict=True)]
        if only is not None:
            rows = rows[only.start : only.stop]
        return pa.Table.from_pylist([self._release(row) for row in rows], RELEASED)

    def _listing(self, partition: int) -> pa.Table:
        return read_listing(Path(self.folder), self.names[partition], self.secret.pseudonymizer())

    def _release(self, row: dict[str, Any]) -> dict[str, Any]:
        path, key = Path(os.fsdecode(row["path"])), file_key(row["relative"], self.secret.pseudonymizer())
        kind, outcomes = "other", [Outcome(row["reason"])] if row["reason"] else []
        written: list[tuple[str, str]] = []
        fault = None
        if not outcomes:
            try:
                kind = kind_of(path)
                for outcome in self._clean(path, row["relative"], kind):
                    if outcome.data is not None:
                        written.append(self._commit(f"{kind}/{key[:2]}/{key}", len(written), outcome))
                    outcomes.append(outcome)
            except DropRecord as dropped:
                outcomes.append(Outcome(dropped.reason))
            except Exception as error:  # noqa: BLE001  a bug is the outcome of the file that met it
                fault = fault_of(error)
                outcomes.append(Outcome(Reason.FAILED))
            if outcomes and outcomes[-1].reason is Reason.UNREADABLE_FILE:
                check_present(path)
        return {"key": key, "kind": kind, "fault": fault, **self._released_row(outcomes, written)}

    def _commit(self, stem: str, part: int, outcome: Outcome) -> tuple[str, str]:
        """Write the clean file under its final name; that name below the target, and the bytes' sha256."""
        assert outcome.data is not None
        out = f"{stem}-{part}{outcome.suffix}" if part else f"{stem}{outcome.suffix}"
        commit_bytes(Path(self.target) / out, outcome.data)
        return out, digest(outcome.data)

    def _released_row(self, outcomes: list[Outcome], written: list[tuple[str, str]]) -> dict[str, Any]:
        """The RELEASED fields of an input. If reading broke off, nothing of it is released, not its first parts
        either."""
        last = outcomes[-1]
        reason = last.reason if not written or (last.reason and last.reason not in last.rows) else None
        if reason is not None:
            for out, _ in written:
                (Path(self.target) / out).unlink()
            written = []
        return {
            "out": [out for out, _ in written] or None,
            "sha256": [hashed for _, hashed in written] or None,
            "actions": sorted(sum((Counter(o.actions) for o in outcomes), Counter()).items()),
            "findings": sorted({f for o in outcomes for f in o.findings}),
            "rows": sorted(sum((Counter(o.rows) for o in outcomes), Counter()).items()),
            "drop_step": STEP if reason else None,
            "drop_reason": reason,
        }

    def _clean(self, path: Path, relative: str, kind: str) -> Iterable[Outcome]:
        """One outcome; several for a large report file, one a part."""
        pseudo = self.secret.pseudonymizer()
        if kind == "dicom":
            return [clean_dicom(path, self.rules, pseudo)]
        if kind == "image":
            return [clean_image(path, self.rules, pseudo)]
        if kind == "report":
            people, words = _load_survey(self.folder, self.names, self.rules.deid.k_patients, self.secret)
            renamed = _ReleasedNames(path, relative, pseudo)
            return clean_report_parts(path, self.rules, pseudo, people, words, renamed=renamed)
        raise DropRecord(Reason.REFUSED_KIND)


@dataclass(frozen=True)
class _ReleasedNames:
    """The released name of a file that a report's row names: its key. Never looks outside of the source."""

    report: Path
    relative: str
    pseudo: Pseudonymizer

    def __call__(self, named: str) -> str | None:
        """The key of the file ``named``, below the source or beside the report; None where there is none."""
        depth = self.relative.count("/")
        root = self.report.parents[depth]
        for folder in dict.fromkeys((self.report.parent, root)):
            path = Path(os.path.normpath(folder / named))
            if path.is_relative_to(root) and path != self.report and path.is_file():
                return file_key(as_text(str(path.relative_to(root))), self.pseudo)
        return None


def kind_of(path: Path) -> str:
    """dicom, image, report or other: by the first bytes, or by the suffix if these do not decide."""
    sniffed = sniff(path)
    if sniffed != "none":
        return sniffed
    return "report" if report_suffix(path) else "other"


def file_key(relative: str, pseudo: Pseudonymizer) -> str:
    """The key of an input, from its path below the source: 32 hex digits, also the name of what is written."""
    return pseudo.key("file", relative)


@lru_cache(maxsize=1)
def _load_survey(folder: str, names: tuple[str, ...], k: int, secret: SecretSource) -> tuple[People, frozenset[str]]:
    """The results of the survey: loaded once a process."""
    pseudo = secret.pseudonymizer()
    tables = [read_sealed(_survey_path(Path(folder), name), pseudo) for name in names]
    return People(tables), archive_words(tables, k)


def _survey_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.survey"
