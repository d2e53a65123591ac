"""The selection from rows in any order, by hand: sorted by key, chosen, and put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.export.choose import Choice, decide_in_order
from curate.export.labels import Labels
from curate.export.repeat import key_words, uniform
from curate.export.rules import SelectRules


def choose(columns: Mapping[str, Any], keys: Any, rules: SelectRules) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """(kept bool[n], weight float32[n]) of records with distinct ASCII ``keys`` (n strings).

    ``columns``: float[n] scores, NaN meaning unscored and never kept unless nothing is cut; text columns (strings or
    `Labels`) ``findings`` and subgroups, ``age`` in years, as far as ``rules`` name them. KeyError for a missing one.
    """
    choice = decide(columns, keys, rules)
    return choice.kept, choice.weight


def decide(columns: Mapping[str, Any], keys: Any, rules: SelectRules) -> Choice:
    """`choose`, with the reason for each record."""
    words = key_words(keys)
    order = np.lexsort(words.T[::-1])
    in_order = {name: _take(name, values, order) for name, values in columns.items()}
    choice = decide_in_order(in_order, len(order), uniform(words, rules.seed)[order], rules)
    inverse = np.empty(len(order), dtype=np.int64)
    inverse[order] = np.arange(len(order))
    kept, weight, reason = choice.kept[inverse], choice.weight[inverse], choice.reason[inverse]
    return Choice(kept, weight, reason)


def _take(name: str, values: Any, rows: NDArray[np.int64]) -> Any:
    if isinstance(values, Labels):
        return values.take(rows)
    array = np.asarray(values, np.float64 if name == "age" else None)
    return Labels.of(values).take(rows) if array.dtype.kind in "USO" else array[rows]
