from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.errors import RecipeError, RunError
from filters.method import filter_hash
from filters.rules import FilterTrainingRules, ModelRules
from filters.training.augment import augment
from filters.training.filter import train_filter
from tests.filters.conftest import Trained
from tests.filters.shapes import pairs
from tests.realdata import real

QUICK = FilterTrainingRules(epochs=1, batch=8, threads=1, holdout=0.2, device="cpu")


def test_it_learns_what_the_texts_say(trained: Trained):
    metrics = trained.metrics
    assert metrics["holdout_auroc"] > 0.85
    assert metrics["holdout_auroc_low"] < metrics["holdout_auroc"] < metrics["holdout_auroc_high"]
    assert metrics["holdout_r1"] > 3 / 32  # three times what guessing among the held-out texts gives
    assert metrics["train_pairs"] + metrics["holdout_pairs"] == 160


def test_progress_and_the_curve_tell_the_same(trained: Trained):
    assert [(done, total) for done, total, _ in trained.calls] == [(i, 12) for i in range(1, 13)]
    with (trained.folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(r["loss"]) for r in rows] == [call[2]["loss"] for call in trained.calls]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) * 0.8


def test_the_card_says_what_was_done_and_no_path(trained: Trained):
    text = (trained.folder / "card.json").read_text()
    card = json.loads(text)
    assert card["metrics"]["holdout_auroc"] == trained.metrics["holdout_auroc"]
    assert card["rules"]["epochs"] == 12 and card["rules"]["model"]["arch"] == "radsift-tiny"
    assert card["preprocessing"]["side"] == 64 and len(card["data"]["sha256"]) == 64
    assert "/" not in text


def test_same_pairs_same_seed_same_bytes_whatever_the_order(tmp_path: Path):
    images, texts, groups = pairs(40)
    train_filter(images, texts, groups, tmp_path / "a", QUICK)
    torch.manual_seed(99)  # the process's own generator has no say
    train_filter(images[::-1], texts[::-1], groups[::-1], tmp_path / "b", QUICK)
    train_filter(images, texts, groups, tmp_path / "c", replace(QUICK, seed=1))
    assert filter_hash(tmp_path / "a") == filter_hash(tmp_path / "b") != filter_hash(tmp_path / "c")


def test_no_epochs_take_the_checkpoint_as_it_is(tmp_path: Path, trained: Trained):
    metrics = train_filter(
        *pairs(20), tmp_path, replace(QUICK, epochs=0, model=ModelRules(checkpoint=str(trained.folder)))
    )
    assert metrics["train_pairs"] == 0 and "loss" not in metrics and "holdout_auroc" in metrics
    assert (tmp_path / "model.safetensors").read_bytes() == (trained.folder / "model.safetensors").read_bytes()


def test_torch_is_left_as_it_was(tmp_path: Path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RunError):
        train_filter(*pairs(4), tmp_path, replace(QUICK, threads=before[0] + 1))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    assert torch.equal(torch.rand(1), expected)


def test_training_goes_on_from_a_filter(tmp_path: Path, trained: Trained):
    rules = replace(QUICK, lr=1e-4, model=ModelRules(checkpoint=str(trained.folder)))
    metrics = train_filter(*pairs(60, start=1000), tmp_path, rules)
    assert metrics["loss"] < 1.2, "a beginner's loss on a batch of 8 is ln 8 = 2.1"
    assert json.loads((tmp_path / "card.json").read_text())["rules"]["model"]["checkpoint"] == filter_hash(
        trained.folder
    )


def test_too_few_pairs_or_too_few_texts_name_the_fix(tmp_path: Path):
    images, _, groups = pairs(40)
    with pytest.raises(RunError, match=r"pairs hold 1 different texts, a filter needs 8: declare more"):
        train_filter(images, ["the same"] * 40, groups, tmp_path, QUICK)
    with pytest.raises(RunError, match="different texts, a filter needs 8"):
        train_filter(*pairs(6), tmp_path, QUICK)
    with pytest.raises(RecipeError, match="none of 3 images decodes"):
        train_filter([b"x"] * 3, ["a", "b", "c"], ["p"] * 3, tmp_path, QUICK)


def test_a_loss_that_leaves_the_numbers_stops_the_run(tmp_path: Path):
    with pytest.raises(RunError, match=r"loss nan in epoch 1: lower lr \(now 1e\+30\)"):
        train_filter(*pairs(60), tmp_path / "f", replace(QUICK, lr=1e30, warmup=0.0))
    assert not (tmp_path / "f").exists()


def test_damaged_images_are_left_out_and_counted(tmp_path: Path):
    images, texts, groups = pairs(40)
    metrics = train_filter([b"broken", *images[1:]], texts, groups, tmp_path, QUICK)
    assert metrics["undecodable"] == 1 and metrics["train_pairs"] + metrics["holdout_pairs"] == 39


def test_augmentation_never_exchanges_left_and_right():
    pixels = torch.zeros((200, 1, 64, 64), dtype=torch.uint8)
    pixels[:, :, 20:44, 8:24] = 200
    moved = augment(pixels, torch.Generator().manual_seed(0))
    assert moved.min() >= 0 and moved.max() <= 255
    left, right = moved[..., :32].sum(dim=(1, 2, 3)), moved[..., 32:].sum(dim=(1, 2, 3))
    assert (left > 20 * right).all()
    assert moved.flatten(1).sum(dim=1).std() > 0


@pytest.mark.slow
@pytest.mark.timeout(2400)  # ten CPU-minutes of training
def test_real_pairs_are_told_from_shuffled_ones(tmp_path: Path):
    folder = real("radiology_pairs")
    with (folder / "pairs.csv").open() as file:
        rows = list(csv.DictReader(file))
    images = [(folder / r["image"]).read_bytes() for r in rows]
    rules = FilterTrainingRules(epochs=8, holdout=0.2, device="cpu")
    metrics = train_filter(images, [r["caption"] for r in rows], [r["group_id"] for r in rows], tmp_path, rules)
    assert metrics["holdout_auroc_low"] > 0.6
    assert np.isfinite(metrics["loss"])
