"""What is exported is read by open_clip's and transformers' own functions, and is the same model."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from curate.errors import RecipeError
from filters.rules import ModelRules, TrainingRules
from filters.towers import preprocess
from filters.towers.encoder import Filter
from filters.towers.model import create_filter, load_filter, save_filter
from filters.towers.openclip import open_clip
from filters.training.distributed import DistributedContext
from filters.training.export.open_clip import export_open_clip
from filters.training.export.transformers import check_transformers, export_transformers
from filters.training.objectives import SIGMOID, make_objective
from tests.filters.films import films
from tests.filters.towers.test_siglip import _write
from tests.filters.training.objective_steps import see, texts

TEXTS = ["Small LEFT pleural effusion, 3 mm.", "No  acute\nfindings (see [NAME]).", "heart size is normal " * 40, "x"]


def _trained(folder: Path, arch: str, objective: str = "clip", tokenizer: str = "wordpiece") -> Filter:
    """A few steps on films, saved as a finished model is."""
    torch.manual_seed(0)
    rules = ModelRules(arch=arch, tokenizer=tokenizer)  # type: ignore[arg-type]
    read = [*texts(), "See [NAME]."]
    learner = create_filter(rules, read, 500, "cpu", "siglip" if objective in SIGMOID else "clip")
    made = make_objective(learner, TrainingRules(objective=objective), read)  # type: ignore[arg-type]
    optimizer = torch.optim.AdamW(learner.model.parameters(), lr=1e-3)
    learner.model.train()
    for step in range(2):
        seen = see(learner, made, range(8 * step, 8 * step + 8))
        optimizer.zero_grad()
        made.loss(made.features(learner.model, seen), learner.model, DistributedContext())["loss"].backward()
        optimizer.step()
    learner.model.eval()
    save_filter(learner, folder, {"arch": Path(arch).stem, "tokenizer": tokenizer})
    (folder / "README.md").write_text("# a card\n")
    return load_filter(folder, "cpu")


def _pictures(side: int) -> list[np.ndarray]:
    """Films of ``side``, grey uint8[side, side]."""
    found = [preprocess.decode(image, side) for image in films(64, 3, 1.0).records.images[:4]]
    return [image[:, :, 0] for image in found if image is not None]


@torch.no_grad()
def _rows(ours: Filter) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = torch.from_numpy(np.stack(_pictures(ours.side)))[:, None]
    return ours.encode_images(pixels), ours.encode_texts(TEXTS)


def _worst(one: tuple[torch.Tensor, ...], other: tuple[torch.Tensor, ...]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("arch", "objective", "tokenizer"),
    [
        ("radsift-tiny", "clip", "wordpiece"),
        ("radsift-tiny-vit", "siglip", "wordpiece"),
        ("radsift-tiny-coca", "coca", "wordpiece"),
        ("small", "clip", "open_clip"),
    ],
)
def test_open_clip_reads_it_unchanged(tmp_path: Path, small_arch: str, arch: str, objective: str, tokenizer: str):
    ours = _trained(tmp_path / "model", small_arch if arch == "small" else arch, objective, tokenizer)
    out = tmp_path / "moved" / "out"
    export_open_clip(tmp_path / "model", tmp_path / "out")
    out.parent.mkdir()
    (tmp_path / "out").rename(out)
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{out}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{out}")
    model.eval()
    assert np.array_equal(tokenize(TEXTS).numpy(), ours.tokenizer(TEXTS))
    x = torch.stack([transform(Image.fromarray(p)) for p in _pictures(ours.side)])
    with torch.no_grad():
        theirs = model.encode_image(x, normalize=True), model.encode_text(tokenize(TEXTS), normalize=True)
    assert _worst(theirs, _rows(ours)) < 1e-5
    assert abs(float(model.logit_scale.detach().exp()) - ours.logit()[0]) < 1e-4
    assert (model.logit_bias is None) == (objective != "siglip")
    assert str(tmp_path) not in (out / "open_clip_config.json").read_text()
    assert (out / "README.md").read_text() == "# a card\n"


def test_what_open_clip_reads_may_be_trained_on(tmp_path: Path):
    """An export is a checkpoint like any in open_clip's layout."""
    ours = _trained(tmp_path / "model", "radsift-tiny-vit")
    export_open_clip(tmp_path / "model", tmp_path / "out")
    again = create_filter(ModelRules("auto", str(tmp_path / "out"), "open_clip"), [], 0, "cpu")
    assert _worst(_rows(again), _rows(ours)) < 1e-5


