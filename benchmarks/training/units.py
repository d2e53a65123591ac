"""What each part of `benchmarks.training` does for one seed, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.parts import Measure
from benchmarks.training import synthetic


def _loader(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    from benchmarks.training.loader import measure

    return measure(work, 512, 3) if quick else measure(work, 2048, 5)


def _steps(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    from benchmarks.training.steps import measure

    return measure(work, 512 if quick else 2048)


def _parity(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    from benchmarks.training.parity import measure

    return measure(work)


def _synthetic(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    return synthetic.measure(seed, synthetic.QUICK if quick else synthetic.Size(), work)


def _real(seed: int, quick: bool, data: Path | None, work: Path) -> Any:
    from benchmarks.training.induced import measure

    assert data is not None
    return measure(data, 2 if quick else 10, work)


PARTS: dict[str, Measure] = {
    "loader": _loader,
    "steps": _steps,
    "parity": _parity,
    "synthetic": _synthetic,
    "real": _real,
}
