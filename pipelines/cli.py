"""The command. `curate --help` is its reference; exit codes: 0 done, 1 the run failed, 2 recipe or arguments wrong,
130 stopped by Ctrl-C (the same command resumes)."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from curate.engine.guard import no_core_dumps, withheld
from curate.errors import RadsiftError, RecipeError

if TYPE_CHECKING:
    from curate.engine import Engine, Resources
    from curate.report.funnel import StepCount
    from curate.step import Manifest
    from pipelines.build import Pipeline
    from pipelines.recipe import Recipe

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
out, err = Console(highlight=False), Console(stderr=True)

RecipeFile = Annotated[Path, typer.Argument(help="recipe YAML")]
Set = Annotated[list[str] | None, typer.Option("--set", help="override a field: --set select.keep=0.2")]
RunFolder = Annotated[Path, typer.Argument(help="a run's folder (the recipe's 'out')")]
SetEngine = Annotated[str | None, typer.Option("--engine", help="local or ray; short for --set engine.kind=...")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="processes or Ray CPUs")]


@app.command()
def run(recipe: RecipeFile, set_: Set = None, engine: SetEngine = None, workers: Workers = None) -> None:
    """Plan, then run every step that is not done; prints the funnel, writes report/index.html."""
    from pipelines.check import check
    from pipelines.summary import funnel, write_report

    made = _load(recipe, set_, engine, workers)
    check(made)
    _say_warnings(made)
    pipeline, manifests = _execute(made)
    report = write_report(pipeline, manifests)
    _print_funnel(funnel(manifests))
    for measure in report.measures:
        interval = f" [{measure.low:.3f}, {measure.high:.3f}]" if measure.low is not None else ""
        out.print(f"{measure.name:32} {measure.value:.3f}{interval}")
    records = sum(s["records"] for s in report.shards)
    out.print(f"{records} records in {len(report.shards)} shards: {_near(pipeline.shards)}", soft_wrap=True)
    out.print(f"report: {_near(pipeline.run / 'report' / 'index.html')}", soft_wrap=True)


@app.command()
def plan(recipe: RecipeFile, set_: Set = None, engine: SetEngine = None, workers: Workers = None) -> None:
    """What would run, how many records, what is done already; touches nothing."""
    from curate.step import load_manifest
    from pipelines.build import Pipeline, list_archive
    from pipelines.check import check

    made = _load(recipe, set_, engine, workers)
    check(made, touch=False)
    listing = list_archive(made, made.secret_source().pseudonymizer(), write=False)
    pipeline = Pipeline(made, listing)
    out.print(f"{made.name}: engine {made.engine.kind}, out {_near(made.out)}")
    for source in listing.sources:
        out.print(f"  {source.name:13} {source.files:,} files, {source.bytes / 1e6:,.1f} MB")
    for step in pipeline.steps():
        done = load_manifest(step.folder(pipeline.run))
        parts = len(list(step.folder(pipeline.run).glob("part-*.json")))
        state = f"done: {done.rows_in} in, {done.kept} kept" if done else f"{parts} parts done" if parts else "to do"
        out.print(f"  {step.name:13} {step.hash}  {state}")


@app.command()
def status(folder: RunFolder) -> None:
    """Progress of a run, from another shell."""
    from curate.step import load_manifest

    steps = (
        sorted((folder / "steps").glob("*-*"), key=lambda p: p.stat().st_mtime) if (folder / "steps").is_dir() else []
    )
    if not steps:
        raise RecipeError(str(folder), "holds no run", "give the recipe's 'out' folder")
    for step in steps:
        done = load_manifest(step)
        parts = len(list(step.glob("part-*.json")))
        out.print(f"  {step.name:32} {'done' if done else 'running or stopped':20} {parts} parts")


@app.command()
def explain(
    folder: RunFolder, key: Annotated[str, typer.Argument(help="a record's key, as in shards and tables")]
) -> None:
    """One record's story: what every step knew of it, and why it stayed or went."""
    from pipelines.summary import reason_help, story

    told = story(_pipeline_of(folder), key)
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


@app.command()
def report(folder: RunFolder) -> None:
    """Draw the report of a finished run again."""
    from curate.step import load_manifest
    from pipelines.summary import funnel, write_report

    pipeline = _pipeline_of(folder)
    manifests = [m for s in pipeline.steps() if (m := load_manifest(s.folder(pipeline.run)))]
    if not manifests or manifests[-1].step != "export":
        raise RecipeError(str(folder), "the run is not finished", "run it first: curate run RECIPE")
    write_report(pipeline, manifests)
    _print_funnel(funnel(manifests))
    out.print(f"report: {_near(pipeline.run / 'report' / 'index.html')}", soft_wrap=True)


