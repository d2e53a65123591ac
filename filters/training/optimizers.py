"""Optimizers and learning-rate schedule: AdamW or LAMB, warm-up and cosine, layer-wise decay, averaged weights."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, fields
from typing import Any, Literal

import torch

from filters.towers.layers import depths
from filters.towers.torchvision_ops import ensure


@dataclass(frozen=True)
class Course:
    """Optimizer and schedule. ``warmup`` and ``level`` are shares of the training: the rate rises until ``warmup`` and
    decays from ``level`` or ``warmup``, whichever is later. ``part``: prefix of a field's name in errors."""

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
        """From the fields that ``rules`` has, and ``more``."""
        return cls(**({f.name: getattr(rules, f.name) for f in fields(cls) if hasattr(rules, f.name)} | more))


_BETAS, _EPS = (0.9, 0.98), 1e-6  # Radford et al. 2021, table 19; EVA-CLIP, table 8


def make_optimizer(
    model: torch.nn.Module, rules: Course, others: tuple[torch.nn.Module, ...] = ()
) -> torch.optim.Optimizer:
    """The optimizer of the model's trainable parameters, and of ``others`` (heads used only in training) at the full
    rate.

    Gains, biases and the temperature have no weight decay, as in open_clip. Each group's ``scale`` is its share of the
    rate: ``layer_decay`` to the power of its depth below the head (EVA-CLIP, table 8; BEiT, 2106.08254).
    """
    depth = depths(model)
    groups: dict[tuple[bool, float], list[torch.nn.Parameter]] = {(False, 1.0): [], (True, 1.0): []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decayed = not (parameter.ndim < 2 or "logit_scale" in name)
            groups.setdefault((decayed, rules.layer_decay ** depth[name]), []).append(parameter)
    for other in others:
        for parameter in other.parameters():
            if parameter.requires_grad:
                groups[(parameter.ndim >= 2, 1.0)].append(parameter)
    parts = [
        {"params": parameters, "weight_decay": rules.weight_decay if decayed else 0.0, "scale": scale}
        for (decayed, scale), parameters in groups.items()
        if parameters
    ]
    if rules.optimizer == "lamb":
        ensure()
        from timm.optim import Lamb

        # the loop clips the gradient's norm
        lamb: torch.optim.Optimizer = Lamb(parts, lr=rules.lr, betas=_BETAS, eps=_EPS, max_grad_norm=None)
        return lamb
    return torch.optim.AdamW(parts, lr=rules.lr, betas=_BETAS, eps=_EPS)


def set_rate(optimizer: torch.optim.Optimizer, lr: float, warmup: float, done: float, level: float = 0.0) -> float:
    """Set the rate: linear warm-up over the share ``warmup`` of the steps, constant up to ``level``, then half a cosine
    down to zero; returns the head's rate."""
    if done < warmup:
        share = (done + 1e-3) / warmup
    else:
        start = max(warmup, level)
        share = 0.5 * (1 + math.cos(math.pi * max(0.0, done - start) / max(1 - start, 1e-9)))
    for part in optimizer.param_groups:
        part["lr"] = lr * share * part["scale"]
    return lr * share


class Averaged(torch.nn.Module):
    """An exponential moving average of a model's weights and of its running statistics.

    Early on the decay is lower, (1 + k) / (10 + k) at step k, so that the random initial weights are soon forgotten.
    Its state includes k, for exact resuming.
    """

    steps: torch.Tensor

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self._decay = decay

    def train(self, mode: bool = True) -> Averaged:
        """Stays in evaluation mode."""
        super().train(mode)
        self.model.eval()
        return self

    @torch.no_grad()
    def update(self, model: torch.nn.Module) -> None:
        """After a step of ``model``."""
        k = self.steps.double()
        share = 1 - ((1 + k) / (10 + k)).clamp(max=self._decay)  # on the device, without synchronising
        self.steps += 1
        for average, current in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(current.detach(), share.to(average.dtype))
        for buffer, current_buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            if buffer.is_floating_point():  # equal values are unchanged: an infinite mask would become NaN
                buffer.copy_(
                    torch.where(buffer == current_buffer, buffer, buffer.lerp(current_buffer, share.to(buffer.dtype)))
                )
            else:
                buffer.copy_(current_buffer)

    @torch.no_grad()
    def copy_to(self, model: Any) -> None:
        """Copy the average to the model."""
        model.load_state_dict(self.model.state_dict())
