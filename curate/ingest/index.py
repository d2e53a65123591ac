"""The index: every image file and every report of the archive, paired, each with a fate.

Headers come from `curate.sources.scan`, reports from `curate.sources.reports.read`, who belongs to whom from
`curate.sources.pairing.pair`. The index itself names patients, so it lies sealed under RUN/private; what the step
writes in the clear is each record's pseudonymous key and, where it was dropped, the reason.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path, PurePath

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curate.deid.pseudonym import Pseudonymizer
from curate.ingest.files import ids_of_files, judge, with_column, with_path_keys
from curate.ingest.rows import RecordRows, image_key, status_of, with_second_look
from curate.ingest.rules import IndexRules
from curate.ingest.slices import choose_slices, middle_of_series
from curate.ingest.splits import require_named, settle, with_table_splits
from curate.places import normalised, place
from curate.record import Reason
from curate.sources.member import place as as_in_a_folder
from curate.sources.pairing.coverage import Tally, describe, tally
from curate.sources.pairing.known import IDS, KnownIds
from curate.sources.pairing.outcome import Pairing
from curate.sources.pairing.pair import pair
from curate.sources.pairing.paths import beside, stem
from curate.sources.reports.formats import explain, explain_content
from curate.sources.reports.read import Counted, read_reports
from curate.sources.reports.report import Report
from curate.sources.rules import ReportSource
from curate.sources.scan import SCAN
from curate.sources.walk import as_path

__all__ = ["image_key"]

_BROKEN_FIX = "quote cells that hold the delimiter, quotes or line breaks; name a field of a field as report.text"
NO_FILES = SCAN.append(pa.field("source", pa.string())).empty_table()


def withdrawn_keys(index: pa.Table, patients: Collection[str]) -> frozenset[str]:
    """The keys of all rows, dropped ones too, of who has left the run."""
    columns = (index[name].to_pylist() for name in ("key", "patient", "drop_reason"))
    left = Reason.WITHDRAWN.value  # as the scan of the file says
    return frozenset(k for k, patient, why in zip(*columns, strict=True) if patient in patients or why == left)


def read_sources(sources: Sequence[ReportSource], scans: Sequence[tuple[str, pa.Table]]) -> Iterator[Report]:
    """Every report of every source. Files that an image source of ``scans`` counts, and that are no reports, are left
    to it."""
    for i, source in enumerate(sources):
        below = [files_below(table, str(source.path)) for _, table in scans]
        yield from read_source(i, source, {path: picture for some in below for path, picture in some})


def read_source(number: int, source: ReportSource, counted: Counted) -> Iterator[Report]:
    """Every report of the source of this number, each with its file and its source's rule for several of one study.
    ``counted``: as of `read_reports`."""
    root, columns = source.path, source.report_columns()
    below = root if root.is_dir() else root.parent  # a single file's own name, or a member's of a single archive
    for r in read_reports(root, columns, source.format, source.name_pattern, counted):
        file = str(below / as_path(re.sub(r"#\d+$", "", r.row)))
        row = f"{number}/{r.row}"  # two sources may hold files of one name
        yield replace(r, row=row, several=source.several, file=file, declared_clean=source.declared_clean)


def files_below(files: pa.Table, folder: str) -> Iterator[tuple[str, bool]]:
    """Files below ``folder`` that an image source counts, and whether they are pictures."""
    root = os.fsencode(os.path.join(folder, ""))  # noqa: PTH118 - a path's end
    below = files.filter(pc.starts_with(files["path"], root)).select(["path", "reason"])
    return ((os.fsdecode(r["path"]), r["reason"] is None) for r in below.to_pylist())


@dataclass(frozen=True)
class Matched:
    """The files, each with the report it was given or the reason it has none; the reports' own ends; what was compared
    (`pair`), and how it went."""

    files: pa.Table
    reports: pa.Table  # REPORT_MATCH
    images: pa.Table
    report_keys: pa.Table
    counts: Tally
    pairing: Pairing

    def rows(self, reports: Sequence[Report], rules: IndexRules, pseudo: Pseudonymizer) -> pa.Table:
        """INDEX rows: every file and every report that no image uses has exactly one (a multi-frame file has one a
        chosen frame)."""
        rows = RecordRows(self.files, reports, rules, pseudo)
        return pa.concat_tables([rows.of_images(self.files), rows.of_reports(self.reports)])


def settled(index: pa.Table, rules: IndexRules) -> pa.Table:
    """INDEX rows (or those of their columns that decide it) of all records, sorted by key, with what only all together
    say: splits, and the sample of `with_second_look`."""
    table = settle(index, rules.splits)
    table = table.take(pa.array(pl.Series(table["key"].to_pylist(), dtype=pl.String).arg_sort().to_numpy()))
    return with_second_look(table, rules.second_look)


def match(scans: Sequence[tuple[str, pa.Table]], reports: Sequence[Report], rules: IndexRules) -> Matched:
    """Every file and every report, paired: of the files that are wanted, the chosen ones."""
    files = pa.concat_tables([NO_FILES, *(with_source(table, name) for name, table in scans)])
    mine = {r.file for r in reports if is_read(r)}
    files = with_column(files, "reason", read_as_reports(files, [f in mine for f in file_names(files)]))
    report_keys = report_table(reports)
    known = ids_of_files(files, rules.files).add_cells("reports", report_keys.select(IDS).to_pydict()).known()
    matched = match_part(files, reports, report_keys, rules, known)
    require_named(files.num_rows, named_by_table(matched.files), rules.splits)
    return replace(matched, pairing=pairing_of(matched.counts, matched.images, matched.report_keys, rules, reports))


def match_part(
    files: pa.Table, reports: Sequence[Report], report_keys: pa.Table, rules: IndexRules, known: KnownIds
) -> Matched:
    """Files (SCAN and ``source``) and reports (``report_keys``: their `report_table`) of an archive whose ids are
    ``known``, paired: all that could meet must be among them (`curate.ingest.links`)."""
    files = with_table_splits(with_path_keys(files, rules.files, known), rules.splits)
    files = with_column(files, "reason", judge(files, rules.files))
    if rules.pair.per_series == "middle":
        files = with_column(files, "reason", middle_of_series(files))
    usable = np.flatnonzero(files["reason"].is_null().to_numpy(zero_copy_only=False))
    images = _pairing_columns(files, usable, set(report_keys["image"].to_pylist()))
    if "image" in rules.pair.by:
        paths = files.take(pa.array(usable))["path"].to_pylist()
        images, report_keys = _with_stems(images, report_keys, paths, reports)
    image_match, report_match = pair(images, report_keys, rules.pair, known)
    counts = tally(images, report_keys, image_match, rules.pair, known)
    files = _with_matches(files, usable, image_match, rules)
    if rules.pair.per_series in ("key", "montage"):
        texts = [r.text for r in reports] if rules.pair.per_series == "key" else []
        files = choose_slices(files, rules.pair.per_series, rules.pair.slices, texts)
    return Matched(files, report_match, images, report_keys, counts, counts.pairing(rules.pair))


def pairing_of(
    counts: Tally, images: pa.Table, report_keys: pa.Table, rules: IndexRules, reports: Iterable[Report]
) -> Pairing:
    """How the pairing of an archive went; where few paired, why, for which both sides are compared again."""
    pairing = describe(counts, images, report_keys, rules.pair)
    return replace(pairing, lines=(*pairing.lines, *not_read(reports))) if pairing.is_few else pairing


def not_read(reports: Iterable[Report]) -> list[str]:
    """Of the files that are no reports, how many are of a kind that holds reports often, and what to do; so of rows."""
    files, rows, broken = dict[str, None](), 0, 0
    for r in reports:
        rows, broken = rows + 1, broken + (r.reason is Reason.BROKEN_ROW)
        if r.reason is Reason.NOT_A_REPORT and r.file:
            files[r.file] = None
    found: Counter[tuple[str, str]] = Counter()
    for file in files:
        problem, fix = explain(PurePath(file).name)
        if not problem.startswith("is "):
            problem, fix = explain_content(place(file))
        found[problem.removeprefix(": it "), fix] += problem.startswith(("is ", ": it "))
    lines = [
        f"{n:,} files beside the reports: each {problem}; {fix}" for (problem, fix), n in sorted(found.items()) if n
    ]
    if broken:
        lines.append(f"{broken:,} of {rows:,} report rows are malformed: {_BROKEN_FIX}")
    return lines


def named_by_table(files: pa.Table) -> int:
    """How many files the table of splits names."""
    return int(files.num_rows - files["table_split"].null_count)


def with_source(files: pa.Table, name: str) -> pa.Table:
    """Scanned files (SCAN) with their source's name."""
    return files.append_column("source", pa.array([name] * files.num_rows, pa.string()))


