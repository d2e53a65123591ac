"""The sources of a recipe: where images and reports lie, what of them is wanted, and which columns say what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.dataclasses import dataclass

from curate.part import PART, Location
from curate.sources.pairing.rules import Several
from curate.sources.reports.captions import Asked, CaptionRules, Columns, ReportColumns, label_words


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()  # workers have other working directories
    except RuntimeError:  # pathlib's, of Python below 3.13
        raise ValueError("is a link that leads to itself; name what it should lead to") from None


Root = Annotated[Location, AfterValidator(_resolved)]


def _uid(name: str) -> str:
    """A SOP class's UID, of its UID or its keyword (CTImageStorage)."""
    from pydicom import uid  # only where a class is named

    found = name if re.fullmatch(r"[0-9.]+", name) else getattr(uid, name, None)
    if not isinstance(found, str):
        raise ValueError(f"no SOP class '{name}'; give its UID or its keyword, as CTImageStorage")
    return str(found)


@dataclass(frozen=True, config=PART)
class Facts:
    """What a file's header says: any of the values of each. Sizes are of the shorter and of the longer side, px."""

    # described by Field: a class that extends this one does not inherit docstrings of fields
    modality: Annotated[tuple[str, ...], Field(description="Any of these DICOM modalities.")] = ()
    sop_class: Annotated[
        tuple[Annotated[str, AfterValidator(_uid)], ...],
        Field(description="Any of these SOP classes, by UID or keyword (CTImageStorage)."),
    ] = ()
    image_type: Annotated[
        tuple[str, ...], Field(description="Any of these values in Image Type (DERIVED, SECONDARY, ...).")
    ] = ()
    smaller_than: Annotated[int | None, Field(ge=1, description="The shorter side is below so many px.")] = None
    larger_than: Annotated[int | None, Field(ge=1, description="The longer side is above so many px.")] = None


@dataclass(frozen=True, config=PART)
class Excluded(Facts):
    """Any of these is against a file. ``path``: shell patterns over relative paths or names; they are not even
    counted, the rest is dropped as ``excluded_by_recipe``."""

    path: tuple[str, ...] = ()
    """Shell patterns over relative paths or names; such files are not even counted."""


@dataclass(frozen=True, config=PART, kw_only=True)
class ImageSource:
    """A folder of DICOM, PNG, JPEG or TIFF files, of any depth and mixture, or the URL of a prefix that holds them.

    ``key_pattern``: a regular expression over relative paths with groups among accession, study, patient, image and
    split; what it finds fills what the header lacks (``key_first``: header) or stands in its place (path).
    ``include``: a file must have all of these; ``exclude``: none of those, and a bare list is of path patterns.
    ``localizers`` and ``screens`` (dose sheets, saved screens, documents, captures beside a study's own pictures) are
    no pictures that a report speaks of: dropped unless 'keep'. ``declared_clean``: nobody is named in these pictures,
    as you answer for; a record of which the report is declared so too is neither searched nor cleaned.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "archive"
    """Part of every key of its records: keep it when the folder moves."""
    path: Root
    """Folder or URL of DICOM, PNG, JPEG or TIFF files, tar and zip archives, Parquet tables, at any depth."""
    follow_symlinks: bool = False
    """Enter links, each folder once."""
    key_pattern: str | None = None
    """Regular expression over relative paths with groups among accession, study, patient, image, split."""
    key_first: Literal["header", "path"] = "header"
    """Whose ids count where both speak: the header's or the path's."""
    include: Facts = Facts()
    """A file must have all of these."""
    exclude: Annotated[Excluded, BeforeValidator(lambda v: {"path": v} if isinstance(v, list | tuple) else v)] = (
        Excluded()
    )
    """None of these; a bare list is of path patterns."""
    localizers: Literal["drop", "keep"] = "drop"
    """Scouts that slices are planned on."""
    screens: Literal["drop", "keep"] = "drop"
    """Dose sheets, saved screens, documents, captures beside a study's own pictures."""
    declared_clean: bool = False
    """Nobody is named in these pictures, as you answer for: with clean reports nothing is searched."""


