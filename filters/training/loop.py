"""The training loop, the only one: of every filter on pairs in memory, of the final model on shards and processes.

What is trained is a model; how it learns is an `Objective`; what it sees are `Steps` of some source, a generator that
may look at the model between two steps. Optimizer, rate, autocast, micro-batches, processes, clipping, averages, the
curve's rows and the state that a training goes on from are the loop's. A step depends on the state before it and on the
seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RunError
from filters.method import Progress
from filters.training.curve import WALL, Row
from filters.training.distributed import DistributedContext
from filters.training.objectives.protocol import DeviceBatch, Features, Objective
from filters.training.optimizers import Averaged, make_optimizer, set_rate
from filters.training.window import Losses, Window

_MAX_LOGIT_SCALE = math.log(100)  # Radford et al. 2021, section 2.5
_MOST_NORM = 1.0  # of the gradient


@dataclass(frozen=True)
class Course:
    """How the weights move. ``warmup`` and ``level`` are shares of the training: the rate rises to the one, and falls
    from the other or the end of the rise, whichever is later. ``part`` is what errors put before a field's name."""

    lr: float
    weight_decay: float
    warmup: float = 0.0
    level: float = 0.0
    optimizer: Literal["adamw", "lamb"] = "adamw"
    layer_decay: float = 1.0
    ema: float = 0.0
    seed: int = 0
    bf16: bool = False
    part: str = ""

    @classmethod
    def of(cls, rules: Any, **more: Any) -> Course:
        """The fields that ``rules`` have of it, and ``more``."""
        return cls(**({f.name: getattr(rules, f.name) for f in fields(cls) if hasattr(rules, f.name)} | more))


@dataclass(frozen=True, eq=False)
class Step:
    """The micro-batches of one step, ``pairs`` of all processes together; ``tells``: a row of the curve ends here."""

    parts: Sequence[DeviceBatch]
    epoch: int
    pairs: int
    tells: bool


def epoch_steps(
    epochs: int, draw: Callable[[], Iterable[NDArray[np.int64]]], see: Callable[[NDArray[np.int64], float], DeviceBatch]
) -> Iterator[Step]:
    """Steps over what lies in memory, a row an epoch: ``draw`` gives an epoch's index arrays, ``see`` makes of one what
    the model sees when its turn comes; it is told how much of the training is done."""
    for epoch in range(1, epochs + 1):
        drawn = list(draw())
        for k, index in enumerate(drawn):
            part = see(index, (epoch - 1 + k / len(drawn)) / epochs)
            yield Step((part,), epoch, len(part.ids), k == len(drawn) - 1)


def to_device(rows: torch.Tensor, device: str | torch.device) -> torch.Tensor:
    """``rows`` on ``device``; to a GPU the copy goes on beside the work there."""
    if rows.device.type == "cpu" and torch.device(device).type == "cuda" and not rows.is_pinned():
        rows = rows.pin_memory()
    return rows.to(device, non_blocking=True)


def train_epochs(
    trainer: Trainer, steps: Iterable[Step], epochs: int, progress: Progress | None = None, before: int = 0
) -> list[Row]:
    """Train to the end; a row an epoch, of which ``before`` went before, without what the clock says. ``progress`` is
    told each as ``progress(epoch, epochs, row)``."""
    curve: list[Row] = []
    for row in trainer.run(steps):
        told = {name: value for name, value in row.items() if name not in WALL}
        curve.append(told | {"epoch": before + row["epoch"]})
        if progress is not None:
            progress(before + int(row["epoch"]), epochs, curve[-1])
    trainer.finish()
    return curve


class Trainer:
    """A model in training; `run` yields at the end of each window, between steps, so that its state is whole there."""

    def __init__(
        self,
        model: torch.nn.Module,
        objective: Objective,
        course: Course,
        distributed: DistributedContext,
        whole: bool = True,
    ) -> None:
        """``whole``: each step has one micro-batch, so that gradients of several processes can go out as they come."""
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
        """The averaged weights, where they are kept, become the model's."""
        if self.averaged is not None:
            self.averaged.copy_to(self.model)
        self.model.eval()

    # -- steps ------------------------------------------------------------------------------------------------------

    def run(self, steps: Iterable[Step]) -> Iterator[Row]:
        """Train; a row at each step that tells: the losses' means since the last, and the pace. RunError where a loss
        leaves the numbers."""
        found = Window(self.model, self.distributed)
        self.model.train()
        for step in found.timed(steps):
            rate = set_rate(self.optimizer, self.course.lr, self.course.warmup, step.parts[0].done, self.course.level)
            found.add(self._step(step.parts), step.pairs)
            self.step += 1
            row = found.close() if step.tells else {}
            if not math.isfinite(found.loss):
                fix = f"lower {self.course.part}lr (now {self.course.lr}) or raise {self.course.part}warmup"
                raise RunError(f"loss {found.loss} in epoch {step.epoch}: {fix}")
            if step.tells:
                yield {"step": self.step, "epoch": step.epoch, **row, "lr": rate}
                found.open()

    def _step(self, parts: Sequence[DeviceBatch]) -> Losses:
        """One update; the losses of this process by name."""
        if len(parts) == 1:
            losses = self.objective.loss(self._features(self.forward, parts[0], 0), self.model, self.distributed)
            losses["loss"].backward()  # type: ignore[no-untyped-call]
        else:
            losses = self._in_parts(parts)
        if not self.overlapped:
            self.distributed.average(p.grad for p in self.trained if p.grad is not None)
        torch.nn.utils.clip_grad_norm_(self.trained, _MOST_NORM)
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

    def _features(self, forward: torch.nn.Module, batch: DeviceBatch, place: int) -> Features:
        """Forward, with what is drawn in it drawn by the seed, the step, the process and the place alone."""
        drawn = np.random.SeedSequence([self.course.seed, self.step, self.distributed.rank, place])
        seed = int(drawn.generate_state(1)[0])
        torch.manual_seed(seed)
        batch.generator.manual_seed(seed)
        with torch.autocast(torch.device(self.distributed.device).type, torch.bfloat16, enabled=self.course.bf16):
            found: Features = forward(batch)
        return found

    def _in_parts(self, parts: Sequence[DeviceBatch]) -> Losses:
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
            again = self._features(self.forward, part, i)
            flowing = [n for n, v in again.items() if v.requires_grad and whole[n].grad is not None]
            gradients: Any = [whole[n].grad[start:stop] for n in flowing]  # type: ignore[index]
            torch.autograd.backward([again[n] for n in flowing], gradients)
            start = stop
        return losses


class _Forward(torch.nn.Module):
    """The features as a module's forward pass, as torch's DistributedDataParallel wants it."""

    def __init__(self, model: torch.nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model, self.heads, self._objective = model, objective.heads, objective

    def forward(self, batch: DeviceBatch) -> Features:
        return self._objective.features(self.model, batch)
