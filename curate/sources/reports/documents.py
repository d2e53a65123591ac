"""JSON documents and workbooks (.xlsx) as records.

Of JSON the forms that exports and pandas write, told by where the names of columns stand:

[{...}, {...}]                                      an array of records
{"records": [{...}], ...}                           arrays in an object; of several each record's "key" says which
{"accession": {"0": "A1"}, "text": {"0": "..."}}    a table by columns, also with lists, also pandas' "split"
{"A1": {"text": "..."}}, {"A1": "..."}              records by their ids, which become "key"; a bare text is "text"
{...}                                               one record

A workbook is one table of strings: the sheets with one header, and a word for every other sheet.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from python_calamine import CalamineWorkbook

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.identity import folded
from curate.sources.reports.columns import safe_name
from curate.sources.reports.encoding import as_string
from curate.sources.reports.formats import reading

KEY, TEXT = "key", "text"
_BETWEEN = re.compile(r"[\s,]*")


def parsed(text: str) -> Any:
    """The value, or None where it is no JSON."""
    try:
        return json.loads(text, strict=False)  # tabs and line breaks that nobody has escaped stay what they are
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
    at, decoder = 0, json.JSONDecoder(strict=False)
    while (start := _BETWEEN.match(text, at)) is not None and (at := start.end()) < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
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


MAX_WORKBOOK = 1 << 28  # bytes, inflated: it is read whole
_TITLES = 20  # rows that may stand above a header
_MAX_CELLS = 1 << 26  # of a sheet, empty ones among them
_CELL = re.compile(rb'<(?:\w+:)?c [^>]*?\br="([A-Z]{1,3})(\d{1,7})"')


def read_workbook(raw: bytes, wanted: Collection[str] | None) -> tuple[list[str], Iterator[list[str] | None]]:
    """(names, rows) of the sheet that has the ``wanted`` columns, else of the first with any rows, and of every sheet
    headed as it is, or with the wanted columns in another order or among others; one None for a sheet of anything else.
    Titles above a header that has them are left out. Hidden sheets are read as others are.

    Raises DropRecord UNREADABLE_FILE, TOO_LARGE.
    """
    _check_size(raw)
    with reading():
        book = CalamineWorkbook.from_filelike(io.BytesIO(raw))
        tables = [_table(book, i) for i in range(len(book.sheet_names))]
    named = set(map(folded, wanted or ()))
    tables = [_from_header(table, named) for table in tables if table]
    shown = [table for table in tables if named and named <= _header(table)] or tables
    names = [as_string(cell).strip() for cell in shown[0][0]] if shown else []
    if not any(names):
        raise DropRecord(Reason.UNREADABLE_FILE)
    return names, _rows(tables, names, named)


def _table(book: CalamineWorkbook, sheet: int) -> list[list[Any]]:
    return [row for row in book.get_sheet_by_index(sheet).iter_rows() if any(cell != "" for cell in row)]


def _header(table: list[list[Any]]) -> set[str]:
    return {folded(as_string(cell)) for cell in table[0]}


def _from_header(table: list[list[Any]], named: set[str]) -> list[list[Any]]:
    """The rows from the first that has all columns asked for, of the first ones; all of them where none has."""
    starts = (i for i in range(min(len(table), _TITLES)) if len(named) > 1 and named <= _header(table[i:]))
    return table[next(starts, 0) :]


def _rows(tables: list[list[list[Any]]], names: list[str], named: set[str]) -> Iterator[list[str] | None]:
    header = list(map(folded, names))
    for table in tables:
        own = [folded(as_string(cell)) for cell in table[0]]
        if own == header:
            yield from ([as_string(cell) for cell in row] for row in table[1:])
        elif named and named <= set(own) and len(set(own)) == len(own):
            places = [own.index(name) if name in own else None for name in header]
            yield from (["" if i is None else as_string(row[i]) for i in places] for row in table[1:])
        else:
            yield None


def _check_size(raw: bytes) -> None:
    """A sheet is held as a rectangle: one stray cell in the last column of the last row would be sixteen billion."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as parts:
            infos = [info for info in parts.infolist() if info.filename.endswith(".xml")]
            if sum(info.file_size for info in infos) > MAX_WORKBOOK:
                raise DropRecord(Reason.TOO_LARGE)
            sheets = [parts.read(info) for info in infos if "/worksheets/" in info.filename]
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError):
        sheets = None
    if sheets is None:
        raise DropRecord(Reason.UNREADABLE_FILE)
    for sheet in sheets:
        columns, rows = 1, 1
        for column, row in _CELL.findall(sheet):
            number = 0
            for letter in column:
                number = number * 26 + letter - 64
            columns, rows = max(columns, number), max(rows, int(row))
        if columns * rows > _MAX_CELLS:
            raise DropRecord(Reason.TOO_LARGE)
