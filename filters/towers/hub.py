"""Hub names: ``hf-hub:org/name``, or ``ViT-B-32:laion2b_s34b_b79k``, an open_clip architecture and its weights' tag.

A recipe that holds such a name asks for a download: the one thing for which the switches of `curate.offline` are
lifted, and not where the user has set HF_HUB_OFFLINE. Where there is no network the names stand for nothing, and the
error says what to give instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curate import offline
from curate.errors import RecipeError
from filters.towers.openclip import open_clip
from filters.towers.torchvision_ops import ensure

OPEN_CLIP_CONFIG = "open_clip_config.json"
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_WEIGHTS = (*OPEN_CLIP_WEIGHTS, "model.safetensors", "pytorch_model.bin")
_FILES = (OPEN_CLIP_CONFIG, "config.json")


def is_hub_name(arch: str) -> bool:
    """Whether ``arch`` names weights on the hub rather than an architecture alone."""
    return arch.startswith("hf-hub:") or (":" in arch and not arch.endswith(".json"))


@contextmanager
def _allow_hub() -> Iterator[None]:
    """Allow requests to the hub, for a name that the user gave."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = offline.hub_is_shut()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def fetch_folder(arch: str) -> Path:
    """The local snapshot of ``hf-hub:org/name``: configuration, tokenizer, weights. RecipeError without a network."""
    ensure()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    patterns = ["*.json", "*.txt", "*.model", "*.safetensors"]
    name = arch.removeprefix("hf-hub:")
    try:
        with _allow_hub():
            folder = Path(snapshot_download(name, allow_patterns=patterns))
            if not _has_safetensors(folder):
                folder = Path(snapshot_download(name, allow_patterns=[*patterns, *_WEIGHTS, "pytorch_model-*.bin"]))
    except (OSError, HfHubHTTPError, HFValidationError, ValueError) as error:
        raise _no_hub(arch, error) from None
    return folder


def _has_safetensors(folder: Path) -> bool:
    """Whether safetensors weights exist; beside an open_clip_config.json only open_clip's own file counts."""
    if (folder / OPEN_CLIP_CONFIG).is_file() and (folder / "config.json").is_file():
        return (folder / OPEN_CLIP_WEIGHTS[0]).is_file()
    return any(folder.glob("*.safetensors"))


def fetch_tag(arch: str) -> tuple[str, Path, dict[str, Any]]:
    """The architecture's name, the local weights file of ``ARCH:tag``, one of ``open_clip.list_pretrained()``, and what
    open_clip knows of these weights: ``quick_gelu``, the pixels' ``mean`` and ``std``."""
    weights = open_clip.pretrained
    name, _, tag = arch.partition(":")
    chosen = weights.get_pretrained_cfg(name, tag)
    if not chosen:
        tags = ", ".join(weights.list_pretrained_tags_by_model(name)) or "no tags: correct the name before the colon"
        raise RecipeError("filter.arch", f"open_clip knows no weights {arch!r}", tags)
    try:
        with _allow_hub():
            path = Path(weights.download_pretrained(chosen))
    except (OSError, RuntimeError, ValueError) as error:
        raise _no_hub(arch, error) from None
    return name, path, dict(chosen)


def find_weights(folder: Path) -> Path:
    """The weights of a snapshot or of any folder in open_clip's layout; RecipeError where there are none."""
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    others = sorted(p for p in folder.glob("*") if p.suffix in (".safetensors", ".bin", ".pt", ".pth"))
    if len(others) != 1:
        listed = ", ".join(p.name for p in others) or "no weights"
        raise RecipeError("filter.checkpoint", f"{folder} holds {listed}", f"one of {', '.join(_WEIGHTS)}")
    return others[0]


def _no_hub(arch: str, error: Exception) -> RecipeError:
    local = "arch: auto with checkpoint: a folder holding " + " or ".join(_FILES) + " and the weights"
    return RecipeError("filter.arch", f"cannot fetch {arch!r} ({type(error).__name__})", local)
