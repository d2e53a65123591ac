from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from curate.errors import RecipeError, RunError
from filters.method import Batch, Records, TrainingSet, filter_hash, load_method
from filters.methods.blip2 import method
from filters.metrics import auroc
from filters.registry import QShape
from filters.rules import FilterTrainingRules, ModelRules
from filters.towers.model import load_filter
from filters.training.filter import train_filter
from tests.filters.conftest import Trained
from tests.filters.methods.blip_films import batch, films, mismatched
from tests.filters.methods.blip_shared import Blip2ForImageTextRetrieval, blip2_checkpoint
from tests.filters.published import as_bin
from tests.filters.shapes import pairs

SMALL = method.Rules(
    shape=QShape(queries=4, width=32, layers=2), vocab=400, context=32, views=2, epochs=2, batch=16, threads=1,
    holdout=0.2, findings=False, device="cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(clean: Records, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("blip2") / "f"
    method.train(TrainingSet(clean), out, replace(SMALL, encoder=str(trained.folder)))
    return out


class Kept(torch.nn.Module):
    """An image encoder that answers what it was told: the frozen tower's tokens, for transformers' own forward."""

    def __init__(self, tokens: torch.Tensor) -> None:
        super().__init__()
        self.tokens = tokens

    def forward(self, **_: Any) -> tuple[torch.Tensor]:
        return (self.tokens,)


@torch.no_grad()
def their_scores(model: Any, loaded: method.Blip2, seen: Batch, own_eyes: bool) -> dict[str, np.ndarray]:
    """By transformers' own forward, a pair at a time."""
    model.eval()
    out: dict[str, list[float]] = {"": [], "itc": []}
    pixels = seen.pixels(loaded.encoder.side)
    for i, row in enumerate(torch.from_numpy(loaded.tokenizer(seen.texts))):
        ids = row[row != 0][None]
        if not own_eyes:
            model.vision_model = Kept(loaded.encoder(pixels[i : i + 1]))
        given = {"pixel_values": loaded.encoder.normalise(pixels[i : i + 1]), "input_ids": ids,
                 "attention_mask": torch.ones_like(ids)}  # fmt: skip
        both = model(**given, use_image_text_matching_head=True).logits_per_image[0]
        out[""].append(float(both[1] - both[0]))
        out["itc"].append(float(model(**given).logits_per_image))
    return {k: np.array(v) for k, v in out.items()}


def test_a_trained_head_scores_as_transformers_does(folder: Path, clean: Records):
    loaded, seen = method.load(folder, "cpu"), batch(clean.take(range(6)), 64)
    model = Blip2ForImageTextRetrieval(loaded.net.config)
    missing, unexpected = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    assert not unexpected and all(name.startswith("vision_model.") for name in missing)
    ours, expected = loaded(seen), their_scores(model, loaded, seen, own_eyes=False)
    for name in loaded.columns:
        assert np.abs(ours[name] - expected[name]).max() < 1e-5, name
        assert np.std(expected[name]) > 1e-4, name


@pytest.mark.parametrize("shards", [0, 2])
def test_a_checkpoint_of_transformers_is_used_as_it_is(shards: int, tmp_path: Path):
    """Salesforce/blip2-itm-vit-g: in safetensors, or in .bin files with an index and a language model's config."""
    source = blip2_checkpoint(tmp_path / "hf")
    model = Blip2ForImageTextRetrieval.from_pretrained(source)
    if shards:
        as_bin(source, shards)
        said = json.loads((source / "config.json").read_text())
        said |= {
            "text_config": {"model_type": "opt", "hidden_size": 16, "num_hidden_layers": 1},
            "use_decoder_only_language_model": True,
        }
        (source / "config.json").write_text(json.dumps(said | {"torch_dtype": "float16"}))
    records = films(6, seed=8)
    texts = ["small left effusion .", "the heart is normal", "no acute effusions", "large right effusion", "No", "the"]
    records = Records(records.keys, records.images, texts, records.groups)
    method.train(TrainingSet(records), tmp_path / "f", replace(SMALL, encoder=str(source)))
    loaded, seen = method.load(tmp_path / "f", "cpu"), batch(records, 32)
    expected = their_scores(model, loaded, seen, own_eyes=True)
    ours = loaded(seen)
    for name in loaded.columns:
        assert np.abs(ours[name] - expected[name]).max() < 1e-5, name
    again = Blip2ForImageTextRetrieval.from_pretrained(tmp_path / "f")
    assert np.abs(their_scores(again, loaded, seen, own_eyes=True)[""] - expected[""]).max() < 1e-6


def test_it_learns_to_write_where_asked(clean: Records, trained: Trained, tmp_path: Path):
    metrics = method.train(TrainingSet(clean), tmp_path, replace(SMALL, encoder=str(trained.folder), generate=True))
    loaded, seen = method.load(tmp_path, "cpu"), batch(clean.take(range(6)), 64)
    assert np.isfinite(metrics["lm"]) and loaded.columns == ("", "itc", "caption")
    scores = loaded(seen)
    assert all(np.isfinite(v).all() for v in scores.values()) and np.std(scores["caption"]) > 1e-4
    black = Batch({64: np.zeros((2, 64, 64, 1), np.uint8)}, ["effusion " * 9, ""], np.ones(2, dtype=bool))
    assert loaded(black)["caption"] == pytest.approx([0, 0], abs=1e-6), "a black image explains nothing"
    model = Blip2ForImageTextRetrieval(loaded.net.config)
    assert not model.load_state_dict(load_file(tmp_path / "model.safetensors"), strict=False)[1]
    (tmp_path / "language_head.safetensors").write_bytes(b"no")
    with pytest.raises(RecipeError, match=r"language_head\.safetensors"):
        method.load(tmp_path, "cpu")


def test_the_image_encoder_stays_as_it_was(folder: Path, trained: Trained, clean: Records):
    before, after = method.TowerEncoder(load_filter(trained.folder, "cpu")), method.load(folder, "cpu").encoder
    pixels = batch(clean.take(range(3)), 64).pixels(64)
    assert torch.equal(before(pixels), after(pixels))
    assert before(pixels).shape == (3, 16, 768), "a 4 x 4 grid of the last two stages' channels"
    assert not any(p.requires_grad for p in after.parameters())


def test_a_vit_is_looked_through_too(small_arch: str, tmp_path: Path):
    towers = FilterTrainingRules(model=ModelRules(arch=small_arch), epochs=1, batch=8, threads=1, device="cpu")
    train_filter(*pairs(40), tmp_path / "vit", towers)
    images, texts, groups = pairs(40)
    records = Records([f"{i:032x}" for i in range(40)], images, texts, groups)
    rules = replace(SMALL, encoder=str(tmp_path / "vit"), epochs=1)
    assert np.isfinite(method.train(TrainingSet(records), tmp_path / "f", rules)["loss"])
    assert method.load(tmp_path / "f", "cpu").sides == (48,)


def test_same_pairs_same_bytes_whatever_the_order(folder: Path, trained: Trained, tmp_path: Path, clean: Records):
    shuffled = clean.take(np.random.default_rng(0).permutation(len(clean)))
    torch.manual_seed(99)
    method.train(TrainingSet(shuffled), tmp_path, replace(SMALL, encoder=str(trained.folder)))
    assert filter_hash(tmp_path) == filter_hash(folder)


def test_a_score_is_the_records_own(folder: Path, clean: Records):
    loaded = load_method(folder, "cpu")
    damaged = clean.take(range(20))
    damaged.images[3] = b"no image"
    damaged.texts[5] = "effusion " * 10_000
    whole = loaded(batch(damaged, 64))
    assert np.flatnonzero(np.isnan(whole[""])).tolist() == [3]
    alone = loaded(batch(damaged.take([11]), 64))
    for name in whole:
        assert abs(float(alone[name][0]) - float(whole[name][11])) < 2e-6
    black = loaded(Batch({64: np.zeros((1, 64, 64, 1), np.uint8)}, ["No effusion."], np.ones(1, dtype=bool)))
    assert np.isfinite(black[""][0])


def test_what_does_not_fit_is_refused_by_name(folder: Path, tmp_path: Path, clean: Records, trained: Trained):
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    towers = Path("towers/model.safetensors")
    save_file(load_file(folder / towers) | {"visual.conv1.weight": torch.zeros(1)}, broken / towers)
    with pytest.raises(RecipeError, match=r"broken/towers: model.safetensors does not fit .*visual.conv1.weight"):
        method.load(broken, "cpu")
    config = json.loads((folder / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"num_query_tokens": 9}))
    shutil.copyfile(folder / towers, broken / towers)
    with pytest.raises(RecipeError, match=r"broken/model.safetensors does not fit .*query_tokens"):
        method.load(broken, "cpu")
    (broken / "config.json").write_text('{"model_type": "blip"}')
    with pytest.raises(RecipeError, match="is of blip"):
        method.load(broken, "cpu")
    with pytest.raises(RecipeError, match=r"holds no config.json"):
        method.train(TrainingSet(clean), tmp_path / "x", replace(SMALL, encoder=str(tmp_path)))
    with pytest.raises(RunError, match="a filter needs 8"):
        few = TrainingSet(clean.take(range(5)))
        method.train(few, tmp_path / "x", replace(SMALL, encoder=str(trained.folder)))


@pytest.mark.slow
def test_matching_is_learned_over_towers_of_its_own(tmp_path: Path):
    method.train(TrainingSet(films(1000, seed=1)), tmp_path, replace(method.Rules(), threads=1, device="cpu"))
    fresh = films(160, seed=2)
    loaded = method.load(tmp_path, "cpu")
    right, wrong = loaded(batch(fresh, 64)), loaded(batch(mismatched(fresh), 64))
    for name in loaded.columns:
        assert auroc(np.concatenate([right[name], wrong[name]]), np.arange(320) < 160) > 0.75, name
