"""Commands that look after a run: is it as it was written, and what in it does nothing refer to any more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate.errors import RecipeError
from pipelines.commands.screen import RunFolder, fail, near, out, pipeline_of, progress_bars, say, step_progress


def verify(folder: RunFolder) -> None:
    """Compare every file of a run with its digest and name what is damaged; the same `curate run` makes that again.

    Exit code 1 where something is damaged or missing.
    """
    from curate.errors import RadsiftError
    from pipelines.recipe.load import load_recipe
    from pipelines.upkeep.verify import verify_run

    try:
        pseudo = load_recipe(folder / "recipe.yaml").secret_source().pseudonymizer()
    except RadsiftError:
        pseudo = None
    with progress_bars() as bars:
        found = verify_run(folder, pseudo, step_progress(bars))
    if pseudo is None:
        say([], ["no secret: the sealed listings under private/scan are not opened"])
    for name, damage in found.damaged:
        out.print(f"  {name}: {damage}", markup=False, soft_wrap=True)
    if found.unchecked:
        say([], [f"{len(found.unchecked)} files that nothing is known of: {', '.join(found.unchecked[:5])}"])
    compared = f"{found.checked:,} files, {found.bytes / 1e6:,.1f} MB compared"
    if found.damaged:
        fail(1, f"{len(found.damaged)} damaged", f"of {compared}; the same 'curate run RECIPE' makes them again")
    out.print(f"whole: {compared}")


def prune(
    folder: RunFolder,
    dry: Annotated[bool, typer.Option("--dry-run", help="say what would go, and remove nothing")] = False,
) -> None:
    """Remove the steps of a run that neither its recipe nor its last finished run refers to."""
    from pipelines.upkeep.verify import prune_run

    found = prune_run(pipeline_of(folder), dry)
    for name in found.names:
        out.print(f"  {name}", markup=False, soft_wrap=True)
    out.print(f"{'would remove' if dry else 'removed'} {len(found.names)}, {found.bytes / 1e6:,.1f} MB")


def remove(
    folder: RunFolder,
    patient_file: Annotated[
        Path | None, typer.Option("--patient-file", help="a file of Patient IDs as in the archive, one a line")
    ] = None,
    key: Annotated[list[str] | None, typer.Option("--key", help="the key of any record of the patient")] = None,
    forget_models: Annotated[
        bool, typer.Option("--forget-models", help="remove the run's filters that learned from the patient, too")
    ] = False,
) -> None:
    """Take patients out of a finished run: tables, index, shards, page; writes a signed proof.

    The shards that held none of their records keep their bytes. Models that learned from them are named.
    """
    patients = _patients(patient_file)
    if not patients and not key:
        raise RecipeError("--patient-file", "nobody is named", "a file of Patient IDs, or --key")
    pipeline = pipeline_of(folder)
    from pipelines.upkeep.withdrawal import withdraw  # what draws the page anew: once there is a run

    with progress_bars() as bars:
        done = withdraw(pipeline, patients, key or [], step_progress(bars), forget_models)
    shards = sum(name.startswith("shards/") and name.endswith(".tar") for name in done.changed)
    out.print(f"{done.records} records went; {len(done.changed)} files changed, {shards} shards among them")
    for name, why in done.models.items():
        gone = "removed, the next run trains it anew" if forget_models and name.startswith("steps/") else "it stays"
        say([f"{name} learned from the patient ({why}): {gone}"], [])
    out.print(f"proof: {near(folder / done.proof)} ({done.searched} files searched, nothing found)", soft_wrap=True)


def _patients(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise RecipeError("--patient-file", "is no text file that can be read", "one Patient ID a line") from None
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))
