"""The part of a recipe that learns: the clean set, the filters, and the cut by their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from curate.part import FILTER_NAME
from filters.registry import METHODS, SCORING, CapfiltRules, field_names, make_rules, registered

FilterName = Annotated[str, Field(pattern=FILTER_NAME)]


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
    """CapFilt: a blip filter proposes a text for every image of the splits that are cut; its matching head judges that
    and the record's own. The other fields: `filters.registry.CapfiltRules`."""

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
