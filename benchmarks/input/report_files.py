"""Report files in every form, dialect, encoding and escape over known texts: how many come back as they were.

    python -m benchmarks.input.report_files

Every text must come back exactly (white space aside) or be dropped under a Reason; one that comes back changed is
wrong. Every file of a folder must be in the funnel. The same texts by the same seed, whatever reads them.
"""

from __future__ import annotations

import csv
import gzip
import html
import io
import json
import quopri
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import RecipeError
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.read import check_columns, read_reports
from tests.curate.workbooks import workbook

COLUMNS = ReportColumns(text="report", accession="accession")
NAMES = ("accession", "report", "note")
Row = tuple[str, str, str]

_SENTENCES = (
    "The heart is normal in size.", "mild atelectasis at the left base.", "No pleural effusion or pneumothorax.",
    "Nodule < 5 mm in the right upper lobe, not > 6 mm.", "Air & fluid levels (R&D protocol).", "- stable since 2019",
    "2. No acute fracture.", 'Read as "unchanged" from prior; see note.', "T2*-weighted signal, a_b and 10^3.",
    "Densité normale, pas d'épanchement; Größe unverändert.", "Approximately ~4 cm, 60% | EF=55, x/y.",
    "the previously seen opacity is no longer visible.", "Path C:\\new\\table\\img.dcm kept.",
    "Compared with the {prior} film.",
)  # fmt: skip
_HEADED = (("FINDINGS:", "IMPRESSION:"), ("Findings:", "Impression:"), ("TECHNIQUE:", "CONCLUSION:"))


