"""The training loop: one step is a batch of all processes, and depends on the step before and the seed alone."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from curate.errors import RunError
from filters.anatomy import set_patch_dropout
from filters.encoder import Filter
from filters.optimizers import Averaged, make_optimizer, set_rate
from filters.training.curation import Curator
from filters.training.curve import Row
from filters.training.loader import Batch, Steps, load
from filters.training.objective import Features, Objective, Seen
from filters.training.rules import TrainingRules
from filters.training.world import World

_MAX_LOGIT_SCALE = math.log(100)  # Radford et al. 2021, section 2.5


@dataclass(frozen=True)
class Told:
    """What the loop says at the end of each window of steps; ``whole``: a checkpoint may be written here."""

    step: int
    row: Row
    skipped: Counter[str]


class Trainer:
    """A model in training; `run` yields at the end of each window, between steps, so that its state is whole there."""

    def __init__(self, learner: Filter, objective: Objective, rules: TrainingRules, world: World) -> None:
        self.learner, self.objective, self.rules, self.world = learner, objective, rules, world
        self.model: Any = learner.model
        objective.heads.to(learner.device)
        set_patch_dropout(self.model, rules.patch_dropout)
        if rules.grad_checkpointing:
            learner.model.set_grad_checkpointing()  # type: ignore[operator]
        if rules.compile:
            _compile_towers(self.model)
        self.averaged = Averaged(self.model, rules.ema) if rules.ema else None
        self.optimizer = make_optimizer(self.model, rules, (objective.heads,))
        self.trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.bf16 = rules.precision == "bf16" or (rules.precision == "auto" and learner.device.startswith("cuda"))
        self.curator = Curator(rules, learner.device) if rules.reference is not None else None
        self.step = 0

    # -- state ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything the next step depends on."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "heads": self.objective.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged is not None else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`. RunError where it is of another model."""
        try:
            self.model.load_state_dict(state["model"])
            self.objective.heads.load_state_dict(state["heads"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise RunError(f"the checkpoint is of another model ({type(error).__name__}); remove it") from None
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.step = int(state["step"])

    def finish(self) -> None:
        """The averaged weights, where they are kept, become the model's; nothing is dropped any more."""
        if self.averaged is not None:
            self.averaged.copy_to(self.model)
        set_patch_dropout(self.model, 0.0)
        self.model.eval()

    # -- steps ------------------------------------------------------------------------------------------------------

    def run(self, steps: Steps, workers: int, window: int) -> Iterator[Told]:
        """Train on what is left of the plan, from `step` on. RunError where the loss leaves the numbers."""
        total = steps.plan.steps
        sums: defaultdict[str, torch.Tensor | float] = defaultdict(float)
        skipped: Counter[str] = Counter()
        counts: Counter[str] = Counter()  # a loss may begin in the middle of a window
        began = waited = time.monotonic()
        waiting, count, rate = 0.0, 0, 0.0
        self.model.train()
        for batch in load(steps, workers):
            waiting += time.monotonic() - waited
            rate = set_rate(self.optimizer, self.rules.lr, self.rules.warmup, self.step / total)
            for name, value in self._step(batch, total).items():
                sums[name], counts[name] = sums[name] + value, counts[name] + 1
            skipped += batch.skipped
            self.step, count = self.step + 1, count + 1
            if self.step % window == 0 or self.step == total:
                seconds = max(time.monotonic() - began, 1e-9)
                row: Row = {
                    "step": self.step,
                    "steps": total,
                    "epoch": batch.epoch + 1,
                    "pairs": self.step * self.rules.batch,
                }
                row |= self._means(sums, counts) | {"lr": rate, "scale": float(self.model.logit_scale.detach().exp())}
                pace = count * self.rules.batch / seconds
                yield Told(self.step, row | {"pairs/s": pace, "waiting": waiting / seconds}, skipped)
                sums.clear()
                counts.clear()
                skipped = Counter()
                waiting, count, began = 0.0, 0, time.monotonic()
            waited = time.monotonic()

    def _means(self, sums: dict[str, torch.Tensor | float], counts: Counter[str]) -> Row:
        means = {name: self.world.total(float(value)) / self.world.size / counts[name] for name, value in sums.items()}
        if not math.isfinite(means["loss"]):
            fix = "lower train.lr or raise train.warmup; the last checkpoint is from before"
            raise RunError(f"loss {means['loss']} in the steps up to {self.step}: {fix}")
        return means

    def _step(self, batch: Batch, total: int) -> dict[str, torch.Tensor]:
        """One update; the losses of this process by name."""
        if self.curator is not None:
            batch = self.curator(batch, self.learner, self.world)
        parts = self._micro(batch, self.step / total)
        if len(parts) == 1:
            losses = self._loss(self._features(parts[0], 0))
            losses["loss"].backward()  # type: ignore[no-untyped-call]
        else:
            losses = self._in_parts(parts)
        self.world.average(p.grad for p in self.trained if p.grad is not None)
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, _MAX_LOGIT_SCALE)
        if self.averaged is not None:
            self.averaged.update(self.model)
        self.objective.update(self.model)
        return {name: value.detach() for name, value in losses.items()}

    def _micro(self, batch: Batch, done: float) -> list[Seen]:
        device = self.learner.device
        pieces = np.array_split(np.arange(len(batch.ids)), self.rules.accumulate)
        parts = []
        for piece in pieces:
            rows = slice(int(piece[0]), int(piece[-1]) + 1)
            pixels = self.learner.scaled(batch.pixels[rows])
            labels = {name: values[rows].to(device, non_blocking=True) for name, values in batch.labels.items()}
            parts.append(Seen(pixels, batch.ids[rows].to(device, non_blocking=True), labels, done))
        return parts

    def _features(self, seen: Seen, place: int) -> Features:
        """Forward, with what is drawn in it drawn by the seed, the step, the process and the place alone."""
        seed = int(np.random.SeedSequence([self.rules.seed, self.step, self.world.rank, place]).generate_state(1)[0])
        torch.manual_seed(seed)
        seen.generator.manual_seed(seed)
        with torch.autocast(self.learner.device.split(":")[0], torch.bfloat16, enabled=self.bf16):
            return self.objective.features(self.model, seen)

    def _loss(self, features: Features) -> dict[str, torch.Tensor]:
        return self.objective.loss(features, self.model, self.world)

    def _in_parts(self, parts: list[Seen]) -> dict[str, torch.Tensor]:
        """The gradient of the whole batch with the memory of one part (GradCache, 2101.06983, section 3.2)."""
        with torch.no_grad():
            cached = [self._features(seen, i) for i, seen in enumerate(parts)]
        whole = {name: torch.cat([part[name] for part in cached]) for name in cached[0]}
        whole = {n: v.requires_grad_() if v.is_floating_point() else v for n, v in whole.items()}
        losses = self._loss(whole)
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        start = 0
        for i, seen in enumerate(parts):
            stop = start + len(seen.ids)
            again = self._features(seen, i)
            flowing = [n for n, v in again.items() if v.requires_grad and whole[n].grad is not None]
            gradients: Any = [whole[n].grad[start:stop] for n in flowing]  # type: ignore[index]
            torch.autograd.backward([again[n] for n in flowing], gradients)
            start = stop
        return losses


def _compile_towers(model: torch.nn.Module) -> None:
    """Each tower compiled in place, where the architecture has it under open_clip's names: weights keep their names.

    What runs again and again is inside them; a text's few lengths (`filters.encoder`) are compiled one by one.
    """
    for name in ("visual", "transformer", "text"):
        tower = getattr(model, name, None)
        if isinstance(tower, torch.nn.Module):
            tower.compile(dynamic=False)
