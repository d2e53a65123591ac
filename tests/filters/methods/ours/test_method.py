"""Ours on chest films with known faults: it tells right from wrong, says what is wrong, and ends where it began."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curate.errors import RecipeError, RunError
from filters.method import Scores, TrainingSet, load_method, read_card
from filters.methods.ours.inject import FAULTS
from filters.methods.ours.method import train
from filters.metrics import auroc
from filters.registry import make_rules
from filters.score import Scorer, prepare
from tests.filters.films import films

pytestmark = pytest.mark.slow  # a training of all its parts; `test_bad_input` trains it in every run
SMALL = {"rounds": 0, "copies": 1, "part_rules": {"findings": {"epochs": 14}, "dfn": {"epochs": 2, "bank": 64}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ours")
    data = TrainingSet(films(160, 91, 1.0).records, films(200, 92, 0.3).records)
    train(data, out, make_rules("ours", SMALL))
    return out


@pytest.fixture(scope="module")
def scores(folder: Path) -> Scores:
    scorer, pool = Scorer({"ours": str(folder)}, "cpu"), films(300, 93, 0.4).records
    parts = [scorer(b) for b in prepare(pool.images, pool.texts, scorer.needs, 64)]
    return {name: np.concatenate([p[name] for p in parts]) for name in scorer.columns}


@pytest.mark.parametrize(
    ("fault", "least"), [("mismatch", 0.8), ("side", 0.8), ("negation", 0.75), ("boilerplate", 0.8)]
)
def test_right_pairs_of_patients_it_never_saw_are_above_faulty_ones(scores: Scores, fault: str, least: float):
    told = np.array(films(300, 93, 0.4).fault)
    some = (told == "") | (told == fault)
    assert auroc(scores["ours"][some], told[some] == "") > least


def test_it_says_which_fault_a_pair_has_and_all_add_up_to_one(scores: Scores):
    told = np.array(films(300, 93, 0.4).fault)
    total = scores["ours"] + sum(scores[f"ours_{fault}"] for fault in FAULTS)
    np.testing.assert_allclose(total, 1.0, atol=1e-3)
    named = np.array(FAULTS)[np.argmax([scores[f"ours_{fault}"] for fault in FAULTS], axis=0)]
    for fault in ("blank", "nonradiology"):
        assert (named[told == fault] == fault).mean() > 0.5, fault


def test_a_copy_is_told_as_such_and_nothing_else_changes_for_it(folder: Path, scores: Scores):
    pool = films(200, 92, 0.3)  # what it was trained beside
    scorer = Scorer({"ours": str(folder)}, "cpu")
    told = np.concatenate(
        [scorer(b)["ours_duplicate"] for b in prepare(pool.records.images, pool.records.texts, scorer.needs, 64)]
    )
    fault = np.array(pool.fault)
    assert (told[fault == "duplicate"] >= 0.5).all()
    assert auroc(told, fault == "duplicate") > 0.95
    assert (scores["ours_duplicate"] == 0).all(), "pictures of another pool are nobody's copies"


def test_the_card_says_what_it_learned_from_and_how_well(folder: Path):
    card = read_card(folder)
    assert card["method"] == "ours" and card["data"]["pairs"] == 160 and card["data"]["pool"] == 200
    assert card["metrics"]["planted_auroc_mismatch"] > 0.7 and card["reliability"]["bins"]
    assert set(card["prior"]) >= {"right", "mismatch"}


def test_a_damaged_mixture_names_its_file(folder: Path, tmp_path: Path):
    (tmp_path / "card.json").write_text((folder / "card.json").read_text())
    (tmp_path / "mixture.json").write_text(json.dumps({"mixture": {}, "prior": {}}))
    with pytest.raises(RecipeError, match=r"mixture\.json"):
        load_method(tmp_path, "cpu")


def test_too_small_a_clean_set_is_told_at_once(tmp_path: Path):
    with pytest.raises(RunError, match=r"12 pairs.*declare more"):
        train(TrainingSet(films(160, 91, 1.0).records.take(range(12))), tmp_path, make_rules("ours", SMALL))


@pytest.mark.parametrize("rare", [-0.1, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(rare: float):
    with pytest.raises(ValueError, match=r"rare: .*; (at|Input)"):
        make_rules("ours", {"rare": rare})
