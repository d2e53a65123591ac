"""The parts of a recipe that say what is kept of a picture and of a report."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from curate.deid.rules import Cut
from curate.part import Part
from curate.sources.reports.section import SECTIONS


def _section(name: str) -> str:
    if name not in SECTIONS:
        raise ValueError(f"no section '{name}'; there are {', '.join(SECTIONS)}")
    return name


class Image(Part):
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

    @model_validator(mode="after")
    def _window_has_a_width(self) -> Image:
        if isinstance(self.window, tuple) and not (math.isfinite(self.window[0]) and 1 <= self.window[1] < math.inf):
            raise ValueError(f"window is [center, width] with a width of at least 1, not {list(self.window)}")
        return self

    @model_validator(mode="after")
    def _jpeg_is_8_bit(self) -> Image:
        if self.format == "jpeg" and self.bits == 16:
            raise ValueError("jpeg holds 8 bits; use format: png for 16")
        return self


class Text(Part):
    """Which report sections make the text. ``cut``: what else goes: letterheads and signature blocks at its edges,
    sentences that only compare with priors, and sign-offs; each is counted."""

    sections: Annotated[tuple[Annotated[str, AfterValidator(_section)], ...], Field(min_length=1)] = (
        "findings",
        "impression",
        "body",
        "addendum",
    )
    """Sections of a report that make the text, in this order; body is what stands under no heading."""
    min_words: Annotated[int, Field(ge=1)] = 2
    """Texts of fewer words are dropped as text_too_short."""
    dates: Literal["mask", "shift"] = "shift"
    """Days in texts: shifted by the patient's own number of days, or masked."""
    cut: tuple[Cut, ...] = ("letterheads",)
    """What else goes and is counted: letterheads and signature blocks, sentences that only compare, sign-offs."""
