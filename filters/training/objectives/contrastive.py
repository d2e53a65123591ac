"""CLIP (2103.00020) and SigLIP (2303.15343) losses over the batches of all processes.

Optionally with captioning, self-distillation and masked prediction: SigLIP 2's recipe (2502.14786, section 2), for
either loss. A filter's training also has edited texts as hard negatives (`filters.training.memory`).
"""

from __future__ import annotations

from typing import Any, Literal

import torch

from curate.errors import RecipeError
from filters.towers.encoder import Filter, image_rows, text_rows
from filters.towers.layers import image_tokens
from filters.training.augment import local_crop
from filters.training.distributed import DistributedContext
from filters.training.objectives.heads import Agreement, Captioner
from filters.training.objectives.losses import contrast, mean_of_tokens, same_text
from filters.training.objectives.masked import MaskedPrediction
from filters.training.objectives.protocol import DeviceBatch, Features, Objective
from filters.training.optimizers import Averaged

_TEACHER_DECAY = 0.99  # of the averaged teacher model
Kind = Literal["clip", "siglip"]


class Contrastive(Objective):
    """The softmax or sigmoid loss, and if they have a weight a small captioner on the image's tokens and, late in
    training, self-distillation and masked prediction.

    The heads contain the captioner, each agreement's projection with its average and centre, the mask token, and the
    averaged teacher. RecipeError for a model without a bias if the loss is the sigmoid, and for one without patches if
    some are to be masked.
    """

    def __init__(
        self,
        kind: Kind,
        learner: Filter,
        caption: float = 0.0,
        distill: float = 0.0,
        distill_after: float = 0.0,
        masked: float = 0.0,
    ) -> None:
        if kind == "siglip" and getattr(learner.model, "logit_bias", None) is None:
            raise RecipeError("train.objective", "the sigmoid loss needs a model with a bias", "objective: clip")
        self._kind, self._after = kind, distill_after
        self._weights = {"caption": caption, "agree": distill, "masked": masked}
        self._mean_answers: dict[str, torch.Tensor] = {}  # of the current step
        self.steady = not distill and not masked
        blank = torch.zeros((1, 1, learner.side, learner.side), dtype=torch.uint8)
        self._parts = torch.nn.ModuleDict()
        with torch.no_grad():
            if caption or masked:
                width = image_tokens(learner.model, learner.scaled(blank))[1].shape[2]
            if caption:
                self._parts["captioner"] = Captioner(width, _vocabulary_size(learner), learner.tokenizer.context_length)
            if distill:
                self._parts["agreement"] = Agreement(learner.encode_images(blank).shape[1])
            if masked:
                self._parts["masked"] = MaskedPrediction(learner.model, learner.scaled(blank), Agreement(width))
            if distill or masked:
                self._parts["teacher"] = Averaged(learner.model, _TEACHER_DECAY)
        self.heads: torch.nn.Module = self._parts.to(learner.device)

    def features(self, model: torch.nn.Module, batch: DeviceBatch) -> Features:
        """Unit rows "image" and "text" float32[n, d]; "caption" and "tokens" float32[n]; once the teacher is
        used, "agree" and "masked" float32[n], and its outputs "agree_answers" and "masked_answers" float32[n,
        prototypes].

        If the labels have "wrong" texts int64[m, length] or "blocked", also those inputs of `contrast`.
        """
        features: Features = {}
        if "captioner" in self._parts:
            captioner: Any = self._parts["captioner"]
            pooled, tokens = image_tokens(model, batch.pixels)
            features["image"] = torch.nn.functional.normalize(pooled.float(), dim=-1)
            features["caption"], features["tokens"] = captioner.per_row(tokens, batch.ids)
        else:
            features["image"] = image_rows(model, batch.pixels)
        features["text"] = text_rows(model, batch.ids)
        if (wrong := batch.labels.get("wrong")) is not None:
            features["wrong"] = text_rows(model, wrong)
        if "blocked" in batch.labels:
            features["blocked"] = same_text(batch.ids, wrong)
        if "agreement" in self._parts and batch.done >= self._after:
            features["agree"], features["agree_answers"] = self._agree(model, batch)
        if "masked" in self._parts and batch.done >= self._after:
            masked, teacher = self._heads("masked"), self._heads("teacher")
            mask = masked.draw(len(batch.pixels), _copy_generator(batch.generator))
            features["masked"], features["masked_answers"] = masked.per_row(model, teacher.model, batch.pixels, mask)
        return features

    def _heads(self, name: str) -> Any:
        return self._parts[name]

    def _agree(self, model: Any, batch: DeviceBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Self-distillation: the student sees a crop of each image, the same one each time for this ``batch``."""
        with torch.no_grad():
            whole = self._heads("teacher").model.encode_image(batch.pixels)
        part = model.encode_image(local_crop(batch.pixels, _copy_generator(batch.generator)))
        result: tuple[torch.Tensor, torch.Tensor] = self._heads("agreement").per_row(part, whole)
        return result

    def loss(self, features: Features, model: Any, distributed: DistributedContext) -> dict[str, torch.Tensor]:
        """The contrast alone, or the weighted sum of "contrast", "caption", "agree" and "masked"."""
        total = contrast(self._kind, features, model, distributed)
        if not self._parts:
            return {"loss": total}
        parts = {"contrast": total}
        if "caption" in features:
            parts["caption"] = mean_of_tokens(features, distributed)
        for name in ("agree", "masked"):
            if name in features:
                parts[name] = features[name].mean()
                self._mean_answers[name] = features[f"{name}_answers"].detach().mean(0)
                distributed.average([self._mean_answers[name]])
        for name, weight in self._weights.items():
            total = total + weight * parts[name] if name in parts else total
        return {"loss": total, **parts}

    def update(self, model: torch.nn.Module) -> None:
        """Update the averages and the centres."""
        if "teacher" in self._parts:
            self._heads("teacher").update(model)
        for name in ("agree", "masked"):
            if self._weights[name]:
                agreement = self._heads("agreement") if name == "agree" else self._heads("masked").agreement
                agreement.update()
                if name in self._mean_answers:
                    agreement.follow(self._mean_answers.pop(name))


def _copy_generator(generator: torch.Generator) -> torch.Generator:
    """A copy of ``generator`` in its current state."""
    copy = torch.Generator()
    copy.set_state(generator.get_state())
    return copy


def _vocabulary_size(learner: Filter) -> int:
    """Number of token ids."""
    text = learner.config.get("text_cfg", {})
    declared = text.get("hf_config", {}).get("vocab_size") or text.get("vocab_size", 0)
    return max(learner.tokenizer.vocab_size, int(declared))
