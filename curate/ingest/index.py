"""The index: every image file and every report of the archive, paired, each with a fate.

Headers come from `curate.ingest.scan`, reports from `curate.sources.report`, who belongs to whom from
`curate.sources.pair`. The index itself names patients, so it lies sealed under RUN/private; what the step writes in the
clear is each record's pseudonymous key and, where it was dropped, the reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.text.shared import shared_words
from curate.deid.vault import SecretSource, read_sealed, write_sealed
from curate.errors import RecipeError
from curate.ingest.files import FileRules, judge, with_path_keys
from curate.ingest.scan import SCAN, read_scan
from curate.ingest.slices import choose_slices, frames_of, middle_of_series
from curate.ingest.splits import KEYS, Lookup, OfficialSplits, settle
from curate.record import FATE, INDEX, Reason, conform, live
from curate.sources.pair import PairRules, pair
from curate.sources.paths import beside, shapes
from curate.sources.report import Report, ReportColumns, read_reports
from curate.sources.walk import as_path

STEP = "index"
_NO_REPORT = ("not_a_report",)  # reasons that say that a file under the reports is none
_BATCH = 20_000  # files at a time
_NO_FILES = SCAN.append(pa.field("source", pa.string())).empty_table()


@dataclass(frozen=True)
class ReportSource:
    """One file or folder of reports, and which of its columns say what."""

    path: str
    columns: ReportColumns
    format: Asked = "auto"
    name_pattern: str | None = None


@dataclass(frozen=True)
class IndexRules:
    """How files become records. ``frames``: which frames of a multi-frame file; ``per_series``: which files of a
    DICOM series; ``slices``: how many 'key' and 'montage' take of either (`curate.ingest.slices`); ``unpaired_reports``: 'keep' makes a text-only record of a report without an image;
    ``unpaired_images``: 'keep' keeps an image without a report, to be captioned from its own header;
    ``files``: by image source, which files are wanted and what their paths say; ``splits``: those of the source."""

    pair: PairRules = PairRules()
    frames: Literal["first", "middle", "all", "key", "montage"] = "middle"
    per_series: Literal["all", "middle", "key", "montage"] = "all"
    slices: int = 9
    unpaired_reports: Literal["drop", "keep"] = "drop"
    unpaired_images: Literal["drop", "keep"] = "drop"
    files: Mapping[str, FileRules] = field(default_factory=dict)
    splits: OfficialSplits = field(default_factory=OfficialSplits)


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
        reports = [
            replace(r, row=f"{i}/{r.row}")  # two sources may hold files of one name
            for i, s in enumerate(self.reports)
            for r in read_reports(Path(s.path), s.columns, s.format, s.name_pattern, _counted(scans, s.path))
        ]
        index = build_index(scans, reports, self.rules, pseudo, self._read_as_reports(reports))
        alive = index.filter(pa.array(live(index)))
        for i, start in enumerate(range(0, alive.num_rows, self.rows_per_partition)):
            write_sealed(sealed_part(Path(self.sealed), i), alive.slice(start, self.rows_per_partition), pseudo)
        words = shared_words(*_told(alive), self.k_patients)
        write_sealed(_words(Path(self.sealed)), pa.table({"word": pa.array(sorted(words), pa.string())}), pseudo)
        return conform(index, FATE)

    def _read_as_reports(self, reports: Sequence[Report]) -> set[bytes]:
        """Absolute paths of the files that gave reports."""
        found = set()
        for source, name in {_file_of(r) for r in reports if r.reason not in _NO_REPORT}:
            root = Path(self.reports[source].path)
            found.add(os.fsencode(root / as_path(name) if root.is_dir() else root))
        return found


def _file_of(report: Report) -> tuple[int, str]:
    """Number of its source, and the relative path of its file."""
    source, _, row = report.row.partition("/")
    return int(source), re.sub(r"#\d+$", "", row)


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
    scans: Sequence[tuple[str, pa.Table]],
    reports: Sequence[Report],
    rules: IndexRules,
    pseudo: Pseudonymizer,
    read_as_reports: Collection[bytes] = (),
) -> pa.Table:
    """INDEX rows, sorted by key, so that neither file order nor worker decides anything downstream.

    ``scans``: source name and its SCAN table. ``read_as_reports``: files of theirs that are reports. Every file and every report that no image uses has exactly one row
    (a multi-frame file has one a chosen frame).
    """
    files = pa.concat_tables(
        [t.append_column("source", pa.array([name] * t.num_rows)) for name, t in scans] or [_NO_FILES]
    )
    files = _with_column(files, "reason", _not_pictures(files, read_as_reports))
    files = with_path_keys(files, rules.files)
    files = _with_column(files, "reason", judge(files, rules.files))
    if rules.per_series == "middle":
        files = _with_column(files, "reason", middle_of_series(files))
    usable = np.flatnonzero(files["reason"].is_null().to_numpy(zero_copy_only=False))
    columns, asked = _pairing_columns(files, usable), _report_table(reports)
    if "image" in rules.pair.by:
        columns, asked = _with_stems(columns, asked)
    image_match, report_match = pair(columns, asked, rules.pair)
    files = _with_matches(files, usable, image_match.sort_by("row"), rules)
    if rules.per_series in ("key", "montage"):
        files = choose_slices(files, rules.per_series, rules.slices, [r.text for r in reports])
    rows = _Rows(files, reports, rules, pseudo)
    # in batches: a million files as Python rows would not fit a small machine
    tables = [
        pa.Table.from_pylist([r for f in batch for r in rows.of_image(f)], INDEX)
        for batch in (files.slice(i, _BATCH).to_pylist() for i in range(0, files.num_rows, _BATCH))
    ]
    unused = rows.of_reports(report_match.sort_by("row").to_pylist())
    table = pa.concat_tables([*tables, pa.Table.from_pylist(unused, INDEX)])
    rows.check_splits()
    table = settle(table, rules.splits)
    return table.take(pa.array(pl.Series(table["key"].to_pylist(), dtype=pl.String).arg_sort().to_numpy()))


def _counted(scans: Sequence[tuple[str, pa.Table]], folder: str) -> dict[str, bool]:
    """Files below ``folder`` that an image source counts -> whether they are pictures."""
    root = os.fsencode(os.path.join(folder, ""))  # noqa: PTH118 - a path's end
    below = [t.filter(pc.starts_with(t["path"], root)).select(["path", "reason"]) for _, t in scans]
    return {os.fsdecode(r["path"]): r["reason"] is None for t in below for r in t.to_pylist()}


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
    columns = {to: chosen[name].fill_null("") for to, name in names.items()}
    own, path = chosen["image_id"], chosen["relative"].fill_null("")
    columns["image"] = pc.if_else(pc.not_equal(own, ""), own, path)
    return pa.table({"row": pa.array(range(len(usable)), pa.int64()), **columns})


def _with_stems(images: pa.Table, reports: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Both with one name for an image and for a report that stands beside it (`curate.sources.paths.beside`)."""
    told, paths = beside(reports["image"].to_pylist(), images["image"].to_pylist())
    images = _with_column(images, "image", pa.array(paths, pa.string()))
    return images, _with_column(reports, "image", pa.array(told, pa.string()))


