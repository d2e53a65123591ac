"""The part of a recipe that learns: the clean set, the filters, and the cut by their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from curate.errors import RecipeError
from curate.export.rules import SelectRules
from curate.part import Fraction, Part
from filters.registry import METHODS, SCORING, CapfiltRules, field_names, make_rules, registered
from filters.training.rules import FilterTrainingRules, check_filter_training

FilterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class Filter(BaseModel):
    """One filter, by its ``method``, with the fields of that method (docs/filters.md). ``folder`` uses one that was
    trained before."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    method: str
    """Which filter: docs/filters.md lists them with their fields."""
    folder: Annotated[Path, AfterValidator(Path.absolute)] | None = None
    """A filter that was trained before, in place of training one."""

    @model_validator(mode="after")
    def _fields_of_the_method(self) -> Filter:
        if self.method not in METHODS:
            raise ValueError(f"there is no method '{self.method}'; there are {', '.join(METHODS)}")
        if self.folder is not None:
            if training := sorted(set(self.given) - set(self.scoring)):
                raise ValueError(f"'{training[0]}' is of training, and folder brings a trained filter")
            self.rules()
            return self
        rules = self.rules()
        train = getattr(rules, "train", None)
        if train is not None and train.epochs == 0 and train.model.checkpoint is None:
            raise ValueError("epochs: 0 trains nothing; name a checkpoint to score with as it is, or a folder")
        if isinstance(train, FilterTrainingRules):
            try:
                check_filter_training(train)
            except RecipeError as error:
                raise ValueError(f"{error.field.removeprefix('filter.')}: {error.problem}; {error.fix}") from None
        return self

    @property
    def given(self) -> dict[str, Any]:
        """The method's own fields."""
        return dict(self.model_extra or {})

    @property
    def scoring(self) -> dict[str, Any]:
        """What is chosen anew of a filter that is brought: how it scores (`filters.registry.SCORING`)."""
        chosen = {k: v for k, v in self.given.items() if k in SCORING and self.folder is not None}
        return chosen if "margin" in field_names(registered(self.method).rules) else {}

    def rules(self) -> Any:
        """As the method takes it; ValueError names a wrong field."""
        known = field_names(registered(self.method).rules)
        usual = {"threads": 1} if "threads" in known else {}
        return make_rules(self.method, {**usual, **self.given})


class Capfilt(CapfiltRules):
    """CapFilt, where the recipe names it: the blip ``filter``, by its name in ``filters`` or by a folder (a path with a
    slash), proposes a text for every image of the splits that are cut; the matching head judges it and the record's
    own. ``unbelieved``: what becomes of a record of which it accepts neither. The rest:
    `filters.registry.CapfiltRules`."""

    filter: Annotated[str, AfterValidator(lambda v: str(Path(v).absolute()) if "/" in v else v)]
    """A blip filter's name in filters, or its folder (a path with a slash)."""
    unbelieved: Literal["drop", "keep"] = "drop"
    """What becomes of a record of which neither text is accepted."""

    @property
    def folder(self) -> Path | None:
        """Of a filter that is brought; None where it is one of the recipe's."""
        return Path(self.filter) if "/" in self.filter else None

    def rules(self) -> CapfiltRules:
        """As the step takes it."""
        return CapfiltRules(**self.model_dump(exclude={"filter", "unbelieved"}))


class Floor(Part):
    """Every subgroup of ``by`` keeps at least the share ``keep`` of its scored records."""

    by: str | tuple[str, ...]
    """Column or columns that make the subgroups."""
    keep: Fraction
    """Least share of a subgroup's scored records that stays."""


class Select(Part):
    """The cut, over the train split: one of keep (top fraction), threshold, top_k, precision (of the probability
    column); none keeps everything. ``by`` is a score's column or weights over several; unset, the only filter or the
    one named ours. ``force`` cuts by a filter that cannot tell right pairs from exchanged ones
    (`pipelines.run.sight`). The other fields shape what is kept, as `curate.export.rules.SelectRules` says."""

    by: str | dict[str, float] | None = None
    """A score's column, or weights over several; null: the only filter, or the one named ours."""
    keep: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the train split that stays, the best first."""
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Least score that stays."""
    top_k: Annotated[int, Field(ge=1)] | None = None
    """How many records stay."""
    precision: Fraction | None = None
    """As many stay as hold this share of right pairs, by the probability."""
    probability: str | None = None
    """Column of the probability that precision reads."""
    all_of: dict[str, Fraction] = Field(default_factory=dict)
    """Further columns that must agree, column to the share that each keeps; left out: none."""
    cap: Annotated[int, Field(ge=1)] | None = None
    """Most records of one concept (the same findings), the best first."""
    balance: Fraction = 0.0
    """0: one cut for all; 1: equal numbers a finding."""
    floor: Floor | None = None
    """A share that every subgroup keeps."""
    repeats: Annotated[int, Field(ge=1)] = 1
    """Above 1, as many records as are kept are drawn with replacement by score, none more often than this."""
    temperature: Annotated[float, Field(gt=0)] | None = None
    """Of the draw, in units of the score: higher is more even; null: the kept scores' standard deviation."""
    penalty: Annotated[float, Field(ge=0)] = 0.0
    """Of the draw: what each time a record was drawn takes off its score, in units of temperature; 0: nothing."""
    seed: int = 0
    """Of the draw."""
    filter_eval: bool = False
    """Cut val and test too."""
    force: bool = False
    """Cut by a filter that cannot tell right pairs from exchanged ones."""

    @model_validator(mode="after")
    def _one_cut(self) -> Select:
        names = ("keep", "threshold", "top_k", "precision")
        given = [n for n in names if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of {', '.join(names)}; found {', '.join(given)}")
        self.rules(["ours"])
        return self

    def rules(self, filters: list[str]) -> SelectRules:
        """As the engine room takes it; ``filters`` are the names there are."""
        by = self.by or ("ours" if "ours" in filters else filters[0] if filters else "")
        return SelectRules(**{**self.model_dump(exclude={"force"}), "by": by})
