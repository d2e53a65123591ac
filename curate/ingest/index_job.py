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

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.deid.vault import SecretSource
from curate.ingest.rules import IndexRules
from curate.intact import part_path
from curate.places import place
from curate.sources.rules import ReportSource
from curate.step import read_parts
from curate.storage import commit_bytes, digest, remove_tree, table_bytes
from curate.task import Deferred, Task, Unit, defer

SMALL = 20  # chunks of files (of some 1,000) up to which one process does all
BATCHES = pa.schema([("source", pa.int64()), ("rows", pa.int64())])  # of reports


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
        linked = read_parts(place(inner("linked", _task("buckets:Linked", *files, self.reports), len(some))))
        reports = _task("buckets:Reports", *sealed, self.rules, self.reports, self.batch, len(some))
        batches = read_parts(place(inner("reports", reports, len(self.reports))), empty=BATCHES)
        counts = *linked["rows"].to_pylist(), *batches["rows"].to_pylist()
        sources = batches["source"].to_pylist()
        pieces = inner(
            "buckets", _task("buckets:Buckets", *sealed, counts, len(some), sources, len(self.reports), self.bucket), 1
        )
        inner("sorted", _task("buckets:Sorted", *files, sources), len(counts))
        buckets = pc.max(read_parts(place(pieces))["bucket"]).as_py() or 0
        ranges = max(-(-sum(counts) // self.range_rows), 1)
        inner("rows", _task("parts:Rows", *sealed, self.rules, pieces, len(some), ranges), buckets + 1)
        fates = inner("settled", _task("parts:Settled", *sealed, self.rules, self.scans, buckets + 1, ranges), 1)
        inner(
            "parts",
            _task("parts:Parts", *sealed, self.rows_per_partition, self.k_patients, buckets + 1, ranges),
            ranges,
        )
        return _task("parts:Last", *sealed, self.k_patients, ranges, fates)


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


def _task(name: str, *arguments: Any) -> Deferred:
    return defer(f"curate.ingest.index_{name}", *arguments)
