"""JPEG (ITU-T T.81) and JPEG-LS (T.87): what the header declares, the pixels, and a proof that they are all there.

Decoders fill what is missing with grey and cut what is too much, and do not say so. Here the coded data are asked:
other bytes behind them must change nothing, other bytes in place of their last ones must change something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

import imagecodecs
import numpy as np

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.images.page import Page, from_cmyk
from curate.sources.images.tiff_directory import exif_orientation
from curate.sources.third_party import call_third_party

SOS, EOI = 0xDA, 0xD9
_BASELINE, _PROGRESSIVE, _LOSSLESS, _JPEG_LS = (0xC0, 0xC1), 0xC2, 0xC3, 0xF7
_FRAMES = (*_BASELINE, _PROGRESSIVE, _LOSSLESS, 0xC9, 0xCA, _JPEG_LS)  # 9 and 10: arithmetic coding
_APP1, _ADOBE = 0xE1, 0xEE
_END_OF_SCAN = re.compile(rb"\xff(?!\x00|[\xd0-\xd7]|\xff)")
_END_OF_LS_SCAN = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")  # T.87 stuffs a bit, not a byte
_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")  # fill bytes may stand before a marker (B.1.1.2)
_END = b"\xff\xd9"
_FIRST = 1 << 17  # bytes of a file in which its header is looked for
_NOISE = bytes((i * i * 7 + i * 89 + 33) % 251 for i in range(24))  # without 0xFF, which begins a marker
_MORE = _NOISE + b"".join(bytes((0xFF, 0xD0 + i)) + _NOISE for i in range(8))  # for each restart there may be
_SPARE = 20  # bytes behind the picture that are no rows of it, but rubbish
_HOLE = 64  # bytes of zeros that may be a hole, and no mere padding
_COEFFICIENTS = 64


def segments(data: bytes) -> Iterator[tuple[int, bytes, bytes, int]]:
    """(marker, body, entropy-coded data behind a start of scan, where that ends) of each segment up to EOI."""
    at, ends = 2, _END_OF_SCAN
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        marker = data[at + 1]
        if marker in (0, 0xFF):  # filling
            at += 1
            continue
        if marker == EOI:
            yield marker, b"", b"", at
            return
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if size < 2 or len(body) != size - 2:
            return
        at += 2 + size
        scan = b""
        ends = _END_OF_LS_SCAN if marker == _JPEG_LS else ends
        if marker == SOS:
            found = ends.search(data, at)
            end = found.start() if found is not None else len(data)
            scan, at = data[at:end], end
        yield marker, body, scan, at


def read_page(file: BinaryIO) -> Page:
    """The page as its frame header declares it, orientation by EXIF."""
    data = file.read(_FIRST)
    page = _page(data)
    if page is None:  # behind megabytes of thumbnails and profiles
        page = _page(data + file.read())
    if page is None:
        raise DropRecord(Reason.BAD_HEADER)
    return page


def _page(data: bytes) -> Page | None:
    block, page = b"", None
    for marker, body, _, _ in segments(data):
        if marker == _APP1 and body[:6] == b"Exif\0\0" and not block:
            block = body
        if marker in _FRAMES and page is None and len(body) >= 6:
            rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            page = Page(rows, columns, body[5] * (1 if body[0] <= 8 else 2))
        if marker in (SOS, EOI):
            break
    if page is None or not page.rows or not page.columns:
        return None
    return Page(page.rows, page.columns, page.bytes_per_pixel, exif_orientation(block))


def is_lossless(data: bytes) -> bool:
    """Does the file hold its values exactly, so that writing it as a lossy one would lose something?"""
    return any(marker in (_LOSSLESS, _JPEG_LS) for marker, *_ in segments(data))


def decode(data: bytes, page: Page) -> np.ndarray:
    """uint8, or uint16 where samples have more than 8 bits, [H, W] or [H, W, 3] RGB.

    Raises DropRecord TRUNCATED, CONTRADICTORY, UNDECODABLE; UNSUPPORTED_IMAGE of four inks without Adobe's marker: only
    with it one knows that they are stored inverted.
    """
    values = decode_whole(data)
    if values.shape[:2] != (page.rows, page.columns):
        raise DropRecord(Reason.CONTRADICTORY)
    if values.ndim == 3 and values.shape[2] == 4:
        adobe = any(marker == _ADOBE and body[:5] == b"Adobe" for marker, body, _, _ in segments(data))
        if values.dtype != np.uint8 or not adobe:
            raise DropRecord(Reason.UNSUPPORTED_IMAGE)
        return from_cmyk(255 - values)
    if values.ndim == 3 and values.shape[2] != 3:
        raise DropRecord(Reason.UNSUPPORTED_IMAGE)
    return values


def decode_whole(data: bytes, tables: bytes = b"") -> np.ndarray:
    """The samples as a decoder gives them; DropRecord TRUNCATED where the coded data end before the picture does,
    CONTRADICTORY where they hold more by over `_SPARE` bytes.

    ``tables``: an abbreviated stream that lies elsewhere, as in TIFF. Arithmetic coding and JPEG-LS are not asked: the
    one leaves zeros out at its end, the other's decoder tells by itself.
    """
    parts = list(segments(data))
    frame = next(((marker, body) for marker, body, _, _ in parts if marker in _FRAMES), (0, b""))
    scans = [(body, scan, end) for marker, body, scan, end in parts if marker == SOS]
    if not scans:
        raise DropRecord(Reason.TRUNCATED)
    if frame[0] == _JPEG_LS:
        if parts[-1][0] != EOI:  # CharLS notices too, after many seconds
            raise DropRecord(Reason.TRUNCATED)
        return np.asarray(call_third_party(Reason.UNDECODABLE, imagecodecs.jpegls_decode, data))
    values = by_libjpeg(data, tables)
    if frame[0] not in (*_BASELINE, _PROGRESSIVE, _LOSSLESS):
        return values
    if not _all_sent(frame, [body for body, _, _ in scans]) or _changes(values, with_more(data), tables):
        raise DropRecord(Reason.TRUNCATED)
    if not _in_order(data):
        raise DropRecord(Reason.CONTRADICTORY)
    _, scan, end = max(scans, key=lambda part: len(part[1]))
    start, used, spare = end - len(scan), len(scan.rstrip(b"\0\xff")), _SPARE  # some pad
    if _has_hole(data) and _matters(values, data, start + used + 2, tables):
        used, spare = len(scan), 2  # zeros that are codes; or a copy broken off has left them in place of codes
    if used - spare > 8 and not _matters(values, data, start + used - spare, tables):
        raise DropRecord(Reason.CONTRADICTORY)
    return values


def with_more(data: bytes) -> bytes:
    """The stream with more coded data before each restart and at its end: a whole one shows the same picture.
    DropRecord TRUNCATED where there are none."""
    scans = [(scan, end) for marker, _, scan, end in segments(data) if marker == SOS]
    if not scans:
        raise DropRecord(Reason.TRUNCATED)
    scan, end = scans[-1]
    coded = _RESTART.sub(lambda mark: _NOISE + mark[0], scan.rstrip(b"\xff"))
    return data[: end - len(scan)] + coded + _MORE + _END


def looks_whole(data: bytes) -> bool:
    """Is no restart interval missing, and do no zeros stand where coded data end?"""
    return _in_order(data) and not _has_hole(data)


def _in_order(data: bytes) -> bool:
    restarts = [_RESTART.findall(scan) for marker, _, scan, _ in segments(data) if marker == SOS]
    return all(mark[-1] & 7 == i & 7 for marks in restarts for i, mark in enumerate(marks))


def _has_hole(data: bytes) -> bool:
    scan = max((part[2] for part in segments(data) if part[0] == SOS), key=len, default=b"")
    return len(scan) - len(scan.rstrip(b"\0\xff")) > _HOLE


def _matters(values: np.ndarray, data: bytes, at: int, tables: bytes) -> bool:
    """Would other coded data at ``at`` make another picture? Some make none over black or white, which are cut."""
    at -= data[at - 1] == 0xFF
    others = (_NOISE[:16], _NOISE[8:], bytes(16), _NOISE[16:0:-1])
    return any(_changes(values, data[:at] + other + data[at + 16 :], tables) for other in others)


def _changes(values: np.ndarray, data: bytes, tables: bytes) -> bool:
    """Does ``data`` decode to something else than ``values``, or to nothing?"""
    try:
        return not np.array_equal(values, by_libjpeg(data, tables))
    except DropRecord:
        return True


def _all_sent(frame: tuple[int, bytes], scans: list[bytes]) -> bool:
    """Do the scans bring every component, and every coefficient of a progressive one to its last bit (G.1.1)?"""
    marker, body = frame
    left = {body[i]: [-1] * _COEFFICIENTS for i in range(6, len(body) - 2, 3)}
    for scan in scans:
        count = scan[0] if scan else 0
        if len(scan) != 4 + 2 * count:
            return False
        first, last, high, low = 0, 63, 0, 0
        if marker == _PROGRESSIVE:
            first, last, high, low = scan[-3], scan[-2], scan[-1] >> 4, scan[-1] & 15
        for component in scan[1 : 1 + 2 * count : 2]:
            if component not in left or last >= _COEFFICIENTS:
                return False
            if set(left[component][first : last + 1]) != {high or -1}:  # not what the scan before left to be refined
                return False
            left[component][first : last + 1] = [low] * (last + 1 - first)
    return all(not any(coefficients) for coefficients in left.values())


def by_libjpeg(data: bytes, tables: bytes = b"") -> np.ndarray:
    """The samples of JPEG, lossless too, whatever it lacks; DropRecord UNDECODABLE."""
    return np.asarray(call_third_party(Reason.UNDECODABLE, imagecodecs.jpeg8_decode, data, tables=tables or None))
