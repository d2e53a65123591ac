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
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.training.loader import film_shards
from filters.checkpoint import build, read_config
from filters.encoder import Filter
from filters.model import ModelRules, create_filter
from filters.training.loader import Batch, Steps
from filters.training.loop import Trainer
from filters.training.objectives import make_objective
from filters.training.plan import make_plan
from filters.training.rules import TrainingRules
from filters.training.shards import open_shards
from filters.training.world import World

# dense bf16 TFLOP/s by a part of the GPU's name
PEAK = {"H200": 989.0, "H100": 989.0, "A100": 312.0}
DEFAULTS = {"ViT-B-32": 1024, "ViT-L-14": 256}  # architecture: pairs a step
_WINDOW = 10  # steps; the first two windows compile and warm up


def flops(arch: str, pairs: int = 2, context: int | None = None) -> float:
    """FLOPs a pair of a training step (2 a multiply-add), texts ``context`` tokens long (None: the architecture's).

    Both towers forward and backward; the contrast itself, 0.1 % of it at a batch of a thousand, is left out.
    """
    config = read_config(arch)
    model: Any = build(config).to("meta").train()
    side, tokens = config["vision_cfg"]["image_size"], context or config["text_cfg"].get("context_length", 77)
    text = model if hasattr(model, "attn_mask") else model.text
    text.context_length, full = tokens, getattr(text, "attn_mask", None)
    if full is not None:
        text.attn_mask = full[:tokens, :tokens]
    text.positional_embedding = torch.nn.Parameter(text.positional_embedding[:tokens])
    with FlopCounterMode(display=False) as counter:
        image = model.encode_image(torch.empty(pairs, 3, side, side, device="meta"))
        words = model.encode_text(torch.zeros(pairs, tokens, dtype=torch.long, device="meta"))
        (image.sum() + words.sum()).backward()
    return counter.get_total_flops() / pairs


def peak(name: str) -> float | None:
    """FLOP/s in dense bfloat16 of the GPU called ``name``; None where it is not known here."""
    return next((tera * 1e12 for part, tera in PEAK.items() if part in name), None)


class Resident(Steps):
    """Every step is the same batch, which lies on the device."""

    def __getitem__(self, i: int) -> Batch:
        return self.batch

    def hold(self, device: str) -> Resident:
        """Make the one batch: the plan's first, as the loader would."""
        made = Steps.__getitem__(self, 0)
        self.batch = replace(made, pixels=made.pixels.to(device), ids=made.ids.to(device), skipped=Counter())
        return self


def paces(learner: Filter, rules: TrainingRules, steps: Steps, workers: int, window: int = _WINDOW) -> list[float]:
    """Pairs/s of every window of steps after the second."""
    trainer = Trainer(learner, make_objective(learner, rules, ["-"]), rules, steps.world)
    rows = [told.row["pairs/s"] for told in trainer.run(steps, workers, window)]
    return rows[2:] or rows[-1:]


def measure(
    arch: str, shards: Path, batch: int, steps: int, workers: int, device: str = "cuda", fast: bool = True
) -> dict[str, Any]:
    """Pairs/s, GFLOPs a pair and share of peak of ``arch``, from the device's memory and from ``shards``."""
    rules = TrainingRules(
        model=ModelRules(arch), batch=batch, samples=batch * steps, compile=fast, precision="bf16", threads=1
    )
    found = open_shards(shards)
    plan = make_plan(found, rules)
    sample = [found.text(i) for i in range(min(len(found), 1000))]
    sources: dict[str, Callable[[Steps], Steps]] = {"on the device": lambda s: s.hold(device), "shards": lambda s: s}  # type: ignore[attr-defined]
    out: dict[str, Any] = {"arch": arch, "batch": batch}
    for name, prepared in sources.items():
        learner = create_filter(rules.model, sample, rules.vocab, device)
        kind = Resident if name == "on the device" else Steps
        made = kind(plan, rules, learner.side, learner.tokenizer, World(device=device))
        tokens = int(learner.lengths(made[0].ids.to(device)).max()) if kind is Steps else 0
        pace = statistics.median(paces(learner, rules, prepared(made), workers if kind is Steps else 0))
        out[name] = {"pairs/s": pace}
        out["tokens"] = tokens or out.get("tokens", 0)
        del learner, made
    work = flops(arch, context=out["tokens"])
    most = peak(torch.cuda.get_device_name()) if device.startswith("cuda") else None
    for name in sources:
        out[name]["share of peak"] = None if most is None else out[name]["pairs/s"] * work / most
    return out | {"GFLOP/pair": work / 1e9}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", nargs="*", default=list(DEFAULTS))
    parser.add_argument("--batch", nargs="*", type=int, default=list(DEFAULTS.values()), help="one an architecture")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 2))
    parser.add_argument("--records", type=int, default=8192, help="films in the shards")
    parser.add_argument("--work", type=Path, help="where the shards are kept; a folder that goes with the run, if none")
    parser.add_argument("--out", type=Path, help="write the figures here, too")
    options = parser.parse_args(arguments)
    found: dict[str, Any] = {"gpu": None, "GFLOP/pair": {arch: flops(arch) / 1e9 for arch in options.arch}}
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
        with tempfile.TemporaryDirectory() as folder:
            shards = film_shards(options.work or Path(folder), options.records)
            found["measured"] = [
                measure(arch, shards, batch, options.steps, options.workers)
                for arch, batch in zip(options.arch, options.batch, strict=True)
            ]
    else:
        print("torch sees no GPU here: nothing is measured, only the FLOPs are counted")
    text = json.dumps(found, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
