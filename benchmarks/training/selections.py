"""Selections of a pool as trainings to be compared, and what they came to: `filters.compare`'s cells in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.filters.methods import Contender, run
from benchmarks.training.shards import write_keys
from curate.export.choose import choose
from curate.export.rules import SelectRules
from curate.storage import commit_json, digest
from filters.compare.cells import Cell, Exam, read_cell, run_cell
from filters.evaluate.rules import EvaluateRules
from filters.method import Records
from filters.training.job import TrainingJob
from filters.training.rules import TrainingRules

RANDOM, PLAIN, OURS, ORACLE = "random", "plain DFN", "ours", "oracle"


@dataclass(frozen=True)
class Ground:
    """The pool's ``shards``, its keys and which are ``right`` (bool[n]), in a folder ``place`` of the seed's own."""

    place: Path
    shards: Path
    keys: list[str]
    right: NDArray[np.bool_]
    seed: int

    @property
    def pool(self) -> int:
        return len(self.keys)


def scores(
    contender: Contender, clean: Records, pool: Records, place: Path, seed: int
) -> tuple[NDArray[np.float32], dict[str, float]]:
    """The contender's score of every pair of the pool and its cost in CPU-seconds; kept in ``place``, since training
    `ours` takes minutes."""
    kept = place / f"scores-{contender.method}.json"
    if not kept.exists():
        columns, cost = run(contender, clean, pool, place / f"filter-{contender.method}", seed)
        commit_json(kept, {"score": [None if np.isnan(v) else float(v) for v in columns[""]], "cost": cost})
    said = json.loads(kept.read_text("utf-8"))
    return np.array([np.nan if v is None else v for v in said["score"]], np.float32), said["cost"]


def top(values: NDArray[np.float32], keys: Sequence[str], keep: float) -> NDArray[np.int64]:
    """The places of the best ``keep`` of the pool; what has no score is last."""
    known = np.nan_to_num(values, nan=-np.inf)
    return np.sort(np.argsort(-known, kind="stable")[: round(keep * len(keys))])


def capped(values: NDArray[np.float32], records: Records, keep: float) -> NDArray[np.int64]:
    """As the product selects: the best ``keep``, of records that say the very same only the best."""
    columns = {OURS: values, "findings": np.array(records.texts, dtype=object)}
    kept, _ = choose(columns, np.array(records.keys), SelectRules(by=OURS, keep=keep, cap=1))
    return np.flatnonzero(kept)


def cells(
    ground: Ground,
    chosen: dict[str, NDArray[np.int64]],
    rules: TrainingRules,
    exams: tuple[Exam, ...],
    measured: EvaluateRules,
    budgets: dict[str, Iterable[float]],
) -> list[Cell]:
    """A cell a selection with all the samples, and one a budget: shares of the samples of a selection's name."""
    assert rules.samples is not None
    made = []
    for name, index in chosen.items():
        only = write_keys(ground.place / f"keys-{name.replace(' ', '-')}.parquet", (ground.keys[i] for i in index))
        for budget in (1.0, *budgets.get(name, ())):
            told = replace(rules, seed=ground.seed, samples=round(budget * rules.samples))
            out = ground.place / f"{name.replace(' ', '-')}-{budget:g}-{digest(repr(told))[:6]}"
            job = TrainingJob(str(ground.shards), str(out), told, only, device="cpu")
            share = float(ground.right[index].mean())
            made.append(Cell(name, name, ground.seed, len(index) / ground.pool, budget, share, job, exams, measured))
    return made


def done(cell: Cell) -> dict[str, Any]:
    """The cell's results, trained and measured now if they were not; without each single finding's."""
    run_cell(cell)
    found = read_cell(cell)
    found.pop("rules")
    found["tasks"] = {
        exam: {task: metrics for task, metrics in tasks.items() if not task.startswith("findings/")}
        for exam, tasks in found["tasks"].items()
    }
    return found
