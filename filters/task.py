"""The filters' two steps: train one on the clean set, score every record that dedup kept under all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import RecipeError, RunError, about
from curate.export.split import SplitRules, split_of
from curate.intact import part_path
from curate.places import place
from curate.record import live
from curate.storage import commit_folder, local_folder, read_table, remove_tree, scratch_folder
from filters.clean import clean_keys, seen_in_evaluation, shard_records
from filters.drift import score_reference
from filters.findings import concept, language_read
from filters.method import NO_RECORDS, Records, TrainingSet, add_to_card, module_of
from filters.registry import CleanRules
from filters.score import Needs, Scorer, prepare
from filters.training.curve import read_curve

FINDINGS = "findings"  # the score table's one column that is no score: what the text claims, `filters.findings.concept`
_SAMPLE = 1000  # records of the pool whose scores the card remembers
_POOL = ("key", "image", "text", "patient")


@dataclass(frozen=True)
class Pool:
    """Where the records that dedup kept lie."""

    ingest: str
    partitions: int
    dedup: str

    def read(self, partition: int, columns: Sequence[str]) -> pa.Table:
        """Those of one ingest partition, in ingest order."""
        kept = read_table(part_path(place(self.dedup), 0), ["key", "drop_reason"], [("partition", "=", partition)])
        keys = kept.filter(pa.array(live(kept)))["key"].to_pylist()
        table = read_table(part_path(place(self.ingest), partition), columns)
        wanted = set(keys)
        return table.filter(pa.array([k in wanted for k in table["key"].to_pylist()], pa.bool_()))

    def rows(self, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Of every partition; for narrow columns."""
        return [r for i in range(self.partitions) for r in self.read(i, columns).to_pylist()]

    def paired(self, partition: int, columns: Sequence[str]) -> pa.Table:
        """`read`, of the records that have an image."""
        table = self.read(partition, list(dict.fromkeys([*columns, "pixel_hash"])))
        return table.filter(table["pixel_hash"].is_valid())

    def records(self, keys: Collection[str]) -> Records:
        """The pairs under ``keys``, by key."""
        found: list[dict[str, Any]] = []
        for i in range(self.partitions):
            table = self.read(i, _POOL)
            found += table.filter(pa.array([k in keys for k in table["key"].to_pylist()], pa.bool_())).to_pylist()
        found.sort(key=lambda r: str(r["key"]))
        columns = ([r[c] for r in found] for c in _POOL)
        return Records(*columns)


@dataclass(frozen=True)
class TrainTask:
    """One unit: choose the clean set, train one filter, leave its folder in ``out``.

    ``unlabelled``: how many records of the pool's train split, lowest keys first, the method may look at besides.
    """

    pool: Pool
    splits: SplitRules
    clean: CleanRules
    method: str
    rules: Any
    out: str
    unlabelled: int = 20_000
    name: str = ""  # the filter's in the recipe
    marked: tuple[str, ...] | None = None  # keys that reviewers found good, where those are the clean set

    def rows(self, partition: int) -> int:
        """One unit of work."""
        return 1

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """Trains; returns the clean set's keys, so that the run says what its filter has seen."""
        out = place(self.out)
        with scratch_folder(out) as scratch:
            remove_tree(out, out.parent)  # of an attempt that was not committed, or damaged since
            data = self._data()
            if data is None:  # an archive with nothing usable needs no filter
                return pa.table({"key": pa.array([], pa.string())})
            with about(f"filters.{self.name}" if self.name else "filter"):
                module_of(self.method).train(data, scratch / "filter", self.rules)
            remember_pool(scratch / "filter", data.pool)
            commit_folder(scratch / "filter", out)
        return pa.table({"key": pa.array(data.clean.keys, pa.string())})

    def beside(self, partition: int) -> list[Path]:
        """The filter's files; none where there was nothing to train on."""
        return sorted(p for p in place(self.out).rglob("*") if p.is_file())

    def _data(self) -> TrainingSet | None:
        """The clean set and the unlabelled pool, both without what is, or nearly is, in an evaluation split."""
        names = ["key", "patient", "official_split", "clean", "text", "text_hash", "pixel_hash", "phash"]
        rows = self.pool.rows(names)
        if not rows:
            return None
        rows = [r for r in rows if r["pixel_hash"]]
        split = [split_of(r["patient"], self.splits, r["official_split"]) for r in rows]
        held_out = [r for r, name in zip(rows, split, strict=True) if name != "train"]
        rows = [r for r, name in zip(rows, split, strict=True) if name == "train"]
        leaked = seen_in_evaluation(rows, held_out)
        rows = [r for r in rows if r["key"] not in leaked]
        unlabelled = set(sorted(r["key"] for r in rows)[: self.unlabelled])
        pool = self.pool.records(unlabelled) if unlabelled else NO_RECORDS
        brought = self.clean.folder is not None or self.marked is not None
        declared = brought or any(r["clean"] is not None for r in rows)
        return TrainingSet(self._clean(rows, held_out), pool, declared)

    def _clean(self, rows: list[dict[str, Any]], held_out: list[dict[str, Any]]) -> Records:
        if self.clean.folder is not None:
            brought = shard_records(self.clean.folder)
            known = {r["key"] for r in held_out}
            return brought.take([i for i, key in enumerate(brought.keys) if key not in known]).sorted()
        if self.marked is not None:
            here = sorted({r["key"] for r in rows} & set(self.marked))
            if not here:
                lacking = "no record of the train split is marked good"
                raise RecipeError("clean.marks", lacking, "curate browse RUN --reviewer NAME, and mark some")
            return self.pool.records(set(here[: self.clean.max_pairs]))
        return self.pool.records(set(clean_keys(rows, self.clean)))


