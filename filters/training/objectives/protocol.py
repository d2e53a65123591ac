"""What a way to learn is: features of a micro-batch, one loss over the features of the whole batch.

The two are apart so that a batch larger than memory has the gradient it would have in one piece (GradCache,
2101.06983): features of all micro-batches first, the loss and its gradient by feature once, then each part again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from numpy.typing import NDArray

from filters.training.distributed import DistributedContext

Features = dict[str, torch.Tensor]  # leading dimension n where there are micro-batches: theirs concatenate
Labels = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class DeviceBatch:
    """A micro-batch of n pairs as the model sees it, on the device."""

    pixels: torch.Tensor  # float32[n, 3, side, side], normalised as the model reads it, or what it takes in place of it
    ids: torch.Tensor  # int64[n, context_length], or what the model takes in place of it
    labels: Mapping[str, torch.Tensor] = field(default_factory=dict)  # what else the objective asks for, by name
    done: float = 0.0  # of the training, 0..1
    generator: torch.Generator = field(default_factory=torch.Generator)  # CPU; of this step, process and micro-batch


class Labeller(Protocol):
    """Runs where batches are made, in the loader's processes: picklable, holds no tensor."""

    def __call__(self, own: Sequence[str], read: Sequence[str]) -> Labels:
        """Rows by name for n records: their own texts, and the texts that are read with their images."""
        ...


class Objective:
    """One way to learn. ``heads`` are what only training knows; they are trained and kept in its checkpoints.

    ``steady``: the same weights have a part in every step, so that gradients can be averaged as they are made.
    """

    labeller: Labeller | None = None
    steady = True

    def __init__(self) -> None:
        self.heads: torch.nn.Module = torch.nn.Module()

    def features(self, model: torch.nn.Module, batch: DeviceBatch) -> Features:
        """The forward pass, with gradient; what needs none has none (`requires_grad` false)."""
        raise NotImplementedError

    def loss(
        self, features: Features, model: torch.nn.Module, distributed: DistributedContext
    ) -> dict[str, torch.Tensor]:
        """Over this process's part of the batch: "loss" is minimised, other names are its parts, for the curve.

        Each is such that its mean over the processes is its value over the whole batch; so are gradients.
        """
        raise NotImplementedError

    def update(self, model: torch.nn.Module) -> None:
        """After each step of the optimizer."""
