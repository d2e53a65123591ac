"""What is asked of files of reports: which column says what, what becomes of several of one study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from curate.sources.reports.captions import CaptionRules

Asked = Literal["auto", "csv", "jsonl", "json", "parquet", "xlsx", "txt", "hl7", "cda", "fhir", "openi", "dicom"]
Several = Literal["ambiguous", "latest", "first", "join"]
_MAPPINGS = ("sections", "keep")
_NO_COLUMN = (*_MAPPINGS, "caption")


@dataclass(frozen=True)
class ReportColumns:
    """Which column says what; None: no column does. ``text``, ``sections`` or both make the report's text."""

    text: str | None = None
    sections: Mapping[str, str] = field(default_factory=dict)  # section name -> column
    accession: str | None = None
    study: str | None = None
    patient: str | None = None
    date: str | None = None
    image: str | None = None  # path or name of the one image that the row is about
    patient_name: str | None = None
    group: str | None = None  # rows that must share a split; by default the patient
    clean: str | None = None  # whether the row belongs to the trusted set
    split: str | None = None  # the source's own: train, val or test, by any of their usual names
    status: str | None = None  # preliminary, final, addendum: which of several reports is the one
    order: str | None = None  # a number or a moment by which several reports follow one another
    caption: CaptionRules = field(default_factory=CaptionRules)  # a text made of several columns
    keep: Mapping[str, str] = field(default_factory=dict)  # name in the record's meta -> column

    def by_field(self) -> dict[str, str]:
        """Field of the recipe under ``columns`` -> the column it names."""
        single = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NO_COLUMN}
        many = {f"{name}.{key}": column for name in _MAPPINGS for key, column in getattr(self, name).items()}
        caption_fields = {f"caption.{column}": column for column in self.caption.columns}
        return {name: column for name, column in (single | many | caption_fields).items() if column is not None}

    @property
    def make_text(self) -> bool:
        """Whether any column gives the text."""
        return self.text is not None or bool(self.sections) or self.caption.given
