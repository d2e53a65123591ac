"""How images and reports meet: what a recipe says of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from curate.part import PART

PAIR_KEYS = Literal["accession", "study", "patient_date", "image"]
Several = Literal["ambiguous", "latest", "first", "join"]  # which of several reports of one study is the one
IGNORE = Literal["leading_zeros", "punctuation", "prefix"]


@dataclass(frozen=True, config=PART)
class PairRules:
    """How an image finds its report; the first key both sides have decides. ``frames`` and ``per_series``: which
    pictures of a file and of a series become records. ``key``: those that the report names ("series 3, image 42"), else
    ``slices`` evenly spaced ones; ``montage``: that many as the tiles of one record. ``ignore``: what does not count
    in an id where equal ones find nothing."""

    by: Annotated[tuple[PAIR_KEYS, ...], Field(min_length=1)] = ("accession", "study", "patient_date", "image")
    """Keys, the first that both sides have decides."""
    require_same_patient: bool = True
    """A report of another patient id is not the picture's."""
    ignore: tuple[IGNORE, ...] = ()
    """What does not count in an id, where equal ones find nothing."""
    unpaired_reports: Literal["drop", "keep"] = "drop"
    """Reports without a picture."""
    unpaired_images: Literal["drop", "keep"] = "drop"
    """Pictures without a report."""
    frames: Literal["first", "middle", "all", "key", "montage"] = "middle"
    """Which frame of a file of many becomes the picture."""
    per_series: Literal["all", "middle", "key", "montage"] = "all"
    """Which slices of a series become records."""
    slices: Annotated[int, Field(ge=1, le=64)] = 9
    """How many slices, for key and montage."""
