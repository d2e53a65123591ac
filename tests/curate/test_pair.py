"""Pairing against a plain reading of its rules, one image at a time; independence of order; a fate for every row."""

from __future__ import annotations

import csv
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curate.record import Reason
from curate.sources.pairing.pair import IMAGE_MATCH, REPORT_MATCH, pair
from curate.sources.pairing.rules import PairRules
from tests.realdata import real

FIELDS = ("accession", "study", "patient", "date", "image")


def table(rows: list[dict], extra: tuple[str, ...] = ()) -> pa.Table:
    columns = {"row": pa.array([r.get("row", i) for i, r in enumerate(rows)], pa.int64())}
    columns |= {f: pa.array([r.get(f, "") for r in rows], pa.string()) for f in FIELDS}
    return pa.table(columns | {f: pa.array([r.get(f) for r in rows], pa.string()) for f in extra})


def run(images, reports, **rules) -> tuple[list, list]:
    left, right = pair(table(images), table(reports, ("text", "reason")), PairRules(**rules))
    assert left.schema == IMAGE_MATCH
    assert right.schema == REPORT_MATCH
    return [(r["report"], r["reason"]) for r in left.to_pylist()], [(r["used"], r["reason"]) for r in right.to_pylist()]


ORPHAN = (False, "report_without_image")
LONELY = (None, "image_without_report")
A = {"accession": "A1", "text": "clear"}


@pytest.mark.parametrize(
    ("images", "reports", "image_fates", "report_fates"),
    [
        pytest.param([A, A], [A], [(0, None)] * 2, [(True, None)], id="one report, two images"),
        pytest.param([{}], [A], [LONELY], [ORPHAN], id="orphans"),
        pytest.param([{"accession": ""}], [{"text": "x"}], [LONELY], [ORPHAN], id="absent is not equal to absent"),
        pytest.param([{"accession": " A1\0"}], [A], [(0, None)], [(True, None)], id="padding"),
        pytest.param([{"accession": "a1"}], [A], [(0, None)], [(True, None)], id="case"),
        pytest.param(
            [A], [A, A | {"text": "mass"}], [(None, "several_reports_match")], [ORPHAN, ORPHAN], id="two reports"
        ),
        pytest.param([A], [A, A | {"text": " Clear\n"}], [(0, None)], [(True, None)] * 2, id="the same report twice"),
        pytest.param(
            [A], [A | {"text": "", "reason": "empty_report"}, A], [(1, None)], [(False, "empty_report"), (True, None)],
            id="an empty one steps aside",
        ),
        pytest.param(
            [A], [A | {"text": "", "reason": "bad_text_encoding"}, A], [(None, "several_reports_match")],
            [(False, "bad_text_encoding"), ORPHAN], id="an unreadable one may say something else",
        ),
        pytest.param(
            [A], [A | {"text": "", "reason": "empty_report"}], [(0, "empty_report")], [(True, "empty_report")],
            id="the reason of a bad report is its image's",
        ),
        pytest.param(
            [A | {"patient": "P1"}], [A | {"patient": "p2"}], [(None, "report_of_another_patient")], [ORPHAN],
            id="two patients",
        ),
        pytest.param([A | {"patient": " p1"}], [A | {"patient": "P1"}], [(0, None)], [(True, None)], id="one patient"),
        pytest.param([A], [A | {"patient": "P1"}], [(0, None)], [(True, None)], id="one side's patient unknown"),
        pytest.param(
            [A | {"study": "1.2"}], [A | {"text": "by accession"}, {"study": "1.2", "text": "by study"}],
            [(0, None)], [(True, None), ORPHAN], id="the first key decides",
        ),
        pytest.param(
            [{"accession": "gone", "study": "1.2"}], [{"study": "1.2"}], [(0, None)], [(True, None)],
            id="a key that no report has passes on",
        ),
    ],
)  # fmt: skip
def test_rules(images, reports, image_fates, report_fates):
    assert run(images, reports) == (image_fates, report_fates)


