"""What a recipe says of its sources, of how they become records and of what is kept of them. Nothing that reads a file:
a finished run, or one that others work on, does without."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from curate.deid.rules import PixelPolicy, TextRules
from curate.errors import RecipeError
from curate.export.split import SPLITS
from curate.part import PART, Fraction
from curate.sources.pairing.rules import PairRules, Several
from curate.sources.picture import PixelRules
from curate.sources.reports.captions import Asked, ReportColumns

if TYPE_CHECKING:
    import polars as pl

STRENGTH = {name: i for i, name in enumerate(SPLITS)}  # train < val < test
KEYS = ("image", "accession", "study", "patient")
_NAMES = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validate": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip
UNKNOWN = "?"  # a split's name that is none


def _uid(name: str) -> str:
    """A SOP class's UID, of its UID or its keyword (CTImageStorage)."""
    from pydicom import uid  # only where a class is named

    found = name if re.fullmatch(r"[0-9.]+", name) else getattr(uid, name, None)
    if not isinstance(found, str):
        raise ValueError(f"no SOP class '{name}'; give its UID or its keyword, as CTImageStorage")
    return str(found)


@pydantic_dataclass(frozen=True, config=PART)
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


@dataclass(frozen=True)
class FileRules:
    """``key_pattern``: identities in the path, which fill what the header lacks, or, with ``key_first`` 'path', stand
    in its place. ``include``: a file must have all of these facts; ``exclude``: any of these is against it.
    ``declared_clean``: its pictures are not searched for text, as nobody is named in them."""

    key_pattern: str | None = None
    key_first: Literal["header", "path"] = "header"
    include: Facts = field(default_factory=Facts)
    exclude: Facts = field(default_factory=Facts)
    localizers: Literal["drop", "keep"] = "drop"
    screens: Literal["drop", "keep"] = "drop"
    declared_clean: bool = False


@dataclass(frozen=True)
class ReportSource:
    """One file or folder of reports, and which of its columns say what."""

    path: str
    columns: ReportColumns
    format: Asked = "auto"
    name_pattern: str | None = None
    several: Several = "ambiguous"  # what becomes of several reports of one study
    declared_clean: bool = False  # its texts name nobody, and are not cleaned


@pydantic_dataclass(frozen=True, config=PART)
class SplitTable:
    """The source's own splits: a CSV (gzip too) or Parquet file with a row an image, study or patient, its column, and
    columns that say whose they are."""

    path: Annotated[Path, AfterValidator(Path.absolute)]
    """CSV (gzip too) or Parquet file."""
    column: str = "split"
    """Its column of splits."""
    image: str | None = None
    """Its column of the picture's path or name."""
    accession: str | None = None
    """Its column of accession numbers."""
    study: str | None = None
    """Its column of Study Instance UIDs."""
    patient: str | None = None
    """Its column of patient ids."""

    def __post_init__(self) -> None:
        if not any(getattr(self, name) for name in KEYS):
            raise ValueError("names no key; give the column of the image, accession, study or patient")

    def check(self) -> None:
        """RecipeError where it cannot be read or lacks a column."""
        assert self.rows is not None

    @cached_property
    def rows(self) -> pl.DataFrame:
        """All of it as text; RecipeError where it cannot be read or lacks a column."""
        import polars as pl  # only where there is a table to read

        path = self.path
        try:
            raw = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
        except (OSError, pl.exceptions.PolarsError):
            raise RecipeError("split.table.path", "is no CSV or Parquet file that can be read", "name one") from None
        for name in ("column", *KEYS):
            wanted = getattr(self, name)
            if wanted is not None and wanted not in raw.columns:
                from curate.sources.reports.read import columns_there

                fix = columns_there(raw.columns)
                raise RecipeError(f"split.table.{name}", f"there is no column '{wanted}'", fix)
        return raw.with_columns(pl.all().cast(pl.String).fill_null("").str.strip_chars())


@dataclass(frozen=True)
class OfficialSplits:
    """``names``: what the source calls a split -> train, val or test, beside the usual names. ``others``: where a
    patient goes of whom nothing is said, when of some it is: 'train', or by the 'hash' of the patient."""

    table: SplitTable | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    others: Literal["train", "hash"] = "train"

    def named(self, value: str) -> str | None:
        """train | val | test, None where ``value`` is empty, "?" where it is no split's name."""
        name = value.strip().casefold()
        return {**_NAMES, **{k.casefold(): v for k, v in self.names.items()}}.get(name, UNKNOWN) if name else None

    def strongest(self, values: Iterable[str]) -> str | None:
        """Of several statements the one that counts."""
        named_splits = {name for value in values if (name := self.named(value)) is not None}
        if UNKNOWN in named_splits:
            return UNKNOWN
        return max(named_splits, key=STRENGTH.__getitem__, default=None)


@pydantic_dataclass(frozen=True, config=PART)
class SecondLook:
    """Of the pictures that go out, the ``share`` that the verifier reads with a network of its own, whatever the gate
    said of them: ``least`` at least (all where there are fewer), every kind of device among them. Those that were
    painted over are all read."""

    share: Fraction = 0.01
    """Of the pictures that go out, the share that the verifier reads too."""
    least: Annotated[int, Field(ge=0)] = 200
    """At least so many pictures, of every kind of device some."""


@dataclass(frozen=True)
class IndexRules:
    """How files become records. ``frames``: which frames of a multi-frame file; ``per_series``: which files of a
    DICOM series; ``slices``: how many 'key' and 'montage' take of either (`curate.ingest.slices`);
    ``unpaired_reports``: 'keep' makes a text-only record of a report without an image; ``unpaired_images``: 'keep'
    keeps an image without a report, to be captioned from its own header; ``files``: by image source, which files are
    wanted and what their paths say; ``splits``: those of the source; ``second_look``: the sample that is read again."""

    pair: PairRules = PairRules()
    frames: Literal["first", "middle", "all", "key", "montage"] = "middle"
    per_series: Literal["all", "middle", "key", "montage"] = "all"
    slices: int = 9
    unpaired_reports: Literal["drop", "keep"] = "drop"
    unpaired_images: Literal["drop", "keep"] = "drop"
    files: Mapping[str, FileRules] = field(default_factory=dict)
    splits: OfficialSplits = field(default_factory=OfficialSplits)
    second_look: SecondLook = SecondLook()


@dataclass(frozen=True)
class PictureRules:
    """What is kept of an image: ``format`` png is lossless; jpeg is a declared lossy encode at ``quality``;
    ``side`` bounds the longer side in pixels (None keeps the original size)."""

    pixels: PixelRules = PixelRules()
    policy: PixelPolicy = PixelPolicy()
    format: Literal["png", "jpeg"] = "png"
    quality: int = 95
    side: int | None = None


@dataclass(frozen=True)
class ReportRules:
    """Which sections make the text, how short it may be (in words), and whether letterheads are cut from it."""

    sections: tuple[str, ...] = ("findings", "impression", "body", "addendum")
    min_words: int = 2
    text: TextRules = TextRules()
    letterheads: bool = True
