"""Plain image files in, by Pillow; encoded images out, without metadata.

Pillow's ``convert("RGB")`` clips 16-bit grey at 255, which makes a 12-bit radiograph white; deep images go through
`window` here instead, and no mode is converted that would lose more than alpha.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
from PIL import Image, ImageOps

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.faults import stop_for_source
from curate.sources.picture import Header, Picture, PixelRules, finish
from curate.sources.sniff import HEAD_BYTES, is_image
from curate.sources.third_party import call_third_party
from curate.sources.window import stretch, to_byte, window

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)  # EXIF tag; its values that swap rows and columns
_STRIP_TAGS, _TILE_TAGS = (273, 279), (324, 325)  # TIFF: offsets and byte counts
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
_DEEP = ("I", "F")  # Pillow's modes of over 8 bits: I, I;16, I;16B, F

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns and raises; PixelRules.check_size decides here


def read_image_header(path: Path) -> Header:
    """Size, as displayed (EXIF orientation applied), and pages of an image; identities stay empty.

    Raises DropRecord: UNREADABLE_FILE, EMPTY_FILE; NOT_AN_IMAGE by content; TRUNCATED or BAD_HEADER where the header
    does not parse. Pixels are not read.
    """
    with _open(path) as image:
        columns, rows = image.size
        # asked of a PNG without EXIF before its pixels, Pillow would decode them to look behind
        if image.format != "PNG" or "exif" in image.info:
            turned = call_third_party(Reason.BAD_HEADER, image.getexif).get(_ORIENTATION) in _TURNED
            rows, columns = (columns, rows) if turned else (rows, columns)
        pages = call_third_party(Reason.BAD_HEADER, getattr, image, "n_frames", 1) if image.format == "TIFF" else 1
        return Header(kind="image", frames=int(pages), rows=rows, columns=columns)


def load_image(path: Path, frame: int, rules: PixelRules) -> Picture:
    """A page (0 but for TIFF) of an image file as a picture; EXIF orientation applied, alpha laid over black.

    8-bit greys and colours are kept as they are; palettes, CMYK and YCbCr become RGB; 1-bit images 0 and 255. Greys of
    16 or 32 bits and float are scaled from their extremes to 8 bits, or by ``rules.window`` where it is (centre,
    width); where ``rules.bits`` is 16 uint16 is kept and what is not is scaled from its extremes to 16 bits.

    Raises DropRecord: all of `read_image_header`; CHANGED where there is no such page; TOO_SMALL and TOO_LARGE by the
    declared size, before decoding; TRUNCATED; UNDECODABLE; BLANK where every pixel has one value.
    """
    with _open(path) as image:
        if frame:
            if image.format != "TIFF":
                raise DropRecord(Reason.CHANGED)
            call_third_party(Reason.CHANGED, image.seek, frame)
        deep = image.mode.startswith(_DEEP)
        rules.check_size(image.height, image.width, 4 if deep or image.mode == "P" else max(len(image.getbands()), 1))
        broken = Reason.TRUNCATED if _is_cut(path, image) else Reason.UNDECODABLE
        call_third_party(broken, image.load)
        upright = call_third_party(Reason.UNDECODABLE, ImageOps.exif_transpose, image)
        pixels = _show_deep(np.asarray(upright), rules) if deep else _show(upright)
        return Picture(finish(pixels), None)


def encode_png(pixels: np.ndarray) -> bytes:
    """Lossless PNG of uint8 or uint16 (rows, columns) or (rows, columns, 3) RGB; chunks IHDR, IDAT, IEND only."""
    assert pixels.dtype in (np.uint8, np.uint16), pixels.dtype
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".png", pixels, _PNG)
    assert done
    return encoded.tobytes()


def encode_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """Baseline JPEG of uint8 (rows, columns) or (rows, columns, 3) RGB, colour not subsampled; ``quality`` 1 to 100."""
    assert pixels.dtype == np.uint8, pixels.dtype
    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(pixels), level=quality, subsampling="444"))


def resize(pixels: np.ndarray, side: int) -> np.ndarray:
    """``pixels`` with the longer side ``side`` at most, same dtype; area-averaged, never enlarged."""
    rows, columns = pixels.shape[:2]
    longest = max(rows, columns)
    if longest <= side:
        return pixels
    size = max(1, round(columns * side / longest)), max(1, round(rows * side / longest))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    try:
        file = path.open("rb")
        head = file.read(HEAD_BYTES)
        file.seek(0)
    except OSError as error:
        stop_for_source(error)
        head = None
    if head is None:
        raise DropRecord(Reason.UNREADABLE_FILE)
    with file:
        if not head:
            raise DropRecord(Reason.EMPTY_FILE)
        if not is_image(head):
            raise DropRecord(Reason.NOT_AN_IMAGE)
        cut = head[:4] == b"RIFF" and path.stat().st_size < int.from_bytes(head[4:8], "little") + 8
        with call_third_party(
            Reason.TRUNCATED if cut else Reason.BAD_HEADER, Image.open, file, formats=FORMATS
        ) as image:
            yield image


def _is_cut(path: Path, image: Image.Image) -> bool:
    """Does the file end before the image it declares? Asked of the container, as no decoder says so reliably."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(max(size - 4096, 0))  # other programs append to images: the end mark need not be the last bytes
        tail = file.read()
    if image.format == "PNG":
        return b"IEND" not in tail
    if image.format in ("JPEG", "MPO"):
        return b"\xff\xd9" not in tail
    if image.format == "BMP":
        return size < int.from_bytes(head[2:6], "little")
    if image.format == "WEBP":
        return size < int.from_bytes(head[4:8], "little") + 8
    tags = getattr(image, "tag_v2", {})
    for offsets, counts in (_STRIP_TAGS, _TILE_TAGS):
        ends = [o + n for o, n in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False)]
        if ends and max(ends) > size:
            return True
    return False


def _show(image: Image.Image) -> np.ndarray:
    """uint8 (rows, columns) or (rows, columns, 3) of an image of at most 8 bits a band."""
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8) * 255
    if image.mode == "L":
        return np.asarray(image)
    if image.has_transparency_data:
        layer = call_third_party(Reason.UNDECODABLE, image.convert, "RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer))[..., :3]
    return np.asarray(image if image.mode == "RGB" else call_third_party(Reason.UNDECODABLE, image.convert, "RGB"))


def _show_deep(values: np.ndarray, rules: PixelRules) -> np.ndarray:
    """uint8 or uint16 (rows, columns) of a grey image of over 8 bits; NaN counts as the smallest value."""
    if rules.bits == 16 and values.dtype.itemsize == 2 and values.dtype.kind == "u":
        return values.astype(np.uint16)
    numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    if finite.size == 0:
        raise DropRecord(Reason.BLANK)
    numbers = np.nan_to_num(numbers, nan=finite.min(), posinf=finite.max(), neginf=finite.min())
    if rules.bits == 16:
        return np.asarray(np.rint(stretch(numbers, finite.min(), finite.max()) * 65535).astype(np.uint16))
    if isinstance(rules.window, tuple):
        return to_byte(window(numbers, *rules.window))
    return to_byte(stretch(numbers, finite.min(), finite.max()))
