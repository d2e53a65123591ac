"""PS3.3 as data: the information object of a SOP class, its attributes and their types."""

from __future__ import annotations

import csv
from functools import cache
from typing import Literal, NamedTuple

from pydicom.datadict import tag_for_keyword

from curate.deid.header.table import data_lines

Kind = Literal["object", "structured", "document", "directory", "unknown"]

# Classes retired from PS3.3 that archives still contain -> their successors.
_SUCCESSOR = {
    "1.2.840.10008.5.1.4.1.1.3": "1.2.840.10008.5.1.4.1.1.3.1",  # ultrasound multi-frame
    "1.2.840.10008.5.1.4.1.1.6": "1.2.840.10008.5.1.4.1.1.6.1",  # ultrasound
    "1.2.840.10008.5.1.4.1.1.5": "1.2.840.10008.5.1.4.1.1.20",  # nuclear medicine
    "1.2.840.10008.5.1.4.1.1.12.3": "1.2.840.10008.5.1.4.1.1.12.1",  # X-ray angiographic bi-plane
    "1.2.840.10008.5.1.4.1.1.77.1": "1.2.840.10008.5.1.4.1.1.77.1.4",  # VL image, trial
}
# Objects that are no picture or measurement of one patient, or cannot be separated from identities: voice, an archive's
# inventory, raw data, protocols and templates with free text.
_REFUSED = frozenset(
    """
    raw-data inventory hanging-protocol basic-structured-display color-palette generic-implant-template
    implant-assembly-template implant-template-group basic-voice-audio-waveform general-audio-waveform
    ct-defined-procedure-protocol xa-defined-procedure-protocol protocol-approval rt-physician-intent
    content-assessment-results spectacle-prescription-report
    """.split()  # noqa: SIM905
)  # fmt: skip
_DOCUMENTS = frozenset(
    "encapsulated-pdf encapsulated-cda encapsulated-stl encapsulated-obj encapsulated-mtl".split()  # noqa: SIM905
)
# Root of structured reports, also of older trial classes that PS3.3 no longer describes.
_ROWS = 0x00280010
_STRUCTURED_ROOT = "1.2.840.10008.5.1.4.1.1.88."


class Need(NamedTuple):
    """An attribute's type in an object (1, 1C, 2, 2C, 3, None); ``mandatory``: it is in a module of usage M."""

    type: str
    mandatory: bool


@cache
def _iods() -> dict[str, str]:
    return {row["sop_class"]: row["iod"] for row in csv.DictReader(data_lines("sop_classes.csv"))}


@cache
def _table(name: str) -> dict[str, str]:
    """A data file's lines by name, split on demand: few of the 1,100 are ever used."""
    return dict(line.split(": ", 1) for line in data_lines(name) if ": " in line)


def _pairs(name: str, key: str) -> list[tuple[str, str]]:
    pairs = (word.rpartition("=") for word in _table(name).get(key, "").split())
    return [(left, right) for left, _, right in pairs]


def iod_of(sop_class: str) -> str | None:
    """The information object of a storage class, also of a retired one; None if unknown."""
    return _iods().get(_SUCCESSOR.get(sop_class, sop_class))


def sop_classes() -> dict[str, str]:
    """Every known storage class and its information object."""
    return dict(_iods())


def kind_of(sop_class: str) -> Kind:
    """The kind of a storage class, which decides whether its files are accepted."""
    iod = iod_of(sop_class)
    if iod == "basic-directory":
        return "directory"
    if iod in _DOCUMENTS:
        return "document"
    if sop_class.startswith(_STRUCTURED_ROOT):
        return "structured"
    return "unknown" if iod is None or iod in _REFUSED else "object"


@cache
def attributes_of(iod: str) -> dict[int, Need]:
    """Tag -> Need of every attribute at the top level of an information object, over all its modules."""
    attributes: dict[int, Need] = {}
    order = ("1", "1C", "2", "2C", "3", "None")
    for module, usage in _pairs("iods.txt", iod):
        for keyword, kind in _pairs("modules.txt", module):
            tag = tag_for_keyword(keyword)
            if tag is None:
                continue
            previous, current = attributes.get(int(tag)), Need(kind, usage == "M")
            if previous is None or (not current.mandatory, order.index(kind)) < (
                not previous.mandatory,
                order.index(previous.type),
            ):
                attributes[int(tag)] = current
    return attributes


def is_picture(sop_class: str) -> bool:
    """True if objects of this class must have pixels: the Image Pixel module is mandatory."""
    iod = iod_of(sop_class)
    need = attributes_of(iod).get(_ROWS) if iod is not None else None
    return need is not None and need.mandatory


@cache
def items_of(sequence: str) -> dict[int, str]:
    """Tag -> type of the attributes in items of this sequence; empty if no module has such a sequence."""
    types = {tag_for_keyword(keyword): kind for keyword, kind in _pairs("items.txt", sequence)}
    return {int(tag): kind for tag, kind in types.items() if tag is not None}


def is_code(sequence: str) -> bool:
    """True for sequences whose items are codes (PS3.3 8.8)."""
    return {0x00080100, 0x00080102, 0x00080104} <= items_of(sequence).keys()
