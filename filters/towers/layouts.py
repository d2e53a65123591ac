"""Detect the layout of a folder of weights that is not open_clip's, and load it.

A folder that holds both open_clip's and transformers' files, as LAION's on the hub do, counts as open_clip's as long as
it holds open_clip's weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curate.errors import RecipeError
from filters.towers import lit
from filters.towers.hub import OPEN_CLIP_CONFIG, OPEN_CLIP_WEIGHTS
from filters.towers.medclip import load_medclip, medclip_config
from filters.towers.siglip import MODEL_TYPES as SIGLIP
from filters.towers.siglip import load_siglip
from filters.towers.tokenizer import TextTokenizer
from filters.towers.transformers_clip import MODEL_TYPES as CLIP
from filters.towers.transformers_clip import load_clip
from filters.towers.transformers_folder import read_model_config

_READERS = {  # models without two towers: the recipe setting that loads them
    "blip": "method: blip, with checkpoint: this folder",
    "blip-2": "method: blip2, with encoder: this folder",
}


def is_open_clip(folder: Path) -> bool:
    """Whether ``folder`` is in open_clip's layout."""
    if not (folder / OPEN_CLIP_CONFIG).is_file():
        return False
    config = read_model_config(folder) or {}
    return config.get("model_type") not in (*CLIP, *SIGLIP) or any((folder / n).is_file() for n in OPEN_CLIP_WEIGHTS)


def own_config(folder: Path) -> dict[str, Any] | None:
    """The configuration of a model that is not open_clip's; None where ``folder`` holds none that `load_own` reads."""
    config = read_model_config(folder)
    if config is not None and config["model_type"] in (*CLIP, *SIGLIP):
        return config
    return lit.read(folder) or medclip_config(folder)


def load_own(folder: Path) -> tuple[Any, TextTokenizer]:
    """The model and the tokenizer of a folder that has an `own_config`; RecipeError where a part does not fit."""
    config = own_config(folder) or {}
    if config.get("model_type") in CLIP:
        return load_clip(folder)
    if config.get("model_type") in SIGLIP:
        return load_siglip(folder)
    return lit.load(folder) if lit.is_folder(folder) else load_medclip(folder)


def check_folder(folder: Path) -> None:
    """RecipeError with the supported layouts where ``folder`` has none of them."""
    if is_open_clip(folder) or own_config(folder) is not None:
        return
    config = read_model_config(folder)
    kind = "" if config is None else f"; its config.json is of {config['model_type']!r}"
    problem = (
        f"{folder} is neither a filter's folder nor one of open_clip's, of transformers' CLIP or SigLIP, or"
        f" of MedCLIP's layout{kind}"
    )
    fix = "card.json, open_clip_config.json or config.json in it, and the weights"
    raise RecipeError("filter.checkpoint", problem, _READERS.get("" if config is None else config["model_type"], fix))
