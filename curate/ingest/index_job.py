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
what names patients lies sealed in ``work`` beside the sealed index, and goes at the end. `IndexTask` does the same in
one process, where there is little to do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.deid.replace.surrogates import taken_names
from curate.deid.vault import SecretSource, read_sealed, write_sealed
from curate.deid.words.shared import WordCount
from curate.errors import SourceError
from curate.export.remove import withdrawn_fates, without_records
from curate.ingest.files import ids_of_files, with_column
from curate.ingest.index import (
    NO_FILES,
    IndexRules,
    IndexTask,
    ReportSource,
    files_below,
    match_part,
    named_by_table,
    pairing_of,
    read_as_reports,
    read_source,
    report_table,
    settled,
    texts_and_values,
    with_source,
    withdrawn_keys,
)
from curate.ingest.links import LINKS, buckets_of, hash_of, links_of_files, links_of_reports, none_of
from curate.ingest.sealed import NAMES, PAIRING, WORDS, read_withdrawn, sealed_part
from curate.ingest.splits import require_named
from curate.places import place
from curate.record import FATE, INDEX, conform, live
from curate.sources.faults import patiently
from curate.sources.pairing.coverage import Tally
from curate.sources.pairing.known import IDS, IdSurvey
from curate.sources.reports.report import PackedReports, pack
from curate.sources.scan import read_scan
from curate.step import Task, Unit, read_parts
from curate.storage import remove_tree

SMALL = 20  # chunks of files (of some 1,000) up to which one process does all
_NARROW = [
    *FATE.names,
    "kind",
    "layout",
    "official_split",
    "second_look",
]  # of INDEX: what decides all together
_SAID = ["key", "official_split", *FATE.names[-2:], "second_look", "place", "gone"]
_COUNTED = pa.schema([("source", pa.int64()), ("file", pa.uint64()), ("picture", pa.bool_())])
_PIECES = pa.schema([("bucket", pa.int32()), ("batch", pa.int32()), ("rows", pa.int64())])
_BATCHES = pa.schema([("source", pa.int64()), ("rows", pa.int64())])


