"""Words that a report's meaning stands and falls with stay, whatever found the span that they stand in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.deid.frames.words import CLOSED as MEASURED
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import TextRules
from curate.deid.text.closed_class import Found, without
from curate.deid.text.scrub import scrub

PSEUDO = Pseudonymizer(b"a secret of enough bytes, for tests")
MASK = TextRules(dates="mask", max_masked=1.0)
CLOSED = ["no", "NOT", "without", "left", "Bilateral", "mild", "unchanged", "12 mm", "3.5 x 2 cm", "40%", "L4-5", "T12"]
CLOSED += ["grade 2", "BI-RADS 4", "LungRADS 2", "Bosniak IIF", "\n1. Small", "\nImpression:", "x.2)Trace", "250 mg"]
CLOSED += ["B/L", "w/o", "Lt", "rt", "3-4 mm"]
OTHER = ["Ito", "effusion", "4471", "Quay", "14.03.2021", "at", "ext.", "KX-77", ";"]
RULES = ["rule", "tagger", "date", "date without a day"]
LABELS = ["[NAME]", "[ID]", "[PHONE]", "[DATE]", "[AGE]", "[TIME]"]


@st.composite
def spans_over(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]], list[Found]]:
    """A text, where its closed class lies, and spans that found this and that, as finders give them: apart."""
    text, closed = "", []
    for piece in draw(st.lists(st.sampled_from([*CLOSED, *OTHER]), min_size=1, max_size=12)):
        text += " "
        if piece in CLOSED:
            closed.append((len(text), len(text) + len(piece)))
        text += piece
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    by, label = draw(st.sampled_from(RULES)), draw(st.sampled_from(LABELS))
    return text, closed, [Found(a, b, label, by) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]


@given(spans_over())
def test_nothing_of_the_closed_class_goes_but_a_lists_number_as_a_day(made):
    text, closed, spans = made
    left = [*without(text, spans)]
    for start, end in closed:
        if "." in text[start:end] and spans and spans[0].placeholder in ("[DATE]", "[TIME]"):
            continue  # "14.03. Seen"
        word = text[start:end].strip().strip("x.")
        at = text.index(word, start)
        assert not any(one.start < at + len(word.rstrip(".)")) and one.end > at for one in left), (word, left)


@given(spans_over())
def test_what_goes_was_found_and_everything_else_that_was_found_goes(made):
    text, closed, spans = made
    left = [*without(text, spans)]
    for one in left:
        assert any(s.start <= one.start < one.end <= s.end and s[2:] == one[2:] for s in spans)
    for span in spans:
        if not any(a < span.end and b > span.start for a, b in closed):
            assert span in left
    assert [*without(text, left)] == left


@pytest.mark.parametrize("kind", ["negation", "side", "severity"])
def test_what_the_measure_counts_stays(kind):
    words = re.findall(r"[a-z/]{2,}", MEASURED[kind].pattern.replace("(?:ly)?", ""))
    assert len(words) > 7
    for word in (form for w in words for form in (w, w.title(), w.upper())):
        for label, by in (("[NAME]", "rule"), ("[NAME]", "tagger"), ("[DATE]", "date")):
            left = [*without(f"Ito {word} 4471", [Found(0, 9 + len(word), label, by)])]
            assert [(one.start, one.end) for one in left] == [(0, 3), (5 + len(word), 9 + len(word))], word


@pytest.mark.parametrize("text", ["RT", "LT/ab", "RT:mk"])
def test_initials_go_though_they_are_a_side_in_short(text):
    span = Found(0, len(text), "[NAME]", "rule")
    assert [*without(f"{text}.", [span])] == [span]


@pytest.mark.parametrize("by", ["known value", "name by its cue"])
def test_a_cue_takes_whatever_it_names(by):
    span = Found(4, 9, "[NAME]", by)
    assert [*without("Mrs Small phoned", [span], [span])] == [span]


@given(spans_over(), st.integers(0, 40), st.integers(1, 9))
def test_beside_a_cued_name_no_denial_side_or_number_goes_whatever_the_spans_were_merged_into(made, at, size):
    text, closed, spans = made
    cued = Found(at, min(len(text), at + size), "[NAME]", "name by its cue")
    whole = Found(0, len(text), "[NAME]", "name by its cue")
    left = [*without(text, [whole], [cued, *spans])]
    for start, end in closed:
        word = text[start:end].strip().strip("x.:").rstrip(".)")
        if not {"mild", "unchanged", "Small", "Trace"} & {*word.replace(")", " ").split()}:
            found = text.index(word, start)
            assert not any(one.start < found + len(word) and one.end > found for one in left), (word, left)


def test_a_patients_own_value_goes_whatever_it_was_merged_into():
    text = "14 Left Bank Road"
    known, whole = Found(3, 7, "[NAME]", "known value"), Found(0, 17, "[ADDRESS]", "rule")
    assert [*without(text, [whole], [known])] == [whole]
    assert [text[one.start : one.end] for one in without(text, [whole])] == ["14", "Bank Road"]


@pytest.mark.parametrize("text", ["Bed C4", "ward L4", "9 Small Heath Road", "Rua Nova, no 39"])
def test_places_are_named_by_levels_severities_and_numbers(text):
    start = 0 if text[0] in "9R" else text.index(" ") + 1
    span = Found(start, len(text), "[ADDRESS]", "rule")
    assert [*without(text, [span])] == [span]


@pytest.mark.parametrize("text", ["L4-5", "T12", "1.No", "4 x 5 mm", "Old\n2) Mild", "12.5% of it"])
def test_the_tagger_takes_them_from_no_place_either(text):
    for label, by in (("[ADDRESS]", "tagger"), ("[DATE]", "tagger"), ("[ADDRESS]", "tagger; 0.99 likely: a word")):
        left = [*without(text, [Found(0, len(text), label, by)])]
        assert not any(c.isdigit() for one in left for c in text[one.start : one.end])


@pytest.mark.parametrize(
    ("text", "stays"),
    [("Disc T6-7 edema", "T6-7"), ("LT 3 O'CLOCK 8 MM CYST. BIRADS 2.", "BIRADS 2"), ("NEW: none.", "none"),
     ("Injected 10 cc Lt hip joint.", "10 cc Lt hip"), ("MR LT KNEE - NO TEAR.", "MR LT KNEE - NO"),
     ("60 cc Omnipaque given.", "60 cc Omnipaque"), ("Lines: Rt IJ tip in SVC.", "Lines: Rt IJ tip"),
     ("Ref by Dr Smith B/L knee OA", "B/L knee"), ("ref dr smith rt knee pain", "rt knee"),
     ("Ref by Dr Smith w/o pain", "w/o pain"), ("Mr Smith LT KNEE", "LT KNEE"), ("Mrs Jones Rt Shoulder", "Rt"),
     ("Dr Smith bilat effusions", "bilat"), ("Dr Smith R hip", "R hip"), ("Dr Smith Neither side", "Neither"),
     ("Dr Lee Free fluid", "Free fluid"), ("Dr Smith 12 French catheter", "12 French"),
     ("2 h 64%, 4 h 22% (normal <10%). Delayed.", "22%"), ("MRI for Z J 0071182. 41 mm lesion", "41 mm lesion")],
)  # fmt: skip
def test_of_a_whole_report(text, stays):
    assert stays in scrub(f"The lungs are clear. {text}", (), "p", PSEUDO, MASK)
