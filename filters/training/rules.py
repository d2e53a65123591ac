"""Training options of filters and of the final model: everything that decides their weights. No torch here.

The defaults are plain training (of a filter: a data filtering network).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from curate.errors import RecipeError

AUTO = "auto"  # the architecture in the checkpoint's folder
ObjectiveName = Literal["clip", "siglip", "coca", "siglip2", "medclip", "distill"]
_SHARES = ("warmup", "patch_dropout", "ema", "unpaired", "mirror", "distill_after", "filter_ratio")
_BELOW_ONE = ("patch_dropout", "ema", "filter_ratio")  # shares that must be below 1
_COUNTS = (("seed", 0, 2**63 - 1), ("threads", 1, 1024), ("vocab", 1, 10**7))


@dataclass(frozen=True)
class ModelRules:
    """The model to train: architecture, initial weights and tokenizer."""

    # of filters/towers/configs, any of open_clip's, a path to an open_clip model config, "hf-hub:org/name",
    # "ViT-B-32:laion2b_s34b_b79k", "lit" (frozen towers), or "auto": as in the checkpoint's folder
    arch: str = "radsift-tiny"
    # a local .safetensors or .pt file, a filter folder, or a folder in open_clip's or (SigLIP) transformers' layout;
    # None: random weights, or those of a hub name
    checkpoint: str | None = None
    tokenizer: Literal["open_clip", "wordpiece"] = "wordpiece"  # the architecture's own, or one trained on the texts


@dataclass(frozen=True)
class CommonRules:
    """Options of every training of two towers. ``warmup``, ``patch_dropout``, ``distill_after`` and ``filter_ratio``
    are shares."""

    model: ModelRules = field(default_factory=ModelRules)
    objective: ObjectiveName = "clip"
    epochs: int = 20
    batch: int = 32
    lr: float = 1e-3
    weight_decay: float = 0.1
    warmup: float = 0.1
    seed: int = 0
    threads: int = 2  # torch threads of each process, on which CPU sums depend
    vocab: int = 4096
    augment: bool = True
    optimizer: Literal["adamw", "lamb"] = "adamw"
    layer_decay: float = 1.0  # of the rate with each block below the head, in both towers (EVA-CLIP, 2303.15389)
    patch_dropout: float = 0.0  # of a ViT's patches, in training (FLIP, 2212.00794; EVA-CLIP)
    ema: float = 0.0  # decay of averaged weights, which replace the last ones at the end; 0: no averaging
    caption: float = 0.0  # weight of predicting the text from the image (CoCa, 2205.01917; SigLIP 2, 2502.14786)
    distill: float = 0.0  # weight of self-distillation: local crops against an averaged teacher on the whole image
    distill_after: float = 0.8  # share of the training before self-distillation begins (SigLIP 2, section 2.3)
    masked: float = (
        0.0  # weight of predicting the teacher's tokens of masked patches, from then on too (SigLIP 2, TIPS)
    )
    # a filter's or model's folder: batches are selected from larger ones, hard for the learner and easy for the
    # reference
    reference: str | None = None  # (JEST, 2406.17711; ACID, 2411.18674)
    filter_ratio: float = 0.5  # share of the drawn pairs that is left out
    chunks: int = 4  # number of chunks in which a batch is selected


@dataclass(frozen=True)
class FilterTrainingRules(CommonRules):
    """Options of a filter's training on the clean set, in memory. ``holdout`` and ``mirror`` are shares."""

    objective: Literal["clip", "siglip"] = "clip"  # softmax over the batch, or a sigmoid a pair (SigLIP, 2303.15343)
    holdout: float = 0.1
    device: str = "auto"
    negatives: int = 0  # edited texts as hard negatives for each pair and step (NegCLIP, 2210.01936)
    negative_kinds: tuple[str, ...] = ("side", "negation", "severity", "level")  # of filters.findings.EDITS
    mirror: float = 0.0  # share of images that are flipped, with the sides in their texts exchanged
    bf16: bool = True  # autocast on a GPU
    finetune: int = 0  # epochs on a second, cleaner set (DFN, 2309.17425, section 4)
    finetune_lr: float = 1e-4


