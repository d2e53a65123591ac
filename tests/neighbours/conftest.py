"""A folder of shards as a run leaves it, small, with all that makes readers stumble: fields that only some records
have, a split of one record, umlauts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curate.export.card import DESCRIPTIONS, CardFacts, SplitFacts, card_bytes, index_schema
from curate.export.croissant import croissant_bytes
from curate.export.webdataset import CROISSANT, README, shard_table, write_shard
from curate.record import RECORD, conform
from curate.sources.images.encode import encode_png

SIZES = {"train": (8, 6), "val": (3,), "test": (1,)}
KEPT = ("plane", "quality")


def records(split: str, first: int, n: int) -> pa.Table:
    """RECORD rows with what `select` adds; only every third has an age, a view, painted boxes, a kept column."""
    rows = []
    for i in range(first, first + n):
        pixels = np.random.default_rng(i).integers(0, 255, (32 + i, 48), dtype=np.uint8)
        row = {"key": f"{i:032x}", "patient": f"{i // 2:032x}", "study": f"{i:032x}", "source": "archive"}
        row |= {"image": encode_png(pixels), "image_format": "png", "width": 48, "height": 32 + i, "bits": 8}
        row |= {"text": f"Müde – record {i}.", "sections": [("findings", f"Müde – record {i}.")], "modality": "CR"}
        if i % 3 == 2:
            row |= {"age": 60, "view": "PA", "painted": [[1, 2, 3, 4]], "meta": [("plane", "axial")]}
        rows.append(row)
    table = conform(pa.Table.from_pylist(rows, RECORD), RECORD).append_column("split", pa.array([split] * n))
    table = table.append_column("score", pa.array([0.5 if split == "train" else None] * n, pa.float32()))
    return table.append_column("weight", pa.array([1] * n, pa.float32()))


def facts_of(folder: Path, **changes: object) -> CardFacts:
    """The card's facts of the shards there."""
    found = shard_table(folder)
    splits = []
    for split in SIZES:
        mine = [s for s in found if s["split"] == split]
        n = sum(s["records"] for s in mine)
        told = (n + 2, {"score_below_cut": 2}, True) if split == "train" else (n, {}, False)
        splits.append(SplitFacts(split, n, n, n, n, len(mine), sum(s["bytes"] for s in mine), *told))
    usual = CardFacts(
        title="small",
        license="cc-by-4.0",
        product="0.1.0",
        content_version="0123456789ab",
        languages=("en",),
        images=("png",),
        meta_columns=KEPT,
        sections=("findings", "impression"),
        splits=splits,
        select={"by": "ours", "keep": 0.5},
        filters={"ours": "ours"},
        deid={"burned_in": "blank"},
    )
    return CardFacts(**vars(usual) | changes)


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "shards"
    first = 0
    for split, sizes in SIZES.items():
        for number, n in enumerate(sizes):
            write_shard(folder / split, f"{number:06d}", records(split, first, n), meta_columns=KEPT)
            first += n
    facts = facts_of(folder)
    (folder / README).write_bytes(card_bytes(facts))
    (folder / CROISSANT).write_bytes(croissant_bytes(facts, index_schema(facts), DESCRIPTIONS))
    return folder
