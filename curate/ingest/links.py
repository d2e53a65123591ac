"""Which files and reports of an archive could meet, and buckets in which all of these are together.

Every id, name and place by which `curate.ingest.index.match_part` compares a file with another, or with a report, is a
hash here. Who shares one is of one component (connected components of the graph of rows); components are put into
buckets. So a bucket by itself pairs as the whole archive does, and the one process that sees all rows holds numbers
alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from curate.ingest.files import COLUMN, judge, keys_of_paths
from curate.ingest.index import file_names, is_read, places_of
from curate.ingest.rules import IndexRules
from curate.sources.identity import PADDING, canonical_id, telling_ids
from curate.sources.member import place as as_in_a_folder
from curate.sources.pairing.keys import bare, listed_ids
from curate.sources.pairing.known import KnownIds
from curate.sources.pairing.paths import stem
from curate.sources.reports.report import Report

# what a hash is of: an id or a name by which a report finds a file; what files have in common; a name by which a file
# is certainly found (EXACT), and by which it may be found where a report names none of these (NAME); a report's file
ID, TOGETHER, EXACT, NAME, FILE = range(5)
# ``none``: of an id that may stand for none, its own hash, as in `none_of`; else 0
LINKS = pa.schema([("row", pa.int64()), ("kind", pa.uint8()), ("hash", pa.uint64()), ("none", pa.uint64())])
Numbers = npt.NDArray[np.uint64]


class _Links:
    """Collects the LINKS of rows."""

    def __init__(self, ignore: tuple[str, ...]) -> None:
        self._rows: list[tuple[int, int, int, int]] = []
        self._ids: list[tuple[int, str, str]] = []
        self._ignore = ignore

    def add(self, row: int, kinds: Iterable[int], of: str, value: str) -> None:
        """One hash of a row; what differs by ``of`` is not equal."""
        hashed = hash_of(of, value)
        self._rows += [(row, kind, hashed, 0) for kind in kinds]

    def add_id(self, row: int, column: str, value: str) -> None:
        """A canonical id, compared as `pair` does."""
        if value:
            self._ids.append((row, column, value))

    def table(self) -> pa.Table:
        """LINKS."""
        found = pl.DataFrame({"id": [value for _, _, value in self._ids]}, schema={"id": pl.String})
        spelt = found.select(bare(pl.col("id"), self._ignore))["id"].to_list()
        telling = telling_ids({value for _, _, value in self._ids})
        for (row, column, value), form in zip(self._ids, spelt, strict=True):
            none = hash_of(f"none {column}", value) if value in telling else 0
            self._rows.append((row, ID, hash_of(column, form), none))
        rows = np.fromiter(self._rows, [(f.name, f.type.to_pandas_dtype()) for f in LINKS], len(self._rows))
        return pa.table([np.ascontiguousarray(rows[name]) for name in LINKS.names], schema=LINKS)


def hash_of(*parts: str) -> int:
    """64 bits: two that are equal by chance only put more rows into a bucket together."""
    return int.from_bytes(blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def links_of_files(files: pa.Table, rules: IndexRules) -> pa.Table:
    """LINKS of scanned files (SCAN and ``source``)."""
    links = _Links(rules.pair.ignore)
    for row, name in enumerate(file_names(files)):
        if name:
            links.add(row, (FILE,), "file", name)
    good = np.flatnonzero(files["reason"].is_null().to_numpy(zero_copy_only=False))
    some = files.take(pa.array(good))
    keys, sources = keys_of_paths(some, rules.files), some["source"].to_pylist()
    for group, column in COLUMN.items():
        if group == "accession" and group not in rules.pair.by:
            continue
        for row, own, path in zip(good.tolist(), some[column].to_pylist(), keys, strict=True):
            for value in {canonical_id(own or ""), canonical_id(path.get(group, ""))}:
                links.add_id(row, group, value)
    columns = [some[name].to_pylist() for name in ("study_uid", "series_uid")]
    for row, source, path, study, series in zip(good.tolist(), sources, keys, *columns, strict=True):
        for value in {study, path.get("study")} - {None, ""}:  # `judge` groups by either
            links.add(row, (TOGETHER,), "study", f"{source}\0{value}")
        if series and rules.pair.per_series != "all":
            links.add(row, (TOGETHER,), "series", f"{source}\0{series}")
    if "image" in rules.pair.by:
        _add_names(links, some, good.tolist(), keys, rules)
    return links.table()


def _add_names(links: _Links, files: pa.Table, rows: list[int], found: list[dict[str, str]], rules: IndexRules) -> None:
    sure, both = _surely_wanted(files, rules), (ID, EXACT)
    columns = [files[name].to_pylist() for name in ("path", "relative", "sample")]
    for i, (row, keys, path, relative, sample) in enumerate(zip(rows, found, *columns, strict=True)):
        place, own = as_in_a_folder(os.fsdecode(path)), keys.get("image")
        names = {_last(stem(place))}
        for value in dict.fromkeys(filter(None, (own or relative, None if own else sample))):
            links.add(row, both if sure[i] and (own or not sample or value == sample) else (ID,), "image", value)
            names.add(_last(stem(value)))
        links.add(row, both if sure[i] else (ID,), "place", place)
        for name in names:
            links.add(row, (NAME,), "name", name)


def _surely_wanted(files: pa.Table, rules: IndexRules) -> npt.NDArray[np.bool_]:
    """Which files no rule leaves out, whatever others there are."""
    wanted = judge(files, rules.files).is_null().to_numpy(zero_copy_only=False)
    alone = files["kind"].to_numpy(zero_copy_only=False) != "dicom"  # of a series or a study others decide
    return np.asarray(wanted & alone, bool)


def links_of_reports(reports: Iterable[Report], rules: IndexRules, inside: Mapping[str, str]) -> pa.Table:
    """LINKS of reports; ``inside``: as of the archive's `KnownIds`."""
    links, files = _Links(rules.pair.ignore), set[str]()
    for row, r in enumerate(reports):
        if is_read(r) and r.file not in files:
            files.add(r.file)
            links.add(row, (FILE,), "file", r.file)
        for name, cell in (("accession", r.accession), ("study", r.study)):
            if cell := cell.strip(PADDING):
                for value in {canonical_id(cell), *listed_ids(cell, inside[name])}:
                    links.add_id(row, name, value)
        patient = r.patient.strip(PADDING)
        for value in {canonical_id(part) for part in (patient, *patient.split("~"))}:
            links.add_id(row, "patient", value)
        if "image" in rules.pair.by and r.image:
            _add_asked(links, row, r)
    return links.table()


