"""The filter's two steps: train it on the clean set, score every record that dedup kept."""

from __future__ import annotations

import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import RunError
from curate.export.split import SplitRules, split_of
from curate.record import live, score_schema
from curate.step import part_path
from curate.storage import TEMPORARY, commit_folder, read_json, read_table
from filters.score import Scorer, prepare
from filters.train import TrainRules, train_filter

SCORE = "dfn"


@dataclass(frozen=True)
class CleanRules:
    """The clean set where no column declares one: texts of at least ``min_words`` words that no two patients share
    (a text many patients share is boilerplate). At most ``most`` records, lowest keys first."""

    min_words: int = 5
    most: int = 100_000


@dataclass(frozen=True)
class Pool:
    """Where the records that dedup kept lie."""

    ingest: str
    partitions: int
    dedup: str

    def read(self, partition: int, columns: Sequence[str]) -> pa.Table:
        """Those of one ingest partition, in ingest order."""
        kept = read_table(part_path(Path(self.dedup), 0), ["key", "drop_reason"], [("partition", "=", partition)])
        keys = kept.filter(pa.array(live(kept)))["key"].to_pylist()
        table = read_table(part_path(Path(self.ingest), partition), columns)
        wanted = set(keys)
        return table.filter(pa.array([k in wanted for k in table["key"].to_pylist()], pa.bool_()))


@dataclass(frozen=True)
class TrainTask:
    """One unit: choose the clean set, train, leave the filter's folder in ``out``."""

    pool: Pool
    splits: SplitRules
    clean: CleanRules
    rules: TrainRules
    out: str

    def rows(self, partition: int) -> int:
        """One unit of work."""
        return 1

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """Trains; returns the clean set's keys, so that the run says what its filter has seen."""
        keys, images, texts, patients = self._clean_set()
        if not keys and not any(self.pool.read(i, ["key"]).num_rows for i in range(self.pool.partitions)):
            return pa.table({"key": pa.array([], pa.string())})  # an archive with nothing usable needs no filter
        out = Path(self.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = out.with_name(f"{out.name}{TEMPORARY}{uuid.uuid4().hex[:8]}")
        temporary.mkdir()
        try:
            train_filter(images, texts, patients, temporary, self.rules)
            commit_folder(temporary, out)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return pa.table({"key": pa.array(keys, pa.string())})

    def _clean_set(self) -> tuple[list[str], list[bytes], list[str], list[str]]:
        chosen = self._chosen()
        found: list[dict[str, Any]] = []
        for i in range(self.pool.partitions):
            table = self.pool.read(i, ["key", "image", "text", "patient"])
            found += table.filter(pa.array([k in chosen for k in table["key"].to_pylist()], pa.bool_())).to_pylist()
        found.sort(key=lambda r: str(r["key"]))
        columns = ("key", "image", "text", "patient")
        keys, images, texts, patients = ([r[c] for r in found] for c in columns)
        return keys, images, texts, patients

    def _chosen(self) -> set[str]:
        columns = ["key", "patient", "clean", "text", "text_hash", "pixel_hash"]
        rows = [r for i in range(self.pool.partitions) for r in self.pool.read(i, columns).to_pylist()]
        rows = [r for r in rows if r["pixel_hash"] and split_of(r["patient"], self.splits) == "train"]
        declared = [r for r in rows if r["clean"]]
        if not any(r["clean"] is not None for r in rows):
            sharing = Counter(text for _, text in {(r["patient"], r["text_hash"]) for r in rows})
            long_enough = (r for r in rows if len(r["text"].split()) >= self.clean.min_words)
            declared = [r for r in long_enough if sharing[r["text_hash"]] == 1]
        return set(sorted(r["key"] for r in declared)[: self.clean.most])


@dataclass(frozen=True)
class ScoreTask:
    """Every record that dedup kept gets the filter's score, by key."""

    pool: Pool
    folder: str
    batch: int
    device: str = "cpu"

    def rows(self, partition: int) -> int:
        """Records to score in the partition."""
        return int(self.pool.read(partition, ["key"]).num_rows)

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """The partition on one process, without an engine."""
        model = self.model()
        return self.assemble(partition, [model(b) for b in self.prepare(partition)])

    def prepare(self, partition: int) -> Iterator[Any]:
        """Decoded, resized batches of pairs; text-only records have no batch and stay unscored."""
        table = self._paired(partition, ["key", "image", "text"])
        if not table.num_rows:
            return
        side = int(read_json(Path(self.folder) / "card.json")["preprocessing"]["side"])
        yield from prepare(table["image"].to_pylist(), table["text"].to_pylist(), side, self.batch)

    def model(self) -> Callable[[Any], Any]:
        """The scorer, loaded once a process or actor."""
        if not (Path(self.folder) / "card.json").exists():
            return _refuse  # nothing was trained because there is nothing to score
        return Scorer(self.folder, self.device)

    def assemble(self, partition: int, results: Iterable[Any]) -> pa.Table:
        """(key, score) of the partition's pairs."""
        keys = self._paired(partition, ["key", "pixel_hash"])["key"]
        scores = np.concatenate([np.zeros(0, np.float32), *results])
        return pa.table([keys, pa.array(scores, pa.float32())], schema=score_schema(SCORE))

    def _paired(self, partition: int, columns: Sequence[str]) -> pa.Table:
        table = self.pool.read(partition, list(dict.fromkeys([*columns, "pixel_hash"])))
        return table.filter(table["pixel_hash"].is_valid())


def _refuse(batch: Any) -> Any:
    raise RunError("there are pairs to score and no filter; run the same command again")


def train_curve(folder: Path) -> list[tuple[float, float]]:
    """(epoch, loss) of a trained filter's metrics.csv, for the report page; empty where there is none."""
    path = folder / "metrics.csv"
    if not path.exists():
        return []
    lines = path.read_text().splitlines()
    names = lines[0].split(",")
    at, loss = names.index("epoch"), names.index("loss")
    return [(float(c[at]), float(c[loss])) for c in (line.split(",") for line in lines[1:]) if c[loss]]
