"""Every form of report file: read to the same reports, or named; every file of a folder counted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.input import report_files
from curate.deid.rules import TextRules
from curate.errors import DropRecord, RecipeError
from curate.ingest.chain import _Verify, each_row
from curate.ingest.rules import PictureRules
from curate.record import INDEX, Reason
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.messages.structured import read_structured
from curate.sources.reports.read import check_columns, read_reports
from curate.sources.reports.report import Report
from curate.sources.reports.rows import open_records
from tests.curate.dicomfiles import gradient, to_bytes, write
from tests.curate.test_report import as_csv, as_parquet, put
from tests.curate.workbooks import workbook

COLUMNS = ReportColumns(text="text", accession="id")
ROWS = [{"id": "007", "text": 'FINDINGS: clear, no "mass".\nIMPRESSION: normal.'}, {"id": "12", "text": "Möglich; 肺"}]
TOLD = [(row["id"], row["text"]) for row in ROWS]
TABLE = [["id", "text"], *([row["id"], row["text"]] for row in ROWS)]
BY_COLUMN = {name: {str(i): row[name] for i, row in enumerate(ROWS)} for name in ("id", "text")}
BASIC_TEXT, DOSE = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.88.67"


def told(path: Path, columns: ReportColumns = COLUMNS, **options: object) -> list[tuple[str, str | Reason]]:
    check_columns(path, columns, **options)  # type: ignore[arg-type]
    return [(r.accession, r.reason or r.text) for r in read_reports(path, columns, **options)]  # type: ignore[arg-type]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv", as_csv(ROWS)),
        ("r.csv", as_csv(ROWS).encode("utf-16-le")),
        ("r.csv", as_csv(ROWS).encode("utf-16-be")),
        ("r.csv", as_csv(ROWS).encode("utf-32")),
        ("r.tsv", as_csv(ROWS, "\t")),
        ("r.csv", as_csv(ROWS).replace("\r\n", "\r")),
        ("r.csv", "sep=,\r\n" + as_csv(ROWS)),
        ("r.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("r.ndjson", "\ufeff" + "\n\n".join(json.dumps(r, ensure_ascii=False) for r in ROWS)),
        ("r.json", json.dumps(ROWS)),
        ("r.json", json.dumps({"count": 2, "rows": ROWS}, indent=1)),
        ("r.json", json.dumps(BY_COLUMN)),
        ("r.json", json.dumps({"columns": ["id", "text"], "index": [0, 1], "data": [[*r.values()] for r in ROWS]})),
        ("r.json", json.dumps({name: [r[name] for r in ROWS] for name in ("id", "text")})),
        ("r.json", json.dumps({r["id"]: r for r in ROWS})),
        ("r.json", json.dumps({"train": ROWS[:1], "test": ROWS[1:], "info": [{"license": "y"}]})),
        ("r.csv", as_csv(ROWS).replace("id,text", "ID, Text ")),
        ("r.parquet", as_parquet([{"Id": r["id"], "TEXT": r["text"]} for r in ROWS])),
        ("r.xlsx", workbook({"Jan": TABLE[:2], "Feb": [["ID", " Text"], TABLE[2]]})),
        ("r.xlsx", workbook({"Notes": [["x"]], "Reports": [["ID", "text "], *TABLE[1:]]})),
        ("r.jsonl", "\n".join(json.dumps({"ID": r["id"], "Text": r["text"]}) for r in ROWS)),
        ("r.csv", as_csv(ROWS) + "\0" * 512),
        ("r.csv", as_csv(ROWS).replace("007", "007\0").replace("12", "\0\x0012")),
        ("r.jsonl", "\n".join(map(json.dumps, ROWS)) + "\0\0"),
        ("r.json", "\n".join(map(json.dumps, ROWS))),
        ("r.jsonl", json.dumps(ROWS, indent=2)),
        ("r.parquet", as_parquet(ROWS)),
        ("r.pq", as_parquet(ROWS)),
        ("r.xlsx", workbook({"Sheet1": TABLE})),
        ("r.xlsx", workbook({"Notes": [["x"]], "Reports": TABLE})),
        ("R.XLSX", workbook({"Sheet1": [[None, None], *TABLE, [None, None]]})),
    ],
)  # fmt: skip
def test_a_table_of_any_form_holds_the_same_reports(
    tmp_path: Path, name: str, content: bytes | str, zipped: bool
) -> None:
    path = put(tmp_path / name, content)
    if zipped:
        path = put(tmp_path / f"{name}.gz", gzip.compress(path.read_bytes()))
    got = [one for one in told(path) if one[1] is not Reason.NOT_A_REPORT]
    assert [(a, str(t).replace("\r", "")) for a, t in got] == TOLD if ".csv" in name else got == TOLD


def test_numbers_and_days_of_a_workbook_are_as_they_were_written(tmp_path: Path) -> None:
    sheet = [["id", "text", "n"], [12345.0, "a_x000D_\nb & <c", 1.5], [120000000000, "d", None]]
    columns = ReportColumns(text="text", accession="id", keep={"n": "n"})
    reports = list(read_reports(put(tmp_path / "r.xlsx", workbook({"S": sheet})), columns))
    assert [(r.accession, r.text.split(), r.meta["n"]) for r in reports] == [
        ("12345", ["a", "b", "&", "<c"], "1.5"),
        ("120000000000", ["d"], ""),
    ]


def test_every_sheet_of_a_workbook_is_read_or_counted(tmp_path: Path) -> None:
    sheets = {"2023": TABLE[:2], "Legend": [["code"], ["A"]], "2024": [TABLE[0], TABLE[2]], "Empty": []}
    assert told(put(tmp_path / "r.xlsx", workbook(sheets))) == [TOLD[0], ("", Reason.NOT_A_REPORT), TOLD[1]]


def test_a_workbook_too_large_to_hold_is_named(tmp_path: Path) -> None:
    path = put(tmp_path / "r.xlsx", workbook({"S": TABLE}, last="XFD1048576"))
    with pytest.raises(DropRecord) as dropped, open_records(path):
        pass
    assert dropped.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("A1.txt", "FINDINGS: clear."), ("A1.text.gz", gzip.compress(b"FINDINGS: clear.", mtime=0)),
        ("A1.rtf", r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\pard\b FINDINGS:\b0  clear.\par}"),
        ("A1.txt", r"{\rtf1\ansi FINDINGS: clear.}"),
        ("A1.rtf.gz", gzip.compress(rb"{\rtf1\ansi FINDINGS: clear.}", mtime=0)),
        ("A1.html", "<!DOCTYPE html><html><head><title>x</title></head><body><p>FINDINGS: clear.</p></body></html>"),
        ("A1.HTM", "<?xml version='1.0'?><html><body>FINDINGS:<br/>clear.</body></html>"),
        ("A1.txt", "FINDINGS: clear.".encode("utf-16-be")), ("A1.txt", "<p>FINDINGS:&nbsp;clear.</p>"),
    ],
)  # fmt: skip
def test_one_report_a_file(tmp_path: Path, name: str, content: bytes | str) -> None:
    put(tmp_path / name, content)
    (report,) = read_reports(tmp_path, ReportColumns())
    assert (report.accession, report.reason, report.text.split()) == ("A1", None, ["FINDINGS:", "clear."])
    assert told(tmp_path / name, ReportColumns())[0][0] == "A1"


LITTER = {
    "a.pdf": b"%PDF-1.7", "b.docx": b"PK\x03\x04", "c.doc": b"\xd0\xcf\x11\xe0", "d.zip": b"PK\x03\x04",
    ".DS_Store": b"\0\0\0\1Bud1", "Thumbs.db": b"\xd0\xcf\x11\xe0", "f": b"no suffix",
    "g.xml": b"<?xml version='1.0'?>",
    "h.txt": b"MSH|^~\\&|RIS", "i.png": b"\x89PNG\r\n\x1a\n", "j.csv": b"PK\x03\x04 a workbook", "k.txt": b"%PDF-1.7",
    "l.html": b"<?xml version='1.0'?><ClinicalDocument/>", "m.gz": gzip.compress(b"x"), "n.hl7": b"MSH|",
}  # fmt: skip


def test_every_file_of_a_folder_is_a_report_or_a_reason(tmp_path: Path) -> None:
    for name, content in LITTER.items():
        put(tmp_path / "deep" / name, content)
    put(tmp_path / "M1.txt", "clear")
    put(tmp_path / "empty.pdf", b"")
    put(tmp_path / "t.json", json.dumps({"name": "a data set", "version": 1}))
    put(tmp_path / "u.csv", "file,label\na.png,0\n")
    put(tmp_path / "v.txt.gz", gzip.compress(b"clear" * 9)[:-12])
    (tmp_path / "link").symlink_to("M1.txt")
    reasons = {r.row: r.reason for r in read_reports(tmp_path, ReportColumns())}
    assert reasons.pop("M1.txt") is None
    assert reasons.pop("link") is Reason.SYMLINK
    assert reasons.pop("empty.pdf") is Reason.EMPTY_FILE
    assert reasons.pop("v.txt.gz") is Reason.UNREADABLE_FILE
    assert set(reasons) == {f"deep/{name}" for name in LITTER} | {"t.json", "u.csv"}
    assert reasons.pop("deep/d.zip") is Reason.DAMAGED_ARCHIVE
    assert set(reasons.values()) == {Reason.NOT_A_REPORT}


@pytest.mark.parametrize(
    "content", [{"A1": "Clear.", "A2": "A mass."}, {"A1": {"text": "Clear."}, "A2": {"text": "A mass.", "view": "AP"}}]
)
def test_records_by_their_ids_have_the_column_key(tmp_path: Path, content: object) -> None:
    path = put(tmp_path / "r.json", json.dumps(content))
    by_key = ReportColumns(text="text", accession="key")
    assert told(path, by_key) == [("A1", "Clear."), ("A2", "A mass.")]
    with pytest.raises(RecipeError, match=r"there is no column 'accession'\n.*the columns are key, text"):
        check_columns(path, ReportColumns(text="text", accession="accession"))
    with open_records(path) as records:  # as `curate deid` reads, which is told of no columns
        assert [row["key"] for row in records.rows if not isinstance(row, Reason)] == ["A1", "A2"]


def test_one_record_is_no_table_by_ids(tmp_path: Path) -> None:
    path = put(tmp_path / "r.json", json.dumps({"id": "A1", "text": "Clear.", "patient": {"id": 1}}))
    assert told(path) == [("A1", "Clear.")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv", "id,text\n"), ("r.json", "[]"), ("r.jsonl", "\n"), ("r.parquet", as_parquet(ROWS)[:0]),
        ("r.xlsx", workbook({"Sheet1": TABLE[:1]})), ("r.json", '{"rows": []}'),
    ],
)  # fmt: skip
def test_a_file_without_a_report_is_counted(tmp_path: Path, name: str, content: str | bytes) -> None:
    put(tmp_path / name, content)
    put(tmp_path / "z.csv", as_csv(ROWS))
    first, *rest = read_reports(tmp_path, COLUMNS)
    assert first.row == name and first.reason in (Reason.EMPTY_REPORT, Reason.NOT_A_REPORT)
    assert [(r.accession, r.text) for r in rest] == TOLD
    if not name.endswith(("parquet", "{")) and "rows" not in str(content):
        assert first.reason is Reason.EMPTY_REPORT


def test_a_table_of_something_else_among_reports_is_counted_and_half_a_one_is_an_error(tmp_path: Path) -> None:
    put(tmp_path / "a.csv", as_csv(ROWS))
    put(tmp_path / "b.json", json.dumps({"title": "x", "license": "y"}))
    put(tmp_path / "c.csv", "file,label\na.png,0\n")
    assert told(tmp_path) == [*TOLD, ("", Reason.NOT_A_REPORT), ("", Reason.NOT_A_REPORT)]
    put(tmp_path / "d.csv", "id,words\n1,a\n")
    with pytest.raises(RecipeError, match=r"columns\.text: there is no column 'text'"):
        check_columns(tmp_path, COLUMNS)


def test_what_an_image_source_counts_is_not_counted_again(tmp_path: Path) -> None:
    put(tmp_path / "1.txt", "clear")
    write(tmp_path / "1.dcm", gradient())
    put(tmp_path / "1.jpg", b"\xff\xd8\xff")
    put(tmp_path / ".DS_Store", b"\0")
    put(tmp_path / "notes.pdf", b"%PDF")
    images = {str(tmp_path / name): name in ("1.dcm", "1.jpg") for name in ("1.dcm", "1.jpg", "1.txt", ".DS_Store")}
    got = [(r.row, r.reason) for r in read_reports(tmp_path, ReportColumns(), images=images)]
    assert got == [("1.txt", None), ("notes.pdf", Reason.NOT_A_REPORT)]


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("r.xls", b"\xd0\xcf\x11\xe0", r"old kind\n.*\.xlsx or CSV"), ("r.pdf", b"%PDF", "PDF, which is not read"),
        ("r.docx", b"PK", r"word processor.*\n.*\.txt or \.rtf"), ("r.zip", b"PK\x03\x04",
        "archive that cannot be read\n.*unpack"),
        ("r.xml", b"<?xml", "document of XML"), ("r.xlsx", b"PK\x03\x04" + bytes(99), "no readable xlsx"),
        ("r.csv", b"%PDF-1.7", "no readable csv file: it is a PDF"), ("r.csv", b"PK\x03\x04", "it is a workbook"),
        ("r.json", b"[1, 2]", "no readable json"), ("r.json", b"{", "no readable json"), ("r.gz", b"", "give 'format'"),
        ("r.csv.gz", gzip.compress(b"id,text\n1,a\n", mtime=0)[:12], "no readable csv"),
        ("r.dat", b"x", "give 'format'"),
    ],
)  # fmt: skip
def test_a_single_file_that_is_no_report_is_named(tmp_path: Path, name: str, content: bytes, match: str) -> None:
    path = put(tmp_path / name, content)
    with pytest.raises(RecipeError, match=match):
        check_columns(path, COLUMNS)


def test_a_folder_that_holds_no_report_says_what_it_holds(tmp_path: Path) -> None:
    put(tmp_path / "a.pdf", b"%PDF")
    put(tmp_path / "b.docx", b"PK\x03\x04")
    put(tmp_path / "Doe_John.x", b"")
    with pytest.raises(RecipeError, match=r"holds no reports: there is a PDF.*; a word processor's") as caught:
        check_columns(tmp_path, ReportColumns())
    assert "Doe" not in str(caught.value)
    put(tmp_path / "c.csv", "id,words\n1,a\n")
    with pytest.raises(RecipeError, match=r"columns\.text"):
        check_columns(tmp_path, ReportColumns(text="text"))


@pytest.mark.parametrize(
    "first", ["Smith,John,Chest", "Quillermark;Ada;0012077", "Doe^John,x,y", "Okonkwo\tAda\tnormal chest"]
)
def test_a_first_row_of_data_is_not_printed(tmp_path: Path, first: str) -> None:
    with pytest.raises(RecipeError) as caught:
        check_columns(put(tmp_path / "r.csv", f"{first}\n{first}\n"), COLUMNS)
    assert not any(word in str(caught.value) for word in ("Smith", "Quill", "Doe", "Okonkwo", "Ada", "00120"))


def test_columns_that_name_columns_are_printed(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="FINDINGS_COL, MRN, Report Text, study_date"):
        check_columns(put(tmp_path / "r.csv", "FINDINGS_COL,MRN,Report Text,study_date\n1,2,3,4\n"), COLUMNS)


# -- markup in cells


def test_names_and_kept_columns_are_decoded_and_paths_are_not(tmp_path: Path) -> None:
    row = {
        "id": "A&amp;1",
        "text": "<p>clear</p>",
        "name": "M&uuml;ller^Ada",
        "file": "img\\n001.png",
        "sex": "F&nbsp;",
    }
    columns = ReportColumns(text="text", accession="id", patient_name="name", image="file", keep={"sex": "sex"})
    (report,) = read_reports(put(tmp_path / "r.csv", as_csv([row])), columns)
    assert (report.accession, report.image, report.meta) == ("A&1", "img\\n001.png", {"sex": "F "})
    assert set(report.phi) == {"A&1", "A&amp;1", "Müller^Ada", "M&uuml;ller^Ada"}
    assert (report.text.strip(), report.undecoded) == ("clear", "<p>clear</p>")


def verified(text: str, raw: str, undecoded: str | None = None, vocabulary: bool = True) -> list[str]:
    index = pa.Table.from_pylist([{"key": "k", "kind": "none", "undecoded": undecoded}], INDEX)
    verify = _Verify(PictureRules(), TextRules(vocabulary=vocabulary))
    parts = {"report": lambda row: {**row, "text": text, "raw": raw}, "verify": verify}
    return each_row(index, parts)["findings"].to_pylist()[0] or []


def test_words_that_a_recipe_lets_stay_are_no_findings_and_called_names_are() -> None:
    text = "This is the Sigmoid Flexture of the colon beside small Bowen."
    assert verified(text, text) == ["name"] and verified(text, text, vocabulary=False) == []
    text = "This was seen by Dr. Thornquist, and Thornquist agreed."
    assert verified(text, text, vocabulary=False) == ["name"]


def test_the_verifier_is_told_what_markup_held(tmp_path: Path) -> None:
    def found(text: str, undecoded: str | None) -> list[str]:
        return verified(text, "Seen in clinic.", undecoded)

    assert found("Seen by Thornquist.", "<p title='Dr. Thornquist'>Seen in clinic.</p>") == ["name"]
    assert found("Seen by Thornquist.", None) == []
    assert found("Seen in clinic.", "<p title='Dr. Thornquist'>Seen in clinic.</p>") == []


# -- DICOM structured reports


def item(
    kind: str, name: str, relation: str = "CONTAINS", below: list[Dataset] | None = None, **values: object
) -> Dataset:
    ds, code = Dataset(), Dataset()
    code.CodeMeaning, code.CodeValue, code.CodingSchemeDesignator = name, "1", "99X"
    ds.RelationshipType, ds.ValueType, ds.ConceptNameCodeSequence = relation, kind, [code]
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    if below:
        ds.ContentSequence = below
    return ds


def structured(sop: str = BASIC_TEXT) -> bytes:
    unit, measured, coded = Dataset(), Dataset(), Dataset()
    unit.CodeValue, unit.CodeMeaning, unit.CodingSchemeDesignator = "mm", "millimeter", "UCUM"
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "12", [unit]
    coded.CodeMeaning, coded.CodeValue, coded.CodingSchemeDesignator = "Left lung", "1", "99X"
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3.9"
    ds.PatientID, ds.PatientName, ds.AccessionNumber, ds.StudyInstanceUID = "MRN42", "Quillermark^Ada", "ACC7", "1.2.3"
    ds.StudyDate, ds.Modality, ds.ValueType = "20200229", "SR", "CONTAINER"
    ds.ContentSequence = [
        item("PNAME", "Person Observer Name", "HAS OBS CONTEXT", PersonName="Thornquist^Eva"),
        item("CONTAINER", "Findings", below=[
            item("TEXT", "Finding", TextValue="The lungs are clear.\\.br\\No effusion."),
            item("NUM", "Diameter", MeasuredValueSequence=[measured]),
            item("CODE", "Finding Site", ConceptCodeSequence=[coded]),
        ]),
        item("CONTAINER", "Impressions", below=[item("TEXT", "Impression", TextValue="Normal.")]),
        item("TEXT", "Recommendation", TextValue="None."),
    ]  # fmt: skip
    return to_bytes(ds)


def test_the_text_of_a_structured_report(tmp_path: Path) -> None:
    put(tmp_path / "sr" / "no_suffix", structured())
    put(tmp_path / "sr" / "dose.dcm", structured(DOSE))
    write(tmp_path / "sr" / "image.dcm", gradient())
    check_columns(tmp_path, ReportColumns())
    dose, image, report = read_reports(tmp_path, ReportColumns())
    assert (dose.reason, image.reason, report.reason) == (Reason.NOT_A_REPORT, Reason.NOT_A_REPORT, None)
    assert (report.accession, report.study, report.patient, report.date) == ("ACC7", "1.2.3", "MRN42", "20200229")
    assert report.text.split("\n") == [
        "FINDINGS:", "The lungs are clear.", "No effusion.", "Diameter: 12 mm", "Finding Site: Left lung",
        "", "IMPRESSIONS:", "Normal.", "Recommendation: None.",
    ]  # fmt: skip
    assert {"Quillermark^Ada", "Thornquist^Eva", "MRN42", "ACC7"} <= set(report.phi)


def test_a_structured_report_among_the_images(tmp_path: Path) -> None:
    put(tmp_path / "1.dcm", structured())
    write(tmp_path / "2.dcm", gradient())
    images = {str(tmp_path / "1.dcm"): False, str(tmp_path / "2.dcm"): True}
    reports = list(read_reports(tmp_path, ReportColumns(), images=images))
    assert [(r.row, r.accession, r.reason) for r in reports] == [("1.dcm", "ACC7", None)]
    assert isinstance(reports[0], Report)
    with pytest.raises(DropRecord):
        read_structured(tmp_path / "2.dcm")


def test_generated_files_come_back_as_they_were_or_under_a_reason() -> None:
    told = report_files.run()
    assert (told["wrong"], told["silent"], told["files_not_in_funnel"]) == (0, 0, 0)
    assert told["files"] > 600 and told["lost"] <= 2  # type: ignore[operator]
