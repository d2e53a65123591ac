"""Parts of a picture that hold annotation whatever a look at them says: by machine, and by ultrasound metadata.

The machines' table is ``data/known_regions.csv``, which names its source. Sequence of Ultrasound Regions (0018,6011,
PS3.3 C.8.5.5) says which parts of a frame are image; what lies outside them is where the machine writes.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from pydicom.dataset import Dataset

from curate.deid.pixels.boxes import Box, outside, within
from curate.deid.quiet import UNPARSEABLE, quiet

_MIN_IMAGE = 0.1  # of the frame: regions that declare less as image are taken for a mistake


@dataclass(frozen=True)
class Rule:
    """One row of the table: what the header must say (folded alternatives, none: anything), and the boxes."""

    modality: tuple[str, ...]
    manufacturer: tuple[str, ...]
    model: tuple[str, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    also: tuple[tuple[str, tuple[str, ...]], ...]
    boxes: tuple[Box, ...]


def written_regions(header: Dataset | None, shape: tuple[int, int]) -> list[Box]:
    """Boxes of a frame of ``shape`` (H, W) that are known to hold annotation; none where nothing is known.

    ``header`` is the source's. Boxes lie within the frame. Regions that do not fit the frame, or that leave less than a
    tenth of it as image, are not believed.
    """
    if header is None:
        return []
    with quiet():
        return [b for b in _by_machine(header, shape) + _beside_regions(header, shape) if b[2] > 0 and b[3] > 0]


def _by_machine(header: Dataset, shape: tuple[int, int]) -> list[Box]:
    modality, manufacturer = _folded(header, "Modality"), _folded(header, "Manufacturer")
    model = _folded(header, "ManufacturerModelName")
    boxes = []
    for rule in rules():
        known = (
            (not rule.modality or modality in rule.modality)
            and _named(manufacturer, rule.manufacturer)
            and _holds(model, rule.model)
            and (not rule.rows or shape[0] in rule.rows)
            and (not rule.columns or shape[1] in rule.columns)
        )
        if known and all(_holds(_folded(header, name), words) for name, words in rule.also):
            boxes += [within(box, shape) for box in rule.boxes]
    return list(dict.fromkeys(boxes))


def _holds(value: str, words: tuple[str, ...]) -> bool:
    return not words or any(word in value for word in words)


def _named(value: str, names: tuple[str, ...]) -> bool:
    """Whether a name stands in the value as a word of its own: "GE" is in "GE MEDICAL", not in "AGFA-GEVAERT"."""
    return not names or any(re.search(rf"(?<![a-z]){re.escape(name)}(?![a-z])", value) for name in names)


def _folded(header: Dataset, keyword: str) -> str:
    try:
        value = header.get(keyword, "")
    except UNPARSEABLE:
        return ""
    parts = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else value
    return "\\".join(str(part) for part in parts).strip().casefold()


def _beside_regions(header: Dataset, shape: tuple[int, int]) -> list[Box]:
    """What lies outside all declared ultrasound regions, where these can be believed."""
    try:
        items = list(header.get("SequenceOfUltrasoundRegions") or ())
        declared = [_declared(item) for item in items]
    except UNPARSEABLE:
        return []
    height, width = shape
    # The standard's corners are pixels of the region (C.8.5.5.1.2); some machines give the first pixel past it.
    if not declared or any(x0 < 0 or y0 < 0 or x1 > width or y1 > height for x0, y0, x1, y1 in declared):
        return []
    boxes = [(x0, y0, x1 - x0 + 1, y1 - y0 + 1) for x0, y0, x1, y1 in declared if x1 > x0 and y1 > y0]
    rest = outside(boxes, shape)
    return rest if sum(w * h for _, _, w, h in rest) <= (1 - _MIN_IMAGE) * height * width else []


def _declared(item: Dataset) -> tuple[int, int, int, int]:
    names = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
    x0, y0, x1, y1 = (int(item[name].value) for name in names)
    return x0, y0, x1, y1


def written_in(pixels: np.ndarray, boxes: list[Box]) -> list[Box]:
    """Those of ``boxes`` in which the picture is not of one tone: there is something to blank."""
    parts = ((box, pixels[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]) for box in boxes)
    return [box for box, part in parts if part.size and bool((part != part[:1, :1]).any())]


@cache
def rules() -> tuple[Rule, ...]:
    """The table of machines."""
    text = files("curate.deid.pixels").joinpath("data", "known_regions.csv").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(_rule(row) for row in csv.DictReader(lines))


def _rule(row: dict[str, str]) -> Rule:
    conditions = [part.split(" ~ ") for part in row["also"].split("; ") if part]
    boxes = [tuple(int(n) for n in box.split(",")) for box in row["boxes"].split()]
    return Rule(
        modality=_words(row["modality"]),
        manufacturer=_words(row["manufacturer"]),
        model=_words(row["model"]),
        rows=tuple(int(n) for n in _words(row["rows"])),
        columns=tuple(int(n) for n in _words(row["columns"])),
        also=tuple((name, _words(words)) for name, words in conditions),
        boxes=tuple((x, y, w, h) for x, y, w, h in boxes),
    )


def _words(field: str) -> tuple[str, ...]:
    return tuple(word.strip().casefold() for word in field.split("|") if word.strip())
