"""Shards in the img2dataset / open_clip layout: ``NNNNNN.tar`` of ``key.png|jpg``, ``key.txt``, ``key.json``,
a Parquet index ``NNNNNN.parquet`` beside it (`INDEX`, and a column ``meta_NAME`` for every column of the reports that
the recipe carries along), and ``NNNNNN_stats.json``, which is also the shard's done-marker.

Image bytes go out as `ingest` wrote them: nothing is decoded or encoded again. The text is the record's own, or the one
that was chosen in its place (`curate.export.texts`), and the JSON says so. Headers carry no time, owner or
host, so a shard is the same bytes whenever and wherever it is written.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.errors import DamagedError, RecipeError
from curate.export.remove import NOBODY, without_records
from curate.export.split import SPLITS
from curate.export.texts import CARRIED, carry, proposals
from curate.intact import files_of, marker_path, part_path, partition_of
from curate.places import place
from curate.record import RECORD, SELECTION
from curate.storage import (
    TEMPORARY,
    beside,
    commit_bytes,
    commit_json,
    commit_marker,
    digest,
    digest_file,
    name_from,
    read_json,
    read_marker,
    read_table,
    remove_tree,
    sweep,
    table_bytes,
    whole_or_damaged,
)

MARKER = "export.json"  # the step and records that the shards belong to
README, CROISSANT = "README.md", "croissant.json"  # descriptions of the folder (`curate.export.card`)
_SUFFIXES = (".tar", ".parquet", "_stats.json")
_SHARD = rf"({'|'.join(SPLITS)})(/\d{{6}}({'|'.join(map(re.escape, _SUFFIXES))}))?"
_OWN_FILES = re.compile(
    rf"({MARKER}|{README}|{CROISSANT}|{_SHARD})({re.escape(TEMPORARY)}[0-9a-f]{{8}})?"
)  # every file that a run may write there

JSON_FIELDS = (
    "patient",
    "study",
    "source",
    "width",
    "height",
    "bits",
    "channels",
    "modality",
    "body_part",
    "view",
    "laterality",
    "sex",
    "age",
    "date",
    "frames",
    "painted",
    "painted_share",
)
VERSION = 6  # of the bytes of shards and of what the step says of them
_MADE_OF = b"radsift.made_of"
META = "meta_"  # before the name of a carried column, in the index
_FIELDS = ("key", *JSON_FIELDS, "text", "pixel_hash", "phash", "text_hash")
INDEX = pa.schema([*(RECORD.field(n) for n in _FIELDS), *(SELECTION.field(n) for n in ("split", "score", "weight")),
                   *CARRIED])  # fmt: skip


@dataclass(frozen=True)
class ExportTask:
    """One partition is one shard. ``plan``: the folder of the step that planned them (`curate.export.plan`); ``texts``:
    that of a step that proposed other texts; ``meta_columns``: the columns of the reports that are carried along;
    ``earlier``: the folder of an earlier export into these shards, of which those stay that would be no other."""

    ingest: str
    plan: str
    shards: str
    texts: str | None = None
    meta_columns: tuple[str, ...] = ()
    earlier: str | None = None

    def rows(self, partition: int) -> int:
        """Records in the shard."""
        return int(self._slice(partition, ["shard"]).num_rows)

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """Write the shard's three files; returns key, split, shard of each record."""
        planned = self._slice(partition)
        first = planned.slice(0, 1).to_pylist()[0]
        planned = planned.filter(pc.not_equal(planned["key"], NOBODY))
        made_of, shard = self._made_of(planned), place(self.shards) / first["split"] / f"{first['name']}.tar"
        exported = planned.select(["key", "split", "name"]).rename_columns(["key", "split", "shard"])
        exported = exported.replace_schema_metadata({_MADE_OF: made_of})
        if made_of and self.earlier and _stands(place(self.earlier), shard, made_of):
            return exported
        records: list[pa.Table] = []
        proposed: dict[str, dict[str, Any]] = {}
        for at in pc.unique(planned["partition"]).to_pylist():
            keys = planned.filter(pc.equal(planned["partition"], at))["key"]
            records.append(self._read(at, keys))
            proposed |= proposals(self.texts, at, tuple(keys.to_pylist()))
        table = pa.concat_tables(records or [RECORD.empty_table()])
        for name in ("split", "score", "weight", "text_from"):
            table = table.append_column(name, planned[name])
        write_shard(place(self.shards) / first["split"], first["name"], table, proposed, self.meta_columns)
        return exported

    def _made_of(self, planned: pa.Table) -> str:
        """A digest of all that decides the shard's bytes: its rows of the plan, and what their records were made of; ""
        where texts were proposed, of which nothing says that."""
        if self.texts is not None:
            return ""
        made_of: dict[str, str | None] = {}
        names = ["key", "made_of"]
        for at in pc.unique(planned["partition"]).to_pylist():
            keys = planned.filter(pc.equal(planned["partition"], at))["key"].to_pylist()
            table = read_table(part_path(place(self.ingest), at), names, [("key", "in", keys)])
            made_of |= dict(zip(*(table[name].to_pylist() for name in names), strict=True))
        rows = planned.drop_columns(["shard", "partition"]).to_pylist()  # two numbers that change as an archive grows
        facts = [(*row.values(), made_of[row["key"]]) for row in rows]
        return "" if None in made_of.values() else digest(str(VERSION), repr(self.meta_columns), repr(facts))

    def beside(self, partition: int) -> list[Path]:
        """The shard's three files."""
        first = self._slice(partition, ["split", "name"]).slice(0, 1).to_pylist()[0]
        return [place(self.shards) / first["split"] / f"{first['name']}{suffix}" for suffix in _SUFFIXES]

    def _slice(self, partition: int, columns: list[str] | None = None) -> pa.Table:
        """The shard's rows of the plan, which is sorted by shard: Parquet statistics limit the pages that are read."""
        return read_table(part_path(place(self.plan), 0), columns, [("shard", "=", partition)])

    def _read(self, partition: int, keys: pa.ChunkedArray) -> pa.Table:
        table = read_table(part_path(place(self.ingest), partition), filters=[("key", "in", keys.to_pylist())])
        return table.take(pc.index_in(keys, value_set=table["key"]))


