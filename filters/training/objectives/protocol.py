"""The interface of objectives: features of a micro-batch, and one loss over the features of the whole batch.

The two are separate so that a batch larger than memory has its exact gradient (GradCache, 2101.06983): features of all
micro-batches first, then the loss and its gradient by feature, then each micro-batch again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from numpy.typing import NDArray

from filters.training.distributed import DistributedContext

Features = dict[str, torch.Tensor]  # leading dimension n; those of micro-batches are concatenated
Labels = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class DeviceBatch:
    """A micro-batch of n pairs on the model's device."""

    pixels: torch.Tensor  # float32[n, 3, side, side], normalised for the model, or its other input
    ids: torch.Tensor  # int64[n, context_length], or the model's other input
    labels: Mapping[str, torch.Tensor] = field(default_factory=dict)  # further inputs of the objective, by name
    done: float = 0.0  # share of the training that is done, 0..1
    generator: torch.Generator = field(default_factory=torch.Generator)  # CPU; of this step, process and micro-batch


class Labeller(Protocol):
    """Runs in the loader's processes: picklable, without tensors."""

    def __call__(self, own: Sequence[str], read: Sequence[str]) -> Labels:
        """Rows by name for n records, from their own texts and the texts paired with their images."""
        ...


class Objective:
    """An objective. ``heads`` are modules of the training only, trained and saved in its checkpoints.

    ``steady``: the same weights take part in every step, so that gradients can be all-reduced during the backward pass.
    """

    labeller: Labeller | None = None
    steady = True

    def __init__(self) -> None:
        self.heads: torch.nn.Module = torch.nn.Module()

    def features(self, model: torch.nn.Module, batch: DeviceBatch) -> Features:
        """The forward pass; outputs that need no gradient have `requires_grad` false."""
        raise NotImplementedError

    def loss(
        self, features: Features, model: torch.nn.Module, distributed: DistributedContext
    ) -> dict[str, torch.Tensor]:
        """Losses of this process's part of the batch: "loss" is minimised, the others are its parts, for the curve.

        The mean of each over the processes is its value for the whole batch; the same holds for gradients.
        """
        raise NotImplementedError

    def update(self, model: torch.nn.Module) -> None:
        """Called after each step of the optimizer."""
