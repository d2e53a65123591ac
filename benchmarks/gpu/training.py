"""How fast the final model trains, by the product's own loop and job, and how it goes on where it was stopped.

Pairs/s and the share of the GPU's peak (torch counts the FLOPs of forward and backward pass, on tensors without
memory), once from uint8 pixels that are on the device already, once from shards of films.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from filters.rules import TrainingRules
from filters.towers.architectures import build, read_config
from filters.towers.encoder import Filter
from filters.towers.model import create_filter
from filters.training.distributed import DistributedContext
from filters.training.job import TrainingJob, final_trainer, run_job
from filters.training.loader import Batch, Steps, shard_steps
from filters.training.objectives import make_objective
from filters.training.plan import make_plan
from filters.training.shards import open_shards

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
        super().__init__(steps.plan, steps.rules, steps.side, steps.tokenizer, steps.distributed)
        made, device = steps[0], steps.distributed.device
        self.batch = replace(made, pixels=made.pixels.to(device), ids=made.ids.to(device))

    def __getitem__(self, i: int) -> Batch:
        return self.batch


def pace(learner: Filter, rules: TrainingRules, steps: Steps, workers: int, window: int = _WINDOW) -> float:
    """Pairs/s: the median of the windows after the second, in which all is compiled."""
    trainer = final_trainer(learner, make_objective(learner, rules, ["-"]), rules, steps.distributed)
    rows = [row["pairs/s"] for row in trainer.run(shard_steps(steps, workers, window, learner, Counter()))]
    return statistics.median(rows[2:] or rows[-1:])


def measure(
    shards: Path, rules: TrainingRules, workers: int, device: str, most: float, window: int = _WINDOW
) -> dict[str, Any]:
    """Pairs/s, GFLOPs a pair and the share of ``most`` (FLOP/s), from the device's memory and from ``shards``."""
    found = open_shards(shards)
    texts = [found.text(i) for i in range(min(len(found), 1000))]
    paces, tokens = {}, 0
    for name in ("on the device", "from shards"):
        learner = create_filter(rules.model, texts, rules.vocab, device, rules.objective)
        steps = Steps(
            make_plan(found, rules), rules, learner.side, learner.tokenizer, DistributedContext(device=device)
        )
        if name == "on the device":
            steps, workers_now = Resident(steps), 0
            tokens = int(learner.lengths(steps[0].ids).max())
        else:
            workers_now = workers
        paces[name] = pace(learner, rules, steps, workers_now, window)
    work = flops(rules.model.arch, context=tokens)
    return {
        "arch": Path(rules.model.arch).stem,
        "objective": rules.objective,
        "batch": rules.batch,
        "tokens": tokens,
        "GFLOP/pair": work / 1e9,
        "pairs/s": paces,
        "share of peak": {name: rate * work / most for name, rate in paces.items()},
    }


class _Stopped(Exception):
    """As a machine that is taken away."""


def resumed(shards: Path, out: Path, rules: TrainingRules, workers: int, device: str) -> dict[str, Any]:
    """A training as a job, and the same one stopped after half its steps and gone on with: how far the two models'
    weights are apart at most. Leaves the first in OUT/whole/model."""
    half = rules.samples // rules.batch // 2 if rules.samples else 1
    job = TrainingJob(str(shards), str(out / "whole"), rules, workers=workers, device=device, window=1, every=half)
    began = time.perf_counter()
    run_job(job)
    seconds = time.perf_counter() - began

    def stop(step: int, steps: int, row: Mapping[str, float]) -> None:
        if step > half:
            raise _Stopped

    again = replace(job, out=str(out / "stopped"))
    with contextlib.suppress(_Stopped):
        run_job(again, stop)
    began = time.perf_counter()
    steps: list[int] = []
    run_job(again, lambda step, total, row: steps.append(step))
    whole, other = (load_file(Path(j.out) / "model" / "model.safetensors") for j in (job, again))
    apart = max(float((whole[name].float() - other[name].float()).abs().max()) for name in whole)
    found = {"steps": 2 * half, "s": seconds, "gone on with": steps[0], "s of the rest": time.perf_counter() - began}
    return found | {"weights apart": apart}
