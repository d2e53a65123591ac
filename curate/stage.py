"""A Stage: a named, configured, pure function ``pa.Table -> pa.Table``; how one is run on live rows.

A stage is a closure over its configuration, tested on three-row tables without any engine. It returns as many
rows as it got, in the same order: to reject a row it marks it with `curate.record.drop`. It sees live rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curate.errors import FunnelError
from curate.record import live


@dataclass(frozen=True)
class Stage:
    """``name`` is what ``drop_step`` says of the rows it drops; ``fn`` must be picklable."""

    name: str
    fn: Callable[[pa.Table], pa.Table]


def run_stages(table: pa.Table, stages: Sequence[Stage]) -> pa.Table:
    """Every stage in turn on the rows still live; dropped rows pass by untouched. Row order is kept.

    Raises FunnelError where a stage loses, doubles or reorders rows.
    """
    for stage in stages:
        alive = live(table)
        if not alive.any():
            break
        before = table.filter(pa.array(alive))
        after = stage.fn(before)
        if after.num_rows != before.num_rows or not after["key"].equals(before["key"]):
            raise FunnelError(
                f"stage {stage.name}: {before.num_rows} rows in, {after.num_rows} rows out, or other keys"
            )
        table = after if alive.all() else _merge(table, after, alive)
    return table


def _merge(whole: pa.Table, part: pa.Table, alive: np.ndarray) -> pa.Table:
    """``part`` back in the places ``alive`` of ``whole``; columns that only one side has are null on the other."""
    rest = whole.filter(pa.array(~alive))
    both = pa.concat_tables([part, rest], promote_options="permissive")
    places = np.concatenate([np.flatnonzero(alive), np.flatnonzero(~alive)])
    return both.take(pa.array(np.argsort(places, kind="stable")))
