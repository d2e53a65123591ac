"""Image files as containers: a file about to be written may have pixels, the tags they need, and nothing else."""

from __future__ import annotations

import re
import struct
import zlib

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_MARKER = re.compile(rb"\xff(?!\x00|[\xd0-\xd7]|\xff)")
_LS_MARKER = re.compile(rb"\xff(?![\x00-\x7f]|[\xd0-\xd7]|\xff)")
_PNG_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


def png_is_bare(data: bytes) -> bool:
    """True for pixel chunks only, valid lengths and CRCs, exactly the header's number of pixels, nothing after the
    end."""
    if not data.startswith(PNG):
        return False
    at, order, packed = len(PNG), [], []
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        if kind not in _PNG_CHUNKS or data[at + 8 + size : at + 12 + size] != zlib.crc32(kind + body).to_bytes(
            4, "big"
        ):
            return False
        order.append((kind, body))
        packed += [body] if kind == b"IDAT" else []
        at += 12 + size
        if kind == b"IEND":
            break
    kinds = [kind for kind, _ in order]
    sound = kinds[:1] == [b"IHDR"] and kinds[-1:] == [b"IEND"] and kinds.count(b"IHDR") == 1 and at == len(data)
    if not sound or order[-1][1] or any(len(b) % 3 or len(b) > 768 for k, b in order if k == b"PLTE"):
        return False
    return _png_pixels_fit(order[0][1], b"".join(packed))


def _png_pixels_fit(header: bytes, packed: bytes) -> bool:
    if len(header) != 13:
        return False
    width, height, bits, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if channels is None or compression or filtering or interlace:
        return False
    expected = height * (1 + (width * channels * bits + 7) // 8)
    inflater = zlib.decompressobj()
    try:
        pixels = inflater.decompress(packed, expected + 1)
    except zlib.error:
        return False
    return len(pixels) == expected and (inflater.eof or not inflater.flush()) and not inflater.unused_data


def jpeg_is_bare(data: bytes, *, every_process: bool = False) -> bool:
    """True for the markers that decoding needs, JFIF without a thumbnail and Adobe's 12 bytes only, with EOI at the
    end.

    Processes: baseline, extended and progressive; with ``every_process``, as in DICOM, also lossless and LS.
    """
    at, stuffs_bits = 2, False
    while data.startswith(JPEG) and at + 4 <= len(data) and data[at] == 0xFF:
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if not _marker_allowed(marker, body, every_process) or len(body) != size - 2:
            return False
        at += 2 + size
        stuffs_bits |= marker == 0xF7
        if marker == 0xDA:
            # JPEG-LS stuffs a bit, the others a byte behind 0xFF (ISO/IEC 14495-1 A.1, 10918-1 F.1.2.3)
            scan = (_LS_MARKER if stuffs_bits else _MARKER).search(data, at)
            if scan is None:
                return False
            at = scan.start()
            if data[at + 1] == 0xD9:
                return at + 2 == len(data)
    return False


def _marker_allowed(marker: int, body: bytes, every_process: bool) -> bool:
    if marker == 0xE0:
        return body[:5] == b"JFIF\0" and len(body) == 14
    if marker == 0xEE:
        return body[:5] == b"Adobe" and len(body) == 12
    if every_process and marker == 0xE8:  # SPIFF (ISO/IEC 10918-3): a header of numbers, and the end of its directory
        return (body[:6] == b"SPIFF\0" and len(body) == 30) or body == b"\0\0\0\1\xff\xd8"
    if every_process and (
        marker in (0xF7, 0xC3, 0xC7, 0xCB, 0xCC, 0xC5, 0xC6) or (marker == 0xF8 and body[:1] < b"\5")
    ):
        return True
    return marker in (0xDB, 0xC4, 0xDA, 0xDD) or marker in (0xC0, 0xC1, 0xC2)


# Tags of TIFF 6.0 that describe pixels, without Software, DateTime, Artist, ImageDescription and private ones.
_TAGS = frozenset([*range(254, 260), *range(277, 280), *range(282, 285), *range(322, 326)]) | frozenset(
    [262, 266, 273, 274, 296, 317, 320, 338, 339]
)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
_DATA = ((273, 279), (324, 325))  # strips and tiles: offsets and byte counts
# Zeros, and the header of a page that was written as a separate file, with the offset of that page's directory.
_PADDING = re.compile(rb"\0*(?:(?:II\*\0..\0\0|MM\0\*\0\0..))?", re.DOTALL)
_MAX_PAGES = 100_000


def tiff_is_bare(data: bytes) -> bool:
    """True if all tags are about pixels, none is text, and every byte belongs to header, directories, values or pixels.

    Classic TIFF of either byte order; a BigTIFF is not bare. Zeros between the parts are allowed, for alignment.
    """
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return False
    order = "<" if data[:1] == b"I" else ">"
    used: list[tuple[int, int]] = [(0, 8)]
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        pages = 0
        while at:
            pages += 1
            after = _directory(data, at, order, used)
            if after is None or pages > _MAX_PAGES:
                return False
            at = after
    except struct.error:
        return False
    return _covers(data, used)


def _directory(data: bytes, at: int, order: str, used: list[tuple[int, int]]) -> int | None:
    """The offset of the next directory; adds the ranges of this one to ``used``. None if it has other content."""
    (count,) = struct.unpack_from(order + "H", data, at)
    used.append((at, at + 2 + 12 * count + 4))
    numbers: dict[int, list[int]] = {}
    for k in range(count):
        tag, kind, count_of_values, _ = struct.unpack_from(order + "HHII", data, at + 2 + 12 * k)
        size = _SIZES.get(kind, 0) * count_of_values
        if tag not in _TAGS or kind == 2 or not size:
            return None
        value_at = at + 2 + 12 * k + 8
        if size > 4:
            (value_at,) = struct.unpack_from(order + "I", data, value_at)
            used.append((value_at, value_at + size))
        elif data[value_at + size : at + 2 + 12 * k + 12].strip(b"\0"):
            return None
        if kind in (1, 3, 4):
            numbers[tag] = list(
                struct.unpack_from(f"{order}{count_of_values}{ {1: 'B', 3: 'H', 4: 'I'}[kind] }", data, value_at)
            )
    for offsets, counts in _DATA:
        pairs = list(zip(numbers.get(offsets, []), numbers.get(counts, []), strict=False))
        if len(numbers.get(offsets, [])) != len(numbers.get(counts, [])):
            return None
        used += [(o, o + n) for o, n in pairs]
    (after,) = struct.unpack_from(order + "I", data, at + 2 + 12 * count)
    return int(after)


def _covers(data: bytes, used: list[tuple[int, int]]) -> bool:
    end = 0
    for start, stop in sorted(used):
        if stop > len(data) or not _PADDING.fullmatch(data[end:start] if start > end else b""):
            return False
        end = max(end, stop)
    return not data[end:].strip(b"\0")


BARE = {".png": png_is_bare, ".jpg": jpeg_is_bare, ".jpeg": jpeg_is_bare, ".tif": tiff_is_bare, ".tiff": tiff_is_bare}
