"""BLIP's pre-training on clean pairs: contrast (ITC), matching with hard and edited negatives (ITM), captioning (LM).

Without the paper's momentum encoder and queue: they serve batches of web pairs, where the right partner is in doubt.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from curate.errors import RunError
from filters import data
from filters.methods.blip_negatives import contrast, draw_edits, mine, rate, same
from filters.methods.blip_texts import Texts, trim

LEAST_TEXTS = 8  # fewer different texts than this teach nothing
_SMOOTHING = 0.1  # of the captioner's targets: BLIP, appendix
_SCALE = math.log(1 / 0.07)  # the contrastive temperature training begins with
_MAX_SCALE = math.log(100)


@dataclass(frozen=True)
class Pace:
    """How to train; the fields are `filters.methods.blip.Rules`'."""

    epochs: int
    batch: int
    lr: float
    weight_decay: float
    warmup: float
    contrast_first: float
    seed: int


class Net(Protocol):
    """What is trained: two towers that are compared and a head that reads image tokens and text together."""

    captioner: Any

    def image_vectors(self, seen: torch.Tensor) -> torch.Tensor: ...

    def text_vectors(self, ids: torch.Tensor) -> torch.Tensor: ...

    def cosines(self, images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor: ...

    def own_cosines(self, images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor: ...

    def match(self, seen: torch.Tensor, ids: torch.Tensor) -> torch.Tensor: ...

    def log_likelihood(self, seen: torch.Tensor, ids: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor: ...

    def started(self, ids: torch.Tensor) -> torch.Tensor: ...


# the image tokens float32[n, t, d] of the pairs of a batch, seen as this step sees them
See = Callable[[NDArray[np.int64], torch.Generator], torch.Tensor]


class Fit:
    """One training: the net, its temperature, its generators."""

    def __init__(self, net: Net, module: torch.nn.Module, pace: Pace, see: See) -> None:
        self.net, self.module, self.pace, self.see = net, module, pace, see
        device = next(module.parameters()).device
        self.scale = torch.nn.Parameter(torch.tensor(_SCALE, device=device))
        self.rng, self.generator = np.random.default_rng(pace.seed), torch.Generator().manual_seed(pace.seed)

    def run(self, texts: Texts, progress: Callable[[int, int, dict[str, float]], None] | None) -> dict[str, float]:
        """Train on n pairs; the mean losses of the last epoch. RunError where texts are too few or a loss is NaN."""
        size = batch_size(texts.labels, self.pace.batch)
        optimizer = make_optimizer([*self.module.named_parameters(), ("scale", self.scale)], self.pace)
        first = round(self.pace.contrast_first * self.pace.epochs)
        means: dict[str, float] = {}
        self.module.train()
        for epoch in range(1, self.pace.epochs + 1):
            rows: list[dict[str, float]] = []
            drawn = list(data.batches(texts.labels, size, self.rng))
            for index in drawn:
                share = rate((epoch - 1 + len(rows) / len(drawn)) / self.pace.epochs, self.pace.warmup)
                for part in optimizer.param_groups:
                    part["lr"] = self.pace.lr * share
                rows.append(self._step(optimizer, texts, index, epoch > first))
                check_finite(rows[-1], epoch, self.pace.lr)
            means = {k: float(np.mean([r[k] for r in rows])) for k in rows[0]}
            if progress is not None:
                progress(epoch, self.pace.epochs, means)
        self.module.eval()
        return means

    def _step(
        self, optimizer: torch.optim.Optimizer, texts: Texts, index: NDArray[np.int64], fuse: bool
    ) -> dict[str, float]:
        device = self.scale.device
        where, edited = draw_edits(texts, index, self.rng)
        ids, edited = (t.to(device) for t in trim(texts.ids[torch.from_numpy(index)], edited))
        twins, where = same(texts.meanings[index]).to(device), where.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=fast_bf16(device)):
            seen = self.see(index, self.generator)
            logits, own = self._similarities(seen, ids, edited, where)
            losses = {"itc": contrast(logits, twins, own, where)}
            if fuse:
                losses |= self._fused(seen, ids, edited, where, mine(logits, twins, self.generator))
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            self.scale.clamp_(0, _MAX_SCALE)
        return {"loss": float(total.detach()), **{k: float(v.detach()) for k, v in losses.items()}}

    def _similarities(
        self, seen: torch.Tensor, ids: torch.Tensor, edited: torch.Tensor, where: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Contrastive logits: float32[n, n] of images by texts, float32[k] of the images ``where`` by edited texts."""
        images, words = self.net.image_vectors(seen), self.net.text_vectors(torch.cat([ids, edited]))
        scale = self.scale.exp()
        all_pairs = scale * self.net.cosines(images, words[: len(ids)])
        return all_pairs, scale * self.net.own_cosines(images[where], words[len(ids) :])

    def _fused(
        self,
        seen: torch.Tensor,
        ids: torch.Tensor,
        edited: torch.Tensor,
        where: torch.Tensor,
        wrong: tuple[torch.Tensor, torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        """Matching of right pairs, mined ones and edited ones; and captioning of the right ones."""
        wrong_text, wrong_image = wrong
        images = torch.cat([seen, seen, seen[wrong_image], seen[where]])
        words = torch.cat([ids, ids[wrong_text], ids, edited])
        target = torch.zeros(len(words), dtype=torch.int64, device=ids.device)
        target[: len(ids)] = 1
        even = torch.tensor([1.0, (len(words) - len(ids)) / len(ids)], device=ids.device)  # right pairs are the fewer
        losses = {"itm": cross_entropy(self.net.match(images, words).float(), target, even)}
        if self.net.captioner is not None:
            losses["lm"] = -self.net.log_likelihood(seen, self.net.started(ids), _SMOOTHING).mean()
        return losses


def fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 products pay: on a GPU, and on a CPU with instructions for them (three times as fast here)."""
    supported: Callable[[], bool] = torch.ops.mkldnn._is_mkldnn_bf16_supported
    return device.type == "cuda" or supported()


def batch_size(labels: NDArray[np.int64], wanted: int) -> int:
    """At most ``wanted``, and no more than there are different texts; RunError where they are too few to learn from."""
    distinct = len(np.unique(labels))
    if distinct < LEAST_TEXTS:
        found = f"the clean set's {len(labels)} training pairs hold {distinct} different texts"
        raise RunError(f"{found}, a filter needs {LEAST_TEXTS}: declare more (reports.columns.clean)")
    return min(wanted, distinct)


def check_finite(row: dict[str, float], epoch: int, lr: float) -> None:
    """RunError where a loss left the numbers."""
    if not all(math.isfinite(v) for v in row.values()):
        raise RunError(f"loss {row['loss']} in epoch {epoch}: lower lr (now {lr}) or raise warmup")


def make_optimizer(named: list[tuple[str, torch.nn.Parameter]], pace: Pace) -> torch.optim.Optimizer:
    """AdamW; gains, biases and the temperature are not decayed."""
    free = [p for _, p in named if p.requires_grad]
    parts = [
        {"params": [p for p in free if p.ndim < 2], "weight_decay": 0.0},
        {"params": [p for p in free if p.ndim >= 2], "weight_decay": pace.weight_decay},
    ]
    return torch.optim.AdamW(parts, lr=pace.lr, betas=(0.9, 0.98), eps=1e-6)
