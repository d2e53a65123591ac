"""Forms of report files that exports have beside the usual ones: each read whole, or a Reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from curate.ingest.index import not_read
from curate.record import Reason
from curate.sources.identity import canonical_id, listed, separators
from curate.sources.pairing.several import declared_status
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.read import check_columns, read_reports
from curate.sources.reports.text.markup import report_text
from curate.sources.reports.text.section import parse_sections
from tests.curate.workbooks import workbook

COLUMNS = ReportColumns(text="report", accession="acc")
WANTED = [("A1", "No effusion."), ("A2", "Mild oedema, stable.")]
ROWS = [{"acc": acc, "report": text} for acc, text in WANTED]


def read(path: Path, columns: ReportColumns = COLUMNS) -> list[tuple[str, str] | Reason]:
    check_columns(path, columns)
    return [r.reason or (r.accession, r.text) for r in read_reports(path, columns)]


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("r.csv", 'acc,report\nA1,"The "small" one, No effusion."\nA2,"Said ""no"" then "yes"."\n',
         [("A1", 'The "small" one, No effusion.'), ("A2", 'Said "no" then "yes".')]),
        ("r.csv", 'acc,report\nA1,"A "big" heart\nis seen."\nA2,"b"\n',
         [("A1", 'A "big" heart\nis seen.'), ("A2", "b")]),
        ("r.csv", 'acc,report\nA1,5" tube "in" place\nA2,b\n', [("A1", '5" tube "in" place'), ("A2", "b")]),
        ("r.csv", 'acc,report\nA1,"No effusion."\nA2,"Mild oedema, stable."\n\n(2 rows affected)\n', WANTED),
        ("r.csv", 'acc|report\nA1|No effusion.\nA2|Mild oedema, stable.\n(2 rows)\n', WANTED),
        ("r.csv", 'acc,report\nA1,"No effusion."\nA2,"Mild oedema, stable."\nEnd of export\n',
         [*WANTED, Reason.BROKEN_ROW]),
        ("r.csv", 'Radiology, all sites\n\nacc,report\nA1,"No effusion."\nA2,"Mild oedema, stable."\n', WANTED),
        ("r.csv", 'acc,report\n---,------\nA1,"No effusion."\nacc,report\nA2,"Mild oedema, stable."\r\n\x1a', WANTED),
        ("r.txt", " acc |  report\n-----+-------\n A1  |No effusion.\n A2  |Mild oedema, stable.\n(2 rows)\n", WANTED),
        ("r.jsonl", '{"acc": "A1", "report": "Mild\toedema."}', [("A1", "Mild\toedema.")]),
        ("r.csv", 'acc,report\nA1,""""""\n', [Reason.EMPTY_REPORT]),
        ("r.csv", "acc\x01report\nA1\x01No effusion.\nA2\x01Mild oedema, stable.\n", WANTED),
        ("r.csv", "acc^report\nA1^No effusion.\nA2^Mild oedema, stable.\n", WANTED),
        ("r.txt", 'acc,report\nA1,"No effusion."\nA2,"Mild oedema, stable."\n', WANTED),
        ("r.csv", "acc,report\nA1,NULL\nA2,\\N\nA3,n/a\n", [Reason.EMPTY_REPORT] * 3),
        ("r.json", json.dumps({"site": "x", "data": {"count": 2, "reports": ROWS}}), WANTED),
        ("r.json", "\n".join(json.dumps(row, indent=1) for row in ROWS), WANTED),
        ("r.jsonl", ",\n".join(map(json.dumps, ROWS)), WANTED),
        ("r.jsonl", json.dumps({"acc": "A1", "report": ["FINDINGS: Clear.", "IMPRESSION: Normal."]}),
         [("A1", "FINDINGS: Clear.\nIMPRESSION: Normal.")]),
        ("r.jsonl", json.dumps({"acc": "A1", "report": ["FINDINGS:", "Clear."]}), [("A1", "FINDINGS:\nClear.")]),
        ("r.jsonl", json.dumps({"acc": "A1", "report": {"text": "Clear."}}), [Reason.BROKEN_ROW]),
    ],
)  # fmt: skip
def test_forms(tmp_path: Path, name: str, raw: str, expected: list[object]) -> None:
    (tmp_path / name).write_bytes(raw.encode())
    assert read(tmp_path) == expected
    assert read(tmp_path / name) == expected
    (tmp_path / name).unlink()
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(raw.encode()))
    assert read(tmp_path) == expected


def test_fields_of_fields(tmp_path: Path) -> None:
    row = {"acc": "A1", "report": {"findings": "Clear.", "impression": {"text": "Normal."}}}
    (tmp_path / "r.json").write_text(json.dumps([row]))
    columns = ReportColumns(
        accession="acc", sections={"findings": "report.findings", "impression": "report.impression.text"}
    )
    assert read(tmp_path, columns) == [("A1", "FINDINGS: Clear.\n\nIMPRESSION: Normal.")]


def test_sheets_of_other_orders_and_titles(tmp_path: Path) -> None:
    sheets = {
        "2019": [["Radiology export"], ["acc", "report"], ["A1", "a"]],
        "2020": [["report", "site", "acc"], ["b", "x", "A2"]],
        "notes": [["by", "whom"], ["me", "you"]],
    }
    (tmp_path / "r.xlsx").write_bytes(workbook(sheets))
    assert read(tmp_path) == [("A1", "a"), ("A2", "b"), Reason.NOT_A_REPORT]


def test_malformed_rows_are_told(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("acc,report\nA1,a, b, and c\nA2,d, e\n")
    reports = list(read_reports(tmp_path, COLUMNS))
    assert {r.reason for r in reports} == {Reason.BROKEN_ROW}
    assert any("2 of 2 report rows are malformed" in line for line in not_read(reports))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1.23454678901E+11", "123454678901"), ("1,23454678901e11", "123454678901"), ("1.23457E+11", "1.23457e+11"),
        ("1.5E1", "1.5e1"),
    ],
)  # fmt: skip
def test_a_float_with_all_of_its_digits(value: str, expected: str) -> None:
    assert canonical_id(value) == expected == canonical_id(expected)


def test_ids_joined_by_a_word() -> None:
    assert listed("AC1 and AC2", separators()) == ["AC1", "AC2"]
    assert listed("CT of head and neck 2", separators()) == ["CT of head and neck 2"]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("Addendum #2", "addendum"), ("F - Final", "final"), ("Final (signed)", "final"),
        ("FINAL CORRECTED", "corrected"),
        ("Final with addendum", "addendum"), ("pending final", ""), ("not signed", ""), ("final draft", ""), ("x9", ""),
    ],
)  # fmt: skip
def test_status_words_with_others(value: str, status: str) -> None:
    assert declared_status(value) == status


@pytest.mark.parametrize(
    "raw",
    [
        "FINDINGS: Clear.\u2028IMPRESSION: Normal.",
        "FINDINGS: Clear.\fIMPRESSION: Normal.", "FINDINGS:|Clear.|IMPRESSION:|Normal.",
        "FINDINGS:^Clear.^IMPRESSION:^Normal.", "FINDINGS:\xb6Clear.\xb6IMPRESSION: Normal.",
        "<Report><Findings>Clear.</Findings><Impression>Normal.</Impression></Report>",
        r"FINDINGS: Clear.\Z0\\.br\IMPRESSION: Normal.",
        "<p>FINDINGS: Clear.</p><![if !supportLists]><p>IMPRESSION: Normal.</p><![endif]>",
    ],
)  # fmt: skip
def test_marks_in_a_line_breaks_place(raw: str) -> None:
    assert parse_sections(report_text(raw)) == {"findings": "Clear.", "impression": "Normal."}


def test_marks_that_mean_themselves_stay() -> None:
    for text in ("DOE^JOHN was here.", "Ratio 3|4. a|b", "T2^3 and 10^9. Two.", "<summary> of care"):
        assert report_text(text) == text


def test_unicode_text_as_a_spreadsheet_saves_it(tmp_path: Path) -> None:
    table = 'acc\treport\r\nA1\t"No effusion."\r\nA2\t"Mild oedema, stable."\r\n'
    for codec in ("utf-16", "utf-16-le", "utf-8-sig"):
        (tmp_path / "r.txt").write_bytes(table.encode(codec))
        assert read(tmp_path) == WANTED
