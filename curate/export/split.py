"""Patient-disjoint splits: the source's own (made patient-disjoint by `curate.ingest.splits`), else by the patient's
pseudonym, so that a record's split never changes as the archive grows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from curate.errors import RecipeError
from curate.part import PART, Fraction

if TYPE_CHECKING:
    import polars as pl

SPLITS = ("train", "val", "test")
STRENGTH = {name: i for i, name in enumerate(SPLITS)}  # train < val < test
KEYS = ("image", "accession", "study", "patient")
_NAMES = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validate": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip
UNKNOWN = "?"  # a split's name that is none


@dataclass(frozen=True, config=PART)
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

    def __getstate__(self) -> dict[str, Any]:
        """Its fields alone: what was read of it is not sent to workers."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

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
                from curate.sources.reports.tables.header import columns_there

                fix = columns_there(raw.columns)
                raise RecipeError(f"split.table.{name}", f"there is no column '{wanted}'", fix)
        return raw.with_columns(pl.all().cast(pl.String).fill_null("").str.strip_chars())


@dataclass(frozen=True, config=PART)
class SplitRules:
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

    def __post_init__(self) -> None:
        if self.val + self.test >= 1:
            raise ValueError(f"val + test is {self.val + self.test:g}, which leaves nothing to train on; hold out less")

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


def split_of(patient: str, rules: SplitRules, official: str | None = None) -> str:
    """train | val | test: the ``official`` one, else by the patient pseudonym (hex digits of an HMAC: uniform)."""
    if official is not None:
        return official
    u = int(patient[:13], 16) / 16.0**13
    if u < rules.test:
        return "test"
    return "val" if u < rules.test + rules.val else "train"
