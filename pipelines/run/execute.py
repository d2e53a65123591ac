"""The steps of a run carried out, in order: what is not done already."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from curate.engine import Engine
from curate.errors import DamagedError, RunError
from curate.export.webdataset import check_shards, reset_shards
from curate.intact import damaged, doubt, forget, parts_with
from curate.record import Reason
from curate.sources.pairing.outcome import Pairing
from curate.sources.scan import forget_dropped, scan
from curate.step import FINISHED, Manifest, Progress, Step, forget_inner, run_model_step, run_spread_step, run_step
from curate.storage import claim, commit_marker, exclusive, private_folder, remove_tree, sweep
from curate.task import Deferred
from pipelines.build import ORDER, Pipeline, scan_folder
from pipelines.recipe.recipe import Recipe
from pipelines.run.check import save_recipe
from pipelines.run.listing import walk
from pipelines.run.sight import require_sight

_MODELS = ("score", "capfilt")  # whose work is a model's: `curate.step.run_model_step`
_SPREAD = ("index", "dedup")  # whose work is on all records: `curate.step.run_spread_step`


def run_pipeline(
    recipe: Recipe, engine: Engine, progress: Progress, until: str = "export", again: Collection[Reason] = ()
) -> tuple[Pipeline, list[Manifest]]:
    """Every step that is not done, in order, up to and with ``until``; returns the manifests of all of them.

    Where the archive cannot be reached and the recipe needs nothing more of it, the run goes on with what was ingested
    (`Listing.away` says why). ``again``: what was dropped for these reasons is tried again. RunError where another run
    is at work on the same folder, RecipeError where the folder is nobody's run.
    """
    claim(recipe.out)
    check_shards(recipe.out / "shards")
    with exclusive(private_folder(recipe.out / "private") / "lock") as check_held:

        def watched(name: str, done: float, total: int) -> None:
            check_held()
            progress(name, done, total)

        save_recipe(recipe)
        return _run_steps(recipe, engine, watched, until, again)


def _run_steps(
    recipe: Recipe, engine: Engine, progress: Progress, until: str, again: Collection[Reason]
) -> tuple[Pipeline, list[Manifest]]:
    sweep(recipe.out / "steps")
    progress("walk", 0, 1)
    listing = walk(recipe, bool(again))
    progress("walk", 1, 1)
    if not listing.away:
        chunks = [name for source in listing.sources for name in source.chunks]
        folder, secret = scan_folder(recipe.out), recipe.secret_source()
        if again:
            _try_again(Pipeline(recipe, listing), chunks, again)
        scan(chunks, folder, secret, engine, progress)
    try:
        return _each_step(Pipeline(recipe, listing), engine, progress, until)
    except DamagedError as error:  # found in reading: compare all of that step anew, and do what is not whole again
        if not error.path.is_relative_to(recipe.out / "steps") or not doubt(error.path.parent):
            raise
    return _each_step(Pipeline(recipe, listing), engine, progress, until)


def _try_again(pipeline: Pipeline, chunks: Sequence[str], reasons: Collection[Reason]) -> None:
    """Forget what was read of records that were dropped for these reasons: their files are read anew, and the parts
    that hold them are made again."""
    forget_dropped(scan_folder(pipeline.run), chunks, reasons, pipeline.secret.pseudonymizer())
    for step in (pipeline.index, pipeline.ingest):
        folder = step.folder(pipeline.run)
        forget_inner(step, pipeline.run)
        for reason in reasons:
            forget(folder, parts_with(folder, reason))


def _each_step(pipeline: Pipeline, engine: Engine, progress: Progress, until: str) -> tuple[Pipeline, list[Manifest]]:
    manifests: list[Manifest] = []
    for name in ORDER[: ORDER.index(until) + 1]:
        if name == "select":
            require_sight(pipeline.recipe, pipeline.cards)
        manifests += [execute_step(pipeline, step, engine, progress) for step in pipeline.named(name)]
        if name == "index":
            _require_pairs(pipeline.recipe, pipeline.pairing, manifests[-1])
    if until == "export":
        finished = {"steps": [s.folder(pipeline.run).name for s in pipeline.steps()], "continued": pipeline.continued}
        commit_marker(pipeline.run / FINISHED, finished)
    return pipeline, manifests


def _require_pairs(recipe: Recipe, pairing: Pairing, index: Manifest) -> None:
    """RunError where there are images and reports, and none has found the other, and neither was to stay alone."""
    alone = "keep" in (recipe.pair.unpaired_images, recipe.pair.unpaired_reports)
    if pairing.is_few and not pairing.paired and not alone:
        dropped = "  ".join(f"{reason}={n}" for reason, n in sorted(index.dropped.items(), key=lambda d: (-d[1], d[0])))
        lines = [*pairing.lines, f"index: {index.rows_in:,} in, {index.kept:,} kept  {dropped}"]
        raise RunError("\n  ".join([f"nothing pairs: {pairing.headline}", *lines]))


def execute_step(pipeline: Pipeline, step: Step, engine: Engine, progress: Progress) -> Manifest:
    """What is not done of one step."""
    folder = step.folder(pipeline.run)
    if step.name in _MODELS and isinstance(step.task, Deferred):
        return run_model_step(step, step.task, pipeline.run, engine, progress)
    if step.name in _SPREAD and isinstance(step.task, Deferred):
        return run_spread_step(step, step.task, pipeline.run, engine, progress)
    if step.name == "ingest":  # the archive is again as it was indexed: what was away then can be read now
        forget(folder, parts_with(folder, Reason.CHANGED))
    if step.name == "export":
        made_of = step.made_of(pipeline.run)
        whole = not damaged(folder, step.partitions, made_of)
        if reset_shards(pipeline.shards, step.hash, made_of, whole, pipeline.continued is not None):
            remove_tree(folder, pipeline.run / "steps")
    return run_step(step, pipeline.run, engine, progress)
