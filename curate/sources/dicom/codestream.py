"""Encapsulated pixel data (PS3.5 A.4): what a code stream says of itself, whatever the header says (coding, size,
samples, precision, sign, colours, end), and which fragments are which frame, by what they hold.

A frame begins where a code stream begins. Offset tables, basic and extended, are not asked for that: they say the same
or they are wrong. Where fewer frames begin than the header counts, a basic one that counts as many says which are lost.

JPEG: ITU-T T.81 Annex B; JPEG-LS: T.87 Annex C; JPEG 2000 and HTJ2K: T.800 Annex A, T.814; RLE: PS3.5 Annex G.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from pydicom import uid

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import UNDEFINED, DicomFile
from curate.sources.images.jp2 import CAP, COD, CODE_STREAM, read_main
from curate.sources.images.jpeg import SOS, segments
from curate.sources.third_party import call_third_party

Coding = Literal["dct", "lossless", "ls", "j2k", "ht", "rle"]

SYNTAXES: dict[Coding, tuple[uid.UID, ...]] = {
    "dct": (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit),
    "lossless": (uid.JPEGLossless, uid.JPEGLosslessSV1),
    "ls": (uid.JPEGLSLossless, uid.JPEGLSNearLossless),
    "j2k": (uid.JPEG2000Lossless, uid.JPEG2000),
    "ht": (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K),
    "rle": (uid.RLELossless,),
}
# Where the header's syntax names another coding: the one of a coding's syntaxes that promises least.
_LEAST: dict[Coding, uid.UID] = {coding: syntaxes[-1] for coding, syntaxes in SYNTAXES.items()}
_CODINGS: dict[str, Coding] = {syntax: coding for coding, syntaxes in SYNTAXES.items() for syntax in syntaxes}
_JP2 = b"jP  "
_EOI = b"\xff\xd9"  # of JPEG and JPEG-LS, and as EOC of JPEG 2000
_RLE_HEADER = struct.Struct("<16L")
HEAD = _RLE_HEADER.size  # bytes by which `starts_frame` knows a frame's first fragment


@dataclass(frozen=True)
class Stream:
    """``signed`` is None where the coding cannot say; ``colours``: what three samples are, where the stream says;
    ``transformed``: the encoder took them for RGB, and made its own YBR of them (T.800 Annex G);
    ``end``: the offset behind the end marker, None in a stream that was cut."""

    coding: Coding
    rows: int
    columns: int
    samples: int
    bits: int
    signed: bool | None = None
    colours: Literal["RGB", "YBR"] | None = None
    end: int | None = None
    transformed: bool = False

    def syntax(self, declared: uid.UID) -> uid.UID:
        """``declared`` where the stream is of its coding, else a syntax of the stream's own."""
        if _CODINGS.get(declared) == self.coding:
            return declared
        return uid.JPEGBaseline8Bit if self.coding == "dct" and self.bits == 8 else _LEAST[self.coding]


def starts_frame(head: bytes) -> bool:
    """Is ``head``, the first `HEAD` bytes of a fragment, the beginning of a code stream and so of a frame?"""
    return head.startswith((b"\xff\xd8\xff", CODE_STREAM)) or head[4:8] == _JP2 or rle_segments(head) is not None


def rle_segments(data: bytes, length: int | None = None) -> tuple[int, ...] | None:
    """Offsets of an RLE frame's segments (G.5), None where ``data`` begins with no RLE header that fits ``length``."""
    if len(data) < HEAD:
        return None
    count, *offsets = _RLE_HEADER.unpack_from(data)
    if not 1 <= count <= 15 or offsets[0] != HEAD or any(offsets[count:]):
        return None
    ends = [*offsets[:count], length] if length is not None else offsets[:count]
    return tuple(offsets[:count]) if all(a < b for a, b in pairwise(ends)) else None


