"""Weights written in the formats the world's checkpoints come in, read by us, scored as their own code scores them."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from curate.errors import RecipeError
from filters.rules import ModelRules
from filters.towers.architectures import build, read_config, read_source
from filters.towers.model import check_rules, create_filter, load_filter, save_filter
from filters.towers.openclip import open_clip
from filters.towers.weights import read_state

TEXTS = ["left pleural effusion", "no pneumothorax", "the heart is large " * 30]
TEXT = {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
VIT = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}
MEAN, STD = [0.3, 0.4, 0.5], [0.2, 0.3, 0.4]


def _config(**more: object) -> dict:
    return {"embed_dim": 24, "vision_cfg": dict(VIT), "text_cfg": dict(TEXT)} | more


def _stock(config: dict) -> torch.nn.Module:
    torch.manual_seed(3)
    return build(config).eval()


def _worst(ours, stock: torch.nn.Module, tokenizer, mean: list[float], std: list[float]) -> float:
    """The largest difference of rows and of cosines, for grey and colour, short and long texts."""
    side = ours.side
    pixels = torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    scaled = (pixels / 255 - torch.tensor(mean).reshape(3, 1, 1)) / torch.tensor(std).reshape(3, 1, 1)
    with torch.no_grad():
        image, text = stock.encode_image(scaled, normalize=True), stock.encode_text(tokenizer(TEXTS), normalize=True)
        left, right = ours.encode_images(pixels), ours.encode_texts(TEXTS)
        alone = torch.cat([ours.encode_texts([t]) for t in TEXTS])  # cut each by its own length
    pairs = ((left, image), (right, text), (alone, text), (left @ right.T, image @ text.T))
    return max(float((a - b).abs().max()) for a, b in pairs)


def _through_a_folder(ours, tmp_path: Path, arch: str = "x"):
    save_filter(ours, tmp_path / "saved", {"arch": arch, "tokenizer": "open_clip"})
    assert str(tmp_path) not in (tmp_path / "saved/config.json").read_text()
    return load_filter(tmp_path / "saved", "cpu")


@pytest.mark.parametrize("kind", ["state dict", "half", "torchscript"])
def test_openai_weights(tmp_path: Path, kind: str):
    """OpenAI's releases: quick GELU, half precision, as a TorchScript archive."""
    (tmp_path / "arch.json").write_text(json.dumps(_config(quick_gelu=True)))
    stock = _stock(_config(quick_gelu=True))
    path = tmp_path / "weights.pt"
    if kind != "state dict":
        stock.load_state_dict({k: v.half().float() for k, v in stock.state_dict().items()})
    if kind == "torchscript":
        scripted = torch.jit.trace_module(
            stock,
            {"encode_image": torch.zeros(1, 3, 32, 32), "encode_text": torch.zeros(1, 24, dtype=torch.int64)},
            check_trace=False,
        )
        scripted.save(str(path))
    else:
        torch.save({k: v.half() if kind == "half" else v for k, v in stock.state_dict().items()}, path)
    ours = create_filter(ModelRules(str(tmp_path / "arch.json"), str(path), "open_clip"), [], 0, "cpu")
    tokenizer = open_clip.SimpleTokenizer(context_length=24)
    ours = _through_a_folder(ours, tmp_path, "arch")
    assert _worst(ours, stock, tokenizer, stock.visual.image_mean, stock.visual.image_std) < 1e-5


class _Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("was_run",)


