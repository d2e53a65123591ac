"""TIFF 6.0 and BigTIFF: directories read here, pixels by libtiff, and each held against the other.

libtiff gives every depth, sign, layout and compression it knows as stored; what the values mean, the tags say.
"""

from __future__ import annotations

import logging
import math
from typing import BinaryIO

import imagecodecs
import numpy as np

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.codestream import end_of_runs
from curate.sources.images import jp2
from curate.sources.images.jpeg import decode_whole
from curate.sources.images.page import Alpha, Page, from_cmyk, full_range, over_black
from curate.sources.images.tiff_directory import Tag, Tags, directories
from curate.sources.third_party import call_third_party

_WHITE_IS_ZERO, _RGB, _PALETTE, _SEPARATED, _YCBCR = 0, 2, 3, 5, 6
_COLOURS = {_WHITE_IS_ZERO: 1, 1: 1, _RGB: 3, _PALETTE: 1, _SEPARATED: 4, _YCBCR: 3}  # samples by photometric
_PLAIN, _LZW, _OLD_JPEG, _JPEG = 1, 5, 6, 7
_JPEG_2000_YCC = 33003  # Aperio's of YCbCr, whatever PhotometricInterpretation says; 33005 is its of RGB
_JPEG_2000 = (_JPEG_2000_YCC, 33005, 34712)  # which libtiff does not know
_FAX = {2: imagecodecs.ccittrle_decode, 3: imagecodecs.ccittfax3_decode, 4: imagecodecs.ccittfax4_decode}
_LOG = logging.getLogger("imagecodecs")  # where it reports what libtiff warns of
_LOG.propagate = False  # for the warnings quote tags
_LOG.addHandler(logging.NullHandler())
_PACKBITS, _LERC = 32773, 34887
_DECODERS = {  # whose output may be longer than a strip
    8: imagecodecs.zlib_decode,
    32946: imagecodecs.zlib_decode,
    _LZW: imagecodecs.lzw_decode,
    _PACKBITS: imagecodecs.packbits_decode,
    34925: imagecodecs.lzma_decode,
    50000: imagecodecs.zstd_decode,
}
_SMALL_TILE = 1 << 22  # pixels
_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_ALPHA: dict[int, Alpha] = {1: "premultiplied", 2: "straight"}  # ExtraSamples; 0 is anything


def read_pages(file: BinaryIO) -> tuple[Page, ...]:
    """The pages; smaller copies and masks (NewSubfileType) are none, unless there is nothing else.

    DropRecord UNSUPPORTED_IMAGE where smaller copies are all, and the picture lies in directories of their own
    (SubIFDs), which are not read.
    """
    pages = [(tags, _page(tags, number)) for number, tags in enumerate(directories(file))]
    if not pages:
        raise DropRecord(Reason.BAD_HEADER)
    full = tuple(page for tags, page in pages if not tags.get(Tag.SUBFILE, (0,))[0] & 5 and _old(tags) != 2)
    if not full and any(Tag.SUB_IFDS in tags for tags, _ in pages):
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    return full or tuple(page for _, page in pages)


