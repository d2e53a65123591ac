"""Words that are names, and names' places: sentences of our own, in the cases in which reports are written."""

from __future__ import annotations

import pytest

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.text.scrub import TextRules, scrub
from curate.deid.text.tokens import is_code_known

PSEUDO = Pseudonymizer(b"a secret of enough bytes, for tests")
MASK = TextRules(dates="mask", max_masked=1.0)


def scrubbed(text: str) -> str:
    return scrub(text, (), "p", PSEUDO, MASK)


@pytest.mark.parametrize(
    "code", ["pT3b", "ypT2", "UL4", "ll8", "P2L2", "g3p1011", "KL2", "DOL5", "3vv", "cGycm2", "C7PL"]
)
def test_codes_of_reports_are_no_numbers_of_a_person(code):
    assert is_code_known(code, 0, len(code))


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("this is doctor adeyemi dictating on the chest film", "dictating on the chest film"),
        ("STAFF NURSE KOWALSKA GIVEN THE REPORT BY PHONE.", "GIVEN THE REPORT BY PHONE."),
        ("MR ARTHROGRAM OF THE LEFT HIP.", "MR ARTHROGRAM OF THE LEFT HIP."),
        ("Explained in Marathi through the interpreter.", "Explained in Marathi through the interpreter."),
        ("Agatston score 1830 AU, volume 1210.", "1830 AU"),
    ],
)
def test_what_a_cue_or_a_capital_must_not_take(text, stays):
    assert stays in scrubbed(text)


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        ("The film was witnessed by Small and the ward clerk.", "Small"),
        ("Discussed with registrar Free.", "Free"),
        ("Seen by Dr Free.", "Free"),
        ("Transferred from the Royal Free Hospital", "Free"),
        ("Copy to Abernathy Gross who lives nearby.", "Gross"),
    ],
)
def test_a_surname_that_reports_need_goes_where_its_place_gives_it_away(text, goes):
    assert goes not in scrubbed(text)


@pytest.mark.parametrize(
    "text",
    [
        "Reviewed by the registrar. Small effusion.",
        "Seen by Dr Okonkwo. Free fluid in the pelvis. Gross haematuria.",
        "Caused by Small bowel obstruction.",
        "Dr Okonkwo: Large hernia.",
    ],
)
def test_and_stays_where_it_says_something(text):
    kept = scrubbed(text)
    assert all(word in kept for word in ("Small", "Free", "Gross", "Large") if word in text)
