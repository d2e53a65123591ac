"""Commands that learn: the filters, the final model, what it is worth, and whether filtering paid."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from curate.errors import RecipeError
from pipelines.commands.screen import (
    Json,
    RecipeFile,
    Set,
    SetEngine,
    Workers,
    execute,
    load,
    near,
    out,
    print_json,
    running_engine,
    say,
    say_warnings,
    step_bar,
)


def train_filter(
    recipe: RecipeFile,
    set_: Set = None,
    engine: SetEngine = None,
    workers: Workers = None,
    to: Annotated[Path | None, typer.Option("--to", help="copy the trained filter's folder here")] = None,
) -> None:
    """Train the recipe's filters on its clean set (running what must come before)."""
    from curate.storage import local_folder, read_json
    from pipelines.run.check import check

    loaded = load(recipe, set_, engine, workers)
    trained = [name for name, f in loaded.filters.items() if f.folder is None]
    if not trained:
        raise RecipeError("filters", "the recipe trains no filter", "name one without a folder, such as 'ours: {}'")
    if to is not None and to.exists():
        raise RecipeError("--to", f"{to} exists already", "name a new folder")
    check(loaded)
    say_warnings(loaded)
    pipeline, _ = execute(loaded, until="train-filter")
    for name in trained:
        folder = pipeline.filter_folders[name]
        if to is not None:
            folder = Path(shutil.copytree(local_folder(folder), to / name if len(trained) > 1 else to))
        _print_metrics(read_json(folder / "card.json").get("metrics", {}))
        out.print(f"filter: {near(folder)}", soft_wrap=True)


def train(
    recipe: RecipeFile,
    set_: Set = None,
    engine: SetEngine = None,
    workers: Workers = None,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="of torch; short for --set train.processes=...")
    ] = None,
    shards: Annotated[
        Path | None, typer.Option("--shards", help="train on these shards instead of the recipe's run")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="copy the trained model's folder here")] = None,
    json_: Json = False,
) -> None:
    """Train the final model on the run's shards (running what must come before); resumes where it stopped."""
    from pipelines.run.check import check, check_local, save_recipe

    more = [f"train.processes={processes}"] if processes else []
    more += [f"train.shards={json.dumps(str(shards.absolute()))}"] if shards else []
    loaded = load(recipe, [*(set_ or []), *more], engine, workers)
    if to is not None and to.exists():
        raise RecipeError("--to", f"{to} exists already", "name a new folder")
    pipeline = None
    check_local(loaded)
    if loaded.train.shards is None:
        check(loaded)
        say_warnings(loaded)
        pipeline, _ = execute(loaded)
    else:
        save_recipe(loaded)
    from pipelines.final.train import train_final
    from pipelines.report.summary import write_report

    source = pipeline.shards if pipeline else loaded.train.shards or loaded.out
    filters = pipeline.filter_folders if pipeline else {}
    warnings: list[str] = []
    with step_bar("train") as progress:
        folder = train_final(loaded.train, source, loaded.out, loaded.engine, filters, progress, warnings.append)
    if pipeline is not None:
        write_report(pipeline, pipeline.manifests())
    card = json.loads((folder / "model" / "card.json").read_text("utf-8"))
    say([f"{n} left out: {why}" for why, n in card["data"]["skipped"].items()], warnings)
    model = folder / "model" if to is None else Path(shutil.copytree(folder / "model", to))
    if json_:
        print_json({"model": str(model), "metrics": card["metrics"], "data": card["data"]})
        return
    _print_metrics(card["metrics"])
    out.print(f"model: {near(model)}", soft_wrap=True)


def _print_metrics(metrics: Mapping[str, Any]) -> None:
    for name, value in metrics.items():
        out.print(f"{name:32} {value:.4g}" if isinstance(value, float) else f"{name:32} {value}", markup=False)


