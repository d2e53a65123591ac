"""The index of a large archive, spread: what could meet is put together, and paired by itself.

    linked     some chunks of headers: what each file could be paired by, as hashes (`curate.ingest.links`); ids
    reports    a source's reports, read as they come and sealed in batches; their hashes and ids
    buckets    hashes alone: who shares one is put into one bucket; what the ids say all together
    sorted     some files, or a batch of reports: sorted into pieces by bucket
    rows       a bucket, paired: INDEX rows, sorted into pieces by the range of their keys
    settled    narrow columns of all rows: splits, who has left, the second look, which partition each row is in
    parts      a range of keys: the pieces put together, the sealed parts of the index; which words its patients write
    (last)     the words that the archive shares; the fates

Each is a step below the index step's folder (`curate.step.run_spread_step`), whose parts hold counts and fates only:
what names patients lies sealed in ``work`` beside the sealed index, and goes at the end. Of a small archive one process
does them all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.deid.vault import SecretSource
from curate.errors import SourceError
from curate.ingest.files import ids_of_files, with_column
from curate.ingest.index import (
    NO_FILES,
    files_below,
    read_as_reports,
    read_source,
    with_source,
)
from curate.ingest.index_parts import Last, Parts, Rows, Settled
from curate.ingest.links import LINKS, buckets_of, hash_of, links_of_files, links_of_reports, none_of
from curate.ingest.rules import IndexRules
from curate.ingest.sealed import SealedUnit
from curate.intact import part_path
from curate.places import place
from curate.sources.faults import patiently
from curate.sources.pairing.known import IDS, IdSurvey
from curate.sources.reports.report import pack
from curate.sources.rules import ReportSource
from curate.sources.scan import read_scan
from curate.step import read_parts
from curate.storage import commit_bytes, digest, remove_tree, table_bytes
from curate.task import Task, Unit

SMALL = 20  # chunks of files (of some 1,000) up to which one process does all
_COUNTED = pa.schema([("source", pa.int64()), ("file", pa.uint64()), ("picture", pa.bool_())])
_PIECES = pa.schema([("bucket", pa.int32()), ("batch", pa.int32()), ("rows", pa.int64())])
_BATCHES = pa.schema([("source", pa.int64()), ("rows", pa.int64())])


@dataclass(frozen=True)
class IndexJob:
    """``scanned``: image sources and their chunks, whose headers lie in ``scans``. ``chunks``: of files, to a task;
    ``batch``: reports to a task; ``bucket``: files and reports that are paired together; ``range_rows``: rows to a
    range of keys; ``small``: chunks up to which one process does all."""

    scanned: Sequence[tuple[str, tuple[str, ...]]]
    scans: str
    sealed: str
    reports: Sequence[ReportSource]
    rules: IndexRules
    rows_per_partition: int
    secret: SecretSource
    k_patients: int = 8  # who must share a word that the vocabulary does not know, for it to stay
    chunks: int = 20
    batch: int = 20_000
    bucket: int = 40_000
    range_rows: int = 50_000
    small: int = SMALL

    def spread(self, inner: Callable[[str, Task, int], str]) -> Task:
        """As `curate.task.SpreadTask`; the last task returns the fates."""
        if sum(len(names) for _, names in self.scanned) <= self.small:
            return _Whole(self)
        return self.steps(inner, str(place(self.sealed) / "work"))

    def steps(self, inner: Callable[[str, Task, int], str], work: str) -> Task:
        """All but the last, which is returned. ``work``: the folder for what names patients."""
        chunks = [(name, chunk) for name, names in self.scanned for chunk in names]
        sealed = self.sealed, work, self.secret
        some = [tuple(chunks[i : i + self.chunks]) for i in range(0, max(len(chunks), 1), self.chunks)]
        files = *sealed, self.rules, self.scans, some
        linked = read_parts(place(inner("linked", Linked(*files, self.reports), len(some))))
        reports = Reports(*sealed, self.rules, self.reports, self.batch, len(some))
        batches = read_parts(place(inner("reports", reports, len(self.reports))), empty=_BATCHES)
        counts = *linked["rows"].to_pylist(), *batches["rows"].to_pylist()
        sources = batches["source"].to_pylist()
        pieces = inner("buckets", Buckets(*sealed, counts, len(some), sources, len(self.reports), self.bucket), 1)
        inner("sorted", Sorted(*files, sources), len(counts))
        buckets = pc.max(read_parts(place(pieces))["bucket"]).as_py() or 0
        ranges = max(-(-sum(counts) // self.range_rows), 1)
        inner("rows", Rows(*sealed, self.rules, pieces, len(some), ranges), buckets + 1)
        fates = inner("settled", Settled(*sealed, self.rules, self.scans, buckets + 1, ranges), 1)
        inner("parts", Parts(*sealed, self.rows_per_partition, self.k_patients, buckets + 1, ranges), ranges)
        return Last(*sealed, self.k_patients, ranges, fates)


@dataclass(frozen=True)
class _Whole(Unit):
    """All steps of a small archive, one after another in one process, and in its memory."""

    job: IndexJob

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """FATE rows sorted by key."""
        work = place(f"memory://index/{digest(self.job.sealed)}")

        def inner(name: str, task: Task, partitions: int) -> str:
            folder = work / name
            for i in range(partitions):
                commit_bytes(part_path(folder, i), table_bytes(task.run(i)))
            return str(folder)

        try:
            return self.job.steps(inner, str(work)).run(0)
        finally:
            remove_tree(work, work.parent)

    def beside(self, partition: int) -> list[Path]:
        """The sealed parts, the shared words, and the names that no surrogate may have."""
        return sorted(place(self.job.sealed).glob("*.sealed"))


@dataclass(frozen=True)
class _OfFiles(SealedUnit):
    rules: IndexRules
    scans: str
    chunks: Sequence[Sequence[tuple[str, str]]]  # of each task: source name, chunk name

    def files(self, partition: int) -> pa.Table:
        """SCAN and ``source`` of the partition's files."""
        pseudo = self.secret.pseudonymizer()
        tables = (with_source(read_scan([c], place(self.scans), pseudo), name) for name, c in self.chunks[partition])
        return pa.concat_tables([NO_FILES, *tables])


