"""Training options of filters and of the final model: everything that decides their weights. No torch here.

The defaults are plain training (of a filter: a data filtering network).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

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
    epochs: Count = 20
    batch: Batch = 32
    lr: Positive = 1e-3
    weight_decay: Weight = 0.1
    warmup: Share = 0.1
    seed: Seed = 0
    threads: Threads = 2  # torch threads of each process, on which CPU sums depend
    vocab: Vocabulary = 4096
    augment: bool = True
    optimizer: Literal["adamw", "lamb"] = "adamw"
    # of the rate with each block below the head, in both towers (EVA-CLIP, 2303.15389)
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    patch_dropout: PartialShare = 0.0  # of a ViT's patches, in training (FLIP, 2212.00794; EVA-CLIP)
    ema: PartialShare = 0.0  # decay of averaged weights, which replace the last ones at the end; 0: no averaging
    caption: Weight = 0.0  # weight of predicting the text from the image (CoCa, 2205.01917; SigLIP 2, 2502.14786)
    distill: Weight = 0.0  # weight of self-distillation: local crops against an averaged teacher on the whole image
    distill_after: Share = 0.8  # share of the training before self-distillation begins (SigLIP 2, section 2.3)
    # weight of predicting the teacher's tokens of masked patches, from then on too (SigLIP 2, TIPS)
    masked: Weight = 0.0
    # a filter's or model's folder: batches are selected from larger ones, hard for the learner and easy for the
    # reference
    reference: str | None = None  # (JEST, 2406.17711; ACID, 2411.18674)
    filter_ratio: PartialShare = 0.5  # share of the drawn pairs that is left out
    chunks: AtLeastOne = 4  # number of chunks in which a batch is selected


@dataclass(frozen=True)
class FilterTrainingRules(CommonRules):
    """Options of a filter's training on the clean set, in memory. ``holdout`` and ``mirror`` are shares."""

    objective: Literal["clip", "siglip"] = "clip"  # softmax over the batch, or a sigmoid a pair (SigLIP, 2303.15343)
    holdout: float = 0.1
    device: str = "auto"
    negatives: Count = 0  # edited texts as hard negatives for each pair and step (NegCLIP, 2210.01936)
    negative_kinds: tuple[str, ...] = ("side", "negation", "severity", "level")  # of filters.findings.EDITS
    mirror: Share = 0.0  # share of images that are flipped, with the sides in their texts exchanged
    bf16: bool = True  # autocast on a GPU
    finetune: Count = 0  # epochs on a second, cleaner set (DFN, 2309.17425, section 4)
    finetune_lr: float = 1e-4


@dataclass(frozen=True)
class TrainingRules(CommonRules):
    """Options of the final model's training on shards. ``unpaired`` is a share; ``batch`` is of all processes together.

    The training has ``samples`` pairs if given (rounded up to whole steps), else ``epochs`` passes.
    """

    epochs: AtLeastOne = 20
    batch: Batch = 64
    samples: AtLeastOne | None = None
    accumulate: AtLeastOne = 1  # micro-batches a step: the same gradient in less memory
    threads: Threads = 1
    precision: Literal["auto", "float32", "bf16"] = "auto"  # auto: bf16 on a GPU
    grad_checkpointing: bool = False
    compile: bool = False
    # the record's texts, one drawn each epoch: "caption" is the whole text, a section's name that section
    texts: Annotated[tuple[str, ...], Field(min_length=1)] = ("caption",)
    one_a_study: bool = False  # of a study with several images, one is drawn an epoch
    caption: Weight = 1.0  # weight of captioning (coca, siglip2)
    distill: Weight = 1.0  # weight of the teacher (distill), of self-distillation (siglip2)
    teacher: str | None = None  # a model's folder (distill)
    unpaired: Share = 0.0  # share of rows whose text is another record's (medclip)

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
