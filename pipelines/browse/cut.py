"""The cut, moved: what the select stage would choose of the same records by the same scores under another cut.

The select stage itself decides, with all its other rules (floors, caps, balance, draws), so the counts are its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.export.columns import fixed_bytes
from curate.export.rules import SelectRules
from curate.export.select import SelectTask
from pipelines.api import Run
from pipelines.browse.table import Rows, Table
from pipelines.recipe.recipe import Recipe

KINDS = ("threshold", "keep")
_CUTS = ("keep", "threshold", "top_k", "precision")
_SUBGROUPS = ("modality", "body_part", "finding", "view", "sex", "source")
_BINS, _STEPS, _SHOWN = 60, 200, 20


@dataclass(frozen=True, eq=False)
class Moved:
    """``kept`` bool[n] of the records that are cut; ``rules`` that choose so."""

    kept: NDArray[np.bool_]
    rules: SelectRules


class Cut:
    """The cut of a run whose records ``table`` holds. ``scored``: the rows that are cut; ``kept``, ``scores``: one each
    of those. Where the run has no scores, ``scores`` are all NaN."""

    def __init__(self, run: Run, recipe: Recipe, table: Table) -> None:
        places = {name: run.folder(name) for name in ("ingest", "dedup", "semantic", "score", "capfilt")}
        where = {name: str(folder) if folder else None for name, folder in places.items()}
        self.table, self.rules = table, recipe.select_rules()
        unbelieved = recipe.capfilt.unbelieved if recipe.capfilt else "drop"
        ingest, dedup = where["ingest"] or "", where["semantic"] or where["dedup"] or ""
        rules = self.rules, recipe.split
        self._task = SelectTask(ingest, dedup, where["score"], *rules, where["capfilt"], unbelieved)
        self._pool = self._task.pool()
        self._here = self._pool.in_cut
        keys = pa.concat_tables(list(self._task.candidates()))["key"].combine_chunks()
        self.rows: Rows = table.rows(fixed_bytes(keys)[self._here])
        self.scores = self._pool.scores[self._here]
        self.kept = self._task.choice(self._pool).kept[self._here]
        self._moved = lru_cache(32)(self._move)

    def start(self) -> dict[str, Any]:
        """What the page draws the cut by: the column's name, the histogram of kept and dropped, the recipe's cut, the
        line (lowest kept score) and scores at equal steps of rank for the slider."""
        known = self.scores[~np.isnan(self.scores)]
        if not len(known):
            return {"scored": 0}
        edges = np.histogram_bin_edges(known, _BINS)
        by = self.rules.by
        kept = self.kept & ~np.isnan(self.scores)
        return {
            "scored": len(known),
            "by": by if isinstance(by, str) else " + ".join(by),
            "edges": edges.tolist(),
            "kept": np.histogram(self.scores[kept], edges)[0].tolist(),
            "dropped": np.histogram(self.scores[~self.kept & ~np.isnan(self.scores)], edges)[0].tolist(),
            "line": float(self.scores[kept].min()) if kept.any() else None,
            "now": {n: getattr(self.rules, n) for n in _CUTS if getattr(self.rules, n) is not None},
            "kinds": ["keep"] if self.rules.balance else list(KINDS),
            "steps": np.quantile(known, np.linspace(0, 1, _STEPS + 1), method="lower").tolist(),
        }

    def moved(self, kind: str, value: float) -> Moved:
        """The cut at ``value`` (a score, or a share in 0..1). ValueError says what is wrong with it."""
        return self._moved(kind, value)

    def _move(self, kind: str, value: float) -> Moved:
        if kind not in KINDS:
            raise ValueError(f"kind: {kind[:40]!r}; one of {', '.join(KINDS)}")
        if not math.isfinite(value) or (kind == "keep" and not 0 < value <= 1):
            raise ValueError(f"{kind}: {value}; " + ("a share above 0, at most 1" if kind == "keep" else "a number"))
        wanted: dict[str, Any] = {**dict.fromkeys(_CUTS), kind: value}
        rules = replace(self.rules, **wanted)
        return Moved(replace(self._task, rules=rules).choice(self._pool).kept[self._here], rules)

    def effect(self, kind: str, value: float) -> dict[str, Any]:
        """What `moved` would change: counts over all and by subgroup, and the --set to run it with. Queries may then
        ask among "in" (dropped now, kept then) and "out"."""
        then = self.moved(kind, value).kept
        self.table.put("in", self.rows[then & ~self.kept])
        self.table.put("out", self.rows[self.kept & ~then])
        return {
            "kind": kind,
            "value": value,
            "cut": len(self.rows),
            "now": int(self.kept.sum()),
            "then": int(then.sum()),
            "in": int((then & ~self.kept).sum()),
            "out": int((self.kept & ~then).sum()),
            "set": self.set_of(kind, value),
            "groups": self._groups(then),
        }

    def _groups(self, then: NDArray[np.bool_]) -> dict[str, list[dict[str, Any]]]:
        """Of every subgroup facet, the commonest values: how many records are cut, kept now, kept then."""
        out, state = {}, self.kept + 2 * then.astype(np.int32)
        for facet in _SUBGROUPS:
            values = self.table.tally(facet, self.rows, state, 4) if facet in self.table.facets else {}
            if len(values) > 1:
                out[facet] = [
                    {"value": value, "n": sum(n), "now": n[1] + n[3], "then": n[2] + n[3]}
                    for value, n in list(values.items())[:_SHOWN]
                ]
        return out

    def set_of(self, kind: str, value: float) -> str:
        """The --set that make the recipe cut so."""
        gone = [f"--set select.{n}=null" for n in _CUTS if n != kind and getattr(self.rules, n) is not None]
        return " ".join([*gone, f"--set select.{kind}={value!r}"])