def texts_and_values(index: pa.Table) -> tuple[Iterator[tuple[str, str]], list[str]]:
    """(patient, raw report) of every record that has one, and every identifying value that the index knows."""
    reports = zip(index["patient"].to_pylist(), index["text"].to_pylist(), strict=True)
    values = list(dict.fromkeys(value for row in index["phi"].to_pylist() for value in row or []))
    return ((patient, text) for patient, text in reports if text), values


def _pairing_columns(files: pa.Table, usable: np.ndarray, wanted: Collection[str]) -> pa.Table:
    """What `pair` asks of an image, of the files without a reason against them; ``row`` counts those. A member of an
    archive is called as its sample where that is ``wanted``, as any file by its path where it is not."""
    chosen = files.take(pa.array(usable))
    names = {"accession": "accession", "study": "study_uid", "patient": "patient_id", "date": "study_date"}
    columns = {to: chosen[name].fill_null("") for to, name in names.items()}
    named = zip(*(chosen[name].to_pylist() for name in ("image_id", "sample", "relative")), strict=True)
    image = [own or (sample if sample and sample in wanted else path) or "" for own, sample, path in named]
    columns["image"] = pa.array(image, pa.string())
    return pa.table({"row": pa.array(range(len(usable)), pa.int64()), **columns})


