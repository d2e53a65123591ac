"""Workbooks of reports: the sheets that hold them, as rows of text."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Collection, Iterator
from typing import Any

from python_calamine import CalamineWorkbook

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.identity import folded
from curate.sources.reports.formats import as_string, reading

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
        tables = [_sheet(book, i) for i in range(len(book.sheet_names))]
    named = set(map(folded, wanted or ()))
    tables = [_from_header(table, named) for table in tables if table]
    shown = [table for table in tables if named and named <= _first_row(table)] or tables
    names = [as_string(cell).strip() for cell in shown[0][0]] if shown else []
    if not any(names):
        raise DropRecord(Reason.UNREADABLE_FILE)
    return names, _of_sheets(tables, names, named)


def _sheet(book: CalamineWorkbook, sheet: int) -> list[list[Any]]:
    return [row for row in book.get_sheet_by_index(sheet).iter_rows() if any(cell != "" for cell in row)]


def _first_row(table: list[list[Any]]) -> set[str]:
    return {folded(as_string(cell)) for cell in table[0]}


def _from_header(table: list[list[Any]], named: set[str]) -> list[list[Any]]:
    """The rows from the first that has all columns asked for, of the first ones; all of them where none has."""
    starts = (i for i in range(min(len(table), _TITLES)) if len(named) > 1 and named <= _first_row(table[i:]))
    return table[next(starts, 0) :]


def _of_sheets(tables: list[list[list[Any]]], names: list[str], named: set[str]) -> Iterator[list[str] | None]:
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
