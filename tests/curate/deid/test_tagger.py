"""The tagger: what it reads of a token, that its network is the one that was fitted, what it may never do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import TextRules
from curate.deid.text import revision, tagger
from curate.deid.text.closed_class import Found
from curate.deid.text.scrub import STAYS, explain, first_look, scrub
from curate.deid.words import context_words as roles

PSEUDO = Pseudonymizer(b"a secret of enough bytes, for tests")
MASK = TextRules(dates="mask", max_masked=1.0)
SEEDS = st.integers(0, 10_000)


def drawn(seed: int, tokens: tagger.Tokens) -> np.ndarray:
    """Whatever a network might say of each token."""
    return np.random.default_rng(seed).dirichlet(np.full(9, 0.2), len(tokens.forms)).astype(np.float32)


def read(text: str, *masked: Found) -> tagger.Tokens:
    return tagger.read(text, masked, [], {})


def test_the_numbers_were_fitted_to_these_features():
    fitted = tagger.weights()
    assert int(fitted["version"]) == tagger.version(), "fit again: python -m benchmarks.deid.fit"
    assert fitted["forms"].shape == (tagger.ROWS, tagger.EMBEDDED)
    assert fitted["places"].shape == (len(tagger.PLACE), tagger.EMBEDDED)


def test_three_tokens_are_read():
    tokens = read("Mrs X7", Found(4, 5, "[NAME]", "name by its cue"))
    assert tokens.forms == ["Mrs", "X", "7"]
    assert [tokens.text[s:e] for s, e in zip(tokens.starts, tokens.ends, strict=True)] == tokens.forms
    told = [[tagger.PLACE[row] for row in placed] for placed in tokens.places]
    assert told == [["begins a line"], ["name by its cue: NAME"], ["glued to the one before"]]
    assert tokens.masks == [-1, 0, -1]
    assert tagger.FIXED[tagger.rows("7")[0]] == "1 digits"


@pytest.mark.parametrize("text", ["", "a", "Seen by Mr. Ito, ext 4471.\n\nNo change in 3 mm node." * 3])
def test_chances_are_shares_and_hang_on_what_is_near_alone(text):
    tokens = read(text + " x")
    x = tagger.embedded(tokens)
    chances = tagger.probabilities(x)
    assert np.allclose(chances.sum(axis=1), 1, atol=1e-5) and chances.shape == (len(tokens.forms), len(tagger.LABELS))
    far = 2 + sum(tagger.DILATIONS[1:]) + 1
    other = np.concatenate([np.ones((far, tagger.EMBEDDED), np.float32), x])
    assert np.allclose(tagger.probabilities(other)[2 * far :], chances[far:], atol=1e-4)


@given(SEEDS, st.lists(st.sampled_from([*sorted(roles.PROTECTED), "Ito", "4471", "effusion"]), max_size=30))
def test_what_a_report_means_is_never_masked_whatever_the_network_says(seed, words):
    tokens = read(" ".join(words))
    found, _ = revision.revised(tokens, [], drawn(seed, tokens), tagger.limits())
    gone = [word for one in found for word in tokens.text[one.start : one.end].split()]
    assert not {w for w in gone if w in roles.PROTECTED} - revision._COUNTING


@given(SEEDS, st.lists(st.sampled_from(["Lipomas", "SYRINX", "Ito", "at", "Fernhill", "\n"]), max_size=30))
def test_a_clinical_word_that_nobody_is_called_is_never_added_as_a_name(seed, words):
    tokens = read(" ".join(words))
    found, _ = revision.revised(tokens, [], drawn(seed, tokens), tagger.limits())
    named = [tokens.text[one.start : one.end] for one in found if one.placeholder == "[NAME]"]
    assert not [span for span in named if {"Lipomas", "SYRINX"} & {*span.split()}]


@pytest.mark.parametrize(("text", "goes"), [("Lipomas", []), ("Midtown Spine Center", ["Midtown Spine Center"])])
def test_a_clinical_word_is_a_place_beside_other_words_of_one(text, goes):
    tokens = read(text)
    chances = np.zeros((len(tokens.forms), len(tagger.LABELS)), np.float32)
    chances[:, tagger.LABELS.index("ADDRESS")] = 1
    found, _ = revision.revised(tokens, [], chances, tagger.limits())
    assert [text[one.start : one.end] for one in found] == goes


@given(SEEDS)
def test_a_patients_own_values_never_come_back(seed):
    text = "Head CT of Head, no mass"
    own, other = Found(11, 15, "[NAME]", "known value"), Found(0, 4, "[NAME]", "decision per word")
    tokens = read(text, other, own)
    limits = tagger.limits() | {"back": np.full(len(tagger.SOURCES), 0.0, np.float32)}
    found, back = revision.revised(tokens, [other, own], drawn(seed, tokens), limits)
    assert own in found and other not in found and [tokens.forms[i] for i in back] == ["Head"]


@given(SEEDS)
def test_a_year_never_comes_back_beside_shifted_days(seed):
    day, year = Found(0, 10, "[DATE:2013-03-21]", "date"), Found(23, 27, "[DATE]", "date without a day")
    tokens = read("14.03.2021 and again in 2019, no mass", day, year)
    lax = np.full(len(tagger.SOURCES), 0.0, np.float32)
    for shifted in (True, False):
        fitted = tagger.weights() | {"back": lax}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tagger, "weights", lambda fitted=fitted: fitted)
            limits = tagger.limits(shifted=shifted)
        found, back = revision.revised(tokens, [day, year], drawn(seed, tokens), limits)
        assert ({day, year} <= set(found)) is shifted and (not back) is shifted


@pytest.mark.parametrize(
    ("text", "site", "goes"),
    [("Sent to Oakmont Primary School today", "Oakmont", "Oakmont Primary School"),
     ("Sent to Barron Children's ED, then home", "Barron", "Barron Children's ED"),
     ("SEEN AT NAAS MINOR INJURIES", "NAAS", "NAAS"), ("Kerrville TX. Left effusion", "Kerrville", "Kerrville TX"),
     ("Naas\nClinic note", "Naas", "Naas"), ("Leeds, no ward bed", "Leeds", "Leeds")],
)  # fmt: skip
def test_along_with_a_place_goes_what_places_are_named_by(text, site, goes):
    tokens = read(text)
    chances = np.zeros((len(tokens.forms), len(tagger.LABELS)), np.float32)
    chances[:, 0] = [0.0 if form == site else 1.0 for form in tokens.forms]
    chances[tokens.forms.index(site), tagger.LABELS.index("ADDRESS")] = 1.0
    assert [text[a:b] for a, b, *_ in revision.revised(tokens, [], chances, tagger.limits())[0]] == [goes]


@given(SEEDS)
def test_a_lower_limit_takes_no_less(seed):
    tokens = read("Ito rang Ahmed about 4471 and the effusion at Fernhill, then 12 mm; Bo agreed")
    chances = drawn(seed, tokens)
    sizes = []
    for begin in (0.9, 0.6, 0.3, 0.1):
        limits = tagger.limits() | {"begin": np.full(9, begin, np.float32), "inside": np.ones(1, np.float32)}
        spans = revision.revised(tokens, [], chances, limits)[0]
        sizes.append(sum(c.isalnum() for one in spans for c in tokens.text[one.start : one.end]))
    assert sizes == sorted(sizes)


def test_what_the_tagger_adds_and_takes_back_is_explained():
    text = "Addendum for the booking desk: call Fernhill on double four seven one, slot code QX then 77 then 12."
    gone = explain(text, (), "p", PSEUDO, MASK)
    assert any(one.by.startswith("tagger; ") and " likely " in one.by for one in gone)
    assert all(one.placeholder[0] == "[" or one.placeholder == STAYS for one in gone)
    out = scrub(text, (), "p", PSEUDO, MASK)
    assert scrub(out, (), "p", PSEUDO, MASK) == out


def test_the_network_is_the_one_that_was_fitted():
    torch = pytest.importorskip("torch")
    from benchmarks.deid.fit.tagger_net import Net

    torch.manual_seed(1)
    net = Net().eval()
    x = torch.randn(2, 40, tagger.EMBEDDED)
    told = torch.softmax(net(x, torch.ones(2, 40, 1)), dim=-1).detach().numpy()
    numbers = {name: value.astype(np.float32) for name, value in net.numbers().items()}
    assert np.abs(tagger.probabilities(x.numpy(), numbers) - told).max() < 0.01  # written as halves


def test_what_rules_found_is_in_the_first_look():
    seen = first_look("Dr. Ito, MRN 12345678", (), {}, None, MASK, frozenset())
    assert [one.placeholder for one in seen.spans] == ["[NAME]", "[ID]"]


@pytest.mark.parametrize("text", ["12.5%", "3.5 cms", "67-year-old", "CRP 98", "strength 4/5", "4 weeks"])
def test_numbers_that_count_are_protected(text):
    tokens = read(text)
    assert all(
        revision.is_protected(tokens, i, "ID") for i, f in enumerate(tokens.forms) if f in ("67", "98", "4", "3")
    )
    assert any(revision.is_protected(tokens, i, "ID") for i, f in enumerate(tokens.forms) if f.isdecimal())


def test_days_numbers_and_high_ages_are_not_protected():
    for text, label in (("14.03.2021", "DATE"), ("93 years", "AGE"), ("ref 4471", "ID")):
        tokens = read(text)
        assert not any(revision.is_protected(tokens, i, label) for i, f in enumerate(tokens.forms) if f.isdecimal())


@pytest.mark.parametrize(
    ("text", "stays"),
    [("From St Mary's Hospital CT head shows bleed.", "CT head"), ("FROM OAKMONT HOSPITAL PA CHEST.", "PA CHEST"),
     ("Mercy Hospital X-ray shows fracture.", "X-ray"), ("From Oakmont Hospital CA breast.", "CA breast"),
     ("Compared with the Oakmont Hospital Ultrasound of the liver.", "Ultrasound of the liver")],
)  # fmt: skip
def test_an_examination_is_no_part_of_the_house_that_it_was_done_in(text, stays):
    left = scrub(f"The lungs are clear. {text}", (), "p", PSEUDO, MASK)
    assert stays in left and not any(name in left for name in ("Mary", "Oakmont", "OAKMONT", "Mercy"))


@pytest.mark.parametrize("end", [".", " by Dr Lee."])
def test_a_state_goes_with_its_town(end):
    left = scrub(f"Clear. Seen at Hartford CT{end}", (), "p", PSEUDO, MASK)
    assert "CT" not in left and "Hartford" not in left
