"""Every published layout, random and small, loads by its folder and scores as its own code scores it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from curate.errors import RecipeError
from filters.method import Records, TrainingSet, module_of
from filters.rules import FilterTrainingRules as FilterTrainingRules
from filters.rules import ModelRules
from filters.score import Scorer, prepare
from filters.towers import architectures
from filters.towers.architectures import build
from filters.towers.model import check_rules, create_filter, load_filter, save_filter
from filters.towers.openclip import open_clip
from filters.towers.weights import read_state
from filters.training.export.transformers import export_transformers
from filters.training.filter import train_filter
from pipelines.recipe.scoring import Filter as Chosen
from tests.filters import published
from tests.filters.published import MEAN, STD, TEXTS, t
from tests.filters.shapes import pairs

CLOSE = 1e-5
TEXT = {"context_length": 24, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2}
VIT = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8}


def ours(folder: Path, tmp_path: Path, arch: str = "auto") -> Any:
    """Checked, loaded, saved as a filter's folder and loaded from there: what scoring does."""
    rules = ModelRules(arch, str(folder), "open_clip")
    check_rules(rules)
    found = create_filter(rules, [], 0, "cpu")
    save_filter(found, tmp_path / "saved", {"arch": "x", "tokenizer": "open_clip"})
    assert str(tmp_path) not in (tmp_path / "saved/config.json").read_text()
    return load_filter(tmp_path / "saved", "cpu")


def seen(side: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def normalised(pixels: torch.Tensor, mean: list[float], std: list[float]) -> torch.Tensor:
    return (pixels / 255 - torch.tensor(mean).reshape(3, 1, 1)) / torch.tensor(std).reshape(3, 1, 1)


@torch.no_grad()
def assert_equal(found: Any, images: torch.Tensor, texts: torch.Tensor, pixels: torch.Tensor) -> None:
    """Rows and cosines; texts together, and each alone, where it is cut by its own length."""
    left, right = found.encode_images(pixels), found.encode_texts(TEXTS)
    alone = torch.cat([found.encode_texts([text]) for text in TEXTS])
    for mine, its in ((left, images), (right, texts), (alone, texts), (left @ right.T, images @ texts.T)):
        assert float((mine - its).abs().max()) <= CLOSE
    assert float((images @ texts.T).std()) > 1e-3, "rows that do not differ prove nothing"


def assert_as_open_clip(found: Any, stock: Any, tokenizer: Any, mean: list[float], std: list[float]) -> None:
    pixels = seen(found.side)
    with torch.no_grad():
        images = stock.encode_image(normalised(pixels, mean, std), normalize=True)
        texts = stock.encode_text(tokenizer(TEXTS), normalize=True)
    assert_equal(found, images, texts, pixels)


def random_model(config: dict[str, Any]) -> Any:
    torch.manual_seed(3)
    model = build(config).eval()
    published.spread(model)
    return model


@pytest.mark.parametrize("kind", ["ViT", "RN", "named"])
def test_an_archive_of_openais_says_its_architecture(kind: str, tmp_path: Path) -> None:
    """ViT-B-32.pt, RN50.pt: the weights alone are read; quick GELU even where ``arch`` is the bare name."""
    vision = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None} if kind == "RN" else VIT
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": TEXT}
    stock = random_model(config | {"quick_gelu": True})
    inputs = {"encode_image": torch.zeros(1, 3, vision["image_size"], vision["image_size"])}
    inputs["encode_text"] = torch.zeros(1, 24, dtype=torch.int64)
    torch.jit.trace_module(stock, inputs, check_trace=False).save(str(tmp_path / "archive.pt"))
    (tmp_path / "bare.json").write_text(json.dumps(config))
    arch = str(tmp_path / "bare.json") if kind == "named" else "auto"
    found = ours(tmp_path / "archive.pt", tmp_path, arch)
    mean, std = stock.visual.image_mean, stock.visual.image_std
    assert_as_open_clip(found, stock, open_clip.SimpleTokenizer(context_length=24), mean, std)


