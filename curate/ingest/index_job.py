"""The index of a large archive, spread: one process pairs by narrow columns, workers make and sort the rows.

    paired    headers and reports read, paired by identities; batches of files, each with its reports, sealed
    rows      a batch: INDEX rows, sorted into pieces by the range of their keys, sealed
    settled   narrow columns of all rows: splits, who has left, the second look, which partition each row is in
    parts     a range of keys: the pieces put together, the sealed parts of the index; which words its patients write
    (last)    the words that the archive shares; the fates

Each is a step below the index step's folder (`curate.step.run_spread_step`), whose parts hold counts and fates only:
what names patients lies sealed in ``work`` beside the sealed index, and goes at the end. `IndexTask` does the same in
one process, where there is little to do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.deid.replace.surrogates import taken_names
from curate.deid.vault import SecretSource, read_sealed, write_sealed
from curate.deid.words.shared import WordCount
from curate.export.remove import withdrawn_fates, without_records
from curate.ingest.files import with_column
from curate.ingest.index import IndexRules, IndexTask, paired, settled, texts_and_values, withdrawn_keys
from curate.ingest.rows import RecordRows
from curate.ingest.sealed import NAMES, WORDS, read_withdrawn, sealed_part
from curate.places import place
from curate.record import FATE, INDEX, conform, live
from curate.sources.reports.packed import PackedReports
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
_OWN = b"own"  # metadata of a batch: how many of its files are its own, before those that its montages show


@dataclass(frozen=True)
class IndexJob:
    """``task``: what there is to index. ``batch``: files, or reports that no image uses, to a task; ``range_rows``:
    rows to a range of keys; ``small``: chunks up to which one process does all."""

    task: IndexTask
    batch: int = 20_000
    range_rows: int = 50_000
    small: int = SMALL

    def spread(self, inner: Callable[[str, Task, int], str]) -> Task:
        """As `curate.step.SpreadTask`; the last task returns the fates."""
        task = self.task
        if sum(len(names) for _, names in task.chunks) <= self.small:
            return task
        counts = read_parts(place(inner("paired", Paired(task, self.batch), 1)))
        batches = counts.num_rows
        ranges = -(-pc.sum(counts["rows"]).as_py() // self.range_rows)
        sealed = task.sealed, task.secret
        inner("rows", Rows(*sealed, task.rules, ranges), batches)
        fates = inner("settled", Settled(*sealed, task.rules, task.scans, batches, ranges), 1)
        inner("parts", Parts(*sealed, task.rows_per_partition, task.k_patients, batches, ranges), ranges)
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


@dataclass(frozen=True)
class Paired(Unit):
    """Everything paired, and written in batches that stand alone."""

    task: IndexTask
    batch: int

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """``rows``: how many files, and reports without one, of each batch."""
        reports, matched = paired(self.task)
        counts: list[int] = []
        for start in range(0, matched.files.num_rows, self.batch):
            own = np.arange(start, min(start + self.batch, matched.files.num_rows))
            self._write(len(counts), *_batch(matched.files, own, reports.packed), matched.reports.slice(0, 0))
            counts.append(len(own))
        unused = np.flatnonzero(~matched.reports["used"].to_numpy(zero_copy_only=False))
        for rows in (unused[i : i + self.batch] for i in range(0, len(unused), self.batch)):
            none, _ = _batch(matched.files, np.arange(0), reports.packed)
            told = [reports.packed[row] for row in rows.tolist()]
            self._write(len(counts), none, told, matched.reports.take(pa.array(rows)))
            counts.append(len(rows))
        return pa.table({"rows": pa.array(counts, pa.int64())})

    def _write(self, batch: int, files: pa.Table, reports: list[bytes], matches: pa.Table) -> None:
        sealed = _Sealed(self.task.sealed, self.task.secret)
        sealed.write(files, "files", batch)
        sealed.write(pa.table({"report": pa.array(reports, pa.large_binary())}), "reports", batch)
        sealed.write(matches, "matches", batch)

    def beside(self, partition: int) -> Iterator[Path]:
        """The batches."""
        yield from sorted((place(self.task.sealed) / "work").glob("files-*"))
        yield from sorted((place(self.task.sealed) / "work").glob("reports-*"))
        yield from sorted((place(self.task.sealed) / "work").glob("matches-*"))


def _batch(files: pa.Table, own: npt.NDArray[np.int64], packed: list[bytes]) -> tuple[pa.Table, list[bytes]]:
    """(The files under ``own`` and those that their montages show, the reports they were given), rows of either that
    are named renumbered."""
    some = files.take(pa.array(own))
    if "members" in files.column_names:
        shown = np.setdiff1d(_flat(some["members"]), own)
        some = files.take(pa.array(np.concatenate([own, shown])))
        some = with_column(some, "members", _renumbered(some["members"], np.concatenate([own, shown])))
    used = np.union1d(some["report"].drop_null().to_numpy(), _flat(some["also"]))
    report = some["report"].combine_chunks()
    there = np.searchsorted(used, report.fill_null(0).to_numpy(zero_copy_only=False))
    some = with_column(some, "report", pa.array(there, mask=report.is_null().to_numpy(zero_copy_only=False)))
    some = with_column(some, "also", _renumbered(some["also"], used))
    return some.replace_schema_metadata({_OWN: str(len(own))}), [packed[row] for row in used.tolist()]


def _flat(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.asarray(pc.list_flatten(column).to_numpy(), np.int64)


def _renumbered(column: pa.ChunkedArray, names: npt.NDArray[np.int64]) -> pa.Array:
    """A column of lists of numbers, each as its place in ``names``."""
    order = np.argsort(names, kind="stable")
    values = [None if v is None else order[np.searchsorted(names[order], v)].tolist() for v in column.to_pylist()]
    return pa.array(values, column.type)


@dataclass(frozen=True)
class Rows(_Sealed):
    """A batch's rows, in pieces by the range of their keys."""

    rules: IndexRules
    ranges: int

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """``rows``: how many."""
        files, matches = self.read("files", partition), self.read("matches", partition)
        reports = PackedReports(self.read("reports", partition)["report"].to_pylist())
        own = int((files.schema.metadata or {})[_OWN])
        rows = RecordRows(files, reports, self.rules, self.secret.pseudonymizer())
        # `of_reports` wants a match a report: a batch has files, or reports that no image uses
        told = [rows.of_reports(matches)] if matches.num_rows else []
        table = pa.concat_tables([rows.of_images(files.slice(0, own)), *told])
        where = _ranges(table["key"].to_pylist(), self.ranges)
        for i in range(self.ranges):
            self.write(table.filter(pa.array(where == i)), "rows", i, partition)
        self.write(table.select(_NARROW), "narrow", partition)
        return pa.table({"rows": [table.num_rows]})

    def beside(self, partition: int) -> list[Path]:
        """The pieces."""
        return [*(self.path("rows", i, partition) for i in range(self.ranges)), self.path("narrow", partition)]


