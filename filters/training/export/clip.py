"""An open_clip ViT CLIP as transformers' CLIPModel: check, configuration, names of weights."""

from __future__ import annotations

import re
from typing import Any

import torch

from filters.towers.encoder import Filter
from filters.towers.openclip import open_clip

_PLAIN_VISION = {
    "attentional_pool": False,
    "no_ln_pre": False,
    "final_ln_after_pool": False,
    "pool_type": "tok",
    "pos_embed_type": "learnable",
}
_PLAIN_TEXT = {
    "embed_cls": False,
    "no_causal_mask": False,
    "pool_type": "argmax",
    "proj_bias": False,
    "proj_type": "linear",
}
_NO_EXTRAS = ("ls_init_value", "block_type", "qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner",
              "scale_attn", "scale_fc", "act_kwargs", "norm_kwargs")  # fmt: skip


def why_not_clip(trained: Filter) -> str | None:
    """The reason why it cannot be a CLIPModel; None if it can."""
    vision, text = trained.config.get("vision_cfg", {}), trained.config.get("text_cfg", {})
    tower = getattr(trained.model, "visual", None)
    odd = [f"{k}: {c[k]}" for c in (vision, text) for k in _NO_EXTRAS if c.get(k)]
    for config, expected in ((vision, _PLAIN_VISION), (text, _PLAIN_TEXT)):
        odd += [f"{k}: {config[k]}" for k, value in expected.items() if config.get(k, value) != value]
    if not isinstance(trained.model, open_clip.CLIP):
        return f"transformers has no class for open_clip's {type(trained.model).__name__}"
    if not isinstance(tower, open_clip.transformer.VisionTransformer):
        return f"transformers' CLIPModel has no {type(tower).__name__} as its image tower"
    return f"transformers' CLIPModel has no {odd[0]}" if odd else None


def clip_config(trained: Filter) -> dict[str, Any]:
    vision, text = trained.config["vision_cfg"], trained.config["text_cfg"]
    model: Any = trained.model
    width, dim = int(vision["width"]), int(trained.config["embed_dim"])
    act = "quick_gelu" if trained.config.get("quick_gelu") else "gelu"
    ids = trained.tokenizer([""])[0]
    end = int(ids.argmax())
    tokens = {"bos_token_id": int(ids[0]), "eos_token_id": int(ids[end]), "pad_token_id": 0}
    return {
        "projection_dim": dim,
        "logit_scale_init_value": float(model.logit_scale.detach().reshape(())),
        "text_config": {
            "vocab_size": model.vocab_size,
            "hidden_size": int(text["width"]),
            "intermediate_size": model.transformer.resblocks[0].mlp.c_fc.out_features,
            "projection_dim": dim,
            "num_hidden_layers": int(text["layers"]),
            "num_attention_heads": int(text["heads"]),
            "max_position_embeddings": model.context_length,
            "hidden_act": act,
            **tokens,
        },
        "vision_config": {
            "hidden_size": width,
            "intermediate_size": model.visual.transformer.resblocks[0].mlp.c_fc.out_features,
            "projection_dim": dim,
            "num_hidden_layers": int(vision["layers"]),
            "num_attention_heads": width // int(vision.get("head_width", 64)),
            "image_size": trained.side,
            "patch_size": int(vision["patch_size"]),
            "hidden_act": act,
        },
        **({} if trained.logit()[1] == 0 else {"logit_bias": trained.logit()[1]}),
    }


_NAMES = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "logit_scale": "logit_scale",
}
_NORMS = {"visual.ln_pre": "vision_model.pre_layrnorm", "visual.ln_post": "vision_model.post_layernorm",
          "ln_final": "text_model.final_layer_norm"}  # fmt: skip
_BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)")
_INNER = {"mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2", "attn.out_proj": "self_attn.out_proj"}


def clip_weights(name: str, value: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """One of open_clip's weights under transformers' names; queries, keys and values are separate there."""
    if name == "logit_bias":
        return []
    if name in ("visual.proj", "text_projection"):
        linear = "visual_projection.weight" if name == "visual.proj" else "text_projection.weight"
        return [(linear, value.T.contiguous())]
    if name in _NAMES:
        return [(_NAMES[name], value.reshape(()) if name == "logit_scale" else value)]
    layer, _, kind = name.rpartition(".")
    if layer in _NORMS:
        return [(f"{_NORMS[layer]}.{kind}", value)]
    block = _BLOCK.fullmatch(name)
    if block is None:
        raise AssertionError(f"a CLIP of open_clip's has no {name}")
    place = f"{'vision' if block[1] else 'text'}_model.encoder.layers.{block[2]}."
    return block_weights(place, block[3], value)


def block_weights(place: str, name: str, value: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """A weight of one of open_clip's blocks, ``name`` within it, under its name in transformers' block ``place``."""
    layer, _, kind = name.rpartition(".")
    if layer in ("ln_1", "ln_2"):
        return [(f"{place}layer_norm{layer[-1]}.{kind}", value)]
    if layer == "attn":
        return in_three(f"{place}self_attn.", kind.removeprefix("in_proj_"), value)
    return [(f"{place}{_INNER[layer]}.{kind}", value)]


def in_three(place: str, kind: str, value: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """Queries', keys' and values' parts of one tensor."""
    return [(f"{place}{p}_proj.{kind}", v.clone()) for p, v in zip("qkv", value.chunk(3), strict=True)]
