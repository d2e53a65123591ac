"""Pictures stored as indices of a palette are looked at in their colours: near indices may be far tones."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from curate.deid.quiet import UNPARSEABLE, quiet


def is_palette(header: Dataset | None) -> bool:
    """Whether the header says that [H, W] pixels are indices (PhotometricInterpretation PALETTE COLOR)."""
    if header is None:
        return False
    with quiet():
        try:
            return str(header.get("PhotometricInterpretation", "")).strip().upper() == "PALETTE COLOR"
        except UNPARSEABLE:
            return False


def coloured(indices: np.ndarray, header: Dataset) -> np.ndarray:
    """The [H, W] ``indices`` as colours [H, W, 3]; as they are where the header's palette does not parse."""
    with quiet():
        try:
            return np.asarray(apply_color_lut(indices, header))
        except UNPARSEABLE:
            return indices