def _stands(earlier: Path, shard: Path, made_of: str) -> bool:
    """Whether the step in the folder ``earlier`` made the ``shard`` (its .tar) of the same, and its files are as it
    left them."""
    partition = _written(earlier).get(name_from(shard, earlier))
    marker = None if partition is None else read_marker(marker_path(earlier, partition))
    if partition is None or marker is None:
        return False
    try:
        with part_path(earlier, partition).open("rb") as file, whole_or_damaged(shard):
            known = (pq.read_schema(file).metadata or {}).get(_MADE_OF)
        files = files_of(earlier, partition, marker).items()
        return known == made_of.encode() and all(digest_file(beside(earlier, name)) == sha for name, sha in files)
    except (FileNotFoundError, DamagedError):
        return False


@lru_cache(maxsize=2)  # every shard asks
def _written(step: Path) -> dict[str, int]:
    """The partition of each file that an export's markers speak of."""
    markers = ((path, read_marker(path)) for path in step.glob("part-*.json"))
    return {name: partition_of(path) for path, marker in markers if marker for name in marker["files"]}


def count_shards(plan: Path) -> int:
    """How many shards the step in the folder ``plan`` planned; read from the file's footer."""
    with part_path(plan, 0).open("rb") as file:
        part = pq.read_metadata(file)
    if not part.num_rows:
        return 0
    return int(part.row_group(part.num_row_groups - 1).column(0).statistics.max) + 1


def write_shard(
    folder: Path,
    name: str,
    records: pa.Table,
    proposed: Mapping[str, Mapping[str, Any]] | None = None,
    meta_columns: Sequence[str] = (),
) -> None:
    """RECORD rows with split, score, weight and text_from, and the texts ``proposed`` for them by key -> the three
    files of a shard, the stats last. ``meta_columns``: names in ``meta`` that are columns of the index."""
    rows = [carry(row, (proposed or {}).get(row["key"])) for row in records.to_pylist()]
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for row in rows:
            for suffix, data in _members(row):
                info = tarfile.TarInfo(f"{row['key']}.{suffix}")
                info.size, info.mode = len(data), 0o644
                tar.addfile(info, io.BytesIO(data))
    _commit(folder, name, sink.getvalue(), _index(rows, meta_columns))


def _commit(folder: Path, name: str, data: bytes, index: pa.Table) -> None:
    _put(folder / f"{name}.tar", data)
    _put(folder / f"{name}.parquet", table_bytes(index))
    count = index.num_rows
    stats = {"count": count, "successes": count, "bytes": len(data), "sha256": digest(data)}
    commit_json(folder / f"{name}_stats.json", stats)


def _put(path: Path, data: bytes) -> None:
    """Write the file, unless it is there as it is to be."""
    if not path.is_file() or path.stat().st_size != len(data) or digest_file(path) != digest(data):
        commit_bytes(path, data)


