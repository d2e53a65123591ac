"""A TIFF file (TIFF 6.0) of pages that holds their pixels, the tags that describe them, and nothing between.

Written here because libraries pad between the parts, and what lies in padding cannot be told from what was put there.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from curate.errors import DropRecord
from curate.record import Reason

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
    """The page's directory, to lie at offset ``at``, what its tags point to, and its strip; the next page follows."""
    little = np.ascontiguousarray(page).astype(page.dtype.newbyteorder("<"), copy=False)
    strip = zlib.compress(little.tobytes(), _LEVEL)
    strip += b"\0" * (len(strip) % 2)  # directories begin on a word; zlib's end is its own
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
