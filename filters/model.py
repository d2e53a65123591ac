"""A Filter: an open_clip model with its tokenizer and card, and the folder it lives in.

The folder holds ``model.safetensors``, ``config.json`` (open_clip's model config), ``tokenizer.json`` where the
tokenizer is ours, ``card.json`` (what it was trained on and how, its metrics, its preprocessing). Its hash names it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import save_file

from curate.errors import RecipeError
from filters.checkpoint import Config, build, load_weights, read_config, stock_tokenizer
from filters.tokenizer import TextTokenizer, WordPiece, train_wordpiece

_LENGTHS = (16, 32)  # texts are cut to the first of these that holds them, else kept whole: few shapes, little waste


@dataclass(frozen=True)
class ModelRules:
    """What to train from: an architecture, weights to begin with, and whose tokenizer."""

    arch: str = "radsift-tiny"  # of filters/configs, any of open_clip's, or a path to an open_clip model config
    checkpoint: str | None = None  # a local .safetensors or .pt file, or a filter folder; None begins at random
    tokenizer: Literal["open_clip", "wordpiece"] = "wordpiece"


class StockTokenizer:
    """open_clip's tokenizer for an architecture, as a `filters.tokenizer.TextTokenizer`."""

    def __init__(self, config: Config) -> None:
        self._tokenizer = stock_tokenizer(config)
        self.context_length: int = config["text_cfg"].get("context_length", 77)
        self.vocab_size = int(getattr(self._tokenizer, "vocab_size", 0))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.context_length), np.int64)
        return np.asarray(self._tokenizer(list(texts), context_length=self.context_length), np.int64)


class Filter:
    """A model ready to encode. ``card`` is what card.json says; an empty one belongs to a filter in training."""

    def __init__(
        self, model: torch.nn.Module, tokenizer: TextTokenizer, config: Config, card: dict[str, Any], device: str
    ) -> None:
        self.model = model.to(device).eval()
        self.tokenizer, self.config, self.card, self.device = tokenizer, config, card, device
        visual: Any = model.visual
        size = visual.image_size if isinstance(visual.image_size, tuple) else (visual.image_size, visual.image_size)
        if size[0] != size[1]:
            raise RecipeError(
                "filter.arch", f"images of {size[0]} x {size[1]} pixels", "an architecture with square images"
            )
        self.side: int = int(size[0])
        self.preprocessing: dict[str, Any] = {
            "side": self.side,
            "resize": "longest, padded with 0, area when shrinking",
            "window": "16 bit: least to greatest value",
            "mean": list(getattr(visual, "image_mean", None) or (0.48145466, 0.4578275, 0.40821073)),
            "std": list(getattr(visual, "image_std", None) or (0.26862954, 0.26130258, 0.27577711)),
        }
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(self.preprocessing["mean"], device=device).reshape(shape) * 255
        self._scale = 1 / (torch.tensor(self.preprocessing["std"], device=device).reshape(shape) * 255)

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """Unit rows float32[n, d] of uint8[n, c, side, side], c being 1 (grey) or 3 (RGB). Gradients flow."""
        x = (pixels.to(self.device).float() - self._mean) * self._scale  # grey becomes three channels here
        encoded: Any = self.model.encode_image
        return torch.nn.functional.normalize(encoded(x).float(), dim=-1)

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit rows float32[n, d] of ``texts``, each cut to the tokenizer's context length."""
        return self.encode_ids(torch.from_numpy(self.tokenizer(texts)))

    def encode_ids(self, ids: torch.Tensor) -> torch.Tensor:
        """Unit rows float32[n, d] of the tokenizer's int64[n, context_length]. Gradients flow."""
        ids = ids.to(self.device)
        length = int(self.lengths(ids).max()) if len(ids) else ids.shape[1]
        whole: Any = self.model.encode_text
        encoded = whole(ids) if length == ids.shape[1] else _encode_short(self.model, ids[:, :length])
        return torch.nn.functional.normalize(encoded.float(), dim=-1)

    def lengths(self, ids: torch.Tensor) -> torch.Tensor:
        """int64[n]: the columns each row needs; all of them where the tower does not allow cutting."""
        width = ids.shape[1]
        full = torch.full((len(ids),), width, device=ids.device)
        if not _is_cuttable(self.model):
            return full
        end = ids.argmax(dim=1) + 1
        for cut in sorted(_LENGTHS, reverse=True):
            if cut < width:
                full = torch.where(end <= cut, cut, full)
        return full


def _is_cuttable(model: torch.nn.Module) -> bool:
    """A causal tower that pools at the highest id, the end of text, sees nothing of what follows: cutting is exact."""
    return (
        isinstance(getattr(model, "attn_mask", None), torch.Tensor) and getattr(model, "text_pool_type", "") == "argmax"
    )


