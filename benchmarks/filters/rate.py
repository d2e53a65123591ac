"""How fast pairs are scored on a CPU: the product's scorer against open_clip, batched by hand in the same precision.

    python -m benchmarks.filters.rate [--arch ViT-B-32] [--pairs 400] [--batch 64] [--repeats 3] [--out FILE]

Both read the same encoded pictures and texts, in one process and one thread, in turn; pairs a CPU-second, the best of
the repeats. By hand means the least a person would write: OpenCV, normalise, open_clip's towers over whole batches at
the text's full length, the model's weights in the precision. The GPU's part is `benchmarks/gpu.sh`.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.filters.pool import make_pool
from curate.engine.ahead import one_ahead
from filters.method import Records, TrainingSet
from filters.methods.two_towers import Rules, train
from filters.registry import SCORING
from filters.rules import FilterTrainingRules as FilterTrainingRules
from filters.rules import ModelRules
from filters.score import Scorer, prepare
from filters.towers.model import Filter, arch_name, create_filter, save_filter
from filters.towers.transformers_folder import Picture

PRECISIONS = {"f32": torch.float32, "bf16": torch.bfloat16}


def on_cpu(pairs: int = 2000, repeats: int = 3) -> dict[str, float]:
    """The smallest towers, which decoding could hold up most: pairs/s of the towers alone and of decode to score, the
    best of ``repeats`` each, in turn."""
    torch.set_num_threads(1)
    pool = make_pool(pairs, 1, workers=1).records
    with tempfile.TemporaryDirectory() as folder:
        few = pool.take(range(200))
        train(TrainingSet(few), Path(folder), Rules(train=FilterTrainingRules(epochs=1, threads=1), bank=0))
        scorer = Scorer({"s": folder}, "cpu")
    ready = list(prepare(pool.images, pool.texts, scorer.needs, 64))
    alone, whole = [], []
    for _ in range(repeats):
        alone.append(_seconds(lambda: [scorer(b) for b in ready]))
        whole.append(
            _seconds(lambda: [scorer(b) for b in one_ahead(prepare(pool.images, pool.texts, scorer.needs, 64))])
        )
    return {"model only": pairs / min(alone), "end to end": pairs / min(whole), "share": min(alone) / min(whole)}


def random_filter(arch: str, folder: Path, **scoring: Any) -> Filter:
    """A filter of ``arch`` with random weights, seed 0, in ``folder``, scored as ``scoring`` says (`SCORING`)."""
    assert set(scoring) <= set(SCORING)
    torch.manual_seed(0)
    made = create_filter(ModelRules(arch, None, "open_clip"), [], 0, "cpu")
    card = {"format": 1, "method": "clip", "arch": arch_name(arch), "tokenizer": "open_clip"}
    save_filter(made, folder, card | {"preprocessing": made.preprocessing, "rules": scoring})
    return made


def measure(arch: str, pairs: int, batch: int = 64, repeats: int = 3, margin: bool = True) -> dict[str, Any]:
    """By precision: pairs a CPU-second of the product, by hand, the product's share of that, and with ``margin``."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as work:
        for name, dtype in PRECISIONS.items():
            folder = Path(work) / name
            model = random_filter(arch, folder, precision=name)
            pool = make_pool(pairs, 1, clean=1.0, side=model.side, workers=1).records
            scorer = Scorer({"s": str(folder)}, "cpu")
            ways: dict[str, Callable[[], Any]] = {
                "product": partial(_by_product, scorer, pool, batch),
                "by hand": by_hand(model, dtype, pool, batch),
            }
            rates: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(repeats):
                for way, run in ways.items():
                    rates[way].append(pairs / _cpu_seconds(run))
            best = {way: max(values) for way, values in rates.items()}
            found[name] = best | {"share": best["product"] / best["by hand"]}
            if margin:
                random_filter(arch, folder, precision=name, margin=True)
                few = pool.take(range(min(pairs, batch)))
                run = partial(_by_product, Scorer({"s": str(folder)}, "cpu"), few, batch)
                found[name]["product with margin"] = len(few) / _cpu_seconds(run)
    return found


def _by_product(scorer: Scorer, pool: Records, batch: int) -> None:
    for ready in prepare(pool.images, pool.texts, scorer.needs, batch):
        scorer(ready)


def by_hand(model: Filter, dtype: torch.dtype, pool: Records, batch: int) -> Callable[[], torch.Tensor]:
    """A loop over the pool with open_clip alone; cosines float32[n]."""
    towers: Any = model.model.to(dtype)
    tokenizer = model.tokenizer
    picture = Picture(model.side, model.preprocessing["mean"], model.preprocessing["std"])

    @torch.inference_mode()
    def run() -> torch.Tensor:
        parts = []
        for start in range(0, len(pool), batch):
            rows = slice(start, start + batch)
            grey = [cv2.imdecode(np.frombuffer(b, np.uint8), cv2.IMREAD_GRAYSCALE) for b in pool.images[rows]]
            pixels = picture.normalise(torch.from_numpy(np.stack(grey))[:, None]).to(dtype)
            left = towers.encode_image(pixels, normalize=True)
            right = towers.encode_text(torch.from_numpy(tokenizer(pool.texts[rows])), normalize=True)
            parts.append((left * right).sum(dim=1).float())
        return torch.cat(parts)

    return run


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _cpu_seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="ViT-B-32")
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the figures here, too")
    options = parser.parse_args(arguments)
    logging.getLogger().setLevel(logging.ERROR)  # open_clip's news of random weights
    text = json.dumps(measure(options.arch, options.pairs, options.batch, options.repeats), indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
