"""Questions and answers as statements with their denials: the forms, and that none is made where it could be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.sources.reports.statements import claim
from tests.realdata import real

CLOSED = [
    ("Is there a pleural effusion?", "No", "There is no pleural effusion.", "There is a pleural effusion."),
    ("Is there evidence of a fracture", "yes.",
     "There is evidence of a fracture.", "There is no evidence of a fracture."),
    ("Are there any nodules in the left lung?", "yes",
     "There are nodules in the left lung.", "There are no nodules in the left lung."),
    ("Is/Are there pulmonary consolidations?", "no",
     "There are no pulmonary consolidations.", "There are pulmonary consolidations."),
    ("Is there more than one lesion?", "no", "There is not more than one lesion.", "There is more than one lesion."),
    ("Is there anything abnormal?", "No", "There is nothing abnormal.", "There is something abnormal."),
    ("Is the heart enlarged?", "yes", "The heart is enlarged.", "The heart is not enlarged."),
    ("Is cardiomegaly present?", "no", "Cardiomegaly is not present.", "Cardiomegaly is present."),
    ("Is a pleural effusion seen?", "no", "No pleural effusion is seen.", "A pleural effusion is seen."),
    ("Are any fractures present?", "no", "No fractures are present.", "Fractures are present."),
    ("Are any of the ribs fractured?", "no", "None of the ribs are fractured.", "Some of the ribs are fractured."),
    ("Are both lungs clear?", "no", "Not both lungs are clear.", "Both lungs are clear."),
    ("Is the heart clearly visible?", "no", "The heart is not clearly visible.", "The heart is clearly visible."),
    ("Is the air under the left hemidiaphragm pathologic?",
     "no", "The air under the left hemidiaphragm is not pathologic.",
     "The air under the left hemidiaphragm is pathologic."),
    ("Is the mass in the right lung?", "yes", "The mass is in the right lung.", "The mass is not in the right lung."),
    ("Is the mass compressing the brain?", "yes", "The mass is compressing the brain.",
     "The mass is not compressing the brain."),
    ("Is the heart less than half the width of the chest?", "no",
     "The heart is not less than half the width of the chest.", "The heart is less than half the width of the chest."),
    ("Is this an axial image?", "no", "This is not an axial image.", "This is an axial image."),
    ("Was this taken in PA position?", "yes", "This was taken in PA position.", "This was not taken in PA position."),
    ("Does this patient have any fractured ribs?", "yes", "This patient has fractured ribs.",
     "This patient does not have any fractured ribs."),
    ("Do the lungs appear hyperinflated?", "no",
     "The lungs do not appear hyperinflated.", "The lungs appear hyperinflated."),
    ("Can you see a mass?", "no", "No mass can be seen.", "A mass can be seen."),
    ("Can the liver be seen?", "no", "The liver cannot be seen.", "The liver can be seen."),
    ("Has the trachea been displaced?", "no", "The trachea has not been displaced.", "The trachea has been displaced."),
    ("Is the lesion on the left or right side?", "Right",
     "The lesion is on the right side.", "The lesion is not on the right side."),
    ("Is this a PA or AP film?", "AP", "This is an AP film.", "This is not an AP film."),
    ("Is the mass cystic or solid?", "solid", "The mass is solid.", "The mass is not solid."),
    ("Is this an abscess or cancer?", "Abscess", "This is an abscess.", "This is not an abscess."),
    ("Is the lesion enhancing? -yes/no", "yes", "The lesion is enhancing.", "The lesion is not enhancing."),
]  # fmt: skip


@pytest.mark.parametrize(("question", "answer", "statement", "denial"), CLOSED)
def test_a_closed_question_has_two_sides(question: str, answer: str, statement: str, denial: str) -> None:
    found = claim(question, answer)
    assert found is not None and (found.statement, found.denial) == (statement, denial)


@pytest.mark.parametrize(("question", "answer", "statement", "denial"), [c for c in CLOSED if " or " not in c[0]])
def test_the_other_answer_states_the_other_side(question: str, answer: str, statement: str, denial: str) -> None:
    other = "yes" if answer.casefold().startswith("no") else "no"
    found = claim(question, other)
    assert found is not None and (found.statement, found.denial) == (denial, statement)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Are the lungs and the heart normal?", "no"),  # which of them is not
        ("Is there a mass and an effusion?", "no"),
        ("Is there no evidence of a mass?", "yes"),
        ("Isn't the heart enlarged?", "no"),
        ("Is the mass cystic or solid?", "yes"),
        ("Is the mass cystic or solid?", "calcified"),
        ("Is the mass cystic or mostly solid in nature?", "cystic"),  # where the second option ends is not known
        ("Is it enlarged?", "yes"),
        ("Is the terminal small bowel loop twisted?", "yes"),
        ("Are these opacities in the right lung calcifications?", "no"),
        ("Is the trunk able to be seen and is it open?", "yes"),
        ("Is there a mass, or is the lung clear?", "yes"),
        ("What are the masses in the liver?", "yes"),
        ("Is there a mass?", "maybe"),
        ("Would you operate?", "no"),
        ("", "yes"),
        ("Is there a mass?", " "),
    ],
)
def test_what_could_be_wrong_is_not_stated(question: str, answer: str) -> None:
    assert claim(question, answer) is None


def test_an_open_answer_stands_behind_its_question() -> None:
    found = claim("what modality was used ?", "ct.")
    assert found is not None and (found.statement, found.denial) == ("What modality was used? Ct.", None)


@given(st.text(max_size=60), st.sampled_from(["yes", "no", "left", "CT", ""]))
def test_any_question_is_stated_or_not_and_the_sides_differ(question: str, answer: str) -> None:
    found = claim(question, answer)
    assert found is None or (found.statement and found.statement != found.denial)


def test_most_real_closed_questions_become_statements() -> None:
    import csv

    with (real("vqa_rad") / "qa.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["answer"].strip().casefold() in ("yes", "no")]
    stated = sum(claim(r["question"], r["answer"]) is not None for r in rows)
    assert stated >= 0.9 * len(rows) > 1000
