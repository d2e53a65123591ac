"""Create a Filter, write its folder and read it, whatever its layout.

The folder holds ``model.safetensors``, ``config.json`` (open_clip's model config), ``tokenizer.json`` and what else the
tokenizer needs, ``card.json`` (what it was trained on and how, its metrics, its preprocessing). Models that are not
open_clip's write their own ``config.json``. The folder's hash names the filter.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from curate.errors import RecipeError
from filters.rules import AUTO, ModelRules
from filters.towers import lit
from filters.towers.architectures import Config, Source, build, load_weights, read_config, read_source, tokenizer_files
from filters.towers.encoder import Filter as Filter
from filters.towers.encoder import OwnFolder
from filters.towers.encoder import StockTokenizer as StockTokenizer
from filters.towers.hub import OPEN_CLIP_CONFIG, OPEN_CLIP_WEIGHTS, fetch_folder, is_hub_name
from filters.towers.medclip import load_medclip, medclip_config
from filters.towers.tokenizer import TextTokenizer, WordPiece, train_wordpiece
from filters.towers.transformers_folder import read_model_config
from filters.towers.transformers_models import MODEL_TYPES, load_transformers
from filters.towers.weights import is_script, read_architecture, write_object, write_state

TOWERS = "towers"  # a folder within the folder of a filter that looks through another's
_READERS = {  # models without two towers: the recipe setting that loads them
    "blip": "method: blip, with checkpoint: this folder",
    "blip-2": "method: blip2, with encoder: this folder",
}
_SIGLIP_SCALE, _SIGLIP_BIAS = math.log(10), -10.0  # Zhai et al. 2023, section 3.2


def create_filter(
    rules: ModelRules, texts: Sequence[str], vocab: int, device: str = "auto", objective: str = "clip"
) -> Filter:
    """A filter to train: from ``rules.checkpoint``, or randomly initialised from torch's current seed.

    ``texts`` train the tokenizer where it is a new WordPiece. ``objective`` siglip adds a learned bias. RecipeError
    where the parts are incompatible.
    """
    model = _create(rules, texts, vocab, device)
    if objective == "siglip":
        _add_bias(model, randomly_initialized=rules.checkpoint is None and not is_hub_name(rules.arch))
    return model


def _create(rules: ModelRules, texts: Sequence[str], vocab: int, device: str) -> Filter:
    start = Path(rules.checkpoint) if rules.checkpoint else None
    if start is not None and (start / "card.json").is_file():
        return _continue(load_filter(start, device), rules)
    _check_own(rules, start)
    if rules.arch == lit.ARCH:
        return _wrap(lit.create(), pick_device(device))
    own_folder = _own_folder(rules, start)
    if own_folder is not None:
        return _wrap(load_own(own_folder), pick_device(device))
    source = _source(rules, start)
    config = source.config
    if rules.tokenizer == "wordpiece":
        tokenizer: TextTokenizer = train_wordpiece(texts, vocab, config["text_cfg"].get("context_length", 77))
        config["text_cfg"] = {**config["text_cfg"], "vocab_size": tokenizer.vocab_size}
    else:
        tokenizer = StockTokenizer(config, source.files)
    model = build(config)
    if source.weights is not None:
        load_weights(model, source.weights, rules.arch)
    return Filter(model, tokenizer, config, {}, pick_device(device))


def _own_folder(rules: ModelRules, start: Path | None) -> Path | None:
    """The initial folder (local or from the hub), where its model is not open_clip's."""
    folder = fetch_folder(rules.arch) if rules.arch.startswith("hf-hub:") else start
    if folder is None or not folder.is_dir() or is_open_clip(folder) or own_config(folder) is None:
        return None
    return folder


def _source(rules: ModelRules, start: Path | None) -> Source:
    if start is None:
        return read_source(rules.arch)
    if start.is_dir():
        return read_source(str(start))
    archive = is_script(start)
    if rules.arch == AUTO:
        return Source(read_architecture(start), {}, start)
    source = read_source(rules.arch)
    config = source.config | {"quick_gelu": True} if archive else source.config  # only OpenAI's are such archives
    return Source(config, source.files, start)