def test_two_patients_may_be_allowed():
    assert run([A | {"patient": "1"}], [A | {"patient": "2"}], require_same_patient=False)[0] == [(0, None)]


P, Q = {"patient": "P1"}, {"patient": "Q2"}
SHARED, OTHERS = (None, "id_of_several_patients"), (None, "report_of_another_patient")


@pytest.mark.parametrize(
    ("images", "reports", "image_fates"),
    [
        pytest.param([A | P, A | Q], [A], [SHARED, SHARED], id="nobody says whose it is"),
        pytest.param([A | P, A | Q], [A | P], [(0, None), OTHERS], id="the report says whose it is"),
        pytest.param([A | P, A | Q], [A | P, A | Q | {"text": "mass"}], [(0, None), (1, None)], id="to each its own"),
        pytest.param([A | P, A | Q], [A | P, A | Q], [(0, None), (1, None)], id="to each its own, of equal text"),
        pytest.param([A | P, A | Q, A], [A | Q], [OTHERS, (0, None), SHARED], id="an image of nobody known"),
        pytest.param([A | P], [A | Q, A], [SHARED], id="another's, and one of nobody known"),
        pytest.param([A | P, A | Q], [A | P, A | {"text": "mass"}], [(0, None), SHARED], id="one is anyone's"),
        pytest.param(
            [A | P | {"study": "1.2.3"}, A | Q | {"study": "1.2.4"}], [A | {"study": "1.2.4"}], [OTHERS, (0, None)],
            id="its study says whose it is",
        ),
        pytest.param([A | P, A | {"patient": " p1\0"}, A], [A], [(0, None)] * 3, id="one patient, spelt otherwise"),
        pytest.param([P | {"study": "1.2.3"}, Q | {"study": "1.2.3"}], [{"study": "1.2.3"}], [SHARED] * 2,
                     id="a study"),
        pytest.param([P | {"image": "7"}, Q | {"image": "7"}], [{"image": "7"}], [SHARED] * 2, id="an image's name"),
        pytest.param([A | P, A | Q], [{"accession": "A1; A2"}], [SHARED] * 2, id="in a list"),
    ],
)  # fmt: skip
def test_an_id_of_several_patients_leads_nobody_to_a_strangers_report(images, reports, image_fates):
    assert run(images, reports, by=("accession", "study", "patient_date", "image"))[0] == image_fates


DAY, ELSE = {"patient": "P1", "date": "20240131"}, (None, "report_of_another_study")


@pytest.mark.parametrize(
    ("images", "reports", "image_fates"),
    [
        pytest.param([DAY | {"study": "1.2.1"}, DAY | {"study": "1.2.2"}], [DAY], [ELSE, ELSE], id="two studies a day"),
        pytest.param([DAY | {"study": "1.2.1"}] * 2 + [DAY], [DAY], [(0, None)] * 3, id="one study, and one unknown"),
        pytest.param([DAY | {"accession": "A1"}, DAY | {"accession": "A2"}], [DAY], [ELSE] * 2, id="two numbers a day"),
        pytest.param(
            [DAY | {"accession": "A1", "study": "1.2.1"}, DAY | {"accession": "A2", "study": "1.2.2"}],
            [DAY | {"accession": "A1"}], [(0, None), ELSE], id="the day's report has its own study",
        ),
        pytest.param([DAY | {"accession": "A1"}], [DAY | {"accession": "A7"}], [ELSE], id="of another number"),
        pytest.param([DAY | {"accession": "0007"}], [DAY | {"accession": "7"}], [(0, None)], id="spelt otherwise"),
    ],
)  # fmt: skip
def test_a_patients_day_leads_to_no_report_of_another_study(images, reports, image_fates):
    assert run(images, reports)[0] == image_fates


def test_patients_that_are_not_compared_are_not_held_apart():
    assert run([A | P, A | Q], [A], require_same_patient=False)[0] == [(0, None)] * 2


