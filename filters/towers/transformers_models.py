"""Models of transformers with two towers, as it stores them, behind the interface that
`filters.towers.encoder.Filter` needs: CLIP (openai/clip-vit-*, PubMedCLIP, most chest CLIPs), two towers of any kind
that it joined (``vision-text-dual-encoder``), SigLIP and SigLIP 2.

SigLIP's fixed-size checkpoints, SigLIP 2's too, are of ``model_type`` siglip; siglip2 is NaFlex (2502.14786, section
2.4): an image keeps its aspect and becomes as many patches as fit the sequence, positions are interpolated to its grid.
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
    CLIP_MEAN,
    CLIP_STD,
    FolderTokenizer,
    Picture,
    load_model,
    quiet,
    read_model_config,
    read_preprocessor,
)
from filters.towers.weights import write_object

_CLASSES = {
    "clip": "CLIPModel",
    "vision-text-dual-encoder": "VisionTextDualEncoderModel",
    "siglip": "SiglipModel",
    "siglip2": "Siglip2Model",
}
MODEL_TYPES = tuple(_CLASSES)
# the pixels' mean and deviation where the folder does not say
_SIGLIP = [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]
_PATCHES = 256  # as SigLIP 2 NaFlex was trained, where the folder does not say
_OLD_END = 2  # an eos_token_id that older configs say and transformers reads as "the highest id of the row"


class TransformersModel(torch.nn.Module):
    """One of transformers' models; ``preprocessor`` is preprocessor_config.json's content."""

    def __init__(self, model: Any, preprocessor: dict[str, Any]) -> None:
        super().__init__()
        self.inner, self.preprocessor = model, preprocessor
        self.config: dict[str, Any] = model.config.to_dict()
        text = model.config.text_config
        self._end = int(text.eos_token_id) if text.model_type == "clip_text_model" else None  # of a causal text tower
        if model.config.model_type == "vision-text-dual-encoder" and self._end is None:
            self.masked_pad = int(text.pad_token_id or 0)  # a text tower that masks padding everywhere
        mean, std = (CLIP_MEAN, CLIP_STD) if hasattr(model, "visual_projection") else _SIGLIP
        mean, std = preprocessor.get("image_mean") or mean, preprocessor.get("image_std") or std
        self.visual = Picture(self._side(), list(mean), list(std))

    def _side(self) -> int:
        return int(self.inner.config.vision_config.image_size)

    @property
    def logit_scale(self) -> torch.nn.Parameter:
        """float32[] or [1], the logarithm of t."""
        scale: torch.nn.Parameter = self.inner.logit_scale
        return scale

    @property
    def logit_bias(self) -> torch.nn.Parameter | None:
        """float32[1], b; None for a model of the softmax loss."""
        return getattr(self.inner, "logit_bias", None)

    def image_tokens(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(embedding float[n, d], tokens float[n, m, width]) of normalised float[n, 3, side, side]."""
        return self._projected(self.inner.vision_model(pixel_values=x))

    def _projected(self, outputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        rows, tokens = outputs.pooler_output, outputs.last_hidden_state
        rows = self.inner.visual_projection(rows) if hasattr(self.inner, "visual_projection") else rows
        return rows, tokens if tokens.ndim == 3 else tokens.flatten(2).mT

    def encode_image(self, x: torch.Tensor) -> torch.Tensor:
        """Rows float[n, d], not yet of unit length."""
        return self.image_tokens(x)[0]

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        """Rows float[n, d]. Of CLIP and joined towers, what follows the end of a text, or pads it, does not change its
        row. SigLIP's tower attends to padding, as it was trained: the ids must be of full length."""
        pad = getattr(self, "masked_pad", None)
        mask = {} if pad is None else {"attention_mask": (ids != pad).long()}
        rows: torch.Tensor = self.inner.text_model(input_ids=ids, **mask).pooler_output
        return self.inner.text_projection(rows) if hasattr(self.inner, "text_projection") else rows

    @property
    def is_causal(self) -> bool:
        """Whether `text_ends` has an answer."""
        return self._end is not None

    def text_ends(self, ids: torch.Tensor) -> torch.Tensor:
        """int64[n]: the columns a causal tower that pools at the end of text needs of each row."""
        at = ids.argmax(dim=1) if self._end == _OLD_END else ids.eq(self._end or 0).int().argmax(dim=1)
        return at + 1

    def save(self, folder: Path) -> None:
        """transformers' layout: config.json, model.safetensors, preprocessor_config.json."""
        with quiet():
            self.inner.save_pretrained(folder)
        write_object(folder / "preprocessor_config.json", self.preprocessor)


class SiglipNaflex(TransformersModel):
    """transformers' Siglip2Model. A square image is one more shape: the largest whose patches fit."""

    def __init__(self, model: Any, preprocessor: dict[str, Any]) -> None:
        self.patch = int(model.config.vision_config.patch_size)
        self.most = int(preprocessor.get("max_num_patches") or _PATCHES)
        super().__init__(model, preprocessor)

    def _side(self) -> int:
        return self.patch * math.isqrt(self.most)

    def image_tokens(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `TransformersModel`'s; ``x`` may have any height and width that are multiples of the patch."""
        return self._run(list(x))

    def encode_native(self, images: Sequence[Pixels]) -> torch.Tensor:
        """Rows float[n, d] of images uint8[h, w, c] in their own aspect, c 1 or 3."""
        mean, std = (torch.tensor(v).reshape(3, 1, 1) * 255 for v in (self.visual.image_mean, self.visual.image_std))
        sizes = [fit(image.shape[0], image.shape[1], self.patch, self.most) for image in images]
        # grey becomes three channels here
        return self._run([(resize(i, *size) - mean) / std for i, size in zip(images, sizes, strict=True)])[0]

    def _run(self, images: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Of normalised float[3, h, w]; padded to the full sequence whatever the batch holds, so that a row does not
        depend on its neighbours."""
        device, size = self.logit_scale.device, self.patch
        pixels = torch.zeros((len(images), self.most, 3 * size * size), device=device)
        mask = torch.zeros((len(images), self.most), dtype=torch.int32, device=device)
        shapes = [(image.shape[1] // size, image.shape[2] // size) for image in images]
        for i, (image, (rows, columns)) in enumerate(zip(images, shapes, strict=True)):
            grid = image.reshape(3, rows, size, columns, size).permute(1, 3, 2, 4, 0)  # within a patch channels last
            pixels[i, : rows * columns] = grid.reshape(rows * columns, -1).to(device)
            mask[i, : rows * columns] = 1
        grids = torch.tensor(shapes, dtype=torch.int64, device=device)
        return self._projected(
            self.inner.vision_model(pixel_values=pixels, pixel_attention_mask=mask, spatial_shapes=grids)
        )


def fit(height: int, width: int, patch: int, most: int) -> tuple[int, int]:
    """The greatest size, a multiple of ``patch`` each way, near the image's aspect, of at most ``most`` patches: as
    transformers finds it, but that a strip with an aspect beyond ``most`` is cut to the sequence."""
    from transformers.models.siglip2.image_processing_pil_siglip2 import get_image_size_for_max_num_patches

    rows, columns = (side // patch for side in get_image_size_for_max_num_patches(height, width, patch, most))
    if rows * columns > most:  # one patch high
        rows, columns = min(rows, most), min(columns, most)
    return rows * patch, columns * patch


def resize(image: Pixels, height: int, width: int) -> torch.Tensor:
    """float32[c, height, width] in whole grey levels of uint8[h, w, c], bilinear and antialiased as in training."""
    x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    if x.shape[2:] != (height, width):
        x = torch.nn.functional.interpolate(x, (height, width), mode="bilinear", antialias=True)
    return x[0].round().clamp(0, 255)


def load_transformers(folder: Path) -> tuple[TransformersModel, FolderTokenizer]:
    """The model and tokenizer of a folder in transformers' layout.

    RecipeError where a part is missing or damaged, or the weights are of another architecture.
    """
    ensure()
    import transformers

    kind = (read_model_config(folder) or {}).get("model_type")
    if kind not in _CLASSES:
        problem = f"{folder} is no folder of transformers' CLIP or SigLIP"
        raise RecipeError("filter.checkpoint", problem, f"model_type {' or '.join(MODEL_TYPES)}")
    model = load_model(getattr(transformers, _CLASSES[kind]), folder)
    text = model.config.text_config
    words = 0 if kind.startswith("siglip") else int(text.vocab_size)
    tokenizer = FolderTokenizer(folder, int(text.max_position_embeddings), words)
    wrapped = SiglipNaflex if kind == "siglip2" else TransformersModel
    return wrapped(model, read_preprocessor(folder)), tokenizer
