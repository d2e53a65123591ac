"""The judges' parts, each by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from filters.banks import digests
from filters.judges.faults import Faults, exchange, holdout_error, largest_share
from filters.judges.judges import Judges
from filters.judges.spaces import ImageSpace, TextSpace, unit, words_of
from filters.judges.stack import Posterior, right_share, wrong_texts
from filters.judges.study import COLUMNS, Memory
from filters.linear import Linear
from filters.methods.ours.calibration import ece
from tests.filters.judges.made import given


def test_a_word_is_known_only_where_four_patients_have_it():
    texts = ["common alpha"] * 3 + ["common beta"] * 4 + ["common gamma"] * 4
    groups = ["a", "b", "c", "d", "e", "f", "g", "h", "h", "i", "i"]
    space = TextSpace.of(np.random.default_rng(0).standard_normal((11, 5)).astype(np.float32), texts, groups)
    assert set(space.vocabulary) == {"common", "beta", "common_beta"}  # alpha: three patients, gamma: two


def test_texts_of_no_known_word_still_have_their_sense():
    rows = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    found = TextSpace.of(rows, list("abcdef"), list("abcdef"))(rows, ["", "unseen words", *"cdef"])
    assert found.shape[0] == 6 and np.isfinite(found).all()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "words"), [("Opacities, 12 mm", ["opacit", "12", "mm"]), ("Leber größer", ["leber", "größer"])]
)
def test_words_lose_their_endings_in_any_script(text: str, words: list[str]):
    assert words_of(text)[: len(words)] == words


def test_images_become_unit_rows_whatever_their_scale():
    rows = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32) * [1e-3, 1, 1, 1, 1, 1, 1, 1e3]
    np.testing.assert_allclose(np.linalg.norm(ImageSpace.of(rows.astype(np.float32))(rows), axis=1), 1, atol=1e-5)


def test_each_judge_prefers_right_pairs():
    pairs, _ = given(300, 11)
    x = ImageSpace.of(pairs.images)(pairs.images)
    u = TextSpace.of(pairs.sentences, pairs.texts, pairs.groups)(pairs.sentences, pairs.texts)
    judges = Judges.of(x[:200], u[:200], np.ones(200, np.float32), digests(pairs.names[:200]))
    right, wrong = judges.columns(x[200:], u[200:]), judges.columns(x[200:], np.roll(u[200:], 30, axis=0))
    assert (right[:, ::3].mean(0) > wrong[:, ::3].mean(0) + 0.5).all()


def test_the_stack_is_scikit_learns_pipeline():
    rng = np.random.default_rng(0)
    columns, right = rng.standard_normal((200, 3)), rng.random(200) < 0.5
    found = Linear.of(columns, right, np.ones(200), 0.01)
    by_hand = make_pipeline(StandardScaler(), LogisticRegression(C=1 / (0.01 * 200))).fit(columns, right)
    np.testing.assert_allclose(found(columns), by_hand.decision_function(columns), rtol=1e-3)


def test_wrong_texts_are_other_patients_that_say_something_else():
    pairs, _ = given(90, 12)
    u = unit(pairs.sentences)
    rows, others = wrong_texts(unit(pairs.images), u, pairs.groups, np.random.default_rng(0))
    assert len(rows) and all(pairs.groups[i] != pairs.groups[j] for i, j in zip(rows, others, strict=True))
    assert ((u[rows] * u[others]).sum(1) < 0.8).all()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_share_of_right_pairs_is_found_and_the_probability_is_true(share: float):
    rng = np.random.default_rng(3)
    right = rng.random(4000) < share
    scores = np.where(right, rng.normal(2, 1, 4000), rng.normal(0, 1, 4000))
    wrong = rng.normal(0, 1, 4000)
    assert abs(right_share(scores, wrong) - share) < 0.05
    told = Posterior.of(scores, wrong)(scores)
    for low, high in ((0.0, 0.5), (0.5, 1.0)):
        some = (told >= low) & (told < high)
        assert abs(told[some].mean() - right[some].mean()) < 0.07
    assert told.mean() == pytest.approx(share, abs=0.06)


@settings(max_examples=40, deadline=None)
@drawn(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1), st.integers(1, 5))
def test_exchanged_texts_stay_in_their_fold_and_are_said_wrong_exactly_where_they_are(seed, pairs, patients, each):
    owner = [f"p{i // each}" for i in range(40)]
    fold = np.array([(i // each) % 4 for i in range(40)])
    source, fault = exchange(owner, fold, np.random.default_rng(seed), pairs, patients)
    assert (fold[source] == fold).all() and set(fault.tolist()) <= {0, 1, 2}
    assert [owner[i] != owner[j] for i, j in enumerate(source)] == (fault > 0).tolist()
    assert (source[fault == 0] == np.arange(40)[fault == 0]).all()
    for name in {owner[i] for i in np.flatnonzero(fault == 2)}:  # all pairs of a patient, of one other
        rows = [i for i in range(40) if owner[i] == name]
        assert (fault[rows] == 2).all() and len({owner[source[i]] for i in rows}) == 1


def apart(kinds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Columns of right pairs (0) and of two faults, each in a direction of its own, the first column alike in both."""
    return np.array([[0, 0, 0], [-1, 3.5, 0], [-1, 0, 3.5]])[kinds] + rng.standard_normal((len(kinds), 3))