def _add_asked(links: _Links, row: int, report: Report) -> None:
    name, places = report.image.replace("\\", "/"), places_of(report, report.image) if report.file else ()
    links.add(row, (ID, EXACT), "image", name)
    for place in places:
        links.add(row, (ID, EXACT), "place", place)
    parts = [name, *(part.strip(PADDING + "[]'\"") for part in re.split(r"[;|,]", name))]
    lasts = {_last(part) for p in (*parts, *places) if (part := p.strip(PADDING))}
    for value in lasts | {stem(last) for last in lasts}:
        links.add(row, (NAME,), "name", value)


def _last(path: str) -> str:
    return path.rpartition("/")[2].casefold()


def none_of(known: KnownIds) -> Numbers:
    """The hashes of what stands for no id of an image."""
    pairs = [("accession", v) for v in known.none["images", "accession"]]
    pairs += [("study", v) for v in known.none["images", "study"]] + [("patient", v) for v in known.nobody]
    return np.array([hash_of(f"none {column}", value) for column, value in pairs], np.uint64)


def buckets_of(
    files: pa.Table, reports: pa.Table, counts: tuple[int, int], none: Numbers, size: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """(the bucket of every file and, behind them, of every report; which files were read as reports).

    ``files``, ``reports``: LINKS, ``row`` counting files, and reports from 0 again; ``counts``: how many there are of
    either; ``none``: `none_of`. Buckets hold some ``size`` rows, and more where a component has more.
    """
    total = sum(counts)
    files = files.filter(pa.array(~np.isin(files["none"].to_numpy(), none)))  # a report's may be an id once spelt so
    mine, theirs = ({kind: _of_kind(links, kind) for kind in range(5)} for links in (files, reports))
    theirs = {kind: (rows + counts[0], hashes) for kind, (rows, hashes) in theirs.items()}
    read = np.zeros(counts[0], bool)
    read[mine[FILE][0][np.isin(mine[FILE][1], theirs[FILE][1])]] = True
    if total <= size:
        return np.zeros(total, np.int32), read
    found = np.zeros(total, bool)  # reports that name a file to the letter: no other name of it is looked for
    found[theirs[EXACT][0][np.isin(theirs[EXACT][1], mine[EXACT][1])]] = True
    rows, hashes = theirs[NAME]
    theirs[NAME] = rows[~found[rows]], hashes[~found[rows]]
    edges = [_edges(*mine[TOGETHER])]
    for kind in (ID, NAME):
        both = (_shared(*mine[kind], theirs[kind][1]), _shared(*theirs[kind], mine[kind][1]))
        edges.append(_edges(*(np.concatenate(columns) for columns in zip(*both, strict=True))))
    from curate.dedup.cluster import components  # SciPy: only where there is more than a bucket

    return _packed(components(total, np.concatenate(edges)), size), read


def _of_kind(links: pa.Table, kind: int) -> tuple[npt.NDArray[np.int64], Numbers]:
    kept = links.filter(pa.array(links["kind"].to_numpy() == kind))
    return kept["row"].to_numpy(), kept["hash"].to_numpy()


def _shared(rows: npt.NDArray[np.int64], hashes: Numbers, others: Numbers) -> tuple[npt.NDArray[np.int64], Numbers]:
    kept = np.isin(hashes, others)
    return rows[kept], hashes[kept]


def _edges(rows: npt.NDArray[np.int64], hashes: Numbers) -> npt.NDArray[np.int32]:
    """int32[n, 2]: rows of one hash, each with the next."""
    order = np.argsort(hashes, kind="stable")
    rows, hashes = rows[order].astype(np.int32), hashes[order]
    same = hashes[1:] == hashes[:-1]
    return np.stack([rows[:-1][same], rows[1:][same]], axis=1)


def _packed(lowest: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int32]:
    """The bucket of every row, counted from 0: components, each known by its ``lowest`` row, in the order of those."""
    component = np.unique(lowest, return_inverse=True)[1]
    sizes = np.bincount(component)
    bucket = (np.cumsum(sizes) - sizes) // size
    return np.asarray(np.unique(bucket[component], return_inverse=True)[1], np.int32)
