"""The part of a recipe that asks whether filtering paid, and how it is answered: one pool, several selections of it.

Everything that dedup kept is written as shards once; a selection is a list of keys. The same training at equal samples
seen is run on each, with several seeds, and measured on the same held-out records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate.engine import Crash, Engine
from curate.errors import RecipeError, RunError
from curate.export.rules import SelectRules
from curate.record import live
from curate.step import Progress, read_parts
from curate.storage import commit_bytes, commit_json, digest, exclusive, private_folder, table_bytes
from filters.compare.outcome import ALL, HELD_OUT, VALIDATION
from filters.compare.page import render, report
from filters.compare.runs import RESULTS, EvaluationTask, ExperimentRun, read_experiment, run_experiment
from filters.registry import fill_rules
from filters.rules import TrainingRules, check_training_rules
from filters.training.job import TrainingJob
from filters.training.shards import open_shards
from pipelines.build import Pipeline, pool_pipeline
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.training import CHOSEN, ORACLE, RANDOM
from pipelines.report.measures import truths
from pipelines.run.execute import execute_step

_STEP = "compare"


def compare_run(pipeline: Pipeline, engine: Engine, progress: Progress) -> dict[str, Any]:
    """Every run that is not done, on ``engine``; RUN/compare/<hash>/index.html and results.json. What they hold.

    RunError where another command is at work on the run.
    """
    with exclusive(private_folder(pipeline.run / "private") / "lock"):
        return _compare(pipeline, engine, progress)


def _compare(pipeline: Pipeline, engine: Engine, progress: Progress) -> dict[str, Any]:
    recipe = pipeline.recipe
    pool = pool_pipeline(pipeline)
    for name in ("select", "plan", "export"):  # how many shards there are is known only when they are planned
        for step in pool.named(name):
            execute_step(pool, step, engine, progress)
    table = read_parts(pool.select.folder(pool.run))
    folder = compare_folder(pipeline)
    runs = _runs(pipeline, pool, table, folder, engine, progress)
    todo = [run for run in runs if not (run.out / RESULTS).exists()]
    progress(_STEP, len(runs) - len(todo), len(runs))
    for done, (run, outcome) in enumerate(engine.map(run_experiment, todo), len(runs) - len(todo) + 1):
        if isinstance(outcome, Crash):
            raise RunError(f"the training on '{run.selection}', seed {run.seed}, ended its process: {outcome}")
        progress(_STEP, done, len(runs))
    spent = {m.step: m.seconds for m in pipeline.manifests()}
    cost = sum(s for name, s in spent.items() if name.startswith("train-") or name == "score")
    found = report(
        [read_experiment(c) for c in runs],
        [evaluation.name for evaluation in runs[0].evaluations],
        recipe.compare.headline,
        cost,
        recipe.name,
        among=_candidates(runs) if recipe.compare.choose else (),
    )
    commit_json(folder / "results.json", found)
    commit_bytes(folder / "index.html", render(found).encode())
    if recipe.compare.choose and found["choice"] is None:
        problem = f"not two filters' models have {', '.join(recipe.compare.headline)} on the validation split"
        fix = "a larger split.val, or another headline"
        raise RecipeError("compare.choose", f"{problem}; all else is in {folder}", fix)
    return {**found, "folder": folder}


def check_compare(recipe: Recipe) -> None:
    """What is known to be wrong before any work: RecipeError."""
    training_rules(recipe)
    if not recipe.select_rules().cuts:
        raise RecipeError("select", "the recipe cuts nothing, so there is nothing to compare", "select: {keep: 0.3}")
    if recipe.compare.choose and len(recipe.filters) + len(recipe.compare.selections) < 2:
        raise RecipeError("compare.choose", "there is one filter", "another in filters, or another cut in selections")
    if not recipe.evaluation and not recipe.split.test:
        raise RecipeError("split.test", "no record is held out to measure on", "split: {test: 0.1}, or evaluation sets")


def training_rules(recipe: Recipe) -> TrainingRules:
    """How every run is trained, but for its seed and its length. RecipeError where a field is wrong."""
    fields = {**(recipe.train.model_extra or {}), "threads": 1, **recipe.compare.train}
    try:
        rules: TrainingRules = fill_rules("compare.train", TrainingRules, fields)
    except ValueError as error:
        raise RecipeError("compare.train", str(error), "a field of train") from None
    check_training_rules(rules)
    return rules


def compare_folder(pipeline: Pipeline) -> Path:
    """Where this comparison's runs go."""
    recipe = pipeline.recipe
    settings = recipe.compare.model_dump_json() + recipe.train.model_dump_json() + repr(recipe.compare.rules())
    return pipeline.run / "compare" / digest(settings, pipeline.select.hash, pool_pipeline(pipeline).export.hash)[:12]


