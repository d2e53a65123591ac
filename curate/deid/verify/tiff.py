"""TIFF as a container: one about to be written may hold the tags that pixels need, the pixels, and nothing between."""

from __future__ import annotations

import re
import struct

# Tags of TIFF 6.0 that describe pixels: not Software, DateTime, Artist, ImageDescription, nor private ones.
_TAGS = frozenset(
    (
        254,
        255,
        256,
        257,
        258,
        259,
        262,
        266,
        273,
        274,
        277,
        278,
        279,
        282,
        283,
        284,
        296,
        317,
        320,
        322,
        323,
        324,
        325,
        338,
        339,
    )
)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
_DATA = ((273, 279), (324, 325))  # strips and tiles: offsets and byte counts
# Zeros, and the header of a page that was made as a file of its own, which has the offset of that page's directory.
_PADDING = re.compile(rb"\0*(?:(?:II\*\0..\0\0|MM\0\*\0\0..))?", re.DOTALL)
_MAX_PAGES = 100_000


def tiff_is_bare(data: bytes) -> bool:
    """Only tags of pixels, none of text, every byte of the file accounted for by header, directories, values or pixels.

    Classic TIFF of either byte order; a BigTIFF is not bare. Between the parts may lie zeros, for alignment.
    """
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return False
    order = "<" if data[:1] == b"I" else ">"
    used: list[tuple[int, int]] = [(0, 8)]
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        seen = 0
        while at:
            seen += 1
            after = _directory(data, at, order, used)
            if after is None or seen > _MAX_PAGES:
                return False
            at = after
    except struct.error:
        return False
    return _covers(data, used)


def _directory(data: bytes, at: int, order: str, used: list[tuple[int, int]]) -> int | None:
    """The offset of the next directory, with what this one uses added; None where it holds what it should not."""
    (count,) = struct.unpack_from(order + "H", data, at)
    used.append((at, at + 2 + 12 * count + 4))
    numbers: dict[int, list[int]] = {}
    for k in range(count):
        tag, kind, many, _ = struct.unpack_from(order + "HHII", data, at + 2 + 12 * k)
        size = _SIZES.get(kind, 0) * many
        if tag not in _TAGS or kind == 2 or not size:
            return None
        place = at + 2 + 12 * k + 8
        if size > 4:
            (place,) = struct.unpack_from(order + "I", data, place)
            used.append((place, place + size))
        elif data[place + size : at + 2 + 12 * k + 12].strip(b"\0"):
            return None
        if kind in (1, 3, 4):
            numbers[tag] = list(struct.unpack_from(f"{order}{many}{ {1: 'B', 3: 'H', 4: 'I'}[kind] }", data, place))
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
