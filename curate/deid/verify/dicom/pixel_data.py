"""Pixel data about to be written, as a container: unused bits, bytes after the picture, extras in a codestream."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence

import numpy as np

from curate.deid.verify.dicom.part10 import PIXEL_DATA, Part10
from curate.deid.verify.finding import Finding
from curate.deid.verify.images import jpeg_is_bare

_J2K = "1.2.840.10008.1.2.4.9", "1.2.840.10008.1.2.4.20"
RLE = "1.2.840.10008.1.2.5"
# Comments with nothing but an encoder's name.
_ENCODER = re.compile(rb"(?:Created by OpenJPEG version |Kakadu-v|OpenJPH Ver |LEADTOOLS |Grok )[\w.+ -]{1,24}\0?")
_SKIPPED = frozenset(range(0xFF30, 0xFF40)) | {0xFF4F}


def pixel_faults(file: Part10) -> Iterator[Finding]:
    """HIDDEN_BITS and CONTAINER of the pixel data of a parsed file."""
    numbers = {
        e.tag: int.from_bytes(e.value[:2], "big" if file.big else "little")
        for e in file.elements
        if not e.path and e.vr == "US"
    }
    for pixels in file.pixels:
        if pixels.tag == PIXEL_DATA and file.encapsulated:
            yield from _encapsulated(file)
        elif pixels.tag == PIXEL_DATA:
            yield from _native(file, pixels.value, numbers)
        elif (
            numbers
            and len(pixels.value) > _expected(file, numbers, len(pixels.value) // max(1, _cells(file, numbers))) + 7
        ):
            yield Finding.CONTAINER


def _cells(file: Part10, numbers: dict[int, int]) -> int:
    return numbers.get(0x00280010, 0) * numbers.get(0x00280011, 0) * numbers.get(0x00280002, 1) * _frames(file)


def _frames(file: Part10) -> int:
    text = next((e.value for e in file.elements if e.tag == 0x00280008 and not e.path), b"1").strip(b" \0")
    return int(text) if text.isdigit() else 1


def _expected(file: Part10, numbers: dict[int, int], bytes_each: int) -> int:
    return _cells(file, numbers) * bytes_each


def _native(file: Part10, data: bytes, numbers: dict[int, int]) -> Iterator[Finding]:
    allocated, stored, high = (numbers.get(tag, 0) for tag in (0x00280100, 0x00280101, 0x00280102))
    bits = _cells(file, numbers) * allocated
    photometric = next((e.value for e in file.elements if e.tag == 0x00280004 and not e.path), b"")
    if photometric.strip() == b"YBR_FULL_422":
        bits = bits * 2 // 3
    size = (bits + 7) // 8
    if len(data) != size + (size & 1) or data[size:].strip(b"\0"):
        yield Finding.CONTAINER
    if allocated in (8, 16, 32) and 0 < stored < allocated:
        kind = np.dtype(f"{'>' if file.big else '<'}u{allocated // 8}")
        values = np.frombuffer(data, kind, len(data) // kind.itemsize)
        if _hides(values, stored, high, signed=bool(numbers.get(0x00280103, 0))):
            yield Finding.HIDDEN_BITS
    elif allocated == 1 and size * 8 > bits and data[size - 1] >> (bits % 8 or 8):
        yield Finding.HIDDEN_BITS


def _hides(values: np.ndarray, stored: int, high: int, *, signed: bool) -> bool:
    """True if bits outside the stored ones are set, other than as the sign's extension."""
    if high + 1 != stored:
        mask = ((1 << stored) - 1) << max(0, high + 1 - stored)
        return bool(np.any(values & values.dtype.type(~mask & ((1 << values.dtype.itemsize * 8) - 1))))
    top = values >> values.dtype.type(stored)
    if not top.any():
        return False
    if not signed:
        return True
    ones = (1 << (values.dtype.itemsize * 8 - stored)) - 1
    negative = values >> values.dtype.type(stored - 1) & values.dtype.type(1)
    return bool(np.any((top != 0) & ((top != ones) | (negative == 0))))


