"""Report sources of every kind, whole and broken: each row becomes a Report or a Reason in its place."""

from __future__ import annotations

import csv
import io
import json
import time
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.errors import DropRecord, RecipeError
from curate.record import Reason
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.formats import decode
from curate.sources.reports.read import check_columns, read_reports
from curate.sources.reports.report import Report
from curate.sources.reports.tables.dialect import MAX_CELL
from curate.sources.reports.text.markup import plain_text
from curate.sources.reports.text.section import parse_sections
from tests.realdata import real

TEXT = ReportColumns(text="text", accession="id")


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, columns: ReportColumns = TEXT, **options) -> list[Report]:
    return list(read_reports(path, columns, **options))


def told(path: Path, columns: ReportColumns = TEXT, **options) -> list[tuple]:
    """(accession, text or Reason) of every report."""
    return [(r.accession, r.reason or r.text) for r in read(path, columns, **options)]


# -- what a report is made of


ROW = {
    "Findings": " clear ", "Impression": "normal", "Note": "", "Acc": " A1 ", "UID": "1.2", "MRN": "007",
    "Name": "Doe^John", "Date": "20240131", "File": "a/1.png", "Family": "f1", "Trusted": "Yes", "Sex": "M",
}  # fmt: skip
COLUMNS = ReportColumns(
    sections={"findings": "Findings", "impression": "Impression", "comparison": "Note"},
    accession="Acc", study="UID", patient="MRN", date="Date", image="File", patient_name="Name", group="Family",
    clean="Trusted", keep={"sex": "Sex"},
)  # fmt: skip


def as_csv(rows: list[dict], delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_parquet(rows: list[dict]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(pytest.param("r.csv", as_csv([ROW], d), id=f"csv {d!r}") for d in ",;\t|"),
        pytest.param("r.tsv", as_csv([ROW], "\t"), id="tsv"),
        pytest.param("r.CSV", b"\xef\xbb\xbf" + as_csv([ROW]).encode(), id="utf-8 mark"),
        pytest.param("r.csv", as_csv([ROW]).encode("utf-16"), id="utf-16"),
        pytest.param("r.csv", b"\xfe\xff" + as_csv([ROW]).encode("utf-16-be"), id="utf-16 big endian"),
        pytest.param("r.jsonl", json.dumps(ROW) + "\n", id="jsonl"),
        pytest.param("r.parquet", as_parquet([ROW]), id="parquet"),
    ],
)
def test_one_row_the_same_from_every_format(tmp_path, name, content):
    path = put(tmp_path / name, content)
    check_columns(path, COLUMNS)
    assert read(path, COLUMNS) == [
        Report(
            row=f"{name}#1", text="FINDINGS: clear\n\nIMPRESSION: normal", accession="A1", study="1.2", patient="007",
            date="20240131", image="a/1.png", phi=("Doe^John", "007", "A1", "1.2"), group="f1", clean=True,
            meta={"sex": "M"}, reason=None,
        )
    ]  # fmt: skip


def test_sections_given_as_columns_come_apart_again(tmp_path):
    sections = {"impression": "a", "body": "b", "findings": "c", "signature": "d", "notification": "e", "exam": "f"}
    columns = ReportColumns(sections=sections)
    path = put(tmp_path / "r.csv", as_csv([{column: f"Text {column}." for column in sections.values()}]))
    (report,) = read(path, columns)
    assert parse_sections(report.text) == {name: f"Text {column}." for name, column in sections.items()}


@pytest.mark.parametrize(
    ("cell", "clean"),
    [("yes", True), (" TRUE ", True), ("1", True), ("y", True), ("no", False), ("", False), ("2", False)],
)
def test_what_says_yes(tmp_path, cell, clean):
    path = put(tmp_path / "r.csv", f"text,id,ok\nx,1,{cell}\n")
    assert [r.clean for r in read(path, ReportColumns(text="text", clean="ok"))] == [clean]
    assert [r.clean for r in read(path, ReportColumns(text="text"))] == [None]


