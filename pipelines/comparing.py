"""The part of a recipe that asks whether filtering paid, and how it is answered: one pool, several selections of it.

Everything that dedup kept is written as shards once; a selection is a list of keys. The same training at equal samples
seen is run on each, with several seeds, and measured on the same held-out records.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate.engine import Crash, Engine
from curate.errors import RecipeError, RunError
from curate.record import live
from curate.step import Progress, load_manifest, read_parts
from curate.storage import commit_bytes, commit_json, digest, table_bytes
from filters.compare.cells import RESULTS, Cell, Exam, read_cell, run_cell
from filters.compare.outcome import ALL
from filters.compare.page import render, report
from filters.method import fill_rules
from filters.training.job import TrainingJob
from filters.training.rules import TrainingRules
from pipelines.build import Pipeline, execute_step
from pipelines.measures import truths
from pipelines.recipe import Recipe
from pipelines.scoring import Select
from pipelines.training import CHOSEN, ORACLE, RANDOM

_STEP = "compare"


def compare_run(pipeline: Pipeline, engine: Engine, progress: Progress) -> dict[str, Any]:
    """Every cell that is not done, on ``engine``; RUN/compare/<hash>/index.html and results.json. What they hold."""
    recipe = pipeline.recipe
    pool = pool_pipeline(pipeline)
    execute_step(pool, pool.select, engine, progress)
    execute_step(pool, pool.export, engine, progress)  # how many shards there are is known only now
    table = read_parts(pool.select.folder(pool.run))
    folder = compare_folder(pipeline)
    cells = list(_cells(pipeline, pool, table, folder, engine, progress))
    todo = [cell for cell in cells if not (cell.out / RESULTS).exists()]
    progress(_STEP, len(cells) - len(todo), len(cells))
    for done, (cell, outcome) in enumerate(engine.map(run_cell, todo), len(cells) - len(todo) + 1):
        if isinstance(outcome, Crash):
            raise RunError(f"the training on '{cell.selection}', seed {cell.seed}, ended its process: {outcome}")
        progress(_STEP, done, len(cells))
    spent = {m.step: m.seconds for s in pipeline.steps() if (m := load_manifest(s.folder(pipeline.run)))}
    cost = sum(s for name, s in spent.items() if name.startswith("train-") or name == "score")
    found = report([read_cell(c) for c in cells], _exam_names(cells), recipe.compare.headline, cost, recipe.name)
    commit_json(folder / "results.json", found)
    commit_bytes(folder / "index.html", render(found).encode())
    return {**found, "folder": folder}


def pool_pipeline(pipeline: Pipeline) -> Pipeline:
    """The same run with nothing cut, its shards in RUN/compare/pool."""
    recipe = pipeline.recipe.model_copy(update={"select": Select(), "capfilt": None})
    return Pipeline(recipe, pipeline.listing, pipeline.run / "compare" / "pool")


def compare_folder(pipeline: Pipeline) -> Path:
    """Where this comparison's cells go."""
    recipe = pipeline.recipe
    said = recipe.compare.model_dump_json() + recipe.train.model_dump_json()
    return pipeline.run / "compare" / digest(said, pipeline.select.hash, pool_pipeline(pipeline).export.hash)[:12]


def _exam_names(cells: list[Cell]) -> list[str]:
    return [exam.name for exam in cells[0].exams]