def _wrap(parts: tuple[Any, TextTokenizer], device: str) -> Filter:
    model, tokenizer = parts
    return Filter(model, tokenizer, model.config, {}, device)


def check_rules(rules: ModelRules) -> Config:
    """The architecture's config; RecipeError, before any work, where there is none or the tokenizer cannot fit."""
    start = Path(rules.checkpoint) if rules.checkpoint else None
    if start is not None and (start / "card.json").is_file():
        return _folder_config(start)
    _check_own(rules, start)
    if rules.arch == lit.ARCH:
        return lit.find_towers()
    own_folder = _own_folder(rules, start)
    if own_folder is not None:
        return own_config(own_folder) or {}
    return _source(rules, start).config


def _check_own(rules: ModelRules, start: Path | None) -> None:
    """RecipeError where the names of architecture, checkpoint and tokenizer are incompatible."""
    folder = start is not None and start.is_dir()
    if start is not None and folder:
        check_folder(start)
    if rules.arch == AUTO and not folder and not is_script(start):
        problem = "auto reads the checkpoint's folder, and there is none"
        raise RecipeError("filter.arch", problem, "checkpoint: a folder, or a TorchScript archive of OpenAI's CLIP")
    if folder and rules.arch != AUTO:
        raise RecipeError("filter.arch", f"{start} brings its own architecture, not {rules.arch}", "arch: auto")
    if start is not None and (rules.arch == lit.ARCH or is_hub_name(rules.arch)):
        raise RecipeError("filter.checkpoint", f"{rules.arch} brings its own weights", "no checkpoint")
    if rules.tokenizer != "wordpiece":
        return
    if rules.checkpoint:
        problem = "the checkpoint was trained with its own tokenizer"
        raise RecipeError("filter.tokenizer", problem, "tokenizer: open_clip")
    if rules.arch == lit.ARCH or is_hub_name(rules.arch) or "hf_model_name" in read_config(rules.arch)["text_cfg"]:
        raise RecipeError("filter.tokenizer", f"{rules.arch} brings its own text tower", "tokenizer: open_clip")


def _continue(model: Filter, rules: ModelRules) -> Filter:
    arch, tokenizer = model.card["arch"], model.card["tokenizer"]
    if (rules.arch not in (arch, AUTO) and arch_name(rules.arch) != arch) or tokenizer != rules.tokenizer:
        raise RecipeError(
            "filter.checkpoint",
            f"the filter is a {arch} with the {tokenizer} tokenizer",
            f"arch: {arch}, tokenizer: {tokenizer}",
        )
    return model


def _add_bias(model: Filter, randomly_initialized: bool) -> None:
    """Add the sigmoid loss's bias where the model has none; for a new model also set its initial temperature."""
    network: Any = model.model
    if getattr(network, "logit_bias", None) is not None:
        return
    if isinstance(network, OwnFolder) and not isinstance(network, lit.LitModel):
        problem = f"the layout of {arch_of(ModelRules(AUTO), model)} has no place for the sigmoid's bias"
        raise RecipeError("filter.objective", problem, "objective: clip, or a checkpoint of SigLIP")
    with torch.no_grad():
        network.logit_bias = torch.nn.Parameter(torch.full_like(network.logit_scale, _SIGLIP_BIAS))
        if randomly_initialized:
            network.logit_scale.fill_(_SIGLIP_SCALE)
    model.config["init_logit_bias"] = _SIGLIP_BIAS
    if randomly_initialized:
        model.config["init_logit_scale"] = _SIGLIP_SCALE


def arch_name(arch: str) -> str:
    """The architecture's name without its path, as the card records it."""
    return Path(arch).stem if arch.endswith(".json") else arch


def arch_of(rules: ModelRules, model: Filter) -> str:
    """The architecture's name in the card of a filter created by ``rules``."""
    if rules.arch != AUTO:
        return arch_name(rules.arch)
    return str(model.card.get("arch") or model.config.get("model_type") or AUTO)


