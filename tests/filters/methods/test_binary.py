from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from curate.errors import RecipeError, RunError
from filters.method import Records, TrainingSet, filter_hash, load_method, read_card
from filters.methods import binary
from filters.metrics import auroc
from filters.towers.model import load_filter
from tests.filters.conftest import Trained
from tests.filters.methods.blip_films import batch
from tests.filters.shapes import pairs

QUICK = binary.Rules(threads=1, device="cpu")


def shapes(n: int, start: int, boilerplate: bool = False) -> Records:
    images, texts, groups = pairs(n, start)
    texts = [f"Normal study. No acute process. {i % 3} of 3." for i in range(n)] if boilerplate else texts
    return Records([f"{start + i:032x}" for i in range(n)], images, texts, groups)


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    """The pool's texts say nothing of its images: a fault that the looks of a pair give away."""
    return TrainingSet(shapes(80, 5000), shapes(120, 6000, boilerplate=True))


@pytest.fixture(scope="module")
def folder(data: TrainingSet, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("binary") / "f"
    binary.train(data, out, replace(QUICK, encoder=str(trained.folder)))
    return out


def test_it_tells_clean_from_pool_by_its_looks(folder: Path):
    loaded = load_method(folder, "cpu")
    right, wrong = shapes(30, 9000), shapes(30, 9100, boilerplate=True)
    scores = np.concatenate([loaded(batch(r, 64))[""] for r in (right, wrong)])
    assert auroc(scores, np.arange(60) < 30) > 0.95
    assert read_card(folder)["metrics"]["holdout_auroc_clean_against_pool"] > 0.9


def test_the_score_is_the_classifiers_log_odds(folder: Path, trained: Trained):
    records = shapes(20, 9000)
    seen, towers = batch(records, 64), load_filter(trained.folder, "cpu")
    left = towers.encode_images(seen.pixels(64)).detach().double()
    right = towers.encode_texts(records.texts).detach().double()
    x = torch.cat([left, right, left * right * left.shape[1]], 1).numpy()
    w = load_file(folder / "model.safetensors")
    assert (
        np.abs(
            binary.load(folder, "cpu")(seen)[""] - ((x - w["center"]) / w["scale"] @ w["weights"] + w["intercept"])
        ).max()
        < 1e-4
    )


def test_same_pairs_same_bytes_whatever_the_order(folder: Path, trained: Trained, tmp_path: Path, data: TrainingSet):
    rng = np.random.default_rng(0)
    mixed = TrainingSet(*(r.take(rng.permutation(len(r))) for r in (data.clean, data.pool)))
    binary.train(mixed, tmp_path, replace(QUICK, encoder=str(trained.folder)))
    assert filter_hash(tmp_path) == filter_hash(folder)


def test_towers_of_its_own_are_trained_where_none_are_given(tmp_path: Path, data: TrainingSet):
    metrics = binary.train(data, tmp_path, replace(QUICK, share=0.5))
    assert metrics["train_pairs"] + metrics["holdout_pairs"] == 120, "at most half a pool pair a clean one"
    scores = binary.load(tmp_path, "cpu")(batch(shapes(20, 9000), 64))[""]
    assert np.isfinite(scores).all() and np.std(scores) > 0
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["towers"]


def test_a_score_is_the_records_own(folder: Path):
    loaded = binary.load(folder, "cpu")
    records = shapes(20, 9000)
    records.images[3] = b"no image"
    records.texts[5] = "disc " * 10_000
    whole = loaded(batch(records, 64))[""]
    assert np.flatnonzero(np.isnan(whole)).tolist() == [3]
    assert abs(float(loaded(batch(records.take([11]), 64))[""][0]) - float(whole[11])) < 1e-5


def test_what_cannot_be_trained_or_loaded_says_so(folder: Path, tmp_path: Path, data: TrainingSet):
    with pytest.raises(RunError, match=r"80 clean and 0 pool pairs: .* needs 8 of each"):
        binary.train(TrainingSet(data.clean), tmp_path / "x", QUICK)
    alone = replace(data.clean, groups=["one"] * len(data.clean))
    rules = replace(QUICK, encoder=str(folder / "towers"), holdout=0.5, seed=1)
    with pytest.raises(RunError, match=r"all clean pairs, .* are of patients held out"):
        binary.train(TrainingSet(alone, replace(data.pool, groups=["two"] * len(data.pool))), tmp_path / "z", rules)
    with pytest.raises(RecipeError, match="is not a filter folder"):
        binary.train(data, tmp_path / "y", replace(QUICK, encoder=str(tmp_path)))
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    save_file({k: v[:1] for k, v in load_file(folder / "model.safetensors").items()}, tmp_path / "model.safetensors")
    with pytest.raises(RecipeError, match=r"model\.safetensors: cannot be read"):
        binary.load(tmp_path, "cpu")
