"""The recipe: one YAML file that says where the studies lie and what to keep.

Frozen, and strict: an unknown field is an error that names the fields there are. Fields tune what the product does;
none removes or reorders de-identification.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from curate.dedup.rules import DedupRules, SemanticRules
from curate.deid.rules import Cut, PixelPolicy, TextRules
from curate.deid.vault import SecretSource
from curate.engine import Resources
from curate.export.rules import SelectRules
from curate.export.split import SplitRules
from curate.ingest.rules import IndexRules, OfficialSplits, PictureRules, ReportRules, ReportSource, SecondLook
from curate.sources.pairing.rules import PairRules
from curate.sources.picture import PixelRules
from curate.sources.reports.headings import SECTIONS
from curate.sources.scan import ImageSource
from filters.registry import CleanRules, TowersRules, registered
from pipelines.part import Fraction, Location, Part
from pipelines.scoring import Capfilt, Filter, FilterName, Select
from pipelines.sources import Images, Pair, Reports, Split
from pipelines.training import Compare, EvaluationSet, Train

_Scope = Literal["off", "patient", "archive"]
Scope = Annotated[_Scope, BeforeValidator(lambda v: "off" if v is False else v)]  # YAML reads a bare `off` as false


def _section(name: str) -> str:
    if name not in SECTIONS:
        raise ValueError(f"no section '{name}'; there are {', '.join(SECTIONS)}")
    return name


class Image(Part):
    """What is kept of the pixels. png is lossless; jpeg is a declared lossy encode."""

    format: Literal["png", "jpeg"] = "png"
    """How pictures are written: png is lossless, jpeg a declared lossy encode (8 bits)."""
    quality: Annotated[int, Field(ge=50, le=100)] = 95
    """Of jpeg, 50 to 100."""
    side: Annotated[int, Field(ge=32)] | None = None
    """Longest side in px; larger pictures are reduced. Null keeps their own size."""
    bits: Literal[8, 16] = 8
    """8, or 16 for the stored range of DICOM in png."""
    window: Literal["dicom", "full"] | tuple[float, float] = "dicom"
    """Grey levels shown: the header's window (dicom), all stored values (full), or [center, width]."""
    min_side: Annotated[int, Field(ge=1)] = 16
    """Pictures of which a side is shorter, in px, are dropped as image_too_small."""
    max_bytes: Annotated[int, Field(ge=1)] = 1 << 30
    """Most bytes that a picture may take when it is decoded; beyond, decompression_limit."""

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
    """Which report sections make the text. ``cut``: what else goes: letterheads and signature blocks at its edges,
    sentences that only compare with priors, and sign-offs; each is counted."""

    sections: Annotated[tuple[Annotated[str, AfterValidator(_section)], ...], Field(min_length=1)] = (
        "findings",
        "impression",
        "body",
        "addendum",
    )
    """Sections of a report that make the text, in this order; body is what stands under no heading."""
    min_words: Annotated[int, Field(ge=1)] = 2
    """Texts of fewer words are dropped as text_too_short."""
    dates: Literal["mask", "shift"] = "shift"
    """Days in texts: shifted by the patient's own number of days, or masked."""
    cut: tuple[Cut, ...] = ("letterheads",)
    """What else goes and is counted: letterheads and signature blocks, sentences that only compare, sign-offs."""


class SecondLookPart(Part):
    """Of the pictures that go out, the ``share`` that the verifier reads with a network of its own, whatever the gate
    said of them: ``least`` at least, every kind of device among them. Those that were painted over are all read."""

    share: Fraction = SecondLook().share
    """Of the pictures that go out, the share that the verifier reads too."""
    least: Annotated[int, Field(ge=0)] = SecondLook().least
    """At least so many pictures, of every kind of device some."""


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
    second_look: SecondLookPart = SecondLookPart()
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
        said = []
        if self.burned_in == "trust":
            said.append("deid.burned_in: trust - pixels are not checked for burned-in text; for public data only")
        if self.max_painted_anatomy > PixelPolicy().max_painted_anatomy:
            share = f"{self.max_painted_anatomy:g}"
            said.append(f"deid.max_painted_anatomy: {share} - pictures may be kept that lost so much of their anatomy")
        if not self.vocabulary:
            said.append("deid.vocabulary: false - a name that no cue gives away stays in report text")
        if self.replace == "surrogates":
            said.append("deid.replace: surrogates - names, numbers and days in the texts are inventions, and look real")
        if self.languages != ("en",):
            others = ", ".join(code for code in self.languages if code != "en")
            said.append(f"deid.languages: {others} - names are found less surely than in English; look at a sample")
        if self.name_threshold > TextRules().name_threshold:
            said.append(f"deid.name_threshold: {self.name_threshold:g} - more names that are words stay in report text")
        if self.max_masked > TextRules().max_masked:
            said.append(f"deid.max_masked: {self.max_masked:g} - reports may be kept that are mostly placeholders")
        return said


