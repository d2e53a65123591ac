"""Report files through the release: rows without identities, in a file of the same kind."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import HeaderRules
from curate.deid_export.reports.cells import output_names
from curate.deid_export.reports.clean import clean_report_parts
from curate.deid_export.reports.people import People
from curate.deid_export.rules import Outcome, ReleaseRules
from curate.deid_export.survey import survey
from curate.record import Fate, Reason
from curate.sources.reports.formats import report_suffix
from curate.sources.reports.tables.columns import Kind, kind_of, safe_name
from tests.curate.dicomfiles import gradient, write
from tests.curate.workbooks import workbook

PSEUDO = Pseudonymizer(b"reports" * 5)
NO_ONE, RULES = People([]), ReleaseRules()
PLANTED = ("Quartermaine", "QH77001", "A4401", "1.2.826.0.1.4401", "Thornquist", "555-0142", "Larkspur")
UID = "1.2.826.0.1.4401"


def row(**more: Any) -> dict[str, Any]:
    """A report's row with every planted identity in it."""
    text = "Mr. Quartermaine (MRN QH77001, A4401), 14 Larkspur Lane, seen 2020-03-01 by Dr. Thornquist, 617-555-0142."
    return {
        "patient_id": "QH77001",
        "Patient Name": "Quartermaine, Allan",
        "accession": "A4401",
        "StudyInstanceUID": UID,
        "study_date": "20200301",
        "dob": "1937-09-22",
        "sex": "F",
        "age": "93",
        "modality": "CT",
        "findings": f"The liver is normal in size. {text}",
        "referring physician": "Evangeline Thornquist, MD",
        "phone": "617-555-0142",
        "size_mm": "14.5",
        **more,
    }


def test_the_number_of_an_item_takes_no_word_with_it(tmp_path: Path) -> None:
    rows = [{"patient_id": "QH77001", "report": "IMPRESSION: 1.No acute fracture. 2.NO EFFUSION."}]
    done = clean(as_csv(tmp_path / "r.csv", rows))
    assert done.data is not None and "1. No acute fracture. 2. NO EFFUSION." in done.data.decode()


def clean(path: Path, people: People = NO_ONE, rules: ReleaseRules = RULES, **more: Any) -> Outcome:
    parts = list(clean_report_parts(path, rules, PSEUDO, people, frozenset(), rules.max_bytes, **more))
    return parts[0] if len(parts) == 1 else Outcome(Reason.TOO_LARGE)


def as_csv(path: Path, rows: list[dict[str, Any]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(out.getvalue().encode(encoding))
    return path


def as_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def read(outcome: Outcome) -> list[dict[str, Any]]:
    """The rows of what was written."""
    assert Fate.of(outcome.reason) is Fate.CLEAN and outcome.data is not None, outcome
    if outcome.suffix == ".parquet":
        return list(pq.read_table(io.BytesIO(outcome.data)).to_pylist())
    text = outcome.data.decode("utf-8")
    if outcome.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if outcome.suffix == ".tsv" else ","))


def is_clean(outcome: Outcome) -> bool:
    assert outcome.data is not None
    return not any(planted.encode() in outcome.data for planted in PLANTED)


def check_row(got: dict[str, Any]) -> None:
    """The row of `row` as the release writes it, in any format."""
    assert got["patient_id"] == PSEUDO.key("patient", "QH77001")
    assert got["accession"] == PSEUDO.key("accession", "A4401")
    assert got["StudyInstanceUID"] == PSEUDO.uid(UID)
    assert got["study_date"] == PSEUDO.shift_date("QH77001", "20200301")
    assert (got["Patient Name"], got["referring physician"]) == ("[NAME]", "[NAME]")
    assert (got["dob"], got["phone"]) == ("", "")
    assert (got["sex"], got["age"], got["modality"], got["size_mm"]) == ("F", "90", "CT", "14.5")
    assert got["findings"].startswith("The liver is normal in size. ")
    assert f"[DATE:{got['study_date']}]" in got["findings"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.ndjson", "a.parquet", "a.csv.gz"])
def test_every_format_says_the_same_and_nothing_of_anyone(tmp_path: Path, name: str) -> None:
    rows, path = [row(), row(findings="No acute disease.", age="41")], tmp_path / name
    if name.endswith("json") or "json" in name:
        as_jsonl(path, rows)
    elif name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        as_csv(path, rows, delimiter="\t" if ".tsv" in name else ",")
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(path.read_bytes()))
    outcome = clean(path)
    assert outcome.rows == {"": 2}
    assert outcome.suffix == name.removesuffix(".gz")[1:]
    assert is_clean(outcome)
    if outcome.suffix == ".ndjson":
        assert outcome.data is not None and outcome.data.count(b"\n") == 2
        return
    got = read(outcome)
    check_row(got[0])
    assert (got[1]["findings"], got[1]["age"]) == ("No acute disease.", "41")


