"""Texts out of columns: templates, labels, and what rows of one image state together."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.sources.reports.captions import CaptionRules, ReportColumns, label_words
from curate.sources.reports.read import read_reports
from curate.sources.reports.report import Report

ROW = {"modality": "CT", "organ": "chest", "findings": "Small nodule.", "age": ""}
SAID = {"1": "{label}.", "0": "No {label}.", "-1": "Possible {label}."}


@pytest.mark.parametrize(
    ("template", "changes", "expected"),
    [
        ("{modality} of the {organ}. {findings}", {}, "CT of the chest. Small nodule."),
        ("{modality} of the {organ}. {findings}.", {}, "CT of the chest. Small nodule."),
        ("{modality} of the {organ}. {findings}", {"organ": ""}, "Small nodule."),
        ("{modality}[ of the {organ}]. {findings}", {"organ": "nan"}, "CT. Small nodule."),
        (
            "{modality}[ of the {organ}][, {age} years]. {findings}",
            {"age": "42"},
            "CT of the chest, 42 years. Small nodule.",
        ),
        ("Finding: {findings} Age {age}.", {}, ""),
        ("{findings}", {"findings": "a {organ} in braces"}, "A {organ} in braces"),
        ("{modality} ({organ}).", {"modality": "x-ray"}, "X-ray (chest)."),
    ],
)
def test_a_sentence_without_its_value_is_left_out(template: str, changes: dict[str, str], expected: str) -> None:
    sentences, claim, reason = CaptionRules(template).compose({**ROW, **changes})
    assert " ".join(sentences) == expected and claim is None
    assert (reason == "empty_report") == (not expected)


def test_labels_say_what_their_values_stand_for() -> None:
    labels = {c: label_words(c, SAID) for c in ("Pleural Effusion", "Pneumothorax", "lung_edema", "COPD", "LungLesion")}
    labels["No Finding"] = {"1": "No finding.", "0": ""}
    rules = CaptionRules(labels=labels)
    row = {
        "Pleural Effusion": "1.0",
        "Pneumothorax": "0",
        "lung_edema": "-1.0",
        "COPD": "1",
        "LungLesion": "",
        "No Finding": "0",
    }
    said = "Pleural effusion. No pneumothorax. Possible lung edema. COPD."
    assert rules.compose(row)[0] == [said]
    assert rules.compose({**row, "LungLesion": "0"})[0] == [said + " No lung lesion."]
    assert rules.compose({**row, "COPD": "2"})[2] == "unknown_label_value"  # never a guess
    assert rules.compose(dict.fromkeys(row, ""))[2] == "empty_report"
    assert CaptionRules("Radiograph. {labels}", labels).compose(row)[0] == ["Radiograph.", said]


def rows(tmp_path: Path, text: str) -> list[Report]:
    path = tmp_path / "qa.csv"
    path.write_text("image,organ,question,answer\n" + text)
    caption = CaptionRules(question="question", answer="answer")
    return list(read_reports(path, ReportColumns(image="image", keep={"organ": "organ"}, caption=caption)))


def test_rows_of_one_image_state_each_thing_once(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        "a.jpg,CHEST,Is there an effusion?,no\na.jpg,CHEST,is there an effusion,No\n"
        "b.jpg,HEAD,Is the skull fractured?,yes\n"
        "a.jpg,CHEST,What modality?,CT\na.jpg,CHEST,Why?,\n",
    )
    told = {r.image: r for r in found if r.reason is None}
    assert told["a.jpg"].text == "There is no effusion. What modality? CT."
    assert told["a.jpg"].meta == {
        "organ": "CHEST",
        "statement": "There is no effusion.",
        "denial": "There is an effusion.",
    }
    assert told["b.jpg"].text == "The skull is fractured."
    assert [(r.reason, r.image) for r in found if r.reason] == [("question_without_statement", "")]


def test_what_is_contradicted_is_believed_in_neither(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        "a.jpg,X,Is there an effusion?,no\na.jpg,X,Is there an effusion?,yes\na.jpg,X,Is the heart enlarged?,no\n"
        "b.jpg,X,Is there an effusion?,yes\na.jpg,X,What modality?,CT\na.jpg,X,What modality?,MRI\n",
    )
    assert {r.image: r.text for r in found if r.reason is None} == {
        "a.jpg": "The heart is not enlarged.", "b.jpg": "There is an effusion.",
    }  # fmt: skip
    assert [r.reason for r in found if r.reason] == ["contradicting_answers"] * 4
