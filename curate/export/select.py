"""Choose by score. Reads keys and scores only: changing the cut never touches an image.

The cut is taken over the train split. Validation and test keep every record: a filtered evaluation set would
measure the filter, not the model.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from curate.export.split import SplitRules, split_all
from curate.record import SELECTION, Reason, conform, drop_each, live, score_schema
from curate.step import part_path, read_parts
from curate.storage import read_table

STEP = "select"


@dataclass(frozen=True)
class SelectRules:
    """Exactly one of ``keep`` (top fraction), ``threshold`` (score >=) and ``top_k``, or none: keep everything.

    ``by`` is the score column. Ties at the cut are broken by key, so the choice is the same everywhere.
    """

    keep: float | None = None
    threshold: float | None = None
    top_k: int | None = None
    by: str = "dfn"
    filter_eval: bool = False  # cut val and test too: one cut over all three


def choose(scores: np.ndarray, keys: Collection[str], rules: SelectRules) -> np.ndarray:
    """bool[n]: which records to keep by float32[n] ``scores``; NaN (unscored) is never kept unless nothing is cut."""
    if rules.keep is None and rules.threshold is None and rules.top_k is None:
        return np.ones(len(scores), dtype=bool)
    scored = ~np.isnan(scores)
    if rules.threshold is not None:
        return np.asarray(scored & (scores >= rules.threshold))
    wanted = rules.top_k if rules.top_k is not None else round((rules.keep or 0.0) * int(scored.sum()))
    order = np.lexsort((np.array(list(keys), dtype=str), np.where(scored, -scores, np.inf)))
    kept = np.zeros(len(scores), dtype=bool)
    kept[order[: min(wanted, int(scored.sum()))]] = True
    return kept


def cut_of(selection: pa.Table, rules: SelectRules) -> float | None:
    """The lowest kept train score: the line in the histogram. None where nothing was cut."""
    if rules.keep is None and rules.threshold is None and rules.top_k is None:
        return None
    if rules.threshold is not None:
        return rules.threshold
    split = np.array(selection["split"].to_pylist())
    scores = selection["score"].to_numpy(zero_copy_only=False)[live(selection) & (split == "train")]
    return float(scores.min()) if len(scores) else None


@dataclass(frozen=True)
class SelectTask:
    """Records that dedup kept, their scores and their patients -> SELECTION, in ingest order."""

    ingest: str
    partitions: int
    dedup: str
    scores: str | None
    rules: SelectRules
    splits: SplitRules

    def rows(self, partition: int) -> int:
        """The cut is global: one unit."""
        return 1

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """SELECTION rows of all records that dedup kept."""
        table = read_parts(Path(self.dedup))
        table = table.filter(pa.array(live(table))).select(["key", "partition"])
        keys: list[str] = table["key"].to_pylist()
        patients = self._patients()
        split = split_all([patients[k] for k in keys], self.splits)
        scores = self._scores(keys)
        cut_here = np.array([self.rules.filter_eval or s == "train" for s in split], dtype=bool)
        kept = ~cut_here
        kept[cut_here] = choose(scores[cut_here], [k for k, c in zip(keys, cut_here, strict=True) if c], self.rules)
        made = pa.table(
            {
                "key": table["key"],
                "partition": table["partition"],
                "split": pa.array(split, pa.string()),
                "score": pa.array(scores, pa.float32(), from_pandas=True),
                "weight": pa.array(np.ones(len(keys), dtype=np.float32)),
            }
        )
        reasons = [
            None if k else Reason.UNSCORED if np.isnan(s) else Reason.BELOW_CUT
            for k, s in zip(kept, scores, strict=True)
        ]
        return drop_each(conform(made, SELECTION), reasons, STEP)

    def _patients(self) -> dict[str, str]:
        out: dict[str, str] = {}
        for i in range(self.partitions):
            part = read_table(part_path(Path(self.ingest), i), ["key", "patient"])
            out.update(zip(part["key"].to_pylist(), part["patient"].to_pylist(), strict=True))
        return out

    def _scores(self, keys: list[str]) -> np.ndarray:
        if self.scores is None:
            return np.full(len(keys), np.nan, dtype=np.float32)
        table = read_parts(Path(self.scores), ["key", self.rules.by], empty=score_schema(self.rules.by))
        by_key = dict(zip(table["key"].to_pylist(), table[self.rules.by].to_pylist(), strict=True))
        return np.array([np.nan if (s := by_key.get(k)) is None else s for k in keys], dtype=np.float32)