def _words_by_value(raw: Any) -> Any:
    """YAML reads 1 and yes as what they are; the table holds text."""
    return {str(k): v for k, v in raw.items()} if isinstance(raw, dict) else raw


Sentences = Annotated[dict[str, str | None], BeforeValidator(_words_by_value)]


_SAID = {"1": "{label}.", "0": "No {label}.", "-1": "Possible {label}."}  # as CheXpert labels


@dataclass(frozen=True, config=PART)
class Labels:
    """Columns of findings' labels, as a list, or by what the finding is called or sentences of its own: ``{label}``
    stands for the name. ``values``: the sentence that each value of a column stands for; null says nothing."""

    columns: Annotated[
        dict[str, str | Sentences | None],
        BeforeValidator(lambda v: dict.fromkeys(v) if isinstance(v, list | tuple) else v),
    ]
    """Columns of labels: a list, or what each finding is called, or sentences by value."""
    values: Sentences = Field(default_factory=lambda: dict[str, str | None](_SAID))
    """Sentence that each value of a column stands for, null says nothing; left out: CheXpert's 1, 0, -1."""

    def words(self) -> dict[str, dict[str, str]]:
        """Column -> value -> sentence."""
        found = {}
        for column, own in self.columns.items():
            values = {**self.values, **(own if isinstance(own, dict) else {})}
            texts = {value: text or "" for value, text in values.items()}
            found[column] = label_words(own if isinstance(own, str) else column, texts)
        return found


@dataclass(frozen=True, config=PART)
class Questions:
    """Columns of questions and their answers: a record holds what they state of its image, and of the closed ones also
    the denial. ``open``: what becomes of the others."""

    question: str = "question"
    """Column of the question."""
    answer: str = "answer"
    """Column of the answer."""
    open: Literal["keep", "drop"] = "keep"
    """What becomes of questions that yes and no do not answer."""


@dataclass(frozen=True, config=PART)
class ReportSource:
    """Reports: a file, a folder, or the URL of either. ``several``: which of several reports of one study is the one,
    where their status does not say it: the ``latest`` or ``first`` by ``columns.order``, all of them by ``join``, else
    none. ``caption``: a template of sentences over columns, "{modality} of the {organ}. {findings}"; one that names an
    empty column is left out. ``labels`` and ``questions``: texts made of those, which a template names {labels} and
    {statement}. ``declared_clean``: these texts name nobody, as you answer for, and are not cleaned."""

    path: Root
    """A table, a file of messages, or a folder of reports, or the URL of either."""
    format: Asked = "auto"
    """csv, jsonl, json, parquet, xlsx, txt, hl7, dicom ...; auto: by name and content."""
    name_pattern: str | None = None
    """Regular expression over a text file's name with groups accession, study, patient, date."""
    columns: Columns = Columns()
    """Which column says what."""
    caption: str | None = None
    """A template of sentences over columns: "{modality} of the {organ}. {findings}"."""
    labels: Labels | None = None
    """Columns of labels that become sentences."""
    questions: Questions | None = None
    """Columns of questions and answers that become statements."""
    several: Several = "ambiguous"
    """Which of several reports of a study is the one, where their status does not say it."""
    declared_clean: bool = False
    """These texts name nobody, as you answer for: they are not cleaned."""

    def __post_init__(self) -> None:
        if self.several in ("latest", "first") and self.columns.order is None:
            raise ValueError(f"several: {self.several} needs columns.order, a column with a number or a time")

    def report_columns(self) -> ReportColumns:
        """What its columns say."""
        questions = self.questions
        words = self.labels.words() if self.labels else {}
        columns = (questions.question, questions.answer, questions.open) if questions else (None, None, "keep")
        return ReportColumns(**vars(self.columns), caption=CaptionRules(self.caption or "", words, *columns))
