"""SigLIP and SigLIP 2 as transformers stores them, behind the interface `filters.towers.encoder.Filter` needs.

Fixed-size checkpoints, SigLIP 2's too, are of ``model_type`` siglip; siglip2 is NaFlex (2502.14786, section 2.4): an
image keeps its aspect and becomes as many patches as fit the sequence, positions are interpolated to its grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from curate.errors import RecipeError
from filters.towers.preprocess import Pixels
from filters.towers.torchvision_ops import ensure
from filters.towers.transformers_folder import (
    FolderTokenizer,
    TransformersModel,
    load_model,
    read_model_config,
    read_preprocessor,
)

MODEL_TYPES = ("siglip", "siglip2")
_HALF = [0.5, 0.5, 0.5]  # the mean and deviation SigLIP was trained with, where the folder does not say
_PATCHES = 256  # as SigLIP 2 NaFlex was trained, where the folder does not say


def siglip_config(folder: Path) -> dict[str, Any] | None:
    """config.json of a folder in transformers' layout of SigLIP; None where it is no such folder."""
    config = read_model_config(folder)
    return config if config is not None and config["model_type"] in MODEL_TYPES else None


class Siglip(TransformersModel):
    """transformers' SiglipModel with square images."""

    def __init__(self, model: Any, preprocessor: dict[str, Any]) -> None:
        super().__init__(model, preprocessor, self._side(model), _HALF, _HALF)

    def _side(self, model: Any) -> int:
        return int(model.config.vision_config.image_size)

    @property
    def logit_bias(self) -> torch.nn.Parameter:
        """float32[1], b."""
        bias: torch.nn.Parameter = self.inner.logit_bias
        return bias

    def image_tokens(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(pooled float[n, d], tokens float[n, patches, d]) of normalised float[n, 3, side, side]."""
        outputs = self.inner.vision_model(pixel_values=x)
        return outputs.pooler_output, outputs.last_hidden_state

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        """Rows float[n, d]. The tower attends to padding, as it was trained: the ids must be of full length."""
        pooled: torch.Tensor = self.inner.text_model(input_ids=ids).pooler_output
        return pooled


class SiglipNaflex(Siglip):
    """transformers' Siglip2Model. A square image is one more shape: the largest whose patches fit."""

    def __init__(self, model: Any, preprocessor: dict[str, Any]) -> None:
        self.patch = int(model.config.vision_config.patch_size)
        self.most = int(preprocessor.get("max_num_patches") or _PATCHES)
        super().__init__(model, preprocessor)

    def _side(self, model: Any) -> int:
        return self.patch * math.isqrt(self.most)

    def image_tokens(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Siglip.image_tokens`; ``x`` may have any height and width that are multiples of the patch."""
        shape = (x.shape[2] // self.patch, x.shape[3] // self.patch)
        return self._run([_patches(image, self.patch) for image in x], [shape] * len(x))

    def encode_native(self, images: Sequence[Pixels]) -> torch.Tensor:
        """Rows float[n, d] of images uint8[h, w, c] in their own aspect, c 1 or 3."""
        mean, std = (torch.tensor(v).reshape(3, 1, 1) * 255 for v in (self.visual.image_mean, self.visual.image_std))
        patches, shapes = [], []
        for image in images:
            height, width = fit(image.shape[0], image.shape[1], self.patch, self.most)
            x = (resize(image, height, width) - mean) / std  # grey becomes three channels here
            patches.append(_patches(x, self.patch))
            shapes.append((height // self.patch, width // self.patch))
        return self._run(patches, shapes)[0]

    def _run(self, patches: list[torch.Tensor], shapes: list[tuple[int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Padded to the full sequence whatever the batch holds, so that a row does not depend on its neighbours."""
        device = self.logit_scale.device
        pixels = torch.zeros((len(patches), self.most, patches[0].shape[1]), device=device)
        mask = torch.zeros((len(patches), self.most), dtype=torch.int32, device=device)
        for i, rows in enumerate(patches):
            pixels[i, : len(rows)] = rows.to(device)
            mask[i, : len(rows)] = 1
        grid = torch.tensor(shapes, dtype=torch.int64, device=device)
        outputs = self.inner.vision_model(pixel_values=pixels, pixel_attention_mask=mask, spatial_shapes=grid)
        return outputs.pooler_output, outputs.last_hidden_state


def fit(height: int, width: int, patch: int, most: int) -> tuple[int, int]:
    """The greatest size, a multiple of ``patch`` each way, near the image's aspect, of at most ``most`` patches.

    Both sides are scaled alike and rounded up to whole patches (NaFlex preprocessing, 2502.14786, section 2.4).
    """

    def grid(scale: float) -> tuple[int, int]:
        rows, columns = (max(1, math.ceil(scale * side / patch)) for side in (height, width))
        return rows, columns

    low, high = 1e-6, 100.0  # magnification; halved until no further patch can be gained
    while high - low >= 1e-5:
        middle = (low + high) / 2
        rows, columns = grid(middle)
        low, high = (middle, high) if rows * columns <= most else (low, middle)
    rows, columns = grid(low)
    if rows * columns > most:  # a strip with an aspect beyond ``most``: one patch high, cut to the sequence
        rows, columns = min(rows, most), min(columns, most)
    return rows * patch, columns * patch


def resize(image: Pixels, height: int, width: int) -> torch.Tensor:
    """float32[c, height, width] in whole grey levels of uint8[h, w, c], bilinear and antialiased as in training."""
    x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    if x.shape[2:] != (height, width):
        x = torch.nn.functional.interpolate(x, (height, width), mode="bilinear", antialias=True)
    return x[0].round().clamp(0, 255)


def _patches(x: torch.Tensor, patch: int) -> torch.Tensor:
    """float[rows * columns, patch * patch * c] of float[c, h, w]: row by row, within a patch channels last."""
    channels, height, width = x.shape
    grid = x.reshape(channels, height // patch, patch, width // patch, patch)
    return grid.permute(1, 3, 2, 4, 0).reshape(-1, patch * patch * channels)


def load_siglip(folder: Path) -> tuple[Siglip, FolderTokenizer]:
    """The model and tokenizer of a folder in transformers' layout.

    RecipeError where a part is missing or damaged, or the weights are of another architecture.
    """
    ensure()
    from transformers import Siglip2Model, SiglipModel

    config = siglip_config(folder)
    if config is None:
        raise RecipeError(
            "filter.checkpoint", f"{folder} is no SigLIP folder", f"model_type {' or '.join(MODEL_TYPES)}"
        )
    naflex = config["model_type"] == "siglip2"
    model = load_model(Siglip2Model if naflex else SiglipModel, folder)
    kind = SiglipNaflex if naflex else Siglip
    context = int(model.config.text_config.max_position_embeddings)
    return kind(model, read_preprocessor(folder)), FolderTokenizer(folder, context)