def _encode_short(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """open_clip's ``CLIP.encode_text`` on the first columns only, which it cannot do by itself."""
    n = ids.shape[1]
    dtype = model.transformer.get_cast_dtype()
    x = model.token_embedding(ids).to(dtype) + model.positional_embedding[:n].to(dtype)
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:n, :n]))
    x = x[torch.arange(len(ids), device=ids.device), ids.argmax(dim=1)]
    if model.text_projection is None:
        return torch.as_tensor(x)
    return torch.as_tensor(
        model.text_projection(x) if isinstance(model.text_projection, torch.nn.Linear) else x @ model.text_projection
    )


def create_filter(rules: ModelRules, texts: Sequence[str], vocab: int, device: str = "auto") -> Filter:
    """A filter to train: from ``rules.checkpoint``, or at random under torch's current seed.

    ``texts`` train the tokenizer where it is ours and new. RecipeError where the parts do not fit each other.
    """
    start = Path(rules.checkpoint) if rules.checkpoint else None
    if start is not None and start.is_dir():
        return _continue(load_filter(start, device), rules)
    config = check_rules(rules)
    if rules.tokenizer == "wordpiece":
        tokenizer: TextTokenizer = train_wordpiece(texts, vocab, config["text_cfg"].get("context_length", 77))
        config["text_cfg"] = {**config["text_cfg"], "vocab_size": tokenizer.vocab_size}
    else:
        tokenizer = StockTokenizer(config)
    model = build(config)
    if start is not None:
        load_weights(model, start, rules.arch)
    return Filter(model, tokenizer, config, {}, pick_device(device))


def check_rules(rules: ModelRules) -> Config:
    """The architecture's config; RecipeError, before any work, where there is none or the tokenizer cannot fit."""
    if rules.checkpoint and Path(rules.checkpoint).is_dir():
        return read_config(str(Path(rules.checkpoint) / "config.json"))
    config = read_config(rules.arch)
    if rules.tokenizer == "wordpiece":
        if rules.checkpoint:
            problem = "the checkpoint was trained with its own tokenizer"
            raise RecipeError("filter.tokenizer", problem, "tokenizer: open_clip")
        if "hf_model_name" in config["text_cfg"]:
            raise RecipeError("filter.tokenizer", f"{rules.arch} brings its own text tower", "tokenizer: open_clip")
    return config


def _continue(found: Filter, rules: ModelRules) -> Filter:
    arch, tokenizer = found.card["arch"], found.card["tokenizer"]
    if arch != arch_name(rules.arch) or tokenizer != rules.tokenizer:
        raise RecipeError(
            "filter.checkpoint",
            f"the filter is a {arch} with the {tokenizer} tokenizer",
            f"arch: {arch}, tokenizer: {tokenizer}",
        )
    return found


def arch_name(arch: str) -> str:
    """The architecture's name without its path: what a card may say."""
    return Path(arch).stem if arch.endswith(".json") else arch


def save_filter(found: Filter, folder: Path, card: dict[str, Any]) -> None:
    """Write the filter's folder; the same filter gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().cpu().contiguous().clone() for k, v in found.model.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    if isinstance(found.tokenizer, WordPiece):
        found.tokenizer.save(folder / "tokenizer.json")
    for name, content in (("config.json", found.config), ("card.json", card)):
        (folder / name).write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", "utf-8")


def load_filter(folder: Path, device: str = "auto") -> Filter:
    """The filter `save_filter` wrote, on ``device`` (auto: the GPU where there is one).

    RecipeError where a file is missing or damaged, or the weights are of another architecture.
    """
    try:
        card = json.loads((folder / "card.json").read_text("utf-8"))
        arch, ours = card["arch"], card["tokenizer"] == "wordpiece"
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{folder} is not a filter folder (card.json: {type(error).__name__})"
        raise RecipeError("filter", problem, "a folder `curate train-filter` wrote") from None
    config = read_config(str(folder / "config.json"))
    context = config["text_cfg"].get("context_length", 77)
    tokenizer: TextTokenizer = WordPiece.load(folder / "tokenizer.json", context) if ours else StockTokenizer(config)
    model = build(config)
    load_weights(model, folder / "model.safetensors", arch)
    return Filter(model, tokenizer, config, card, pick_device(device))


def filter_hash(folder: Path) -> str:
    """SHA-256, 64 hex digits, over names and bytes of the folder's files in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        total.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def checkpoint_hash(checkpoint: str | None) -> str | None:
    """SHA-256 of what training begins with, a filter's folder or a weights file; None where it begins at random."""
    if checkpoint is None:
        return None
    path = Path(checkpoint)
    if path.is_dir():
        return filter_hash(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pick_device(device: str) -> str:
    """``auto`` resolved; RecipeError where a GPU is asked for and there is none."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise RecipeError("device", f"{device}: torch sees no GPU", "device: cpu, or auto")
    return device
