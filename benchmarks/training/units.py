"""One unit of the benchmark: a part and a seed, run in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.training import real, synthetic

PARTS = ("loader", "steps", "parity", "gpu", "synthetic", "real")
ONCE = ("loader", "steps", "parity", "gpu")


@dataclass(frozen=True)
class Size:
    """How large each part is: ``records`` in the loader's shards, each rate measured ``repeats`` times."""

    synthetic: synthetic.Size = field(default_factory=synthetic.Size)
    real: real.Size = field(default_factory=real.Size)
    records: int = 2048
    repeats: int = 5


QUICK = Size(synthetic.QUICK, real.QUICK, 512, 3)


def _loader(seed: int, size: Size, data: Path | None, work: Path) -> Any:
    from benchmarks.training.loader import measure

    return measure(work, size.records, size.repeats)


def _steps(seed: int, size: Size, data: Path | None, work: Path) -> Any:
    from benchmarks.training.steps import measure

    return measure(work, size.records)


def _parity(seed: int, size: Size, data: Path | None, work: Path) -> Any:
    from benchmarks.training.parity import measure

    return measure(work)


def _gpu(seed: int, size: Size, data: Path | None, work: Path) -> Any:
    from benchmarks.training.gpu import DEFAULTS, run

    return run(DEFAULTS, work=work)


def _synthetic(seed: int, size: Size, data: Path | None, work: Path) -> Any:
    return synthetic.measure(seed, size.synthetic, work)


def _real(seed: int, size: Size, data: Path | None, work: Path) -> Any:
    assert data is not None
    return real.measure(seed, size.real, data, work)


_RUN: dict[str, Callable[[int, Size, Path | None, Path], Any]] = {
    "loader": _loader,
    "steps": _steps,
    "parity": _parity,
    "gpu": _gpu,
    "synthetic": _synthetic,
    "real": _real,
}


def unit(part: str, seed: int, size: Size, data: Path | None, work: Path) -> tuple[str, int, Any, float]:
    """(part, seed, what it found, seconds)."""
    began = time.monotonic()
    return part, seed, _RUN[part](seed, size, data, work), time.monotonic() - began
