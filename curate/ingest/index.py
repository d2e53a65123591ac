"""The index: every image file and every report of the archive, paired, each with a fate.

Headers come from `curate.ingest.scan`, reports from `curate.sources.report`, who belongs to whom from
`curate.sources.pair`. The index itself names patients, so it lies sealed under RUN/private; what the step writes in the
clear is each record's pseudonymous key and, where it was dropped, the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.text.shared import shared_words
from curate.deid.vault import SecretSource, read_sealed, write_sealed
from curate.errors import SourceError
from curate.ingest.scan import SCAN, read_scan
from curate.record import FATE, INDEX, Reason, conform, live
from curate.sources.pair import PairRules, pair
from curate.sources.report import Report, ReportColumns, read_reports

STEP = "index"
_BATCH = 20_000  # files at a time
_NO_FILES = SCAN.append(pa.field("source", pa.string())).empty_table()


@dataclass(frozen=True)
class ReportSource:
    """One file or folder of reports, and which of its columns say what."""

    path: str
    columns: ReportColumns
    format: Literal["auto", "csv", "jsonl", "parquet", "txt"] = "auto"
    name_pattern: str | None = None


@dataclass(frozen=True)
class IndexRules:
    """How files become records. ``frames``: which frames of a multi-frame file; ``per_series``: which files of a
    DICOM series; ``unpaired_reports``: 'keep' makes a text-only record of a report without an image;
    ``unpaired_images``: 'keep' keeps an image without a report, to be captioned from its own header."""

    pair: PairRules = PairRules()
    frames: Literal["first", "middle", "all"] = "middle"
    per_series: Literal["all", "middle"] = "all"
    unpaired_reports: Literal["drop", "keep"] = "drop"
    unpaired_images: Literal["drop", "keep"] = "drop"


@dataclass(frozen=True)
class IndexTask:
    """The one partition of the index step: pair everything, seal the index, return the fates."""

    chunks: Sequence[tuple[str, tuple[str, ...]]]  # source name, its chunk names
    scans: str
    sealed: str
    reports: Sequence[ReportSource]
    rules: IndexRules
    rows_per_partition: int
    secret: SecretSource
    k_patients: int = 8  # who must share a word that the vocabulary does not know, for it to stay

    def rows(self, partition: int) -> int:
        """One unit of work: the index is made whole."""
        return 1

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """FATE rows sorted by key; the live rows are sealed in partitions of ``rows_per_partition``."""
        pseudo = self.secret.pseudonymizer()
        scans = [(name, read_scan(chunks, Path(self.scans), pseudo)) for name, chunks in self.chunks]
        try:
            reports = [
                replace(r, row=f"{i}/{r.row}")  # two sources may hold files of one name
                for i, s in enumerate(self.reports)
                for r in read_reports(Path(s.path), s.columns, s.format, s.name_pattern)
            ]
        except SourceError as error:
            raise SourceError(error.number, "reports") from None
        index = build_index(scans, reports, self.rules, pseudo)
        alive = index.filter(pa.array(live(index)))
        for i, start in enumerate(range(0, alive.num_rows, self.rows_per_partition)):
            write_sealed(sealed_part(Path(self.sealed), i), alive.slice(start, self.rows_per_partition), pseudo)
        words = shared_words(*_told(alive), self.k_patients)
        write_sealed(_words(Path(self.sealed)), pa.table({"word": pa.array(sorted(words), pa.string())}), pseudo)
        return conform(index, FATE)

    def beside(self, partition: int) -> list[Path]:
        """The sealed parts and the shared words."""
        return sorted(Path(self.sealed).glob("*.sealed"))


def sealed_part(folder: Path, partition: int) -> Path:
    """Where one partition of the sealed index lies."""
    return folder / f"part-{partition:05d}.sealed"


def read_index(folder: Path, partition: int, pseudo: Pseudonymizer) -> pa.Table:
    """One partition of the index (INDEX): identities and raw report text, in memory only."""
    return read_sealed(sealed_part(folder, partition), pseudo)


@lru_cache(maxsize=1)
def read_shared_words(folder: str, secret: SecretSource) -> frozenset[str]:
    """The words that the archive's patients share (`curate.deid.text.shared`); read once a process."""
    return frozenset(read_sealed(_words(Path(folder)), secret.pseudonymizer())["word"].to_pylist())