def texts(count: int, seed: int) -> list[str]:
    """Reports of several lines, in sections."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        first, last = rng.choice(_HEADED)
        lines = rng.sample(_SENTENCES, rng.randint(3, 6))
        made.append("\n".join([first, *lines[:-1], last, lines[-1]]))
    return made


# -- escapes: a text as other systems write it -------------------------------------------------------------------------


def hl7(text: str) -> str:
    """HL7 v2 chapter 2.7: every delimiter escaped, lines ended by a formatting command."""
    marks = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\n": "\\.br\\"}
    return "".join(marks.get(c, c) for c in text)


def rtf(text: str) -> str:
    """A document as word processors write it, with properties that are no text."""
    out = ""
    for c in text:
        if c in "\\{}":
            out += f"\\{c}"
        elif c == "\n":
            out += "\\par\r\n"
        else:
            out += c if c.isascii() else f"\\'{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c)}?"
    head = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss\fcharset0 Arial;}}{\info{\author Someone}}"
    return f"{head}\\viewkind4\\uc1\\pard\\f0\\fs20 {out}\\par\r\n}}"


def _html(lines: Callable[[list[str]], str]) -> Callable[[str], str]:
    return lambda text: lines([html.escape(line) for line in text.split("\n")])


def _each(form: str, lines: list[str]) -> str:
    return "\n".join(form.format(line) for line in lines)


ESCAPES: dict[str, Callable[[str], str]] = {
    "none": str,
    "literal \\n": lambda t: t.replace("\n", "\\n"),
    "literal \\r\\n": lambda t: t.replace("\n", "\\r\\n"),
    "json string": lambda t: json.dumps(t)[1:-1],
    "hl7": hl7,
    "hl7 \\X0A\\": lambda t: hl7(t).replace("\\.br\\", "\\X0D0A\\"),
    "excel": lambda t: t.replace("\n", "_x000D_\n"),
    "entities": lambda t: html.escape(t).replace("\n", "&#xD;&#xA;"),
    "named entities": lambda t: "".join({"é": "&eacute;", "ö": "&ouml;",
    "ß": "&szlig;"}.get(c, c) for c in html.escape(t)),
    "html br": _html(lambda lines: "<div>" + "<br/>".join(lines) + "</div>"),
    "html p": _html(lambda lines: f"<html><head><title>x</title></head>{_each('<p>{}</p>', lines)}</html>"),
    "html table": _html(lambda lines: f"<table>{_each('<tr><td><b>{}</b></td></tr>', lines)}</table>"),
    "html escaped": lambda t: html.escape("".join(f"<p>{html.escape(x)}</p>" for x in t.split("\n"))),
    "cdata": lambda t: f"<![CDATA[{''.join(f'<p>{html.escape(x)}</p>' for x in t.split(chr(10)))}]]>",
    "html comments": _html(lambda lines: "<!-- exported -->" + "<br>".join(lines) + "<span hidden>x</span>"),
    "rtf": rtf,
    "quoted printable": lambda t: quopri.encodestring(t.encode()).decode().replace("\n", "=0D=0A", 1),
    "invisible": lambda t: "\ufeff" + t.replace(" ", " \u200b"),
}  # fmt: skip

# -- dialects and encodings --------------------------------------------------------------------------------------------


def _csv(rows: Sequence[Row], delimiter: str = ",", end: str = "\r\n", quoting: int = csv.QUOTE_MINIMAL) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([NAMES, *rows])  # type: ignore[arg-type]
    return out.getvalue()


def _quoted(rows: Sequence[Row], quote: str, delimiter: str) -> str:
    cell: Callable[[str], str] = lambda v: '"' + v.replace('"', quote) + '"'  # noqa: E731
    return "".join(delimiter.join(map(cell, row)) + "\n" for row in [NAMES, *rows])


DIALECTS: dict[str, Callable[[Sequence[Row]], str]] = {
    "comma": _csv,
    "semicolon": lambda rows: _csv(rows, ";"),
    "tab": lambda rows: _csv(rows, "\t", "\n"),
    "pipe": lambda rows: _csv(rows, "|", "\n"),
    "all quoted": lambda rows: _csv(rows, ",", "\n", csv.QUOTE_ALL),
    "sep line": lambda rows: "sep=;\r\n" + _csv(rows, ";"),
    "backslash quotes": lambda rows: _quoted(rows, '\\"', ","),
    "blanks around quotes": lambda rows: _quoted(rows, '""', " , "),
    "trailing delimiter": lambda rows: "".join(f"{line},\r\n" for line in _lines(rows)),
    "mac line ends": lambda rows: _csv([_one_line(row) for row in rows], ",", "\r", csv.QUOTE_ALL),
    "remarks": lambda rows: "# list of reports\n" + _csv(rows),
    "bare tabs": lambda rows: "".join("\t".join(_one_line(row)) + "\n" for row in [NAMES, *rows]),
}  # fmt: skip


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    for row in [NAMES, *rows]:
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="", quoting=csv.QUOTE_ALL).writerow(row)
        yield out.getvalue()


def _one_line(row: Sequence[str]) -> Row:
    """In a table that quotes nothing a report is one line, its breaks two blanks."""
    accession, report, note = (value.replace("\r", "").replace("\n", "  ").replace("\t", " ") for value in row)
    return accession, report, note


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-8 with mark": lambda t: t.encode("utf-8-sig"),
    "utf-16": lambda t: t.encode("utf-16"),
    "utf-16-le without mark": lambda t: t.encode("utf-16-le"),
    "utf-16-be without mark": lambda t: t.encode("utf-16-be"),
    "utf-32": lambda t: t.encode("utf-32"),
    "cp1252": lambda t: t.encode("cp1252", "replace"),
}

# -- forms: rows or one text as a file ---------------------------------------------------------------------------------


def _records(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [dict(zip(NAMES, row, strict=True)) for row in rows]


def _parquet(kind: pa.DataType) -> Callable[[Sequence[Row]], bytes]:
    def write(rows: Sequence[Row]) -> bytes:
        out = io.BytesIO()
        columns = [pa.array(column, pa.string()).cast(kind) for column in zip(*rows, strict=True)]
        pq.write_table(pa.table(columns, names=list(NAMES)), out)
        return out.getvalue()

    return write


TABLES: dict[str, tuple[str, Callable[[Sequence[Row]], bytes]]] = {
    "csv": (".csv", lambda rows: _csv(rows).encode()),
    "jsonl": (".jsonl", lambda rows: "\n".join(json.dumps(r, ensure_ascii=False) for r in _records(rows)).encode()),
    "ndjson": (".ndjson", lambda rows: "\r\n".join(map(json.dumps, _records(rows))).encode()),
    "json array": (".json", lambda rows: json.dumps(_records(rows), indent=1).encode()),
    "json object": (".json", lambda rows: json.dumps({"count": len(rows), "data": _records(rows)}).encode()),
    "json columns": (".json",
    lambda rows: json.dumps({n: {str(i): r[n] for i, r in enumerate(_records(rows))} for n in NAMES}).encode()),
    "parquet": (".parquet", _parquet(pa.string())),
    "parquet binary": (".pq", _parquet(pa.large_binary())),
    "parquet dictionary": (".parquet", _parquet(pa.dictionary(pa.int32(), pa.string()))),
    "xlsx": (".xlsx", lambda rows: workbook({"Sheet1": [NAMES, *rows]})),
}  # fmt: skip
LITTER = {
    "scan.pdf": b"%PDF-1.7", "letter.docx": b"PK\x03\x04", "old.doc": b"\xd0\xcf\x11\xe0",
    "old.xls": b"\xd0\xcf\x11\xe0",
    "all.zip": b"PK\x03\x04", ".DS_Store": b"\0\0\0\1Bud1", "Thumbs.db": b"\xd0\xcf\x11\xe0", "README": b"read me",
    "message.hl7": b"MSH|^~\\&|", "cda.xml": b"<?xml version='1.0'?>", "empty.txt": b"", "binary.txt": b"\x81\x8d" * 9,
    "page.png": b"\x89PNG\r\n\x1a\n", "broken.txt.gz": b"\x1f\x8b\x08", "named.txt": b"%PDF-1.7",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One file, and the texts that it holds, by accession number."""

    kind: str
    name: str
    content: bytes
    truth: dict[str, str]


