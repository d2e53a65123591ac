"""What a run would do and cost, before it does anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.commands.screen import (
    Json,
    RecipeFile,
    Set,
    SetEngine,
    Workers,
    load,
    near,
    out,
    print_json,
    say,
    say_pairing,
)

if TYPE_CHECKING:
    from curate.sources.pairing.outcome import Pairing
    from curate.sources.scan import Walked
    from curate.step import Manifest, Step
    from pipelines.recipe.recipe import Recipe
    from pipelines.survey.probe import Estimate

_PROBE = 16
_MEASURE = "sh benchmarks/gpu.sh --parts scoring"  # of the checkout: pairs/s of the card at hand


def plan(
    recipe: RecipeFile,
    set_: Set = None,
    engine: SetEngine = None,
    workers: Workers = None,
    probe: Annotated[
        int, typer.Option("--probe", min=0, help="records to try in memory for the estimate; 0: none")
    ] = _PROBE,
    json_: Json = False,
) -> None:
    """What would run, how records will pair, what it will cost, what is done already; touches nothing."""
    from pipelines.run.check import check

    loaded = load(recipe, set_, engine, workers)
    check(loaded, touch=False)
    found = _plan(loaded, probe)
    if json_:
        print_json(found.plain(loaded))
    else:
        _print(loaded, found)
    if found.pairing is not None:
        say_pairing(found.pairing.warnings)
    say(found.texts, [])


@dataclass(frozen=True)
class _Plan:
    """Sources as walked; each step with its manifest (None: to do) and the parts that are done; how images and reports
    find each other, and how much was looked at for that; what it will cost; what will be withheld of texts."""

    sources: Sequence[Walked]
    steps: Sequence[tuple[Step, Manifest | None, int]]
    pairing: Pairing | None
    looked: str | None
    estimate: Estimate | None
    texts: list[str]

    def plain(self, recipe: Recipe) -> dict[str, Any]:
        """As JSON has it."""
        pairing = None if self.pairing is None else {"says": self.pairing.headline, "looked_at": self.looked}
        cost = self.estimate
        estimate = None if cost is None else {**asdict(cost), "seconds": cost.seconds, "cpu_hours": cost.cpu_hours}
        return {
            "name": recipe.name,
            "engine": recipe.engine.kind,
            "out": str(recipe.out),
            "sources": [{"name": s.name, "files": s.files, "bytes": s.bytes} for s in self.sources],
            "steps": [
                {"step": s.name, "hash": s.hash, "done": done is not None, "parts_done": parts}
                | ({"rows_in": done.rows_in, "kept": done.kept} if done else {})
                for s, done, parts in self.steps
            ],
            "pairing": pairing,
            "estimate": estimate,
        }


def _plan(recipe: Recipe, records: int) -> _Plan:
    from curate.step import load_manifest
    from pipelines.build import Pipeline
    from pipelines.run.listing import list_archive

    listing = list_archive(recipe, recipe.secret_source().pseudonymizer(), write=False)
    pipeline = Pipeline(recipe, listing)
    folders = [(step, step.folder(recipe.out)) for step in pipeline.steps()]
    steps = [(step, load_manifest(folder), len(list(folder.glob("part-*.json")))) for step, folder in folders]
    done = {step.name for step, manifest, _ in steps if manifest is not None}
    pairing = looked = estimate = None
    if "index" in done:  # then nothing has to be guessed
        pairing, looked = (pipeline.pairing, "all, as indexed") if recipe.images and recipe.reports else (None, None)
    else:
        from pipelines.survey.preview import look  # what reads headers and reports

        sample = look(recipe)
        pairing, looked = (sample.pairing, sample.extent) if recipe.images and recipe.reports else (None, None)
        if records:
            from pipelines.survey.probe import probe

            estimate = probe(recipe, sample, records)
    return _Plan(listing.sources, steps, pairing, looked, estimate, _texts(recipe, "ingest" in done))


def _texts(recipe: Recipe, ingested: bool) -> list[str]:
    if ingested or not recipe.reports:
        return []
    from pipelines.survey.preview import text_preview

    return text_preview(recipe)


def _print(recipe: Recipe, found: _Plan) -> None:
    out.print(f"{recipe.name}: engine {recipe.engine.kind}, out {near(Path(recipe.out))}")
    width = max(13, *(len(step.name) for step, *_ in found.steps))
    for source in found.sources:
        out.print(f"  {source.name:{width}} {source.files:,} files, {source.bytes / 1e6:,.1f} MB")
    for step, done, parts in found.steps:
        some = f"{parts} parts done" if parts else "to do"
        state = f"done: {done.rows_in} in, {done.kept} kept" if done else some
        out.print(f"  {step.name:{width}} {step.hash}  {state}")
    if found.pairing is not None:
        out.print(f"  {'pairing':{width}} {found.pairing.headline} (looked at {found.looked})", soft_wrap=True)
    if found.estimate is not None:
        for i, line in enumerate(found.estimate.lines):
            out.print(f"  {'' if i else 'estimate':{width}} {line}", soft_wrap=True)
        if recipe.filters:
            out.print(f"  {'':{width}} not in it: training and scoring of {', '.join(recipe.filters)}", soft_wrap=True)
            if recipe.engine.gpus:
                out.print(f"  {'':{width}} GPU-hours: not known, measure with `{_MEASURE}`", soft_wrap=True)
