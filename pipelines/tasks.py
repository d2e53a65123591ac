"""How each step's task is made, where it works: nothing here imports a decoder, a scrubber or a filter before that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from curate.dedup.against import Release
from curate.dedup.rules import DedupRules, SemanticRules
from curate.deid.vault import SecretSource
from curate.export.rules import SelectRules
from curate.export.split import SplitRules
from curate.ingest.rules import IndexRules, PictureRules, ReportRules, ReportSource
from filters.registry import CapfiltRules, CleanRules

if TYPE_CHECKING:
    from curate.dedup.job import DedupJob
    from curate.dedup.semantic_task import SemanticTask
    from curate.export.plan import PlanTask
    from curate.export.select import SelectTask
    from curate.export.webdataset import ExportTask
    from curate.ingest.chain import IngestTask
    from curate.ingest.index_job import IndexJob
    from filters.evaluate.marks import MarksTask
    from filters.methods.blip.capfilt import CapfiltTask
    from filters.task import ScoreTask, TrainTask

Where = tuple[str, int, str]  # the pool: ingest's folder and its partitions, dedup's folder
Scoring = Mapping[str, Mapping[str, Any]]  # what the recipe chooses anew of filters that it brings, by their name


def index(
    chunks: Sequence[tuple[str, tuple[str, ...]]],
    scans: str,
    reports: Sequence[ReportSource],
    rules: IndexRules,
    rows: int,
    secret: SecretSource,
    k_patients: int,
    sealed: str,
) -> IndexJob:
    """See `curate.ingest.index_job`."""
    from curate.ingest.index import IndexTask
    from curate.ingest.index_job import IndexJob

    return IndexJob(IndexTask(chunks, scans, sealed, reports, rules, rows, secret, k_patients))


def ingest(
    picture: PictureRules, report: ReportRules, secret: SecretSource, sealed: str, steps: str, rules: str
) -> IngestTask:
    """See `curate.ingest.chain`; ``rules``: a digest of them, for what earlier steps in ``steps`` have made of them."""
    from curate.ingest.chain import IngestTask, ingest_stages
    from curate.ingest.reuse import Reuse

    reuse = Reuse(steps, rules, report.text, secret, sealed)
    return IngestTask(sealed, ingest_stages(picture, report, secret, sealed), secret, reuse=reuse)


def evaluation(sets: tuple[tuple[str, str], ...]) -> MarksTask:
    """See `filters.evaluate.marks`."""
    from filters.evaluate.marks import MarksTask

    return MarksTask(sets)


def dedup(
    ingested: str,
    partitions: int,
    per_partition: int,
    rules: DedupRules,
    held_out: str | None,
    against: tuple[Release, ...],
) -> DedupJob:
    """See `curate.dedup.job`."""
    from curate.dedup.job import DedupJob

    return DedupJob(ingested, partitions, per_partition, rules, held_out, against)


def train(
    pool: Where,
    splits: SplitRules,
    clean: CleanRules,
    method: str,
    rules: Any,
    out: str,
    name: str,
    marked: tuple[str, ...] | None = None,
) -> TrainTask:
    """See `filters.task`."""
    from filters.task import Pool, TrainTask

    return TrainTask(Pool(*pool), splits, clean, method, rules, out, name=name, marked=marked)


def score(
    pool: Where, filters: Mapping[str, str], batch: int, device: str, scoring: Scoring, threads: int
) -> ScoreTask:
    """See `filters.task`."""
    from filters.task import Pool, ScoreTask

    return ScoreTask(Pool(*pool), filters, batch, device, scoring, threads)


def capfilt(
    pool: Where,
    folder: str,
    batch: int,
    rules: CapfiltRules,
    device: str,
    filters: Mapping[str, str],
    scoring: Scoring,
) -> CapfiltTask:
    """See `filters.methods.blip.capfilt`."""
    from filters.methods.blip.capfilt import CapfiltTask
    from filters.task import Pool

    return CapfiltTask(Pool(*pool), filters, batch, device, scoring, captioner=folder, rules=rules)


def select(
    ingested: str,
    partitions: int,
    deduplicated: str,
    scores: str | None,
    cut: SelectRules,
    splits: SplitRules,
    texts: str | None,
    unbelieved: Literal["drop", "keep"],
) -> SelectTask:
    """See `curate.export.select`."""
    from curate.export.select import SelectTask

    return SelectTask(ingested, partitions, deduplicated, scores, cut, splits, texts, unbelieved)


def semantic(
    ingested: str, deduplicated: str, scores: str, partitions: int, rules: SemanticRules, splits: SplitRules
) -> SemanticTask:
    """See `curate.dedup.semantic`."""
    from curate.dedup.semantic_task import SemanticTask

    return SemanticTask(ingested, deduplicated, scores, partitions, rules, splits)


def plan(selection: str, per_shard: int, continued: str | None) -> PlanTask:
    """See `curate.export.plan`."""
    from curate.export.plan import PlanTask

    return PlanTask(selection, per_shard, continued)


def export(ingested: str, planned: str, shards: str, texts: str | None, kept: tuple[str, ...] = ()) -> ExportTask:
    """See `curate.export.webdataset`."""
    from curate.export.webdataset import ExportTask

    return ExportTask(ingested, planned, shards, texts, kept)