@pytest.mark.parametrize(
    "nothing",
    ["0", "000000", "UNKNOWN", "N/A", "n.a.", "NONE", "-", "--", "?", "TEMP", "tbd", "XXXX", "99999999", "(null)",
     "#N/A", "not available", "Unbekannt", "1111", "No Accession Number"],
)  # fmt: skip
def test_what_stands_for_no_id_pairs_nothing(nothing):
    images = [{"accession": nothing, "study": "1.2.3"}, {"accession": "A1"}]
    reports = [{"accession": nothing, "text": "mass"}, {"accession": "A1", "text": "clear"}]
    assert run(images, reports) == ([LONELY, (1, None)], [ORPHAN, (True, None)])
    assert run(images, [reports[0] | {"study": "1.2.3"}])[0] == [(0, None), LONELY]  # what else it has does
    who = {"patient": nothing, "date": "20240101"}
    assert run([who], [who])[0] == [LONELY]
    assert run([A | {"patient": nothing}], [A | P])[0] == [(0, None)]  # and is no other patient


@pytest.mark.parametrize("real_id", ["7", "11", "TEMP12", "NA12", "A", "00123"])
def test_an_id_that_is_short_or_holds_such_a_word_is_one(real_id):
    assert run([{"accession": real_id}], [{"accession": real_id}])[0] == [(0, None)]


def test_any_of_a_list_of_a_patients_identifiers_is_the_patient():
    images = [A | {"patient": "77"}, {"accession": "A2", "patient": "99"}, {"accession": "A3", "patient": "5"}]
    lists = ["1^^^S^SS~77^^^H^MR", "1^^^X^SS~99^^^Y^AN", "6^^^X^MR~7^^^Y^SS"]
    reports = [{"accession": f"A{i}", "patient": cell} for i, cell in enumerate(lists, 1)]
    assert run(images, reports)[0] == [(0, None), (1, None), OTHERS]


def test_numbers_of_one_numbering_are_ids():
    numbers = [{"accession": str(n)} for n in (0, 1, 1111, 1112)]
    assert run(numbers, numbers)[0] == [(i, None) for i in range(4)]


@pytest.mark.parametrize(
    ("image", "report", "same"),
    [
        ("20240131", "2024-01-31", True),
        ("20240131", "2024-01-31T10:11:12", True),
        ("20240131", "2024/1/31", True),
        ("20240131101112.000", "31.01.2024", True),
        ("20240131", "20240131.0", True),
        ("20240131", "20240130", False),
        ("20240131", "31-JAN-2024", True),
        ("20240131", "31-JAN-24 10.11.12.000000 AM", True),
        ("20240131", "Wed, 31 Jan 2024 10:11:12 GMT", True),
        ("20240305", "5. März 2024", True),
        ("20240305", "March 5th, 2024", True),
        ("20240131", "01/31/2024 10:11 PM", True),  # no month is the 31st
        ("20240131", "31/01/2024", True),
        ("20240131", "45322", True),  # a spreadsheet's serial number
        ("20240131", "45322.4243", True),
        ("20240131", "1706659200000", True),  # pandas' milliseconds
        ("20240131", "45321", False),
        ("20100512", "12 May 10:30", False),  # a time is no year
        ("20240101", "1/1/2024", True),
        ("20240102", "01/02/2024", False),  # which day is not said
        ("2024-13-01", "2024-13-01", False),  # no day at all
        ("", "", False),
        ("yesterday", "yesterday", False),
    ],
)
def test_a_patient_on_a_day(image, report, same):
    got = run([{"patient": "p 1", "date": image}], [{"patient": "P 1", "date": report}], by=("patient_date",))[0]
    assert got == [(0, None) if same else LONELY]