class Dedup(Part):
    """Which duplicates are dropped, and how far they are looked for: off, within a patient, over the archive."""

    image_exact: Scope = "archive"
    """Same pixels: looked for over the archive, within a patient, or off."""
    image_near: Scope = "patient"
    """Nearly the same picture, by a hash of 64 bits and then by correlation."""
    text_exact: Scope = "off"
    """Same words."""
    text_near: Scope = "off"
    """Nearly the same words; an edit of a side, a number or a negation is no duplicate."""
    distance: Annotated[int, Field(ge=0, le=12)] = DedupRules().distance
    """Bits by which two pictures' hashes may differ."""
    correlation: Fraction = DedupRules().correlation
    """Least correlation of two pictures' small copies."""
    jaccard: Fraction = DedupRules().jaccard
    """Least Jaccard similarity of two texts' sets of words."""
    keep: Literal["best", "first"] = "best"
    """Which of a cluster stays: the best by size and text, or the first by key."""


class Semantic(Part):
    """Semantic deduplication, where the recipe names it: of the train split's pairs whose pictures the filter ``by``
    sees alike and whose texts claim the same, the best scored stays. Alike is a cosine of ``similarity`` (.95) and
    more; or ``keep``: the share that is to stay, from which the threshold follows. ``scope`` as in
    `curate.dedup.rules.SemanticRules`. The only filter with towers needs no name."""

    by: FilterName | None = None
    """The filter whose embeddings are compared; null: the only one with towers."""
    similarity: Fraction | None = None
    """Least cosine of two that are alike; null: .95, unless keep is given."""
    keep: Fraction | None = None
    """Share of the train split that is to stay, from which the threshold follows."""
    scope: Literal["archive", "patient", "other_patients"] = "archive"
    """Whose pairs are compared: all, one patient's, or only different patients'."""
    seed: int = 0
    """Of the clustering."""

    @model_validator(mode="after")
    def _one_threshold(self) -> Semantic:
        if self.similarity is not None and self.keep is not None:
            raise ValueError("similarity and keep: give one of them")
        return self


class Export(Part):
    """Shard size in records. ``license``: what the shards' card says of it, an SPDX identifier in small letters
    (cc-by-4.0) or words of your own; without it the card says that none was named."""

    records_per_shard: Annotated[int, Field(ge=1)] = 1000
    """Records in a tar file."""
    license: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\r\n]+$")] | None = None
    """What the shards' card says of it: an SPDX identifier in small letters, or words of your own."""


class EngineChoice(Part):
    """Where the run runs; never changes what it makes."""

    kind: Literal["local", "ray"] = "local"
    """local: processes of this machine; ray: a cluster."""
    workers: Annotated[int, Field(ge=1)] | None = None
    """Processes, or Ray CPUs; null: as many as there are cores."""
    address: str | None = None
    """Of a running Ray cluster, or auto; null starts one here."""
    gpus: Annotated[float, Field(ge=0)] = 0.0
    """Of a model's actor: 1, or a part of one; 0 scores on the CPU."""
    actors: Annotated[int, Field(ge=1)] = 1
    """Models that score beside each other."""


class Truth(Part):
    """A synthetic archive's ground truth, to measure the filter against; ``source`` is the image source's name."""

    path: Path
    """The table that `curate synth` writes."""
    source: str = "archive"
    """Name of the image source that it speaks of."""


