"""Commands on a run: do it, plan it, watch it, explain a record, draw its report; and an archive to try it on."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.errors import RecipeError
from pipelines.commands.screen import (
    Json,
    RecipeFile,
    RunFolder,
    Set,
    SetEngine,
    Workers,
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
    from pipelines.report.drawn import funnel, summary_of
    from pipelines.run.check import check

    loaded = load(recipe, set_, engine, workers)
    check(loaded)
    say_warnings(loaded)
    pipeline, manifests = execute(loaded, again=reasons_again(again or []))
    if pipeline.listing.away:
        say([f"{pipeline.listing.away}; what was ingested before was cut, and nothing new was looked for"], [])
    summary = summary_of(pipeline, manifests)
    if json_:
        print_json(
            {
                "run": str(pipeline.run),
                "report": str(pipeline.run / "report" / "index.html"),
                "funnel": [asdict(count) for count in funnel(manifests)],
                "measures": {n: {"value": value, "low": low, "high": high} for n, value, low, high in summary.measures},
                "shards": [dict(s) for s in summary.shards],
                "faults": list(summary.faults),
            }
        )
    else:
        print_funnel(funnel(manifests))
    say_pairing(pipeline.pairing.warnings)
    say([*text_warnings(summary.attestation), *pixel_warnings(summary.attestation)], [])
    width = max((len(name) for name, *_ in summary.measures), default=0)
    for name, value, low, high in () if json_ else summary.measures:
        interval = f" [{low:.3f}, {high:.3f}]" if low is not None else ""
        out.print(f"{name:{width}} {value:.3f}{interval}")
    say(list(summary.faults), [])
    records = sum(s["records"] for s in summary.shards)
    if not records:
        say(["no record is left, and the shards are empty: the funnel says what dropped them"], [])
    if json_:
        return
    uncut = sum(s["records"] for s in summary.shards if s["split"] != "train")
    if uncut and (rules := loaded.select_rules()).cuts and not rules.filter_eval:
        kept = f"{uncut:,} records of val and test stay whatever their score"
        out.print(f"the cut is over the train split alone: {kept}", soft_wrap=True)
    out.print(f"{records} records in {len(summary.shards)} shards: {near(pipeline.shards)}", soft_wrap=True)
    out.print(f"report: {near(pipeline.run / 'report' / 'index.html')}", soft_wrap=True)


def status(folder: RunFolder, json_: Json = False) -> None:
    """How far a run is, from another shell: the share of each step and the time left; once finished, the funnel."""
    from curate.report.funnel import StepCount
    from curate.report.words import duration
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
    further = "; the same command goes on from here" if found.state == "stopped" else ""
    out.print(f"curate {found.command}, begun {duration(time.time() - found.since)} ago: {found.state}{further}")
    width = max([14, *(len(step.step) for step in found.steps)])
    for step in found.steps:
        left = "" if not step.left or found.state != "running" else f"  about {duration(step.left)} left"
        out.print(f"  {step.step:{width}} {int(step.done):>6,}/{step.total:<6,} {step.percent:5.1f} %{left}")
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
    pipeline = pipeline_of(folder)
    manifests = pipeline.manifests()
    if not manifests or manifests[-1].step != "export":
        raise RecipeError(str(folder), "the run is not finished", "run it first: curate run RECIPE")
    from pipelines.report.drawn import funnel
    from pipelines.report.summary import write_report  # pictures and plots: only where there is something to draw

    write_report(pipeline, manifests)
    print_funnel(funnel(manifests))
    out.print(f"report: {near(pipeline.run / 'report' / 'index.html')}", soft_wrap=True)
