"""Why a record's score is what it is: its place among the others, by every column, and the fault a filter suspects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import polars as pl

from curate.export.select import cut_of
from curate.report.words import FAULTS
from curate.step import read_parts
from pipelines.build import Pipeline
from pipelines.report.story import finished


@dataclass(frozen=True)
class Standing:
    """A record's ``value`` in a filter's column; ``above``: the share (0 to 1) of the others that it exceeds."""

    column: str
    value: float
    above: float


@dataclass(frozen=True)
class Why:
    """``score`` by the recipe's select.by, the share of the ``others`` train records it exceeds, the ``cut`` (None
    where it is not one line), every column's standing, and the ``fault`` that a filter finds likeliest, if likelier
    than that the pair is right, with its probability.
    ``is_cut``: whether the cut is over the record's split at all."""

    split: str
    score: float
    above: float
    others: int
    cut: float | None
    is_cut: bool
    columns: tuple[Standing, ...]
    fault: tuple[str, float] | None

    def lines(self) -> list[str]:
        """The same in words."""
        higher = f"higher than {self.above:.1%} of the {self.others:,} train records scored"
        found = [f"score {self.score + 0.0:.4g}: {higher}"]
        if not self.is_cut:
            found.append(f"not cut: {self.split} keeps every record, whatever its score (else select.filter_eval)")
        elif self.cut is not None:
            far = "at or above" if self.score >= self.cut else "below"
            found.append(f"{far} the cut, {self.cut + 0.0:.4g}")
        if self.fault is not None:
            name, probability = self.fault
            found.append(f"likeliest fault: {name} ({FAULTS.get(name, name)}), probability {probability:.2f}")
        return [
            *found,
            *(f"{each.column} {each.value + 0.0:.4g}: higher than {each.above:.1%}" for each in self.columns),
        ]


def why(pipeline: Pipeline, key: str) -> Why | None:
    """Why the record ``key`` scored as it did; None where it has no score. Reads narrow columns only."""
    folders = finished(pipeline)
    if not {"score", "select"} <= folders.keys():
        return None
    selection = read_parts(folders["select"], ["key", "split", "score", "drop_reason"])
    chosen = pl.DataFrame(pl.from_arrow(selection))
    mine = chosen.filter(pl.col("key") == key)
    if not mine.height or not _is_number(mine["score"][0]):
        return None
    train = chosen.filter((pl.col("split") == "train") & (pl.col("key") != key) & _numbers("score"))
    rules, scores = pipeline.recipe.select_rules(), _scores(folders["score"])
    split, score = str(mine["split"][0]), float(mine["score"][0])
    return Why(
        split=split,
        score=score,
        above=_above(train["score"], score),
        others=train.height,
        cut=cut_of(selection, rules),
        is_cut=rules.cuts and (split == "train" or rules.filter_eval),
        columns=tuple(_standings(scores, key, train)),
        fault=_fault(pipeline, scores.filter(pl.col("key") == key)),
    )


def _standings(scores: pl.DataFrame, key: str, train: pl.DataFrame) -> list[Standing]:
    """The record's place in every filter's columns."""
    mine, others = scores.filter(pl.col("key") == key), scores.join(train.select("key"), on="key")
    found = []
    for column in scores.columns[1:]:
        value = mine[column][0] if mine.height else None
        if _is_number(value):
            among = others.filter(_numbers(column))[column]
            found.append(Standing(column, value, _above(among, value)))
    return found


def _scores(folder: Path) -> pl.DataFrame:
    """key, and every column of numbers that the filters wrote."""
    table = read_parts(folder)
    wanted = [f.name for f in table.schema if f.name == "key" or str(f.type) in ("float", "double")]
    return pl.DataFrame(pl.from_arrow(table.select(wanted)))


def _fault(pipeline: Pipeline, mine: pl.DataFrame) -> tuple[str, float] | None:
    """The likeliest fault by a filter that tells them apart, where it is likelier than that the pair is right."""
    for name in (n for n, f in pipeline.recipe.filters.items() if f.method == "ours"):
        columns = {fault: f"{name}_{fault}" for fault in FAULTS if fault != "duplicate"}  # that one is no class
        values = {fault: mine[c][0] for fault, c in columns.items() if mine.height and c in mine.columns}
        known = {fault: float(v) for fault, v in values.items() if _is_number(v)}
        if known and max(known.values()) > float(mine[name][0] or 0.0):
            return max(known.items(), key=lambda item: item[1])
    return None


def _numbers(column: str) -> pl.Expr:
    return pl.col(column).is_not_null() & pl.col(column).is_not_nan()


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, float) and value == value


def _above(others: pl.Series, value: float) -> float:
    return float((others < value).sum() / len(others)) if len(others) else 0.0
