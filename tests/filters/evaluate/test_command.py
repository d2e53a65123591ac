"""`curate evaluate` from folders to a page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from curate.errors import RecipeError
from filters.evaluate.page import render
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.sets import EvalSet
from pipelines.final.evaluate import evaluate_command
from tests.filters.evaluate.clip_benchmark_layout import write_clip_benchmark
from tests.filters.evaluate.test_leakage import train_shards
from tests.realdata import real

QUICK = EvaluateRules(draws=20, shots=(1, 4), shot_draws=2, min_records=8)


def test_a_folder_becomes_results_and_a_page(tmp_path: Path, film_folder: Path, known: EvalSet, unknown: EvalSet):
    write_clip_benchmark(unknown, tmp_path / "films")
    train = train_shards(tmp_path / "run", unknown, known)
    found = evaluate_command(film_folder, tmp_path / "films", tmp_path / "out", train, QUICK)
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == json.loads(json.dumps(found))
    assert found["leakage"]["leaked"] >= 2 and len(found["model"]["sha256"]) == 64
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<script" not in page and not re.search(r"(?:src|href)=\"(?!#|data:)", page), "it needs nothing else"
    assert page.count("<svg") > 10 and "known from training" in page and "R@10" in page
    assert len(page) > 20_000 and "--kept-fill" in page, "in the report's own style"


def test_names_out_of_the_data_are_text_in_the_page(tmp_path: Path, film_folder: Path, unknown: EvalSet):
    write_clip_benchmark(unknown.take(range(12)), tmp_path / "films")
    found = evaluate_command(film_folder, tmp_path / "films", None, None, QUICK)
    assert not (tmp_path / "out").exists()
    found["data"]["name"] = "<script>alert(1)</script>"
    found["data"]["skipped"] = {"</li><b>": 3}
    page = render(found)
    assert "<script>" not in page and "</li><b>" not in page and "&lt;script&gt;" in page


def test_what_is_no_model_names_the_fix(tmp_path: Path, film_folder: Path, unknown: EvalSet):
    write_clip_benchmark(unknown.take(range(12)), tmp_path / "films")
    (tmp_path / "empty").mkdir()
    for wrong in (tmp_path / "none", tmp_path / "empty", tmp_path / "films" / "dataset_type.txt"):
        with pytest.raises(RecipeError, match=r"^model(.|\n)*fix"):
            evaluate_command(wrong, tmp_path / "films", tmp_path / "out", None, QUICK)
    with pytest.raises(RecipeError, match="train"):
        evaluate_command(film_folder, tmp_path / "films", tmp_path / "out", tmp_path / "none", QUICK)
    assert not (tmp_path / "out").exists()


def test_a_training_s_folder_has_the_model_inside(tmp_path: Path, film_folder: Path, unknown: EvalSet):
    write_clip_benchmark(unknown.take(range(12)), tmp_path / "films")
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "model").symlink_to(film_folder)
    rules = EvaluateRules(draws=5, tasks=("retrieval",))
    assert evaluate_command(tmp_path / "trained", tmp_path / "films", rules=rules)["tasks"]


def test_real_slices_are_told_above_chance_by_a_probe(film_folder: Path, tmp_path: Path):
    """MR slices of tumours, of which the model of drawn films knows no word: its rows still hold something."""
    data = real("vision") / "brain_tumor_mri"
    rules = EvaluateRules(draws=100, tasks=("zero_shot", "linear_probe"), facts=(), max_probe=800)
    found = evaluate_command(film_folder, data, tmp_path / "out", None, rules, "test", probe=data)["tasks"]
    assert found["linear_probe/classes"]["auroc"]["low"] > 0.5
    assert found["zero_shot/classes"]["balanced_accuracy"]["value"] < 0.45
    assert found["zero_shot/classes"]["accuracy"]["n"] == 394