def _with_stems(
    images: pa.Table, report_keys: pa.Table, paths: list[bytes], reports: Sequence[Report]
) -> tuple[pa.Table, pa.Table]:
    """Both with one name for an image and for a report that stands beside it (`beside`)."""
    wanted = report_keys["image"].to_pylist()
    places = [places_of(r, name) if name and r.file else () for r, name in zip(reports, wanted, strict=True)]
    named, names = beside(
        wanted, places, images["image"].to_pylist(), [as_in_a_folder(os.fsdecode(path)) for path in paths]
    )
    images = with_column(images, "image", pa.array(names, pa.string()))
    return images, with_column(report_keys, "image", pa.array(named, pa.string()))


def places_of(report: Report, name: str) -> tuple[str, ...]:
    """Absolute paths where the image may lie that a report names: beside the report's file."""
    if not re.search(r"#\d+$", report.row):
        return (stem(report.file),)
    return (normalised(_folder_of(report.file), as_path(name)),)


@lru_cache(maxsize=16)  # a table's rows, one after another
def _folder_of(file: str) -> Path:
    return place(file).parent


def is_read(report: Report) -> bool:
    """True for a report whose file is no image that failed, whatever became of the report."""
    return bool(report.file) and report.reason is not Reason.NOT_A_REPORT


def file_names(files: pa.Table) -> Iterator[str]:
    """Where each file lies, absolute, as `Report.file` names it; "" of one that could not be a report."""
    rows = zip(files["path"].to_pylist(), files["reason"].to_pylist(), strict=True)
    return (as_in_a_folder(os.fsdecode(p)) if why == Reason.NOT_AN_IMAGE.value else "" for p, why in rows)


def read_as_reports(files: pa.Table, read: Sequence[bool]) -> pa.Array:
    """The files' reasons, of those that were ``read`` as reports READ_AS_REPORT."""
    return pc.if_else(pa.array(read, pa.bool_()), Reason.READ_AS_REPORT.value, files["reason"].combine_chunks())


def _with_matches(files: pa.Table, usable: np.ndarray, matches: pa.Table, rules: IndexRules) -> pa.Table:
    """``files`` with the ``report`` each was given (row of reports, or null), what ``also`` belongs to it, and the
    reason it was given none."""
    report = np.full(files.num_rows, -1, dtype=np.int64)
    report[usable] = matches["report"].fill_null(-1).to_numpy()
    reason = np.array(files["reason"].to_pylist(), dtype=object)
    found = matches["reason"].to_pylist()
    if rules.pair.unpaired_images == "keep":
        found = [None if r == Reason.ORPHAN_IMAGE.value else r for r in found]
    reason[usable] = found
    files = with_column(files, "reason", pa.array(reason, pa.string()))
    also = np.empty(files.num_rows, dtype=object)
    also[usable] = np.fromiter(matches["also"].to_pylist(), dtype=object, count=len(usable))
    files = files.append_column("also", pa.array(also, pa.list_(pa.int64())))
    return files.append_column("report", pa.array(report, mask=report < 0))


def report_table(reports: Sequence[Report]) -> pa.Table:
    """What `pair` asks of each report; ``row`` counts them."""
    batches, some = [_REPORT.empty_table()], iter(reports)
    while rows := list(islice(some, _BATCH)):
        columns = [[getattr(r, c) for r in rows] for c in _KEYS]
        columns += [[_alike(r.text) for r in rows], [r.reason for r in rows], [status_of(r) for r in rows]]
        batches.append(pa.table([pa.array(c, pa.string()) for c in columns], schema=_REPORT))
    table = pa.concat_tables(batches)
    return table.add_column(0, "row", pa.array(range(table.num_rows), pa.int64()))


_BATCH = 10_000  # reports as objects at a time
_KEYS = ("accession", "study", "patient", "date", "image", "order", "several")
_REPORT = pa.schema([(name, pa.string()) for name in (*_KEYS, "text", "reason", "status")])


def _alike(text: str) -> str:
    """Equal for texts that `pair` takes for one, "" for none: their text would fill a machine's memory."""
    words = " ".join(text.lower().split())
    return words and blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
