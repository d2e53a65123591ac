"""What a recipe says of how its sources become records and of what is kept of them. Nothing that reads a file: a
finished run, or one that others work on, does without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from curate.deid.rules import Cut, Dates, PixelPolicy, SecondLook, TextRules
from curate.export.split import SplitRules
from curate.part import PART
from curate.sources.pairing.rules import PairRules
from curate.sources.picture import PixelRules
from curate.sources.reports.text.section import Section
from curate.sources.rules import ImageSource


@dataclass(frozen=True)
class IndexRules:
    """How files become records. ``files``: by image source, which files are wanted and what their paths say;
    ``splits``: those of the source; ``second_look``: the sample that is read again."""

    pair: PairRules = PairRules()
    files: Mapping[str, ImageSource] = field(default_factory=dict)
    splits: SplitRules = SplitRules()
    second_look: SecondLook = SecondLook()


@dataclass(frozen=True)
class PictureRules:
    """What is kept of an image, and what is done with text in it."""

    pixels: PixelRules = PixelRules()
    policy: PixelPolicy = PixelPolicy()


@pydantic_dataclass(frozen=True, config=PART)
class Wanted(Dates):
    """Which report sections make the text. ``cut``: what else goes: letterheads and signature blocks at its edges,
    sentences that only compare with priors, and sign-offs; each is counted."""

    sections: Annotated[tuple[Section, ...], Field(min_length=1)] = ("findings", "impression", "body", "addendum")
    """Sections of a report that make the text, in this order; body is what stands under no heading."""
    min_words: Annotated[int, Field(ge=1)] = 2
    """Texts of fewer words are dropped as text_too_short."""
    cut: tuple[Cut, ...] = ("letterheads",)
    """What else goes and is counted: letterheads and signature blocks, sentences that only compare, sign-offs."""


@dataclass(frozen=True)
class ReportRules:
    """What is kept of a report, and how it is scrubbed."""

    wanted: Wanted = Wanted()
    text: TextRules = TextRules()
