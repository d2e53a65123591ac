"""How fast pairs are scored: end to end (decode, resize, tokenize, both towers) against the towers alone.

On a CPU one process prepares in a thread beside the model; on a GPU decode workers feed it. The GPU half (ViT-B/32 and
ViT-L/14, bfloat16, compiled) runs where there is one, and reports the share of its peak.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.filters.pool import make_pool
from benchmarks.peaks import peak
from curate.engine.ahead import one_ahead
from filters.checkpoint import build, read_config
from filters.method import Records, TrainingSet
from filters.methods.towers import Rules, Towers, train
from filters.model import load_filter
from filters.score import Needs, prepare
from filters.training.rules import FilterTrainingRules

_BATCH = 64


def on_cpu(pairs: int = 2000, repeats: int = 3) -> dict[str, float]:
    """Pairs/s of the towers alone and end to end, the best of ``repeats`` each, in turn."""
    torch.set_num_threads(1)
    pool = make_pool(pairs, 1, workers=1).records
    with tempfile.TemporaryDirectory() as folder:
        few = pool.take(range(200))
        train(TrainingSet(few), Path(folder), Rules(train=FilterTrainingRules(epochs=1, threads=1), bank=0))
        towers = Towers(load_filter(Path(folder), "cpu"), None)
    needs = Needs((towers.filter.side,))
    ready = list(prepare(pool.images, pool.texts, needs, _BATCH))
    alone, whole = [], []
    with torch.inference_mode():
        for _ in range(repeats):
            alone.append(_seconds(lambda: [towers.embed(b) for b in ready]))
            whole.append(_seconds(lambda: _end_to_end(towers, pool, needs)))
    return {"model only": pairs / min(alone), "end to end": pairs / min(whole), "share": min(alone) / min(whole)}


def _end_to_end(towers: Towers, pool: Records, needs: Needs) -> None:
    with torch.inference_mode():
        for batch in one_ahead(prepare(pool.images, pool.texts, needs, _BATCH)):
            towers.embed(batch)


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def on_gpu(arch: str, batch: int = 1024, steps: int = 30) -> dict[str, Any]:
    """Pairs/s of ``arch`` in bfloat16, compiled, from uint8 pixels in the GPU's memory, and the share of its peak."""
    from torch.utils.flop_counter import FlopCounterMode

    config = read_config(arch)
    model: Any = build(config).to("cuda", torch.bfloat16).eval()
    side, context = config["vision_cfg"]["image_size"], config["text_cfg"].get("context_length", 77)
    pixels = torch.randint(0, 256, (batch, 3, side, side), dtype=torch.uint8, device="cuda")
    ids = torch.randint(1, 1000, (batch, context), device="cuda")

    def score(pixels: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        x = (pixels.to(torch.bfloat16) - 127.5) / 64
        left, right = model.encode_image(x, normalize=True), model.encode_text(ids, normalize=True)
        cosine: torch.Tensor = (left * right).sum(dim=-1)
        return cosine

    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            score(pixels[:8], ids[:8])
        flop = counter.get_total_flops() / 8
        compiled = torch.compile(score, mode="max-autotune")
        for _ in range(3):
            compiled(pixels, ids)
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            compiled(pixels, ids)
        torch.cuda.synchronize()
    rate = batch * steps / (time.perf_counter() - began)
    name = torch.cuda.get_device_name()
    most = peak(name)
    share = None if most is None else rate * flop / most
    return {"gpu": name, "arch": arch, "pairs/s": rate, "GFLOP/pair": flop / 1e9, "share of peak": share}


def main() -> None:
    """Print both, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures here, too")
    options = parser.parse_args()
    found: dict[str, Any] = {"cpu": on_cpu()}
    if torch.cuda.is_available():
        found["gpu"] = [on_gpu(arch) for arch in ("ViT-B-32", "ViT-L-14")]
    text = json.dumps(found, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
