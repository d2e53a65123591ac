"""Augmentations that keep a radiograph's meaning: crop, shift, brightness. Never a flip: reports state sides."""

from __future__ import annotations

import torch

_ZOOM, _SHIFT = 0.12, 0.06  # of the side
_CONTRAST, _BRIGHTNESS = 0.2, 25.0  # factor 1 +- this; grey levels of 255
_LOCAL = (0.4, 0.7)  # of the side: the size of a local crop (DINO, 2104.14294: 5 to 40 % of the area)


def augment(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """uint8[n, c, side, side] to float32 in 0..255, each image zoomed, shifted and changed in brightness
    independently."""
    n = len(pixels)
    draw = torch.rand((n, 5), generator=generator) * 2 - 1
    theta = torch.zeros((n, 2, 3))
    theta[:, 0, 0] = 1 + _ZOOM * draw[:, 0]
    theta[:, 1, 1] = theta[:, 0, 0] * (1 + _ZOOM / 3 * draw[:, 4])
    theta[:, :, 2] = 2 * _SHIFT * draw[:, 1:3]  # the grid is 2 wide
    grid = torch.nn.functional.affine_grid(theta, list(pixels.shape), align_corners=False).to(pixels.device)
    moved = torch.nn.functional.grid_sample(pixels.float(), grid, align_corners=False)
    light = draw[:, 3].reshape(n, 1, 1, 1).to(pixels.device)
    gain = 1 + _CONTRAST * (torch.rand((n, 1, 1, 1), generator=generator) * 2 - 1).to(pixels.device)
    return (moved * gain + _BRIGHTNESS * light * (moved > 0)).clamp(0, 255)


def local_crop(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A random part of each image, scaled to the image's size: float32[n, c, side, side] in 0..255."""
    n = len(pixels)
    draw = torch.rand((n, 3), generator=generator)
    share = _LOCAL[0] + (_LOCAL[1] - _LOCAL[0]) * draw[:, 0]
    theta = torch.zeros((n, 2, 3))
    theta[:, 0, 0] = theta[:, 1, 1] = share
    theta[:, :, 2] = (2 * draw[:, 1:] - 1) * (1 - share[:, None])
    grid = torch.nn.functional.affine_grid(theta, list(pixels.shape), align_corners=False).to(pixels.device)
    return torch.nn.functional.grid_sample(pixels.float(), grid, align_corners=False)