def decode(data: bytes, page: Page) -> np.ndarray:
    """A page's values as stored, [H, W] or [H, W, 3] RGB, alpha over black, not turned; WhiteIsZero inverted.

    At most 8 unsigned bits and palettes are uint8 over the whole range; what is deeper keeps dtype and value.
    Raises DropRecord UNSUPPORTED_IMAGE, BAD_HEADER, TRUNCATED, CONTRADICTORY, UNDECODABLE.
    """
    tags = page.tags
    meaning, samples, bits, form = _meaning(tags)
    alpha = _alpha(tags, samples - _COLOURS[meaning])
    if tags.get(Tag.COMPRESSION) == (_LERC,) and bits > 8 and data[:2] == b"MM":  # swapped or not, writers differ
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    _check_segments(data, page, samples, bits)
    if meaning == _SEPARATED:  # libtiff makes colours of inks, by another rule than everybody's; as greys it does not
        place = tags[Tag.PHOTOMETRIC_PLACE][0]
        data = data[:place] + data[place : place + 2].replace(b"\5", b"\1") + data[place + 2 :]
    coding = tags.get(Tag.COMPRESSION, (_PLAIN,))[0]
    decoder = _by_jpeg_2000 if coding in _JPEG_2000 else _by_libtiff
    values = decoder(data, page)
    if tags.get(Tag.PLANAR, (1,))[0] == 2 and values.ndim == 3 and values.shape[0] == samples > 1:
        values = np.moveaxis(values, 0, -1)
    if values.shape != ((page.rows, page.columns, samples) if samples > 1 else (page.rows, page.columns)):
        raise DropRecord(Reason.CONTRADICTORY)
    top = (1 << bits) - 1
    if samples > _COLOURS[meaning]:
        values = values[..., : _COLOURS[meaning] + 1]
        if meaning == _WHITE_IS_ZERO:
            values = np.concatenate([_inverted(values[..., :1], top), values[..., 1:]], axis=-1)
        values = over_black(values, alpha, top if values.dtype.kind in "bu" else 1)
    elif meaning == _WHITE_IS_ZERO:
        values = _inverted(values, top)
    if meaning == _PALETTE:
        return _coloured(values, tags, bits)
    values = full_range(values, bits) if form != _FLOAT else values
    if coding == _JPEG_2000_YCC:
        return jp2.from_ycc(values)
    return from_cmyk(values) if meaning == _SEPARATED else values


def _by_libtiff(data: bytes, page: Page) -> np.ndarray:
    """Samples as stored. Of damaged fax data libtiff makes lines all the same, and only warns."""
    complaints: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: complaints.append(str(record.msg))  # type: ignore[method-assign]
    handler.addFilter(lambda record: " at line " in record.getMessage())
    _LOG.addHandler(handler)
    try:
        values = call_third_party(Reason.UNDECODABLE, imagecodecs.tiff_decode, data, index=page.number, verbose=2)
    finally:
        _LOG.removeHandler(handler)
    coding = page.tags.get(Tag.COMPRESSION, (1,))[0]
    if coding in _FAX and (complaints or not _fax_agrees(data, page, np.asarray(values), coding)):
        raise DropRecord(Reason.UNDECODABLE)
    return np.asarray(values)


