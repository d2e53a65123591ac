"""Ways of quoting cells in a CSV file, each as what `csv` needs to read it; which one is meant `dialect` proves."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator

MAX_CELL = 1 << 22  # characters; an unclosed quote must not swallow the rest of the file
_ESCAPED = re.compile(r"\\(\r?\n|.)?", re.DOTALL)
_CHARACTERS = {
    "n": "\\\n",
    "r": "\\\r",
    "t": "\\\t",
    "0": "",
    "b": "",
    "Z": "",
}  # what a letter behind a backslash stands for


def rows(lines: Iterator[str], delimiter: str, quoting: str) -> Iterator[list[str]]:
    """Cells of lines that `rewritten` has made. Strict: a quote that never ends, or ends amid a cell, is a csv.Error
    and not a cell made up."""
    csv.field_size_limit(max(MAX_CELL, csv.field_size_limit()))
    return csv.reader(
        lines,
        delimiter=delimiter,
        strict=True,
        quoting=csv.QUOTE_MINIMAL if quote_of(quoting) else csv.QUOTE_NONE,
        quotechar=quote_of(quoting) or None,
        escapechar="\\" if "backslash" in quoting or "escaped" in quoting else None,
    )


def rewritten(lines: Iterator[str], delimiter: str, quoting: str) -> Iterator[str]:
    """Physical lines as `rows` reads them by one of `QUOTINGS`."""
    for way in _WAYS[quoting]:
        lines = map(way(delimiter), lines)
    return lines


def quote_of(quoting: str) -> str:
    """The quote that ends a cell; "" where none does."""
    return {"single": "'", "none": "", "escaped": ""}.get(quoting, '"')


def is_escaped(lines: list[str], delimiter: str) -> bool:
    """Is every backslash an escape of databases' (MySQL's OUTFILE, PostgreSQL's COPY, pandas' escapechar), and one of
    them such as nothing else writes: \\N as a cell, or, where no quote is open, one before a delimiter or a line's end?
    """
    text = "".join(lines)
    if "\\" not in text or not set(_ESCAPED.findall(text)) <= {delimiter, "\n", "\r\n", '"', "\\", "N", *_CHARACTERS}:
        return False
    mark = re.escape(delimiter)
    bare = re.compile(rf'[^"]*?(?<!\\)(?:\\\\)*\\(?:{mark}|\r?\n)[^"]*')
    quoted = any(line.count('"') % 2 for line in lines)
    null = re.search(rf"(?:^|{mark})\\N(?={mark}|$)", text, re.MULTILINE)
    return null is not None or (not quoted and any(map(bare.fullmatch, lines)))


def _without_blanks(delimiter: str) -> Callable[[str], str]:
    """Blanks around a cell's quotes taken away: between them and a delimiter or the line's end."""
    mark = re.escape(delimiter)
    blank = " " if delimiter == "\t" else "[ \t]"
    after = re.compile(rf'(?<!\\)"{blank}+(?={mark}|[\r\n]|$)')
    before = re.compile(rf'(^|{mark}){blank}+(?=")')
    return lambda line: before.sub(r"\1", after.sub('"', line)) if '"' in line else line


def _quotes_escaped(_: str) -> Callable[[str], str]:
    """Backslashes before quotes are escapes; others are the text's own, two of them two."""

    def kept(found: re.Match[str]) -> str:
        return found[0] if found[1] == '"' else 4 * "\\" if found[1] == "\\" else "\\" + found[0]

    return lambda line: _ESCAPED.sub(kept, line) if "\\" in line else line


def _all_escaped(delimiter: str) -> Callable[[str], str]:
    """Every backslash is an escape, and \\N alone an empty cell."""
    mark = re.escape(delimiter)
    null = re.compile(rf"(^|{mark})\\N(?={mark}|[\r\n]|$)")

    def meant(found: re.Match[str]) -> str:
        return "\\\n" if found[1] == "\r\n" else _CHARACTERS.get(found[1] or "", found[0])

    return lambda line: _ESCAPED.sub(meant, null.sub(r"\1", line)) if "\\" in line else line


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


# the likeliest first; databases' tables with tabs alone quote nothing, and of escapes `is_escaped` must have shown some
_WAYS: dict[str, tuple[Callable[[str], Callable[[str], str]], ...]] = {
    "rfc": (), "blanks": (_without_blanks,), "backslash": (_quotes_escaped,),
    "backslash blanks": (_quotes_escaped, _without_blanks), "inner": (_inner,), "none": (), "single": (),
    "quoted escaped": (_all_escaped,), "escaped": (_all_escaped,),
}  # fmt: skip
QUOTINGS = ("rfc", "blanks", "backslash", "backslash blanks", "inner", "none")
ESCAPED = ("quoted escaped", "escaped")
