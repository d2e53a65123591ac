"""What commands share: where they print, their options, a started engine with its bars, one line for what fails."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from curate import __version__
from curate.errors import RecipeError
from curate.places import place

if TYPE_CHECKING:
    from curate.engine import Engine
    from curate.engine.resources import Resources
    from curate.record import Reason
    from curate.report.funnel import StepCount
    from curate.step import Manifest
    from pipelines.build import Pipeline
    from pipelines.recipe.recipe import Recipe

out, err = Console(highlight=False), Console(stderr=True)

RecipeFile = Annotated[Path, typer.Argument(help="recipe YAML, or an installed one's name: demo")]
Set = Annotated[list[str] | None, typer.Option("--set", help="override a field: --set select.keep=0.2")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object, and nothing else on standard output")]
RunFolder = Annotated[Path, typer.Argument(parser=place, help="a run's folder or URL (the recipe's 'out')")]
SetEngine = Annotated[str | None, typer.Option("--engine", help="local or ray; short for --set engine.kind=...")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="processes or Ray CPUs")]


def fail(code: int, title: str, message: str, printed: bool = False) -> NoReturn:
    """End in one line on standard error, and with --json in one object on standard output; ``printed``: unless one
    stands there already."""
    err.print(title, style="bold red", end=": ")
    err.print(message, soft_wrap=True, markup=False)
    if wants_json() and not printed:
        print_json({"error": {"kind": title, "message": message, "exit_code": code}})
    sys.exit(code)


def wants_json() -> bool:
    """Whether this command was asked for one JSON object: also of arguments that cannot be read."""
    return "--json" in sys.argv[1:]


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"radsift {__version__}\n")
        raise typer.Exit


def version_option(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print it")] = False,
) -> None:
    """What stands before any command."""


def load(path: Path, overrides: list[str] | None, engine: str | None, workers: int | None) -> Recipe:
    from pipelines.recipe.load import (
        load_recipe,  # pydantic and the engine room: `curate --help` need not wait for them
    )

    extra = [f"engine.kind={engine}"] if engine else []
    extra += [f"engine.workers={workers}"] if workers else []
    return load_recipe(path, [*(overrides or []), *extra])


def reasons_again(names: list[str]) -> list[Reason]:
    """The reasons that `curate run --again` was given; RecipeError where one does not pass by itself."""
    from curate.record import PASSING, Reason

    for name in names:
        if name not in [reason.value for reason in PASSING]:
            raise RecipeError("--again", f"'{name}' does not pass", ", ".join(sorted(r.value for r in PASSING)))
    return [Reason(name) for name in names]


def execute(recipe: Recipe, until: str = "export", again: Sequence[Reason] = ()) -> tuple[Pipeline, list[Manifest]]:
    from pipelines.run.execute import run_pipeline
    from pipelines.run.progress import followed

    with running_engine(recipe.engine) as (engine, say), followed(recipe.out, "run", say) as progress:
        return run_pipeline(recipe, engine, progress, until, again)


@contextmanager
def running_engine(resources: Resources) -> Iterator[tuple[Engine, Callable[[str, float, int], None]]]:
    """A started engine and a progress bar a step; Ctrl-C, and a scheduler's polite stop, end in one line."""
    from curate.engine import start_engine

    engine = start_engine(resources)
    try:
        with stoppable(), progress_bars() as bars:
            yield engine, step_progress(bars)
    finally:
        engine.close()


def step_progress(bars: Progress) -> Callable[[str, float, int], None]:
    """A bar a step, as steps report how far they are."""
    tasks: dict[str, TaskID] = {}

    def progress(name: str, done: float, total: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=total)
        bars.update(tasks[name], completed=done, total=total)

    return progress


@contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C, and a scheduler's polite stop, end in one line."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        fail(130, "stopped", "the same command goes on from here")
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def step_bar(name: str) -> Iterator[Callable[[int, int, Mapping[str, float]], None]]:
    """One bar that takes (steps done, steps in all, numbers to show beside it)."""
    shown = {"loss": "loss {:.3f}", "pairs/s": "{:.0f} pairs/s"}
    with stoppable(), Progress(*_columns(), TextColumn("{task.fields[measures]}"), console=err) as bars:
        task = bars.add_task(name, total=None, measures="")

        def progress(done: int, total: int, numbers: Mapping[str, float]) -> None:
            measures = "  ".join(form.format(numbers[n]) for n, form in shown.items() if n in numbers)
            bars.update(task, completed=done, total=total, measures=measures)

        yield progress


@contextmanager
def progress_bars(shown: bool = True) -> Iterator[Progress]:
    with Progress(*_columns(), console=err, disable=not shown) as bars:
        yield bars


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        SpinnerColumn(),
        TextColumn("{task.description:13}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def print_json(value: Mapping[str, Any]) -> None:
    """One object on standard output, for other programs."""
    import json

    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str, allow_nan=False) + "\n")


def near(path: Path) -> Path:
    """As seen from here, where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def print_funnel(counts: list[StepCount]) -> None:
    from curate.report.funnel import print_funnel

    print_funnel(counts, out)


def say_warnings(recipe: Recipe) -> None:
    from pipelines.run.check import notes

    say(recipe.warnings(), notes(recipe))


def say(warned: list[str], noted: list[str]) -> None:
    for title, lines in (("warning", warned), ("note", noted)):
        for line in lines:
            err.print(title, style="bold yellow", end=": ")
            err.print(line, soft_wrap=True, markup=False)


def say_pairing(lines: list[str]) -> None:
    """Why few pair: a warning, and what explains it below, indented."""
    say(lines[:1], [])
    for line in lines[1:]:
        err.print(f"  {line}", style="yellow", soft_wrap=True, markup=False)


def pipeline_of(folder: Path) -> Pipeline:
    from pipelines.build import Pipeline
    from pipelines.recipe.load import load_recipe
    from pipelines.run.listing import last_listing

    path = folder / "recipe.yaml"
    if not path.is_file():
        raise RecipeError(str(folder), "holds no run (no recipe.yaml)", "give the recipe's 'out' folder")
    recipe = load_recipe(path, [f"out={folder.resolve()}"])  # the run's folder may have moved
    return Pipeline(recipe, last_listing(recipe))
