"""One run of a comparison: train and evaluate one selection with one seed. A finished run is not repeated."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from curate.storage import commit_json, read_json
from filters.evaluate.data import read_set
from filters.evaluate.encode import encode
from filters.evaluate.estimate import number, values_under
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.run import measure
from filters.evaluate.sets import EvalSet
from filters.metrics import resampled
from filters.towers.model import Filter, load_filter
from filters.training.distributed import determinism
from filters.training.job import TrainingJob, run_job

RESULTS = "results.json"


@dataclass(frozen=True)
class EvaluationTask:
    """A data set to evaluate on: the ``split`` of ``data``, restricted to the keys in the Parquet file ``only``."""

    name: str
    data: str
    split: str = "test"
    only: str | None = None


@dataclass(frozen=True)
class ExperimentRun:
    """``fraction``: share of the pool that is selected. ``budget``: share of the comparison's samples that are seen.
    ``right``: share of correct pairs, where known. Selections of one ``family`` differ in how much they keep."""

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
        """The run's folder."""
        return Path(self.job.out)


def run_experiment(run: ExperimentRun) -> str:
    """Train and evaluate, unless the results exist. Returns the selection's name, as the engine requires."""
    if (run.out / RESULTS).exists():
        return run.selection
    start = time.process_time()
    card = run_job(run.job)
    trained = time.process_time()
    model = load_filter(run.out / "model", run.job.device)
    measured = {e.name: _measure(model, _read_evaluation(e), run.rules) for e in run.evaluations}
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
            "cpu_seconds": round(trained - start, 3),
            "tasks": {name: values for name, (values, _) in measured.items()},
            "draws": {name: draws for name, (_, draws) in measured.items()},
            "rules": asdict(run.rules),
        },
    )
    return run.selection


def _measure(model: Filter, data: EvalSet, rules: EvaluateRules) -> tuple[dict[str, Any], dict[str, Any]]:
    """task -> metric -> value, and -> its values under bootstrap samples of the patients, the same for every model."""
    with determinism(rules.seed, rules.threads):
        encoded = encode(model, data.sorted(), rules.batch)
        tasks = measure(model, encoded, rules)
    groups = encoded.data.groups
    values, draws = {}, {}
    for task, metrics in tasks.items():
        plain = values_under(metrics, [np.ones((1, len(groups)))])
        drawn = values_under(metrics, resampled(groups, rules.draws, rules.seed))
        values[task] = {name: number(v[0]) for name, v in plain.items()}
        draws[task] = {name: [number(x) for x in v] for name, v in drawn.items()}
    return values, draws


def read_experiment(run: ExperimentRun) -> dict[str, Any]:
    """The results that `run_experiment` wrote."""
    return dict(read_json(run.out / RESULTS))


def _read_evaluation(evaluation: EvaluationTask) -> EvalSet:
    evaluation_set = read_set(Path(evaluation.data), evaluation.split)
    if evaluation.only is None:
        return evaluation_set
    keys = set(pq.read_table(evaluation.only, columns=["key"], partitioning=None)["key"].to_pylist())
    return evaluation_set.take([i for i, key in enumerate(evaluation_set.keys) if key in keys])
