"""From stored values to a picture: modality LUT, VOI LUT or window, palette (PS3.3 C.7.6.3, C.11.1, C.11.2).

Every grey mapping is composed into one table over the stored values that occur and applied in a single look-up, so
the arithmetic is float64 at the cost of an index.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import text
from curate.sources.dicom.layout import Layout
from curate.sources.dicom.lut import read_palette
from curate.sources.grey import modality, padding_range, vois, window
from curate.sources.picture import PixelRules

ROBUST = (0.005, 0.995)  # share of the pixels below the darkest and the brightest shade of an unwindowed frame
_TABLE = 1 << 16


def show_grey(stored: np.ndarray, dataset: Dataset, layout: Layout, frame: int, rules: PixelRules) -> np.ndarray:
    """uint8 display values, or uint16 values where ``rules.bits`` is 16, of a monochrome frame (rows, columns).

    8 bits, the first of these that there is: ``rules.window`` where it is (centre, width); the VOI LUTs and then the
    windows, by their VOI LUT Function, less those under which the whole frame is of one shade, as they are proven to
    be another picture's; the range of the stored bits where they are at most 8 (so an 8-bit frame is kept as it is);
    the frame's own range, by its percentiles 0.5 and 99.5, by its extremes under "full" or where those coincide.
    Pixel Padding does not count for the range, nor for a window's proof. "full" skips VOI LUT and windows.

    16 bits: values after the modality LUT minus the frame's smallest; never scaled, except that fractional values and
    those spanning over 65535 are replaced by stored ones, stored ones spanning over 65535 lose low bits, and floats
    are spread from 0 to 65535.

    Inverted where Presentation LUT Shape says INVERSE (C.11.6), or without it where the frame is MONOCHROME1.
    Enhanced multi-frame objects: the frame's functional groups win over the shared ones. Floats that are no number
    are as dark as the smallest number.
    """
    if stored.dtype.kind == "f":
        stored = _numbers(stored)
    low, high = stored.min(), stored.max()
    by_table = stored.dtype.kind != "f" and int(high) - int(low) < _TABLE
    steps: np.ndarray = np.arange(int(low), int(high) + 1) if by_table else stored
    values = modality(steps, dataset, layout, frame)
    wide = rules.bits == 16
    table = _unwindowed(values, steps) if wide else _display(values, steps, stored, dataset, layout, frame, rules)
    if _inverted(dataset, layout):
        table = (table.max() if wide else 255) - table
    return np.asarray(table.take(_places(stored, int(low)))) if by_table else table


def _numbers(stored: np.ndarray) -> np.ndarray:
    finite = np.isfinite(stored)
    if not finite.any():
        raise DropRecord(Reason.BLANK)
    return np.where(finite, stored, stored[finite].min()).astype(np.float64)


def _inverted(dataset: Dataset, layout: Layout) -> bool:
    shape = text(dataset, "PresentationLUTShape").upper()
    return shape == "INVERSE" if shape in ("INVERSE", "IDENTITY") else layout.photometric == "MONOCHROME1"


def _places(stored: np.ndarray, low: int) -> np.ndarray:
    """``stored - low`` as uint16; modulo arithmetic, so that no wider copy is made of 16-bit frames."""
    if stored.dtype.itemsize > 2:
        return (stored.astype(np.int64) - low).astype(np.uint16)
    unsigned = stored.astype(np.int16).view(np.uint16) if stored.dtype.itemsize == 1 else stored.view(np.uint16)
    return np.asarray(unsigned - np.uint16(low & 0xFFFF)) if low else unsigned


def stretch(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """float64 in [0, 1]: ``low`` to ``high`` over the whole range; all 0 where they coincide."""
    return np.clip((values - low) / (high - low), 0.0, 1.0) if high > low else np.zeros(values.shape)


def to_byte(share: np.ndarray) -> np.ndarray:
    """uint8, rounded half up, of float64 in [0, 1]."""
    return np.asarray((share * 255.0 + 0.5).astype(np.uint8))


def show_palette(stored: np.ndarray, dataset: Dataset, layout: Layout, rules: PixelRules) -> np.ndarray:
    """(rows, columns, 3) RGB of a PALETTE COLOR frame (C.7.9), segmented palettes too; 16-bit ones cut to 8 bits,
    to the high byte, whether the writer made 16 bits of 8 by v << 8 or by v * 257.

    Raises DropRecord BAD_HEADER where the palette is missing or makes no table.
    """
    palette = read_palette(dataset, signed=layout.signed)
    low, high = int(stored.min()), int(stored.max())
    if high - low >= _TABLE:
        raise DropRecord(Reason.BAD_HEADER)
    steps = np.arange(low, high + 1)
    table = palette.colours(steps) if rules.bits == 8 else palette.entries[palette.places(steps)]
    return np.asarray(table.take(_places(stored, low), axis=0))


def show_colour(pixels: np.ndarray, stored_bits: int, rules: PixelRules) -> np.ndarray:
    """RGB in the wanted depth: 8-bit kept, deeper scaled by the range of the stored bits; uint16 kept under 16 bits."""
    if stored_bits <= 8 and pixels.max(initial=0) <= 255:
        return pixels.astype(np.uint8) if stored_bits == 8 else to_byte(stretch(pixels, 0, 2**stored_bits - 1))
    if rules.bits == 16:
        return pixels.astype(np.uint16) if stored_bits <= 16 else (pixels >> (stored_bits - 16)).astype(np.uint16)
    return to_byte(stretch(pixels, 0, 2**stored_bits - 1))


def _display(
    values: np.ndarray,
    steps: np.ndarray,
    stored: np.ndarray,
    dataset: Dataset,
    layout: Layout,
    frame: int,
    rules: PixelRules,
) -> np.ndarray:
    if isinstance(rules.window, tuple):
        return to_byte(window(values, *rules.window))
    padding = padding_range(dataset, layout)
    if rules.window == "dicom":
        occurring = None if padding is None and steps is not stored else _occurring(stored, padding)[0]
        for voi in vois(dataset, layout, frame):
            shades = to_byte(voi(values))
            if _shows(shades, steps, stored, occurring):
                return shades
    if layout.stored <= 8:
        half = 1 << (layout.stored - 1)
        ends = np.array([-half, half - 1] if layout.signed else [0, 2 * half - 1])
    else:
        ends = _range(stored, padding, rules.window == "full")
    reach = modality(ends, dataset, layout, frame)
    return to_byte(stretch(values, float(reach.min()), float(reach.max())))


def _shows(shades: np.ndarray, steps: np.ndarray, stored: np.ndarray, occurring: np.ndarray | None) -> bool:
    """Are there two shades among the frame's pixels? ``occurring``: its values without padding, None where there is
    none, so that the ends of the table are two of them."""
    if occurring is None and shades[0] != shades[-1]:
        return True
    if steps is stored:
        chosen = shades if occurring is None else shades[np.isin(stored, occurring)]
        return bool(chosen.size and chosen.min() != chosen.max())
    if occurring is None:
        occurring = _occurring(stored, None)[0]
    chosen = shades[occurring - int(steps[0])]
    return bool(chosen.min() != chosen.max())


def _occurring(stored: np.ndarray, padding: tuple[float, float] | None) -> tuple[np.ndarray, np.ndarray]:
    """The stored values of the frame, in order, and how often each is there; without padding, unless all of it is."""
    low, high = stored.min(), stored.max()
    if stored.dtype.kind != "f" and int(high) - int(low) < _TABLE:
        counts = np.bincount(_places(stored, int(low)).ravel())
        steps = np.flatnonzero(counts) + int(low)
        counts = counts[steps - int(low)]
    else:
        steps, counts = np.unique(stored, return_counts=True)
    if padding is not None:
        image = (steps < padding[0]) | (steps > padding[1])
        if image.any():
            return steps[image], counts[image]
    return steps, counts


def _range(stored: np.ndarray, padding: tuple[float, float] | None, full: bool) -> np.ndarray:
    """The two stored values that become black and white in a frame without a window."""
    steps, counts = _occurring(stored, padding)
    if not full:
        places = np.searchsorted(counts.cumsum(), np.array(ROBUST) * counts.sum())
        if places[0] < places[1]:
            return np.asarray(steps[places])
    return np.asarray(steps[[0, -1]])


def _unwindowed(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    if steps.dtype.kind == "f":
        return np.asarray(np.rint(stretch(values, values.min(), values.max()) * 0xFFFF).astype(np.uint16))
    whole = np.rint(values)
    if not np.array_equal(whole, values) or float(whole.max() - whole.min()) > 0xFFFF:
        falling = values.flat[steps.argmin()] > values.flat[steps.argmax()]  # a negative slope: keep bright bright
        whole = steps.astype(np.float64) * (-1 if falling else 1)
    whole = whole - whole.min()
    excess = max(int(whole.max()).bit_length() - 16, 0)
    return np.asarray((whole.astype(np.int64) >> excess).astype(np.uint16))
