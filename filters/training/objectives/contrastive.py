"""CLIP (2103.00020) and SigLIP (2303.15343): images and texts of a batch, each to find its own among all processes'.

The losses are open_clip's. Each process has the rows of its own images and texts against all others': its features
are gathered (CLIP) or sent round in chunks (SigLIP), and their gradients come back the same way.
"""

from __future__ import annotations

from typing import Any

import torch

from curate.errors import RecipeError
from filters.encoder import Filter, image_rows, text_rows
from filters.openclip import open_clip
from filters.training.objective import Features, Labeller, Seen
from filters.training.world import World


class Clip:
    """The softmax loss over the gathered batch."""

    labeller: Labeller | None = None

    def __init__(self) -> None:
        self.heads = torch.nn.Module()

    def features(self, model: torch.nn.Module, seen: Seen) -> Features:
        """Unit rows "image" and "text", float32[n, d]."""
        return {"image": image_rows(model, seen.pixels), "text": text_rows(model, seen.ids)}

    def loss(self, features: Features, model: torch.nn.Module, world: World) -> dict[str, torch.Tensor]:
        """open_clip's ClipLoss."""
        return {"loss": clip_loss(features, model, world)}

    def update(self, model: torch.nn.Module) -> None:
        """Nothing follows a step."""


class Siglip:
    """The sigmoid loss of every pair."""

    labeller: Labeller | None = None

    def __init__(self, learner: Filter) -> None:
        check_bias(learner)
        self.heads = torch.nn.Module()

    def features(self, model: torch.nn.Module, seen: Seen) -> Features:
        """Unit rows "image" and "text", float32[n, d]."""
        return {"image": image_rows(model, seen.pixels), "text": text_rows(model, seen.ids)}

    def loss(self, features: Features, model: torch.nn.Module, world: World) -> dict[str, torch.Tensor]:
        """open_clip's SigLipLoss."""
        return {"loss": siglip_loss(features, model, world)}

    def update(self, model: torch.nn.Module) -> None:
        """Nothing follows a step."""


def clip_loss(features: Features, model: Any, world: World) -> torch.Tensor:
    """The softmax loss of this process's rows against those of all."""
    loss = open_clip.loss.ClipLoss(local_loss=True, gather_with_grad=True, rank=world.rank, world_size=world.size)
    found: torch.Tensor = loss(features["image"], features["text"], model.logit_scale.exp())
    return found


def siglip_loss(features: Features, model: Any, world: World) -> torch.Tensor:
    """The sigmoid loss of this process's images with the texts of all, a process's texts at a time."""
    loss = open_clip.loss.SigLipLoss(rank=world.rank, world_size=world.size)
    found: torch.Tensor = loss(features["image"], features["text"], model.logit_scale.exp(), model.logit_bias)
    return found


def check_bias(learner: Filter) -> None:
    """RecipeError for a model the sigmoid loss cannot train."""
    if getattr(learner.model, "logit_bias", None) is None:
        raise RecipeError("train.objective", "the sigmoid loss needs a model with a bias", "objective: clip")
