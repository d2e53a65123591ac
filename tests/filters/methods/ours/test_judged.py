"""Ours with judges among its parts: they say what belongs together, the mixture what else is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curate.errors import RunError
from filters.method import Scores, TrainingSet, module_of, read_card
from filters.methods.ours.inject import FAULTS
from filters.methods.ours.method import train
from filters.metrics import auroc
from filters.registry import make_rules
from filters.score import Scorer, prepare
from tests.filters.films import films

slow = pytest.mark.slow  # a training of towers, judges and mixture
POOL = films(200, 94, 0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("judged")
    towers = {"epochs": 2, "vocab": 300, "bank": 16, "threads": 1, "device": "cpu"}
    module_of("dfn").train(TrainingSet(films(96, 95, 1.0).records), out / "dfn", make_rules("dfn", towers))
    rules = make_rules(
        "ours",
        {
            "parts": ("judges", "text_quality"),
            "part_rules": {"judges": {"encoder": str(out / "dfn")}},
            "rounds": 0,
            "copies": 1,
            "device": "cpu",
        },
    )
    train(TrainingSet(films(120, 96, 1.0).records, POOL.records, declared=False), out / "ours", rules)
    return out / "ours"


@pytest.fixture(scope="module")
def scores(folder: Path) -> Scores:
    scorer = Scorer({"ours": str(folder), "judges": str(folder / "parts/judges")}, "cpu")
    records = POOL.records
    whose = list(zip(records.keys, records.groups, strict=True))
    parts = [scorer(b) for b in prepare(records.images, records.texts, scorer.needs, 64, whose=whose)]
    return {name: np.concatenate([p[name] for p in parts]) for name in scorer.columns}


@slow
def test_a_mismatch_is_what_the_judges_say(scores: Scores):
    np.testing.assert_allclose(scores["ours_mismatch"], 1 - scores["judges"], atol=1e-6)
    total = scores["ours"] + sum(scores[f"ours_{fault}"] for fault in FAULTS)
    np.testing.assert_allclose(total, 1.0, atol=1e-3)
    assert (scores["ours"] <= scores["judges"] + 1e-6).all()


@slow
def test_the_mixture_adds_what_judges_do_not_see(scores: Scores):
    fault = np.array(POOL.fault)
    some = (fault == "") | (fault == "boilerplate")
    assert auroc(scores["ours_boilerplate"][some], fault[some] == "boilerplate") > 0.8
    assert auroc(scores["ours"][some], fault[some] == "") > auroc(scores["judges"][some], fault[some] == "") + 0.03


@slow
def test_its_card_is_the_judges_of_mismatches_and_of_calibration(folder: Path):
    card, judges = read_card(folder), read_card(folder / "parts/judges")
    assert card["metrics"]["planted_auroc_mismatch"] == judges["metrics"]["holdout_auroc"]
    assert card["metrics"]["right_in_pool"] == judges["metrics"]["right_in_pool"]
    assert card["uncalibrated"] == judges["uncalibrated"] and "no clean set" in card["uncalibrated"]
    assert card["prior"]["mismatch"] == 0 and "left out" in card["reliability"]["note"]


def test_judges_alone_are_no_mixture():
    with pytest.raises(ValueError, match="judges alone are a method of their own"):
        make_rules("ours", {"parts": ("judges",)})


GERMAN = (
    "Kein Pneumothorax, kleiner Erguss links.",
    "Herz vergroessert, kein Erguss.",
    "Rundherd im rechten Oberfeld.",
)


def test_what_reads_no_finding_in_another_language_is_left_out(tmp_path: Path):
    known = films(120, 91, 1.0).records
    told = replace(known, texts=[f"{GERMAN[i % 3]} Aufnahme {i}." for i in range(len(known))])
    rules = {"rounds": 0, "copies": 1, "parts": ("findings", "text_quality", "image_quality")}
    train(TrainingSet(told, told.take(range(60))), tmp_path / "ours", make_rules("ours", rules))
    assert list(read_card(tmp_path / "ours")["left_out"]) == ["findings"]
    scorer = Scorer({"ours": str(tmp_path / "ours")}, "cpu")
    found = [scorer(b)["ours"] for b in prepare(told.images, told.texts, scorer.needs, 64)]
    assert np.isfinite(np.concatenate(found)).all()
    with pytest.raises(RunError, match="no part left to mix: no finding is affirmed"):
        train(TrainingSet(told), tmp_path / "alone", make_rules("ours", {"parts": ("findings",)}))
