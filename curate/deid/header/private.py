"""Retain Safe Private (PS3.15 E.3.10): private elements by creator and number, each with a check of its value."""

from __future__ import annotations

import csv
import re
from functools import cache
from typing import NamedTuple

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from curate.deid.header.checks import Context, Step, binary, numbers
from curate.deid.header.table import data_lines
from curate.deid.header.values import BINARY, Element, explicit_element, first_text, raw, read


class Safe(NamedTuple):
    """A safe private attribute: its VR, and "number" or the pattern that its text must match."""

    vr: str
    max_values: int
    check: str


@cache
def safe_attributes() -> dict[tuple[str, int, int], Safe]:
    """(creator, group, element's last byte) -> its check."""
    reader = csv.DictReader(data_lines("safe_private.csv"))
    return {
        (r["creator"], int(r["group"], 16), int(r["element"], 16)): Safe(r["vr"], int(r["most"]), r["check"])
        for r in reader
    }


@cache
def _groups() -> frozenset[int]:
    return frozenset(group for _, group, _ in safe_attributes())


def private_elements(ds: Dataset, context: Context) -> dict[BaseTag, Element]:
    """The safe private elements of ``ds`` whose values pass, with their creators. Call it inside `quiet`."""
    out: dict[BaseTag, Element] = {}
    for tag in sorted(t for t in list(ds.keys()) if t >> 16 in _groups() and t & 0xFF00):
        creator_tag = BaseTag((tag & 0xFFFF0000) | (tag >> 8 & 0xFF))
        creator = first_text(ds, creator_tag, "LO")
        safe = safe_attributes().get((creator, tag >> 16, tag & 0xFF)) if creator else None
        value = _checked(ds, tag, safe, context) if safe else None
        if value is not None and safe is not None:
            out[creator_tag] = explicit_element(creator_tag, "LO", creator)
            out[tag] = explicit_element(tag, safe.vr, value)
    return out


def _checked(ds: Dataset, tag: BaseTag, safe: Safe, context: Context) -> str | bytes | None:
    stored = raw(ds, tag)
    if stored is None or stored.VR not in (safe.vr, "UN", None):
        return None
    value = read(ds, tag, stored, safe.vr)
    if not isinstance(value, list) or not value:
        return None
    step = Step(tag, "", (safe.vr,), "number", safe.max_values, "3", False)
    if safe.vr in BINARY:
        return binary(value, step, context, safe.vr)  # type: ignore[arg-type]  # of a binary VR are numbers
    if not all(isinstance(v, str) for v in value):
        return None
    if safe.check == "number":
        return numbers(value, step, context)  # type: ignore[arg-type]  # looked at above
    fits = len(value) == 1 and re.fullmatch(safe.check, str(value[0]))
    return str(value[0]) if fits else None
