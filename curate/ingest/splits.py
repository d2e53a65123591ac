"""Splits that the source itself declares: read, and settled so that no patient is on two sides.

A record is told its split by its path, by a column of its report, or by a table of its own; where these differ, the
strongest counts: test before val before train. A patient is on one side only: the strongest that any of the patient's
records was told. What was told another, or nothing, beside an evaluation split is dropped, so that the published
evaluation sets stay what they are and nothing of their patients is trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import polars as pl
import pyarrow as pa

from curate.errors import RecipeError
from curate.export.split import KEYS, STRENGTH, UNKNOWN, SplitRules
from curate.ingest.files import with_column
from curate.record import Reason
from curate.sources.pairing.paths import shapes, stem

_ASKED = ("image_id", "relative", "sop_uid", "accession", "study_uid", "patient_id")


def with_table_splits(files: pa.Table, rules: SplitRules) -> pa.Table:
    """``files`` (SCAN after `with_path_keys`) with ``table_split``: what the rules' table says of each, null where it
    says nothing."""
    table, kind = rules.table, pa.list_(pa.string())
    if table is None:
        return files.append_column("table_split", pa.nulls(files.num_rows, kind))
    rows = files.select(_ASKED).to_pylist()
    splits: dict[str, dict[str, list[str]]] = {}
    for key in KEYS:
        column = getattr(table, key)
        if column is not None:
            names = pl.Series(list({v for file in rows for v in _names_of(file)[key] if v}), dtype=pl.String)
            pairs = table.rows.select(pl.col(column).alias("k"), pl.col(table.column).alias("v"))
            pairs = pairs.filter(pl.col("k").is_in(names.implode()))
            grouped = pairs.group_by("k", maintain_order=True).agg(pl.col("v").unique())
            splits[key] = dict(zip(grouped["k"].to_list(), grouped["v"].to_list(), strict=True))
    found = [_from_table(splits, file) for file in rows]
    return files.append_column("table_split", pa.array(found, kind))


def require_named(files: int, named: int, rules: SplitRules) -> None:
    """RecipeError where the rules' table names none of an archive's ``files``, ``named`` of them being 0."""
    columns = [column for key in KEYS if rules.table and (column := getattr(rules.table, key))]
    if rules.table is not None and columns and files and not named:
        shown = "; ".join(f"{c} is like {', '.join(shapes(rules.table.rows[c].to_list()))}" for c in columns)
        raise RecipeError("split.table", f"names none of the archive's images: {shown}", "name other columns")


def split_of_file(file: Mapping[str, Any], column: str, rules: SplitRules) -> str | None:
    """The split of a file (columns of `with_table_splits`) whose report's ``column`` says that; "?": unknown."""
    return rules.strongest([file["split"], column, *(file["table_split"] or ())])


def _from_table(splits: Mapping[str, Mapping[str, list[str]]], file: Mapping[str, Any]) -> list[str] | None:
    names = _names_of(file)
    return next((rows[value] for key, rows in splits.items() for value in names[key] if value and value in rows), None)


def _names_of(file: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """What a table may call the file by, by the kinds of its columns."""
    path = file["relative"]
    name = PurePosixPath(path).name
    return {
        "image": (file["image_id"], path, name, stem(name), file["sop_uid"]),
        "accession": (file["accession"],),
        "study": (file["study_uid"], file["accession"]),
        "patient": (file["patient_id"],),
    }


def settle(index: pa.Table, rules: SplitRules) -> pa.Table:
    """INDEX rows with their split and, where it says what is none ("?") or is on another side than their patient, a
    reason: UNKNOWN_SPLIT, SPLIT_CONFLICT. Unchanged where nobody declares a split."""
    table = pl.DataFrame(pl.from_arrow(index.select(["patient", "official_split", "drop_step", "drop_reason"])))
    if table["official_split"].is_null().all():
        return index
    unknown = (pl.col("official_split") == UNKNOWN).fill_null(False)
    rank = pl.col("official_split").replace_strict(STRENGTH, default=None, return_dtype=pl.Int8)
    table = table.with_columns(unknown.alias("unknown"), rank.alias("rank"))
    table = table.with_columns(pl.col("rank").max().over("patient").alias("most"))
    alive, most, mine = pl.col("drop_reason").is_null(), pl.col("most"), pl.col("rank")
    against = alive & ((mine < most) | (mine.is_null() & (most > STRENGTH["train"]))).fill_null(False)
    rest = None if rules.others == "hash" else "train"
    split = pl.when(mine.is_not_null()).then("official_split").when(most.is_not_null()).then(pl.lit("train"))
    reason = (
        pl.when(alive & pl.col("unknown")).then(pl.lit(Reason.UNKNOWN_SPLIT.value))
        .when(against).then(pl.lit(Reason.SPLIT_CONFLICT.value))
        .otherwise("drop_reason")
    )  # fmt: skip
    step = pl.when(alive & (pl.col("unknown") | against)).then(pl.lit("index")).otherwise("drop_step")
    settled = table.select(
        split.otherwise(pl.lit(rest, pl.String)).alias("official_split"),
        step.alias("drop_step"),
        reason.alias("drop_reason"),
    ).to_arrow()
    for name in ("official_split", "drop_step", "drop_reason"):
        index = with_column(index, name, settled[name].cast(pa.string()))
    return index