def test_the_headers_values_are_known_where_the_row_says_only_the_accession_number(tmp_path: Path) -> None:
    identity = {"PatientID": "QH77001", "PatientName": "Quartermaine^Allan", "AccessionNumber": "A4401"}
    image = write(tmp_path / "a.dcm", gradient(), **identity, StudyInstanceUID=UID)
    path = as_csv(tmp_path / "a.csv", [{"acc_no": "A4401", "report": "quartermaine came on 2020-03-01"}])
    assert "quartermaine" not in (clean(path, People([survey([image], PSEUDO)])).data or b"").decode()
    told = read(clean(path, People([survey([image, path], PSEUDO)])))
    assert told[0]["report"] == f"[NAME] came on [DATE:{PSEUDO.shift_date('QH77001', '20200301')}]"


def test_the_same_patient_is_the_same_in_every_file_and_as_in_the_headers(tmp_path: Path) -> None:
    image = write(tmp_path / "a.dcm", gradient(), PatientID="Qh77001 ")
    people = People([survey([image], PSEUDO)])
    for value in ("Qh77001", "QH77001", " qh77001"):
        got = read(clean(as_csv(tmp_path / "a.csv", [{"mrn": value, "note": "stable"}]), people))
        assert got[0]["mrn"] == PSEUDO.key("patient", "Qh77001")


def test_a_columns_dates_are_read_in_the_order_that_any_of_them_proves(tmp_path: Path) -> None:
    """Sorted by date, so that the first 600 days are below 13."""
    told = [f"{1 + i // 50:02}/01/2024" for i in range(600)] + ["13/01/2024"]
    rows = [{"patient_id": f"Q{i}", "study_date": day, "report": "The chest is normal."} for i, day in enumerate(told)]
    for spelt in (lambda day: day, lambda day: day.replace("/", ".")):
        done = read(clean(as_csv(tmp_path / "r.csv", [{**r, "study_date": spelt(r["study_date"])} for r in rows])))
        days = [f"2024-01-{day[:2]}" for day in told]
        assert [r["study_date"] for r in done] == [PSEUDO.shift_date(f"Q{i}", day) for i, day in enumerate(days)]


def test_a_text_file_is_one_report(tmp_path: Path) -> None:
    identity = {"PatientID": "QH77001", "PatientName": "Quartermaine^Allan", "AccessionNumber": "A4401"}
    image = write(tmp_path / "a.dcm", gradient(), **identity)
    people = People([survey([image], PSEUDO)])
    path = tmp_path / "A4401.txt"
    path.write_bytes(
        "FINDINGS: Quartermaine has a stable nodule.\r\nIMPRESSION: Stable since 2020-03-01.".encode("utf-16")
    )
    outcome = clean(path, people)
    assert outcome.data is not None and outcome.suffix == ".txt"
    shifted = PSEUDO.shift_date("QH77001", "20200301")
    assert outcome.data.decode() == f"FINDINGS: [NAME] has a stable nodule.\nIMPRESSION: Stable since [DATE:{shifted}]."
    only = clean(path, people, ReleaseRules(sections=("impression",)))
    assert only.data is not None and only.data.decode() == f"IMPRESSION:\nStable since [DATE:{shifted}]."
    assert clean(path, people, ReleaseRules(sections=("technique",))).reason is Reason.NO_WANTED_SECTION


def test_a_letterhead_of_names_is_in_no_language_and_a_section_is(tmp_path: Path) -> None:
    head = "Patient: OKONKWOSON, KAZIMIERZ\nMRN: QH10741041   DOB: 29.11.1929\nAccession: RX2022\n\n"
    body = "FINDINGS: The right lung is clear. No cardiomegaly.\n"
    for last, reason in (("Left lung pneumonia.", None), ("Pneumonie im linken Unterlappen.", Reason.LANGUAGE)):
        path = tmp_path / "a.txt"
        path.write_text(f"{head}{body}\nIMPRESSION: {last}")
        outcome = clean(path)
        assert outcome.reason is reason
        assert outcome.data is None or (b"OKONK" not in outcome.data and b"clear" in outcome.data)


