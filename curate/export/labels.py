"""Text columns as codes, and the subgroups of a record, by which concept caps, floors and keep rates count.

A concept is one string a record, from the score table's ``findings`` column: present findings with their side,
``"effusion@left;mass@right"``; ``"normal"`` if only absences are stated; ``""`` if nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

AGE_BANDS = ("0-17", "18-39", "40-59", "60-79", "80+")
_BAND_STARTS = np.array([18, 40, 60, 80])
UNKNOWN = "unknown"  # the name of an empty or missing value


@dataclass(frozen=True, eq=False)
class Labels:
    """A text column: ``codes`` int32[n] into ``names``, which are sorted and distinct; a null is the name ""."""

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: Sequence[str | None] | NDArray[Any] | pa.Array | pa.ChunkedArray | Labels) -> Labels:
        """From any text column."""
        if isinstance(values, Labels):
            return values
        column = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, pa.string())
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        encoded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
        dictionary: list[str | None] = [*encoded.dictionary.to_pylist(), None]  # the last one is for nulls
        codes = encoded.indices.fill_null(len(dictionary) - 1).to_numpy(zero_copy_only=False)
        present = np.bincount(codes, minlength=len(dictionary)) > 0
        names = sorted({name or "" for name, used in zip(dictionary, present, strict=True) if used})
        code_of = {name: i for i, name in enumerate(names)}
        renamed = np.array([code_of.get(name or "", 0) for name in dictionary], dtype=np.int32)
        return cls(renamed[codes], tuple(names))

    @classmethod
    def joined(cls, pieces: Sequence[Labels]) -> Labels:
        """The rows of all, one behind the other."""
        names = sorted({name for piece in pieces for name in piece.names})
        code_of = {name: i for i, name in enumerate(names)}
        codes = [np.array([code_of[name] for name in p.names], np.int32)[p.codes] for p in pieces]
        return cls(np.concatenate(codes), tuple(names))

    def take(self, rows: NDArray[Any]) -> Labels:
        """The given rows, with unchanged names."""
        return Labels(self.codes[rows], self.names)


@dataclass(frozen=True, eq=False)
class Subgroups:
    """The subgroups of ``names`` that each record is in, none, one or several.

    Stored once for each distinct label: label ``codes[i]`` (int32[n]) of record i has ``counts`` entries in
    ``members``.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int32]
    counts: NDArray[np.int64]
    members: NDArray[np.int64]

    def expand(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(record, subgroup) of every membership of ``rows``, in the order of ``rows``."""
        code = self.codes[rows]
        counts = self.counts[code]
        start = np.cumsum(self.counts) - self.counts
        first = np.repeat(start[code] - (np.cumsum(counts) - counts), counts)
        return np.repeat(rows, counts), self.members[first + np.arange(int(counts.sum()))]


def subgroups(by: str, columns: Mapping[str, Any]) -> Subgroups:
    """The subgroups of ``by``: a text column of that name, ``finding`` of ``findings``, ``age_band`` of ``age``.

    A missing value is the subgroup "unknown"; a record with several findings is in several, with none known in none.
    KeyError for a missing column.
    """
    if by == "finding":
        return finding_groups(Labels.of(columns["findings"]))
    labels = age_bands(columns["age"]) if by == "age_band" and by not in columns else Labels.of(columns[by])
    names = tuple(name or UNKNOWN for name in labels.names)
    at = np.arange(len(names), dtype=np.int64)
    return Subgroups(names, labels.codes, np.ones(len(names), np.int64), at)


def finding_groups(concepts: Labels) -> Subgroups:
    """Each finding a subgroup, regardless of its side."""
    per_concept = [findings_in(name) for name in concepts.names]
    names = sorted({f for findings in per_concept for f in findings})
    index_of = {name: i for i, name in enumerate(names)}
    counts = np.array([len(findings) for findings in per_concept], dtype=np.int64)
    members = np.array([index_of[f] for findings in per_concept for f in findings], dtype=np.int64)
    return Subgroups(tuple(names), concepts.codes, counts, members)


def findings_in(concept: str) -> list[str]:
    """The distinct findings of a concept string, sorted, without their sides."""
    return sorted({part.split("@", 1)[0] for part in concept.split(";")} - {""})


def rarest_finding(concepts: Labels, rows: NDArray[np.int64]) -> Labels:
    """For each record its finding that is rarest in ``rows`` ("" if it has none): the stratum of balancing.

    A pair of a rare and a common finding counts as rare, as in MetaCLIP (Xu et al. 2023, arXiv 2309.16671), where
    any of its entries may draw a pair. Ties by name.
    """
    groups = finding_groups(concepts)
    common = np.bincount(groups.expand(rows)[1], minlength=len(groups.names))
    names = ("", *groups.names)
    stop = np.cumsum(groups.counts)
    rare = [
        0 if a == b else 1 + min(groups.members[a:b].tolist(), key=lambda g: (common[g], g))
        for a, b in zip((stop - groups.counts).tolist(), stop.tolist(), strict=True)
    ]
    return Labels(np.array(rare, dtype=np.int32)[concepts.codes] if rare else concepts.codes, names)


def age_bands(ages: Any) -> Labels:
    """`AGE_BANDS` of ages in years; null, NaN or below 0 is "" (unknown)."""
    if isinstance(ages, pa.Array | pa.ChunkedArray):
        ages = ages.cast(pa.float64()).to_numpy(zero_copy_only=False)
    years = np.asarray(ages, dtype=np.float64)
    known = years >= 0
    codes = np.where(known, 1 + np.searchsorted(_BAND_STARTS, np.where(known, years, 0), side="right"), 0)
    return Labels(codes.astype(np.int32), ("", *AGE_BANDS))
