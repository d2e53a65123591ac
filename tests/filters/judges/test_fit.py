"""Judges on features with a known cause: they tell exchanged pairs, with a clean set and without, and know how many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from curate.errors import RecipeError, RunError
from filters.banks import digests
from filters.judges.fit import FOLDS, PairFeatures, Panel, _of_pool, fit, fold_of, uncalibrated
from filters.judges.folder import load, save
from tests.filters.judges.made import given


def probabilities(panel: Panel, pairs: PairFeatures) -> tuple[np.ndarray, np.ndarray]:
    rows = panel.rows(pairs.images, pairs.sentences, pairs.texts)
    return panel.probability(digests(pairs.names), digests(pairs.groups), *rows)


@pytest.fixture(scope="module")
def of_pool() -> tuple[Panel, PairFeatures, np.ndarray, dict[str, float]]:
    pool, wrong = given(600, 1, wrong=0.4)
    panel, metrics = fit(pool, pool, clean=False, seed=0, rounds=2)
    return panel, pool, wrong, metrics


def test_without_a_clean_set_exchanged_pairs_are_told_and_counted(of_pool):
    panel, pool, wrong, metrics = of_pool
    whole, alone = probabilities(panel, pool)
    assert roc_auc_score(~wrong, alone) > 0.9
    assert roc_auc_score(~wrong, whole) > 0.93
    assert abs(metrics["right_in_pool"] - (~wrong).mean()) < 0.12
    assert whole.mean() == pytest.approx(metrics["right_in_pool"], abs=0.01)


def test_a_clean_set_teaches_and_the_pool_says_how_many_are_right():
    clean, _ = given(400, 2)
    pool, wrong = given(300, 3, wrong=0.5)
    panel, metrics = fit(clean, pool, clean=True, seed=0, rounds=2)
    whole, alone = probabilities(panel, pool)
    assert roc_auc_score(~wrong, alone) > 0.93 and roc_auc_score(~wrong, whole) > 0.95
    assert abs(metrics["right_in_pool"] - (~wrong).mean()) < 0.1
    assert metrics["holdout_auroc"] > 0.9 and metrics["holdout_auroc_near"] <= metrics["holdout_auroc"] + 0.02
    # half were exchanged; some met a text of their own subject, and so did some that were injected
    assert abs(metrics["right_in_pool"] - 0.5) < 3 * metrics["right_error"] < 0.2
    assert 0 < metrics["share_error"] < 0.1
    assert metrics["unlike"] < 0.3, "wrong pairs are exchanged ones, as those that were injected"


def test_a_probability_is_called_calibrated_only_where_that_was_checked(of_pool):
    good = {"right_in_pool": 0.7, "right_error": 0.05, "share_error": 0.02, "unlike": 0.1}
    assert uncalibrated(good) is None
    assert "no clean set" in str(uncalibrated(of_pool[3]))
    assert "off by 0.12" in str(uncalibrated({**good, "right_error": 0.12}))
    assert "standard error of 0.050" in str(uncalibrated({**good, "share_error": 0.05}))
    assert "more of them than it says" in str(uncalibrated({**good, "unlike": 0.7}))
    assert all(uncalibrated({**good, name: float("nan")}) for name in ("right_error", "share_error", "unlike"))


def test_of_a_pool_of_few_patients_nobody_knows_the_share(of_pool):
    panel, pool, _, _ = of_pool
    few = pool.take(np.isin(pool.groups, sorted(set(pool.groups))[:1]))
    metrics = _of_pool(panel, pool, few, True, 0, {})[1]
    assert "so few patients" in str(uncalibrated({**metrics, "unlike": 0.0, "right_error": 0.0}))


def test_texts_that_have_nothing_to_do_with_the_pictures_are_not_told():
    pool, _ = given(400, 4)
    order = np.random.default_rng(0).permutation(len(pool))
    nothing = replace(pool, images=pool.images[order])
    _, metrics = fit(nothing, nothing, clean=False, seed=0, rounds=1)
    assert abs(metrics["holdout_auroc"] - 0.5) < 0.1


def test_a_patient_is_judged_by_judges_that_have_not_seen_it(of_pool):
    panel, pool, _, _ = of_pool
    groups = digests(pool.groups)
    assert set(groups.tolist()) <= set(panel.known.tolist())
    x, u = panel.rows(pool.images, pool.sentences, pool.texts)
    for fold in range(FOLDS):
        seen = {row.tobytes() for row in panel.judges[fold].images}
        assert not any(row.tobytes() in seen for row in x[fold_of(groups) == fold])
    stranger = digests(["a patient of nobody"] * 5)
    expected = np.mean([panel.stack(j.columns(x[:5], u[:5])) for j in panel.judges], axis=0)
    np.testing.assert_allclose(panel.log_odds(x[:5], u[:5], stranger), expected, rtol=1e-5)


def test_a_score_does_not_depend_on_its_batch(of_pool):
    panel, pool, _, _ = of_pool
    whole = probabilities(panel, pool)[0]
    parts = [probabilities(panel, pool.take(np.arange(i, min(i + 7, 600))))[0] for i in range(0, 600, 7)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


def test_the_same_pairs_give_the_same_bytes_and_what_is_read_scores_the_same(of_pool, tmp_path: Path):
    panel, pool, _, _ = of_pool
    save(panel, tmp_path / "a")
    save(fit(pool, pool, clean=False, seed=0, rounds=2)[0], tmp_path / "b")
    for name in ("judges.safetensors", "judges.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    for one, other in zip(probabilities(load(tmp_path / "a"), pool), probabilities(panel, pool), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_damaged_folder_names_the_file(of_pool, tmp_path: Path):
    save(of_pool[0], tmp_path)
    (tmp_path / "judges.json").write_text("{}")
    with pytest.raises(RecipeError, match=r"judges\.safetensors"):
        load(tmp_path)


@pytest.mark.parametrize(("n", "each"), [(30, 1), (60, 30)])
def test_too_few_pairs_or_patients_are_said(n: int, each: int):
    few, _ = given(n, 5, each=each)
    with pytest.raises(RunError, match="need 40 of 8"):
        fit(few, few, clean=True, seed=0, rounds=0)