INJECTED = np.repeat(np.arange(3), 2000)


def test_faults_are_counted_and_told_apart():
    rng = np.random.default_rng(5)
    injected = apart(INJECTED, rng)
    kinds = rng.choice(3, 6000, p=[0.5, 0.3, 0.2])
    columns = apart(kinds, rng)
    found = Faults.of(injected, INJECTED).of_pool(columns)
    assert abs(found.right - 0.5) < 0.04 and np.abs(found.shares - [0.3, 0.2]).max() < 0.04
    assert abs(found.right - (kinds == 0).mean()) < 0.015
    probability = found(columns)
    assert ece(probability, kinds == 0) < 0.05
    assert abs(found.unlike(injected, INJECTED, columns)) < 0.15
    columns[kinds > 0, 0] += 0.8  # faults that look righter by themselves than those that were injected
    assert found.unlike(injected, INJECTED, columns) > 0.5


def test_errors_where_the_truth_is_known_are_small_where_faults_can_be_told_and_else_large():
    rng = np.random.default_rng(6)
    fault = rng.permutation(INJECTED)
    half, pool = rng.random(len(fault)) < 0.5, rng.integers(0, 4, len(fault))
    assert holdout_error(apart(fault, rng), fault, half, pool) < 0.04
    looks = np.where(fault == 2, 0, fault)  # the second fault looks right: nobody can count it
    assert holdout_error(apart(looks, rng), fault, half, pool) > 0.1
    turned = apart(np.where(half & (fault > 0), 3 - fault, fault), rng)  # one half's faults look like the other's
    assert holdout_error(turned, fault, half, pool) < 0.08, "which fault it is does not matter"
    everybody = np.ones(len(fault), bool)
    assert holdout_error(turned, fault, everybody, pool) == 1 == holdout_error(turned, fault, ~everybody, pool)


def test_the_share_of_right_pairs_is_as_sure_as_there_are_patients():
    """Drawn anew from the same population, the share varies as much as its standard error says: over 40 pools."""
    rng = np.random.default_rng(7)
    model = Faults.of(apart(INJECTED, rng), INJECTED)
    found, said = [], []
    for seed in range(40):
        kinds = np.repeat(rng.choice(3, 60, p=[0.5, 0.3, 0.2]), 3)  # three pairs a patient, right or wrong together
        columns = apart(kinds, rng)
        found.append(model.of_pool(columns).right)
        said.append(model.standard_error(columns, np.repeat(np.arange(60, dtype=np.uint64), 3), seed))
    assert 0.7 < np.mean(said) / np.std(found) < 1.4
    alone = model.standard_error(columns, np.arange(180, dtype=np.uint64), 0)
    assert alone < 0.75 * said[-1], "pairs of a patient are no pairs of their own"


def test_a_fault_that_could_not_be_injected_has_no_share():
    rng = np.random.default_rng(7)
    injected = np.repeat([0, 2], 300)
    found = Faults.of(apart(injected, rng), injected).of_pool(apart(rng.choice([0, 2], 600), rng))
    assert abs(found.right - 0.5) < 0.05 and found.shares[0] < 1e-6
    assert Faults.of(apart(injected[:300], rng), injected[:300]).of_pool(apart(injected, rng)).right > 0.999


def test_of_a_pool_that_is_wrong_itself_the_mean_is_the_share_that_is_given():
    rng = np.random.default_rng(8)
    pool = apart(rng.choice(3, 2000, p=[0.7, 0.3, 0.0]), rng)
    fault = np.append(np.zeros(2000, np.int64), np.repeat([1, 2], 200))
    columns = np.vstack([pool, apart(fault[2000:], rng)])
    found = Faults.of(columns, fault).of_mixture(columns, fault, pool, 0.6)
    assert found(pool).mean() == pytest.approx(0.6, abs=1e-6)
    assert found.shares[0] > 4 * found.shares[1], "what is not there has little"
    assert largest_share(np.array([])) == 1e-4


def test_a_pair_is_not_held_against_itself_and_a_stranger_has_no_others():
    pairs, _ = given(30, 13)
    x, u, one = unit(pairs.images), unit(pairs.sentences), np.ones(30, np.float32)
    names, groups = digests(pairs.names), digests(pairs.groups)
    memory = Memory(names, groups, x, u, one, one)
    own = memory.columns(names, groups, x, u, np.zeros(30))
    assert own.shape == (30, COLUMNS)
    assert (own[:, 2] < 1 - 1e-6).all() and (np.exp(own[:, 4]) - 1 == pytest.approx(2))
    stranger = memory.columns(digests(["x"]), digests(["nobody"]), x[:1], u[:1], np.zeros(1))
    assert (stranger[0, 1:5] == 0).all() and stranger[0, 5] == pytest.approx(1, abs=1e-5)  # its text stands elsewhere
