from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from curate.errors import RecipeError
from filters.method import filter_hash
from filters.rules import ModelRules
from filters.towers import model as m
from filters.towers.architectures import build, read_config
from filters.towers.model import create_filter, load_filter, save_filter
from filters.towers.openclip import open_clip
from tests.filters.conftest import Trained

TEXTS = ["left disc", "no acute disease " * 20, "[NAME]"]


def _stock(arch: str) -> torch.nn.Module:
    torch.manual_seed(3)
    return build(read_config(arch)).eval()


@pytest.mark.parametrize("kind", ["safetensors", "pt", "training checkpoint"])
def test_reads_open_clip_weights_and_encodes_as_open_clip_does(tmp_path: Path, small_arch: str, kind: str):
    stock = _stock(small_arch)
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pt")
    if kind == "safetensors":
        save_file(stock.state_dict(), path)
    elif kind == "pt":
        torch.save(stock.state_dict(), path)
    else:  # as open_clip_train writes it under distributed training
        torch.save(
            {"epoch": 1, "name": "x", "state_dict": {f"module.{k}": v for k, v in stock.state_dict().items()}}, path
        )
    ours = create_filter(ModelRules(small_arch, str(path), "open_clip"), [], 0, "cpu")
    save_filter(ours, tmp_path / "f", {"arch": small_arch, "tokenizer": "open_clip"})
    ours = load_filter(tmp_path / "f", "cpu")

    pixels = torch.randint(0, 256, (3, 3, 48, 48), dtype=torch.uint8)
    mean, std = torch.tensor(stock.visual.image_mean), torch.tensor(stock.visual.image_std)
    scaled = (pixels / 255 - mean.reshape(3, 1, 1)) / std.reshape(3, 1, 1)
    with torch.no_grad():
        image = stock.encode_image(scaled, normalize=True)
        text = stock.encode_text(open_clip.SimpleTokenizer(context_length=40)(TEXTS), normalize=True)
        assert (ours.encode_images(pixels) - image).abs().max() < 1e-5
        for rows in ([0], [2, 0], [0, 1, 2]):  # short ones are cut, the long one is not
            assert (ours.encode_texts([TEXTS[i] for i in rows]) - text[rows]).abs().max() < 1e-5


def test_grey_is_the_same_as_three_equal_channels(trained: Trained):
    found = load_filter(trained.folder, "cpu")
    grey = torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(found.encode_images(grey), found.encode_images(grey.expand(-1, 3, -1, -1)))
        assert found.encode_images(grey).norm(dim=1).allclose(torch.ones(2))
        assert found.encode_images(grey).dtype == torch.float32


class _Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("was_run",)


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: {"state_dict": c}])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, small_arch: str, monkeypatch, wrap):
    monkeypatch.chdir(tmp_path)
    torch.save(wrap(_Code()), tmp_path / "evil.pt")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(wrap(_Code())))
    for name in ("evil.pt", "bare.pt"):
        with pytest.raises(RecipeError, match=f"filter.checkpoint: {name} holds code"):
            create_filter(ModelRules(small_arch, name, "open_clip"), [], 0, "cpu")
    assert not Path("was_run").exists()


def test_weights_of_another_architecture_name_both(tmp_path: Path, small_arch: str):
    save_file(_stock("radsift-tiny").state_dict(), tmp_path / "tiny.safetensors")
    with pytest.raises(RecipeError, match=r"tiny\.safetensors does not fit .*small-vit"):
        create_filter(ModelRules(small_arch, str(tmp_path / "tiny.safetensors"), "open_clip"), [], 0, "cpu")


@pytest.mark.parametrize("name", ["gone.pt", "text.pt", "text.safetensors", "list.pt", "nan.safetensors"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, small_arch: str, name: str):
    for text in ("text.pt", "text.safetensors"):
        (tmp_path / text).write_text("no weights here")
    torch.save([torch.zeros(2)], tmp_path / "list.pt")
    broken = _stock(small_arch).state_dict()
    broken["visual.conv1.weight"][0, 0, 0, 0] = float("nan")
    save_file(broken, tmp_path / "nan.safetensors")
    with pytest.raises(RecipeError, match=name):
        create_filter(ModelRules(small_arch, str(tmp_path / name), "open_clip"), [], 0, "cpu")


def test_parts_that_do_not_fit_are_refused(tmp_path: Path, small_arch: str, trained: Trained):
    save_file(_stock(small_arch).state_dict(), tmp_path / "w.safetensors")
    for rules, message in (
        (ModelRules("no-such"), "filter.arch: no architecture 'no-such'"),
        (ModelRules(str(tmp_path / "gone.json")), "cannot read"),
        (ModelRules(small_arch, str(tmp_path / "w.safetensors"), "wordpiece"), "filter.tokenizer"),
        (ModelRules(small_arch, str(trained.folder)), "fix: arch: radsift-tiny, tokenizer: wordpiece"),
    ):
        with pytest.raises(RecipeError, match=message):
            create_filter(rules, ["left disc"], 300, "cpu")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RecipeError, match="no open_clip model config"):
        read_config(str(tmp_path / "config.json"))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "card.json"])
def test_a_folder_with_a_part_missing_or_damaged_is_named(tmp_path: Path, trained: Trained, name: str):
    folder = tmp_path / "f"
    shutil.copytree(trained.folder, folder)
    (folder / name).write_text("x")
    with pytest.raises(RecipeError):
        load_filter(folder, "cpu")
    (folder / name).unlink()
    with pytest.raises(RecipeError):
        load_filter(folder, "cpu")


def test_the_hash_sees_every_byte_and_every_name(tmp_path: Path, trained: Trained):
    folder = tmp_path / "f"
    shutil.copytree(trained.folder, folder)
    assert filter_hash(folder) == filter_hash(trained.folder)
    (folder / "card.json").rename(folder / "card2.json")
    assert filter_hash(folder) != filter_hash(trained.folder)
    (folder / "card2.json").rename(folder / "card.json")
    weights = load_file(folder / "model.safetensors")
    weights["logit_scale"] += 1e-6
    save_file(weights, folder / "model.safetensors")
    assert filter_hash(folder) != filter_hash(trained.folder)


def test_a_saved_filter_is_the_same_bytes_again(tmp_path: Path, trained: Trained):
    found = load_filter(trained.folder, "cpu")
    save_filter(found, tmp_path / "again", found.card)
    shutil.copy(trained.folder / "metrics.csv", tmp_path / "again")
    assert filter_hash(tmp_path / "again") == filter_hash(trained.folder)
    assert (
        json.loads((tmp_path / "again/config.json").read_text())["text_cfg"]["vocab_size"] == found.tokenizer.vocab_size
    )


def test_a_gpu_that_is_not_there_is_said():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(RecipeError, match="no GPU"):
        m.pick_device("cuda:0")
    assert m.pick_device("auto") == "cpu"
