"""The verifier's containers and sources: files of every kind, a source's own identifiers, and whom it imports."""

from __future__ import annotations

import ast
import io
import json
import random
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import dcmread

import curate.deid.verify
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import quiet
from curate.deid.rules import TextRules
from curate.deid.text.scrub import scrub
from curate.deid.verify.dicom.byte_search import holds_any
from curate.deid.verify.dicom.findings import dicom_findings
from curate.deid.verify.dicom.part10 import Unsound, parse
from curate.deid.verify.files import file_findings
from curate.deid.verify.finding import Finding
from curate.deid.verify.text import findings
from curate.deid.verify.vocabulary import is_known
from curate.errors import DropRecord
from tests.realdata import real

PHI = ["SMITH^JOHN^A", "MRN-0012345", "19570312"]
PICTURE = (np.arange(64 * 48).reshape(48, 64) % 251).astype(np.uint8)


_COMMON = ("curate.record", "curate.errors", "curate.memory", "curate.deid.word_lists")  # what knows no identity


def test_nothing_of_what_cleans_is_imported():
    for path in sorted(Path(curate.deid.verify.__file__ or "").parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                own = name.startswith(("curate.deid.verify", "curate.deid.quiet", *_COMMON))
                assert own or not name.startswith("curate"), f"{path.name} imports {name}"


# -- what a source says of itself

SOURCES = [
    ("seen by Dr. Kowalczyk", "as Kowalczyk said", Finding.NAME),
    ("Dictated by: Tunde Abiodun, MD", "abiodun", Finding.NAME),
    ("There is no change since Okonkwo looked at it.", "and Okonkwo agrees", Finding.NAME),
    ("call 617-555-0142", "617 555 0142", Finding.CONTACT),
    ("mail a.roe@northfield.org", "a.roe@northfield.org", Finding.CONTACT),
    ("see www.northfield.org/x", "WWW.NORTHFIELD.ORG/X", Finding.CONTACT),
    ("accession 90344171", "9034 4171", Finding.ID),
    ("serial K88213947", "k88213947", Finding.ID),
    ("on 03/29/2018", "29 March 2018", Finding.DATE),
    ("March 29, 2018", "2018-03-29 was", Finding.DATE),
    ("令和6年8月6日", "令和6年8月6日に", Finding.DATE),
    ("at 14:37", "14:37", Finding.DATE),
    ("at 2213 Willowmere Lane", "2213 willowmere lane", Finding.PLACE),
    ("from Saltmarsh Medical Center", "the Saltmarsh films", Finding.PLACE),
    ("a 94 year old woman", "a 94 year old woman", Finding.AGE),
]


@pytest.mark.parametrize("source,output,kind", SOURCES)
def test_identifiers_of_the_source_itself_are_noticed(source, output, kind):
    assert kind in findings([output], [], [source])


@pytest.mark.parametrize(
    "text",
    ["L4-L5 disc, 512x512, 120/80 mmHg, C3-C4, 18F-FDG, T2 120 ms, 3/10 pain", "the 3:00 o'clock position",
     "ISOVUE 300",
     "A Baker cyst; Hill-Sachs lesion; vein of Galen; Colles' fracture", "Chest Two Views Frontal And Lateral",
     "PNEUMOTHORAX IS SEEN. DR CHEST", "MR Brain without contrast", "Demonstration of SR Features", "Dose SR Summary",
     "lesions may 3 times recur", "COVID-19, FEV1 71 %",
     "Follow-up in the Emergency Department", "grade 2/6, 10-12 mm nodules"],
)  # fmt: skip
def test_clinical_text_that_stays_is_quiet(text):
    assert findings([text], PHI, [text]) == ()


def test_shifted_dates_are_believed_unless_all_are_of_the_source():
    source = "Studies of 2018-03-29 and 2018-04-02."
    assert findings(["[DATE:2018-04-02] and [DATE:2018-04-06]"], [], [source]) == ()
    assert findings(["[DATE:2018-03-29] and [DATE:2018-04-02]"], [], [source]) == (Finding.DATE,)
    assert findings(["2018-03-29"], ["20180329"]) == (Finding.DATE,)
    assert findings(["2018-04-02"], ["20180329"]) == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dates(min_value=date(1990, 1, 1), max_value=date(2020, 1, 1)),
        min_size=1,
        max_size=4,
    ),
    st.text("abcXYZ-0123", min_size=1, max_size=6),
)
def test_dates_that_the_scrubber_shifts_are_never_unshifted(days, patient):
    text = "; ".join(f"radiograph of {day.isoformat()} was normal" for day in days)
    pseudo = Pseudonymizer(b"0123456789abcdef")
    out = scrub(text, [], patient, pseudo, TextRules(vocabulary=False))
    assert Finding.DATE not in findings([out], [], [text])


