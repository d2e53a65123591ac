"""Which pictures of a volume become records: the middle one, key ones, or several as the tiles of one.

A series' files and a file's frames are chosen by the same rule. Key pictures are those that the report names, else
``slices`` evenly spaced ones; a montage is made of evenly spaced ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa

from curate.record import Reason
from curate.sources.pairing.mentions import Mention, mentions

Which = Literal["all", "first", "middle", "key", "montage"]


def spaced(count: int, slices: int) -> list[int]:
    """At most ``slices`` of ``count`` places, each the middle of an equal share: [count // 2] for one."""
    slices = min(slices, count)
    return [(2 * i + 1) * count // (2 * slices) for i in range(slices)]


def named(found: Sequence[Mention], numbers: Sequence[int], series: int) -> list[int]:
    """The places in ``numbers`` (of the pictures, as the viewer shows them) that a report names for this series.

    A mention that names another series, or another count of pictures, is not of this one; where the text does name a
    series of this number, what it says without one is not looked at.
    """
    here = [m for m in found if m.series == series] or [m for m in found if m.series is None]
    place = {number: i for i, number in reversed(list(enumerate(numbers)))}
    right = [m for m in here if m.image in place and m.of in (None, len(numbers))]
    return sorted({place[m.image] for m in right})


def frames_of(count: int, which: Which, slices: int, text: str | None, series: int) -> list[int]:
    """The 0-based frames of a file of ``count`` that are chosen; those of a montage are its tiles."""
    if which == "all":
        return list(range(count))
    if which == "first":
        return [0]
    found = named(mentions(text or ""), range(1, count + 1), series) if which == "key" else []
    return found or spaced(count, 1 if which == "middle" else slices)


def middle_of_series(files: pa.Table) -> pa.Array:
    """The files' reasons: all usable files of a DICOM series but the middle one get NOT_REPRESENTATIVE."""
    ranked = _ranked(files, ["source", "series_uid"])
    others = ranked.filter(pl.col("place") != pl.col("size") // 2)["row"].to_numpy()
    return _marked(files, others, Reason.NOT_REPRESENTATIVE)


def choose_slices(
    files: pa.Table, which: Literal["key", "montage"], slices: int, texts: Sequence[str | None]
) -> pa.Table:
    """``files`` with ``report`` (row of ``texts`` or null), after pairing: what of every series and report is shown.

    'key': the rest gets NOT_REPRESENTATIVE. 'montage': the middle tile's row is the record and gets the column
    ``members``, rows of ``files`` in grid order; the other tiles get IN_MONTAGE. Single pictures stay as they are.
    """
    ranked = _ranked(files, ["source", "series_uid", "report"])
    rest: list[int] = []
    tiles: list[int] = []
    members: list[list[int] | None] = [None] * files.num_rows
    frames: list[list[int] | None] = [None] * files.num_rows
    by = ["source", "series_uid", "report"]
    listed = [pl.col("row"), pl.col("instance"), pl.col("series").first()]
    for group in ranked.sort("place").group_by(by, maintain_order=True).agg(listed).iter_rows(named=True):
        rows, report = group["row"], group["report"]
        found: list[int] = []
        if which == "key" and report is not None:
            found = named(mentions(texts[report] or ""), group["instance"], group["series"])
        places = found or spaced(len(rows), slices)
        chosen = [rows[i] for i in places]
        if which == "montage" and len(chosen) > 1:
            anchor = chosen[len(chosen) // 2]
            members[anchor], frames[anchor] = chosen, [i + 1 for i in places]
            tiles += [row for row in chosen if row != anchor]
        kept = set(chosen)
        rest += [row for row in rows if row not in kept]
    reason = _marked(files, np.array(rest, np.int64), Reason.NOT_REPRESENTATIVE)
    files = files.set_column(files.column_names.index("reason"), "reason", reason)
    reason = _marked(files, np.array(tiles, np.int64), Reason.IN_MONTAGE)
    files = files.set_column(files.column_names.index("reason"), "reason", reason)
    files = files.append_column("members", pa.array(members, pa.list_(pa.int64())))
    return files.append_column("shown", pa.array(frames, pa.list_(pa.int32())))


def _ranked(files: pa.Table, by: list[str]) -> pl.DataFrame:
    """The usable files of DICOM series, with ``place`` and ``size`` in their group: in the order of InstanceNumber
    where that tells them apart, else of their position, else of their path."""
    columns = dict.fromkeys(["source", "series_uid", "series", "instance", "position", "relative", "reason", *by])
    frame = pl.DataFrame(pl.from_arrow(files.select(list(columns))))
    frame = frame.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    usable = frame.filter(pl.col("reason").is_null() & (pl.col("series_uid") != ""))
    numbered = (pl.col("instance").n_unique() == pl.len()).over(by)
    usable = usable.with_columns(pl.when(numbered).then("instance").otherwise("position").alias("order"))
    return usable.sort("order", "instance", "relative").with_columns(
        place=pl.int_range(pl.len()).over(by), size=pl.len().over(by)
    )


def _marked(files: pa.Table, rows: np.ndarray, reason: Reason) -> pa.Array:
    reasons = np.array(files["reason"].to_pylist(), dtype=object)
    reasons[rows] = reason.value
    return pa.array(reasons, pa.string())
