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

from collections.abc import Callable
from dataclasses import dataclass

from curate.dedup.against import Release
from curate.dedup.rules import DedupRules
from curate.task import Deferred, Task, defer

PER_BUCKET = 50_000  # records, and as many to a task that sorts


@dataclass(frozen=True)
class DedupJob:
    """What the step reads: the ingested parts, of so many records each; ``held_out``, the folder of a step that wrote
    `curate.dedup.held.HELD`: what is in it is dropped before duplicates are looked for; and what earlier runs released,
    as partitions after the run's own."""

    ingest: str
    partitions: int
    per_partition: int
    rules: DedupRules
    held_out: str | None = None
    against: tuple[Release, ...] = ()
    per_bucket: int = PER_BUCKET

    def spread(self, inner: Callable[[str, Task, int], str]) -> Task:
        """As `curate.task.SpreadTask`; the last task makes the step's DEDUP table, rows in ingest order."""
        rules, pool = self.rules, _task("Parts", self.ingest, self.partitions, self.against)
        parts = self.partitions + sum(run.partitions for run in self.against)
        records = max(self.per_partition, *(run.per_partition for run in self.against), 1)  # of a part
        sources = max(1, self.per_bucket // records)  # ingested parts to a task that sorts
        if parts <= sources:
            return _task("Whole", pool, sources, 1, rules, self.held_out)
        sorting = -(-parts // sources)
        buckets = -(-parts * records // self.per_bucket)
        whole = buckets if rules.image_near != "archive" else 1  # near ones of all patients are one bucket
        signed = inner("signatures", _task("SortByPatient", pool, sources, whole), sorting)
        kept = _task("Kept", signed, inner("pictures", _task("Pictures", signed, rules, self.held_out), whole), rules)
        if rules.text_exact == "off" and rules.text_near == "off":
            return _task("Last", inner("kept", kept, 1), None) if self.against else kept
        left = inner("kept", kept, 1)
        texts = inner("texts", _task("SortByText", pool, sources, buckets, left), sorting)
        return _task("Last", left, inner("reports", _task("Reports", texts, rules), buckets))


def _task(name: str, *arguments: object) -> Deferred:
    return defer(f"curate.dedup.tasks:{name}", *arguments)