def _not_pictures(files: pa.Table, read_as_reports: Collection[bytes]) -> pa.Array:
    """The files' reasons; what was read as a report is no image that failed."""
    if not read_as_reports:
        return files["reason"].combine_chunks()
    reasons, paths = files["reason"].to_pylist(), files["path"].to_pylist()
    mine = {os.path.realpath(path) for path in read_as_reports}
    told = [
        Reason.READ_AS_REPORT.value if r == Reason.NOT_AN_IMAGE.value and os.path.realpath(p) in mine else r
        for r, p in zip(reasons, paths, strict=True)
    ]
    return pa.array(told, pa.string())


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


def _with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _report_table(reports: Sequence[Report]) -> pa.Table:
    columns = ("accession", "study", "patient", "date", "image")
    table = pa.table({c: pa.array([getattr(r, c) for r in reports], pa.string()) for c in columns})
    table = table.append_column("text", pa.array([r.text for r in reports], pa.string()))
    table = table.append_column("reason", pa.array([r.reason for r in reports], pa.string()))
    return table.add_column(0, "row", pa.array(range(len(reports)), pa.int64()))


class _Rows:
    """INDEX rows out of files and reports."""

    def __init__(self, files: pa.Table, reports: Sequence[Report], rules: IndexRules, pseudo: Pseudonymizer) -> None:
        self._reports, self._rules, self._pseudo = reports, rules, pseudo
        self._splits, self._asked = Lookup(rules.splits), files.num_rows
        montage = "members" in files.column_names and files["members"].null_count < files.num_rows
        self._files = files.select(["path", "size", "frames"]) if montage else None

    def of_image(self, file: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """One row a chosen frame of a file; one for all that a montage shows."""
        report = None if file.get("report") is None else self._reports[file["report"]]
        row = self._image(file, report)
        key = image_key(file["source"], file["relative"], self._pseudo)
        if file["reason"]:
            yield {**row, "key": key, "frame": 0}
        elif file.get("members"):
            tiles = [self._tile(member) for member in file["members"]]
            yield {**row, "key": key, "frame": 0, "tiles": tiles, "frames": file["shown"]}
        else:
            yield from self._frames(file, report, row, key)

    def _frames(
        self, file: dict[str, Any], report: Report | None, row: dict[str, Any], key: str
    ) -> Iterator[dict[str, Any]]:
        count, which = max(file["frames"] or 1, 1), self._rules.frames
        chosen = frames_of(count, which, self._rules.slices, report.text if report else None, file["series"] or 0)
        if which == "montage" and len(chosen) > 1:
            tiles = [{"path": file["path"], "size": file["size"], "frame": frame} for frame in chosen]
            yield {**row, "key": key, "frame": chosen[0], "tiles": tiles, "frames": [f + 1 for f in chosen]}
            return
        own = which == "all" or len(chosen) > 1  # every frame a record of its own
        for frame in chosen:
            name = self._pseudo.key("record", file["source"], file["relative"], str(frame))
            yield {**row, "key": name if own else key, "frame": frame}

    def _image(self, file: dict[str, Any], report: Report | None) -> dict[str, Any]:
        pseudo = self._pseudo
        group = report.group if report else ""
        person = file["patient_id"] or (report.patient if report else "")
        known = file["study_uid"] or file["accession"] or (report.study or report.accession if report else "")
        study = known or (report.row if report else file["relative"])
        alone = known or f"{file['source']}/{file['relative']}"
        identity = group or person or alone  # of an unknown patient the views of one study stay together
        return {
            "patient": pseudo.key("patient", identity.strip().casefold()),
            "study": pseudo.key("study", study.strip()),
            "source": file["source"],
            "kind": file["kind"],
            "path": file["path"],
            "size": file["size"],
            "text": report.text if report else None,
            "phi": _identities(file, report),
            "patient_id": person or study,
            "meta": list(report.meta.items()) if report else [],
            "clean": report.clean if report else None,
            "official_split": self._splits.split(file, report.split if report else ""),
            "drop_step": STEP if file["reason"] else None,
            "drop_reason": file["reason"],
        }

    def _tile(self, row: int) -> dict[str, Any]:
        assert self._files is not None
        file = {name: self._files[name][row].as_py() for name in self._files.column_names}
        return {"path": file["path"], "size": file["size"], "frame": max(file["frames"] or 1, 1) // 2}

    def of_reports(self, matches: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One row a report that no image uses."""
        rows, pseudo = [], self._pseudo
        for report, match in zip(self._reports, matches, strict=True):
            if match["used"]:
                continue
            reason = match["reason"] or Reason.ORPHAN_REPORT.value
            if self._rules.unpaired_reports == "keep" and reason == Reason.ORPHAN_REPORT.value:
                reason = None
            study = report.study or report.accession or report.row
            identity = report.group or report.patient or report.row
            rows.append(
                {
                    "key": pseudo.key("report", report.row),
                    "patient": pseudo.key("patient", identity.strip().casefold()),
                    "study": pseudo.key("study", study.strip()),
                    "source": "reports",
                    "kind": "none",
                    "text": report.text,
                    "phi": list(report.phi),
                    "patient_id": report.patient or study,
                    "meta": list(report.meta.items()),
                    "clean": report.clean,
                    "official_split": self._rules.splits.named(report.split),
                    "drop_step": STEP if reason else None,
                    "drop_reason": reason,
                }
            )
        return rows

    def check_splits(self) -> None:
        """RecipeError where a table of splits was given and names nothing of the archive."""
        table = self._rules.splits.table
        if table is not None and self._asked and not self._splits.matched:
            keys = {name: column for name in KEYS if (column := getattr(table, name)) is not None}
            shown = "; ".join(f"{c}: {', '.join(shapes(table.rows[c].to_list()))}" for c in keys.values())
            raise RecipeError("split.table", f"names no image of the archive; it holds {shown}", "name other columns")


def image_key(source: str, relative: str, pseudo: Pseudonymizer) -> str:
    """The key of the record made from one file (unless every frame is a record of its own)."""
    return pseudo.key("record", source, relative)


def _identities(file: dict[str, Any], report: Report | None) -> list[str]:
    named = ("patient_id", "patient_name", "accession", "study_uid", "series_uid", "sop_uid")
    values = [file[n] for n in named if file[n]] + (file["path_ids"] or []) + (list(report.phi) if report else [])
    return list(dict.fromkeys(values))
