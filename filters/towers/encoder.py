"""A Filter: two towers with their tokenizer and card, ready to encode images and texts to unit rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from curate.errors import RecipeError
from filters.towers.architectures import Config, stock_tokenizer
from filters.towers.preprocess import Pixels
from filters.towers.tokenizer import TextTokenizer, faster

# texts are cut to the first of these that holds them, else kept whole: few shapes, little waste
_LENGTHS = (16, 32, 48, 64)


@runtime_checkable
class OwnFolder(Protocol):
    """A model that is not open_clip's, and so knows itself how its folder is written."""

    def save(self, folder: Path) -> None:
        """Its weights and configuration into ``folder``; equal models give equal bytes."""
        ...


@runtime_checkable
class NativeImages(Protocol):
    """A model that reads images in their own aspect."""

    def encode_native(self, images: Sequence[Pixels]) -> torch.Tensor:
        """Rows float32[n, d] of images uint8[h, w, c]."""
        ...


class StockTokenizer:
    """open_clip's tokenizer for an architecture, as a `filters.towers.tokenizer.TextTokenizer`.

    ``files`` are those of a transformers tokenizer, kept so that a filter's folder holds them.
    """

    def __init__(self, config: Config, files: Mapping[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self._tokenizer = stock_tokenizer(config, self.files)
        self.context_length: int = config["text_cfg"].get("context_length", 77)
        self.vocab_size = int(getattr(self._tokenizer, "vocab_size", 0))
        self._faster = faster(self._tokenizer, self.context_length)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.context_length), np.int64)
        if self._faster is not None:
            return self._faster(texts)
        return np.asarray(self._tokenizer(list(texts), context_length=self.context_length), np.int64)


class Filter:
    """A model ready to encode. ``card`` is what card.json says; an empty one belongs to a filter in training.

    ``side`` is the image side it reads; ``native`` whether it also reads images in their own aspect.
    """

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
        self.native: bool = isinstance(model, NativeImages)
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

    def scaled(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32[n, 3, side, side] as the model reads it, of uint8[n, c, side, side], c being 1 (grey) or 3 (RGB).
        Cached features float32[n, f] of a frozen tower stay as they are."""
        if pixels.ndim == 2:
            return pixels.to(self.device)
        return (pixels.to(self.device).float() - self._mean) * self._scale  # grey becomes three channels here

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """Unit rows float32[n, d] of uint8[n, c, side, side], c being 1 (grey) or 3 (RGB). Gradients flow."""
        return image_rows(self.model, self.scaled(pixels))

    def encode_native(self, images: Sequence[Pixels]) -> torch.Tensor:
        """Unit rows float32[n, d] of images uint8[h, w, c] in their own aspect (`native` filters only)."""
        if not isinstance(self.model, NativeImages):
            raise TypeError("this filter reads square images only")
        return torch.nn.functional.normalize(self.model.encode_native(images).float(), dim=-1)

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit rows float32[n, d] of ``texts``, each cut to the tokenizer's context length."""
        return self.encode_ids(torch.from_numpy(self.tokenizer(texts)))

    def encode_ids(self, ids: torch.Tensor) -> torch.Tensor:
        """Unit rows float32[n, d] of the tokenizer's int64[n, context_length]. Gradients flow."""
        return text_rows(self.model, ids.to(self.device))

    def lengths(self, ids: torch.Tensor) -> torch.Tensor:
        """int64[n]: the columns each row needs; all of them where the tower does not allow cutting."""
        return _lengths(self.model, ids)

    def logit(self) -> tuple[float, float]:
        """(t, b): the pair's logit is t * cosine + b. A model of the softmax loss alone has no bias, and b is 0."""
        scale: Any = self.model.logit_scale
        bias: Any = getattr(self.model, "logit_bias", None)
        return math.exp(float(scale.detach())), 0.0 if bias is None else float(bias.detach())

    def probability(self, cosine: np.ndarray) -> np.ndarray:
        """float32[n]: sigma(t * cos + b), SigLIP's probability that a pair belongs together (2303.15343, eq. 1)."""
        scale, bias = self.logit()
        logit = np.clip(scale * np.asarray(cosine, np.float64) + bias, -700, 700)  # exp(710) is no float64
        return np.asarray(1 / (1 + np.exp(-logit)), np.float32)


def image_rows(model: Any, x: torch.Tensor) -> torch.Tensor:
    """Unit rows float32[n, d] of normalised float32[n, 3, side, side]. Gradients flow."""
    return torch.nn.functional.normalize(model.encode_image(x).float(), dim=-1)


def text_rows(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Unit rows float32[n, d] of int64[n, context_length] on the model's device, cut to what the batch needs."""
    whole = ids.is_floating_point() or not len(ids)  # cached features of a frozen tower
    length = ids.shape[1] if whole else int(_lengths(model, ids).max())
    short = length < ids.shape[1] and _is_causal(model)
    encoded = _encode_short(model, ids[:, :length]) if short else model.encode_text(ids[:, :length])
    return torch.nn.functional.normalize(encoded.float(), dim=-1)


def _lengths(model: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    width = ids.shape[1]
    full = torch.full((len(ids),), width, device=ids.device)
    pad = _pad_of(model)
    if pad is not None:
        end = width - (ids.flip(1) != pad).int().argmax(dim=1)
    elif getattr(model, "is_causal", False):
        end = model.text_ends(ids)  # type: ignore[operator]
    elif _is_causal(model):
        end = ids.argmax(dim=1) + 1
    else:
        return full
    for cut in sorted(_LENGTHS, reverse=True):
        if cut < width:
            full = torch.where(end <= cut, cut, full)
    return full


def _is_causal(model: torch.nn.Module) -> bool:
    """A causal tower that pools at the highest id, the end of text, sees nothing of what follows: cutting is exact."""
    return (
        isinstance(getattr(model, "attn_mask", None), torch.Tensor) and getattr(model, "text_pool_type", "") == "argmax"
    )


def _pad_of(model: Any) -> int | None:
    """The padding id of a text tower that masks padding everywhere, so that cutting it off is exact; else None."""
    if isinstance(getattr(model, "masked_pad", None), int):
        return int(model.masked_pad)
    text: Any = getattr(model, "text", None)
    if hasattr(text, "pooler") and hasattr(getattr(text, "config", None), "pad_token_id"):  # open_clip's HFTextEncoder
        return int(text.config.pad_token_id)
    return None


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
