"""What the first pass learns of an archive: its patients, what they are called, which words many of them share."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from curate.deid.pseudonym import Pseudonymizer
from curate.deid_export.reports.people import SURVEY, WORD, People, archive_words, link
from curate.deid_export.survey import stem_links, survey
from tests.curate.dicomfiles import gradient, write

PSEUDO = Pseudonymizer(b"survey" * 6)


def study(folder: Path, patient: str, accession: str, name: str = "Quartermaine^Allan", **more: object) -> Path:
    identity = {"PatientID": patient, "PatientName": name, "AccessionNumber": accession}
    uid = f"1.2.826.0.1.{accession.removeprefix('A')}"
    return write(folder / f"{patient}-{accession}.dcm", gradient(), **identity, StudyInstanceUID=uid, **more)


def reports(folder: Path, rows: list[tuple[str, str, str]], header: str = "mrn,accession,report") -> Path:
    path = folder / "reports.csv"
    path.write_text("\r\n".join([header, *(",".join(row) for row in rows)]) + "\r\n")
    return path


def test_a_link_of_any_kind_leads_to_the_patient_as_the_header_has_it(tmp_path: Path) -> None:
    table = survey([study(tmp_path, "QH77001", "A4401", PatientBirthDate="19370922")], PSEUDO)
    assert table.schema == SURVEY
    people = People([table])
    named = (("patient", " qh77001 "), ("accession", "A4401"), ("study", "1.2.826.0.1.4401"))
    for kind, value in named:
        person = people.find([link(PSEUDO, kind, value)])
        assert person.patient_id == "QH77001"
        assert {"Quartermaine^Allan", "19370922", "QH77001"} <= set(person.values)
        assert "20200229" not in person.values  # a study's day would be taken for the birth's
    assert people.find([link(PSEUDO, "patient", "QH77002")]).values == ()
    assert people.find([], "own").patient_id == "own"


def test_what_one_file_says_of_a_patient_is_known_for_every_other(tmp_path: Path) -> None:
    rows = [("QH77001", "A4401", "normal"), ("", "A9", "x")]
    listed = reports(
        tmp_path, [(*row, "Evangeline Thornquist") for row in rows], "mrn,accession,report,referring physician"
    )
    tables = [survey([study(tmp_path, "QH77001", "A4401")], PSEUDO), survey([listed], PSEUDO)]
    for order in (tables, tables[::-1]):
        people = People(order)
        person = people.find([link(PSEUDO, "accession", "A4401")])
        assert {"Quartermaine^Allan", "Thornquist"} <= set(person.values)
        assert "Thornquist" in people.find([link(PSEUDO, "accession", "A9")]).values  # of no known patient id
        assert people.find([link(PSEUDO, "accession", "A9")]).patient_id == ""


def test_a_placeholder_leads_to_no_one(tmp_path: Path) -> None:
    paths = [study(tmp_path, f"QH7700{i}", "A5005", f"Name{'abcdefghij'[i]}^Given") for i in range(9)]
    paths.append(study(tmp_path, "ANONYMOUS", "A1"))
    people = People([survey(paths, PSEUDO)])
    assert people.find([link(PSEUDO, "accession", "A5005")]).values == ()  # shared by nine
    assert people.find([link(PSEUDO, "patient", "ANONYMOUS")]).values == ()
    assert people.find([link(PSEUDO, "patient", "QH77003")]).patient_id == "QH77003"


def word_of(i: int) -> str:
    return "zq" + "abcdefghijklmnop"[i] + "orbitz"


def test_a_word_stays_where_enough_patients_have_it_and_no_name_is_it(tmp_path: Path) -> None:
    def report(i: int) -> str:
        seven = "zqsevenfold" if i < 7 else ""
        return f"the zqeightfold {seven} {word_of(i)} zqnameling lies by zqsigner seen by Dr. Zqsigner"

    rows = [(f"QH7700{i}", f"A{i}", report(i)) for i in range(8)]
    listed = survey([reports(tmp_path, rows)], PSEUDO)
    named = survey([study(tmp_path, "QH99", "A99", "Zqnameling^Ada")], PSEUDO)
    assert "zqnameling" in archive_words([listed], 8)
    for tables in ([listed, named], [named, listed]):
        words = archive_words(tables, 8)
        assert "zqeightfold" in words
        assert not words & {"zqsevenfold", "zqnameling", "zqsigner", *map(word_of, range(8))}


def test_reports_of_no_known_patient_do_not_make_a_word_common(tmp_path: Path) -> None:
    rows = [("", f"A{i}", "zqeightfold") for i in range(12)]
    assert archive_words([survey([reports(tmp_path, rows)], PSEUDO)], 2) == frozenset()
    seen = [study(tmp_path, f"QH{i}7", f"A{i}") for i in range(12)]
    joined = [survey([tmp_path / "reports.csv"], PSEUDO), survey(seen, PSEUDO)]
    assert archive_words(joined, 12) == {"zqeightfold"}  # by accession number


def test_a_chunk_has_no_fact_twice_and_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    paths = [study(tmp_path, "QH77001", f"A{i}") for i in range(4)]
    paths.append(reports(tmp_path, [("QH77001", "A1", "zqeightfold zqeightfold")]))
    one, other = survey(paths, PSEUDO), survey(paths[::-1], PSEUDO)
    assert one.equals(other)
    assert len(set(map(str, one.to_pylist()))) == one.num_rows
    assert [r["text"] for r in one.to_pylist() if r["fact"] == WORD] == ["zqeightfold"]


def test_a_text_file_belongs_to_whom_its_name_or_folder_says(tmp_path: Path) -> None:
    people = People([survey([study(tmp_path, "QH77001", "A4401")], PSEUDO)])
    for name in ("A4401.txt", "QH77001_A4401.txt.gz", "report_A4401_final.txt", "QH77001/1.txt"):
        assert people.find(stem_links(tmp_path / name, PSEUDO)).patient_id == "QH77001", name
    assert people.find(stem_links(tmp_path / "notes.txt", PSEUDO)).patient_id == ""


def test_what_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "a.parquet"
    broken.write_bytes(b"PAR1 and no more")
    (tmp_path / "b.dcm").write_bytes(b"\0" * 128 + b"DICM\x08\x00")
    (tmp_path / "c.csv").write_bytes(b"")
    assert survey([broken, tmp_path / "b.dcm", tmp_path / "c.csv", tmp_path / "absent.csv"], PSEUDO).num_rows == 0


@pytest.mark.parametrize("patients", [2000])
def test_a_patient_costs_its_own_values_and_little_more(patients: int) -> None:
    links = [link(PSEUDO, "patient", f"QH{i}") for i in range(patients)]
    facts = [(0, one, f"QH{i}") for i, one in enumerate(links)]
    facts += [(2, one, f"Name{i}^Given{n}") for i, one in enumerate(links) for n in range(10)]
    columns = [pa.array(column, field.type) for column, field in zip(zip(*facts, strict=True), SURVEY, strict=True)]
    people = People([pa.table(columns, schema=SURVEY)])
    assert len(people) == patients
    assert people.nbytes / patients < 400  # 10 values of 15 letters
    assert len(people.find([links[-1]]).values) == 10
