"""Feed the final model's training: batches of shards as steps of micro-batches on the device, curated if configured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from filters.towers.blocks import compile_towers
from filters.towers.encoder import Filter
from filters.towers.layers import set_patch_dropout
from filters.training.curation import Curator
from filters.training.distributed import DistributedContext
from filters.training.loader import Batch, Steps, load
from filters.training.loop import Course, Step, Trainer, to_device
from filters.training.objectives.protocol import DeviceBatch, Objective
from filters.training.rules import TrainingRules


def shard_steps(
    steps: Steps, workers: int, window: int, learner: Filter, skipped: Counter[str], curator: Curator | None = None
) -> Iterator[Step]:
    """The remaining steps of the plan, with a row every ``window`` steps. ``skipped`` counts replaced records."""
    total, rules = steps.plan.steps, steps.rules
    for number, batch in enumerate(load(steps, workers), steps.first + 1):
        skipped.update(batch.skipped)
        chosen = batch if curator is None else curator(batch, learner, steps.distributed)
        parts = _micro_batches(chosen, learner, rules.accumulate, (number - 1) / total)
        yield Step(parts, batch.epoch + 1, rules.batch, number % window == 0 or number == total)


def _micro_batches(batch: Batch, learner: Filter, parts: int, done: float) -> list[DeviceBatch]:
    """The micro-batches; pixels are transferred as bytes and scaled on the device."""
    batches = []
    for piece in np.array_split(np.arange(len(batch.ids)), parts):
        rows = slice(int(piece[0]), int(piece[-1]) + 1)
        labels = {name: to_device(values[rows], learner.device) for name, values in batch.labels.items()}
        pixels = learner.scaled(to_device(batch.pixels[rows], learner.device))
        batches.append(DeviceBatch(pixels, to_device(batch.ids[rows], learner.device), labels, done))
    return batches


def final_trainer(
    learner: Filter, objective: Objective, rules: TrainingRules, distributed: DistributedContext
) -> Trainer:
    """The trainer by the rules: patch dropout, gradient checkpointing, compiled towers."""
    model: Any = learner.model
    set_patch_dropout(model, rules.patch_dropout)
    if rules.grad_checkpointing:
        model.set_grad_checkpointing()
    if rules.compile:
        torch.use_deterministic_algorithms(True, warn_only=True)  # the only setting that the compiler reads
        compile_towers(model)
    bf16 = rules.precision == "bf16" or (rules.precision == "auto" and distributed.device.startswith("cuda"))
    course = Course.of(rules, bf16=bf16, part="train.")
    return Trainer(model, objective, course, distributed, rules.accumulate == 1)
