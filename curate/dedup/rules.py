"""What counts as a duplicate. Nothing that looks for one: a recipe is read without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from curate.part import Location, Part

DISTANCE = 6
CORRELATION = 0.97
JACCARD = 0.8  # of the words
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


@dataclass(frozen=True)
class SemanticRules:
    """``similarity``: the cosine from which on two records are duplicates; ``keep``: instead, the share of the pool
    that is to stay, and the threshold follows from its size. ``scope``: whether any two records may be duplicates, two
    of one ``patient``, or two of ``other_patients`` (follow-ups stay). ``seed``: of k-means' sample."""

    by: str
    similarity: float | None = 0.95
    keep: float | None = None
    scope: Literal["archive", "patient", "other_patients"] = "archive"
    seed: int = 0