def test_open_clip_letterboxes_as_we_do(tmp_path: Path):
    _trained(tmp_path / "model", "radsift-tiny-vit")
    export_open_clip(tmp_path / "model", tmp_path / "out")
    export_transformers(tmp_path / "model", tmp_path / "hf")
    from transformers import AutoProcessor

    ours = load_filter(tmp_path / "model", "cpu")
    wide = cv2.GaussianBlur(_pictures(240)[0][60:180], (0, 0), 3)  # 240 x 120
    expected = ours.scaled(torch.from_numpy(preprocess.square(wide, ours.side)).permute(2, 0, 1)[None])[0]
    found = open_clip.create_model_and_transforms(f"local-dir:{tmp_path / 'out'}")[2](Image.fromarray(wide))
    processor = AutoProcessor.from_pretrained(tmp_path / "hf")
    theirs = processor(images=Image.fromarray(wide), return_tensors="pt")["pixel_values"][0]
    for other in (found, theirs):
        assert other.shape == expected.shape
        assert float((other - expected).abs().mean()) < 0.05  # of a deviation of 1: another interpolation
        assert torch.allclose(other[:, :15], expected[:, :15]), "black above"


@pytest.mark.parametrize(
    ("arch", "objective", "tokenizer"),
    [("radsift-tiny-vit", "clip", "wordpiece"), ("small", "siglip", "wordpiece"), ("small", "clip", "open_clip")],
)
def test_transformers_reads_it_unchanged(tmp_path: Path, small_arch: str, arch: str, objective: str, tokenizer: str):
    from transformers import AutoModel, AutoProcessor

    ours = _trained(tmp_path / "model", small_arch if arch == "small" else arch, objective, tokenizer)
    export_transformers(tmp_path / "model", tmp_path / "out")
    model = AutoModel.from_pretrained(tmp_path / "out").eval()
    processor = AutoProcessor.from_pretrained(tmp_path / "out")
    assert type(model).__name__ == "CLIPModel"
    pictures = [Image.fromarray(p) for p in _pictures(ours.side)]
    given = processor(text=TEXTS, images=pictures, return_tensors="pt", padding=True, truncation=True)
    with torch.no_grad():
        found = model(**given)
    assert _worst((found.image_embeds, found.text_embeds), _rows(ours)) < 1e-4
    logits = ours.logit()[0] * _rows(ours)[0] @ _rows(ours)[1].T
    assert float((found.logits_per_image - logits).abs().max()) < 1e-3
    assert getattr(model.config, "logit_bias", 0.0) == pytest.approx(ours.logit()[1])
    assert str(tmp_path) not in "".join(p.read_text("utf-8") for p in (tmp_path / "out").glob("*.json"))


