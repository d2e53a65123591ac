"""A finished model's folder in open_clip's layout, for use without this product.

`filters.training.export.transformers` writes transformers'. The model is the same: embeddings differ by rounding alone.
Two things differ: open_clip resizes images by its own code (``resize_mode: longest``, bicubic where ours averages), and
repairs texts (ftfy, HTML entities, white space) before it tokenizes them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from curate.errors import RecipeError
from curate.storage import TEMPORARY, remove_tree
from filters.towers.encoder import Filter, OwnFolder
from filters.towers.model import load_filter
from filters.towers.openclip import TINY_EVA
from filters.training.export.tokenizer import own_files


def export_open_clip(model_folder: Path, out: Path) -> None:
    """``out`` for `open_clip.create_model_and_transforms("local-dir:OUT")` and `get_tokenizer`, both unchanged.

    open_clip_config.json, open_clip_model.safetensors, and the tokenizer's files if it is not open_clip's own.
    RecipeError if ``out`` is not empty, or open_clip cannot build the architecture by itself.
    """
    trained = load_filter(model_folder, "cpu")
    check_open_clip(trained)
    config = {k: v for k, v in trained.config.items() if k != "preprocess_cfg"}
    files = own_files(trained)
    if files:  # any name works with local-dir: open_clip reads the tokenizer from the folder itself
        config["text_cfg"] = {
            **config["text_cfg"],
            "hf_tokenizer_name": config["text_cfg"].get("hf_tokenizer_name") or _HERE,
        }
    pixels = {
        "size": [trained.side, trained.side],
        "mode": "RGB",
        "mean": trained.preprocessing["mean"],
        "std": trained.preprocessing["std"],
        "interpolation": "bicubic",
        "resize_mode": "longest",
        "fill_color": 0,
    }
    with new_folder(model_folder, out) as folder:
        written = {"model_cfg": config, "preprocess_cfg": pixels}
        (folder / "open_clip_config.json").write_text(json.dumps(written, indent=1) + "\n", "utf-8")
        for name, content in files.items():
            (folder / name).write_bytes(content)
        save_file(weights(trained), folder / "open_clip_model.safetensors", {"format": "pt"})


_HERE = "tokenizer"  # on the hub: the repository's own name


def check_open_clip(trained: Filter) -> None:
    """RecipeError if open_clip alone cannot build the model."""
    text, vision = trained.config.get("text_cfg", {}), trained.config.get("vision_cfg", {})
    if isinstance(trained.model, OwnFolder):
        problem = "the model is not open_clip's"
    elif vision.get("timm_model_name") == TINY_EVA:
        problem = f"timm by itself knows no {TINY_EVA}"
    elif "hf_model_name" in text:
        problem = "open_clip would look for the text tower's configuration on the hub"
    else:
        return
    raise RecipeError(
        "export", f"not in open_clip's layout: {problem}", "an architecture of open_clip's own towers or timm's"
    )


def weights(trained: Filter) -> dict[str, Any]:
    """The model's state, float32 on the CPU."""
    return {k: v.detach().cpu().contiguous().clone() for k, v in trained.model.state_dict().items()}


@contextmanager
def new_folder(model_folder: Path, out: Path, library: str = "open_clip") -> Iterator[Path]:
    """A temporary folder that is renamed to ``out`` when complete, with the model's README.md naming the ``library``.

    RecipeError if ``out`` is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RecipeError("export", f"{out} is there already", "a folder that is not, or is empty")
    folder = out.with_name(f"{out.name}{TEMPORARY}{uuid.uuid4().hex[:8]}")
    folder.mkdir(parents=True)
    try:
        yield folder
        if (model_folder / "README.md").is_file():
            text = (model_folder / "README.md").read_text("utf-8")
            named = text.replace("library_name: open_clip\n", f"library_name: {library}\n", 1)
            (folder / "README.md").write_text(named, "utf-8")
        if out.exists():
            out.rmdir()
        folder.replace(out)
    finally:
        remove_tree(folder, folder.parent)