def end_of_runs(data: bytes, at: int, count: int) -> tuple[int, int]:
    """Where the runs that begin at ``at`` (G.3.1) have made ``count`` bytes, or else the data end; and how many bytes
    more than these they make, below 0: fewer."""
    while count > 0 and at < len(data):
        code = data[at]
        produced = 0 if code == 128 else code + 1 if code < 128 else 257 - code
        at += 1 + (produced if code < 128 else code != 128)
        count -= produced
    return at, -count


def read_stream(data: bytes) -> Stream | None:
    """What the JPEG, JPEG-LS or JPEG 2000 stream at the start of ``data`` says; None where it is none, or says no
    size. RLE says nothing: see `rle_segments`."""
    if data.startswith(CODE_STREAM) or data[4:8] == _JP2:
        return _jpeg2000(data)
    return _jpeg(data) if data.startswith(b"\xff\xd8") else None


def _jpeg(data: bytes) -> Stream | None:
    frame, apps, at = b"", list[bytes](), len(data)
    coding: Coding = "dct"
    for marker, parameters, scan, behind in segments(data):
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            coding = "ls" if marker == 0xF7 else "lossless" if marker in (0xC3, 0xC7) else "dct"
            frame = frame or parameters
        elif 0xE0 <= marker <= 0xEF:
            apps.append(parameters)
        elif marker == SOS:
            at = behind - len(scan)
            break
    if len(frame) < 6:
        return None
    rows, columns = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    end = data.find(_EOI, at)  # byte and bit stuffing keep it out of entropy-coded data
    return Stream(
        coding, rows, columns, frame[5], frame[0], None, _told_colours(frame, apps), end + 2 if end >= 0 else None
    )


def _told_colours(frame: bytes, apps: list[bytes]) -> Literal["RGB", "YBR"] | None:
    """Of three components: by their names, else by Adobe's transform, else as JFIF has them."""
    if frame[5] != 3:
        return None
    if frame[6::3][:3] in (b"RGB", b"rgb"):
        return "RGB"
    for parameters in apps:
        if parameters.startswith(b"JFIF\0"):
            return "YBR"
        if parameters.startswith(b"Adobe") and len(parameters) >= 12 and parameters[11] <= 1:
            return "YBR" if parameters[11] else "RGB"
    return None


def _jpeg2000(data: bytes) -> Stream | None:
    start = data.find(CODE_STREAM)  # in a whole JP2 file, which the standard forbids and writers do, behind its boxes
    head = read_main(data[start:]) if start >= 0 else None
    if head is None:
        return None
    coding: Coding = "ht" if CAP in head.segments else "j2k"  # which only the high-throughput coder writes
    transformed = head.segments.get(COD, b"")[4:5] == b"\1"
    end = _end_of_tiles(data, start + head.end)
    return Stream(
        coding, head.rows, head.columns, len(head.depths), head.bits, head.depths[0] > 127, None, end, transformed
    )


def _end_of_tiles(data: bytes, at: int) -> int | None:
    """Offset behind EOC, by the lengths of the tile-parts from ``at`` on; by the marker itself where they are wrong."""
    first = at
    while data[at : at + 2] == b"\xff\x90":
        length = int.from_bytes(data[at + 6 : at + 10], "big")
        if length < 14:
            break
        at += length
    if data[at : at + 2] == _EOI and at > first:
        return at + 2
    end = data.find(_EOI, first + 12)
    return end + 2 if end >= 0 and data[first : first + 2] == b"\xff\x90" else None


ITEM, DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_MAX_TABLE = 1 << 20  # bytes
Span = tuple[int, int]  # offset and length in the file


@dataclass(frozen=True)
class Fragments:
    """``frames``: the fragments of each frame. ``whole`` is False where the file ended before the sequence did."""

    frames: tuple[tuple[Span, ...], ...]
    whole: bool

    def read(self, file: DicomFile, frame: int) -> bytes:
        """The frame's code stream; DropRecord TRUNCATED where the file ends inside it, FRAME_COUNT without one."""
        if frame >= len(self.frames):
            raise DropRecord(Reason.FRAME_COUNT if self.whole else Reason.TRUNCATED)
        data = b"".join(file.read(*span) for span in self.frames[frame])
        if len(data) < sum(length for _, length in self.frames[frame]):
            raise DropRecord(Reason.TRUNCATED)
        return data


