"""The columns that a recipe asks for, and those that a table has."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curate.errors import DropRecord, RecipeError
from curate.places import place
from curate.sources.identity import folded
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.formats import Format
from curate.sources.reports.rows import named_rows, open_records
from curate.sources.reports.tables.columns import safe_name
from curate.sources.walk import Found

_HEADER = re.compile(r"(?!.*\d{3})(?:[A-Za-z]\w*(?:_\w+)+|[A-Z]{2,7}\d?)")  # FINDINGS_COL, ACC: neither name nor number


def as_asked(names: Sequence[str], columns: ReportColumns) -> dict[str, str]:
    """Column of the file -> the column asked for that it is but for letter case, width and blanks, if only one is."""
    spelt: dict[str, list[str]] = {}
    for name in names:
        spelt.setdefault(folded(name), []).append(name)
    missing = [column for column in columns.by_field().values() if column not in names]
    return {same[0]: column for column in missing if len(same := spelt.get(folded(column), [])) == 1}


def names_of(found: Found, kind: Format, columns: ReportColumns) -> list[str]:
    """The columns a file has, from its head; [] where it cannot be read."""
    try:
        with open_records(place(found.path), format=kind, wanted=frozenset(columns.by_field().values())) as records:
            names = named_rows(records, nested=True)[0]
            renamed = as_asked(names, columns)
            return [renamed.get(name, name) for name in names]
    except DropRecord:
        return []


def is_meant(names: list[str], columns: ReportColumns) -> bool:
    """Is a table among other files one of the reports'? One that has none of the columns is something else."""
    return columns.make_text and not set(names).isdisjoint(columns.by_field().values())


def check_names(names: list[str], columns: ReportColumns) -> None:
    if not columns.make_text:
        raise RecipeError("columns.text", "names no column, and columns.sections neither", columns_there(names))
    for name, column in columns.by_field().items():
        if names.count(column) != 1:
            problem = (
                f"there is no column {column!r}" if column not in names else f"several columns are named {column!r}"
            )
            raise RecipeError(f"columns.{name}", problem, columns_there(names))


def columns_there(names: list[str]) -> str:
    """The columns there are, those apart that could be a patient's: a first row of data stands where names should."""
    shown = [name for name in names if _HEADER.fullmatch(name) or safe_name(name)]
    if not shown or 2 * len(shown) < len(names):
        return "the first row of the file must name its columns"
    rest = f", and {len(names) - len(shown)} more" if len(shown) < len(names) else ""
    return "the columns are " + ", ".join(shown[:60]) + rest
