"""Commands on a run: do it, plan it, watch it, explain a record, draw its report; and an archive to try it on."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.errors import RecipeError
from pipelines.commands.screen import (
    Json,
    RecipeFile,
    RunFolder,
    Set,
    SetEngine,
    Workers,
    duration,
    execute,
    load,
    near,
    out,
    pipeline_of,
    print_funnel,
    print_json,
    reasons_again,
    say,
    say_pairing,
    say_warnings,
)

if TYPE_CHECKING:
    from curate.sources.pairing.outcome import Pairing
    from pipelines.recipe.recipe import Recipe


def run(
    recipe: RecipeFile,
    set_: Set = None,
    engine: SetEngine = None,
    workers: Workers = None,
    again: Annotated[
        list[str] | None, typer.Option("--again", help="try again what was dropped for this reason: unreadable_file")
    ] = None,
    json_: Json = False,
) -> None:
    """Plan, then run every step that is not done; prints the funnel, writes report/index.html."""
    from curate.deid.attest import pixel_warnings, text_warnings
    from pipelines.report.told import funnel, told_of
    from pipelines.run.check import check
    from pipelines.run.pairing import pairing_warnings

    made = load(recipe, set_, engine, workers)
    check(made)
    say_warnings(made)
    pipeline, manifests = execute(made, again=reasons_again(again or []))
    if pipeline.listing.away:
        say([f"{pipeline.listing.away}; what was ingested before was cut, and nothing new was looked for"], [])
    told = told_of(pipeline, manifests)
    if json_:
        print_json(
            {
                "run": str(pipeline.run),
                "report": str(pipeline.run / "report" / "index.html"),
                "funnel": [asdict(count) for count in funnel(manifests)],
                "measures": {n: {"value": value, "low": low, "high": high} for n, value, low, high in told.measures},
                "shards": [dict(s) for s in told.shards],
                "faults": list(told.faults),
            }
        )
    else:
        print_funnel(funnel(manifests))
    say_pairing(pairing_warnings(pipeline.pairing))
    say([*text_warnings(told.attestation), *pixel_warnings(told.attestation)], [])
    for name, value, low, high in () if json_ else told.measures:
        interval = f" [{low:.3f}, {high:.3f}]" if low is not None else ""
        out.print(f"{name:32} {value:.3f}{interval}")
    say(list(told.faults), [])
    records = sum(s["records"] for s in told.shards)
    if not records:
        say(["no record is left, and the shards are empty: the funnel says what dropped them"], [])
    if json_:
        return
    out.print(f"{records} records in {len(told.shards)} shards: {near(pipeline.shards)}", soft_wrap=True)
    out.print(f"report: {near(pipeline.run / 'report' / 'index.html')}", soft_wrap=True)


def plan(
    recipe: RecipeFile, set_: Set = None, engine: SetEngine = None, workers: Workers = None, json_: Json = False
) -> None:
    """What would run, how many records, how they will pair, what is done already; touches nothing."""
    from curate.step import load_manifest
    from pipelines.build import Pipeline
    from pipelines.run.check import check
    from pipelines.run.listing import list_archive
    from pipelines.run.pairing import pairing_warnings

    made = load(recipe, set_, engine, workers)
    check(made, touch=False)
    listing = list_archive(made, made.secret_source().pseudonymizer(), write=False)
    pipeline = Pipeline(made, listing)
    steps = [
        (step, load_manifest(step.folder(made.out)), _parts_done(step.folder(made.out))) for step in pipeline.steps()
    ]
    pairing = looked = None
    if made.images and made.reports:
        indexed = load_manifest(pipeline.index.folder(pipeline.run))  # then nothing has to be guessed
        pairing, looked = (pipeline.pairing, "all, as indexed") if indexed else _preview(made)
    if json_:
        print_json(
            {
                "name": made.name,
                "engine": made.engine.kind,
                "out": str(made.out),
                "sources": [{"name": s.name, "files": s.files, "bytes": s.bytes} for s in listing.sources],
                "steps": [
                    {"step": s.name, "hash": s.hash, "done": done is not None, "parts_done": parts}
                    | ({"rows_in": done.rows_in, "kept": done.kept} if done else {})
                    for s, done, parts in steps
                ],
                "pairing": None if pairing is None else {"says": pairing.headline, "looked_at": looked},
            }
        )
    else:
        out.print(f"{made.name}: engine {made.engine.kind}, out {near(made.out)}")
        for source in listing.sources:
            out.print(f"  {source.name:13} {source.files:,} files, {source.bytes / 1e6:,.1f} MB")
        for step, done, parts in steps:
            some = f"{parts} parts done" if parts else "to do"
            state = f"done: {done.rows_in} in, {done.kept} kept" if done else some
            out.print(f"  {step.name:13} {step.hash}  {state}")
        if pairing is not None:
            out.print(f"  {'pairing':13} {pairing.headline} (looked at {looked})", soft_wrap=True)
    if pairing is not None:
        say_pairing(pairing_warnings(pairing))
    if made.reports and not load_manifest(pipeline.ingest.folder(pipeline.run)):
        from pipelines.survey.preview import text_preview

        say(text_preview(made), [])


def _parts_done(folder: Path) -> int:
    return len(list(folder.glob("part-*.json")))


def _preview(recipe: Recipe) -> tuple[Pairing, str]:
    from pipelines.survey.preview import preview  # what reads headers and reports: only before the index is made

    return preview(recipe)


def status(folder: RunFolder, json_: Json = False) -> None:
    """How far a run is, from another shell: the share of each step and the time left; once finished, the funnel."""
    from curate.report.funnel import StepCount
    from pipelines.run.progress import RunProgress, read_progress

    found, counts = read_progress(folder), _finished_funnel(folder)
    if found is None and not counts:
        raise RecipeError(str(folder), "holds no run that has begun", "give the recipe's 'out' folder")
    if found is None:  # made by a program: nobody followed it
        found = RunProgress("run", "done", (folder / "run.json").stat().st_mtime, ())
    if json_:
        steps = [{**asdict(s), "percent": round(s.percent, 1)} for s in found.steps]
        print_json({**asdict(found), "steps": steps, "funnel": counts})
        return
    out.print(f"curate {found.command}, begun {duration(time.time() - found.since)} ago: {found.state}")
    for step in found.steps:
        left = "" if not step.left or found.state != "running" else f"  about {duration(step.left)} left"
        out.print(f"  {step.step:16} {step.done:>6,}/{step.total:<6,} {step.percent:5.1f} %{left}")
    if found.state == "done" and counts:
        print_funnel([StepCount(**{**row, "reused": False}) for row in counts])


def _finished_funnel(folder: Path) -> list[dict[str, Any]]:
    """The funnel of the run's last finished command; empty where none has ended."""
    from pipelines.api import open_run

    try:
        return [asdict(count) for count in open_run(folder).funnel]
    except RecipeError:
        return []


def report(folder: RunFolder) -> None:
    """Draw the report of a finished run again."""
    from curate.step import load_manifest
    from pipelines.report.summary import write_report
    from pipelines.report.told import funnel

    pipeline = pipeline_of(folder)
    manifests = [m for s in pipeline.steps() if (m := load_manifest(s.folder(pipeline.run)))]
    if not manifests or manifests[-1].step != "export":
        raise RecipeError(str(folder), "the run is not finished", "run it first: curate run RECIPE")
    write_report(pipeline, manifests)
    print_funnel(funnel(manifests))
    out.print(f"report: {near(pipeline.run / 'report' / 'index.html')}", soft_wrap=True)
