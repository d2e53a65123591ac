"""LiT training on cached features: frozen towers run once, and only the heads are trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from curate.errors import RecipeError
from filters.towers.encoder import image_rows, text_rows
from filters.towers.lit import TEXT_FEATURES, LitModel
from filters.towers.model import Filter
from filters.training.pairs import Features, Pairs
from filters.training.rules import FilterTrainingRules

_CHUNK = 32


class HeadsModel(torch.nn.Module):
    """The heads of a LiT filter, under the same names, as a model whose inputs are cached features."""

    def __init__(self, model: LitModel) -> None:
        super().__init__()
        self.image_head, self.text_head = model.image_head, model.text_head
        self.logit_scale, self.logit_bias = model.logit_scale, model.logit_bias

    def encode_image(self, x: torch.Tensor) -> torch.Tensor:
        """Rows float32[n, d] of features float32[n, f]."""
        rows: torch.Tensor = self.image_head(x)
        return rows

    def encode_text(self, x: torch.Tensor) -> torch.Tensor:
        """Rows float32[n, d] of features float32[n, g]."""
        rows: torch.Tensor = self.text_head(x)
        return rows


class Heads:
    """The heads of a LiT filter as an encoder of cached features; they share the filter's parameters."""

    def __init__(self, whole: Filter, model: LitModel) -> None:
        self.model, self.device = HeadsModel(model), whole.device

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """Unit rows float32[n, d] of features float32[n, f]."""
        return image_rows(self.model, pixels.to(self.device))

    def encode_ids(self, ids: torch.Tensor) -> torch.Tensor:
        """Unit rows float32[n, d] of features float32[n, g]."""
        return text_rows(self.model, ids.to(self.device))


def check_lit_rules(rules: FilterTrainingRules) -> None:
    """RecipeError for options that need the towers in every step."""
    unsupported = [name for name in ("mirror", "caption", "distill", "masked", "patch_dropout") if getattr(rules, name)]
    if unsupported:
        raise RecipeError(
            f"filter.{unsupported[0]}", "the towers of lit are frozen, and asked once", "0, or another arch"
        )


def image_features(whole: Filter, model: LitModel, pairs: Pairs) -> Features:
    """The towers' features of ``pairs``; without augmentation, since each pair is encoded once."""
    chunks = np.array_split(np.arange(len(pairs.labels)), max(1, -(-len(pairs.labels) // _CHUNK)))
    rows = [model.image_features(whole.scaled(pairs.images(c))).cpu() for c in chunks]
    features: Any = torch.cat(rows).numpy()
    return Features(features, text_features(whole, model, pairs.ids), pairs.labels, pairs.groups, pairs.sentences)


def text_features(whole: Filter, model: LitModel, ids: torch.Tensor) -> torch.Tensor:
    """float32[n, g] of int64[n, context_length]; texts of similar length are batched together, to reduce padding."""
    lengths = (ids != model.masked_pad).sum(1)
    order = torch.argsort(lengths, stable=True)
    out = torch.zeros((len(ids), TEXT_FEATURES))
    for rows in torch.split(order, _CHUNK) if len(ids) else ():
        longest = max(1, int(lengths[rows].max()))
        out[rows] = model.text_features(ids[rows, :longest].to(whole.device)).cpu()
    return out
