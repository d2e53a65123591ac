"""The text that a record is exported with, if a step has proposed others (`filters.methods.blip.capfilt`).

That step's table has a row a pair: ``key``; ``synthetic``, the generated text, and ``believed``, whether it is
accepted; ``chosen`` (original | synthetic | none); ``withheld`` (why there is none), ``provenance``, ``itm_original``
and ``itm_synthetic``; and ``synthetic_NAME`` for every column NAME of the scores: its value under the synthetic text,
if that is chosen. The output of `ingest` is unchanged: the chosen text is written to the shards only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.dedup.exact import text_hash
from curate.export.columns import columns_in, read_columns, row_indices, take_rows
from curate.export.labels import Labels
from curate.intact import part_path
from curate.places import place
from curate.storage import read_table

RESCORED = "synthetic_"
TEXT_FROM = ("original", "synthetic", "unbelieved")
_CHOSEN = ("original", "synthetic", "none")  # the step's values, in the order of TEXT_FROM
_ORIGINAL, _SYNTHETIC, _UNBELIEVED = range(3)
_PROPOSAL_COLUMNS = ("key", "synthetic", "believed", "provenance", "itm_original", "itm_synthetic")
CARRIED = pa.schema(
    [
        pa.field("text_from", pa.string()),
        pa.field("caption_original", pa.string()),  # if it was replaced
        pa.field("synthetic", pa.string()),  # if it is accepted, chosen or not
        pa.field("provenance", pa.string()),  # JSON: of the synthetic text
        pa.field("itm_original", pa.float32()),
        pa.field("itm_synthetic", pa.float32()),
    ]
)


@dataclass(frozen=True, eq=False)
class Texts:
    """``chosen`` int8[n] into `TEXT_FROM`, -1 if nothing was proposed; ``columns``: scores and findings under the
    synthetic text, by the name of the column that they replace."""

    chosen: NDArray[np.int8]
    columns: Mapping[str, pa.Array]

    @property
    def none_accepted(self) -> NDArray[np.bool_]:
        """bool[n]: none of the texts is accepted."""
        return np.asarray(self.chosen == _UNBELIEVED)

    def rescored(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """``columns`` (float32[n] or `Labels`), with the values under the synthetic text for records that got one."""
        replaced = self.chosen == _SYNTHETIC
        out = dict(columns)
        for name in columns.keys() & self.columns.keys() if replaced.any() else ():
            old, new = columns[name], self.columns[name]
            if isinstance(old, Labels):
                labels = np.array(old.names, dtype=object)[old.codes]
                labels[replaced] = new.fill_null("").to_numpy(zero_copy_only=False)[replaced]
                out[name] = Labels.of(labels)
            else:
                out[name] = np.where(replaced, new.cast(pa.float32()).to_numpy(zero_copy_only=False), old)
        return out


def read_texts(folder: str | None, keys: pa.Array, partitions: range, among: NDArray[np.bool_]) -> Texts:
    """The choices of the step in ``folder`` for ``keys``, which lie in ``partitions``; none for rows outside of
    ``among``."""
    nothing = Texts(np.full(len(keys), -1, np.int8), {})
    available = columns_in(place(folder)) if folder is not None else []
    if folder is None or not available or not len(keys):
        return nothing
    names = [n for n in available if n.startswith(RESCORED)]
    known = read_columns(place(folder), ["key", "chosen", *names], partitions=partitions)
    rows = row_indices(keys, known["key"])
    choices = pc.index_in(take_rows(known["chosen"], rows), value_set=pa.array(_CHOSEN)).fill_null(-1)
    chosen = np.where(among, choices.to_numpy(zero_copy_only=False), -1).astype(np.int8)
    return Texts(chosen, {n.removeprefix(RESCORED): take_rows(known[n], rows) for n in names})


def proposals(folder: str | None, partition: int, keys: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Rows of the step by key, of one ingest partition; empty if there is no such step."""
    if folder is None:
        return {}
    table = read_table(part_path(place(folder), partition), _PROPOSAL_COLUMNS, [("key", "in", list(keys))])
    return {r["key"]: r for r in table.to_pylist()}


def payloads(
    ingest: Path,
    folder: str | None,
    placed: Iterable[tuple[str, int]],
    columns: Sequence[str],
    text_from: Mapping[str, str | None],
) -> dict[str, dict[str, Any]]:
    """``columns`` of RECORD by key, of records by (key, partition), with the texts that were chosen for them (`carry`):
    only their row groups of those parts are read."""
    parts: dict[int, list[str]] = {}
    for key, partition in placed:
        parts.setdefault(partition, []).append(key)
    found: dict[str, dict[str, Any]] = {}
    for partition, keys in sorted(parts.items()):
        proposed = proposals(folder, partition, tuple(keys)) if any(text_from.get(key) for key in keys) else {}
        for row in read_table(part_path(ingest, partition), ["key", *columns], [("key", "in", keys)]).to_pylist():
            key = row["key"]
            found[key] = carry({**row, "text_from": text_from.get(key)}, proposed.get(key))
    return found


def carry(row: dict[str, Any], proposed: Mapping[str, Any] | None) -> dict[str, Any]:
    """A record's row (RECORD and SELECTION columns) with the text that was chosen, and `CARRIED`.

    A record whose text was replaced has no sections: they belong to the replaced text.
    """
    out = {**dict.fromkeys(CARRIED.names), **row}
    if proposed is None or row.get("text_from") is None:
        return out
    out |= {name: proposed[name] for name in ("itm_original", "itm_synthetic")}
    if proposed["believed"]:
        out |= {name: proposed[name] for name in ("synthetic", "provenance")}
    if row["text_from"] == TEXT_FROM[_SYNTHETIC]:
        text = proposed["synthetic"]
        out |= {"caption_original": row["text"], "text": text, "text_hash": text_hash(text), "sections": None}
    return out
