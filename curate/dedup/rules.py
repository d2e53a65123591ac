"""What counts as a duplicate. Nothing that looks for one: a recipe is read without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

DISTANCE = 6
CORRELATION = 0.97
JACCARD = 0.8  # of the words
Scope = Literal["off", "patient", "archive"]


@dataclass(frozen=True)
class DedupRules:
    """What counts as a duplicate, how far one is looked for, and which is kept.

    ``distance`` is in bits of 64, ``correlation`` and ``jaccard`` in (0, 1]. ``keep``: ``best`` is most text, then most
    pixels, then lowest key; ``first`` is lowest key. Before either, what the source holds out goes before what it
    trains on: the copy in train is dropped, the test set stays whole. An unknown patient is nobody else's.
    """

    image_exact: Scope = "archive"
    image_near: Scope = "patient"
    text_exact: Scope = "off"
    text_near: Scope = "off"
    distance: int = DISTANCE
    correlation: float = CORRELATION
    jaccard: float = JACCARD
    keep: Literal["best", "first"] = "best"

    def __post_init__(self) -> None:
        scopes = (self.image_exact, self.image_near, self.text_exact, self.text_near)
        if any(s not in get_args(Scope) for s in scopes) or self.keep not in ("best", "first"):
            raise ValueError(f"scopes are {', '.join(get_args(Scope))}; keep is best or first")
        if not 0 <= self.distance <= 12:
            raise ValueError(f"distance {self.distance} is outside 0..12: beyond, unrelated pictures meet")
        if not (0 < self.correlation <= 1 and 0 < self.jaccard <= 1):
            raise ValueError("correlation and jaccard lie in (0, 1]")


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
