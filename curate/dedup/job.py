"""The dedup step: signatures sorted into buckets by workers, each bucket resolved by itself, the rest narrow columns.

    signatures   some ingested parts of live records, sorted by the bucket of their patient
    pictures     a bucket: near pictures (`curate.dedup.resolve`), and what an evaluation set holds
    kept         all records' narrow columns: equal pictures wherever they are
    texts        what is left of some parts, sorted by the bucket of the text's critical words
    reports      a bucket: equal and near texts; `kept` and these make the step's table

Each is a step below the dedup step's folder (`curate.step.run_spread_step`). A task holds the signatures of a bucket,
2 kB a record, with near texts 15; `kept` and the last hold a few hundred bytes of every record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.dedup.exact import bucket_of
from curate.dedup.held import HELD, Held
from curate.dedup.resolve import (
    DECIDED,
    after_pictures,
    alone,
    behind,
    equal_pictures,
    near_pictures,
    ranked,
    same_texts,
    spoken,
)
from curate.dedup.rules import DedupRules
from curate.dedup.text import GUARD_SIZE
from curate.places import place
from curate.record import DEDUP, conform, live
from curate.step import Task, Unit, part_path, read_parts
from curate.storage import read_table

PER_BUCKET = 50_000  # records, and as many to a task that sorts
_NARROW = ["key", "partition", "row", "patient", "pixel_hash", "held_out", "length", "pixels"]
_PICTURE, _TEXT = ["phash", "thumb"], ["text", "study", "text_hash", "minhash"]
_READ = ["key", "patient", "width", "height", "text", "official_split", "pixel_hash", "drop_step", "drop_reason"]


@dataclass(frozen=True)
class DedupJob:
    """What the step reads: the ingested parts, of so many records each, and ``held``, the folder of a step that wrote
    `curate.dedup.held.HELD`: what is in it is dropped before duplicates are looked for."""

    ingest: str
    partitions: int
    per_partition: int
    rules: DedupRules
    held: str | None = None
    per_bucket: int = PER_BUCKET

    def spread(self, inner: Callable[[str, Task, int], str]) -> Task:
        """As `curate.step.SpreadTask`; the last task makes the step's DEDUP table, rows in ingest order."""
        rules = self.rules
        sources = max(1, self.per_bucket // self.per_partition)  # ingested parts to a task that sorts
        if self.partitions <= sources:
            return Whole(self.ingest, self.partitions, sources, 1, rules, self.held)
        sorting = -(-self.partitions // sources)
        buckets = -(-self.partitions * self.per_partition // self.per_bucket)
        whole = buckets if rules.image_near != "archive" else 1  # near ones of all patients are one bucket
        signed = inner("signatures", SortByPatient(self.ingest, self.partitions, sources, whole), sorting)
        kept = Kept(signed, inner("pictures", Pictures(signed, rules, self.held), whole), rules)
        if rules.text_exact == "off" and rules.text_near == "off":
            return kept
        left = inner("kept", kept, 1)
        texts = inner("texts", SortByText(self.ingest, self.partitions, sources, buckets, left), sorting)
        return Last(left, inner("reports", Reports(texts, rules), buckets))


@dataclass(frozen=True)
class SortByPatient(Unit):
    """Live records of ``sources`` ingested parts, sorted by the bucket of their patient; who is not known is alone."""

    ingest: str
    partitions: int
    sources: int
    buckets: int

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """``bucket`` and what `near_pictures` asks for."""
        table = self._read(partition, _PICTURE)
        known = zip(table["patient"].to_pylist(), table["key"].to_pylist(), strict=True)
        return _sorted(table.select([*_NARROW, *_PICTURE]), [who or key for who, key in known], self.buckets)

    def _read(self, partition: int, more: Sequence[str]) -> pa.Table:
        """The live rows of the partition's parts, `ranked`, each with its ``partition`` and its ``row`` there."""
        first, names, tables = partition * self.sources, list(dict.fromkeys([*_READ, *more])), []
        for i in range(first, min(first + self.sources, self.partitions)):
            table = read_table(part_path(place(self.ingest), i), names)
            table = table.append_column("partition", pa.array(np.full(table.num_rows, i, np.int32)))
            table = table.append_column("row", pa.array(np.arange(table.num_rows, dtype=np.int32)))
            tables.append(table.filter(pa.array(live(table))))
        return ranked(pa.concat_tables(tables))


@dataclass(frozen=True)
class Whole(SortByPatient):
    """An archive of one bucket: nothing is sorted, one task does all."""

    rules: DedupRules
    held: str | None

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """DEDUP, in ingest order."""
        if not self.partitions:
            return DEDUP.empty_table()
        table = self._read(partition, [*_PICTURE, *_TEXT])
        found = behind(_alone(table), pictures(table, self.rules, self.held))
        return after_pictures(table, found, self.rules)


@dataclass(frozen=True)
class SortByText(SortByPatient):
    """What ``kept`` leaves of ``sources`` ingested parts, sorted by the bucket of the text's critical words: reports of
    others are never duplicates."""

    kept: str

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """``bucket`` and what `same_texts` asks for."""
        table, first = self._read(partition, _TEXT), partition * self.sources
        asked = [("partition", ">=", first), ("partition", "<", first + self.sources)]
        kept = read_table(part_path(place(self.kept), 0), ["key", "drop_reason"], asked)
        table = table.filter(pa.array(live(kept) & spoken(table)))
        guards = [said[: 4 * GUARD_SIZE] for said in table["minhash"].to_pylist()]
        return _sorted(table.select([*_NARROW, *_TEXT]), guards, self.buckets)


@dataclass(frozen=True)
class Pictures(Unit):
    """A bucket of patients: what is in an evaluation set, then near pictures among the rest."""

    signed: str
    rules: DedupRules
    held: str | None

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """DECIDED."""
        return pictures(_bucket(self.signed, partition), self.rules, self.held)


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
        return behind(found, equal_pictures(table.filter(pa.array(live(found))), self.rules))


@dataclass(frozen=True)
class Last(Unit):
    """What pictures left, and what texts decided."""

    kept: str
    reports: str

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """DEDUP, in ingest order."""
        return behind(conform(read_parts(place(self.kept)), DEDUP), read_parts(place(self.reports)))


def _sorted(table: pa.Table, values: Sequence[str | bytes], buckets: int) -> pa.Table:
    bucket = bucket_of(values, buckets)
    table = table.add_column(0, "bucket", pa.array(bucket))
    return table.take(pa.array(np.argsort(bucket, kind="stable")))


def _bucket(folder: str, bucket: int) -> pa.Table:
    """A bucket's rows of all sorted parts."""
    parts = sorted(place(folder).glob("part-*.parquet"))
    return pa.concat_tables([read_table(path, None, [("bucket", "=", bucket)]) for path in parts])


def pictures(table: pa.Table, rules: DedupRules, held: str | None) -> pa.Table:
    """DECIDED: what is in an evaluation set (``held``: as `DedupJob`), then `near_pictures` among the rest."""
    if held is None:
        return near_pictures(table, rules)
    said = Held(read_parts(place(held), empty=HELD)).reasons(table)
    reasons = pa.array([None if r is None else r.value for r in said], pa.string())
    free = near_pictures(table.filter(pc.is_null(reasons)), rules)
    apart = table.select(["key"]).append_column("stands", table["key"]).append_column("reason", reasons)
    return pa.concat_tables([free, apart.filter(pc.is_valid(reasons)).cast(DECIDED)])


def _alone(table: pa.Table) -> pa.Table:
    return alone(table["key"]).set_column(1, "partition", table["partition"])