def test_code_in_a_torchscript_archive_is_refused_and_not_run(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("evil.pt", "w") as archive:
        archive.writestr("evil/code/__torch__.py", "import os; os.mkdir('was_run')")
        archive.writestr("evil/data.pkl", pickle.dumps({"a": _Code()}))
    with pytest.raises(RecipeError, match="holds code"):
        read_state(Path("evil.pt"))
    assert not Path("was_run").exists()


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_a_folder_in_open_clips_layout(tmp_path: Path, name: str):
    """LAION, DataComp and DFN on the hub: open_clip_config.json beside the weights, with the pixels' statistics."""
    folder = tmp_path / "laion"
    folder.mkdir()
    said = {"model_cfg": _config(), "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(said))
    stock = _stock(_config())
    if name.endswith(".bin"):
        torch.save(stock.state_dict(), folder / name)
    else:
        save_file(stock.state_dict(), folder / name)
    rules = ModelRules("auto", str(folder), "open_clip")
    assert check_rules(rules)["embed_dim"] == 24
    ours = _through_a_folder(create_filter(rules, [], 0, "cpu"), tmp_path)
    assert ours.preprocessing["mean"] == MEAN and ours.preprocessing["std"] == STD
    theirs = open_clip.create_model(f"local-dir:{folder}").eval()
    assert _worst(ours, theirs, open_clip.get_tokenizer(f"local-dir:{folder}"), MEAN, STD) < 1e-5


@pytest.fixture
def biomed(tmp_path: Path) -> Path:
    """BiomedCLIP's shape: a timm image tower, a transformers text tower whose configuration and tokenizer lie along."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig

    folder = tmp_path / "biomed"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *" ".join(TEXTS).split(), *"abcdefghijklmnopqrstuvwxyz"]
    vocab = {w: i for i, w in enumerate(dict.fromkeys(words))}
    BertWordPieceTokenizer(vocab).save(str(folder / "tokenizer.json"))
    said = {"tokenizer_class": "BertTokenizer", "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(said | {"sep_token": "[SEP]", "model_max_length": 24}))
    (folder / "vocab.txt").write_text("\n".join(vocab))
    tower = folder / "tiny-bert"
    tower.mkdir()
    BertConfig(
        vocab_size=len(vocab), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    ).save_pretrained(tower)
    text = {
        "hf_model_name": "someone/tiny-bert",
        "hf_tokenizer_name": "someone/tiny-bert",
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": 24,
    }
    vision = {"timm_model_name": "resnet10t", "timm_pool": "avg", "timm_proj": "linear", "image_size": 64}
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    torch.save(_stock(read_source_config(folder)).state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


def read_source_config(folder: Path) -> dict:
    return read_config(str(folder / "open_clip_config.json"))


def test_a_biomedclip_shaped_folder(tmp_path: Path, biomed: Path):
    ours = create_filter(ModelRules("auto", str(biomed), "open_clip"), [], 0, "cpu")
    ours = _through_a_folder(ours, tmp_path)
    tower = str(biomed / "tiny-bert")
    config = json.loads((biomed / "open_clip_config.json").read_text())["model_cfg"]
    config["text_cfg"] |= {"hf_model_name": tower, "hf_model_pretrained": False}
    stock = open_clip.model.CustomTextCLIP(**config).eval()
    stock.load_state_dict(torch.load(biomed / "open_clip_pytorch_model.bin", weights_only=True))
    tokenizer = open_clip.tokenizer.HFTokenizer(str(biomed), context_length=24)
    assert _worst(ours, stock, tokenizer, ours.preprocessing["mean"], ours.preprocessing["std"]) < 1e-5
    assert int(ours.lengths(torch.from_numpy(ours.tokenizer(TEXTS[:1]))).max()) == 16, "padding is cut off"


def test_a_text_tower_that_is_not_there_names_the_folder_to_give(tmp_path: Path, biomed: Path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    (biomed / "tiny-bert/config.json").unlink()
    with pytest.raises(RecipeError, match=r"(?s)no configuration of the text tower 'someone/tiny-bert'.*local folder"):
        create_filter(ModelRules("auto", str(biomed), "open_clip"), [], 0, "cpu")


def _published(folder: Path, config: dict, stock: torch.nn.Module, name: str) -> ModelRules:
    """A folder of open_clip's on the hub, and the rules that begin with it."""
    folder.mkdir(exist_ok=True)
    pixels = {"mean": list(stock.visual.image_mean), "std": list(stock.visual.image_std)}
    said = {"model_cfg": config, "preprocess_cfg": pixels}
    (folder / "open_clip_config.json").write_text(json.dumps(said))
    (torch.save if name.endswith(".bin") else save_file)(stock.state_dict(), folder / name)
    return ModelRules("auto", str(folder), "open_clip")


def test_eva02_weights(tmp_path: Path):
    """timm/eva02_*_clip_*: a timm tower, the class token pooled, its own text tower."""
    vision = {"image_size": 224, "timm_model_name": "eva02_tiny_patch14_224", "timm_pool": "token", "timm_proj": None}
    config = _config(vision_cfg=vision, custom_text=True)
    stock = _stock(config)
    rules = _published(tmp_path / "eva", config, stock, "open_clip_pytorch_model.bin")
    ours = _through_a_folder(create_filter(rules, [], 0, "cpu"), tmp_path, "eva")
    tokenizer = open_clip.SimpleTokenizer(context_length=24)
    assert _worst(ours, stock, tokenizer, stock.visual.image_mean, stock.visual.image_std) < 1e-5


def siglip_tokenizer(folder: Path) -> Path:
    """timm/ViT-B-16-SigLIP and its like: open_clip's own text tower, a tokenizer of transformers in the folder."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    folder.mkdir()
    words = ["<pad>", "</s>", "<unk>", *" ".join(TEXTS).split()]
    found = Tokenizer(models.WordLevel({w: i for i, w in enumerate(dict.fromkeys(words))}, unk_token="<unk>"))
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    found.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    marks = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>", "model_max_length": 24}
    PreTrainedTokenizerFast(tokenizer_object=found, **marks).save_pretrained(folder)
    return folder


def test_siglip_weights_of_open_clip_score_as_a_probability(tmp_path: Path):
    """The shape of ViT-B-16-SigLIP2: attention pooling, no causal mask, pooling at the last place, a learned bias."""
    vision = {"image_size": 224, "timm_model_name": "vit_tiny_patch16_224", "timm_pool": "map", "timm_proj": "none"}
    text = dict(TEXT) | {"no_causal_mask": True, "proj_bias": True, "pool_type": "last", "vocab_size": 32}
    text |= {"hf_tokenizer_name": "timm/ViT-B-16-SigLIP", "tokenizer_kwargs": {"clean": "canonicalize"}}
    config = {"embed_dim": 192, "init_logit_bias": -10, "custom_text": True, "vision_cfg": vision, "text_cfg": text}
    stock = _stock(config)
    rules = _published(siglip_tokenizer(tmp_path / "siglip"), config, stock, "open_clip_model.safetensors")
    ours = _through_a_folder(create_filter(rules, [], 0, "cpu"), tmp_path, "siglip")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'siglip'}")
    assert tokenizer(["No, effusion!"]).equal(tokenizer(["no effusion"])), "as SigLIP reads: no capitals, no marks"
    assert _worst(ours, stock, tokenizer, ours.preprocessing["mean"], ours.preprocessing["std"]) < 1e-5
    pixels = torch.randint(0, 256, (3, 3, 224, 224), dtype=torch.uint8)
    with torch.no_grad():
        logits, _ = stock.get_logits(ours.scaled(pixels), tokenizer(TEXTS))
        cosine = (ours.encode_images(pixels) * ours.encode_texts(TEXTS)).sum(1).numpy()
    assert np.abs(ours.probability(cosine) - torch.sigmoid(logits.diagonal()).numpy()).max() < 1e-5
    assert ours.logit()[1] == -10


def test_a_named_architecture_brings_its_weights_pixel_statistics():
    assert read_config("ViT-B-16-SigLIP2")["preprocess_cfg"] == {"mean": [0.5] * 3, "std": [0.5] * 3}
    assert read_config("EVA02-B-16")["preprocess_cfg"]["mean"][0] == pytest.approx(0.48145466)


def test_a_tag_brings_what_its_weights_were_trained_with(monkeypatch, tmp_path: Path):
    """ViT-B-32 has plain GELU, and OpenAI's and DFN's weights of that name quick GELU and pixels of their own."""
    from open_clip import pretrained

    monkeypatch.setattr(pretrained, "download_pretrained", lambda cfg, **_: str(tmp_path / "w.safetensors"))
    openai, laion = read_source("ViT-B-32:openai"), read_source("ViT-B-32:laion2b_s34b_b79k")
    assert openai.config["quick_gelu"] and not laion.config.get("quick_gelu")
    assert read_source("ViT-B-16-SigLIP:webli").config["preprocess_cfg"] == {"mean": [0.5] * 3, "std": [0.5] * 3}
    assert openai.config["preprocess_cfg"]["mean"] == pytest.approx([0.48145466, 0.4578275, 0.40821073])


@pytest.mark.parametrize("arch", ["hf-hub:laion/some-model", "ViT-B-32:laion2b_s34b_b79k"])
def test_a_hub_name_without_a_network_names_what_to_give(arch: str, monkeypatch, tmp_path: Path):
    import huggingface_hub.constants

    monkeypatch.setenv("RADSIFT_HUB_SHUT", "1")  # as a user's HF_HUB_OFFLINE=1 is remembered
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(RecipeError, match=r"(?s)cannot fetch .*arch: auto with checkpoint: a folder"):
        create_filter(ModelRules(arch, None, "open_clip"), [], 0, "cpu")


def test_an_unknown_tag_names_those_there_are():
    with pytest.raises(RecipeError, match=r"(?s)knows no weights 'ViT-B-32:nope'.*laion2b_s34b_b79k"):
        read_source("ViT-B-32:nope")


def test_names_that_do_not_go_together_are_refused(tmp_path: Path):
    for rules, message in (
        (ModelRules("auto"), "auto reads the checkpoint's folder"),
        (ModelRules("auto", str(tmp_path), "open_clip"), "neither a filter's folder nor"),
        (ModelRules("hf-hub:a/b"), "brings its own text tower"),
        (ModelRules("hf-hub:a/b", "w.pt", "open_clip"), "brings its own weights"),
    ):
        with pytest.raises(RecipeError, match=message):
            create_filter(rules, ["x"], 300, "cpu")
        with pytest.raises(RecipeError, match=message):
            check_rules(rules)
