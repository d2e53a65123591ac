"""The source's own splits: told, settled by patient, and never two sides of one."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import RecipeError
from curate.export.split import SplitRules, SplitTable, split_of
from curate.ingest.index import named_by_table
from curate.ingest.splits import require_named, settle, split_of_file, with_table_splits
from curate.record import INDEX, conform

Told = list[tuple[str, str | None, str | None]]


def index(rows: Told) -> pa.Table:
    names = ("patient", "official_split", "drop_reason")
    made = [{"key": f"{i:032x}", **dict(zip(names, row, strict=True))} for i, row in enumerate(rows)]
    return conform(pa.Table.from_pylist(made, pa.schema([INDEX.field(n) for n in ("key", *names)])), INDEX)


def ends(table: pa.Table) -> list[tuple[str | None, str | None]]:
    return list(zip(table["official_split"].to_pylist(), table["drop_reason"].to_pylist(), strict=True))


def test_the_strongest_side_has_the_patient() -> None:
    rows: Told = [("a", "train", None), ("a", "test", None), ("a", None, None), ("b", "val", None), ("b", "test", None)]
    rows += [("c", "train", None), ("c", None, None), ("d", None, None), ("e", "?", None), ("f", "test", "blank_image")]
    conflict = "patient_in_another_official_split"
    assert ends(settle(index(rows), SplitRules())) == [
        ("train", conflict), ("test", None), ("train", conflict), ("val", conflict), ("test", None),
        ("train", None), ("train", None), ("train", None), ("train", "unknown_split"), ("test", "blank_image"),
    ]  # fmt: skip


def test_others_may_go_by_their_hash_and_nothing_changes_where_nothing_is_declared() -> None:
    rows: Told = [("a", None, None), ("b", "test", None)]
    assert ends(settle(index(rows), SplitRules(others="hash"))) == [(None, None), ("test", None)]
    assert settle(index(rows[:1]), SplitRules()).equals(index(rows[:1]))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, "train", "val", "test"]), st.none()), max_size=12)
)
def test_no_patient_is_on_two_sides(rows: Told) -> None:
    settled = settle(index(rows), SplitRules()).to_pylist()
    sides: dict[str, set[str]] = {}
    for row in settled:
        if row["drop_reason"] is None and row["official_split"]:
            sides.setdefault(row["patient"], set()).add(row["official_split"])
    assert all(len(side) == 1 for side in sides.values())
    told = {(p, s) for p, s, _ in rows if s == "test"}  # the strongest side loses nothing
    assert sum(r["official_split"] == "test" and r["drop_reason"] is None for r in settled) == sum(
        r[:2] in told for r in rows
    )


FILE = {
    "split": "",
    "relative": "p1/x.dcm",
    "image_id": "",
    "sop_uid": "",
    "accession": "",
    "study_uid": "",
    "patient_id": "",
}


def split_by(rules: SplitRules, file: dict[str, str], said: str, beside: dict[str, str] | None = None) -> str | None:
    made = with_table_splits(pa.Table.from_pylist([file, beside or FILE]), rules)
    require_named(made.num_rows, named_by_table(made), rules)
    return split_of_file(made.to_pylist()[0], said, rules)


def test_a_table_says_it_by_image_study_or_patient(tmp_path: Path) -> None:
    path = tmp_path / "split.csv.gz"
    path.write_bytes(gzip.compress(b"dicom_id,subject,split\nx,1,validate\ny,2,train\n,3,test\n"))
    table = SplitTable(str(path), "split", image="dicom_id", patient="subject")
    rules = SplitRules(table=table)
    assert split_by(rules, FILE, "") == "val"
    assert split_by(rules, {**FILE, "relative": "z.dcm", "image_id": "y"}, "") == "train"
    assert split_by(rules, {**FILE, "relative": "z.dcm", "patient_id": "3"}, "") == "test"
    assert split_by(rules, {**FILE, "relative": "z.dcm"}, "") is None
    assert split_by(rules, {**FILE, "relative": "z.dcm", "split": "Dev"}, "testing") == "test"  # of two, the strongest
    assert split_by(rules, {**FILE, "relative": "z.dcm"}, "fold 3") == "?"
    assert split_by(SplitRules(names={"fold 3": "test"}), FILE, "Fold 3") == "test"


def test_a_table_that_names_nothing_of_the_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("study,split\ns12345,train\n")
    with pytest.raises(RecipeError, match="no column 'dicom_id'"):
        SplitTable(str(path), image="dicom_id").check()
    path.write_text("P1234567,train\nP2345678,test\n")  # no header: a patient stands where names should
    with pytest.raises(RecipeError) as shown:
        SplitTable(str(path), image="dicom_id").check()
    assert "P1234567" not in str(shown.value)
    path.write_text("study,split\ns12345,train\n")
    with pytest.raises(RecipeError, match="s#####") as caught:
        split_by(
            SplitRules(table=SplitTable(path, study="study")),
            {**FILE, "study_uid": "777"},
            "",
            {**FILE, "study_uid": "778"},
        )
    assert "12345" not in str(caught.value)


def test_the_official_split_goes_before_the_hash() -> None:
    assert (
        split_of("0" * 32, SplitRules(0, 0.9), "train") == "train" and split_of("0" * 32, SplitRules(0, 0.9)) == "test"
    )
