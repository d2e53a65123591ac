"""The rules of a selection: plain values, checked at construction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from curate.errors import RecipeError

SUBGROUPS = ("modality", "body_part", "view", "sex", "age_band", "finding", "source")
_CUTS = ("keep", "threshold", "top_k", "precision")


@dataclass(frozen=True)
class Floor:
    """Every subgroup of ``by`` (one of `SUBGROUPS`, or several, each apart) keeps at least the share ``keep`` of its
    scored records, best first. RecipeError on another name or share."""

    by: str | tuple[str, ...]
    keep: float

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in SUBGROUPS:
                raise RecipeError("select.floor.by", f"no subgroup '{name}'", f"one of {', '.join(SUBGROUPS)}")
        _within("floor.keep", self.keep, 0, 1)

    @property
    def names(self) -> tuple[str, ...]:
        """The subgroupings, always as a tuple."""
        return (self.by,) if isinstance(self.by, str) else tuple(self.by)


@dataclass(frozen=True)
class SelectRules:
    """At most one of ``keep`` (top fraction of the scored), ``threshold`` (score >=), ``top_k`` and ``precision``.

    ``by`` is the score column, or weights over columns: the weighted mean of their ranks in 0..1. Ties are broken by
    key. ``precision`` cuts at the smallest score whose kept set has that mean of ``probability`` (a column of
    probabilities; the score itself where None). ``all_of`` names columns in whose top fraction a record must be,
    ``cap`` how many records of one concept may stay (highest scores); both come before the cut, and the cut fills up
    with the next best. ``balance`` in 0..1 moves the cut from one for all (0) to equal numbers a finding (1).
    ``floor`` then adds the best of a subgroup that kept too few; with keep or top_k, the worst of the others are
    dropped for it. ``repeats`` > 1 draws as many records as are kept, with replacement, in proportion to exp(score /
    ``temperature``), none more often than ``repeats``; None takes the kept scores' standard deviation. Each time that a
    record was drawn takes ``penalty`` off this exponent. ``seed`` is that of the draw. RecipeError for bad values.
    """

    keep: float | None = None
    threshold: float | None = None
    top_k: int | None = None
    by: str | Mapping[str, float] = "dfn"
    filter_eval: bool = False  # cut val and test too: one cut over all three
    precision: float | None = None
    probability: str | None = None
    all_of: Mapping[str, float] = field(default_factory=dict)
    cap: int | None = None
    balance: float = 0.0
    floor: Floor | Mapping[str, object] | None = None
    repeats: int = 1
    temperature: float | None = None
    penalty: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.floor, Mapping):
            object.__setattr__(self, "floor", _floor(self.floor))
        cuts = [name for name in _CUTS if getattr(self, name) is not None]
        if len(cuts) > 1:
            raise RecipeError("select", f"{' and '.join(cuts)} are given", f"give one of {', '.join(_CUTS)}")
        self._check_numbers()
        if self.balance and self.keep is None and self.top_k is None:
            raise RecipeError("select.balance", "there is no number to balance", "give keep or top_k with it")

    def _check_numbers(self) -> None:
        for name in ("keep", "precision", "balance"):
            _within(name, getattr(self, name), 0, 1)
        for column, fraction in self.all_of.items():
            _within(f"all_of.{column}", fraction, 0, 1)
        for name in ("top_k", "cap", "repeats"):
            _within(name, getattr(self, name), 0 if name == "top_k" else 1, math.inf)
        _within("penalty", self.penalty, 0, math.inf)
        if self.penalty and self.repeats == 1:
            raise RecipeError("select.penalty", "nothing is repeated", "give repeats above 1 with it")
        if self.temperature is not None and not 0 < self.temperature < math.inf:
            raise RecipeError("select.temperature", f"{self.temperature:g}", "a number above 0")
        if not isinstance(self.by, str) and (not self.by or not all(0 < w < math.inf for w in self.by.values())):
            raise RecipeError("select.by", "weights of columns must be above 0", "for example {dfn: 1, text: 0.5}")

    @property
    def cuts(self) -> bool:
        """Whether anything can be dropped by these rules."""
        return bool(any(getattr(self, n) is not None for n in (*_CUTS, "cap")) or self.all_of or self.repeats > 1)

    @property
    def floored(self) -> Floor | None:
        """``floor``, typed."""
        assert not isinstance(self.floor, Mapping)
        return self.floor

    @property
    def score_columns(self) -> tuple[str, ...]:
        """Every float column these rules read, in a fixed order."""
        by = (self.by,) if isinstance(self.by, str) else tuple(self.by)
        probability = () if self.precision is None or self.probability is None else (self.probability,)
        return tuple(dict.fromkeys((*by, *probability, *self.all_of)))

    @property
    def fact_columns(self) -> tuple[str, ...]:
        """The subgroupings these rules read of the records."""
        return tuple(n for n in (self.floored.names if self.floored else ()) if n != "finding")

    @property
    def reads_findings(self) -> bool:
        """Whether the ``findings`` column is needed."""
        return self.cap is not None or self.balance > 0 or bool(self.floored and "finding" in self.floored.names)


def _floor(values: Mapping[str, object]) -> Floor:
    names = [f.name for f in fields(Floor)]
    if sorted(values) != sorted(names):
        raise RecipeError("select.floor", f"has {', '.join(sorted(values)) or 'nothing'}", f"give {', '.join(names)}")
    by, keep = values["by"], values["keep"]
    if not isinstance(keep, int | float):
        raise RecipeError("select.floor.keep", "is no number", "a share in 0..1")
    return Floor(by if isinstance(by, str) else tuple(by), float(keep))  # type: ignore[arg-type]


def _within(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise RecipeError(f"select.{name}", f"{value:g}", f"a number in {low:g}..{high:g}")
