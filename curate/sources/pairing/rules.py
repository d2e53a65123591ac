"""How images and reports meet: what a recipe says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from curate.errors import RecipeError

PAIR_KEYS = Literal["accession", "study", "patient_date", "image"]
Several = Literal["ambiguous", "latest", "first", "join"]  # which of several reports of one study is the one
IGNORE = Literal["leading_zeros", "punctuation", "prefix"]


@dataclass(frozen=True)
class PairRules:
    """``by``: the identities to try, in this order. ``require_same_patient``: a match across two patients is none.

    ``ignore``: what does not count in an id where exact ones find nothing: ``leading_zeros`` of a number,
    ``punctuation``, a ``prefix`` of letters before the first digit.
    """

    by: tuple[str, ...] = ("accession", "study", "patient_date")
    require_same_patient: bool = True
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field, given, allowed in (("by", self.by, PAIR_KEYS), ("ignore", self.ignore, IGNORE)):
            wrong = [key for key in given if key not in get_args(allowed)]
            if wrong or (field == "by" and not given):
                problem = f"{wrong[0]!r} is none" if wrong else "names no key"
                raise RecipeError(f"pair.{field}", problem, "choose among " + ", ".join(get_args(allowed)))