def evaluate(
    model: Annotated[Path, typer.Argument(help="a trained model's folder, or one in open_clip's layout")],
    data: Annotated[Path, typer.Argument(help="a run, shards, a table of images and texts, or a folder a class")],
    to: Annotated[Path | None, typer.Option("--to", help="folder for results.json and its page")] = None,
    split: Annotated[str, typer.Option("--split", help="which part of the data")] = "test",
    train: Annotated[
        Path | None, typer.Option("--train", help="the shards it was trained on: how much of the data is in them")
    ] = None,
    probe: Annotated[
        Path | None, typer.Option("--probe", help="data whose train split linear probes are fitted on")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="override a rule: --set draws=200")] = None,
    json_: Json = False,
) -> None:
    """Zero-shot, retrieval, probes, sides and negations, leakage, subgroups: what a model is worth, with intervals."""
    import yaml

    from filters.evaluate.rules import EvaluateRules
    from filters.registry import fill_rules
    from pipelines.final.evaluate import evaluate_command

    folder = to if to is not None else model / "evaluation" / data.resolve().name
    try:
        given = {k: yaml.safe_load(v) for k, _, v in (item.partition("=") for item in set_ or [])}
        rules = fill_rules("evaluate", EvaluateRules, given)
    except (ValueError, yaml.YAMLError) as error:
        fault = "no YAML" if isinstance(error, yaml.YAMLError) else str(error)
        raise RecipeError("--set", fault, "one of these, as name=value") from None
    with step_bar("evaluate") as progress:
        results = evaluate_command(model, data, folder, train, rules, split, probe, progress)
    if json_:
        print_json(results)
        return
    _print_results(results)
    out.print(f"results: {near(folder.resolve() / 'index.html')}", soft_wrap=True)


def compare(
    recipe: RecipeFile, set_: Set = None, engine: SetEngine = None, workers: Workers = None, json_: Json = False
) -> None:
    """Did filtering pay: the same training on the pool, a random part, the filter's choice; a page of answers."""
    from pipelines.run.check import check, check_local

    loaded = load(recipe, set_, engine, workers)
    check_local(loaded)
    check(loaded)
    from pipelines.final.compare import check_compare, compare_run  # torch: once nothing else is wrong
    from pipelines.run.execute import run_pipeline
    from pipelines.run.progress import followed

    check_compare(loaded)
    say_warnings(loaded)
    with running_engine(loaded.engine) as (started, show), followed(loaded.out, "compare", show) as progress:
        pipeline, _ = run_pipeline(loaded, started, progress)
        found = compare_run(pipeline, started, progress)
    if json_:
        print_json(found)
        return
    _print_comparison(found)
    out.print(f"comparison: {near(found['folder'] / 'index.html')}", soft_wrap=True)


def _print_comparison(found: dict[str, Any]) -> None:
    from rich.table import Table

    head = next(t for t in found["tables"] if [t["exam"], t["task"], t["metric"]] == found["headline"])
    table = Table("trained on", "right", head["metric"], "95 %", "against all", box=None, pad_edge=False)
    right = {s["selection"]: s["right"] for s in found["selections"] if s["budget"] == 1}
    for row in head["rows"]:
        share = right.get(row["selection"])
        gain = row["gain"]
        against = "" if gain is None else f"{gain['value']:+.3f}" + ("" if gain["certain"] else " (noise)")
        interval = "" if row["low"] is None else f"[{row['low']:.3f}, {row['high']:.3f}]"
        known = "" if share is None else f"{share:.0%}"
        table.add_row(row["selection"], known, f"{row['value']:.3f}", escape(interval), against)
    out.print(table)
    if choice := found["choice"]:
        sure = "" if choice["lead"]["certain"] else " (noise)"
        over = f"{choice['lead']['value']:+.3f}{sure} on validation against {choice['second']}"
        out.print(f"the models choose {choice['selection']}: {over}")
    for enough in found["efficiency"].get(found["chosen"], []):
        if enough["share"] is not None and len(enough["tried"]) > 1:
            out.print(f"{enough['share']:.0%} of {enough['of']} were enough to do as well as all")


def _print_results(results: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("task", "metric", "value", "95 %", box=None, pad_edge=False)
    for task, metrics in results["tasks"].items():
        for name, m in metrics.items():
            if m["value"] is not None:
                interval = "" if m["low"] is None else f"[{m['low']:.3f}, {m['high']:.3f}]"
                table.add_row(task, name, f"{m['value']:.3f}", escape(interval))
    out.print(table)
    data = results["data"]
    skipped = ", ".join(f"{n} {why}" for why, n in data["skipped"].items())
    out.print(f"{data['records']} records of {data['name']}" + (f"; left out: {skipped}" if skipped else ""))
    if results["leakage"] is not None:
        out.print(f"{results['leakage']['leaked']} of them are in the training shards")
