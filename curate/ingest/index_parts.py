"""The index of a large archive from its paired buckets on (`curate.ingest.index_job`): the rows, what only all of them
together say, and the sealed parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.deid.replace.surrogates import taken_names
from curate.deid.vault import read_sealed
from curate.deid.words.shared import WordCount
from curate.export.remove import withdrawn_fates, without_records
from curate.ingest.files import with_column
from curate.ingest.index import (
    NO_FILES,
    match_part,
    named_by_table,
    pairing_of,
    report_table,
    settled,
    texts_and_values,
    withdrawn_keys,
)
from curate.ingest.rules import IndexRules
from curate.ingest.sealed import NAMES, PAIRING, WORDS, SealedUnit, read_withdrawn, sealed_part
from curate.ingest.splits import require_named
from curate.places import place
from curate.record import FATE, INDEX, conform, live
from curate.sources.pairing.coverage import Tally
from curate.sources.reports.report import PackedReports
from curate.step import read_parts
from curate.storage import remove_tree

_NARROW = [*FATE.names, "kind", "layout", "official_split", "second_look"]  # of INDEX: what decides all together
_SAID = ["key", "official_split", *FATE.names[-2:], "second_look", "place", "gone"]


@dataclass(frozen=True)
class Rows(SealedUnit):
    """A bucket's files and reports paired, and their rows, in pieces by the range of their keys."""

    rules: IndexRules
    pieces: str
    files: int  # tasks of files, before batches of reports
    ranges: int

    def make(self, partition: int) -> pa.Table:
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


def _ranges(keys: Sequence[str], ranges: int) -> npt.NDArray[np.int64]:
    """int64[n], rising with the keys: keys are HMACs, evenly spread."""
    return np.fromiter((int(key[:8], 16) * ranges >> 32 for key in keys), np.int64, len(keys))


@dataclass(frozen=True)
class Settled(SealedUnit):
    """What only all rows together say."""

    rules: IndexRules
    scans: str
    buckets: int
    ranges: int

    def make(self, partition: int) -> pa.Table:
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
        self.keep(pairing.table(), PAIRING)


def numbered(table: pa.Table) -> pa.Table:
    """A table of parts, each counting its rows from 0, with its rows counted over all."""
    return with_column(table, "row", pa.array(range(table.num_rows), pa.int64()))


@dataclass(frozen=True)
class Parts(SealedUnit):
    """The parts of the sealed index that begin in a range of keys."""

    size: int
    k_patients: int
    buckets: int
    ranges: int

    def make(self, partition: int) -> pa.Table:
        """``part``: which they are."""
        mine, count, names = self._numbers(partition), WordCount(self.k_patients), set[str]()
        if mine:
            table = self._alive(partition, mine[0] * self.size, (mine[-1] + 1) * self.size)
            for i, number in enumerate(mine):
                part = table.slice(i * self.size, self.size)
                part = without_records(part.drop(["gone"]), part.filter(part["gone"])["key"].to_pylist())
                self.keep(part, sealed_part(place(self.sealed), number).name)
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


@dataclass(frozen=True)
class Last(SealedUnit):
    """The words that patients share, the names that no surrogate may have; the fates."""

    k_patients: int
    ranges: int
    fates: str

    def make(self, partition: int) -> pa.Table:
        """FATE rows sorted by key."""
        count, names = WordCount(self.k_patients), set[str]()
        for i in range(self.ranges):
            words = self.read("words", i)
            for word, who in zip(words["word"].to_pylist(), words["patients"].to_pylist(), strict=True):
                count.count(word, who)
            count.called.update(self.read("called", i)["word"].to_pylist())
            names.update(self.read("names", i)["word"].to_pylist())
        for name, listed in ((WORDS, count.shared()), (NAMES, names)):
            self.keep(pa.table({"word": pa.array(sorted(listed), pa.string())}), name)
        fates = conform(read_parts(place(self.fates)), FATE)
        remove_tree(place(self.work), place(self.work).parent)
        return fates

    def beside(self, partition: int) -> list[Path]:
        """The sealed parts, the shared words, and the names that no surrogate may have."""
        return sorted(place(self.sealed).glob("*.sealed"))
