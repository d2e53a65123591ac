"""What counts as truth, how prompts are made, and what they tell."""

from __future__ import annotations

import numpy as np
import pytest

from filters.evaluate.encode import encode, text_rows
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.sets import EvalSet, set_of
from filters.evaluate.targets import ABSENT, PRESENT, ensemble, labels_of, names, prompts, targets
from filters.evaluate.zero_shot import best_threshold, class_scores, cross_thresholded, finding_truth, truth_of
from filters.metrics import auroc
from filters.towers.encoder import Filter

EFFUSION = "pleural effusion"


def test_silence_is_a_negative_only_where_the_report_looked():
    texts = [
        "Small left pleural effusion.", "No pleural effusion.", "The heart is enlarged.", "Possible pleural effusion.",
        "Acute subdural haematoma.", "Normal study.", "History: pleural effusion.",
    ]  # fmt: skip
    truth = truth_of(texts, [EFFUSION])[EFFUSION]
    assert truth[:3].tolist() == [1, 0, 0]
    assert np.isnan(truth[[3, 4, 6]]).all() and truth[5] == 0


def test_findings_need_enough_of_both_sides():
    texts = ["Left pleural effusion."] * 5 + ["No pleural effusion."] * 5 + ["Pneumothorax."] * 2
    assert list(finding_truth(texts, 5)) == [EFFUSION]
    assert EFFUSION not in finding_truth(texts, 6)


def test_the_threshold_is_the_best_one_and_comes_from_the_other_half():
    scores, truth = np.array([0.9, 0.8, 0.7, 0.2, 0.1]), np.array([1.0, 1, 0, 0, 0])
    assert best_threshold(scores, truth) == 0.8
    assert best_threshold(scores, np.zeros(5)) == 0
    assert best_threshold(np.array([0.5, 0.5, 0.1]), np.array([1.0, 0, 0])) == 0.5
    half = np.array([True, True, True, False, False, False])
    shown = cross_thresholded(np.array([1.0, 2, 3, 11, 12, 13]), np.array([0, 0, 1, 0, 1, 1.0]), half)
    assert shown.tolist() == [False, False, False, True, True, True]


def test_prompts_hold_every_name_once():
    assert prompts(("CT", "computed tomography"), ("{c}", "{c} image.")) == [
        "CT", "computed tomography", "CT image.", "Computed tomography image.",
    ]  # fmt: skip
    assert names("modality", "CT")[0] == "CT" and names("plane", "axial") == ("axial",)
    assert prompts(("{0} {c.__class__}",), ("a {c}",)) == ["a {0} {c.__class__}"]


def test_an_ensemble_is_the_unit_mean_of_unit_rows(film_model: Filter):
    rows = ensemble(film_model, [("effusion",), ("nodule",)], PRESENT)
    said = text_rows(film_model, prompts(("effusion",), PRESENT)).mean(axis=0)
    np.testing.assert_allclose(rows[0], said / np.linalg.norm(said), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_class_scores_are_log_probabilities(film_model: Filter):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(7, 64)).astype(np.float32)
    scores = class_scores(film_model, images, images[:3])
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1)


def test_a_model_of_reports_tells_findings_by_prompts(film_model: Filter, known: EvalSet):
    found = encode(film_model, known)
    truths = finding_truth([t[0] for t in known.texts], 8)
    values = []
    for name, truth in truths.items():
        yes, no = ensemble(film_model, [(name,)], PRESENT), ensemble(film_model, [(name,)], ABSENT)
        counted = np.isfinite(truth)
        values.append(auroc((found.images @ (yes - no).T)[counted, 0], truth[counted] > 0))
    assert len(values) >= 4 and np.mean(values) > 0.6


def facts_set(n: int = 40) -> EvalSet:
    facts = {
        "modality": ["CR" if i % 2 else "DX" if i % 4 else "MR" for i in range(n)],
        "plane": ["Axial" if i % 3 else "Coronal" for i in range(n)],
        "title": [f"case {i}" for i in range(n)],
        "width": [str(100 + i % 2) for i in range(n)],
        "age_band": ["0-17" if i % 2 else "80+" for i in range(n)],
    }
    keys = [f"{i:02d}" for i in range(n)]
    return set_of("s", keys, [b""] * n, [""] * n, keys, facts)  # type: ignore[arg-type]


def test_facts_of_a_few_words_are_classes_and_titles_numbers_and_ages_are_not():
    found = {t.name: t for t in targets(facts_set(), EvaluateRules(min_records=5))}
    assert set(found) == {"modality", "plane"}
    assert found["modality"].classes == ("MRI", "radiograph"), "two codes of one thing are one class"
    assert targets(facts_set(), EvaluateRules(min_records=5, facts=("width",)))[0].classes == ("100", "101")
    assert targets(facts_set(), EvaluateRules(min_records=25)) == []


def test_another_set_is_labelled_in_the_same_words():
    target = next(t for t in targets(facts_set(), EvaluateRules(min_records=5)) if t.name == "plane")
    other = set_of("o", ["a", "b", "c"], [b""] * 3, [""] * 3, list("abc"), {"plane": ["CORONAL", "oblique", None]})
    assert labels_of(target, other).tolist() == [target.classes.index("coronal"), -1, -1]
    assert labels_of(target, set_of("o", ["a"], [b""], [""], ["a"])).tolist() == [-1]


@pytest.mark.parametrize("least", [1, 50])
def test_nothing_to_tell_is_no_task(least: int):
    assert finding_truth(["", "hello"], least) == {}
