"""What training changes in pictures and texts: crop, shift, brightness; edited texts as hard negatives; and the
mirrored picture with the text that belongs to it. Never a flip alone: reports state sides.

Variants of texts are made once, before the first step, and sampled in every step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from filters.findings import edit
from filters.findings.edit import swap_sides

ZOOM, SHIFT = 0.12, 0.06  # of the side; also of single pictures (`filters.training.loader.augment_image`)
CONTRAST, BRIGHTNESS = 0.2, 25.0  # factor 1 +- this; grey levels of 255
_LOCAL = (0.4, 0.7)  # of the side: the size of a local crop (DINO, 2104.14294: 5 to 40 % of the area)
# phrases that mirroring makes untrue, or in which "right" is no side
_UNMIRRORED = re.compile(
    r"(?i)\b(left[- ]to[- ]right|dextro\w*|levo\w*|situs|right[- ](?:angle|away|handed)"
    r"|(?:is|are|was|all) right\b(?! (?:-?sided|\w)))"
)
_DRAWS = 4  # edits of each kind tried for a text


def augment(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """uint8[n, c, side, side] to float32 in 0..255, each image zoomed, shifted and changed in brightness
    independently."""
    n = len(pixels)
    draw = torch.rand((n, 5), generator=generator) * 2 - 1
    theta = torch.zeros((n, 2, 3))
    theta[:, 0, 0] = 1 + ZOOM * draw[:, 0]
    theta[:, 1, 1] = theta[:, 0, 0] * (1 + ZOOM / 3 * draw[:, 4])
    theta[:, :, 2] = 2 * SHIFT * draw[:, 1:3]  # the grid is 2 wide
    grid = torch.nn.functional.affine_grid(theta, list(pixels.shape), align_corners=False).to(pixels.device)
    moved = torch.nn.functional.grid_sample(pixels.float(), grid, align_corners=False)
    light = draw[:, 3].reshape(n, 1, 1, 1).to(pixels.device)
    gain = 1 + CONTRAST * (torch.rand((n, 1, 1, 1), generator=generator) * 2 - 1).to(pixels.device)
    return (moved * gain + BRIGHTNESS * light * (moved > 0)).clamp(0, 255)


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


def mirrored(text: str) -> str | None:
    """The text of the mirrored image, with every side exchanged; None if it names no side or cannot be mirrored."""
    swapped = text if _UNMIRRORED.search(text) else swap_sides(text)
    return None if swapped == text else swapped


@dataclass(frozen=True, eq=False)
class Variants:
    """For n pairs: the ids of each mirrored text, and a bank of edited ones.

    ``first[2 * i + m]`` to ``first[2 * i + m + 1]`` are pair i's rows of the bank, with m = 1 for its mirrored text.
    """

    mirrored: torch.Tensor  # like the pairs' ids, [n, ...]; the pair's own if it has no mirrored text
    mirrorable: NDArray[np.bool_]
    bank: torch.Tensor
    first: NDArray[np.int64]

    def draw(
        self, index: NDArray[np.int64], flipped: NDArray[np.bool_], count: int, rng: np.random.Generator
    ) -> torch.Tensor:
        """Ids [m, ...]: at most ``count`` wrong texts for each of the pairs ``index``."""
        rows: list[int] = []
        for slot in 2 * index + flipped:
            start, stop = int(self.first[slot]), int(self.first[slot + 1])
            rows += (rng.permutation(stop - start)[:count] + start).tolist()
        return self.bank[torch.tensor(rows, dtype=torch.int64)]


def make_variants(
    sentences: Sequence[str],
    kinds: Sequence[str],
    mirror: bool,
    encode: Callable[[list[str]], torch.Tensor],
    rng: np.random.Generator,
) -> Variants:
    """The variants of ``sentences``; ``encode`` converts texts to the form of the pairs' ids. No ``kinds``: empty
    bank."""
    swapped = [mirrored(text) if mirror else None for text in sentences]
    known: dict[str, list[str]] = {}
    texts: list[str] = []
    first = [0]
    for plain, other in zip(sentences, swapped, strict=True):
        for text in (plain, other):
            if text is not None and text not in known:
                known[text] = _edits(text, kinds, rng)
            texts += [] if text is None else known[text]
            first.append(len(texts))
    turned = encode([plain if other is None else other for plain, other in zip(sentences, swapped, strict=True)])
    mirrorable = np.array([other is not None for other in swapped], np.bool_)
    return Variants(turned, mirrorable, encode(texts), np.array(first, np.int64))


def _edits(text: str, kinds: Sequence[str], rng: np.random.Generator) -> list[str]:
    drawn = [edit(text, kind, rng) for kind in kinds for _ in range(_DRAWS)]
    return list(dict.fromkeys(edited for edited in drawn if edited is not None and edited != text))
