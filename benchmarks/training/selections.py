"""Selections of a pool as trainings to be compared, and what they came to: `filters.compare`'s cells in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.training.shards import write_keys
from curate.storage import digest
from filters.compare.runs import EvaluationTask, ExperimentRun, read_experiment, run_experiment
from filters.evaluate.rules import EvaluateRules
from filters.rules import TrainingRules
from filters.training.job import TrainingJob

RANDOM, GENERIC, PLAIN, OURS, ORACLE = "random", "pool CLIP", "plain DFN", "ours", "oracle"


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


def cells(
    ground: Ground,
    chosen: dict[str, NDArray[np.int64]],
    rules: TrainingRules,
    exams: tuple[EvaluationTask, ...],
    measured: EvaluateRules,
    budgets: dict[str, Iterable[float]],
) -> list[ExperimentRun]:
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
            made.append(
                ExperimentRun(name, name, ground.seed, len(index) / ground.pool, budget, share, job, exams, measured)
            )
    return made


def done(cell: ExperimentRun) -> dict[str, Any]:
    """The cell's results, trained and measured now if they were not; without each single finding's."""
    run_experiment(cell)
    found = read_experiment(cell)
    found.pop("rules")
    found["tasks"] = {
        exam: {task: metrics for task, metrics in tasks.items() if not task.startswith("findings/")}
        for exam, tasks in found["tasks"].items()
    }
    return found
