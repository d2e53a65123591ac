"""Several pictures as the tiles of one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

_WIDE = 257  # 8 bits as 16: 255 becomes 65535


def compose(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """``tiles`` (uint8 or uint16, [H, W] or [H, W, 3]) row by row on the squarest grid that holds them, over black.

    Every cell has the size of the largest tile; another is scaled to fit it and stands in its middle. Colour where one
    has colour, 16 bits where one has 16. A single tile is returned as it is.
    """
    if len(tiles) == 1:
        return tiles[0]
    across = math.ceil(math.sqrt(len(tiles)))
    down = math.ceil(len(tiles) / across)
    height, width = max(t.shape[0] for t in tiles), max(t.shape[1] for t in tiles)
    colour, deep = any(t.ndim == 3 for t in tiles), any(t.dtype == np.uint16 for t in tiles)
    shape = (down * height, across * width, *((3,) if colour else ()))
    sheet = np.zeros(shape, np.uint16 if deep else np.uint8)
    for i, tile in enumerate(tiles):
        if deep and tile.dtype != np.uint16:
            tile = tile.astype(np.uint16) * _WIDE
        tile = _fitted(tile, height, width)
        top = i // across * height + (height - tile.shape[0]) // 2
        left = i % across * width + (width - tile.shape[1]) // 2
        cell = sheet[top : top + tile.shape[0], left : left + tile.shape[1]]
        cell[...] = tile[..., None] if colour and tile.ndim == 2 else tile
    return sheet


def _fitted(tile: np.ndarray, height: int, width: int) -> np.ndarray:
    """The tile as large as the cell allows, its sides in proportion."""
    rows, columns = tile.shape[:2]
    if (rows, columns) == (height, width):
        return tile
    scale = min(height / rows, width / columns)
    size = min(width, max(1, round(columns * scale))), min(height, max(1, round(rows * scale)))
    return cv2.resize(tile, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
