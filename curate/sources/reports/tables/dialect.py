"""CSV as it is written: which delimiter and which way of quoting, proven by the first records, and then its records.

RFC 4180 is one dialect of many. Spreadsheets begin with "sep=;", Spark escapes quotes with backslashes, hand-made files
have blanks around quotes, databases quote nothing. The dialect is the one under which the first records have as many
cells as the header has names. Line breaks that no quotes hold belong to the cell above them where the records' first
cells, ids of few forms, tell a record's first line from others.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice

from curate.sources.identity import folded, shape
from curate.sources.reports.formats import mend

MAX_CELL = 1 << 22  # characters; an unclosed quote must not swallow the rest of the file
_USUAL = ",;\t|"
_DELIMITERS = _USUAL + "^~\x01\x1f"  # the last two are Hive's and of old mainframes
_QUOTE_OF = {"single": "'", "none": ""}
_TITLES = 20  # lines that may stand before a header
_SAMPLE = 200  # lines that show the dialect
_SAMPLE_CHARACTERS = 1 << 20
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE | re.DOTALL)  # Excel's own first line
_ID = re.compile(r"(?=\D*\d)\S{1,64}")
# what clients of databases write below a table
_DRAWN = re.compile(r"[ |]*[-=]{2,}[ :]*(?:[|+][ :|+]*[-=]{2,}[ :]*)+[ |+]*|\+[-=]+\+\s*")
_FOOTER = re.compile(r"\s*\(?\d+ rows?(?: affected| selected\.?| in set.*)?\)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """``width`` cells a record, of which the last may be absent down to ``least``: a header can end in delimiters.
    ``starts``: the forms of the ids that records begin with, if they do; ``opens`` and ``ends``: the first cell is
    words, the last one is; ``loose``: some cells have line breaks and no quotes."""

    delimiter: str
    quoting: str = "rfc"  # rfc, blanks, backslash, backslash blanks, inner, single, none
    width: int = 1
    least: int = 1
    starts: frozenset[str] = frozenset()
    opens: bool = False
    ends: bool = False
    loose: bool = False

    def fits(self, cells: list[str]) -> bool:
        """Neither too few cells nor too many."""
        return len(cells) >= self.least and not any(cells[self.width :])

    def goes_on(self, record: list[str], cells: list[str]) -> bool:
        """Do ``cells``, of a line of its own, belong to the record above it? Its last cell then goes on in the line's
        first, which begins with no id."""
        if isinstance(record, _Closed):
            return False
        first, open_end = cells[0], self.ends or not self.fits(record)
        if not (self.starts and open_end and _is_id(record[0]) and first.strip()):
            return False
        if _form(first) in self.starts or (_is_id(first) and len(cells) >= self.least):
            return False
        return len(cells) < self.least or self.loose


class _Closed(list[str]):
    """Cells whose last one ended with its quote, so that nothing can go on in it."""


def read_csv(lines: Iterator[str], wanted: Collection[str] = ()) -> tuple[list[str], Iterator[list[str] | None]]:
    """(names, records) of a CSV file; names are [] where there are none, a record None where it is broken.

    A record is broken that has too few or too many cells, or a quote that never ends: of it only the first line is
    lost. Empty lines are no records, nor are lines behind "#" before the header, titles before the first line that has
    all ``wanted`` columns, or a client's "(4 rows affected)".
    """
    sample = _sample(lines)
    separator = _SEPARATOR.fullmatch(sample[0]) if sample else None
    sample = sample[1:] if separator else sample
    if title := _titles(sample, wanted):
        sample = sample[title:]
    rest = chain(sample, lines)
    delimiters = separator[1] if separator else _DELIMITERS
    complete = len(sample) < _SAMPLE
    # lines of remarks stand before the header: unless, as often, they are the header
    remarks = next((i for i, line in enumerate(sample) if not line.startswith("#")), 0)
    ranked = [(*_best(sample[skip:], delimiters, complete), skip) for skip in sorted({0, remarks})]
    _, dialect, skip = max(ranked, key=lambda found: found[0])
    again = _Lines(as_rfc(islice(rest, skip, None), dialect.delimiter, dialect.quoting))
    names = _header(again, dialect.delimiter, dialect.quoting)
    records = _records(_lines_of(again, dialect, names), dialect)
    return [name.strip("\ufeff \t\r\n\xa0\u200b") for name in names], records


def _titles(sample: list[str], wanted: Collection[str]) -> int:
    """How many lines stand before the header that has all ``wanted`` columns; 0 where the first has, or none."""
    wanted_names = {folded(name) for name in wanted}
    for i, line in enumerate(sample[:_TITLES] if len(wanted_names) > 1 else ()):
        for delimiter in _DELIMITERS:
            if wanted_names <= {folded(cell.strip(" \t\r\n\ufeff\"'")) for cell in line.split(delimiter)}:
                return i
    return 0


def _sample(lines: Iterator[str]) -> list[str]:
    sample: list[str] = []
    size = 0
    for line in lines:
        if line.strip() or sample:
            sample.append(line)
            size += len(line)
        if len(sample) == _SAMPLE or size > _SAMPLE_CHARACTERS:
            break
    return sample


def _best(sample: list[str], delimiters: str, complete: bool) -> tuple[tuple[bool, int, int, int], Dialect]:
    """The dialect that fits most of the records, of those the one with the most columns; first come, first taken."""
    best, rank = Dialect(delimiters[0]), (False, 0, 0, 0)
    for delimiter in (d for d in delimiters if d in _USUAL or any(d in line for line in sample[:_TITLES])):
        ways = ("single",) if _is_single(sample, delimiter) else QUOTINGS if delimiter == "\t" else QUOTINGS[:-1]
        for quoting in ways:
            found, fit, of = _fit(sample, delimiter, quoting, complete)
            new = (found.width > 1 and 2 * fit >= of, found.width, fit - of, fit)
            if new > rank:
                best, rank = found, new
            if fit == of:
                break
    return rank, best


def _fit(sample: list[str], delimiter: str, quoting: str, complete: bool) -> tuple[Dialect, int, int]:
    """(dialect, records that fit, records) of the sample's lines; a last record may be cut off by the sample's end."""
    again = _Lines(as_rfc(iter(sample), delimiter, quoting))
    names = _header(again, delimiter, quoting)
    named = max((i for i, name in enumerate(names, 1) if name.strip()), default=0)
    plain = Dialect(delimiter, quoting, max(len(names), 1), max(named, 1))
    lines = list(_lines_of(again, plain, names))
    dialect = _with_starts(plain, [cells for cells in lines if cells is not None])
    found = list(_records(iter(lines), dialect))
    if not complete and len(found) > 1:
        del found[-1]
    found.insert(0, names)
    whole = [cells for cells in found if cells is not None]
    return dialect, sum(not any(map(_is_unread, cells)) for cells in whole), len(found)


def _with_starts(dialect: Dialect, lines: list[list[str]]) -> Dialect:
    """The dialect with what its records begin and end with: with ids, if the first of them begins with one."""
    records = [cells for cells in lines if dialect.fits(cells)]
    if dialect.width < 2 or not records:
        return dialect
    starts = frozenset(_form(cells[0]) for cells in records if _is_id(cells[0])) if _is_id(lines[0][0]) else frozenset()
    records = [cells for cells in records if not starts or _is_id(cells[0])]
    opens, ends = (2 * sum(" " in cells[i].strip() for cells in records) >= len(records) for i in (0, -1))
    loose = any(len(cells) < dialect.least and _form(cells[0]) not in starts for cells in lines)
    return replace(dialect, starts=starts, opens=opens, ends=ends, loose=loose)


def _is_id(cell: str) -> bool:
    """One word with a digit in it."""
    return _ID.fullmatch(cell.strip()) is not None


def _form(cell: str) -> str:
    """The shape of a cell whatever the lengths of its parts: of "A-0012" as of "B-7"."""
    return re.sub(r"\{\d+\}", "", shape(cell))


def _is_single(sample: list[str], delimiter: str) -> bool:
    """Do most lines have a cell between single quotes?"""
    mark = re.escape(delimiter)
    cell = re.compile(rf"(?:^|{mark})'(?:[^']|'')*'(?={mark}|[\r\n]|$)")
    return 2 * sum(cell.search(line) is not None for line in sample) > len(sample)


def _is_unread(cell: str) -> bool:
    """Quotes that stand in the cell, since blanks stand before them: another dialect would have read them."""
    inner = cell.strip(" \t")
    return inner[:1] == inner[-1:] == '"' and len(inner) > 1 and inner != cell


def _header(lines: _Lines, delimiter: str, quoting: str) -> list[str]:
    """The names in the first row that is not empty."""
    record = next((line for line in lines if line.strip()), "")
    quote = "'" if quoting == "single" else '"'
    while quoting != "none" and record.count(quote) % 2 and len(record) < MAX_CELL and (more := next(lines, "")):
        record += more  # a name with a line break in it
    try:
        names = next(_reader(io.StringIO(record, newline=""), delimiter, quoting), [])
    except csv.Error:
        return []
    return [mend(name) or ("?" if name else "") for name in names]


def _reader(lines: Iterator[str], delimiter: str, quoting: str) -> Iterator[list[str]]:
    """Strict: a quote that never ends, or ends amid a cell, is a csv.Error and not a cell made up."""
    csv.field_size_limit(max(MAX_CELL, csv.field_size_limit()))
    if quoting == "none":
        return csv.reader(lines, delimiter=delimiter, strict=True, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=delimiter, strict=True, quotechar="'" if quoting == "single" else '"')


class _Lines:
    """Physical lines that remember which ones the current record took, so that they can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: list[str] = []
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._lines)
        self.taken.append(line)
        return line

    def give_back(self) -> None:
        """All but the first line taken come again: only that one is certain to belong to the broken record."""
        self._again.extend(reversed(self.taken[1:]))


