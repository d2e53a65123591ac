"""A DICOM file built from scratch: an empty preamble, new file meta information, the cleaned data set.

The data set is written as Explicit VR Little Endian (PS3.5 7.1.2). Elements that the header cleaner already encoded are
copied as bytes, a fifth of the time that pydicom's writer takes to parse and encode them again; pydicom writes the
rest.

Palettes and look-up tables that display needs are kept, with exactly the entries that they declare (C.7.9, C.11).
"""

from __future__ import annotations

import struct

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from curate.deid.header.values import explicit_element
from curate.deid_export.dicom.frames import Written
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import FLOAT_PIXELS, is_little, text, value
from curate.sources.dicom.layout import Layout
from curate.sources.dicom.lut import Palette, read_lut, read_palette
from curate.sources.third_party import call_third_party

IMPLEMENTATION = UID("2.25.147706162298752835966268251301177682278")  # of this product, made once (PS3.5 B.2)
VERSION_NAME = "RADSIFT"
_PHOTOMETRIC, _PLANAR, _FRAMES = 0x00280004, 0x00280006, 0x00280008
_DELIMITER = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
# US or SS by Pixel Representation (PS3.3 C.7.6.3.1); implicit VR files are often read with the wrong one.
_STORED_VALUES = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)
# A picture once compressed with one of these has lost something, however it is written now (PS3.3 C.7.6.1.1.5).
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
    for number, field in numbers.items():  # encoded here: faster than through pydicom's DataElement
        if not 0 <= field <= 0xFFFF:
            raise DropRecord(Reason.HEADER_UNPROVEN)
        header[number] = explicit_element(number, "US", struct.pack("<H", field))
    header[_PHOTOMETRIC] = explicit_element(_PHOTOMETRIC, "CS", layout.photometric)
    if tag not in FLOAT_PIXELS:
        _set_stored_values(header, signed=layout.signed)
    if frames:
        header[_FRAMES] = explicit_element(_FRAMES, "IS", str(layout.frames))
    elif _FRAMES in header:
        del header[_FRAMES]


def _set_stored_values(header: Dataset, *, signed: bool) -> None:
    """Attributes that hold stored values: 16 bits, signed as the pixels are; removed if not a single number."""
    for keyword in _STORED_VALUES:
        if keyword not in header:
            continue
        number = value(header, keyword)
        del header[keyword]
        if isinstance(number, int) and -0x8000 <= number <= 0xFFFF:
            low = number & 0xFFFF
            tag = Tag(keyword)
            header[tag] = DataElement(tag, "SS" if signed else "US", low - 0x10000 if signed and low > 0x7FFF else low)


def declare_lossy(header: Dataset, syntax: str) -> None:
    """Declare that the source was compressed with loss, if its transfer syntax shows it."""
    if syntax in _LOSSY:
        header.LossyImageCompression = "01"


def to_bytes(header: Dataset, pixels: Written | None) -> bytes:
    """The file's bytes: preamble, file meta, ``header``, then the pixel data, whose tag is the last (PS3.5 7.1).

    Raises DropRecord HEADER_UNPROVEN for a value that its VR cannot hold.
    """
    syntax = pixels.syntax if pixels is not None else ExplicitVRLittleEndian
    for tag in tuple(header.keys()):  # iterating the data set itself would parse it
        if int(tag) >= FLOAT_PIXELS[0]:
            del header[tag]
    meta = _meta(header.SOPClassUID, header.SOPInstanceUID, syntax)
    body = call_third_party(Reason.HEADER_UNPROVEN, encode_dataset, header)
    return b"".join((bytes(128), b"DICM", meta, body, *(_pixel_element(pixels) if pixels is not None else ())))


def _meta(sop_class: str, sop_instance: str, syntax: str) -> bytes:
    """File Meta Information (PS3.10 7.1) with its mandatory elements and no other."""
    values = ((2, "UI", sop_class), (3, "UI", sop_instance), (0x10, "UI", syntax), (0x12, "UI", IMPLEMENTATION))
    rest = b"".join(explicit(0x00020000 | e, vr, v.encode() + b"\0" * (len(v) % 2)) for e, vr, v in values)
    name = VERSION_NAME.encode() + b" " * (len(VERSION_NAME) % 2)
    rest = explicit(0x00020001, "OB", b"\x00\x01") + rest + explicit(0x00020013, "SH", name)
    return explicit(0x00020000, "UL", struct.pack("<L", len(rest))) + rest


def _pixel_element(pixels: Written) -> tuple[bytes | memoryview, ...]:
    """Explicit VR little endian (PS3.5 7.1.2); encapsulated pixel data has undefined length and a delimiter (A.4)."""
    length = len(pixels.value) + len(pixels.value) % 2
    encapsulated = pixels.syntax.is_encapsulated
    head = struct.pack("<HH2s2xL", pixels.tag >> 16, pixels.tag & 0xFFFF, pixels.vr.encode(), length)
    if encapsulated:
        return head[:-4] + b"\xff\xff\xff\xff", pixels.value, _DELIMITER
    return head, pixels.value, b"\0" * (len(pixels.value) % 2)


