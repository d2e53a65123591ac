"""Which pictures of a volume become records: the middle one, key ones, or several as the tiles of one.

A series' files and a file's frames are chosen by the same rule. Key pictures are those that the report names ("image
42", "series 3, image 42", "(se 3 im 42)", "img 12/84"), else ``slices`` evenly spaced ones; a montage is made of evenly
spaced ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa

from curate.ingest.files import with_column
from curate.record import Reason

_WORD = r"(?:series|serie|ser|se)"
_NUMBER = r"\.?\s*(?:\#|no\.?|nr\.?|:)?\s*"
_IMAGES = r"(?:images?|imgs?|ima|im|slices?|bild(?:er)?|schicht(?:en)?)"
_NUMBERS = r"(?P<numbers>\d{1,4}(?:\s*(?:,|&|and|und|to|bis|through|-|\u2013)\s*\d{1,4})*)"
_OF = r"(?:\s*(?:/|of|von)\s*(?P<of>\d{1,4}))?"
# what counts something else: "image 2 cm below", "images 3 days apart", "image 1.5", "image 12 %"
_NOT_AFTER = r"(?![\d.,]*\d|\s*(?:%|mm|cm|m\b|days?|weeks?|months?|years?|hours?|min|tage?|wochen?|jahren?|x\s*\d))"
_BEFORE = rf"(?:{_WORD}{_NUMBER}(?P<series>\d{{1,4}})\s*[,;/:]?\s*(?:and\s+|und\s+)?)?"
# "image 42 of series 3", "image 42 (series 3)"; in "image 7, series 4 image 8" the series is the next image's
_BEHIND = (
    rf"(?:\s*(?:,|\(|of|on|in|from|von|der|aus|\s)*\s*\b{_WORD}{_NUMBER}(?P<behind>\d{{1,4}})\b"
    rf"(?!\s*[,;/:]?\s*(?:and\s+|und\s+)?{_IMAGES}\b))?"
)
_MENTION = re.compile(rf"\b{_BEFORE}\b{_IMAGES}{_NUMBER}{_NUMBERS}{_OF}\b{_NOT_AFTER}{_BEHIND}", re.IGNORECASE)
_PAIRED = re.compile(
    rf"\b{_WORD}\s*/\s*{_IMAGES}{_NUMBER}(?P<series>\d{{1,4}})\s*/\s*(?P<numbers>\d{{1,4}})\b{_NOT_AFTER}",
    re.IGNORECASE,
)
_RANGE = re.compile(r"(\d+)\s*(?:to|bis|through|-|\u2013)\s*(\d+)")
_MAX_OF_RANGE = 50


@dataclass(frozen=True)
class Mention:
    """One picture that the text names. ``series``: its number, None where the text does not say; ``of``: how many
    pictures the text says there are ("12/84"), or None."""

    image: int
    series: int | None = None
    of: int | None = None


def mentions(text: str) -> list[Mention]:
    """Every picture that ``text`` names, in its order, each once. Numbers are those of the viewer: from 1. Of a range
    its two ends and its middle are named."""
    pairs = list(_PAIRED.finditer(text))
    rest = _PAIRED.sub(lambda m: " " * len(m[0]), text)
    found: list[tuple[int, Mention]] = []
    for match in [*pairs, *_MENTION.finditer(rest)]:
        parts = match.groupdict()
        series, of = parts.get("series") or parts.get("behind"), parts.get("of")
        mentioned = (
            Mention(n, int(series) if series else None, int(of) if of else None) for n in _numbers(parts["numbers"])
        )
        found += [(match.start(), mention) for mention in mentioned]
    return list(dict.fromkeys(mention for _, mention in sorted(found, key=lambda f: f[0])))


def _numbers(text: str) -> list[int]:
    out: list[int] = []
    for first, last in _RANGE.findall(text):
        a, b = int(first), int(last)
        if a <= b <= a + _MAX_OF_RANGE:
            out += [a, (a + b) // 2, b]
    return out + [int(n) for n in re.findall(r"\d+", _RANGE.sub(" ", text))]


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
    for marked, reason in ((rest, Reason.NOT_REPRESENTATIVE), (tiles, Reason.IN_MONTAGE)):
        files = with_column(files, "reason", _marked(files, np.array(marked, np.int64), reason))
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
