"""Training options of filters and of the final model: everything that decides their weights. No torch here.

The defaults are plain training (of a filter: a data filtering network).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, Any, ClassVar, Literal, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from curate.errors import RecipeError

AUTO = "auto"  # the architecture in the checkpoint's folder
ObjectiveName = Literal["clip", "siglip", "coca", "siglip2", "medclip", "distill"]
Share = Annotated[float, Field(ge=0, le=1)]
PartialShare = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # of a loss or a penalty; 0: none
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Count = Annotated[int, Field(ge=0)]  # 0: none
AtLeastOne = Annotated[int, Field(ge=1)]
Threads = Annotated[int, Field(ge=1, le=1024)]
Vocabulary = Annotated[int, Field(ge=1, le=10**7)]
Batch = Annotated[int, Field(ge=2)]  # pairs are told apart from each other
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def check_value(kind: Any, value: Any) -> tuple[Any, str]:
    """(``value`` as a field of type ``kind`` takes it, "" or what would be right in its place)."""
    try:
        return TypeAdapter(kind).validate_python(value), ""
    except ValidationError as error:
        first = error.errors()[0]
        bounds = [f"{_BOUNDS[k]} {v:g}" for k, v in first.get("ctx", {}).items() if k in _BOUNDS]
        return value, bounds[0] if bounds else first["msg"]


def check_fields(rules: Any, part: str) -> None:
    """RecipeError for a value that is none of its field's; ``part``: the recipe's section."""
    hints = get_type_hints(type(rules), include_extras=True)
    for name, value in ((f.name, getattr(rules, f.name)) for f in fields(rules)):
        if not is_dataclass(value):
            _refuse(fix := check_value(hints[name], value)[1], f"{part}.{name}", value, fix)


class Rules:
    """The string below a field describes it: docs/recipe.md and the JSON Schema are made of those."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True)


@dataclass(frozen=True)
class ModelRules(Rules):
    """The model to train: architecture, initial weights and tokenizer."""

    arch: str = "radsift-tiny"
    """Of filters/towers/configs, any of open_clip's, a path to an open_clip model config, "hf-hub:org/name",
    "ViT-B-32:laion2b_s34b_b79k", "lit" (frozen towers), or "auto": as in the checkpoint's folder."""
    checkpoint: str | None = None
    """A local .safetensors or .pt file, a filter's folder, or a folder in open_clip's or (SigLIP) transformers' layout;
    null: random weights, or those of a hub name."""
    tokenizer: Literal["open_clip", "wordpiece"] = "wordpiece"
    """The architecture's own, or one trained on the texts."""


@dataclass(frozen=True)
class CommonRules(Rules):
    """Options of every training of two towers."""

    model: ModelRules = field(default_factory=ModelRules)
    """What is trained."""
    objective: ObjectiveName = "clip"
    """What is learned: docs/training.md has a table."""
    epochs: Count = 20
    """Passes over the pairs."""
    batch: Batch = 32
    """Pairs of a step."""
    lr: Positive = 1e-3
    """The highest rate; it rises to it and falls by a cosine."""
    weight_decay: Weight = 0.1
    """Of weights, not of biases and norms."""
    warmup: Share = 0.1
    """Share of the training in which the rate rises."""
    seed: Seed = 0
    """Of all that is drawn."""
    threads: Threads = 2
    """torch threads of each process, on which CPU sums depend."""
    vocab: Vocabulary = 4096
    """Words and parts of words of a trained tokenizer."""
    augment: bool = True
    """Pictures are zoomed and shifted a little and changed in brightness; never flipped alone: reports state sides."""
    optimizer: Literal["adamw", "lamb"] = "adamw"
    """LAMB for large batches (EVA-CLIP, 2303.15389)."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of the rate with each block below the head, in both towers (EVA-CLIP)."""
    patch_dropout: PartialShare = 0.0
    """Share of a ViT's patches that are left out in training (FLIP, 2212.00794; EVA-CLIP)."""
    ema: PartialShare = 0.0
    """Decay of averaged weights, which replace the last ones at the end; 0: no averaging."""
    caption: Weight = 0.0
    """Weight of predicting the text from the image (CoCa, 2205.01917; SigLIP 2, 2502.14786)."""
    distill: Weight = 0.0
    """Weight of self-distillation: local crops against an averaged teacher on the whole image."""
    distill_after: Share = 0.8
    """Share of the training before self-distillation begins (SigLIP 2, section 2.3)."""
    masked: Weight = 0.0
    """Weight of predicting the teacher's tokens of masked patches, from then on too (SigLIP 2, TIPS)."""
    reference: str | None = None
    """A filter's or model's folder: batches are chosen from larger ones, hard for the learner and easy for the
    reference (JEST, 2406.17711; ACID, 2411.18674)."""
    filter_ratio: PartialShare = 0.5
    """With a reference: the share of the drawn pairs that is left out."""
    chunks: AtLeastOne = 4
    """With a reference: in how many chunks a batch is chosen."""