def _encapsulated(file: Part10) -> Iterator[Finding]:
    table, fragments = file.fragments[:1], file.fragments[1:]
    if not table or len(table[0]) % 4 or not fragments:
        yield Finding.CONTAINER
        return
    for frame in _streams(fragments, table[0], _frames(file)):
        if not stream_is_bare(frame, file.syntax):
            yield Finding.CONTAINER
            return


def _streams(fragments: Sequence[bytes], table: bytes, frames: int) -> Iterator[bytes]:
    """The codestream of each frame: one fragment a frame, or by the offset table, or all fragments as one stream."""
    if len(fragments) == frames:
        yield from fragments
        return
    starts = set(struct.unpack(f"<{len(table) // 4}I", table)) or {0}
    at, gathered = 0, list[bytes]()
    for fragment in fragments:
        if at in starts and gathered:
            yield b"".join(gathered)
            gathered = []
        gathered.append(fragment)
        at += 8 + len(fragment)
    yield b"".join(gathered)


def stream_is_bare(data: bytes, syntax: str) -> bool:
    """True if a codestream has only what its decoder needs: no comment, no other data, nothing after it."""
    if syntax == RLE:
        return _rle_is_bare(data)
    if syntax.startswith(_J2K):
        return _j2k_is_bare(data)
    if data[:2] == b"\xff\xd8":
        end = data.rfind(b"\xff\xd9") + 2
        return len(data) - end < 2 and not data[end:].strip(b"\0\xff") and jpeg_is_bare(data[:end], every_process=True)
    return syntax.startswith("1.2.840.10008.1.2.4.1") and data[:2] in (b"\0\0", b"\xff\x0a")  # video, bare JPEG XL


def _rle_is_bare(data: bytes) -> bool:
    """PS3.5 Annex G: 64 bytes of header with only the segments' offsets set, the first one right after it."""
    if len(data) < 64:
        return False
    count, *offsets = struct.unpack_from("<16I", data)
    used, rest = offsets[:count], offsets[count:]
    return 0 < count < 16 and used[0] == 64 and used == sorted(used) and used[-1] < len(data) and not any(rest)


def _j2k_is_bare(data: bytes) -> bool:
    """A codestream of ISO/IEC 15444-1 Annex A without comments but an encoder's own name, and EOC as its end."""
    if data[:4] != b"\xff\x4f\xff\x51":
        return False  # a JP2 file with its boxes: PS3.5 A.4.4 wants the bare codestream
    at = 2
    while at + 4 <= len(data):
        marker, size = struct.unpack_from(">HH", data, at)
        if marker == 0xFF90:  # tile parts
            return _tiles_are_bare(data, at)
        if (
            marker >> 8 != 0xFF
            or marker in _SKIPPED
            or (marker == 0xFF64 and not _comment(data[at + 4 : at + 2 + size]))
        ):
            return False
        at += 2 + size
    return False


def _comment(body: bytes) -> bool:
    return _ENCODER.fullmatch(body[2:]) is not None


def _tiles_are_bare(data: bytes, at: int) -> bool:
    while at + 12 <= len(data) and data[at : at + 2] == b"\xff\x90":
        length = int.from_bytes(data[at + 6 : at + 10], "big")
        inside, end = at + 12, at + length if length else len(data)
        while data[inside : inside + 2] != b"\xff\x93":
            if inside + 4 > end or (
                data[inside : inside + 2] == b"\xff\x64"
                and not _comment(data[inside + 4 : inside + 2 + int.from_bytes(data[inside + 2 : inside + 4], "big")])
            ):
                return False
            inside += 2 + int.from_bytes(data[inside + 2 : inside + 4], "big")
        if not length:
            return data.rstrip(b"\0").endswith(b"\xff\xd9")
        at = end
    return data[at : at + 2] == b"\xff\xd9" and data[at + 2 :] in (b"", b"\0")