def test_only_the_wanted_sections_of_columns_are_kept(tmp_path: Path) -> None:
    path = as_jsonl(tmp_path / "a.jsonl", [{"findings": "Clear lungs.", "impression": "Normal.", "modality": "CR"}])
    got = read(clean(path, rules=ReleaseRules(sections=("impression",))))
    assert got == [{"findings": "", "impression": "Normal.", "modality": "CR"}]


def test_nested_values_and_their_keys_are_cleaned(tmp_path: Path) -> None:
    record = {
        "patient": {"mrn": 77001234, "name": {"family": "Quartermaine"}, "age": 93, "alive": True},
        "series": [{"series_uid": UID, "slices": 120, "note": "Dr. Thornquist looked"}, {"slices": 3}],
        "QH77001": {"report": "normal chest"},
        "score": 0.93,
        "ward_visit": None,
        "ssn4": 4419,
    }
    outcome = clean(as_jsonl(tmp_path / "a.jsonl", [record]))
    got = read(outcome)[0]
    assert is_clean(outcome) and b"77001234" not in (outcome.data or b"")
    assert got["patient"]["mrn"] == PSEUDO.key("patient", "77001234")
    assert (got["patient"]["age"], got["patient"]["alive"]) == (90, True)
    assert got["series"][0]["series_uid"] == PSEUDO.uid(UID)
    assert [s["slices"] for s in got["series"]] == [120, 3]
    assert got["column_3"] == {"report": "normal chest"}
    assert (got["score"], got["ward_visit"]) == (0.93, None)
    assert got.get("ssn4", got.get("column_6")) is None


def test_parquet_keeps_types_and_loses_foreign_metadata(tmp_path: Path) -> None:
    table = pa.table(
        {
            "mrn": pa.array([77001234, None], pa.int64()),
            "study_date": pa.array([dt.date(2020, 3, 1), None], pa.date32()),
            "acquired": pa.array([dt.datetime(2020, 3, 1, 13, 45), None], pa.timestamp("ns")),
            "dob": pa.array([dt.date(1937, 9, 22), None], pa.date32()),
            "diameter_mm": pa.array([14.5, None], pa.float32()),
            "labels": pa.array([["Normal", "Dr. Thornquist"], None], pa.list_(pa.string())),
            "box": pa.array([b"Quartermaine", None], pa.binary()),
            "kind": pa.array(["CT", None]).dictionary_encode(),
        }
    ).replace_schema_metadata({"pandas": "Quartermaine", "owner": "Thornquist"})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    outcome = clean(path)
    assert outcome.data is not None and is_clean(outcome)
    file = pq.ParquetFile(io.BytesIO(outcome.data))
    assert not file.schema_arrow.metadata and not file.metadata.metadata
    types = {field.name: field.type for field in file.schema_arrow}
    assert types["study_date"] == pa.date32() and types["diameter_mm"] == pa.float32()
    first, second = file.read().to_pylist()
    moved = dt.date(2020, 3, 1) + PSEUDO.shift("77001234")
    assert (first["mrn"], first["study_date"]) == (PSEUDO.key("patient", "77001234"), moved)
    assert first["acquired"].date() == moved and first["acquired"].hour == 0
    assert (first["dob"], first["diameter_mm"], first["labels"][0], first["kind"]) == (None, 14.5, "Normal", "CT")
    assert second["study_date"] is None and second["diameter_mm"] is None


def test_a_bad_row_is_left_out_and_counted_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    good = b"id,report\r\n7,normal chest\r\n"
    path.write_bytes(good + b"8\r\n9,\xff\xfe\x81\x8d\x8f\r\n10,clear lungs\r\n")
    outcome = clean(path)
    assert outcome.rows == {"": 2, Reason.BROKEN_ROW: 1, Reason.BAD_ENCODING: 1}
    assert [r["report"] for r in read(outcome)] == ["normal chest", "clear lungs"]
    path.write_bytes(b"id,report\r\n8\r\n")
    assert clean(path).reason is Reason.BROKEN_ROW