class Recipe(Part):
    """The whole job. Paths are relative to the working directory; sources and ``out`` may be fsspec URLs."""

    name: str = "run"
    """What pages and cards call the run."""
    # absolute, as workers elsewhere have another working directory
    out: Annotated[Location, AfterValidator(lambda path: path.absolute())]
    """The run's folder, or an fsspec URL (s3, gs, az)."""
    secret: Path | None = None
    """File of the secret that keys pseudonyms; null: the variable RADSIFT_SECRET."""
    images: tuple[Images, ...] = ()
    """Where pictures lie."""
    reports: tuple[Reports, ...] = ()
    """Where reports lie."""
    pair: Pair = Pair()
    """How a picture finds its report."""
    image: Image = Image()
    """What is kept of pixels."""
    text: Text = Text()
    """What is kept of reports."""
    deid: Deid = Deid()
    """What is done with identities."""
    dedup: Dedup = Dedup()
    """Which duplicates are dropped."""
    clean: CleanRules = CleanRules()
    """What filters are trained on, where they need a clean set."""
    filters: dict[FilterName, Filter] = Field(default_factory=lambda: {"ours": Filter(method="ours")})
    """The learned filters, by a name of your own that may be their method; left out: ours."""
    score_batch: Annotated[int, Field(ge=1)] = 64
    """Pairs that a model scores at once."""
    capfilt: Capfilt | None = None
    """Synthetic texts and which are believed (experimental); null: none."""
    semantic: Semantic | None = None
    """Semantic deduplication by a filter's embeddings; null: none."""
    select: Select = Select()
    """The cut by score."""
    split: Split = Split()
    """What is held out."""
    export: Export = Export()
    """How shards are written."""
    engine: EngineChoice = EngineChoice()
    """Processes or a Ray cluster, and its GPUs."""
    truth: Truth | None = None
    """Ground truth of a synthetic archive, to measure filters against."""
    evaluation: tuple[EvaluationSet, ...] = ()
    """Sets that nothing may learn from."""
    train: Train = Train()
    """The final model."""
    compare: Compare = Compare()
    """What `curate compare` compares."""
    records_per_partition: Annotated[int, Field(ge=1)] = 500
    """Records of a partition: the unit of work and of resuming."""

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
        self.semantic_rules()
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
            name, _, suffix = column.rpartition("_")
            made_by = self.filters.get(name) if suffix == "margin" else None
            if made_by is not None and made_by.folder is None and not getattr(made_by.rules(), "margin", True):
                asked = f"filters.{name}.margin: true"
                raise ValueError(f"select.by: '{column}' is not computed unless it is asked for; {asked}")
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
        return [source.source() for source in self.images]

    def report_sources(self) -> list[ReportSource]:
        """The reports' files."""
        return [reports.source() for reports in self.reports]

    def index_rules(self) -> IndexRules:
        """How files become records."""
        p = self.pair
        pairing = PairRules(p.by, p.require_same_patient, p.ignore)
        files = {s.name: s.file_rules() for s in self.images}
        table = self.split.table.table() if self.split.table else None
        splits = OfficialSplits(table, self.split.names, self.split.others)
        kept = p.unpaired_reports, p.unpaired_images
        looked = SecondLook(**self.deid.second_look.model_dump())
        return IndexRules(pairing, p.frames, p.per_series, p.slices, *kept, files, splits, looked)

    def picture_rules(self) -> PictureRules:
        """How pixels are read, gated and kept."""
        i = self.image
        pixels = PixelRules(window=i.window, bits=i.bits, max_bytes=i.max_bytes, min_side=i.min_side)
        return PictureRules(pixels, self.deid.pixel_policy(), i.format, i.quality, i.side)

    def report_rules(self) -> ReportRules:
        """Which text is kept."""
        rules = self.deid.text_rules(self.text.dates, self.text.cut)
        return ReportRules(self.text.sections, self.text.min_words, rules, "letterheads" in self.text.cut)

    def dedup_rules(self) -> DedupRules:
        """What counts as a duplicate."""
        return DedupRules(**self.dedup.model_dump())

    def semantic_rules(self) -> SemanticRules | None:
        """What counts as a semantic duplicate; ValueError where no filter's pictures can be compared."""
        told = self.semantic
        if told is None:
            return None
        towers = [name for name, f in self.filters.items() if registered(f.method).rules is TowersRules]
        there = f"there are {', '.join(towers)}" if towers else "there is none, for example filters: {dfn: {}}"
        if told.by is not None and told.by not in towers:
            raise ValueError(f"semantic.by: '{told.by}' is no filter with towers; {there}")
        if told.by is None and len(towers) != 1:
            raise ValueError(f"semantic.by: name the filter with towers that is to compare pictures; {there}")
        similarity = None if told.keep is not None else (told.similarity or SemanticRules("").similarity)
        return SemanticRules(told.by or towers[0], similarity, told.keep, told.scope, told.seed)

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
        unread = {"images": "pictures are not searched for text", "reports": "texts are not cleaned"}
        declared = {
            "images": [source.declared_clean for source in self.images],
            "reports": [source.declared_clean for source in self.reports],
        }
        for kind, sources in declared.items():
            for i, is_declared in enumerate(sources):
                if is_declared:
                    what = f"{unread[kind]}, and nothing verifies them: you answer for it"
                    said.append(f"{kind}.{i}.declared_clean: true - these {what}")
        return said
