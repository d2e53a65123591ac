"""open_clip's SigLIP (a timm ViT with a pooling head, a bidirectional text tower) as transformers' SiglipModel."""

from __future__ import annotations

import re
from typing import Any

import torch

from filters.towers.encoder import Filter
from filters.training.export.clip import block_weights, in_three

_GELU = {"none": "gelu", "tanh": "gelu_pytorch_tanh"}


def why_not_siglip(trained: Filter) -> str | None:
    """The reason why it cannot be a SiglipModel; None if it can."""
    vision, text = trained.config.get("vision_cfg", {}), trained.config.get("text_cfg", {})
    model: Any = trained.model
    trunk: Any = getattr(getattr(model, "visual", None), "trunk", None)
    pool = getattr(trunk, "attn_pool", None)
    if pool is None or vision.get("timm_proj") != "none" or trunk.num_prefix_tokens:
        return "its image tower is not SigLIP's"
    if not (text.get("no_causal_mask") and text.get("proj_bias") and text.get("pool_type") == "last"):
        return "its text tower is not SigLIP's"
    if getattr(model, "logit_bias", None) is None or text["width"] != trained.config["embed_dim"]:
        return "it has no bias, or towers of two widths"
    names = {renamed for name, value in model.state_dict().items() for renamed, _ in siglip_weights(name, value)}
    odd = sorted(n for n in names if n.startswith("?"))
    return f"SiglipModel has no {odd[0][1:]}" if odd else None


def siglip_config(trained: Filter) -> dict[str, Any]:
    """SiglipConfig's arguments."""
    model: Any = trained.model
    trunk, text = model.visual.trunk, model.text
    block, ids = text.transformer.resblocks[0], trained.tokenizer([""])[0]
    return {
        "text_config": {
            "vocab_size": text.vocab_size,
            "hidden_size": text.width,
            "intermediate_size": block.mlp.c_fc.out_features,
            "projection_size": text.output_dim,
            "num_hidden_layers": len(text.transformer.resblocks),
            "num_attention_heads": text.heads,
            "max_position_embeddings": text.context_length,
            "hidden_act": _GELU[block.mlp.gelu.approximate],
            "layer_norm_eps": text.ln_final.eps,
            "pad_token_id": int(ids[-1]),
            "bos_token_id": int(ids[0]),
            "eos_token_id": int(ids.max()),
        },
        "vision_config": {
            "hidden_size": trunk.embed_dim,
            "intermediate_size": trunk.blocks[0].mlp.fc1.out_features,
            "num_hidden_layers": len(trunk.blocks),
            "num_attention_heads": trunk.blocks[0].attn.num_heads,
            "image_size": trained.side,
            "patch_size": trunk.patch_embed.patch_size[0],
            "hidden_act": _GELU[getattr(trunk.blocks[0].mlp.act, "approximate", "tanh")],  # timm's GELUTanh says none
            "layer_norm_eps": trunk.norm.eps,
        },
    }


_NAMES = {
    "visual.trunk.patch_embed.proj.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.trunk.patch_embed.proj.bias": "vision_model.embeddings.patch_embedding.bias",
    "visual.trunk.norm.weight": "vision_model.post_layernorm.weight",
    "visual.trunk.norm.bias": "vision_model.post_layernorm.bias",
    "visual.trunk.attn_pool.latent": "vision_model.head.probe",
    "text.token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "text.positional_embedding": "text_model.embeddings.position_embedding.weight",
    "text.ln_final.weight": "text_model.final_layer_norm.weight",
    "text.ln_final.bias": "text_model.final_layer_norm.bias",
    "text.text_projection.weight": "text_model.head.weight",
    "text.text_projection.bias": "text_model.head.bias",
}
_BLOCK = re.compile(r"(visual\.trunk\.blocks|text\.transformer\.resblocks)\.(\d+)\.(.+)")
_POOL = {"proj": "attention.out_proj", "norm": "layernorm", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
_INNER = {
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "attn.proj": "self_attn.out_proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


def siglip_weights(name: str, value: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """One of open_clip's weights under transformers' names; unknown ones begin with a question mark.

    The pooling head's queries are separate from its keys and values here, but not there: see `joined`.
    """
    if name in ("logit_scale", "logit_bias"):
        return [(name, value.reshape(1))]
    if name in _NAMES:
        return [(_NAMES[name], value)]
    if name == "visual.trunk.pos_embed":
        return [("vision_model.embeddings.position_embedding.weight", value[0])]
    if name.startswith("visual.trunk.attn_pool."):
        layer, _, kind = name.removeprefix("visual.trunk.attn_pool.").rpartition(".")
        if layer in ("q", "kv"):
            return [(f"vision_model.head.attention.in_proj_{kind}|{layer}", value)]
        return [(f"vision_model.head.{_POOL[layer]}.{kind}", value)] if layer in _POOL else [(f"?{name}", value)]
    block = _BLOCK.fullmatch(name)
    if block is None:
        return [(f"?{name}", value)]
    if block[1].startswith("text"):
        return block_weights(f"text_model.encoder.layers.{block[2]}.", block[3], value)
    place = f"vision_model.encoder.layers.{block[2]}."
    layer, _, kind = block[3].rpartition(".")
    if layer == "attn.qkv":
        return in_three(f"{place}self_attn.", kind, value)
    return [(f"{place}{_INNER[layer]}.{kind}", value)] if layer in _INNER else [(f"?{name}", value)]


def joined(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Join the pooling head's queries, keys and values into one tensor."""
    out = {name: value for name, value in state.items() if "|" not in name}
    for name in sorted({name.partition("|")[0] for name in state if "|" in name}):
        out[name] = torch.cat([state[f"{name}|q"], state[f"{name}|kv"]])
    return out