def build_index(
    scans: Sequence[tuple[str, pa.Table]], reports: Sequence[Report], rules: IndexRules, pseudo: Pseudonymizer
) -> pa.Table:
    """INDEX rows, sorted by key, so that neither file order nor worker decides anything downstream.

    ``scans``: source name and its SCAN table. Every file and every report that no image uses has exactly one row
    (a multi-frame file has one a chosen frame).
    """
    files = pa.concat_tables(
        [t.append_column("source", pa.array([name] * t.num_rows)) for name, t in scans] or [_NO_FILES]
    )
    files = _with_column(files, "reason", _choose_slices(files, rules))
    usable = np.flatnonzero(files["reason"].is_null().to_numpy(zero_copy_only=False))
    image_match, report_match = pair(_pairing_columns(files, usable), _report_table(reports), rules.pair)
    files = _with_matches(files, usable, image_match.sort_by("row"), rules)
    # in batches: a million files as Python rows would not fit a small machine
    tables = [
        pa.Table.from_pylist([r for f in batch for r in _image_rows(f, reports, rules, pseudo)], INDEX)
        for batch in (files.slice(i, _BATCH).to_pylist() for i in range(0, files.num_rows, _BATCH))
    ]
    unused = _unused_reports(reports, report_match.sort_by("row").to_pylist(), rules, pseudo)
    table = pa.concat_tables([*tables, pa.Table.from_pylist(unused, INDEX)])
    return table.take(pa.array(pl.Series(table["key"].to_pylist(), dtype=pl.String).arg_sort().to_numpy()))


def _words(folder: Path) -> Path:
    return folder / "words.sealed"


def _told(index: pa.Table) -> tuple[Iterator[tuple[str, str]], Iterator[str]]:
    """(patient, raw report) of every record that has one, and every identifying value that the index knows."""
    reports = zip(index["patient"].to_pylist(), index["text"].to_pylist(), strict=True)
    values = (value for row in index["phi"].to_pylist() for value in row or [])
    return ((patient, text) for patient, text in reports if text), values


def _pairing_columns(files: pa.Table, usable: np.ndarray) -> pa.Table:
    """What `pair` asks of an image, of the files without a reason against them; ``row`` counts those."""
    chosen = files.take(pa.array(usable))
    names = {"accession": "accession", "study": "study_uid", "patient": "patient_id", "date": "study_date"}
    columns = {to: chosen[name].fill_null("") for to, name in {**names, "image": "relative"}.items()}
    return pa.table({"row": pa.array(range(len(usable)), pa.int64()), **columns})


def _with_matches(files: pa.Table, usable: np.ndarray, matches: pa.Table, rules: IndexRules) -> pa.Table:
    """``files`` with the report each was given (row of reports, or null) and the reason it was given none."""
    report = np.full(files.num_rows, -1, dtype=np.int64)
    report[usable] = matches["report"].fill_null(-1).to_numpy()
    reason = np.array(files["reason"].to_pylist(), dtype=object)
    found = matches["reason"].to_pylist()
    if rules.unpaired_images == "keep":
        found = [None if r == Reason.ORPHAN_IMAGE.value else r for r in found]
    reason[usable] = found
    files = _with_column(files, "reason", pa.array(reason, pa.string()))
    return files.append_column("report", pa.array(report, mask=report < 0))


