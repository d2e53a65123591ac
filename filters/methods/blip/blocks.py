"""Pairs through a model in blocks of one fixed shape (`filters.towers.blocks`), each text cut by its own length
alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from filters.towers.blocks import Blocks

LENGTHS = (16, 32, 64, 128)  # texts are cut to the first of these that holds them: few shapes, little waste


def by_length(
    blocks: Blocks, function: Callable[..., torch.Tensor], ids: torch.Tensor, *columns: torch.Tensor
) -> NDArray[np.float32]:
    """float32[n, ...]: ``function(*rows, rows of ids)`` of n rows, on the blocks' device; ids are padded with 0.

    A row's result depends on the row alone: neither on its neighbours' texts nor on how many they are.
    """
    used = (ids != 0).sum(1)
    width = torch.full_like(used, ids.shape[1])
    for length in sorted(LENGTHS, reverse=True):
        width = torch.where((used <= length) & (width > length), length, width)
    out: NDArray[np.float32] | None = None
    for length in torch.unique(width).tolist():
        mine = torch.nonzero(width == length)[:, 0]

        def run(index: torch.Tensor, length: int = length) -> torch.Tensor:
            rows = [c[index].to(blocks.device) for c in columns]
            return function(*rows, ids[index, :length].to(blocks.device))

        found = blocks(run, mine)
        out = np.empty((len(ids), *found.shape[1:]), np.float32) if out is None else out
        out[mine.numpy()] = found
    if out is None:
        raise ValueError("no rows")
    return out