def remember_pool(folder: Path, pool: Records) -> None:
    """Put on the filter's card how it scores a sample of its pool: what `filters.drift`
    compares a new archive with."""
    sample = pool.at_most(_SAMPLE)
    scorer = Scorer({"s": str(folder)}, "cpu")
    whose = list(zip(sample.keys, sample.groups, strict=True))
    parts = [scorer(b)["s"] for b in prepare(sample.images, sample.texts, scorer.needs, 64, whose=whose)]
    scores = np.concatenate([np.zeros(0, np.float32), *parts])
    if np.isfinite(scores).any():
        add_to_card(folder, pool_scores=score_reference(scores).to_json())


@dataclass(frozen=True)
class ScoreTask:
    """Every record that dedup kept gets every filter's scores, by key, in one pass over the images."""

    pool: Pool
    folders: Mapping[str, str]  # filter's name -> its folder
    batch: int
    device: str = "cpu"
    scoring: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # what is chosen anew of one, by its name
    threads: int = 1  # that decode

    def rows(self, partition: int) -> int:
        """Records to score in the partition."""
        return int(self.pool.read(partition, ["key"]).num_rows)

    def batches(self, partition: int) -> int:
        """Of its pairs."""
        return -(-int(self.pool.paired(partition, ["key"]).num_rows) // self.batch)

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """The partition on one process, without an engine."""
        model = self.model()
        return self.assemble(partition, [model(b) for b in self.prepare(partition)])

    def prepare(self, partition: int) -> Iterator[Any]:
        """Decoded, resized batches of pairs; text-only records have no batch and stay unscored."""
        table = self.pool.paired(partition, _POOL)
        if not table.num_rows:
            return
        needs = Needs.of(self._looked_through())
        images, texts, keys, patients = (table[name].to_pylist() for name in ("image", "text", "key", "patient"))
        whose = list(zip(keys, patients, strict=True))
        yield from prepare(images, texts, needs, self.batch, self.threads, whose)

    def model(self) -> Callable[[Any], Any]:
        """The scorer, loaded once a process or actor."""
        if not all((folder / "card.json").exists() for folder in self._local().values()):
            return refuse  # nothing was trained because there is nothing to score
        return self._scorer()

    def assemble(self, partition: int, results: Iterable[Any]) -> pa.Table:
        """(key, findings, score...) of the partition's pairs; findings are null where the text's language is not
        read."""
        table = self.pool.paired(partition, ["key", "text"])
        parts = list(results) or [self._nothing()]
        columns = {name: _column(np.concatenate([part[name] for part in parts])) for name in parts[0]}
        texts = table["text"].to_pylist()
        claimed = pa.array([concept(text) if language_read(text) else None for text in texts], pa.string())
        return pa.table({"key": table["key"], FINDINGS: claimed, **columns})

    def _nothing(self) -> dict[str, np.ndarray]:
        """Every column, without a row: a partition of texts alone has the schema of the others."""
        return {name: np.zeros(0, np.float32) for name in self._scorer().columns}

    def _scorer(self) -> Scorer:
        folders = {name: str(folder) for name, folder in self._local().items()}
        return Scorer(folders, self.device, scoring=self.scoring)

    def _looked_through(self) -> list[Path]:
        """The folders of all filters that read the pairs."""
        return list(self._local().values())

    def _local(self) -> dict[str, Path]:
        return {name: local_folder(place(folder)) for name, folder in self.folders.items()}


def _column(values: np.ndarray) -> pa.Array:
    """A score as float32; an embedding, float16[n, d], as a list of fixed size."""
    if values.ndim == 1:
        return pa.array(values, pa.float32())
    flat = pa.array(np.ascontiguousarray(values, np.float16).ravel(), pa.float16())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def refuse(batch: Any) -> Any:
    """In the place of a model where no filter was trained."""
    raise RunError("there are pairs to score and no filter; run the same command again")


def train_curve(folder: Path) -> list[tuple[float, float]]:
    """(epoch, loss) of a trained filter's metrics.csv, for the report page; empty where there is none."""
    return [(row["epoch"], row["loss"]) for row in read_curve(folder, "metrics.csv") if "loss" in row]
