"""The original MedCLIP (Wang et al., arXiv 2210.10163), as RyanWangZf/MedCLIP released it: ``pytorch_model.bin`` alone.

Its image tower is a Swin-T or a ResNet-50, its text tower Bio_ClinicalBERT; shapes and names say which, and how deep.
A text's row is the mean over its tokens and over the states after the first, the second and the last layer. The
released code averages over padding too, so that there a row depends on the longest text of its batch; here each text is
read as if it were alone.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from curate.errors import RecipeError
from filters.towers.tokenizer import WordPiece, read_wordpiece
from filters.towers.torchvision_ops import ensure
from filters.towers.transformers_folder import Picture, fill_model, quiet, read_model_config
from filters.towers.weights import State, check_finite, fill, read_folder, tensor_names, write_object, write_state

MODEL_TYPE = "medclip"  # in the config.json of a folder that `MedclipModel.save` wrote
_IMAGE, _TEXT = "vision_model.", "text_model."
_SIDE, _CONTEXT, _HEAD = 224, 77, 64
_MEAN, _STD = 0.5862785803043838, 0.27950088968644304  # of grey pixels, as MedCLIP's constants have them
_STATES = (1, 2, -1)


def medclip_config(folder: Path) -> dict[str, Any] | None:
    """What there is to say of a MedCLIP's folder; None where it is none.

    A ``config.json`` that came with Bio_ClinicalBERT's tokenizer may lie in it: the weights' names decide.
    """
    config = read_model_config(folder)
    if config is not None and config["model_type"] not in (MODEL_TYPE, "bert"):
        return None
    if config is not None and config["model_type"] == MODEL_TYPE:
        return config
    if not any((folder / name).is_file() for name in ("model.safetensors", "pytorch_model.bin")):
        return None
    names = tensor_names(folder)
    is_medclip = any(n.startswith(f"{_IMAGE}model.") for n in names) and f"{_TEXT}projection_head.weight" in names
    return {"model_type": MODEL_TYPE} if is_medclip else None


class MedclipModel(torch.nn.Module):
    """The two towers with their projections; ``encode_image`` and ``encode_text`` as open_clip's."""

    masked_pad = 0  # the text tower masks padding everywhere, and its mean leaves it out

    def __init__(self, image_tower: torch.nn.Module, text_tower: torch.nn.Module, dims: tuple[int, int, int]) -> None:
        """``dims``: the width of the image's features, of the text's, and of the space they share."""
        super().__init__()
        self.image_tower: Any = image_tower
        self.text_tower: Any = text_tower
        self.image_head = torch.nn.Linear(dims[0], dims[2], bias=False)
        self.text_head = torch.nn.Linear(dims[1], dims[2], bias=False)
        self.logit_scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.config: dict[str, Any] = {"model_type": MODEL_TYPE, "embed_dim": dims[2]}
        self.visual = Picture(_SIDE, [_MEAN] * 3, [_STD] * 3)

    def image_tokens(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(embedding float[n, d], tokens float[n, m, width]) of normalised float[n, 3, side, side]."""
        feature_map = self.image_tower(x)
        if isinstance(feature_map, torch.Tensor):
            tokens = feature_map.flatten(2).mT
            return self.image_head(feature_map.mean((2, 3))), tokens
        rows: torch.Tensor = self.image_head(feature_map.pooler_output)
        return rows, feature_map.last_hidden_state

    def encode_image(self, x: torch.Tensor) -> torch.Tensor:
        """Rows float[n, d], not yet of unit length."""
        return self.image_tokens(x)[0]

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        """Rows float[n, d], not yet of unit length, of int64[n, length] padded with 0."""
        mask = (ids != self.masked_pad).long()
        states = self.text_tower(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        mean = torch.stack([states[i] for i in _STATES]).mean(0)
        valid = mask[:, :, None].to(mean.dtype)
        rows: torch.Tensor = self.text_head((mean * valid).sum(1) / valid.sum(1).clamp(min=1))
        return rows

    def save(self, folder: Path) -> None:
        """``model.safetensors`` under the released names, and a ``config.json`` that says whose they are."""
        state = {"logit_scale": self.logit_scale, f"{_TEXT}projection_head.weight": self.text_head.weight}
        state |= {f"{_TEXT}model.{k}": v for k, v in _released_names(self.text_tower).items()}
        if hasattr(self.image_tower, "conv1"):
            state |= {f"{_IMAGE}model.{k}": v for k, v in self.image_tower.state_dict().items()}
            state[f"{_IMAGE}model.fc.weight"] = self.image_head.weight
        else:
            state |= {f"{_IMAGE}model.{k}": v for k, v in _released_names(self.image_tower).items()}
            state[f"{_IMAGE}projection_head.weight"] = self.image_head.weight
        write_state(state, folder / "model.safetensors")
        write_object(folder / "config.json", self.config)


def load_medclip(folder: Path) -> tuple[MedclipModel, WordPiece]:
    """The model in ``folder`` and the tokenizer beside it.

    RecipeError where a part is missing or damaged, holds code, or the weights are of another architecture.
    """
    ensure()
    state = read_folder(folder)
    try:
        model = _build(state, folder)
    except (KeyError, ValueError, IndexError, StopIteration) as error:
        problem = f"the weights in {folder} are none of MedCLIP's ({type(error).__name__}: {str(error)[:80]})"
        raise RecipeError("filter.checkpoint", problem, "pytorch_model.bin as MedCLIP released it") from None
    check_finite(model, folder.name)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        problem = f"{folder} holds no tokenizer: MedCLIP's is that of emilyalsentzer/Bio_ClinicalBERT"
        raise RecipeError("filter.tokenizer", problem, "put its vocab.txt beside pytorch_model.bin")
    words = int(model.text_tower.config.vocab_size)
    context = min(_CONTEXT, int(model.text_tower.config.max_position_embeddings))
    return model, read_wordpiece(folder, context, words)


def _build(state: Mapping[str, torch.Tensor], folder: Path) -> MedclipModel:
    from transformers import BertModel

    image, text = _below(state, f"{_IMAGE}model."), _below(state, f"{_TEXT}model.")
    head = state[f"{_TEXT}projection_head.weight"]
    text_tower = fill_model(BertModel, _bert(text), text, folder, add_pooling_layer=False)
    if "conv1.weight" in image:
        image_head = image.pop("fc.weight")
        image_tower: Any = _resnet(image, folder)
    else:
        from transformers import SwinModel

        image_head = state[f"{_IMAGE}projection_head.weight"]
        image_tower = fill_model(SwinModel, _swin(image), image, folder)
    if image_head.shape[0] != head.shape[0] or head.shape[1] != text_tower.config.hidden_size:
        raise ValueError(f"projections {tuple(image_head.shape)} and {tuple(head.shape)}")
    model = MedclipModel(image_tower, text_tower, (image_head.shape[1], head.shape[1], head.shape[0]))
    with torch.no_grad():
        model.image_head.weight.copy_(image_head)
        model.text_head.weight.copy_(head)
        model.logit_scale.copy_(state["logit_scale"].reshape(()))
    return model


def _below(state: Mapping[str, torch.Tensor], prefix: str) -> State:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _count(state: Mapping[str, torch.Tensor], pattern: str) -> int:
    return len({m[1] for key in state if (m := re.match(pattern, key))})


def _bert(state: Mapping[str, torch.Tensor]) -> Any:
    from transformers import BertConfig

    words, width = state["embeddings.word_embeddings.weight"].shape
    return BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=_count(state, r"encoder\.layer\.(\d+)\."),
        num_attention_heads=max(1, width // _HEAD),
        intermediate_size=state["encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=state["embeddings.position_embeddings.weight"].shape[0],
        type_vocab_size=state["embeddings.token_type_embeddings.weight"].shape[0],
    )


def _swin(state: Mapping[str, torch.Tensor]) -> Any:
    from transformers import SwinConfig

    patches = state["embeddings.patch_embeddings.projection.weight"]
    stages = range(_count(state, r"encoder\.layers\.(\d+)\."))
    tables = [
        state[f"encoder.layers.{i}.blocks.0.attention.self.relative_position_bias_table"] for i in stages
    ]  # [(2 * window - 1) ** 2, heads]
    inner = state["encoder.layers.0.blocks.0.intermediate.dense.weight"]
    return SwinConfig(
        image_size=_SIDE,
        patch_size=patches.shape[-1],
        embed_dim=patches.shape[0],
        depths=[_count(state, rf"encoder\.layers\.{i}\.blocks\.(\d+)\.") for i in stages],
        num_heads=[table.shape[1] for table in tables],
        window_size=(math.isqrt(tables[0].shape[0]) + 1) // 2,
        mlp_ratio=inner.shape[0] / inner.shape[1],
    )


def _resnet(state: State, folder: Path) -> Any:
    """timm's ResNet without its head, whose names are torchvision's: the last map."""
    from timm.models.resnet import BasicBlock, Bottleneck, ResNet

    kind = Bottleneck if "layer1.0.conv3.weight" in state else BasicBlock
    depths = tuple(_count(state, rf"layer{i}\.(\d+)\.") for i in (1, 2, 3, 4))
    tower = ResNet(kind, depths, num_classes=0, global_pool="")
    fill(tower, state, f"{folder} (a ResNet)")
    return tower


def _released_names(tower: Any) -> State:
    """A tower's weights under the names transformers saves, which are those of its older versions."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        tower.save_pretrained(folder)
        return dict(load_file(Path(folder) / "model.safetensors"))