def test_raw_text_is_kept_as_it_is(tmp_path):
    text = '  FINDINGS:\r\n\tclear\ufffd "5"" film" \n\nünïcode 肺 \x0b'
    path = put(tmp_path / "r.jsonl", json.dumps({"text": text, "id": 1}))
    assert told(path) == [("1", text)]


# -- CSV


def test_line_breaks_quotes_and_long_cells(tmp_path):
    texts = ["two\nlines", 'a "quoted" word', "x" * 1_000_000, "semi;colon, comma"]
    path = put(tmp_path / "r.csv", as_csv([{"id": str(i), "text": t} for i, t in enumerate(texts)]))
    assert told(path) == [(str(i), t) for i, t in enumerate(texts)]


BAD = ("", Reason.BAD_ENCODING)
BROKEN = ("", Reason.BROKEN_ROW)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("1,a\n2\n3,c\n", [("1", "a"), BROKEN, ("3", "c")], id="too few cells"),
        pytest.param("1,a,b\n3,c\n", [BROKEN, ("3", "c")], id="too many cells"),
        pytest.param("1,a,,\n3,c\n", [("1", "a"), ("3", "c")], id="delimiters at the end"),
        pytest.param("\n1,a\n\n\n3,c", [("1", "a"), ("3", "c")], id="empty lines are no rows"),
        pytest.param('1,"a\n2,b\n3,c\n', [BROKEN, ("2", "b"), ("3", "c")], id="a quote that never ends"),
        pytest.param('1,"a\n2,b\n3,"c"\n4,d', [BROKEN, ("2", "b"), ("3", "c"), ("4", "d")], id="ends at another's"),
        pytest.param('1,"a"b\n3,c\n', [BROKEN, ("3", "c")], id="a quote amid a cell"),
        pytest.param("1,a\0b\n3,c\n", [BAD, ("3", "c")], id="NUL"),
        pytest.param('1,""\n2,  \n', [("1", Reason.EMPTY_REPORT), ("2", Reason.EMPTY_REPORT)], id="no text"),
        pytest.param("", [("", Reason.EMPTY_REPORT)], id="no rows: the file is counted"),
    ],
)
def test_broken_csv(tmp_path, body, expected):
    assert told(put(tmp_path / "r.csv", "id,text\n" + body)) == expected