_ITEM, _LONGEST = 0xFFFEE000, 0xFFFF


def encode_dataset(ds: Dataset) -> bytes:
    """Every element of ``ds``, in tag order. Raises ValueError, or what pydicom does, for what a VR cannot hold."""
    return b"".join(_encode_element(ds, tag, element) for tag, element in sorted(ds.items(), key=_tag_of))


def _tag_of(element: tuple[BaseTag, RawDataElement | DataElement]) -> int:
    return int(element[0])  # a plain int: BaseTag compares in Python, slowly


def explicit(tag: int, vr: str, value: bytes) -> bytes:
    """One element with its header; ``value`` is of even length."""
    if vr in EXPLICIT_VR_LENGTH_32:
        return struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value
    if len(value) > _LONGEST:
        raise ValueError("a value longer than its VR's length field")
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def _encode_element(ds: Dataset, tag: BaseTag, element: RawDataElement | DataElement) -> bytes:
    if isinstance(element, RawDataElement):
        final = element.is_little_endian and not element.is_implicit_VR and element.VR and element.VR != "SQ"
        if final and element.value is not None and len(element.value) % 2 == 0:
            return explicit(tag, str(element.VR), element.value)
        element = ds[tag]
    if element.VR == "SQ":
        return explicit(tag, "SQ", b"".join(_encode_item(item) for item in element.value or ()))
    return _encode_by_pydicom(element)


def _encode_item(item: Dataset) -> bytes:
    value = encode_dataset(item)
    return struct.pack("<HHL", _ITEM >> 16, _ITEM & 0xFFFF, len(value)) + value


def _encode_by_pydicom(element: DataElement) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_data_element(out, element)
    return out.getvalue()


_SEQUENCES = {"ModalityLUTSequence": "ModalityLUTType", "VOILUTSequence": ""}
_TYPES = frozenset({"OD", "HU", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"})  # C.11.1.1.2
_PALETTE_TAGS = (*range(0x00281101, 0x00281105), *range(0x00281201, 0x00281205), *range(0x00281221, 0x00281225))
_PALETTE_UID = 0x00281199


def set_palette(out: Dataset, palette: Palette) -> None:
    """Set the palette's six elements in ``out``, in place of any that it has."""
    size = palette.entries.dtype.itemsize
    first = palette.first & 0xFFFF
    for k in range(3):
        data = palette.entries[:, k].astype(f"<u{size}").tobytes()
        out[0x00281101 + k] = DataElement(0x00281101 + k, "US", [len(palette.entries) & 0xFFFF, first, 8 * size])
        out[0x00281201 + k] = DataElement(0x00281201 + k, "OW", data + b"\0" * (len(data) % 2))


def drop_palette(out: Dataset) -> None:
    """Remove palettes of every kind."""
    for tag in (*_PALETTE_TAGS, _PALETTE_UID):
        if tag in out:
            del out[tag]


def keep_palette(out: Dataset, source: Dataset) -> None:
    """A palette that is no part of the pixels (supplemental, or of a presentation state): written exactly, or
    removed."""
    wanted = "RedPaletteColorLookupTableDescriptor" in out or "SegmentedRedPaletteColorLookupTableData" in out
    drop_palette(out)
    if not wanted:
        return
    try:
        set_palette(out, read_palette(source, signed=False))
    except DropRecord:
        return


def set_tables(out: Dataset, source: Dataset) -> None:
    """Set Modality and VOI LUTs of ``source`` in ``out``, with their exact lengths, in place of any that it has.

    Raises DropRecord BAD_HEADER for one that is no valid table, as `curate.sources.window` does.
    """
    little = is_little(source)
    for keyword, kind in _SEQUENCES.items():
        if keyword in out:
            delattr(out, keyword)
        tables = value(source, keyword)
        if not isinstance(tables, Items):
            continue
        items = [item for s in tables if (item := _table(s, kind, little)) is not None]
        if items:
            setattr(out, keyword, Items(items))


def _table(source: Dataset, kind: str, little: bool) -> Dataset | None:
    """One LUT item with its table alone, as 16-bit words (C.11.1.1.1); None if it is empty."""
    if value(source, "LUTDescriptor") is None and value(source, "LUTData") is None:
        return None
    table = read_lut(source, little)
    if len(table.entries) != table.declared:
        raise DropRecord(Reason.BAD_HEADER)  # the picture would look different without it
    item = Dataset()
    words = table.entries.astype("<u2")
    item.add_new(0x00283002, "US", [len(words) & 0xFFFF, table.first, max(table.bits, 8)])
    if kind:
        table_type = text(source, kind).upper()
        setattr(item, kind, table_type if table_type in _TYPES else "US")
    item.add_new(0x00283006, "OW", words.tobytes())
    return item