def test_a_torchscript_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "other.pt"))
    with pytest.raises(RecipeError, match="not of OpenAI's CLIP"):
        create_filter(ModelRules("auto", str(tmp_path / "other.pt"), "open_clip"), [], 0, "cpu")


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_laion_datacomp_and_dfn(name: str, tmp_path: Path) -> None:
    """DFN's config says quick_gelu; LAION's folders hold transformers' CLIP too, which is not what is read."""
    folder = tmp_path / "dfn"
    published.write_clip(folder)
    config = {"embed_dim": 24, "quick_gelu": name.endswith("bin"), "vision_cfg": VIT, "text_cfg": TEXT}
    pixels = {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "squash"}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": pixels}))
    stock = random_model(config)
    (torch.save if name.endswith("bin") else save_file)(stock.state_dict(), folder / name)
    theirs = open_clip.create_model(f"local-dir:{folder}").eval()
    found = ours(folder, tmp_path)
    assert_as_open_clip(found, theirs, open_clip.SimpleTokenizer(context_length=24), MEAN, STD)


BIOMED = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"


def test_biomedclip_as_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text tower is a name and its tokenizer lies along, its configuration does not: we know it."""
    folder = tmp_path / "biomed"
    folder.mkdir()
    published.write_bert_tokenizer(folder)
    tower = {**published.LAYERS, "model_type": "bert", "vocab_size": len(published.BERT_WORDS)}
    monkeypatch.setitem(architectures.TEXT_TOWERS, BIOMED, tower)  # type: ignore[arg-type]  as small as a test's
    vision = {"timm_model_name": "resnet10t", "timm_model_pretrained": False, "timm_pool": "avg", "timm_proj": "linear"}
    text = {"hf_model_name": BIOMED, "hf_tokenizer_name": BIOMED, "hf_proj_type": "mlp", "context_length": 24}
    text["hf_pooler_type"] = "cls_last_hidden_state_pooler"
    config = {"embed_dim": 24, "vision_cfg": vision | {"image_size": 64}, "text_cfg": text}
    said = {"model_cfg": config, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(said))
    stock = random_model(config | {"text_cfg": text | {"hf_config": tower}})
    position = {"text.transformer.embeddings.position_ids": torch.arange(512)[None]}
    torch.save(stock.state_dict() | position, folder / "open_clip_pytorch_model.bin")
    found = ours(folder, tmp_path)
    (tmp_path / "tower").mkdir()
    (tmp_path / "tower/config.json").write_text(json.dumps(tower))
    there = text | {"hf_model_name": str(tmp_path / "tower"), "hf_model_pretrained": False}
    theirs = open_clip.model.CustomTextCLIP(**config | {"text_cfg": there}).eval()
    theirs.load_state_dict(torch.load(folder / "open_clip_pytorch_model.bin", weights_only=True), strict=False)
    tokenizer = open_clip.tokenizer.HFTokenizer(str(folder), context_length=24)
    assert_as_open_clip(found, theirs, tokenizer, MEAN, STD)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        (BIOMED, 108_891_648),
        ("emilyalsentzer/Bio_ClinicalBERT", 107_719_680),
        ("roberta-base", 124_055_040),
        ("xlm-roberta-base", 277_453_056),
        ("xlm-roberta-large", 558_840_832),
    ],
)
def test_known_text_towers_are_of_the_published_size(name: str, parameters: int) -> None:
    said = dict(architectures.TEXT_TOWERS[name])
    with torch.device("meta"):
        tower: Any = t.AutoModel.from_config(t.AutoConfig.for_model(said.pop("model_type"), **said))
    assert sum(p.numel() for n, p in tower.named_parameters() if not n.startswith("pooler.")) == parameters


def of_transformers(model: Any, folder: Path, pixels: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit rows by transformers' own forward and tokenizer."""
    tokens = t.AutoTokenizer.from_pretrained(folder)
    given = tokens(TEXTS, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    with torch.no_grad():
        said = model(pixel_values=normalised(pixels, MEAN, STD), **given)
    return said.image_embeds, said.text_embeds


@pytest.mark.parametrize("kind", ["safetensors", "bin", "shards", "eos 2"])
def test_clip_of_transformers(kind: str, tmp_path: Path) -> None:
    folder, pixels = tmp_path / "clip", seen(32)
    model = published.write_clip(folder, old_end=kind == "eos 2")
    rows = of_transformers(model, folder, pixels, 24)
    if kind == "shards":  # as newer versions write it
        said = {"image_processor": json.loads((folder / "preprocessor_config.json").read_text())}
        (folder / "preprocessor_config.json").unlink()
        (folder / "processor_config.json").write_text(json.dumps(said))
    if kind in ("bin", "shards"):
        more = {"text_model.embeddings.position_ids": torch.arange(24)[None]}
        published.as_bin(folder, 1 if kind == "bin" else 3, **more)
    found = ours(folder, tmp_path)
    assert_equal(found, *rows, pixels)
    assert found.preprocessing["mean"] == MEAN and found.preprocessing["std"] == STD
    assert found.lengths(torch.from_numpy(found.tokenizer(TEXTS[1:2]))).tolist() == [16], "cut behind the text's end"
    again = t.CLIPModel.from_pretrained(tmp_path / "saved").eval()
    assert torch.equal(of_transformers(again, folder, pixels, 24)[0], rows[0]), "the folder is transformers' too"


def test_clip_without_a_tokenizer_has_clips_own(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    published.write_clip(folder)
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(RecipeError, match="no tokenizer in"):
        ours(folder, tmp_path)
    text = published.LAYERS | {"vocab_size": 49408, "max_position_embeddings": 24, "projection_dim": 16}
    vision = published.LAYERS | {"image_size": 32, "patch_size": 8, "projection_dim": 16}
    model: Any = t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).eval()
    published.spread(model)
    model.save_pretrained(folder)
    found, ids = ours(folder, tmp_path), open_clip.SimpleTokenizer(context_length=24)(TEXTS)
    with torch.no_grad():
        said = model(pixel_values=normalised(seen(32), MEAN, STD), input_ids=ids)
    assert_equal(found, said.image_embeds, said.text_embeds, seen(32))


def test_two_towers_that_transformers_joined(tmp_path: Path) -> None:
    model, pixels = published.write_dual_encoder(tmp_path / "dual"), seen(32)
    rows = of_transformers(model, tmp_path / "dual", pixels, 24)
    published.as_bin(tmp_path / "dual")
    assert_equal(ours(tmp_path / "dual", tmp_path), *rows, pixels)


@pytest.mark.parametrize("naflex", [False, True])
def test_siglip_with_a_bin_alone(naflex: bool, tmp_path: Path) -> None:
    folder, pixels = tmp_path / "siglip", seen(32)
    model = published.write_siglip(folder, naflex)
    published.as_bin(folder, 2)
    found = ours(folder, tmp_path)
    tokens = t.AutoTokenizer.from_pretrained(folder)
    ids = tokens(TEXTS, padding="max_length", max_length=24, truncation=True, return_tensors="pt")["input_ids"]
    x = normalised(pixels, MEAN, STD)
    given: dict[str, torch.Tensor] = {"pixel_values": x}
    if naflex:
        rows = x.reshape(3, 3, 4, 8, 4, 8).permute(0, 2, 4, 3, 5, 1).reshape(3, 16, 192)
        given = {"pixel_values": rows, "pixel_attention_mask": torch.ones(3, 16, dtype=torch.int32)}
        given["spatial_shapes"] = torch.full((3, 2), 4)
    with torch.no_grad():
        said = model(input_ids=ids, **given)
        cosine = (found.encode_images(pixels) * found.encode_texts(TEXTS)).sum(1).numpy()
    assert_equal(found, said.image_embeds, said.text_embeds, pixels)
    assert np.array_equal(found.tokenizer(["No Pneumothorax"]), found.tokenizer(["no pneumothorax"]))
    assert found.tokenizer(["no"])[0, -1] == 0, "padded at the end, as its own configuration says"
    expected = torch.sigmoid(said.logits_per_image.diagonal()).numpy()
    assert np.abs(found.probability(cosine) - expected).max() <= CLOSE


@pytest.mark.parametrize("image", ["vit", "resnet"])
def test_medclip_as_released(image: str, tmp_path: Path) -> None:
    reference, pixels = published.ReferenceMedclip(image), seen(224)[:, :1].expand(-1, 3, -1, -1)
    reference.write(tmp_path / "medclip")
    tokens = t.BertTokenizer(vocab=str(tmp_path / "medclip/vocab.txt"))
    ids = [tokens(text, truncation=True, max_length=24, return_tensors="pt")["input_ids"] for text in TEXTS]
    images = reference.encode_image((pixels / 255 - 0.5862785803043838) / 0.27950088968644304)
    texts = torch.cat([reference.encode_text(row) for row in ids])
    found = ours(tmp_path / "medclip", tmp_path)
    assert_equal(found, images, texts, pixels)
    assert found.logit() == pytest.approx((np.exp(2.5), 0.0))
    released = torch.load(tmp_path / "medclip/pytorch_model.bin", weights_only=True)
    kept = load_file(tmp_path / "saved/model.safetensors")
    assert set(kept) <= set(released) and all(torch.equal(kept[k], released[k]) for k in kept)
    (tmp_path / "medclip/vocab.txt").unlink()
    with pytest.raises(RecipeError, match="Bio_ClinicalBERT"):
        ours(tmp_path / "medclip", tmp_path)


@pytest.mark.parametrize("method", ["clip", "medclip", "siglip2"])
def test_a_recipe_names_the_folder_and_scores(method: str, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    if method == "medclip":
        published.ReferenceMedclip("resnet").write(folder)
    else:
        published.write_siglip(folder, naflex=True) if method == "siglip2" else published.write_clip(folder)
    given = {"method": method, "checkpoint": str(folder), "device": "cpu", "bank": 0}
    more = {} if method == "medclip" else {"arch": "auto", "tokenizer": "open_clip", "epochs": 0}
    rules = Chosen(**given, **more).rules()
    side = {"medclip": 224}.get(method, 32)
    images = [cv2.imencode(".png", x[0].numpy())[1].tobytes() for x in seen(side)]
    records = Records(list("abc"), images, TEXTS, list("abc"))
    module_of(method).train(TrainingSet(records), tmp_path / "f", rules)
    scorer = Scorer({"f": str(tmp_path / "f")}, "cpu")
    scores = np.concatenate([scorer(b)["f"] for b in prepare(images, TEXTS, scorer.needs, 2)])
    found = load_filter(tmp_path / "f", "cpu")
    with torch.no_grad():
        pixels = seen(side)[:, :1]
        expected = (found.encode_images(pixels) * found.encode_texts(TEXTS)).sum(1).numpy()
    assert np.abs(scores - expected).max() <= CLOSE


@pytest.mark.parametrize("kind", ["clip", "medclip"])
def test_training_goes_on_from_it(kind: str, tmp_path: Path) -> None:
    """A DFN that begins with published weights; its folder is of their layout again."""
    folder = tmp_path / "given"
    if kind == "clip":
        published.write_clip(folder)
    else:
        published.ReferenceMedclip("vit").write(folder)
    begun = ours(folder, tmp_path)
    images, _, groups = pairs(16)
    texts = [f"{published.WORDS[i % 9]} {published.WORDS[(i + i // 9 + 1) % 9]}" for i in range(16)]
    model = ModelRules("auto", str(folder), "open_clip")
    rules = FilterTrainingRules(model=model, epochs=1, batch=8, threads=1, holdout=0.0, layer_decay=0.8, device="cpu")
    metrics = train_filter(images, texts, groups, tmp_path / "f", rules)
    after = load_filter(tmp_path / "f", "cpu")
    assert np.isfinite(metrics["loss"]) and after.card["arch"] == kind and after.config == begun.config
    moved = {n: float((p - dict(begun.model.named_parameters())[n]).abs().max().detach())
             for n, p in after.model.named_parameters()}  # fmt: skip
    used = [
        n for n in moved if "token_type" not in n and "position" not in n and "word_emb" not in n and "bias" not in n
    ]
    assert all(moved[n] > 0 for n in used), [n for n in used if moved[n] == 0]


def test_it_is_exported_as_it_is_and_takes_no_bias(tmp_path: Path) -> None:
    model = published.write_clip(tmp_path / "clip")
    ours(tmp_path / "clip", tmp_path)
    export_transformers(tmp_path / "saved", tmp_path / "out")
    again = t.CLIPModel.from_pretrained(tmp_path / "out")
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))
    rules = ModelRules("auto", str(tmp_path / "clip"), "open_clip")
    with pytest.raises(RecipeError, match="clip has no place for the sigmoid's bias"):
        create_filter(rules, [], 0, "cpu", "siglip")


