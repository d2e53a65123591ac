"""Training the findings verifier: labels from the texts of right pairs; unpaired pictures and texts by their meaning.

As MedCLIP learns (Wang et al., arXiv 2210.10163, section 3.3): pictures and texts need not come in pairs. The
similarity of what they show and say is the target of the match, softly: another patient's report of the same finding is
no negative. Pictures of the pool have no labels, so they take those that the network, averaged over its last steps,
gives them.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RunError
from filters.augment import augment
from filters.data import Pixels
from filters.method import Progress
from filters.methods.findings_net import FindingsNet
from filters.methods.findings_slots import Claims, Slots
from filters.objectives import soft_match

_AVERAGE = 0.98  # of the network that labels the pool
_WARMUP = 0.1
_BEGIN_POOL = 0.4  # of the steps: before, its labels are worth nothing
_SURE = 0.2  # a label of the pool counts where it is at least this far from one half


@dataclass(frozen=True)
class FitRules:
    """How the network is trained; the weights are of the matching loss and of the pool's own labels."""

    epochs: int
    least_steps: int
    batch: int
    lr: float
    weight_decay: float
    match: float
    pool: float
    seed: int


def fit(
    net: FindingsNet,
    slots: Slots,
    clean: tuple[Pixels, Claims],
    pool: tuple[Pixels, Claims],
    rules: FitRules,
    device: str,
    report: Progress | None,
) -> float:
    """Train ``net`` in place; the mean loss of the last epoch. RunError where it leaves the numbers."""
    rng, generator = np.random.default_rng(rules.seed), torch.Generator().manual_seed(rules.seed)
    groups = [p for p in net.parameters() if p.ndim > 1], [p for p in net.parameters() if p.ndim <= 1]
    parts = [
        {"params": groups[0], "weight_decay": rules.weight_decay},
        {"params": groups[1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(parts, lr=rules.lr, betas=(0.9, 0.98))
    teacher = copy.deepcopy(net).eval()
    mirror = torch.from_numpy(slots.mirrored()).to(device)
    size = min(rules.batch, len(clean[0]))
    each = len(clean[0]) // size
    epochs = max(rules.epochs, math.ceil(rules.least_steps / each))
    steps, step, mean = epochs * each, 0, math.nan
    for epoch in range(1, epochs + 1):
        losses: list[float] = []
        order = rng.permutation(len(clean[0]))
        for start in range(0, len(order) - size + 1, size):
            for part in optimizer.param_groups:
                part["lr"] = rules.lr * _rate(step / steps)
            now = _Batch.of(clean, order[start : start + size], generator, rng, mirror, device)
            free = None
            if len(pool[0]) and step >= _BEGIN_POOL * steps:
                drawn = rng.integers(0, len(pool[0]), max(1, size // 2))
                free = _Batch.of(pool, drawn, generator, rng, mirror, device)
            losses.append(_step(net.train(), teacher, optimizer, now, free, rules))
            _follow(teacher, net, min(_AVERAGE, (1 + step) / (10 + step)))
            step += 1
        mean = float(np.mean(losses))
        if not math.isfinite(mean):
            raise RunError(f"loss {mean} in epoch {epoch}: lower lr (now {rules.lr})")
        if report is not None:
            report(epoch, epochs, {"loss": mean})
    net.load_state_dict(teacher.state_dict())
    return mean


@dataclass(frozen=True, eq=False)
class _Batch:
    pixels: torch.Tensor
    truth: torch.Tensor
    weight: torch.Tensor
    said: torch.Tensor
    shown: torch.Tensor

    @classmethod
    def of(
        cls,
        source: tuple[Pixels, Claims],
        index: NDArray[np.int64],
        generator: torch.Generator,
        rng: np.random.Generator,
        mirror: torch.Tensor,
        device: str,
    ) -> _Batch:
        """Changed a little each time; every other one mirrored, and its left and right with it."""
        pixels = augment(torch.from_numpy(source[0][index]).permute(0, 3, 1, 2), generator).to(device)
        claims = source[1].take(index)
        parts = [torch.from_numpy(a).to(device) for a in (claims.truth, claims.weight, claims.said, claims.shown())]
        turned = torch.from_numpy(rng.random(len(index)) < 0.5).to(device)
        pixels = torch.where(turned[:, None, None, None], pixels.flip(-1), pixels)
        return cls(pixels, *(torch.where(turned[:, None], p[:, mirror], p) for p in parts))


def _step(
    net: FindingsNet,
    teacher: FindingsNet,
    optimizer: torch.optim.Optimizer,
    clean: _Batch,
    free: _Batch | None,
    rules: FitRules,
) -> float:
    pixels = clean.pixels if free is None else torch.cat([clean.pixels, free.pixels])
    logits, images = net(pixels)
    n = len(clean.pixels)
    loss = _labels_loss(logits[:n], clean.truth, clean.weight)
    shown, said, spoken = clean.shown, clean.said, clean.shown
    if free is not None:
        with torch.no_grad():
            believed = torch.sigmoid(teacher(free.pixels)[0])
        sure = ((believed - 0.5).abs() >= _SURE).float()
        loss = loss + rules.pool * _labels_loss(logits[n:], believed, sure)
        guessed = believed * (believed >= 0.5 + _SURE)
        guessed[:, 0] = 1 - believed[:, 0]
        shown = torch.cat([shown, guessed])
        said, spoken = torch.cat([said, free.said]), torch.cat([spoken, free.shown])
    loss = loss + rules.match * _match_loss(net, images, shown, said, spoken)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _labels_loss(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (each * weight).sum() / weight.sum().clamp(min=1.0)


def _match_loss(
    net: FindingsNet, images: torch.Tensor, shown: torch.Tensor, said: torch.Tensor, spoken: torch.Tensor
) -> torch.Tensor:
    """Cross entropy of both directions against the softmax of the meanings' cosines (equations 3 to 6)."""
    scale = net.temperature.exp().clamp(max=50.0)
    meaning = torch.nn.functional.normalize(shown, dim=-1) @ torch.nn.functional.normalize(spoken, dim=-1).T
    likeness = images @ net.embed_claims(said).T * scale
    return (soft_match(likeness, meaning) + soft_match(likeness.T, meaning.T)) / 2


def _rate(done: float) -> float:
    if done < _WARMUP:
        return (done + 1e-3) / _WARMUP
    return 0.5 * (1 + math.cos(math.pi * (done - _WARMUP) / (1 - _WARMUP)))


@torch.no_grad()
def _follow(teacher: FindingsNet, net: FindingsNet, average: float) -> None:
    for mean, now in zip(teacher.state_dict().values(), net.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(now, 1 - average)
        else:
            mean.copy_(now)