def test_an_unclosed_quote_does_not_swallow_a_large_file(tmp_path):
    texts = [f"report {i} " + "x" * 500 for i in range(MAX_CELL // 400)]
    got = told(put(tmp_path / "r.csv", 'id,text\n0,"open\n' + "".join(f"{i},{t}\n" for i, t in enumerate(texts))))
    assert got[0] == BROKEN
    assert got[1:] == [(str(i), text) for i, text in enumerate(texts)]


def test_each_value_is_decoded_alone(tmp_path):
    body = b"".join(
        [
            b"id,text\n",
            "1,Müller\n".encode(),
            b"2,M\xfcller \x96 d\xe9j\xe0 vu\n",  # cp1252
            b"3,M\xfcller and M\xc3\xbcller\n",  # both: one of them would be garbled
            b"4,\x8d\x81 no cp1252\n",
            b"5,plain\n",
            "6,\ufffd stays\n".encode(),
        ]
    )
    texts = ["Müller", "Müller – déjà vu", None, None, "plain", "\ufffd stays"]
    expected = [(str(i), text) if text else BAD for i, text in enumerate(texts, start=1)]
    assert told(put(tmp_path / "r.csv", body)) == expected


def test_utf16_that_breaks_off_keeps_what_came_before(tmp_path):
    whole = "id,text\n" + "".join(f"{i},report {i}\n" for i in range(5_000))
    got = told(put(tmp_path / "r.csv", whole.encode("utf-16")[:-3]))
    assert len(got) > 4_000
    assert got[-1] == BAD
    assert got[:-1] == [(str(i), f"report {i}") for i in range(len(got) - 1)]


# -- encodings


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        ("肺 ü".encode(), "肺 ü"),
        (b"\xef\xbb\xbfmark", "mark"),
        ("肺".encode("utf-16"), "肺"),
        (b"caf\xe9", "café"),
        (b"\x93quoted\x94", "“quoted”"),
        (b"caf\xe9 \x81", None),  # a C1 control in latin-1, nothing in cp1252
        ("Größe der Läsion".encode("cp437"), None),  # of other code pages, which make signs of letters
        ("Größe der Läsion".encode("mac_roman"), None),
        ("bez złamania".encode("cp1250"), None),
        ("lésion évidente à gauche".encode("mac_roman"), None),
        ("pulmón normal".encode("cp850"), None),
        ("pas de nœud".encode("iso8859-15"), None),
        ("École, GRÖSSE, McÉwan".encode("cp1252"), "École, GRÖSSE, McÉwan"),
        ("5 cm³, §7 of “x”".encode("cp1252"), "5 cm³, §7 of “x”"),
        (b"no \xed\xa0\xbe\xed\xb6\xb4 seen, \xc3\xbc", "no 🦴 seen, ü"),  # CESU-8, as Oracle writes
        (b"no \xed\xa0\xbe seen", None),  # half a character
        ("no mark".encode("utf-16-le"), "no mark"),  # its zero bytes say so
        ("no mark, 肺".encode("utf-16-be"), "no mark, 肺"),
        ("mark 肺".encode("utf-32"), "mark 肺"),
        (b"one\0 zero", None),
        (bytes(range(1, 64, 2)).replace(b"\x01", b"\x01\0") + b"\0\x02" * 9, None),
        (b"\xff\xfea", None),
        ("胸部に異常なし。心拡大なし。".encode("shift-jis"), None),
        ("胸部に異常なし。心拡大なし。".encode("euc-jp"), None),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", None),
        (b"", ""),
    ],
)
def test_decode(raw, text):
    if text is not None:
        assert decode(raw) == text
        return
    with pytest.raises(DropRecord) as dropped:
        decode(raw)
    assert dropped.value.reason is Reason.BAD_ENCODING


@given(st.binary(max_size=60))
def test_what_is_decoded_can_be_written(raw):
    with suppress(DropRecord):
        assert decode(raw).encode("utf-8") is not None


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_utf8_is_kept(text):
    assert decode(b"\xef\xbb\xbf" + text.encode()) == text


# -- JSONL and Parquet


def test_broken_jsonl(tmp_path):
    lines = [
        '{"id": 1, "text": "a"}',
        "{",
        "",
        "[1]",
        '{"id": 2}',
        '{"text": "\\ud800", "id": 3}',
        '{"text": ["b", "c"]}',
    ]
    expected = [("1", "a"), BROKEN, BROKEN, ("2", Reason.EMPTY_REPORT), BAD, ("", "b; c")]
    assert told(put(tmp_path / "r.jsonl", "\n".join(lines))) == expected


def test_ids_that_became_floats_are_ids_again(tmp_path):
    rows = [{"text": "a", "id": 12345.0}, {"text": "b", "id": None}, {"text": None, "id": 1.5}]
    expected = [("12345", "a"), ("", "b"), ("1.5", Reason.EMPTY_REPORT)]
    assert told(put(tmp_path / "r.parquet", as_parquet(rows))) == expected
    assert told(put(tmp_path / "r.jsonl", "\n".join(map(json.dumps, rows)))) == expected


def test_parquet_strings_that_are_not_utf8(tmp_path):
    text = pa.array([b"caf\xe9", b"\x81", "ü".encode()], pa.binary()).view(pa.string())
    pq.write_table(
        pa.table({"id": pa.array(["1", "2", "3"]).dictionary_encode(), "text": text}), tmp_path / "r.parquet"
    )
    assert told(tmp_path / "r.parquet") == [("1", "café"), BAD, ("3", "ü")]


