"""The scores of two towers: each against its formula on real encodings, and that neighbours do not matter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.errors import RecipeError
from filters.method import Records, TrainingSet, load_method, read_card
from filters.methods.two_towers import Rules, Towers, train
from filters.metrics import auroc
from filters.rules import FilterTrainingRules
from filters.score import Needs, Scorer, prepare
from tests.filters.shapes import pairs

IMAGES, TEXTS, GROUPS = pairs(160)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("towers")
    data = TrainingSet(Records([f"{i:04d}" for i in range(160)], IMAGES, TEXTS, GROUPS))
    train(data, out, Rules(train=FilterTrainingRules(epochs=12, batch=16, threads=1, holdout=0.0), bank=64))
    return out


@pytest.fixture(scope="module")
def towers(folder: Path) -> Towers:
    found = load_method(folder, "cpu")
    assert isinstance(found, Towers)
    return found


def test_each_score_is_its_formula(towers: Towers):
    images, texts, _ = pairs(20, start=900)
    (batch,) = prepare(images, texts, Needs((64,)), 64)
    with torch.inference_mode():
        found = towers(batch)
        left, right = towers.embed(batch)
    assert towers.bank is not None
    np.testing.assert_allclose(found[""], (left * right).sum(axis=1), atol=1e-6)
    np.testing.assert_allclose(found["normsim"], (left @ towers.bank[0].T).max(axis=1), atol=1e-6)
    usual = [
        np.log(np.exp((rows @ bank.T).astype(np.float64) * towers.scale).mean(axis=1)) / towers.scale
        for rows, bank in ((left, towers.bank[1]), (right, towers.bank[0]))
    ]
    np.testing.assert_allclose(found["negclip"], found[""] - sum(usual) / 2, atol=1e-5)


def test_right_pairs_score_above_shuffled_ones_by_cosine_and_by_negclip(folder: Path):
    images, texts, _ = pairs(120, start=9000)
    scorer = Scorer({"dfn": str(folder)}, "cpu")
    (right,) = (scorer(b) for b in prepare(images, texts, scorer.needs, 128))
    (wrong,) = (scorer(b) for b in prepare(images, texts[1:] + texts[:1], scorer.needs, 128))
    for name in ("dfn", "dfn_negclip"):
        assert auroc(np.r_[right[name], wrong[name]], np.arange(240) < 120) > 0.7, name


def test_a_score_does_not_depend_on_its_neighbours_and_is_nan_only_without_an_image(folder: Path):
    scorer = Scorer({"dfn": str(folder)}, "cpu")
    images: list[bytes | None] = [*IMAGES[:5], None, b"broken"]
    together = [scorer(b) for b in prepare(images, TEXTS[:7], scorer.needs, 7)]
    apart = [scorer(b) for b in prepare(images, TEXTS[:7], scorer.needs, 1)]
    for name in scorer.columns:
        one, other = (np.concatenate([r[name] for r in rows]) for rows in (together, apart))
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(np.isnan(one), [False] * 5 + [True] * 2)


def test_margin_is_there_where_it_is_asked_for(folder: Path):
    images, texts, _ = pairs(6, start=700)
    plain, asked = Scorer({"d": str(folder)}, "cpu"), Scorer({"d": str(folder)}, "cpu", scoring={"d": {"margin": True}})
    assert plain.columns == ["d", "d_negclip", "d_normsim"] and asked.columns == [*plain.columns, "d_margin"]
    (batch,) = prepare(images, texts, plain.needs, 8)
    few, more = plain(batch), asked(batch)
    assert list(more) == asked.columns and np.isfinite(more["d_margin"]).all()
    for name in few:
        np.testing.assert_array_equal(few[name], more[name])


def test_bf16_scores_nearly_the_same_and_no_less_independently(folder: Path):
    images, texts, _ = pairs(40, start=400)
    full, half = (Scorer({"d": str(folder)}, "cpu", scoring={"d": {"precision": p}}) for p in ("f32", "bf16"))
    found = half.methods["d"]
    assert isinstance(found, Towers) and found.filter.model.visual.conv1.weight.dtype is torch.bfloat16
    assert found.scale == full.methods["d"].scale, "the temperature is not rounded"  # type: ignore[attr-defined]
    exact = np.concatenate([full(b)["d"] for b in prepare(images, texts, full.needs, 64)])
    by_batch = {n: np.concatenate([half(b)["d"] for b in prepare(images, texts, half.needs, n)]) for n in (1, 7, 64)}
    assert np.abs(by_batch[64] - exact).max() < 0.02 and (by_batch[64] != exact).any()
    assert np.corrcoef(by_batch[64], exact)[0, 1] > 0.999
    for other in (1, 7):
        np.testing.assert_array_equal(by_batch[other], by_batch[64])


def test_only_towers_have_the_choice(folder: Path, tmp_path: Path):
    (tmp_path / "card.json").write_text(json.dumps(read_card(folder) | {"method": "findings"}))
    with pytest.raises(RecipeError, match=r"margin: a findings filter has no such choice"):
        load_method(tmp_path, "cpu", {"margin": True})


def test_the_card_names_the_method_and_the_size_of_its_data(folder: Path):
    card = read_card(folder)
    assert (card["method"], card["data"]["pairs"], card["rules"]["bank"]) == ("dfn", 160, 64)


def test_a_damaged_bank_names_its_file(folder: Path, tmp_path: Path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "bank.safetensors").write_bytes(b"not a bank")
    with pytest.raises(RecipeError, match=r"bank\.safetensors"):
        load_method(tmp_path, "cpu")
