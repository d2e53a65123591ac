"""One record's way through a run, as `curate explain` tells it."""

from __future__ import annotations

from typing import Any

from curate.record import Reason
from curate.storage import read_table
from pipelines.build import ORDER, Pipeline


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


def _is_told(column: str) -> bool:
    return column not in ("image", "thumb", "minhash") and not column.endswith("_embedding")


def reason_help(reason: str) -> str:
    """Whether a reason is a quarantine or a drop, in words."""
    return "quarantined" if Reason(reason).is_quarantine else "dropped"
