"""Architectures: open_clip configs by name, path, folder or hub name. Nothing is downloaded unless a hub name is given.

A config may hold two things that open_clip's do not: ``preprocess_cfg`` (pixel mean and standard deviation), and in
``text_cfg`` an ``hf_config``, the transformers configuration of a text tower, so that a filter's folder needs no hub.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from curate.errors import RecipeError
from filters.towers.hub import fetch_folder, fetch_tag, find_weights, is_hub_name
from filters.towers.openclip import open_clip
from filters.towers.weights import check_finite, first_misfit, is_script, read_object, read_state

CONFIGS = Path(__file__).parent / "configs"
_KNOWN = json.loads((Path(__file__).parent / "text_towers.json").read_text("utf-8"))
# configurations of text towers by the name in ``text_cfg.hf_model_name``: a kilobyte that would need a hub
TEXT_TOWERS = {name: {**_KNOWN["shapes"][shape], **more} for name, (shape, more) in _KNOWN["names"].items()}
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)

Config = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """An architecture's config, its tokenizer files by name, and its weights where it has any."""

    config: Config
    files: Mapping[str, bytes] = field(default_factory=dict)
    weights: Path | None = None


def read_config(arch: str) -> Config:
    """The open_clip model config of ``arch``: one of ours, an open_clip name, or a path to a .json file.

    RecipeError where there is no such architecture, or the file is no model config.
    """
    return read_source(arch).config


def read_source(arch: str) -> Source:
    """``arch`` as `read_config` takes it, a folder in open_clip's layout, or a hub name (`filters.towers.hub`)."""
    if arch.startswith("hf-hub:"):
        return read_source(str(fetch_folder(arch)))
    if is_hub_name(arch):
        name, weights, preprocessing = fetch_tag(arch)
        return Source(_as_released(_named(name), preprocessing), {}, weights)
    path = Path(arch)
    if arch.endswith(".json"):
        return Source(_parse(path), tokenizer_files(path))
    if (path / "open_clip_config.json").is_file():
        config = path / "open_clip_config.json"
        return Source(_parse(config), tokenizer_files(config), find_weights(path))
    return Source(_named(arch))


def _named(arch: str) -> Config:
    """A config of ours or of open_clip's, with the pixel statistics if all its released weights share them."""
    shipped = CONFIGS / f"{arch}.json"
    if shipped.is_file():
        return _parse(shipped)
    name = arch.replace("/", "-")
    config = open_clip.get_model_config(name)
    if config is None:
        names = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.json")))
        raise RecipeError(
            "filter.arch",
            f"no architecture {arch!r}",
            f"{names}, lit, a name of open_clip.list_models(), or a .json file",
        )
    pretrained = open_clip.pretrained
    tags = pretrained.list_pretrained_tags_by_model(name)
    preprocessings = [pretrained.get_pretrained_cfg(name, tag) for tag in tags]
    statistics = {(tuple(s["mean"]), tuple(s["std"])) for s in preprocessings if s.get("mean") and s.get("std")}
    if len(statistics) == 1:
        mean, std = statistics.pop()
        config = config | {"preprocess_cfg": {"mean": list(mean), "std": list(std)}}
    return dict(config)


def _as_released(config: Config, preprocessing: Mapping[str, Any]) -> Config:
    """``config`` with the released weights' preprocessing and activation (OpenAI's and DFN's use the quick GELU)."""
    if preprocessing.get("quick_gelu"):
        config = config | {"quick_gelu": True}
    if preprocessing.get("mean") and preprocessing.get("std"):
        config = config | {"preprocess_cfg": {"mean": list(preprocessing["mean"]), "std": list(preprocessing["std"])}}
    return config


def _parse(path: Path) -> Config:
    if (content := read_object(path)) is None:
        raise RecipeError("filter.arch", f"cannot read {path}", "a path to an open_clip config")
    config = content.get("model_cfg", content)
    if not isinstance(config, dict) or not {"embed_dim", "vision_cfg", "text_cfg"} <= set(config):
        raise RecipeError(
            "filter.arch", f"{path} is no open_clip model config", "it needs embed_dim, vision_cfg and text_cfg"
        )
    preprocessing = content.get("preprocess_cfg", {})
    if {"mean", "std"} <= set(preprocessing):
        config["preprocess_cfg"] = {"mean": list(preprocessing["mean"]), "std": list(preprocessing["std"])}
    return _with_text_tower(dict(config), path.parent)


def _with_text_tower(config: Config, folder: Path) -> Config:
    """``config`` with the transformers config of its ``hf_model_name`` embedded: from a local folder, else from
    `TEXT_TOWERS`. Any other name is left as it is."""
    text = config["text_cfg"]
    if "hf_model_name" not in text or "hf_config" in text:
        return config
    for place in _places(text["hf_model_name"], folder):
        tower = read_object(place / "config.json")
        if tower and "model_type" in tower and not {"text_config", "vision_config"} & set(tower):
            break
    else:
        tower = dict(TEXT_TOWERS.get(text["hf_model_name"], {}))
    if tower:
        config["text_cfg"] = text | {"hf_config": tower, "hf_model_name": Path(text["hf_model_name"]).name}
    return config


