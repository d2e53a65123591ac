"""What each part of `benchmarks.filters` does for one seed, in a process of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.filters.synthetic import QUICK, Size
from benchmarks.parts import Measure


def _synthetic(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    from benchmarks.filters.synthetic import measure

    return measure(seed, QUICK if quick else Size(), work)


def _second_writer(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    from benchmarks.filters.second_writer import measure

    return measure(seed, QUICK if quick else Size(2000, 400), work)


def _poison(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    from benchmarks.filters.synthetic import poison

    return poison(seed, QUICK if quick else Size(pool=1500, clean=300))


def _mismatches(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    from benchmarks.filters.mismatches import measure

    assert data is not None
    return measure(data, 1 if quick else 3, work, heads=not quick)


def _statements(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    from benchmarks.filters.statements import measure

    assert data is not None
    return measure(data, work, test=not quick, heads=not quick)


def _rate(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    from benchmarks.filters.rate import on_cpu

    return on_cpu()


def _reselect(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    from benchmarks.reselect import measure

    with tempfile.TemporaryDirectory() as folder:
        return {row["selection"]: row for row in measure(Path(folder), 1_000_000, 3)}


PARTS: dict[str, Measure] = {
    "rate": _rate,
    "reselect": _reselect,
    "synthetic": _synthetic,
    "second-writer": _second_writer,
    "poison": _poison,
    "mismatches": _mismatches,
    "statements": _statements,
}