@pytest.mark.parametrize(
    ("asked", "matches"),
    [
        ("a/1.png", [0, None, None, None]),
        ("./a/1.png", [0, None, None, None]),
        ("a\\1.png", [0, None, None, None]),
        ("1.png", [None, None, None, None]),  # two images have this name
        ("2.png", [None, None, 0, None]),
        ("/data/export/b/2.png", [None, None, 0, None]),
        ("else/2.png", [None, None, None, None]),  # another file of this name
        ("c.png", [None, None, None, 0]),
        ("export/c.png", [None, None, None, 0]),
        ("", [None, None, None, None]),
    ],
)
def test_a_report_that_names_its_image(asked, matches):
    images = [{"image": name} for name in ("a/1.png", "b/1.png", "b/2.png", "c.png")]
    assert [report for report, _ in run(images, [{"image": asked}], by=("image",))[0]] == matches


def test_every_frame_of_the_named_file_matches():
    images = [{"image": "x/1.dcm"}, {"image": "x/1.dcm"}]
    assert run(images, [{"image": "1.dcm"}], by=("image",))[0] == [(0, None)] * 2


def test_without_texts_two_rows_are_two_reports():
    left, _ = pair(table([A]), table([A, A]), PairRules())
    assert left["reason"].to_pylist() == ["several_reports_match"]


def test_empty_tables():
    assert run([], []) == ([], [])
    assert run([A], []) == ([LONELY], [])
    assert run([], [A]) == ([], [ORPHAN])


@pytest.mark.parametrize("by", [(), ("accession", "name")])
def test_unknown_keys_are_the_recipes_fault(by):
    with pytest.raises(ValidationError, match=r"at least 1|patient_date"):
        PairRules(by)


def test_a_row_twice_is_a_bug():
    with pytest.raises(ValueError, match="not unique"):
        pair(table([{"row": 1}, {"row": 1}]), table([]), PairRules())


identities = st.fixed_dictionaries(
    {
        "accession": st.sampled_from(["", "A", "B", "C "]),
        "study": st.sampled_from(["", "1", "2"]),
        "patient": st.sampled_from(["", "p", "P", "q"]),
        "date": st.sampled_from(["", "20240101", "2024-01-01", "20240102"]),
        "image": st.sampled_from(["", "a/1", "a/2", "b/1", "1", "3"]),
    }
)
said = st.sampled_from(
    [("clear", None), ("Clear ", None), ("mass", None), ("", Reason.EMPTY_REPORT), ("", Reason.BAD_ENCODING)]
).map(lambda s: {"text": s[0], "reason": s[1] and s[1].value})
reports_of = st.builds(lambda i, s: i | s, identities, said)
orders = st.permutations(["accession", "study", "patient_date", "image"]).flatmap(
    lambda p: st.integers(1, 4).map(lambda n: tuple(p[:n]))
)


def value(row: dict, key: str, images: list[dict], is_report: bool) -> object:
    """What ``row`` is compared by, read plainly off the rules."""
    if key == "patient_date":
        return row["patient"] and row["date"] and (row["patient"].lower(), row["date"].replace("-", ""))
    if key != "image" or not is_report:
        return row[key].strip()
    paths = {i["image"] for i in images if i["image"]}
    if row["image"] in paths or not row["image"]:
        return row["image"]
    named = [p for p in paths if p.split("/")[-1] == row["image"].split("/")[-1]]
    ends = named and (f"/{named[0]}".endswith("/" + row["image"]) or ("/" + row["image"]).endswith(f"/{named[0]}"))
    return named[0] if len(named) == 1 and ends else ""


def owner(report: dict, images: list[dict]) -> str:
    """Whose the report is: its patient's, else the only one's who has its study."""
    mine = {i["patient"].lower() for i in images if report["study"] and i["study"] == report["study"]} - {""}
    return report["patient"].lower() or (mine.pop() if len(mine) == 1 else "")


