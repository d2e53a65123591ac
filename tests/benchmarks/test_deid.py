"""The benchmark's own instruments: what is planted is found, what is not there is not, and the counts are right."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.deid.burnin import _ink, _shows
from benchmarks.deid.header.cases import ALL, make
from benchmarks.deid.plant import Ledger, forms_of, survivors


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_case_plants_something_of_its_own(name):
    built, ledger = make(name)
    found = set(survivors(list(built.files.values()), ledger)) - ledger.everywhere
    assert found or built.spare_bits or name == "outside/two_files_of_a_study"
    assert {f"bytes[{i}]" for i in range(len(ledger.blobs))} <= found


def test_cases_are_the_same_in_every_run():
    assert make("charsets/japanese")[0].files == make("charsets/japanese")[0].files


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16-le", "gb18030"])
def test_a_planted_string_is_found_in_any_encoding_and_case(encoding):
    ledger = Ledger(1)
    ledger.plant("Jérôme")
    assert survivors(["xx JÉRÔME yy".encode(encoding)], ledger) == ["Jérôme"]
    assert survivors(["xx Jeremy yy".encode(encoding)], ledger) == []


def test_kanji_are_found_without_their_escape_sequences():
    assert "山田".encode("iso2022_jp")[3:-3].lower() in forms_of("山田")


def test_strokes_that_are_left_show_and_blanked_ones_do_not():
    ink = _ink(18)
    plain = np.full((512, 512), 100, np.uint8)
    drawn = np.where(ink > 0.5, 255, plain).astype(np.uint8)
    half = drawn.copy()
    half[:, 200:] = 100
    assert _shows(drawn, plain, drawn, ink)
    assert _shows(drawn, plain, half, ink)
    assert not _shows(drawn, plain, plain, ink)


def test_notes_have_exact_spans_and_are_the_same_for_a_seed():
    pytest.importorskip("faker")
    from benchmarks.deid.notes.generate import generate

    notes = generate(30, 3)
    assert notes == generate(30, 3)
    assert all(n.text[s.start : s.end] == s.text for n in notes for s in n.spans)
    assert {"given", "clin", "facility", "city", "date", "mrn"} <= {s.kind for n in notes for s in n.spans}


def test_a_span_leaks_by_its_own_words_and_clinical_words_are_counted():
    pytest.importorskip("faker")
    from benchmarks.deid.notes.generate import Note, Span
    from benchmarks.deid.notes.recall import judge

    spans = (Span(16, 21, "clin", "Baker", False), Span(32, 44, "facility", "Baker Clinic", False))
    note = Note("1", "Baker cyst. Dr. Baker saw it at Baker Clinic.", spans, ())
    assert judge(note, "Baker cyst. Dr. [NAME] saw it at [PLACE].")[:2] == ([], 0)
    assert judge(note, "Baker cyst. Dr. Baker saw it at [PLACE].")[0]
    assert judge(note, "Baker [NAME]. Dr. [NAME] saw it at [PLACE].")[1] == 1
