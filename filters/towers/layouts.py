"""Which layout a folder of weights has, where its model is not open_clip's, and who loads it.

A folder in open_clip's layout that holds transformers' files too, as LAION's do on the hub, is open_clip's as long as
weights of open_clip's lie in it.
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

_READERS = {  # of models that are no two towers: what reads them
    "blip": "method: blip, with checkpoint: this folder",
    "blip-2": "method: blip2, with encoder: this folder",
}


def is_open_clip(folder: Path) -> bool:
    """Whether ``folder`` is in open_clip's layout."""
    if not (folder / OPEN_CLIP_CONFIG).is_file():
        return False
    found = read_model_config(folder) or {}
    return found.get("model_type") not in (*CLIP, *SIGLIP) or any((folder / n).is_file() for n in OPEN_CLIP_WEIGHTS)


def own_config(folder: Path) -> dict[str, Any] | None:
    """The configuration of a model that is not open_clip's; None where ``folder`` holds none that `load_own` reads."""
    found = read_model_config(folder)
    if found is not None and found["model_type"] in (*CLIP, *SIGLIP):
        return found
    return lit.read(folder) or medclip_config(folder)


def load_own(folder: Path) -> tuple[Any, TextTokenizer]:
    """The model and the tokenizer of a folder that has an `own_config`; RecipeError where a part does not fit."""
    found = own_config(folder) or {}
    if found.get("model_type") in CLIP:
        return load_clip(folder)
    if found.get("model_type") in SIGLIP:
        return load_siglip(folder)
    return lit.load(folder) if lit.is_folder(folder) else load_medclip(folder)


def check_folder(folder: Path) -> None:
    """RecipeError, which says what loads, where ``folder`` holds nothing that two towers can be made from."""
    if is_open_clip(folder) or own_config(folder) is not None:
        return
    found = read_model_config(folder)
    kind = "" if found is None else f"; its config.json is of {found['model_type']!r}"
    problem = (
        f"{folder} is neither a filter's folder nor one of open_clip's, of transformers' CLIP or SigLIP, or"
        f" of MedCLIP's layout{kind}"
    )
    fix = "card.json, open_clip_config.json or config.json in it, and the weights"
    raise RecipeError("filter.checkpoint", problem, _READERS.get("" if found is None else found["model_type"], fix))