def test_days_that_tell_an_age_over_89_go_and_the_row_stays(tmp_path: Path) -> None:
    rows = [
        {"patient_id": "QH7", "report": "No fracture.", "note": f"known since {since}", "remark": "seen 3 March 2019"}
        for since in ("17 May 1928", "17 May 1998")
    ]
    outcome = clean(as_csv(tmp_path / "a.csv", rows))
    old, young = read(outcome)
    assert not outcome.findings and outcome.rows == {"": 2}
    assert (old["note"], old["remark"]) == ("known since [DATE]", "seen [DATE]")
    assert "[DATE:" in young["note"] and "[DATE:" in young["remark"]


def test_column_names_that_hold_values_are_renamed(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "a.csv", [{"Quartermaine^Allan": "normal", "QH77001": "stable", "report": "clear"}])
    got = read(clean(path))
    assert got == [{"column_1": "normal", "column_2": "stable", "report": "clear"}]
    names = output_names(("id", "id#2", "column_2", "Quartermaine"))
    assert len(set(names.values())) == 4


def test_two_columns_of_one_name_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"note,note,mrn\r\nclear,stable,QH77001\r\n")
    assert (clean(path).data or b"").splitlines()[1].startswith(b"clear,stable,")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"PK\x03\x04 a spreadsheet"), ("a.txt", b"MSH|^~\\&|RIS"), ("a.txt", b"<?xml version='1.0'?>"),
        ("a.json", b"MSH|^~\\&|RIS"), 
        ("a.txt", b"%PDF-1.7"), ("a.csv.gz", gzip.compress(gzip.compress(b"a,b\n", mtime=0), mtime=0)),
    ],
)  # fmt: skip
def test_other_kinds_are_refused_whatever_their_name_says(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    outcome = clean(tmp_path / name)
    assert (outcome.reason, Fate.of(outcome.reason)) == (Reason.REFUSED_KIND, Fate.REFUSED)


def test_what_cannot_be_read_or_is_too_much_has_its_reason(tmp_path: Path) -> None:
    cases = {
        "a.csv": (b"", Reason.EMPTY_FILE),
        "b.csv.gz": (gzip.compress(b"a,b\r\n" + b"1,2\r\n" * 200_000), Reason.TOO_LARGE),
        "c.csv.gz": (gzip.compress(b"report\r\n" + b"normal\r\n" * 99)[:-20], Reason.UNREADABLE_FILE),
        "d.parquet": (b"PAR1 broken", Reason.UNREADABLE_FILE),
        "e.txt": (b"\xff\x81\x8d" * 50, Reason.BAD_ENCODING),
    }
    for name, (content, reason) in cases.items():
        (tmp_path / name).write_bytes(content)
        assert clean(tmp_path / name, rules=ReleaseRules(max_bytes=1 << 16)).reason is reason, name
    assert clean(tmp_path / "absent.csv").reason is Reason.UNREADABLE_FILE
    assert [report_suffix(Path(n)) for n in ("a.CSV", "b.json", "c.txt.gz", "d", "e.parquet.gz")] == [
        ".csv",
        ".jsonl",
        ".txt",
        "",
        ".parquet",
    ]


def test_a_large_file_comes_in_parts_that_are_each_whole(tmp_path: Path) -> None:
    rows = [{"mrn": f"QH{i}", "size_mm": str(i % 50)} for i in range(3000)]
    path = as_csv(tmp_path / "a.csv", rows)
    parts = list(clean_report_parts(path, ReleaseRules(), PSEUDO, NO_ONE, frozenset(), part_bytes=20_000))
    assert len(parts) > 3
    got = [r for part in parts for r in read(part)]
    assert [r["mrn"] for r in got] == [PSEUDO.key("patient", r["mrn"]) for r in rows]
    assert sum(part.rows[""] for part in parts) == 3000


def test_uids_stay_where_the_headers_keep_them(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "a.csv", [{"study_uid": UID, "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"}])
    assert read(clean(path))[0] == {"study_uid": PSEUDO.uid(UID), "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"}
    kept = clean(path, rules=ReleaseRules(header=HeaderRules(retain=("uids",))))
    assert read(kept)[0]["study_uid"] == UID


def test_an_image_is_named_as_it_was_released(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "a.csv", [{"image_path": "a/QH77001.png", "report": "clear"}])
    assert read(clean(path, renamed={"a/QH77001.png": "image/ab/abcd.png"}.get))[0]["image_path"] == "image/ab/abcd.png"
    assert read(clean(path))[0]["image_path"] == PSEUDO.key("file", "a/QH77001.png")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("PatientID", Kind.PATIENT), ("mrn", Kind.PATIENT), ("subject_id", Kind.PATIENT), ("DOB", Kind.BIRTH),
        ("study_instance_uid", Kind.UID), ("SOPInstanceUID", Kind.UID), ("PatientBirthDate", Kind.BIRTH),
        ("ReferringPhysicianName", Kind.NAME), ("last_name", Kind.NAME), ("Signed By", Kind.NAME), ("name", Kind.NAME),
        ("StudyDate", Kind.DATE), ("exam datetime", Kind.DATE), ("StudyTime", Kind.TIME), ("age", Kind.AGE),
        ("image_path", Kind.FILE), ("procedure name", Kind.TEXT), ("thyroid", Kind.TEXT), ("findings", Kind.SECTION),
        ("report", Kind.REPORT), ("Hospital", Kind.PLACE), ("home phone", Kind.PLACE), ("ssn4", Kind.PLACE),
        ("nodule_diameter_mm", Kind.NUMBER), ("study_id", Kind.ID), ("order no", Kind.ID), ("comment", Kind.TEXT),
        ("AccessionNumber", Kind.ACCESSION), ("acc_no", Kind.ACCESSION),
    ],
)  # fmt: skip
def test_a_columns_name_says_what_it_holds(name: str, kind: Kind) -> None:
    assert kind_of(name, []) is kind


