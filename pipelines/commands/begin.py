"""Commands before there is a run: a recipe for what lies there, what this machine can do, an archive to try it on."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from curate.errors import RecipeError
from pipelines.commands.screen import Json, load, near, out, print_json, progress_bars
from pipelines.survey import require_there


def init(
    paths: Annotated[list[Path], typer.Argument(help="folders of pictures, tables or folders of reports")],
    to: Annotated[Path, typer.Option("--to", help="where to write the recipe")] = Path("recipe.yaml"),
    out_: Annotated[Path, typer.Option("--out", help="the run's folder, for the recipe")] = Path("runs/first"),
    secret: Annotated[Path, typer.Option("--secret", help="the secret's file; made where there is none")] = Path(
        "secret.key"
    ),
) -> None:
    """Look at folders and tables and write a recipe for them: columns guessed and shown, pairing tried on a sample."""
    if out_.suffix.lower() in (".yaml", ".yml"):
        raise RecipeError("--out", f"{out_} is called like a recipe; --out is the run's folder", f"--to {out_}")
    if to.exists():
        raise RecipeError("--to", f"{to} exists already; nothing is overwritten", "name another file")
    for path in paths:
        require_there(path)
    from curate.deid.pseudonym import write_secret
    from curate.storage import commit_bytes
    from pipelines.survey.guess import guess

    guessed = guess(paths, out_, secret)
    commit_bytes(to.absolute(), guessed.text().encode())
    load(to, None, None, None)
    if not secret.exists():
        write_secret(secret)
        out.print(f"secret: {secret} (keep it: the same secret gives the same pseudonyms)", soft_wrap=True)
    out.print(guessed.text(), markup=False, soft_wrap=True)
    out.print(f"recipe: {to}; next: curate plan {to}, curate run {to}", soft_wrap=True)


def analyze(
    paths: Annotated[list[Path], typer.Argument(help="folders of pictures, tables or folders of reports")],
    to: Annotated[Path, typer.Option("--out", help="folder for the page and its numbers")] = Path("analysis"),
    json_: Json = False,
) -> None:
    """What an archive is, as a page: modalities, keys, duplicates, languages, text in pictures, lengths of reports."""
    import json

    for path in paths:
        require_there(path)
    if any(to.resolve().is_relative_to(path.resolve()) for path in paths):
        raise RecipeError("--out", "lies inside what is analyzed, which is only read", "name another folder")
    from curate.report.render import render  # decoders and networks: once there is something to look at
    from curate.storage import commit_bytes
    from pipelines.survey.analyze import analyze

    found = analyze(paths)
    commit_bytes(to / "analysis.json", (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
    commit_bytes(to / "index.html", render("analysis.html.j2", a=found).encode())
    if json_:
        print_json(found)
        return
    modalities = ", ".join(f"{n:,} {name}" for name, n in list(found["pictures"]["modalities"].items())[:6])
    out.print(f"looked at {found['said']}: {modalities or 'no DICOM'}", soft_wrap=True)
    if found["pairing"] is not None:
        out.print(found["pairing"]["says"], soft_wrap=True)
    out.print(f"analysis: {near(to.absolute() / 'index.html')}; next: curate init", soft_wrap=True)


def schema(
    yaml: Annotated[
        bool, typer.Option("--yaml", help="instead a recipe with every field, its default and use")
    ] = False,
) -> None:
    """The recipe's JSON Schema, for an editor that completes and checks: curate schema > recipe.schema.json."""
    from pipelines.recipe.reference import config_all
    from pipelines.recipe.reference import schema as recipe_schema

    if yaml:
        out.print(config_all(), markup=False, soft_wrap=True, highlight=False, end="")
    else:
        print_json(recipe_schema())


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
    for name, n in counts.items():
        out.print(f"  {name:24} {n}")
