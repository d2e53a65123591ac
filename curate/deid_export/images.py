"""Plain image files: every page through the pixel gate, then written as a file with its pixels, what decoding needs,
and nothing else.

TIFF (TIFF 6.0) is written here because libraries leave padding between the parts, in which anything could be hidden.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from curate.deid.attest import SECOND_LOOK
from curate.deid.pixels.gate import gate
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.verify.files import file_findings
from curate.deid.verify.finding import rejection_reason
from curate.deid.verify.pixels import pixel_findings
from curate.deid_export.codestreams.jpeg import Unparsed, clean_jpeg
from curate.deid_export.rules import Outcome, ReleaseRules
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.images.encode import encode_jpeg, encode_png
from curate.sources.images.jpeg import SOS, is_lossless, segments
from curate.sources.images.read import Opened, decode, open_image
from curate.sources.third_party import call_third_party

_QUALITY = 97  # of a JPEG that must be encoded again
_TAIL = 6  # bytes; anything shorter hidden behind a scan's last block is searched for by its letters
_LETTERS = re.compile(rb"[A-Za-z0-9^ ,.:/_-]{5,}.?\Z", re.DOTALL)
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")


def clean_image(path: Path, rules: ReleaseRules, pseudo: Pseudonymizer, phi: Sequence[str] = ()) -> Outcome:
    """An image file with pixels only: JPEG and TIFF stay so, PNG, BMP, WebP and JPEG 2000 become PNG, or TIFF if PNG
    cannot hold their depth.

    Pixels are kept exactly as `curate.sources.images.read.decode` reads them, every page of a TIFF. A JPEG keeps its
    coded data unless text was blanked, it had to be turned, or its data holds more than pixels: then it is encoded
    again with quality 97, or as PNG if its values were coded losslessly or have over 8 bits. Of an animation the
    first frame is kept. ``phi`` are values to search for in the output, ``rules.max_bytes`` limits all decoded pages
    together. Never raises for bad data.
    """
    try:
        return _clean(open_image(path, rules.max_bytes), rules, pseudo, phi)
    except DropRecord as dropped:
        return Outcome(dropped.reason)


def _clean(image: Opened, rules: ReleaseRules, pseudo: Pseudonymizer, phi: Sequence[str]) -> Outcome:
    if sum(page.rows * page.columns * page.bytes_per_pixel for page in image.pages) > rules.max_bytes:
        raise DropRecord(Reason.TOO_LARGE)
    actions: Counter[str] = Counter()
    pages, turned = [], False
    for page in image.pages:
        stored, orientation = decode(image, page)
        turned |= orientation in range(2, 9)
        gated = gate(stored, None, rules.deid)
        if gated.reason is not None:
            return Outcome(gated.reason)
        actions["blank pixels"] += len(gated.regions) if gated.pixels is not stored else 0
        pages.append(gated.pixels)
    blanked = actions["blank pixels"] > 0
    verified = rules.deid.burned_in != "trust" and (
        blanked or _sampled(image.data, rules.deid.second_look.share, pseudo)
    )
    actions[SECOND_LOOK] += verified and not blanked
    if verified and (pixel_codes := pixel_findings(pages, phi)):
        return Outcome(rejection_reason(pixel_codes), actions=+actions, findings=tuple(pixel_codes))
    actions.update({"turn pixels": int(turned), "drop frames": image.left, "drop metadata": 1})
    written, suffix = _encode(image, pages, untouched=not actions["blank pixels"] and not turned)
    codes = file_findings(written, suffix, phi)
    if codes:
        return Outcome(rejection_reason(codes), findings=tuple(codes))
    return Outcome(None, written, suffix, dict(sorted((+actions).items())))


def _sampled(data: bytes, share: float, pseudo: Pseudonymizer) -> bool:
    """Is this file in the sample that the verifier reads whatever the gate said? Decided by its content alone."""
    if share <= 0:
        return False
    number = pseudo.digest("second-look", hashlib.sha256(data).hexdigest())
    return int.from_bytes(number[:8], "big") < share * 2.0**64


def _encode(image: Opened, pages: list[np.ndarray], untouched: bool) -> tuple[bytes, str]:
    first = pages[0]
    if image.kind == "jpeg":
        bare = _same_jpeg(image.data) if untouched else None
        if bare is not None:
            return bare, ".jpg"
        if first.dtype == np.uint8 and not is_lossless(image.data):
            return encode_jpeg(first, _QUALITY), ".jpg"
    if image.kind == "tiff" or first.dtype not in (np.uint8, np.uint16):
        return encode_tiff(pages), ".tif"
    return encode_png(first), ".png"


def _same_jpeg(data: bytes) -> bytes | None:
    """The JPEG without its metadata, proven to decode to the same pixels and to need its coded data to the end; or
    None."""
    try:
        bare = clean_jpeg(data, "image")
    except Unparsed:
        return None
    before = _decoded(data)
    if any(marker == SOS and _spells(scan) for marker, _, scan, _ in segments(bare)):
        return None
    if not before.size or not np.array_equal(before, _decoded(bare)):
        return None
    return None if any(np.array_equal(before, _decoded(cut)) for cut in _cut_short(bare)) else bare


def _decoded(data: bytes) -> np.ndarray:
    """The pixels by Pillow; empty for what it cannot decode."""
    try:
        with call_third_party(Reason.UNDECODABLE, Image.open, io.BytesIO(data), formats=("JPEG",)) as image:
            call_third_party(Reason.UNDECODABLE, image.load)
            return np.asarray(image)
    except DropRecord:
        return np.empty(0)


def _cut_short(bare: bytes) -> Iterator[bytes]:
    """``bare`` with a few bytes less at the end of one scan each: if it still decodes to the same picture, these bytes
    were no pixels. Nothing for a progressive picture, whose later scans may end in bytes that change no pixel."""
    parts = list(segments(bare))
    if any(marker == 0xC2 for marker, *_ in parts):
        return
    for marker, _, scan, end in parts:
        if marker == SOS and len(scan) > 2 * _TAIL:
            yield bare[: end - _TAIL] + bare[end:]


def _spells(scan: bytes) -> bool:
    """Does the scan, or an interval before a restart marker, end in what reads as a word? Flat background repeats one
    letter, which no word does; before restart markers, which are many, only long words count."""
    *inner, last = _RESTART.split(scan)
    for part, shortest in ((last, 5), *((part, 10) for part in inner)):
        match = _LETTERS.search(part[-40:])
        if match is not None and len(match[0]) >= shortest and len(set(match[0])) > 3:
            return True
    return False


_SHORT, _LONG = 3, 4  # field types
_DEFLATE = 8  # compression: Adobe's deflate
_SAMPLES = {"u": 1, "i": 2, "f": 3}  # SampleFormat
_LEVEL = 6


def encode_tiff(pages: Sequence[np.ndarray]) -> bytes:
    """Pages of whole or float numbers of 8 to 64 bits, [H, W] grey or [H, W, 3] RGB, deflated, one strip each.

    DropRecord TOO_LARGE where offsets would not fit 32 bits.
    """
    out = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number, page in enumerate(pages, 1):
        out += _page(page, len(out), last=number == len(pages))
    if len(out) >= 1 << 32:
        raise DropRecord(Reason.TOO_LARGE)
    return bytes(out)


def _page(page: np.ndarray, at: int, last: bool) -> bytes:
    """The page's directory (written at offset ``at``), the values that its tags point to, and its strip."""
    little = np.ascontiguousarray(page).astype(page.dtype.newbyteorder("<"), copy=False)
    strip = zlib.compress(little.tobytes(), _LEVEL)
    strip += b"\0" * (len(strip) % 2)  # directories begin on a word boundary; zlib knows its own end
    samples = page.shape[2] if page.ndim == 3 else 1
    bits, form = [page.dtype.itemsize * 8] * samples, [_SAMPLES[page.dtype.kind]] * samples
    count = 11
    values_at = at + 2 + 12 * count + 4
    values = struct.pack(f"<{2 * samples}H", *bits, *form) if samples > 2 else b""
    fields = [
        (256, _LONG, [page.shape[1]], 0),
        (257, _LONG, [page.shape[0]], 0),
        (258, _SHORT, bits, values_at),
        (259, _SHORT, [_DEFLATE], 0),
        (262, _SHORT, [2 if samples == 3 else 1], 0),  # RGB, or black is zero
        (273, _LONG, [values_at + len(values)], 0),
        (277, _SHORT, [samples], 0),
        (278, _LONG, [page.shape[0]], 0),
        (279, _LONG, [len(strip)], 0),
        (284, _SHORT, [1], 0),  # samples interleaved
        (339, _SHORT, form, values_at + 2 * samples),
    ]
    entries = b"".join(_entry(*field) for field in fields)
    after = 0 if last else values_at + len(values) + len(strip)
    return struct.pack("<H", count) + entries + _long(after) + values + strip


def _entry(tag: int, kind: int, values: list[int], elsewhere: int) -> bytes:
    head = struct.pack("<HHI", tag, kind, len(values))
    if len(values) > 2:
        return head + _long(elsewhere)
    return head + struct.pack(f"<{len(values)}{'H' if kind == _SHORT else 'I'}", *values).ljust(4, b"\0")


def _long(value: int) -> bytes:
    return struct.pack("<I", value & 0xFFFFFFFF)
