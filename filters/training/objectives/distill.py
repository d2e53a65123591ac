"""Two of open_clip's own objectives beside the plain contrast: CoCa (2205.01917), contrast and captioning by a model
with a text decoder; and distillation (DistillClipLoss), the similarities of a frozen teacher as targets.

The teacher may be any model's folder that `filters.towers.model.load_filter` reads. It gets the learner's augmented
pixels at its own side and statistics, and texts by its own tokenizer (through the labeller), so that vocabularies may
differ. Widths may differ too: only similarities within the batch are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from curate.errors import RecipeError
from filters.rules import TrainingRules
from filters.towers.encoder import Filter, image_rows, text_rows
from filters.towers.model import load_filter
from filters.towers.openclip import open_clip
from filters.towers.tokenizer import TextTokenizer
from filters.training.distributed import DistributedContext
from filters.training.objectives.heads import token_sums
from filters.training.objectives.losses import contrast, mean_of_tokens
from filters.training.objectives.protocol import DeviceBatch, Features, Labels, Objective


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


@dataclass(frozen=True)
class TeacherIds:
    """The `Labeller`: token ids of the texts by the teacher's tokenizer."""

    tokenizer: TextTokenizer

    def __call__(self, own: Sequence[str], read: Sequence[str]) -> Labels:
        """ "teacher_ids" int64[n, the teacher's context_length]."""
        return {"teacher_ids": self.tokenizer(read)}


class Distill(Objective):
    """The softmax loss, and ``rules.distill`` times the cross-entropy to the teacher's softmax, both ways."""

    def __init__(self, learner: Filter, rules: TrainingRules) -> None:
        """RecipeError if ``rules.teacher`` is no model's folder, or a damaged one."""
        super().__init__()  # the teacher is not part of checkpoints: it never changes
        if rules.teacher is None:
            raise RecipeError("train.teacher", "no teacher", "a trained model's folder, with objective: distill")
        try:
            teacher = load_filter(Path(rules.teacher), learner.device)
        except RecipeError as error:
            raise RecipeError("train.teacher", error.problem, "a trained model's folder") from None
        teacher.model.requires_grad_(False)
        self.labeller = TeacherIds(teacher.tokenizer)
        self._teacher, self._weight = teacher, rules.distill
        self._scale = teacher.logit()[0]
        self._views = _statistics(learner), _statistics(teacher)

    def features(self, model: torch.nn.Module, batch: DeviceBatch) -> Features:
        """Unit rows "image" and "text" of the learner; "teacher_image", "teacher_text" of the teacher, no gradient."""
        with torch.no_grad():
            image = image_rows(self._teacher.model, self._view(batch.pixels))
            text = text_rows(self._teacher.model, batch.labels["teacher_ids"])
        rows = {"image": image_rows(model, batch.pixels), "text": text_rows(model, batch.ids)}
        return rows | {"teacher_image": image, "teacher_text": text}

    def _view(self, pixels: torch.Tensor) -> torch.Tensor:
        """The learner's normalised pixels, scaled and normalised for the teacher."""
        (mean, std), (teacher_mean, teacher_std) = self._views
        side = self._teacher.side
        if pixels.shape[-1] != side:
            pixels = torch.nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
        return pixels * (std / teacher_std) + (mean - teacher_mean) / teacher_std

    def loss(self, features: Features, model: Any, distributed: DistributedContext) -> dict[str, torch.Tensor]:
        """open_clip's DistillClipLoss: "contrast" + weight * "distill"."""
        loss = open_clip.DistillClipLoss(
            local_loss=True, gather_with_grad=True, rank=distributed.rank, world_size=distributed.size
        )
        contrastive_loss, distill = loss(
            features["image"],
            features["text"],
            model.logit_scale.exp(),
            features["teacher_image"].detach(),
            features["teacher_text"].detach(),
            self._scale,
        )
        return {"loss": contrastive_loss + self._weight * distill, "contrast": contrastive_loss, "distill": distill}


def _statistics(model: Filter) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation float32[1, 3, 1, 1] of pixels in 0..1."""
    mean, std = (torch.tensor(model.preprocessing[k], device=model.device) for k in ("mean", "std"))
    return mean.reshape(1, 3, 1, 1), std.reshape(1, 3, 1, 1)
