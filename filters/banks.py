"""Banks: what a filter's folder keeps of single records, a row each, and how the rows of some are taken out again.

A file of `FILES` holds, beside an array ``names`` of records' digests, further arrays with a row for each of them; in
`JUDGES` several such groups, under one prefix each. Folders from before rows had names hold none that
could be found.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

JUDGES = "judges.safetensors"
FILES = ("bank.safetensors", "copies.safetensors", JUDGES)
MIN_ROWS = 10  # a bank that would be left with fewer stays as it is: nothing could be compared with it
_ROWS = {"names", "groups", "images", "texts", "log_odds", "posterior", "weights", "answers"}  # two towers, judges
_ROWS |= {"known", "pictures", "claims", "own"}  # image quality, copies


def digests(names: Sequence[str]) -> NDArray[np.uint64]:
    """uint64[n]: 8 bytes of each name's BLAKE2b."""
    return np.array([int.from_bytes(blake2b(n.encode(), digest_size=8).digest(), "big") for n in names], np.uint64)


def without_rows(data: bytes, keys: Collection[str]) -> bytes:
    """The bytes of one of `FILES` without the rows of the records ``keys``; the very same object where it holds none.
    What was fitted to all rows is as before."""
    arrays, removed, changed = load(data), digests(sorted(keys)), False
    for name in [n for n in arrays if n.rpartition(".")[2] == "names"]:
        prefix, kept = name.removesuffix("names"), ~np.isin(arrays[name], removed)
        if kept.all() or kept.sum() < MIN_ROWS:
            continue
        changed = True
        for part in _ROWS & {n.removeprefix(prefix) for n in arrays if n.startswith(prefix)}:
            arrays[prefix + part] = np.ascontiguousarray(arrays[prefix + part][kept])
    return save(arrays) if changed else data
