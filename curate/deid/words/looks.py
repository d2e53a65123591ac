"""How much a word looks like a name rather than a word of a report, by its letters alone.

Log-odds of a logistic regression on hashed runs of one to four letters, fitted to lists of names and of words
(`benchmarks/deid/fit`); it knows what no list holds: Okonkwo is a name, hydropnemothorax is none.
"""

from __future__ import annotations

import zlib
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

BUCKETS = 1 << 14
_LONGEST = 4  # letters of a run


@lru_cache(maxsize=100_000)
def buckets(word: str) -> tuple[int, ...]:
    """The numbers of the runs of 1 to 4 letters of a lower-case word, its beginning and its end marked."""
    marked = f"^{word}$"
    runs = {marked[i : i + n] for n in range(1, _LONGEST + 1) for i in range(len(marked) - n + 1)}
    return tuple(sorted({zlib.crc32(run.encode()) % BUCKETS for run in runs}))


def read_weights(name: str) -> dict[str, NDArray[np.float32]]:
    """The fitted numbers of a file of `data`; large tables are kept as whole steps, and beside them how large the steps
    of each column are."""
    raw = (files("curate.deid.words") / "data" / f"{name}.npz").read_bytes()
    with np.load(BytesIO(raw), allow_pickle=False) as loaded:
        found = {key: loaded[key].astype(np.float32) for key in loaded.files}
    return {key: value * found.get(f"{key} step", np.float32(1)) for key, value in found.items() if key[-5:] != " step"}


@cache
def weights() -> dict[str, NDArray[np.float32]]:
    """The fitted numbers: those of this module ("letters") and of `curate.deid.text.decide`."""
    return read_weights("words")


def name_likeness(word: str) -> float:
    """Log-odds that a lower-case word is a name: above 0 rather a name, below 0 rather a word."""
    letters = weights()["letters"]
    return float(letters[list(buckets(word))].sum() + letters[-1])
