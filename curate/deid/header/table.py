"""PS3.15 Table E.1-1 as data: the action of the Basic Profile with the chosen options on an attribute."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

from curate.deid.rules import HeaderRules

# keep: unchanged, after a check; shift: by the patient's days; clean: free of identifiers; recurse: the sequence is
# kept with its UIDs remapped; remap: another UID; remove: no value is kept (X, Z and D of the table: absent, empty or a
# dummy, as the object's module requires); "": not in the table.
Treatment = Literal["keep", "shift", "clean", "recurse", "remap", "remove", ""]


class Row(NamedTuple):
    """One row: ``tag`` is 8 hex digits with x for any digit, or "odd" for private attributes."""

    tag: str
    keyword: str
    profile: str
    options: dict[str, str]


def data_lines(name: str) -> Iterator[str]:
    """The lines of a data file of this package, without comments."""
    text = (files("curate.deid.header") / "data" / name).read_text(encoding="utf-8")
    return (line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def rows() -> tuple[Row, ...]:
    """The whole table, in tag order."""
    reader = csv.DictReader(data_lines("ps3_15_e1_1.csv"))
    fixed = ("tag", "keyword", "profile")
    return tuple(
        Row(r["tag"], r["keyword"], r["profile"], {k: v for k, v in r.items() if v and k not in fixed}) for r in reader
    )


@cache
def table_edition() -> str:
    """The edition of the table, for the attestation."""
    text = (files("curate.deid.header") / "data" / "ps3_15_e1_1.csv").read_text(encoding="utf-8")
    match = re.search(r"edition (\w+)", text)
    return f"PS3.15 {match[1]}, {len(rows())} rows" if match else "PS3.15"


@cache
def _by_tag() -> tuple[dict[str, Row], tuple[Row, ...]]:
    return {r.tag: r for r in rows() if "x" not in r.tag}, tuple(r for r in rows() if "x" in r.tag)


def row_of(tag: int) -> Row | None:
    """The table's row of a tag, or None."""
    exact, open_ended = _by_tag()
    if tag >> 16 & 1:
        return exact["odd"]
    wanted = f"{tag:08x}"
    row = exact.get(wanted)
    if row is None and wanted[0] in "56":
        fits = (r for r in open_ended if all(a in (b, "x") for a, b in zip(r.tag, wanted, strict=True)))
        row = next(fits, None)
    return row


def treatment(tag: int, rules: HeaderRules) -> Treatment:
    """The action of the profile with the options of ``rules`` on an attribute.

    If two options apply to an attribute, the one that keeps less is taken: dates before devices. This product does not
    offer retaining an institution's identity, full dates and graphics.
    """
    row = row_of(tag)
    if row is None:
        return ""
    options, retain = row.options, rules.retain
    if "modified_dates" in options:
        return "shift" if "dates" in retain else "remove"
    if options.get("uids") == "K" and "uids" in retain:
        return "keep" if "U" in row.profile else "recurse"
    if "device_identity" in options and "device_identity" in retain:
        return "keep" if options["device_identity"] == "K" else "remove"
    if "patient_characteristics" in options and "patient_characteristics" in retain:
        return "clean"
    if "clean_descriptors" in options and rules.descriptors == "clean" and "patient_characteristics" not in options:
        return "clean"
    if "clean_structured" in options and rules.structured_reports == "clean":
        return "clean"
    if row.profile == "U":
        return "remap"
    return "recurse" if row.profile == "X/Z/U*" else "remove"
