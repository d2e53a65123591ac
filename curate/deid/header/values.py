"""An element's value, out of a file or out of memory, in one form; and elements made from values.

What a file holds is taken from its bytes where these are plain ASCII, without pydicom's parsing; anything else goes
through pydicom, so that character sets, byte order and deferred reads are its own affair.
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

Held = RawDataElement | DataElement


class Bytes(NamedTuple):
    """A value of a bulk VR, little endian, as it was held."""

    raw: bytes


# What a handler is given: texts of a text or string VR, numbers of a binary VR, items of a sequence, or bulk bytes.
Value = list[str] | list[float] | list[Dataset] | Bytes


def same_vr(found: str | None, standard: Sequence[str], signed: bool = False) -> str | None:
    """The VR to read an element by: the file's, where the standard gives the attribute that one, else None.

    An implicit-VR file says none, and there the standard's is taken; of several, by the PixelRepresentation
    (``signed``) and by what holds any length (PS3.5 A.1).
    """
    if found in standard:
        return found
    if found is not None and " or " not in found:
        return None
    if len(standard) == 1:
        return standard[0]
    if "OW" in standard:
        return "OW"
    return "SS" if signed and "SS" in standard else standard[0]


def raw(ds: Dataset, tag: BaseTag) -> Held | None:
    """The element as the file has it; None where it is absent, or cannot even be looked up (a VR of no kind)."""
    try:
        return ds.get_item(tag) if tag in ds else None
    except UNPARSEABLE:
        return None


def value_of(ds: Dataset, tag: BaseTag, vr: str) -> Value | None:
    """`read` of the element of this tag; None where it is absent, too."""
    held = raw(ds, tag)
    return None if held is None else read(ds, tag, held, vr)


def read(ds: Dataset, tag: BaseTag, held: Held, vr: str) -> Value | None:
    """The element's value by this VR; None where it has none, or does not parse."""
    if isinstance(held, RawDataElement) and held.value is not None:
        raw = held.value
        if not raw:
            return None
        if vr in BINARY:
            return _numbers(raw, vr, held.is_little_endian)
        if vr == "AT":
            return _pointers(raw, held.is_little_endian)
        if vr in BULK:
            return Bytes(raw if held.is_little_endian else _swapped(raw, vr))
        if vr != "SQ" and raw.isascii() and b"\x1b" not in raw:
            return _split(raw.decode("ascii"), vr)
        if vr != "SQ" and vr not in TEXT:
            return _split(
                raw.decode("latin-1"), vr
            )  # of the default repertoire only: what is not ASCII fails the checks
    return _parsed(ds, tag, vr)


def _split(text: str, vr: str) -> list[str] | None:
    if vr in _SINGLE:
        stripped = text.strip(_PADDING)
        return [stripped] if stripped else None
    if "\\" not in text:
        stripped = text.strip(_PADDING)
        return [stripped] if stripped else None
    values = [part.strip(_PADDING) for part in text.split("\\")]
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
    """The value as pydicom reads it. Call it inside `quiet`."""
    found = element(ds, tag)
    if found is None or found.value is None:
        return None
    value: Any = found.value
    if vr == "SQ":
        return list(value) if isinstance(value, Items) and len(value) else None
    if vr in BULK:
        return Bytes(bytes(value)) if isinstance(value, bytes | bytearray) and value else None
    values = list(value) if isinstance(value, MultiValue | list | tuple) else [value]
    if vr in BINARY or vr == "AT":
        if len(values) == 1 and isinstance(values[0], bytes) and vr in BINARY:  # an ambiguous VR, not yet corrected
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
    """Numbers of a binary VR, or tags, little endian; struct.error where one does not fit."""
    if vr == "AT":
        return struct.pack(f"<{2 * len(values)}H", *(half for v in values for half in (int(v) >> 16, int(v) & 0xFFFF)))
    return struct.pack(f"<{len(values)}{BINARY[vr]}", *values)


def made(tag: int, vr: str, value: str | bytes) -> RawDataElement:
    """An element of this value as it is written: padded to even length, explicit VR, little endian."""
    raw = value if isinstance(value, bytes) else value.encode("utf-8")
    if len(raw) & 1:
        raw += b"\0" if vr == "UI" or vr in BULK else b" "
    return RawDataElement(tag if isinstance(tag, BaseTag) else BaseTag(tag), vr, len(raw), raw, 0, False, True)


def sequence(tag: int, items: list[Dataset]) -> DataElement:
    """A sequence of these items."""
    return DataElement(BaseTag(tag), "SQ", Items(items))


def header(elements: dict[BaseTag, Held], charset: str = default_encoding) -> Dataset:
    """A Dataset of elements made here, which pydicom can write without parsing them again."""
    out = Dataset(elements)
    out.set_original_encoding(False, True, charset)
    return out