def _cells(
    pipeline: Pipeline, pool: Pipeline, table: pa.Table, folder: Path, engine: Engine, progress: Progress
) -> Iterator[Cell]:
    """Every training of the comparison, its keys written down."""
    recipe, said = pipeline.recipe, pipeline.recipe.compare
    truth = {key: bool(row["pair_is_right"]) for key, row in truths(pipeline).items()}
    keys = [k for k, s in zip(table["key"].to_pylist(), table["split"].to_pylist(), strict=True) if s == "train"]
    chosen = _weights(pipeline, engine, progress)
    if not chosen or len(chosen) == len(keys):
        raise RecipeError("select", f"the cut keeps {len(chosen)} of {len(keys)} records", "a cut between the two")
    keep = said.keep or len(chosen) / len(keys)
    least = round(keep * len(keys))
    samples = said.samples or 20 * least
    exams = _exams(pool, truth, table, folder)
    made: list[tuple[str, str, float, dict[str, float], float]] = [(ALL, ALL, 1.0, dict.fromkeys(keys, 1.0), 1.0)]
    named = {f"top by {n}": Select(by=n) for n in recipe.filters if n != recipe.select_rules().by} | said.selections
    for name, select in named.items():
        told = select if select.rules([]).cuts else select.model_copy(update={"keep": keep})
        weights = _weights(_cut(pipeline, told), engine, progress)
        made.append((name, name, len(weights) / len(keys), weights, 1.0))
    own = chosen if said.keep is None else _weights(_cut(pipeline, _resized(recipe, said.keep)), engine, progress)
    made.append((CHOSEN, CHOSEN, len(own) / len(keys), own, 1.0))
    for share in said.fractions:
        weights = _weights(_cut(pipeline, _resized(recipe, share)), engine, progress)
        made.append((f"{CHOSEN}, {share:.0%} kept", CHOSEN, len(weights) / len(keys), weights, 1.0))
    made += [(n, n, f, w, b) for b in said.budgets for n, _, f, w, _ in made if n in (ALL, CHOSEN)]
    for seed in range(1, said.seeds + 1):
        drawn = np.random.default_rng([seed, 7]).permutation(len(keys))
        random = {keys[i]: 1.0 for i in drawn[:least]}
        right = [k for k in keys if truth.get(k)]
        oracle = {right[i]: 1.0 for i in np.random.default_rng([seed, 8]).permutation(len(right))[:least]}
        extra = [(RANDOM, RANDOM, keep, random, 1.0)] + ([(ORACLE, ORACLE, keep, oracle, 1.0)] if right else [])
        for name, family, fraction, weights, budget in [*made, *extra]:
            place = folder / _slug(name) / f"{seed}-{budget:g}"
            job = _job(recipe, pool, place, weights, seed, math.ceil(samples * budget))
            known = [truth[k] for k in weights if k in truth]
            right_share = float(np.mean(known)) if known else None
            yield Cell(name, family, seed, fraction, budget, right_share, job, exams, said.rules())


def _job(
    recipe: Recipe, pool: Pipeline, place: Path, weights: dict[str, float], seed: int, samples: int
) -> TrainingJob:
    given = {**(recipe.train.model_extra or {}), "threads": 1, **recipe.compare.train, "seed": seed, "samples": samples}
    rules: TrainingRules = fill_rules("compare.train", TrainingRules, given)
    smallest = sum(1 for w in weights.values() if w > 0)
    rules = replace(rules, batch=min(rules.batch, max(2, smallest // 2)))
    only = place / "keys.parquet"
    commit_bytes(
        only, table_bytes(pa.table({"key": list(weights), "weight": pa.array(weights.values(), pa.float32())}))
    )
    return TrainingJob(str(pool.shards), str(place), rules, str(only), device="auto" if recipe.engine.gpus else "cpu")


def _exams(pool: Pipeline, truth: dict[str, bool], table: pa.Table, folder: Path) -> tuple[Exam, ...]:
    """The recipe's evaluation sets, and the held-out split of the run: of it the right pairs, where truth is known."""
    given = [Exam(e.path.name, str(e.path), e.split) for e in pool.recipe.evaluation]
    rows = zip(table["key"].to_pylist(), table["split"].to_pylist(), strict=True)
    held = [k for k, split in rows if split == "test" and truth.get(k, not truth)]
    if held:
        only = folder / "held-out.parquet"
        commit_bytes(only, table_bytes(pa.table({"key": held})))
        given.insert(0, Exam("held out", str(pool.shards), "test", str(only)))
    if not given:
        raise RecipeError("split.test", "no record is held out to measure on", "split: {test: 0.1}, or evaluation sets")
    return tuple(given)


def _cut(pipeline: Pipeline, select: Select) -> Pipeline:
    recipe = pipeline.recipe.model_copy(update={"select": select, "capfilt": None})
    return Pipeline(recipe, pipeline.listing, pipeline.shards)


def _resized(recipe: Recipe, keep: float) -> Select:
    """The recipe's cut, keeping another share."""
    others = {"keep": keep, "threshold": None, "top_k": None, "precision": None}
    return recipe.select.model_copy(update={k: v for k, v in others.items() if k in type(recipe.select).model_fields})


def _weights(pipeline: Pipeline, engine: Engine, progress: Progress) -> dict[str, float]:
    """key -> weight of the train split's records that a selection keeps."""
    execute_step(pipeline, pipeline.select, engine, progress)
    table = read_parts(pipeline.select.folder(pipeline.run))
    rows = table.filter(pa.array(live(table))).select(["key", "split", "weight"]).to_pylist()
    return {r["key"]: float(r["weight"]) for r in rows if r["split"] == "train"}


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)
