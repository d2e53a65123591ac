"""One record's story: what each step knew of it, why its score is what it is, and whose it is."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.errors import RecipeError
from pipelines.commands.screen import Json, RunFolder, out, pipeline_of, print_json

if TYPE_CHECKING:
    from pipelines.build import Pipeline
    from pipelines.report.why import Why

_KEYS = "keys are 32 hex digits, as in shards/*/*.parquet; the first four or more will do"


def explain(
    folder: RunFolder,
    key: Annotated[str, typer.Argument(help="a record's key, as in shards and tables, or its first digits")],
    text: Annotated[bool, typer.Option("--text", help="why each word went from its report (needs the secret)")] = False,
    words: Annotated[
        bool, typer.Option("--words", help="with --text: show the words themselves, which identify")
    ] = False,
    identify: Annotated[
        bool,
        typer.Option("--identify", help="whose it is and where it lies (needs the secret; prints what identifies)"),
    ] = False,
    json_: Json = False,
) -> None:
    """One record's story: what every step knew of it, and why it stayed or went. The first digits of a key will do."""
    pipeline = pipeline_of(folder)

    from pipelines.report.story import full_key, story  # readers of tables: only where there is a run

    key = full_key(pipeline, key)
    if text or words:
        _explain_text(pipeline, key, words)
        return
    rows = story(pipeline, key)
    if not rows:
        raise RecipeError("KEY", f"no step of this run knows {key[:40]!r}", _KEYS)
    whose = _identify(pipeline, key) if identify else {}

    from pipelines.report.why import why

    reasons = why(pipeline, key)
    if json_:
        steps = [{"step": name, **row} for name, row in rows]
        print_json({"key": key, "steps": steps} | ({"why": asdict(reasons)} if reasons else {}) | whose)
        return
    _print_story(rows, reasons)
    for field, value in whose.items():
        out.print(f"{field}: {value}", markup=False, soft_wrap=True)


def _print_story(rows: list[tuple[str, dict[str, Any]]], reasons: Why | None) -> None:
    from curate.record import Reason
    from curate.report.words import REASONS

    for name, row in rows:
        dropped = row.get("drop_reason")
        out.print(f"[bold]{name}[/bold]  {_outcome(dropped)}")
        if dropped:
            out.print(f"    why: {REASONS[Reason(dropped)]}", markup=False, soft_wrap=True)
        for field, value in row.items():
            if field not in ("key", "drop_step", "drop_reason"):
                shown = value + 0.0 if isinstance(value, float) else value  # a score of -0.0 is none below
                out.print(f"    {field}: {shown}", markup=False, soft_wrap=True)
    if reasons is not None:
        out.print("[bold]score[/bold]")
        for line in reasons.lines():
            out.print(f"    {line}", markup=False, soft_wrap=True)


def _outcome(reason: str | None) -> str:
    from curate.record import Reason

    if not reason:
        return "kept"
    return f"{'quarantined' if Reason(reason).is_quarantine else 'dropped'}: {reason}"


def _identify(pipeline: Pipeline, key: str) -> dict[str, Any]:
    """Whose the record is and where its picture lies; on the terminal only."""
    from curate.ingest.explain import find_file, find_identity
    from curate.storage import read_json
    from pipelines.build import scan_folder
    from pipelines.report.story import sealed_index

    index, partitions = sealed_index(pipeline)
    if not index.is_dir():
        raise RecipeError("--identify", "RUN/private with the sealed index is not here", "ask where the run was made")
    found = find_identity(index, partitions, key, pipeline.secret)
    if found is None:
        chunks = read_json(pipeline.run / "listing.json")["chunks"]
        sources = [source.name for source in pipeline.recipe.images]
        found = find_file(scan_folder(pipeline.run), chunks, sources, key, pipeline.secret)
    if found is None:
        raise RecipeError("KEY", f"no file of the archive is {key[:40]!r}", "a report without a picture, or withdrawn")
    return found


def _explain_text(pipeline: Pipeline, key: str, words: bool) -> None:
    from curate.ingest.explain import explain_text, shape
    from pipelines.report.story import sealed_index

    (index, partitions), rules = sealed_index(pipeline), pipeline.recipe.report_rules()
    found = explain_text(index, partitions, key, pipeline.secret, rules.wanted.sections, rules.text)
    if found is None:
        raise RecipeError("KEY", f"no report of this run has {key[:40]!r}", _KEYS)
    for section, gone in found:
        shown = gone.words if words else shape(gone.words)
        out.print(f"{section}: {gone.placeholder} for {shown!r}: {gone.by}", markup=False, soft_wrap=True)
    out.print(f"{len(found)} places of the report's text went" + ("" if words else "; --words shows what stood there"))
