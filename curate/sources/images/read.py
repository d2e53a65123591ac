"""Plain image files in, true to their depth, colour and orientation.

One decoder for both commands: `decode` gives a page as stored, which ``curate deid`` writes; `load_image` shows it.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.faults import open_source
from curate.sources.grey import window
from curate.sources.images import jp2, jpeg, png, tiff
from curate.sources.images.page import Page, over_black, upright
from curate.sources.images.tiff_directory import exif_orientation
from curate.sources.picture import Header, Picture, PixelRules, finish
from curate.sources.sniff import HEAD_BYTES, image_kind
from curate.sources.third_party import call_third_party
from curate.sources.window import ROBUST, stretch, to_byte

_PILLOW = ("BMP", "WEBP")
_SPARE = 1 << 20  # bytes that a file may be longer than the pixels of the largest picture
_OUTLIERS = 2.0  # times the middle 99 % of the values: what is further away, a few pixels make

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns and raises; PixelRules.check_size decides here


@dataclass(frozen=True)
class Opened:
    """An image file in memory: its format, its pages as declared, how many frames of an animation are no page."""

    kind: str  # as `image_kind` says
    data: bytes
    pages: tuple[Page, ...]
    left: int = 0


def read_image_header(path: Path) -> Header:
    """Size, as displayed (EXIF orientation applied), and pages of an image; identities stay empty.

    Raises DropRecord: UNREADABLE_FILE, EMPTY_FILE; NOT_AN_IMAGE by content; UNSUPPORTED_IMAGE of a format known by
    name only; TRUNCATED, BAD_HEADER or CONTRADICTORY where the header does not parse. Pixels are not read.
    """
    with open_source(path) as file:
        pages = _pages(_kind(file), file)[0]
    rows, columns = pages[0].rows, pages[0].columns
    if pages[0].orientation in (5, 6, 7, 8):
        rows, columns = columns, rows
    return Header(kind="image", frames=len(pages), rows=rows, columns=columns)


def load_image(path: Path, frame: int, rules: PixelRules) -> Picture:
    """A page (0 but for TIFF) of an image file as a picture; EXIF orientation applied, alpha laid over black.

    What has at most 8 bits is shown over their whole range. Deeper greys and colours, whose true range no header
    tells, are scaled to 8 bits from their extremes; or, where these are over twice as far apart as the 0.5 and 99.5
    percentiles (those of an unwindowed DICOM frame), from those; a colour's channels by one range. Greys go by
    ``rules.window`` where it is (centre, width), from their extremes where it is "full". Where ``rules.bits`` is 16
    uint16 is kept and what is neither 8 bits nor uint16 is scaled in the same way to 16 bits.

    Raises DropRecord: all of `open_image` and `decode`; CHANGED where there is no such page; TOO_SMALL and TOO_LARGE by
    the declared size, before decoding; BLANK where every pixel has one value.
    """
    opened = open_image(path, rules.max_bytes)
    if frame >= len(opened.pages):
        raise DropRecord(Reason.CHANGED)
    page = opened.pages[frame]
    rules.check_size(page.rows, page.columns, page.bytes_per_pixel)
    return Picture(finish(_show(decode(opened, page)[0], rules)), None)


def open_image(path: Path, max_bytes: int) -> Opened:
    """The file, its header parsed. Raises DropRecord as `read_image_header`, TOO_LARGE."""
    with open_source(path) as file:
        kind = _kind(file)
        pages, left = _pages(kind, file)
        if file.seek(0, io.SEEK_END) > max_bytes + _SPARE:
            raise DropRecord(Reason.TOO_LARGE)
        file.seek(0)
        return Opened(kind, call_third_party(Reason.UNREADABLE_FILE, file.read), pages, left)


def decode(opened: Opened, page: Page) -> tuple[np.ndarray, int]:
    """A page's values as stored, and the orientation by which they were turned: [H, W] or [H, W, 3] RGB, of any whole
    or float dtype, WhiteIsZero inverted, alpha over black, palettes and inks as RGB; up to 8 bits as uint8, 0 to 255.

    Raises DropRecord TRUNCATED, CONTRADICTORY, UNDECODABLE, UNSUPPORTED_IMAGE. Memory is bounded by the declared size.
    """
    if opened.kind == "png":
        page = png.read_page(io.BytesIO(opened.data), whole=True)  # its orientation may stand behind the pixels
    decoder = {"png": png.decode, "jpeg": jpeg.decode, "tiff": tiff.decode, "jp2": jp2.decode}.get(opened.kind)
    values = _by_pillow(opened.data) if decoder is None else decoder(opened.data, page)
    if values.ndim == 3 and all(np.array_equal(values[..., 0], values[..., k]) for k in (1, 2)):
        values = values[..., 0]
    return np.ascontiguousarray(upright(values, page.orientation)), page.orientation


def _kind(file: BinaryIO) -> str:
    head = file.read(HEAD_BYTES)
    if not head:
        raise DropRecord(Reason.EMPTY_FILE)
    kind = image_kind(head)
    if kind is None or kind == "other":
        raise DropRecord(Reason.UNSUPPORTED_IMAGE if kind else Reason.NOT_AN_IMAGE)
    return kind


def _pages(kind: str, file: BinaryIO) -> tuple[tuple[Page, ...], int]:
    """The pages that a header declares, and the frames of an animation after its first."""
    file.seek(0)
    if kind == "tiff":
        return tiff.read_pages(file), 0
    reader = {"png": png.read_page, "jpeg": jpeg.read_page, "jp2": jp2.read_page}.get(kind)
    return _pages_by_pillow(kind, file) if reader is None else ((reader(file),), 0)


def _pages_by_pillow(kind: str, file: BinaryIO) -> tuple[tuple[Page, ...], int]:
    """BMP and WebP. Pillow does not say where a WebP file is shorter than its header tells."""
    if kind == "webp" and int.from_bytes(file.read(8)[4:], "little") + 8 > file.seek(0, io.SEEK_END):
        raise DropRecord(Reason.TRUNCATED)
    file.seek(0)
    with call_third_party(Reason.BAD_HEADER, Image.open, file, formats=_PILLOW) as image:
        frames = int(call_third_party(Reason.BAD_HEADER, getattr, image, "n_frames", 1))
        orientation = exif_orientation(image.info.get("exif", b""))
        size = 4 if image.mode == "P" else len(image.getbands())
        return (Page(image.height, image.width, size, orientation),), frames - 1


def _by_pillow(data: bytes) -> np.ndarray:
    cut = len(data) < int.from_bytes(data[2:6], "little")  # of a BMP; many tell nonsense there and are whole
    if data[:2] == b"BM" and _has_more_rows(data):
        raise DropRecord(Reason.CONTRADICTORY)
    with call_third_party(Reason.BAD_HEADER, Image.open, io.BytesIO(data), formats=_PILLOW) as image:
        call_third_party(Reason.TRUNCATED if cut else Reason.UNDECODABLE, image.load)
        if image.mode == "L":
            return np.asarray(image)
        if image.has_transparency_data:
            return over_black(np.asarray(call_third_party(Reason.UNDECODABLE, image.convert, "RGBA")), "straight", 255)
        return np.asarray(call_third_party(Reason.UNDECODABLE, image.convert, "RGB"))


def _has_more_rows(data: bytes) -> bool:
    """Does a BMP's image size, where it has one, say that the uncompressed data hold more rows than the header?"""
    start, size = (int.from_bytes(data[at : at + 4], "little") for at in (10, 34))
    columns, rows, _, bits, compression = struct.unpack_from("<iiHHI", data, 18) if len(data) > 38 else (0, 0, 0, 0, 1)
    row = (columns * bits + 31) // 32 * 4
    plain = int.from_bytes(data[14:18], "little") >= 40 and compression in (0, 3)
    return plain and row > 0 and row * (abs(rows) + 1) <= size <= len(data) - start


