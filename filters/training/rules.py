"""How the final model is trained: everything that decides its weights, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from curate.errors import RecipeError
from filters.train_rules import ModelRules

ObjectiveName = Literal["clip", "siglip", "coca", "siglip2", "medclip", "distill"]
_SHARES = ("warmup", "patch_dropout", "ema", "unpaired", "distill_after", "filter_ratio")


@dataclass(frozen=True)
class TrainingRules:
    """``warmup``, ``patch_dropout``, ``unpaired`` and ``distill_after`` are shares; ``batch`` is of all processes
    together.

    The training is ``samples`` pairs long where given (rounded up to whole steps), else ``epochs`` passes.
    """

    model: ModelRules = field(default_factory=ModelRules)
    objective: ObjectiveName = "clip"
    epochs: int = 20
    samples: int | None = None
    batch: int = 64
    accumulate: int = 1  # micro-batches a step: the same gradient in less memory
    lr: float = 1e-3
    weight_decay: float = 0.1
    warmup: float = 0.1
    seed: int = 0
    threads: int = 1  # of torch's, a process: sums on the CPU depend on it
    vocab: int = 4096
    augment: bool = True
    precision: Literal["auto", "float32", "bf16"] = "auto"  # auto: bf16 on a GPU
    grad_checkpointing: bool = False
    compile: bool = False
    optimizer: Literal["adamw", "lamb"] = "adamw"
    layer_decay: float = 1.0  # of the rate, a block down from the head (EVA-CLIP, 2303.15389)
    patch_dropout: float = 0.0  # of a ViT's patches (FLIP, 2212.00794)
    ema: float = 0.0  # decay of the averaged weights that are kept in place of the last; 0 keeps the last
    # which of a record's texts is read, drawn anew each epoch: caption is the whole text, a section's name that section
    texts: tuple[str, ...] = ("caption",)
    one_a_study: bool = False  # of a study with several images, one is drawn an epoch
    caption: float = 1.0  # weight of captioning (coca, siglip2)
    distill: float = 1.0  # weight of the teacher (distill), of agreement with itself (siglip2)
    distill_after: float = 0.8  # of the training, before self-distillation begins (SigLIP 2, 2502.14786, section 2.3)
    teacher: str | None = None  # a model's folder (distill)
    # a model's folder: batches are chosen from larger ones, what the model finds hard and this one easy
    reference: str | None = None  # (JEST, 2406.17711; ACID, 2411.18674)
    filter_ratio: float = 0.5  # of the drawn pairs left out
    chunks: int = 4  # in which a batch is chosen
    unpaired: float = 0.0  # share of rows whose text is another record's (medclip)

    @property
    def drawn(self) -> int:
        """Pairs of a step before any are left out: 2406.17711's B = b / (1 - f)."""
        return self.batch if self.reference is None else round(self.batch / (1 - self.filter_ratio))


def check_training_rules(rules: TrainingRules) -> None:
    """RecipeError where a value is out of its range or two do not go together; before any work."""
    for part in fields(rules):
        value = getattr(rules, part.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise RecipeError(f"train.{part.name}", f"{value}", "a number")
    for name in ("weight_decay", "caption", "distill"):
        if getattr(rules, name) < 0:
            raise RecipeError(f"train.{name}", f"{getattr(rules, name)}", "0 or more")
    for name, least, most in (("seed", 0, 2**63 - 1), ("threads", 1, 1024), ("vocab", 1, 10**7)):
        if not least <= getattr(rules, name) <= most:
            raise RecipeError(f"train.{name}", f"{getattr(rules, name)}", f"{least} to {most}")
    for name in _SHARES:
        value = getattr(rules, name)
        if not 0 <= value <= 1 or (value == 1 and name in ("patch_dropout", "ema", "filter_ratio")):
            raise RecipeError(f"train.{name}", f"{value}", "a share, from 0 to below 1")
    if not 0 < rules.layer_decay <= 1:
        raise RecipeError("train.layer_decay", f"{rules.layer_decay}", "above 0, at most 1 (none)")
    if rules.batch < 2:
        raise RecipeError("train.batch", f"{rules.batch}", "2 or more: pairs are told apart from each other")
    if rules.accumulate < 1 or rules.batch % rules.accumulate:
        problem = f"{rules.accumulate} micro-batches of {rules.batch} pairs"
        raise RecipeError("train.accumulate", problem, "a batch of 2 or more, a whole multiple of accumulate")
    if rules.samples is not None and rules.samples < 1:
        raise RecipeError("train.samples", f"{rules.samples}", "1 or more, or null for epochs")
    if rules.epochs < 1:
        raise RecipeError("train.epochs", f"{rules.epochs}", "1 or more")
    if rules.chunks < 1:
        raise RecipeError("train.chunks", f"{rules.chunks}", "1 or more")
    if not rules.lr > 0:
        raise RecipeError("train.lr", f"{rules.lr}", "above 0")
    if not rules.texts:
        raise RecipeError("train.texts", "no text is read", "caption, or names of sections")
    if (rules.objective == "distill") != (rules.teacher is not None):
        problem = "no teacher" if rules.teacher is None else f"{rules.objective} has no teacher"
        raise RecipeError("train.teacher", problem, "a trained model's folder, with objective: distill")
    if rules.unpaired and rules.objective != "medclip":
        raise RecipeError(
            "train.unpaired", f"{rules.objective} learns from pairs", "objective: medclip, or unpaired: 0"
        )


def rules_from(said: Mapping[str, Any]) -> TrainingRules:
    """The rules that ``dataclasses.asdict`` made ``said`` of, through JSON too."""
    values = {**said, "model": ModelRules(**said["model"]), "texts": tuple(said["texts"])}
    return TrainingRules(**values)
