"""A finished model's folder in transformers' layout, for AutoModel, AutoProcessor and AutoTokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from curate.errors import RecipeError
from filters.towers.encoder import Filter
from filters.towers.model import load_filter
from filters.towers.siglip import Siglip
from filters.towers.torchvision_ops import ensure
from filters.towers.transformers_clip import TransformersClip
from filters.training.export.clip import clip_config, clip_weights, why_not_clip
from filters.training.export.open_clip import new_folder, weights
from filters.training.export.siglip import joined, siglip_config, siglip_weights, why_not_siglip
from filters.training.export.tokenizer import clip_files, own_files

_FIT = "a ViT with open_clip's own text tower (ViT-*, radsift-tiny-vit), SigLIP's shape (ViT-*-SigLIP*), or a model \
begun from a folder of transformers'"
_OWN = (Siglip, TransformersClip)  # transformers' own classes


def check_transformers(trained: Filter) -> None:
    """RecipeError if transformers has no class for the architecture."""
    not_clip, not_siglip = why_not_clip(trained), why_not_siglip(trained)
    if not isinstance(trained.model, _OWN) and not_clip is not None and not_siglip is not None:
        raise RecipeError("export", f"not in transformers' layout: {not_clip}; {not_siglip}", _FIT)


def export_transformers(model_folder: Path, out: Path) -> None:
    """``out`` for transformers: config.json, model.safetensors, preprocessor_config.json, the tokenizer's files.

    A ViT CLIP becomes a CLIPModel; a sigmoid's bias, which CLIPModel does not have, is written to config.json
    (``logit_bias``): the caller computes sigma(t * cos + b). open_clip's SigLIP becomes a SiglipModel, whose
    texts are padded to the full length (``padding="max_length"``), as SigLIP's always are. Pixels are letterboxed as
    ours. A model of transformers' own classes is written as it is. RecipeError for other architectures.
    """
    trained = load_filter(model_folder, "cpu")
    if isinstance(trained.model, _OWN):
        with new_folder(model_folder, out, "transformers") as folder:
            trained.model.save(folder)
            _write(folder, getattr(trained.tokenizer, "files", {}))
        return
    check_transformers(trained)
    kind = "CLIP" if why_not_clip(trained) is None else "Siglip"
    model = _clip(trained) if kind == "CLIP" else _siglip(trained)
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


def _clip(trained: Filter) -> Any:
    """A CLIPModel with the weights."""
    ensure()
    from transformers import CLIPConfig, CLIPModel

    model: Any = CLIPModel(CLIPConfig(**clip_config(trained)))
    state = {renamed: value for name, v in weights(trained).items() for renamed, value in clip_weights(name, v)}
    model.load_state_dict(state, strict=True)
    return model


def _siglip(trained: Filter) -> Any:
    """A SiglipModel with the weights."""
    ensure()
    from transformers import SiglipConfig, SiglipModel

    model: Any = SiglipModel(SiglipConfig(**siglip_config(trained)))
    state = {renamed: value for name, v in weights(trained).items() for renamed, value in siglip_weights(name, v)}
    model.load_state_dict(joined(state), strict=True)
    return model


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