def cases() -> Iterator[Case]:
    """Tables: every dialect in every encoding, every escape in every form, plain and gzip'd; and files of one text."""
    seed = 0
    for dialect, write in DIALECTS.items():
        for encoding, encode in ENCODINGS.items():
            for escape in ("none", *list(ESCAPES)[1 + seed % 3 :: 3][:3]):
                seed += 1
                if dialect == "bare tabs" and escape in ("html table", "rtf", "quoted printable"):
                    continue  # their line breaks are their own
                rows, truth = _rows(seed, escape)
                suffix = ".tsv" if "tab" in dialect else ".csv"
                yield from _case(f"{dialect}/{encoding}/{escape}", f"r{suffix}", encode(write(rows)), truth, seed)
    for form, (suffix, table) in TABLES.items():
        for escape in ESCAPES:
            seed += 1
            rows, truth = _rows(seed, escape)
            yield from _case(f"{form}/{escape}", f"r{suffix}", table(rows), truth, seed)
    for escape, written in ESCAPES.items():
        for encoding, encode in ENCODINGS.items():
            seed += 1
            if (encoding, escape) == ("cp1252", "invisible"):
                continue  # which has no such characters
            (text,) = texts(1, seed)
            suffix = {"rtf": ".rtf", "html p": ".html"}.get(escape, ".txt")
            yield from _case(f"one text/{encoding}/{escape}", f"A1{suffix}", encode(written(text)), {"A1": text}, seed)


def _case(kind: str, name: str, content: bytes, truth: dict[str, str], seed: int) -> Iterator[Case]:
    """The file as it is, or each third time gzip'd."""
    zipped = seed % 3 == 0
    yield Case(
        f"{kind}{'/gz' if zipped else ''}", name + ".gz" * zipped, gzip.compress(content) if zipped else content, truth
    )


def _rows(seed: int, escape: str) -> tuple[list[Row], dict[str, str]]:
    truth = {f"A{seed:04}{i}": text for i, text in enumerate(texts(4, seed))}
    return [(accession, ESCAPES[escape](text), f"n{i}, x") for i, (accession, text) in enumerate(truth.items())], truth


def _plain(text: str) -> str:
    return " ".join(text.split())


def judge(path: Path, truth: dict[str, str]) -> Counter[str]:
    """What became of a file's texts: recovered, lost (a Reason or an error that names the file), wrong, silent."""
    columns = COLUMNS if len(truth) > 1 else ReportColumns()
    try:
        check_columns(path, columns)
        reports = list(read_reports(path, columns))
    except RecipeError:
        return Counter(lost=len(truth))
    found = {r.accession: r for r in reports if r.reason is None}
    told = Counter(
        "recovered" if _plain(found[a].text) == _plain(text) else "wrong" for a, text in truth.items() if a in found
    )
    missing, reasons = len(truth.keys() - found.keys()), sum(r.reason is not None for r in reports)
    told["lost"] += min(missing, reasons)
    told["silent"] += max(missing - reasons, 0)
    told["wrong"] += len(found.keys() - truth.keys())
    return told


def run() -> dict[str, object]:
    """Counts over all files: texts recovered, lost under a reason, wrong, lost silently; files, and files of a mixed
    folder that are not in the funnel. ``not_recovered`` names the kinds of the others."""
    total: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    files = 0
    with tempfile.TemporaryDirectory() as folder:
        mixed = Path(folder) / "mixed"
        mixed.mkdir()
        for case in cases():
            files += 1
            path = Path(folder) / f"{files}" / case.name
            path.parent.mkdir()
            path.write_bytes(case.content)
            told = judge(path, case.truth)
            total += told
            if told["recovered"] < len(case.truth):
                missed[case.kind] += len(case.truth) - told["recovered"]
            if len(case.truth) == 1:
                (mixed / f"{files}_{case.name}").write_bytes(case.content)
        for name, content in LITTER.items():
            (mixed / name).write_bytes(content)
        lying = {path.name for path in mixed.iterdir()}
        counted = {report.row for report in read_reports(mixed, ReportColumns())}
    return {
        "files": files,
        "texts": sum(total.values()),
        **{name: total[name] for name in ("recovered", "lost", "wrong", "silent")},
        "files_in_folder": len(lying),
        "files_not_in_funnel": len(lying - counted),
        "not_recovered": dict(missed.most_common()),
    }


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:22}{value}" if not isinstance(value, dict) else json.dumps(value, indent=1, ensure_ascii=False))