# -- text files


def test_one_text_file_a_study(tmp_path):
    put(tmp_path / "b" / "A2.txt", b"FINDINGS: caf\xe9")
    put(tmp_path / "A1.txt", "clear")
    put(tmp_path / "A3.txt", "")
    put(tmp_path / "A4.txt", " \n")
    put(tmp_path / "A5.txt", b"\x81\x8d")
    put(tmp_path / "image.png", b"\x89PNG")
    (tmp_path / "A6.txt").symlink_to("A1.txt")
    got = [(r.row, r.accession, r.reason or r.text) for r in read(tmp_path, ReportColumns())]
    assert got == [
        ("A1.txt", "A1", "clear"),
        ("A3.txt", "", Reason.EMPTY_REPORT),
        ("A4.txt", "A4", Reason.EMPTY_REPORT),
        ("A5.txt", "A5", Reason.BAD_ENCODING),
        ("A6.txt", "", Reason.SYMLINK),
        ("b/A2.txt", "A2", "FINDINGS: café"),
        ("image.png", "", Reason.NOT_A_REPORT),
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"^(?P<patient>[^_]+)_(?P<date>\d{8})\.txt$", ("", "", "P1", "20240131")),
        (r"(?P<study>[^/]+)/(?P<patient>[^_/]+)_", ("", "1.2.3", "P1", "")),
        (r"(?P<accession>X\d+)", ("", "", "", "")),
    ],
)
def test_identity_from_the_name(tmp_path, pattern, expected):
    put(tmp_path / "1.2.3" / "P1_20240131.txt", "clear")
    (report,) = read(tmp_path, ReportColumns(), name_pattern=pattern)
    assert (report.accession, report.study, report.patient, report.date) == expected
    assert report.phi == tuple(v for v in (report.patient, report.study) if v)


@pytest.mark.parametrize("pattern", ["(", "(?P<name>x)", "x"])
def test_a_pattern_that_names_nothing_is_refused_at_once(tmp_path, pattern):
    with pytest.raises(RecipeError, match="name_pattern"):
        read_reports(tmp_path, TEXT, name_pattern=pattern)
    with pytest.raises(RecipeError, match="name_pattern"):
        check_columns(tmp_path, TEXT, name_pattern=pattern)


# -- folders and what is wrong with the recipe


def test_a_folder_of_several_kinds_is_read_in_order_and_bad_files_are_rows(tmp_path):
    put(tmp_path / "a.csv", "id,text\n1,a\n")
    put(tmp_path / "b" / "c.jsonl", '{"id": "2", "text": "b"}\n')
    put(tmp_path / "d.parquet", b"PAR1 no parquet")
    put(tmp_path / "e.csv", b"")
    put(tmp_path / "notes.pdf", b"%PDF")
    check_columns(tmp_path, TEXT)
    got = [(r.row, r.reason or r.text) for r in read(tmp_path)]
    assert got == [
        ("a.csv#1", "a"),
        ("b/c.jsonl#1", "b"),
        ("d.parquet", Reason.UNREADABLE_FILE),
        ("e.csv", Reason.EMPTY_REPORT),
        ("notes.pdf", Reason.NOT_A_REPORT),
    ]
    of_one_kind = {r.row: r.reason for r in read(tmp_path, format="jsonl")}
    assert of_one_kind.pop("b/c.jsonl#1") is None
    assert of_one_kind == dict.fromkeys(("a.csv", "d.parquet", "notes.pdf"), Reason.NOT_A_REPORT) | {
        "e.csv": Reason.EMPTY_FILE
    }