def _ranges(keys: Sequence[str], ranges: int) -> npt.NDArray[np.int64]:
    """int64[n], rising with the keys: keys are HMACs, evenly spread."""
    return np.fromiter((int(key[:8], 16) * ranges >> 32 for key in keys), np.int64, len(keys))


@dataclass(frozen=True)
class Settled(_Sealed):
    """What only all rows together say."""

    rules: IndexRules
    scans: str
    batches: int
    ranges: int

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """FATE rows sorted by key."""
        pseudo = self.secret.pseudonymizer()
        index = settled(pa.concat_tables([self.read("narrow", i) for i in range(self.batches)]), self.rules)
        gone = withdrawn_keys(index, read_withdrawn(place(self.scans).parent, pseudo))
        alive = live(index)
        index = index.append_column("place", pa.array(np.cumsum(alive) - 1, mask=~alive))
        left = pc.is_in(index["key"], value_set=pa.array(sorted(gone), pa.string()))
        index = index.append_column("gone", left)
        where = _ranges(index["key"].to_pylist(), self.ranges)
        for i in range(self.ranges):
            self.write(index.select(_SAID).filter(pa.array(where == i)), "settled", i)
        return withdrawn_fates(conform(index, FATE), gone, {key: pseudo.key("withdrawn", key) for key in gone})

    def beside(self, partition: int) -> list[Path]:
        """What is said of each range's rows."""
        return [self.path("settled", i) for i in range(self.ranges)]


@dataclass(frozen=True)
class Parts(_Sealed):
    """The parts of the sealed index that begin in a range of keys."""

    size: int
    k_patients: int
    batches: int
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
            said = self.read("settled", i)
            wanted = pc.and_(pc.greater_equal(said["place"], start), pc.less(said["place"], stop))
            said = said.filter(pc.fill_null(wanted, False))
            tables.append(self._of_range(i, said))
            if sum(t.num_rows for t in tables) == stop - start:
                break
        return pa.concat_tables(tables)

    def _of_range(self, i: int, said: pa.Table) -> pa.Table:
        """INDEX rows of a range as ``said`` has settled them, and ``gone``."""
        pieces = [self.read("rows", i, batch) for batch in range(self.batches)] if said.num_rows else []
        table = pa.concat_tables([INDEX.empty_table(), *pieces])
        table = table.take(pc.index_in(said["key"].combine_chunks(), value_set=table["key"]))
        for name in ("official_split", "drop_step", "drop_reason", "second_look"):
            table = with_column(table, name, said[name])
        return table.append_column("gone", said["gone"])

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
