"""The recipe's sources: where images and reports lie, what of them is wanted, how they meet, and their own splits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from curate.ingest.rules import Facts, FileRules, ReportSource, SplitTable
from curate.part import PART, Fraction, Location, Part
from curate.sources.reports.captions import Asked, CaptionRules, Columns, ReportColumns, label_words
from curate.sources.scan import ImageSource


@dataclass(frozen=True, config=PART)
class Excluded(Facts):
    """Any of these is against a file. ``path``: shell patterns over relative paths or names; they are not even
    counted, the rest is dropped as ``excluded_by_recipe``."""

    path: tuple[str, ...] = ()
    """Shell patterns over relative paths or names; such files are not even counted."""


class Images(Part):
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
    path: Location
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

    def source(self) -> ImageSource:
        """For the engine room."""
        return ImageSource(self.name, str(self.path.resolve()), self.follow_symlinks, self.exclude.path)

    def file_rules(self) -> FileRules:
        """Which files are wanted, and what their paths say."""
        kept = self.localizers, self.screens, self.declared_clean
        return FileRules(self.key_pattern, self.key_first, self.include, self.exclude, *kept)


def _words_by_value(raw: Any) -> Any:
    """YAML reads 1 and yes as what they are; the table holds text."""
    return {str(k): v for k, v in raw.items()} if isinstance(raw, dict) else raw


Sentences = Annotated[dict[str, str | None], BeforeValidator(_words_by_value)]


_SAID = {"1": "{label}.", "0": "No {label}.", "-1": "Possible {label}."}  # as CheXpert labels


class Labels(Part):
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


class Questions(Part):
    """Columns of questions and their answers: a record holds what they state of its image, and of the closed ones also
    the denial. ``open``: what becomes of the others."""

    question: str = "question"
    """Column of the question."""
    answer: str = "answer"
    """Column of the answer."""
    open: Literal["keep", "drop"] = "keep"
    """What becomes of questions that yes and no do not answer."""


class Reports(Part):
    """Reports: a file, a folder, or the URL of either. ``several``: which of several reports of one study is the one,
    where their status does not say it: the ``latest`` or ``first`` by ``columns.order``, all of them by ``join``, else
    none. ``caption``: a template of sentences over columns, "{modality} of the {organ}. {findings}"; one that names an
    empty column is left out. ``labels`` and ``questions``: texts made of those, which a template names {labels} and
    {statement}. ``declared_clean``: these texts name nobody, as you answer for, and are not cleaned."""

    path: Location
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
    several: Literal["ambiguous", "latest", "first", "join"] = "ambiguous"
    """Which of several reports of a study is the one, where their status does not say it."""
    declared_clean: bool = False
    """These texts name nobody, as you answer for: they are not cleaned."""

    @model_validator(mode="after")
    def _an_order_says_which_is_latest(self) -> Reports:
        if self.several in ("latest", "first") and self.columns.order is None:
            raise ValueError(f"several: {self.several} needs columns.order, a column with a number or a time")
        return self

    def source(self) -> ReportSource:
        """For the engine room."""
        path = str(self.path.resolve())
        columns = self.report_columns()
        return ReportSource(path, columns, self.format, self.name_pattern, self.several, self.declared_clean)

    def report_columns(self) -> ReportColumns:
        """What its columns say."""
        questions = self.questions
        words = self.labels.words() if self.labels else {}
        columns = (questions.question, questions.answer, questions.open) if questions else (None, None, "keep")
        return ReportColumns(**vars(self.columns), caption=CaptionRules(self.caption or "", words, *columns))


class Pair(Part):
    """How an image finds its report; the first key both sides have decides. ``frames`` and ``per_series``: which
    pictures of a file and of a series become records. ``key``: those that the report names ("series 3, image 42"), else
    ``slices`` evenly spaced ones; ``montage``: that many as the tiles of one record. ``ignore``: what does not count
    in an id where equal ones find nothing."""

    by: tuple[Literal["accession", "study", "patient_date", "image"], ...] = (
        "accession",
        "study",
        "patient_date",
        "image",
    )
    """Keys, the first that both sides have decides."""
    require_same_patient: bool = True
    """A report of another patient id is not the picture's."""
    ignore: tuple[Literal["leading_zeros", "punctuation", "prefix"], ...] = ()
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


class Split(Part):
    """Fractions of patients held out; or, where the source declares splits (here, by ``columns.split`` of reports or by
    the group ``split`` of a ``key_pattern``), those. ``names``: its words for them. ``others``: where patients go of
    whom it says nothing: to train, or by these fractions ('hash')."""

    val: Fraction = 0.05
    """Fraction of patients held out for validation."""
    test: Fraction = 0.05
    """Fraction of patients held out for tests."""
    table: SplitTable | None = None
    """The source's own splits, from a table."""
    names: dict[str, Literal["train", "val", "test"]] = Field(default_factory=dict)
    """Its words for train, val and test; left out: none."""
    others: Literal["train", "hash"] = "train"
    """Where patients go of whom it says nothing."""

    @model_validator(mode="after")
    def _something_trains(self) -> Split:
        if self.val + self.test >= 1:
            raise ValueError(f"val + test is {self.val + self.test:g}, which leaves nothing to train on; hold out less")
        return self