def _lines_of(lines: _Lines, dialect: Dialect, names: list[str]) -> Iterator[list[str] | None]:
    """The cells of every record as quotes hold it together, None where they do not; mostly of one line. The header
    again, as of files joined to one, lines drawn under it and a client's last one are no records."""
    rows = _reader(lines, dialect.delimiter, dialect.quoting)
    while True:
        lines.taken.clear()
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            cells = None
        if cells is None or (len(lines.taken) > 1 and not dialect.fits(cells)):
            lines.give_back()
            yield None
        elif (
            cells and cells != names and not (len(cells) == 1 and _FOOTER.fullmatch(cells[0])) and not _is_drawn(cells)
        ):
            quote, last = _QUOTE_OF.get(dialect.quoting, '"'), lines.taken[-1].rstrip()
            doubted = dialect.quoting == "inner" and any('""' in line for line in lines.taken)
            yield _Closed(cells) if quote and last.endswith(quote) and not doubted else cells


def _is_drawn(cells: list[str]) -> bool:
    """Is this a line drawn between a header and its records, as clients of databases do?"""
    return _DRAWN.fullmatch("|".join(cells)) is not None


def _records(lines: Iterator[list[str] | None], dialect: Dialect) -> Iterator[list[str] | None]:
    """Lines joined to records. Where no ids tell whose a line of too few cells is, or it is an id alone amid lines that
    go on ("T12"), the record above that ends in words may be cut off by it and is broken too; without ids also the one
    below that begins with words."""
    open_row: list[str] | None = None
    doubted = False
    for cells in lines:
        if open_row is not None and cells is not None and dialect.goes_on(open_row, cells):
            open_row = [*open_row[:-1], f"{open_row[-1].rstrip()}\n{cells[0]}", *cells[1:]]
            continue
        short = cells is not None and len(cells) < dialect.least and (not dialect.starts or dialect.loose)
        if open_row is not None:
            cut = short and dialect.ends and not isinstance(open_row, _Closed)
            yield None if doubted or cut else _whole(open_row, dialect)
            doubted = not dialect.starts and dialect.opens and len(open_row) < dialect.least
        open_row = cells
        if cells is None:
            yield None
    if open_row is not None:
        yield None if doubted else _whole(open_row, dialect)


