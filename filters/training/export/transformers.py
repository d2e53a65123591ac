"""A finished model's folder in transformers' layout, for AutoModel, AutoProcessor and AutoTokenizer.

A model of open_clip's becomes transformers' CLIPModel or SiglipModel where their weights are the same under other
names, which is tried: names and shapes must fit without a rest, and a picture and a text must get the same rows.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from curate.errors import RecipeError
from filters.towers.encoder import Filter
from filters.towers.model import load_filter
from filters.towers.openclip import open_clip
from filters.towers.torchvision_ops import ensure
from filters.towers.transformers_models import TransformersModel
from filters.training.export.open_clip import new_folder, weights
from filters.training.export.tokenizer import clip_files, own_files

_FIT = "a ViT with open_clip's own text tower (ViT-*, radsift-tiny-vit), SigLIP's shape (ViT-*-SigLIP*), or a model \
begun from a folder of transformers'"
_GELU = {"none": "gelu", "tanh": "gelu_pytorch_tanh"}
_SAME = 2e-5  # rows of unit length differ by rounding alone
# parts of the names of weights: open_clip's, or timm's below visual.trunk, and transformers'; applied in this order
_RENAMED = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^(?:text\.)?(?=(?:positional_|token_)embedding|transformer\.|ln_final)", "text_model."),
        (r"^text\.text_projection\.", "text_model.head."),
        (r"^visual\.proj$", "visual_projection.weight"),
        (r"^text_projection$", "text_projection.weight"),
        (r"^visual\.(?:trunk\.)?", "vision_model."),
        (r"(?:transformer\.resblocks|\bblocks)\.(?=\d)", "encoder.layers."),
        (r"\bpos(?:itional)?_embed(?:ding)?$", "embeddings.position_embedding.weight"),
        (r"\b(class_embedding|token_embedding\.weight)$", r"embeddings.\1"),
        (r"\b(?:conv1|patch_embed\.proj)\.", "embeddings.patch_embedding."),
        (r"^vision_model\.ln_pre\.", "vision_model.pre_layrnorm."),
        (r"^vision_model\.(?:ln_post|norm)\.", "vision_model.post_layernorm."),
        (r"\bln_final\.", "final_layer_norm."),
        (r"(layers\.\d+)\.(?:ln_|norm)([12])\.", r"\1.layer_norm\2."),
        (r"(layers\.\d+)\.attn\.(?:in_proj_|qkv\.)", r"\1.self_attn.qkv_proj."),
        (r"(layers\.\d+)\.attn\.(?:out_)?proj\.", r"\1.self_attn.out_proj."),
        (r"\.mlp\.c_fc\.", ".mlp.fc1."),
        (r"\.mlp\.c_proj\.", ".mlp.fc2."),
        (r"\battn_pool\.latent$", "head.probe"),
        (r"\battn_pool\.(?:q|kv)\.", "head.attention.in_proj_"),  # of two weights: see `_renamed`
        (r"\battn_pool\.proj\.", "head.attention.out_proj."),
        (r"\battn_pool\.norm\.", "head.layernorm."),
        (r"\battn_pool\.mlp\.", "head.mlp."),
    )
)


def check_transformers(trained: Filter) -> None:
    """RecipeError if transformers has no class for the architecture."""
    if not isinstance(trained.model, TransformersModel):
        _converted(trained)


def export_transformers(model_folder: Path, out: Path) -> None:
    """``out`` for transformers: config.json, model.safetensors, preprocessor_config.json, the tokenizer's files.

    A ViT CLIP becomes a CLIPModel; a sigmoid's bias, which CLIPModel does not have, is written to config.json
    (``logit_bias``): the caller computes sigma(t * cos + b). open_clip's SigLIP becomes a SiglipModel, whose
    texts are padded to the full length (``padding="max_length"``), as SigLIP's always are. Pixels are letterboxed as
    ours. A model of transformers' own classes is written as it is. RecipeError for other architectures.
    """
    trained = load_filter(model_folder, "cpu")
    if isinstance(trained.model, TransformersModel):
        with new_folder(model_folder, out, "transformers") as folder:
            trained.model.save(folder)
            _write(folder, getattr(trained.tokenizer, "files", {}))
        return
    kind, model = _converted(trained)
    files = own_files(trained) or clip_files(trained)
    if kind == "Siglip":
        files = _without_mask(files)
    with new_folder(model_folder, out, "transformers") as folder:
        model.config.architectures = [f"{kind}Model"]
        model.config.dtype = "float32"
        model.config.save_pretrained(folder)
        state = {name: value.contiguous() for name, value in model.state_dict().items()}
        save_file(state, folder / "model.safetensors", {"format": "pt"})
        _write(folder, files)
        (folder / "preprocessor_config.json").write_text(json.dumps(_pixels(trained, kind), indent=1) + "\n", "utf-8")


def _converted(trained: Filter) -> tuple[str, Any]:
    """("CLIP" or "Siglip", that model of transformers' with the weights); RecipeError if neither is the same model."""
    ensure()
    from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

    model: Any = trained.model
    visual = getattr(model, "visual", None)
    why = f"transformers has no class for open_clip's {type(model).__name__} of {type(visual).__name__}"
    if isinstance(model, open_clip.CLIP) and isinstance(visual, open_clip.transformer.VisionTransformer):
        kind = "CLIP"
    elif getattr(getattr(visual, "trunk", None), "attn_pool", None) is not None and hasattr(model, "text"):
        kind = "Siglip"
    else:
        raise RecipeError("export", f"not in transformers' layout: {why}", _FIT)
    try:
        converted: Any = (
            CLIPModel(CLIPConfig(**_clip_config(trained)))
            if kind == "CLIP"
            else SiglipModel(SiglipConfig(**_siglip_config(trained)))
        )
        converted.load_state_dict(_renamed(trained, converted.state_dict()), strict=True)
        differ = _difference(trained, converted.eval())
    except (RuntimeError, KeyError, ValueError, AttributeError, TypeError) as error:  # another text tower, say
        why = f"transformers' {kind}Model has other parts ({str(error).splitlines()[-1].strip()[:120]})"
    else:
        if differ < _SAME:
            return kind, converted
        why = f"transformers' {kind}Model makes other rows of the same weights"
    raise RecipeError("export", f"not in transformers' layout: {why}", _FIT)


@torch.no_grad()
def _difference(trained: Filter, converted: Any) -> float:
    """How far the rows of a drawn picture and of a text are from each other."""
    pixels = torch.randint(0, 256, (1, 3, trained.side, trained.side), generator=torch.Generator().manual_seed(0))
    ids = torch.from_numpy(trained.tokenizer(["Small left pleural effusion."]))
    found = converted(input_ids=ids, pixel_values=trained.scaled(pixels).cpu())
    rows = trained.encode_images(pixels), trained.encode_ids(ids)
    pairs = zip(rows, (found.image_embeds, found.text_embeds), strict=True)
    return max(float((ours.cpu() - theirs).abs().max()) for ours, theirs in pairs)


def _renamed(trained: Filter, expected: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """open_clip's weights under the names, and in the shapes, that transformers ``expected``: queries, keys and values
    are apart in its blocks, and together in its pooling head."""
    state: dict[str, torch.Tensor] = {}
    for name, value in weights(trained).items():
        renamed = name
        for pattern, replacement in _RENAMED:
            renamed = pattern.sub(replacement, renamed)
        if ".qkv_proj." in renamed:
            parts = zip("qkv", value.chunk(3), strict=True)
            state |= {renamed.replace("qkv_proj", f"{letter}_proj"): part.clone() for letter, part in parts}
        elif renamed in state:  # keys and values, after the queries
            state[renamed] = torch.cat([state[renamed], value])
        elif renamed != "logit_bias" or renamed in expected:
            transposed = renamed in ("visual_projection.weight", "text_projection.weight")
            shape = expected[renamed].shape if renamed.startswith("logit_") or "position_emb" in renamed else None
            state[renamed] = value.T if transposed else value if shape is None else value.reshape(shape)
    return state


def _clip_config(trained: Filter) -> dict[str, Any]:
    """CLIPConfig's arguments."""
    vision, text = trained.config["vision_cfg"], trained.config["text_cfg"]
    model: Any = trained.model
    width, dim = int(vision["width"]), int(trained.config["embed_dim"])
    act = "quick_gelu" if trained.config.get("quick_gelu") else "gelu"
    ids = trained.tokenizer([""])[0]
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
            "bos_token_id": int(ids[0]),
            "eos_token_id": int(ids.max()),
            "pad_token_id": 0,
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


def _siglip_config(trained: Filter) -> dict[str, Any]:
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


def _without_mask(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without attention mask in the tokenizer's output: SigLIP's text tower attends to padding."""
    config = json.loads(files["tokenizer_config.json"]) | {"model_input_names": ["input_ids"]}
    return files | {"tokenizer_config.json": (json.dumps(config, indent=1, ensure_ascii=False) + "\n").encode()}


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _pixels(trained: Filter, kind: str) -> dict[str, Any]:
    """preprocessor_config.json: the longest side scaled to ``side``, the rest black, as `filters.towers.preprocess`."""
    side = trained.side
    return {
        "image_processor_type": "CLIPImageProcessor",
        "processor_class": f"{kind}Processor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"max_height": side, "max_width": side},
        "resample": 3,  # bicubic
        "do_center_crop": True,  # smaller images are padded with 0, centred
        "crop_size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": trained.preprocessing["mean"],
        "image_std": trained.preprocessing["std"],
    }