def save_filter(model: Filter, folder: Path, card: dict[str, Any]) -> None:
    """Write the filter's folder; the same filter gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in getattr(model.tokenizer, "files", {}).items():
        (folder / name).write_bytes(content)
    if isinstance(model.tokenizer, WordPiece) and not isinstance(model.model, lit.LitModel):  # its package has it
        model.tokenizer.save(folder / "tokenizer.json")
    if isinstance(model.model, OwnFolder):
        model.model.save(folder)
    else:
        write_state(model.model.state_dict(), folder / "model.safetensors")
        write_object(folder / "config.json", model.config)
    write_object(folder / "card.json", card)


def load_filter(folder: Path, device: str = "auto") -> Filter:
    """The filter `save_filter` wrote, on ``device`` (auto: the GPU where there is one).

    RecipeError where a file is missing or damaged, or the weights are of another architecture.
    """
    try:
        card = json.loads((folder / "card.json").read_text("utf-8"))
        arch, is_wordpiece = card["arch"], card["tokenizer"] == "wordpiece"
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{folder} is not a filter folder (card.json: {type(error).__name__})"
        raise RecipeError("filter", problem, "a folder `curate train-filter` wrote") from None
    if own_config(folder) is not None:
        model, own_tokenizer = load_own(folder)
        return Filter(model, own_tokenizer, model.config, card, pick_device(device))
    config = _folder_config(folder)
    context = config["text_cfg"].get("context_length", 77)
    files = tokenizer_files(folder / "config.json")
    tokenizer: TextTokenizer = (
        WordPiece.load(folder / "tokenizer.json", context) if is_wordpiece else StockTokenizer(config, files)
    )
    built = build(config)
    load_weights(built, folder / "model.safetensors", arch)
    return Filter(built, tokenizer, config, card, pick_device(device))


def _folder_config(folder: Path) -> Config:
    """config.json of a filter's folder, of whatever kind."""
    return own_config(folder) or read_config(str(folder / "config.json"))


def bring_towers(source: Path, out: Path) -> None:
    """Copy the filter's folder ``source`` into ``out``, that of a filter that looks through its towers."""
    shutil.copytree(source, out / TOWERS, ignore=shutil.ignore_patterns("bank.*"))


def open_towers(folder: Path, device: str = "auto") -> Filter:
    """The towers that `bring_towers` left in ``folder``; errors as `load_filter`."""
    try:
        return load_filter(folder / TOWERS, device)
    except RecipeError as error:
        raise RecipeError(error.field, f"{folder.name}/{TOWERS}: {error.problem}", error.fix) from None


def is_open_clip(folder: Path) -> bool:
    """Whether ``folder`` is in open_clip's layout. One that holds both open_clip's and transformers' files, as LAION's
    on the hub do, is as long as it holds open_clip's weights."""
    if not (folder / OPEN_CLIP_CONFIG).is_file():
        return False
    config = read_model_config(folder) or {}
    return config.get("model_type") not in MODEL_TYPES or any((folder / n).is_file() for n in OPEN_CLIP_WEIGHTS)


def own_config(folder: Path) -> dict[str, Any] | None:
    """The configuration of a model that is not open_clip's; None where ``folder`` holds none that `load_own` reads."""
    config = read_model_config(folder)
    if config is not None and config["model_type"] in MODEL_TYPES:
        return config
    return lit.read(folder) or medclip_config(folder)


def load_own(folder: Path) -> tuple[Any, TextTokenizer]:
    """The model and the tokenizer of a folder that has an `own_config`; RecipeError where a part does not fit."""
    if (own_config(folder) or {}).get("model_type") in MODEL_TYPES:
        return load_transformers(folder)
    return load_medclip(folder) if lit.read(folder) is None else lit.load(folder)


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


def pick_device(device: str) -> str:
    """``auto`` resolved; RecipeError where a GPU is asked for and there is none."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise RecipeError("device", f"{device}: torch sees no GPU", "device: cpu, or auto")
    return device