@dataclass(frozen=True)
class Linked(_OfFiles):
    """What some files could be paired by; the ids they have; which of them lie among the reports."""

    reports: Sequence[ReportSource]

    def make(self, partition: int) -> pa.Table:
        """``rows``: how many files."""
        files = self.files(partition)
        self.write(links_of_files(files, self.rules), "links", partition)
        self.write(ids_of_files(files, self.rules.files).table(), "ids", partition)
        below = [(i, *found) for i, source in enumerate(self.reports) for found in files_below(files, str(source.path))]
        counted = [{"source": i, "file": hash_of(path), "picture": picture} for i, path, picture in below]
        self.write(pa.Table.from_pylist(counted, _COUNTED), "counted", partition)
        return pa.table({"rows": [files.num_rows]})


class _Counted:
    """`curate.sources.reports.read.Counted` out of hashes: 9 bytes a file."""

    def __init__(self, table: pa.Table) -> None:
        order = np.argsort(table["file"].to_numpy())
        self._files = table["file"].to_numpy()[order]
        self._pictures = table["picture"].to_numpy(zero_copy_only=False)[order]

    def get(self, path: str, /) -> bool | None:
        """As `Counted.get`."""
        if not len(self._files):
            return None
        at = int(np.searchsorted(self._files, wanted := np.uint64(hash_of(path))))
        return bool(self._pictures[at]) if at < len(self._files) and self._files[at] == wanted else None


