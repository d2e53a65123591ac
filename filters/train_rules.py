"""What a filter begins with, and how it is trained. The defaults are a plain data filtering network; everything else
is asked for. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from curate.errors import RecipeError

AUTO = "auto"  # the architecture the checkpoint's folder names


@dataclass(frozen=True)
class ModelRules:
    """What to train from: an architecture, weights to begin with, and whose tokenizer."""

    # of filters/configs, any of open_clip's, a path to an open_clip model config, "hf-hub:org/name",
    # "ViT-B-32:laion2b_s34b_b79k", "lit" (frozen towers), or "auto": what the checkpoint's folder says
    arch: str = "radsift-tiny"
    # a local .safetensors or .pt file, a filter folder, or a folder in open_clip's or (SigLIP) transformers' layout;
    # None begins at random, or with what a hub name brings
    checkpoint: str | None = None
    tokenizer: Literal["open_clip", "wordpiece"] = "wordpiece"  # the architecture's own, or one trained on the texts


@dataclass(frozen=True)
class TrainRules:
    """``warmup``, ``holdout``, ``mirror``, ``patch_dropout``, ``filter_ratio`` and ``distill_after`` are shares."""

    model: ModelRules = field(default_factory=ModelRules)
    epochs: int = 20
    batch: int = 32
    lr: float = 1e-3
    weight_decay: float = 0.1
    warmup: float = 0.1
    seed: int = 0
    threads: int = 2
    holdout: float = 0.1
    vocab: int = 4096
    augment: bool = True
    device: str = "auto"
    # softmax over the batch (CLIP, 2103.00020), or a sigmoid a pair (SigLIP, 2303.15343)
    objective: Literal["clip", "siglip"] = "clip"
    negatives: int = 0  # texts edited to say something else, a pair and step (NegCLIP, 2210.01936)
    negative_kinds: tuple[str, ...] = ("side", "negation", "severity", "level")  # of filters.findings.EDITS
    mirror: float = 0.0  # how often an image is flipped, with the sides in its text exchanged: a right pair again
    caption: float = (
        0.0  # weight of predicting the text from the image's tokens (CoCa, 2205.01917; SigLIP 2, 2502.14786)
    )
    distill: float = 0.0  # weight of agreeing, from a part of the image, with an averaged teacher that sees all of it
    distill_after: float = 0.8  # of the training; before, there is nothing worth agreeing with (SigLIP 2, section 2.3)
    ema: float = 0.0  # decay of the averaged weights that are kept in place of the last; 0 keeps the last
    optimizer: Literal["adamw", "lamb"] = "adamw"
    layer_decay: float = 1.0  # of the rate, a block down from the head, in both towers (EVA-CLIP, 2303.15389)
    patch_dropout: float = 0.0  # of a ViT's patches, in training (FLIP, 2212.00794; EVA-CLIP)
    bf16: bool = True  # autocast where there is a GPU
    # batches of the pairs the learner finds hard and a reference easy (JEST, 2406.17711; ACID, 2411.18674)
    reference: str | None = None  # a filter's folder
    filter_ratio: float = 0.5  # of each super-batch left out
    chunks: int = 4  # in which a batch is chosen
    finetune: int = 0  # epochs on a second, cleaner set (DFN, 2309.17425, section 4)
    finetune_lr: float = 1e-4


def check_train_rules(rules: TrainRules) -> None:
    """RecipeError where a value is out of its range; what depends on the model is checked when it is there."""
    shares = {
        n: getattr(rules, n) for n in ("mirror", "patch_dropout", "filter_ratio", "distill_after", "ema", "warmup")
    }
    for name, value in shares.items():
        if not 0 <= value < 1 and not (name in ("mirror", "distill_after", "warmup") and value == 1):
            raise RecipeError(f"filter.{name}", f"{value}", "a share, from 0 to below 1")
    if not 0 < rules.layer_decay <= 1:
        raise RecipeError("filter.layer_decay", f"{rules.layer_decay}", "above 0, at most 1 (none)")
    for name in ("negatives", "caption", "distill", "finetune"):
        if getattr(rules, name) < 0:
            raise RecipeError(f"filter.{name}", f"{getattr(rules, name)}", "0 (none) or more")
    if rules.chunks < 1:
        raise RecipeError("filter.chunks", f"{rules.chunks}", "1 or more")
