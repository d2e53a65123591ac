"""Ways of quoting cells in a CSV file, each as what makes RFC 4180 of it; which one is meant `dialect` proves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

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
