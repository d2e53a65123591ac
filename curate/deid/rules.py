"""Options of de-identification, and the names of its results, without its implementation: reading a recipe does not
import the scrubber."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Cut = Literal["priors", "signoffs", "letterheads"]  # letterheads: `curate.sources.reports.letterhead`
NAME_THRESHOLD = 0.07  # minimum probability of a name for which a known word is masked (`curate.deid.text.decide`)
LABELS = ("NAME", "ID", "DATE", "TIME", "PHONE", "EMAIL", "URL", "ADDRESS", "AGE", "FACILITY")
# A shifted date is marked as such, or a second scrub would shift it again.
PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(LABELS)})\]|\[DATE:\d{{4}}-\d\d-\d\d\]")
WORDS, WORDS_MASKED = "words", "words masked"  # names of counts among a record's actions


@dataclass(frozen=True)
class TextRules:
    """Options of text scrubbing.

    ``dates``: "shift" writes [DATE:2019-05-02], shifted like the patient's header dates; "mask" writes [DATE].
    ``vocabulary``: words that are probably names are masked even without a cue, and a text in a language outside of
    ``languages`` is withheld. ``second_opinion``: spans of an installed Presidio are masked as well. ``max_masked``: a
    report with a larger share of masked words is withheld (`curate.deid.replace.masked`). ``replace``: keep
    placeholders, or replace them by surrogates (`curate.deid.replace.surrogates`); ``cut``: sentences to remove
    (`curate.deid.replace.boilerplate`). Both are steps after `scrub`.
    """

    dates: Literal["mask", "shift"] = "shift"
    vocabulary: bool = True
    second_opinion: Literal["none", "presidio"] = "none"
    max_masked: float = 0.25
    replace: Literal["placeholders", "surrogates"] = "placeholders"
    cut: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    name_threshold: float = NAME_THRESHOLD


@dataclass(frozen=True)
class PixelPolicy:
    """Options for text in pixels: blank it and search again, quarantine the picture, or trust the source.

    A picture is withheld if more than ``max_painted_text`` times the area of the found text was painted, or more than
    the share ``max_painted_anatomy`` of the anatomy (`curate.deid.pixels.paint.share_of_anatomy`). ``keep_markers``: a
    single letter of side or orientation is kept (`curate.deid.pixels.markers`), if the optional OCR package can read
    it. ``faces``: whether CT, MR and PET of the head are withheld unless their header declares that the face was
    removed (`curate.deid.pixels.faces`).
    """

    burned_in: Literal["blank", "quarantine", "trust"] = "blank"
    max_painted_text: float = 3.0
    max_painted_anatomy: float = 0.05
    keep_markers: bool = True
    faces: Literal["keep", "quarantine"] = "keep"
