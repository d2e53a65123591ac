"""The semantic step: a filter's embeddings and what the texts claim, read by key -> who goes for whom."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from curate.dedup.rules import SemanticRules
from curate.dedup.semantic import NOTHING, Floats, Rows, Vectors, drop_duplicates, nearest_better, threshold_for
from curate.errors import RecipeError
from curate.export.columns import columns_in, read_columns
from curate.export.select import splits_of
from curate.export.split import SPLITS, SplitRules
from curate.intact import part_path
from curate.places import place
from curate.record import SEMANTIC, Reason, conform, live
from curate.storage import read_table

STEP = "semantic"
_TOLD = b"radsift.semantic"


@dataclass(frozen=True)
class SemanticTask:
    """One unit of global work: what dedup kept -> SEMANTIC, in its order. Only the train split is looked at: held-out
    records stay, and nothing goes for one of them."""

    ingest: str
    dedup: str
    scores: str
    partitions: int
    rules: SemanticRules
    splits: SplitRules

    def rows(self, partition: int) -> int:
        """The work is global: one unit."""
        return 1

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """SEMANTIC rows of all records that dedup kept; RecipeError where the filter gives no embeddings."""
        kept = read_columns(place(self.dedup), ("key", "partition", "cluster", "drop_reason"))
        kept = kept.filter(pa.array(live(kept)))
        keys, vectors = self._vectors()
        pool = _frame(pa.table({"key": keys, "row": np.arange(len(keys))}))
        pool = self._facts(kept).join(pool, on="key", how="inner").filter(pl.col("split") == SPLITS.index("train"))
        pool = pool.sort(["score", "key"], descending=[True, False], nulls_last=True)  # best first
        ranked = vectors[pool["row"].to_numpy()]
        del vectors
        claim, patient = (pool[name].rank("dense").to_numpy().astype(np.int64) for name in ("claim", "patient"))
        similarity, nearest = nearest_better(ranked, claim, patient, self.rules)
        threshold = self.rules.similarity
        if self.rules.keep is not None:
            threshold = threshold_for(similarity, self.rules.keep)
        assert threshold is not None
        parent, _ = drop_duplicates(ranked, similarity, nearest, threshold)
        return _table(kept, pool["key"], similarity, parent, threshold)

    def _facts(self, kept: pa.Table) -> pl.DataFrame:
        """key, split, patient, score and claim of each kept record that was scored."""
        facts = read_columns(place(self.ingest), ("key", "patient", "official_split", "text_hash"))
        if not facts.num_columns or not kept.num_rows:
            names = {"key": pl.String, "split": pl.Int8, "patient": pl.String, "score": pl.Float32, "claim": pl.String}
            return pl.DataFrame(schema=names)
        scored = read_columns(place(self.scores), ("key", self.rules.by, "findings"))
        table = (
            _frame(kept.select(["key"]))
            .join(_frame(facts), on="key", how="inner")
            .join(_frame(scored), on="key", how="inner")
        )
        split = splits_of(
            table["patient"].to_arrow().cast(pa.string()), self.splits, table["official_split"].to_arrow()
        )
        findings = pl.col("findings").fill_null("")
        # A text of which no finding is known claims what its very words say.
        claim = (
            pl.when(findings == "").then(pl.lit("=") + pl.col("text_hash").fill_null(pl.col("key"))).otherwise(findings)
        )
        return table.select(
            "key",
            pl.Series("split", split),
            "patient",
            pl.col(self.rules.by).fill_nan(None).alias("score"),
            claim.alias("claim"),
        )

    def _vectors(self) -> tuple[pa.Array, Vectors]:
        """(keys, float16[n, d] of length one) of the records that have an embedding, part by part."""
        column, folder = f"{self.rules.by}_image_embedding", place(self.scores)
        there = columns_in(folder)
        if there and column not in there:
            fix = "name a filter with towers, in this run or brought"
            raise RecipeError("semantic.by", f"filter '{self.rules.by}' gives no embeddings", fix)
        found: list[pa.Array] = []
        vectors: list[npt.NDArray[np.float16]] = []
        for i in range(self.partitions if there else 0):
            table = read_table(part_path(folder, i), ["key", column])
            flat = table[column].combine_chunks()
            some = flat.is_valid()
            values = flat.filter(some).flatten().to_numpy(zero_copy_only=False)
            rows = values.reshape(-1, flat.type.list_size).astype(np.float32)
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
            whole = np.isfinite(rows).all(axis=1)
            vectors.append(rows[whole].astype(np.float16))
            found.append(table["key"].combine_chunks().filter(some).filter(pa.array(whole)))
        if not vectors:
            return pa.array([], pa.string()), np.zeros((0, 1), np.float16)
        return pa.concat_arrays(found), np.concatenate(vectors)


def _table(kept: pa.Table, keys: pl.Series, similarity: Floats, parent: Rows, threshold: float) -> pa.Table:
    gone = parent != np.arange(len(parent))
    decided = pl.DataFrame(
        {
            "key": keys,
            "similarity": pl.Series(similarity).replace(float(NOTHING), None),
            "duplicate_of": keys.gather(parent).set(pl.Series(~gone), None) if len(keys) else keys,
        }
    )
    table = _frame(kept.select(["key", "partition"])).join(decided, on="key", how="left", maintain_order="left")
    dropped = pl.col("duplicate_of").is_not_null()
    table = table.with_columns(
        pl.coalesce("duplicate_of", "key").alias("cluster"),
        pl.when(dropped).then(pl.lit(STEP)).alias("drop_step"),
        pl.when(dropped).then(pl.lit(Reason.SEMANTIC_DUPLICATE.value)).alias("drop_reason"),
    )
    return conform(table.to_arrow(), SEMANTIC).replace_schema_metadata({_TOLD: repr(round(threshold, 4)).encode()})


def _frame(table: pa.Table) -> pl.DataFrame:
    return cast("pl.DataFrame", pl.from_arrow(table))
