"""Our loader against `webdataset` on the same shards, with the same functions to decode, augment and tokenise.

webdataset reads the tars from end to end, unshuffled, the fastest it can; ours reads records in the training's order.
What is timed is the stream from the first batch on: how fast processes start is nothing a training waits for twice.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import webdataset

from benchmarks.filters.pool import make_pool
from benchmarks.training.shards import as_jpeg, write_shards
from filters.rules import TrainingRules
from filters.towers import preprocess
from filters.towers.tokenizer import TextTokenizer, train_wordpiece
from filters.training.distributed import DistributedContext
from filters.training.loader import Steps, augment_image, choices, load
from filters.training.plan import make_plan
from filters.training.shards import open_shards

SIDE, _BATCH, _CONTEXT = 224, 64, 64


def measure(
    work: Path, records: int = 2048, repeats: int = 5, kinds: tuple[str, ...] = ("png", "jpeg"), most: int = 2
) -> dict[str, Any]:
    """Records/s of both by kind of image and number of workers up to ``most``, in turn; ``ratio`` is ours over theirs,
    of medians."""
    found: dict[str, Any] = {}
    for kind in kinds:
        folder = film_shards(work, records, kind)
        shards = open_shards(folder)
        tokenizer = train_wordpiece([shards.text(i) for i in range(min(len(shards), 500))], 4096, _CONTEXT)
        for workers in range(most + 1):
            rates: dict[str, list[float]] = {"ours": [], "webdataset": []}
            for _ in range(repeats):
                rates["ours"].append(_rate(_ours(folder, tokenizer, workers)))
                rates["webdataset"].append(_rate(_theirs(folder, tokenizer, workers)))
            ours, theirs = (statistics.median(rates[name]) for name in ("ours", "webdataset"))
            found[f"{kind}, {workers} workers"] = {**rates, "ratio": ours / theirs}
    return found


def film_shards(work: Path, records: int, kind: str = "png", workers: int = 1) -> Path:
    """Shards of synthetic films of 224 px in ``work``, grey, right pairs; drawn once, by ``workers`` processes."""
    folder = work / f"films-{records}-{kind}"
    if not folder.is_dir():
        made = make_pool(records, 1, clean=1.0, side=SIDE, workers=workers).records
        if kind == "jpeg":
            made = replace(made, images=[as_jpeg(image) for image in made.images])
        write_shards(folder, made, per_shard=max(_BATCH, records // 8))
    return folder


def _ours(folder: Path, tokenizer: TextTokenizer, workers: int) -> Iterable[Any]:
    rules = TrainingRules(batch=_BATCH, samples=len(open_shards(folder)) // _BATCH * _BATCH)
    plan = make_plan(open_shards(folder), rules)
    return load(Steps(plan, rules, SIDE, tokenizer, DistributedContext()), workers)


def _theirs(folder: Path, tokenizer: TextTokenizer, workers: int) -> Iterable[Any]:
    urls = [str(path) for path in sorted(folder.glob("*.tar"))]
    dataset = (
        webdataset.WebDataset(urls, shardshuffle=False, nodesplitter=webdataset.split_by_node)
        .map(Prepare(SIDE))
        .batched(_BATCH, collation_fn=Collate(tokenizer), partial=False)
    )
    loader: Iterable[Any] = webdataset.WebLoader(
        dataset,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="forkserver" if workers else None,
    )
    return loader


@dataclass(frozen=True)
class Prepare:
    """A raw sample of webdataset to (pixels, text), by the functions our loader calls."""

    side: int

    def __call__(self, sample: dict[str, Any]) -> tuple[preprocess.Pixels, str]:
        cv2.setNumThreads(1)
        image = preprocess.read(sample.get("png") or sample.get("jpg"))
        assert image is not None
        rng = np.random.default_rng([0, 0, hash(sample["__key__"]) & 0xFFFFFFFF])
        pixels = augment_image(preprocess.square(image, self.side), rng)
        drawn = choices(sample["txt"].decode(), json.loads(sample["json"]), ("caption",))
        return pixels, drawn[0]


@dataclass(frozen=True)
class Collate:
    """Prepared samples to the tensors of a batch."""

    tokenizer: TextTokenizer

    def __call__(self, samples: list[tuple[preprocess.Pixels, str]]) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = torch.from_numpy(preprocess.stack([p for p, _ in samples])).permute(0, 3, 1, 2)
        return pixels, torch.from_numpy(self.tokenizer([t for _, t in samples]))


def _rate(batches: Iterable[Any]) -> float:
    """Records/s from the first batch to the last."""
    stream: Iterator[Any] = iter(batches)
    next(stream)
    began, count = time.perf_counter(), 0
    for _ in stream:
        count += _BATCH
    return count / (time.perf_counter() - began)