@pytest.mark.parametrize(
    ("arch", "what"),
    [
        ("radsift-tiny", "ModifiedResNet"),
        ("radsift-tiny-coca", "CoCa"),
        ("radsift-tiny-eva", "CustomTextCLIP"),
        ("odd", "other rows of the same weights"),
    ],
)
def test_what_transformers_has_no_class_for_is_refused(tmp_path: Path, arch: str, what: str):
    if arch == "odd":
        vision = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8, "pool_type": "avg"}
        text = {"context_length": 16, "width": 32, "heads": 2, "layers": 1}
        (tmp_path / "odd.json").write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
        arch = str(tmp_path / "odd.json")
    learner = create_filter(ModelRules(arch=arch), texts(), 400, "cpu")
    save_filter(learner, tmp_path / "model", {"arch": "x", "tokenizer": "wordpiece"})
    with pytest.raises(RecipeError, match=rf"(?s){what}.*a ViT with open_clip's own text tower"):
        export_transformers(tmp_path / "model", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_open_clip_cannot_build_alone_is_refused(tmp_path: Path):
    learner = create_filter(ModelRules(arch="radsift-tiny-eva"), texts(), 400, "cpu")
    save_filter(learner, tmp_path / "model", {"arch": "radsift-tiny-eva", "tokenizer": "wordpiece"})
    with pytest.raises(RecipeError, match="timm by itself knows no"):
        export_open_clip(tmp_path / "model", tmp_path / "out")


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path):
    learner = create_filter(ModelRules(arch="radsift-tiny-vit"), texts(), 400, "cpu")
    save_filter(learner, tmp_path / "model", {"arch": "radsift-tiny-vit", "tokenizer": "wordpiece"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").write_text("mine")
    for export in (export_open_clip, export_transformers):
        with pytest.raises(RecipeError, match="is there already"):
            export(tmp_path / "model", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "out"]


def test_a_model_begun_from_siglips_folder_goes_back_to_its_classes(tmp_path: Path):
    from transformers import AutoModel, AutoTokenizer

    learner = create_filter(ModelRules("auto", str(_write(tmp_path / "given", False)), "open_clip"), [], 0, "cpu")
    with torch.no_grad():
        next(learner.model.parameters()).mul_(1.5)
    save_filter(learner, tmp_path / "model", {"arch": "siglip", "tokenizer": "open_clip"})
    export_transformers(tmp_path / "model", tmp_path / "out")
    model, tokenizer = AutoModel.from_pretrained(tmp_path / "out"), AutoTokenizer.from_pretrained(tmp_path / "out")
    x = learner.scaled(torch.from_numpy(np.stack(_pictures(learner.side)))[:, None])
    ids = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=16, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        found = model(input_ids=ids, pixel_values=x)
    assert type(model).__name__ == "SiglipModel"
    assert _worst((found.image_embeds, found.text_embeds), _rows(learner)) < 1e-4
    with pytest.raises(RecipeError, match="not open_clip's"):
        export_open_clip(tmp_path / "model", tmp_path / "no")


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_open_clips_siglip_becomes_a_siglip_model(tmp_path: Path, approximate: str):
    """The shape of ViT-B-16-SigLIP and SigLIP 2, small; our tokenizer pads where theirs would."""
    from timm.models import is_model, register_model
    from transformers import AutoModel, AutoProcessor

    if not is_model("siglip_for_a_test"):
        register_model(siglip_for_a_test)
    vision = {"image_size": 32, "timm_model_name": "siglip_for_a_test", "timm_pool": "map", "timm_proj": "none"}
    text = {"context_length": 24, "width": 64, "heads": 2, "layers": 2, "no_causal_mask": True, "proj_bias": True}
    text |= {"pool_type": "last", "norm_kwargs": {"eps": 1e-6}, "act_kwargs": {"approximate": approximate}}
    config = {"embed_dim": 64, "init_logit_bias": -10, "custom_text": True, "vision_cfg": vision, "text_cfg": text}
    (tmp_path / "siglip.json").write_text(json.dumps(config))
    ours = _trained(tmp_path / "model", str(tmp_path / "siglip.json"), "siglip")
    export_transformers(tmp_path / "model", tmp_path / "out")
    model, processor = AutoModel.from_pretrained(tmp_path / "out"), AutoProcessor.from_pretrained(tmp_path / "out")
    pictures = [Image.fromarray(p) for p in _pictures(ours.side)]
    given = processor(text=TEXTS, images=pictures, return_tensors="pt", padding="max_length", truncation=True)
    with torch.no_grad():
        found = model(**given)
    assert type(model).__name__ == "SiglipModel"
    assert _worst((found.image_embeds, found.text_embeds), _rows(ours)) < 1e-4
    scale, bias = ours.logit()
    logits = scale * _rows(ours)[0] @ _rows(ours)[1].T + bias
    assert float((found.logits_per_image - logits).abs().max()) < 1e-3


def test_siglips_picture_tower_beside_another_text_tower_is_refused(tmp_path: Path):
    from timm.models import is_model, register_model

    if not is_model("siglip_for_a_test"):
        register_model(siglip_for_a_test)
    vision = {"image_size": 32, "timm_model_name": "siglip_for_a_test", "timm_pool": "map", "timm_proj": "none"}
    text = {"context_length": 24, "width": 64, "heads": 2, "layers": 2}
    config = {"embed_dim": 64, "custom_text": True, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    (tmp_path / "other.json").write_text(json.dumps(config))
    learner = create_filter(ModelRules(arch=str(tmp_path / "other.json")), texts(), 400, "cpu")
    with pytest.raises(RecipeError, match="SiglipModel has other parts"):
        check_transformers(learner)


def siglip_for_a_test(pretrained: bool = False, **given):
    from timm.models.vision_transformer import VisionTransformer

    known = {k: v for k, v in given.items() if k in ("num_classes", "global_pool")}
    return VisionTransformer(img_size=32, patch_size=8, embed_dim=64, depth=2, num_heads=2, class_token=False, **known)
