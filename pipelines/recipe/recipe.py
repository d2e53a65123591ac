"""The recipe: one YAML file that says where the studies lie and what to keep.

Frozen, and strict: an unknown field is an error that names the fields there are. Fields tune what the product does;
none removes or reorders de-identification.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from curate.dedup.rules import DedupRules, SemanticRules
from curate.deid.rules import DeidRules
from curate.deid.vault import SecretSource
from curate.engine.resources import Resources
from curate.export.rules import SelectRules
from curate.export.split import SplitRules
from curate.ingest.rules import IndexRules, PictureRules, ReportRules, Wanted
from curate.part import Location, Part
from curate.sources.pairing.rules import PairRules
from curate.sources.picture import PixelRules
from curate.sources.rules import ImageSource, ReportSource
from filters.registry import CleanRules, TowersRules, registered
from pipelines.recipe.scoring import Capfilt, Filter, FilterName
from pipelines.recipe.training import Compare, EvaluationSet, Train


class Export(Part):
    """Shard size in records. ``license``: what the shards' card says of it, an SPDX identifier in small letters
    (cc-by-4.0) or words of your own; without it the card says that none was named."""

    records_per_shard: Annotated[int, Field(ge=1)] = 1000
    """Records in a tar file."""
    append: bool = False
    """Shards of the last finished run stay as they are, but for records that are no longer chosen or that changed; what
    is new goes into new shards. What comes out then depends on what was exported before."""
    license: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\r\n]+$")] | None = None
    """What the shards' card says of it: an SPDX identifier in small letters, or words of your own."""


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
    images: tuple[ImageSource, ...] = ()
    """Where pictures lie."""
    reports: tuple[ReportSource, ...] = ()
    """Where reports lie."""
    pair: PairRules = PairRules()
    """How a picture finds its report."""
    image: PixelRules = PixelRules()
    """What is kept of pixels."""
    text: Wanted = Wanted()
    """What is kept of reports."""
    deid: DeidRules = DeidRules()
    """What is done with identities."""
    dedup: DedupRules = DedupRules()
    """Which duplicates are dropped."""
    clean: CleanRules = CleanRules()
    """What filters are trained on, where they need a clean set."""
    filters: dict[FilterName, Filter] = Field(default_factory=lambda: {"ours": Filter(method="ours")})
    """The learned filters, by a name of your own that may be their method; left out: ours."""
    score_batch: Annotated[int, Field(ge=1)] = 64
    """Pairs that a model scores at once."""
    capfilt: Capfilt | None = None
    """Synthetic texts and which are believed (experimental); null: none."""
    semantic: SemanticRules | None = None
    """Semantic deduplication by a filter's embeddings; null: none."""
    select: SelectRules = SelectRules()
    """The cut by score."""
    split: SplitRules = SplitRules()
    """What is held out."""
    export: Export = Export()
    """How shards are written."""
    engine: Resources = Resources()
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
            raise ValueError("two image sources share a name, which is part of every key; name each otherwise")
        if not self.images and self.pair.unpaired_reports == "drop" and not self.trains_alone:
            raise ValueError("no images: give 'images', or 'pair.unpaired_reports: keep' for a text-only run")
        if not self.reports and self.pair.unpaired_images == "drop" and not self.trains_alone:
            raise ValueError("no reports: give 'reports', or 'pair.unpaired_images: keep' for an image-only run")
        cuts = self.select_rules().cuts
        if not self.filters and cuts:
            raise ValueError("select cuts by score, but 'filters: {}' scores nothing; 'select: {}' keeps everything")
        if len(self.filters) > 1 and "ours" not in self.filters and cuts and not self.select.by:
            raise ValueError(f"select.by: name the score to cut by, of {', '.join(self.filters)}")
        if cuts or (self.filters and self.select.by):
            self._columns_of_filters(self.select, "select")
        for name, select in self.compare.selections.items():
            self._columns_of_filters(select, f"compare.selections.{name}")
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

    def _columns_of_filters(self, select: SelectRules, at: str) -> None:
        """Every column that a cut reads is a filter's, and what is called a probability can be one."""
        rules = select.resolved(list(self.filters))
        for column in rules.score_columns:
            if not any(column == name or column.startswith(f"{name}_") for name in self.filters):
                there = f"there are {', '.join(self.filters)}" if self.filters else "the recipe has no filters"
                raise ValueError(f"{at}.by: no filter makes '{column}'; {there}")
            name, _, suffix = column.rpartition("_")
            made_by = self.filters.get(name) if suffix == "margin" else None
            if made_by is not None and made_by.folder is None and not getattr(made_by.rules(), "margin", True):
                flag = f"filters.{name}.margin: true"
                raise ValueError(f"{at}.by: '{column}' is not computed unless it is asked for; {flag}")
        read = select.probability or rules.by
        if select.precision is not None and not (isinstance(read, str) and self._is_probability(read)):
            raise ValueError(
                f"{at}.precision: it needs a probability: that of 'ours' or 'judges', or a sigmoid filter's column _p"
            )

    def _is_probability(self, column: str) -> bool:
        return column.endswith("_p") or any(
            column == name or (column == f"{name}_alone" and made_by.method == "judges")
            for name, made_by in self.filters.items()
            if made_by.method in ("ours", "judges")
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

    def index_rules(self) -> IndexRules:
        """How files become records."""
        splits = replace(self.split, val=0.0, test=0.0)  # fractions are the cut's
        files = {s.name: replace(s, follow_symlinks=False) for s in self.images}  # that is the walk's
        return IndexRules(self.pair, files, splits, self.deid.second_look)

    def picture_rules(self) -> PictureRules:
        """How pixels are read, gated and kept."""
        return PictureRules(self.image, self.deid)

    def report_rules(self) -> ReportRules:
        """Which text is kept."""
        return ReportRules(self.text, self.deid.text_rules(self.text.dates, self.text.cut))

    def semantic_rules(self) -> SemanticRules | None:
        """What counts as a semantic duplicate; ValueError where no filter's pictures can be compared."""
        semantic = self.semantic
        if semantic is None:
            return None
        towers = [name for name, f in self.filters.items() if registered(f.method).rules is TowersRules]
        there = f"there are {', '.join(towers)}" if towers else "there is none yet: add one, for example dfn: {}"
        if semantic.by and semantic.by not in towers:
            raise ValueError(f"semantic.by: '{semantic.by}' is no filter with towers; {there}")
        if not semantic.by and len(towers) != 1:
            raise ValueError(f"semantic.by: name the filter with towers that is to compare pictures; {there}")
        return replace(semantic, by=semantic.by or towers[0])

    def select_rules(self) -> SelectRules:
        """The cut."""
        return self.select.resolved(list(self.filters))

    def warnings(self) -> list[str]:
        """Settings that are less safe than the default, to be said aloud."""
        warned = self.deid.warnings()
        if self.image.format == "jpeg":
            warned.append(f"image.format: jpeg - pixels are encoded once, lossy, at quality {self.image.quality}")
        unread = {"images": "pictures are not searched for text", "reports": "texts are not cleaned"}
        declared = {
            "images": [source.declared_clean for source in self.images],
            "reports": [source.declared_clean for source in self.reports],
        }
        for kind, sources in declared.items():
            for i, is_declared in enumerate(sources):
                if is_declared:
                    unverified = f"{unread[kind]}, and nothing verifies them: you answer for it"
                    warned.append(f"{kind}.{i}.declared_clean: true - these {unverified}")
        return warned
