"""How fast the final model trains on a GPU: ViT-B/32 and ViT-L/14, bfloat16, compiled, by the product's own loop.

    python -m benchmarks.training.gpu [--arch ViT-B-32 ViT-L-14] [--batch 1024 256] [--steps 60] [--workers N]
                                      [--records 8192] [--work FOLDER] [--out FILE]

Pairs/s and the share of the GPU's peak (torch counts the FLOPs of forward and backward pass, on tensors without
memory), once from uint8 pixels that are on the GPU already, once from shards of 224 px films. Where there is no GPU it
says so, prints the arithmetic and ends well.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peaks import peak
from benchmarks.training.loader import film_shards
from filters.checkpoint import build, read_config
from filters.encoder import Filter
from filters.model import create_filter
from filters.training.feed import final_trainer, shard_steps
from filters.training.loader import Batch, Steps
from filters.training.objectives import make_objective
from filters.training.plan import make_plan
from filters.training.rules import ModelRules, TrainingRules
from filters.training.shards import open_shards
from filters.training.world import World

DEFAULTS = {"ViT-B-32": 1024, "ViT-L-14": 256}  # architecture: pairs a step
_WORKERS = max(1, (os.cpu_count() or 1) - 2)
_WINDOW = 10  # steps; the first two windows compile and warm up


def flops(arch: str, context: int | None = None, pairs: int = 2) -> float:
    """FLOPs a pair of a training step (2 a multiply-add), texts ``context`` tokens long (None: the architecture's).

    Both towers forward and backward; the contrast itself, a thousandth of it at a batch of a thousand, is left out.
    """
    config = read_config(arch)
    side, tokens = config["vision_cfg"]["image_size"], context or config["text_cfg"].get("context_length", 77)
    config["text_cfg"] = {**config["text_cfg"], "context_length": tokens}
    model: Any = build(config).to("meta").train()
    with FlopCounterMode(display=False) as counter:
        image = model.encode_image(torch.empty(pairs, 3, side, side, device="meta"))
        text = model.encode_text(torch.zeros(pairs, tokens, dtype=torch.long, device="meta"))
        (image.sum() + text.sum()).backward()
    return float(counter.get_total_flops() / pairs)


class Resident(Steps):
    """Every step is the first one's batch, which lies on the device."""

    def __init__(self, steps: Steps) -> None:
        super().__init__(steps.plan, steps.rules, steps.side, steps.tokenizer, steps.world)
        made, device = steps[0], steps.world.device
        self.batch = replace(made, pixels=made.pixels.to(device), ids=made.ids.to(device))

    def __getitem__(self, i: int) -> Batch:
        return self.batch


def pace(learner: Filter, rules: TrainingRules, steps: Steps, workers: int, window: int = _WINDOW) -> float:
    """Pairs/s: the median of the windows after the second, in which all is compiled."""
    trainer = final_trainer(learner, make_objective(learner, rules, ["-"]), rules, steps.world)
    rows = [row["pairs/s"] for row in trainer.run(shard_steps(steps, workers, window, learner, Counter()))]
    return statistics.median(rows[2:] or rows[-1:])


def measure(arch: str, shards: Path, rules: TrainingRules, workers: int, device: str = "cuda") -> dict[str, Any]:
    """Pairs/s, GFLOPs a pair and share of peak of ``arch``, from the device's memory and from ``shards``."""
    found = open_shards(shards)
    texts = [found.text(i) for i in range(min(len(found), 1000))]
    paces, tokens = {}, 0
    for name in ("on the device", "from shards"):
        learner = create_filter(rules.model, texts, rules.vocab, device)
        steps = Steps(make_plan(found, rules), rules, learner.side, learner.tokenizer, World(device=device))
        if name == "on the device":
            steps, workers_now = Resident(steps), 0
            tokens = int(learner.lengths(steps[0].ids).max())
        else:
            workers_now = workers
        paces[name] = pace(learner, rules, steps, workers_now)
    work = flops(arch, context=tokens)
    most = peak(torch.cuda.get_device_name()) if device.startswith("cuda") else None
    return {
        "arch": Path(arch).stem,
        "batch": rules.batch,
        "tokens": tokens,
        "GFLOP/pair": work / 1e9,
        "pairs/s": paces,
        "share of peak": {name: None if most is None else rate * work / most for name, rate in paces.items()},
    }


def _rules(arch: str, batch: int, steps: int) -> TrainingRules:
    return TrainingRules(
        model=ModelRules(arch), batch=batch, samples=batch * steps, compile=True, precision="bf16", threads=1
    )


def run(
    batches: Mapping[str, int], steps: int = 60, workers: int = _WORKERS, records: int = 8192, work: Path | None = None
) -> dict[str, Any]:
    """The figures of each architecture, ``batches`` pairs a step; the FLOPs alone where there is no GPU."""
    found: dict[str, Any] = {"gpu": None, "GFLOP/pair": {arch: flops(arch) / 1e9 for arch in batches}}
    if not torch.cuda.is_available():
        return found
    found["gpu"] = torch.cuda.get_device_name()
    with tempfile.TemporaryDirectory() as folder:
        shards = film_shards(work or Path(folder), records)
        found["measured"] = [measure(arch, shards, _rules(arch, n, steps), workers) for arch, n in batches.items()]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", nargs="*", default=list(DEFAULTS))
    parser.add_argument("--batch", nargs="*", type=int, default=list(DEFAULTS.values()), help="one an architecture")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--workers", type=int, default=_WORKERS)
    parser.add_argument("--records", type=int, default=8192, help="films in the shards")
    parser.add_argument("--work", type=Path, help="where the shards are kept; a folder that goes with the run, if none")
    parser.add_argument("--out", type=Path, help="write the figures here, too")
    options = parser.parse_args(arguments)
    batches = dict(zip(options.arch, options.batch, strict=False))
    found = run(batches, options.steps, options.workers, options.records, options.work)
    if found["gpu"] is None:
        print("torch sees no GPU here: nothing is measured, only the FLOPs are counted")
    text = json.dumps(found, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
