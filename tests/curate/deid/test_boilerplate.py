"""Sentences that may be cut: only those that say nothing of the picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.deid.replace.boilerplate import counted, cut_spans, sentence_kind, without
from pipelines.recipe.recipe import Recipe

PRIORS = [
    "Compared to [DATE:2019-05-02], no change.",
    "Unchanged from prior.",
    "No significant interval change since the prior study of [DATE].",
    "Comparison is made with the chest radiograph of [DATE:2018-03-29].",
    "No prior studies available for comparison.",
    "2. Unchanged.",
]
SIGNOFFS = [
    "Electronically signed by [NAME], MD on [DATE] at [TIME].",
    "Thank you for referring this patient.",
    "I have personally reviewed the images and agree with the above interpretation.",
    "Dictated by: Dr. [NAME]",
    "End of report.",
]
STAY = [
    "No pleural effusion compared to prior.",
    "Compared to [DATE], the effusion has increased.",
    "Unchanged 5 mm nodule in the left upper lobe.",
    "Stable cardiomegaly.",
    "No interval change in the right pneumothorax.",
    "No acute fracture.",
    "1. No acute disease.",
    "Findings were discussed with Dr. [NAME] at [TIME].",
    "Heart size is normal. ",
    "Interval removal of the chest tube.",
    "Prior sternotomy.",
    "Left lung is clear",
    "Edema has resolved since the prior exam.",
    "No.",
]


@pytest.mark.parametrize("sentence", PRIORS)
def test_a_sentence_that_only_compares(sentence: str) -> None:
    assert sentence_kind(sentence) == "priors"


@pytest.mark.parametrize("sentence", SIGNOFFS)
def test_a_sign_off(sentence: str) -> None:
    assert sentence_kind(sentence) == "signoffs"


@pytest.mark.parametrize("sentence", STAY)
def test_a_sentence_that_says_something_stays(sentence: str) -> None:
    assert sentence_kind(sentence) is None


SENTENCES = st.lists(st.sampled_from([*PRIORS, *SIGNOFFS, *STAY]), max_size=9)


@given(SENTENCES, st.sampled_from([" ", "\n", "\n\n", "  "]))
def test_every_finding_and_its_denial_stays_where_it_was(sentences: list[str], join: str) -> None:
    sentences = [s.strip() if s.strip().endswith(".") else f"{s.strip()}." for s in sentences]
    text = join.join(sentences)
    spans = cut_spans(text, ["priors", "signoffs"])
    assert without(text, spans).split() == " ".join(s for s in sentences if sentence_kind(s) is None).split()
    assert counted(spans).total() == sum(sentence_kind(s) is not None for s in sentences)
    assert cut_spans(text, []) == []
    assert without(text, []) == text


@given(SENTENCES)
def test_cutting_twice_cuts_nothing_more(sentences: list[str]) -> None:
    text = " ".join(s if s.strip().endswith(".") else f"{s}." for s in sentences)
    once = without(text, cut_spans(text, ["priors", "signoffs"]))
    assert cut_spans(once, ["priors", "signoffs"]) == []


def test_nothing_but_letterheads_is_cut_by_default(tmp_path) -> None:
    recipe = Recipe.model_validate(
        {"out": tmp_path, "reports": [{"path": tmp_path}], "pair": {"unpaired_reports": "keep"}, "filters": {}}
    )
    assert recipe.text.cut == ("letterheads",)
    assert recipe.report_rules().text.cut == ()
    assert "letterheads" in recipe.report_rules().wanted.cut
