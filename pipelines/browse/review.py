"""What to mark next, and what the marks say of the run.

    random     kept ones in key order: keys are HMACs, so that is a fair draw
    subgroup   the same within the subgroup with the fewest marks
    near       the nearest to the cut, above and below and by subgroup in turn
    uncertain  where a logistic regression of the marks on all scores is least certain (uncertainty sampling, Lewis and
               Gale 1994)
    shared     what others marked: agreement
    mixed      these in turn

Precision is estimated by the first of the kept ones in key order, as far as all of them are marked.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.export.cut import stable_order
from pipelines.browse.cut import Cut
from pipelines.browse.marks import Marks, agreement, consensus, precision
from pipelines.browse.table import Rows, Table

MODES = ("mixed", "random", "subgroup", "near", "uncertain", "shared")
BY = "modality"  # the subgroup that draws are spread over
_TURNS = ("random", "near", "subgroup", "uncertain", "shared")
_LEAST = 5  # good and bad ones each, before uncertainty is asked
_CLOSE = 200  # of the nearest to the cut, over which draws are spread


class Review:
    """Draws and sums for the run of ``table`` and ``cut``, by ``marks``."""

    def __init__(self, table: Table, cut: Cut, marks: Marks) -> None:
        self.table, self.cut, self.marks = table, cut, marks
        order = np.argsort(cut.rows, kind="stable")
        self.rows: Rows = cut.rows[order]  # in key order
        self._scores, self._kept = cut.scores[order], cut.kept[order]
        labels = table.facets.get(BY)
        self._groups = labels.codes[self.rows] if labels else np.zeros(len(self.rows), np.int32)
        self.refresh()

    def refresh(self) -> pl.DataFrame:
        """Read the marks anew; queries may then ask among "good", "bad", "unsure" and "unmarked"."""
        marks = self.marks.table()
        known = marks.filter([self.table.row(key) is not None for key in marks["key"]])
        for verdict in ("good", "bad", "unsure"):
            keys = known.filter(pl.col("verdict") == verdict)["key"].unique().to_numpy().astype("S32")
            self.table.put(verdict, self.table.rows(keys))
        return known

    def draw(self, mode: str) -> tuple[int | None, str]:
        """(The row to mark next, None where there is none left; how it was drawn). ValueError on another mode."""
        if mode not in MODES:
            raise ValueError(f"mode: {mode[:40]!r}; one of {', '.join(MODES)}")
        marks = self.marks.table()
        mine = marks.filter(pl.col("reviewer") == (self.marks.reviewer or ""))
        turns = _TURNS[len(mine) % len(_TURNS) :] + _TURNS[: len(mine) % len(_TURNS)] if mode == "mixed" else (mode,)
        done = self._marked(mine)
        for turn in turns:
            row = getattr(self, f"_{turn}")(marks, mine, done)
            if row is not None:
                return int(self.rows[row]), turn
        return None, mode

    def summary(self) -> dict[str, Any]:
        """How many marks there are, agreement, precision of what is kept (over all and by subgroup) and why not."""
        marks = self.refresh()
        counted = marks.group_by("reviewer", "verdict").len().sort("reviewer", "verdict").rows()
        whys = marks.drop_nulls("why").group_by("why").len().sort("len", "why", descending=[True, False])
        labels = self.table.facets.get(BY)
        kept = np.flatnonzero(self._kept)
        groups = (
            {labels.names[c]: kept[self._groups[kept] == c] for c in np.unique(self._groups[kept])} if labels else {}
        )
        return {
            "marks": [{"reviewer": r, "verdict": v, "records": n} for r, v, n in counted],
            "why": [list(row) for row in whys.rows()],
            "agreement": agreement(marks),
            "precision": self._precision(marks, kept),
            "groups": {name or "none": self._precision(marks, rows) for name, rows in groups.items()},
        }

    def _precision(self, marks: pl.DataFrame, kept: Rows) -> dict[str, Any]:
        """Of ``kept``, in key order, the first that are all marked, however they came to be: so what was marked for
        being doubtful does not pull the estimate."""
        unmarked = np.flatnonzero(~self._marked(marks)[kept])
        fair = kept[: unmarked[0]] if len(unmarked) else kept
        keys = pl.DataFrame({"key": self.table.keys[self.rows[fair]].astype(str)}, {"key": pl.String})
        return precision(keys.join(consensus(marks), on="key", how="left")["good"])

    def _marked(self, marks: pl.DataFrame) -> NDArray[np.bool_]:
        return np.isin(self.table.keys[self.rows], _keys(marks))

    def _random(self, marks: pl.DataFrame, mine: pl.DataFrame, done: NDArray[np.bool_]) -> int | None:
        return _first(np.flatnonzero(self._kept & ~done))

    def _subgroup(self, marks: pl.DataFrame, mine: pl.DataFrame, done: NDArray[np.bool_]) -> int | None:
        left = np.flatnonzero(self._kept & ~done)
        marked = np.bincount(self._groups[done], minlength=int(self._groups.max(initial=0)) + 1)
        return _first(left[np.argsort(marked[self._groups[left]], kind="stable")])

    def _near(self, marks: pl.DataFrame, mine: pl.DataFrame, done: NDArray[np.bool_]) -> int | None:
        """Of the nearest by rank the one whose subgroup and side have the fewest marks so far."""
        close = self._around[:_CLOSE]
        left = close[~done[close]]
        if not len(left):
            return _first(self._around[~done[self._around]])
        stratum = 2 * self._groups.astype(np.int64) + self._kept
        marked = np.bincount(stratum[close[done[close]]], minlength=int(stratum.max()) + 1)
        return _first(left[np.argsort(marked[stratum[left]], kind="stable")])

    @cached_property
    def _around(self) -> Rows:
        """The scored, the nearest to the cut by rank first."""
        scored = np.flatnonzero(~np.isnan(self._scores))
        by_score = scored[stable_order(self._scores[scored])]
        line = int((~self._kept[by_score]).sum())  # ranks below the cut, where there is one
        return by_score[np.argsort(np.abs(np.arange(len(by_score)) - line + 0.5), kind="stable")]

    def _uncertain(self, marks: pl.DataFrame, mine: pl.DataFrame, done: NDArray[np.bool_]) -> int | None:
        judged = consensus(marks).drop_nulls("good")
        good = judged["good"].to_numpy().astype(bool)
        if min(int(good.sum()), int((~good).sum())) < _LEAST:
            return None
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        names = [n for n in self.table.scores if n != "score"]
        features = np.stack([np.nan_to_num(self.table.scores[n]) for n in names], axis=1)
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        model.fit(features[self.table.rows(_keys(judged))], good)
        doubt = np.abs(model.predict_proba(features[self.rows])[:, 1] - 0.5)
        left = np.flatnonzero(~done & ~np.isnan(self._scores))
        return _first(left[np.argsort(doubt[left], kind="stable")])

    def _shared(self, marks: pl.DataFrame, mine: pl.DataFrame, done: NDArray[np.bool_]) -> int | None:
        return _first(np.flatnonzero(self._marked(marks) & ~done))


def _keys(marks: pl.DataFrame) -> NDArray[np.bytes_]:
    return marks["key"].to_numpy().astype("S32")


def _first(rows: NDArray[Any]) -> int | None:
    return int(rows[0]) if len(rows) else None
