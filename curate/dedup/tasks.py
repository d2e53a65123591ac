"""The tasks of the dedup step, in the order in which `curate.dedup.job` has them done."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.dedup.against import Release, is_released, own
from curate.dedup.exact import bucket_of
from curate.dedup.held import HELD, HeldOut
from curate.dedup.resolve import (
    DECIDED,
    RELEASED,
    after_pictures,
    alone,
    behind,
    equal_pictures,
    has_text,
    near_pictures,
    ranked,
    same_records,
    same_texts,
)
from curate.dedup.rules import DedupRules
from curate.dedup.text import GUARD_SIZE
from curate.intact import part_path, part_paths
from curate.places import place
from curate.record import DEDUP, conform, live
from curate.step import read_parts
from curate.storage import read_table
from curate.task import Unit

_NARROW = ["key", "partition", "row", "patient", "pixel_hash", "held_out", "length", "pixels"]
_PICTURE, _TEXT = ["phash", "thumb"], ["text", "study", "text_hash", "minhash"]
_READ = ["key", "patient", "width", "height", "text", "official_split", "pixel_hash", "drop_step", "drop_reason"]


@dataclass(frozen=True)
class Parts:
    """The run's ingested parts, and after them those of earlier runs."""

    ingest: str
    partitions: int
    against: tuple[Release, ...]

    def __len__(self) -> int:
        return self.partitions + sum(run.partitions for run in self.against)

    def read(self, partition: int, columns: Sequence[str]) -> pa.Table:
        """The live rows of one part, `ranked`, each with its ``partition`` and its ``row`` there."""
        there = partition - self.partitions  # counted over earlier runs' parts
        if there < 0:
            table = read_table(part_path(place(self.ingest), partition), columns)
        else:
            starts = np.cumsum([0, *(run.partitions for run in self.against)])
            run = int(np.searchsorted(starts, there, side="right")) - 1
            table = self.against[run].read(there - int(starts[run]), columns)
        table = table.append_column("partition", pa.array(np.full(table.num_rows, partition, np.int32)))
        table = table.append_column("row", pa.array(np.arange(table.num_rows, dtype=np.int32)))
        table = ranked(table.filter(pa.array(live(table))))
        if there < 0:
            return table
        rank = pa.array(np.full(table.num_rows, RELEASED, np.int8))
        return table.set_column(table.column_names.index("held_out"), "held_out", rank)


@dataclass(frozen=True)
class SortByPatient(Unit):
    """Live records of ``sources`` ingested parts, sorted by the bucket of their patient; who is not known is alone."""

    parts: Parts
    sources: int
    buckets: int

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """``bucket`` and what `near_pictures` asks for."""
        table = self._read(partition, _PICTURE)
        known = zip(table["patient"].to_pylist(), table["key"].to_pylist(), strict=True)
        return _sorted(table.select([*_NARROW, *_PICTURE]), [who or key for who, key in known], self.buckets)

    def _read(self, partition: int, more: Sequence[str]) -> pa.Table:
        """As `Parts.read`, of all the task's parts."""
        first, names = partition * self.sources, list(dict.fromkeys([*_READ, *more]))
        last = min(first + self.sources, len(self.parts))
        return pa.concat_tables([self.parts.read(i, names) for i in range(first, last)])


@dataclass(frozen=True)
class Whole(SortByPatient):
    """An archive of one bucket: nothing is sorted, one task does all."""

    rules: DedupRules
    held_out: str | None

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """DEDUP, in ingest order."""
        if not len(self.parts):
            return DEDUP.empty_table()
        table = self._read(partition, [*_PICTURE, *_TEXT])
        found = behind(_alone(table), pictures(table, self.rules, self.held_out))
        return own(after_pictures(table, found, self.rules))


@dataclass(frozen=True)
class SortByText(SortByPatient):
    """What ``kept`` leaves of ``sources`` ingested parts, sorted by the bucket of the text's critical words: reports of
    others are never duplicates."""

    kept: str

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """``bucket`` and what `same_texts` asks for."""
        table, first = self._read(partition, _TEXT), partition * self.sources
        wanted = [("partition", ">=", first), ("partition", "<", first + self.sources)]
        kept = read_table(part_path(place(self.kept), 0), ["key", "drop_reason"], wanted)
        table = table.filter(pa.array(live(kept) & has_text(table)))
        guards = [signature[: 4 * GUARD_SIZE] for signature in table["minhash"].to_pylist()]
        return _sorted(table.select([*_NARROW, *_TEXT]), guards, self.buckets)


@dataclass(frozen=True)
class Pictures(Unit):
    """A bucket of patients: what is in an evaluation set, then near pictures among the rest."""

    signed: str
    rules: DedupRules
    held_out: str | None

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """DECIDED."""
        return pictures(_bucket(self.signed, partition), self.rules, self.held_out)


@dataclass(frozen=True)
class Reports(Unit):
    """A bucket of critical words: equal and near texts."""

    texts: str
    rules: DedupRules

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """DECIDED."""
        return same_texts(_bucket(self.texts, partition), self.rules)


@dataclass(frozen=True)
class Kept(Unit):
    """All records by their narrow columns: what pictures decided, and equal pictures wherever they are."""

    signed: str
    decided: str
    rules: DedupRules

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """DEDUP, in ingest order."""
        table = read_parts(place(self.signed), _NARROW)
        table = table.sort_by([("partition", "ascending"), ("row", "ascending")])
        found = behind(_alone(table), read_parts(place(self.decided)))
        found = behind(found, same_records(table.filter(pa.array(live(found)))))
        return behind(found, equal_pictures(table.filter(pa.array(live(found))), self.rules))


@dataclass(frozen=True)
class Last(Unit):
    """What pictures left, and what texts decided where they were asked; of this run alone."""

    kept: str
    reports: str | None

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """DEDUP, in ingest order."""
        kept = conform(read_parts(place(self.kept)), DEDUP)
        return own(kept if self.reports is None else behind(kept, read_parts(place(self.reports))))


def _sorted(table: pa.Table, values: Sequence[str | bytes], buckets: int) -> pa.Table:
    bucket = bucket_of(values, buckets)
    table = table.add_column(0, "bucket", pa.array(bucket))
    return table.take(pa.array(np.argsort(bucket, kind="stable")))


def _bucket(folder: str, bucket: int) -> pa.Table:
    """A bucket's rows of all sorted parts."""
    parts = part_paths(place(folder))
    return pa.concat_tables([read_table(path, None, [("bucket", "=", bucket)]) for path in parts])


def pictures(table: pa.Table, rules: DedupRules, held_out: str | None) -> pa.Table:
    """DECIDED: what is in an evaluation set (``held_out``: as `DedupJob`), then `near_pictures` among the rest."""
    if held_out is None:
        return near_pictures(table, rules)
    found = HeldOut(read_parts(place(held_out), empty=HELD)).reasons(table)
    reasons = pa.array([None if r is None else r.value for r in found], pa.string())
    reasons = pc.if_else(is_released(table["key"]), None, reasons)
    free = near_pictures(table.filter(pc.is_null(reasons)), rules)
    apart = table.select(["key"]).append_column("stands", table["key"]).append_column("reason", reasons)
    return pa.concat_tables([free, apart.filter(pc.is_valid(reasons)).cast(DECIDED)])


def _alone(table: pa.Table) -> pa.Table:
    return alone(table["key"]).set_column(1, "partition", table["partition"])