@dataclass(frozen=True)
class TrainingRules(CommonRules):
    """Options of the final model's training on shards. ``unpaired`` is a share; ``batch`` is of all processes together.

    The training has ``samples`` pairs if given (rounded up to whole steps), else ``epochs`` passes.
    """

    batch: int = 64
    samples: int | None = None
    accumulate: int = 1  # micro-batches a step: the same gradient in less memory
    threads: int = 1
    precision: Literal["auto", "float32", "bf16"] = "auto"  # auto: bf16 on a GPU
    grad_checkpointing: bool = False
    compile: bool = False
    # the record's texts, one drawn each epoch: "caption" is the whole text, a section's name that section
    texts: tuple[str, ...] = ("caption",)
    one_a_study: bool = False  # of a study with several images, one is drawn an epoch
    caption: float = 1.0  # weight of captioning (coca, siglip2)
    distill: float = 1.0  # weight of the teacher (distill), of self-distillation (siglip2)
    teacher: str | None = None  # a model's folder (distill)
    unpaired: float = 0.0  # share of rows whose text is another record's (medclip)

    @property
    def drawn(self) -> int:
        """Pairs of a step before curation: 2406.17711's B = b / (1 - f)."""
        return self.batch if self.reference is None else round(self.batch / (1 - self.filter_ratio))


_TOGETHER = "2 or more: pairs are told apart from each other"


def check_filter_training(rules: FilterTrainingRules) -> None:
    """RecipeError for a value out of range; checks that depend on the model come when it is built."""
    _check_common(rules, "filter")
    for name in ("negatives", "finetune"):
        _refuse(getattr(rules, name) < 0, f"filter.{name}", getattr(rules, name), "0 (none) or more")
    _refuse(rules.epochs < 0, "filter.epochs", rules.epochs, "0 (none) or more")
    _refuse(rules.batch < 2, "filter.batch", rules.batch, _TOGETHER)
    _refuse(not rules.lr > 0, "filter.lr", rules.lr, "above 0")


def check_training_rules(rules: TrainingRules) -> None:
    """RecipeError for a value out of range or a contradiction; before any work."""
    _check_common(rules, "train")
    for name, low, high in _COUNTS:
        value = getattr(rules, name)
        _refuse(not low <= value <= high, f"train.{name}", value, f"{low} to {high}")
    _refuse(rules.batch < 2, "train.batch", rules.batch, _TOGETHER)
    uneven = rules.accumulate < 1 or rules.batch % rules.accumulate
    problem = f"{rules.accumulate} micro-batches of {rules.batch} pairs"
    _refuse(uneven, "train.accumulate", problem, "a batch of 2 or more, a whole multiple of accumulate")
    none = rules.samples is not None and rules.samples < 1
    _refuse(none, "train.samples", rules.samples, "1 or more, or null for epochs")
    _refuse(rules.epochs < 1, "train.epochs", rules.epochs, "1 or more")
    _refuse(not rules.lr > 0, "train.lr", rules.lr, "above 0")
    _refuse(not rules.texts, "train.texts", "no text is read", "caption, or names of sections")
    problem = "no teacher" if rules.teacher is None else f"{rules.objective} has no teacher"
    alone = (rules.objective == "distill") != (rules.teacher is not None)
    _refuse(alone, "train.teacher", problem, "a trained model's folder, with objective: distill")
    problem = f"{rules.objective} learns from pairs"
    pairs = bool(rules.unpaired) and rules.objective != "medclip"
    _refuse(pairs, "train.unpaired", problem, "objective: medclip, or unpaired: 0")


def _check_common(rules: CommonRules, part: str) -> None:
    """Checks common to filters and the final model; ``part``: the recipe's section."""
    for name, value in ((f.name, getattr(rules, f.name)) for f in fields(rules)):
        _refuse(isinstance(value, float) and not math.isfinite(value), f"{part}.{name}", value, "a number")
        if name in _SHARES:
            outside = not 0 <= value <= 1 or (value == 1 and name in _BELOW_ONE)
            _refuse(outside, f"{part}.{name}", value, "a share, from 0 to below 1")
    for name in ("weight_decay", "caption", "distill", "masked"):
        _refuse(getattr(rules, name) < 0, f"{part}.{name}", getattr(rules, name), "0 (none) or more")
    _refuse(not 0 < rules.layer_decay <= 1, f"{part}.layer_decay", rules.layer_decay, "above 0, at most 1 (none)")
    _refuse(rules.chunks < 1, f"{part}.chunks", rules.chunks, "1 or more")


def _refuse(wrong: object, name: str, problem: object, fix: str) -> None:
    if wrong:
        raise RecipeError(name, f"{problem}", fix)


def rules_from(recorded: Mapping[str, Any]) -> TrainingRules:
    """The rules from the output ``recorded`` of ``dataclasses.asdict``, also after JSON."""
    values = {**recorded, "model": ModelRules(**recorded["model"]), "texts": tuple(recorded["texts"])}
    return TrainingRules(**values)