def remove_from_shard(folder: Path, name: str, keys: Collection[str]) -> None:
    """Rewrite a shard's three files without the records under ``keys``; the other members' bytes are copied."""
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO((folder / f"{name}.tar").read_bytes())) as old,
        tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as new,
    ):
        for member in old:
            if member.name.partition(".")[0] not in keys:
                new.addfile(member, old.extractfile(member))
    _commit(folder, name, buffer.getvalue(), without_records(read_table(folder / f"{name}.parquet"), keys))


def _index(rows: list[dict[str, Any]], meta_columns: Sequence[str]) -> pa.Table:
    """The shard's Parquet index: all `INDEX` columns, and those carried along."""
    table = pa.table({f.name: pa.array([row[f.name] for row in rows], f.type) for f in INDEX}, schema=INDEX)
    carried = [dict(row["meta"] or []) for row in rows]
    for name in meta_columns:
        table = table.append_column(META + name, pa.array([each.get(name) for each in carried], pa.string()))
    return table


def _members(row: dict[str, Any]) -> list[tuple[str, bytes]]:
    facts = {n: row[n] for n in JSON_FIELDS if row[n] is not None}
    if row["painted"] == []:  # an empty box: readers infer the list's type from the first samples
        facts["painted"] = [[0, 0, 0, 0]]
    facts |= {
        "key": row["key"],
        "caption": row["text"],
        "weight": row["weight"],
        "sections": dict(row["sections"] or []),
    }
    if row["meta"]:
        facts["meta"] = dict(row["meta"])
    facts |= {name: round(row[name], 6) for name in ("score", "itm_original", "itm_synthetic") if row[name] is not None}
    facts |= {name: row[name] for name in ("text_from", "caption_original", "synthetic") if row[name] is not None}
    if row["provenance"] is not None:
        facts["provenance"] = json.loads(row["provenance"])
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()
    image = [(row["image_format"], row["image"])] if row["image"] else []
    return [*image, ("txt", row["text"].encode()), ("json", text)]


def check_shards(shards: Path) -> None:
    """RecipeError if the folder holds other files than shards: it is emptied when the selection changes."""
    if shards.is_symlink() or (shards.exists() and not shards.is_dir()):
        raise RecipeError("out", f"{shards} is a link or a file", "another 'out', or move it away")
    half = f"{MARKER}{TEMPORARY}"  # of a run that was killed as it made the folder its own
    if not shards.is_dir() or all(path.name.startswith(half) for path in shards.iterdir()):
        return
    if not (shards / MARKER).is_file():
        raise RecipeError("out", f"{shards} holds what no run wrote", "another 'out', or move that folder away")
    unknown = sum(1 for p in shards.rglob("*") if not _OWN_FILES.fullmatch(p.relative_to(shards).as_posix()))
    if unknown:
        raise RecipeError("out", f"{shards} holds {unknown} files or folders that no run wrote", "move them away")


def reset_shards(shards: Path, step_hash: str, made_of: str, whole: bool, continued: bool = False) -> bool:
    """Remove shards of another selection before the first of this one is written: a reader never finds a mix.

    ``made_of``: a digest of the records; ``whole``: all shards are there and intact, and only the marker may be
    damaged; ``continued``: this selection begins with the shards that are there, which stay. False if the folder
    already belonged to this selection. Raises as `check_shards`.
    """
    check_shards(shards)
    marker, owner = shards / MARKER, {"hash": step_hash, "records": made_of}
    previous = read_marker(marker)
    fresh = previous != owner and not (previous is None and whole)
    if fresh and not continued:
        for split in SPLITS:  # the marker stays: what a killed removal leaves is still known as a run's
            remove_tree(shards / split, shards)
        for name in (README, CROISSANT):
            (shards / name).unlink(missing_ok=True)
    if previous != owner:
        commit_marker(marker, owner)
    sweep(shards)
    return fresh


def shard_table(shards: Path) -> list[dict[str, Any]]:
    """Split, name, records and bytes of each shard, in order."""
    rows = []
    for split in SPLITS:
        for stats in sorted((shards / split).glob("*_stats.json")):
            facts = read_json(stats)
            name = stats.name.removesuffix("_stats.json")
            rows.append({"split": split, "name": name, "records": facts["count"], "bytes": facts["bytes"]})
    return rows


def read_index(shards: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The Parquet indexes of every shard as one table, all ``columns`` of it by default."""
    return pa.concat_tables([read_table(p, columns) for s in SPLITS for p in sorted((shards / s).glob("*.parquet"))])