def expected(image: dict, images: list[dict], reports: list[dict], by, same_patient: bool) -> tuple:
    for key in by:
        mine = value(image, key, images, False)
        match = [r for r in reports if mine and value(r, key, images, True) == mine]
        if not match:
            continue
        me, owners = image["patient"].lower(), [owner(r, images) for r in match]
        alike = {i["patient"].lower() for i in images if value(i, key, images, False) == mine}
        if same_patient and len((alike | set(owners)) - {""}) > 1:
            match = [r for r, whose in zip(match, owners, strict=True) if whose == me != ""]
            if not match:
                others = me and all(owners)
                return None, (Reason.PATIENT_MISMATCH if others else Reason.SEVERAL_PATIENTS).value
        if any(r["reason"] != Reason.EMPTY_REPORT.value for r in match):
            match = [r for r in match if r["reason"] != Reason.EMPTY_REPORT.value]
        distinct = {r["row"] if r["reason"] == Reason.BAD_ENCODING.value else r["text"].strip().lower() for r in match}
        if len(distinct) > 1:
            return None, Reason.AMBIGUOUS_REPORT.value
        best = min(match, key=lambda r: r["row"])
        if key == "patient_date":
            day = [i for i in images if value(i, key, images, False) == mine]
            studies, numbers = ({i[n].strip() for i in day} - {""} for n in ("study", "accession"))
            told = {image["accession"].strip(), best["accession"].strip()} - {""}
            if len(studies or numbers) > 1 or ("accession" in by and len(told) > 1):
                return None, Reason.ANOTHER_STUDY.value
        patients = {image["patient"].lower(), best["patient"].lower()} - {""}
        return (
            (None, Reason.PATIENT_MISMATCH.value)
            if same_patient and len(patients) > 1
            else (best["row"], best["reason"])
        )
    return None, Reason.ORPHAN_IMAGE.value


@settings(max_examples=150, deadline=None)
@given(
    st.lists(identities, max_size=7),
    st.lists(reports_of, max_size=7),
    orders,
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_pairing_is_what_its_rules_say_in_any_order(images, reports, by, same_patient, random):
    images = [r | {"row": i * 3} for i, r in enumerate(images)]
    reports = [r | {"row": i * 2 + 1} for i, r in enumerate(reports)]
    shuffled = random.sample(images, len(images)), random.sample(reports, len(reports))
    rules = PairRules(by, same_patient)
    left, right = pair(table(shuffled[0]), table(shuffled[1], ("text", "reason")), rules)
    assert left["row"].to_pylist() == [r["row"] for r in images]
    assert right["row"].to_pylist() == [r["row"] for r in reports]
    got = [(r["report"], r["reason"]) for r in left.to_pylist()]
    assert got == [expected(image, images, reports, by, same_patient) for image in images]
    used = {r["row"] for r in right.to_pylist() if r["used"]}
    assert {report for report, _ in got if report is not None} <= used
    for report, fate in zip(reports, right.to_pylist(), strict=True):
        unused = None if fate["used"] else Reason.ORPHAN_REPORT.value
        assert fate["reason"] == (report["reason"] or unused)


def test_real_captions_find_their_images():
    for folder, column in (("radiology_pairs", "caption"), ("cxr_pairs", "text")):
        with (real(folder) / "pairs.csv").open(encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f))
        reports = [{"image": r["image"], "text": r[column]} for r in rows]
        images = [{"image": name} for name in sorted({r["image"] for r in rows})]
        got = run(images, reports, by=("image",))[0]
        paired = [(images[i]["image"], report) for i, (report, reason) in enumerate(got) if reason is None]
        assert len(paired) >= 0.99 * len(images)
        assert all(rows[report]["image"] == image for image, report in paired)


def test_thirty_thousand_images_pair_in_seconds():
    n = 30_000
    rows = [
        {"accession": f"A{i}" if i % 3 else "", "study": f"1.2.{i}" if i % 2 else "", "patient": f"P{i // 4}",
         "date": f"2024-01-{i % 28 + 1:02}", "text": f"report {i}"} for i in range(n)
    ]  # fmt: skip
    images, reports = table(rows), table(rows, ("text",))
    start = time.process_time()
    left, _ = pair(images, reports, PairRules())
    assert time.process_time() - start < 10
    assert left["reason"].null_count == n
