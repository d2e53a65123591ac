"""CoCa (2205.01917): contrast and captioning by a model with a text decoder."""

from __future__ import annotations

from typing import Any

import torch

from curate.errors import RecipeError
from filters.towers.encoder import Filter
from filters.towers.openclip import open_clip
from filters.training.distributed import DistributedContext
from filters.training.objectives.heads import token_sums
from filters.training.objectives.losses import contrast, mean_of_tokens
from filters.training.objectives.protocol import DeviceBatch, Features, Objective


class Coca(Objective):
    """open_clip's own CoCa, summed as its CoCaLoss does; ``weight`` is the caption's."""

    def __init__(self, learner: Filter, weight: float) -> None:
        super().__init__()
        if not isinstance(learner.model, open_clip.CoCa):
            problem = "coca trains a model with a decoder of texts"
            raise RecipeError("train.objective", problem, "arch: radsift-tiny-coca, or one of open_clip's coca_*")
        self._weight = weight

    def features(self, model: Any, batch: DeviceBatch) -> Features:
        """Unit rows "image" and "text" float32[n, d]; "caption" and "tokens" float32[n], as from `token_sums`."""
        outputs = model(batch.pixels, batch.ids)
        caption, tokens = token_sums(outputs["logits"], outputs["labels"], model.pad_id)
        rows = {"image": outputs["image_features"].float(), "text": outputs["text_features"].float()}
        return {**rows, "caption": caption, "tokens": tokens}

    def loss(self, features: Features, model: Any, distributed: DistributedContext) -> dict[str, torch.Tensor]:
        """open_clip's CoCaLoss: "contrast" + weight * "caption"."""
        contrastive_loss, caption = (
            contrast("clip", features, model, distributed),
            mean_of_tokens(features, distributed),
        )
        return {"loss": contrastive_loss + self._weight * caption, "contrast": contrastive_loss, "caption": caption}
