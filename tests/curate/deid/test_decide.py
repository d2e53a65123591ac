"""The decision per word: what it reads of a text, what it says, and that its numbers belong to its features."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import TextRules
from curate.deid.text import features
from curate.deid.text.decide import Thresholds, name_spans, probabilities, probability, read, reasons
from curate.deid.text.scrub import explain, scrub
from curate.deid.words import context_words as roles
from curate.deid.words import looks

PSEUDO = Pseudonymizer(b"a secret of enough bytes, for tests")
MASK = TextRules(dates="mask")


def masked(text: str, *known: str) -> list[str]:
    state = read(text, frozenset(), [], frozenset(known))
    return [text[start:end] for start, end, _ in name_spans(state, Thresholds())]


def test_the_numbers_were_fitted_to_these_features():
    fitted = looks.weights()
    assert fitted["hidden"].shape[0] == features.WIDTH == len(features.feature_names())
    assert int(fitted["features"]) == features.version(), "fit again: python -m benchmarks.deid.fit"


def test_three_words_are_three_rows_of_features():
    state = read("Mrs Okonkwo coughs.", frozenset(), [], frozenset())
    assert [state.words[i].text for i in state.which] == ["Okonkwo"]
    (row,) = features.table(state)
    told = {name for name, value in zip(features.feature_names(), row, strict=True) if value}
    assert {"-1 title", "capitalised", "surname among the first 40000"} & told >= {"-1 title", "capitalised"}
    assert "begins a sentence" not in told and "is a known word" not in told


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("The film was read by Okonkwo last night.", ["Okonkwo"]),
        ("Small effusion. Baker cyst. Heart size Normal. No pneumothorax.", []),
        ("IMPRESSION:\n1.No acute fracture.\n2.Mild scoliosis.", []),
        ("atalectasis and hydropnemothorax, small efusion", []),
    ],
)
def test_names_go_and_words_stay(text, names):
    assert masked(text) == names


@given(
    st.lists(st.sampled_from(sorted(roles.PROTECTED)), min_size=1, max_size=6),
    st.sampled_from([str, str.upper, str.title]),
)
def test_what_a_report_means_is_never_a_name_by_its_place(words, form):
    text = f"Read by Okonkwo {form(' '.join(words))} Okonkwo."
    assert not {w for span in masked(text) for w in span.lower().replace(",", " ").split()} & set(words)


def test_a_lower_threshold_takes_no_less():
    text = "Stone was paged about the Baker cyst. Hope will call. Rose Hill clinic. Young could not be reached."
    state = read(text, frozenset(), [], frozenset())
    p = probability(features.table(state), looks.weights())
    assert ((p > 0) & (p < 1)).all() and len(p) == len(state.which)
    sizes = []
    for known in (0.9, 0.5, 0.1, 0.01):
        state = read(text, frozenset(), [], frozenset())
        sizes.append(sum(e - s for s, e, _ in name_spans(state, Thresholds(known, known))))
    assert sizes == sorted(sizes)


def test_what_went_is_explained_by_what_found_it():
    text = "Seen with Dr. Okonkwo on 3/4/2019. Interpretation limited; Zbigniew kept moving. MRN 12345678."
    gone = explain(text, (), "p", PSEUDO, MASK)
    assert {(g.words, g.by.split(";")[0]) for g in gone} == {
        ("Okonkwo", "name by its cue"), ("3/4/2019", "date"), ("Zbigniew", "decision per word"), ("12345678", "rule"),
    }  # fmt: skip
    (why,) = [g.by for g in gone if g.words == "Zbigniew"]
    told = re.fullmatch(r"decision per word; 0\.\d\d likely a name: (.+)", why)[1]
    assert sum(name in told for name in features.feature_names()) >= 2  # of which kind depends on the fit
    assert len(gone) == scrub(text, (), "p", PSEUDO, MASK).count("[")


def test_a_reason_names_features_that_are_there():
    state = read("Discussed with Okonkwo.", frozenset(), [], frozenset())
    said = {state.text[slice(*place)]: why for place, why in reasons(state).items()}["Okonkwo"]
    assert 0.5 < float(said.split(" ")[0]) <= 1
    names = set(features.feature_names())
    assert set(said.split(": ", 1)[1].split(", ")) <= names


def test_letters_alone_tell_most_names_from_most_words():
    names = ["okonkwo", "papadopoulos", "srinivasan", "kowalczyk", "nguyen", "haddad", "fitzgerald", "yamamoto"]
    words = ["hydropnemothorax", "atalectasis", "bronchogram", "scintigraphic", "osteophytosis", "retrocardiac"]
    assert np.mean([looks.name_likeness(w) > 0 for w in names]) >= 0.85
    assert np.mean([looks.name_likeness(w) < 0 for w in words]) >= 0.8


PIECES = [
    "Stone",
    "Okonkwo",
    "was",
    "paged",
    "by",
    "J.",
    "Dr",
    "[",
    ")",
    ",",
    ";",
    "No",
    "44",
    "mm",
    "the",
    "Hope",
    ".",
]


@given(st.lists(st.sampled_from(PIECES), min_size=1), st.sampled_from([" ", "\n", ""]))
def test_what_is_kept_of_each_word_adds_up_to_the_table(pieces, glue):
    state = read(glue.join(pieces), frozenset(), [], frozenset())
    if state.which:
        fitted = probability(features.table(state), looks.weights())
        np.testing.assert_allclose(probabilities(state), fitted, atol=1e-4)
