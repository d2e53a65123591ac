"""Which of several reports is the report; what a cell of several accession numbers belongs to; why nothing pairs."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.deid.pseudonym import Pseudonymizer
from curate.ingest.index import match
from curate.ingest.rules import IndexRules
from curate.sources.pairing.coverage import describe, tally
from curate.sources.pairing.outcome import Pairing
from curate.sources.pairing.pair import known_of, pair
from curate.sources.pairing.rules import PairRules
from curate.sources.pairing.several import Candidate, declared_status, joined, resolve, told_status
from curate.sources.reports.report import Report
from curate.sources.reports.text.section import parse_sections
from curate.sources.scan import SCAN
from tests.curate.indexing import build_index, sources

P = Pseudonymizer(b"several" * 5)
FIELDS = ("accession", "study", "patient", "date", "image")
MORE = ("text", "reason", "status", "order", "several")


def table(rows: list[dict[str, str | None]], more: tuple[str, ...] = ()) -> pa.Table:
    columns = {"row": pa.array([r.get("row", i) for i, r in enumerate(rows)], pa.int64())}
    return pa.table(columns | {f: pa.array([r.get(f) for r in rows], pa.string()) for f in (*FIELDS, *more)})


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("F", "final"),
        ("Final ", "final"),
        ("PRELIMINARY", "preliminary"),
        ("p", "preliminary"),
        ("Addendum", "addendum"),
        ("C", "corrected"),
        ("entered-in-error", "void"),
        ("", ""),
        ("green", ""),
    ],
)
def test_what_a_status_column_says(value: str, status: str) -> None:
    assert declared_status(value) == status


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("PRELIMINARY REPORT\nClear lungs.", "preliminary"),
        ("   FINAL REPORT\n EXAMINATION: chest", "final"),
        ("WET READ: clear.\n____\n FINAL REPORT\n Clear lungs.", "final"),
        ("PRELIMINARY REPORT\nClear.\nFINAL REPORT\nClear.", "final"),
        ("**ADDENDUM #1**\nSeen again.", "addendum"),
        ("ADDENDUM: seen again.\nFINAL REPORT\nClear.", "final"),  # the whole report again
        ("AMENDED REPORT\nClear.", "corrected"),
        ("PRELIMINARY: Clear.", "preliminary"),
        ("Chest\nFinal Report:\nClear.", "final"),
        ("FINAL DIAGNOSIS: Clear.", ""),
        ("Final report to follow.", ""),
        ("FINAL\nClear.", "final"),
        ("FINDINGS: Clear.\nADDENDUM: seen again.", ""),
        ("The preliminary report was discussed. Addendum follows.", ""),
        ("Addendum to follow in a day", ""),
        ("", ""),
    ],
)
def test_what_a_text_calls_itself(text: str, status: str) -> None:
    assert told_status(text) == status


def candidates(*said: tuple[str, str]) -> list[Candidate]:
    return [Candidate(i, status, order) for i, (status, order) in enumerate(said)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "rule", "chosen"),
    [
        ([("", ""), ("", "")], "ambiguous", None),
        ([("", "1"), ("", "2")], "ambiguous", None),  # an order alone does not say that one replaces the other
        ([("preliminary", ""), ("final", "")], "ambiguous", (1,)),
        ([("final", "2"), ("preliminary", "1"), ("addendum", "3")], "ambiguous", (0, 2)),
        ([("final", "1"), ("addendum", "2"), ("final", "3")], "ambiguous", (2,)),
        ([("final", "10"), ("final", "9")], "ambiguous", (0,)),  # numbers, not letters
        ([("final", ""), ("final", "")], "ambiguous", None),
        ([("final", ""), ("corrected", "")], "ambiguous", (1,)),
        ([("final", ""), ("", "")], "ambiguous", None),
        ([("", ""), ("addendum", ""), ("addendum", "")], "ambiguous", (0, 1, 2)),
        (
            [("addendum", "2024-03-02 10:00"), ("final", "2024-03-01 09:00"), ("addendum", "2024-03-01 23:00")],
            "ambiguous",
            (1, 2, 0),
        ),
        (
            [("final", "3/4/2024 9:00 AM"), ("final", "3/4/2024 1:00 PM")],
            "ambiguous",
            (1,),
        ),  # either way of reading days
        ([("final", "03/04/2024"), ("final", "04/03/2024")], "ambiguous", None),  # which is later is not said
        ([("final", "01.04.2024"), ("final", "02.03.2024"), ("final", "20.01.2024")], "ambiguous", (0,)),
        ([("addendum", ""), ("addendum", "")], "ambiguous", None),
        ([("", "1"), ("", "2")], "latest", (1,)),
        ([("", "1"), ("preliminary", "2")], "latest", (0,)),
        ([("", "1"), ("", "2")], "first", (0,)),
        ([("", "1"), ("", "")], "latest", None),
        ([("", "2"), ("", "1")], "join", (1, 0)),
        ([("", ""), ("", "")], "join", (0, 1)),
        # ten in Paris is before half past nine in London; of which zone a time is that says none nobody knows
        ([("final", "2024-01-05T10:00:00+01:00"), ("final", "2024-01-05T09:30:00Z")], "ambiguous", (1,)),
        ([("final", "20240105100000+0100"), ("final", "20240105083000-0100")], "ambiguous", (1,)),
        ([("final", "2024-01-05T10:00:00"), ("final", "2024-01-05T09:30:00Z")], "ambiguous", None),
        ([("final", "2024-01-07T10:00:00"), ("final", "2024-01-05T09:30:00Z")], "ambiguous", (0,)),
        ([("final", "02-JAN-24 10.30.00.000000 AM"), ("final", "02-JAN-24 01.30.00.000000 PM")], "ambiguous", (1,)),
        ([("final", "20240105"), ("final", "20240104235959")], "ambiguous", (0,)),
        ([("final", "20240105 13:30"), ("final", "20240105 09:30:00")], "ambiguous", (0,)),
        ([("final", "20240105T133000+01:00"), ("final", "20240105T130000Z")], "ambiguous", (1,)),
    ],
)
def test_which_of_several_is_the_report(said, rule, chosen) -> None:
    assert resolve(candidates(*said), rule) == chosen


def test_beside_what_cannot_be_read_and_across_patients_nothing_is_chosen() -> None:
    one, other = candidates(("final", "1"), ("preliminary", "0"))
    assert resolve([one, Candidate(1, "preliminary", "0", readable=False)], "latest") is None
    assert resolve([Candidate(0, "final", "1", "p"), Candidate(1, "preliminary", "0", "q")], "latest") is None
    assert resolve([one, other], "latest") == (0,)


def test_an_addendum_becomes_a_section_whatever_headings_it_has() -> None:
    said = "ADDENDUM:\nFINDINGS: The nodule is 8 mm.\nIMPRESSION: Larger.\nElectronically signed by: Dr. Lee"
    whole = joined(["FINDINGS: A nodule.\nIMPRESSION: Nodule.", said], ["final", "addendum"])
    sections = parse_sections(whole)
    assert sections["findings"] == "A nodule." and sections["impression"] == "Nodule."
    assert sections["addendum"] == "The nodule is 8 mm. Larger."


def run(images, reports, **rules):
    left, right = pair(table(images), table(reports, MORE), PairRules(**rules))
    return [(r["report"], r["also"], r["reason"]) for r in left.to_pylist()], right["reason"].to_pylist()


A, B = {"accession": "A1"}, {"accession": "A2"}
BOTH = {"accession": "A1; A2", "text": "both clear"}
USED, PAST, ORPHAN, AMBIGUOUS = None, "superseded_report", "report_without_image", "several_reports_match"


@pytest.mark.parametrize(
    ("images", "reports", "image_fates", "report_fates"),
    [
        pytest.param([A, B], [BOTH], [(0, [], None)] * 2, [USED], id="one report of two studies"),
        pytest.param([A], [BOTH], [(0, [], None)], [USED], id="of which one is here"),
        pytest.param(
            [A | {"accession": "A1/9"}], [{"accession": "A1/9", "text": "x"}], [(0, [], None)], [USED], id="whole"
        ),
        pytest.param(
            [A, {"accession": "9/1"}],
            [BOTH | {"accession": "A1/A2"}],
            [(None, [], "image_without_report")] * 2,
            [ORPHAN],
            id="what stands in the archive's own ids separates nothing",
        ),
        pytest.param(
            [A, B],
            [BOTH, B | {"text": "mass"}],
            [(0, [], None), (None, [], AMBIGUOUS)],
            [USED, ORPHAN],
            id="two reports of one study stay two",
        ),
        pytest.param(
            [A],
            [
                A | {"text": "wet", "status": "preliminary"},
                A | {"text": "more", "status": "addendum"},
                A | {"text": "read", "status": "final"},
            ],
            [(2, [1], None)],
            [PAST, USED, USED],
            id="preliminary, addendum, final",
        ),
        pytest.param(
            [A], [A | {"text": "wet", "status": "void"}], [(None, [], "image_without_report")], [PAST], id="cancelled"
        ),
        pytest.param(
            [A, B],
            [BOTH, A | {"text": "more", "status": "addendum"}],
            [(0, [1], None), (0, [], None)],
            [USED, USED],
            id="an addendum to one study of two",
        ),
        pytest.param(
            [B],
            [A | {"text": "x", "status": "preliminary"}, A | {"text": "y", "status": "final"}],
            [(None, [], "image_without_report")],
            [ORPHAN, ORPHAN],
            id="of no image, nothing is superseded",
        ),
        pytest.param(
            [A],
            [
                A | {"text": "x", "order": "1", "several": "latest"},
                A | {"text": "y", "order": "2", "several": "latest"},
            ],
            [(1, [], None)],
            [PAST, USED],
            id="the latest, by a declared rule",
        ),
        pytest.param(
            [A],
            [A | {"text": "x", "order": "1", "several": "latest"}, A | {"text": "y", "order": "2"}],
            [(None, [], AMBIGUOUS)],
            [ORPHAN, ORPHAN],
            id="two sources of two rules",
        ),
        pytest.param(
            [A],
            [A | {"text": "same", "status": "final"}, A | {"text": "Same ", "status": "preliminary"}],
            [(0, [], None)],
            [USED, USED],
            id="a final as the preliminary was",
        ),
    ],
)
def test_several(images, reports, image_fates, report_fates) -> None:
    assert run(images, reports) == (image_fates, report_fates)


LINES = ("LEFT:", "Normal.", "RIGHT:", "Normal.")


@pytest.mark.parametrize(
    ("lines", "orders", "report"),
    [
        (LINES, ("1", "2", "3", "4"), (0, [1, 2, 3])),
        (LINES, ("", "", "", ""), (0, [1, 2, 3])),
        (LINES, ("20240105",) * 4, (0, [1, 2, 3])),  # the report's time, of every line the same
        (LINES, ("4", "2", "1", "2"), (2, [1, 0])),  # line 2 twice, as a join of tables has it
        (("A.", "B.", "A.", "B."), ("", "", "", ""), (0, [1])),  # all of the report twice
        (("Same.", "Same."), ("", ""), (0, [])),
    ],
)
def test_equal_lines_of_a_joined_report_are_each_its_own(lines, orders, report) -> None:
    reports = [A | {"text": t, "order": o, "several": "join"} for t, o in zip(lines, orders, strict=True)]
    assert run([A], reports) == ([(*report, None)], [USED] * len(lines))


@pytest.mark.parametrize(
    ("image", "report", "ignore", "pairs"),
    [
        ("0012", "12", (), False),
        ("0012", "12", ("leading_zeros",), True),
        ("A0012", "A12", ("leading_zeros",), False),
        ("12-34", "1234", (), False),
        ("12-34", "1234", ("punctuation",), True),
        ("1.2.3", "12.3", ("punctuation",), False),
        ("s5041", "5041", ("prefix",), True),
        ("ACC-5041", "5041", ("prefix",), True),
        ("5041", "5042", ("prefix",), False),
        ("ACC-007", "7", ("prefix", "leading_zeros"), True),
        ("12345.0", "12345", (), True),
        ("RX-24-7", "RX\u201324\u22127", (), True),  # an en dash and a minus sign
        ("A1^^^RIS", "a1", (), True),
        ("1.23457E+11", "123457000000", ("leading_zeros", "punctuation", "prefix"), False),
    ],
)
def test_what_a_recipe_may_ignore(image, report, ignore, pairs) -> None:
    got, _ = run([{"accession": image}], [{"accession": report, "text": "x"}], ignore=ignore)
    assert (got[0][0] == 0) is pairs


def test_ignoring_zeros_equal_ids_go_first_and_two_ids_never_become_one() -> None:
    images = [{"accession": "012"}, {"accession": "12"}]
    got, _ = run(images, [{"accession": "12", "text": "x"}], ignore=("leading_zeros",))
    assert got == [(None, [], AMBIGUOUS), (0, [], None)]
    got, _ = run([A | {"patient": "007"}], [A | {"patient": "7", "text": "x"}], ignore=("leading_zeros",))
    assert got == [(0, [], None)]


IDS = st.sampled_from(["", "A1", "a1 ", "A1; A2", "A2/A3", "007", "7", "7.0", "B-2"])
IMAGES = st.fixed_dictionaries(
    {
        "accession": IDS,
        "study": st.sampled_from(["", "1.2", "1.3"]),
        "patient": st.sampled_from(["", "P", "p^^^H", "Q"]),
        "date": st.sampled_from(["", "20240101"]),
        "image": st.sampled_from(["a/1", "a/2", "b;c"]),
    }
)
REPORTS = st.builds(
    lambda image, more: image | more,
    IMAGES,
    st.fixed_dictionaries(
        {
            "text": st.sampled_from(["clear", "mass", "more", ""]),
            "reason": st.sampled_from([None, None, "bad_text_encoding"]),
            "status": st.sampled_from(["", "preliminary", "final", "addendum", "void"]),
            "order": st.sampled_from(["", "1", "2"]),
            "several": st.sampled_from(["ambiguous", "latest", "join"]),
        }
    ),
)


@settings(max_examples=30)
@given(
    st.lists(IMAGES, max_size=6),
    st.lists(REPORTS, max_size=6),
    st.sampled_from([(), ("leading_zeros", "punctuation")]),
    st.randoms(use_true_random=False),
)
def test_every_image_and_report_has_one_fate_in_any_order(images, reports, ignore, random) -> None:
    images = [r | {"row": i} for i, r in enumerate(images)]
    reports = [r | {"row": i} for i, r in enumerate(reports)]
    rules = PairRules(("accession", "study", "patient_date", "image"), ignore=ignore)
    left, right = pair(table(images), table(reports, MORE), rules)
    shuffled = random.sample(images, len(images)), random.sample(reports, len(reports))
    again = pair(table(shuffled[0]), table(shuffled[1], MORE), rules)
    assert left.equals(again[0]) and right.equals(again[1])
    assert left["row"].to_pylist() == list(range(len(images))) and right["row"].to_pylist() == list(range(len(reports)))
    had = {row for r in left.to_pylist() for row in (r["report"], *r["also"]) if row is not None}
    used = {r["row"] for r in right.to_pylist() if r["used"]}
    assert had <= used and not {i for i in used if reports[i]["status"] == "void"}
    for image in left.to_pylist():
        assert (image["report"] is None) <= (image["reason"] is not None) and (
            image["report"] is not None or not image["also"]
        )
    for report, fate in zip(reports, right.to_pylist(), strict=True):
        assert fate["reason"] in ({report["reason"]} if report["reason"] or fate["used"] else {PAST, ORPHAN})


def file(relative: str, **fields: object) -> dict[str, object]:
    usual: dict[str, object] = {f.name: 0 if pa.types.is_integer(f.type) else "" for f in SCAN}
    usual |= {"path": b"/a/" + relative.encode(), "relative": relative, "kind": "dicom", "reason": None, "frames": 1}
    return usual | fields


def test_the_index_holds_the_final_with_its_addendum_and_searches_it_for_everyone() -> None:
    scans = [("a", pa.Table.from_pylist([file("1.dcm", accession="A1", patient_id="P77^^^H")], SCAN))]
    reports = [
        Report("1", "PRELIMINARY REPORT\nClear lungs.", "A1"),
        Report("2", "FINAL REPORT\nA nodule.", "a1", phi=("Dr. Fine",)),
        Report("3", "ADDENDUM: The nodule is old.", "A1.0", phi=("Dr. Late",)),
        Report("4", "ADDENDUM: It is benign.", "A1", phi=("Dr. Later",)),
    ]
    index = build_index(scans, reports, IndexRules(), P).to_pylist()
    (row,) = [r for r in index if r["drop_reason"] is None]
    assert row["text"] == "FINAL REPORT\nA nodule.\n\nADDENDUM: It is benign."  # A1.0 is no number: another study
    assert {"P77", "P77^^^H", "Dr. Fine", "Dr. Later"} <= set(row["phi"]) and "Dr. Late" not in row["phi"]
    assert sorted(r["drop_reason"] for r in index if r["drop_reason"]) == [ORPHAN, PAST]


def told(images, reports, **rules) -> Pairing:
    by = PairRules(**{"by": ("accession", "study", "patient_date")} | rules)
    left, right = table(images), table(reports, MORE)
    counts = tally(left, right, pair(left, right, by)[0], by, known_of(left, right))
    return describe(counts, left, right, by)


@pytest.mark.parametrize(
    ("images", "reports", "said"),
    [
        (
            [{"accession": "0012377"}],
            [{"accession": "12377"}],
            "1 of 1 images would pair if leading zeros were ignored",
        ),
        ([{"accession": "123-77"}], [{"accession": "12377"}], "pair.ignore: [punctuation]"),
        ([{"accession": "s50414267"}], [{"accession": "50414267"}], "pair.ignore: [prefix]"),
        ([{"accession": "ACC-0077"}], [{"accession": "77"}], "[leading_zeros, punctuation, prefix]"),
        ([{"accession": "123457000000"}], [{"accession": "1.23457E+11"}], "its digits are lost"),
        ([{"study": "1.2.840.1"}], [{"accession": "1.2.840.1"}], "give that column (or group) as columns.study"),
        (
            [{"image": "p10/p1000/s50414267/a.jpg"}],
            [{"accession": "s50414267"}],
            "folder 3): images[].key_pattern, group accession",
        ),
        (
            [{"image": "p10/p1000/s50414267/a.jpg"}],
            [{"study": "50414267"}],
            "folder 3): images[].key_pattern, group study",
        ),
        (
            [{"image": "x/case7.jpg"}],
            [{"accession": "case7"}],
            "the file's name): images[].key_pattern, group accession",
        ),
        ([{"image": "x/1.jpg"}], [{"image": "1.jpg"}], "pair.by: [accession, study, patient_date, image]"),
        ([A | {"patient": "007"}], [A | {"patient": "7"}], "1 images found a report of another patient"),
        ([A], [A | {"text": "x"}, A | {"text": "y"}], "columns.status and columns.order, or 'several'"),
        (
            [{"patient": "P", "date": "20240102"}],
            [{"patient": "P", "date": "01/02/2024"}],
            "its day is not sure (#{2}/#{2}/#{4})",
        ),
    ],
)
def test_why_nothing_pairs(images, reports, said) -> None:
    made = told(images, [{"text": "x"} | r for r in reports])
    assert made.is_few and any(said in line for line in made.lines), made.lines
    assert Pairing.of_table(made.table()) == made


def test_coverage_tells_forms_and_no_value() -> None:
    images = [{"study": f"1.2.840.{i}", "image": f"p{i}/Quartermaine{i}.dcm"} for i in range(70)]
    made = told(images, [{"accession": f"Zeppelin{7000 + i}", "patient": f"Hindenburg{i}"} for i in range(70)])
    assert "accession: 0 of 70 images have one, 70 of 70 reports have one (Aa{7}#{4})" in made.lines
    assert "study: 70 of 70 images have one (a UID), 0 of 70 reports have one" in made.lines
    assert made.headline == "0 of 70 images found a report among 70"
    assert not any(name in json.dumps(made.lines) for name in ("eppelin", "indenburg", "uartermaine", "70001", "840"))


def test_where_most_pair_nothing_is_said() -> None:
    made = told([A, B], [A | {"text": "x"}])
    assert (made.paired, made.is_few, made.lines) == (1, False, ())


def test_a_run_is_matched_and_told_in_one() -> None:
    scans = [("a", pa.Table.from_pylist([file("1.dcm", accession="7"), file("2.txt", reason="not_an_image")], SCAN))]
    made = match(scans, [Report("1", "Clear.", "007")], IndexRules(files=sources("a")))
    assert (made.pairing.images, made.pairing.paired) == (1, 0)
