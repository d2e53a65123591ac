from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from curate.errors import RecipeError
from filters.method import Batch
from filters.methods.two_towers import Towers
from filters.rules import FilterTrainingRules, ModelRules
from filters.towers.model import create_filter, load_filter, save_filter
from filters.towers.torchvision_ops import ensure
from filters.towers.transformers_models import fit, load_transformers, resize
from filters.training.filter import train_filter
from tests.filters.shapes import pairs

TEXTS = ["left effusion", "no pneumothorax", "large heart " * 20]
RULES = {"tokenizer": "open_clip", "arch": "auto"}


def _write(folder: Path, naflex: bool) -> Path:
    """A tiny random model as transformers writes it, with a tokenizer and a preprocessor."""
    ensure()  # before transformers looks for torchvision, whichever test comes first
    import transformers as t
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder.mkdir()
    words = [
        "<pad>",
        "<unk>",
        "</s>",
        *sorted(set(" ".join([*TEXTS, *pairs(60)[1]]).split())),
        *"abcdefghijklmnopqrstuvwxyz",
    ]
    vocab = {w: i for i, w in enumerate(dict.fromkeys(words))}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    t.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", eos_token="</s>", model_max_length=16
    ).save_pretrained(folder)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = sizes | {"vocab_size": len(vocab), "max_position_embeddings": 16, "projection_size": 32}
    text |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    vision = sizes | {"patch_size": 8} | ({"num_patches": 16} if naflex else {"image_size": 32})
    torch.manual_seed(4)
    kind = (t.Siglip2Config, t.Siglip2Model) if naflex else (t.SiglipConfig, t.SiglipModel)
    model = kind[1](kind[0](text_config=text, vision_config=vision))
    with torch.no_grad():
        model.logit_scale.fill_(2.0)
        model.logit_bias.fill_(-4.0)
    model.save_pretrained(folder)
    said = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_rescale": True, "rescale_factor": 1 / 255}
    said |= {"image_processor_type": "Siglip2ImageProcessor", "patch_size": 8, "max_num_patches": 24} if naflex else {}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    return folder


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("hf") / "siglip", naflex=False)


@pytest.fixture(scope="module")
def naflex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("hf") / "naflex", naflex=True)


def _ours(folder: Path, tmp_path: Path):
    """Loaded, saved as a filter's folder, loaded from there."""
    found = create_filter(ModelRules(checkpoint=str(folder), **RULES), [], 0, "cpu")
    save_filter(found, tmp_path / "saved", {"arch": "siglip", "tokenizer": "open_clip"})
    assert str(folder) not in (tmp_path / "saved/config.json").read_text()
    return load_filter(tmp_path / "saved", "cpu")


def _probabilities(ours, left: torch.Tensor, right: torch.Tensor) -> np.ndarray:
    return ours.probability((left @ right.T).numpy())


