"""Decoded and tokenised pairs in memory (a grey 64 px pair takes 4.6 kB)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from filters.towers import preprocess
from filters.towers.model import Filter


class Encoder(Protocol):
    """Encodes pairs to unit rows: a `Filter`, or its heads on cached features."""

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor: ...

    def encode_ids(self, ids: torch.Tensor) -> torch.Tensor: ...


@dataclass(frozen=True, eq=False)
class Pairs:
    """n pairs. Equal ``labels`` mark texts with equal token ids: they are no negatives of each other."""

    pixels: NDArray[Any]  # uint8[n, side, side, c]
    ids: torch.Tensor  # int64[n, context_length]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    sentences: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))  # the texts themselves

    def images(self, index: NDArray[np.int64]) -> torch.Tensor:
        """uint8[k, c, side, side] of the pairs ``index``."""
        return torch.from_numpy(self.pixels[index]).permute(0, 3, 1, 2)

    def texts(self, index: NDArray[np.int64]) -> torch.Tensor:
        """int64[k, context_length] of the pairs ``index``."""
        return self.ids[torch.from_numpy(index)]

    def take(self, mask: NDArray[np.bool_]) -> Pairs:
        """The pairs under ``mask``."""
        return replace(
            self,
            pixels=self.pixels[mask],
            ids=self.ids[torch.from_numpy(mask)],
            labels=self.labels[mask],
            groups=self.groups[mask],
            sentences=self.sentences[mask] if len(self.sentences) else self.sentences,
        )


class Features(Pairs):
    """Cached features of frozen towers: images ``pixels`` float32[n, f], texts ``ids`` float32[n, g]."""

    def images(self, index: NDArray[np.int64]) -> torch.Tensor:
        """float32[k, f] of the pairs ``index``."""
        return torch.from_numpy(self.pixels[index])


def decode_pairs(model: Filter, images: Sequence[bytes], texts: Sequence[str], groups: Sequence[str]) -> Pairs:
    """The pairs whose image decodes, in the form that ``model`` takes; RecipeError if none does."""
    pixels, decodable = preprocess.decode_all(images, model.side)
    ids = model.tokenizer([texts[i] for i in decodable])
    labels = np.unique(ids, axis=0, return_inverse=True)[1].reshape(-1)
    sentences = np.array([texts[i] for i in decodable], object)
    return Pairs(pixels, torch.from_numpy(ids), labels, np.array([groups[i] for i in decodable]), sentences)


def embed(encoder: Encoder, pairs: Pairs, chunk: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit rows float32[n, d] of all images, of all texts, on the CPU; no gradients."""
    chunks = np.array_split(np.arange(len(pairs.labels)), max(1, -(-len(pairs.labels) // chunk)))
    with torch.inference_mode():
        left = torch.cat([encoder.encode_images(pairs.images(c)).cpu() for c in chunks])
        right = torch.cat([encoder.encode_ids(pairs.texts(c)).cpu() for c in chunks])
    return left.clone(), right.clone()
