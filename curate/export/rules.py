"""What a recipe says of the cut: plain values, checked at construction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field, replace
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from curate.part import PART, Fraction

SUBGROUPS = ("modality", "body_part", "view", "sex", "age_band", "finding", "source")
_CUTS = ("keep", "threshold", "top_k", "precision")


@dataclass(frozen=True, config=PART)
class Floor:
    """Every subgroup of ``by`` keeps at least the share ``keep`` of its scored records, best first:
    modality, body_part, view, sex, age_band, finding, source."""

    by: str | tuple[str, ...]
    """Column or columns that make the subgroups, each apart."""
    keep: Fraction
    """Least share of a subgroup's scored records that stays."""

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in SUBGROUPS:
                raise ValueError(f"no subgroup '{name}'; one of {', '.join(SUBGROUPS)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The subgroupings, always as a tuple."""
        return (self.by,) if isinstance(self.by, str) else self.by


@dataclass(frozen=True, config=PART)
class SelectRules:
    """The cut, over the train split: at most one of keep, threshold, top_k, precision; none keeps everything. Ties are
    broken by key. ``all_of`` and ``cap`` come before the cut, which fills up with the next best. ``floor`` adds the
    best of a subgroup that kept too few; with keep or top_k, the worst of the others are dropped for it. ``repeats``
    draws in proportion to exp(score / ``temperature``)."""

    by: Annotated[str | dict[str, float], BeforeValidator(lambda v: "" if v is None else v)] = ""
    """A score's column, or weights over several, by which the ranks in 0..1 are averaged; left out: the only filter, or
    the one named ours."""
    keep: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the scored records that stays, the best first."""
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Least score that stays."""
    top_k: Annotated[int, Field(ge=1)] | None = None
    """How many records stay."""
    precision: Fraction | None = None
    """As many stay as hold this share of right pairs, by the probability."""
    probability: str | None = None
    """Column of the probability that precision reads; null: the score itself."""
    all_of: dict[str, Fraction] = field(default_factory=dict)
    """Further columns that must agree, column to the share that each keeps; left out: none."""
    cap: Annotated[int, Field(ge=1)] | None = None
    """Most records of one concept (the same findings), the best first."""
    balance: Fraction = 0.0
    """0: one cut for all; 1: equal numbers a finding."""
    floor: Floor | None = None
    """A share that every subgroup keeps."""
    repeats: Annotated[int, Field(ge=1)] = 1
    """Above 1, as many records as are kept are drawn with replacement by score, none more often than this."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Of the draw, in units of the score: higher is more even; null: the kept scores' standard deviation."""
    penalty: Annotated[float, Field(ge=0)] = 0.0
    """Of the draw: what each time a record was drawn takes off its score, in units of temperature; 0: nothing."""
    seed: int = 0
    """Of the draw."""
    filter_eval: bool = False
    """Cut val and test too, by one cut over all three."""
    force: bool = False
    """Cut by a filter that cannot tell right pairs from exchanged ones."""

    def __post_init__(self) -> None:
        cuts = [name for name in _CUTS if getattr(self, name) is not None]
        if len(cuts) > 1:
            raise ValueError(f"{', '.join(cuts)} are given; give one of {', '.join(_CUTS)}")
        if self.balance and self.keep is None and self.top_k is None:
            raise ValueError("balance: there is no number to balance; give keep or top_k with it")
        if self.penalty and self.repeats == 1:
            raise ValueError("penalty: nothing is repeated; give repeats above 1 with it")
        if not isinstance(self.by, str) and (not self.by or not all(0 < w < math.inf for w in self.by.values())):
            raise ValueError("by: weights of columns must be above 0; for example {dfn: 1, text: 0.5}")

    def resolved(self, filters: Sequence[str]) -> SelectRules:
        """With the column that is cut by, of a recipe with these filters."""
        return replace(self, by=self.by or ("ours" if "ours" in filters else next(iter(filters), "")))

    @property
    def cuts(self) -> bool:
        """Whether anything can be dropped by these rules."""
        return bool(any(getattr(self, n) is not None for n in (*_CUTS, "cap")) or self.all_of or self.repeats > 1)

    @property
    def score_columns(self) -> tuple[str, ...]:
        """Every float column these rules read, in a fixed order."""
        by = (self.by,) if isinstance(self.by, str) else tuple(self.by)
        probability = () if self.precision is None or self.probability is None else (self.probability,)
        return tuple(dict.fromkeys((*by, *probability, *self.all_of)))

    @property
    def fact_columns(self) -> tuple[str, ...]:
        """The subgroupings these rules read of the records."""
        return tuple(n for n in (self.floor.names if self.floor else ()) if n != "finding")

    @property
    def reads_findings(self) -> bool:
        """Whether the ``findings`` column is needed."""
        return self.cap is not None or self.balance > 0 or bool(self.floor and "finding" in self.floor.names)
