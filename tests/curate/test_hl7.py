"""HL7 v2 messages as reports: whose, of which order, what they say, and in which state."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from curate.ingest.index import report_table
from curate.record import Reason
from curate.sources.pairing.pair import pair
from curate.sources.pairing.rules import PairRules
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.messages.hl7 import is_message, read_messages
from curate.sources.reports.read import check_columns, read_reports
from curate.sources.reports.rows import open_records
from curate.sources.reports.text.section import parse_sections

HEAD = (
    "MSH|^~\\&|RIS|M|X|Y|20240101101500||ORU^R01^ORU_R01|1|P|2.5\r"
    "PID|1|9|77^^^MERCY^MR~1^^^S^SS||DOE^JOHN^Q||19500101|M|||1 Main St^^Town||555-1234\r"
    "PV1|1|O|||||4^Welby^Marcus\r"
)
ORDER = "ORC|RE|PL1|{acc}\rOBR|1|PL1|{acc}|71020^CHEST|||202401010930|||||||||3^House^Gregory||||||{at}||RAD|{status}\r"


def message(*observations: str, acc: str = "AC1", at: str = "20240101101400", status: str = "F") -> str:
    """One order and its observations, ``type|identifier|sub-id|value`` each."""
    told = "".join(f"OBX|{n}|{o}||||||F\r" for n, o in enumerate(observations, 1))
    return HEAD + ORDER.format(acc=acc, at=at, status=status) + told


def test_a_report_of_parts_with_repetitions_and_escapes() -> None:
    (found,) = read_messages(
        message(
            r"FT|71020&GDT^CHEST||The lungs are clear.~No effusion \T\ no pneumothorax.\.br\Heart normal.",
            "CE|71020&IMP^CHEST||N^No acute disease.^L",
        )
    )
    assert found.text == (
        "The lungs are clear.\nNo effusion \\T\\ no pneumothorax.\\.br\\Heart normal.\nIMPRESSION:\nNo acute disease."
    )
    assert found.known == {
        "accession": "AC1; PL1", "study": "", "patient": "77^^^MERCY^MR~1^^^S^SS", "patient_name": "DOE^JOHN^Q",
        "date": "202401010930", "status": "F", "order": "20240101101400",
    }  # fmt: skip
    assert set(found.people) == {"Welby^Marcus", "House^Gregory"}
    assert {"555-1234", "1 Main St", "9"} <= set(found.numbers)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("a.hl7", message("TX|||All clear.")),
        ("a.hl7", message("TX|||All clear.").replace("\r", "\r\n")),
        ("a.hl7", "FHS|^~\\&|x\rBHS|^~\\&|x\r" + message("TX|||All clear.") + "BTS|1\rFTS|1\r"),
        ("a.hl7", "\v" + message("TX|||All clear.") + "\x1c\r"),
        ("a.HL7", message("TX|||All clear.").replace("^", "@").replace("~", "!")),
        ("a.txt", message("TX|||All clear.")),
        ("a.txt.gz", message("TX|||All clear.")),
        ("a.hl7", message("TX|||All\n clear.")),
        ("a.hl7", message("ED|PDF||^application^pdf^Base64^JVBE", "TX|||All clear.")),
        ("a.hl7", message("TX|||All clear.") + "OBX|9|TX|||Never said.||||||D\r"),
    ],
)
def test_forms_of_a_file(tmp_path: Path, name: str, raw: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(raw.encode()) if name.endswith(".gz") else raw.encode())
    check_columns(tmp_path, ReportColumns())
    (report,) = read_reports(tmp_path, ReportColumns())
    assert (report.row, report.reason, report.accession) == (f"{name}#1", None, "AC1; PL1")
    assert " ".join(report.text.split()) == "All clear."
    assert {"DOE^JOHN^Q", "555-1234"} <= {v.replace("@", "^") for v in report.phi}


def test_lines_as_observations_and_loinc_parts() -> None:
    lines = [f"TX|&GDT||{line}" for line in ("FINDINGS:", "Clear.", "", "IMPRESSION:", "Normal.")]
    assert parse_sections(next(read_messages(message(*lines))).text) == {"findings": "Clear.", "impression": "Normal."}
    coded = message("TX|18782-3^Study observation^LN||Clear.", "TX|19005-8^Impression^LN||Normal.")
    assert parse_sections(next(read_messages(coded)).text) == {"findings": "Clear.", "impression": "Normal."}


def test_notes_to_observations_and_segments_that_go_on() -> None:
    told = (
        message("TX|||x").replace("OBX|1|TX|||x||||||F\r", "OBX|1|tx|||No mass. Small \r")
        + "ADD|effusion.\rNTE|1||Seen by CT.~Stable.\r OBX|2|TX|||Clear.||||||F\r"
    )
    assert next(read_messages(told)).text == "No mass. Small effusion.\nSeen by CT.\nStable.\nClear."
    assert next(read_messages(message("NM|||3") + "NTE|1||Late.\r")).text == "Late."


def test_each_order_has_its_own_words_and_one_without_any_is_none(tmp_path: Path) -> None:
    two = message("TX|||First.") + ORDER.format(acc="AC2", at="", status="") + "OBX|1|TX|||Second.||||||C\r"
    silent = message("ED|PDF||JVBE", acc="AC3")
    (tmp_path / "a.hl7").write_text(two + silent, newline="")
    *found, unread = read_reports(tmp_path, ReportColumns())
    assert [(r.accession, r.text, r.status) for r in found] == [
        ("AC1; PL1", "First.", "F"),
        ("AC2; PL1", "Second.", "C"),
    ]
    assert (unread.accession, unread.text, unread.reason) == ("AC3; PL1", "", Reason.UNREAD_DOCUMENT)


def test_files_of_messages_that_report_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_text("MSH|^~\\&|RIS|M|||2024||ADT^A08|1|P|2.5\rPID|1||77\r")
    (tmp_path / "b.hl7").write_text("no message at all")
    (tmp_path / "c.hl7").write_text(message("TX|||\\.br\\"), newline="")
    reasons = [r.reason for r in read_reports(tmp_path, ReportColumns())]
    assert reasons == [Reason.NOT_A_REPORT, Reason.NOT_A_REPORT, Reason.EMPTY_REPORT]


def test_preliminary_final_and_addendum(tmp_path: Path) -> None:
    told = [("P", "1014", "Wet read."), ("F", "1114", "No effusion."), ("A", "1214", "A small nodule.")]
    (tmp_path / "a.hl7").write_text(
        "".join(message(f"TX|||{t}", status=s, at=f"20240101{at}00") for s, at, t in told), newline=""
    )
    reports = list(read_reports(tmp_path, ReportColumns()))
    images = pa.table({"row": pa.array([0]), "accession": ["AC1"], "patient": ["77"],
                       "study": [""], "date": [""], "image": [""]})  # fmt: skip
    (found,) = pair(images, report_table(reports), PairRules())[0].to_pylist()
    assert (found["report"], found["also"], found["reason"]) == (1, [2], None)


def test_a_recipe_may_name_the_field(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_text(message("TX|||Clear.").replace("House^Gregory||||||", "House^Gregory||||X9||"))
    (report,) = read_reports(tmp_path, ReportColumns(accession="OBR-20"))
    assert report.accession == "X9"


def test_a_message_in_a_cell_is_what_it_says(tmp_path: Path) -> None:
    raw = message("TX|||No effusion.").replace("\r", "\n")
    (tmp_path / "a.jsonl").write_text(json.dumps({"acc": "A7", "report": raw}) + "\n")
    (report,) = read_reports(tmp_path, ReportColumns(text="report", accession="acc"))
    assert (report.text, report.accession, report.patient) == ("No effusion.", "A7", "77^^^MERCY^MR~1^^^S^SS")
    assert "DOE^JOHN^Q" in report.phi and "Welby^Marcus" in report.phi
    assert not is_message("OBR and OBX were not given.") and not is_message("MSH2 mutation. PID: unknown.")


def test_rows_for_deid_have_columns_that_say_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_text(message("TX|||No effusion."), newline="")
    with open_records(tmp_path / "a.hl7") as records:
        (row,) = records.rows
    assert (row["accession"], row["patient_id"], row["text"]) == ("AC1", "77", "No effusion.")
    assert row["physician_name"] == ["Welby^Marcus", "House^Gregory"] and "77" in row["telephone"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        # a line that lost its beginning: what it said is not known, so the order is not; the next one is whole
        (message("TX|||Clear.") + "X|2|TX|||Effusion.||||||F\r" + message("TX|||Normal."), [None, "Normal."]),
        (message("TX|||A.") + "MSH\r" + message("TX|||B."), ["A.", None, "B."]),
        # a batch whose trailer counts two messages more than there are
        ("BHS|^~\\&|x\r" + message("TX|||Clear.") + "BTS|3\r", ["Clear.", None, None]),
        ("BHS|^~\\&|x\r" + message("TX|||Clear.") + "BTS|1\r", ["Clear."]),
        # a bare line break ends no segment
        (message("TX|||Sizes:\na 3 mm\n ab"), ["Sizes:\na 3 mm\n ab"]),
    ],
)
def test_broken_segments_and_lost_messages_are_counted(raw: str, expected: list[str | None], tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_text(raw, newline="")
    got = list(read_reports(tmp_path, ReportColumns()))
    assert [r.text if r.reason is None else None for r in got] == expected
    assert {r.reason for r in got if r.reason} <= {Reason.BROKEN_ROW} and len({r.row for r in got}) == len(got)
    with open_records(tmp_path / "a.hl7") as records:
        assert [row if isinstance(row, Reason) else row["text"] for row in records.rows] == [
            Reason.BROKEN_ROW if text is None else text for text in expected
        ]


@pytest.mark.parametrize(
    ("declared", "codec"), [("8859/2", "iso8859-2"), ("UNICODE UTF-8", "utf-8"), ("8859/2", "utf-8"), ("", "cp1252")]
)
def test_the_character_set_that_a_message_declares(declared: str, codec: str, tmp_path: Path) -> None:
    words = "Wyrośl żółć" if codec != "cp1252" else "Größe"
    raw = message(f"TX|||{words}").replace("|2.5\r", f"|2.5||||||{declared}\r", 1)
    (tmp_path / "a.hl7").write_bytes(raw.encode(codec))
    (told,) = read_reports(tmp_path, ReportColumns())
    assert told.text == words


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_every_message_of_a_file_has_its_own_patient(end: str, tmp_path: Path) -> None:
    second = message("TX|||Fracture.", acc="AC2").replace("77^^^MERCY", "78^^^MERCY").replace("DOE^JOHN", "ROE^MARY")
    (tmp_path / "a.hl7").write_text((message("TX|||Clear.") + second).replace("\r", end), newline="")
    got = [(r.text, r.patient.split("^")[0], r.accession) for r in read_reports(tmp_path, ReportColumns())]
    assert got == [("Clear.", "77", "AC1; PL1"), ("Fracture.", "78", "AC2; PL1")]


def test_texts_that_are_encapsulated(tmp_path: Path) -> None:
    rtf = base64.b64encode(rb"{\rtf1 FINDINGS:\par No effusion.}").decode()
    (tmp_path / "a.hl7").write_text(message(f"ED|R||^TEXT^RTF^Base64^{rtf}"), newline="")
    (tmp_path / "b.hl7").write_text(message("TX|||Clear.", f"ED|R||^TEXT^RTF^Base64^{rtf}"), newline="")
    (tmp_path / "c.hl7").write_text(message("ED|R||^AP^PDF^Base64^JVBERi0="), newline="")
    found = [(r.text.split(), r.reason) for r in read_reports(tmp_path, ReportColumns())]
    assert found == [(["FINDINGS:", "No", "effusion."], None), (["Clear."], None), ([], Reason.UNREAD_DOCUMENT)]


def test_documents_by_message_and_other_separators(tmp_path: Path) -> None:
    document = HEAD.replace("ORU^R01^ORU_R01", "MDM^T02") + "TXA|1|RAD|TX|202401021100||||||||D1||PL1|AC7||LA\r"
    (tmp_path / "a.hl7").write_text(document + "OBX|1|TX|||All clear.\r", newline="")
    (tmp_path / "b.hl7").write_text(message("TX|||All clear.", acc="AC8").replace("|", "#"), newline="")
    first, second = read_reports(tmp_path, ReportColumns())
    assert (first.accession, first.status, first.text) == ("AC7; PL1", "final", "All clear.")
    assert (second.accession, second.text) == ("AC8; PL1", "All clear.")
    (tmp_path / "b.hl7").write_text(message("TX|||All clear.").translate(str.maketrans("^~", "%!")), newline="")
    first, third = read_reports(tmp_path, ReportColumns())
    usual = next(iter(read_messages(message("TX|||All clear."))))
    assert third.patient == usual.known["patient"] and usual.known["patient_name"] in third.phi
