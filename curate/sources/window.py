"""From stored values to a picture: modality LUT, VOI LUT or window, palette (PS3.3 C.7.6.3, C.11.1, C.11.2).

Every grey mapping is composed into one table over the stored values that occur and applied in a single look-up, so
the arithmetic is float64 at the cost of an index.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_color_lut

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.codec import Layout
from curate.sources.dicomfile import integer, text, value
from curate.sources.picture import PixelRules
from curate.sources.third_party import call_third_party

ROBUST = (0.005, 0.995)  # share of the pixels below the darkest and the brightest shade of an unwindowed frame
_TABLE = 1 << 16


def show_grey(stored: np.ndarray, dataset: Dataset, layout: Layout, frame: int, rules: PixelRules) -> np.ndarray:
    """uint8 display values, or uint16 values where ``rules.bits`` is 16, of a monochrome frame (rows, columns).

    8 bits, the first of these that there is: ``rules.window`` where it is (centre, width); the VOI LUT Sequence; the
    first window, by its VOI LUT Function; the range of the stored bits where they are at most 8 (so an 8-bit frame
    is kept as it is); the frame's own range, by its percentiles 0.5 and 99.5, by its extremes under "full" or where
    those coincide. Pixel Padding does not count for the range. "full" skips VOI LUT and windows.

    16 bits: values after the modality LUT minus the frame's smallest; never scaled, except that fractional values and
    those spanning over 65535 are replaced by stored ones, and stored ones spanning over 65535 lose low bits.

    MONOCHROME1 is inverted. Enhanced multi-frame objects: the frame's functional groups win over the shared ones.
    """
    low, high = int(stored.min()), int(stored.max())
    steps: np.ndarray = np.arange(low, high + 1) if high - low < _TABLE else stored
    values = modality(steps, dataset, frame)
    wide = rules.bits == 16
    table = _unwindowed(values, steps) if wide else _display(values, stored, dataset, layout, frame, rules)
    if layout.photometric == "MONOCHROME1":
        table = (table.max() if wide else 255) - table
    return table if steps is stored else np.asarray(table.take(_places(stored, low)))


def _places(stored: np.ndarray, low: int) -> np.ndarray:
    """``stored - low`` as uint16; modulo arithmetic, so that no wider copy is made of 16-bit frames."""
    if stored.dtype.itemsize > 2:
        return (stored.astype(np.int64) - low).astype(np.uint16)
    unsigned = stored.astype(np.int16).view(np.uint16) if stored.dtype.itemsize == 1 else stored.view(np.uint16)
    return np.asarray(unsigned - np.uint16(low & 0xFFFF)) if low else unsigned


def modality(steps: np.ndarray, dataset: Dataset, frame: int) -> np.ndarray:
    """float64 modality values of stored ones: Modality LUT Sequence, else rescale, else themselves (C.11.1)."""
    item = _lut_item(dataset, "ModalityLUTSequence")
    if item is not None:
        return look_up(steps, item, _little(dataset))
    group = functional_group(dataset, frame, "PixelValueTransformationSequence")
    slope, intercept = _float(group, "RescaleSlope"), _float(group, "RescaleIntercept")
    with np.errstate(all="ignore"):  # a senseless slope gives infinities, which are dropped as undecodable later
        return np.asarray(steps.astype(np.float64) * (slope or 1.0) + (intercept or 0.0))


def look_up(values: np.ndarray, item: Dataset, little: bool) -> np.ndarray:
    """float64 entries of a LUT item for ``values``, the first or last entry beyond its ends (C.11.1.1.1).

    Raises DropRecord BAD_HEADER where descriptor and data make no table.
    """
    first, entries, _ = lut(item, little)
    if first > 0x7FFF and values.min() < 0:  # the descriptor is US or SS by Pixel Representation
        first -= 0x10000
    places = np.clip(np.rint(values).astype(np.int64) - first, 0, len(entries) - 1)
    return np.asarray(entries[places].astype(np.float64))


def lut(item: Dataset, little: bool) -> tuple[int, np.ndarray, int]:
    """First mapped value, entries, and bits of an entry, of a Modality or VOI LUT item."""
    descriptor, data = value(item, "LUTDescriptor"), value(item, "LUTData")
    if isinstance(descriptor, bytes):
        descriptor = np.frombuffer(descriptor[:6], "<u2" if little else ">u2").tolist()
    if descriptor is None or len(descriptor) != 3 or data is None:
        raise DropRecord(Reason.BAD_HEADER)
    count, first, bits = (int(v) for v in descriptor)
    count = (count & 0xFFFF) or 0x10000  # 65536 does not fit its 16 bits and is written 0
    if isinstance(data, bytes):
        wide = len(data) >= 2 * count
        entries = (
            np.frombuffer(data[: len(data) & ~1], "<u2" if little else ">u2") if wide else np.frombuffer(data, "u1")
        )
    else:
        entries = np.atleast_1d(np.asarray(data, dtype=np.int64)) & 0xFFFF
    if entries.size == 0 or not 1 <= bits <= 16:
        raise DropRecord(Reason.BAD_HEADER)
    return first, entries[:count], bits


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


def show_palette(stored: np.ndarray, dataset: Dataset, rules: PixelRules) -> np.ndarray:
    """(rows, columns, 3) RGB of a PALETTE COLOR frame (C.7.9), segmented palettes too; 16-bit ones cut to 8 bits.

    Raises DropRecord BAD_HEADER where the palette is missing or makes no table.
    """
    low, high = int(stored.min()), int(stored.max())
    if high - low >= _TABLE:
        raise DropRecord(Reason.BAD_HEADER)
    steps = np.arange(low, high + 1).astype(stored.dtype)[None]
    table: np.ndarray = call_third_party(Reason.BAD_HEADER, apply_color_lut, steps, dataset)[0, :, :3]
    if table.max() <= 255:
        table = table.astype(np.uint8)
    elif rules.bits == 8:  # the high byte, whether the writer made 16 bits of 8 by v << 8 or by v * 257
        table = (table >> 8).astype(np.uint8)
    return np.asarray(table.take(_places(stored, low), axis=0))


def show_colour(pixels: np.ndarray, stored_bits: int, rules: PixelRules) -> np.ndarray:
    """RGB in the wanted depth: 8-bit kept, deeper scaled by the range of the stored bits; uint16 kept under 16 bits."""
    if stored_bits <= 8 and pixels.max(initial=0) <= 255:
        return pixels.astype(np.uint8) if stored_bits == 8 else to_byte(stretch(pixels, 0, 2**stored_bits - 1))
    if rules.bits == 16:
        return pixels.astype(np.uint16) if stored_bits <= 16 else (pixels >> (stored_bits - 16)).astype(np.uint16)
    return to_byte(stretch(pixels, 0, 2**stored_bits - 1))


def functional_group(dataset: Dataset, frame: int, keyword: str) -> Dataset:
    """The item holding a macro's attributes: the frame's functional group, the shared one, else the data set itself."""
    for sequence, place in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        items = value(dataset, sequence)
        if items and place < len(items):
            inner = value(items[place], keyword)
            if inner:
                item: Dataset = inner[0]
                return item
    return dataset


def _display(
    values: np.ndarray, stored: np.ndarray, dataset: Dataset, layout: Layout, frame: int, rules: PixelRules
) -> np.ndarray:
    if isinstance(rules.window, tuple):
        return to_byte(window(values, *rules.window))
    if rules.window == "dicom":
        voi = _voi(dataset, frame)
        if voi is not None:
            return to_byte(voi(values))
    if layout.stored <= 8:
        half = 1 << (layout.stored - 1)
        ends = np.array([-half, half - 1] if layout.signed else [0, 2 * half - 1])
    else:
        ends = _range(stored, dataset, rules.window == "full")
    reach = modality(ends, dataset, frame)
    return to_byte(stretch(values, float(reach.min()), float(reach.max())))


def _voi(dataset: Dataset, frame: int) -> Callable[[np.ndarray], np.ndarray] | None:
    """The header's own mapping of modality values to [0, 1]: VOI LUT Sequence, else first window (C.11.2)."""
    group = functional_group(dataset, frame, "FrameVOILUTSequence")
    item = _lut_item(group, "VOILUTSequence")
    if item is not None:
        little = _little(dataset)
        _, entries, bits = lut(item, little)
        top = max((1 << bits) - 1, int(entries.max()))
        return partial(_by_lut, item=item, little=little, top=top)
    centre, width = _float(group, "WindowCenter"), _float(group, "WindowWidth")
    if centre is None or width is None or width <= 0:
        return None
    function = text(group, "VOILUTFunction") or "LINEAR"
    return partial(window, centre=centre, width=width, function=function)