def _choose_slices(files: pa.Table, rules: IndexRules) -> pa.Array:
    """The files' reasons; with per_series 'middle', all but the middle instance of a DICOM series get one."""
    reason = files["reason"].combine_chunks()
    if rules.per_series == "all":
        return reason
    frame = pl.from_arrow(files.select(["source", "series_uid", "instance", "relative", "reason"]))
    assert isinstance(frame, pl.DataFrame)
    series = frame.with_row_index("row").filter(pl.col("reason").is_null() & (pl.col("series_uid") != ""))
    ranked = series.sort("instance", "relative").with_columns(
        place=pl.int_range(pl.len()).over("source", "series_uid"), size=pl.len().over("source", "series_uid")
    )
    others = ranked.filter(pl.col("place") != pl.col("size") // 2)["row"].to_list()
    reasons = reason.to_pylist()
    for row in others:
        reasons[row] = Reason.NOT_REPRESENTATIVE.value
    return pa.array(reasons, pa.string())


def _with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _report_table(reports: Sequence[Report]) -> pa.Table:
    columns = ("accession", "study", "patient", "date", "image")
    table = pa.table({c: pa.array([getattr(r, c) for r in reports], pa.string()) for c in columns})
    table = table.append_column("text", pa.array([r.text for r in reports], pa.string()))
    table = table.append_column("reason", pa.array([r.reason for r in reports], pa.string()))
    return table.add_column(0, "row", pa.array(range(len(reports)), pa.int64()))


def _image_rows(
    file: dict[str, Any], reports: Sequence[Report], rules: IndexRules, pseudo: Pseudonymizer
) -> Iterator[dict[str, Any]]:
    """One row a chosen frame of a file."""
    report = None if file.get("report") is None else reports[file["report"]]
    group = report.group if report else ""
    person = file["patient_id"] or (report.patient if report else "")
    study = file["study_uid"] or file["accession"] or (report.row if report else file["relative"])
    identity = group or person or f"{file['source']}/{file['relative']}"  # who is not known stands alone
    row = {
        "patient": pseudo.key("patient", identity.strip().casefold()),
        "study": pseudo.key("study", study.strip()),
        "source": file["source"],
        "kind": file["kind"],
        "path": file["path"],
        "size": file["size"],
        "mtime_ns": file["mtime_ns"],
        "identity": file["identity"],
        "fault": file["fault"],
        "text": report.text if report else None,
        "phi": _identities(file, report),
        "patient_id": person or study,
        "meta": list(report.meta.items()) if report else [],
        "clean": report.clean if report else None,
        "drop_step": STEP if file["reason"] else None,
        "drop_reason": file["reason"],
    }
    count = max(file["frames"] or 1, 1)
    if rules.frames == "all" and not file["reason"]:
        for frame in range(count):
            key = pseudo.key("record", file["source"], file["relative"], str(frame))
            yield {**row, "key": key, "frame": frame}
    else:
        frame = count // 2 if rules.frames == "middle" else 0
        yield {**row, "key": image_key(file["source"], file["relative"], pseudo), "frame": frame}


def image_key(source: str, relative: str, pseudo: Pseudonymizer) -> str:
    """The key of the record made from one file (unless every frame is a record of its own)."""
    return pseudo.key("record", source, relative)


def _unused_reports(
    reports: Sequence[Report], matches: list[dict[str, Any]], rules: IndexRules, pseudo: Pseudonymizer
) -> list[dict[str, Any]]:
    rows = []
    for report, match in zip(reports, matches, strict=True):
        if match["used"]:
            continue
        reason = match["reason"] or Reason.ORPHAN_REPORT.value
        if rules.unpaired_reports == "keep" and reason == Reason.ORPHAN_REPORT.value:
            reason = None
        study = report.study or report.accession or report.row
        rows.append(
            {
                "key": pseudo.key("report", report.row),
                "patient": pseudo.key("patient", (report.group or report.patient or report.row).strip().casefold()),
                "study": pseudo.key("study", study.strip()),
                "source": "reports",
                "kind": "none",
                "text": report.text,
                "phi": list(report.phi),
                "patient_id": report.patient or study,
                "meta": list(report.meta.items()),
                "clean": report.clean,
                "drop_step": STEP if reason else None,
                "drop_reason": reason,
            }
        )
    return rows


def _identities(file: dict[str, Any], report: Report | None) -> list[str]:
    named = ("patient_id", "patient_name", "accession", "study_uid", "series_uid", "sop_uid")
    values = [file[n] for n in named if file[n]] + (list(report.phi) if report else [])
    return list(dict.fromkeys(values))