def test_cells_say_what_a_name_does_not() -> None:
    assert kind_of("foo", ["1.2.826.0.1.99", "1.2.3.4.5"]) is Kind.UID
    assert kind_of("foo", ["2020-03-01", "2019-12-31 10:00"]) is Kind.DATE
    assert kind_of("foo", ["Quartermaine^Allan", "Thornquist, Eva"]) is Kind.NAME
    assert kind_of("foo", ["QH77001", "QH77002"]) is Kind.ID
    assert kind_of("report", ["T1^T2 normal."]) is Kind.REPORT and kind_of("foo", ["Stable, no change."]) is Kind.TEXT
    for name in ("DOE_JANE^M", "van_der_Berg^Jan", "Doe^Jane2", "Garcia, Juan Carlos.", "Patel^Anil^M.D."):
        assert kind_of("foo", [name]) is Kind.NAME
    assert kind_of("foo", ["T2^T1 seen", "O2^ 3"]) is Kind.TEXT
    assert kind_of("patient", ["QH77001"]) is Kind.PATIENT
    assert kind_of("patient", ["Allan Quartermaine"]) is Kind.NAME
    assert kind_of("foo", ["The liver is normal.", "2020-03-01"]) is Kind.TEXT
    assert safe_name("Quartermaine") is None and safe_name("MRN 77001234") is None
    assert safe_name("study_date") == "study_date" and safe_name("findings") == "findings"


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["Quartermaine", "QH77001", "617-555-0142", "14 Larkspur Lane", "quartermaine@mail.example.com"]),
    st.sampled_from(
        ["foo", "comment", "score", "age", "sex", "modality", "body_part", "study_date", "size_mm", "n", "flag", "view"]
    ),
    st.sampled_from(["{}", " {} ", "normal {}", "{}; stable", "CT {}", "73 {}"]),
)
def test_an_identity_survives_in_no_column_whatever_its_name(planted: str, column: str, form: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        record = {"mrn": "QH77001", "name": "Quartermaine, Allan", column: form.format(planted)}
        outcome = clean(as_jsonl(Path(folder) / "a.jsonl", [record, {**record, column: "normal"}]))
    assert outcome.data is not None
    assert planted.lower().encode() not in outcome.data.lower()


def test_parquet_of_any_type_is_read_and_nothing_unknown_is_kept(tmp_path: Path) -> None:
    day = dt.datetime(2020, 3, 1, 13, 45)
    table = pa.table(
        {
            "mrn": pa.array(["QH77001"]),
            "map": pa.array([[("Quartermaine", "Thornquist")]], pa.map_(pa.string(), pa.string())),
            "nested": pa.array([{"when": day, "note": "Dr. Thornquist", "sizes": [14.5, None]}]),
            "study_date": pa.array([20200301], pa.int32()),
            "dose": pa.array([2], pa.decimal128(5, 2)),
            "clock": pa.array([dt.time(13, 45)], pa.time64("us")),
            "wait": pa.array([dt.timedelta(seconds=77001)], pa.duration("s")),
            "patient name": pa.array([day.date()], pa.date32()),  # a column of the wrong type
            "nothing": pa.nulls(1),
        }
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    outcome = clean(path)
    assert is_clean(outcome)
    got = read(outcome)[0]
    moved = PSEUDO.shift_date("QH77001", "20200301")
    assert (got["study_date"], got["nested"]["when"], got["nested"]["sizes"]) == (moved, moved, [14.5, None])
    assert (got["map"], got["clock"], got["wait"], got["patient name"]) == (None, None, None, None)
    assert float(got["dose"]) == 2


ESCAPED = (
    "<b>Quarter</b>maine", "Quarter&#109;aine", "\\X51\\uartermaine", "Quar\\u0074ermaine",
    "<p title='Thornquist'>Quartermaine</p>",
    "{\\rtf1 {\\info{\\author Thornquist}}Quarter\\b maine\\b0}", "Quartermaine<!-- QH77001 -->",
    "&lt;i&gt;Quar&lt;/i&gt;termaine",
)  # fmt: skip


@pytest.mark.parametrize("written", ESCAPED)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.txt", "a.xlsx"])
def test_nobody_hides_in_markup_and_what_is_written_has_none(tmp_path: Path, name: str, written: str) -> None:
    text = f"FINDINGS:&#10;The liver is normal in size. Seen with {written} today.&#xD;No mass."
    people = People([survey([write(tmp_path / "i.dcm", gradient(), PatientID="QH77001", PatientName="Quartermaine^A",
                                   AccessionNumber="A4401")], PSEUDO)])  # fmt: skip
    path, record = tmp_path / name, {"mrn": "QH77001", "report": text}
    if name == "a.txt":
        path = tmp_path / "A4401.txt"
        path.write_text(text)
    elif name == "a.xlsx":
        path.write_bytes(workbook({"S": [list(record), list(record.values())]}))
    elif name == "a.parquet":
        pq.write_table(pa.Table.from_pylist([record]), path)
    else:
        (as_csv if name == "a.csv" else as_jsonl)(path, [record])
    outcome = clean(path, people)
    assert is_clean(outcome) and b"artermaine" not in (outcome.data or b"") and outcome.data is not None
    shown = outcome.data.decode("latin-1") if name == "a.txt" else read(outcome)[0]["report"]
    assert not any(mark in shown for mark in ("<", "&", "\\", "{"))
    assert shown.split()[:7] == ["FINDINGS:", "The", "liver", "is", "normal", "in", "size."] and "No mass." in shown


def test_forms_without_a_writer_are_written_in_the_nearest(tmp_path: Path) -> None:
    rows = [{"mrn": "QH77001", "report": "clear lungs"}, {"mrn": "QH77002", "report": "normal chest"}]
    told = [(PSEUDO.key("patient", r["mrn"]), r["report"]) for r in rows]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.xlsx").write_bytes(workbook({"S": [list(rows[0]), *(list(r.values()) for r in rows)]}))
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress(_parquet(rows)))
    for name, suffix in (("a.json", ".jsonl"), ("a.xlsx", ".csv"), ("a.parquet.gz", ".parquet")):
        outcome = clean(tmp_path / name)
        assert outcome.suffix == suffix
        assert [(r["mrn"], r["report"]) for r in read(outcome)] == told
    for name, content in (("b.rtf", b"{\\rtf1 clear\\par lungs}"), ("c.html", b"<p>clear</p><p>lungs</p>")):
        (tmp_path / name).write_bytes(content)
        outcome = clean(tmp_path / name)
        assert outcome.suffix == ".txt" and (outcome.data or b"").split() == [b"clear", b"lungs"]


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def test_a_sheet_of_something_else_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook({"S": [["mrn", "report"], ["QH77001", "clear"]], "Legend": [["code"], ["A"]]}))
    assert clean(path).rows == {"": 1, Reason.NOT_A_REPORT: 1}
