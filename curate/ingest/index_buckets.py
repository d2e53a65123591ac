"""The index of a large archive up to its buckets (`curate.ingest.index_job`): who could meet whom, and files and
reports sorted by that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import SourceError
from curate.ingest.files import ids_of_files, with_column
from curate.ingest.index import (
    NO_FILES,
    files_below,
    read_as_reports,
    read_source,
    with_source,
)
from curate.ingest.index_job import BATCHES
from curate.ingest.links import LINKS, buckets_of, hash_of, links_of_files, links_of_reports, none_of
from curate.ingest.rules import IndexRules
from curate.ingest.sealed import SealedUnit
from curate.places import place
from curate.sources.faults import patiently
from curate.sources.pairing.known import IDS, IdSurvey
from curate.sources.reports.report import pack
from curate.sources.rules import ReportSource
from curate.sources.scan import read_scan

_COUNTED = pa.schema([("source", pa.int64()), ("file", pa.uint64()), ("picture", pa.bool_())])
_PIECES = pa.schema([("bucket", pa.int32()), ("batch", pa.int32()), ("rows", pa.int64())])


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
        return pa.table([[partition] * len(counts), counts], schema=BATCHES)

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
