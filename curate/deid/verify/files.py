"""Image files as containers: one that is about to be written may hold pixels and nothing else."""

from __future__ import annotations

import re
import struct
import zlib

PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


def png_is_bare(data: bytes) -> bool:
    """Only pixel chunks, right lengths and CRCs, exactly the pixels the header announces, nothing after the end."""
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
        got = inflater.decompress(packed, expected + 1)
    except zlib.error:
        return False
    return len(got) == expected and (inflater.eof or not inflater.flush()) and not inflater.unused_data


def jpeg_is_bare(data: bytes) -> bool:
    """Only the markers that decoding needs, JFIF without a thumbnail and Adobe's 12 bytes, and EOI as the last byte."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if not _marker_allowed(marker, body) or len(body) != size - 2:
            return False
        at += 2 + size
        if marker == 0xDA:
            scan = re.compile(rb"\xff(?!\x00|[\xd0-\xd7]|\xff)").search(data, at)
            if scan is None:
                return False
            at = scan.start()
            if data[at + 1] == 0xD9:
                return at + 2 == len(data)
    return False


def _marker_allowed(marker: int, body: bytes) -> bool:
    if marker == 0xE0:
        return body[:5] == b"JFIF\0" and len(body) == 14
    if marker == 0xEE:
        return body[:5] == b"Adobe" and len(body) == 12
    return marker in (0xDB, 0xC4, 0xDA, 0xDD) or marker in (0xC0, 0xC1, 0xC2)
