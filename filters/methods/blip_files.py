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
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from curate.errors import RecipeError
from filters.tokenizer import WordPiece

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

ConfigT = TypeVar("ConfigT", bound="PreTrainedConfig")
Weights = dict[str, torch.Tensor]
_CLIP_MEAN, _CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def read_weights(folder: Path, name: str = "model") -> Weights:
    """Every tensor of ``name``.safetensors, in one file or in shards; RecipeError names a file that cannot be read."""
    index = folder / f"{name}.safetensors.index.json"
    single = folder / f"{name}.safetensors"
    if single.is_file() or not index.is_file():
        return _read_file(single)
    shards = sorted(set(read_json(index).get("weight_map", {}).values()))
    out: Weights = {}
    for shard in shards:
        out |= _read_file(folder / Path(str(shard)).name)  # beside the index, whatever path it names
    return out


def _read_file(path: Path) -> Weights:
    if not path.is_file():
        others = [p.name for p in path.parent.glob("*") if p.suffix in (".bin", ".pt", ".pth", ".ckpt")]
        why = f"; {others[0]} can hold code and is not read" if others else ""
        raise RecipeError("filter.checkpoint", f"no {path.name} in {path.parent}{why}", "save it as .safetensors")
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError, ValueError) as error:
        problem = f"cannot read {path.name} ({type(error).__name__}): corrupt, or no safetensors"
        raise RecipeError("filter.checkpoint", problem, "save its state dict as .safetensors") from None


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
    said = read_json(path)
    where, wanted = f"{path.parent.name}/{path.name}", str(kind.model_type)
    if said.get("model_type") != wanted:
        problem = f"{where} is of {said.get('model_type', 'no model')}"
        raise RecipeError("filter.checkpoint", problem, f"a checkpoint of {wanted}")
    try:
        made: ConfigT = kind(**{k: v for k, v in said.items() if k not in ("architectures", "transformers_version")})
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

    def strip(said: Any) -> Any:
        if not isinstance(said, dict):
            return said
        return {k: strip(v) for k, v in said.items() if k not in ("_name_or_path", "transformers_version")}

    return dict(strip(config.to_dict()))


def save_tokenizer(tokenizer: WordPiece, folder: Path) -> None:
    """As transformers' AutoTokenizer reads it, with the same ids."""
    tokenizer.save(folder / "tokenizer.json")
    said = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": tokenizer.context_length,
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
    }
    save_json(said, folder / "tokenizer_config.json")


def read_tokenizer(folder: Path, context: int, vocab: int) -> WordPiece:
    """tokenizer.json, or BERT's vocab.txt; RecipeError where neither is there or its ids exceed the embedding."""
    if (folder / "tokenizer.json").is_file():
        found = WordPiece.load(folder / "tokenizer.json", context)
    elif (folder / "vocab.txt").is_file():
        from transformers import BertTokenizerFast

        lower = bool(_optional(folder / "tokenizer_config.json").get("do_lower_case", True))
        bert: Any = BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=lower)
        found = WordPiece(Tokenizer.from_str(bert.backend_tokenizer.to_str()), context)
    else:
        problem = f"{folder.name} holds no tokenizer.json and no vocab.txt"
        raise RecipeError("filter.checkpoint", problem, "put the checkpoint's tokenizer beside it")
    if found.vocab_size > vocab:
        problem = f"the tokenizer knows {found.vocab_size} tokens, the model {vocab}"
        raise RecipeError("filter.checkpoint", problem, "give the tokenizer of this checkpoint")
    return found


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def save_preprocessing(side: int, mean: list[float], std: list[float], folder: Path) -> None:
    """How pixels become the model's input, in transformers' words where it has them."""
    said = {
        "image_mean": mean,
        "image_std": std,
        "size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "radsift_geometry": "longest side resized, padded with 0; 16 bit: least to greatest value",
    }
    save_json(said, folder / "preprocessor_config.json")


def read_preprocessing(folder: Path) -> tuple[list[float], list[float]]:
    """Mean and standard deviation in 0..1 of preprocessor_config.json; CLIP's, as BLIP uses, where there is none."""
    said = _optional(folder / "preprocessor_config.json")
    return list(said.get("image_mean", _CLIP_MEAN)), list(said.get("image_std", _CLIP_STD))


def normaliser(mean: list[float], std: list[float]) -> Callable[[torch.Tensor], torch.Tensor]:
    """uint8 or float [n, 1 or 3, h, w] in 0..255 to normalised float32[n, 3, h, w], on the device it is on."""
    low, scale = torch.tensor(mean).reshape(1, 3, 1, 1) * 255, torch.tensor(std).reshape(1, 3, 1, 1) * 255

    def apply(pixels: torch.Tensor) -> torch.Tensor:
        return (pixels.float() - low.to(pixels.device)) / scale.to(pixels.device)

    return apply
