"""Which files are wanted: each kind that is no picture under its own reason, each rule on small tables."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from curate.ingest.files import judge, with_path_keys
from curate.sources.rules import Excluded, Facts, ImageSource
from curate.sources.scan import SCAN

CT, CR, CAPTURE, ENDOSCOPY = (f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "1", "7", "77.1.1"))
AXIAL = "ORIGINAL\\PRIMARY\\AXIAL"


def table(*rows: dict[str, Any]) -> pa.Table:
    usual: dict[str, Any] = {f.name: 0 if pa.types.is_integer(f.type) else "" for f in SCAN}
    usual |= {"kind": "dicom", "reason": None, "rows": 512, "columns": 512, "study_uid": "1.2", "path": b"/a"}
    made = pa.Table.from_pylist([usual | row for row in rows], SCAN)
    return made.append_column("source", pa.array([str(row.get("source", "a")) for row in rows]))


def source(**rules: Any) -> ImageSource:
    return ImageSource(path="a", **rules)


def reasons(*rows: dict[str, Any], rules: ImageSource | None = None) -> list[str | None]:
    found: list[str | None] = judge(table(*rows), {"a": rules or source()}).to_pylist()
    return found


ct = {"modality": "CT", "sop_class": CT, "image_type": AXIAL}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"image_type": "ORIGINAL\\PRIMARY\\LOCALIZER"}, "localizer"),
        ({"modality": "MR", "image_type": "ORIGINAL\\PRIMARY\\M", "series_description": "AAHead_Scout"}, "localizer"),
        ({"modality": "CR", "series_description": "localizer"}, None),  # of radiographs a series' name says nothing
        ({"image_type": "DERIVED\\SECONDARY\\SCREEN SAVE"}, "screen_or_document"),
        ({"image_type": "DERIVED\\SECONDARY\\DOSE_INFO"}, "screen_or_document"),
        ({"image_type": "ORIGINAL\\SECONDARY\\OTHER\\CT_SOM5 PROT"}, "screen_or_document"),
        ({"image_type": "DERIVED\\SECONDARY\\REFORMATTED", "series_description": "Dose Report"}, "screen_or_document"),
        ({"image_type": AXIAL, "series_description": "Low dose report protocol chest"}, None),  # an acquisition
        ({"image_type": "DERIVED\\PRIMARY\\LOW_DOSE"}, None),
        ({"modality": "DOC"}, "screen_or_document"),
        ({"sop_class": CAPTURE, "conversion": "SD", "study_uid": "9"}, "screen_or_document"),
        ({"sop_class": CAPTURE, "conversion": "WSD", "study_uid": "9"}, None),  # a study of captures alone stays
        ({"sop_class": CAPTURE, "conversion": "WSD"}, "secondary_capture"),
        ({"sop_class": CAPTURE + ".4"}, "secondary_capture"),
        ({"sop_class": ENDOSCOPY, "modality": "ES"}, None),
        ({"reason": "bad_header", "image_type": "DERIVED\\SECONDARY\\SCREEN SAVE"}, "bad_header"),
    ],
)  # fmt: skip
def test_what_is_no_picture_beside_a_slice(facts: dict[str, Any], expected: str | None) -> None:
    assert reasons(ct, {**ct, **facts}) == [None, expected]


def test_they_are_kept_where_the_recipe_says_so() -> None:
    rules = source(localizers="keep", screens="keep")
    odd = [
        {**ct, "image_type": "ORIGINAL\\PRIMARY\\LOCALIZER"},
        {**ct, "sop_class": CAPTURE},
        {**ct, "modality": "DOC"},
    ]
    assert reasons(ct, *odd, rules=rules) == [None] * 4


def test_a_screen_is_no_picture_that_a_capture_stands_beside() -> None:
    screen = {**ct, "image_type": "DERIVED\\SECONDARY\\SCREEN SAVE"}
    assert reasons(screen, {**ct, "sop_class": CAPTURE}) == ["screen_or_document", None]


def test_include_asks_for_all_and_exclude_for_any() -> None:
    plain = {"kind": "image", "study_uid": "", "rows": 100, "columns": 300}
    small = {**ct, "modality": "CR", "sop_class": CR, "rows": 60}
    include = source(include=Facts(modality=("cr", "DX"), larger_than=200))
    assert reasons(ct, small, plain, rules=include) == ["excluded_by_recipe", None, "excluded_by_recipe"]
    assert reasons(ct, small, plain, rules=source(exclude=Excluded(modality=("CT",), smaller_than=100))) == [
        "excluded_by_recipe", "excluded_by_recipe", None,
    ]  # fmt: skip
    by_type = source(exclude=Excluded(image_type=("axial",)))
    assert reasons(ct, {**ct, "image_type": "ORIGINAL\\PRIMARY\\AXIAL2"}, rules=by_type) == ["excluded_by_recipe", None]
    assert reasons(ct, small, rules=source(include=Facts(sop_class=(CR,)))) == ["excluded_by_recipe", None]


def test_rules_are_their_sources_own() -> None:
    files = table(ct, {**ct, "source": "b"})
    rules = {"a": source(exclude=Excluded(modality=("CT",))), "b": source()}
    assert judge(files, rules).to_pylist() == ["excluded_by_recipe", None]


def test_a_path_fills_what_the_header_lacks_or_stands_in_its_place() -> None:
    rows = [{"relative": "p7/s8/x.dcm", "patient_id": "H7"}, {"relative": "p7/s9/y.dcm"}, {"relative": "z.dcm"}]
    pattern = r"p(?P<patient>\d)/s(?P<accession>\d)/(?P<image>\w)"
    found = with_path_keys(table(*rows), {"a": source(key_pattern=pattern)})
    assert found["patient_id"].to_pylist() == ["H7", "7", ""] and found["accession"].to_pylist() == ["8", "9", ""]
    assert found["image_id"].to_pylist() == ["x", "y", ""]
    assert found["path_ids"].to_pylist() == [["8", "7", "x"], ["9", "7", "y"], []]  # all are searched for in texts
    none = [row | {"patient_id": "0", "accession": "unknown"} for row in rows]
    found = with_path_keys(
        table(*none), {"a": source(key_pattern=pattern)}
    )  # a header that says nothing with a word lacks it
    assert found["patient_id"].to_pylist() == ["7", "7", "0"] and found["accession"].to_pylist() == [
        "8",
        "9",
        "unknown",
    ]
    numbered = [{"relative": f"p{i}/s{i}/x.dcm", "patient_id": "0", "accession": "0"} for i in range(3)]
    found = with_path_keys(table(*numbered), {"a": source(key_pattern=pattern)})  # a path makes no id of 0
    assert found["patient_id"].to_pylist() == found["accession"].to_pylist() == ["0", "1", "2"]
    wins = with_path_keys(table(*rows), {"a": source(key_pattern=pattern, key_first="path")})
    assert wins["patient_id"].to_pylist() == ["7", "7", ""]
