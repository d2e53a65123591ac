"""Values of elements, from a file or from memory, in one form; and elements made from values.

ASCII values of a file are read from its bytes, without pydicom's parsing; anything else goes through pydicom, which
handles character sets, byte order and deferred reads.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag

from curate.deid.quiet import UNPARSEABLE, element

BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
BULK = frozenset({"OB", "OW", "OF", "OD", "OL", "OV"})
TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC", "PN"})  # of the file's character set (PS3.5 6.1.2)
_SINGLE = frozenset({"ST", "LT", "UT", "UR"})  # a backslash in these is a character, not a separator
_WORD = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_PADDING = " \0\t\r\n"

Element = RawDataElement | DataElement


class Bytes(NamedTuple):
    """A value of a bulk VR, little endian."""

    raw: bytes


# The argument of checks: texts of a string VR, numbers of a binary VR, items of a sequence, or bulk bytes.
Value = list[str] | list[float] | list[Dataset] | Bytes


def same_vr(declared: str | None, standard: Sequence[str], signed: bool = False) -> str | None:
    """The VR to read an element by: the file's, if the standard allows it for the attribute, else None.

    For implicit VR the standard's is taken; of several, by PixelRepresentation (``signed``), or the one of any length
    (PS3.5 A.1).
    """
    if declared in standard:
        return declared
    if declared is not None and " or " not in declared:
        return None
    if len(standard) == 1:
        return standard[0]
    if "OW" in standard:
        return "OW"
    return "SS" if signed and "SS" in standard else standard[0]


def raw(ds: Dataset, tag: BaseTag) -> Element | None:
    """The element as stored in the file; None if it is absent or cannot be looked up (an invalid VR)."""
    try:
        return ds.get_item(tag) if tag in ds else None
    except UNPARSEABLE:
        return None


def value_of(ds: Dataset, tag: BaseTag, vr: str) -> Value | None:
    """`read` of the element of this tag; None if it is absent, too."""
    stored = raw(ds, tag)
    return None if stored is None else read(ds, tag, stored, vr)


def first_text(ds: Dataset | None, tag: int, vr: str) -> str:
    """The first value of a string element, "" if absent, malformed or no text. Call it inside `quiet`."""
    value = value_of(ds, BaseTag(tag), vr) if ds is not None else None
    return value[0] if isinstance(value, list) and value and isinstance(value[0], str) else ""


def read(ds: Dataset, tag: BaseTag, stored: Element, vr: str) -> Value | None:
    """The element's value by this VR; None if it has none or does not parse."""
    if isinstance(stored, RawDataElement) and stored.value is not None:
        raw = stored.value
        if not raw:
            return None
        if vr in BINARY:
            return _numbers(raw, vr, stored.is_little_endian)
        if vr == "AT":
            return _pointers(raw, stored.is_little_endian)
        if vr in BULK:
            return Bytes(raw if stored.is_little_endian else _swapped(raw, vr))
        if vr != "SQ" and raw.isascii() and b"\x1b" not in raw:
            return _split(raw.decode("ascii"), vr)
        if vr != "SQ" and vr not in TEXT:
            return _split(raw.decode("latin-1"), vr)  # default repertoire only: values outside ASCII fail the checks
    return _parsed(ds, tag, vr)


def _split(text: str, vr: str) -> list[str] | None:
    values = [part.strip(_PADDING) for part in ([text] if vr in _SINGLE else text.split("\\"))]
    return values if any(values) else None


def _numbers(raw: bytes, vr: str, little: bool) -> list[float] | None:
    code = BINARY[vr]
    count, rest = divmod(len(raw), struct.calcsize(code))
    return None if rest else list(struct.unpack(f"{'<' if little else '>'}{count}{code}", raw))


def _pointers(raw: bytes, little: bool) -> list[float] | None:
    """AT: attribute tags as numbers."""
    if len(raw) % 4:
        return None
    halves = struct.unpack(f"{'<' if little else '>'}{len(raw) // 2}H", raw)
    return [group << 16 | number for group, number in zip(halves[::2], halves[1::2], strict=True)]


def _swapped(raw: bytes, vr: str) -> bytes:
    width = _WORD.get(vr, 1)
    if width == 1 or len(raw) % width:
        return raw
    return b"".join(raw[i : i + width][::-1] for i in range(0, len(raw), width))


def _parsed(ds: Dataset, tag: BaseTag, vr: str) -> Value | None:
    """The value, parsed by pydicom. Call it inside `quiet`."""
    data_element = element(ds, tag)
    if data_element is None or data_element.value is None:
        return None
    value: Any = data_element.value
    if vr == "SQ":
        return list(value) if isinstance(value, Items) and len(value) else None
    if vr in BULK:
        return Bytes(bytes(value)) if isinstance(value, bytes | bytearray) and value else None
    values = list(value) if isinstance(value, MultiValue | list | tuple) else [value]
    if vr in BINARY or vr == "AT":
        if (
            len(values) == 1 and isinstance(values[0], bytes) and vr in BINARY
        ):  # an ambiguous VR that pydicom has not corrected yet
            return _numbers(values[0], vr, True)
        return [v if isinstance(v, float) else int(v) for v in values] if all(map(_is_number, values)) else None
    try:
        texts = [str(v).strip(_PADDING) for v in values]
    except UNPARSEABLE:
        return None
    return texts if any(texts) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def packed(values: list[float], vr: str) -> bytes:
    """Numbers of a binary VR, or tags, little endian; struct.error if one does not fit."""
    if vr == "AT":
        return struct.pack(f"<{2 * len(values)}H", *(half for v in values for half in (int(v) >> 16, int(v) & 0xFFFF)))
    return struct.pack(f"<{len(values)}{BINARY[vr]}", *values)


def explicit_element(tag: int, vr: str, value: str | bytes) -> RawDataElement:
    """An encoded element: padded to even length, explicit VR, little endian."""
    raw = value if isinstance(value, bytes) else value.encode("utf-8")
    if len(raw) & 1:
        raw += b"\0" if vr == "UI" or vr in BULK else b" "
    return RawDataElement(tag if isinstance(tag, BaseTag) else BaseTag(tag), vr, len(raw), raw, 0, False, True)


def sequence(tag: int, items: list[Dataset]) -> DataElement:
    """A sequence of these items."""
    return DataElement(BaseTag(tag), "SQ", Items(items))


def header(elements: dict[BaseTag, Element], charset: str = default_encoding) -> Dataset:
    """A Dataset of encoded elements, which pydicom can write without parsing them again."""
    out = Dataset(elements)
    out.set_original_encoding(False, True, charset)
    return out
