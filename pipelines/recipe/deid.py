"""The part of a recipe that says what is done with identities, in pixels and in words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from curate.deid.rules import Cut, PixelPolicy, TextRules
from curate.ingest.rules import SecondLook
from curate.part import Fraction, Part


class Deid(Part):
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

    burned_in: Literal["blank", "quarantine", "trust"] = "blank"
    """Text in pixels: blanked and looked at again; quarantine alters no pixel; trust does not look."""
    max_shift_days: Annotated[int, Field(ge=1, le=3650)] = 3650
    """Most days by which a patient's dates are shifted."""
    vocabulary: bool = True
    """Mask words that neither medicine nor English knows, unless k_patients share them."""
    k_patients: Annotated[int, Field(ge=2)] = 8
    """A word of so many patients is no one's name."""
    max_masked: Fraction = TextRules().max_masked
    """A report of whose words a larger share was masked is withheld (quarantine_mostly_masked)."""
    second_opinion: Literal["none", "presidio"] = "none"
    """Presidio beside the own rules, where it is installed."""
    replace: Literal["placeholders", "surrogates"] = "placeholders"
    """What stands where something was masked: [NAME], or an invented value of the same form."""
    languages: Annotated[tuple[Literal["en", "de", "es", "fr", "it", "nl", "pt"], ...], Field(min_length=1)] = ("en",)
    """Languages of reports that are cleaned; a text in another is withheld (quarantine_language)."""
    name_threshold: Annotated[float, Field(gt=0, lt=1)] = TextRules().name_threshold
    """How likely a word must be a name to be masked: lower masks more."""
    second_look: SecondLook = SecondLook()
    """What the verifier reads of the pictures that go out."""
    max_painted_text: Annotated[float, Field(ge=1)] = PixelPolicy().max_painted_text
    """A picture is withheld where more than so many times the text's area would be painted."""
    max_painted_anatomy: Fraction = PixelPolicy().max_painted_anatomy
    """A picture is withheld where more than this share of what is not ground would be painted."""
    keep_markers: bool = True
    """A letter of side or orientation that stands alone (L, R) is kept."""
    faces: Literal["keep", "quarantine"] = "keep"
    """quarantine keeps back head CT, MR and PET whose header does not say that the face was removed."""

    def pixel_policy(self) -> PixelPolicy:
        """What to do with text in pixels."""
        painting = self.max_painted_text, self.max_painted_anatomy
        return PixelPolicy(self.burned_in, *painting, self.keep_markers, self.faces)

    def text_rules(self, dates: Literal["mask", "shift"], cut: tuple[Cut, ...] = ()) -> TextRules:
        """How report text is scrubbed, and which of its sentences go."""
        sentences = tuple(sorted({kind for kind in cut if kind != "letterheads"}))
        masking = self.vocabulary, self.second_opinion, self.max_masked
        return TextRules(dates, *masking, self.replace, sentences, self.languages, self.name_threshold)

    def warnings(self) -> list[str]:
        """Settings that are less safe than the default, to be said aloud."""
        lines = []
        if self.burned_in == "trust":
            lines.append("deid.burned_in: trust - pixels are not checked for burned-in text; for public data only")
        if self.max_painted_anatomy > PixelPolicy().max_painted_anatomy:
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
        if self.name_threshold > TextRules().name_threshold:
            lines.append(
                f"deid.name_threshold: {self.name_threshold:g} - more names that are words stay in report text"
            )
        if self.max_masked > TextRules().max_masked:
            lines.append(f"deid.max_masked: {self.max_masked:g} - reports may be kept that are mostly placeholders")
        return lines