@app.command("train-filter")
def train_filter(
    recipe: RecipeFile,
    set_: Set = None,
    engine: SetEngine = None,
    workers: Workers = None,
    to: Annotated[Path | None, typer.Option("--to", help="copy the trained filter's folder here")] = None,
) -> None:
    """Train the recipe's filters on its clean set (running what must come before)."""
    from curate.storage import read_json
    from pipelines.check import check

    made = _load(recipe, set_, engine, workers)
    trained = [name for name, f in made.filters.items() if f.folder is None]
    if not trained:
        raise RecipeError("filters", "the recipe trains no filter", "name one without a folder, such as 'ours: {}'")
    if to is not None and to.exists():
        raise RecipeError("--to", f"{to} exists already", "name a new folder")
    check(made)
    _say_warnings(made)
    pipeline, _ = _execute(made, until="train-filter")
    for name in trained:
        folder = pipeline.filter_folders[name]
        if to is not None:
            folder = Path(shutil.copytree(folder, to / name if len(trained) > 1 else to))
        out.print_json(json.dumps(read_json(folder / "card.json").get("metrics", {})))
        out.print(f"filter: {_near(folder)}", soft_wrap=True)


@app.command()
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
    with _bars() as bars:
        task = bars.add_task("synth", total=studies)
        counts = write_archive(folder, config, lambda done: bars.update(task, completed=done))
    for what, n in counts.items():
        out.print(f"  {what:24} {n}")


@app.command()
def deid(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="folder of DICOM, images and reports, of any depth")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="new folder for the clean copies")],
    secret: Annotated[Path | None, typer.Option("--secret", help="the secret's file; else RADSIFT_SECRET")] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="YAML of rules; the defaults are the safe ones")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="override a rule: --set header.retain=[dates]")
    ] = None,
    log: Annotated[Path | None, typer.Option("--log", help="append one JSON line an input: keys and codes")] = None,
    crosswalk: Annotated[
        Path | None, typer.Option("--crosswalk", help="write which key is which file, encrypted; outside DST")
    ] = None,
    engine: SetEngine = None,
    workers: Workers = None,
    address: Annotated[str | None, typer.Option("--address", help="of a running Ray cluster")] = None,
) -> None:
    """De-identify a folder into another: every input ends CLEAN, QUARANTINED or REFUSED in DST/attestation.json.

    Exit code 1 where the second reader found what the rules had left: such inputs are not in DST.
    """
    from curate.deid.vault import SecretSource
    from curate.engine import Resources
    from curate.release.job import check_folders, release
    from curate.release.log import write_log
    from pipelines.check import ocr_note
    from pipelines.load import load_release

    made = load_release(rules, set_ or [])
    source_of = SecretSource(None if secret is None else str(secret.resolve()), made.deid.max_shift_days)
    source_of.pseudonymizer()
    check_folders(source, target, {"--crosswalk": crosswalk, "--log": log, "--secret": secret})
    _say(made.warnings(), ocr_note(made.deid))
    if engine not in (None, "local", "ray"):
        raise RecipeError("--engine", f"there is no engine '{engine}'", "local or ray")
    resources = Resources(kind="ray" if engine == "ray" else "local", workers=workers, address=address)
    with _engine(resources) as (started, progress):
        attestation = release(source, target, made.rules(), source_of, started, progress, crosswalk)
    if log is not None:
        write_log(log, attestation)
    _print_attestation(attestation)
    out.print(f"attestation: {_near(target.resolve() / 'attestation.json')}", soft_wrap=True)
    if not attestation["verification"]["passed"]:
        _fail(1, "attestation failed", "the second reader found what the rules had left; those inputs were kept back")


@app.command()
def crosswalk(
    file: Annotated[Path, typer.Argument(help="the file that 'curate deid --crosswalk' wrote")],
    key: Annotated[list[str] | None, typer.Argument(help="only these keys or pseudonyms of patients")] = None,
    secret: Annotated[Path | None, typer.Option("--secret", help="the secret's file; else RADSIFT_SECRET")] = None,
) -> None:
    """Print a crosswalk as CSV: which key is which source file and patient. What it prints identifies."""
    import csv

    from curate.deid.vault import SecretSource
    from curate.release.crosswalk import CROSSWALK, read_crosswalk

    table = read_crosswalk(file, SecretSource(None if secret is None else str(secret)).pseudonymizer())
    written = csv.DictWriter(sys.stdout, CROSSWALK.names)
    written.writeheader()
    written.writerows(r for r in table.to_pylist() if not key or r["key"] in key or r["patient"] in key)


