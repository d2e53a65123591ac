"""The one training loop, for filters on pairs in memory and for the final model on shards and several processes.

It trains a model with an `Objective` on `Step`s of some source, a generator that may use the model between two steps.
The loop owns optimizer, learning rate, autocast, micro-batches, distribution, clipping, weight averaging, the curve's
rows and the state for resuming. A step depends on the state before it and on the seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RunError
from filters.method import Progress
from filters.towers.blocks import to_device as to_device
from filters.training.curve import WALL, Row, Window
from filters.training.distributed import DistributedContext
from filters.training.objectives.protocol import DeviceBatch, Features, Objective
from filters.training.optimizers import Averaged, Course, make_optimizer, set_rate

_MAX_LOGIT_SCALE = math.log(100)  # Radford et al. 2021, section 2.5
_MAX_GRADIENT_NORM = 1.0  # of the gradient


@dataclass(frozen=True, eq=False)
class Step:
    """The micro-batches of one step, ``pairs`` of all processes together; ``ends_row``: a row of the curve ends
    here."""

    parts: Sequence[DeviceBatch]
    epoch: int
    pairs: int
    ends_row: bool


def epoch_steps(
    epochs: int,
    draw: Callable[[], Iterable[NDArray[np.int64]]],
    make_batch: Callable[[NDArray[np.int64], float], DeviceBatch],
) -> Iterator[Step]:
    """Steps over data in memory, a row an epoch: ``draw`` gives an epoch's index arrays, ``make_batch`` makes a batch
    from one and the share of the training that is done."""
    for epoch in range(1, epochs + 1):
        drawn = list(draw())
        for k, index in enumerate(drawn):
            part = make_batch(index, (epoch - 1 + k / len(drawn)) / epochs)
            yield Step((part,), epoch, len(part.ids), k == len(drawn) - 1)


def train_epochs(trainer: Trainer, steps: Iterable[Step], epochs: int, progress: Progress | None = None) -> list[Row]:
    """Train to the end; a row an epoch, without wall-clock values. Calls ``progress(epoch, epochs, row)`` for each."""
    curve: list[Row] = []
    for row in trainer.run(steps):
        curve.append({name: value for name, value in row.items() if name not in WALL})
        if progress is not None:
            progress(int(row["epoch"]), epochs, curve[-1])
    trainer.finish()
    return curve


class Trainer:
    """A model in training; `run` yields at the end of each window, between steps, when its state is consistent."""

    def __init__(
        self,
        model: torch.nn.Module,
        objective: Objective,
        course: Course,
        distributed: DistributedContext,
        whole: bool = True,
    ) -> None:
        """``whole``: each step has one micro-batch, so that gradients can be all-reduced during the backward pass."""
        self.model, self.objective, self.course, self.distributed = model, objective, course, distributed
        objective.heads.to(distributed.device)
        self.averaged = Averaged(model, course.ema) if course.ema else None
        self.optimizer = make_optimizer(model, course, (objective.heads,))
        self.trained = [p for m in (model, objective.heads) for p in m.parameters() if p.requires_grad]
        self.forward: torch.nn.Module = _Forward(model, objective)
        self.overlapped = distributed.size > 1 and whole and objective.steady
        if self.overlapped:
            self.forward = torch.nn.parallel.DistributedDataParallel(
                self.forward, broadcast_buffers=False, gradient_as_bucket_view=True, static_graph=True
            )
        self.step = 0

    # -- state ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "heads": self.objective.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged is not None else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a `state`. RunError if it is of another model."""
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
        """Copy the averaged weights, if there are any, to the model."""
        if self.averaged is not None:
            self.averaged.copy_to(self.model)
        self.model.eval()

    # -- steps ------------------------------------------------------------------------------------------------------

    def run(self, steps: Iterable[Step]) -> Iterator[Row]:
        """Train; a row at each step with ``ends_row``: the losses' means since the last one, and the pace. RunError if
        a loss is not finite."""
        window = Window(self.model, self.distributed)
        self.model.train()
        for step in window.timed(steps):
            rate = set_rate(self.optimizer, self.course.lr, self.course.warmup, step.parts[0].done, self.course.level)
            window.add(self._step(step.parts), step.pairs)
            self.step += 1
            row = window.close() if step.ends_row else {}
            if not math.isfinite(window.loss):
                fix = f"lower {self.course.part}lr (now {self.course.lr}) or raise {self.course.part}warmup"
                raise RunError(f"loss {window.loss} in epoch {step.epoch}: {fix}")
            if step.ends_row:
                yield {"step": self.step, "epoch": step.epoch, **row, "lr": rate}
                window.open()

    def _step(self, parts: Sequence[DeviceBatch]) -> dict[str, torch.Tensor]:
        """One update; the losses of this process by name."""
        if len(parts) == 1:
            losses = self.objective.loss(self._features(self.forward, parts[0], 0), self.model, self.distributed)
            losses["loss"].backward()  # type: ignore[no-untyped-call]
        else:
            losses = self._accumulate(parts)
        if not self.overlapped:
            self.distributed.average(p.grad for p in self.trained if p.grad is not None)
        torch.nn.utils.clip_grad_norm_(self.trained, _MAX_GRADIENT_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            for module in (self.model, self.objective.heads):
                if isinstance(scale := getattr(module, "logit_scale", None), torch.Tensor):
                    scale.clamp_(0, _MAX_LOGIT_SCALE)
        if self.averaged is not None:
            self.averaged.update(self.model)
        self.objective.update(self.model)
        return {name: value.detach() for name, value in losses.items()}

    def _features(self, forward: torch.nn.Module, batch: DeviceBatch, part: int) -> Features:
        """The forward pass; its randomness depends on seed, step, rank and micro-batch alone."""
        drawn = np.random.SeedSequence([self.course.seed, self.step, self.distributed.rank, part])
        seed = int(drawn.generate_state(1)[0])
        torch.manual_seed(seed)
        batch.generator.manual_seed(seed)
        with torch.autocast(torch.device(self.distributed.device).type, torch.bfloat16, enabled=self.course.bf16):
            features: Features = forward(batch)
        return features

    def _accumulate(self, parts: Sequence[DeviceBatch]) -> dict[str, torch.Tensor]:
        """The gradient of the whole batch with the memory of one part (GradCache, 2101.06983, section 3.2)."""
        with torch.no_grad():
            cached = [self._features(self.forward, part, i) for i, part in enumerate(parts)]
        whole = {name: torch.cat([part[name] for part in cached]) for name in cached[0]}
        whole = {n: v.requires_grad_() if v.is_floating_point() else v for n, v in whole.items()}
        losses = self.objective.loss(whole, self.model, self.distributed)
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        start = 0
        for i, part in enumerate(parts):
            stop = start + len(part.ids)
            recomputed = self._features(self.forward, part, i)
            names = [n for n, v in recomputed.items() if v.requires_grad and whole[n].grad is not None]
            gradients: Any = [whole[n].grad[start:stop] for n in names]  # type: ignore[index]
            torch.autograd.backward([recomputed[n] for n in names], gradients)
            start = stop
        return losses


class _Forward(torch.nn.Module):
    """The objective's features as a module's forward pass, for torch's DistributedDataParallel."""

    def __init__(self, model: torch.nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model, self.heads, self._objective = model, objective.heads, objective

    def forward(self, batch: DeviceBatch) -> Features:
        return self._objective.features(self.model, batch)
