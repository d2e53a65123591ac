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
    places = tile_places([t.shape for t in tiles])
    height, width = max(t.shape[0] for t in tiles), max(t.shape[1] for t in tiles)
    colour, deep = any(t.ndim == 3 for t in tiles), any(t.dtype == np.uint16 for t in tiles)
    shape = (down * height, across * width, *((3,) if colour else ()))
    sheet = np.zeros(shape, np.uint16 if deep else np.uint8)
    for tile, (left, top, wide, high) in zip(tiles, places, strict=True):
        if deep and tile.dtype != np.uint16:
            tile = tile.astype(np.uint16) * _WIDE
        if tile.shape[:2] != (high, wide):
            way = cv2.INTER_AREA if high < tile.shape[0] or wide < tile.shape[1] else cv2.INTER_LINEAR
            tile = cv2.resize(tile, (wide, high), interpolation=way)
        cell = sheet[top : top + high, left : left + wide]
        cell[...] = tile[..., None] if colour and tile.ndim == 2 else tile
    return sheet


def tile_places(shapes: Sequence[Sequence[int]]) -> list[tuple[int, int, int, int]]:
    """Where `compose` puts tiles of these shapes (H, W, ...): left, top, width and height in pixels, in order."""
    if len(shapes) == 1:
        return [(0, 0, shapes[0][1], shapes[0][0])]
    across = math.ceil(math.sqrt(len(shapes)))
    height, width = max(s[0] for s in shapes), max(s[1] for s in shapes)
    places = []
    for i, (rows, columns, *_) in enumerate(shapes):
        scale = min(height / rows, width / columns)
        wide, high = min(width, max(1, round(columns * scale))), min(height, max(1, round(rows * scale)))
        if (rows, columns) == (height, width):
            wide, high = columns, rows
        left, top = i % across * width + (width - wide) // 2, i // across * height + (height - high) // 2
        places.append((left, top, wide, high))
    return places
