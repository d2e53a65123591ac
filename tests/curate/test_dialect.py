"""CSV as it is written: the dialect by what the records prove, and no record lost without a word."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.sources.reports.tables.dialect import read_csv

NAMES = ["id", "text"]


def read(content: str) -> tuple[list[str], list[list[str] | None]]:
    names, records = read_csv(iter(io.StringIO(content, newline="")))
    return names, list(records)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("sep=;\r\nid;text\r\n1;a, b\r\n2;c\r\n", ["a, b", "c"]),
        ('"sep=\t"\nid\ttext\n1\ta;b\n2\tc\n', ["a;b", "c"]),
        ("SEP=|\nid|text\n1|a\n2|b\n", ["a", "b"]),
        ('id,text\n1,"a \\"b\\", c"\n2,"d"\n', ['a "b", c', "d"]),
        ('id,text\n1,"\\"a\\""\n2,"b\\\\"\n', ['"a"', "b\\\\"]),
        ('"id";"text"\n"1";"a \\"b\\"; c"\n"2";"d\ne"\n', ['a "b"; c', "d\ne"]),
        ('id,text\n1,"C:\\new\\x"\n2,"a\\nb"\n', ["C:\\new\\x", "a\\nb"]),
        ('id , "text" \n1, "a, b" \n2, "c" \n', ["a, b", "c"]),
        ('id, text\n1, "a ""b"", c"\n2, "d"\n', ['a "b", c', "d"]),
        ('"id" ,"text" \n"1" ,"a, b" \n"2" ,"c" \n', ["a, b", "c"]),
        ("id\ttext\n1\tthe 5\" film\n2\t\"quoted\" word\n", ['the 5" film', '"quoted" word']),
        ("id,text\r1,a\r2,b\r", ["a", "b"]),
        ("id,text,\n1,a,\n2,b,\n", ["a", "b"]),
        ("id,text,,\n1,a\n2,b,,\n", ["a", "b"]),
        ("# exported 2024-01-31, by x\n# second remark\nid,text\n1,a\n2,b\n", ["a", "b"]),
        ("\n\nid,text\n\n1,a\n\n2,b\n", ["a", "b"]),
        ('id;text\n1;"a, b, c"\n2;"d, e, f"\n', ["a, b, c", "d, e, f"]),
        ("id|text\n1|a, b; c\n2|d, e; f\n", ["a, b; c", "d, e; f"]),
        ('id,"text"\n1,"line\n\nline"\n2,"b"\n', ["line\n\nline", "b"]),
    ],
)  # fmt: skip
def test_dialects(content: str, texts: list[str]) -> None:
    names, records = read(content)
    assert names[:2] == NAMES
    assert [cells and cells[:2] for cells in records] == [[str(i), text] for i, text in enumerate(texts, start=1)]


@pytest.mark.parametrize("header", ["#id,text", "# id,text"])
def test_a_header_may_begin_as_a_remark_does(header: str) -> None:
    names, records = read(f'{header}\n1,"a, b"\n2,c\n')
    assert (names[1], records) == ("text", [["1", "a, b"], ["2", "c"]])


def test_a_cell_in_a_column_without_a_name_is_kept_in_place() -> None:
    assert read("id,text,\n1,a,x\n2,b\n") == (["id", "text", ""], [["1", "a", "x"], ["2", "b", ""]])
    assert read(",id\n0,a\n1,b\n") == (["", "id"], [["0", "a"], ["1", "b"]])


def test_what_a_dialect_cannot_read_is_a_record_that_is_broken() -> None:
    assert read('id,text\n1,"a\\"b"\n2\n3,"c\\"d"\n4,"open\n')[1] == [["1", 'a"b'], None, ["3", 'c"d'], None]
    assert read("") == ([], [])
    assert read("one\na, b\nc\n") == (["one"], [["a, b"], ["c"]])


def test_a_quote_beyond_the_sample_is_not_read_in_another_dialect() -> None:
    rows = [["1", "a"]] * 300 + [["2", 'b "c" d'], ["3", "e\nf"]]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([NAMES, *rows])
    assert read(out.getvalue()) == (NAMES, rows)


CELL = st.text(st.sampled_from('ab ,;\t|"\n\\#é=1'), max_size=8)


@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_writer_of_the_standard_wrote_is_read_as_it_was(
    rows: list[tuple[str, str, str]], delimiter: str, quoting: int, end: str
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([["id", "text", "more"], *rows, ["9", "plain", "x"]])
    names, records = read(out.getvalue())
    assert names == ["id", "text", "more"]
    assert records == [list(row) for row in [*rows, ("9", "plain", "x")]]


@pytest.mark.parametrize(
    ("body", "records"),
    [
        pytest.param(
            "acc,text\nA1,No acute\nfracture.\n\nIMPRESSION: normal.\nA22,Clear.\n",
            [["A1", "No acute\nfracture.\nIMPRESSION: normal."], ["A22", "Clear."]], id="the last cell",
        ),
        pytest.param(
            "acc,text,date\nA1,No acute\nfracture.,2024\nA2,Clear.,2024\n",
            [["A1", "No acute\nfracture.", "2024"], ["A2", "Clear.", "2024"]], id="a cell amid",
        ),
        pytest.param(
            "acc,text\nA1,No acute fracture.\nThe heart, as before\nA2,All clear.\nmore\n",
            [None, ["A2", "All clear.\nmore"]], id="a comma in it too: broken, and no report of 'The heart'",
        ),
        pytest.param("acc,text\nA1,No acute fracture.\nA2\nA3,All clear.\n",
                     [["A1", "No acute fracture."], None, ["A3", "All clear."]], id="a record cut off"),
        pytest.param("acc,text,date\nA1,No acute\nA2,Clear.,2024\n", [None, ["A2", "Clear.", "2024"]],
                     id="a record cut off before a whole one"),
        pytest.param("acc,text,date\nA1,No acute\nA2,fracture.\nA3,Clear.,2024\n",
                     [None, None, ["A3", "Clear.", "2024"]], id="two cut off are not one"),
        pytest.param("acc,text\nA1,No acute\nT12\nfracture.\nA2,All clear.\nmore words\n",
                     [None, None, ["A2", "All clear.\nmore words"]], id="a line that could be an id"),
        pytest.param("acc,text\nA1,No acute fracture.\nA2,Clear lungs.\n(2 rows affected)",
                     [["A1", "No acute fracture."], ["A2", "Clear lungs."]], id="a footer"),
        pytest.param("text,acc\nNo acute\nfracture.,A1\nClear lungs.,A2\nA heart.,A3\n",
                     [None, None, ["Clear lungs.", "A2"], ["A heart.", "A3"]], id="text first: no half of a report"),
        pytest.param("name,text\nQuill,No acute\nfracture of it.\nQuill,Clear lungs.\nQuill,More words.\n",
                     [None, None, ["Quill", "Clear lungs."], ["Quill", "More words."]],
                     id="no ids: no half of a report"),
    ],
)  # fmt: skip
def test_line_breaks_without_quotes_belong_to_the_record_above(body: str, records: list[list[str] | None]) -> None:
    assert read(body)[1] == records


def test_single_quotes() -> None:
    body = "'acc','text'\n'A1','No fracture, the patient''s arm'\n'A2','two\nlines'\n"
    assert read(body) == (["acc", "text"], [["A1", "No fracture, the patient's arm"], ["A2", "two\nlines"]])
    body = "acc,text\nA1,'normal'\nA2,the patient's arm\nA3,clear\n"  # one cell so written is no dialect
    assert read(body)[1] == [["A1", "'normal'"], ["A2", "the patient's arm"], ["A3", "clear"]]