def test_fixed_size_scores_as_transformers(siglip: Path, tmp_path: Path):
    from transformers import AutoTokenizer, SiglipModel

    ours, theirs = _ours(siglip, tmp_path), SiglipModel.from_pretrained(siglip).eval()
    pixels = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    tokens = AutoTokenizer.from_pretrained(siglip)
    ids = tokens(TEXTS, padding="max_length", max_length=16, truncation=True, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        said = theirs(input_ids=ids, pixel_values=pixels.float() / 127.5 - 1)
        left, right = ours.encode_images(pixels), ours.encode_texts(TEXTS)
        assert torch.equal(ours.encode_images(pixels[:, :1]), ours.encode_images(pixels[:, :1].expand(-1, 3, -1, -1)))
    assert ours.side == 32 and not ours.native
    assert (left - said.image_embeds).abs().max() < 1e-5 and (right - said.text_embeds).abs().max() < 1e-5
    assert np.abs(_probabilities(ours, left, right) - torch.sigmoid(said.logits_per_image).numpy()).max() < 1e-5
    assert ours.logit() == pytest.approx((np.exp(2.0), -4.0))


def _native(sizes: list[tuple[int, int]]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in sizes]


def _processed(folder: Path, images: list[np.ndarray]):
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    return Siglip2ImageProcessorPil.from_pretrained(folder)(images=images, return_tensors="pt")


@pytest.mark.parametrize(
    ("sizes", "allowed"),
    [([(32, 48), (48, 32)], 1e-5), ([(70, 40), (31, 90), (200, 200)], 0.02)],  # the second are resized, by PIL there
)
def test_native_aspect_scores_as_transformers(naflex: Path, tmp_path: Path, sizes, allowed: float):
    from transformers import Siglip2Model

    ours, theirs = _ours(naflex, tmp_path), Siglip2Model.from_pretrained(naflex).eval()
    images = _native(sizes)
    given_ = _processed(naflex, images)
    with torch.no_grad():
        rows = theirs.get_image_features(**given_).pooler_output
        left, right = ours.encode_native(images), ours.encode_texts(TEXTS[: len(images)])
    assert ours.native
    expected = torch.nn.functional.normalize(rows, dim=-1)
    assert (left - expected).abs().max() < allowed
    ids = torch.from_numpy(ours.tokenizer(TEXTS[: len(images)]))
    with torch.no_grad():
        said = theirs(input_ids=ids, **given_).logits_per_image
    assert np.abs(_probabilities(ours, left, right) - torch.sigmoid(said).numpy()).max() < max(allowed, 1e-5)


def test_a_square_image_is_one_more_shape(naflex: Path, tmp_path: Path):
    ours = _ours(naflex, tmp_path)
    assert ours.side == 32  # 4 x 4 patches of 8 pixels: 5 x 5 exceed 24
    images = _native([(32, 32)])
    with torch.no_grad():
        square = ours.encode_images(torch.from_numpy(images[0]).permute(2, 0, 1)[None])
        patches = ours.model._run([_patch(images[0], 0, 0).permute(2, 0, 1)])[0]
    assert square.shape == (1, 32) and patches.shape == (1, 32)


def _patch(image: np.ndarray, y: int, x: int) -> torch.Tensor:
    return torch.from_numpy(image[8 * y : 8 * y + 8, 8 * x : 8 * x + 8].astype(np.float32) / 127.5 - 1)


def test_a_row_does_not_depend_on_its_neighbours(naflex: Path, tmp_path: Path):
    ours = _ours(naflex, tmp_path)
    images = _native([(40, 64), (64, 24), (8, 200)])
    with torch.no_grad():
        together = ours.encode_native(images)
        alone = torch.cat([ours.encode_native([image]) for image in images])
        grey = ours.encode_native([images[0][:, :, :1]])
        assert torch.equal(grey, ours.encode_native([np.repeat(images[0][:, :, :1], 3, axis=2)]))
    assert (together - alone).abs().max() < 1e-5


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_scores_in_native_aspect_do_not_depend_on_the_batch(naflex: Path, tmp_path: Path, precision):
    towers = Towers(_ours(naflex, tmp_path), None, precision=precision)
    images, texts = [None, *_native([(40, 64), (64, 24), (8, 200)] * 6)], [TEXTS[i % 3] for i in range(19)]
    valid = np.array([image is not None for image in images])
    whole = towers(Batch({}, texts, valid, images, 19))[""]
    rows = [slice(0, 2), slice(2, 9), slice(9, 19)]
    parts = [towers(Batch({}, texts[r], valid[r], images[r], 19))[""] for r in rows]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert np.isnan(whole).tolist() == [True, *[False] * 18]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([8, 14, 16]), st.integers(1, 1024))
def test_a_fitted_size_is_whole_patches_within_the_sequence(height: int, width: int, patch: int, most: int):
    from transformers.models.siglip2.image_processing_pil_siglip2 import get_image_size_for_max_num_patches

    found = fit(height, width, patch, most)
    assert found[0] % patch == found[1] % patch == 0 and min(found) >= patch
    assert found[0] * found[1] <= most * patch * patch
    theirs = get_image_size_for_max_num_patches(height, width, patch, most)
    if theirs[0] * theirs[1] <= most * patch * patch:
        assert found == theirs


def test_resizing_keeps_a_flat_image_flat():
    assert torch.equal(resize(np.full((9, 5, 1), 77, np.uint8), 16, 24), torch.full((1, 16, 24), 77.0))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json"])
def test_a_damaged_part_is_named(naflex: Path, tmp_path: Path, name: str):
    import shutil

    folder = tmp_path / "broken"
    shutil.copytree(naflex, folder)
    (folder / name).write_text("{")
    with pytest.raises(RecipeError, match="filter"):
        load_transformers(folder)


def test_weights_of_another_shape_and_nan_are_refused(siglip: Path, tmp_path: Path):
    import shutil

    folder = tmp_path / "f"
    shutil.copytree(siglip, folder)
    weights = load_file(folder / "model.safetensors")
    weights["logit_scale"] = torch.tensor([float("nan")])
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RecipeError, match="NaN"):
        load_transformers(folder)
    del weights["vision_model.embeddings.position_embedding.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RecipeError, match="does not fit its config"):
        load_transformers(folder)


def test_a_siglip_folder_is_trained_further(siglip: Path, tmp_path: Path):
    rules = FilterTrainingRules(
        model=ModelRules(checkpoint=str(siglip), **RULES),
        epochs=1,
        batch=8,
        threads=1,
        device="cpu",
        objective="siglip",
    )
    metrics = train_filter(*pairs(30), tmp_path / "f", rules)
    assert np.isfinite(metrics["loss"])
    card = json.loads((tmp_path / "f/card.json").read_text())
    assert card["arch"] == "siglip" and "/" not in json.dumps(card)
    before, after = load_file(siglip / "model.safetensors"), load_file(tmp_path / "f/model.safetensors")
    assert before.keys() == after.keys() and not torch.equal(before["logit_bias"], after["logit_bias"])
    assert load_filter(tmp_path / "f", "cpu").side == 32
