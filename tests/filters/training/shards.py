"""Shards of chest films, as any WebDataset writer makes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import webdataset

from filters.method import Records
from tests.filters.films import films


def write_films(folder: Path, n: int = 256, per_shard: int = 100, seed: int = 3, clean: float = 1.0) -> Records:
    """``n`` films and their reports as shards in ``folder``; returns what was written."""
    records = films(n, seed, clean).records
    write_shards(folder, records, per_shard)
    return records


def write_shards(folder: Path, records: Records, per_shard: int = 100, weights: Sequence[float] | None = None) -> None:
    """``records`` as shards, with a Parquet index of weights where those are given."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(records), per_shard)):
        rows = range(start, min(start + per_shard, len(records)))
        with webdataset.TarWriter(str(folder / f"{number:06d}.tar"), mtime=0) as tar:
            for i in rows:
                facts = {"key": records.keys[i], "sections": {"findings": records.texts[i]}}
                sample = {"__key__": records.keys[i], "png": records.images[i], "txt": records.texts[i]}
                tar.write({**sample, "json": json.dumps(facts)})
        if weights is not None:
            index = {"key": [records.keys[i] for i in rows], "weight": [float(weights[i]) for i in rows]}
            pq.write_table(pa.table(index), folder / f"{number:06d}.parquet")