def _places(name: str, folder: Path) -> tuple[Path, ...]:
    """Folders that may hold the files of the text tower ``name``, for a config in ``folder``."""
    return Path(name), folder / name, folder / Path(name).name, folder


def tokenizer_files(config: Path) -> dict[str, bytes]:
    """The transformers tokenizer files beside a model config or with its text tower; {} where there are none."""
    content = read_object(config) or {}
    text = content.get("model_cfg", content).get("text_cfg", {})
    for key in ("hf_tokenizer_name", "hf_model_name"):
        for place in reversed(_places(text[key], config.parent)) if text.get(key) else ():
            files = {name: (place / name).read_bytes() for name in TOKENIZER_FILES if (place / name).is_file()}
            if files:
                return files
    return {}


def build(config: Config) -> torch.nn.Module:
    """The model of an open_clip config with random weights, in float32 on the CPU; nothing is downloaded."""
    with _as_folder(config, {}) as folder:
        try:
            model: torch.nn.Module = open_clip.create_model(
                f"local-dir:{folder}", load_weights=False, pretrained_text=False, pretrained_image=False
            )
        except OSError:  # transformers, looking for the configuration of a text tower
            name = config["text_cfg"].get("hf_model_name")
            fix = "text_cfg.hf_model_name: a local folder with its config.json and tokenizer files"
            raise RecipeError("filter.arch", f"no configuration of the text tower {name!r}", fix) from None
        except (TypeError, ValueError, RuntimeError, AssertionError) as error:
            raise RecipeError("filter.arch", f"open_clip cannot build it ({error})", "correct the config") from None
    if isinstance(model, open_clip.CoCa):
        _begin_decoder(model)
    return model


@torch.no_grad()
def _begin_decoder(model: Any) -> None:
    """Initialise the projection: open_clip 3.3 never calls its decoder's initialisation and leaves it uninitialised."""
    projection = model.text_decoder.text_projection
    torch.nn.init.normal_(projection, std=projection.shape[0] ** -0.5)


def stock_tokenizer(config: Config, files: Mapping[str, bytes] | None = None) -> Callable[..., torch.Tensor]:
    """The tokenizer open_clip pairs with this config; ``files`` are a transformers tokenizer's where it needs one."""
    name = config["text_cfg"].get("hf_tokenizer_name") or ""
    with _as_folder(config, files or {}) as folder:
        try:
            if name and not files:
                stock = open_clip.tokenizer.HFTokenizer(
                    name,
                    context_length=config["text_cfg"].get("context_length", 77),
                    tokenizer_mode=config["text_cfg"].get("tokenizer_mode"),
                    **config["text_cfg"].get("tokenizer_kwargs", {}),
                )
            else:
                stock = open_clip.get_tokenizer(f"local-dir:{folder}")
        except (OSError, ValueError) as error:
            fix = "tokenizer.json and tokenizer_config.json beside the config"
            raise RecipeError("filter.tokenizer", f"no tokenizer {name!r} ({type(error).__name__})", fix) from None
    tokenizer: Callable[..., torch.Tensor] = stock
    return tokenizer


@contextmanager
def _as_folder(config: Config, files: Mapping[str, bytes]) -> Iterator[str]:
    """A temporary folder with the config for open_clip's ``local-dir:``, so that its registry of names is unchanged.

    open_clip's log messages meanwhile (no weights in the folder) are suppressed.
    """
    config = dict(config)
    statistics = config.pop("preprocess_cfg", {})
    root = logging.getLogger()
    root.addFilter(_is_not_of_open_clip)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            tower = config["text_cfg"].get("hf_config")
            if tower is not None:
                (folder / "config.json").write_text(json.dumps(tower), "utf-8")
                text = {k: v for k, v in config["text_cfg"].items() if k != "hf_config"}
                config["text_cfg"] = text | {"hf_model_name": name}
            for file, content in files.items():
                (folder / file).write_bytes(content)
            content_of_config = {"model_cfg": config, "preprocess_cfg": statistics}
            (folder / "open_clip_config.json").write_text(json.dumps(content_of_config), "utf-8")
            yield name
    finally:
        root.removeFilter(_is_not_of_open_clip)


def _is_not_of_open_clip(record: logging.LogRecord) -> bool:
    return Path(record.pathname).parent.name != "open_clip"


def load_weights(model: torch.nn.Module, path: Path, arch: str) -> None:
    """Load the weights of ``path`` into ``model``, with open_clip's conversions of other projects' formats.

    RecipeError where the file is missing, unreadable, holds anything but tensors (a pickle can run code: open_clip is
    given only what `filters.towers.weights.read_state` has read), or was made for another architecture than ``arch``.
    """
    state = read_state(path)
    try:
        if is_script(path):  # open_clip would run it
            with tempfile.NamedTemporaryFile(suffix=".pt") as plain:
                torch.save(state, plain.name)
                open_clip.factory.load_checkpoint(model, plain.name, strict=True, weights_only=True)
        else:
            open_clip.factory.load_checkpoint(model, str(path), strict=True, weights_only=True)
    except (RuntimeError, AssertionError, KeyError, AttributeError, IndexError, ValueError) as error:
        problem = f"{path.name} does not fit {arch}: {first_misfit(error)}"
        raise RecipeError("filter.checkpoint", problem, "name its own arch") from None
    check_finite(model, path.name)