def _by_lut(values: np.ndarray, item: Dataset, little: bool, top: int) -> np.ndarray:
    return look_up(values, item, little) / top


def _lut_item(dataset: Dataset, keyword: str) -> Dataset | None:
    """The sequence's first item, None where there is none or its table was left empty, as anonymisers do."""
    items = value(dataset, keyword)
    if not items or (value(items[0], "LUTDescriptor") is None and value(items[0], "LUTData") is None):
        return None
    item: Dataset = items[0]
    return item


def _range(stored: np.ndarray, dataset: Dataset, full: bool) -> np.ndarray:
    """The two stored values that become black and white in a frame without a window."""
    low, high = int(stored.min()), int(stored.max())
    if high - low < _TABLE:
        counts = np.bincount(_places(stored, low).ravel())
        steps = np.flatnonzero(counts) + low
        counts = counts[steps - low]
    else:
        steps, counts = np.unique(stored, return_counts=True)
    if "PixelPaddingValue" in dataset:  # or the range up to Pixel Padding Range Limit, C.7.5.1.1.2
        first = integer(dataset, "PixelPaddingValue", 0)
        last = integer(dataset, "PixelPaddingRangeLimit", first)
        image = (steps < min(first, last)) | (steps > max(first, last))
        if image.any():
            steps, counts = steps[image], counts[image]
    if not full:
        places = np.searchsorted(counts.cumsum(), np.array(ROBUST) * counts.sum())
        if places[0] < places[1]:
            return np.asarray(steps[places])
    return np.asarray(steps[[0, -1]])


def _unwindowed(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    whole = np.rint(values)
    if not np.array_equal(whole, values) or float(whole.max() - whole.min()) > 0xFFFF:
        falling = values.flat[steps.argmin()] > values.flat[steps.argmax()]  # a negative slope: keep bright bright
        whole = steps.astype(np.float64) * (-1 if falling else 1)
    whole = whole - whole.min()
    excess = max(int(whole.max()).bit_length() - 16, 0)
    return np.asarray((whole.astype(np.int64) >> excess).astype(np.uint16))


def _float(dataset: Dataset, keyword: str) -> float | None:
    """The element's first value, None where it is absent or no finite number."""
    found = value(dataset, keyword)
    if isinstance(found, (list, MultiValue)):
        found = found[0] if len(found) else None
    try:
        number = float(found)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _little(dataset: Dataset) -> bool:
    return dataset.original_encoding[1] is not False
