"""Scoring through the product's own step, from the step's own files: decode in threads, towers, scores by key.

The records lie as ingest and dedup leave them; `filters.task.ScoreTask` prepares and scores them, the next batch made
while the model computes, as an engine's worker has it. One worker; on Ray several decode for one model.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.filters.pool import make_pool
from benchmarks.filters.rate import random_filter
from benchmarks.gpu.roof import wait
from benchmarks.training.shards import as_jpeg
from curate.engine.ahead import one_ahead
from curate.intact import part_path
from filters.method import Batch
from filters.task import Pool, ScoreTask
from filters.towers.encoder import Filter


def write_pool(work: Path, records: int, partitions: int, side: int, workers: int) -> Pool:
    """Films of ``side`` px as JPEG and their reports, where the score step looks for ingest's and dedup's."""
    ingest, dedup = work / "ingest", work / "dedup"
    ingest.mkdir(parents=True)
    dedup.mkdir()
    made = make_pool(records, 1, clean=1.0, side=side, workers=workers).records
    made = replace(made, images=[as_jpeg(image) for image in made.images])
    owner = np.arange(records) * partitions // records
    for i in range(partitions):
        part = made.take(np.flatnonzero(owner == i))
        columns = {"key": part.keys, "image": part.images, "text": part.texts, "patient": part.groups}
        pq.write_table(pa.table(columns | {"pixel_hash": part.keys}), part_path(ingest, i), write_page_checksum=True)
    kept = {"key": made.keys, "drop_reason": pa.nulls(records, pa.string()), "partition": pa.array(owner)}
    pq.write_table(pa.table(kept), part_path(dedup, 0), write_page_checksum=True)
    return Pool(str(ingest), partitions, str(dedup))


def measure(
    arch: str, pool: Pool, folder: Path, device: str, batch: int, threads: int, seconds: float, peak: float, **how: Any
) -> dict[str, Any]:
    """Pairs/s end to end, of preparing alone and of the model alone, for about ``seconds`` each; the share of the time
    spent waiting for a batch, and of ``peak`` (FLOP/s). ``how`` the filter scores (`filters.registry.SCORING`)."""
    plain = random_filter(arch, folder, **how)
    task = ScoreTask(pool, {"s": str(folder)}, batch, device, threads=threads)
    scorer: Any = task.model()
    ready = list(task.prepare(0))
    began = time.perf_counter()
    for one in ready:  # compiles what is compiled, a shape at a time
        scorer(one)
    wait(device)
    found: dict[str, Any] = {"arch": Path(arch).stem, **how, "batch": batch, "decode threads": threads}
    found["s to begin"] = time.perf_counter() - began
    flop = _flop(plain, [text for one in ready for text in one.texts])
    found["pairs/s, model alone"], _ = _pace(itertools.cycle(ready), scorer, seconds, device)
    found["pairs/s, preparing alone"], _ = _pace(_prepared(task), lambda _: None, seconds, device)
    found["pairs/s"], found["share waiting"] = _pace(one_ahead(_prepared(task)), scorer, seconds, device)
    return found | {"GFLOP/pair": flop / 1e9, "share of peak": found["pairs/s"] * flop / peak}


def _prepared(task: ScoreTask) -> Iterator[Batch]:
    for partition in itertools.cycle(range(task.pool.partitions)):
        yield from task.prepare(partition)


def _pace(batches: Iterator[Batch], use: Any, seconds: float, device: str) -> tuple[float, float]:
    """Pairs/s, and the share of the time until the next batch was there."""
    next(batches)
    pairs, waited, began = 0, 0.0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        use(batch)
        pairs += len(batch.texts)
    wait(device)
    return pairs / (time.perf_counter() - began), waited / (time.perf_counter() - began)


@torch.inference_mode()
def _flop(model: Filter, texts: list[str]) -> float:
    """FLOPs of a pair's two towers, each text as long as it is encoded; padding is no work."""
    ids = torch.from_numpy(model.tokenizer(texts))
    _, first, counts = np.unique(model.lengths(ids).numpy(), return_index=True, return_counts=True)
    with FlopCounterMode(display=False) as counter:
        model.encode_images(torch.zeros(1, 1, model.side, model.side, dtype=torch.uint8))
    work = float(counter.get_total_flops())
    for at, count in zip(first, counts, strict=True):
        with FlopCounterMode(display=False) as counter:
            model.encode_ids(ids[at : at + 1])
        work += counter.get_total_flops() * count / len(texts)
    return work