def _show(values: np.ndarray, rules: PixelRules) -> np.ndarray:
    """uint8 or uint16 of any values; NaN counts as the smallest."""
    if values.dtype == np.uint8 or (rules.bits == 16 and values.dtype == np.uint16):
        return values
    if values.dtype == np.int8:
        return values.view(np.uint8) ^ 0x80
    with np.errstate(invalid="ignore"):  # of NaN
        numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    if finite.size == 0:
        raise DropRecord(Reason.BLANK)
    if finite.max() / 4 - finite.min() / 4 > np.finfo(np.float64).max / 8:  # their difference is no number
        numbers, finite = numbers / 8, finite / 8
    numbers = np.nan_to_num(numbers, nan=finite.min(), posinf=finite.max(), neginf=finite.min())
    if rules.bits == 8 and values.ndim == 2 and isinstance(rules.window, tuple):
        return to_byte(window(numbers, *rules.window))
    shares = stretch(numbers, *_ends(finite, rules.window == "full"))
    return np.asarray(np.rint(shares * 65535).astype(np.uint16)) if rules.bits == 16 else to_byte(shares)


def _ends(values: np.ndarray, full: bool) -> tuple[float, float]:
    """The values that become black and white."""
    low, high = float(values.min()), float(values.max())
    places = [max(int(np.ceil(share * values.size)) - 1, 0) for share in ROBUST]
    inner_low, inner_high = (float(v) for v in np.partition(values, places)[places])
    if not full and inner_low < inner_high and high / 2 - low / 2 > _OUTLIERS * (inner_high / 2 - inner_low / 2):
        return inner_low, inner_high
    return low, high
