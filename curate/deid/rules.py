"""Options of de-identification, and the names of its results, without its implementation: reading a recipe does not
import the scrubber."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from curate.part import PART, Fraction

Cut = Literal["priors", "signoffs", "letterheads"]  # letterheads: `curate.sources.reports.text.letterhead`
NAME_THRESHOLD = 0.07  # minimum probability of a name for which a known word is masked (`curate.deid.text.decide`)
LABELS = ("NAME", "ID", "DATE", "TIME", "PHONE", "EMAIL", "URL", "ADDRESS", "AGE", "FACILITY")
# A shifted date is marked as such, or a second scrub would shift it again.
PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(LABELS)})\]|\[DATE:\d{{4}}-\d\d-\d\d\]")
WORDS, WORDS_MASKED = "words", "words masked"  # names of counts among a record's actions


Retain = Literal["dates", "uids", "patient_characteristics", "device_identity", "safe_private"]
# Fields of what another class extends are described by Field: docstrings of fields are not inherited.


@dataclass(frozen=True, config=PART)
class PixelPolicy:
    """Options for text in pixels: blank it and search again, quarantine the picture, or trust the source.

    A picture is withheld if more than ``max_painted_text`` times the area of the found text was painted, or more than
    the share ``max_painted_anatomy`` of the anatomy (`curate.deid.pixels.paint.share_of_anatomy`). ``keep_markers``: a
    single letter of side or orientation is kept (`curate.deid.pixels.markers`), if the optional OCR package can read
    it. ``faces``: whether CT, MR and PET of the head are withheld unless their header declares that the face was
    removed (`curate.deid.pixels.faces`).
    """

    burned_in: Annotated[
        Literal["blank", "quarantine", "trust"],
        Field(
            description="Text in pixels: blanked and looked at again; quarantine alters no pixel; trust does not look."
        ),
    ] = "blank"
    max_painted_text: Annotated[
        float,
        Field(
            ge=1, description="A picture is withheld where more than so many times the text's area would be painted."
        ),
    ] = 3.0
    max_painted_anatomy: Annotated[
        Fraction,
        Field(description="A picture is withheld where more than this share of what is not ground would be painted."),
    ] = 0.05
    keep_markers: Annotated[
        bool, Field(description="A letter of side or orientation that stands alone (L, R) is kept.")
    ] = True
    faces: Annotated[
        Literal["keep", "quarantine"],
        Field(
            description="quarantine keeps back head CT, MR and PET whose header does not say that the face was removed."
        ),
    ] = "keep"


@dataclass(frozen=True, config=PART)
class Masking:
    """What is masked in report text, and which reports are withheld: those in a language outside of ``languages``, and
    those with a larger share of masked words than ``max_masked`` (`curate.deid.replace.masked`). ``vocabulary``: words
    that are probably names are masked even without a cue. ``second_opinion``: spans of an installed Presidio are masked
    as well. ``replace``: keep placeholders, or replace them by surrogates (`curate.deid.replace.surrogates`), a step
    after `scrub`."""

    vocabulary: Annotated[
        bool, Field(description="Mask words that neither medicine nor English knows, unless k_patients share them.")
    ] = True
    second_opinion: Annotated[
        Literal["none", "presidio"], Field(description="Presidio beside the own rules, where it is installed.")
    ] = "none"
    max_masked: Annotated[
        Fraction,
        Field(description="A report of whose words a larger share was masked is withheld (quarantine_mostly_masked)."),
    ] = 0.25
    replace: Annotated[
        Literal["placeholders", "surrogates"],
        Field(description="What stands where something was masked: [NAME], or an invented value of the same form."),
    ] = "placeholders"
    languages: Annotated[
        tuple[Literal["en", "de", "es", "fr", "it", "nl", "pt"], ...],
        Field(
            min_length=1,
            description="Languages of reports that are cleaned; a text in another is withheld (quarantine_language).",
        ),
    ] = ("en",)
    name_threshold: Annotated[
        float, Field(gt=0, lt=1, description="How likely a word must be a name to be masked: lower masks more.")
    ] = NAME_THRESHOLD


@dataclass(frozen=True, config=PART)
class Dates:
    """What becomes of days in texts: "shift" writes [DATE:2019-05-02], shifted like the patient's header dates; "mask"
    writes [DATE]."""

    dates: Annotated[
        Literal["mask", "shift"],
        Field(description="Days in texts: shifted by the patient's own number of days, or masked."),
    ] = "shift"


@dataclass(frozen=True, config=PART)
class TextRules(Masking, Dates):
    """Options of text scrubbing. ``cut``: sentences to remove (`curate.deid.replace.boilerplate`), a step after
    `scrub`."""

    cut: tuple[Literal["priors", "signoffs"], ...] = ()


@dataclass(frozen=True, config=PART)
class SecondLook:
    """Of the pictures that go out, the ``share`` that the verifier reads with a network of its own, whatever the gate
    said of them: ``least`` at least (all where there are fewer), every kind of device among them. Those that were
    painted over are all read."""

    share: Fraction = 0.01
    """Of the pictures that go out, the share that the verifier reads too."""
    least: Annotated[int, Field(ge=0)] = 200
    """At least so many pictures, of every kind of device some."""


@dataclass(frozen=True, config=PART)
class DeidRules(Masking, PixelPolicy):
    """What is done with pixels and words. ``burned_in``: text in pixels is blanked and looked at again ('quarantine'
    alters no pixel, 'trust' believes the source: for public sets only). ``vocabulary`` masks the words of reports that
    neither medicine nor English knows, unless at least ``k_patients`` patients share them, and what is as likely a
    name as ``name_threshold`` says; a report in a language that is not of ``languages`` is withheld. So is one of whose
    words a share larger than ``max_masked`` was masked. ``replace``: what was masked stays as placeholders, or others
    stand in their place: names, numbers, places and days of the same form, none of them real. A picture is withheld
    where blanking its text would paint more than ``max_painted_text`` times the text's area, or more than
    ``max_painted_anatomy`` of what is not ground. ``keep_markers``: a letter of side or orientation that stands alone
    is no text. ``faces``: 'quarantine' keeps back CT, MR and PET of the head, or of nothing that their header names,
    unless it says that the face was removed."""

    max_shift_days: Annotated[int, Field(ge=1, le=3650)] = 3650
    """Most days by which a patient's dates are shifted."""
    k_patients: Annotated[int, Field(ge=2)] = 8
    """A word of so many patients is no one's name."""
    second_look: SecondLook = SecondLook()
    """What the verifier reads of the pictures that go out."""

    def text_rules(self, dates: Literal["mask", "shift"], cut: tuple[Cut, ...] = ()) -> TextRules:
        """How report text is scrubbed, and which of its sentences go."""
        masking = {f.name: getattr(self, f.name) for f in fields(Masking)}
        return TextRules(dates, cut=tuple(sorted({kind for kind in cut if kind != "letterheads"})), **masking)

    def warnings(self) -> list[str]:
        """Settings that are less safe than the default, to be said aloud."""
        usual, lines = DeidRules(), []
        if self.burned_in == "trust":
            lines.append("deid.burned_in: trust - pixels are not checked for burned-in text; for public data only")
        if self.max_painted_anatomy > usual.max_painted_anatomy:
            share = f"{self.max_painted_anatomy:g}"
            lines.append(f"deid.max_painted_anatomy: {share} - pictures may be kept that lost so much of their anatomy")
        if not self.vocabulary:
            lines.append("deid.vocabulary: false - a name that no cue gives away stays in report text")
        if self.replace == "surrogates":
            lines.append(
                "deid.replace: surrogates - names, numbers and days in the texts are inventions, and look real"
            )
        if self.languages != ("en",):
            others = ", ".join(code for code in self.languages if code != "en")
            lines.append(f"deid.languages: {others} - names are found less surely than in English; look at a sample")
        if self.name_threshold > usual.name_threshold:
            lines.append(
                f"deid.name_threshold: {self.name_threshold:g} - more names that are words stay in report text"
            )
        if self.max_masked > usual.max_masked:
            lines.append(f"deid.max_masked: {self.max_masked:g} - reports may be kept that are mostly placeholders")
        return lines


@dataclass(frozen=True, config=PART)
class HeaderRules:
    """What of a DICOM header is kept beyond PS3.15's Basic Profile, and what becomes of kinds that are refused.

    ``retain``: PS3.15 E.3.6 (dates, moved by the patient's shift), E.3.9 (uids), E.3.7, E.3.8, E.3.10.
    ``descriptors``: E.3.5, free text kept only through a vocabulary. ``structured_reports``: refused, or cleaned item
    by item (E.3.4). ``unknown_classes``: refused, or cleaned by a small general allow-list. DICOMDIR and documents are
    refused. New UIDs begin with ``uid_root``: 2.25 (PS3.5 B.2) or an organisation's own."""

    retain: tuple[Retain, ...] = ("dates", "patient_characteristics")
    descriptors: Literal["clean", "remove"] = "clean"
    structured_reports: Literal["refuse", "clean"] = "refuse"
    unknown_classes: Literal["refuse", "generic"] = "refuse"
    uid_root: Annotated[str, Field(pattern=r"^(0|[1-9]\d*)(\.(0|[1-9]\d*)){1,11}$", max_length=43)] = "2.25"