@dataclass(frozen=True)
class FilterTrainingRules(CommonRules):
    """Options of a filter's training on the clean set, in memory."""

    objective: Literal["clip", "siglip"] = "clip"
    """Softmax over the batch, or a sigmoid a pair (SigLIP, 2303.15343)."""
    holdout: float = 0.1
    """Share of the clean set, whole patients, that is measured on."""
    device: str = "auto"
    """auto, cpu or cuda."""
    negatives: Count = 0
    """Edited texts as hard negatives for each pair and step (NegCLIP, 2210.01936)."""
    negative_kinds: tuple[str, ...] = ("side", "negation", "severity", "level")
    """What is edited in them: kinds of `filters.findings.EDITS`."""
    mirror: Share = 0.0
    """Share of images that are flipped, with the sides in their texts exchanged."""
    bf16: bool = True
    """Autocast on a GPU."""


@dataclass(frozen=True)
class TrainingRules(CommonRules):
    """Options of the final model's training on shards. It has ``samples`` pairs if given (rounded up to whole steps),
    else ``epochs`` passes."""

    epochs: AtLeastOne = 20
    """Passes over the shards, where samples is not given."""
    batch: Batch = 64
    """Pairs of a step, of all processes together."""
    samples: AtLeastOne | None = None
    """Pairs seen in all."""
    accumulate: AtLeastOne = 1
    """Micro-batches a step: the same gradient in less memory."""
    threads: Threads = 1
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """auto: bf16 on a GPU."""
    grad_checkpointing: bool = False
    """Activations are computed again in place of being kept: less memory, more time."""
    compile: bool = False
    """By torch, where there is a GPU."""
    texts: Annotated[tuple[str, ...], Field(min_length=1)] = ("caption",)
    """The record's texts, one drawn each epoch: "caption" is the whole text, a section's name that section."""
    one_a_study: bool = False
    """Of a study with several images, one is drawn an epoch."""
    caption: Weight = 1.0
    """Weight of captioning (coca, siglip2)."""
    distill: Weight = 1.0
    """Weight of the teacher (distill), of self-distillation (siglip2)."""
    teacher: str | None = None
    """A model's folder (distill)."""
    unpaired: Share = 0.0
    """Share of rows whose text is another record's (medclip)."""

    @property
    def drawn(self) -> int:
        """Pairs of a step before curation: 2406.17711's B = b / (1 - f)."""
        return self.batch if self.reference is None else round(self.batch / (1 - self.filter_ratio))


def check_filter_training(rules: FilterTrainingRules) -> None:
    """RecipeError for a value out of range; checks that depend on the model come when it is built."""
    check_fields(rules, "filter")


def check_training_rules(rules: TrainingRules) -> None:
    """RecipeError for a value out of range or a contradiction; before any work."""
    check_fields(rules, "train")
    problem = f"{rules.accumulate} micro-batches of {rules.batch} pairs"
    _refuse(rules.batch % rules.accumulate, "train.accumulate", problem, "a batch that is a multiple of accumulate")
    problem = "no teacher" if rules.teacher is None else f"{rules.objective} has no teacher"
    alone = (rules.objective == "distill") != (rules.teacher is not None)
    _refuse(alone, "train.teacher", problem, "a trained model's folder, with objective: distill")
    problem = f"{rules.objective} learns from pairs"
    pairs = bool(rules.unpaired) and rules.objective != "medclip"
    _refuse(pairs, "train.unpaired", problem, "objective: medclip, or unpaired: 0")


def _refuse(wrong: object, name: str, problem: object, fix: str) -> None:
    if wrong:
        raise RecipeError(name, f"{problem}", fix)


def rules_from(recorded: Mapping[str, Any]) -> TrainingRules:
    """The rules from the output ``recorded`` of ``dataclasses.asdict``, also after JSON."""
    values = {**recorded, "model": ModelRules(**recorded["model"]), "texts": tuple(recorded["texts"])}
    return TrainingRules(**values)
