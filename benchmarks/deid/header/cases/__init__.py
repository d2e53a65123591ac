"""The header cases: one function a hiding place, by chapter. `ALL` maps every case's name to its function."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from benchmarks.deid.header.cases import (
    charsets,
    kinds,
    malformed,
    nested,
    outside,
    pixeldata,
    private,
    standard,
    sweeps,
)
from benchmarks.deid.header.cases.build import Built
from benchmarks.deid.plant import Ledger, survivors

_CHAPTERS = (standard, sweeps, nested, private, outside, pixeldata, charsets, malformed, kinds)
ALL: dict[str, Callable[[Ledger], Built]] = {
    f"{chapter.__name__.rsplit('.', 1)[-1]}/{case.__name__}": case for chapter in _CHAPTERS for case in chapter.CASES
}


def make(name: str) -> tuple[Built, Ledger]:
    """The case of this name; its identities follow from its name alone, so every run makes the same bytes.

    A string that the case itself wrote over is struck from the ledger: what is searched for was in the source.
    """
    ledger = Ledger(zlib.crc32(name.encode()))
    built = ALL[name](ledger)
    present = set(survivors(list(built.files.values()), ledger))
    ledger.strings = [s for s in ledger.strings if s in present]
    return built, ledger