@pytest.mark.parametrize("known", [[], PHI])
def test_scrubbed_real_reports_are_quiet(known):
    lines = (real("reports") / "iu_reports.jsonl").read_text(encoding="utf-8").splitlines()
    found = notes = 0
    for line in random.Random(3).sample(lines, 500):
        doc = json.loads(line)
        text = "\n".join(doc.get(s) or "" for s in ("comparison", "indication", "findings", "impression"))
        try:
            out = scrub(text, known, "p", Pseudonymizer(b"0123456789abcdef"), TextRules())
        except DropRecord:
            continue
        notes += 1
        found += bool(findings([out], known, [text]))
    assert notes > 400
    assert found == 0


@pytest.mark.parametrize(
    "word", ["Cardiomegaly", "osteophytes", "bronchiectasis", "XXXX", "Colles'", "Hill-Sachs", "the"]
)
def test_words_of_medicine_are_known(word):
    assert is_known(word)


@pytest.mark.parametrize("word", ["Kowalczyk", "Vanderbeek", "Okonkwo", "Gianluigi", "Quarrington"])
def test_names_are_not_known_words(word):
    assert not is_known(word)


# -- files


def tiff(**save: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(PICTURE).save(out, "TIFF", **save)
    return out.getvalue()


def test_a_tiff_of_pixels_is_quiet_and_one_with_more_is_not():
    good = [
        tiff(),
        tiff(compression="tiff_adobe_deflate"),
        cv2.imencode(".tif", PICTURE.astype(np.uint16) * 7)[1].tobytes(),
    ]
    good.append(tiff(save_all=True, append_images=[Image.fromarray(PICTURE)], compression="tiff_adobe_deflate"))
    for data in good:
        assert file_findings(data, ".tif", PHI) == ()
        assert file_findings(data + b"SMITH JOHN", ".tif", PHI) == (Finding.CONTAINER,)
    for bad in (tiff(description="Smith"), tiff(software="x"), tiff(artist="Smith"), b"II*\0", b"II+\0" + bytes(60)):
        assert file_findings(bad, ".tiff", PHI) == (Finding.CONTAINER,)


def parquet(table: pa.Table, **save: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **save)
    return out.getvalue()


def test_parquet_is_searched_in_rows_names_and_metadata():
    clean = pa.table({"text": ["lungs clear", "no mass"], "n": [1, 2]})
    assert file_findings(parquet(clean), ".parquet", PHI) == ()
    hidden = pa.array(["a", "b", "Smith"]).dictionary_encode()
    for table in (
        pa.table({"text": ["lungs clear", "Smith"]}),
        pa.table({"SMITH": [1]}),
        pa.table({"number": [12345]}),
        clean.replace_schema_metadata({"who": "Smith"}),
        pa.table({"t": pa.DictionaryArray.from_arrays(pa.array([0, 1]), hidden.dictionary)}),
        pa.table({"x": [[{"who": "Smith"}]]}),
    ):
        assert file_findings(parquet(table), ".parquet", PHI), table
    data = parquet(clean)
    assert file_findings(data[:4] + b"SMITH JOHN" + data[4:], ".parquet", PHI)
    assert file_findings(b"PAR1 nonsense PAR1", ".parquet", PHI) == (Finding.CONTAINER,)


def test_text_files_are_searched_and_must_be_text():
    assert file_findings(b"text\nlungs clear\n", ".csv", PHI) == ()
    assert file_findings(b"text\nSmith\n", ".csv", PHI) == (Finding.NAME,)
    assert Finding.CONTAINER in file_findings(b"\xff\xfeS\0m\0i\0t\0h\0", ".txt", PHI)
    assert file_findings(b"%PDF-1.4", ".pdf", PHI) == (Finding.CONTAINER,)
    rows = b'{"d": "[DATE:1921-05-02]"}\n{"d": "[DATE:2020-05-02]"}\n'  # of two patients
    assert file_findings(rows, ".jsonl", PHI) == ()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=90), st.lists(st.binary(min_size=7, max_size=12), max_size=4), st.integers(0, 90))
def test_the_byte_search_finds_what_is_there(data, needles, at):
    data = data[:at] + (needles[0] if needles else b"") + data[at:]
    assert set(holds_any(data, dict.fromkeys(needles))) == {n for n in needles if n in data}


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_the_parser_says_unsound_and_nothing_else(data, headed):
    try:
        parse(bytes(128) + b"DICM" + data if headed else data)
    except Unsound:
        return
    assert headed


def test_every_real_file_that_was_not_cleaned_is_noticed():
    named = 0
    for path in sorted(real("dicom").glob("pydicom-bundled/*.dcm")):
        with quiet():
            source = dcmread(path, force=True)
            if len(str(source.get("PatientName", "")).strip("^ ")) < 3:
                continue
            assert dicom_findings(path.read_bytes(), source), path.name
            named += 1
    assert named > 20
