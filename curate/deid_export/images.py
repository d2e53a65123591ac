"""Plain image files: every page through the pixel gate, out again as a file that holds pixels and nothing else."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, ImageOps

from curate.deid.pixels.gate import gate
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.verify.files import file_findings
from curate.deid.verify.finding import kept_back
from curate.deid.verify.pixels import pixel_findings
from curate.deid_export.image_jpeg import bare_jpeg, cut_short
from curate.deid_export.image_tiff import encode_tiff
from curate.deid_export.outcome import Outcome
from curate.deid_export.rules import ReleaseRules
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.faults import stop_for_source
from curate.sources.image import FORMATS, encode_jpeg, encode_png
from curate.sources.sniff import is_image
from curate.sources.third_party import call_third_party

_QUALITY = 97  # of a JPEG that must be encoded again
_ORIENTATION = 0x0112
_BITS, _SAMPLES = 258, 277  # TIFF tags
_DEEP_COLOUR = {2: 3, 4: 2, 6: 4}  # PNG colour types with several samples, which Pillow reads with 8 bits only


@dataclass(frozen=True)
class _Decoded:
    """An image file's pages, upright: uint8, uint16, int32 or float32, [H, W] or [H, W, 3] RGB."""

    format: str
    pages: list[np.ndarray]
    turned: bool
    left: int = 0  # frames of an animation after the first


def clean_image(path: Path, rules: ReleaseRules, pseudo: Pseudonymizer, phi: Sequence[str] = ()) -> Outcome:
    """A PNG, JPEG, TIFF, BMP or WebP file as one of the same kind (BMP and WebP as PNG) with pixels only.

    Pixels are kept exactly: 8 and 16 bits, grey and RGB, every page of a TIFF; alpha is laid over black, so that
    nothing is left under it; a palette becomes RGB; orientation is applied. A JPEG keeps its coded data, but where text
    was blanked, it had to be turned, or its data holds more than pixels: then it is encoded again with quality 97.
    Of an animation the first frame is kept. ``phi`` are values to look for in what is written, ``rules.max_bytes``
    bounds all pages decoded. Never raises for bad data.
    """
    try:
        data = _read(path, rules.max_bytes)
        return _clean(data, rules, pseudo, phi)
    except DropRecord as dropped:
        return Outcome(dropped.reason)


def _clean(data: bytes, rules: ReleaseRules, pseudo: Pseudonymizer, phi: Sequence[str]) -> Outcome:
    decoded = _decode(data, rules.max_bytes)
    actions: Counter[str] = Counter()
    pages = []
    for page in decoded.pages:
        gated = gate(page, None, rules.pixels)
        if gated.reason is not None:
            return Outcome(gated.reason)
        actions["blank pixels"] += len(gated.regions) if gated.pixels is not page else 0
        pages.append(gated.pixels)
    read = actions["blank pixels"] > 0 or _sampled(data, rules.ocr_sample, pseudo)
    seen = pixel_findings(pages, phi) if read and rules.pixels.burned_in != "trust" else ()
    if seen:
        return Outcome(kept_back(seen), findings=tuple(seen))
    actions.update({"turn pixels": int(decoded.turned), "drop frames": decoded.left, "drop metadata": 1})
    written, suffix = _encode(decoded, pages, data, untouched=not actions["blank pixels"] and not decoded.turned)
    found = file_findings(written, suffix, phi)
    if found:
        return Outcome(kept_back(found), findings=tuple(found))
    return Outcome(None, written, suffix, dict(sorted((+actions).items())))


def _read(path: Path, most: int) -> bytes:
    try:
        if path.stat().st_size > most:
            raise DropRecord(Reason.TOO_LARGE)
        data = path.read_bytes()
    except OSError as error:
        stop_for_source(error)
        data = None
    if data is None:
        raise DropRecord(Reason.UNREADABLE_FILE)
    if not data:
        raise DropRecord(Reason.EMPTY_FILE)
    if not is_image(data[:18].ljust(18, b"\0")):
        raise DropRecord(Reason.NOT_AN_IMAGE)
    return data


def _sampled(data: bytes, share: float, pseudo: Pseudonymizer) -> bool:
    """Is this one of those that OCR reads whatever the fast look said? Told by the content alone."""
    if share <= 0:
        return False
    drawn = pseudo.digest("ocr-sample", hashlib.sha256(data).hexdigest())
    return int.from_bytes(drawn[:8], "big") < share * 2.0**64


