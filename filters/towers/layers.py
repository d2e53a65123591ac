"""Access to parts of open_clip, timm and transformers towers: layer depth, image tokens, patch dropout."""

from __future__ import annotations

import re
from typing import Any

import torch

from curate.errors import RecipeError
from filters.towers.openclip import open_clip

_BLOCK = re.compile(r"(?:^|\.)(?:resblocks|blocks|layers|layer|stages)\.(\d+)\.|(?:^|\.)layer(\d+)\.\d+\.")
_INPUT = re.compile(
    r"conv\d\.|bn\d\.|ln_pre|class_embedding|positional_embedding|token_embedding|embeddings\.|patch_embed|pos_embed"
    r"|cls_token|reg_token|norm_pre|stem"
)
_IMAGE = ("visual.", "inner.vision_model.", "image_")
_WITHOUT_DEPTH = ("logit_scale", "logit_bias", "inner.logit_scale", "inner.logit_bias")


def depths(model: torch.nn.Module) -> dict[str, float]:
    """Distance of each trained parameter from its tower's head: 0 in the head, blocks + 1 in the embedding."""
    tower_and_depth: dict[str, tuple[str, int | None]] = {}
    last: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        tower = "image" if name.startswith(_IMAGE) else "text"
        tower_and_depth[name] = (tower, None if name in _WITHOUT_DEPTH else _depth(name))
        last[tower] = max(last.get(tower, 0), tower_and_depth[name][1] or 0)
    return {n: 0.0 if d is None else float(last[tower] + 1 - d) for n, (tower, d) in tower_and_depth.items()}


def _depth(name: str) -> int | None:
    """0 for the embedding, i + 1 for block i, None for what comes after the blocks."""
    block = _BLOCK.search(name)
    if block is not None:
        return int(block[1]) + 1 if block[1] is not None else int(block[2])  # a ResNet counts its layers from 1
    return 0 if _INPUT.search(name) else None


def image_tokens(model: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(embedding float[n, d], tokens float[n, m, width]) of normalised float[n, 3, side, side], in one pass.

    The tokens are what the tower pools: a ViT's patches, the positions of a ResNet's last map.
    """
    if hasattr(model, "image_tokens"):
        embedding_and_tokens: tuple[torch.Tensor, torch.Tensor] = model.image_tokens(x)
        return embedding_and_tokens
    visual: Any = getattr(model, "visual", None)
    if hasattr(visual, "trunk"):
        feature_map = visual.trunk.forward_features(x)
        return visual.head(
            visual.trunk.forward_head(feature_map)
        ), feature_map if feature_map.ndim == 3 else feature_map.flatten(2).mT
    if isinstance(visual, open_clip.transformer.VisionTransformer):
        before = visual.output_tokens
        visual.output_tokens = True
        try:
            pooled, tokens = visual(x)
        finally:
            visual.output_tokens = before
        return pooled, tokens
    if hasattr(visual, "attnpool"):
        outputs = visual.forward_intermediates(x, indices=1)
        return outputs["image_features"], outputs["image_intermediates"][-1].flatten(2).mT
    raise RecipeError("filter.caption", "this architecture gives no image tokens", "caption: 0, or another arch")


def set_patch_dropout(model: Any, share: float) -> None:
    """Drop this share of a ViT's patches in training. Patch dropout has no weights, so the saved model is unchanged.

    RecipeError for a tower that has no patches.
    """
    visual: Any = getattr(model, "visual", None)
    if isinstance(visual, open_clip.transformer.VisionTransformer):
        dropped = open_clip.transformer.PatchDropout(share) if share else torch.nn.Identity()
        visual.patch_dropout = dropped.train(visual.training)
        return
    trunk = getattr(visual, "trunk", None)
    if trunk is None or not hasattr(trunk, "patch_drop"):
        if share:
            raise RecipeError("filter.patch_dropout", "this image tower has no patches to drop", "0, or a ViT")
        return
    from timm.layers import PatchDropout
    from timm.layers.patch_dropout import PatchDropoutWithIndices

    rotary = type(trunk).__name__ == "Eva"  # its rotary positions must lose the same patches
    prefix = trunk.num_prefix_tokens
    none = None if rotary else torch.nn.Identity()
    kind = PatchDropoutWithIndices if rotary else PatchDropout
    trunk.patch_drop = kind(share, num_prefix_tokens=prefix).train(trunk.training) if share else none
