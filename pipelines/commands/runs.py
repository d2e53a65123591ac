"""Commands on a run: do it, plan it, watch it, explain a record, draw its report; and an archive to try it on."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

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
    progress_bars,
    reasons_again,
    say,
    say_pairing,
    say_warnings,
)

if TYPE_CHECKING:
    from curate.sources.pairing.outcome import Pairing
    from pipelines.build import Pipeline
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


def explain(
    folder: RunFolder,
    key: Annotated[str, typer.Argument(help="a record's key, as in shards and tables")],
    text: Annotated[bool, typer.Option("--text", help="why each word went from its report (needs the secret)")] = False,
    words: Annotated[
        bool, typer.Option("--words", help="with --text: show the words themselves, which identify")
    ] = False,
    json_: Json = False,
) -> None:
    """One record's story: what every step knew of it, and why it stayed or went. The first digits of a key will do."""
    from pipelines.report.story import full_key, reason_help, story

    pipeline = pipeline_of(folder)
    if text or words:
        _explain_text(pipeline, key, words)
        return
    key = full_key(pipeline, key)
    told = story(pipeline, key)
    if json_ and told:
        print_json({"key": key, "steps": [{"step": name, **row} for name, row in told]})
        return
    if not told:
        raise RecipeError(
            "KEY", f"no step of this run knows {key[:40]!r}", "keys are 32 hex digits, as in shards/*/*.parquet"
        )
    for name, row in told:
        fate = f"{reason_help(row['drop_reason'])}: {row['drop_reason']}" if row.get("drop_reason") else "kept"
        out.print(f"[bold]{name}[/bold]  {fate}")
        for field, value in row.items():
            if field not in ("key", "drop_step", "drop_reason"):
                out.print(f"    {field}: {value}", markup=False, soft_wrap=True)


def _explain_text(pipeline: Pipeline, key: str, words: bool) -> None:
    from curate.ingest.explain import explain_text, find_text, shape

    index, rules = pipeline.sealed_index, pipeline.recipe.report_rules()
    record = find_text(index, pipeline.partitions, key, pipeline.secret)
    if record is None:
        raise RecipeError(
            "KEY", f"no report of this run has {key[:40]!r}", "keys are 32 hex digits, as in shards/*/*.parquet"
        )
    found = list(explain_text(record, rules.sections, rules.text, index, pipeline.secret))
    for section, gone in found:
        said = gone.words if words else shape(gone.words)
        out.print(f"{section}: {gone.placeholder} for {said!r}: {gone.by}", markup=False, soft_wrap=True)
    out.print(f"{len(found)} places of the report's text went" + ("" if words else "; --words shows what stood there"))


def init(
    paths: Annotated[list[Path], typer.Argument(help="folders of pictures, tables or folders of reports")],
    to: Annotated[Path, typer.Option("--to", help="where to write the recipe")] = Path("recipe.yaml"),
    out_: Annotated[Path, typer.Option("--out", help="the run's folder, for the recipe")] = Path("runs/first"),
    secret: Annotated[Path, typer.Option("--secret", help="the secret's file; made where there is none")] = Path(
        "secret.key"
    ),
) -> None:
    """Look at folders and tables and write a recipe for them: columns guessed and shown, pairing tried on a sample."""
    from curate.deid.pseudonym import write_secret
    from curate.storage import commit_bytes
    from pipelines.survey.guess import guess

    if to.exists():
        raise RecipeError("--to", f"{to} exists already; nothing is overwritten", "name another file")
    made = guess(paths, out_, secret)
    commit_bytes(to.absolute(), made.text().encode())
    load(to, None, None, None)
    if not secret.exists():
        write_secret(secret)
        out.print(f"secret: {secret} (keep it: the same secret gives the same pseudonyms)", soft_wrap=True)
    out.print(made.text(), markup=False, soft_wrap=True)
    out.print(f"recipe: {to}; next: curate plan {to}, curate run {to}", soft_wrap=True)


def schema() -> None:
    """The recipe's JSON Schema, for an editor that completes and checks: curate schema > recipe.schema.json."""
    from pipelines.recipe.reference import schema as made

    print_json(made())


def doctor(
    folder: Annotated[Path, typer.Argument(help="where runs will lie")] = Path(),
    secret: Annotated[Path | None, typer.Option("--secret", help="the secret's file; else RADSIFT_SECRET")] = None,
    json_: Json = False,
) -> None:
    """What this machine, its libraries, a folder and a secret can do, and what to mend. Exit code 1: no run works."""
    from rich.table import Table

    from pipelines.survey.doctor import examine

    found = list(examine(folder, secret))
    if json_:
        print_json({"checks": [asdict(check) for check in found]})
    else:
        table = Table("", "", "", box=None, pad_edge=False, show_header=False)
        colour = {"ok": "green", "note": "yellow", "bad": "bold red"}
        for check in found:
            fix = f"\nfix: {check.fix}" if check.fix else ""
            table.add_row(f"[{colour[check.state]}]{check.state}[/]", check.name, escape(check.says + fix))
        out.print(table)
    if any(check.state == "bad" for check in found):
        raise typer.Exit(1)


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


def synth(
    folder: Annotated[Path, typer.Argument(help="where to write the archive; must be new or empty")],
    studies: Annotated[int, typer.Option(min=1, help="how many studies")] = 300,
    seed: Annotated[int, typer.Option(help="same seed, same bytes")] = 0,
    mismatch: Annotated[
        float | None, typer.Option(min=0, max=1, help="fraction of studies with another's report")
    ] = None,
    reviewed: Annotated[
        float | None, typer.Option(min=0, max=1, help="fraction of right pairs marked reviewed")
    ] = None,
) -> None:
    """A synthetic hospital archive with ground truth: planted PHI, duplicates, mismatches, broken files."""
    from curate.synth.archive import SynthConfig, write_archive

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RecipeError(str(folder), "is not an empty folder", "name a new one; nothing is overwritten")
    usual = SynthConfig()
    config = replace(
        usual,
        studies=studies,
        seed=seed,
        mismatch=usual.mismatch if mismatch is None else mismatch,
        reviewed=usual.reviewed if reviewed is None else reviewed,
    )
    with progress_bars() as bars:
        task = bars.add_task("synth", total=studies)
        counts = write_archive(folder, config, lambda done: bars.update(task, completed=done))
    for what, n in counts.items():
        out.print(f"  {what:24} {n}")