def test_parquet_cut_short_is_unreadable(tmp_path):
    raw = as_parquet([{"id": str(i), "text": f"report {i}" * 50} for i in range(1000)])
    broken = raw[:300] + bytes(200) + raw[500:]  # pages damaged, the footer whole
    got = told(put(tmp_path / "r.parquet", broken))
    assert got[-1][1] is Reason.UNREADABLE_FILE


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv", "id,words\n1,a\n"),
        ("r.jsonl", '{"id": 1, "words": "a"}\n'),
        ("r.parquet", as_parquet([{"id": 1, "words": "a"}])),
    ],
)
def test_a_missing_column_is_named_with_those_there_are(tmp_path, name, content):
    path = put(tmp_path / name, content)
    for work in (lambda: check_columns(path, TEXT), lambda: read(path)):
        with pytest.raises(RecipeError, match=r"columns\.text: there is no column 'text'\n.*id, words"):
            work()


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        (ReportColumns(accession="id"), r"columns\.text: names no column"),
        (ReportColumns(sections={"findings": "f", "impresion": "text"}), r"sections\.impresion: is no section"),
        (ReportColumns(sections={"findings": "f"}), r"columns\.sections\.findings: there is no column 'f'"),
        (ReportColumns(text="text", keep={"sex": "s"}), r"columns\.keep\.sex"),
        (ReportColumns(text="twice"), "several columns are named 'twice'"),
    ],
)
def test_columns_that_cannot_be(tmp_path, columns, match):
    path = put(tmp_path / "r.csv", "id,text,twice,twice\n1,a,b,c\n")
    with pytest.raises(RecipeError, match=match):
        check_columns(path, columns)


def test_a_parquet_table_without_any_column_asked_for(tmp_path):
    alone = put(tmp_path / "words.parquet", as_parquet([{"number": 1, "words": "a"}]))
    for work in (lambda: check_columns(alone, TEXT), lambda: read(alone)):
        with pytest.raises(RecipeError, match=r"columns\.\w+: there is no column"):
            work()
    put(tmp_path / "r.csv", "id,text\n1,No effusion.\n")
    assert [(r.row, r.reason) for r in read(tmp_path)] == [("r.csv#1", None), ("words.parquet", Reason.NOT_A_REPORT)]


def test_a_patient_in_the_first_row_is_not_printed(tmp_path):
    path = put(tmp_path / "r.csv", "Doe^John,19500101,The lungs are clear. No mass.\n")
    with pytest.raises(RecipeError) as caught:
        check_columns(path, TEXT)
    assert not any(word in str(caught.value) for word in ("Doe", "1950", "lungs"))


def test_sources_that_are_not_there_or_say_not_what_they_are(tmp_path):
    with pytest.raises(RecipeError, match="cannot read the source"):
        check_columns(tmp_path / "nowhere.csv", TEXT)
    with pytest.raises(RecipeError, match="holds no reports"):
        check_columns(tmp_path, TEXT)
    with pytest.raises(RecipeError, match="give 'format'"):
        check_columns(put(tmp_path / "export.dat", "id,text\n1,a\n"), TEXT)
    assert told(tmp_path / "export.dat", format="csv") == [("1", "a")]
    with pytest.raises(RecipeError, match="no readable parquet"):
        check_columns(put(tmp_path / "r.parquet", "none"), TEXT)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)] * 2), max_size=8)
)
def test_whatever_a_writer_wrote_is_read(tmp_path, rows):
    rows = [{"id": a.strip(), "text": b, "more": "x"} for a, b in rows] + [{"id": "end", "text": "end", "more": ""}]
    texts = [plain_text(r["text"]) for r in rows]
    ids = [plain_text(r["id"]).strip() for r in rows]
    expected = [(i, text if text.strip() else Reason.EMPTY_REPORT) for i, text in zip(ids, texts, strict=True)]
    for name, content in [
        ("r.csv", as_csv(rows)),
        ("r.jsonl", "\n".join(map(json.dumps, rows))),
        ("r.parquet", as_parquet(rows)),
    ]:
        assert told(put(tmp_path / name, content)) == expected


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["csv", "jsonl", "parquet", "txt"]))
def test_no_bytes_break_the_reader(tmp_path, raw, kind):
    content = (b"id,text\n" if kind == "csv" else b'{"id":1,"text":""}\n' if kind == "jsonl" else b"") + raw
    for report in read(put(tmp_path / f"r.{kind}", content)):
        json.dumps([report.row, report.text, report.accession, report.phi]).encode()
        assert report.reason or report.text.strip()