def find_fragments(file: DicomFile, frames: int) -> Fragments | None:
    """The frames of the pixel data, None where it is no sequence of fragments.

    Where no fragment is known for the beginning of a stream, ``frames`` fragments are that many frames, and others one.
    """
    spans, offsets, whole = _items(file)
    if spans is None:
        return None
    groups: list[list[Span]] = []
    for span in spans:
        if starts_frame(file.read(span[0], min(span[1], HEAD))):
            groups.append([span])
        elif groups:
            groups[-1].append(span)
    if not groups and spans:
        groups = [[span] for span in spans] if len(spans) == frames else [spans]
    elif groups and whole and len(groups) < frames:
        groups = groups[: _known(file, groups, offsets, frames) if groups[0][0] == spans[0] else 0]
    elif len(offsets) == len(groups):
        for group, (start, end) in zip(groups, pairwise(offsets), strict=False):
            sizes = [8 + length for _, length in group]
            if end - start - sum(sizes) in sizes:  # one like its others is missing: it lies behind the file's end
                group.append((file.size, 1))
    return Fragments(tuple(tuple(group) for group in groups), whole)


def _known(file: DicomFile, groups: list[list[Span]], offsets: tuple[int, ...], frames: int) -> int:
    """Of ``groups``, fewer than the ``frames`` that were written, how many first ones are those that they should be.

    A fragment that belongs to no stream is of a frame whose first was lost; a frame of another length than the table
    says follows a lost one, or lost some itself.
    """
    told = [end - start for start, end in pairwise(offsets)] if len(offsets) == frames else []
    for i, group in enumerate(groups):
        whole = sum(8 + length for _, length in group)
        if i < len(told) and told[i] != whole and (told[i] > whole or not _goes_on(file, group)):
            return i
        if _goes_on(file, group):
            return i + 1
    return len(groups)


def _goes_on(file: DicomFile, group: list[Span]) -> bool:
    """Does the frame's stream end before its last fragment begins? RLE has one fragment a frame."""
    if len(group) == 1:
        return False
    data = b"".join(file.read(*span) for span in group)
    stream = call_third_party(Reason.UNDECODABLE, read_stream, data)
    return stream is None or (stream.end or len(data)) <= len(data) - group[-1][1]


def bare_stream(file: DicomFile) -> Fragments | None:
    """A code stream that lies in the element as it is, without items; None where there is none."""
    there = file.size - file.element.offset
    length = there if file.element.length == UNDEFINED else file.element.length
    head = file.read(file.element.offset, min(length, HEAD))
    if not head.startswith(b"\xff") or not starts_frame(head):
        return None
    return Fragments((((file.element.offset, length),),), length <= there)


def _items(file: DicomFile) -> tuple[list[Span] | None, tuple[int, ...], bool]:
    """Every fragment, the basic offset table, and whether the sequence came to its end."""
    at, offsets = file.element.offset, tuple[int, ...]()
    spans: list[Span] | None = None
    end = file.size if file.element.length == UNDEFINED else file.element.offset + file.element.length
    while True:
        head = file.read(at, 8)
        if head[:4] != ITEM or len(head) < 8:
            break
        (length,) = struct.unpack_from("<L", head, 4)
        if length == UNDEFINED:
            raise DropRecord(Reason.UNDECODABLE)
        if spans is None and not starts_frame(file.read(at + 8, min(length, HEAD))):
            table, spans = file.read(at + 8, min(length, _MAX_TABLE)), []
            offsets = struct.unpack_from(f"<{len(table) // 4}L", table)
        else:
            spans = spans or []
            spans += [(at + 8, length)] if length else []
        at += 8 + length
    return spans, offsets, head[:4] == DELIMITER or (at == end <= file.size and file.element.length != UNDEFINED)
