"""The parts of a recipe that train the final model and ask what it is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from curate.errors import RecipeError
from curate.export.rules import SelectRules
from curate.part import Part
from filters.compare.outcome import ALL
from filters.evaluate.rules import EvaluateRules
from filters.registry import fill_rules
from filters.rules import TrainingRules, check_training_rules

RANDOM, ORACLE, CHOSEN = "random", "oracle", "recipe"  # selections of every comparison, beside the unfiltered pool


class EvaluationSet(Part):
    """Data that no filter and no model may have seen: what of the pool is in it, by key, pixels, near-duplicate picture
    or patient, is dropped."""

    path: Annotated[Path, AfterValidator(Path.absolute)]
    """Anything that `curate evaluate` reads."""
    split: str = "test"
    """Which part of it."""


class Train(BaseModel):
    """The final model, with the fields of `filters.rules` (docs/training.md); those below decide how it is trained, not
    what it becomes. A recipe with ``shards`` needs no images and no reports."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    shards: Annotated[Path, AfterValidator(Path.absolute)] | None = None
    """Shards to train on in place of a run's."""
    processes: Annotated[int, Field(ge=1)] = 1
    """Processes of torch."""
    loaders: Annotated[int, Field(ge=0)] = 1
    """Processes that decode for each of them."""
    checkpoint_every: Annotated[int, Field(ge=0)] = 0
    """Steps between checkpoints; 0: twenty in all."""
    export: tuple[Literal["open_clip", "transformers"], ...] = ("open_clip",)
    """Layouts of other libraries that the model is written in."""
    licence: str = "other"
    """What the model's card says of it."""
    mlflow: str | None = None
    """Address of an MLflow server that the curve and the card's rules are also sent to (needs mlflow-skinny,
    credentials in the environment); null: nothing is sent anywhere."""

    @model_validator(mode="after")
    def _rules_are_right(self) -> Train:
        try:
            check_training_rules(self.rules())
        except RecipeError as error:
            raise ValueError(f"{error.field.removeprefix('train.')}: {error.problem}; {error.fix}") from None
        return self

    def rules(self) -> TrainingRules:
        """As the training takes it; ValueError names a wrong field."""
        rules: TrainingRules = fill_rules("train", TrainingRules, dict(self.model_extra or {}))
        return rules


class Compare(Part):
    """Trainings of one model on the unfiltered pool, a random part of it, the top by each filter, the recipe's own cut
    and, where truth is known, its right pairs."""

    seeds: Annotated[int, Field(ge=1)] = 3
    """Trainings of each selection."""
    keep: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the train split that every selection keeps; null: as much as the recipe's cut."""
    samples: Annotated[int, Field(ge=1)] | None = None
    """Pairs that every training sees; null: twenty passes over what is kept."""
    selections: dict[str, SelectRules] = Field(default_factory=dict)
    """Further cuts, by a name of yours; left out: none."""
    fractions: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    """Further sizes of the recipe's cut."""
    budgets: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    """Shares of the samples at which it and the pool are trained again."""
    choose: bool = False
    """Choose a filter by the models trained on its cut, measured on the validation split (Data Filtering Networks);
    what is reported is measured on other records."""
    headline: tuple[str, str] = ("retrieval/image_to_text", "r10")
    """Task and metric that are printed."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Fields of train that are others here; left out: none."""
    evaluate: dict[str, Any] = Field(default_factory=dict)
    """Fields of evaluation that are others here; left out: none."""

    @field_validator("selections")
    @classmethod
    def _names_are_free(cls, given: dict[str, SelectRules]) -> dict[str, SelectRules]:
        taken = {ALL, RANDOM, ORACLE, CHOSEN} & set(given)
        if taken:
            raise ValueError(f"'{sorted(taken)[0]}' is a selection that is always there; choose another name")
        return given

    @field_validator("train")
    @classmethod
    def _training_has_them(cls, given: dict[str, Any]) -> dict[str, Any]:
        for name in {"seed", "samples", "epochs"} & set(given):
            raise ValueError(f"{name} is the comparison's to say; compare.seeds, compare.samples")
        fill_rules("train", TrainingRules, given)
        return given

    @field_validator("evaluate")
    @classmethod
    def _evaluation_has_them(cls, given: dict[str, Any]) -> dict[str, Any]:
        fill_rules("evaluate", EvaluateRules, given)
        return given

    def rules(self) -> EvaluateRules:
        """How cells are measured: no probes unless asked for, they cost more than the training of a small model."""
        usual = {"tasks": ("zero_shot", "findings", "retrieval", "language"), "draws": 200}
        rules: EvaluateRules = fill_rules("evaluate", EvaluateRules, usual | self.evaluate)
        return rules