# -- real exports


def test_real_captions():
    path = real("radiology_pairs") / "pairs.csv"
    columns = ReportColumns(text="caption", image="image", patient="patient_id", group="group_id", keep={"sex": "sex"})
    check_columns(path, columns)
    reports = read(path, columns)
    assert len(reports) == 1487
    assert all(r.reason is None and r.text and r.image.startswith("images/") and r.patient and r.group for r in reports)


def test_real_notes_with_gaps_and_replacement_characters():
    path = real("cxr_pairs") / "pairs.csv"
    reports = read(path, ReportColumns(text="text", image="image", patient="patient_id", date="study_date"))
    assert len(reports) == 518
    assert sum(r.reason is None for r in reports) == 436
    assert {r.reason for r in reports} == {None, Reason.EMPTY_REPORT}
    assert any("\ufffd" in r.text for r in reports)


def test_real_reports_in_sections():
    folder = real("reports")
    names = ("indication", "findings", "impression")
    columns = ReportColumns(sections={n: n for n in names}, accession="uid", keep={"labels": "mesh_major"})
    check_columns(folder, columns)
    reports = [r for r in read(folder, columns, format="jsonl") if r.reason is not Reason.NOT_A_REPORT]
    with (folder / "iu_reports.jsonl").open(encoding="utf-8") as f:
        records = [json.loads(line) for line in f]
    assert len(reports) == len(records)
    whole = 0
    for report, record in zip(reports, records, strict=True):
        assert report.accession == record["uid"]
        sections = parse_sections(report.text)
        whole += all(sections.get(n, "").split() == record[n].split() for n in names)
    assert whole > 0.99 * len(records)


@pytest.mark.slow
def test_csv_is_read_at_speed(tmp_path):
    n = 100_000
    path = put(tmp_path / "r.csv", "id,text,x\n" + "".join(f"A{i},Lungs clear. No effusion.,é\n" for i in range(n)))
    start = time.thread_time()
    assert sum(1 for _ in read_reports(path, TEXT)) == n
    assert n / (time.thread_time() - start) > 10_000  # rows a second; a margin that no CPU crosses


def test_a_file_that_meets_a_bug_is_counted_and_the_rest_is_read(tmp_path, monkeypatch):
    """A reader of another's raises what nobody foresaw; neither its text nor the file's ends the run or is told."""
    from curate.sources.reports import read

    for name in ("A1.txt", "A2.txt", "A3.txt"):
        (tmp_path / name).write_text("Clear lungs.")
    usual = read.open_records

    def stumbling(path, *rest, **more):
        if path.name == "A2.txt":
            raise ZeroDivisionError("DOE^JANE")
        return usual(path, *rest, **more)

    monkeypatch.setattr(read, "open_records", stumbling)
    found = list(read.read_reports(tmp_path, read.ReportColumns()))
    assert [r.reason for r in found] == [None, Reason.FAILED, None]
    assert "ZeroDivisionError" in found[1].fault and "DOE" not in repr(found)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1.No acute fracture.\n2.Normal heart.", "1. No acute fracture.\n2. Normal heart."),
        ("FINDINGS:1.No effusion. 2.Not enlarged.", "FINDINGS:1. No effusion. 2. Not enlarged."),
        ("A nodule of 1.5 cm at T12.Stable. v1.A2", "A nodule of 1.5 cm at T12.Stable. v1.A2"),
    ],
)
def test_the_number_of_an_item_stands_apart_from_its_words(tmp_path, written, read):
    (tmp_path / "A1.txt").write_text(written)
    (report,) = read_reports(tmp_path / "A1.txt", ReportColumns())
    assert report.text == read