@dataclass(frozen=True)
class IndexJob:
    """``task``: what there is to index. ``chunks``: of files, to a task; ``batch``: reports to a task; ``bucket``:
    files and reports that are paired together; ``range_rows``: rows to a range of keys; ``small``: chunks up to which
    one process does all."""

    task: IndexTask
    chunks: int = 20
    batch: int = 20_000
    bucket: int = 40_000
    range_rows: int = 50_000
    small: int = SMALL

    def spread(self, inner: Callable[[str, Task, int], str]) -> Task:
        """As `curate.step.SpreadTask`; the last task returns the fates."""
        task = self.task
        chunks = [(name, chunk) for name, names in task.chunks for chunk in names]
        if len(chunks) <= self.small:
            return task
        sealed = task.sealed, task.secret
        some = [tuple(chunks[i : i + self.chunks]) for i in range(0, len(chunks), self.chunks)]
        files = *sealed, task.rules, task.scans, some
        linked = read_parts(place(inner("linked", Linked(*files, task.reports), len(some))))
        reports = Reports(*sealed, task.rules, task.reports, self.batch, len(some))
        batches = read_parts(place(inner("reports", reports, len(task.reports))), empty=_BATCHES)
        counts = *linked["rows"].to_pylist(), *batches["rows"].to_pylist()
        sources = batches["source"].to_pylist()
        pieces = inner("buckets", Buckets(*sealed, counts, len(some), sources, len(task.reports), self.bucket), 1)
        inner("sorted", Sorted(*files, sources), len(counts))
        buckets = pc.max(read_parts(place(pieces))["bucket"]).as_py() + 1
        ranges = -(-(sum(counts)) // self.range_rows)
        inner("rows", Rows(*sealed, task.rules, pieces, len(some), ranges), buckets)
        fates = inner("settled", Settled(*sealed, task.rules, task.scans, buckets, ranges), 1)
        inner("parts", Parts(*sealed, task.rows_per_partition, task.k_patients, buckets, ranges), ranges)
        return Last(*sealed, task.k_patients, ranges, fates)


@dataclass(frozen=True)
class _Sealed(Unit):
    """A task that leaves sealed tables in the ``work`` of a sealed index."""

    sealed: str
    secret: SecretSource

    def path(self, name: str, *numbers: int) -> Path:
        """Where a table of ``work`` lies."""
        return place(self.sealed) / "work" / f"{'-'.join([name, *(f'{n:06d}' for n in numbers)])}.sealed"

    def read(self, name: str, *numbers: int) -> pa.Table:
        return read_sealed(self.path(name, *numbers), self.secret.pseudonymizer())

    def write(self, table: pa.Table, name: str, *numbers: int) -> None:
        write_sealed(self.path(name, *numbers), table, self.secret.pseudonymizer())

    def ids(self, name: str, count: int) -> IdSurvey:
        """The ids of so many parts."""
        survey = IdSurvey()
        for i in range(count):
            survey.add_table(self.read(name, i))
        return survey


@dataclass(frozen=True)
class _OfFiles(_Sealed):
    rules: IndexRules
    scans: str
    chunks: Sequence[Sequence[tuple[str, str]]]  # of each task: source name, chunk name

    def files(self, partition: int) -> pa.Table:
        """SCAN and ``source`` of the partition's files."""
        pseudo = self.secret.pseudonymizer()
        tables = (with_source(read_scan([c], place(self.scans), pseudo), name) for name, c in self.chunks[partition])
        return pa.concat_tables(tables)


@dataclass(frozen=True)
class Linked(_OfFiles):
    """What some files could be paired by; the ids they have; which of them lie among the reports."""

    reports: Sequence[ReportSource]

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """``rows``: how many files."""
        files = self.files(partition)
        self.write(links_of_files(files, self.rules), "links", partition)
        self.write(ids_of_files(files, self.rules.files).table(), "ids", partition)
        below = [(i, *found) for i, source in enumerate(self.reports) for found in files_below(files, str(source.path))]
        counted = [{"source": i, "file": hash_of(path), "picture": picture} for i, path, picture in below]
        self.write(pa.Table.from_pylist(counted, _COUNTED), "counted", partition)
        return pa.table({"rows": [files.num_rows]})

    def beside(self, partition: int) -> list[Path]:
        """All three."""
        return [self.path(name, partition) for name in ("links", "ids", "counted")]


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
class Reports(_Sealed):
    """A source's reports in batches, what each could be paired by, and their ids."""

    rules: IndexRules
    sources: Sequence[ReportSource]
    batch: int
    linked: int  # tasks that left what they counted

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
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

    def beside(self, partition: int) -> list[Path]:
        """The batches with their hashes, and the ids."""
        batches = ((place(self.sealed) / "work").glob(f"{name}-{partition:06d}-*") for name in ("reports", "told"))
        return [*sorted(chain.from_iterable(batches)), self.path("ids-of-reports", partition)]


def _batch(sources: Sequence[int], number: int) -> tuple[int, int]:
    """(source, which of its batches) of a batch counted over all sources."""
    return sources[number], number - sources.index(sources[number])


@dataclass(frozen=True)
class Buckets(_Sealed):
    """Who could meet whom, by hashes."""

    counts: Sequence[int]  # rows of the tasks' files, then of the batches of reports
    files: int  # how many of these are files
    sources: Sequence[int]  # of each batch of reports
    all_sources: int
    size: int

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
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

    def beside(self, partition: int) -> list[Path]:
        """Which bucket each row is in, and the ids."""
        return [*(self.path("bucket", i) for i in range(len(self.counts))), self.path("known", 0)]


@dataclass(frozen=True)
class Sorted(_OfFiles):
    """Some files, or a batch of reports, in pieces by bucket."""

    sources: Sequence[int]  # of each batch of reports

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
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

    def beside(self, partition: int) -> list[Path]:
        """The pieces."""
        return [
            self.path("piece", i, partition) for i in pc.unique(self.read("bucket", partition)["bucket"]).to_pylist()
        ]


@dataclass(frozen=True)
class Rows(_Sealed):
    """A bucket's files and reports paired, and their rows, in pieces by the range of their keys."""

    rules: IndexRules
    pieces: str
    files: int  # tasks of files, before batches of reports
    ranges: int

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """``rows``: how many."""
        pseudo, known = self.secret.pseudonymizer(), self.ids("known", 1).known()
        mine = read_parts(place(self.pieces)).filter(pc.field("bucket") == partition)["batch"].to_pylist()
        files = pa.concat_tables([NO_FILES, *(self.read("piece", partition, i) for i in mine if i < self.files)])
        packed = [self.read("piece", partition, i) for i in mine if i >= self.files]
        reports = PackedReports.of_table(pa.concat_tables([PackedReports([]).table(), *packed]))
        matched = match_part(files, reports, report_table(reports), self.rules, known)
        table = matched.rows(reports, self.rules, pseudo)
        where = _ranges(table["key"].to_pylist(), self.ranges)
        for i in range(self.ranges):
            self.write(table.filter(pa.array(where == i)), "rows", i, partition)
        self.write(table.select(_NARROW), "narrow", partition)
        self.write(matched.images, "images", partition)
        self.write(matched.report_keys, "asked", partition)
        self.write(matched.counts.table(), "counts", partition)
        counts = {"files": [files.num_rows], "named": [named_by_table(matched.files)]}
        self.write(pa.table(counts), "splits", partition)
        return pa.table({"rows": [table.num_rows]})

    def beside(self, partition: int) -> list[Path]:
        """The pieces, and what was compared."""
        whole = [self.path(name, partition) for name in ("narrow", "images", "asked", "counts", "splits")]
        return [*(self.path("rows", i, partition) for i in range(self.ranges)), *whole]


def _ranges(keys: Sequence[str], ranges: int) -> npt.NDArray[np.int64]:
    """int64[n], rising with the keys: keys are HMACs, evenly spread."""
    return np.fromiter((int(key[:8], 16) * ranges >> 32 for key in keys), np.int64, len(keys))


@dataclass(frozen=True)
class Settled(_Sealed):
    """What only all rows together say."""

    rules: IndexRules
    scans: str
    buckets: int
    ranges: int

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """FATE rows sorted by key."""
        pseudo = self.secret.pseudonymizer()
        self._tell_pairing()
        index = settled(self._all("narrow"), self.rules)
        gone = withdrawn_keys(index, read_withdrawn(place(self.scans).parent, pseudo))
        alive = live(index)
        index = index.append_column("place", pa.array(np.cumsum(alive) - 1, mask=~alive))
        left = pc.is_in(index["key"], value_set=pa.array(sorted(gone), pa.string()))
        index = index.append_column("gone", left)
        where = _ranges(index["key"].to_pylist(), self.ranges)
        for i in range(self.ranges):
            self.write(index.select(_SAID).filter(pa.array(where == i)), "settled", i)
        return withdrawn_fates(conform(index, FATE), gone, {key: pseudo.key("withdrawn", key) for key in gone})

    def _all(self, name: str) -> pa.Table:
        return pa.concat_tables([self.read(name, i) for i in range(self.buckets)])

    def _tell_pairing(self) -> None:
        """Seal how the pairing went; RecipeError where a table of splits names no file."""
        splits = self._all("splits")
        require_named(pc.sum(splits["files"]).as_py(), pc.sum(splits["named"]).as_py(), self.rules.splits)
        counts = Tally.of_tables(self.read("counts", i) for i in range(self.buckets))
        pairing = counts.pairing(self.rules.pair)
        if pairing.is_few:  # both sides are compared again, in this process: narrow columns, but of all
            images, report_keys = (numbered(self._all(name)) for name in ("images", "asked"))
            packed = (
                read_sealed(p, self.secret.pseudonymizer()) for p in sorted(self.path("x").parent.glob("reports-*"))
            )
            reports = (r for table in packed for r in PackedReports.of_table(table))
            pairing = pairing_of(counts, images, report_keys, self.rules, reports)
        write_sealed(place(self.sealed) / PAIRING, pairing.table(), self.secret.pseudonymizer())

    def beside(self, partition: int) -> list[Path]:
        """What is said of each range's rows, and how the pairing went."""
        return [*(self.path("settled", i) for i in range(self.ranges)), place(self.sealed) / PAIRING]


def numbered(table: pa.Table) -> pa.Table:
    """A table of parts, each counting its rows from 0, with its rows counted over all."""
    return with_column(table, "row", pa.array(range(table.num_rows), pa.int64()))


@dataclass(frozen=True)
class Parts(_Sealed):
    """The parts of the sealed index that begin in a range of keys."""

    size: int
    k_patients: int
    buckets: int
    ranges: int

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """``part``: which they are."""
        pseudo, mine = self.secret.pseudonymizer(), self._numbers(partition)
        count, names = WordCount(self.k_patients), set[str]()
        if mine:
            table = self._alive(partition, mine[0] * self.size, (mine[-1] + 1) * self.size)
            for i, number in enumerate(mine):
                part = table.slice(i * self.size, self.size)
                part = without_records(part.drop(["gone"]), part.filter(part["gone"])["key"].to_pylist())
                write_sealed(sealed_part(place(self.sealed), number), part, pseudo)
                texts, values = texts_and_values(part)
                count.add(texts, values)
                names |= taken_names(values)
        words = {"word": list(count.patients), "patients": [sorted(who) for who in count.patients.values()]}
        kinds = pa.schema([("word", pa.string()), ("patients", pa.list_(pa.string()))])
        self.write(pa.table(words, schema=kinds), "words", partition)
        for name, found in (("called", count.called), ("names", names)):
            self.write(pa.table({"word": pa.array(sorted(found), pa.string())}), name, partition)
        return pa.table({"part": pa.array(mine, pa.int64())})

    def _numbers(self, partition: int) -> list[int]:
        places = self.read("settled", partition)["place"].drop_null().to_numpy()
        return [int(place) // self.size for place in places if place % self.size == 0]

    def _alive(self, first: int, start: int, stop: int) -> pa.Table:
        """The rows alive at the places from ``start`` to before ``stop``, from the range ``first`` on."""
        tables: list[pa.Table] = []
        for i in range(first, self.ranges):
            decided = self.read("settled", i)
            wanted = pc.and_(pc.greater_equal(decided["place"], start), pc.less(decided["place"], stop))
            decided = decided.filter(pc.fill_null(wanted, False))
            tables.append(self._of_range(i, decided))
            if sum(t.num_rows for t in tables) == stop - start:
                break
        return pa.concat_tables(tables)

    def _of_range(self, i: int, decided: pa.Table) -> pa.Table:
        """INDEX rows of a range as ``said`` has settled them, and ``gone``."""
        pieces = [self.read("rows", i, bucket) for bucket in range(self.buckets)] if decided.num_rows else []
        table = pa.concat_tables([INDEX.empty_table(), *pieces])
        table = table.take(pc.index_in(decided["key"].combine_chunks(), value_set=table["key"]))
        for name in ("official_split", "drop_step", "drop_reason", "second_look"):
            table = with_column(table, name, decided[name])
        return table.append_column("gone", decided["gone"])

    def beside(self, partition: int) -> list[Path]:
        """The parts, and the words."""
        parts = [sealed_part(place(self.sealed), number) for number in self._numbers(partition)]
        return [*parts, *(self.path(name, partition) for name in ("words", "called", "names"))]


@dataclass(frozen=True)
class Last(_Sealed):
    """The words that patients share, the names that no surrogate may have; the fates."""

    k_patients: int
    ranges: int
    fates: str

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """FATE rows sorted by key."""
        pseudo, count, names = self.secret.pseudonymizer(), WordCount(self.k_patients), set[str]()
        for i in range(self.ranges):
            words = self.read("words", i)
            for word, who in zip(words["word"].to_pylist(), words["patients"].to_pylist(), strict=True):
                count.count(word, who)
            count.called.update(self.read("called", i)["word"].to_pylist())
            names.update(self.read("names", i)["word"].to_pylist())
        for name, listed in ((WORDS, count.shared()), (NAMES, names)):
            write_sealed(place(self.sealed) / name, pa.table({"word": pa.array(sorted(listed), pa.string())}), pseudo)
        fates = conform(read_parts(place(self.fates)), FATE)
        remove_tree(place(self.sealed) / "work", place(self.sealed))
        return fates

    def beside(self, partition: int) -> list[Path]:
        """The sealed parts, the shared words, and the names that no surrogate may have."""
        return sorted(place(self.sealed).glob("*.sealed"))
