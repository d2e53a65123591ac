"""What reading an image file gives: the `Header` the index needs, the `Picture` the later steps work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from curate.errors import DropRecord
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


@dataclass(frozen=True)
class PixelRules:
    """How pixels become a picture.

    ``window``: "dicom", the header's VOI LUT or first window; "full", the frame's whole range; or (centre, width) in
    modality units. ``bits``: 8 for display values, 16 for unwindowed values. ``max_bytes`` bounds one decoded frame,
    and an inflated deflated file; ``min_side`` is the shortest side, in pixels, that is still a picture.
    """

    window: Literal["dicom", "full"] | tuple[float, float] = "dicom"
    bits: Literal[8, 16] = 8
    max_bytes: int = 1 << 30
    min_side: int = 16

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
