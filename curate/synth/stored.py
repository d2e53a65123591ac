"""From a rendered picture to the integers that a modality stores: bit depth, polarity, rescale, window, colour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.synth.canvas import Image
from curate.synth.faults import rescale_contrast

Frames = NDArray[Any]  # uint8, uint16 or int16: [n, h, w], or [n, h, w, 3] for colour

_CT_WINDOW = {"HEAD": (40.0, 80.0), "CHEST": (-500.0, 1500.0), "ABDOMEN": (60.0, 400.0)}


@dataclass(frozen=True)
class Stored:
    """Pixels as stored, and the attributes of PS3.3 C.7.6.3 and C.11 that describe them."""

    frames: Frames
    photometric: str
    bits_stored: int
    rescale: tuple[float, float] | None = None  # slope, intercept
    window: tuple[float, float] | None = None  # centre, width, after the rescale

    @property
    def signed(self) -> bool:
        """PixelRepresentation is 1."""
        return bool(np.issubdtype(self.frames.dtype, np.signedinteger))

    @property
    def colour(self) -> bool:
        """Three samples a pixel."""
        return self.frames.ndim == 4

    @property
    def ink(self) -> int:
        """The stored value displayed brightest in this picture; text in it stays visible with any window."""
        return int(self.frames.min() if self.photometric == "MONOCHROME1" else self.frames.max())


def store(images: list[Image], modality: str, body_part: str, rng: np.random.Generator) -> Stored:
    """The frames of one object as its modality would store them; ``rng`` chooses among the possible forms."""
    frames = np.stack(images)
    if modality == "CT":
        return _store_ct(frames, _CT_WINDOW[body_part], rng)
    if modality == "US":
        return _store_us(frames, rng)
    if modality == "MR":
        top = float(rng.choice([900.0, 1800.0, 3600.0]))
        window = (top * 0.45, top * 0.95) if rng.random() < 0.6 else None
        return Stored((frames * top).astype(np.uint16), "MONOCHROME2", 12, None, window)
    return _store_film(frames, rng)


def _store_ct(frames: Image, window: tuple[float, float], rng: np.random.Generator) -> Stored:
    if rng.random() < 0.25:
        whole = np.round(frames).astype(np.int16)
        return Stored(whole, "MONOCHROME2", 16, (1.0, 0.0), window)
    return Stored(
        np.clip(np.round(frames) + 1024, 0, 4095).astype(np.uint16), "MONOCHROME2", 12, (1.0, -1024.0), window
    )


def _store_film(frames: Image, rng: np.random.Generator) -> Stored:
    """8 or 12 bits; a fourth of the films is stored as a negative (MONOCHROME1)."""
    eight, negative = rng.random() < 0.3, rng.random() < 0.25
    bits = 8 if eight else 12
    top = (1 << bits) - 1
    values = np.round((0.05 + 0.85 * frames) * top)
    whole = (top - values if negative else values).astype(np.uint8 if eight else np.uint16)
    middle, width = 0.5 * top, 0.9 * top
    window = (middle, width) if rng.random() < 0.5 else None
    return Stored(whole, "MONOCHROME1" if negative else "MONOCHROME2", bits, None, window)


def _store_us(frames: Image, rng: np.random.Generator) -> Stored:
    grey = np.round(frames * 255).astype(np.uint8)
    if rng.random() < 0.3:
        return Stored(grey, "MONOCHROME2", 8)
    tint = np.array([1.0, 0.97, 0.9]) if rng.random() < 0.4 else np.ones(3)
    colour = (grey[..., None] * tint).astype(np.uint8)
    height, width = grey.shape[1:]
    bar = np.linspace(255, 0, height // 3)[None, :, None, None]
    colour[:, height // 8 : height // 8 + height // 3, width - 10 : width - 4] = bar  # the grey-scale bar
    return Stored(colour, "RGB", 8)


def as_displayed(stored: Stored) -> NDArray[np.uint8]:
    """The frames with 8 bits as a workstation displays them, white is bright."""
    if stored.frames.dtype == np.uint8:
        return 255 - stored.frames if stored.photometric == "MONOCHROME1" else stored.frames
    values = stored.frames.astype(np.float32)
    slope, intercept = stored.rescale or (1.0, 0.0)
    centre, width = stored.window or (float(values.mean()), 4.0 * float(values.std()) + 1.0)
    displayed = np.clip((values * slope + intercept - centre) / width + 0.5, 0, 1) * 255
    return np.asarray(255 - displayed if stored.photometric == "MONOCHROME1" else displayed).astype(np.uint8)


def near_copy(stored: Stored, rng: np.random.Generator) -> Stored:
    """The same picture windowed to 8 bits, with slightly different contrast and size."""
    return Stored(rescale_contrast(as_displayed(stored), rng), "RGB" if stored.colour else "MONOCHROME2", 8)


def blank(stored: Stored, rng: np.random.Generator) -> Stored:
    """The same object with one value everywhere."""
    value = int(rng.choice([stored.frames.min(), stored.frames.max(), np.median(stored.frames)]))
    return replace(stored, frames=np.full_like(stored.frames, value))
