from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from curate.errors import RecipeError, RunError
from filters.method import Batch, Records, TrainingSet, filter_hash, load_method, read_card
from filters.methods.blip import method
from filters.methods.blip.network import save_net
from filters.methods.blip.texts import count_seen, fingerprint, rarest, trim
from filters.methods.blip.train import contrast
from filters.metrics import auroc
from filters.registry import Shape, make_rules
from tests.filters.methods.blip_films import batch, films, mismatched
from tests.filters.methods.blip_shared import (
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    blip_checkpoints,
)
from tests.filters.published import as_bin

SMALL = method.Rules(
    shape=Shape(side=32, width=32, vision_layers=1, text_layers=2),
    vocab=400, context=32, epochs=4, batch=16, threads=1, holdout=0.2, device="cpu",
)  # fmt: skip


@pytest.fixture(scope="session")
def folder(clean: Records, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BLIP that was trained for a moment."""
    out = tmp_path_factory.mktemp("blip") / "f"
    method.train(TrainingSet(clean), out, SMALL)
    return out


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return blip_checkpoints(tmp_path_factory.mktemp("hf"))


def theirs(model: torch.nn.Module, loaded: method.Blip, seen: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels, token rows and their mask as transformers is given them."""
    torch.nn.Module.eval(model)
    ids = torch.from_numpy(loaded.tokenizer(seen.texts))
    return loaded.normalise(seen.pixels(32)), ids, (ids != 0).long()


@torch.no_grad()
def their_scores(judge: Path, writer: Path, loaded: method.Blip, seen: Batch) -> dict[str, np.ndarray]:
    """ITM log-odds, ITC cosine and pointwise mutual information by transformers' own forward, a pair at a time."""
    model, says = BlipForImageTextRetrieval.from_pretrained(judge), BlipForConditionalGeneration.from_pretrained(writer)
    torch.nn.Module.eval(says)
    out: dict[str, list[float]] = {"": [], "itc": [], "caption": []}
    pixels, ids, mask = theirs(model, loaded, seen)
    black = loaded.normalise(torch.zeros((1, 1, 32, 32)))
    for i in range(len(ids)):
        n = int(mask[i].sum())
        row, one = ids[i : i + 1, :n], pixels[i : i + 1]
        both = model(input_ids=row, pixel_values=one, attention_mask=mask[i : i + 1, :n]).itm_score[0]
        out[""].append(float(both[1] - both[0]))
        out["itc"].append(float(model(row, one, use_itm_head=False, attention_mask=mask[i : i + 1, :n]).itm_score))
        begun = row.clone()
        begun[:, 0] = says.config.text_config.bos_token_id
        given, blank = (says(p, input_ids=begun, labels=begun).loss for p in (one, black))
        out["caption"].append(float(blank - given))
    return {k: np.array(v) for k, v in out.items()}


def test_scores_are_those_of_transformers_on_the_folder_itself(folder: Path, clean: Records):
    loaded, seen = method.load(folder, "cpu"), batch(clean.take(range(9)), 32)
    ours, expected = loaded(seen), their_scores(folder, folder, loaded, seen)
    assert tuple(ours) == loaded.columns == ("", "itc", "caption")
    for name in ours:
        assert np.abs(ours[name] - expected[name]).max() < 1e-5, name
        assert np.std(expected[name]) > 1e-4, name


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_checkpoints_of_transformers_are_used_as_they_are(kind: str, checkpoints: tuple[Path, Path], tmp_path: Path):
    judge, writer = checkpoints
    records = films(6, seed=8)
    texts = ["small left effusion .", "the heart is normal", "no acute effusions", "large right effusion", "No", "the"]
    records = Records(records.keys, records.images, texts, records.groups)
    given = [str(as_salesforce(f, tmp_path / f.name)) if kind == "bin" else str(f) for f in checkpoints]
    rules = replace(SMALL, checkpoint=given[0], captioner=given[1], epochs=0)
    metrics = method.train(TrainingSet(records), tmp_path / "f", rules)
    loaded, seen = method.load(tmp_path / "f", "cpu"), batch(records, 32)
    ours, expected = loaded(seen), their_scores(judge, writer, loaded, seen)
    for name in ours:
        assert np.abs(ours[name] - expected[name]).max() < 1e-5, name
    assert 0 <= metrics["holdout_auroc"] <= 1 and "loss" not in metrics
    assert "/" not in json.dumps(read_card(tmp_path / "f")["rules"])
    alone = replace(rules, captioner=None)
    method.train(TrainingSet(records), tmp_path / "g", alone)
    assert tuple(method.load(tmp_path / "g", "cpu")(seen)) == ("", "itc"), "a judge alone has nothing to say"


def as_salesforce(folder: Path, to: Path) -> Path:
    """Salesforce/blip-itm-*, blip-image-captioning-*: ``pytorch_model.bin`` alone, a config of 4.2x."""
    to = copied(folder, to)
    as_bin(to, **{"text_encoder.embeddings.position_ids": torch.arange(40)[None]})
    said = json.loads((to / "config.json").read_text())
    old = {"_name_or_path": "", "add_cross_attention": False, "bad_words_ids": None, "do_sample": False, "num_beams": 1}
    old |= {"torch_dtype": None, "torchscript": False, "id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "top_k": 50}
    said["text_config"] |= old | {"transformers_version": "4.26.0.dev0"}
    said["vision_config"] |= old | {"transformers_version": "4.26.0.dev0"}
    said |= {"_commit_hash": None, "torch_dtype": "float32", "transformers_version": None}
    (to / "config.json").write_text(json.dumps(said))
    return to


def test_training_goes_on_from_a_judge_and_gives_it_a_captioner(checkpoints, tmp_path: Path, clean: Records):
    rules = replace(SMALL, checkpoint=str(checkpoints[0]), epochs=1)
    metrics = method.train(TrainingSet(clean), tmp_path, rules)
    assert np.isfinite(metrics["lm"]) and method.load(tmp_path, "cpu").columns == ("", "itc", "caption")
    with pytest.raises(RecipeError, match="an image encoder of its own"):
        method.train(TrainingSet(clean), tmp_path / "x", replace(rules, captioner=str(checkpoints[1])))


def test_the_tokenizer_is_transformers_too(folder: Path, clean: Records):
    from transformers import AutoTokenizer

    theirs_ = AutoTokenizer.from_pretrained(folder)
    ours = method.load(folder, "cpu").tokenizer
    for text in clean.texts[:10]:
        row = ours([text])[0]
        assert theirs_(text, truncation=True)["input_ids"] == row[row != 0].tolist()


def test_same_pairs_same_bytes_whatever_the_order(folder: Path, tmp_path: Path, clean: Records):
    shuffled = clean.take(np.random.default_rng(0).permutation(len(clean)))
    torch.manual_seed(99)
    method.train(TrainingSet(shuffled), tmp_path / "a", SMALL)
    assert filter_hash(tmp_path / "a") == filter_hash(folder)
    again = method.load(folder, "cpu")
    (tmp_path / "b").mkdir()
    save_net(again.initial, tmp_path / "b")
    for path in (tmp_path / "b").iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_a_score_is_the_records_own(folder: Path, clean: Records):
    loaded = load_method(folder, "cpu")
    damaged = clean.take(range(20))
    damaged.images[3] = b"no image"
    whole = loaded(batch(damaged, 32))
    assert np.isnan(whole[""][3]) and np.isnan(whole["caption"]).sum() == 1
    alone = loaded(batch(damaged.take([11]), 32))
    for name in whole:
        assert abs(float(alone[name][0]) - float(whole[name][11])) < 2e-6
    nothing = loaded(batch(damaged.take([3]), 32))
    assert all(np.isnan(v).all() for v in nothing.values())


def test_long_texts_and_black_images_are_scored(folder: Path):
    seen = Batch({32: np.zeros((2, 32, 32, 1), np.uint8)}, ["effusion " * 10_000, ""], np.ones(2, dtype=bool))
    scores = method.load(folder, "cpu")(seen)
    assert all(np.isfinite(v).all() for v in scores.values())
    assert scores["caption"] == pytest.approx([0, 0], abs=1e-6), "a black image explains nothing"


def test_colour_and_grey_of_the_same_values_score_alike(folder: Path, clean: Records):
    grey = batch(clean.take(range(4)), 32)
    colour = Batch({32: np.repeat(grey.images[32], 3, axis=3)}, grey.texts, grey.valid)
    loaded = method.load(folder, "cpu")
    assert np.abs(loaded(grey)[""] - loaded(colour)[""]).max() < 1e-6


class Trap:
    """A pickle that would leave a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return Path.touch, (self.mark,)


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def test_damaged_folders_are_refused_by_name(folder: Path, tmp_path: Path):
    weights = load_file(folder / "model.safetensors")
    broken = copied(folder, tmp_path / "shape")
    save_file(weights | {"itm_head.weight": torch.zeros(3, 32)}, broken / "model.safetensors")
    with pytest.raises(RecipeError, match=r"shape does not fit its config: itm_head\.weight"):
        method.load(broken, "cpu")
    short = copied(folder, tmp_path / "short")
    save_file({k: v for k, v in weights.items() if "vision_proj" not in k}, short / "model.safetensors")
    with pytest.raises(RecipeError, match=r"does not fit its config: vision_proj\."):
        method.load(short, "cpu")
    nan = copied(folder, tmp_path / "nan")
    save_file(weights | {"itm_head.bias": torch.full((2,), torch.nan)}, nan / "model.safetensors")
    with pytest.raises(RecipeError, match="holds NaN"):
        method.load(nan, "cpu")
    (nan / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(RecipeError, match=r"cannot read model.safetensors"):
        method.load(nan, "cpu")
    (nan / "model.safetensors").unlink()
    (nan / "pytorch_model.bin").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(RecipeError, match=r"cannot read pytorch_model.bin|pytorch_model.bin holds"):
        method.load(nan, "cpu")
    torch.save({"a": Trap(tmp_path / "ran")}, nan / "pytorch_model.bin")
    with pytest.raises(RecipeError, match=r"pytorch_model.bin holds code, not only tensors; refused"):
        method.load(nan, "cpu")
    assert not (tmp_path / "ran").exists()


def test_other_models_are_refused(folder: Path, tmp_path: Path, clean: Records):
    other = copied(folder, tmp_path / "other")
    (other / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(RecipeError, match=r"other/config.json is of clip"):
        method.load(other, "cpu")
    (other / "config.json").write_text("[")
    with pytest.raises(RecipeError, match=r"cannot read config.json"):
        method.train(TrainingSet(clean), tmp_path / "x", replace(SMALL, checkpoint=str(other)))
    with pytest.raises(RecipeError, match="a captioner needs a judge"):
        method.train(TrainingSet(clean), tmp_path / "x", replace(SMALL, captioner=str(other)))


def test_too_few_pairs_say_so(tmp_path: Path, clean: Records):
    with pytest.raises(RunError, match="different texts, a filter needs 8"):
        method.train(TrainingSet(clean.take(range(5))), tmp_path, SMALL)
    few = method.train(TrainingSet(films(20, seed=5)), tmp_path / "few", replace(SMALL, epochs=1, batch=64))
    assert np.isfinite(few["loss"]), "fewer pairs than a batch make smaller batches"
    with pytest.raises(RecipeError, match="none of 2 images decodes"):
        method.train(TrainingSet(Records(["a", "b"], [b"", b"x"], ["t", "u"], ["p", "q"])), tmp_path, SMALL)
    with pytest.raises(RunError, match=r"loss nan in epoch 1: lower lr"):
        method.train(TrainingSet(clean), tmp_path / "nan", replace(SMALL, lr=1e30, warmup=0.0))
    assert not (tmp_path / "nan").exists()


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_share_of_the_target_is_what_the_momentum_model_believes(share: float):
    """ALBEF's equation 6 by hand: twins have no part, an edited text is a rival and never a target."""
    rng = np.random.default_rng(0)
    logits, believed = rng.normal(size=(2, 5, 5)).astype(np.float32) * 3
    twins = np.zeros((5, 5), bool)
    twins[0, 3] = twins[3, 0] = True
    own, where = rng.normal(size=2).astype(np.float32), np.array([1, 4])

    def softmax(z: np.ndarray) -> np.ndarray:
        return np.exp(z) / np.exp(z).sum(1, keepdims=True)

    given, said = (np.where(twins, -1e4, z) for z in (logits, believed))
    edited = np.full((5, 1), -1e4)
    edited[where, 0] = own
    targets = [(1 - share) * np.eye(5) + share * softmax(z) for z in (said, said.T)]
    logs = np.log(np.maximum(softmax(np.c_[given, edited])[:, :5], 1e-30)), np.log(np.maximum(softmax(given.T), 1e-30))
    expected = -sum((t * g).sum(1).mean() for t, g in zip(targets, logs, strict=True)) / 2
    tensors = (torch.from_numpy(a) for a in (logits, twins, own, where, believed))
    assert float(contrast(*tensors, share)) == pytest.approx(expected, rel=1e-5)


def test_soft_targets_are_learned_from_and_leave_no_weights(tmp_path: Path, folder: Path, clean: Records):
    metrics = method.train(TrainingSet(clean), tmp_path, replace(SMALL, soft=0.4))
    soft, plain = load_file(tmp_path / "model.safetensors"), load_file(folder / "model.safetensors")
    assert soft.keys() == plain.keys() and any(not torch.equal(soft[k], plain[k]) for k in soft)
    assert np.isfinite(metrics["loss"]) and read_card(tmp_path)["rules"]["soft"] == 0.4
    curve = (tmp_path / "metrics.csv").read_text().splitlines()
    assert len(curve) == 1 + SMALL.epochs and {"itc", "itm", "lm"} <= set(curve[0].split(","))
    with pytest.raises(ValueError, match=r"soft: 1\.5; at most 1"):
        make_rules("blip", {"soft": 1.5})


def test_cutting_padding_changes_nothing():
    long, short = torch.tensor([[1, 2, 3, 0, 0]]), torch.tensor([[1, 2, 0, 0, 0]])
    assert [t.tolist() for t in trim(long, short)] == [[[1, 2, 3]], [[1, 2, 0]]]
    assert trim(torch.zeros((0, 5), dtype=torch.int64))[0].shape == (0, 1)


def test_what_was_seen_is_counted_by_patients():
    seen = count_seen(["No effusion. Heart normal.", "no effusion .", "Clip in situ."], ["p", "q", "q"])
    assert seen[fingerprint("No Effusion")] == 2
    assert rarest("no effusion. A new sentence.", seen) == 2
    assert rarest("No effusion. Clip in situ.", seen) == 1
    assert rarest("Nothing known", seen) is None


@pytest.mark.slow
def test_matching_is_learned(tmp_path: Path):
    rules = replace(method.Rules(), threads=1, device="cpu")
    method.train(TrainingSet(films(1000, seed=1)), tmp_path, rules)
    fresh = films(160, seed=2)
    loaded = method.load(tmp_path, "cpu")
    right, wrong = loaded(batch(fresh, 64)), loaded(batch(mismatched(fresh), 64))
    for name, least in (("", 0.7), ("itc", 0.8), ("caption", 0.6)):
        scores = np.concatenate([right[name], wrong[name]])
        assert auroc(scores, np.arange(320) < 160) > least, name