@dataclass(frozen=True)
class Reports(SealedUnit):
    """A source's reports in batches, what each could be paired by, and their ids."""

    rules: IndexRules
    sources: Sequence[ReportSource]
    batch: int
    linked: int  # tasks that left what they counted

    def make(self, partition: int) -> pa.Table:
        """``source`` and ``rows`` of each batch."""
        counted = [self.read("counted", i) for i in range(self.linked)]
        mine = _Counted(pa.concat_tables([t.filter(pc.equal(t["source"], partition)) for t in counted]))
        try:
            counts = patiently(partial(self._read, partition, mine))
        except SourceError as error:
            raise SourceError(error.number, "reports") from None
        return pa.table([[partition] * len(counts), counts], schema=_BATCHES)

    def _read(self, partition: int, counted: _Counted) -> list[int]:
        reports, survey, counts = read_source(partition, self.sources[partition], counted), IdSurvey(), list[int]()
        inside = self.ids("ids", self.linked).known().inside
        while batch := list(islice(reports, self.batch)):
            survey.add_cells("reports", {name: [getattr(r, name) for r in batch] for name in IDS})
            self.write(links_of_reports(batch, self.rules, inside), "told", partition, len(counts))
            self.write(pack(batch).table(), "reports", partition, len(counts))
            counts.append(len(batch))
        self.write(survey.table(), "ids-of-reports", partition)
        return counts


def _batch(sources: Sequence[int], number: int) -> tuple[int, int]:
    """(source, which of its batches) of a batch counted over all sources."""
    return sources[number], number - sources.index(sources[number])


@dataclass(frozen=True)
class Buckets(SealedUnit):
    """Who could meet whom, by hashes."""

    counts: Sequence[int]  # rows of the tasks' files, then of the batches of reports
    files: int  # how many of these are files
    sources: Sequence[int]  # of each batch of reports
    all_sources: int
    size: int

    def make(self, partition: int) -> pa.Table:
        """``rows`` of each ``bucket`` that come from each ``batch`` of files or reports."""
        starts = np.cumsum([0, *self.counts])
        of_files, of_reports = range(self.files), range(self.files, len(self.counts))
        files = self._links(("links", i, starts[i]) for i in of_files)
        reports = self._links(
            ("told", *_batch(self.sources, i - self.files), starts[i] - starts[self.files]) for i in of_reports
        )
        survey = self.ids("ids", self.files).add_table(self.ids("ids-of-reports", self.all_sources).table())
        self.write(survey.table(), "known", 0)
        none = none_of(survey.known())
        rows = int(starts[self.files]), int(starts[-1] - starts[self.files])
        buckets, read = buckets_of(files, reports, rows, none, self.size)
        read = np.concatenate([read, np.zeros(rows[1], bool)])
        pieces = [_PIECES.empty_table()]
        for i, (start, stop) in enumerate(pairwise(starts)):
            self.write(pa.table({"bucket": buckets[start:stop], "read": read[start:stop]}), "bucket", i)
            there, counts = np.unique(buckets[start:stop], return_counts=True)
            pieces.append(pa.table([there, np.full(len(there), i), counts], schema=_PIECES))
        return pa.concat_tables(pieces)

    def _links(self, parts: Iterable[tuple[Any, ...]]) -> pa.Table:
        tables = [LINKS.empty_table()]
        for *name, start in parts:
            table = self.read(*name)
            tables.append(with_column(table, "row", pc.add(table["row"], int(start))))
        return pa.concat_tables(tables)


@dataclass(frozen=True)
class Sorted(_OfFiles):
    """Some files, or a batch of reports, in pieces by bucket."""

    sources: Sequence[int]  # of each batch of reports

    def make(self, partition: int) -> pa.Table:
        """``rows``: how many."""
        table, decided = self._table(partition), self.read("bucket", partition)
        bucket = decided["bucket"].to_numpy()
        if partition < len(self.chunks):
            table = with_column(table, "reason", read_as_reports(table, decided["read"].to_pylist()))
        for i in np.unique(bucket).tolist():
            self.write(table.filter(pa.array(bucket == i)), "piece", i, partition)
        return pa.table({"rows": [table.num_rows]})

    def _table(self, partition: int) -> pa.Table:
        if partition < len(self.chunks):
            return self.files(partition)
        return self.read("reports", *_batch(self.sources, partition - len(self.chunks)))
