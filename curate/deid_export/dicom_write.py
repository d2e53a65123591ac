"""A DICOM file from nothing: an empty preamble, new file meta information, the cleaned data set, and its end.

The data set is written as Explicit VR Little Endian (PS3.5 7.1.2), its elements' bytes taken as they were checked:
pydicom's writer parses and encodes what the header cleaner has just written in its final form; passing the bytes on
takes a fifth of its time. What is not such bytes is still pydicom's to write.

Palettes and look-up tables are kept where they show the picture, of exactly the entries they declare (C.7.9, C.11).
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

from curate.deid.header.values import made
from curate.deid_export.dicom_native import Written
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
    return b"".join((bytes(128), b"DICM", meta, body, *(_pixel_element(pixels) if pixels is not None else ())))


def _meta(sop_class: str, sop_instance: str, syntax: str) -> bytes:
    """File Meta Information of PS3.10 7.1, with what it must hold and nothing else."""
    values = ((2, "UI", sop_class), (3, "UI", sop_instance), (0x10, "UI", syntax), (0x12, "UI", IMPLEMENTATION))
    rest = b"".join(explicit(0x00020000 | e, vr, v.encode() + b"\0" * (len(v) % 2)) for e, vr, v in values)
    name = VERSION_NAME.encode() + b" " * (len(VERSION_NAME) % 2)
    rest = explicit(0x00020001, "OB", b"\x00\x01") + rest + explicit(0x00020013, "SH", name)
    return explicit(0x00020000, "UL", struct.pack("<L", len(rest))) + rest


def _pixel_element(pixels: Written) -> tuple[bytes | memoryview, ...]:
    """Explicit VR little endian (PS3.5 7.1.2); of undefined length and delimited where it is encapsulated (A.4)."""
    length = len(pixels.value) + len(pixels.value) % 2
    encapsulated = pixels.syntax.is_encapsulated
    head = struct.pack("<HH2s2xL", pixels.tag >> 16, pixels.tag & 0xFFFF, pixels.vr.encode(), length)
    if encapsulated:
        return head[:-4] + b"\xff\xff\xff\xff", pixels.value, _DELIMITER
    return head, pixels.value, b"\0" * (len(pixels.value) % 2)


_ITEM, _LONGEST = 0xFFFEE000, 0xFFFF


def written(ds: Dataset) -> bytes:
    """Every element of ``ds``, in tag order. Raises ValueError, or what pydicom does, for what a VR cannot hold."""
    return b"".join(_element(ds, tag, held) for tag, held in sorted(ds.items(), key=_tag_of))


def _tag_of(element: tuple[BaseTag, RawDataElement | DataElement]) -> int:
    return int(element[0])  # a plain one: BaseTags are compared in Python


def explicit(tag: int, vr: str, value: bytes) -> bytes:
    """One element with its header; ``value`` is of even length."""
    if vr in EXPLICIT_VR_LENGTH_32:
        return struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value
    if len(value) > _LONGEST:
        raise ValueError("a value longer than its VR's length field")
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def _element(ds: Dataset, tag: BaseTag, held: RawDataElement | DataElement) -> bytes:
    if isinstance(held, RawDataElement):
        final = held.is_little_endian and not held.is_implicit_VR and held.VR and held.VR != "SQ"
        if final and held.value is not None and len(held.value) % 2 == 0:
            return explicit(tag, str(held.VR), held.value)
        held = ds[tag]
    if held.VR == "SQ":
        return explicit(tag, "SQ", b"".join(_item(item) for item in held.value or ()))
    return _by_pydicom(held)


def _item(item: Dataset) -> bytes:
    value = written(item)
    return struct.pack("<HHL", _ITEM >> 16, _ITEM & 0xFFFF, len(value)) + value


def _by_pydicom(held: DataElement) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_data_element(out, held)
    return out.getvalue()


_SEQUENCES = {"ModalityLUTSequence": "ModalityLUTType", "VOILUTSequence": ""}
_TYPES = frozenset({"OD", "HU", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"})  # C.11.1.1.2
_PALETTE_TAGS = (*range(0x00281101, 0x00281105), *range(0x00281201, 0x00281205), *range(0x00281221, 0x00281225))
_PALETTE_UID = 0x00281199


def set_palette(out: Dataset, palette: Palette) -> None:
    """The palette's six elements, in place of whatever of a palette ``out`` has."""
    size = palette.entries.dtype.itemsize
    first = palette.first & 0xFFFF
    for k in range(3):
        data = palette.entries[:, k].astype(f"<u{size}").tobytes()
        out[0x00281101 + k] = DataElement(0x00281101 + k, "US", [len(palette.entries) & 0xFFFF, first, 8 * size])
        out[0x00281201 + k] = DataElement(0x00281201 + k, "OW", data + b"\0" * (len(data) % 2))


def drop_palette(out: Dataset) -> None:
    """No palette, of any kind."""
    for tag in (*_PALETTE_TAGS, _PALETTE_UID):
        if tag in out:
            del out[tag]


def keep_palette(out: Dataset, source: Dataset) -> None:
    """Of a palette that is no part of the pixels (supplemental, or of a presentation state): exact, or gone."""
    wanted = "RedPaletteColorLookupTableDescriptor" in out or "SegmentedRedPaletteColorLookupTableData" in out
    drop_palette(out)
    if not wanted:
        return
    try:
        set_palette(out, read_palette(source, signed=False))
    except DropRecord:
        return


def set_tables(out: Dataset, source: Dataset) -> None:
    """Modality and VOI LUTs of ``source`` of their exact lengths; what of them ``out`` has already is replaced.

    Raises DropRecord BAD_HEADER where one makes no table, as `curate.sources.window` does.
    """
    little = is_little(source)
    for keyword, kind in _SEQUENCES.items():
        if keyword in out:
            delattr(out, keyword)
        found = value(source, keyword)
        if not isinstance(found, Items):
            continue
        items = [item for s in found if (item := _table(s, kind, little)) is not None]
        if items:
            setattr(out, keyword, Items(items))


def _table(source: Dataset, kind: str, little: bool) -> Dataset | None:
    """One LUT item with nothing but its table, as words (C.11.1.1.1); None where it was left empty."""
    if value(source, "LUTDescriptor") is None and value(source, "LUTData") is None:
        return None
    table = read_lut(source, little)
    if len(table.entries) != table.declared:
        raise DropRecord(Reason.BAD_HEADER)  # without it the picture is another one
    item = Dataset()
    words = table.entries.astype("<u2")
    item.add_new(0x00283002, "US", [len(words) & 0xFFFF, table.first, max(table.bits, 8)])
    if kind:
        said = text(source, kind).upper()
        setattr(item, kind, said if said in _TYPES else "US")
    item.add_new(0x00283006, "OW", words.tobytes())
    return item
