"""A DICOM file from nothing: an empty preamble, new file meta information, the cleaned data set, and its end."""

from __future__ import annotations

import struct

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

from curate.deid.header.values import made
from curate.deid_export.dicom_frames import Written
from curate.deid_export.dicom_write import explicit, written
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import FLOAT_PIXELS, value
from curate.sources.dicom.layout import Layout
from curate.sources.third_party import call_third_party

IMPLEMENTATION = UID("2.25.147706162298752835966268251301177682278")  # of this product, made once (PS3.5 B.2)
VERSION_NAME = "RADSIFT"
_PHOTOMETRIC, _PLANAR, _FRAMES = 0x00280004, 0x00280006, 0x00280008
_DELIMITER = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
# US or SS by Pixel Representation (PS3.3 C.7.6.3.1), which readers of old files take for the wrong one.
_STORED_VALUES = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)
# A picture that went through one of these has lost something, whatever it is written as now (PS3.3 C.7.6.1.1.5).
_LOSSY = frozenset(f"1.2.840.10008.1.2.4.{tail}" for tail in ("50", "51"))


def describe(header: Dataset, layout: Layout, tag: int, *, frames: bool) -> None:
    """Set the Image Pixel attributes of ``header`` to what is written. ``frames``: Number of Frames belongs to it."""
    numbers = {0x00280002: layout.samples, 0x00280010: layout.rows, 0x00280011: layout.columns}
    numbers[0x00280100] = layout.allocated
    if layout.samples > 1:
        numbers[_PLANAR] = layout.planar
    elif _PLANAR in header:
        del header[_PLANAR]
    if tag not in FLOAT_PIXELS:
        numbers |= {0x00280101: layout.stored, 0x00280102: layout.stored - 1, 0x00280103: int(layout.signed)}
    for number, told in numbers.items():  # as they are written, which spares pydicom's making and writing of elements
        if not 0 <= told <= 0xFFFF:
            raise DropRecord(Reason.HEADER_UNPROVEN)
        header[number] = made(number, "US", struct.pack("<H", told))
    header[_PHOTOMETRIC] = made(_PHOTOMETRIC, "CS", layout.photometric)
    if tag not in FLOAT_PIXELS:
        _fit(header, signed=layout.signed)
    if frames:
        header[_FRAMES] = made(_FRAMES, "IS", str(layout.frames))
    elif _FRAMES in header:
        del header[_FRAMES]


def _fit(header: Dataset, *, signed: bool) -> None:
    """Stored values told in the header: 16 bits, signed as the pixels are; gone where they are not one number."""
    for keyword in _STORED_VALUES:
        if keyword not in header:
            continue
        number = value(header, keyword)
        del header[keyword]
        if isinstance(number, int) and -0x8000 <= number <= 0xFFFF:
            low = number & 0xFFFF
            tag = Tag(keyword)
            header[tag] = DataElement(tag, "SS" if signed else "US", low - 0x10000 if signed and low > 0x7FFF else low)


def lossy(header: Dataset, syntax: str) -> None:
    """Say that the source was compressed with loss, where its transfer syntax shows it."""
    if syntax in _LOSSY:
        header.LossyImageCompression = "01"


def to_bytes(header: Dataset, pixels: Written | None) -> bytes:
    """The file's bytes: preamble, file meta, ``header``, and behind it the pixel data, which PS3.5 7.1 has last.

    Raises DropRecord HEADER_UNPROVEN where the header holds what its VR cannot.
    """
    syntax = pixels.syntax if pixels is not None else ExplicitVRLittleEndian
    for tag in tuple(header.keys()):  # iterating the data set itself would parse it
        if int(tag) >= FLOAT_PIXELS[0]:
            del header[tag]
    meta = _meta(header.SOPClassUID, header.SOPInstanceUID, syntax)
    body = call_third_party(Reason.HEADER_UNPROVEN, written, header)
    return b"".join((bytes(128), b"DICM", meta, body, *(_element(pixels) if pixels is not None else ())))


def _meta(sop_class: str, sop_instance: str, syntax: str) -> bytes:
    """File Meta Information of PS3.10 7.1, with what it must hold and nothing else."""
    values = ((2, "UI", sop_class), (3, "UI", sop_instance), (0x10, "UI", syntax), (0x12, "UI", IMPLEMENTATION))
    rest = b"".join(explicit(0x00020000 | e, vr, v.encode() + b"\0" * (len(v) % 2)) for e, vr, v in values)
    name = VERSION_NAME.encode() + b" " * (len(VERSION_NAME) % 2)
    rest = explicit(0x00020001, "OB", b"\x00\x01") + rest + explicit(0x00020013, "SH", name)
    return explicit(0x00020000, "UL", struct.pack("<L", len(rest))) + rest


def _element(pixels: Written) -> tuple[bytes | memoryview, ...]:
    """Explicit VR little endian (PS3.5 7.1.2); of undefined length and delimited where it is encapsulated (A.4)."""
    length = len(pixels.value) + len(pixels.value) % 2
    encapsulated = pixels.syntax.is_encapsulated
    head = struct.pack("<HH2s2xL", pixels.tag >> 16, pixels.tag & 0xFFFF, pixels.vr.encode(), length)
    if encapsulated:
        return head[:-4] + b"\xff\xff\xff\xff", pixels.value, _DELIMITER
    return head, pixels.value, b"\0" * (len(pixels.value) % 2)
