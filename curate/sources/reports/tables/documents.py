"""JSON documents of reports: the records of whatever form an export has written."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from curate.sources.identity import folded
from curate.sources.reports.tables.columns import safe_name

# of a document the forms that exports and pandas write, told by where the names of columns stand:
#
# [{...}, {...}]                                      an array of records
# {"records": [{...}], ...}                           arrays in an object; of several each record's "key" says which
# {"accession": {"0": "A1"}, "text": {"0": "..."}}    a table by columns, also with lists, also pandas' "split"
# {"A1": {"text": "..."}}, {"A1": "..."}              records by their ids, which become "key"; a bare text is "text"
# {...}                                               one record
KEY, TEXT = "key", "text"
_BETWEEN = re.compile(r"[\s,]*")
_JSON = json.JSONDecoder(strict=False)  # tabs and line breaks that nobody has escaped stay what they are


def parsed(text: str) -> Any:
    """The value, or None where it is no JSON."""
    try:
        return _JSON.decode(text)
    except (ValueError, RecursionError):
        return None


def documents(text: str, wanted: Collection[str] | None = None) -> Iterator[Any]:
    """The records of a JSON document; of one that is no document its lines. ``wanted``: columns asked for, where they
    are known, which decide between the forms."""
    whole = parsed(text)
    if whole is None:
        return iter(_in_turn(text) or [parsed(line) for line in text.splitlines() if line.strip()])
    if isinstance(whole, dict) and whole:
        whole = _of_object(whole, None if wanted is None else {folded(name) for name in wanted})
    return iter(whole if isinstance(whole, list) else [whole])


def _in_turn(text: str) -> list[Any]:
    """Values one behind the other, whatever line breaks they have, commas between or none; [] where they are not."""
    found: list[Any] = []
    at = 0
    while (start := _BETWEEN.match(text, at)) is not None and (at := start.end()) < len(text):
        try:
            value, at = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            return []
        found.append(value)
    return found


def _of_object(whole: dict[str, Any], wanted: Collection[str] | None) -> Any:
    values = list(whole.values())
    if arrays := _arrays(whole, wanted):
        return arrays
    deeper = [found for v in values if isinstance(v, dict) and _named((found := _arrays(v, wanted) or [{}])[0], wanted)]
    if wanted and len(deeper) == 1 and not _named(whole, wanted):  # {"data": {"reports": [...]}}
        return deeper[0]
    if {"columns", "data"} <= whole.keys() <= {"columns", "data", "index"}:
        return [
            dict(zip(whole["columns"], row, strict=False)) if isinstance(row, list) else row for row in whole["data"]
        ]
    if all(isinstance(v, dict) and v for v in values):
        inner, outer = _named(values[0], wanted), _named(whole, wanted)
        if inner > outer:
            return [{KEY: key, **record} for key, record in whole.items()]
        if all(v.keys() == values[0].keys() for v in values):
            return [{name: column[row] for name, column in whole.items()} for row in values[0]]
    if len(whole) > 1 and all(isinstance(v, list) and len(v) == len(values[0]) for v in values):
        return [dict(zip(whole, row, strict=True)) for row in zip(*values, strict=True)]
    if all(isinstance(v, str) for v in values) and _are_ids(whole, wanted):
        return [{KEY: key, TEXT: text} for key, text in whole.items()]
    return whole


def _arrays(whole: dict[str, Any], wanted: Collection[str] | None) -> list[Any]:
    """Every record of the object's arrays of records: of those alone that have columns asked for, if any has."""
    arrays = {k: v for k, v in whole.items() if isinstance(v, list) and v and isinstance(v[0], dict)}
    meant = {k: v for k, v in arrays.items() if wanted and _named(v[0], wanted)} or arrays
    if len(meant) == 1:
        return next(iter(meant.values()))
    return [{KEY: key, **r} if isinstance(r, dict) else r for key, records in meant.items() for r in records]


def _named(keys: Iterable[str], wanted: Collection[str] | None) -> int:
    """How many of ``keys`` are names of columns."""
    if wanted is not None:
        return sum(folded(key) in wanted for key in keys)
    return sum(not _is_id(key) and safe_name(key) is not None for key in keys)


def _is_id(key: str) -> bool:
    """Half of it digits, or a digit in what no column is called: "A1" and "CR-2024-AX", not "finding2"."""
    digits, letters = (sum(map(test, key)) for test in (str.isdigit, str.isalpha))
    return digits > 0 and (digits >= letters or safe_name(key) is None)


def _are_ids(keys: Iterable[str], wanted: Collection[str] | None) -> bool:
    """Are these ids, and no columns? Where nobody asks for their column, only what has digits is surely an id."""
    if wanted and (KEY in wanted or _named(keys, wanted)):
        return not _named(keys, wanted)
    return all(map(_is_id, keys))
