"""BLIP's folder, which is a checkpoint of transformers too, and the reading of checkpoints: tensors only, never code.

``config.json`` and ``model.safetensors`` hold the judge and the captioner under transformers' own names, so that
`BlipForImageTextRetrieval` and `BlipForConditionalGeneration` each load their part; a captioner with an image encoder
of its own lies in ``captioner.safetensors`` with ``captioner_config.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import save_file

from curate.errors import RecipeError
from filters.towers.tokenizer import WordPiece
from filters.towers.transformers_folder import read_preprocessor

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

ConfigT = TypeVar("ConfigT", bound="PreTrainedConfig")
_CLIP_MEAN, _CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; RecipeError naming it where there is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        problem = f"cannot read {path.name} of {path.parent.name} ({type(error).__name__})"
        raise RecipeError("filter.checkpoint", problem, "a folder transformers' save_pretrained wrote") from None
    if not isinstance(found, dict):
        raise RecipeError("filter.checkpoint", f"{path.name} is no object", "a folder save_pretrained wrote")
    return found


def read_config(path: Path, kind: type[ConfigT]) -> ConfigT:
    """transformers' config of class ``kind``; RecipeError naming the file where it is another model's, or none."""
    content = read_json(path)
    where, wanted = f"{path.parent.name}/{path.name}", str(kind.model_type)
    if content.get("model_type") != wanted:
        problem = f"{where} is of {content.get('model_type', 'no model')}"
        raise RecipeError("filter.checkpoint", problem, f"a checkpoint of {wanted}")
    try:
        made: ConfigT = kind(**{k: v for k, v in content.items() if k not in ("architectures", "transformers_version")})
    except (TypeError, ValueError, StrictDataclassError) as error:
        problem = f"{where}: {str(error).splitlines()[0][:200]}"
        raise RecipeError("filter.checkpoint", problem, "the config.json that came with the weights") from None
    return made


def fill(module: torch.nn.Module, weights: Mapping[str, torch.Tensor], name: str, tied: Mapping[str, str]) -> None:
    """``weights`` into ``module``, all of them and nothing else; ``tied`` names stand for one another where absent.

    RecipeError where a tensor is missing, has another shape or holds NaN: the file is named by ``name``.
    """
    given = {k: v for k, v in weights.items() if not k.endswith("position_ids")}  # a buffer older versions saved
    given |= {k: given[v] for k, v in tied.items() if k not in given and v in given}
    wanted = module.state_dict()
    missing = [k for k in wanted if k not in given]
    wrong = [k for k in wanted if k in given and given[k].shape != wanted[k].shape]
    if missing or wrong:
        at = (wrong or missing)[0]
        got = f"is {tuple(given[at].shape)}, not {tuple(wanted[at].shape)}" if wrong else "is not in it"
        raise RecipeError(
            "filter.checkpoint", f"{name} does not fit its config: {at} {got}", "give the file with its own config.json"
        )
    if not all(torch.isfinite(given[k]).all() for k in wanted if given[k].is_floating_point()):
        raise RecipeError("filter.checkpoint", f"{name} holds NaN or infinite weights", "use another checkpoint")
    with torch.no_grad():
        for key, value in wanted.items():
            value.copy_(given[key])


def save_weights(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Equal weights give equal bytes; tensors that share memory are written each for itself."""
    save_file({k: weights[k].detach().cpu().contiguous().clone() for k in sorted(weights)}, path)


def save_json(content: Any, path: Path) -> None:
    """Sorted, so that equal contents give equal bytes."""
    path.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", "utf-8")


def plain(config: Any) -> dict[str, Any]:
    """A transformers config without where it was loaded from and by which version."""

    def strip(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: strip(v) for k, v in value.items() if k not in ("_name_or_path", "transformers_version")}

    return dict(strip(config.to_dict()))


def save_tokenizer(tokenizer: WordPiece, folder: Path) -> None:
    """As transformers' AutoTokenizer reads it, with the same ids."""
    tokenizer.save(folder / "tokenizer.json")
    content = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": tokenizer.context_length,
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
    }
    save_json(content, folder / "tokenizer_config.json")


def save_preprocessing(side: int, mean: list[float], std: list[float], folder: Path) -> None:
    """How pixels become the model's input, in transformers' words where it has them."""
    content = {
        "image_mean": mean,
        "image_std": std,
        "size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "radsift_geometry": "longest side resized, padded with 0; 16 bit: least to greatest value",
    }
    save_json(content, folder / "preprocessor_config.json")


def read_preprocessing(folder: Path) -> tuple[list[float], list[float]]:
    """Mean and standard deviation in 0..1 the folder says; CLIP's, as BLIP uses, where it says none."""
    content = read_preprocessor(folder)
    return list(content.get("image_mean", _CLIP_MEAN)), list(content.get("image_std", _CLIP_STD))


def normaliser(mean: list[float], std: list[float]) -> Callable[[torch.Tensor], torch.Tensor]:
    """uint8 or float [n, 1 or 3, h, w] in 0..255 to normalised float32[n, 3, h, w], on the device it is on."""
    low, scale = torch.tensor(mean).reshape(1, 3, 1, 1) * 255, torch.tensor(std).reshape(1, 3, 1, 1) * 255

    def apply(pixels: torch.Tensor) -> torch.Tensor:
        return (pixels.float() - low.to(pixels.device)) / scale.to(pixels.device)

    return apply
