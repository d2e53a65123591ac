"""The recipe's sources: where images and reports lie, what of them is wanted, how they meet, and their own splits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from curate.ingest.rules import Facts, FileRules, ReportSource, SplitTable
from curate.sources.reports.asked import Asked, ReportColumns
from curate.sources.reports.captions import CaptionRules, label_words
from curate.sources.scan import ImageSource
from pipelines.part import Fraction, Part


def _uid(name: str) -> str:
    """A SOP class's UID, of its UID or its keyword (CTImageStorage)."""
    from pydicom import uid  # only where a class is named

    found = name if re.fullmatch(r"[0-9.]+", name) else getattr(uid, name, None)
    if not isinstance(found, str):
        raise ValueError(f"no SOP class '{name}'; give its UID or its keyword, as CTImageStorage")
    return str(found)


class FileFacts(Part):
    """What a file's header says: any of the values of each. Sizes are of the shorter and of the longer side, px."""

    modality: tuple[str, ...] = ()
    sop_class: tuple[Annotated[str, AfterValidator(_uid)], ...] = ()
    image_type: tuple[str, ...] = ()
    smaller_than: Annotated[int, Field(ge=1)] | None = None
    larger_than: Annotated[int, Field(ge=1)] | None = None

    def facts(self) -> Facts:
        """For the engine room."""
        return Facts(self.modality, self.sop_class, self.image_type, self.smaller_than, self.larger_than)


class Excluded(FileFacts):
    """Any of these is against a file. ``path``: shell patterns over relative paths or names; they are not even
    counted, the rest is dropped as ``excluded_by_recipe``."""

    path: tuple[str, ...] = ()


class Images(Part):
    """A folder of DICOM, PNG, JPEG or TIFF files, of any depth and mixture.

    ``key_pattern``: a regular expression over relative paths with groups among accession, study, patient, image and
    split; what it finds fills what the header lacks (``key_first``: header) or stands in its place (path).
    ``include``: a file must have all of these; ``exclude``: none of those, and a bare list is of path patterns.
    ``localizers`` and ``screens`` (dose sheets, saved screens, documents, captures beside a study's own pictures) are
    no pictures that a report speaks of: dropped unless 'keep'. ``declared_clean``: nobody is named in these pictures,
    as you answer for; a record of which the report is declared so too is neither searched nor cleaned.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "archive"
    path: Path
    follow_symlinks: bool = False
    key_pattern: str | None = None
    key_first: Literal["header", "path"] = "header"
    include: FileFacts = FileFacts()
    exclude: Annotated[Excluded, BeforeValidator(lambda v: {"path": v} if isinstance(v, list | tuple) else v)] = (
        Excluded()
    )
    localizers: Literal["drop", "keep"] = "drop"
    screens: Literal["drop", "keep"] = "drop"
    declared_clean: bool = False

    def source(self) -> ImageSource:
        """For the engine room."""
        return ImageSource(self.name, str(self.path.resolve()), self.follow_symlinks, self.exclude.path)

    def file_rules(self) -> FileRules:
        """Which files are wanted, and what their paths say."""
        include, exclude = self.include.facts(), self.exclude.facts()
        kept = self.localizers, self.screens, self.declared_clean
        return FileRules(self.key_pattern, self.key_first, include, exclude, *kept)


class Columns(Part):
    """Which report column says what; a text file a study needs none."""

    text: str | None = None
    sections: dict[str, str] = Field(default_factory=dict)
    accession: str | None = None
    study: str | None = None
    patient: str | None = None
    patient_name: str | None = None
    date: str | None = None
    image: str | None = None
    group: str | None = None
    clean: str | None = None
    split: str | None = None
    status: str | None = None
    order: str | None = None
    keep: dict[str, str] = Field(default_factory=dict)


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
    values: Sentences = Field(default_factory=lambda: dict[str, str | None](_SAID))

    def words(self) -> dict[str, dict[str, str]]:
        """Column -> value -> sentence."""
        found = {}
        for column, own in self.columns.items():
            values = {**self.values, **(own if isinstance(own, dict) else {})}
            said = {value: text or "" for value, text in values.items()}
            found[column] = label_words(own if isinstance(own, str) else column, said)
        return found


class Questions(Part):
    """Columns of questions and their answers: a record holds what they state of its image, and of the closed ones also
    the denial. ``open``: what becomes of the others."""

    question: str = "question"
    answer: str = "answer"
    open: Literal["keep", "drop"] = "keep"


class Reports(Part):
    """A file or folder of reports. ``several``: which of several reports of one study is the one, where their status
    does not say it: the ``latest`` or ``first`` by ``columns.order``, all of them by ``join``, else none. ``caption``:
    a template of sentences over columns, "{modality} of the {organ}. {findings}"; one that names an empty column is
    left out. ``labels`` and ``questions``: texts made of those, which a template names {labels} and {statement}.
    ``declared_clean``: these texts name nobody, as you answer for, and are not cleaned."""

    path: Path
    format: Asked = "auto"
    name_pattern: str | None = None
    columns: Columns = Columns()
    caption: str | None = None
    labels: Labels | None = None
    questions: Questions | None = None
    several: Literal["ambiguous", "latest", "first", "join"] = "ambiguous"
    declared_clean: bool = False

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
        asked = self.questions
        words = self.labels.words() if self.labels else {}
        told = (asked.question, asked.answer, asked.open) if asked else (None, None, "keep")
        return ReportColumns(**self.columns.model_dump(), caption=CaptionRules(self.caption or "", words, *told))


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
    require_same_patient: bool = True
    ignore: tuple[Literal["leading_zeros", "punctuation", "prefix"], ...] = ()
    unpaired_reports: Literal["drop", "keep"] = "drop"
    unpaired_images: Literal["drop", "keep"] = "drop"
    frames: Literal["first", "middle", "all", "key", "montage"] = "middle"
    per_series: Literal["all", "middle", "key", "montage"] = "all"
    slices: Annotated[int, Field(ge=1, le=64)] = 9


class SplitTablePart(Part):
    """The source's own splits: a CSV (gzip too) or Parquet file, its column, and a column that says whose they are."""

    path: Path
    column: str = "split"
    image: str | None = None
    accession: str | None = None
    study: str | None = None
    patient: str | None = None

    @model_validator(mode="after")
    def _says_whose(self) -> SplitTablePart:
        if not any((self.image, self.accession, self.study, self.patient)):
            raise ValueError("names no key; give the column of the image, accession, study or patient")
        return self

    def table(self) -> SplitTable:
        """For the engine room."""
        keys = self.image, self.accession, self.study, self.patient
        return SplitTable(str(self.path.resolve()), self.column, *keys)


class Split(Part):
    """Fractions of patients held out; or, where the source declares splits (here, by ``columns.split`` of reports or by
    the group ``split`` of a ``key_pattern``), those. ``names``: its words for them. ``others``: where patients go of
    whom it says nothing: to train, or by these fractions ('hash')."""

    val: Fraction = 0.05
    test: Fraction = 0.05
    table: SplitTablePart | None = None
    names: dict[str, Literal["train", "val", "test"]] = Field(default_factory=dict)
    others: Literal["train", "hash"] = "train"

    @model_validator(mode="after")
    def _something_trains(self) -> Split:
        if self.val + self.test >= 1:
            raise ValueError(f"val + test is {self.val + self.test:g}; nothing is left to train on")
        return self
