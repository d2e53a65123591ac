"""Records that an earlier run exported, as rows that are ranked before all of this run's and never dropped.

Their keys are written RUN/KEY, so that what goes for one names it. Nothing of the run is read but keys, pseudonyms and
signatures, of its ingested parts; its archive and its secret are not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import RecipeError
from curate.intact import part_path
from curate.places import place
from curate.record import Reason, live
from curate.step import FINISHED, load_manifest
from curate.storage import digest, read_marker, read_table


@dataclass(frozen=True)
class Release:
    """An earlier run: its folder's ``name``, the folders of its steps ingest and select, and its partitions."""

    name: str
    ingest: str
    select: str
    partitions: int
    per_partition: int

    def read(self, partition: int, columns: Sequence[str]) -> pa.Table:
        """``columns`` of the exported records of one of its partitions."""
        wanted = [("partition", "=", partition)]
        chosen = read_table(part_path(place(self.select), 0), ["key", "drop_reason"], wanted)
        table = read_table(part_path(place(self.ingest), partition), columns)
        exported = chosen.filter(pa.array(live(chosen)))["key"].combine_chunks()
        table = table.filter(pc.is_in(table["key"], value_set=exported))
        named = pc.binary_join_element_wise(self.name, table["key"], "/")
        at = table.column_names.index("key")
        return table.set_column(at, table.schema.field(at), named)

    def is_comparable(self) -> bool:
        """Whether the signatures of its first exported record are those that this version would make of it."""
        from curate.dedup.image import thumb_hash  # cv2, and the text's: where it is asked
        from curate.dedup.text import text_signature

        for i in range(self.partitions):
            for row in self.read(i, ["key", "text", "text_hash", "minhash", "phash", "thumb"]).slice(0, 1).to_pylist():
                whole = (row["text_hash"], row["minhash"]) == text_signature(row["text"] or "")
                return whole and (row["thumb"] is None or thumb_hash(row["thumb"]) == row["phash"])
        return True


def release_of(run: Path, field: str) -> tuple[Release, str]:
    """What a finished run exported, and a digest of it. RecipeError, of ``field``, where there is no such run."""
    known = read_marker(run / FINISHED) or {"steps": []}
    folders = {name.rpartition("-")[0]: run / "steps" / name for name in known["steps"]}
    manifests = [load_manifest(folders[name]) if name in folders else None for name in ("ingest", "select")]
    ingest, select = manifests
    if ingest is None or select is None:
        raise RecipeError(field, f"{run} is no finished run", "name its 'out' folder, or end it first: curate run")
    rows = max((int(part["rows"]) for part in ingest.parts), default=0)
    release = Release(run.name, str(folders["ingest"]), str(folders["select"]), len(ingest.parts), rows)
    return release, digest(run.name, *(str(part["sha256"]) for manifest in (ingest, select) for part in manifest.parts))


def is_released(keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """bool[n]: which keys are of an earlier run."""
    return pc.match_substring(keys, "/")


def own(table: pa.Table) -> pa.Table:
    """DEDUP rows of this run alone; what goes for a released record has that reason."""
    table = table.filter(pc.invert(is_released(table["key"])))
    gone = pc.fill_null(is_released(table["duplicate_of"]), False)
    reason = pc.if_else(gone, Reason.RELEASED.value, table["drop_reason"])
    at = table.column_names.index("drop_reason")
    return table.set_column(at, table.schema.field(at), reason)
