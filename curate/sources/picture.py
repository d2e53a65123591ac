"""What reading an image file gives: the `Header` the index needs, the `Picture` the later steps work on, or several
as the tiles of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from curate.errors import DropRecord
from curate.part import PART
from curate.record import Reason

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@dataclass(frozen=True)
class Header:
    """What the index needs from one image file. All of it is PHI: never written in the clear."""

    kind: str  # "dicom" | "image"
    patient_id: str = ""
    patient_name: str = ""
    study_uid: str = ""
    series_uid: str = ""
    sop_uid: str = ""
    accession: str = ""
    study_date: str = ""  # YYYYMMDD, or "" where it does not hold eight digits
    frames: int = 1
    instance: int = 0
    rows: int = 0
    columns: int = 0
    modality: str = ""
    sop_class: str = ""  # UID
    image_type: str = ""  # the values, joined by a backslash
    conversion: str = ""  # ConversionType of a secondary capture
    series: int = 0  # SeriesNumber
    series_description: str = ""
    device: str = ""  # manufacturer and model
    position: int = 0  # along the slices' normal, micrometres; 0 where the header does not say


@dataclass(frozen=True)
class Picture:
    """One decoded frame.

    ``pixels`` is uint8 or uint16, C-contiguous, (rows, columns) or (rows, columns, 3) RGB; a colour frame whose
    three channels are equal is one channel. MONOCHROME1 is inverted: larger is brighter. ``dataset`` is the DICOM
    header without pixel data or file name (PHI), None for plain images.
    """

    pixels: np.ndarray
    dataset: Dataset | None


@pydantic_dataclass(frozen=True, config=PART)
class PixelRules:
    """What is kept of the pixels. png is lossless; jpeg is a declared lossy encode."""

    format: Literal["png", "jpeg"] = "png"
    """How pictures are written: png is lossless, jpeg a declared lossy encode (8 bits)."""
    quality: Annotated[int, Field(ge=50, le=100)] = 95
    """Of jpeg, 50 to 100."""
    side: Annotated[int, Field(ge=32)] | None = None
    """Longest side in px; larger pictures are reduced. Null keeps their own size."""
    bits: Literal[8, 16] = 8
    """8, or 16 for the stored range of DICOM in png."""
    window: Literal["dicom", "full"] | tuple[float, float] = "dicom"
    """Grey levels shown: the header's window (dicom), all stored values (full), or [center, width]."""
    min_side: Annotated[int, Field(ge=1)] = 16
    """Pictures of which a side is shorter, in px, are dropped as image_too_small."""
    max_bytes: Annotated[int, Field(ge=1)] = 1 << 30
    """Most bytes that a picture may take when it is decoded; beyond, decompression_limit."""

    def __post_init__(self) -> None:
        if isinstance(self.window, tuple) and not (math.isfinite(self.window[0]) and 1 <= self.window[1] < math.inf):
            raise ValueError(f"window is [center, width] with a width of at least 1, not {list(self.window)}")
        if self.format == "jpeg" and self.bits == 16:
            raise ValueError("jpeg holds 8 bits; use format: png for 16")

    def check_size(self, rows: int, columns: int, bytes_per_pixel: int) -> None:
        """Raise DropRecord TOO_SMALL or TOO_LARGE from the declared size, so before anything is decoded."""
        if min(rows, columns) < self.min_side:
            raise DropRecord(Reason.TOO_SMALL)
        if rows * columns * bytes_per_pixel > self.max_bytes:
            raise DropRecord(Reason.TOO_LARGE)


def finish(pixels: np.ndarray) -> np.ndarray:
    """C-contiguous, one channel where three are equal; DropRecord BLANK where every pixel has one value."""
    if pixels.ndim == 3 and all(np.array_equal(pixels[..., 0], pixels[..., k]) for k in (1, 2)):
        pixels = pixels[..., 0]
    if (pixels == pixels[0, 0]).all():
        raise DropRecord(Reason.BLANK)
    return np.ascontiguousarray(pixels)


_WIDE = 257  # 8 bits as 16: 255 becomes 65535


def compose(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """``tiles`` (uint8 or uint16, [H, W] or [H, W, 3]) row by row on the squarest grid that holds them, over black.

    Every cell has the size of the largest tile; another is scaled to fit it and stands in its middle. Colour where one
    has colour, 16 bits where one has 16. A single tile is returned as it is.
    """
    if len(tiles) == 1:
        return tiles[0]
    import cv2  # who reads a recipe does without

    across, places = math.ceil(math.sqrt(len(tiles))), tile_places([t.shape for t in tiles])
    height, width = max(t.shape[0] for t in tiles), max(t.shape[1] for t in tiles)
    colour, deep = any(t.ndim == 3 for t in tiles), any(t.dtype == np.uint16 for t in tiles)
    shape = (math.ceil(len(tiles) / across) * height, across * width, *((3,) if colour else ()))
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
