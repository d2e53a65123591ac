"""Objectives that also write the text: CoCa (2205.01917) and what SigLIP 2 adds to the sigmoid (2502.14786, section 2).

A caption's loss is kept as sums over each text's tokens, so that the mean over all tokens of the batch is right
however the batch is cut into micro-batches and processes.
"""

from __future__ import annotations

from typing import Any

import torch

from curate.errors import RecipeError
from filters.anatomy import image_tokens
from filters.augment import local_crop
from filters.auxiliary import Agreement, Captioner, token_sums
from filters.encoder import Filter, image_rows, text_rows
from filters.openclip import open_clip
from filters.optimizers import Averaged
from filters.training.objective import Features, Labeller, Seen
from filters.training.objectives.contrastive import check_bias, clip_loss, siglip_loss
from filters.training.rules import TrainingRules
from filters.training.world import World

_TEACHER_DECAY = 0.99  # of the averaged model that is agreed with


class Coca:
    """Contrast and caption by open_clip's own CoCa, summed as its CoCaLoss does; ``rules.caption`` weighs it."""

    labeller: Labeller | None = None

    def __init__(self, learner: Filter, rules: TrainingRules) -> None:
        if not isinstance(learner.model, open_clip.CoCa):
            problem = "coca trains a model with a decoder of texts"
            raise RecipeError("train.objective", problem, "arch: radsift-tiny-coca, or one of open_clip's coca_*")
        self.heads = torch.nn.Module()
        self._weight = rules.caption

    def features(self, model: Any, seen: Seen) -> Features:
        """Unit rows "image" and "text" float32[n, d]; "caption" and "tokens" float32[n], as `token_sums` has them."""
        said = model(seen.pixels, seen.ids)
        caption, tokens = token_sums(said["logits"], said["labels"], model.pad_id)
        return {
            "image": said["image_features"].float(),
            "text": said["text_features"].float(),
            "caption": caption,
            "tokens": tokens,
        }

    def loss(self, features: Features, model: torch.nn.Module, world: World) -> dict[str, torch.Tensor]:
        """open_clip's CoCaLoss: "contrast" + weight * "caption"."""
        contrast, caption = clip_loss(features, model, world), mean_of_tokens(features, world)
        return {"loss": contrast + self._weight * caption, "contrast": contrast, "caption": caption}

    def update(self, model: torch.nn.Module) -> None:
        """Nothing follows a step."""


class Siglip2:
    """The sigmoid, a small captioner on the image's tokens, and late in training agreement with itself.

    The heads hold the captioner, the agreement's projection with its average and centre, and the averaged model that
    is agreed with; a weight of 0 leaves its part out.
    """

    labeller: Labeller | None = None

    def __init__(self, learner: Filter, rules: TrainingRules) -> None:
        check_bias(learner)
        self._rules = rules
        self._mean_answer: torch.Tensor | None = None  # of the step that is under way
        blank = torch.zeros((1, 1, learner.side, learner.side), dtype=torch.uint8)
        self._parts = torch.nn.ModuleDict()
        with torch.no_grad():
            if rules.caption:
                width = image_tokens(learner.model, learner.scaled(blank))[1].shape[2]
                self._parts["captioner"] = Captioner(width, _vocabulary(learner), learner.tokenizer.context_length)
            if rules.distill:
                self._parts["agreement"] = Agreement(learner.encode_images(blank).shape[1])
                self._parts["teacher"] = Averaged(learner.model, _TEACHER_DECAY)
        self.heads: torch.nn.Module = self._parts.to(learner.device)

    def features(self, model: torch.nn.Module, seen: Seen) -> Features:
        """Unit rows "image" and "text" float32[n, d]; "caption" and "tokens" float32[n]; "agree" float32[n] with the
        teacher's "answers" float32[n, prototypes] from ``rules.distill_after`` on."""
        found: Features = {"text": text_rows(model, seen.ids)}
        if "captioner" in self._parts:
            captioner: Any = self._parts["captioner"]
            pooled, tokens = image_tokens(model, seen.pixels)
            found["image"] = torch.nn.functional.normalize(pooled.float(), dim=-1)
            found["caption"], found["tokens"] = captioner.each(tokens, seen.ids)
        else:
            found["image"] = image_rows(model, seen.pixels)
        if "agreement" in self._parts and seen.done >= self._rules.distill_after:
            found["agree"], found["answers"] = self._agree(model, seen)
        return found

    def _agree(self, model: Any, seen: Seen) -> tuple[torch.Tensor, torch.Tensor]:
        """The student sees a part of each image, the same one each time it is asked with this ``seen``."""
        agreement: Any = self._parts["agreement"]
        teacher: Any = self._parts["teacher"]
        generator = torch.Generator()
        generator.set_state(seen.generator.get_state())
        with torch.no_grad():
            whole = teacher.model.encode_image(seen.pixels)
        found: tuple[torch.Tensor, torch.Tensor] = agreement.each(
            model.encode_image(local_crop(seen.pixels, generator)), whole
        )
        return found

    def loss(self, features: Features, model: torch.nn.Module, world: World) -> dict[str, torch.Tensor]:
        """The sigmoid's "contrast", "caption" and "agree", weighed by the rules."""
        parts = {"contrast": siglip_loss(features, model, world)}
        total = parts["contrast"]
        if "caption" in features:
            parts["caption"] = mean_of_tokens(features, world)
            total = total + self._rules.caption * parts["caption"]
        if "agree" in features:
            parts["agree"] = features["agree"].mean()
            total = total + self._rules.distill * parts["agree"]
            self._mean_answer = features["answers"].detach().mean(0)
            world.average([self._mean_answer])
        return {"loss": total, **parts}

    def update(self, model: torch.nn.Module) -> None:
        """The averages follow, the centre too."""
        if "agreement" not in self._parts:
            return
        agreement: Any = self._parts["agreement"]
        teacher: Any = self._parts["teacher"]
        teacher.update(model)
        agreement.update()
        if self._mean_answer is not None:
            agreement.follow(self._mean_answer)
            self._mean_answer = None


def mean_of_tokens(features: Features, world: World) -> torch.Tensor:
    """The cross-entropy a token, over this process's tokens but such that its mean over processes is the batch's."""
    total = world.total(float(features["tokens"].detach().sum()))
    return features["caption"].sum() * (world.size / max(total, 1.0))


def _vocabulary(learner: Filter) -> int:
    """Ids a text may hold."""
    text = learner.config.get("text_cfg", {})
    said = text.get("hf_config", {}).get("vocab_size") or text.get("vocab_size", 0)
    return max(learner.tokenizer.vocab_size, int(said))
