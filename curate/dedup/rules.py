"""What counts as a duplicate. Nothing that looks for one: a recipe is read without it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator
from pydantic.dataclasses import dataclass

from curate.part import FILTER_NAME, PART, Fraction, Location, Part

DISTANCE = 6
CORRELATION = 0.97
JACCARD = 0.8  # of the words
SIMILARITY = 0.95  # cosine of embeddings
_Scope = Literal["off", "patient", "archive"]
Scope = Annotated[_Scope, BeforeValidator(lambda v: "off" if v is False else v)]  # YAML reads a bare `off` as false
Share = Annotated[float, Field(gt=0.0, le=1.0)]


class DedupRules(Part):
    """Which duplicates are dropped, and how far they are looked for: off, within a patient, over the archive. An
    unknown patient is nobody else's. What the source holds out goes before what it trains on: the copy in train is
    dropped, the test set stays whole."""

    image_exact: Scope = "archive"
    """Same pixels: looked for over the archive, within a patient, or off."""
    image_near: Scope = "patient"
    """Nearly the same picture, by a hash of 64 bits and then by correlation."""
    text_exact: Scope = "off"
    """Same words."""
    text_near: Scope = "off"
    """Nearly the same words; an edit of a side, a number or a negation is no duplicate."""
    distance: Annotated[int, Field(ge=0, le=12)] = DISTANCE
    """Bits by which two pictures' hashes may differ; beyond 12, unrelated pictures meet."""
    correlation: Share = CORRELATION
    """Least correlation of two pictures' small copies."""
    jaccard: Share = JACCARD
    """Least Jaccard similarity of two texts' sets of words."""
    keep: Literal["best", "first"] = "best"
    """Which of a cluster stays: the best (most text, then most pixels, then lowest key), or the lowest key."""
    against: tuple[Annotated[Location, AfterValidator(lambda path: path.absolute())], ...] = ()
    """Finished runs whose exported records are not to come again: what is one of them, or a duplicate of one, goes."""

    @field_validator("against")
    @classmethod
    def _named_apart(cls, runs: tuple[Path, ...]) -> tuple[Path, ...]:
        if len({run.name for run in runs}) < len(runs):
            raise ValueError("two runs have folders of one name, by which their records are told apart")
        return runs


@dataclass(frozen=True, config=PART)
class SemanticRules:
    """Semantic deduplication, where the recipe names it: of the train split's pairs whose pictures the filter ``by``
    sees alike and whose texts claim the same, the best scored stays. Alike is a cosine of ``similarity`` and more; or
    ``keep``: the share that is to stay, from which the threshold follows. The only filter with towers needs no name."""

    by: Annotated[str, BeforeValidator(lambda v: v or ""), Field(pattern=rf"{FILTER_NAME}|^$")] = ""
    """The filter whose embeddings are compared; left out: the only one with towers."""
    similarity: Fraction | None = None
    """Least cosine of two that are alike; null: .95, unless keep is given."""
    keep: Fraction | None = None
    """Share of the train split that is to stay, from which the threshold follows."""
    scope: Literal["archive", "patient", "other_patients"] = "archive"
    """Whose pairs are compared: all, one patient's, or only different patients'."""
    seed: int = 0
    """Of the clustering."""

    def __post_init__(self) -> None:
        if self.similarity is not None and self.keep is not None:
            raise ValueError("similarity and keep: give one of them")
        if self.similarity is None and self.keep is None:
            object.__setattr__(self, "similarity", SIMILARITY)
