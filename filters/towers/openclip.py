"""open_clip, imported when something of it is first asked for.

With timm, torchvision and transformers it takes seconds, which a recipe, a status or a step without a model need not
wait for. It comes in here only, after `filters.towers.torchvision_ops.ensure`, and with a small EVA-02 image tower made
known to timm, none of whose reads less than 224 pixels.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import Any

from filters.towers import torchvision_ops

TINY_EVA = "radsift_eva02_tiny_patch8_64"


@cache
def _load() -> ModuleType:
    torchvision_ops.ensure()
    package = importlib.import_module("open_clip")
    from timm.models import is_model, register_model

    if not is_model(TINY_EVA):
        register_model(radsift_eva02_tiny_patch8_64)
    return package


def radsift_eva02_tiny_patch8_64(pretrained: bool = False, **kwargs: Any) -> Any:
    """4 blocks of EVA02-CLIP's (2303.15389, table 3: rotary positions, SwiGLU, norms inside attention and MLP), 128
    wide, on 64 x 64 pixels in patches of 8; there are no weights to be ``pretrained`` with."""
    if pretrained:
        raise ValueError(f"{TINY_EVA} has no pretrained weights")
    from timm.models.eva import Eva

    supported = {
        k: v for k, v in kwargs.items() if k in ("num_classes", "global_pool", "patch_drop_rate", "drop_path_rate")
    }
    return Eva(
        img_size=64,
        patch_size=8,
        embed_dim=128,
        depth=4,
        num_heads=4,
        qkv_fused=False,
        mlp_ratio=4 * 2 / 3,
        swiglu_mlp=True,
        scale_mlp=True,
        scale_attn_inner=True,
        use_rot_pos_emb=True,
        ref_feat_shape=(8, 8),
        **supported,
    )


class _OpenClip:
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by copy, inspect and their like of anything they meet
            raise AttributeError(name)
        return getattr(_load(), name)


open_clip: Any = _OpenClip()
