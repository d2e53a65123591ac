"""BLIP's soft labels of a contrast (2201.12086, section 3.2; ALBEF, 2107.07651, section 3.3): of noisy pairs, what a
slowly moving average of the model believes is right too is no negative, and a partner that it doubts is half of one.

The teacher's rows of earlier batches are kept in a queue, first in, first out, so that a small batch is compared with
many. `Momentum` holds teacher and queue; whoever trains calls `loss`, then `keep`, and `follow` after a step.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch

DECAY, ALPHA, QUEUE = 0.995, 0.4, 57_600  # of BLIP's pre-training
_RAMP = 0.1  # of the training, over which the teacher comes to be believed (there: two epochs of twenty)
Rows = tuple[torch.Tensor, torch.Tensor]  # of images float[n, ..., d] and of texts float[n, d], unit rows
Cosines = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # float[n, m] of images and texts


def trust(done: float, alpha: float = ALPHA) -> float:
    """The weight of the teacher's word after the share ``done`` of the training."""
    return alpha * min(1.0, done / _RAMP)


class Momentum(torch.nn.Module):
    """The averaged net and the queue of its rows. Their state is kept with the training's: it goes on the same."""

    images: torch.Tensor
    texts: torch.Tensor
    labels: torch.Tensor
    filled: torch.Tensor

    def __init__(self, net: torch.nn.Module, like: Rows, queue: int = QUEUE, decay: float = DECAY) -> None:
        """``like``: rows of the net, whose shapes and device the queue takes."""
        super().__init__()
        self.net: Any = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay = decay
        image, text = like
        self.register_buffer("images", torch.zeros((queue, *image.shape[1:]), device=image.device))
        self.register_buffer("texts", torch.zeros((queue, *text.shape[1:]), device=text.device))
        self.register_buffer("labels", torch.zeros(queue, dtype=torch.int64, device=text.device))
        self.register_buffer("filled", torch.zeros(2, dtype=torch.int64))  # rows in it, and where the next is put

    def train(self, mode: bool = True) -> Momentum:
        """Never in training: it is only asked."""
        super().train(mode)
        self.net.eval()
        return self

    def loss(
        self, own: Rows, taught: Rows, labels: torch.Tensor, scale: torch.Tensor, cosines: Cosines, alpha: float
    ) -> torch.Tensor:
        """The mean of both directions' cross-entropy over this batch and the queue.

        ``own``: the net's rows, with gradient; ``taught``: the teacher's of the same pairs. ``labels`` int64[n] are
        equal for pairs whose texts say the same. ``scale`` is t itself. ``alpha`` as `trust` has it.
        """
        n = int(self.filled[0])
        taught = taught[0].detach(), taught[1].detach()
        images, texts = torch.cat([taught[0], self.images[:n]]), torch.cat([taught[1], self.texts[:n]])
        right = (labels[:, None] == torch.cat([labels, self.labels[:n]])[None]).float()
        right = right / right.sum(1, keepdim=True)
        with torch.no_grad():
            teacher_texts = (scale * cosines(taught[0], texts)).softmax(1)
            teacher_images = (scale * cosines(images, taught[1]).T).softmax(1)
        of_images = scale * cosines(own[0], texts)
        of_texts = scale * cosines(images, own[1]).T
        losses = [
            -((alpha * target + (1 - alpha) * right) * logits.float().log_softmax(1)).sum(1).mean()
            for target, logits in ((teacher_texts, of_images), (teacher_images, of_texts))
        ]
        return (losses[0] + losses[1]) / 2

    @torch.no_grad()
    def keep(self, taught: Rows, labels: torch.Tensor) -> None:
        """The teacher's rows of a batch into the queue, in the place of the oldest."""
        size = len(self.texts)
        at = (int(self.filled[1]) + torch.arange(len(labels), device=labels.device)) % size
        at, taught, labels = at[-size:], (taught[0][-size:], taught[1][-size:]), labels[-size:]
        self.images[at], self.texts[at], self.labels[at] = taught[0].float(), taught[1].float(), labels
        self.filled[0] = min(size, int(self.filled[0]) + len(labels))
        self.filled[1] = (int(at[-1]) + 1) % size

    @torch.no_grad()
    def follow(self, net: torch.nn.Module) -> None:
        """After a step of ``net``: the average moves a little towards it."""
        for mine, its in zip(self.net.parameters(), net.parameters(), strict=True):
            mine.lerp_(its.detach().to(mine.dtype), 1 - self.decay)
        for kept, its_own in zip(self.net.buffers(), net.buffers(), strict=True):
            kept.copy_(its_own)
