"""OpenAI's CLIP as it was released: TorchScript archives (ViT-B-32.pt, RN50.pt), whose shapes say the architecture."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from curate.errors import RecipeError
from filters.towers.weights import is_script, read_state

_HEAD = 64  # width of an attention head in all of them
_BLOCK = re.compile(r"^transformer\.resblocks\.(\d+)\.")


def is_archive(path: Path | None) -> bool:
    """Whether ``path`` is such an archive."""
    return path is not None and path.is_file() and is_script(path)


def read_architecture(path: Path) -> dict[str, Any]:
    """The open_clip model config of the archive at ``path``; RecipeError where it is not of OpenAI's CLIP."""
    state = read_state(path)
    try:
        return _architecture(state)
    except (KeyError, ValueError, IndexError) as error:
        problem = f"{path.name} is a TorchScript archive, but not of OpenAI's CLIP ({type(error).__name__}: {error})"
        raise RecipeError("filter.checkpoint", problem, "its state dict as .safetensors, and its arch") from None


def _architecture(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    vision = _vit(state) if "visual.proj" in state else _resnet(state)
    context, width = state["positional_embedding"].shape
    text = {
        "context_length": int(context),
        "vocab_size": int(state["token_embedding.weight"].shape[0]),
        "width": int(width),
        "heads": int(width) // _HEAD,
        "layers": len({m[1] for key in state if (m := _BLOCK.match(key))}),
    }
    embed = int(state["text_projection"].shape[1])
    return {"embed_dim": embed, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}


def _vit(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    patches = state["visual.conv1.weight"]
    side = math.isqrt(state["visual.positional_embedding"].shape[0] - 1)
    return {
        "image_size": side * patches.shape[-1],
        "layers": sum(key.startswith("visual.") and key.endswith(".attn.in_proj_weight") for key in state),
        "width": int(patches.shape[0]),
        "patch_size": int(patches.shape[-1]),
    }


def _resnet(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    side = math.isqrt(state["visual.attnpool.positional_embedding"].shape[0] - 1)
    blocks = [{key.split(".")[2] for key in state if key.startswith(f"visual.layer{i}.")} for i in (1, 2, 3, 4)]
    return {
        "image_size": side * 32,
        "layers": [len(b) for b in blocks],
        "width": int(state["visual.layer1.0.conv1.weight"].shape[0]),
        "patch_size": None,
    }
