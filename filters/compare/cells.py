"""One cell of a comparison: a selection and a seed, trained and measured. Done once, found again."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curate.storage import commit_json, read_json
from filters.evaluate.data import read_set
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.run import evaluate
from filters.towers.model import load_filter
from filters.training.job import TrainingJob, run_job

RESULTS = "results.json"


@dataclass(frozen=True)
class Exam:
    """What a model is measured on: the ``split`` of ``data``, of it only the keys in the Parquet file ``only``."""

    name: str
    data: str
    split: str = "test"
    only: str | None = None


@dataclass(frozen=True)
class Cell:
    """``fraction`` of the pool was kept, ``budget`` of the comparison's samples are seen; ``right``: share of right
    pairs among them, where truth is known. Selections of one ``family`` differ in how much they keep."""

    selection: str
    family: str
    seed: int
    fraction: float
    budget: float
    right: float | None
    job: TrainingJob
    exams: tuple[Exam, ...] = ()
    rules: EvaluateRules = field(default_factory=EvaluateRules)

    @property
    def out(self) -> Path:
        """The cell's folder."""
        return Path(self.job.out)


def run_cell(cell: Cell) -> str:
    """Train and measure; what is done is left alone. The selection's name, for the engine's sake."""
    if (cell.out / RESULTS).exists():
        return cell.selection
    began = time.process_time()
    card = run_job(cell.job)
    trained = time.process_time()
    model = load_filter(cell.out / "model", cell.job.device)
    found = {exam.name: evaluate(model, _data(exam), cell.rules)["tasks"] for exam in cell.exams}
    tasks = {exam: {t: _values(metrics) for t, metrics in said.items()} for exam, said in found.items()}
    commit_json(
        cell.out / RESULTS,
        {
            "selection": cell.selection,
            "family": cell.family,
            "seed": cell.seed,
            "fraction": cell.fraction,
            "budget": cell.budget,
            "right": cell.right,
            "pairs": card["data"]["shown"],
            "samples": card["data"]["pairs seen"],
            "cpu_seconds": round(trained - began, 3),
            "tasks": tasks,
            "rules": asdict(cell.rules),
        },
    )
    return cell.selection


def _values(metrics: dict[str, Any]) -> dict[str, float | None]:
    return {name: metric["value"] for name, metric in metrics.items()}


def read_cell(cell: Cell) -> dict[str, Any]:
    """What `run_cell` left."""
    return dict(read_json(cell.out / RESULTS))


def _data(exam: Exam) -> Any:
    found = read_set(Path(exam.data), exam.split)
    if exam.only is None:
        return found
    wanted = set(pq.read_table(exam.only, columns=["key"], partitioning=None)["key"].to_pylist())
    return found.take([i for i, key in enumerate(found.keys) if key in wanted])
