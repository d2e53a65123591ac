"""Frozen image encoders a Q-Former looks through: the image tower of a filter of ours, or BLIP-2's own ViT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from curate.errors import RecipeError
from filters.methods.blip import files
from filters.towers import torchvision_ops
from filters.towers.architectures import Config, build
from filters.towers.model import Filter, load_filter
from filters.towers.weights import read_folder

torchvision_ops.ensure()
from transformers.models.blip_2.modeling_blip_2 import Blip2VisionModel  # noqa: E402  after `ensure`

_TOWER = "encoder"  # .safetensors and .json of a tower's folder
_STAGES = 2  # of a tower without a class token, the last ones; the finer grid keeps where things are


class ImageEncoder(torch.nn.Module):
    """uint8[n, c, side, side] to tokens float32[n, t, width]; nothing in it is ever trained."""

    def __init__(self, side: int, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.side, self.mean, self.std = side, mean, std
        self.normalise = files.normaliser(mean, std)

    def frozen(self) -> ImageEncoder:
        """Itself, without gradients."""
        self.eval()
        for parameter in self.parameters():
            parameter.requires_grad_(False)
        return self

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return self.tokens(self.normalise(pixels))

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """The tokens of normalised pixels float32[n, 3, side, side]."""
        raise NotImplementedError

    def save(self, folder: Path) -> dict[str, torch.Tensor]:
        """Writes what it needs beside the Q-Former; returns tensors that belong into model.safetensors."""
        raise NotImplementedError


class TowerEncoder(ImageEncoder):
    """An open_clip image tower: the grids of its last two stages, the coarser one repeated to the finer's grid."""

    def __init__(self, visual: torch.nn.Module, config: Config, side: int, mean: list[float], std: list[float]) -> None:
        super().__init__(side, mean, std)
        self.visual: Any = visual
        self.config = config
        if not hasattr(visual, "forward_intermediates"):
            kind = type(visual).__name__
            raise RecipeError("encoder", f"open_clip's {kind} gives no token grid", "a ResNet, ViT or timm tower")
        self.frozen()

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32[n, h * w, channels], rows of the grid after one another, each channel group of unit scale."""
        with torch.no_grad():
            found = self.visual.forward_intermediates(
                pixels, indices=_STAGES, intermediates_only=True, output_fmt="NCHW"
            )
        grids = [g.float() for g in found["image_intermediates"]]
        size = max((tuple(g.shape[2:]) for g in grids), key=lambda s: s[0] * s[1])
        grids = [torch.nn.functional.interpolate(g, size=size, mode="nearest") for g in grids]
        rows = [g.flatten(2).transpose(1, 2) for g in grids]
        return torch.cat([torch.nn.functional.layer_norm(r, r.shape[2:]) for r in rows], dim=2)

    def save(self, folder: Path) -> dict[str, torch.Tensor]:
        """The tower's weights, and its config for open_clip."""
        files.save_weights(self.visual.state_dict(), folder / f"{_TOWER}.safetensors")
        header = {"config": self.config, "side": self.side, "mean": self.mean, "std": self.std}
        files.save_json(header, folder / f"{_TOWER}.json")
        return {}


class VitEncoder(ImageEncoder):
    """BLIP-2's own image encoder."""

    def __init__(self, config: Any, mean: list[float], std: list[float]) -> None:
        super().__init__(int(config.vision_config.image_size), mean, std)
        self.vision_model: Any = Blip2VisionModel(config.vision_config)
        self.frozen()

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32[n, 1 + patches, d]."""
        with torch.no_grad():
            return torch.as_tensor(self.vision_model(pixel_values=pixels).last_hidden_state)

    def save(self, folder: Path) -> dict[str, torch.Tensor]:
        """Its weights go under transformers' names."""
        files.save_preprocessing(self.side, self.mean, self.std, folder)
        return {f"vision_model.{k}": v for k, v in self.vision_model.state_dict().items()}


def of_filter(found: Filter) -> TowerEncoder:
    """The image tower of a filter, with the filter's preprocessing."""
    pixels = found.preprocessing
    visual: Any = found.model.visual
    return TowerEncoder(visual.cpu(), found.config, found.side, pixels["mean"], pixels["std"])


def of_filter_folder(folder: Path) -> TowerEncoder:
    """The image tower of the filter in ``folder``; RecipeError where it is none."""
    return of_filter(load_filter(folder, "cpu"))


def saved_tower(folder: Path) -> TowerEncoder | None:
    """The tower `TowerEncoder.save` left in ``folder``; None where the folder holds none."""
    if not (folder / f"{_TOWER}.json").is_file():
        return None
    header = files.read_json(folder / f"{_TOWER}.json")
    model: Any = build(header["config"])
    files.fill(model.visual, read_folder(folder, _TOWER), f"{folder.name}/{_TOWER}.safetensors", {})
    return TowerEncoder(model.visual, header["config"], int(header["side"]), header["mean"], header["std"])
