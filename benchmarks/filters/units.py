"""One unit of the benchmark: a part and a seed, run in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.filters.methods import CONTENDERS
from benchmarks.filters.synthetic import Size

PARTS = ("synthetic", "induced", "poison", "real", "rate", "reselect")
_INDUCED = ("pool CLIP", "plain DFN", "ours")
QUICK = Size(pool=2500, clean=300, held=300, samples=2500)


def _synthetic(seed: int, size: Size, data: Path | None) -> Any:
    from benchmarks.filters.synthetic import measure

    names = [c.name for c in CONTENDERS if c.name not in _INDUCED]
    return measure(seed, size, names, induced=False)


def _induced(seed: int, size: Size, data: Path | None) -> Any:
    from benchmarks.filters.synthetic import measure

    return measure(seed, size, list(_INDUCED), induced=True)


def _poison(seed: int, size: Size, data: Path | None) -> Any:
    from benchmarks.filters.synthetic import poison

    return poison(seed, size)


def _real(seed: int, size: Size, data: Path | None) -> Any:
    from benchmarks.filters.real import lit_contenders, measure

    assert data is not None
    return {
        f"{share:.0%} {'near' if near else 'random'}": measure(data, seed, share, near, lit_contenders())
        for share in (0.3, 0.6)
        for near in (False, True)
    }


def _rate(seed: int, size: Size, data: Path | None) -> Any:
    from benchmarks.filters.rate import on_cpu

    return on_cpu()


def _reselect(seed: int, size: Size, data: Path | None) -> Any:
    from benchmarks.reselect import measure

    return measure(1_000_000)


_RUN: dict[str, Callable[[int, Size, Path | None], Any]] = {
    "synthetic": _synthetic,
    "induced": _induced,
    "poison": _poison,
    "real": _real,
    "rate": _rate,
    "reselect": _reselect,
}
ONCE = ("rate", "reselect")


def unit(part: str, seed: int, size: Size, data: Path | None) -> tuple[str, int, Any, float]:
    """(part, seed, what it found, seconds)."""
    began = time.monotonic()
    return part, seed, _RUN[part](seed, size, data), time.monotonic() - began
