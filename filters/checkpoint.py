"""Architectures and weights: an open_clip config by name or path, weights from a file that can hold no code."""

from __future__ import annotations

import json
import logging
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from curate.errors import RecipeError
from filters import torchvision_ops

torchvision_ops.ensure()
import open_clip  # noqa: E402
from open_clip import ClipLoss as ClipLoss  # noqa: E402  open_clip comes in here only, after `ensure`
from open_clip.factory import load_checkpoint  # noqa: E402

CONFIGS = Path(__file__).parent / "configs"

Config = dict[str, Any]


def read_config(arch: str) -> Config:
    """The open_clip model config of ``arch``: one of ours, an open_clip name, or a path to a .json file.

    RecipeError where there is no such architecture, or the file is no model config.
    """
    if not arch.endswith(".json"):
        ours = CONFIGS / f"{arch}.json"
        known = (
            _parse(ours)
            if ours.is_file()
            else None
            if ":" in arch
            else open_clip.get_model_config(arch.replace("/", "-"))
        )
        if known is None:
            names = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.json")))
            raise RecipeError(
                "filter.arch",
                f"no architecture {arch!r}",
                f"{names}, a name of open_clip.list_models(), or a .json file",
            )
        return dict(known)
    return _parse(Path(arch))


def _parse(path: Path) -> Config:
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(
            "filter.arch", f"cannot read {path} ({type(error).__name__})", "a path to an open_clip config"
        ) from None
    config = config.get("model_cfg", config) if isinstance(config, dict) else {}
    if not {"embed_dim", "vision_cfg", "text_cfg"} <= set(config):
        raise RecipeError(
            "filter.arch", f"{path} is no open_clip model config", "it needs embed_dim, vision_cfg and text_cfg"
        )
    return dict(config)


def build(config: Config) -> torch.nn.Module:
    """The model of an open_clip config with random weights, in float32 on the CPU; nothing is downloaded."""
    with _as_folder(config) as folder:
        try:
            model: torch.nn.Module = open_clip.create_model(
                f"local-dir:{folder}", load_weights=False, pretrained_text=False, pretrained_image=False
            )
        except (TypeError, ValueError, AssertionError) as error:
            raise RecipeError("filter.arch", f"open_clip cannot build it ({error})", "correct the config") from None
    return model


def stock_tokenizer(config: Config) -> Callable[..., torch.Tensor]:
    """The tokenizer open_clip pairs with this config."""
    with _as_folder(config) as folder:
        found: Callable[..., torch.Tensor] = open_clip.get_tokenizer(f"local-dir:{folder}")
    return found


@contextmanager
def _as_folder(config: Config) -> Iterator[str]:
    """A config as the folder open_clip's ``local-dir:`` reads, so that its registry of names stays as it is.

    What open_clip logs meanwhile (no weights in the folder) is not news, and is kept quiet.
    """
    root = logging.getLogger()
    root.addFilter(_is_not_of_open_clip)
    try:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}), "utf-8")
            yield folder
    finally:
        root.removeFilter(_is_not_of_open_clip)


def _is_not_of_open_clip(record: logging.LogRecord) -> bool:
    return Path(record.pathname).parent.name != "open_clip"


def load_weights(model: torch.nn.Module, path: Path, arch: str) -> None:
    """Weights of ``path`` into ``model``, through open_clip's conversions of other projects' formats.

    RecipeError where the file is missing, unreadable, holds anything but tensors (a pickle can run code: it is
    refused before open_clip sees it), or was made for another architecture than ``arch``.
    """
    _check_tensors(path)
    try:
        load_checkpoint(model, str(path), strict=True, weights_only=True)
    except (RuntimeError, AssertionError, KeyError, AttributeError, IndexError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        detail = lines[1] if len(lines) > 1 else (lines or [type(error).__name__])[0]
        raise RecipeError(
            "filter.checkpoint", f"{path.name} does not fit {arch}: {detail[:300]}", "name its own arch"
        ) from None
    if not all(torch.isfinite(t).all() for t in model.state_dict().values() if t.is_floating_point()):
        raise RecipeError("filter.checkpoint", f"{path.name} holds NaN or infinite weights", "use another checkpoint")


def _check_tensors(path: Path) -> None:
    """Read once by the loaders that run no code; open_clip's own falls back to an unsafe one on some errors."""
    found: Any
    try:
        found = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except FileNotFoundError:
        raise RecipeError(
            "filter.checkpoint", f"no file {path}", "a local .safetensors or .pt file, or a filter folder"
        ) from None
    except pickle.UnpicklingError:
        raise RecipeError(
            "filter.checkpoint", f"{path.name} holds code, not only tensors; refused", "save it as .safetensors"
        ) from None
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError, KeyError) as error:
        problem = f"cannot read {path.name} ({type(error).__name__}): corrupt, or a TorchScript archive"
        raise RecipeError("filter.checkpoint", problem, "save its state dict as .safetensors") from None
    weights = found.get("state_dict", found) if isinstance(found, dict) else None
    if not weights or not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in weights.items()):
        raise RecipeError(
            "filter.checkpoint", f"{path.name} holds no state dict", "a checkpoint of open_clip or its state dict"
        )