def _decode(data: bytes, most: int) -> _Decoded:
    with call_third_party(Reason.BAD_HEADER, Image.open, io.BytesIO(data), formats=FORMATS) as image:
        form = str(image.format)
        frames = int(call_third_party(Reason.BAD_HEADER, getattr, image, "n_frames", 1))
        count = frames if form == "TIFF" else 1
        pages, turned, size = [], False, 0
        for number in range(count):
            if number:
                call_third_party(Reason.UNDECODABLE, image.seek, number)
            size += image.width * image.height * 4
            if size > most:
                raise DropRecord(Reason.TOO_LARGE)
            # asked before the pixels are read: Pillow turns a TIFF as it reads it
            orientation = call_third_party(Reason.BAD_HEADER, image.getexif).get(_ORIENTATION, 1)
            turned |= orientation in range(2, 9)
            pages.append(_page(image, data, number, orientation))
        return _Decoded(form, pages, turned, frames - count)


def _page(image: Image.Image, data: bytes, number: int, orientation: int) -> np.ndarray:
    deep = _deep(image, data, number)
    if deep is not None:
        return _flat(_turned(deep, orientation))
    call_third_party(Reason.UNDECODABLE, image.load)
    return _flat(_values(call_third_party(Reason.UNDECODABLE, ImageOps.exif_transpose, image)))


def _deep(image: Image.Image, data: bytes, number: int) -> np.ndarray | None:
    """uint16 [H, W, 2 to 4] of what Pillow would cut to 8 bits: colour or alpha of 16 bits in PNG and TIFF."""
    if image.format == "PNG" and data[24] == 16 and data[25] in _DEEP_COLOUR:
        return np.asarray(call_third_party(Reason.UNDECODABLE, imagecodecs.png_decode, data))
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    if int(tags.get(_SAMPLES, 1)) in (2, 3, 4) and tags.get(_BITS, (8,))[0] == 16:
        return np.asarray(call_third_party(Reason.UNDECODABLE, imagecodecs.tiff_decode, data, index=number))
    return None


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels upright by EXIF's orientation (2 to 8), as `ImageOps.exif_transpose` does with 8 bits."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    # of rows and of columns, which begin at the far end
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(orientation, (1, 1))
    return np.ascontiguousarray(pixels[:: flips[0], :: flips[1]])


def _values(image: Image.Image) -> np.ndarray:
    """The pixels by mode: greys as stored, everything else RGB; transparent ones over black."""
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8) * 255
    if image.mode == "F" or image.mode.startswith("I"):
        return _whole(np.asarray(image))
    if image.has_transparency_data:
        layer = call_third_party(Reason.UNDECODABLE, image.convert, "RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer))[..., :3]
    if image.mode in ("L", "RGB"):
        return np.asarray(image)
    return np.asarray(call_third_party(Reason.UNDECODABLE, image.convert, "RGB"))


def _whole(values: np.ndarray) -> np.ndarray:
    """Greys of over 8 bits: uint16 where they fit, else int32 or float32."""
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    fits = values.size and int(values.min()) >= 0 and int(values.max()) <= 65535
    return values.astype(np.uint16 if fits else np.int32)


def _flat(pixels: np.ndarray) -> np.ndarray:
    """[H, W] or [H, W, 3]: alpha (a second or fourth sample) laid over black, three equal channels as one."""
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        colour, alpha = pixels[..., :-1].astype(np.float64), pixels[..., -1:]
        pixels = np.rint(colour * (alpha / np.iinfo(pixels.dtype).max)).astype(pixels.dtype)
    if pixels.ndim == 3 and pixels.shape[2] == 3 and all((pixels[..., 0] == pixels[..., k]).all() for k in (1, 2)):
        pixels = pixels[..., 0]
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim != 2 and (pixels.ndim != 3 or pixels.shape[2] != 3):
        raise DropRecord(Reason.UNDECODABLE)
    return np.ascontiguousarray(pixels)


def _encode(decoded: _Decoded, pages: list[np.ndarray], data: bytes, untouched: bool) -> tuple[bytes, str]:
    first = pages[0]
    if decoded.format in ("JPEG", "MPO"):
        bare = _same_jpeg(data) if untouched else None
        return bare if bare is not None else encode_jpeg(first, _QUALITY), ".jpg"
    if decoded.format == "TIFF":
        return encode_tiff(pages), ".tif"
    if first.dtype not in (np.uint8, np.uint16):
        raise DropRecord(Reason.UNSUPPORTED_SYNTAX)
    return encode_png(first), ".png"


def _same_jpeg(data: bytes) -> bytes | None:
    """The JPEG without its metadata, proven to decode as before, and its coded data to be needed to the end."""
    bare = bare_jpeg(data)
    if bare is None or not _equal(bare, data):
        return None
    return None if any(_equal(cut, data) for cut in cut_short(bare)) else bare


def _equal(one: bytes, other: bytes) -> bool:
    pixels = []
    for data in (one, other):
        try:
            with call_third_party(Reason.UNDECODABLE, Image.open, io.BytesIO(data), formats=("JPEG",)) as image:
                call_third_party(Reason.UNDECODABLE, image.load)
                pixels.append(np.asarray(image))
        except DropRecord:
            return False
    return bool(np.array_equal(pixels[0], pixels[1]))
