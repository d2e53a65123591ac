"""Ground truth of an archive, in a folder of its own: one row for each image file and each orphaned report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

TRUTH = pa.schema(
    [
        pa.field("file", pa.string()),  # posix, relative to OUT/dicom; null for an orphaned report
        pa.field("study", pa.int64(), nullable=False),  # index of the study
        pa.field("accession", pa.string(), nullable=False),
        pa.field("patient_id", pa.string(), nullable=False),
        pa.field("fault", pa.string(), nullable=False),  # the primary one, or none
        pa.field("faults", pa.list_(pa.string()), nullable=False),
        pa.field("duplicate_of", pa.string()),  # relative file
        pa.field(
            "pair_is_right", pa.bool_(), nullable=False
        ),  # exactly one report, which describes what the file shows
        pa.field("reviewed", pa.bool_(), nullable=False),
        pa.field("modality", pa.string(), nullable=False),
        pa.field("body_part", pa.string(), nullable=False),
        pa.field("finding", pa.string(), nullable=False),  # what the picture shows; "" for nothing
        pa.field("side", pa.string(), nullable=False),  # left | right | ""
        pa.field("transfer_syntax", pa.string(), nullable=False),
        pa.field(
            "phi", pa.list_(pa.string()), nullable=False
        ),  # every identifying string of file and report, as written
        pa.field("phi_pixels", pa.list_(pa.string()), nullable=False),  # those of them drawn into the picture
    ]
)


class TruthRow(TypedDict):
    """A row of `TRUTH`."""

    file: str | None
    study: int
    accession: str
    patient_id: str
    fault: str
    faults: list[str]
    duplicate_of: str | None
    pair_is_right: bool
    reviewed: bool
    modality: str
    body_part: str
    finding: str
    side: str
    transfer_syntax: str
    phi: list[str]
    phi_pixels: list[str]


class TruthWriter:
    """Writes rows to a Parquet file in groups, so that memory does not grow with the archive."""

    def __init__(self, path: Path, group: int = 1000) -> None:
        self._writer: Any = pq.ParquetWriter(path, TRUTH, compression="zstd")
        self._group = group
        self._rows: list[TruthRow] = []

    def __enter__(self) -> TruthWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._writer.close()

    def add(self, rows: Iterable[TruthRow]) -> None:
        """Add rows; they are written a group at a time."""
        self._rows.extend(rows)
        if len(self._rows) >= self._group:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=TRUTH))
            self._rows = []
