"""What a header says of grey values: rescale, tables, windows, padding (PS3.3 C.11.1, C.11.2, C.7.5.1.1.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from curate.sources.dicom.file import integer, is_little, text, value
from curate.sources.dicom.layout import Layout
from curate.sources.dicom.lut import Lut, read_lut


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


def modality(steps: np.ndarray, dataset: Dataset, layout: Layout, frame: int) -> np.ndarray:
    """float64 modality values of stored ones: Modality LUT Sequence, else rescale, else themselves (C.11.1).

    A slope of 0, which would leave no picture, and one that is no number are taken as 1.
    """
    items = _lut_items(dataset, "ModalityLUTSequence")
    if items:
        return read_lut(items[0], is_little(dataset)).look_up(steps, signed=layout.signed)
    groups = functional_groups(dataset, frame, "PixelValueTransformationSequence")
    slope, intercept = _float(groups, "RescaleSlope"), _float(groups, "RescaleIntercept")
    with np.errstate(all="ignore"):  # a senseless slope gives infinities, which are dropped as undecodable later
        return np.asarray(steps.astype(np.float64) * (slope or 1.0) + (intercept or 0.0))


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


def vois(dataset: Dataset, layout: Layout, frame: int) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """The header's own mappings of modality values to [0, 1], in their order: VOI LUTs, then windows (C.11.2).

    A window over twice as wide as all values of 8 bits is one of deeper ones, that were there before the compression.
    """
    groups = functional_groups(dataset, frame, "FrameVOILUTSequence")
    for item in next((items for group in groups if (items := _lut_items(group, "VOILUTSequence"))), []):
        yield partial(_by_lut, lut=read_lut(item, is_little(dataset)), signed=_may_be_signed(dataset, layout, frame))
    widest = 2 * float(np.ptp(_reach(dataset, layout, frame))) if layout.stored <= 8 else np.inf
    for group in groups:
        centres, widths = _floats(group, "WindowCenter"), _floats(group, "WindowWidth")
        function = re.sub(r"[\s_-]+", "_", text(group, "VOILUTFunction").upper().strip())
        pairs = [(c, w) for c, w in zip(centres, widths, strict=False) if c is not None and w is not None and w > 0]
        yield from (partial(window, centre=c, width=w, function=function) for c, w in pairs if w <= widest)
        if pairs:
            return


def _may_be_signed(dataset: Dataset, layout: Layout, frame: int) -> bool:
    """Can values be negative after the modality LUT, for any stored value (C.11.2.1.1)?"""
    if _lut_items(dataset, "ModalityLUTSequence"):
        return False
    return bool(_reach(dataset, layout, frame).min() < 0)


def _reach(dataset: Dataset, layout: Layout, frame: int) -> np.ndarray:
    """The modality values of the least and the greatest number that can be stored."""
    low = -(1 << (layout.stored - 1)) if layout.signed else 0
    return modality(np.array([low, low + (1 << layout.stored) - 1]), dataset, layout, frame)


def _lut_items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The sequence's items, less those whose table was left empty, as anonymisers do."""
    items = value(dataset, keyword) or []
    return [i for i in items if value(i, "LUTDescriptor") is not None or value(i, "LUTData") is not None]


def _by_lut(values: np.ndarray, lut: Lut, signed: bool) -> np.ndarray:
    return lut.look_up(values, signed=signed) / ((1 << lut.bits) - 1)


def padding_range(dataset: Dataset, layout: Layout) -> tuple[float, float] | None:
    """First and last stored value of the padding (C.7.5.1.1.2), None where there is none; of floats that of their own
    elements (C.7.6.24, C.7.6.25).

    An integer may be written with the other sign than the pixels have.
    """
    for kind in ("Float", "DoubleFloat"):
        if (lowest := _float([dataset], f"{kind}PixelPaddingValue")) is not None:
            last = _float([dataset], f"{kind}PixelPaddingRangeLimit")
            return (lowest, lowest) if last is None else (min(lowest, last), max(lowest, last))
    if "PixelPaddingValue" not in dataset:
        return None
    first = integer(dataset, "PixelPaddingValue", 0)
    ends = (_as_stored(first, layout), _as_stored(integer(dataset, "PixelPaddingRangeLimit", first), layout))
    return min(ends), max(ends)


def _as_stored(number: int, layout: Layout) -> int:
    if layout.signed:
        return number - 0x10000 if 0x8000 <= number <= 0xFFFF and layout.allocated <= 16 else number
    return number & ((1 << layout.stored) - 1) if number < 0 else number


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
        number = float(re.sub(r"(?<=\d),(?=\d)", ".", part) if isinstance(part, str) else part)  # of German makers
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
