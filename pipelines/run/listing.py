"""The archive as walked: what a run is of, and what is remembered of it where it has gone since."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from curate.deid.pseudonym import Pseudonymizer
from curate.errors import RecipeError, SourceError
from curate.intact import damaged
from curate.sources.faults import patiently
from curate.sources.rules import ImageSource
from curate.sources.scan import Walked, list_chunks
from curate.step import load_manifest
from curate.storage import commit_marker, digest_file, private_folder, read_marker, stamp_of
from pipelines.build import Listing, Pipeline, files_under, scan_folder
from pipelines.recipe.recipe import Recipe

_CONTENTS = "reports.json"  # in RUN/private: the report files as they were, without a name


def list_archive(recipe: Recipe, pseudo: Pseudonymizer, write: bool = True) -> Listing:
    """Walk the sources. With ``write``, listings of unread chunks are sealed for `scan`."""
    folder = scan_folder(recipe.out)
    if write:
        private_folder(recipe.out / "private")
    sources = tuple(_walked(s, recipe.out, folder, pseudo, write) for s in recipe.images)
    tables = [s.path for s in recipe.reports] + ([recipe.split.table.path] if recipe.split.table else [])
    try:
        contents = patiently(lambda: _contents(tables, recipe.out / "private", pseudo, write))
    except OSError as error:
        raise SourceError(error.errno or errno.EIO, "reports") from None
    return Listing(sources, pseudo.key("listing", *(n for w in sources for n in (w.name, *w.chunks)), *contents))


def _walked(source: ImageSource, run: Path, folder: Path, pseudo: Pseudonymizer, write: bool) -> Walked:
    """The source as walked now; SourceError where it is not there and was before."""
    try:
        return list_chunks(source, folder, pseudo, write)
    except RecipeError:
        if (gone := gone_since(run, source.name)) is not None:
            raise gone from None
        raise


def gone_since(run: Path, name: str) -> SourceError | None:
    """What to say of a source that is not there; None where the run's last listing found nothing of it either."""
    known = read_marker(run / "listing.json")
    files = known["files"].get(name) if known is not None else 0
    return SourceError(errno.ENOENT, name, f" (it held {files} files at the last run)") if files else None


def _contents(tables: Sequence[Path], private: Path, pseudo: Pseudonymizer, write: bool) -> list[str]:
    """A pseudonym of each report file's name and content, so that one that is only touched changes nothing. A file
    whose size and time are as before is not read for it; what is remembered names nobody."""
    known: dict[str, Any] = read_marker(private / _CONTENTS) or {}
    fresh = {}
    for path in (p for table in tables for p in files_under(table.resolve())):
        name, stamp_now = pseudo.key("report-file", str(path)), list(stamp_of(path)[:2])
        before, content = known.get(name, (None, ""))
        if before != stamp_now:
            content = pseudo.key("report-content", str(path), digest_file(path))
        fresh[name] = (stamp_now, content)
    if write and fresh != known:
        commit_marker(private / _CONTENTS, fresh)
    return [content for _, content in fresh.values()]


def last_listing(recipe: Recipe) -> Listing:
    """What the run's last command walked, without walking again: the archive may have gone or grown since."""
    found = read_marker(recipe.out / "listing.json")
    if found is None:
        raise RecipeError(str(recipe.out), "the run has not begun", "run it first: curate run RECIPE")
    return Listing((), found["digest"])


def ingested(recipe: Recipe) -> Listing | None:
    """The run's last listing where all that the recipe needs of its sources was ingested whole: another cut of it needs
    no archive. None where there is none, or the recipe names other places."""
    found = read_marker(recipe.out / "listing.json")
    if found is None or found.get("places") != _places(recipe):
        return None
    pipeline = Pipeline(recipe, Listing((), found["digest"]))
    for step in (pipeline.index, pipeline.ingest):
        folder = step.folder(recipe.out)
        if load_manifest(folder) is None or damaged(folder, step.partitions, step.made_of(recipe.out)):
            return None
    return pipeline.listing


def _places(recipe: Recipe) -> str:
    """A pseudonym of where the recipe's sources lie."""
    sources = [(s.name, str(s.path)) for s in recipe.images] + [("", str(s.path)) for s in recipe.reports]
    return recipe.secret_source().pseudonymizer().key("places", *(part for source in sources for part in source))


def walk(recipe: Recipe, needed: bool) -> Listing:
    """The archive as it is walked now, written down; where it cannot be, and is not ``needed``, as it was."""
    try:
        listing = list_archive(recipe, recipe.secret_source().pseudonymizer())
        _stop_if_empty(recipe.out, listing)
    except (SourceError, RecipeError) as error:
        before = None if needed else ingested(recipe)
        if before is None:
            raise
        return replace(before, away=str(error).partition("\n")[0])
    files = {source.name: source.files for source in listing.sources}
    chunks = [name for source in listing.sources for name in source.chunks]
    remembered = {"digest": listing.digest, "files": files, "chunks": chunks, "places": _places(recipe)}
    commit_marker(recipe.out / "listing.json", remembered)
    return listing


def _stop_if_empty(run: Path, listing: Listing) -> None:
    """SourceError where a source that held files at the last run holds none: a mount point without its file system."""
    known = read_marker(run / "listing.json")
    before = known["files"] if known is not None else {}
    for source in listing.sources:
        if not source.files and before.get(source.name):
            lost = (
                f" (it held {before[source.name]} files at the last run and holds none; if that is meant, a new 'out')"
            )
            raise SourceError(errno.ENOENT, source.name, lost)