def _candidates(runs: list[ExperimentRun]) -> list[str]:
    """The selections that a filter made, without further sizes of one."""
    selections = dict.fromkeys(r.selection for r in runs if r.selection == r.family)
    return [name for name in selections if name not in (ALL, RANDOM, ORACLE)]


@dataclass(frozen=True)
class _Chosen:
    """A selection: key -> weight of the records it keeps of the train split."""

    name: str
    family: str
    weights: Mapping[str, float]
    budget: float = 1.0


def _runs(
    pipeline: Pipeline, pool: Pipeline, table: pa.Table, folder: Path, engine: Engine, progress: Progress
) -> list[ExperimentRun]:
    """Every training of the comparison, its keys written down. All see as many pairs in batches of one size."""
    recipe, compare = pipeline.recipe, pipeline.recipe.compare
    truth = {key: bool(row["pair_is_right"]) for key, row in truths(pipeline).items()}
    keys = [k for k, s in zip(table["key"].to_pylist(), table["split"].to_pylist(), strict=True) if s == "train"]
    fixed = _selections(pipeline, keys, engine, progress)
    for chosen in fixed:
        if not any(weight > 0 for weight in chosen.weights.values()):
            raise RecipeError("compare.selections", f"'{chosen.name}' keeps nothing", "a cut that keeps some")
    size = round((compare.keep or len(fixed[-1].weights) / len(keys)) * len(keys))
    evaluations = _evaluations(pool, truth, table, folder)
    found = [(seed, c) for seed in range(1, compare.seeds + 1) for c in [*fixed, *_drawn(keys, truth, size, seed)]]
    rules = replace(training_rules(recipe), samples=compare.samples or 20 * size)
    rules = replace(rules, batch=min(rules.batch, max(2, _min_texts(pool, [c for _, c in found]) // 2)))
    runs = []
    for seed, chosen in found:
        place = folder / _slug(chosen.name) / f"{seed}-{chosen.budget:g}"
        weights = pa.array(chosen.weights.values(), pa.float32())
        commit_bytes(place / "keys.parquet", table_bytes(pa.table({"key": list(chosen.weights), "weight": weights})))
        job = TrainingJob(
            str(pool.shards),
            str(place),
            replace(rules, seed=seed, samples=math.ceil(chosen.budget * (rules.samples or 0))),
            str(place / "keys.parquet"),
            device="auto" if recipe.engine.gpus else "cpu",
        )
        known = [truth[k] for k in chosen.weights if k in truth]
        right = float(np.mean(known)) if known else None
        fraction = len(chosen.weights) / len(keys)
        runs.append(
            ExperimentRun(
                chosen.name, chosen.family, seed, fraction, chosen.budget, right, job, evaluations, compare.rules()
            )
        )
    return runs


def _selections(pipeline: Pipeline, keys: list[str], engine: Engine, progress: Progress) -> list[_Chosen]:
    """Those that are the same for every seed; the recipe's own cut is the last but for sizes and budgets.

    RecipeError where that cuts nothing, or everything.
    """
    recipe, compare = pipeline.recipe, pipeline.recipe.compare

    def kept(select: SelectRules) -> dict[str, float]:
        return _weights(_cut(pipeline, select), engine, progress)

    own = kept(recipe.select if compare.keep is None else _resized(recipe.select, compare.keep))
    if not own or len(own) == len(keys):
        raise RecipeError("select", f"the cut keeps {len(own)} of {len(keys)} records", "a cut between the two")
    keep = len(own) / len(keys)
    others = {
        f"top by {n}": SelectRules(by=n) for n in recipe.filters if n != recipe.select_rules().by
    } | compare.selections
    found = [_Chosen(ALL, ALL, dict.fromkeys(keys, 1.0))]
    for name, select in others.items():
        cuts = select.resolved(list(recipe.filters)).cuts
        found.append(_Chosen(name, name, kept(select if cuts else _resized(select, keep))))
    sizes = [(f"{CHOSEN}, {100 * share:g}% kept", kept(_resized(recipe.select, share))) for share in compare.fractions]
    found += [_Chosen(name, CHOSEN, weights) for name, weights in sizes]
    found += [
        _Chosen(c.name, c.family, c.weights, b)
        for b in compare.budgets
        for c in (found[0], _Chosen(CHOSEN, CHOSEN, own))
    ]
    return [*found, _Chosen(CHOSEN, CHOSEN, own)]


def _drawn(keys: list[str], truth: dict[str, bool], size: int, seed: int) -> list[_Chosen]:
    """Those that each seed draws anew: any records, and right ones where they are known."""
    right = [k for k in keys if truth.get(k)]
    found = []
    for number, (name, among) in enumerate(((RANDOM, keys), (ORACLE, right))):
        order = np.random.default_rng([seed, number]).permutation(len(among))[:size]
        found += [_Chosen(name, name, {among[i]: 1.0 for i in order})] if among else []
    return found


def _min_texts(pool: Pipeline, chosen: list[_Chosen]) -> int:
    """Different texts of the smallest selection: no batch can hold more."""
    shards = open_shards(pool.shards)
    texts = dict(zip(shards.keys.tolist(), shards.texts.tolist(), strict=True))
    return min(len({texts[k] for k, w in c.weights.items() if w > 0 and k in texts}) for c in chosen)


def _evaluations(pool: Pipeline, truth: dict[str, bool], table: pa.Table, folder: Path) -> tuple[EvaluationTask, ...]:
    """The held-out split of the run (of it the right pairs, where truth is known), the recipe's evaluation sets, and
    the validation split where filters are chosen on it."""
    given = [
        EvaluationTask(name, str(e.path), e.split)
        for name, e in zip(_named(pool.recipe), pool.recipe.evaluation, strict=True)
    ]
    keys, splits = table["key"].to_pylist(), table["split"].to_pylist()

    def held_out(name: str, split: str) -> list[EvaluationTask]:
        chosen = [k for k, of in zip(keys, splits, strict=True) if of == split and truth.get(k, not truth)]
        only = folder / f"{name.replace(' ', '-')}.parquet"
        if chosen:
            commit_bytes(only, table_bytes(pa.table({"key": chosen})))
        return [EvaluationTask(name, str(pool.shards), split, str(only))] if chosen else []

    given = held_out(HELD_OUT, "test") + given
    if not given:
        raise RecipeError("split.test", "no record is held out to measure on", "split: {test: 0.1}, or evaluation sets")
    validation = held_out(VALIDATION, "val") if pool.recipe.compare.choose else []
    if pool.recipe.compare.choose and not validation:
        raise RecipeError("split.val", "no record is held out to choose a filter on", "split: {val: 0.1}")
    return (*given, *validation)


def _named(recipe: Recipe) -> list[str]:
    """Names of the evaluation sets: the last part of the path, with as much before it as tells them apart, from the
    run's splits too."""
    paths = [e.path for e in recipe.evaluation]
    for parts in range(1, 1 + max((len(p.parts) for p in paths), default=0)):
        names = ["/".join(p.parts[-parts:]) for p in paths]
        if len(set(names)) == len(names) and not {HELD_OUT, VALIDATION} & {*names}:
            return names
    return [f"{p.name} {i}, {e.split}" for i, (p, e) in enumerate(zip(paths, recipe.evaluation, strict=True), 1)]


def _cut(pipeline: Pipeline, select: SelectRules) -> Pipeline:
    recipe = pipeline.recipe.model_copy(update={"select": select, "capfilt": None})
    return Pipeline(recipe, pipeline.listing, pipeline.shards)


def _resized(select: SelectRules, keep: float) -> SelectRules:
    """The same cut, keeping another share."""
    return replace(select, keep=keep, threshold=None, top_k=None, precision=None)


def _weights(pipeline: Pipeline, engine: Engine, progress: Progress) -> dict[str, float]:
    """key -> weight of the train split's records that a selection keeps."""
    execute_step(pipeline, pipeline.select, engine, progress)
    table = read_parts(pipeline.select.folder(pipeline.run))
    rows = table.filter(pa.array(live(table))).select(["key", "split", "weight"]).to_pylist()
    return {r["key"]: float(r["weight"]) for r in rows if r["split"] == "train"}


def _slug(name: str) -> str:
    """A folder's name: readable, and another for another name."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name)[:40]
    return f"{plain}-{digest(name)[:6]}"