@app.command()
def secret(path: Annotated[Path, typer.Argument(help="file to write, mode 0600")]) -> None:
    """A new random secret for pseudonyms. Keep it: the same secret gives the same pseudonyms."""
    from curate.deid.pseudonym import write_secret

    write_secret(path)
    out.print(f"secret: {path}", soft_wrap=True)


def main() -> None:
    """The `curate` command: errors of ours become one message and an exit code, never a traceback."""
    no_core_dumps()
    warnings.filterwarnings("ignore")  # libraries quote values in warnings: no identity may reach a terminal
    try:
        app(standalone_mode=True)
    except RecipeError as error:
        _fail(2, "error", str(error))
    except RadsiftError as error:
        _fail(1, "run failed", str(error))
    except Exception as error:  # noqa: BLE001  a bug, or a full disk: no traceback, it could quote a patient
        _fail(1, "run failed", str(withheld(error)))


def _fail(code: int, what: str, message: str) -> None:
    err.print(what, style="bold red", end=": ")
    err.print(message, soft_wrap=True, markup=False)
    sys.exit(code)


def _load(path: Path, overrides: list[str] | None, engine: str | None, workers: int | None) -> Recipe:
    from pipelines.load import load_recipe  # here, because it brings torch: `curate --help` need not wait for it

    extra = [f"engine.kind={engine}"] if engine else []
    extra += [f"engine.workers={workers}"] if workers else []
    return load_recipe(path, [*(overrides or []), *extra])


def _execute(recipe: Recipe, until: str = "export") -> tuple[Pipeline, list[Manifest]]:
    from pipelines.build import run_pipeline
    from pipelines.check import save_recipe

    save_recipe(recipe)
    with _engine(recipe.resources()) as (engine, progress):
        return run_pipeline(recipe, engine, progress, until)


@contextmanager
def _engine(resources: Resources) -> Iterator[tuple[Engine, Callable[[str, int, int], None]]]:
    """A started engine and a progress bar a step; Ctrl-C, and a scheduler's polite stop, end in one line."""
    from curate.engine import start_engine

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    engine = start_engine(resources)
    try:
        with _bars() as bars:
            tasks: dict[str, TaskID] = {}

            def progress(name: str, done: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bars.add_task(name, total=total)
                bars.update(tasks[name], completed=done, total=total)

            yield engine, progress
    except KeyboardInterrupt:
        _fail(130, "stopped", "the same command goes on from here")
        raise
    finally:
        engine.close()
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _bars() -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:13}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bars:
        yield bars


def _near(path: Path) -> Path:
    """As seen from here, where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _print_funnel(counts: list[StepCount]) -> None:
    from curate.report.funnel import print_funnel

    print_funnel(counts, out)


def _print_attestation(attestation: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("", "inputs", box=None, pad_edge=False)
    for fate, n in attestation["fates"].items():
        table.add_row(fate, f"{n:,}")
    for reason, n in sorted(attestation["reasons"].items(), key=lambda item: (-item[1], item[0])):
        table.add_row(f"  {reason}", f"{n:,}")
    out.print(table)


def _say_warnings(recipe: Recipe) -> None:
    from pipelines.check import notes

    _say(recipe.warnings(), notes(recipe))


def _say(warned: list[str], noted: list[str]) -> None:
    for what, said in (("warning", warned), ("note", noted)):
        for line in said:
            err.print(what, style="bold yellow", end=": ")
            err.print(line, soft_wrap=True, markup=False)


def _pipeline_of(folder: Path) -> Pipeline:
    from pipelines.build import Pipeline, last_listing
    from pipelines.load import load_recipe

    path = folder / "recipe.yaml"
    if not path.is_file():
        raise RecipeError(str(folder), "holds no run (no recipe.yaml)", "give the recipe's 'out' folder")
    recipe = load_recipe(path, [f"out={folder.resolve()}"])  # the run's folder may have moved
    return Pipeline(recipe, last_listing(recipe))


if __name__ == "__main__":
    main()
