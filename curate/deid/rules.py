"""What a recipe says of de-identification, and the words that its results are told in. Nothing that does it: a recipe
is read without the scrubber."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Cut = Literal["priors", "signoffs", "letterheads"]  # letterheads: `curate.sources.reports.letterhead`
NAME_THRESHOLD = 0.07  # of the probability of a name, from which a known word goes (`curate.deid.text.decide`)
LABELS = ("NAME", "ID", "DATE", "TIME", "PHONE", "EMAIL", "URL", "ADDRESS", "AGE", "FACILITY")
# A shifted date says that it is one, or a second scrub would shift it again.
PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(LABELS)})\]|\[DATE:\d{{4}}-\d\d-\d\d\]")
WORDS, WORDS_MASKED = "words", "words masked"  # as they are counted among a record's actions


@dataclass(frozen=True)
class TextRules:
    """How text is scrubbed.

    ``dates``: "shift" writes [DATE:2019-05-02], moved as the patient's header dates are; "mask" writes [DATE].
    ``vocabulary``: a word that is likely a name goes whether a cue gives it away or not, and a text in a language that
    is not of ``languages`` is withheld. ``second_opinion``: what an installed Presidio finds goes as well.
    ``max_masked``: a report of whose words a larger share is masked is withheld (`curate.deid.replace.masked`).
    ``replace``: whether placeholders stay or surrogates stand in their place (`curate.deid.replace.surrogates`);
    ``cut``: which sentences go (`curate.deid.replace.boilerplate`). Both are steps behind `scrub`.
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
    """What to do with text in pixels: blank it and look again, quarantine the picture, or trust the source.

    A picture is kept back where more than ``max_painted_text`` times the area of the text found was painted, or more
    than the part ``max_painted_anatomy`` of the anatomy (`curate.deid.pixels.paint.share_of_anatomy`).
    ``keep_markers``: a letter of side or orientation, alone, stays (`curate.deid.pixels.markers`), where the optional
    OCR package is there to read it. ``faces``: whether CT, MR and PET of the head are kept back unless their header
    says that the face was removed (`curate.deid.pixels.faces`).
    """

    burned_in: Literal["blank", "quarantine", "trust"] = "blank"
    max_painted_text: float = 3.0
    max_painted_anatomy: float = 0.05
    keep_markers: bool = True
    faces: Literal["keep", "quarantine"] = "keep"
