"""A cell is trained and measured once, whatever stops it on the way, and wherever it runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.engine import Engine
from filters.compare.outcome import measures
from filters.compare.runs import RESULTS, EvaluationTask, ExperimentRun, read_experiment, run_experiment
from filters.evaluate.rules import EvaluateRules
from filters.rules import ModelRules, TrainingRules
from filters.training.job import TrainingJob
from filters.training.shards import open_shards
from tests.filters.training.shards import write_films
from tests.killed import run_until_killed

_DIES = """
from pathlib import Path
from filters.training.job import read_job, run_job
run_job(read_job(Path(sys.argv[1])), lambda step, *_: die() if step == 6 else None)
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    write_films(folder / "train", 96)
    write_films(folder / "test", 40, seed=4)
    return folder


@pytest.fixture
def cell(shards: Path, tmp_path: Path, small_arch: str) -> ExperimentRun:
    only = tmp_path / "keys.parquet"
    keys = open_shards(shards / "train").keys[:48].tolist()
    pq.write_table(pa.table({"key": keys, "weight": [1.0] * 48}), only)
    rules = TrainingRules(model=ModelRules(small_arch), batch=16, samples=64, threads=1, vocab=300, seed=2)
    job = TrainingJob(str(shards), str(tmp_path / "cell"), rules, str(only), device="cpu", window=1, every=1)
    asked = EvaluateRules(tasks=("retrieval", "language"), draws=50)
    return ExperimentRun("ours", "ours", 2, 0.5, 1.0, 0.9, job, (EvaluationTask("held out", str(shards)),), asked)


def at(cell: ExperimentRun, out: Path) -> ExperimentRun:
    return replace(cell, job=replace(cell.job, out=str(out)))


def written(out: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in sorted(out.rglob("*")) if p.is_file()}


def test_a_cell_says_what_it_was_and_what_it_found(cell: ExperimentRun) -> None:
    assert run_experiment(cell) == "ours"
    found = read_experiment(cell)
    assert {k: found[k] for k in ("selection", "seed", "fraction", "budget", "right")} == {
        "selection": "ours", "seed": 2, "fraction": 0.5, "budget": 1.0, "right": 0.9,
    }  # fmt: skip
    assert found["pairs"] == 48 and found["samples"] == 64 and found["cpu_seconds"] > 0
    ranks = found["tasks"]["held out"]["retrieval/image_to_text"]
    assert 0 <= ranks["r1"] <= ranks["r5"] <= ranks["r10"] <= 1 <= ranks["median_rank"]
    drawn = found["draws"]["held out"]["retrieval/image_to_text"]["r10"]
    assert len(drawn) == 50 and abs(sum(drawn) / 50 - ranks["r10"]) < 0.1
    assert {t for _, t, _ in measures([found])} >= {"retrieval/text_to_image", "language/side"}


def test_what_is_done_is_left_alone(cell: ExperimentRun) -> None:
    run_experiment(cell)
    before = written(cell.out)
    assert run_experiment(cell) == "ours" and written(cell.out) == before


def test_a_trained_cell_is_only_measured(cell: ExperimentRun) -> None:
    run_experiment(cell)
    before, found = written(cell.out), read_experiment(cell)
    (cell.out / RESULTS).unlink()
    run_experiment(cell)
    changed = {p for p, t in written(cell.out).items() if before.get(p) != t}
    assert changed == {str(cell.out / RESULTS)} and read_experiment(cell)["tasks"] == found["tasks"]


def test_an_exam_of_some_keys(cell: ExperimentRun, shards: Path, tmp_path: Path) -> None:
    held = open_shards(shards / "test").keys
    pq.write_table(pa.table({"key": held[:9].tolist()}), tmp_path / "some.parquet")
    exams = (
        EvaluationTask("some", str(shards), only=str(tmp_path / "some.parquet")),
        EvaluationTask("all", str(shards)),
    )
    run_experiment(replace(cell, evaluations=exams))
    tasks = read_experiment(cell)["tasks"]
    assert set(tasks) == {"some", "all"}
    assert tasks["some"]["retrieval/image_to_text"]["median_rank"] <= 9
    assert tasks["some"]["retrieval/image_to_text"]["r10"] == 1.0 > tasks["all"]["retrieval/image_to_text"]["r10"]


def test_a_killed_cell_goes_on_to_the_same_model(cell: ExperimentRun, tmp_path: Path) -> None:
    longer = replace(cell.job.rules, samples=640)
    whole, broken = (
        replace(at(cell, tmp_path / n), job=replace(cell.job, out=str(tmp_path / n), rules=longer))
        for n in ("whole", "broken")
    )
    run_until_killed(_DIES, broken.job.write())
    assert (broken.out / "checkpoint.pt").exists() and not (broken.out / RESULTS).exists()
    for each in (whole, broken):
        run_experiment(each)
    assert read_experiment(whole)["tasks"] == read_experiment(broken)["tasks"]
    weights = [(c.out / "model" / "model.safetensors").read_bytes() for c in (whole, broken)]
    assert weights[0] == weights[1]


@pytest.mark.slow
@pytest.mark.ray
def test_cells_on_ray_are_the_cells_of_this_process(cell: ExperimentRun, tmp_path: Path, ray_engine: Engine) -> None:
    made = [replace(at(cell, tmp_path / n), selection=n) for n in ("one", "two")]
    told = {c.selection: outcome for c, outcome in ray_engine.map(run_experiment, made)}
    assert told == {"one": "one", "two": "two"}
    here = at(cell, tmp_path / "here")
    run_experiment(here)
    assert all(read_experiment(c)["tasks"] == read_experiment(here)["tasks"] for c in made)
