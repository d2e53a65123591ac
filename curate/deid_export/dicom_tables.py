"""Palettes and look-up tables: kept where they show the picture, of exactly the entries they declare (C.7.9, C.11)."""

from __future__ import annotations

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import text, value
from curate.sources.dicom.lut import read_lut
from curate.sources.dicom.palette import Palette, read_palette

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
    little = source.original_encoding[1] is not False
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
