"""The recipe: one YAML file that says where the studies lie and what to keep.

Frozen, and strict: an unknown field is an error that names the fields there are. Fields tune what the product does;
none removes or reorders de-identification.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydicom import uid

from curate.dedup.resolve import DedupRules
from curate.deid.pixels.gate import PixelPolicy
from curate.deid.text.scrub import TextRules
from curate.deid.vault import SecretSource
from curate.engine import Resources
from curate.export.rules import SelectRules
from curate.export.split import SplitRules
from curate.ingest.chain import PictureRules, ReportRules
from curate.ingest.files import Facts, FileRules
from curate.ingest.index import IndexRules, ReportSource
from curate.ingest.scan import ImageSource
from curate.ingest.splits import OfficialSplits, SplitTable
from curate.sources.dicom.read import PixelRules
from curate.sources.pairing.pair import PairRules
from curate.sources.reports.captions import CaptionRules, label_words
from curate.sources.reports.read import Asked, ReportColumns
from curate.sources.reports.section import SECTIONS
from pipelines.part import Fraction, Part
from pipelines.scoring import Capfilt, CleanSet, Filter, FilterName, Select
from pipelines.training import Compare, EvaluationSet, Train

_Scope = Literal["off", "patient", "archive"]
Scope = Annotated[_Scope, BeforeValidator(lambda v: "off" if v is False else v)]  # YAML reads a bare `off` as false


def _section(name: str) -> str:
    if name not in SECTIONS:
        raise ValueError(f"no section '{name}'; there are {', '.join(SECTIONS)}")
    return name


def _uid(name: str) -> str:
    """A SOP class's UID, of its UID or its keyword (CTImageStorage)."""
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
    no pictures that a report speaks of: dropped unless 'keep'.
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

    def file_rules(self) -> FileRules:
        """Which files are wanted, and what their paths say."""
        include, exclude = self.include.facts(), self.exclude.facts()
        return FileRules(self.key_pattern, self.key_first, include, exclude, self.localizers, self.screens)


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
    left out. ``labels`` and ``questions``: texts made of those, which a template names {labels} and {statement}."""

    path: Path
    format: Asked = "auto"
    name_pattern: str | None = None
    columns: Columns = Columns()
    caption: str | None = None
    labels: Labels | None = None
    questions: Questions | None = None
    several: Literal["ambiguous", "latest", "first", "join"] = "ambiguous"

    @model_validator(mode="after")
    def _an_order_says_which_is_latest(self) -> Reports:
        if self.several in ("latest", "first") and self.columns.order is None:
            raise ValueError(f"several: {self.several} needs columns.order, a column with a number or a time")
        return self

    def report_columns(self) -> ReportColumns:
        """For the engine room."""
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


class Image(Part):
    """What is kept of the pixels. png is lossless; jpeg is a declared lossy encode."""

    format: Literal["png", "jpeg"] = "png"
    quality: Annotated[int, Field(ge=50, le=100)] = 95
    side: Annotated[int, Field(ge=32)] | None = None
    bits: Literal[8, 16] = 8
    window: Literal["dicom", "full"] | tuple[float, float] = "dicom"
    min_side: Annotated[int, Field(ge=1)] = 16
    max_bytes: Annotated[int, Field(ge=1)] = 1 << 30

    @model_validator(mode="after")
    def _window_has_a_width(self) -> Image:
        if isinstance(self.window, tuple) and not (math.isfinite(self.window[0]) and 1 <= self.window[1] < math.inf):
            raise ValueError(f"window is [center, width] with a width of at least 1, not {list(self.window)}")
        return self

    @model_validator(mode="after")
    def _jpeg_is_8_bit(self) -> Image:
        if self.format == "jpeg" and self.bits == 16:
            raise ValueError("jpeg holds 8 bits; use format: png for 16")
        return self


class Text(Part):
    """Which report sections make the text."""

    sections: Annotated[tuple[Annotated[str, AfterValidator(_section)], ...], Field(min_length=1)] = (
        "findings",
        "impression",
        "body",
        "addendum",
    )
    min_words: Annotated[int, Field(ge=1)] = 2
    dates: Literal["mask", "shift"] = "shift"


class Deid(Part):
    """What is done with pixels and words. ``burned_in``: text in pixels is blanked and looked at again ('quarantine'
    alters no pixel, 'trust' believes the source: for public sets only). ``vocabulary`` masks the words of reports that
    neither medicine nor the language knows, unless at least ``k_patients`` patients share them; a report in a
    language that is not of ``languages`` is withheld. So is one of whose words a share larger than
    ``max_masked`` was masked. ``ocr_sample``: the part of the pictures cleared by the
    fast look that OCR reads all the same."""

    burned_in: Literal["blank", "quarantine", "trust"] = "blank"
    max_shift_days: Annotated[int, Field(ge=1, le=3650)] = 3650
    vocabulary: bool = True
    k_patients: Annotated[int, Field(ge=2)] = 8
    max_masked: Fraction = TextRules().max_masked
    second_opinion: Literal["none", "presidio"] = "none"
    languages: Annotated[tuple[Literal["en", "de", "es", "fr", "it", "nl", "pt"], ...], Field(min_length=1)] = (
        "en", "de", "es", "fr", "it", "nl", "pt",
    )  # fmt: skip
    ocr_sample: Fraction = 0.0

    def pixel_policy(self) -> PixelPolicy:
        """What to do with text in pixels."""
        return PixelPolicy(self.burned_in)

    def text_rules(self, dates: Literal["mask", "shift"]) -> TextRules:
        """How report text is scrubbed."""
        return TextRules(dates, self.vocabulary, self.second_opinion, self.max_masked, self.languages)

    def warnings(self) -> list[str]:
        """Settings that are less safe than the default, to be said aloud."""
        said = []
        if self.burned_in == "trust":
            said.append("deid.burned_in: trust - pixels are not checked for burned-in text; for public data only")
        if not self.vocabulary:
            said.append("deid.vocabulary: false - a name that no cue gives away stays in report text")
        if self.max_masked > TextRules().max_masked:
            said.append(f"deid.max_masked: {self.max_masked:g} - reports may be kept that are mostly placeholders")
        return said


class Dedup(Part):
    """Which duplicates are dropped, and how far they are looked for: off, within a patient, over the archive."""

    image_exact: Scope = "archive"
    image_near: Scope = "patient"
    text_exact: Scope = "off"
    text_near: Scope = "off"
    distance: Annotated[int, Field(ge=0, le=12)] = DedupRules().distance
    correlation: Fraction = DedupRules().correlation
    jaccard: Fraction = DedupRules().jaccard
    keep: Literal["best", "first"] = "best"


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


class Export(Part):
    """Shard size in records."""

    records_per_shard: Annotated[int, Field(ge=1)] = 1000


class EngineChoice(Part):
    """Where the run runs; never changes what it makes."""

    kind: Literal["local", "ray"] = "local"
    workers: Annotated[int, Field(ge=1)] | None = None
    address: str | None = None
    gpus: Annotated[float, Field(ge=0)] = 0.0
    actors: Annotated[int, Field(ge=1)] = 1


class Truth(Part):
    """A synthetic archive's ground truth, to measure the filter against; ``source`` is the image source's name."""

    path: Path
    source: str = "archive"


class Recipe(Part):
    """The whole job. Paths are relative to the working directory."""

    name: str = "run"
    out: Annotated[Path, AfterValidator(Path.absolute)]  # workers elsewhere have another working directory
    secret: Path | None = None
    images: tuple[Images, ...] = ()
    reports: tuple[Reports, ...] = ()
    pair: Pair = Pair()
    image: Image = Image()
    text: Text = Text()
    deid: Deid = Deid()
    dedup: Dedup = Dedup()
    clean: CleanSet = CleanSet()
    filters: dict[FilterName, Filter] = Field(default_factory=lambda: {"ours": Filter(method="ours")})
    score_batch: Annotated[int, Field(ge=1)] = 64
    capfilt: Capfilt | None = None
    select: Select = Select()
    split: Split = Split()
    export: Export = Export()
    engine: EngineChoice = EngineChoice()
    truth: Truth | None = None
    evaluation: tuple[EvaluationSet, ...] = ()
    train: Train = Train()
    compare: Compare = Compare()
    records_per_partition: Annotated[int, Field(ge=1)] = 500

    @model_validator(mode="after")
    def _sources_make_sense(self) -> Recipe:
        names = [s.name for s in self.images]
        if len(set(names)) != len(names):
            raise ValueError("two image sources share a name; names are part of every key")
        if not self.images and self.pair.unpaired_reports == "drop" and not self.trains_alone:
            raise ValueError("no images: give 'images', or 'pair.unpaired_reports: keep' for a text-only run")
        if not self.reports and self.pair.unpaired_images == "drop" and not self.trains_alone:
            raise ValueError("no reports: give 'reports', or 'pair.unpaired_images: keep' for an image-only run")
        cuts = self.select_rules().cuts
        if not self.filters and cuts:
            raise ValueError("select cuts by score, but 'filters: {}' scores nothing; 'select: {}' keeps everything")
        if len(self.filters) > 1 and "ours" not in self.filters and cuts and self.select.by is None:
            raise ValueError(f"select.by: name the score to cut by, of {', '.join(self.filters)}")
        if cuts:
            self._columns_of_filters()
        if self.capfilt is not None and self.capfilt.folder is None:
            self._writes(self.capfilt.filter)
        return self

    @property
    def trains_alone(self) -> bool:
        """Whether there is no archive, only shards to train on."""
        return self.train.shards is not None and not self.images and not self.reports

    def _writes(self, name: str) -> None:
        """The filter that CapFilt names is a blip."""
        blips = [n for n, f in self.filters.items() if f.method == "blip"]
        if name not in blips:
            there = f"of {', '.join(blips)}" if blips else "here there is none"
            raise ValueError(f"capfilt.filter: '{name}' is no blip filter of the recipe, {there}; or give a folder")

    def _columns_of_filters(self) -> None:
        """Every column that the cut reads is a filter's, and what is called a probability can be one."""
        for column in self.select_rules().score_columns:
            if not any(column == name or column.startswith(f"{name}_") for name in self.filters):
                raise ValueError(f"select.by: no filter makes '{column}'; there are {', '.join(self.filters)}")
        told = self.select.probability or self.select_rules().by
        if self.select.precision is not None and not (
            isinstance(told, str)
            and (told.endswith("_p") or (told in self.filters and self.filters[told].method == "ours"))
        ):
            raise ValueError(
                "select.precision: it needs a probability: that of 'ours', or a sigmoid filter's column _p"
            )

    @model_validator(mode="before")
    @classmethod
    def _a_filters_name_may_be_its_method(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and isinstance(raw.get("filters"), dict):
            named = {k: {"method": k, **v} if isinstance(v, dict) else v for k, v in raw["filters"].items()}
            named = {k: {"method": k} if v is None else v for k, v in named.items()}
            raw = {**raw, "filters": named}
        return raw

    # The engine room takes its own frozen rules; these are the only places where the two meet.

    def secret_source(self) -> SecretSource:
        """Where workers read the secret."""
        return SecretSource(None if self.secret is None else str(self.secret.resolve()), self.deid.max_shift_days)

    def image_sources(self) -> list[ImageSource]:
        """The archive's folders."""
        return [ImageSource(s.name, str(s.path.resolve()), s.follow_symlinks, s.exclude.path) for s in self.images]

    def report_sources(self) -> list[ReportSource]:
        """The reports' files."""
        return [
            ReportSource(str(r.path.resolve()), r.report_columns(), r.format, r.name_pattern, r.several)
            for r in self.reports
        ]

    def index_rules(self) -> IndexRules:
        """How files become records."""
        p = self.pair
        pairing = PairRules(p.by, p.require_same_patient, p.ignore)
        files = {s.name: s.file_rules() for s in self.images}
        table = self.split.table.table() if self.split.table else None
        splits = OfficialSplits(table, self.split.names, self.split.others)
        kept = p.unpaired_reports, p.unpaired_images
        return IndexRules(pairing, p.frames, p.per_series, p.slices, *kept, files, splits)

    def picture_rules(self) -> PictureRules:
        """How pixels are read, gated and kept."""
        i = self.image
        pixels = PixelRules(window=i.window, bits=i.bits, max_bytes=i.max_bytes, min_side=i.min_side)
        return PictureRules(pixels, self.deid.pixel_policy(), i.format, i.quality, i.side, self.deid.ocr_sample)

    def report_rules(self) -> ReportRules:
        """Which text is kept."""
        return ReportRules(self.text.sections, self.text.min_words, self.deid.text_rules(self.text.dates))

    def dedup_rules(self) -> DedupRules:
        """What counts as a duplicate."""
        return DedupRules(**self.dedup.model_dump())

    def select_rules(self) -> SelectRules:
        """The cut."""
        return self.select.rules(list(self.filters))

    def split_rules(self) -> SplitRules:
        """The held-out fractions."""
        return SplitRules(self.split.val, self.split.test)

    def resources(self) -> Resources:
        """Where the run runs."""
        return Resources(**self.engine.model_dump())

    def warnings(self) -> list[str]:
        """Settings that are less safe than the default, to be said aloud."""
        said = self.deid.warnings()
        if self.image.format == "jpeg":
            said.append(f"image.format: jpeg - pixels are encoded once, lossy, at quality {self.image.quality}")
        return said