def test_a_hub_name_is_its_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """hf-hub:openai/clip-vit-base-patch32, where it lies in the cache already: no network is asked."""
    import huggingface_hub.constants

    snapshot = tmp_path / "models--openai--clip-vit-base-patch32/snapshots" / ("0" * 40)
    model, pixels = published.write_clip(snapshot), seen(32)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs/main").write_text("0" * 40)
    monkeypatch.setenv("RADSIFT_HUB_SHUT", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    rules = ModelRules("hf-hub:openai/clip-vit-base-patch32", None, "open_clip")
    assert check_rules(rules)["model_type"] == "clip"
    found = create_filter(rules, [], 0, "cpu")
    assert_equal(found, *of_transformers(model, snapshot, pixels, 24), pixels)


class Trap:
    """A pickle that would leave a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("kind", ["clip", "siglip", "medclip"])
def test_a_bin_that_holds_code_is_refused_and_not_run(kind: str, tmp_path: Path) -> None:
    folder, mark = tmp_path / "given", tmp_path / "ran"
    if kind == "medclip":
        published.ReferenceMedclip("resnet").write(folder)
    else:
        (published.write_clip if kind == "clip" else lambda f: published.write_siglip(f, False))(folder)
        (folder / "model.safetensors").unlink()
    torch.save({"vision_model.model.x": Trap(mark), "a": torch.ones(1)}, folder / "pytorch_model.bin")
    with pytest.raises(RecipeError, match=r"holds code|neither") as error:
        ours(folder, tmp_path)
    assert error.value.fix and not mark.exists()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(RecipeError):
        ours(folder, tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["model.onnx", "flax_model.msgpack", "tf_model.h5", "exported.pt2"])
def test_a_program_of_another_runtime_is_named_and_not_run(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
    with pytest.raises(RecipeError, match="not a state dict") as error:
        read_state(tmp_path / name)
    assert name in str(error.value) and not (tmp_path / "ran").exists()
    published.write_clip(tmp_path / "clip")
    (tmp_path / "clip/model.safetensors").rename(tmp_path / f"clip/{name}")
    with pytest.raises(RecipeError, match=r"no model\.safetensors and no pytorch_model\.bin"):
        ours(tmp_path / "clip", tmp_path)


def test_a_folder_of_another_kind_says_what_reads_it(tmp_path: Path) -> None:
    for kind, said in (("blip", "method: blip"), ("blip-2", "method: blip2"), ("bert", "open_clip_config.json")):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
        with pytest.raises(RecipeError, match=f"is of '{kind}'") as error:
            check_rules(ModelRules("auto", str(tmp_path), "open_clip"))
        assert said in str(error.value.fix)


def test_weights_of_another_shape_name_the_tensor(tmp_path: Path) -> None:
    published.write_clip(tmp_path / "clip")
    state = load_file(tmp_path / "clip/model.safetensors")
    save_file(state | {"visual_projection.weight": torch.ones(3, 3)}, tmp_path / "clip/model.safetensors")
    with pytest.raises(RecipeError, match="visual_projection"):
        ours(tmp_path / "clip", tmp_path)
    state.pop("text_projection.weight")
    save_file(state, tmp_path / "clip/model.safetensors")
    with pytest.raises(RecipeError, match="text_projection"):
        ours(tmp_path / "clip", tmp_path)
