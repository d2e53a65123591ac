"""An EVA-02 image tower small enough to train on a laptop, by name in timm: none of timm's reads less than 224 pixels.

The blocks are those of EVA02-CLIP (2303.15389, table 3): rotary positions, SwiGLU, norms inside attention and MLP.
"""

from __future__ import annotations

from typing import Any

from filters.towers.torchvision_ops import ensure

NAME = "radsift_eva02_tiny_patch8_64"


def radsift_eva02_tiny_patch8_64(pretrained: bool = False, **kwargs: Any) -> Any:
    """4 blocks of width 128 on 64 x 64 pixels in patches of 8; there are no weights to be ``pretrained`` with."""
    if pretrained:
        raise ValueError(f"{NAME} has no pretrained weights")
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


def register() -> None:
    """Make timm know it; any number of times."""
    ensure()
    from timm.models import is_model, register_model

    if not is_model(NAME):
        register_model(radsift_eva02_tiny_patch8_64)
