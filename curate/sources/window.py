"""From stored values to a picture: modality LUT, VOI LUT or window, palette (PS3.3 C.7.6.3, C.11.1, C.11.2).

Every grey mapping is composed into one table over the stored values that occur and applied in a single look-up, so
the arithmetic is float64 at the cost of an index.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import integer, text, value
from curate.sources.dicom.layout import Layout
from curate.sources.dicom.lut import Lut, read_lut
from curate.sources.dicom.palette import read_palette
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


def modality(steps: np.ndarray, dataset: Dataset, layout: Layout, frame: int) -> np.ndarray:
    """float64 modality values of stored ones: Modality LUT Sequence, else rescale, else themselves (C.11.1).

    A slope of 0, which would leave no picture, and one that is no number are taken as 1.
    """
    items = _lut_items(dataset, "ModalityLUTSequence")
    if items:
        return read_lut(items[0], _little(dataset)).look_up(steps, signed=layout.signed)
    groups = functional_groups(dataset, frame, "PixelValueTransformationSequence")
    slope, intercept = _float(groups, "RescaleSlope"), _float(groups, "RescaleIntercept")
    with np.errstate(all="ignore"):  # a senseless slope gives infinities, which are dropped as undecodable later
        return np.asarray(steps.astype(np.float64) * (slope or 1.0) + (intercept or 0.0))


def window(values: np.ndarray, centre: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """float64 in [0, 1]: VOI LUT Function LINEAR, LINEAR_EXACT or SIGMOID (C.11.2.1.2, C.11.2.1.3).

    LINEAR with a width below 1, which the standard forbids, is taken as LINEAR_EXACT.
    """
    if function == "SIGMOID":
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700, 700))))
    if function == "LINEAR_EXACT" or width < 1:
        return np.clip((values - centre) / width + 0.5, 0.0, 1.0)
    if width == 1:
        return np.asarray((values > centre - 0.5).astype(np.float64))
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0.0, 1.0)


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


def functional_groups(dataset: Dataset, frame: int, keyword: str) -> list[Dataset]:
    """Where a macro's attributes may stand, the nearest first: the frame's functional group, the shared one, the data
    set itself."""
    places = []
    for sequence, place in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        items = value(dataset, sequence)
        if items and place < len(items):
            inner = value(items[place], keyword)
            if inner:
                places.append(inner[0])
    return [*places, dataset]


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
    padding = _padding(dataset, layout)
    if rules.window == "dicom":
        occurring = None if padding is None and steps is not stored else _occurring(stored, padding)[0]
        for voi in _vois(dataset, layout, frame):
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


def _vois(dataset: Dataset, layout: Layout, frame: int) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """The header's own mappings of modality values to [0, 1], in their order: VOI LUTs, then windows (C.11.2)."""
    groups = functional_groups(dataset, frame, "FrameVOILUTSequence")
    for item in next((items for group in groups if (items := _lut_items(group, "VOILUTSequence"))), []):
        yield partial(_by_lut, lut=read_lut(item, _little(dataset)), signed=_may_be_signed(dataset, layout, frame))
    for group in groups:
        centres, widths = _floats(group, "WindowCenter"), _floats(group, "WindowWidth")
        function = re.sub(r"[\s_-]+", "_", text(group, "VOILUTFunction").upper().strip())
        pairs = [(c, w) for c, w in zip(centres, widths, strict=False) if c is not None and w is not None and w > 0]
        yield from (partial(window, centre=c, width=w, function=function) for c, w in pairs)
        if pairs:
            return


def _by_lut(values: np.ndarray, lut: Lut, signed: bool) -> np.ndarray:
    return lut.look_up(values, signed=signed) / ((1 << lut.bits) - 1)


def _may_be_signed(dataset: Dataset, layout: Layout, frame: int) -> bool:
    """Can values be negative after the modality LUT, for any stored value (C.11.2.1.1)?"""
    if _lut_items(dataset, "ModalityLUTSequence"):
        return False
    ends = [-(1 << (layout.stored - 1)), (1 << (layout.stored - 1)) - 1] if layout.signed else [0, 1 << layout.stored]
    return bool(modality(np.array(ends), dataset, layout, frame).min() < 0)


def _lut_items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The sequence's items, less those whose table was left empty, as anonymisers do."""
    items = value(dataset, keyword) or []
    return [i for i in items if value(i, "LUTDescriptor") is not None or value(i, "LUTData") is not None]


def _padding(dataset: Dataset, layout: Layout) -> tuple[int, int] | None:
    """First and last stored value of the padding (C.7.5.1.1.2), None where there is none.

    Either may be written with the other sign than the pixels have.
    """
    if "PixelPaddingValue" not in dataset:
        return None
    first = integer(dataset, "PixelPaddingValue", 0)
    ends = (_as_stored(first, layout), _as_stored(integer(dataset, "PixelPaddingRangeLimit", first), layout))
    return min(ends), max(ends)


def _as_stored(number: int, layout: Layout) -> int:
    if layout.signed:
        return number - 0x10000 if 0x8000 <= number <= 0xFFFF and layout.allocated <= 16 else number
    return number & ((1 << layout.stored) - 1) if number < 0 else number


def _occurring(stored: np.ndarray, padding: tuple[int, int] | None) -> tuple[np.ndarray, np.ndarray]:
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


def _range(stored: np.ndarray, padding: tuple[int, int] | None, full: bool) -> np.ndarray:
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


def _float(groups: list[Dataset], keyword: str) -> float | None:
    """The first finite number of the element in the nearest of ``groups`` that has one."""
    return next((found[0] for group in groups if (found := _floats(group, keyword)) and found[0] is not None), None)


def _floats(dataset: Dataset, keyword: str) -> list[float | None]:
    """The element's values, None in place of those that are no finite number."""
    found = value(dataset, keyword)
    if found is None:
        found = text(dataset, keyword).split("\\")  # of which one that is no number spoils all for pydicom
    return [_number(part) for part in (found if isinstance(found, (list, MultiValue)) else [found])]


def _number(part: Any) -> float | None:
    try:
        number = float(part)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _little(dataset: Dataset) -> bool:
    return dataset.original_encoding[1] is not False
