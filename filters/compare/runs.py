"""One run of a comparison: a selection and a seed, trained and measured. Done once, found again."""

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
class EvaluationTask:
    """What a model is measured on: the ``split`` of ``data``, of it only the keys in the Parquet file ``only``."""

    name: str
    data: str
    split: str = "test"
    only: str | None = None


@dataclass(frozen=True)
class ExperimentRun:
    """``fraction`` of the pool was kept, ``budget`` of the comparison's samples are seen; ``right``: share of right
    pairs among them, where truth is known. Selections of one ``family`` differ in how much they keep."""

    selection: str
    family: str
    seed: int
    fraction: float
    budget: float
    right: float | None
    job: TrainingJob
    evaluations: tuple[EvaluationTask, ...] = ()
    rules: EvaluateRules = field(default_factory=EvaluateRules)

    @property
    def out(self) -> Path:
        """The cell's folder."""
        return Path(self.job.out)


def run_experiment(run: ExperimentRun) -> str:
    """Train and measure; what is done is left alone. The selection's name, for the engine's sake."""
    if (run.out / RESULTS).exists():
        return run.selection
    began = time.process_time()
    card = run_job(run.job)
    trained = time.process_time()
    model = load_filter(run.out / "model", run.job.device)
    found = {evaluation.name: evaluate(model, _data(evaluation), run.rules)["tasks"] for evaluation in run.evaluations}
    tasks = {
        evaluation: {t: _values(metrics) for t, metrics in by_task.items()} for evaluation, by_task in found.items()
    }
    commit_json(
        run.out / RESULTS,
        {
            "selection": run.selection,
            "family": run.family,
            "seed": run.seed,
            "fraction": run.fraction,
            "budget": run.budget,
            "right": run.right,
            "pairs": card["data"]["shown"],
            "samples": card["data"]["pairs seen"],
            "cpu_seconds": round(trained - began, 3),
            "tasks": tasks,
            "rules": asdict(run.rules),
        },
    )
    return run.selection


def _values(metrics: dict[str, Any]) -> dict[str, float | None]:
    return {name: metric["value"] for name, metric in metrics.items()}


def read_experiment(run: ExperimentRun) -> dict[str, Any]:
    """What `run_experiment` left."""
    return dict(read_json(run.out / RESULTS))


def _data(evaluation: EvaluationTask) -> Any:
    found = read_set(Path(evaluation.data), evaluation.split)
    if evaluation.only is None:
        return found
    wanted = set(pq.read_table(evaluation.only, columns=["key"], partitioning=None)["key"].to_pylist())
    return found.take([i for i, key in enumerate(found.keys) if key in wanted])
