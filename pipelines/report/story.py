"""One record's way through a run, as `curate explain` tells it."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from curate.errors import RecipeError
from curate.record import Reason
from curate.storage import read_table
from pipelines.build import ORDER, Pipeline

KEY_DIGITS, _LEAST_DIGITS = 32, 4


def story(pipeline: Pipeline, key: str) -> list[tuple[str, dict[str, Any]]]:
    """What each step knows of one record, in order; empty where no step knows the key."""
    told = []
    for name in ORDER:
        for step in pipeline.named(name):
            if not (step.folder(pipeline.run) / "manifest.json").exists():
                continue
            for part in sorted(step.folder(pipeline.run).glob("part-*.parquet")):
                rows = read_table(part, filters=[("key", "=", key)]).to_pylist()
                told += [(step.name, {k: v for k, v in r.items() if v is not None and _is_told(k)}) for r in rows]
    return told


def full_key(pipeline: Pipeline, start: str) -> str:
    """The one key of the run that begins with ``start``; ``start`` itself where it is whole, or no key does.

    RecipeError where several do.
    """
    if len(start) >= KEY_DIGITS or len(start) < _LEAST_DIGITS:
        return start
    found: set[str] = set()
    for part in sorted(pipeline.index.folder(pipeline.run).glob("part-*.parquet")):
        keys = read_table(part, ["key"])["key"]
        found |= set(keys.filter(pc.starts_with(keys, start)).to_pylist())
    if len(found) > 1:
        raise RecipeError("KEY", f"{len(found)} records begin with {start!r}", "give more digits")
    return found.pop() if found else start


def _is_told(column: str) -> bool:
    return column not in ("image", "thumb", "minhash", "made_of") and not column.endswith("_embedding")


def reason_help(reason: str) -> str:
    """Whether a reason is a quarantine or a drop, in words."""
    return "quarantined" if Reason(reason).is_quarantine else "dropped"
