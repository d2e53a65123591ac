"""One patient under one secret: one pseudonym and one date shift, in both commands, however the number is written."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.deid.header.clean import attributes, clean_header
from curate.deid.pseudonym import Pseudonymizer
from curate.deid_export.crosswalk import CROSSWALK, read_crosswalk
from curate.deid_export.job import write_crosswalk
from curate.deid_export.reports.clean import clean_report_parts
from curate.deid_export.reports.people import People
from curate.deid_export.rules import ReleaseRules
from curate.deid_export.survey import survey
from curate.ingest.rules import IndexRules
from curate.sources.dicom.file import open_dicom
from curate.sources.identity import canonical_id, listed, separators, shape, spellings
from curate.sources.pairing.rules import PairRules
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.read import read_reports
from curate.sources.reports.report import Report
from curate.sources.scan import LISTING, SCAN, scan_file
from tests.curate.dicomfiles import gradient, write
from tests.curate.indexing import build_index

P = Pseudonymizer(b"one" * 12)


@pytest.mark.parametrize(
    ("written", "is_"),
    [
        ("MRN0077", "mrn0077"), (" mrn0077\0", "mrn0077"), ("\u00a0Mrn0077\u200b ", "mrn0077"),
        ("ＭＲＮ００７７", "mrn0077"),
        ("12345.0", "12345"), ("1^^^S^SS~77^^^H^MR", "77"),
        ("1^^^S^SS~77^^^H^PI~5", "77"), ("~9^^^A~8^^^B", "9"), ("~^^^A", ""), ("12345,00", "12345"),
        ("12345^^^MERCY", "12345"),
        ("12345^5^M11^MERCY&1.2&ISO^MR", "12345"),
        ('="00123"', "00123"), ("'00123", "00123"), ("12345.0^^^MERCY", "12345"), ("A1\\B2", "a1"),
        ("00123", "00123"), ("1.23457E+11", "1.23457e+11"), ("123.000", "123.000"), ("1.2.840.0", "1.2.840.0"),
        ("9007199254740993.0", "9007199254740993.0"), ("SMITH^JOHN", "smith^john"),
        ("^^^MERCY", "^^^mercy"), (" \0", ""),
    ],
)  # fmt: skip
def test_spellings_of_one_id(written: str, is_: str) -> None:
    assert canonical_id(written) == is_


@given(st.text(max_size=16))
def test_what_is_canonical_stays_so(value: str) -> None:
    assert canonical_id(canonical_id(value)) == canonical_id(value)


@pytest.mark.parametrize(
    ("cell", "ids"),
    [
        ("A1; A2", ["A1", "A2"]), ("A1/A2", ["A1", "A2"]), ("A1,A2", ["A1", "A2"]), ("A1\nA22", ["A1", "A22"]),
        ("['A1', 'A2']", ["A1", "A2"]), ("[A1]", ["A1"]), ("A1|B2-2", ["A1", "B2-2"]), ("A1", ["A1"]),
        ("1.2.3\\1.2.4", ["1.2.3", "1.2.4"]), ("CT 2024/1", ["CT 2024/1"]), ("none; A2", ["none; A2"]),
        ("12345,0", ["12345,0"]),
    ],
)  # fmt: skip
def test_a_cell_of_several_ids(cell: str, ids: list[str]) -> None:
    assert listed(cell, separators()) == ids


def test_a_character_of_the_archives_own_ids_separates_nothing() -> None:
    assert listed("A1/A2", separators("/")) == ["A1/A2"]


def test_a_text_is_searched_for_the_bare_number_too() -> None:
    assert "P00123" in list(spellings("P00123^^^MERCY")) and "12345" in list(spellings("12345.0"))


@given(st.text(max_size=24))
def test_a_form_holds_no_letter_and_no_digit(value: str) -> None:
    assert not [c for c in shape(value) if c not in "Aa#?{}0123456789-._/^ \\;,|+&~:"]


def test_the_form_of_an_id() -> None:
    assert [shape(v) for v in ("s50414267", "Ab-0012", "Müller 7", "")] == ["a#{8}", "Aa-#{4}", "Aa{5} #", ""]


# -- through the code that writes ------------------------------------------------------------------------------------

BARE = st.text("ABCDEFXYZ0123456789-", min_size=2, max_size=10).filter(lambda v: v.strip("-") == v and v.strip("0"))
WIDE = str.maketrans({c: chr(ord(c) + 0xFEE0) for c in "ABCDEFXYZ0123456789"})
FORMS: list[Callable[[str], str]] = [
    str.lower, str.upper, lambda v: f" {v} ", lambda v: f"{v}\u00a0", lambda v: f"{v}^^^MERCY",
    lambda v: f"{v}^^^H&1.2&ISO^MR",
    lambda v: v.translate(WIDE), lambda v: f"{v}.0" if v.isdigit() else v, lambda v: f'="{v}"', lambda v: v,
]  # fmt: skip


@st.composite
def same_id_thrice(draw: st.DrawFn) -> tuple[str, str, str]:
    bare = draw(BARE)
    one, other, third = (draw(st.sampled_from(FORMS))(bare) for _ in range(3))
    return one, other, third


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("identity")


@settings(max_examples=25)
@given(ids=same_id_thrice())
def test_one_patient_is_one_pseudonym_and_one_shift_in_both_commands(folder: Path, ids: tuple[str, str, str]) -> None:
    header, told, other = ids
    known = {"AccessionNumber": "A1", "StudyDate": "20240301", "StudyInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.4"}
    image = write(folder / "a.dcm", gradient(), PatientID=header, SpecificCharacterSet="ISO_IR 192", **known)
    with open_dicom(image, 1 << 20) as file:
        cleaned = clean_header(file.dataset, P).dataset
        seen = attributes(file.dataset, P)
    patient, moved = str(cleaned.PatientID), str(cleaned.StudyDate)
    assert seen["date"] == dt.datetime.strptime(moved, "%Y%m%d").date().isoformat()

    table = folder / "reports.csv"
    with table.open("w", encoding="utf-8", newline="") as f:
        csv.writer(f).writerows(
            [("mrn", "accession", "study_date", "report"), (told, "A1", "2024-03-01", "Clear lungs.")]
        )
        csv.writer(f).writerow((other, "A7", "2024-03-01", "No effusion."))
    (written,) = clean_report_parts(table, ReleaseRules(), P, People([survey([image, table], P)]), frozenset())
    rows = list(csv.DictReader(io.StringIO((written.data or b"").decode())))
    assert [(r["mrn"], r["study_date"]) for r in rows] == [(patient, seen["date"])] * 2

    row = scan_file({"path": str(image).encode(), "relative": "a.dcm", "size": 1, "reason": None})
    columns = ReportColumns(text="report", accession="accession", patient="mrn", date="study_date")
    reports = list(read_reports(table, columns))
    index = build_index(
        [("a", pa.Table.from_pylist([row], SCAN))], reports, IndexRules(PairRules(unpaired_reports="keep")), P
    )
    assert index["drop_reason"].null_count == 2 and set(index["patient"].to_pylist()) == {patient}
    days = {P.shift_date(p, "2024-03-01") for p in index["patient_id"].to_pylist()}
    assert days == {seen["date"]}

    listing = pa.Table.from_pylist(
        [{"path": str(image).encode(), "relative": "a.dcm", "size": 1, "reason": None}], LISTING
    )
    write_crosswalk(folder / "cross", [listing], P)
    assert read_crosswalk(folder / "cross", P).select(["patient"]).to_pydict() == {"patient": [patient]}
    assert "patient" in CROSSWALK.names


def test_two_patients_whose_numbers_differ_in_zeros_stay_two() -> None:
    assert P.key("patient", "00123") != P.key("patient", "123") and P.shift("00123") != P.shift("123")


@pytest.mark.parametrize("nobody", ["", "ANONYMOUS", "0", "n/a", "Anonymized^^^HOSPITAL", "--"])
def test_a_file_of_no_named_patient_is_its_studys_in_both_commands(nobody: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(
            tmp_path / f"{name}.dcm",
            gradient(),
            PatientID=nobody,
            StudyInstanceUID="1.2.3",
            SOPInstanceUID=f"1.2.3.{ord(name)}",
        )
    rows = [
        scan_file({"path": str(tmp_path / n).encode(), "relative": n, "size": 1, "reason": None})
        for n in ("a.dcm", "b.dcm")
    ]
    index = build_index([("a", pa.Table.from_pylist(rows, SCAN))], [], IndexRules(PairRules(unpaired_images="keep")), P)
    with open_dicom(tmp_path / "a.dcm", 1 << 20) as file:
        assert set(index["patient"].to_pylist()) == {str(clean_header(file.dataset, P).dataset.PatientID)}
    assert set(index["patient"].to_pylist()) == {P.key("patient", "1.2.3")}


def test_studies_and_accession_numbers_have_one_spelling(tmp_path: Path) -> None:
    told = [Report("1", text="Clear lungs.", accession=a, patient="P1") for a in ("A7", "a7\u00a0", "A7^^^RIS")]
    rules = IndexRules(PairRules(unpaired_reports="keep"))
    assert len(set(build_index([], told, rules, P)["study"].to_pylist())) == 1
    table = tmp_path / "r.csv"
    table.write_text('accession,report\nA7,Clear lungs.\na7 ,No effusion.\n"A7; A8",Normal heart.\n')
    (written,) = clean_report_parts(table, ReleaseRules(), P, People([]), frozenset())
    rows = [r["accession"] for r in csv.DictReader(io.StringIO((written.data or b"").decode()))]
    assert rows == [P.key("accession", "A7")] * 2 + [f"{P.key('accession', 'A7')}; {P.key('accession', 'A8')}"]
