"""One record's way through a run, as `curate explain` tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from curate.errors import RecipeError
from curate.intact import part_paths
from curate.step import FINISHED
from curate.storage import read_marker, read_table
from pipelines.build import Pipeline

KEY_DIGITS, _MIN_DIGITS = 32, 4


def story(pipeline: Pipeline, key: str) -> list[tuple[str, dict[str, Any]]]:
    """What each step knows of one record, in order; empty where no step knows the key."""
    rows_by_step = []
    for name, folder in finished(pipeline).items():
        for part in part_paths(folder):
            rows = read_table(part, filters=[("key", "=", key)]).to_pylist()
            rows_by_step += [(name, {k: v for k, v in r.items() if v is not None and _is_told(k)}) for r in rows]
    return rows_by_step


def finished(pipeline: Pipeline) -> dict[str, Path]:
    """The folders of the run's finished steps by step, in order; where this release of the program names a step anew,
    those that the last finished run is made of."""
    known = read_marker(pipeline.run / FINISHED) or {"steps": []}
    before = {name.rpartition("-")[0]: pipeline.run / "steps" / name for name in known["steps"]}
    found: dict[str, Path] = {}
    for step in pipeline.steps():
        folder = step.folder(pipeline.run)
        for each in (folder, before.get(step.name, folder)):
            if (each / "manifest.json").exists():
                found.setdefault(step.name, each)
    return found


def sealed_index(pipeline: Pipeline) -> tuple[Path, int]:
    """Where the index of the run's finished steps lies that names patients, and its partitions."""
    index = finished(pipeline).get("index", pipeline.index.folder(pipeline.run))
    folder = pipeline.run / "private" / index.name
    return folder, len(list(folder.glob("part-*.sealed")))


def full_key(pipeline: Pipeline, start: str) -> str:
    """The one key of the run that begins with ``start``; ``start`` itself where it is whole, or no key does.

    RecipeError where several do.
    """
    if len(start) >= KEY_DIGITS or len(start) < _MIN_DIGITS:
        return start
    found: set[str] = set()
    index = finished(pipeline).get("index", pipeline.index.folder(pipeline.run))
    for part in part_paths(index):
        keys = read_table(part, ["key"])["key"]
        found |= set(keys.filter(pc.starts_with(keys, start)).to_pylist())
    if len(found) > 1:
        raise RecipeError("KEY", f"{len(found)} records begin with {start!r}", "give more digits")
    return found.pop() if found else start


def _is_told(column: str) -> bool:
    return column not in ("image", "thumb", "minhash", "made_of") and not column.endswith("_embedding")