def _whole(cells: list[str], dialect: Dialect) -> list[str] | None:
    return [*cells, *[""] * (dialect.width - len(cells))] if dialect.fits(cells) else None


# -- quoting -----------------------------------------------------------------------------------------------------------

_ESCAPED = re.compile(r'(?<!\\)((?:\\\\)*)\\"')


def as_rfc(lines: Iterator[str], delimiter: str, quoting: str) -> Iterator[str]:
    """Physical lines as RFC 4180 writes their quotes, by one of `QUOTINGS`, or "single" quotes, which stay."""
    for way in _WAYS[quoting]:
        lines = map(way(delimiter), lines)
    return lines


def _without_blanks(delimiter: str) -> Callable[[str], str]:
    """Blanks around a cell's quotes taken away: between them and a delimiter or the line's end."""
    mark = re.escape(delimiter)
    blank = " " if delimiter == "\t" else "[ \t]"
    after = re.compile(rf'"{blank}+(?={mark}|[\r\n]|$)')
    before = re.compile(rf'(^|{mark}){blank}+(?=")')
    return lambda line: before.sub(r"\1", after.sub('"', line)) if '"' in line else line


def _doubled(delimiter: str) -> Callable[[str], str]:
    """Quotes behind a backslash as RFC 4180 writes them; other backslashes are the text's own."""
    return lambda line: _ESCAPED.sub(r'\1""', line) if "\\" in line else line


def _inner(delimiter: str) -> Callable[[str], str]:
    """Quotes amid a quoted cell as RFC 4180 writes them: such as no delimiter or line's end stands beside. The cell may
    go on over lines."""
    inside = False

    def cleaned(line: str) -> str:
        nonlocal inside
        out: list[str] = []
        at, end = 0, len(line.rstrip("\r\n"))
        while (quote := line.find('"', at)) >= 0:
            out.append(line[at:quote])
            starts = quote == 0 or line[quote - 1] == delimiter
            at = quote + 1
            if not inside:
                inside = starts
                out.append('"')
            elif line[at : at + 1] == '"' and line[at + 1 : at + 2] not in (delimiter, "\r", "\n", ""):
                at += 1
                out.append('""')
            elif at == end or line[at : at + 1] == delimiter:
                inside = False
                out.append('"')
            elif starts:  # as another cell begins: the one before has not ended, and is broken
                out.append('"')
            else:
                out.append('""')
        return "".join([*out, line[at:]])

    return cleaned


# the likeliest first; databases' tables with tabs alone quote nothing
_WAYS: dict[str, tuple[Callable[[str], Callable[[str], str]], ...]] = {
    "rfc": (), "blanks": (_without_blanks,), "backslash": (_doubled,), "backslash blanks": (_doubled, _without_blanks),
    "inner": (_inner,), "none": (), "single": (),
}  # fmt: skip
QUOTINGS = tuple(_WAYS)[:-1]