def _by_jpeg_2000(data: bytes, page: Page) -> np.ndarray:
    """Samples as stored, [H, W] or [H, W, S], of a code stream for each strip or tile.

    DropRecord CONTRADICTORY where one has another size, depth or sign than the tags say.
    """
    tags = page.tags
    _, count, bits, form = _meaning(tags)
    planes = count if tags.get(Tag.PLANAR, (1,))[0] == 2 else 1
    places, sizes, height, width = _segments(page)
    down, across = math.ceil(page.rows / height), math.ceil(page.columns / width)
    sign = "i" if form == _SIGNED else "u"
    values = np.zeros((down * height, across * width, count), f"{sign}{1 if bits <= 8 else 2}")
    for n, (place, size) in enumerate(zip(places, sizes, strict=True)):
        plane, n = divmod(n, down * across)
        top, left = n // across * height, n % across * width
        high = height if Tag.TILES in tags else min(height, page.rows - top)
        part, depth, signed = jp2.samples(data[place : place + size], high, width, count // planes)
        if (depth, signed) != (bits, form == _SIGNED) or form == _FLOAT:
            raise DropRecord(Reason.CONTRADICTORY)
        cell = values[top : top + high, left : left + width]
        cell[..., plane * (count // planes) : (plane + 1) * (count // planes)] = part.reshape(*part.shape[:2], -1)
    whole = values[: page.rows, : page.columns]
    return whole if count > 1 else whole[..., 0]


def _fax_agrees(data: bytes, page: Page, values: np.ndarray, coding: int) -> bool:
    """Does another decoder, where it can, make the same of the strips? Of some damage libtiff does not even warn."""
    tags = page.tags
    if values.ndim != 2 or Tag.STRIPS not in tags or tags.get(Tag.T4_OPTIONS, (0,))[0] or Tag.STRIP_BYTES not in tags:
        return True
    at, height = 0, tags.get(Tag.ROWS_PER_STRIP, (page.rows,))[0]
    for place, size in zip(tags[Tag.STRIPS], tags[Tag.STRIP_BYTES], strict=True):
        strip, rows = data[place : place + size], values[at : at + height]
        at += height
        if tags.get(Tag.FILL_ORDER, (1,))[0] == 2:
            strip = bytes(imagecodecs.bitorder_decode(strip))
        try:
            other = call_third_party(Reason.UNDECODABLE, _FAX[coding], strip, height=len(rows), width=page.columns)
        except DropRecord:
            continue
        if not np.array_equal(rows.astype(np.uint8), np.asarray(other).reshape(rows.shape)):
            return False
    return True


def _page(tags: Tags, number: int) -> Page:
    rows, columns = (tags.get(name, (0,))[0] for name in (Tag.ROWS, Tag.COLUMNS))
    if rows < 1 or columns < 1:
        raise DropRecord(Reason.BAD_HEADER)
    samples = 3 if tags.get(Tag.PHOTOMETRIC) == (_PALETTE,) else tags.get(Tag.SAMPLES, (1,))[0]
    size = max(1, samples) * max(1, -(-tags.get(Tag.BITS, (1,))[0] // 8))
    return Page(rows, columns, size, tags.get(Tag.ORIENTATION, (1,))[0], number, tags)


def _old(tags: Tags) -> int:
    return tags.get(Tag.OLD_SUBFILE, (0,))[0]


def _meaning(tags: Tags) -> tuple[int, int, int, int]:
    """Photometric interpretation, samples a pixel, bits a sample, sample format, where they make a picture."""
    if Tag.PHOTOMETRIC not in tags:
        raise DropRecord(Reason.BAD_HEADER)  # readers differ in what they make of it
    meaning, samples = tags[Tag.PHOTOMETRIC][0], tags.get(Tag.SAMPLES, (1,))[0]
    bits, forms = set(tags.get(Tag.BITS, (1,))), set(tags.get(Tag.SAMPLE_FORMAT, (_UNSIGNED,)))
    colours = _COLOURS.get(meaning)
    if colours is None or len(bits) > 1 or len(forms) > 1 or tags.get(Tag.INK_SET, (1,))[0] != 1:
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    if samples < colours or (colours == 1 and samples > 2):  # three greys may be colours, or three pictures
        raise DropRecord(Reason.CONTRADICTORY)
    depth, form = bits.pop(), forms.pop()
    if form not in (_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED) or not 1 <= depth <= 64:
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    coding = tags.get(Tag.COMPRESSION, (1,))[0]
    if coding == _OLD_JPEG or (meaning == _SEPARATED and (depth not in (8, 16) or form > 1)):
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    if coding in _JPEG_2000 and (depth > 16 or (meaning == _YCBCR and coding != _JPEG_2000_YCC)):
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    if coding == _JPEG_2000_YCC and (samples, depth) != (3, 8):
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    return meaning, samples, depth, form


def _alpha(tags: Tags, extra: int) -> Alpha:
    kinds = tags.get(Tag.EXTRA_SAMPLES, ())
    return _ALPHA.get(kinds[0], "none") if kinds and extra > 0 else "none"


def _inverted(values: np.ndarray, top: int) -> np.ndarray:
    """White is zero: from the top of the bits for unsigned values, the other way round for signed and float."""
    if values.dtype.kind == "f":
        return -values
    return ~values if values.dtype.kind == "i" else (top - values.astype(np.min_scalar_type(top)))


def _coloured(places: np.ndarray, tags: Tags, bits: int) -> np.ndarray:
    """uint8 RGB: the high byte of the 16-bit colour map, or the low one of a map that was written with 8 bits."""
    entries = np.array(tags.get(Tag.COLOUR_MAP, ()), np.int64)
    if bits > 16 or len(entries) != 3 << bits or places.dtype.kind not in "bu":
        raise DropRecord(Reason.BAD_HEADER)
    table = (entries >> 8 if entries.max() > 255 else entries).astype(np.uint8).reshape(3, -1).T
    return np.asarray(table[places.astype(np.int64)])


def _check_segments(data: bytes, page: Page, samples: int, bits: int) -> None:
    """Do strips or tiles lie in the file, as many and as long as rows and columns say?"""
    tags = page.tags
    planes = samples if tags.get(Tag.PLANAR, (1,))[0] == 2 else 1
    compression, photometric = (tags.get(name, (1,))[0] for name in (Tag.COMPRESSION, Tag.PHOTOMETRIC))
    places, sizes, height, width = _segments(page)
    if min(height, width) < 1 or height * width > max(4 * page.rows * page.columns, _SMALL_TILE):
        raise DropRecord(Reason.BAD_HEADER)
    down = math.ceil(page.rows / height)
    row = -(-width * (samples // planes) * bits // 8)
    last = height if Tag.TILES in tags else page.rows - height * (down - 1)
    lengths = [row * (last if (n + 1) % down == 0 else height) for n in range(len(places))]
    if compression == _PLAIN and not sizes:  # older writers leave them out
        sizes = tuple(lengths)
    if not len(places) == len(sizes) == down * math.ceil(page.columns / width) * planes:
        raise DropRecord(Reason.CONTRADICTORY)
    if any(place + size > len(data) for place, size in zip(places, sizes, strict=True)):
        raise DropRecord(Reason.TRUNCATED)
    for place, size, length in zip(places, sizes, lengths, strict=True):
        if compression == _JPEG:
            decode_whole(data[place : place + size], bytes(tags.get(Tag.JPEG_TABLES, ())))
        elif photometric != _YCBCR:
            _check_length(data[place : place + size], tags, length, row, height)
        if compression == _PACKBITS and bits % 8 and not _by_rows(data[place : place + size], row):
            raise DropRecord(Reason.UNSUPPORTED_IMAGE)  # libtiff gives packed bits by rows, and loses what runs over


def _segments(page: Page) -> tuple[tuple[int, ...], tuple[int, ...], int, int]:
    """Offsets and lengths of the strips or tiles, and the height and width of one."""
    tags = page.tags
    if Tag.TILES in tags:
        height, width = (tags.get(name, (0,))[0] for name in (Tag.TILE_ROWS, Tag.TILE_COLUMNS))
        return tags[Tag.TILES], tags.get(Tag.TILE_BYTES, ()), height, width
    height = min(tags.get(Tag.ROWS_PER_STRIP, (page.rows,))[0], page.rows)
    return tags.get(Tag.STRIPS, ()), tags.get(Tag.STRIP_BYTES, ()), height, page.columns


def _check_length(data: bytes, tags: Tags, length: int, row: int, height: int) -> None:
    """DropRecord where a strip or tile holds less than ``length`` bytes, or at least a row of ``row`` bytes more, but
    the last one may be as long as the others, of ``height`` rows; or where it ends otherwise than its coding does."""
    compression = tags.get(Tag.COMPRESSION, (1,))[0]
    found = len(data)
    if compression != _PLAIN:
        old = compression == _LZW and data[:1] == b"\0"  # bits the other way round, as before TIFF 5
        if compression not in _DECODERS or tags.get(Tag.FILL_ORDER, (1,))[0] != 1 or old:
            return
        found = len(call_third_party(Reason.CONTRADICTORY, _DECODERS[compression], data, out=row * (height + 1)))
    if found < length:
        raise DropRecord(Reason.TRUNCATED)
    if found >= length + row and found != row * height:
        raise DropRecord(Reason.CONTRADICTORY)


def _by_rows(data: bytes, row: int) -> bool:
    """Does every run of PackBits (TIFF 6.0 section 9) end with its row of ``row`` bytes?"""
    at = more = 0
    while at < len(data) and more <= 0:
        at, more = end_of_runs(data, at, row)
    return more <= 0
